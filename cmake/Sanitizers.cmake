if(LIBLOG_SANITIZE)
    add_compile_options(-fsanitize=${LIBLOG_SANITIZE} -fno-omit-frame-pointer -fno-sanitize-recover=all)
    add_link_options(-fsanitize=${LIBLOG_SANITIZE})
endif()
