/* Who has a turn, who waits for what, and what the database does not hold yet. */
#include "shipper/agenda.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

enum { SOURCES = 5 };

static struct agenda agenda;
static struct source sources[SOURCES];

static int begin(void **state)
{
    (void)state;
    agenda_init(&agenda);
    for (int i = 0; i < SOURCES; i++)
        sources[i] = (struct source){0};
    return 0;
}

/* The turn that begins now is had by these, in this order; -1 ends the list. */
static void assert_turn(const int *wanted)
{
    agenda_begin_turn(&agenda);
    for (; *wanted >= 0; wanted++) {
        assert_ptr_equal(agenda_next(&agenda), &sources[*wanted]);
        assert_true(agenda_rests(&sources[*wanted]));
    }
    assert_null(agenda_next(&agenda));
}

static void who_is_woken_has_one_turn_in_the_order_of_waking(void **state)
{
    (void)state;
    assert_turn((int[]){-1});
    agenda_wake(&agenda, &sources[2]);
    agenda_wake(&agenda, &sources[0]);
    agenda_wake(&agenda, &sources[2]); /* again: last now, and still once */
    assert_false(agenda_rests(&sources[2]));
    assert_turn((int[]){0, 2, -1});
    assert_turn((int[]){-1});
}

static void who_is_woken_during_a_turn_has_the_next_one(void **state)
{
    (void)state;
    agenda_wake(&agenda, &sources[0]);
    agenda_wake(&agenda, &sources[1]);
    agenda_begin_turn(&agenda);
    assert_ptr_equal(agenda_next(&agenda), &sources[0]);
    agenda_wake(&agenda, &sources[0]);
    agenda_wake(&agenda, &sources[3]);
    assert_ptr_equal(agenda_next(&agenda), &sources[1]);
    assert_null(agenda_next(&agenda));
    assert_turn((int[]){0, 3, -1});
}

/* A stop ends a turn in the midst of it. */
static void who_had_no_turn_when_it_was_ended_has_it_first_next_time(void **state)
{
    (void)state;
    agenda_wake(&agenda, &sources[0]);
    agenda_wake(&agenda, &sources[1]);
    agenda_begin_turn(&agenda);
    assert_ptr_equal(agenda_next(&agenda), &sources[0]);
    agenda_wake(&agenda, &sources[0]);
    assert_turn((int[]){1, 0, -1});
}

static void who_is_held_waits_for_one_of_its_lanes_or_for_news(void **state)
{
    (void)state;
    agenda_hold(&agenda, &sources[0], 1u << 1, INT64_MAX);
    agenda_hold(&agenda, &sources[1], 1u << 2 | 1u << 3, INT64_MAX);
    agenda_lanes_are_ready(&agenda, 1u << 0 | 1u << 4);
    assert_turn((int[]){-1});
    agenda_wake(&agenda, &sources[1]); /* its file changed */
    assert_turn((int[]){1, -1});
    agenda_hold(&agenda, &sources[1], 1u << 2, INT64_MAX);
    agenda_lanes_are_ready(&agenda, 1u << 2); /* the others are asked, too: it costs less than to know */
    assert_turn((int[]){0, 1, -1});
    agenda_lanes_are_ready(&agenda, UINT32_MAX);
    assert_turn((int[]){-1});
}

static void who_waits_for_a_time_has_its_turn_then_and_not_before(void **state)
{
    (void)state;
    agenda_wait_until(&agenda, &sources[0], 300);
    agenda_wait_until(&agenda, &sources[1], 100);
    agenda_wait_until(&agenda, &sources[2], 200);
    assert_int_equal(agenda.timed_due_ns, 100);
    agenda_time_is(&agenda, 99);
    assert_turn((int[]){-1});
    agenda_time_is(&agenda, 200);
    assert_turn((int[]){1, 2, -1});
    assert_int_equal(agenda.timed_due_ns, 300);
    agenda_wake(&agenda, &sources[0]); /* news: what it waited for is no more */
    assert_turn((int[]){0, -1});
    agenda_time_is(&agenda, 300);
    assert_turn((int[]){-1});
    assert_true(agenda.timed_due_ns == INT64_MAX);
}

/* One lane is away for hours, and an event of several lines is over for another. */
static void who_is_held_may_wait_for_a_time_as_well(void **state)
{
    (void)state;
    agenda_hold(&agenda, &sources[0], 1u << 1, 100);
    agenda_hold(&agenda, &sources[1], 1u << 1, INT64_MAX);
    assert_int_equal(agenda.timed_due_ns, 100);
    agenda_time_is(&agenda, 100);
    assert_turn((int[]){0, -1});
    agenda_hold(&agenda, &sources[0], 1u << 1, 300);
    agenda_lanes_are_ready(&agenda, 1u << 1);
    assert_turn((int[]){1, 0, -1});
    agenda_time_is(&agenda, 300);
    assert_turn((int[]){-1});
}

static void assert_unsettled(int wanted)
{
    int count = 0;
    for (struct source *source = agenda_next_unsettled(&agenda, NULL); source;
         source = agenda_next_unsettled(&agenda, source))
        count++;
    assert_int_equal(count, wanted);
    assert_int_equal(agenda.unsettled_count, wanted);
}

static void what_is_not_settled_is_listed_once_until_it_is(void **state)
{
    (void)state;
    assert_unsettled(0);
    agenda_unsettle(&agenda, &sources[0]);
    agenda_unsettle(&agenda, &sources[1]);
    agenda_unsettle(&agenda, &sources[0]);
    assert_unsettled(2);
    agenda_settle(&agenda, &sources[0]);
    agenda_settle(&agenda, &sources[0]);
    assert_unsettled(1);
    assert_ptr_equal(agenda_next_unsettled(&agenda, NULL), &sources[1]);
}

static void who_is_forgotten_is_in_no_list(void **state)
{
    (void)state;
    for (int i = 0; i < 4; i++)
        agenda_unsettle(&agenda, &sources[i]);
    agenda_wake(&agenda, &sources[0]);
    agenda_hold(&agenda, &sources[1], 1, INT64_MAX);
    agenda_wait_until(&agenda, &sources[2], 1);
    agenda_wake(&agenda, &sources[3]);
    for (int i = 0; i < 3; i++)
        agenda_forget(&agenda, &sources[i]);
    agenda_lanes_are_ready(&agenda, 1);
    agenda_time_is(&agenda, 1);
    assert_turn((int[]){3, -1});
    assert_unsettled(1);
}

#define FROM_NOTHING(test) cmocka_unit_test_setup(test, begin)

int main(void)
{
    const struct CMUnitTest tests[] = {
        FROM_NOTHING(who_is_woken_has_one_turn_in_the_order_of_waking),
        FROM_NOTHING(who_is_woken_during_a_turn_has_the_next_one),
        FROM_NOTHING(who_had_no_turn_when_it_was_ended_has_it_first_next_time),
        FROM_NOTHING(who_is_held_waits_for_one_of_its_lanes_or_for_news),
        FROM_NOTHING(who_is_held_may_wait_for_a_time_as_well),
        FROM_NOTHING(who_waits_for_a_time_has_its_turn_then_and_not_before),
        FROM_NOTHING(what_is_not_settled_is_listed_once_until_it_is),
        FROM_NOTHING(who_is_forgotten_is_in_no_list),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
