/* What a user relies on: a position never passes a record that was not acknowledged, and filtering costs
 * nothing. */
#include "shipper/ack.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>

#include <cmocka.h>

static uint64_t send_to(struct ack_tracker *tracker, uint64_t end)
{
    assert_int_equal(ack_reserve(tracker), 0);
    return ack_sent(tracker, end);
}

static void test_position_waits_for_the_oldest_record(void **state)
{
    (void)state;
    struct ack_tracker tracker;
    ack_init(&tracker, 100);
    uint64_t a = send_to(&tracker, 110), b = send_to(&tracker, 120), c = send_to(&tracker, 130);
    ack_done(&tracker, c);
    ack_done(&tracker, b);
    assert_int_equal(tracker.position, 100);
    ack_done(&tracker, a);
    assert_int_equal(tracker.position, 130);
    assert_int_equal(tracker.count, 0);
    ack_release(&tracker);
}

static void test_filtered_bytes_take_no_entry_and_are_passed_with_the_record_before_them(void **state)
{
    (void)state;
    struct ack_tracker tracker;
    ack_init(&tracker, 0);
    for (uint64_t end = 1; end <= 1000; end++)
        ack_skip(&tracker, end);
    assert_int_equal(tracker.position, 1000);
    uint64_t a = send_to(&tracker, 1010);
    for (uint64_t end = 1011; end <= 5000; end++)
        ack_skip(&tracker, end);
    uint64_t b = send_to(&tracker, 5010);
    assert_int_equal(tracker.count, 2);
    assert_int_equal(tracker.position, 1000);
    ack_done(&tracker, a);
    assert_int_equal(tracker.position, 5000);
    ack_done(&tracker, b);
    assert_int_equal(tracker.position, 5010);
    assert_int_equal(tracker.sent, 5010);
    ack_release(&tracker);
}

static void test_bytes_behind_an_acknowledged_record_still_wait_for_the_one_before(void **state)
{
    (void)state;
    struct ack_tracker tracker;
    ack_init(&tracker, 0);
    uint64_t a = send_to(&tracker, 10), b = send_to(&tracker, 20);
    ack_done(&tracker, b);
    ack_skip(&tracker, 90);
    assert_int_equal(tracker.position, 0);
    ack_done(&tracker, a);
    assert_int_equal(tracker.position, 90);
    ack_release(&tracker);
}

static void test_a_part_counts_only_when_everything_before_it_is_acknowledged(void **state)
{
    (void)state;
    struct ack_tracker tracker;
    ack_init(&tracker, 0);
    uint64_t a = send_to(&tracker, 10), b = send_to(&tracker, 100);
    ack_partial(&tracker, b, 50);
    assert_int_equal(tracker.position, 0);
    ack_done(&tracker, a);
    assert_int_equal(tracker.position, 10);
    ack_partial(&tracker, b, 50);
    assert_int_equal(tracker.position, 50);
    ack_done(&tracker, b);
    assert_int_equal(tracker.position, 100);
    ack_release(&tracker);
}

enum { MODEL_RECORDS = 5000 };

/* The reference: an array of flags, searched from the front. */
static uint64_t model_position(const bool *done, int count)
{
    int i = 0;
    while (i < count && done[i])
        i++;
    return (uint64_t)i * 10;
}

static void test_random_order_agrees_with_a_plain_array_of_flags(void **state)
{
    (void)state;
    static bool done[MODEL_RECORDS];
    static uint64_t ticket[MODEL_RECORDS];
    struct ack_tracker tracker;
    ack_init(&tracker, 0);
    srand(7);
    for (int sent = 0, acknowledged = 0; acknowledged < MODEL_RECORDS;) {
        if (sent < MODEL_RECORDS && rand() % 3) {
            ticket[sent] = send_to(&tracker, (uint64_t)(sent + 1) * 10);
            sent++;
        } else if (sent > acknowledged) {
            int i = rand() % sent;
            while (done[i])
                i = (i + 1) % sent;
            done[i] = true;
            ack_done(&tracker, ticket[i]);
            acknowledged++;
        }
        assert_int_equal(tracker.position, model_position(done, sent));
    }
    assert_int_equal(tracker.position, MODEL_RECORDS * 10);
    ack_release(&tracker);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_position_waits_for_the_oldest_record),
        cmocka_unit_test(test_filtered_bytes_take_no_entry_and_are_passed_with_the_record_before_them),
        cmocka_unit_test(test_bytes_behind_an_acknowledged_record_still_wait_for_the_one_before),
        cmocka_unit_test(test_a_part_counts_only_when_everything_before_it_is_acknowledged),
        cmocka_unit_test(test_random_order_agrees_with_a_plain_array_of_flags),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
