#!/usr/bin/env bash
# Each public header compiles alone, first in its file, in C11 and C++17, by every compiler here, and under the warnings
# that a strict user has. What must not compile does not.
#     check.sh PROJECT_FOLDER
set -euo pipefail

project=$1
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
warnings=(-Wall -Wextra -Wpedantic -Werror -Wshadow -Wconversion -Wstrict-overflow -fsyntax-only -I "$project/include")
checked=0

compile() { # compiler standard language file
    "$1" "-std=$2" -x "$3" "${warnings[@]}" "$4"
}

compilers() {
    for pair in gcc:g++ clang:clang++; do
        command -v "${pair%:*}" >/dev/null && command -v "${pair#*:}" >/dev/null && echo "$pair"
    done
}

must_compile() { # file
    for pair in $(compilers); do
        compile "${pair%:*}" c11 c "$1" || { echo "$1 does not compile as C11 by ${pair%:*}"; exit 1; }
        compile "${pair#*:}" c++17 c++ "$1" || { echo "$1 does not compile as C++17 by ${pair#*:}"; exit 1; }
        checked=$((checked + 2))
    done
}

# A file that compiles without the doubtful line and not with it: so the line is the reason.
must_not_compile() { # language statement
    for pair in $(compilers); do
        local compiler=${pair%:*} standard=c11
        [[ $1 == c++ ]] && compiler=${pair#*:} standard=c++17
        printf "#include <liblog/liblog.h>\nvoid user(int *pointer, void *any);\nvoid user(int *pointer, void *any)\n{\n    (void)pointer;\n    (void)any;\n}\n" >"$work/doubt.$1"
        compile "$compiler" "$standard" "$1" "$work/doubt.$1"
        sed -i "s|^}|    $2\n}|" "$work/doubt.$1"
        if compile "$compiler" "$standard" "$1" "$work/doubt.$1" 2>/dev/null; then
            echo "$compiler takes: $2"
            exit 1
        fi
        checked=$((checked + 1))
    done
}

[[ -n $(compilers) ]]
for header in "$project"/include/liblog/*.h; do
    printf '#include <liblog/%s>\n#include <liblog/%s>\ntypedef int something;\n' "${header##*/}" "${header##*/}" >"$work/alone.c"
    must_compile "$work/alone.c"
done

cat >"$work/all_calls.c" <<'END'
#include <liblog/liblog.h>
#include <liblog/other.h>
#define LL_LOGGER "strict.user"
void user(const char *text, double d);
void user(const char *text, double d)
{
    ll_info("m");
    ll_info(text, ll_kv("t", text), ll_kv("d", d), ll_kv("n", 1), ll_kv(text, 2u));
    ll_error("m", ll_exception_code("T", "C", text), ll_bool("b", 1), ll_secret("p", text));
    ll_warning("m", ll_exception("T", text), ll_json("j", "{}"), ll_bytes("x", text, 1), ll_strn("s", text, 1));
    ll_debugf("%s %f", text, d);
    if (d > 1)
        ll_critical("a statement of its own", ll_time("t", 0), ll_duration("d", 1));
    else
        ll_trace("m");
}
int numbers(ll_stats *stats, ll_recent_error *errors, char *text);
int numbers(ll_stats *stats, ll_recent_error *errors, char *text)
{
    ll_other_stats *others;
    ll_other_run run;
    if (ll_stats_get(stats) != LL_OK || ll_stats_window(60, stats) != LL_OK || ll_recent_errors(errors, 1) < 0 ||
        ll_stats_json(text, 100) < 0 || ll_other_stats_read("app.log", NULL, &others, NULL) != LL_OK)
        return -1;
    ll_other_stats_run(others, 0, &run);
    ll_other_stats_get(others, LL_RUN_SUM, stats);
    ll_other_stats_recent(others, 0, errors, 1);
    ll_other_stats_free(others);
    return 0;
}
END
must_compile "$work/all_calls.c"

for language in c c++; do
    must_not_compile "$language" 'll_info("m", ll_kv("pointer", pointer));'
    must_not_compile "$language" 'll_info("m", ll_kv("any", any));'
    must_not_compile "$language" 'll_info("m", ll_kv("any", (const void *)any));'
    must_not_compile "$language" 'll_infof("%s", 1);'
    must_not_compile "$language" 'll_info("m", 5);'
done
echo "$checked compilations as they should be"
