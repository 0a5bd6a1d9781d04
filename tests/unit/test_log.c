#define _GNU_SOURCE
#include "log_reader.h"

#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <sys/resource.h>
#include <sys/time.h>
#include <sys/wait.h>

/* --- open, flush, close --------------------------------------------------------------------------------- */

static void after_a_flush_everything_logged_before_is_in_the_file(void **state)
{
    (void)state;
    open_log("app.log");
    for (int i = 0; i < 50; i++) {
        ll_info("x", ll_kv("i", i));
        assert_int_equal(ll_flush(FLUSH_MS_MAX), LL_OK);
        struct lines lines = read_lines("app.log");
        assert_int_equal(lines.count, i + 1);
        assert_int_equal(field_number(lines.text[i], "i"), i);
        free_lines(&lines);
    }
}

static void logging_after_close_harms_nothing_and_is_left_out(void **state)
{
    ll_health health;
    (void)state;
    ll_request_begin(NULL);
    ll_request_end();
    assert_int_equal(ll_flush(10), LL_ECLOSED);
    ll_health_get(&health);
    assert_int_equal(health.ring, LL_RING_NONE);
    ll_reopen();
    ll_close();
    open_log("app.log");
    ll_info("between");
    struct lines lines = close_and_read("app.log", 1);
    ll_error("after", ll_kv("i", 2));
    ll_close();
    free_lines(&lines);
    open_log("app.log");
    lines = close_and_read("app.log", 1);
    expect_member(lines.text[0], "message", "\"between\"");
    free_lines(&lines);
}

static void an_open_log_is_not_opened_again(void **state)
{
    ll_config config = plain_config("app.log");
    ll_problem problem = {0};
    (void)state;
    open_with(&config);
    assert_int_equal(ll_open(&config, &problem), LL_EOPEN);
    assert_non_null(strstr(problem.text, "app.log"));
    ll_info("still open");
    struct lines lines = close_and_read("app.log", 1);
    free_lines(&lines);
}

static void numbers_go_on_over_close_and_open(void **state)
{
    char run_id[40];
    uint64_t first = 0;
    (void)state;
    for (int i = 0; i < 5; i++) {
        open_log("app.log");
        if (i == 0)
            snprintf(run_id, sizeof run_id, "%s", ll_run_id());
        assert_string_equal(ll_run_id(), run_id);
        for (int k = 0; k < 3; k++)
            ll_info("x");
        struct lines lines = close_and_read("app.log", (size_t)(3 * (i + 1)));
        first = i == 0 ? seq_of(lines.text[0]) : first;
        assert_int_equal(expect_gapless(&lines, run_id, first), first + 3 * (uint64_t)(i + 1) - 1);
        free_lines(&lines);
    }
    assert_int_equal(count_files(".app.log.ll", ".ring", NULL), 0);
}

static void the_errors_file_repeats_errors_with_the_same_number_and_says_copy(void **state)
{
    ll_config config = plain_config("app.log");
    (void)state;
    snprintf(config.error_file, sizeof config.error_file, "errors.log");
    open_with(&config);
    for (int i = 0; i < 300; i++) {
        ll_info("x", ll_kv("i", i));
        if (i % 3 == 0)
            ll_error("x", ll_kv("i", i));
        if (i % 100 == 0)
            ll_critical("x", ll_kv("i", i));
    }
    struct lines lines = close_and_read("app.log", 403), copies = read_lines("errors.log");
    size_t next = 0;
    for (size_t i = 0; i < lines.count; i++) {
        if (strcmp(member(lines.text[i], "level"), "\"INFO\"") == 0)
            continue;
        char wanted[LINE_BYTES_MAX];
        snprintf(wanted, sizeof wanted, "%.*s,\"copy\":true}", (int)strlen(lines.text[i]) - 1, lines.text[i]);
        assert_string_equal(copies.text[next++], wanted);
    }
    assert_int_equal(next, copies.count);
    free_lines(&lines);
    free_lines(&copies);
}

/* --- threads -------------------------------------------------------------------------------------------- */

