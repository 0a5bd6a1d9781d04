/* What is found in lines of text: times in the forms that programs write, levels, and what patterns take. */
#include "shipper/plain.h"

#include "shipper/plain_time.h"
#include "shipper/scan_private.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include <cmocka.h>

#define S_NS   INT64_C(1000000000)
#define NOW_NS (INT64_C(1760884200) * S_NS) /* 2025-10-19T14:30:00Z */

static void use_zone(const char *zone)
{
    setenv("TZ", zone, 1);
    tzset();
}

static void assert_time(const char *line, const char *found, int64_t expected_ns)
{
    struct local_offset local = {0};
    struct slice text = SLICE("-");
    int64_t ns = 4711;
    plain_time_find(slice_of(line), &text);
    if (!slice_is(text, found))
        fail_msg("%s: found \"%.*s\"", line, (int)text.size, text.data);
    if (!plain_time_read(&local, text, NOW_NS, &ns) || ns != expected_ns)
        fail_msg("%s: %lld instead of %lld", line, (long long)ns, (long long)expected_ns);
}

static void times_are_found_in_the_forms_that_programs_write(void **state)
{
    (void)state;
    use_zone("UTC");
    assert_time("2025-10-19 14:30:00,123 INFO python", "2025-10-19 14:30:00,123", NOW_NS + 123000000);
    assert_time("2025-10-19 14:30:00.5 UTC [17] LOG:  postgres", "2025-10-19 14:30:00.5 UTC",
                NOW_NS + S_NS / 2);
    assert_time("2025/10/19 14:30:00 [error] 7#7: nginx", "2025/10/19 14:30:00", NOW_NS);
    assert_time("2025-10-19T16:30:00.123456789+02:00 x", "2025-10-19T16:30:00.123456789+02:00",
                NOW_NS + 123456789);
    assert_time("2025-10-19T16:30:00+0200 x", "2025-10-19T16:30:00+0200", NOW_NS);
    assert_time("2025-10-19 12:30:00-02 x", "2025-10-19 12:30:00-02", NOW_NS);
    assert_time("10.0.0.1 - - [19/Oct/2025:16:30:00 +0200] \"GET / HTTP/1.1\" 200",
                "19/Oct/2025:16:30:00 +0200", NOW_NS);
    assert_time("[Sun Oct 19 14:30:00.250000 2025] [core:error] apache", "Sun Oct 19 14:30:00.250000 2025",
                NOW_NS + S_NS / 4);
    assert_time("Oct 19 14:30:00 host sshd[1]: x", "Oct 19 14:30:00", NOW_NS);
    assert_time("<14>Oct  9 14:30:00 host x", "Oct  9 14:30:00", NOW_NS - 10 * 86400 * S_NS);
    assert_time("1760884200.250 squid", "1760884200.250", NOW_NS + S_NS / 4);
    assert_time("[1760884200123] x", "1760884200123", NOW_NS + 123000000);
    assert_time("1760884200123456789 x", "1760884200123456789", NOW_NS + 123456789);
    assert_time("19-Oct-2025 14:30:00.123 SEVERE [main] tomcat", "19-Oct-2025 14:30:00.123",
                NOW_NS + 123000000);
}

static void a_time_without_an_offset_is_the_machines_own(void **state)
{
    (void)state;
    use_zone("Europe/Berlin");
    assert_time("2025-10-19 16:30:00 x", "2025-10-19 16:30:00", NOW_NS);
    assert_time("2025-01-19 15:30:00 x", "2025-01-19 15:30:00", INT64_C(1737297000) * S_NS);
    assert_time("2025-10-19 14:30:00Z x", "2025-10-19 14:30:00Z", NOW_NS);
    use_zone("UTC");
}

static void the_offset_is_that_of_the_moment_on_either_side_of_a_change_of_clocks(void **state)
{
    (void)state;
    use_zone("Europe/Berlin");
    struct local_offset local = {0};
    int64_t before, after;
    for (int round = 0; round < 2; round++) {
        assert_true(plain_time_read(&local, SLICE("2025-03-30 01:59:59"), NOW_NS, &before));
        assert_true(plain_time_read(&local, SLICE("2025-03-30 03:00:00"), NOW_NS, &after));
        assert_true(after - before == S_NS);
    }
    use_zone("UTC");
}

