#include "liblog/base/number.h"
#include "tests/support/chance.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>

#include <cmocka.h>

/* What stands behind the text must stay: the writers end where they say. */
enum { ROOM = 64, CANARY = 0x5a };

struct text {
    char chars[ROOM];
};

static struct text text_of_double(double value)
{
    struct text t;
    memset(t.chars, CANARY, sizeof t.chars);
    char *end = number_from_double(t.chars, value);
    assert_in_range(end - t.chars, 1, NUMBER_DOUBLE_CHARS_MAX);
    *end = '\0';
    return t;
}

static struct text text_of_float(float value)
{
    struct text t;
    memset(t.chars, CANARY, sizeof t.chars);
    char *end = number_from_float(t.chars, value);
    assert_in_range(end - t.chars, 1, NUMBER_DOUBLE_CHARS_MAX);
    *end = '\0';
    return t;
}

static double double_of_bits(uint64_t bits)
{
    double value;
    memcpy(&value, &bits, sizeof value);
    return value;
}

static float float_of_bits(uint32_t bits)
{
    float value;
    memcpy(&value, &bits, sizeof value);
    return value;
}

static void assert_u64(uint64_t value)
{
    char expected[ROOM], text[ROOM];
    size_t size = (size_t)snprintf(expected, sizeof expected, "%llu", (unsigned long long)value);
    memset(text, CANARY, sizeof text);
    assert_int_equal(number_from_u64(text, value) - text, size);
    assert_memory_equal(text, expected, size);
    assert_int_equal(text[size], CANARY);
    uint64_t read = ~value;
    assert_int_equal(number_to_u64(slice_from(text, size), &read), 0);
    assert_true(read == value);
}

static void assert_i64(int64_t value)
{
    char expected[ROOM], text[ROOM];
    size_t size = (size_t)snprintf(expected, sizeof expected, "%lld", (long long)value);
    memset(text, CANARY, sizeof text);
    assert_int_equal(number_from_i64(text, value) - text, size);
    assert_memory_equal(text, expected, size);
    assert_int_equal(text[size], CANARY);
    int64_t read = ~value;
    assert_int_equal(number_to_i64(slice_from(text, size), &read), 0);
    assert_true(read == value);
}

static void test_integers_are_written_and_read_back(void **state)
{
    (void)state;
    struct chance c = {64};
    for (uint64_t value = 0; value < 20000; value++)
        assert_u64(value);
    for (uint64_t power = 1, digits = 1; digits <= 20; digits++, power *= 10) {
        for (uint64_t near = power - 2; near != power + 3; near++)
            assert_u64(near);
    }
    for (long i = chance_rounds(100000); i; i--) {
        uint64_t value = chance_u64(&c) >> chance_below(&c, 64);
        assert_u64(value);
        assert_i64((int64_t)value);
        assert_i64(-(int64_t)(value >> 1));
    }
    assert_u64(UINT64_MAX);
    assert_i64(INT64_MAX);
    assert_i64(INT64_MIN);
}

static void test_other_text_is_no_integer(void **state)
{
    (void)state;
    static const char *const both[] = {"",
                                       " ",
                                       "+1",
                                       " 1",
                                       "1 ",
                                       "1.0",
                                       "1e3",
                                       "0x10",
                                       "1_000",
                                       "١",
                                       "-",
                                       "--1",
                                       "1-",
                                       "99999999999999999999",
                                       "184467440737095516160",
                                       "a"};
    uint64_t u = 4711;
    int64_t i = 4711;
    for (size_t n = 0; n < sizeof both / sizeof *both; n++) {
        assert_int_equal(number_to_u64(slice_of(both[n]), &u), -1);
        assert_int_equal(number_to_i64(slice_of(both[n]), &i), -1);
    }
    assert_int_equal(number_to_u64(SLICE("18446744073709551616"), &u), -1);
    assert_int_equal(number_to_u64(SLICE("-1"), &u), -1);
    assert_int_equal(number_to_u64(SLICE("1\0"), &u), -1);
    assert_int_equal(number_to_u64((struct slice){NULL, 0}, &u), -1);
    assert_int_equal(number_to_i64(SLICE("9223372036854775808"), &i), -1);
    assert_int_equal(number_to_i64(SLICE("-9223372036854775809"), &i), -1);
    assert_int_equal(number_to_i64((struct slice){NULL, 0}, &i), -1);
    assert_true(u == 4711 && i == 4711);
    assert_int_equal(number_to_u64(SLICE("0000000000000000000000000000007"), &u), 0);
    assert_true(u == 7);
}