static void *log_one(void *argument)
{
    ll_info("thread", ll_kv("i", (int)(intptr_t)argument));
    return NULL;
}

static void threads_by_the_thousand_use_rings_again_and_lose_nothing(void **state)
{
    enum { COUNT = 2000, AT_ONCE = 4 };
    char ring[512];
    struct stat st;
    (void)state;
    open_log("app.log");
    for (intptr_t i = 0; i < COUNT; i += AT_ONCE) {
        pthread_t threads[AT_ONCE];
        for (int k = 0; k < AT_ONCE; k++)
            assert_int_equal(pthread_create(&threads[k], NULL, log_one, (void *)(i + k)), 0);
        for (int k = 0; k < AT_ONCE; k++)
            pthread_join(threads[k], NULL);
    }
    assert_int_equal(count_files(".app.log.ll", ".ring", ring), 1);
    assert_int_equal(stat(ring, &st), 0);
    /* the front, and no more rings than threads that lived at once, the main one among them */
    assert_in_range(st.st_size, 1 << 20, (1 << 20) + (AT_ONCE + 1) * ((1 << 20) + (3 << 16)));
    struct lines lines = close_and_read("app.log", COUNT);
    static bool seen[COUNT];
    memset(seen, 0, sizeof seen);
    for (size_t i = 0; i < COUNT; i++) {
        uint64_t number = field_number(lines.text[i], "i");
        assert_true(number < COUNT && !seen[number]);
        seen[number] = true;
    }
    free_lines(&lines);
}

/* What one call may have returned before another began: the second has the higher number, whoever made it. */
static void records_stand_in_the_order_of_calls_also_between_threads(void **state)
{
    (void)state;
    open_log("app.log");
    for (intptr_t i = 0; i < 200; i++) {
        pthread_t thread;
        if (i % 2)
            log_one((void *)i);
        else if (pthread_create(&thread, NULL, log_one, (void *)i) == 0)
            pthread_join(thread, NULL);
    }
    struct lines lines = close_and_read("app.log", 200);
    for (size_t i = 0; i < lines.count; i++)
        assert_int_equal(field_number(lines.text[i], "i"), i);
    free_lines(&lines);
}

static bool stop_threads;
static uint64_t calls_returned[4];

enum { BUSY_CALLS_MAX = 2000000 }; /* a test that hangs is not to fill the disk, too */

static void *log_until_stopped(void *argument)
{
    uint64_t *returned = argument;
    for (uint64_t i = 0; i < BUSY_CALLS_MAX && !__atomic_load_n(&stop_threads, __ATOMIC_ACQUIRE); i++) {
        ll_info("busy", ll_kv("i", i), ll_kv("thread", returned - calls_returned));
        __atomic_store_n(returned, i + 1, __ATOMIC_RELEASE);
        if (i % 64 == 0)
            pause_ms(0);
    }
    return NULL;
}

static void start_busy(pthread_t *threads, int count)
{
    stop_threads = false;
    for (int i = 0; i < count; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, log_until_stopped, &calls_returned[i]), 0);
}

static void stop_busy(pthread_t *threads, int count)
{
    __atomic_store_n(&stop_threads, true, __ATOMIC_RELEASE);
    for (int i = 0; i < count; i++)
        pthread_join(threads[i], NULL);
}

static uint64_t wait_for_calls(int thread, uint64_t count)
{
    uint64_t now;
    while ((now = __atomic_load_n(&calls_returned[thread], __ATOMIC_ACQUIRE)) < count)
        pause_ms(1);
    return now;
}

