#!/usr/bin/env bash
# Installs a build into a folder of its own and builds the consumers against that alone: through pkg-config and through
# find_package, in C11 and C++17, with warnings as errors. Then runs each, and reads what it logged.
#
#   check.sh BUILD-FOLDER
set -Eeuo pipefail

build=$(cd "$1" && pwd -P)
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd -P)
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
prefix=$work/prefix
strict=(-Wall -Wextra -Wpedantic -Werror)

fail() {
    printf 'package: %s\n' "$*" >&2
    exit 1
}

# expect_record PROGRAM LOGGER JQ-CONDITION: the program's run logged one record that fits, and its clean end.
expect_record() {
    local program=$1 logger=$2 condition=$3 log=$work/$1.log run
    run=$(LD_LIBRARY_PATH=$libdir LOG_FILE=$log LOG_SERVICE=consumer "$work/$program")
    jq -es --arg run "$run" --arg logger "$logger" \
        "length == 2 and all(.run_id == \$run) and .[0].logger == \$logger and .[1].mark == \"close\" and (.[0] | $condition)" \
        "$log" >/dev/null || fail "$program logged something else: $(cat "$log")"
    printf 'ok: %s\n' "$program"
}

cmake --install "$build" --prefix "$prefix" >"$work/install.log"
libdir=$(dirname "$(find "$prefix" -name liblog.so)")
export PKG_CONFIG_PATH=$libdir/pkgconfig
[ "$(pkg-config --variable=prefix liblog)" = "$prefix" ] || fail "liblog.pc names another prefix"

# What is exported is the interface and nothing else.
foreign=$(nm -D --defined-only "$libdir/liblog.so" | awk '$2 != "A" && $3 !~ /^ll_/ { print $3 }')
[ -z "$foreign" ] || fail "liblog.so exports what is not ll_…: $foreign"

read -ra flags <<<"$(pkg-config --cflags --libs liblog)"
gcc -std=c11 "${strict[@]}" "$here/consumer.c" "${flags[@]}" -o "$work/pkg_c"
g++ -std=c++17 "${strict[@]}" "$here/consumer.cpp" "${flags[@]}" -o "$work/pkg_cpp"
clang -std=c11 "${strict[@]}" "$here/consumer.c" "${flags[@]}" -o "$work/pkg_clang"

cmake -S "$here" -B "$work/find" -G Ninja -DCMAKE_PREFIX_PATH="$prefix" >"$work/configure.log" ||
    { cat "$work/configure.log" && fail "find_package failed"; }
cmake --build "$work/find" >"$work/build.log" || { cat "$work/build.log" && fail "the CMake consumer failed"; }
mv "$work"/find/consumer_* "$work/"

in_c='.message == "hello from C" and .fields == {answer: 42, pi: 3.25, name: "teapot", hot: true}'
in_cpp='.message == "hello from C++" and .request_id == "abc123" and .endpoint == "/cart"
    and .fields == {answer: 42, pi: 3.25, name: "teapot", hot: true, view: "cup"}'
expect_record pkg_c consumer.c "$in_c"
expect_record pkg_clang consumer.c "$in_c"
expect_record pkg_cpp consumer.cpp "$in_cpp"
expect_record consumer_c consumer.c "$in_c"
expect_record consumer_static consumer.c "$in_c"
expect_record consumer_cpp consumer.cpp "$in_cpp"
