#define _GNU_SOURCE
#include "liblog/drain.h"
#include "liblog/stats_folder.h"
#include "log_reader.h"
#include "ring_maker.h"
#include "tests/support/chance.h"

#include <signal.h>
#include <sys/wait.h>

static ll_stats stats;

/* --- dead programs -------------------------------------------------------------------------------------- */

static void log_some(int records, int types)
{
    for (int i = 0; i < records; i++) {
        char type[32];
        snprintf(type, sizeof type, "Type%d", i % types);
        ll_info("fine");
        ll_error("bad", ll_exception(type, "m"));
    }
}

/* A program that logs, and is killed; with `stalled`, before any of it could be written. */
static void die_after(int records, int types, bool stalled)
{
    int status;
    pid_t child = fork();
    assert_true(child >= 0);
    if (child == 0) {
        open_log("app.log");
        log_some(records, types);
        if (!stalled)
            ll_flush(FLUSH_MS_MAX);
        raise(SIGKILL);
    }
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_true(WIFSIGNALED(status));
}

static ll_other_stats *read_them(uint32_t seconds)
{
    ll_other_stats *all = NULL;
    ll_problem problem = {0};
    const ll_other_stats_options options = {.window_seconds = seconds};
    if (ll_other_stats_read("app.log", &options, &all, &problem) != LL_OK)
        fail_msg("%s", problem.text);
    return all;
}

static uint64_t count_of(const ll_stats *in, const char *type)
{
    for (uint32_t i = 0; i < in->type_count; i++)
        if (strcmp(in->types[i].name, type) == 0)
            return in->types[i].count;
    return 0;
}

static void what_a_dead_program_had_not_written_is_counted(void **state)
{
    ll_other_run run;
    (void)state;
    assert_int_equal(mkdir("app.log", 0700), 0); /* nothing can be written */
    die_after(300, 10, true);
    ll_other_stats *all = read_them(0);
    assert_int_equal(ll_other_stats_runs(all), 1);
    assert_int_equal(ll_other_stats_get(all, 0, &stats), LL_OK);
    assert_int_equal(stats.total_errors, 300);
    assert_int_equal(stats.counts[LL_LEVEL_INFO], 300);
    assert_int_equal(count_of(&stats, "Type7"), 30);
    assert_int_equal(ll_other_stats_run(all, 0, &run), LL_OK);
    assert_int_equal(run.unwritten, 600);
    assert_false(run.is_alive);
    assert_true(run.is_settled);
    ll_other_stats_free(all);
    assert_int_equal(rmdir("app.log"), 0);
    assert_int_equal(ll_recover("app.log", NULL, NULL, NULL), LL_OK);
    all = read_them(3600);
    assert_int_equal(ll_other_stats_get(all, 0, &stats), LL_OK);
    assert_int_equal(stats.total_errors, 300);
    assert_int_equal(ll_other_stats_run(all, 0, &run), LL_OK);
    assert_int_equal(run.unwritten, 0);
    ll_other_stats_free(all);
}

static void several_are_told_each_and_in_sum(void **state)
{
    static ll_recent_error recent[LL_RECENT_ERRORS_MAX];
    ll_other_run run;
    uint64_t types = 0;
    (void)state;
    die_after(200, 200, false);
    die_after(250, 250, false);
    open_log("app.log");
    ll_error("alive", ll_exception("TheLivingOne", "m"));
    ll_other_stats *all = read_them(0);
    assert_int_equal(ll_other_stats_runs(all), 3);
    assert_int_equal(ll_other_stats_damaged(all), 0);
    assert_int_equal(ll_other_stats_run(all, 0, &run), LL_OK);
    assert_true(run.is_alive);
    assert_string_equal(run.run_id, ll_run_id());
    assert_int_equal(run.pid, getpid());
    assert_string_equal(run.service, "tested");
    assert_int_equal(ll_other_stats_get(all, 1, &stats), LL_OK); /* the one that logged last */
    assert_int_equal(stats.total_errors, 250);
    assert_int_equal(ll_other_stats_get(all, LL_RUN_SUM, &stats), LL_OK);
    assert_int_equal(stats.total_errors, 451);
    assert_int_equal(stats.type_count, 251);
    for (uint32_t i = 0; i < stats.type_count; i++)
        types += stats.types[i].count;
    assert_int_equal(types, 451);
    assert_int_equal(count_of(&stats, "Type199"), 2);
    assert_int_equal(ll_other_stats_recent(all, LL_RUN_SUM, recent, LL_RECENT_ERRORS_MAX),
                     LL_RECENT_ERRORS_MAX);
    assert_string_equal(recent[0].type, "TheLivingOne");
    assert_int_equal(ll_other_stats_get(all, 3, &stats), LL_EINVAL);
    assert_int_equal(ll_other_stats_get(all, -2, &stats), LL_EINVAL);
    assert_int_equal(ll_other_stats_recent(all, 0, recent, -1), LL_EINVAL);
    ll_other_stats_free(all);
    ll_other_stats_free(NULL);
}