static void test_sizes_are_read_with_their_units(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        uint64_t bytes;
    } cases[] = {
        {"0", 0},
        {"512", 512},
        {"512B", 512},
        {"1k", 1000},
        {"1K", 1000},
        {"1kB", 1000},
        {"64KiB", 65536},
        {"64kib", 65536},
        {"5MB", 5000000},
        {"5M", 5000000},
        {"1MiB", 1048576},
        {"1G", 1000000000},
        {"1GB", 1000000000},
        {"1GiB", 1073741824},
        {"2TB", 2000000000000},
        {"2TiB", 2199023255552},
        {"16777215TiB", UINT64_C(18446742974197923840)},
        {"18446744073709551615", UINT64_MAX},
    };
    static const char *const bad[] = {"",      "B",    "KiB", "-1",  "1.5GiB",      "1 KiB",
                                      "1KiBs", "1Ki",  "1X",  "1PB", "16777216TiB", "18446744073709551616",
                                      "1KiB1", "1kibb"};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        uint64_t bytes;
        if (number_to_size_bytes(slice_of(cases[i].text), &bytes) != 0 || bytes != cases[i].bytes)
            fail_msg("%s", cases[i].text);
    }
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        uint64_t untouched = 4711;
        if (number_to_size_bytes(slice_of(bad[i]), &untouched) != -1 || untouched != 4711)
            fail_msg("%s", bad[i]);
    }
}

static void test_spans_of_time_are_read_with_their_units(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        int64_t ns;
    } cases[] = {
        {"0", 0},
        {"0s", 0},
        {"1ns", 1},
        {"3us", 3000},
        {"250ms", 250000000},
        {"1s", 1000000000},
        {"10m", INT64_C(600000000000)},
        {"2h", INT64_C(7200000000000)},
        {"30d", INT64_C(2592000000000000)},
        {"1h30m", INT64_C(5400000000000)},
        {"1d2h3m4s5ms6us7ns", INT64_C(93784005006007)},
        {"90m", INT64_C(5400000000000)},
        {"1m500ms", INT64_C(60500000000)},
        {"9223372036854775807ns", INT64_MAX},
        {"106751d23h47m16s854ms775us807ns", INT64_MAX},
    };
    static const char *const bad[] = {"",
                                      "1",
                                      "00",
                                      "s",
                                      "-1s",
                                      "+1s",
                                      "1.5s",
                                      "1 s",
                                      "1s ",
                                      "1x",
                                      "1S",
                                      "1sec",
                                      "1m1h",
                                      "1h1h",
                                      "1h30",
                                      "1hs",
                                      "9223372036854775808ns",
                                      "106752d",
                                      "106751d23h47m16s854ms775us808ns",
                                      "99999999999999999999ns",
                                      "18446744073709551615d",
                                      "18446744073709551615ns"};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        int64_t ns;
        if (number_to_duration_ns(slice_of(cases[i].text), &ns) != 0 || ns != cases[i].ns)
            fail_msg("%s", cases[i].text);
    }
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        int64_t untouched = 4711;
        if (number_to_duration_ns(slice_of(bad[i]), &untouched) != -1 || untouched != 4711)
            fail_msg("%s", bad[i]);
    }
}

