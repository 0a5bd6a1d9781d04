/* Patterns of the configuration: what they match, and that none silently means something else than elsewhere.
 */
#include "shipper/pattern.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

static struct pattern *pattern_of(const char *text, bool lines)
{
    struct problem problem = {0};
    struct pattern *pattern = NULL;
    if (pattern_new(text, lines, &problem, &pattern) != 0)
        fail_msg("%s", problem.text);
    return pattern;
}

/* What is found, or "-" when nothing is. */
static void assert_finds(const char *pattern_text, const char *text, const char *expected)
{
    struct pattern *pattern = pattern_of(pattern_text, true);
    struct slice found = SLICE("-");
    bool is_found = pattern_find(pattern, slice_of(text), &found);
    if (!slice_is(found, expected) || (is_found && !pattern_matches(pattern, slice_of(text))))
        fail_msg("%s in \"%s\": \"%.*s\"", pattern_text, text, (int)found.size, found.data);
    pattern_free(pattern);
}

static void the_first_group_that_took_part_is_what_is_found(void **state)
{
    (void)state;
    assert_finds("b+", "abbbc", "bbb");
    assert_finds("a(b+)c", "xabbbc", "bbb");
    assert_finds("\\[(ERROR|WARN)\\]|level=(\\w+)", "x [WARN] y", "WARN");
    assert_finds("\\[(ERROR|WARN)\\]|level=(\\w+)", "x level=info y", "info");
    assert_finds("(?:a|b)(c)", "xbc", "c");
    assert_finds("(?:a|b)c", "xbc", "bc");
    assert_finds("(a)|b", "b", "-"); /* it matches, but its group took no part */
    assert_finds("x(y?)z", "xz", "");
    assert_finds("q", "abc", "-");
}

static void abbreviations_mean_what_they_mean_elsewhere_also_within_brackets(void **state)
{
    (void)state;
    assert_finds("^\\d{4}-\\d\\d", "2025-10-19", "2025-10");
    assert_finds("[\\w.]+Exception", "x java.lang.IOException: y", "java.lang.IOException");
    assert_finds("[\\d,]+", "a 1,234 b", "1,234");
    assert_finds("[^\\s]+$", "a bc", "bc");
    assert_finds("[]x]+", "a]x]b", "]x]");
    assert_finds("[[:upper:]]+", "abCDe", "CD");
    assert_finds("\\bERR\\b", "xERR ERR", "ERR");
    assert_finds("\\.\\*\\\\", "a.*\\", ".*\\");
    assert_finds("\\D\\S\\W", "1ab ", "ab ");
}

static void lines_are_lines_of_a_text_or_not(void **state)
{
    (void)state;
    assert_finds("^\\w+Error", "trace\nValueError: x\nmore", "ValueError");
    assert_finds("a.*", "ab\ncd", "ab");
    struct pattern *whole = pattern_of("^b", false);
    assert_false(pattern_matches(whole, SLICE("a\nb")));
    assert_true(pattern_matches(whole, SLICE("b")));
    assert_false(pattern_matches(whole, SLICE("")));
    pattern_free(whole);
}

static void what_would_mean_something_else_than_elsewhere_is_refused_with_words(void **state)
{
    (void)state;
    static const char *const wrong[][2] = {
        {"(a)\\1", "references back"},
        {"a*?", "lazy"},
        {"a++", "possessive"},
        {"(?=a)", "(?:"},
        {"(?<n>a)", "(?:"},
        {"\\x41", "backslash"},
        {"[\\]]", "backslash"},
        {"a\\", "backslash"},
        {"[a", "has no ]"},
        {"(a", "cannot be"},
        {"a{2,1}", "cannot be"},
        {"*a", "cannot be"},
    };
    for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
        struct problem problem = {0};
        struct pattern *pattern = NULL;
        if (pattern_new(wrong[i][0], true, &problem, &pattern) != -ERR_CFG_004)
            fail_msg("taken: %s", wrong[i][0]);
        if (!strstr(problem.text, wrong[i][1]) || !strstr(problem.text, wrong[i][0]))
            fail_msg("%s: %s", wrong[i][0], problem.text);
        assert_null(pattern);
    }
    char longest[PATTERN_BYTES_MAX + 2];
    memset(longest, 'a', sizeof(longest));
    longest[PATTERN_BYTES_MAX + 1] = '\0';
    assert_int_equal(pattern_new(longest, true, NULL, NULL), -ERR_CFG_004);
    assert_int_equal(pattern_new("", true, NULL, NULL), -ERR_CFG_004);
}

/* Where others take time that doubles with each byte. */
static void the_time_of_a_match_does_not_explode(void **state)
{
    (void)state;
    struct pattern *pattern = pattern_of("^(a+)+$", true);
    char text[4001];
    memset(text, 'a', 4000);
    text[4000] = '!';
    assert_false(pattern_matches(pattern, slice_from(text, sizeof(text))));
    pattern_free(pattern);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_first_group_that_took_part_is_what_is_found),
        cmocka_unit_test(abbreviations_mean_what_they_mean_elsewhere_also_within_brackets),
        cmocka_unit_test(lines_are_lines_of_a_text_or_not),
        cmocka_unit_test(what_would_mean_something_else_than_elsewhere_is_refused_with_words),
        cmocka_unit_test(the_time_of_a_match_does_not_explode),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