static void expect_error(const char *log, const ll_other_stats_options *options, int error)
{
    ll_other_stats *all = NULL;
    ll_problem problem = {0};
    assert_int_equal(ll_other_stats_read(log, options, &all, &problem), error);
    assert_null(all);
    assert_int_equal(problem.error, error);
    assert_true(strlen(problem.text) > 10);
}

static void what_cannot_be_answered_is_said_in_words(void **state)
{
    const ll_other_stats_options too_long = {.window_seconds = LL_STATS_SECONDS_MAX + 1};
    (void)state;
    expect_error("none.log", NULL, LL_ENOENT);
    expect_error("", NULL, LL_EINVAL);
    expect_error(NULL, NULL, LL_EINVAL);
    expect_error("app.log", &too_long, LL_EINVAL);
    assert_int_equal(mkdir(".app.log.ll", 0700), 0);
    expect_error("app.log", NULL, LL_ENOENT);
    assert_int_equal(close(open(".app.log.ll/x.stats", O_CREAT | O_WRONLY, 0600)), 0);
    expect_error("app.log", NULL, LL_EFORMAT);
    assert_int_equal(mkfifo(".app.log.ll/y.stats", 0600), 0);
    assert_int_equal(symlink("x.stats", ".app.log.ll/z.stats"), 0);
    expect_error("app.log", NULL, LL_EFORMAT);
}

/* --- files that somebody has changed -------------------------------------------------------------------- */

struct bytes_of_file {
    char path[512];
    char *data;
    size_t size;
};

static struct bytes_of_file keep(const char *suffix)
{
    struct bytes_of_file file;
    assert_int_equal(count_files(".app.log.ll", suffix, file.path), 1);
    file.data = read_file(file.path, &file.size);
    return file;
}

static void write_changed(const struct bytes_of_file *file, struct chance *chance, size_t range, int changes)
{
    int fd = open(file->path, O_RDWR | O_TRUNC | O_CREAT, 0600);
    assert_int_equal(write(fd, file->data, file->size), file->size);
    for (int i = 0; i < changes; i++) {
        char byte = (char)chance_u64(chance);
        off_t at = (off_t)chance_below(chance, range < file->size ? range : file->size);
        assert_int_equal(pwrite(fd, &byte, 1, at), 1);
    }
    if (chance_below(chance, 8) == 0)
        assert_int_equal(ftruncate(fd, (off_t)chance_below(chance, file->size)), 0);
    close(fd);
}

static void look_at_all(const ll_other_stats *all)
{
    static char json[4 << 20];
    for (int run = LL_RUN_SUM; run < ll_other_stats_runs(all); run++) {
        int size = ll_other_stats_json(all, run, 1, json, sizeof json);
        assert_in_range(size, 10, sizeof json - 1);
        json_object_put(parse(json, (size_t)size));
    }
}

static void whatever_stands_in_the_files_there_is_an_answer_or_a_refusal(void **state)
{
    enum { ROUNDS = 40 };
    struct chance chance = {23};
    int answers = 0;
    (void)state;
    assert_int_equal(mkdir("app.log", 0700), 0);
    die_after(200, 30, true);
    struct bytes_of_file counted = keep(".stats"), ring = keep(".ring");
    for (int round = 0; round < ROUNDS; round++) {
        ll_other_stats *all = NULL;
        ll_problem problem;
        write_changed(&counted, &chance, round % 2 ? 30000 : SIZE_MAX, round % 5 * 200);
        write_changed(&ring, &chance, round % 3 ? 17000 : SIZE_MAX, (round + 1) % 4 * 100);
        int error = ll_other_stats_read("app.log", NULL, &all, &problem);
        if (error == LL_OK) {
            look_at_all(all);
            ll_other_stats_free(all);
            answers++;
        } else {
            assert_int_equal(error, LL_EFORMAT);
        }
    }
    assert_in_range(answers, 1, ROUNDS - 1);
    free(counted.data);
    free(ring.data);
    assert_int_equal(rmdir("app.log"), 0);
}