static void closing_while_others_log_keeps_every_call_that_returned_before(void **state)
{
    pthread_t threads[3];
    uint64_t before[3] = {0}, last[3] = {0};
    (void)state;
    open_log("app.log");
    start_busy(threads, 3);
    for (int round = 0; round < 10; round++) {
        pause_ms(5);
        for (int i = 0; i < 3; i++) /* a call that began after the opening has returned */
            before[i] = wait_for_calls(i, __atomic_load_n(&calls_returned[i], __ATOMIC_ACQUIRE) + 2);
        ll_close();
        if (round < 9)
            open_log("app.log");
    }
    stop_busy(threads, 3);
    struct lines lines = read_lines("app.log");
    expect_gapless(&lines, ll_run_id(), seq_of(lines.text[0]));
    for (size_t i = 0; i < lines.count; i++)
        last[field_number(lines.text[i], "thread")] = field_number(lines.text[i], "i") + 1;
    for (int i = 0; i < 3; i++)
        assert_true(last[i] >= before[i]);
    free_lines(&lines);
}

/* --- a full ring ---------------------------------------------------------------------------------------- */

static uint64_t sum_of_dropped(const struct lines *lines, const char *reason)
{
    char rest[80];
    uint64_t sum = 0;
    snprintf(rest, sizeof rest, "\"reason\":\"%s\",\"level\":\"INFO\"}", reason);
    for (size_t i = 0; i < lines->count; i++) {
        const char *dropped = member(lines->text[i], "dropped");
        if (!dropped)
            continue;
        assert_int_equal(strncmp(dropped, "{\"count\":", 9), 0);
        assert_non_null(strstr(dropped, rest));
        sum += strtoull(dropped + 9, NULL, 10);
    }
    return sum;
}

static void what_a_full_ring_drops_is_counted_and_announced_to_the_last_record(void **state)
{
    enum { CALLS = 30000 };
    ll_config config = plain_config("app.log");
    ll_health health;
    (void)state;
    config.overflow = LL_OVERFLOW_DROP;
    config.ring_bytes = 65536;
    open_with(&config);
    for (int i = 0; i < CALLS; i++)
        ll_info("flood", ll_kv("i", i), ll_kv("text", "some text to fill the ring sooner"));
    ll_flush(FLUSH_MS_MAX);
    ll_health_get(&health);
    ll_close();
    struct lines lines = read_lines("app.log");
    uint64_t marks = count_with(&lines, "\"mark\":\"dropped\""), dropped = sum_of_dropped(&lines, "overflow");
    assert_true(dropped > 0);
    assert_int_equal(lines.count - marks + dropped, CALLS);
    assert_int_equal(health.dropped, dropped);
    expect_gapless(&lines, ll_run_id(), seq_of(lines.text[0]));
    free_lines(&lines);
}

static void a_full_ring_that_blocks_loses_nothing(void **state)
{
    enum { CALLS = 30000 };
    ll_config config = plain_config("app.log");
    (void)state;
    config.ring_bytes = 65536;
    config.block_max_ns = INT64_C(60000000000);
    open_with(&config);
    for (int i = 0; i < CALLS; i++)
        ll_info("flood", ll_kv("i", i), ll_kv("text", "some text to fill the ring sooner"));
    struct lines lines = close_and_read("app.log", CALLS);
    for (size_t i = 0; i < CALLS; i++)
        assert_int_equal(field_number(lines.text[i], "i"), i);
    free_lines(&lines);
}

/* --- a log that cannot be written ----------------------------------------------------------------------- */

/* stderr into a file, so that a test sees what the library says there. */
static int stderr_to(const char *path)
{
    int before = dup(STDERR_FILENO);
    int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_APPEND, 0600);
    dup2(fd, STDERR_FILENO);
    close(fd);
    return before;
}

static void stderr_back(int before)
{
    dup2(before, STDERR_FILENO);
    close(before);
}

static ll_health wait_for_stall(uint32_t stalled)
{
    ll_health health = {0};
    for (int i = 0; i < 2000; i++) {
        ll_health_get(&health);
        if (health.stalled == stalled)
            return health;
        pause_ms(5);
    }
    fail_msg("stalled stayed %u", health.stalled);
    return health;
}

static size_t lines_in(const char *path)
{
    size_t size, count = 0;
    char *text = read_file(path, &size);
    for (size_t i = 0; i < size; i++)
        count += text[i] == '\n';
    free(text);
    return count;
}

