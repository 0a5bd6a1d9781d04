#define _GNU_SOURCE
#include "log_reader.h"

#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <spawn.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <sys/wait.h>

/* Every way of making a process, and who writes what the child logs. The rest of fork is in test_log.c. */

extern char **environ;

/* --- ways to fork ---------------------------------------------------------------------------------------- */

/* Past the C library: no handler runs, and it does not know that it is in a child. */
static pid_t fork_raw(void)
{
    return (pid_t)syscall(SYS_clone, SIGCHLD, NULL, NULL, NULL, NULL);
}

/* -1: any. */
static void expect_ended_well(pid_t child)
{
    int status;
    assert_true(child != 0);
    assert_true(waitpid(child, &status, 0) > 0);
    assert_int_equal(status, 0);
}

static void run_child(pid_t (*way)(void), void (*body)(void))
{
    pid_t child = way();
    if (child == 0) {
        body();
        _exit(0);
    }
    expect_ended_well(child);
}

static void log_two(void)
{
    ll_info("child", ll_kv("i", 0));
    ll_info("child", ll_kv("i", 1));
}

static void log_two_and_close(void)
{
    log_two();
    ll_close();
}

/* A child's records are of a run of its own that names the parent's, numbered from 1; the parent's have no
 * gap. */
static void expect_children(const struct lines *lines, const char *parent_run, size_t children)
{
    char quoted[64];
    snprintf(quoted, sizeof quoted, "\"%s\"", parent_run);
    for (size_t i = 0; i < lines->count; i++) {
        if (!strstr(lines->text[i], "\"message\":\"child\""))
            continue;
        assert_string_not_equal(member(lines->text[i], "run_id"), quoted);
        expect_member(lines->text[i], "parent_run_id", quoted);
        assert_int_equal(seq_of(lines->text[i]), field_number(lines->text[i], "i") + 1);
    }
    assert_int_equal(count_with(lines, "\"message\":\"child\""), 2 * children);
}

static uint64_t first_seq(const struct lines *lines, const char *run_id)
{
    for (size_t i = 0; i < lines->count; i++)
        if (strstr(lines->text[i], run_id) && !strstr(lines->text[i], "\"parent_run_id\""))
            return seq_of(lines->text[i]);
    fail_msg("no line of run %s", run_id);
    return 0;
}

static void expect_a_run_of_its_own(pid_t (*way)(void))
{
    enum { CHILDREN = 10 };
    char run_id[40];
    open_log("app.log");
    snprintf(run_id, sizeof run_id, "%s", ll_run_id());
    for (int i = 0; i < CHILDREN; i++) {
        ll_info("parent", ll_kv("i", i));
        run_child(way, log_two_and_close);
    }
    assert_string_equal(ll_run_id(), run_id);
    struct lines lines = close_and_read("app.log", 3 * CHILDREN);
    expect_children(&lines, run_id, CHILDREN);
    expect_gapless(&lines, run_id, first_seq(&lines, run_id));
    assert_int_equal(count_files(".app.log.ll", ".ring", NULL), 0);
    free_lines(&lines);
}

static void a_child_made_past_the_c_librarys_handlers_is_a_run_of_its_own(void **state)
{
    (void)state;
    expect_a_run_of_its_own(_Fork);
}

static __attribute__((unused)) void a_child_made_by_a_bare_system_call_is_a_run_of_its_own(void **state)
{
    (void)state;
    expect_a_run_of_its_own(fork_raw);
}

/* --- children that just end ------------------------------------------------------------------------------ */

static void what_a_child_logged_that_ended_at_once_is_written_by_its_parent(void **state)
{
    enum { CHILDREN = 5 };
    (void)state;
    open_log("app.log");
    for (int i = 0; i < CHILDREN; i++)
        run_child(fork, log_two);
    ll_info("parent");
    ll_close();
    struct lines lines = read_lines("app.log");
    expect_children(&lines, ll_run_id(), CHILDREN);
    assert_int_equal(count_files(".app.log.ll", ".ring", NULL), 0);
    free_lines(&lines);
}

