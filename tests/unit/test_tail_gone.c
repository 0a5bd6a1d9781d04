#define _GNU_SOURCE
/* Sources whose file is gone: how long it is held open, what is counted, and what is kept in mind of it. */
#include "tail_shop.h"

#include <sys/resource.h>

enum { LANE_OUT = LANE_STATS + 1 };

/* Gives every source the output's position, as the pipeline does at its start. */
static void start_output(uint64_t offset)
{
    struct source *source = NULL;

    while ((source = tail_next(shop.tail, source)) != NULL) {
        if (source->started)
            continue;
        source->position[LANE_OUT] = offset;
        source_start(source, shop.lane_count);
    }
}

/* What the pipeline does when everybody has read and committed. */
static void drop_finished(void)
{
    struct source *source = NULL, *next;

    for (source = tail_next(shop.tail, NULL); source; source = next) {
        next = tail_next(shop.tail, source);
        if (source->record.evidence.finished && source_unread_bytes(source, LANE_STATS) == 0)
            tail_drop(shop.tail, source);
    }
}

static void delete_with_unread(const char *path, size_t size)
{
    char *text = calloc(1, size + 1);

    memset(text, 'x', size);
    text[size - 1] = '\n';
    write_file(path, text);
    free(text);
    look();
    look();
    unlink(path);
    look();
}

/* ---- holding ---- */

static void deleted_files_are_held_open_up_to_a_size_and_the_first_goes_first(void **state)
{
    (void)state;
    shop.hold_bytes_max = 2500;
    start();
    delete_with_unread("a.log", 1000);
    delete_with_unread("b.log", 1000);
    assert_int_equal(shop.problems, 0);
    delete_with_unread("c.log", 1000);
    assert_int_equal(shop.problems, 1);
    assert_int_equal(shop.last_problem.error, ERR_IO_008);
    assert_non_null(strstr(shop.last_problem.text, "a.log was deleted and is let go"));
    commit();
    assert_int_equal(shop.lost_bytes, 1000);
    drain();
    assert_int_equal(shop.got_size, 2000);
}

static void deleted_files_are_held_open_for_a_time_that_no_clock_ends_early(void **state)
{
    (void)state;
    shop.hold_ns_max = 300 * INT64_C(1000000000);
    start();
    delete_with_unread("a.log", 1000);
    pass_time(86400); /* the clock is set */
    look();
    pass_time(-2 * 86400);
    look();
    assert_int_equal(shop.problems, 0);
    for (int minute = 0; minute < 5; minute++) {
        pass_time(60);
        look();
    }
    assert_int_equal(shop.problems, 1);
    assert_int_equal(shop.last_problem.error, ERR_IO_008);
    commit();
    assert_int_equal(shop.lost_bytes, 1000);
}

static void deleted_files_leave_half_of_the_descriptors_to_others(void **state)
{
    struct rlimit before, low;
    char name[32];

    (void)state;
    assert_int_equal(getrlimit(RLIMIT_NOFILE, &before), 0);
    low = before;
    low.rlim_cur = 64; /* the tail keeps 32 open at most */
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &low), 0);
    start();
    for (int i = 0; i < 30; i++) {
        snprintf(name, sizeof(name), "f%03d.log", i);
        delete_with_unread(name, 100);
    }
    write_file("live.log", "live\n");
    turn();
    turn();
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &before), 0);
    assert_int_equal(shop.problems, 30 - 16);
    assert_int_equal(shop.lost_bytes, (30 - 16) * 100);
    assert_int_equal(shop.got_size, 16 * 100 + 5);
}

static void what_an_output_had_not_read_is_counted_from_the_one_furthest_behind(void **state)
{
    (void)state;
    shop.lane_count = 2;
    shop.hold_bytes_max = 10;
    write_file("a.log", "one\ntwo\nthree\n");
    start();
    look();
    start_output(4);
    drain();
    assert_got("one\ntwo\nthree\n");
    look();
    unlink("a.log");
    look();
    commit();
    assert_int_equal(shop.problems, 1);
    assert_int_equal(shop.lost_bytes, 10); /* two, three */
}

static void what_an_output_lost_while_nobody_ran_is_counted_once(void **state)
{
    (void)state;
    shop.lane_count = 2;
    write_file("a.log", "one\ntwo\nthree\n");
    start();
    look();
    start_output(4);
    drain();
    stop();
    unlink("a.log");
    for (int i = 0; i < 2; i++) {
        start();
        for (int looks = 0; looks < 4; looks++) {
            look();
            start_output(4);
            commit();
            pass_time(2);
        }
        drop_finished();
        stop();
        assert_int_equal(shop.lost_bytes, 10);
    }
}

static void what_a_truncation_took_from_an_output_is_counted(void **state)
{
    (void)state;
    shop.lane_count = 2;
    write_file("a.log", "one\ntwo\n");
    start();
    look();
    start_output(4);
    drain();
    write_file("a.log", "new\n");
    look();
    start_output(0);
    drain();
    commit();
    assert_got("one\ntwo\nnew\n");
    assert_int_equal(shop.lost_bytes, 4);
}

static void a_compressed_file_is_held_for_an_output_that_lags(void **state)
{
    char *lines = make_lines("held", 0, 300), *piece = malloc(1 << 16);
    enum source_end end;
    size_t size;

    (void)state;
    shop.lane_count = 2;
    write_packed("app.log.1.gz", lines);
    make_old("app.log.1.gz", 100);
    write_file("app.log", "live\n");
    start();
    look();
    start_output(0);
    drain();
    commit();
    unlink("app.log.1.gz");
    pass_time(15);
    look();
    look();
    struct source *source = source_at("app.log.1.gz");
    assert_int_equal(source_read(source, 0, piece, 1 << 16, &size, &end, NULL), 0);
    assert_int_equal(size, strlen(lines));
    assert_memory_equal(piece, lines, size);
    commit();
    assert_int_equal(shop.lost_bytes, 0);
    free(piece);
    free(lines);
}

