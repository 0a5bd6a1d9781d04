#!/usr/bin/env bash
# Everything that can be wrong, looked for: format, directions, documentation, four builds with two compilers, unit tests
# plain and under the sanitizers, the installed package, and the programs end to end with a real Kafka broker. All of it is
# run, also after a failure; the last line has the numbers and the exit status is 0 only when nothing failed.
# shellcheck source=scripts/lib.sh
source "$(dirname "${BASH_SOURCE[0]}")/lib.sh"

bash "$project/scripts/setup" test
cd "$project"
mkdir -p build
results=$project/build/results
rm -rf "$results"
mkdir "$results"
bench_s_max=300
passed=0
failed=0
failures=()

count() {
    passed=$((passed + $1))
    failed=$((failed + $2))
}

# check NAME COMMAND…: one thing that holds or not.
check() {
    local name=$1
    shift
    step "$name"
    if "$@"; then
        count 1 0
    else
        count 0 1
        failures+=("$name")
    fi
}

# suite NAME COMMAND…: a runner that writes JUnit's XML to $results/NAME.xml. A runner that fails without saying
# which test did, or that found none, counts as a failure itself.
suite() {
    local name=$1 status=0 good bad
    shift
    step "Tests: $name"
    "$@" || status=$?
    read -r good bad < <(.venv/bin/python scripts/count_tests.py "$results/$name.xml")
    if [ "$bad" = 0 ] && { [ "$good" = 0 ] || [ "$status" != 0 ]; }; then
        bad=1
    fi
    [ "$bad" = 0 ] || failures+=("tests: $name")
    count "$good" "$bad"
}

c_files() { find include liblog shipper examples tests -name '*.[ch]' -o -name '*.cpp' | sort; }

# Names the files only: `clang-format -i FILE` says the rest.
is_formatted() {
    local name status=0
    while read -r name; do
        clang-format --dry-run -Werror "$name" 2>/dev/null || { status=1 && printf 'not formatted: %s\n' "$name"; }
    done < <(c_files)
    return "$status"
}

# Every variable that the library reads is in .env.example, and no other.
env_example_is_complete() {
    diff <(grep -ohE '"(LOG_[A-Z_]+|APP_ENV)"' liblog/*.c | tr -d '"' | sort -u) \
        <(grep -oE '^#?(LOG_[A-Z_]+|APP_ENV)=' .env.example | tr -d '#=' | sort -u)
}

# And what it sets can be: a program starts with it.
env_example_is_accepted() {
    (
        set -a
        # shellcheck source=.env.example
        source .env.example
        build/release/examples/hello 2>/dev/null
    )
}

unit_tests() {
    local preset=$1
    shift
    ctest --preset "$preset" "$@" -j "$jobs" --output-junit "$results/unit-$preset.xml" --no-tests=error
}

end_to_end() {
    local name=$1 folder=$2
    shift 2
    LIBLOG_BUILD=$folder .venv/bin/python -m pytest -q --junitxml="$results/$name.xml" -c tests/e2e/pytest.ini "$@"
}

# The benchmarks run to their end, short where they know how to be. Their figures are for people: a machine with company measures nothing.
benchmarks_run() {
    local bench found=no
    for bench in build/release/tests/bench/bench_*; do
        if [ -d "$bench" ] || [ ! -x "$bench" ]; then
            continue # CMake's own files
        fi
        found=yes
        printf '%s\n' "$(basename "$bench"):"
        timeout "$bench_s_max" "$bench" --quick || return 1
    done
    for bench in tests/bench/bench_*.py; do
        printf '%s\n' "$(basename "$bench"):"
        timeout "$bench_s_max" .venv/bin/python "$bench" --quick build/release/shipper/shipper || return 1
    done
    [ "$found" = yes ]
}

check "Shell scripts are clean" shellcheck -x scripts/*.sh scripts/setup .ci/run tests/package/check.sh
check "C files are formatted" is_formatted
check "Includes run the way of the house" scripts/check_includes.sh
check ".env.example has every variable" env_example_is_complete

check "gcc, optimised" build release -DLIBLOG_BUILD_TESTS=ON -DLIBLOG_BUILD_BENCH=ON
check "gcc, debug" build dev
check "clang, debug" build clang
suite unit-dev unit_tests dev
check ".env.example can be" env_example_is_accepted
check "Documentation: its code compiles and runs" .venv/bin/python scripts/check_docs.py build/release

check "gcc, AddressSanitizer and UndefinedBehaviorSanitizer" build asan
suite unit-asan unit_tests asan

# It does not follow a fork among threads, so the tests that it can judge are those labelled `tsan`.
check "gcc, ThreadSanitizer" build tsan -DLIBLOG_BUILD_EXAMPLES=OFF
suite unit-tsan unit_tests tsan -L tsan

# At full speed, as users have it; and once more under the sanitizers, where input is hostile.
suite end-to-end end_to_end end-to-end build/release tests/e2e
suite end-to-end-asan end_to_end end-to-end-asan build/asan tests/e2e/test_bad_input.py tests/e2e/test_record.py

check "Benchmarks run" benchmarks_run

for name in "${failures[@]}"; do
    printf 'failed: %s\n' "$name"
done
printf '%d passed, %d failed\n' "$passed" "$failed"
[ "$failed" = 0 ]
