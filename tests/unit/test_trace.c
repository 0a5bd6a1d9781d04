/* The type of an error out of a stack trace, as it stands in a text and as JSON spells it. */
#include "shipper/trace.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

static void assert_type(const char *trace, bool is_sure, const char *expected)
{
    struct slice type = trace_type(slice_of(trace), is_sure);
    if (!slice_is(type, expected))
        fail_msg("%s: \"%.*s\"", trace, (int)type.size, type.data);
}

static void javas_type_is_the_first_word(void **state)
{
    (void)state;
    assert_type("java.lang.IllegalStateException: no gateway\n\tat a.B.c(B.java:17)\nCaused by: x.Y: z\n",
                true, "java.lang.IllegalStateException");
    assert_type("java.lang.IllegalStateException\\n\\tat a.B.c(B.java:17)", true,
                "java.lang.IllegalStateException");
    assert_type("com.x.Outer$Inner: m", true, "com.x.Outer$Inner");
    assert_type("java.io.IOException\r\n\tat x", true, "java.io.IOException");
}

static void pythons_type_stands_on_the_last_line(void **state)
{
    (void)state;
    assert_type("Traceback (most recent call last):\n  File \"x.py\", line 1, in <module>\n    "
                "f()\nKeyError: 'name'\n",
                true, "KeyError");
    assert_type(
        "Traceback (most recent call last):\\n  File \\\"x.py\\\", line 1\\nasyncio.exceptions.TimeoutError",
        true, "asyncio.exceptions.TimeoutError");
    assert_type(
        "Traceback (most recent call last):\n  a\nKeyError: 'a'\n\nDuring handling of the above exception, "
        "another "
        "exception occurred:\n\nTraceback (most recent call last):\n  b\nValueError: two\nlines of text\n",
        false, "ValueError");
}

static void what_is_no_trace_has_no_type(void **state)
{
    (void)state;
    static const char *const sure[] = {
        "", ":", "a message in words", "7: x", "  indented: x", "{\"a\":1}", ".x: y", "\n"};
    static const char *const unsure[] = {"Details: the disk is full", "more text", "\tat a.b(C.java)",
                                         "STATEMENT:  SELECT 1"};
    for (size_t i = 0; i < sizeof(sure) / sizeof(sure[0]); i++)
        assert_type(sure[i], true, "");
    for (size_t i = 0; i < sizeof(unsure) / sizeof(unsure[0]); i++)
        assert_type(unsure[i], false, "");
    assert_type("java.sql.SQLException: x", false, "java.sql.SQLException");
    char longest[400];
    memset(longest, 'a', sizeof(longest));
    longest[399] = '\0';
    assert_type(longest, true, "");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(javas_type_is_the_first_word),
        cmocka_unit_test(pythons_type_stands_on_the_last_line),
        cmocka_unit_test(what_is_no_trace_has_no_type),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
