#include "liblog/base/time_text.h"
#include "tests/support/chance.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <time.h>

#include <cmocka.h>

#define NS_PER_S INT64_C(1000000000)

static void assert_text(int64_t unix_ns, const char *expected)
{
    char text[TIME_TEXT_SIZE];
    time_to_text(text, unix_ns);
    if (!slice_is(slice_from(text, sizeof text), expected))
        fail_msg("%lld is %s, not %.*s", (long long)unix_ns, expected, TIME_TEXT_SIZE, text);
}

static void assert_read(const char *text, int64_t expected)
{
    int64_t unix_ns = -1;
    if (time_from_text(slice_of(text), &unix_ns) != 0 || unix_ns != expected)
        fail_msg("%s is %lld, not %lld", text, (long long)expected, (long long)unix_ns);
}

static void assert_refused(struct slice text)
{
    int64_t untouched = 4711;
    if (time_from_text(text, &untouched) != -1)
        fail_msg("accepted: %.*s", (int)text.size, text.data);
    assert_int_equal(untouched, 4711);
}

static void test_known_moments_are_written(void **state)
{
    (void)state;
    assert_text(0, "1970-01-01T00:00:00.000000000Z");
    assert_text(-1, "1969-12-31T23:59:59.999999999Z");
    assert_text(INT64_C(1760884200123456789), "2025-10-19T14:30:00.123456789Z");
    assert_text(951782400 * NS_PER_S, "2000-02-29T00:00:00.000000000Z");
    assert_text(INT64_MAX, "2262-04-11T23:47:16.854775807Z");
    assert_text(INT64_MIN, "1677-09-21T00:12:43.145224192Z");
}

static void test_the_whole_range_is_written_as_the_c_library_would_and_read_back(void **state)
{
    (void)state;
    struct chance c = {1970};
    for (long i = chance_rounds(300000); i; i--) {
        int64_t unix_ns = (int64_t)chance_u64(&c);
        int64_t fraction_ns = (unix_ns % NS_PER_S + NS_PER_S) % NS_PER_S;
        time_t seconds = (time_t)(unix_ns / NS_PER_S - (unix_ns % NS_PER_S < 0));
        struct tm tm;
        char date[40], expected[80];
        assert_non_null(gmtime_r(&seconds, &tm));
        strftime(date, sizeof date, "%Y-%m-%dT%H:%M:%S", &tm);
        snprintf(expected, sizeof expected, "%s.%09lldZ", date, (long long)fraction_ns);
        assert_text(unix_ns, expected);
        assert_read(expected, unix_ns);
    }
}

static void test_every_day_is_written_and_read_back(void **state)
{
    (void)state;
    enum { FIRST = -106751, LAST = 106751 };
    char previous[TIME_TEXT_SIZE] = {0};
    for (int64_t day = FIRST; day <= LAST; day++) {
        char text[TIME_TEXT_SIZE];
        int64_t unix_ns = day * 86400 * NS_PER_S, read;
        time_to_text(text, unix_ns);
        assert_true(memcmp(previous, text, sizeof text) < 0);
        assert_int_equal(time_from_text(slice_from(text, sizeof text), &read), 0);
        assert_int_equal(read, unix_ns);
        memcpy(previous, text, sizeof text);
    }
}

static void test_digits_of_a_second_from_none_to_many_are_read(void **state)
{
    (void)state;
    int64_t second = 1760884200 * NS_PER_S;
    assert_read("2025-10-19T14:30:00Z", second);
    assert_read("2025-10-19T14:30:00.1Z", second + 100000000);
    assert_read("2025-10-19T14:30:00.123Z", second + 123000000);
    assert_read("2025-10-19T14:30:00.000001Z", second + 1000);
    assert_read("2025-10-19T14:30:00.123456789Z", second + 123456789);
    assert_read("2025-10-19T14:30:00.1234567899999999999999999999Z", second + 123456789);
    assert_read("1969-12-31T23:59:59.5Z", -NS_PER_S / 2);
}

static void test_offsets_are_taken_off(void **state)
{
    (void)state;
    int64_t second = 1760884200 * NS_PER_S;
    assert_read("2025-10-19T14:30:00+00:00", second);
    assert_read("2025-10-19T14:30:00-00:00", second);
    assert_read("2025-10-19T16:30:00+02:00", second);
    assert_read("2025-10-19T20:00:00.25+05:30", second + 250000000);
    assert_read("2025-10-19T07:30:00-07:00", second);
    assert_read("2025-10-20T14:29:00+23:59", second);
    assert_read("2025-10-18T14:31:00-23:59", second);
    assert_read("1970-01-01T00:00:00+01:00", -3600 * NS_PER_S);
}

static void test_other_separators_of_the_standard_are_read(void **state)
{
    (void)state;
    int64_t second = 1760884200 * NS_PER_S;
    assert_read("2025-10-19t14:30:00z", second);
    assert_read("2025-10-19 14:30:00Z", second);
    assert_read("2025-10-19 16:30:00+02:00", second);
}

