#define _GNU_SOURCE
#include "log_reader.h"

#include "liblog/caller.h"

#include <errno.h>
#include <pthread.h>
#include <setjmp.h>
#include <signal.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/time.h>

/* Threads that come and go, die in the middle of a call, or are more than there are rings: liblog/caller.h.
 */

static uint64_t calls_returned; /* atomic */

static void log_record(int thread, uint64_t n)
{
    ll_info("record", ll_kv("thread", thread), ll_kv("n", n));
}

static void run_one(void *(*body)(void *), void *argument)
{
    pthread_t thread;
    assert_int_equal(pthread_create(&thread, NULL, body, argument), 0);
    assert_int_equal(pthread_join(thread, NULL), 0);
}

/* Each of `count` numbers of this thread is there once, in order. */
static void expect_all_of(const struct lines *lines, uint64_t thread, uint64_t count)
{
    uint64_t next = 0;
    for (size_t i = 0; i < lines->count; i++) {
        if (!strstr(lines->text[i], "\"message\":\"record\"") ||
            field_number(lines->text[i], "thread") != thread)
            continue;
        assert_int_equal(field_number(lines->text[i], "n"), next++);
    }
    assert_int_equal(next, count);
}

/* --- nothing is left of a thread that has ended ---------------------------------------------------------- */

struct holdings {
    size_t descriptors, mappings, file_bytes;
};

static size_t count_entries(const char *folder)
{
    size_t count = 0;
    DIR *entries = opendir(folder);
    while (entries && readdir(entries))
        count++;
    if (entries)
        closedir(entries);
    return count;
}

static struct holdings holdings_now(void)
{
    struct holdings now = {.descriptors = count_entries("/proc/self/fd")};
    char ring[512];
    struct stat st;
    char *line = NULL;
    size_t capacity = 0;
    FILE *maps = fopen("/proc/self/maps", "re");
    assert_non_null(maps);
    while (getline(&line, &capacity, maps) > 0)
        now.mappings += strstr(line, ".ring") != NULL;
    free(line);
    fclose(maps);
    assert_int_equal(count_files(".app.log.ll", ".ring", ring), 1);
    assert_int_equal(stat(ring, &st), 0);
    now.file_bytes = (size_t)st.st_size;
    return now;
}

static void *log_ten(void *argument)
{
    for (uint64_t n = 0; n < 10; n++)
        log_record((int)(intptr_t)argument, n);
    return NULL;
}

/* No destructor of the C library runs. */
static void *log_and_vanish(void *argument)
{
    log_ten(argument);
    syscall(SYS_exit, 0);
    return NULL;
}

static pthread_key_t late_key;

/* Logs in each round of destructors that there is, so after the library's own. */
static void log_late(void *argument)
{
    ll_info("late");
    pthread_setspecific(late_key, argument);
}

static void *log_and_log_late(void *argument)
{
    pthread_setspecific(late_key, argument);
    return log_ten(argument);
}

/* What the first threads needed is all that the others need. */
static void expect_no_more_after_the_first(void *(*body)(void *))
{
    enum { FIRST = 100, ALL = 700 };
    open_log("app.log");
    for (intptr_t i = 0; i < FIRST; i++)
        run_one(body, (void *)i);
    struct holdings before = holdings_now();
    for (intptr_t i = FIRST; i < ALL; i++)
        run_one(body, (void *)i);
    struct holdings after = holdings_now();
    assert_int_equal(after.descriptors, before.descriptors);
    assert_int_equal(after.mappings, before.mappings);
    assert_int_equal(after.file_bytes, before.file_bytes);
    ll_close();
    struct lines lines = read_lines("app.log");
    assert_int_equal(count_with(&lines, "\"message\":\"record\""), 10 * ALL);
    for (uint64_t i = 0; i < ALL; i += ALL / 7)
        expect_all_of(&lines, i, 10);
    free_lines(&lines);
}