/* --- a ring that is alive ------------------------------------------------------------------------------- */

static ll_site site = {"made.logger", "made.c", "maker", 7, LL_LEVEL_ERROR, 0, 0, 0, 0};
static struct made made;
static struct sink log_sink;
static struct drain drain;
static int made_fd;

static int make(void **state)
{
    if (enter_folder(state))
        return -1;
    made_fd = os_memory_file("test");
    sink_init(&log_sink, "app.log");
    return made_begin(&made, made_fd) && drain_init(&drain, &made.file, &log_sink, NULL) == LL_OK ? 0 : -1;
}

static int release(void **state)
{
    drain_release(&drain);
    sink_release(&log_sink);
    made_end(&made);
    close(made_fd);
    return leave_folder(state);
}

static void put(int count)
{
    static uint64_t ticks;
    for (int i = 0; i < count; i++) {
        ll_field field = ll_kv("i", i);
        assert_int_equal(made_log(&made, 0, &site, NULL, "some message of some length", &field, 1, ++ticks),
                         0);
    }
}

static void drain_all(void)
{
    while (drain_fill(&drain, UINT64_MAX) > 0)
        assert_int_equal(drain_write(&drain), 0);
}

static void a_look_holds_as_long_as_no_block_is_committed(void **state)
{
    struct ring_file peeked;
    const char *reason;
    (void)state;
    put(10);
    assert_int_equal(ring_file_peek(&peeked, made_fd, &reason), LL_OK);
    put(10);
    assert_true(ring_file_peek_holds(&peeked));
    drain_all();
    assert_false(ring_file_peek_holds(&peeked));
    assert_int_equal(ring_file_peek_bytes(&peeked, 4096), LL_OK); /* freed, and not written over yet */
    const struct ring *ring = &peeked.segment[0].ring[0];
    assert_non_null(frame_at(ring, 0, ring_head(ring)));
    ring_file_release(&peeked);
}

static void a_look_that_a_producer_has_overtaken_says_so(void **state)
{
    struct ring_file peeked;
    const char *reason;
    (void)state;
    put(10);
    assert_int_equal(ring_file_peek(&peeked, made_fd, &reason), LL_OK);
    for (int i = 0; i < 100; i++) {
        put(20);
        drain_all();
    }
    assert_int_equal(ring_file_peek_bytes(&peeked, 4096), LL_ETIMEOUT);
    ring_file_release(&peeked);
}

/* A full ring is read whole, wherever it wraps. */
static void a_full_ring_is_read_whole(void **state)
{
    struct ring_file peeked;
    const char *reason;
    (void)state;
    put(150);
    drain_all();
    uint64_t needed = 0;
    ll_field field = ll_kv("i", 1);
    struct frame_call call = {.site = &site, .message = "m", .fields = &field, .count = 1, .thread = 1};
    int count = 0;
    while (frame_pack(&made.producer[0], &call, &needed) == 0)
        count++;
    assert_true(needed > 0 && count > 100);
    assert_int_equal(ring_file_peek(&peeked, made_fd, &reason), LL_OK);
    assert_int_equal(ring_file_peek_bytes(&peeked, 4096), LL_OK);
    const struct ring *ring = &peeked.segment[0].ring[0];
    uint64_t at = ring->control->tail[ring_file_parity(&peeked)], head = ring_head(ring);
    for (const struct frame *frame; at < head; at += frame->size, count--) {
        frame = frame_at(ring, at, head - at);
        assert_non_null(frame);
    }
    assert_int_equal(count, 0);
    ring_file_release(&peeked);
}

#define with_ring(test) cmocka_unit_test_setup_teardown(test, make, release)

int main(void)
{
    const struct CMUnitTest tests[] = {
        in_folder(what_a_dead_program_had_not_written_is_counted),
        in_folder(several_are_told_each_and_in_sum),
        in_folder(what_cannot_be_answered_is_said_in_words),
        in_folder(whatever_stands_in_the_files_there_is_an_answer_or_a_refusal),
        with_ring(a_look_holds_as_long_as_no_block_is_committed),
        with_ring(a_look_that_a_producer_has_overtaken_says_so),
        with_ring(a_full_ring_is_read_whole),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
