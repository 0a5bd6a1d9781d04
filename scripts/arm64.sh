#!/usr/bin/env bash
# The library's unit tests on arm64: cross-compiled with Debian's compiler and run under qemu-user. Beside scripts/test.sh,
# for it adds the foreign architecture to the machine's package lists.
#
# qemu-user keeps no list of robust futexes, so nobody is ever seen to die there, and it does not survive a fork among
# threads. What rests on these can be tested on a real arm64 only, by scripts/test.sh; it is left out here by name:
kernel_needed='^test_(fork|kill_points|log|os|recover|stats|stats_outside|torture)$'
# And these look at the machine that compiles:
host_only='^(package|headers)$'
# shellcheck source=scripts/lib.sh
source "$(dirname "${BASH_SOURCE[0]}")/lib.sh"

test_s_max=120

# Packages of the foreign architecture are unknown until its lists are read.
install_arm64() {
    local names=(crossbuild-essential-arm64 qemu-user libcmocka-dev:arm64 libjson-c-dev:arm64 libstdc++6:arm64)
    local name missing=()
    for name in "${names[@]}"; do
        is_installed "$name" || missing+=("$name")
    done
    [ "${#missing[@]}" -gt 0 ] || return 0
    step "Debian packages: installing ${missing[*]}"
    as_root dpkg --add-architecture arm64
    quietly as_root apt-get update -q
    apt_install "${missing[@]}"
}

bash "$project/scripts/setup" test
install_arm64
cd "$project"
step "Building: arm64"
cmake -S . -B build/arm64 -G Ninja -DCMAKE_TOOLCHAIN_FILE="$project/cmake/arm64.cmake" -DCMAKE_BUILD_TYPE=Debug \
    -DLIBLOG_BUILD_SHIPPER=OFF -DLIBLOG_BUILD_EXAMPLES=OFF -DLIBLOG_BUILD_TESTS=ON >/dev/null
quietly cmake --build build/arm64
step "Tests: arm64, under qemu"
cd build/arm64
ctest -j "$jobs" --timeout "$test_s_max" --output-on-failure -E "$kernel_needed|$host_only"