static void kill_oneself(void)
{
    log_two();
    kill(getpid(), SIGKILL);
}

/* The parent neither logs nor closes after its child's end, but has logged a moment before. */
static void a_killed_childs_records_are_written_while_the_parent_goes_on(void **state)
{
    int status;
    ll_health health = {0};
    (void)state;
    open_log("app.log");
    pid_t child = fork();
    if (child == 0)
        kill_oneself();
    assert_int_equal(waitpid(child, &status, 0), child);
    for (int i = 0; i < 1000 && health.recovered_rings == 0; i++) {
        ll_info("parent");
        pause_ms(20);
        ll_health_get(&health);
    }
    struct lines lines = read_lines("app.log");
    expect_children(&lines, ll_run_id(), 1);
    assert_int_equal(health.recovered_rings, 1);
    free_lines(&lines);
}

static void exec_true(void)
{
    execl("/bin/sh", "sh", "-c", "exit 0", (char *)NULL);
}

static void log_and_exec(void)
{
    log_two();
    exec_true();
}

static void a_child_that_logs_and_becomes_another_program_loses_nothing(void **state)
{
    (void)state;
    open_log("app.log");
    run_child(fork, log_and_exec);
    run_child(_Fork, exec_true);
    ll_close();
    struct lines lines = read_lines("app.log");
    expect_children(&lines, ll_run_id(), 1);
    free_lines(&lines);
}

/* The shell stands for any program: what it finds in its environment is what liblog would take. */
static void what_is_started_is_told_the_run_that_started_it(void **state)
{
    char *const arguments[] = {"sh", "-c", "printf %s \"$LOG_RUN_ID\" > told", NULL};
    char *environment[] = {(char *)(uintptr_t)ll_run_env(), NULL};
    char *told;
    size_t size;
    pid_t child;
    (void)state;
    open_log("app.log");
    environment[0] = (char *)(uintptr_t)ll_run_env();
    assert_int_equal(posix_spawn(&child, "/bin/sh", NULL, NULL, arguments, environment), 0);
    expect_ended_well(child);
    told = read_file("told", &size);
    assert_string_equal(told, ll_run_id());
    free(told);
}

static void exec_with_the_run(void)
{
    char *const arguments[] = {"sh", "-c", "printf %s \"$LOG_RUN_ID\" > told", NULL};
    char *const environment[] = {(char *)(uintptr_t)ll_run_env(), NULL};
    execve("/bin/sh", arguments, environment);
}

static void a_child_that_did_not_log_hands_its_parents_run_on(void **state)
{
    size_t size;
    (void)state;
    open_log("app.log");
    run_child(fork, exec_with_the_run);
    char *told = read_file("told", &size);
    assert_string_equal(told, ll_run_id());
    free(told);
}

/* --- children in the parent's memory --------------------------------------------------------------------- */

static void a_vfork_child_that_logs_does_no_harm(void **state)
{
    enum { CHILDREN = 20 };
    (void)state;
    open_log("app.log");
    for (int i = 0; i < CHILDREN; i++) {
        ll_info("parent", ll_kv("i", i));
        pid_t child = vfork();
        if (child == 0) {
            ll_info("in the parent's memory");
            _exit(0);
        }
        expect_ended_well(child);
    }
    struct lines lines = close_and_read("app.log", 2 * CHILDREN);
    assert_int_equal(count_with(&lines, "\"message\":\"parent\""), CHILDREN);
    expect_gapless(&lines, ll_run_id(), seq_of(lines.text[0]));
    free_lines(&lines);
}

static bool stop; /* atomic */
static uint64_t busy_calls[2];

static void *log_busily(void *argument)
{
    uint64_t *calls = argument;
    for (*calls = 0; !__atomic_load_n(&stop, __ATOMIC_ACQUIRE); (*calls)++) {
        ll_info("busy");
        if (*calls % 32 == 0)
            pause_ms(0);
    }
    return NULL;
}

