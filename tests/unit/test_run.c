#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "event_maker.h"
#include "shipper/run.h"

#include <stdio.h>
#include <stdlib.h>

static void see(struct run_audit *audit, uint64_t from, uint64_t to)
{
    assert_int_equal(run_audit_see(audit, from, to), 0);
}

static void numbers_in_order_leave_nothing_missing(void **state)
{
    (void)state;
    struct run_audit audit = {0};
    for (uint64_t seq = 1; seq <= 1000; seq++)
        see(&audit, seq, seq);
    assert_int_equal(audit.first_seq, 1);
    assert_int_equal(audit.last_seq, 1000);
    assert_int_equal(audit.missing, 0);
    assert_int_equal(audit.duplicates, 0);
    run_audit_release(&audit);
}

static void a_gap_is_missing_until_it_is_filled(void **state)
{
    (void)state;
    struct run_audit audit = {0};
    see(&audit, 1, 10);
    see(&audit, 21, 30);
    assert_int_equal(audit.missing, 10);
    see(&audit, 14, 15); /* splits the gap */
    assert_int_equal(audit.missing, 8);
    assert_int_equal(audit.gap_count, 2);
    see(&audit, 8, 22); /* fills what is left; 8-10, 14-15, 21-22 again */
    assert_int_equal(audit.missing, 0);
    assert_int_equal(audit.gap_count, 0);
    assert_int_equal(audit.duplicates, 7);
    run_audit_release(&audit);
}

static void an_older_file_read_later_comes_before(void **state)
{
    (void)state;
    struct run_audit audit = {0};
    see(&audit, 201, 300);
    see(&audit, 1, 100);
    assert_int_equal(audit.first_seq, 1);
    assert_int_equal(audit.missing, 100);
    see(&audit, 101, 200);
    assert_int_equal(audit.missing, 0);
    assert_int_equal(audit.duplicates, 0);
    run_audit_release(&audit);
}

static void beyond_64_gaps_missing_stays_and_the_run_is_inexact(void **state)
{
    (void)state;
    struct run_audit audit = {0};
    for (uint64_t seq = 1; seq <= 2 * 65 + 1; seq += 2) {
        assert_false(audit.inexact);
        see(&audit, seq, seq);
    }
    assert_int_equal(audit.gap_count, RUN_GAPS_MAX);
    assert_int_equal(audit.missing, 65);
    assert_true(audit.inexact);
    run_audit_release(&audit);
}

static void numbers_at_the_end_of_the_range_do_not_overflow(void **state)
{
    (void)state;
    struct run_audit audit = {0};
    see(&audit, INT64_MAX, INT64_MAX);
    see(&audit, 1, 1);
    assert_int_equal(audit.missing, INT64_MAX - 2);
    see(&audit, 1, INT64_MAX);
    assert_int_equal(audit.missing, 0);
    assert_int_equal(audit.duplicates, 2);
    run_audit_release(&audit);
}

/* Truth: how often each number was seen. The pieces are cut into batches at random, merged, and compared. */
static void any_division_into_batches_gives_the_same_audit(void **state)
{
    (void)state;
    enum { NUMBERS = 120, STEPS = 60, ROUNDS = 2000 };
    srand(4711);
    for (int round = 0; round < ROUNDS; round++) {
        struct run_audit total = {0}, batch = {0};
        uint64_t seen[NUMBERS + 2] = {0}, duplicates = 0, missing = 0, first = 0, last = 0;
        for (int step = 0; step < STEPS; step++) {
            uint64_t from = 1 + (uint64_t)rand() % NUMBERS;
            uint64_t to = from + (uint64_t)rand() % 6;
            to = to > NUMBERS ? NUMBERS : to;
            see(&batch, from, to);
            for (uint64_t seq = from; seq <= to; seq++)
                duplicates += seen[seq]++ > 0;
            if (rand() % 4 == 0 || step == STEPS - 1) {
                assert_int_equal(run_audit_merge(&total, &batch), 0);
                run_audit_release(&batch);
            }
        }
        for (uint64_t seq = 1; seq <= NUMBERS; seq++)
            if (seen[seq]) {
                first = first ? first : seq;
                last = seq;
            }
        for (uint64_t seq = first; seq <= last; seq++)
            missing += seen[seq] == 0;
        assert_int_equal(total.first_seq, first);
        assert_int_equal(total.last_seq, last);
        assert_int_equal(total.missing, missing);
        assert_int_equal(total.duplicates, duplicates);
        for (uint32_t i = 0; i < total.gap_count; i++)
            for (uint64_t seq = total.gaps[i].from; seq <= total.gaps[i].to; seq++)
                assert_int_equal(seen[seq], 0);
        run_audit_release(&total);
    }
}

