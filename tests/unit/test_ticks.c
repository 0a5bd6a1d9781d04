#include "liblog/base/os.h"
#include "liblog/base/ticks.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>

#include <cmocka.h>

#include <pthread.h>
#include <time.h>

static void stamps_become_the_time_of_the_wall_clock(void **state)
{
    struct ticks_anchor anchor;
    (void)state;
    ticks_anchor_init(&anchor);
    for (int i = 0; i < 200; i++) {
        nanosleep(&(struct timespec){0, 100000}, NULL);
        if (i % 20 == 0)
            ticks_anchor_renew(&anchor);
        int64_t before = os_realtime_ns();
        int64_t stamped = ticks_to_unix_ns(&anchor, ticks_now(ticks_use_counter()));
        int64_t after = os_realtime_ns();
        /* the two clocks are read one after the other: within 50 microseconds of each other */
        assert_true(stamped > before - 50000 && stamped < after + 50000);
    }
}

static void an_anchor_converts_exactly_forward_and_backward(void **state)
{
    const struct ticks_anchor same = {1000, 5000000000, UINT64_C(1) << 32};
    const struct ticks_anchor fast = {UINT64_C(1) << 60, INT64_C(1760884200123456789), UINT64_C(1) << 31};
    (void)state;
    assert_int_equal(ticks_to_unix_ns(&same, 1000), 5000000000);
    assert_int_equal(ticks_to_unix_ns(&same, 0), 4999999000);
    assert_int_equal(ticks_to_unix_ns(&same, 1001), 5000000001);
    assert_int_equal(ticks_to_unix_ns(&fast, (UINT64_C(1) << 60) + 2000000000), INT64_C(1760884201123456789));
    assert_int_equal(ticks_to_unix_ns(&fast, (UINT64_C(1) << 60) - 2000000000), INT64_C(1760884199123456789));
    /* a year of a 3 GHz counter does not overflow */
    assert_int_equal(ticks_to_unix_ns(&fast, (UINT64_C(1) << 60) + UINT64_C(94608000000000000)),
                     INT64_C(1760884200123456789) + INT64_C(47304000000000000));
}

/* A stamp taken after another was seen is not smaller, on whatever core. */
static uint64_t shared;

static void *pass_stamps_on(void *argument)
{
    bool counter = ticks_use_counter();
    uint64_t *wrong = argument;
    for (int i = 0; i < 200000; i++) {
        uint64_t seen = __atomic_load_n(&shared, __ATOMIC_ACQUIRE);
        uint64_t mine = ticks_now(counter);
        *wrong += mine < seen;
        if (mine > seen)
            __atomic_compare_exchange_n(&shared, &seen, mine, false, __ATOMIC_RELEASE, __ATOMIC_RELAXED);
    }
    return NULL;
}

static void a_stamp_is_not_smaller_than_one_that_was_seen_before(void **state)
{
    pthread_t threads[2];
    uint64_t wrong[2] = {0, 0};
    (void)state;
    for (int i = 0; i < 2; i++)
        pthread_create(&threads[i], NULL, pass_stamps_on, &wrong[i]);
    for (int i = 0; i < 2; i++)
        pthread_join(threads[i], NULL);
    assert_int_equal(wrong[0] + wrong[1], 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(stamps_become_the_time_of_the_wall_clock),
        cmocka_unit_test(an_anchor_converts_exactly_forward_and_backward),
        cmocka_unit_test(a_stamp_is_not_smaller_than_one_that_was_seen_before),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