static void a_removed_folder_is_told_once_and_writing_goes_on_when_it_is_back(void **state)
{
    ll_config config = plain_config("logs/app.log");
    (void)state;
    snprintf(config.ring_dir, sizeof config.ring_dir, ".");
    assert_int_equal(mkdir("logs", 0755), 0);
    open_with(&config);
    ll_info("x", ll_kv("i", 0));
    assert_int_equal(ll_flush(FLUSH_MS_MAX), LL_OK);
    assert_int_equal(rename("logs", "away"), 0);
    int before = stderr_to("stderr.txt");
    for (int i = 1; i < 100; i++)
        ll_info("x", ll_kv("i", i));
    ll_health health = wait_for_stall(1);
    assert_int_equal(health.write_errno, ENOENT);
    assert_int_equal(ll_flush(300), LL_ETIMEOUT);
    stderr_back(before);
    assert_int_equal(lines_in("stderr.txt"), 1);
    assert_true(file_contains("stderr.txt", "logs/app.log"));
    assert_int_equal(mkdir("logs", 0755), 0);
    health = wait_for_stall(0);
    assert_int_equal(health.write_errno, 0);
    struct lines lines = close_and_read("logs/app.log", 99), first = read_lines("away/app.log");
    assert_int_equal(first.count, 1);
    for (size_t i = 0; i < lines.count; i++)
        assert_int_equal(field_number(lines.text[i], "i"), i + 1);
    expect_gapless(&lines, ll_run_id(), seq_of(first.text[0]) + 1);
    free_lines(&lines);
    free_lines(&first);
}

static void file_size_limit(rlim_t bytes)
{
    struct rlimit limit = {bytes, RLIM_INFINITY};
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &limit), 0);
}

/* The limit stops a write half-way, as a full disk does. */
/* What reached the disk stays as it is, for somebody may have read it: the last line is completed there. */
static void a_full_disk_takes_nothing_back_and_writing_goes_on_when_there_is_room(void **state)
{
    ll_config config = plain_config("app.log");
    size_t size, whole_size;
    (void)state;
    config.block_max_ns = 0;
    open_with(&config);
    ll_info("x", ll_kv("i", 0));
    ll_flush(FLUSH_MS_MAX);
    int before = stderr_to("stderr.txt");
    file_size_limit(50001);
    for (int i = 1; i < 1000; i++)
        ll_info("x", ll_kv("i", i), ll_kv("text", "to reach the limit"));
    wait_for_stall(1);
    char *part = read_file("app.log", &size);
    assert_int_equal(size, 50001);
    file_size_limit(RLIM_INFINITY);
    wait_for_stall(0);
    char *whole = read_file("app.log", &whole_size);
    assert_true(whole_size > size);
    assert_memory_equal(whole, part, size);
    free(part);
    free(whole);
    stderr_back(before);
    assert_int_equal(lines_in("stderr.txt"), 1);
    struct lines lines = close_and_read("app.log", 1000);
    for (size_t i = 0; i < lines.count; i++)
        assert_int_equal(field_number(lines.text[i], "i"), i);
    expect_gapless(&lines, ll_run_id(), seq_of(lines.text[0]));
    free_lines(&lines);
}

static void
while_the_log_cannot_be_written_a_call_does_not_wait_and_what_is_dropped_is_announced(void **state)
{
    enum { CALLS = 3000 };
    ll_config config = plain_config("logs/app.log");
    (void)state;
    config.ring_bytes = 65536;
    config.block_max_ns = INT64_C(60000000000);
    snprintf(config.ring_dir, sizeof config.ring_dir, ".");
    int before = stderr_to("stderr.txt");
    open_with(&config);
    ll_info("x", ll_kv("i", 0));
    wait_for_stall(1);
    for (int i = 1; i < CALLS; i++)
        ll_info("x", ll_kv("i", i), ll_kv("text", "some text to fill the ring sooner"));
    ll_health health;
    ll_health_get(&health);
    assert_true(health.dropped > 0 && health.stalled);
    assert_int_equal(mkdir("logs", 0755), 0);
    wait_for_stall(0);
    stderr_back(before);
    ll_close();
    struct lines lines = read_lines("logs/app.log");
    uint64_t marks = count_with(&lines, "\"mark\":\"dropped\"");
    assert_int_equal(sum_of_dropped(&lines, "disk"), health.dropped);
    assert_int_equal(health.dropped_disk, health.dropped);
    assert_int_equal(lines.count - marks + health.dropped, CALLS);
    free_lines(&lines);
}

