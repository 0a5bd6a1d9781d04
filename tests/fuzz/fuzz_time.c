/* The bytes as a time in nanoseconds, and as a time in words. */
#include "fuzz.h"

#include "liblog/base/time_text.h"

#include <stdio.h>
#include <time.h>

/* What is written is what the C library writes, and reads back. */
static void check_moment(int64_t unix_ns)
{
    char text[TIME_TEXT_SIZE], expected[64], date[40];
    int64_t second_ns = 1000000000, fraction_ns = (unix_ns % second_ns + second_ns) % second_ns, read;
    time_t seconds = (time_t)(unix_ns / second_ns - (unix_ns % second_ns < 0));
    struct tm tm;
    fuzz_must(gmtime_r(&seconds, &tm) && strftime(date, sizeof date, "%Y-%m-%dT%H:%M:%S", &tm));
    snprintf(expected, sizeof expected, "%s.%09dZ", date, (int)fraction_ns);
    time_to_text(text, unix_ns);
    fuzz_must(slice_is(slice_from(text, sizeof text), expected));
    fuzz_must(time_from_text(slice_from(text, sizeof text), &read) == 0 && read == unix_ns);
}

static void check_text(struct slice text)
{
    int64_t unix_ns = 4711;
    if (time_from_text(text, &unix_ns) < 0) {
        fuzz_must(unix_ns == 4711);
        return;
    }
    fuzz_must(text.size >= sizeof "2025-10-19T14:30:00Z" - 1);
    check_moment(unix_ns);
    /* In our own form, what was read is what will be written; a leap second (60) is the exception. */
    char written[TIME_TEXT_SIZE];
    time_to_text(written, unix_ns);
    bool own_form = text.size == TIME_TEXT_SIZE && text.data[10] == 'T' && text.data[19] == '.' &&
                    text.data[29] == 'Z' && text.data[17] != '6';
    fuzz_must(!own_form || slice_equal(text, slice_from(written, sizeof written)));
}

int fuzz_one(const uint8_t *data, size_t size)
{
    int64_t unix_ns;
    if (size == sizeof unix_ns) {
        memcpy(&unix_ns, data, sizeof unix_ns);
        check_moment(unix_ns);
    }
    check_text(slice_from(data, size));
    return 0;
}
