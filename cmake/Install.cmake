# What `cmake --install` lays down for those who build on the library: headers, both libraries, and the files by which
# pkg-config and find_package(liblog CONFIG) find them. Included by liblog/CMakeLists.txt once its targets exist.
include(CMakePackageConfigHelpers)

set(LIBLOG_CMAKE_DIR ${CMAKE_INSTALL_LIBDIR}/cmake/liblog)
# GNUInstallDirs allows absolute folders; the .pc file takes both kinds.
foreach(name LIBDIR INCLUDEDIR)
    if(IS_ABSOLUTE "${CMAKE_INSTALL_${name}}")
        set(LIBLOG_PC_${name} "${CMAKE_INSTALL_${name}}")
    else()
        set(LIBLOG_PC_${name} "\${prefix}/${CMAKE_INSTALL_${name}}")
    endif()
endforeach()

set_target_properties(liblog_static PROPERTIES EXPORT_NAME static)
install(TARGETS liblog liblog_static EXPORT liblogTargets
        LIBRARY DESTINATION ${CMAKE_INSTALL_LIBDIR}
        ARCHIVE DESTINATION ${CMAKE_INSTALL_LIBDIR})
install(DIRECTORY ${PROJECT_SOURCE_DIR}/include/liblog DESTINATION ${CMAKE_INSTALL_INCLUDEDIR}
        FILES_MATCHING PATTERN "*.h")

configure_file(${PROJECT_SOURCE_DIR}/cmake/liblog.pc.in ${CMAKE_CURRENT_BINARY_DIR}/liblog.pc.in @ONLY)
# The prefix is known only when installing (`cmake --install … --prefix P`), so the .pc file is finished then.
install(CODE "
    set(pc \"${CMAKE_CURRENT_BINARY_DIR}/liblog.pc\")
    file(READ \"${CMAKE_CURRENT_BINARY_DIR}/liblog.pc.in\" text)
    string(REGEX REPLACE \"^prefix=[^\\n]*\" \"prefix=\${CMAKE_INSTALL_PREFIX}\" text \"\${text}\")
    file(WRITE \"\${pc}\" \"\${text}\")")
install(FILES ${CMAKE_CURRENT_BINARY_DIR}/liblog.pc DESTINATION ${CMAKE_INSTALL_LIBDIR}/pkgconfig)

configure_package_config_file(${PROJECT_SOURCE_DIR}/cmake/liblogConfig.cmake.in
                              ${CMAKE_CURRENT_BINARY_DIR}/liblogConfig.cmake
                              INSTALL_DESTINATION ${LIBLOG_CMAKE_DIR})
write_basic_package_version_file(${CMAKE_CURRENT_BINARY_DIR}/liblogConfigVersion.cmake COMPATIBILITY SameMinorVersion)
install(FILES ${CMAKE_CURRENT_BINARY_DIR}/liblogConfig.cmake ${CMAKE_CURRENT_BINARY_DIR}/liblogConfigVersion.cmake
        DESTINATION ${LIBLOG_CMAKE_DIR})
install(EXPORT liblogTargets NAMESPACE liblog:: DESTINATION ${LIBLOG_CMAKE_DIR})