static void a_thread_that_ends_leaves_nothing_behind(void **state)
{
    (void)state;
    expect_no_more_after_the_first(log_ten);
}

static __attribute__((unused)) void
a_thread_that_ends_without_its_destructors_leaves_nothing_behind(void **state)
{
    (void)state;
    expect_no_more_after_the_first(log_and_vanish);
}

static __attribute__((unused)) void
a_thread_that_logs_in_its_last_destructor_is_heard_and_leaves_nothing_behind(void **state)
{
    (void)state;
    assert_int_equal(pthread_key_create(&late_key, log_late), 0);
    expect_no_more_after_the_first(log_and_log_late);
    pthread_key_delete(late_key);
    struct lines lines = read_lines("app.log");
    assert_true(count_with(&lines, "\"message\":\"late\"") >= 700);
    free_lines(&lines);
}

/* --- a thread that dies in the middle of a call ---------------------------------------------------------- */

static void *log_until_ended(void *argument)
{
    int unused;
    if (argument)
        pthread_setcanceltype(PTHREAD_CANCEL_ASYNCHRONOUS, &unused);
    for (;;) {
        ll_info("doomed", ll_kv("i", 1));
        __atomic_fetch_add(&calls_returned, 1, __ATOMIC_RELEASE);
        if (!argument)
            pthread_testcancel();
    }
    return NULL;
}

static void end_by_signal(int number)
{
    (void)number;
    pthread_exit(NULL);
}

/* What others log afterwards is all there, and closing waits for nobody. */
static void expect_others_unharmed(uint64_t doomed)
{
    enum { RECORDS = 500 };
    for (uint64_t n = 0; n < RECORDS; n++)
        log_record(-1, n);
    for (intptr_t i = 0; i < 4; i++)
        run_one(log_ten, (void *)i);
    ll_health health;
    ll_health_get(&health);
    assert_int_equal(health.dropped, 0);
    ll_close();
    struct lines lines = read_lines("app.log");
    for (uint64_t i = 0; i < 4; i++)
        expect_all_of(&lines, i, 10);
    assert_int_equal(count_with(&lines, "\"message\":\"record\""), RECORDS + 40);
    assert_true(count_with(&lines, "\"message\":\"doomed\"") >= doomed);
    expect_gapless(&lines, ll_run_id(), seq_of(lines.text[0]));
    assert_int_equal(count_files(".app.log.ll", ".ring", NULL), 0);
    free_lines(&lines);
}

static void end_doomed(pthread_t thread, int signal)
{
    uint64_t before = __atomic_load_n(&calls_returned, __ATOMIC_ACQUIRE);
    while (__atomic_load_n(&calls_returned, __ATOMIC_ACQUIRE) < before + 20)
        sched_yield();
    if (signal)
        pthread_kill(thread, signal);
    else
        pthread_cancel(thread);
    pthread_join(thread, NULL);
}

static void end_many(int rounds, void *argument, int signal)
{
    pthread_t thread;
    open_log("app.log");
    calls_returned = 0;
    for (int i = 0; i < rounds; i++) {
        assert_int_equal(pthread_create(&thread, NULL, log_until_ended, argument), 0);
        end_doomed(thread, signal);
    }
    expect_others_unharmed(calls_returned);
}

static __attribute__((unused)) void a_cancelled_thread_harms_no_other(void **state)
{
    (void)state;
    end_many(30, NULL, 0);
}

static __attribute__((unused)) void a_thread_cancelled_in_the_middle_of_a_call_harms_no_other(void **state)
{
    (void)state;
    end_many(60, &calls_returned, 0);
}

static __attribute__((unused)) void
a_thread_that_a_handler_ends_in_the_middle_of_a_call_harms_no_other(void **state)
{
    (void)state;
    signal(SIGUSR1, end_by_signal);
    end_many(60, NULL, SIGUSR1);
    signal(SIGUSR1, SIG_DFL);
}

