/*
 * Death at every point. A short life of a log is run again and again, and killed one system call later each
 * time: before the call, after it, in the middle of a write, between two instructions. Whatever the point,
 * who comes next finds all that was logged, once.
 */
#define _GNU_SOURCE
#include "log_reader.h"
#include "tests/support/kill_points.h"

#include <errno.h>
#include <sys/mman.h>
#include <sys/prctl.h>

enum { BURSTS = 3, BURST_RECORDS = 6, RECORDS = BURSTS * BURST_RECORDS, POINTS_MAX = 4000 };

/* Shared with the program that is killed. */
struct truth {
    uint64_t returned;
    uint64_t removed; /* of these, before the log was removed */
};
static struct truth *truth;

static const char *const whole_log[] = {"app.log.2", "app.log.1", "app.log"};

static int make_truth(void **state)
{
    (void)state;
    truth = mmap(NULL, sizeof *truth, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    return truth == MAP_FAILED ? -1 : 0;
}

/* --- lives of a log ------------------------------------------------------------------------------------- */

static void open_story(void)
{
    ll_config config = plain_config("app.log");
    config.ring_bytes = 65536;
    config.marks = 1;
    snprintf(config.error_file, sizeof config.error_file, "errors.log");
    if (ll_open(&config, NULL) != LL_OK)
        _exit(1);
}

static void log_one(uint64_t i)
{
    if (i % 3 == 1)
        ll_error("failed", ll_kv("i", i), ll_exception("OperationalError", "unable to open"));
    else
        ll_info("busy", ll_kv("i", i), ll_kv("text", "as long as a usual record is"));
    __atomic_store_n(&truth->returned, i + 1, __ATOMIC_RELEASE);
}

static void log_burst(uint64_t *i)
{
    for (int k = 0; k < BURST_RECORDS; k++)
        log_one((*i)++);
    if (ll_flush(FLUSH_MS_MAX) != LL_OK)
        _exit(2);
}

static void log_and_close(void *unused)
{
    uint64_t i = 0;
    (void)unused;
    open_story();
    for (int burst = 0; burst < BURSTS; burst++)
        log_burst(&i);
    ll_close();
}

/* Moved away as logrotate does with nocreate, twice, once with records that wait. */
static void log_and_rotate(void *unused)
{
    uint64_t i = 0;
    (void)unused;
    open_story();
    log_burst(&i);
    if (rename("app.log", "app.log.2"))
        _exit(3);
    close(open("app.log", O_CREAT | O_EXCL | O_WRONLY, 0640));
    log_burst(&i);
    log_one(i++);
    if (rename("app.log", "app.log.1"))
        _exit(3);
    close(open("app.log", O_CREAT | O_EXCL | O_WRONLY, 0640));
    log_burst(&i);
    ll_close();
}

static void log_and_remove(void *unused)
{
    uint64_t i = 0;
    (void)unused;
    open_story();
    log_burst(&i);
    __atomic_store_n(&truth->removed, i, __ATOMIC_RELEASE);
    if (unlink("app.log"))
        _exit(3);
    log_burst(&i);
    ll_close();
}

static void recover_it(void *unused)
{
    ll_recover_options options = {.error_file = "errors.log"};
    (void)unused;
    if (ll_recover("app.log", &options, NULL, NULL) != LL_OK)
        _exit(4);
}

/* --- what must be there --------------------------------------------------------------------------------- */

struct account {
    uint64_t seq, i, marks;
    uint64_t error_seq[RECORDS + 1];
    size_t errors;
};

static void count_line(struct account *a, const char *line)
{
    assert_int_equal(seq_of(line), ++a->seq); /* none missing, none twice, in order */
    if (member(line, "mark")) {
        a->marks++;
        return;
    }
    assert_int_equal(a->marks, 0); /* nothing behind the last record */
    assert_int_equal(field_number(line, "i"), a->i++);
    if (strcmp(member(line, "level"), "\"ERROR\"") == 0)
        a->error_seq[a->errors++] = a->seq;
}

static void count_file(struct account *a, const char *path)
{
    if (access(path, F_OK))
        return;
    struct lines lines = read_lines(path);
    for (size_t k = 0; k < lines.count; k++)
        if (strcmp(member(lines.text[k], "service"), "\"other\"") != 0)
            count_line(a, lines.text[k]);
    free_lines(&lines);
}

/* The errors file repeats each once, with the same number. */
static void settle_errors(const struct account *a)
{
    if (access("errors.log", F_OK)) {
        assert_int_equal(a->errors, 0);
        return;
    }
    struct lines lines = read_lines("errors.log");
    assert_int_equal(lines.count, a->errors);
    for (size_t k = 0; k < lines.count; k++)
        assert_int_equal(seq_of(lines.text[k]), a->error_seq[k]);
    free_lines(&lines);
}

static void settle(void)
{
    struct account account = {0};
    for (size_t i = 0; i < sizeof whole_log / sizeof whole_log[0]; i++)
        count_file(&account, whole_log[i]);
    assert_in_range(account.i, truth->returned, truth->returned + 1);
    assert_int_equal(account.marks, account.i > 0 ? 1 : account.seq);
    settle_errors(&account);
    assert_int_equal(count_files(".app.log.ll", ".ring", NULL), 0);
}

/* What was logged after the removal is there; of what was before, what was not written yet may be. */
static void settle_removed(void)
{
    struct account account = {0};
    if (truth->removed == 0 && access("app.log", F_OK) == 0) {
        settle();
        return;
    }
    if (access("app.log", F_OK))
        return; /* killed before anything was logged after the removal */
    struct lines lines = read_lines("app.log");
    if (lines.count > 0)
        account.seq = seq_of(lines.text[0]) - 1;
    account.i = account.seq;
    assert_true(account.i <= BURST_RECORDS);
    for (size_t k = 0; k < lines.count; k++)
        count_line(&account, lines.text[k]);
    assert_true(account.i >= truth->returned);
    free_lines(&lines);
}

static void recover_now(void)
{
    ll_recover_options options = {.error_file = "errors.log"};
    ll_recovered recovered;
    ll_problem problem = {0};
    int error = ll_recover("app.log", &options, &recovered, &problem);
    if (error == LL_ENOENT && truth->returned == 0)
        return; /* killed before it had a folder */
    if (error)
        fail_msg("%s", problem.text);
    assert_int_equal(recovered.living + recovered.damaged + recovered.lost_bytes, 0);
}

/* --- all points of a story ------------------------------------------------------------------------------ */

static char point_text[128];

static void say_point(const struct kill_point *point)
{
    snprintf(point_text, sizeof point_text, "call %ld, number %d, %s, %ld bytes, %d steps", point->call,
             point->nth, point->after ? "after" : "before", point->torn, point->steps);
}

/* One life in a folder of its own. False when it ended before the point. */
static bool killed_at(void (*story)(void *), const struct kill_point *point)
{
    *truth = (struct truth){0};
    say_point(point);
    int killed = kill_run(story, NULL, point);
    if (killed < 0)
        fail_msg("not killed at %s, and it did not end well", point_text);
    return killed;
}

static void in_new_folder(void)
{
    assert_int_equal(leave_folder(NULL), 0);
    assert_int_equal(enter_folder(NULL), 0);
}

/* Before each call, or (`afterwards` 1) also after it. Returns how many calls there were. */
static int kill_at_every_call(void (*story)(void *), void (*check)(void), int afterwards)
{
    for (int nth = 1; nth < POINTS_MAX; nth++) {
        bool reached = false;
        for (int after = 0; after <= afterwards; after++) {
            struct kill_point point = {KILL_ANY_CALL, nth, after, -1, 0, NULL, false};
            reached |= killed_at(story, &point);
            recover_now();
            check();
            in_new_folder();
        }
        if (!reached)
            return nth - 1;
    }
    fail_msg("it has no end");
    return 0;
}

static void a_program_killed_before_and_after_any_system_call_loses_and_repeats_nothing(void **state)
{
    (void)state;
    int calls = kill_at_every_call(log_and_close, settle, 1);
    print_message("%d calls, killed before and after each\n", calls);
    assert_true(calls > 50);
}

static void a_rotation_at_any_point_of_a_program_that_is_killed_loses_and_repeats_nothing(void **state)
{
    (void)state;
    assert_true(kill_at_every_call(log_and_rotate, settle, 0) > 50);
}

static void after_the_log_was_removed_a_kill_loses_nothing_that_was_logged_since(void **state)
{
    (void)state;
    assert_true(kill_at_every_call(log_and_remove, settle_removed, 0) > 50);
}

/* --- within a write, and between two instructions ------------------------------------------------------- */

enum { TORN_STRIDE = 139, TORN_MAX = 2400, STEP_STRIDE = 83, STEPS_MAX = 2400 };

static void a_write_that_took_any_part_of_its_bytes_is_completed(void **state)
{
    bool reached = true;
    int kills = 0;
    (void)state;
    for (int nth = 1; reached; nth++)
        for (long bytes = 0; reached && bytes < TORN_MAX; bytes += bytes ? TORN_STRIDE : 1) {
            struct kill_point point = {SYS_write, nth, true, bytes, 0, NULL, false};
            reached = killed_at(log_and_close, &point);
            kills += reached;
            recover_now();
            settle();
            in_new_folder();
        }
    print_message("%d torn writes\n", kills);
    assert_true(kills > 50);
}

/* What moves after a write are a few stores: each lies between two of these points, or at one. */
static void death_between_two_instructions_after_a_write_loses_and_repeats_nothing(void **state)
{
    bool reached = true;
    (void)state;
    for (int nth = 1; reached; nth++)
        for (int steps = nth; reached && steps < STEPS_MAX; steps += STEP_STRIDE) {
            struct kill_point point = {SYS_write, nth, true, -1, steps, NULL, false};
            reached = killed_at(log_and_close, &point);
            recover_now();
            settle();
            in_new_folder();
        }
}

/* --- another process on the same log -------------------------------------------------------------------- */

/* Holds the log open before the other comes and after it is dead: it repairs and finishes nothing that it is
 * not made to. */
static void log_as_other(int may_go_on)
{
    ll_config config = plain_config("app.log");
    char byte;
    snprintf(config.service, sizeof config.service, "other");
    snprintf(config.error_file, sizeof config.error_file, "errors.log");
    config.marks = 0;
    if (ll_open(&config, NULL) != LL_OK)
        _exit(1);
    ll_info("early");
    if (ll_flush(FLUSH_MS_MAX) != LL_OK || read(may_go_on, &byte, 1) != 1)
        _exit(2);
    for (int i = 0; i < 3; i++)
        ll_info("late", ll_kv("i", i));
    ll_close();
    _exit(0);
}

static pid_t start_other(int *ret_go_on)
{
    int ends[2];
    assert_int_equal(pipe2(ends, O_CLOEXEC), 0);
    pid_t other = fork();
    if (other == 0) {
        prctl(PR_SET_PDEATHSIG, SIGKILL);
        log_as_other(ends[0]);
    }
    close(ends[0]);
    *ret_go_on = ends[1];
    for (int i = 0; access("app.log", F_OK) || !file_contains("app.log", "early"); i++) {
        assert_true(i < FLUSH_MS_MAX);
        pause_ms(1);
    }
    return other;
}

static void let_other_end(pid_t other, int go_on)
{
    int status;
    assert_int_equal(write(go_on, "", 1), 1);
    close(go_on);
    assert_int_equal(waitpid(other, &status, 0), other);
    assert_int_equal(status, 0);
    struct lines lines = read_lines("app.log"); /* whole, also before anybody was asked to recover */
    assert_int_equal(count_with(&lines, "\"message\":\"late\""), 3);
    free_lines(&lines);
}

/* --- what happens to the log between a write and its commit ----------------------------------------------- */

/* The second block's write is over, and its writer stands still before it can note so: then `meanwhile`, then
 * death. */
static void die_after_second_block(void (*meanwhile)(void))
{
    const struct kill_point written = {SYS_write, 4, true, -1, 0, meanwhile, false};
    assert_true(killed_at(log_and_close, &written));
    recover_now();
}

static void rotate(void)
{
    assert_int_equal(rename("app.log", "app.log.1"), 0);
}

static void rotate_and_compress(void)
{
    assert_int_equal(rename("app.log", "app.log.1"), 0);
    assert_int_equal(system("gzip app.log.1"), 0);
}

static void remove_log(void)
{
    assert_int_equal(unlink("app.log"), 0);
}

static void a_log_rotated_between_a_write_and_its_commit_holds_each_record_once(void **state)
{
    (void)state;
    die_after_second_block(rotate);
    settle();
}

/* The log as made anew goes on gapless from some record on to the last; returns the first. */
static uint64_t count_new_log(void)
{
    struct account account = {0};
    struct lines lines = read_lines("app.log");
    assert_true(lines.count > 0);
    uint64_t first = seq_of(lines.text[0]);
    free_lines(&lines);
    account.seq = account.i = first - 1;
    count_file(&account, "app.log");
    assert_true(account.i >= truth->returned);
    return first;
}

/* The block's own file cannot be looked into any more: the block stands there and once more in the log, with
 * the numbers that it has. */
static void
a_log_rotated_and_compressed_between_a_write_and_its_commit_may_hold_that_block_twice(void **state)
{
    struct account compressed = {0};
    (void)state;
    die_after_second_block(rotate_and_compress);
    assert_int_equal(system("gzip -dc app.log.1.gz > was.log"), 0);
    count_file(&compressed, "was.log");
    assert_in_range(count_new_log(), 2, compressed.seq);
}

static void a_block_whose_log_is_removed_before_its_commit_is_written_again(void **state)
{
    (void)state;
    die_after_second_block(remove_log);
    assert_in_range(count_new_log(), 2, truth->returned);
}

/* The owner of a ring closes it while a recoverer that has opened it looks elsewhere: nobody died. */
static pid_t closing;
static int may_close;

static void close_it(void)
{
    let_other_end(closing, may_close);
}

static void
a_log_that_is_closed_while_a_recoverer_looks_at_its_ring_is_not_taken_for_a_dead_ones(void **state)
{
    bool reached = true;
    int points = 0;
    (void)state;
    for (int nth = 1; reached; nth++) {
        struct kill_point point = {SYS_openat, nth, true, -1, 0, close_it, true};
        closing = start_other(&may_close);
        int result = kill_run(recover_it, NULL, &point);
        assert_true(result >= 0);
        reached = waitpid(closing, NULL, WNOHANG) < 0;
        points += reached;
        if (!reached)
            let_other_end(closing, may_close);
        struct lines lines = read_lines("app.log");
        assert_int_equal(lines.count, 4);
        free_lines(&lines);
        in_new_folder();
    }
    assert_true(points >= 3);
}

/* --- a recoverer that is killed ------------------------------------------------------------------------- */

/* A program that died in its second block, of whose log and copies only a part is there. */
static void leave_fragment(void)
{
    const struct kill_point fragment = {SYS_write, 4, true, 777, 0, NULL, false};
    assert_true(killed_at(log_and_close, &fragment));
}

static bool recoverer_killed_at(const struct kill_point *point)
{
    say_point(point);
    int killed = kill_run(recover_it, NULL, point);
    if (killed < 0)
        fail_msg("not killed at %s, and it did not end well", point_text);
    recover_now();
    settle();
    in_new_folder();
    return killed;
}

static void a_recoverer_killed_before_and_after_any_system_call_is_followed_by_one_that_finishes(void **state)
{
    bool reached = true;
    int nth = 0;
    (void)state;
    while (reached) {
        nth++;
        reached = false;
        for (int after = 0; after <= 1; after++) {
            struct kill_point point = {KILL_ANY_CALL, nth, after, -1, 0, NULL, false};
            leave_fragment();
            reached |= recoverer_killed_at(&point);
        }
    }
    assert_in_range(nth, 30, POINTS_MAX);
}

static void a_recoverers_write_that_took_any_part_of_its_bytes_is_completed(void **state)
{
    bool reached = true;
    (void)state;
    for (int nth = 1; reached; nth++)
        for (long bytes = 0; reached && bytes < TORN_MAX; bytes += bytes ? 4 * TORN_STRIDE : 1) {
            struct kill_point point = {SYS_write, nth, true, bytes, 0, NULL, false};
            leave_fragment();
            reached = recoverer_killed_at(&point);
        }
}

/* --- a process that goes on ------------------------------------------------------------------------------ */

static void a_process_that_writes_on_after_another_was_killed_repairs_what_that_left(void **state)
{
    bool reached = true;
    (void)state;
    for (int nth = 1; reached; nth++)
        for (long bytes = 0; reached && bytes < TORN_MAX; bytes += bytes ? 4 * TORN_STRIDE : 1) {
            struct kill_point point = {SYS_write, nth, true, bytes, 0, NULL, false};
            int go_on;
            pid_t other = start_other(&go_on);
            reached = killed_at(log_and_close, &point);
            let_other_end(other, go_on);
            recover_now();
            settle();
            in_new_folder();
        }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        in_folder(a_program_killed_before_and_after_any_system_call_loses_and_repeats_nothing),
        in_folder(a_rotation_at_any_point_of_a_program_that_is_killed_loses_and_repeats_nothing),
        in_folder(after_the_log_was_removed_a_kill_loses_nothing_that_was_logged_since),
        in_folder(a_write_that_took_any_part_of_its_bytes_is_completed),
        in_folder(death_between_two_instructions_after_a_write_loses_and_repeats_nothing),
        in_folder(a_log_rotated_between_a_write_and_its_commit_holds_each_record_once),
        in_folder(a_log_rotated_and_compressed_between_a_write_and_its_commit_may_hold_that_block_twice),
        in_folder(a_block_whose_log_is_removed_before_its_commit_is_written_again),
        in_folder(a_log_that_is_closed_while_a_recoverer_looks_at_its_ring_is_not_taken_for_a_dead_ones),
        in_folder(a_recoverer_killed_before_and_after_any_system_call_is_followed_by_one_that_finishes),
        in_folder(a_recoverers_write_that_took_any_part_of_its_bytes_is_completed),
        in_folder(a_process_that_writes_on_after_another_was_killed_repairs_what_that_left),
    };
    return cmocka_run_group_tests(tests, make_truth, NULL);
}