static void an_errors_file_that_cannot_be_written_does_not_hold_up_the_log(void **state)
{
    ll_config config = plain_config("app.log");
    (void)state;
    snprintf(config.error_file, sizeof config.error_file, "nowhere/errors.log");
    open_with(&config);
    for (int i = 0; i < 10; i++)
        ll_error("x", ll_kv("i", i));
    assert_int_equal(ll_flush(FLUSH_MS_MAX), LL_OK);
    ll_health health;
    ll_health_get(&health);
    assert_int_equal(health.stalled, 0);
    assert_int_equal(health.copies_left_out, 10);
    struct lines lines = close_and_read("app.log", 10);
    free_lines(&lines);
}

/* What a stalled log did not take is finished by the next that opens it; its numbers must not be given out
 * twice. */
static void numbers_are_given_once_also_when_a_log_was_closed_before_it_could_be_written(void **state)
{
    ll_config config = plain_config("logs/app.log");
    struct lines lines;
    (void)state;
    snprintf(config.ring_dir, sizeof config.ring_dir, ".");
    assert_int_equal(mkdir("logs", 0755), 0);
    open_with(&config);
    ll_info("x", ll_kv("i", 0));
    ll_flush(FLUSH_MS_MAX);
    assert_int_equal(rename("logs", "away"), 0);
    int before = stderr_to("stderr.txt");
    for (int i = 1; i < 5; i++)
        ll_info("x", ll_kv("i", i));
    ll_close();
    stderr_back(before);
    assert_int_equal(rename("away", "logs"), 0);
    open_with(&config);
    ll_info("x", ll_kv("i", 5));
    ll_close();
    lines = read_lines("logs/app.log");
    assert_int_equal(count_with(&lines, "\"message\":\"x\""), 6);
    for (size_t i = 0; i < lines.count; i++)
        for (size_t k = 0; k < i; k++) {
            char run[64];
            snprintf(run, sizeof run, "%.63s", member(lines.text[i], "run_id"));
            assert_false(seq_of(lines.text[i]) == seq_of(lines.text[k]) &&
                         strcmp(run, member(lines.text[k], "run_id")) == 0);
        }
    free_lines(&lines);
}

/* --- rotation ------------------------------------------------------------------------------------------- */

static void after_a_rename_the_next_block_goes_to_the_new_file_and_nothing_is_lost(void **state)
{
    enum { ROUNDS = 20, EACH = 50 };
    char name[32];
    uint64_t next = 0;
    (void)state;
    open_log("app.log");
    for (int round = 0; round < ROUNDS; round++) {
        for (int i = 0; i < EACH; i++)
            ll_info("x", ll_kv("i", round * EACH + i));
        if (round % 2)
            assert_int_equal(ll_flush(FLUSH_MS_MAX), LL_OK);
        snprintf(name, sizeof name, "app.log.%d", round);
        assert_int_equal(rename("app.log", name), 0);
        if (round % 3 == 0)
            close(open("app.log", O_WRONLY | O_CREAT, 0640));
        do { /* where nobody makes the new file, the library does, after a moment */
            ll_info("after", ll_kv("i", (round + 1) * EACH - 1 + 1000000));
            assert_int_equal(ll_flush(FLUSH_MS_MAX), LL_OK);
        } while (access("app.log", F_OK) != 0);
        assert_true(file_contains("app.log", "\"message\":\"after\""));
    }
    ll_close();
    uint64_t seq = 0;
    for (int round = 0; round <= ROUNDS; round++) {
        snprintf(name, sizeof name, round < ROUNDS ? "app.log.%d" : "app.log", round);
        struct lines lines = read_lines(name);
        for (size_t i = 0; i < lines.count; i++) {
            assert_true(seq == 0 || seq_of(lines.text[i]) == seq + 1);
            seq = seq_of(lines.text[i]);
            if (strstr(lines.text[i], "\"message\":\"x\""))
                assert_int_equal(field_number(lines.text[i], "i"), next++);
        }
        free_lines(&lines);
    }
    assert_int_equal(next, ROUNDS * EACH);
}