static void posix_spawn_among_logging_threads_does_no_harm(void **state)
{
    char *const arguments[] = {"true", NULL};
    pthread_t threads[2];
    (void)state;
    stop = false;
    open_log("app.log");
    for (int i = 0; i < 2; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, log_busily, &busy_calls[i]), 0);
    for (int i = 0; i < 20; i++) {
        pid_t child;
        assert_int_equal(posix_spawn(&child, "/bin/true", NULL, NULL, arguments, environ), 0);
        expect_ended_well(child);
    }
    __atomic_store_n(&stop, true, __ATOMIC_RELEASE);
    for (int i = 0; i < 2; i++)
        pthread_join(threads[i], NULL);
    struct lines lines = close_and_read("app.log", busy_calls[0] + busy_calls[1]);
    free_lines(&lines);
}

/* --- a fork in a handler, in the middle of a call -------------------------------------------------------- */

static volatile sig_atomic_t forked, is_armed;

static void fork_in_handler(int number)
{
    (void)number;
    is_armed = 0;
    pid_t child = fork();
    if (child == 0) {
        is_armed = 1; /* it shall have no children */
        ll_info("child", ll_kv("i", 0));
        ll_info("child", ll_kv("i", 1));
        return; /* the call that was interrupted goes on in both */
    }
    forked++;
}

/* Once, so that the program goes on however long the handler takes. */
static void interrupt_after_us(suseconds_t us)
{
    const struct itimerval timer = {{0, 0}, {0, us}};
    assert_int_equal(setitimer(ITIMER_REAL, &timer, NULL), 0);
}

static void log_until_forked(int forks, pid_t parent)
{
    enum { CALLS_MAX = 3000000 }; /* some thousand times what it takes */
    uint64_t i = 0;
    for (; forked < forks && getpid() == parent && i < CALLS_MAX; i++) {
        if (!is_armed) {
            is_armed = 1;
            interrupt_after_us(500 + 37 * forked);
        }
        ll_info("interrupted", ll_kv("i", i));
    }
    if (getpid() != parent)
        _exit(0);
    assert_int_equal(forked, forks);
}

static void a_fork_in_the_middle_of_a_call_leaves_the_parents_record_to_the_parent(void **state)
{
    enum { FORKS = 40 };
    uint64_t next = 0;
    (void)state;
    open_log("app.log");
    forked = is_armed = 0;
    signal(SIGALRM, fork_in_handler);
    log_until_forked(FORKS, getpid());
    interrupt_after_us(0);
    signal(SIGALRM, SIG_DFL);
    for (int i = 0; i < forked; i++)
        expect_ended_well(-1);
    ll_close();
    struct lines lines = read_lines("app.log");
    for (size_t i = 0; i < lines.count; i++)
        if (strstr(lines.text[i], "\"message\":\"interrupted\"") && !member(lines.text[i], "parent_run_id"))
            assert_int_equal(field_number(lines.text[i], "i"), next++);
    expect_children(&lines, ll_run_id(), (size_t)forked);
    free_lines(&lines);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        in_folder(a_child_made_past_the_c_librarys_handlers_is_a_run_of_its_own),
#if !defined(__SANITIZE_ADDRESS__) /* whose runtime is not made for a child that it does not know of */
        in_folder(a_child_made_by_a_bare_system_call_is_a_run_of_its_own),
#endif
        in_folder(what_a_child_logged_that_ended_at_once_is_written_by_its_parent),
        in_folder(a_killed_childs_records_are_written_while_the_parent_goes_on),
        in_folder(a_child_that_logs_and_becomes_another_program_loses_nothing),
        in_folder(what_is_started_is_told_the_run_that_started_it),
        in_folder(a_child_that_did_not_log_hands_its_parents_run_on),
        in_folder(a_vfork_child_that_logs_does_no_harm),
        in_folder(posix_spawn_among_logging_threads_does_no_harm),
        in_folder(a_fork_in_the_middle_of_a_call_leaves_the_parents_record_to_the_parent),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
