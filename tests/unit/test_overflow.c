/* What happens to records for which there is no room: every call is in the log, or counted in a record there.
 */
#define _GNU_SOURCE
#include "held_write.h"
#include "log_reader.h"

#include <pthread.h>
#include <signal.h>
#include <sys/resource.h>

enum { THREADS = 4, CALLS = 15000 };

static ll_config small_rings(ll_overflow overflow)
{
    ll_config config = plain_config("app.log");
    config.overflow = overflow;
    config.ring_bytes = 65536;
    return config;
}

/* One ERROR in ten. */
static void log_one(int thread, int i)
{
    if (i % 10 == 0)
        ll_error("one of ten", ll_kv("thread", thread), ll_kv("i", i));
    else
        ll_info("flood", ll_kv("thread", thread), ll_kv("i", i), ll_kv("text", "some text to fill the ring"));
}

static void *log_many(void *argument)
{
    for (int i = 0; i < CALLS; i++)
        log_one((int)(intptr_t)argument, i);
    return NULL;
}

static void log_from_threads(void)
{
    pthread_t threads[THREADS];
    for (intptr_t i = 0; i < THREADS; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, log_many, (void *)i), 0);
    for (int i = 0; i < THREADS; i++)
        pthread_join(threads[i], NULL);
}

/* The counts of all marks with this level and reason (NULL: any). */
static uint64_t announced(const struct lines *lines, const char *level, const char *reason)
{
    uint64_t sum = 0;
    for (size_t i = 0; i < lines->count; i++) {
        const char *dropped = member(lines->text[i], "dropped");
        if (!dropped)
            continue;
        char what[64];
        snprintf(what, sizeof what, "\"level\":\"%s\"", level);
        if (!strstr(dropped, what))
            continue;
        snprintf(what, sizeof what, "\"reason\":\"%s\"", reason ? reason : "");
        if (!reason || strstr(dropped, what))
            sum += strtoull(dropped + strlen("{\"count\":"), NULL, 10);
    }
    return sum;
}

static uint64_t written(const struct lines *lines, const char *level)
{
    char what[64];
    uint64_t count = 0;
    snprintf(what, sizeof what, "\"%s\"", level);
    for (size_t i = 0; i < lines->count; i++)
        count += !member(lines->text[i], "mark") && strcmp(member(lines->text[i], "level"), what) == 0;
    return count;
}

/* Each call is accounted for by its level, and the numbers of a thread rise. */
static void settle_accounts(const struct lines *lines, uint64_t infos, uint64_t errors)
{
    assert_int_equal(written(lines, "INFO") + announced(lines, "INFO", NULL), infos);
    assert_int_equal(written(lines, "ERROR") + announced(lines, "ERROR", NULL), errors);
    expect_gapless(lines, ll_run_id(), seq_of(lines->text[0]));
}

/* --- drop ----------------------------------------------------------------------------------------------- */

static void drop_announces_every_record_it_leaves_out_by_level(void **state)
{
    ll_config config = small_rings(LL_OVERFLOW_DROP);
    ll_health health;
    (void)state;
    write_pause_us = 2000;
    open_with(&config);
    log_from_threads();
    ll_flush(FLUSH_MS_MAX);
    ll_health_get(&health);
    ll_close();
    write_pause_us = 0;
    struct lines lines = read_lines("app.log");
    settle_accounts(&lines, THREADS * CALLS * 9 / 10, THREADS * CALLS / 10);
    assert_true(health.dropped > 0);
    assert_int_equal(announced(&lines, "INFO", "overflow") + announced(&lines, "ERROR", "overflow"),
                     health.dropped);
    assert_int_equal(health.dropped_disk, 0);
    free_lines(&lines);
}