static void test_doubles_look_as_promised(void **state)
{
    (void)state;
    static const struct {
        double value;
        const char *text;
    } cases[] = {
        {0.0, "0.0"},
        {-0.0, "-0.0"},
        {1.0, "1.0"},
        {3.0, "3.0"},
        {-3.0, "-3.0"},
        {12.5, "12.5"},
        {100.0, "100.0"},
        {0.1, "0.1"},
        {0.1 + 0.2, "0.30000000000000004"},
        {1.0 / 3, "0.3333333333333333"},
        {123456.789, "123456.789"},
        {1e15, "1000000000000000.0"},
        {9007199254740991.0, "9007199254740991.0"},
        {9007199254740992.0, "9007199254740992.0"},
        {1e20, "100000000000000000000.0"},
        {1e21, "1e+21"},
        {1e22, "1e+22"},
        {1.5e300, "1.5e+300"},
        {-1.25e-9, "-1.25e-9"},
        {999999999999999900000.0, "999999999999999900000.0"},
        {1152921504606846976.0, "1152921504606847000.0"},
        {0.001, "0.001"},
        {0.000001, "0.000001"},
        {0.00000123, "0.00000123"},
        {0.0000009, "9e-7"},
        {1e-7, "1e-7"},
        {5e-324, "5e-324"},
        {2.2250738585072014e-308, "2.2250738585072014e-308"},
        {2.225073858507201e-308, "2.225073858507201e-308"},
        {1.7976931348623157e308, "1.7976931348623157e+308"},
        {9.5367431640625e-7, "9.5367431640625e-7"},
        {2e-44, "2e-44"},
        {9007199254740994.0, "9007199254740994.0"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
        assert_string_equal(text_of_double(cases[i].value).chars, cases[i].text);
}

static void test_floats_are_as_short_as_a_float_needs(void **state)
{
    (void)state;
    static const struct {
        float value;
        const char *text;
    } cases[] = {
        {0.0f, "0.0"},
        {-0.0f, "-0.0"},
        {3.0f, "3.0"},
        {0.1f, "0.1"},
        {0.3f, "0.3"},
        {12.5f, "12.5"},
        {16777216.0f, "16777216.0"},
        {33554432.0f, "33554432.0"},
        {1e10f, "10000000000.0"},
        {1e21f, "1e+21"},
        {1e-6f, "0.000001"},
        {1e-7f, "1e-7"},
        {1e-45f, "1e-45"},
        {1.17549435e-38f, "1.1754944e-38"},
        {3.4028235e38f, "3.4028235e+38"},
        {-2.5e-9f, "-2.5e-9"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
        assert_string_equal(text_of_float(cases[i].value).chars, cases[i].text);
}

static void test_what_json_has_no_number_for_is_null(void **state)
{
    (void)state;
    assert_string_equal(text_of_double(NAN).chars, "null");
    assert_string_equal(text_of_double(-NAN).chars, "null");
    assert_string_equal(text_of_double(INFINITY).chars, "null");
    assert_string_equal(text_of_double(-INFINITY).chars, "null");
    assert_string_equal(text_of_double(double_of_bits(UINT64_C(0x7ff0000000000001))).chars, "null");
    assert_string_equal(text_of_float(NAN).chars, "null");
    assert_string_equal(text_of_float(-INFINITY).chars, "null");
}

/* The significant digits in `text` (of a number that is not 0), without leading and trailing zeros. */
static struct text digits_of(const char *text)
{
    struct text t = {""};
    size_t count = 0;
    for (; *text && *text != 'e'; text++) {
        if (*text >= '0' && *text <= '9' && (count || *text != '0'))
            t.chars[count++] = *text;
    }
    while (count && t.chars[count - 1] == '0')
        count--;
    t.chars[count] = '\0';
    return t;
}

/* As strtod() for doubles and strtof() for floats, so that one check serves both. */
typedef double read_function(const char *text);

static double read_double(const char *text)
{
    return strtod(text, NULL);
}

static double read_float(const char *text)
{
    return strtof(text, NULL);
}

/*
 * `text` reads back as `value`; the best decimal with one digit less does not; and of those as long as it, it
 * is the nearest. At a power of two (`lopsided`) the nearest can lie just outside the narrow side, so there
 * it need not be.
 */
static void assert_shortest(const char *text, double value, bool lopsided, read_function *read)
{
    if (read(text) != value || signbit(read(text)) != signbit(value))
        fail_msg("%a does not read back from %s", value, text);
    struct text digits = digits_of(text);
    int count = (int)strlen(digits.chars);
    char other[ROOM];
    if (count > 1) {
        snprintf(other, sizeof other, "%.*e", count - 2, value);
        if (read(other) == value)
            fail_msg("%a is %s, but %s is shorter", value, text, other);
    }
    snprintf(other, sizeof other, "%.*e", count - 1, value);
    if (strcmp(digits_of(other).chars, digits.chars) != 0 && !(lopsided && read(other) != value))
        fail_msg("%a is %s, but %s is nearer", value, text, other);
}

static void assert_double_shortest(uint64_t bits)
{
    double value = double_of_bits(bits);
    if (isfinite(value) && value != 0)
        assert_shortest(text_of_double(value).chars, value, (bits & (UINT64_MAX >> 12)) == 0, read_double);
}

static void assert_float_shortest(uint32_t bits)
{
    float value = float_of_bits(bits);
    if (isfinite(value) && value != 0)
        assert_shortest(text_of_float(value).chars, value, (bits & 0x7fffff) == 0, read_float);
}

static void test_any_double_is_the_shortest_that_reads_back(void **state)
{
    (void)state;
    struct chance c = {754};
    for (long i = chance_rounds(200000); i; i--)
        assert_double_shortest(chance_u64(&c));
}

static void test_any_float_is_the_shortest_that_reads_back(void **state)
{
    (void)state;
    struct chance c = {32};
    for (long i = chance_rounds(200000); i; i--)
        assert_float_shortest((uint32_t)chance_u64(&c));
}

static void test_doubles_around_powers_of_two_are_shortest(void **state)
{
    (void)state;
    for (uint64_t exponent = 0; exponent < 2047; exponent++) {
        for (uint64_t bits = exponent << 52, i = 0; i < 8; i++) {
            assert_double_shortest(bits + i);
            assert_double_shortest(bits - i);
        }
    }
    for (uint32_t exponent = 0; exponent < 255; exponent++) {
        for (uint32_t bits = exponent << 23, i = 0; i < 8; i++) {
            assert_float_shortest(bits + i);
            assert_float_shortest(bits - i);
        }
    }
}

static void test_doubles_around_short_decimals_are_shortest(void **state)
{
    (void)state;
    struct chance c = {10};
    for (int exponent = -324; exponent <= 308; exponent++) {
        for (int i = 0; i < 60; i++) {
            char text[ROOM];
            uint64_t digits = i ? chance_u64(&c) >> (12 + chance_below(&c, 52)) : 1, bits;
            snprintf(text, sizeof text, "%llue%d", (unsigned long long)digits, exponent);
            double value = strtod(text, NULL);
            memcpy(&bits, &value, sizeof bits);
            for (uint64_t near = bits - 2; near != bits + 3; near++)
                assert_double_shortest(near);
        }
    }
}

static void test_subnormal_doubles_are_shortest(void **state)
{
    (void)state;
    struct chance c = {1074};
    for (uint64_t bits = 1; bits < 5000; bits++)
        assert_double_shortest(bits);
    for (long i = chance_rounds(20000); i; i--)
        assert_double_shortest(chance_u64(&c) >> (12 + chance_below(&c, 52)));
}

static void test_whole_and_measured_doubles_are_shortest(void **state)
{
    (void)state;
    struct chance c = {1000};
    for (long i = chance_rounds(100000); i; i--) {
        double whole = (double)(chance_u64(&c) >> chance_below(&c, 64));
        double measured = (double)chance_below(&c, 100000000) / 1000.0;
        uint64_t bits;
        memcpy(&bits, &whole, sizeof bits);
        assert_double_shortest(bits);
        memcpy(&bits, &measured, sizeof bits);
        assert_double_shortest(bits);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_integers_are_written_and_read_back),
        cmocka_unit_test(test_other_text_is_no_integer),
        cmocka_unit_test(test_sizes_are_read_with_their_units),
        cmocka_unit_test(test_spans_of_time_are_read_with_their_units),
        cmocka_unit_test(test_doubles_look_as_promised),
        cmocka_unit_test(test_floats_are_as_short_as_a_float_needs),
        cmocka_unit_test(test_what_json_has_no_number_for_is_null),
        cmocka_unit_test(test_any_double_is_the_shortest_that_reads_back),
        cmocka_unit_test(test_any_float_is_the_shortest_that_reads_back),
        cmocka_unit_test(test_doubles_around_powers_of_two_are_shortest),
        cmocka_unit_test(test_doubles_around_short_decimals_are_shortest),
        cmocka_unit_test(test_subnormal_doubles_are_shortest),
        cmocka_unit_test(test_whole_and_measured_doubles_are_shortest),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