/* ---- evidence ---- */

static const struct source_record *record_at(const char *path)
{
    for (int i = 0; i < shop.known_count; i++)
        if (strcmp(shop.known[i].path, path) == 0)
            return &shop.known[i];
    return NULL;
}

/* Reads app.log.1, drops it as the pipeline does, and deletes it. */
static void read_drop_and_delete(const char *path, const char *text)
{
    write_file(path, text);
    make_old(path, 100);
    turn();
    pass_time(11);
    turn();
    drop_finished();
    unlink(path);
    for (int i = 0; i < 3; i++) {
        pass_time(15);
        turn();
        drop_finished();
    }
}

static void a_file_that_is_gone_is_noted_and_its_copy_is_known(void **state)
{
    (void)state;
    write_file("app.log", "live\n");
    start();
    turn();
    read_drop_and_delete("app.log.1", "one\ntwo\n");
    assert_true(record_at("app.log.1")->evidence.gone_ns > 0);
    assert_int_equal(record_at("app.log")->evidence.gone_ns, 0);
    assert_int_equal(shop.lost_bytes, 0);
    restart();
    turn();
    write_packed("app.log.2.gz", "one\ntwo\n"); /* from a backup */
    make_old("app.log.2.gz", 100);
    pass_time(15);
    turn();
    turn();
    assert_got("live\none\ntwo\n");
    assert_int_equal(record_at("app.log.2.gz")->evidence.gone_ns, 0);
}

static void a_file_that_comes_back_as_it_was_is_not_gone(void **state)
{
    (void)state;
    write_file("app.log", "live\n");
    assert_int_equal(mkdir("away", 0755), 0);
    start();
    turn();
    write_file("app.log.1", "one\n");
    make_old("app.log.1", 100);
    pass_time(11);
    turn();
    pass_time(11);
    turn();
    drop_finished();
    assert_int_equal(rename("app.log.1", "away/app.log.1"), 0);
    for (int i = 0; i < 3; i++) {
        pass_time(15);
        turn();
        drop_finished();
    }
    assert_true(record_at("app.log.1")->evidence.gone_ns > 0);
    assert_int_equal(rename("away/app.log.1", "app.log.1"), 0);
    pass_time(15);
    turn();
    assert_int_equal(record_at("app.log.1")->evidence.gone_ns, 0);
    assert_got("live\none\n");
    unlink("app.log.1");
    assert_int_equal(rmdir("away"), 0);
}

static void beyond_the_bound_the_oldest_evidence_goes(void **state)
{
    (void)state;
    shop.gone_kept_max = 2;
    write_file("app.log", "live\n");
    start();
    turn();
    read_drop_and_delete("app.log.1", "a\n");
    read_drop_and_delete("app.log.1", "bb\n");
    read_drop_and_delete("app.log.1", "ccc\n");
    assert_got("live\na\nbb\nccc\n");
    static const struct {
        const char *name, *text, *got;
    } backups[] = {
        {"app.log.4", "a\n", "live\na\nbb\nccc\na\n"}, /* forgotten: a new source */
        {"app.log.3", "bb\n", "live\na\nbb\nccc\na\n"},
        {"app.log.2", "ccc\n", "live\na\nbb\nccc\na\n"},
    };
    for (int i = 0; i < 3; i++) {
        write_file(backups[i].name, backups[i].text);
        make_old(backups[i].name, 100);
        pass_time(15);
        turn();
        turn();
        assert_got(backups[i].got);
    }
}

static void check_evidence_of_age(int days, const char *want)
{
    write_file("app.log", "live\n");
    start();
    turn();
    read_drop_and_delete("app.log.1", "one\n");
    assert_got("live\none\n");
    pass_time(days * 86400);
    turn();
    write_file("app.log.2", "one\n");
    make_old("app.log.2", 100);
    pass_time(15);
    turn();
    turn();
    assert_got(want);
}

static void evidence_older_than_its_time_goes(void **state)
{
    (void)state;
    check_evidence_of_age(SOURCE_GONE_KEPT_DAYS - 1, "live\none\n");
    begin_anew();
    check_evidence_of_age(SOURCE_GONE_KEPT_DAYS + 1, "live\none\none\n");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        IN_SHOP(deleted_files_are_held_open_up_to_a_size_and_the_first_goes_first),
        IN_SHOP(deleted_files_are_held_open_for_a_time_that_no_clock_ends_early),
        IN_SHOP(deleted_files_leave_half_of_the_descriptors_to_others),
        IN_SHOP(what_an_output_had_not_read_is_counted_from_the_one_furthest_behind),
        IN_SHOP(what_an_output_lost_while_nobody_ran_is_counted_once),
        IN_SHOP(what_a_truncation_took_from_an_output_is_counted),
        IN_SHOP(a_compressed_file_is_held_for_an_output_that_lags),
        IN_SHOP(a_file_that_is_gone_is_noted_and_its_copy_is_known),
        IN_SHOP(a_file_that_comes_back_as_it_was_is_not_gone),
        IN_SHOP(beyond_the_bound_the_oldest_evidence_goes),
        IN_SHOP(evidence_older_than_its_time_goes),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