static void a_removed_log_is_made_again(void **state)
{
    (void)state;
    open_log("app.log");
    ll_info("gone with its file");
    ll_flush(FLUSH_MS_MAX);
    assert_int_equal(unlink("app.log"), 0);
    ll_info("kept");
    struct lines lines = close_and_read("app.log", 1);
    expect_member(lines.text[0], "message", "\"kept\"");
    free_lines(&lines);
}

static void a_line_of_another_program_without_its_newline_is_not_glued_to_ours(void **state)
{
    (void)state;
    int fd = open("app.log", O_WRONLY | O_CREAT, 0640);
    assert_int_equal(write(fd, "{}\n{\"half\":1}", 13), 13);
    open_log("app.log");
    ll_info("ours");
    struct lines lines = close_and_read("app.log", 3);
    assert_string_equal(lines.text[1], "{\"half\":1}");
    close(fd);
    free_lines(&lines);
}

static void what_stands_at_the_path_instead_of_a_file_is_left_alone_and_holds_nothing_up(void **state)
{
    (void)state;
    assert_int_equal(mkfifo("app.log", 0600), 0);
    int before = stderr_to("stderr.txt");
    open_log("app.log");
    ll_info("waits");
    wait_for_stall(1);
    assert_int_equal(unlink("app.log"), 0);
    wait_for_stall(0);
    stderr_back(before);
    struct lines lines = close_and_read("app.log", 1);
    free_lines(&lines);
}

/* --- descriptors that the program closed ---------------------------------------------------------------- */

static void take_all_numbers(const char *path)
{
    int fd = open(path, O_RDWR | O_CREAT | O_APPEND, 0600);
    for (int i = 3; i < 32; i++)
        if (i != fd)
            dup2(fd, i);
}

/* In a child: the test program's own descriptors go too. */
static void a_program_that_closes_all_descriptors_and_uses_the_numbers_again_keeps_its_files(void **state)
{
    int status;
    (void)state;
    pid_t child = fork();
    if (child == 0) {
        pthread_t thread;
        open_log("app.log");
        ll_info("x", ll_kv("i", 0));
        ll_flush(FLUSH_MS_MAX);
        closefrom(3);
        take_all_numbers("other.txt");
        ll_info("x", ll_kv("i", 1));
        /* a thread's first call needs a ring of its own, so the ring file grows */
        if (pthread_create(&thread, NULL, log_one, (void *)(intptr_t)2))
            _exit(2);
        pthread_join(thread, NULL);
        ll_close();
        for (int i = 3; i < 32; i++)
            if (fcntl(i, F_GETFD) < 0)
                _exit(3); /* the library closed what is not its own */
        _exit(0);
    }
    assert_int_equal(waitpid(child, &status, 0), child);
    struct stat st;
    assert_int_equal(stat("other.txt", &st), 0);
    assert_int_equal(st.st_size, 0);
    assert_int_equal(status, 0);
    struct lines lines = read_lines("app.log");
    assert_int_equal(lines.count, 3);
    for (size_t i = 0; i < 3; i++)
        assert_int_equal(field_number(lines.text[i], "i"), i);
    free_lines(&lines);
}

/* --- fork ----------------------------------------------------------------------------------------------- */

enum { CHILD_S_MAX = 120 }; /* then SIGALRM ends it */

static void run_child(void (*body)(void))
{
    int status;
    pid_t child = fork();
    if (child == 0) {
        alarm(CHILD_S_MAX);
        body();
        _exit(0);
    }
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_int_equal(status, 0);
}

