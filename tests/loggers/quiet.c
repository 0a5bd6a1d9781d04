/*
 * Logs, and shows what logging costs besides time; the test looks on from outside.
 *
 *     quiet THREADS CALLS
 *
 * Each thread makes a first call, then CALLS more of the same place between two system calls that nothing
 * else here makes (getppid), then ends. Meanwhile the main thread logs every few milliseconds, so that the
 * writer is awake. Then it says "done" and stays, without a call, until its standard input ends. The log is
 * set up by LOG_*.
 */
#include <liblog/liblog.h>

#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

enum { THREADS_MAX = 64, STEP_NS = 3000000 };

static long calls;
static atomic_int at_work;

static void pause_ns(long ns)
{
    nanosleep(&(struct timespec){0, ns}, NULL);
}

static void log_served(const char *user, long n)
{
    ll_info("request served", ll_kv("user", user), ll_kv("n", n), ll_kv("elapsed_ms", 12.5));
}

static void *log_quietly(void *argument)
{
    const char *user = argument;
    log_served(user, 0);
    getppid();
    for (long i = 1; i <= calls; i++)
        log_served(user, i);
    getppid();
    atomic_fetch_sub(&at_work, 1);
    return NULL;
}

static int run(int threads)
{
    pthread_t thread[THREADS_MAX];
    atomic_store(&at_work, threads);
    for (int i = 0; i < threads; i++)
        if (pthread_create(&thread[i], NULL, log_quietly, "u-77"))
            return 1;
    while (atomic_load(&at_work) > 0) {
        ll_info("awake");
        pause_ns(STEP_NS);
    }
    for (int i = 0; i < threads; i++)
        pthread_join(thread[i], NULL);
    return 0;
}

int main(int argc, char **argv)
{
    ll_config config;
    ll_problem problem;
    int threads = argc == 3 ? atoi(argv[1]) : 0;
    if (threads < 1 || threads > THREADS_MAX) {
        fprintf(stderr, "usage: quiet THREADS CALLS\n");
        return 2;
    }
    calls = atol(argv[2]);
    if (ll_config_from_env(&config, &problem) != LL_OK || ll_open(&config, &problem) != LL_OK) {
        fprintf(stderr, "%s\n", problem.text);
        return 78;
    }
    if (run(threads))
        return 1;
    puts("done");
    fflush(stdout);
    while (getchar() != EOF)
        continue;
    ll_close();
    return 0;
}
