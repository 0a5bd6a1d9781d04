#include "shipper/event.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>

static void levels_have_the_names_of_the_record(void **state)
{
    (void)state;
    static const char *const names[] = {"TRACE", "DEBUG", "INFO", "WARNING", "ERROR", "CRITICAL", "UNKNOWN"};
    for (int i = 0; i < LEVEL_COUNT; i++)
        assert_string_equal(level_name((enum level)i), names[i]);
    for (int i = 0; i < LEVEL_UNKNOWN; i++)
        assert_int_equal(level_from_text(slice_of(names[i])), i);
}

static void levels_are_known_in_any_spelling(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        enum level level;
    } cases[] = {
        {"warn", LEVEL_WARNING},     {"Warning", LEVEL_WARNING}, {"WARN", LEVEL_WARNING},
        {"err", LEVEL_ERROR},        {"Error", LEVEL_ERROR},     {"fatal", LEVEL_CRITICAL},
        {"PANIC", LEVEL_CRITICAL},   {"notice", LEVEL_INFO},     {"trace", LEVEL_TRACE},
        {"Information", LEVEL_INFO}, {"10", LEVEL_TRACE},        {"20", LEVEL_DEBUG},
        {"30", LEVEL_INFO},          {"35", LEVEL_INFO},         {"40", LEVEL_WARNING},
        {"50", LEVEL_ERROR},         {"60", LEVEL_CRITICAL},     {"0", LEVEL_CRITICAL},
        {"1", LEVEL_CRITICAL},       {"2", LEVEL_CRITICAL},      {"3", LEVEL_ERROR},
        {"4", LEVEL_WARNING},        {"5", LEVEL_INFO},          {"6", LEVEL_INFO},
        {"7", LEVEL_DEBUG},          {"8", LEVEL_UNKNOWN},       {"9", LEVEL_UNKNOWN},
        {"70", LEVEL_UNKNOWN},       {"", LEVEL_UNKNOWN},        {"warnx", LEVEL_UNKNOWN},
        {"war", LEVEL_UNKNOWN},      {"-3", LEVEL_UNKNOWN},      {"18446744073709551619", LEVEL_UNKNOWN}};
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
        if (level_from_text(slice_of(cases[i].text)) != cases[i].level)
            fail_msg("%s: %s", cases[i].text, level_name(level_from_text(slice_of(cases[i].text))));
}

static void assert_text(const char *json, bool escaped, size_t size, const char *expected)
{
    char memory[64];
    struct value value = {json, (uint32_t)strlen(json), VALUE_STRING, escaped};
    struct slice text = value_text(&value, memory, size);
    assert_int_equal(text.size, strlen(expected));
    if (text.size)
        assert_memory_equal(text.data, expected, text.size);
    assert_true(escaped || text.data == json);
}

static void text_is_resolved_and_cut_at_a_character(void **state)
{
    (void)state;
    assert_text("plain", false, 64, "plain");
    assert_text("plain", false, 3, "pla");
    assert_text("a\xC3\xA9z", false, 2, "a");
    assert_text("\\b\\f\\n\\r\\t\\\"\\\\\\/", true, 64, "\b\f\n\r\t\"\\/");
    assert_text("\\u0041\\u00E9\\u20aC\\uD83D\\uDE00", true, 64, "A\xC3\xA9\xE2\x82\xAC\xF0\x9F\x98\x80");
    assert_text("a\\u00e9z", true, 2, "a");
    assert_text("\\ud83d\\ude00", true, 3, "");
    assert_text("\\ude00\\ude00", true, 64, "\xEF\xBF\xBD\xEF\xBF\xBD");
    assert_text("\\ude00\\ud83dx\\ud83d\\u0041\\ud83d", true, 64,
                "\xEF\xBF\xBD\xEF\xBF\xBDx\xEF\xBF\xBD"
                "A\xEF\xBF\xBD");
    assert_text("\xFF|\xE2\x82|\xED\xA0\x80", true, 64,
                "\xEF\xBF\xBD|\xEF\xBF\xBD|\xEF\xBF\xBD\xEF\xBF\xBD\xEF\xBF\xBD");
}

static void absent_and_null_are_empty_and_numbers_as_they_stand(void **state)
{
    (void)state;
    char memory[8];
    assert_int_equal(value_text(&(struct value){0}, memory, sizeof(memory)).size, 0);
    assert_int_equal(value_text(&(struct value){"null", 4, VALUE_NULL, false}, memory, sizeof(memory)).size,
                     0);
    assert_true(slice_is(value_text(&(struct value){"12.5", 4, VALUE_NUMBER, false}, memory, sizeof(memory)),
                         "12.5"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(levels_have_the_names_of_the_record),
        cmocka_unit_test(levels_are_known_in_any_spelling),
        cmocka_unit_test(text_is_resolved_and_cut_at_a_character),
        cmocka_unit_test(absent_and_null_are_empty_and_numbers_as_they_stand),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