#define RUN_A "019a2b6e-7c1d-7f3a-9a55-3f1c2b7d8e90"
#define RUN_B "019a2b6e-7c1d-7f3a-9a55-000000000000"

static void add(struct run_table *table, struct event event)
{
    if (!run_table_follow(table, &event))
        assert_int_equal(run_table_add(table, &event, SLICE("shop")), 0);
}

/* All there is to know of a run, as text. */
static void describe(const struct run *run, char text[static 256])
{
    const struct run_audit *a = &run->audit;
    snprintf(text, 256, "%.*s %llu-%llu %llu -%llu +%llu /%llu %lld-%lld %d %d %llu", (int)run->id.size,
             run->id.data, (unsigned long long)a->first_seq, (unsigned long long)a->last_seq,
             (unsigned long long)a->records, (unsigned long long)a->missing,
             (unsigned long long)a->duplicates, (unsigned long long)a->dropped, (long long)a->first_seen_ns,
             (long long)a->last_seen_ns, a->inexact, (int)a->ended, (unsigned long long)a->closed_seq);
}

/* Truth: a table that never follows. */
static void following_is_adding(void **state)
{
    (void)state;
    static const char *const ids[] = {RUN_A,
                                      RUN_B,
                                      "short",
                                      "shorn",
                                      "019a2b6e-7c1d-7f3a-9a55-3f1c2b7d8e91",
                                      "019a2b6e-7c1d-7f3a-8a55-3f1c2b7d8e90",
                                      "a",
                                      "sixteen bytes it",
                                      ""};
    struct run_table followed, added;
    assert_int_equal(run_table_init(&followed, 3), 0);
    assert_int_equal(run_table_init(&added, 3), 0);
    uint64_t seq = 20;
    int follows = 0;
    srand(20251019);
    for (int i = 0; i < 20000; i++) {
        const char *id = ids[rand() % 16 ? 0 : (size_t)rand() % (sizeof(ids) / sizeof(ids[0]))];
        int step = rand() % 32;
        seq += step == 0 ? 3 : step == 1 ? 0 : 1;
        if (step == 2)
            seq -= (uint64_t)rand() % 20;
        if (i == 19000)
            seq = INT64_MAX - 500; /* and on to where no number is taken any more */
        struct event event = event_of_run(id, seq, rand() % 50 - 25);
        if (rand() % 8 == 0)
            event = mark_of_run(id, seq, rand() % 50, "close");
        if (!run_table_follow(&followed, &event))
            assert_int_equal(run_table_add(&followed, &event, SLICE("shop")), 0);
        else
            follows++;
        assert_int_equal(run_table_add(&added, &event, SLICE("shop")), 0);
    }
    assert_int_equal(followed.count, added.count);
    for (uint32_t i = 0; i < added.count; i++) {
        char text[256], expected[256];
        describe(&followed.rows[i], text);
        describe(&added.rows[i], expected);
        assert_string_equal(text, expected);
    }
    assert_true(follows > 1000);
    run_table_release(&followed);
    run_table_release(&added);
}

static void runs_are_audited_each_by_itself(void **state)
{
    (void)state;
    struct run_table table;
    assert_int_equal(run_table_init(&table, 3), 0);
    for (uint64_t seq = 1; seq <= 20; seq++) {
        add(&table, event_of_run(RUN_A, seq, 100 + (int64_t)seq));
        if (seq % 2 == 0)
            add(&table, event_of_run(RUN_B, seq, 100));
    }
    assert_int_equal(table.count, 2);
    assert_int_equal(table.rows[0].audit.records, 20);
    assert_int_equal(table.rows[0].audit.missing, 0);
    assert_int_equal(table.rows[0].audit.first_seen_ns, 101 * SECOND_NS);
    assert_int_equal(table.rows[0].audit.last_seen_ns, 120 * SECOND_NS);
    assert_int_equal(table.rows[1].audit.records, 10);
    assert_int_equal(table.rows[1].audit.first_seq, 2);
    assert_int_equal(table.rows[1].audit.missing, 9);
    run_table_release(&table);
}