static void a_time_without_a_year_is_of_the_latest_year_that_is_not_ahead(void **state)
{
    (void)state;
    use_zone("UTC");
    assert_time("Dec 31 23:59:59 h x", "Dec 31 23:59:59", INT64_C(1735689599) * S_NS); /* 2024 */
    assert_time("Oct 19 14:34:59 h x", "Oct 19 14:34:59", NOW_NS + 299 * S_NS);
    assert_time("Oct 19 14:36:00 h x", "Oct 19 14:36:00", NOW_NS + 360 * S_NS - 365 * 86400 * S_NS);
    assert_time("Feb 29 00:00:00 h x", "Feb 29 00:00:00", INT64_C(1709164800) * S_NS); /* 2024 */
}

static void what_only_looks_like_a_time_is_none(void **state)
{
    (void)state;
    static const char *const none[] = {"",
                                       "no time here",
                                       "2025-13-19 14:30:00",
                                       "2025-10-19",
                                       "12025-10-19 14:30:00",
                                       "v2025-10-19 14:30:00",
                                       "id 1760884200 in the middle",
                                       "12345678901234567890123",
                                       "0760884200",
                                       "Oct 19 25:30:00 x",
                                       "Okt 19 14:30:00 x",
                                       "2025-10-19 14:30"};
    for (size_t i = 0; i < sizeof(none) / sizeof(none[0]); i++) {
        struct slice found;
        if (plain_time_find(slice_of(none[i]), &found))
            fail_msg("%s: found %.*s", none[i], (int)found.size, found.data);
    }
    struct local_offset local = {0};
    int64_t ns = 4711;
    assert_false(plain_time_read(&local, SLICE("2025-02-30 14:30:00"), NOW_NS, &ns));
    assert_false(plain_time_read(&local, SLICE("2025-10-19 14:30:00 and more"), NOW_NS, &ns));
    assert_int_equal(ns, 4711);
}

static void a_level_is_a_word_in_capitals_or_set_apart_at_the_head(void **state)
{
    (void)state;
    static const char *const cases[][2] = {
        {"2025-10-19 14:30:00,123 - app - ERROR - it failed", "ERROR"},
        {"2025/10/19 14:30:00 [error] 7#7: *1 open() failed", "error"},
        {"[Sun Oct 19 14:30:00 2025] [core:warn] [pid 7] x", "warn"},
        {"time=\"…\" level=warning msg=\"an ERROR of theirs\"", "warning"},
        {"ts=1 level=\"error\" x", "error"},
        {"2025 UTC [17] FATAL:  password", "FATAL"},
        {"<err> x", "err"},
        {"an error occurred", ""},
        {"TERROR MINFO", ""},
        {"ERRORS", ""},
        {"first line\nERROR in the second", ""},
        {"", ""},
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct slice found = plain_level_find(slice_of(cases[i][0]));
        if (!slice_is(found, cases[i][1]))
            fail_msg("%s: %.*s", cases[i][0], (int)found.size, found.data);
    }
    char far[400];
    memset(far, '.', sizeof(far));
    memcpy(far + 300, " ERROR ", 7);
    assert_int_equal(plain_level_find(slice_from(far, sizeof(far))).size, 0);
}

/* ---- as the scanner gives it ---- */

static struct event event_of(const struct scan_config *config, struct slice text)
{
    struct problem problem = {0};
    struct scanner *scanner = NULL;
    struct event event;
    if (scanner_new(config, &problem, &scanner) != 0)
        fail_msg("%s", problem.text);
    assert_int_equal(scan_line(scanner, text, &event), 0);
    event_interpret(scanner, &event, NOW_NS, 77);
    scanner_free(scanner);
    return event;
}

static void assert_value(const struct event *event, enum event_key key, const char *expected)
{
    char memory[256];
    struct slice text = value_text(&event->value[key], memory, sizeof(memory));
    if (!slice_is(text, expected))
        fail_msg("key %d: %.*s", key, (int)text.size, text.data);
}