static void child_logs(void)
{
    ll_info("child", ll_kv("i", 0));
    ll_info("child", ll_kv("i", 1));
    ll_close();
}

static __attribute__((unused)) void a_forked_child_is_a_run_of_its_own_that_names_its_parent(void **state)
{
    char quoted[64];
    (void)state;
    open_log("app.log");
    ll_info("parent", ll_kv("i", 0));
    run_child(child_logs);
    ll_info("parent", ll_kv("i", 1));
    struct lines lines = close_and_read("app.log", 4);
    snprintf(quoted, sizeof quoted, "\"%s\"", ll_run_id());
    uint64_t child_seq = 0;
    for (size_t i = 0; i < lines.count; i++) {
        if (strstr(lines.text[i], "\"message\":\"child\"")) {
            expect_member(lines.text[i], "parent_run_id", quoted);
            assert_string_not_equal(member(lines.text[i], "run_id"), quoted);
            assert_int_equal(seq_of(lines.text[i]), ++child_seq);
        } else {
            expect_member(lines.text[i], "run_id", quoted);
            expect_no_member(lines.text[i], "parent_run_id");
        }
    }
    assert_int_equal(child_seq, 2);
    free_lines(&lines);
}

static void child_opens_and_logs(void)
{
    open_log("app.log");
    child_logs();
}

static __attribute__((unused)) void
a_child_forked_while_the_log_was_closed_does_not_share_the_run(void **state)
{
    char quoted[64];
    (void)state;
    open_log("app.log");
    ll_info("parent");
    ll_close();
    snprintf(quoted, sizeof quoted, "\"%s\"", ll_run_id());
    run_child(child_opens_and_logs);
    struct lines lines = read_lines("app.log");
    assert_int_equal(lines.count, 3);
    for (size_t i = 1; i < 3; i++) {
        assert_string_not_equal(member(lines.text[i], "run_id"), quoted);
        expect_member(lines.text[i], "parent_run_id", quoted);
        assert_int_equal(seq_of(lines.text[i]), i);
    }
    free_lines(&lines);
}

static __attribute__((unused)) void a_child_that_opens_by_itself_names_its_parent_too(void **state)
{
    char quoted[64];
    (void)state;
    open_log("app.log");
    snprintf(quoted, sizeof quoted, "\"%s\"", ll_run_id());
    run_child(child_opens_and_logs);
    struct lines lines = close_and_read("app.log", 2);
    expect_member(lines.text[0], "parent_run_id", quoted);
    free_lines(&lines);
}

static __attribute__((unused)) void a_fork_among_logging_threads_hangs_neither_side(void **state)
{
    enum { FORKS = 8 };
    pthread_t threads[3];
    (void)state;
    open_log("app.log");
    start_busy(threads, 3);
    for (int i = 0; i < FORKS; i++)
        run_child(child_logs);
    stop_busy(threads, 3);
    ll_close();
    struct lines lines = read_lines("app.log");
    assert_int_equal(count_with(&lines, "\"message\":\"child\""), 2 * FORKS);
    uint64_t busy = calls_returned[0] + calls_returned[1] + calls_returned[2];
    assert_int_equal(count_with(&lines, "\"message\":\"busy\""), busy);
    free_lines(&lines);
}

/* LeakSanitizer asks this at exit. The child's copy of its parent's log has nobody who points to it, on
 * purpose. */
__attribute__((visibility("default"))) int __lsan_is_turned_off(void);
static bool no_leaks_asked;

int __lsan_is_turned_off(void)
{
    return no_leaks_asked;
}

static void child_exits_only(void)
{
    no_leaks_asked = true;
    exit(0);
}

static __attribute__((unused)) void a_child_that_logs_nothing_writes_nothing(void **state)
{
    ll_config config = plain_config("app.log");
    (void)state;
    config.marks = 1;
    open_with(&config);
    ll_info("parent");
    run_child(child_exits_only);
    struct lines lines = close_and_read("app.log", 2);
    expect_member(lines.text[1], "mark", "\"close\"");
    free_lines(&lines);
}