/* An id that differs in one byte from that of the latest run is another, and its record does not follow. */
static void ids_are_compared_in_full(void **state)
{
    (void)state;
    char id[71] = {0}, other[71];
    memset(id, 'a', 70);
    for (size_t size = 70; size > 0; size--) {
        id[size] = '\0';
        struct run_table table;
        assert_int_equal(run_table_init(&table, 3), 0);
        struct event first = event_of_run(id, 1, 100);
        assert_false(run_table_follow(&table, &first));
        assert_int_equal(run_table_add(&table, &first, SLICE("shop")), 0);
        for (size_t i = 0; i < size; i++) {
            memcpy(other, id, sizeof(other));
            other[i] = 'b';
            struct event event = event_of_run(other, 2, 100);
            assert_false(run_table_follow(&table, &event));
        }
        struct event second = event_of_run(id, 2, 100);
        assert_true(run_table_follow(&table, &second));
        assert_int_equal(table.rows[0].audit.records, 2);
        run_table_release(&table);
    }
}

static enum run_end end_after(const char *mark, uint64_t more)
{
    struct run_table table;
    assert_int_equal(run_table_init(&table, 3), 0);
    add(&table, event_of_run(RUN_A, 1, 100));
    add(&table, mark_of_run(RUN_A, 2, 101, mark));
    for (uint64_t i = 0; i < more; i++)
        add(&table, event_of_run(RUN_A, 3 + i, 102));
    enum run_end end = run_audit_end(&table.rows[0].audit);
    run_table_release(&table);
    return end;
}

static void marks_tell_how_a_run_ended(void **state)
{
    (void)state;
    assert_int_equal(end_after("close", 0), RUN_CLOSED);
    assert_int_equal(end_after("close", 1), RUN_RUNNING);
    assert_int_equal(end_after("crash", 0), RUN_CRASHED);
    assert_int_equal(end_after("crash", 1), RUN_CRASHED);
    assert_int_equal(end_after("recovered", 0), RUN_KILLED);
    assert_int_equal(end_after("repeated", 0), RUN_RUNNING);
}

static void drops_are_summed_and_cannot_overflow(void **state)
{
    (void)state;
    struct run_table table;
    assert_int_equal(run_table_init(&table, 3), 0);
    struct event drop = mark_of_run(RUN_A, 1, 100, "dropped");
    drop.dropped = 5;
    add(&table, drop);
    drop.seq = 2;
    add(&table, drop);
    assert_int_equal(table.rows[0].audit.dropped, 10);
    assert_int_equal(table.rows[0].audit.missing, 0);
    drop.seq = 3;
    drop.dropped = UINT64_MAX;
    add(&table, drop);
    assert_int_equal(table.rows[0].audit.dropped, INT64_MAX);
    run_table_release(&table);
}

static void records_without_run_or_number_are_passed_over(void **state)
{
    (void)state;
    struct run_table table;
    assert_int_equal(run_table_init(&table, 3), 0);
    add(&table, event_of_run(RUN_A, 0, 100));
    add(&table, event_of_run(RUN_A, (uint64_t)INT64_MAX + 1, 100));
    add(&table, event_of_run("", 1, 100));
    add(&table, event_of(LEVEL_INFO, 100, "shop", ""));
    assert_int_equal(table.count, 0);
    run_table_release(&table);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(numbers_in_order_leave_nothing_missing),
        cmocka_unit_test(a_gap_is_missing_until_it_is_filled),
        cmocka_unit_test(an_older_file_read_later_comes_before),
        cmocka_unit_test(beyond_64_gaps_missing_stays_and_the_run_is_inexact),
        cmocka_unit_test(numbers_at_the_end_of_the_range_do_not_overflow),
        cmocka_unit_test(any_division_into_batches_gives_the_same_audit),
        cmocka_unit_test(following_is_adding),
        cmocka_unit_test(ids_are_compared_in_full),
        cmocka_unit_test(runs_are_audited_each_by_itself),
        cmocka_unit_test(marks_tell_how_a_run_ended),
        cmocka_unit_test(drops_are_summed_and_cannot_overflow),
        cmocka_unit_test(records_without_run_or_number_are_passed_over),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
