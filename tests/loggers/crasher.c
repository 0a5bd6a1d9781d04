/*
 * Logs three records and crashes in the way it is told to.
 *
 *     crasher CASE [without]
 *
 * With `without` it does the same and never touches liblog: what the system then says of its end is what it
 * must say with the crash handler installed. The log is set up by LOG_*.
 */
#define _GNU_SOURCE
#include <liblog/liblog.h>

#include <dirent.h>
#include <pthread.h>
#include <setjmp.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

static bool with_liblog = true;
static int *volatile nowhere = (int *)16;
static volatile int zero;

/* --- where it goes wrong ---------------------------------------------------------------------------------- */

__attribute__((noinline)) static void write_to_nowhere(void)
{
    *nowhere = 1;
}

__attribute__((noinline)) static void serve_request(void)
{
    write_to_nowhere();
    zero++; /* so that the call above is no jump */
}

__attribute__((noinline)) static int recurse(int depth)
{
    volatile char room[512];
    room[0] = (char)depth;
    return depth < 0 ? 0 : recurse(depth + 1) + room[0];
}

static void divide_by_zero(void)
{
    zero = 100 / zero;
}

static void run_no_instruction(void)
{
    __builtin_trap();
}

static void read_behind_a_file(void)
{
    int fd = memfd_create("short", 0);
    char *memory = mmap(NULL, 4096, PROT_READ, MAP_SHARED, fd, 0);
    zero = memory[0];
}

static void call_nothing(void)
{
    void (*volatile function)(void) = NULL;
    function();
    zero++;
}

static void smash_the_stack(void)
{
    char *volatile here = __builtin_frame_address(0);
    memset(here, 0x5a, 256);
    *nowhere = 1;
}

static void send_oneself(void)
{
    kill(getpid(), SIGSEGV);
    pause();
}

static void *in_a_thread(void *unused)
{
    (void)unused;
    if (with_liblog)
        ll_info("thread");
    serve_request();
    return NULL;
}

static void crash_in_a_thread(void)
{
    pthread_t thread;
    pthread_create(&thread, NULL, in_a_thread, NULL);
    pthread_join(thread, NULL);
}

static void *recurse_in_a_thread(void *unused)
{
    (void)unused;
    if (with_liblog)
        ll_info("thread");
    zero = recurse(0);
    return NULL;
}

static void overflow_a_threads_stack(void)
{
    pthread_t thread;
    pthread_create(&thread, NULL, recurse_in_a_thread, NULL);
    pthread_join(thread, NULL);
}

static void crash_in_many_threads(void)
{
    pthread_t threads[4];
    for (int i = 0; i < 4; i++)
        pthread_create(&threads[i], NULL, in_a_thread, NULL);
    for (int i = 0; i < 4; i++)
        pthread_join(threads[i], NULL);
}

static void overflow_the_stack(void)
{
    zero = recurse(0);
}

/* --- inside liblog --------------------------------------------------------------------------------------- */

/* The call reads a string that is not there, half-way through its frame. */
static void crash_in_a_call(void)
{
    if (with_liblog)
        ll_info("never written", ll_kv("n", 1), ll_kv("text", (const char *)nowhere));
    write_to_nowhere();
}

/* The name is looked at under the lock that opening and closing take. */
static void crash_under_the_lock(void)
{
    if (with_liblog)
        ll_set_level((const char *)nowhere, LL_LEVEL_INFO);
    write_to_nowhere();
}

/* The number of a thread of this process by its name, or 0. */
static pid_t thread_named(const char *wanted)
{
    DIR *tasks = opendir("/proc/self/task");
    pid_t found = 0;
    for (struct dirent *task; tasks && (task = readdir(tasks));) {
        char path[300], name[32] = "";
        snprintf(path, sizeof path, "/proc/self/task/%s/comm", task->d_name);
        FILE *file = fopen(path, "re");
        if (file && fgets(name, sizeof name, file) && strncmp(name, wanted, strlen(wanted)) == 0)
            found = (pid_t)atoi(task->d_name);
        if (file)
            fclose(file);
    }
    if (tasks)
        closedir(tasks);
    return found;
}

static void crash_in_the_writer(void)
{
    pid_t writer = with_liblog ? thread_named("ll-writer") : (pid_t)syscall(SYS_gettid);
    syscall(SYS_tgkill, getpid(), writer, SIGSEGV);
    pause();
}

/* --- with a handler of the program's own ----------------------------------------------------------------- */

static sigjmp_buf back;

static void say_and_exit(int number)
{
    (void)number;
    if (write(STDOUT_FILENO, "own handler\n", 12) < 0)
        _exit(4);
    _exit(3);
}

static void jump_back(int number)
{
    (void)number;
    siglongjmp(back, 1);
}

static void survive(void)
{
    if (sigsetjmp(back, 1) == 0)
        write_to_nowhere();
    if (with_liblog)
        ll_info("survived");
}

static const struct {
    const char *name;
    void (*crash)(void);
    void (*own_handler)(int);
} cases[] = {
    {"segv", serve_request, NULL},
    {"abort", abort, NULL},
    {"fpe", divide_by_zero, NULL},
    {"ill", run_no_instruction, NULL},
    {"bus", read_behind_a_file, NULL},
    {"null_call", call_nothing, NULL},
    {"smashed", smash_the_stack, NULL},
    {"sent", send_oneself, NULL},
    {"thread", crash_in_a_thread, NULL},
    {"threads", crash_in_many_threads, NULL},
    {"overflow", overflow_the_stack, NULL},
    {"thread_overflow", overflow_a_threads_stack, NULL},
    {"in_call", crash_in_a_call, NULL},
    {"in_lock", crash_under_the_lock, NULL},
    {"in_writer", crash_in_the_writer, NULL},
    {"own_handler", serve_request, say_and_exit},
    {"survived", survive, jump_back},
};

static int open_log(void)
{
    ll_config config;
    ll_problem problem;

    if (ll_config_from_env(&config, &problem) == LL_OK && ll_open(&config, &problem) == LL_OK &&
        ll_crash_handler_install() == LL_OK)
        return 0;
    fprintf(stderr, "%s\n", problem.text);
    return 78;
}

static void crash(size_t i)
{
    if (with_liblog) {
        ll_request_begin(&(ll_request){.request_id = "abc123"});
        for (int n = 1; n <= 3; n++)
            ll_info("before", ll_kv("n", n));
    }
    cases[i].crash();
}

int main(int argc, char **argv)
{
    size_t i = 0, count = sizeof cases / sizeof cases[0];

    while (argc > 1 && i < count && strcmp(cases[i].name, argv[1]) != 0)
        i++;
    if (argc < 2 || i == count) {
        fprintf(stderr, "usage: %s CASE [without]\n", argv[0]);
        return 64;
    }
    with_liblog = argc == 2;
    if (cases[i].own_handler)
        signal(SIGSEGV, cases[i].own_handler);
    if (with_liblog && open_log() != 0)
        return 78;
    crash(i);
    if (with_liblog)
        ll_close();
    return 0;
}
