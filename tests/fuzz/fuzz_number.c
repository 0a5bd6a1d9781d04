/* The first eight bytes as a number of every kind, and all of them as a number in words. */
#include "fuzz.h"

#include "liblog/base/json.h"
#include "liblog/base/number.h"

#include <math.h>
#include <stdio.h>

/* JSON, with its NUL for the C library put behind. */
static void check_is_json(char *text, const char *end)
{
    fuzz_must(end - text <= NUMBER_DOUBLE_CHARS_MAX);
    fuzz_must(json_is_valid(slice_from(text, (size_t)(end - text)), 0));
    text[end - text] = '\0';
}

static void check_double(double value)
{
    char text[NUMBER_DOUBLE_CHARS_MAX + 1];
    check_is_json(text, number_from_double(text, value));
    fuzz_must(isfinite(value) ? strtod(text, NULL) == value : strcmp(text, "null") == 0);
}

static void check_float(float value)
{
    char text[NUMBER_DOUBLE_CHARS_MAX + 1];
    check_is_json(text, number_from_float(text, value));
    fuzz_must(isfinite(value) ? strtof(text, NULL) == value : strcmp(text, "null") == 0);
}

static void check_integer(int64_t value)
{
    char text[NUMBER_I64_CHARS_MAX], expected[NUMBER_I64_CHARS_MAX + 1];
    int64_t read;
    struct slice written = slice_from(text, (size_t)(number_from_i64(text, value) - text));
    snprintf(expected, sizeof expected, "%lld", (long long)value);
    fuzz_must(slice_is(written, expected) && number_to_i64(written, &read) == 0 && read == value);
}

/* Whatever words a span was given in, its nanoseconds mean the same. */
static void check_span(int64_t ns)
{
    char text[NUMBER_I64_CHARS_MAX + 2];
    char *end = number_from_i64(text, ns);
    int64_t read;
    memcpy(end, "ns", 2);
    fuzz_must(ns >= 0);
    fuzz_must(number_to_duration_ns(slice_from(text, (size_t)(end + 2 - text)), &read) == 0 && read == ns);
}

static void check_text(struct slice text)
{
    uint64_t whole, bytes;
    int64_t integer, ns;
    if (number_to_i64(text, &integer) == 0)
        check_integer(integer);
    if (number_to_duration_ns(text, &ns) == 0)
        check_span(ns);
    /* A plain number is a size in bytes; a sign or a unit makes it no plain number. */
    if (number_to_u64(text, &whole) == 0)
        fuzz_must(number_to_size_bytes(text, &bytes) == 0 && bytes == whole);
    else if (number_to_size_bytes(text, &bytes) == 0)
        fuzz_must(text.data[0] >= '0' && text.data[0] <= '9' && text.data[text.size - 1] > '9');
}

int fuzz_one(const uint8_t *data, size_t size)
{
    if (size >= 8) {
        double d;
        float f;
        int64_t i;
        memcpy(&d, data, sizeof d);
        memcpy(&f, data, sizeof f);
        memcpy(&i, data, sizeof i);
        check_double(d);
        check_float(f);
        check_integer(i);
    }
    check_text(slice_from(data, size));
    return 0;
}