/* A thread dead by a system call while it was inside: closing the log does not wait for it. */
static void *vanish_in_a_call(void *unused)
{
    struct caller_call call;
    (void)unused;
    ll_info("doomed");
    caller_enter(caller_mine(), &call);
    syscall(SYS_exit, 0);
    return NULL;
}

static __attribute__((unused)) void closing_does_not_wait_for_a_thread_that_vanished_in_a_call(void **state)
{
    struct timespec before, after;
    (void)state;
    open_log("app.log");
    run_one(vanish_in_a_call, NULL);
    clock_gettime(CLOCK_MONOTONIC, &before);
    expect_others_unharmed(1);
    clock_gettime(CLOCK_MONOTONIC, &after);
    assert_true(after.tv_sec - before.tv_sec < 20);
}

/* --- more threads than rings ----------------------------------------------------------------------------- */

enum { AT_ONCE = 1100, EACH = 5 };
static pthread_barrier_t all_are_here;

static void *log_when_all_are_here(void *argument)
{
    log_record((int)(intptr_t)argument, 0);
    pthread_barrier_wait(&all_are_here);
    for (uint64_t n = 1; n < EACH; n++)
        log_record((int)(intptr_t)argument, n);
    return NULL;
}

static void run_at_once(int count)
{
    static pthread_t threads[AT_ONCE];
    pthread_attr_t small;
    pthread_attr_init(&small);
    pthread_attr_setstacksize(&small, 512 * 1024);
    assert_int_equal(pthread_barrier_init(&all_are_here, NULL, (unsigned)count), 0);
    for (intptr_t i = 0; i < count; i++)
        assert_int_equal(pthread_create(&threads[i], &small, log_when_all_are_here, (void *)i), 0);
    for (int i = 0; i < count; i++)
        pthread_join(threads[i], NULL);
    pthread_barrier_destroy(&all_are_here);
    pthread_attr_destroy(&small);
}

static void expect_all_of_all(int count)
{
    ll_health health;
    ll_health_get(&health);
    assert_int_equal(health.dropped, 0);
    struct lines lines = close_and_read("app.log", (size_t)count * EACH);
    for (int i = 0; i < count; i += count / 10)
        expect_all_of(&lines, (uint64_t)i, EACH);
    expect_gapless(&lines, ll_run_id(), seq_of(lines.text[0]));
    free_lines(&lines);
}

static void more_threads_at_once_than_there_are_rings_lose_nothing(void **state)
{
    ll_config config = plain_config("app.log");
    (void)state;
    assert_true((int)AT_ONCE > (int)RING_FILE_SEGMENTS_MAX);
    config.ring_bytes = 65536;
    open_with(&config);
    run_at_once(AT_ONCE);
    expect_all_of_all(AT_ONCE);
}

/* The limit on a file's size stands for a disk that has no room for another ring. */
static void threads_for_whose_rings_there_is_no_room_share_one(void **state)
{
    struct rlimit before, limit;
    struct stat st;
    char ring[512];
    (void)state;
    open_log("app.log");
    log_record(1001, 0);
    run_one(log_ten, (void *)(intptr_t)1000);
    ll_flush(FLUSH_MS_MAX);
    assert_int_equal(count_files(".app.log.ll", ".ring", ring), 1);
    assert_int_equal(stat(ring, &st), 0);
    getrlimit(RLIMIT_FSIZE, &before);
    limit = (struct rlimit){(rlim_t)st.st_size + 4096, before.rlim_max};
    setrlimit(RLIMIT_FSIZE, &limit);
    run_at_once(20);
    setrlimit(RLIMIT_FSIZE, &before);
    assert_int_equal(stat(ring, &st), 0);
    assert_true((rlim_t)st.st_size <= limit.rlim_cur);
    ll_health health;
    ll_health_get(&health);
    assert_int_equal(health.dropped, 0);
    struct lines lines = close_and_read("app.log", 20 * EACH + 11);
    for (uint64_t i = 0; i < 20; i++)
        expect_all_of(&lines, i, EACH);
    free_lines(&lines);
}

