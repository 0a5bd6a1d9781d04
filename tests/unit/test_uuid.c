#include "liblog/base/uuid.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <time.h>

#include <cmocka.h>

static void assert_text(const uint8_t uuid[UUID_SIZE], const char *expected)
{
    char text[UUID_TEXT_SIZE];
    uuid_to_text(text, uuid);
    assert_true(slice_is(slice_from(text, sizeof text), expected));
}

static void test_version_7_is_laid_out_as_the_standard_shows(void **state)
{
    (void)state;
    /* RFC 9562, appendix A.6: 22 February 2022, 14:22:22 in New York. */
    static const uint8_t random[10] = {0x0c, 0xc3, 0x18, 0xc4, 0xdc, 0x0c, 0x0c, 0x07, 0x39, 0x8f};
    uint8_t uuid[UUID_SIZE];
    uuid7_make(uuid, INT64_C(1645557742000999999), random);
    assert_text(uuid, "017f22e2-79b0-7cc3-98c4-dc0c0c07398f");
}

static void test_version_and_variant_stand_whatever_the_random_bits(void **state)
{
    (void)state;
    uint8_t zeros[10] = {0}, ones[10], uuid[UUID_SIZE];
    memset(ones, 0xff, sizeof ones);
    uuid7_make(uuid, 0, zeros);
    assert_text(uuid, "00000000-0000-7000-8000-000000000000");
    uuid7_make(uuid, 0, ones);
    assert_text(uuid, "00000000-0000-7fff-bfff-ffffffffffff");
}

static void test_a_clock_before_1970_counts_as_1970(void **state)
{
    (void)state;
    static const uint8_t random[10] = {1, 2, 3, 4, 5, 6, 7, 8, 9, 10};
    uint8_t uuid[UUID_SIZE];
    uuid7_make(uuid, -1, random);
    assert_text(uuid, "00000000-0000-7102-8304-05060708090a");
}

static int64_t milliseconds_of(const uint8_t uuid[UUID_SIZE])
{
    int64_t ms = 0;
    for (int i = 0; i < 6; i++)
        ms = ms << 8 | uuid[i];
    return ms;
}

static int64_t now_ms(void)
{
    struct timespec now;
    clock_gettime(CLOCK_REALTIME, &now);
    return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

static void test_now_carries_the_time_and_never_repeats(void **state)
{
    (void)state;
    enum { COUNT = 500 };
    uint8_t uuids[COUNT][UUID_SIZE];
    int64_t before = now_ms();
    for (int i = 0; i < COUNT; i++)
        assert_int_equal(uuid7_now(uuids[i]), 0);
    int64_t after = now_ms();
    for (int i = 0; i < COUNT; i++) {
        assert_in_range(milliseconds_of(uuids[i]), before, after);
        assert_int_equal(uuids[i][6] >> 4, 7);
        assert_int_equal(uuids[i][8] >> 6, 2);
        for (int j = 0; j < i; j++)
            assert_memory_not_equal(uuids[i], uuids[j], UUID_SIZE);
    }
}

static void test_text_is_read_back_in_either_case(void **state)
{
    (void)state;
    static const uint8_t expected[UUID_SIZE] = {0x01, 0x9a, 0x2b, 0x6e, 0x7c, 0x1d, 0x7f, 0x3a,
                                                0x9a, 0x55, 0x3f, 0x1c, 0x2b, 0x7d, 0x8e, 0x90};
    uint8_t uuid[UUID_SIZE];
    assert_int_equal(uuid_from_text(SLICE("019a2b6e-7c1d-7f3a-9a55-3f1c2b7d8e90"), uuid), 0);
    assert_memory_equal(uuid, expected, UUID_SIZE);
    assert_int_equal(uuid_from_text(SLICE("019A2B6E-7C1D-7F3A-9A55-3F1C2B7D8E90"), uuid), 0);
    assert_memory_equal(uuid, expected, UUID_SIZE);
    assert_text(uuid, "019a2b6e-7c1d-7f3a-9a55-3f1c2b7d8e90");
}

static void test_what_is_no_uuid_is_refused_and_changes_nothing(void **state)
{
    (void)state;
    static const char good[] = "019a2b6e-7c1d-7f3a-9a55-3f1c2b7d8e90";
    uint8_t uuid[UUID_SIZE], untouched[UUID_SIZE];
    memset(uuid, 0x5a, sizeof uuid);
    memset(untouched, 0x5a, sizeof untouched);
    for (size_t size = 0; size < UUID_TEXT_SIZE; size++)
        assert_int_equal(uuid_from_text(slice_from(good, size), uuid), -1);
    assert_int_equal(uuid_from_text(slice_from(good, sizeof good), uuid), -1);
    for (size_t at = 0; at < UUID_TEXT_SIZE; at++) {
        static const char wrong[] = {'g', ' ', '/', ':', '@', '`', '\0', '\x80'};
        for (size_t i = 0; i < sizeof wrong; i++) {
            char text[sizeof good];
            memcpy(text, good, sizeof text);
            text[at] = wrong[i];
            assert_int_equal(uuid_from_text(slice_from(text, UUID_TEXT_SIZE), uuid), -1);
        }
    }
    assert_int_equal(uuid_from_text(SLICE("019a2b6e07c1d-7f3a-9a55-3f1c2b7d8e90"), uuid), -1);
    assert_int_equal(uuid_from_text(SLICE("019a2b6-e7c1d-7f3a-9a55-3f1c2b7d8e90"), uuid), -1);
    assert_int_equal(uuid_from_text((struct slice){NULL, 0}, uuid), -1);
    assert_memory_equal(uuid, untouched, UUID_SIZE);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_version_7_is_laid_out_as_the_standard_shows),
        cmocka_unit_test(test_version_and_variant_stand_whatever_the_random_bits),
        cmocka_unit_test(test_a_clock_before_1970_counts_as_1970),
        cmocka_unit_test(test_now_carries_the_time_and_never_repeats),
        cmocka_unit_test(test_text_is_read_back_in_either_case),
        cmocka_unit_test(test_what_is_no_uuid_is_refused_and_changes_nothing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
