/*
 * Logs from several threads without a pause, and counts in a shared file every call that has returned.
 * Whoever kills this program reads there what must be in the log: the counter of a thread is the number of
 * its last record whose call returned, so the log holds that many, or one more.
 *
 *     restless COUNTERS THREADS [PAUSE_US [RECORDS [TYPES [EXIT_AFTER_MS]]]]
 *
 * With TYPES every third record is an error of one of so many types, TypeN for record N modulo TYPES.
 * Ends by itself after RECORDS of each thread, or cleanly on SIGTERM, or by exit() while its
 * threads log; else it must be killed. The log is set
 * up by LOG_*.
 */
#include <liblog/liblog.h>

#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

enum { THREADS_MAX = 8, RUN_ID_SIZE = 40, TEXT_BYTES_MAX = 700 };

/* What the test maps as well: the run's id, then one counter for each thread. */
struct counters {
    char run_id[RUN_ID_SIZE];
    _Atomic uint64_t returned[THREADS_MAX];
};

struct worker {
    pthread_t thread;
    _Atomic uint64_t *returned;
    int number;
    unsigned pause_us;
    uint64_t records_max;
    unsigned types;
};

static atomic_bool stop;

static void on_sigterm(int number)
{
    (void)number;
    atomic_store(&stop, true);
}

static void log_typed_error(int thread, uint64_t n, unsigned types)
{
    char type[32];
    snprintf(type, sizeof type, "Type%u", (unsigned)(n % types));
    ll_error("one of many", ll_exception(type, "why"), ll_kv("thread", thread), ll_kv("n", n));
}

/* Records of many sizes, so that blocks and rings end at every possible place in one. */
static void log_one(int thread, uint64_t n, unsigned types)
{
    static const char text[TEXT_BYTES_MAX] = {[0 ... TEXT_BYTES_MAX - 2] = 'x'};
    size_t size = (size_t)(n * 2654435761U % TEXT_BYTES_MAX);

    if (types > 0 && n % 3 == 0)
        log_typed_error(thread, n, types);
    else if (n % 97 == 0)
        ll_error("cannot", ll_exception_code("OperationalError", "DB_003", "unable to open"),
                 ll_kv("thread", thread), ll_kv("n", n));
    else if (n % 5 == 0)
        ll_warning("long", ll_strn("text", text, size), ll_kv("thread", thread), ll_kv("n", n));
    else
        ll_info("tick", ll_kv("thread", thread), ll_kv("n", n));
}

static void *work(void *argument)
{
    struct worker *worker = argument;

    for (uint64_t n = 1; n <= worker->records_max && !atomic_load_explicit(&stop, memory_order_relaxed);
         n++) {
        log_one(worker->number, n, worker->types);
        atomic_store_explicit(worker->returned, n, memory_order_release);
        if (worker->pause_us > 0)
            usleep(worker->pause_us);
    }
    return NULL;
}

static struct counters *map_counters(const char *path)
{
    int fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
    struct counters *counters;

    if (fd < 0 || ftruncate(fd, sizeof *counters) != 0)
        return NULL;
    counters = mmap(NULL, sizeof *counters, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    close(fd);
    return counters == MAP_FAILED ? NULL : counters;
}

static int open_log(void)
{
    ll_config config;
    ll_problem problem;

    if (ll_config_from_env(&config, &problem) == LL_OK && ll_open(&config, &problem) == LL_OK)
        return 0;
    fprintf(stderr, "%s\n", problem.text);
    return 78;
}

static void exit_after(long ms)
{
    if (ms <= 0)
        return;
    usleep((useconds_t)ms * 1000);
    exit(0);
}

static int run_threads(struct counters *counters, int threads, unsigned pause_us, uint64_t records_max,
                       unsigned types, long exit_after_ms)
{
    struct worker workers[THREADS_MAX];

    for (int i = 0; i < threads; i++) {
        workers[i] = (struct worker){.returned = &counters->returned[i],
                                     .number = i,
                                     .pause_us = pause_us,
                                     .records_max = records_max,
                                     .types = types};
        if (pthread_create(&workers[i].thread, NULL, work, &workers[i]) != 0)
            return 71;
    }
    exit_after(exit_after_ms);
    for (int i = 0; i < threads; i++)
        pthread_join(workers[i].thread, NULL);
    return 0;
}

int main(int argc, char **argv)
{
    int threads = argc > 2 ? atoi(argv[2]) : 0;
    struct counters *counters;
    int code;

    if (threads < 1 || threads > THREADS_MAX) {
        fprintf(stderr, "usage: %s COUNTERS THREADS [PAUSE_US [RECORDS [TYPES]]]\n", argv[0]);
        return 64;
    }
    counters = map_counters(argv[1]);
    if (!counters) {
        perror(argv[1]);
        return 73;
    }
    signal(SIGTERM, on_sigterm);
    code = open_log();
    if (code != 0)
        return code;
    memcpy(counters->run_id, ll_run_id(), strlen(ll_run_id()) + 1);
    code = run_threads(counters, threads, argc > 3 ? (unsigned)strtoul(argv[3], NULL, 10) : 0,
                       argc > 4 ? strtoull(argv[4], NULL, 10) : UINT64_MAX,
                       argc > 5 ? (unsigned)strtoul(argv[5], NULL, 10) : 0, argc > 6 ? atol(argv[6]) : 0);
    ll_close();
    return code;
}