/* --- signal handlers ------------------------------------------------------------------------------------ */

static uint64_t in_handler;

static void on_timer(int signal)
{
    (void)signal;
    ll_warning("handler", ll_kv("i", in_handler));
    in_handler++;
}

static void a_handler_may_log_while_its_thread_logs_and_all_is_there_once(void **state)
{
    enum { CALLS = 30000 };
    ll_config config = plain_config("app.log");
    const struct itimerval each_ms = {{0, 1000}, {0, 1000}}, off = {{0, 0}, {0, 0}};
    uint64_t own = 0, handlers = 0;
    (void)state;
    config.block_max_ns = INT64_C(60000000000);
    open_with(&config);
    in_handler = 0;
    signal(SIGALRM, on_timer);
    setitimer(ITIMER_REAL, &each_ms, NULL);
    for (int i = 0; i < CALLS || __atomic_load_n(&in_handler, __ATOMIC_RELAXED) < 50; i++, own++)
        ll_info("main", ll_kv("i", i));
    setitimer(ITIMER_REAL, &off, NULL);
    signal(SIGALRM, SIG_DFL);
    struct lines lines = close_and_read("app.log", own + in_handler);
    own = 0;
    for (size_t i = 0; i < lines.count; i++) {
        bool handler = strstr(lines.text[i], "\"message\":\"handler\"") != NULL;
        assert_int_equal(field_number(lines.text[i], "i"), handler ? handlers++ : own++);
    }
    assert_int_equal(handlers, in_handler);
    free_lines(&lines);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        in_folder(after_a_flush_everything_logged_before_is_in_the_file),
        in_folder(logging_after_close_harms_nothing_and_is_left_out),
        in_folder(an_open_log_is_not_opened_again),
        in_folder(numbers_go_on_over_close_and_open),
        in_folder(the_errors_file_repeats_errors_with_the_same_number_and_says_copy),
        in_folder(threads_by_the_thousand_use_rings_again_and_lose_nothing),
        in_folder(records_stand_in_the_order_of_calls_also_between_threads),
        in_folder(closing_while_others_log_keeps_every_call_that_returned_before),
        in_folder(what_a_full_ring_drops_is_counted_and_announced_to_the_last_record),
        in_folder(a_full_ring_that_blocks_loses_nothing),
        in_folder(a_removed_folder_is_told_once_and_writing_goes_on_when_it_is_back),
        in_folder(a_full_disk_takes_nothing_back_and_writing_goes_on_when_there_is_room),
        in_folder(while_the_log_cannot_be_written_a_call_does_not_wait_and_what_is_dropped_is_announced),
        in_folder(an_errors_file_that_cannot_be_written_does_not_hold_up_the_log),
        in_folder(numbers_are_given_once_also_when_a_log_was_closed_before_it_could_be_written),
        in_folder(after_a_rename_the_next_block_goes_to_the_new_file_and_nothing_is_lost),
        in_folder(a_removed_log_is_made_again),
        in_folder(a_line_of_another_program_without_its_newline_is_not_glued_to_ours),
        in_folder(what_stands_at_the_path_instead_of_a_file_is_left_alone_and_holds_nothing_up),
        in_folder(a_program_that_closes_all_descriptors_and_uses_the_numbers_again_keeps_its_files),
#if !defined(__SANITIZE_THREAD__) /* which cannot follow the child of a program with threads */
        in_folder(a_forked_child_is_a_run_of_its_own_that_names_its_parent),
        in_folder(a_child_forked_while_the_log_was_closed_does_not_share_the_run),
        in_folder(a_child_that_opens_by_itself_names_its_parent_too),
#if !defined(__SANITIZE_ADDRESS__) /* whose allocator may stay locked in such a child */
        in_folder(a_fork_among_logging_threads_hangs_neither_side),
#endif
        in_folder(a_child_that_logs_nothing_writes_nothing),
#endif
        in_folder(a_handler_may_log_while_its_thread_logs_and_all_is_there_once),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