static void every_line_of_text_is_a_record_whatever_it_holds(void **state)
{
    (void)state;
    const struct scan_config config = {.format = "plain"};
    struct event event = event_of(&config, SLICE("{\"level\":\"ERROR\"}"));
    assert_value(&event, EVENT_MESSAGE, "{\"level\":\"ERROR\"}");
    assert_int_equal(event.level, LEVEL_ERROR);
    event = event_of(&config, SLICE("2025-10-19T14:30:00Z DEBUG a\\u0041 \"x\"\r"));
    assert_true(event.time_ns == NOW_NS && !event.bad_time && !event.bad_utf8);
    assert_value(&event, EVENT_MESSAGE, "2025-10-19T14:30:00Z DEBUG a\\u0041 \"x\"");
    assert_int_equal(event.level, LEVEL_DEBUG);
    event = event_of(&config, SLICE("bad \xFF utf8"));
    assert_true(event.bad_utf8 && event.bad_time && event.time_ns == 77);
    assert_int_equal(event.level, LEVEL_UNKNOWN);
    event = event_of(&config, SLICE("2025-10-19 14:35:00.000000001Z too far ahead"));
    assert_true(event.bad_time);
}

static void patterns_take_the_records_keys_and_a_table_gives_levels(void **state)
{
    (void)state;
    const struct scan_config config = {
        .format = "plain",
        .mapping = {{EVENT_LEVEL, "\\] (\\w+):"},
                    {EVENT_EXCEPTION_CODE, "SQLSTATE (\\w{5})"},
                    {EVENT_EXCEPTION_CODE, "code=(\\w+)"},
                    {EVENT_EXCEPTION_TYPE, "^([\\w.]+(?:Exception|Error))\\b"},
                    {EVENT_TIMESTAMP, "at (\\S+ \\S+)$"}},
        .mapping_count = 5,
        .level_rule = {{.text = "LOG", .level = LEVEL_INFO}, {.text = "FATAL", .level = LEVEL_ERROR}},
        .level_rule_count = 2,
        .has_level_default = true,
        .level_default = LEVEL_DEBUG};
    struct event event = event_of(&config, SLICE("[17] FATAL: x code=c SQLSTATE 28P01\n"
                                                 "java.io.IOException: gone\nat 2025-10-19 14:30:00Z"));
    assert_int_equal(event.level, LEVEL_ERROR);
    assert_value(&event, EVENT_EXCEPTION_CODE, "28P01");
    assert_value(&event, EVENT_EXCEPTION_TYPE, "java.io.IOException");
    assert_true(event.time_ns == NOW_NS);
    event = event_of(&config, SLICE("[17] LOG: code=c"));
    assert_int_equal(event.level, LEVEL_INFO);
    assert_value(&event, EVENT_EXCEPTION_CODE, "c");
    event = event_of(&config, SLICE("[17] WARNING: an alias"));
    assert_int_equal(event.level, LEVEL_WARNING);
    event = event_of(&config, SLICE("[17] STATEMENT: ERROR"));
    assert_int_equal(event.level, LEVEL_DEBUG);
    assert_true(event.bad_time);
}

static void patterns_look_no_further_than_they_may(void **state)
{
    (void)state;
    const struct scan_config config = {
        .format = "plain", .mapping = {{EVENT_EXCEPTION_CODE, "code=(\\w+)"}}, .mapping_count = 1};
    static char text[PLAIN_SEARCHED_BYTES_MAX + 100];
    memset(text, '.', sizeof(text));
    memcpy(text + PLAIN_SEARCHED_BYTES_MAX, "code=far", 8);
    struct event event = event_of(&config, slice_from(text, sizeof(text)));
    assert_int_equal(event.value[EVENT_EXCEPTION_CODE].kind, VALUE_ABSENT);
    memcpy(text + 9000, "code=near ", 10);
    event = event_of(&config, slice_from(text, sizeof(text)));
    assert_value(&event, EVENT_EXCEPTION_CODE, "near");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(times_are_found_in_the_forms_that_programs_write),
        cmocka_unit_test(a_time_without_an_offset_is_the_machines_own),
        cmocka_unit_test(the_offset_is_that_of_the_moment_on_either_side_of_a_change_of_clocks),
        cmocka_unit_test(a_time_without_a_year_is_of_the_latest_year_that_is_not_ahead),
        cmocka_unit_test(what_only_looks_like_a_time_is_none),
        cmocka_unit_test(a_level_is_a_word_in_capitals_or_set_apart_at_the_head),
        cmocka_unit_test(every_line_of_text_is_a_record_whatever_it_holds),
        cmocka_unit_test(patterns_take_the_records_keys_and_a_table_gives_levels),
        cmocka_unit_test(patterns_look_no_further_than_they_may),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