/* The limit on a file's size stands for a disk that has no room for a ring. */
static void a_thread_for_which_there_is_no_ring_is_counted_and_announced_too(void **state)
{
    enum { CALLS_WITHOUT = 30 };
    ll_config config = small_rings(LL_OVERFLOW_BLOCK);
    struct rlimit before, limit;
    struct stat st;
    char ring[512];
    ll_health health;
    (void)state;
    open_with(&config);
    assert_int_equal(count_files(".app.log.ll", ".ring", ring), 1);
    assert_int_equal(stat(ring, &st), 0);
    getrlimit(RLIMIT_FSIZE, &before);
    limit = (struct rlimit){(rlim_t)st.st_size, before.rlim_max};
    setrlimit(RLIMIT_FSIZE, &limit);
    for (int i = 0; i < CALLS_WITHOUT; i++)
        ll_info("left out");
    setrlimit(RLIMIT_FSIZE, &before);
    ll_info("in");
    ll_health_get(&health);
    ll_close();
    struct lines lines = read_lines("app.log");
    assert_int_equal(health.dropped, CALLS_WITHOUT);
    assert_int_equal(announced(&lines, "INFO", "overflow"), CALLS_WITHOUT);
    assert_int_equal(count_with(&lines, "\"message\":\"in\""), 1);
    free_lines(&lines);
}

/* --- sync ----------------------------------------------------------------------------------------------- */

static void sync_waits_as_long_as_it_takes_and_leaves_nothing_out(void **state)
{
    ll_config config = small_rings(LL_OVERFLOW_SYNC);
    ll_health health;
    (void)state;
    config.block_max_ns = 0; /* is for block */
    write_pause_us = 500;
    open_with(&config);
    log_from_threads();
    ll_health_get(&health);
    ll_close();
    write_pause_us = 0;
    struct lines lines = read_lines("app.log");
    assert_int_equal(lines.count, THREADS * CALLS);
    settle_accounts(&lines, THREADS * CALLS * 9 / 10, THREADS * CALLS / 10);
    assert_int_equal(health.dropped, 0);
    free_lines(&lines);
}

/* --- block, and a disk that does not answer ------------------------------------------------------------- */

static void hold_writes(void)
{
    __atomic_store_n(&write_is_held, true, __ATOMIC_SEQ_CST);
    ll_info("held");
    while (__atomic_load_n(&writes_waiting, __ATOMIC_SEQ_CST) == 0)
        pause_ms(1);
}

static void block_drops_what_found_no_room_in_time(void **state)
{
    enum { MANY = 2000 };
    ll_config config = small_rings(LL_OVERFLOW_BLOCK);
    ll_health health;
    (void)state;
    config.block_max_ns = 0;
    open_with(&config);
    hold_writes();
    for (int i = 0; i < MANY; i++)
        log_one(0, i);
    ll_health_get(&health);
    assert_true(health.dropped > 0);
    __atomic_store_n(&write_is_held, false, __ATOMIC_SEQ_CST);
    ll_close();
    struct lines lines = read_lines("app.log");
    settle_accounts(&lines, 1 + MANY * 9 / 10, MANY / 10);
    free_lines(&lines);
}

static int stderr_to(const char *path)
{
    int before = dup(STDERR_FILENO);
    int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_APPEND, 0600);
    dup2(fd, STDERR_FILENO);
    close(fd);
    return before;
}

static void wait_for_stall(uint32_t stalled, ll_health *ret_health)
{
    for (int i = 0; i < 4000; i++) {
        ll_health_get(ret_health);
        if (ret_health->stalled == stalled)
            return;
        pause_ms(5);
    }
    fail_msg("stalled stayed %u", ret_health->stalled);
}