/* --- a handler that jumps out of a call ------------------------------------------------------------------ */

static sigjmp_buf back;
static volatile sig_atomic_t jumps;

static void jump_back(int number)
{
    (void)number;
    ll_info("handler");
    jumps++;
    siglongjmp(back, 1);
}

static void every_us(suseconds_t us)
{
    const struct itimerval timer = {{0, us}, {0, us}};
    assert_int_equal(setitimer(ITIMER_REAL, &timer, NULL), 0);
}

/* The rings of handlers hold 64 KiB and do not wait: were the thread taken to be in a handler for good, most
 * of what it logs afterwards would be dropped. */
static void log_a_flood(const char *text)
{
    for (uint64_t n = 0; n < 4000; n++)
        ll_info("flood", ll_kv("n", n), ll_kv("text", text));
}

static void jump_out_many_times(int flags)
{
    enum { JUMPS = 300 };
    struct sigaction action = {.sa_handler = jump_back, .sa_flags = flags}, before;
    struct lines lines;
    ll_health health;
    open_log("app.log");
    sigaction(SIGALRM, &action, &before);
    jumps = 0;
    every_us(300);
    sigsetjmp(back, 1);
    while (jumps < JUMPS)
        ll_info("interrupted", ll_kv("text", "some text"), ll_kv("jumps", (int)jumps));
    every_us(0);
    sigaction(SIGALRM, &before, NULL);
    log_a_flood("a text of some length, so that there is more of it than a handler's ring could ever hold");
    ll_health_get(&health);
    assert_int_equal(health.dropped, 0);
    ll_close();
    lines = read_lines("app.log");
    assert_int_equal(count_with(&lines, "\"message\":\"flood\""), 4000);
    assert_int_equal(count_with(&lines, "\"message\":\"handler\""), jumps);
    assert_true(jumps >= JUMPS);
    free_lines(&lines);
}

static __attribute__((unused)) void
a_thread_that_handlers_jump_out_of_calls_goes_on_with_its_own_ring(void **state)
{
    (void)state;
    jump_out_many_times(0);
}

static __attribute__((unused)) void the_same_on_an_alternate_stack(void **state)
{
    static char memory[65536];
    const stack_t stack = {.ss_sp = memory, .ss_size = sizeof memory}, off = {.ss_flags = SS_DISABLE};
    (void)state;
    assert_int_equal(sigaltstack(&stack, NULL), 0);
    jump_out_many_times(SA_ONSTACK);
    sigaltstack(&off, NULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        in_folder(a_thread_that_ends_leaves_nothing_behind),
        in_folder(more_threads_at_once_than_there_are_rings_lose_nothing),
        in_folder(threads_for_whose_rings_there_is_no_room_share_one),
#ifndef __SANITIZE_THREAD__ /* it has gone before the last destructor */
        in_folder(a_thread_that_logs_in_its_last_destructor_is_heard_and_leaves_nothing_behind),
#endif
/* Sanitizers count threads and mark stacks by the usual ends: a jump or a cancellation leaves marks of calls
 * behind that never returned, over which the sanitizer itself falls, and one of them lets no signal through.
 */
#if !defined(__SANITIZE_THREAD__) && !defined(__SANITIZE_ADDRESS__)
        in_folder(a_thread_that_ends_without_its_destructors_leaves_nothing_behind),
        in_folder(closing_does_not_wait_for_a_thread_that_vanished_in_a_call),
        in_folder(a_thread_cancelled_in_the_middle_of_a_call_harms_no_other),
        in_folder(a_thread_that_a_handler_ends_in_the_middle_of_a_call_harms_no_other),
        in_folder(a_thread_that_handlers_jump_out_of_calls_goes_on_with_its_own_ring),
        in_folder(the_same_on_an_alternate_stack),
#endif
#ifndef __SANITIZE_ADDRESS__
        in_folder(a_cancelled_thread_harms_no_other),
#endif
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