static void test_a_leap_second_is_the_second_before_and_stands_only_at_a_days_end(void **state)
{
    (void)state;
    int64_t before = 1483228799 * NS_PER_S;
    assert_read("2016-12-31T23:59:59Z", before);
    assert_read("2016-12-31T23:59:60Z", before);
    assert_read("2016-12-31T23:59:60.75Z", before + 750000000);
    assert_read("2016-12-31T15:59:60-08:00", before);
    assert_read("2017-01-01T05:29:60+05:30", before);
    assert_refused(SLICE("2016-12-31T23:58:60Z"));
    assert_refused(SLICE("2016-12-31T23:59:60-08:00"));
    assert_refused(SLICE("2016-12-31T23:59:61Z"));
}

static void test_days_that_do_not_exist_are_refused(void **state)
{
    (void)state;
    assert_read("2024-02-29T00:00:00Z", 1709164800 * NS_PER_S);
    assert_read("2000-02-29T00:00:00Z", 951782400 * NS_PER_S);
    static const char *const cases[] = {
        "2023-02-29T00:00:00Z", "1900-02-29T00:00:00Z", "2100-02-29T00:00:00Z", "2024-02-30T00:00:00Z",
        "2025-04-31T00:00:00Z", "2025-06-31T00:00:00Z", "2025-09-31T00:00:00Z", "2025-11-31T00:00:00Z",
        "2025-01-32T00:00:00Z", "2025-01-00T00:00:00Z", "2025-00-01T00:00:00Z", "2025-13-01T00:00:00Z",
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
        assert_refused(slice_of(cases[i]));
}

static void test_times_beyond_64_bits_are_refused(void **state)
{
    (void)state;
    assert_read("2262-04-11T23:47:16.854775807Z", INT64_MAX);
    assert_read("1677-09-21T00:12:43.145224192Z", INT64_MIN);
    assert_refused(SLICE("2262-04-11T23:47:16.854775808Z"));
    assert_refused(SLICE("1677-09-21T00:12:43.145224191Z"));
    assert_refused(SLICE("9999-12-31T23:59:59Z"));
    assert_refused(SLICE("0000-01-01T00:00:00Z"));
    assert_refused(SLICE("2262-04-12T00:00:00-23:59"));
}

static void test_every_cut_of_a_time_is_refused(void **state)
{
    (void)state;
    struct slice whole = SLICE("2025-10-19T14:30:00.123456789+02:00");
    for (size_t size = 0; size < whole.size; size++) {
        /* A copy of its exact size: a look behind the end is seen by ASan. */
        char *text = malloc(size ? size : 1);
        assert_non_null(text);
        memcpy(text, whole.data, size);
        assert_refused(slice_from(text, size));
        free(text);
    }
    assert_refused((struct slice){NULL, 0});
}

static void test_other_text_is_refused(void **state)
{
    (void)state;
    static const char *const cases[] = {
        "now",
        "1760884200",
        "2025-10-19",
        "2025-10-19T14:30Z",
        "2025-10-19T14:30:00",
        "2025-10-19T14:30:00.Z",
        "2025-10-19T14:30:00,5Z",
        "2025-10-19T14:30:00Z ",
        " 2025-10-19T14:30:00Z",
        "2025-10-19T14:30:00ZZ",
        "2025-10-19T14:30:00+2:00",
        "2025-10-19T14:30:00+0200",
        "2025-10-19T14:30:00+02",
        "2025-10-19T14:30:00+24:00",
        "2025-10-19T14:30:00+02:60",
        "2025-10-19T14:30:00Z+02:00",
        "2025-10-19T24:00:00Z",
        "2025-10-19T14:60:00Z",
        "2025-10-19_14:30:00Z",
        "2025/10/19T14:30:00Z",
        "25-10-19T14:30:00Z",
        "12025-10-19T14:30:00Z",
        "+2025-10-19T14:30:00Z",
        "-2025-10-19T14:30:00Z",
        "2025-1-19T14:30:00Z",
        "2025-10-19T14:30:0 Z",
        "2025-10-19T14:30:00UTC",
        "2025-10-19T-4:30:00Z",
        "20 5-10-19T14:30:00Z",
        "2025-10-19T14:30:00.1 2Z",
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
        assert_refused(slice_of(cases[i]));
    assert_refused(SLICE("2025-10-19T14:30:00Z\0"));
    assert_refused(SLICE("2025-10-19\0"
                         "14:30:00Z"));
    assert_refused(SLICE("2025-10-19T14:30:00\0"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_known_moments_are_written),
        cmocka_unit_test(test_the_whole_range_is_written_as_the_c_library_would_and_read_back),
        cmocka_unit_test(test_every_day_is_written_and_read_back),
        cmocka_unit_test(test_digits_of_a_second_from_none_to_many_are_read),
        cmocka_unit_test(test_offsets_are_taken_off),
        cmocka_unit_test(test_other_separators_of_the_standard_are_read),
        cmocka_unit_test(test_a_leap_second_is_the_second_before_and_stands_only_at_a_days_end),
        cmocka_unit_test(test_days_that_do_not_exist_are_refused),
        cmocka_unit_test(test_times_beyond_64_bits_are_refused),
        cmocka_unit_test(test_every_cut_of_a_time_is_refused),
        cmocka_unit_test(test_other_text_is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