/* The waiting calls see it, in each mode but drop; there it is seen by who asks. */
static void a_write_that_does_not_return_is_a_stall_told_once_and_ends_by_itself(void **state)
{
    enum { MANY = 3000 };
    static const ll_overflow modes[] = {LL_OVERFLOW_BLOCK, LL_OVERFLOW_SYNC, LL_OVERFLOW_DROP};
    (void)state;
    for (int mode = 0; mode < 3; mode++) {
        ll_config config = small_rings(modes[mode]);
        ll_health health;
        config.block_max_ns = 1000000;
        unlink("app.log");
        open_with(&config);
        int before = stderr_to("stderr.txt");
        hold_writes();
        for (int i = 0; i < MANY; i++)
            log_one(0, i);
        wait_for_stall(1, &health);
        for (int i = 0; i < MANY; i++)
            log_one(0, i);
        ll_health_get(&health);
        assert_int_equal(health.write_errno, ETIMEDOUT);
        assert_int_equal(health.stalls, 1);
        assert_true(health.dropped_disk > 0 && health.dropped >= health.dropped_disk);
        dup2(before, STDERR_FILENO);
        close(before);
        assert_true(file_contains("stderr.txt", "app.log cannot be written (a write to it does not return)"));
        __atomic_store_n(&write_is_held, false, __ATOMIC_SEQ_CST);
        wait_for_stall(0, &health);
        assert_int_equal(health.write_errno, 0);
        ll_close();
        struct lines lines = read_lines("app.log");
        settle_accounts(&lines, 1 + 2 * MANY * 9 / 10, 2 * MANY / 10);
        assert_true(announced(&lines, "INFO", "disk") > 0);
        free_lines(&lines);
        size_t size;
        char *words = read_file("stderr.txt", &size);
        assert_ptr_equal(strchr(words, '\n'), words + size - 1); /* one line */
        free(words);
    }
}

/* --- in a signal handler -------------------------------------------------------------------------------- */

enum { IN_HANDLER = 2000 };
static uint32_t handled,
    returned; /* atomic: calls made in the handler, and by the thread that it interrupts */

static void on_signal(int number)
{
    (void)number;
    for (int i = 0; i < IN_HANDLER; i++) {
        ll_info("in a handler", ll_kv("i", i), ll_kv("text", "some text to fill the ring"));
        __atomic_fetch_add(&handled, 1, __ATOMIC_SEQ_CST);
    }
}

static void *log_until_told(void *argument)
{
    bool *stop = argument;
    while (!__atomic_load_n(stop, __ATOMIC_SEQ_CST)) {
        ll_info("flood", ll_kv("text", "some text to fill the ring"));
        __atomic_fetch_add(&returned, 1, __ATOMIC_SEQ_CST);
    }
    return NULL;
}

/* Its calls return no more: it waits for room. */
static void wait_until_it_waits(void)
{
    uint32_t before;
    do {
        before = __atomic_load_n(&returned, __ATOMIC_SEQ_CST);
        pause_ms(200);
    } while (before == 0 || before != __atomic_load_n(&returned, __ATOMIC_SEQ_CST));
}

static void a_handler_that_interrupts_a_waiting_call_does_not_wait(void **state)
{
    ll_config config = small_rings(LL_OVERFLOW_SYNC);
    struct sigaction action = {.sa_handler = on_signal}, before;
    pthread_t thread;
    bool stop = false;
    (void)state;
    sigaction(SIGUSR1, &action, &before);
    open_with(&config); /* with a LOG_BLOCK_MAX of a minute, nothing is a stall yet */
    hold_writes();
    assert_int_equal(pthread_create(&thread, NULL, log_until_told, &stop), 0);
    wait_until_it_waits();
    pthread_kill(thread, SIGUSR1);
    while (__atomic_load_n(&handled, __ATOMIC_SEQ_CST) < IN_HANDLER)
        pause_ms(1);
    __atomic_store_n(&stop, true, __ATOMIC_SEQ_CST);
    __atomic_store_n(&write_is_held, false, __ATOMIC_SEQ_CST);
    pthread_join(thread, NULL);
    ll_close();
    sigaction(SIGUSR1, &before, NULL);
    struct lines lines = read_lines("app.log");
    settle_accounts(&lines, 1 + (uint64_t)returned + IN_HANDLER, 0);
    assert_int_equal(count_with(&lines, "\"message\":\"flood\""), returned);
    assert_true(announced(&lines, "INFO", "overflow") > 0);
    free_lines(&lines);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        in_folder(drop_announces_every_record_it_leaves_out_by_level),
        in_folder(a_thread_for_which_there_is_no_ring_is_counted_and_announced_too),
        in_folder(sync_waits_as_long_as_it_takes_and_leaves_nothing_out),
        in_folder(block_drops_what_found_no_room_in_time),
        in_folder(a_write_that_does_not_return_is_a_stall_told_once_and_ends_by_itself),
        in_folder(a_handler_that_interrupts_a_waiting_call_does_not_wait),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
