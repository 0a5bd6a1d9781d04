/*
 * What a log call costs its caller, and how many records reach the file: liblog beside spdlog (Debian), the
 * same eight values, in turns in one run. Only the ratios travel between machines.
 *
 *     bench_log [--quick] [--only PART] [--call] [FOLDER]
 *
 * FOLDER is where the logs go (default: $TMPDIR or /tmp). PART is one of bursts, alone, kinds, rates,
 * layouts, off, delay, idle, memory.
 * --call makes 100,000 calls of ours and nothing else, for callgrind (instructions.sh).
 */
#define _GNU_SOURCE /* pthread_setaffinity_np() */

#include "liblog/base/ticks.h"
#include "log_target.h"

#include <inttypes.h>
#include <pthread.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

enum {
    BURST_CALLS = 20,
    BURSTS_MAX = 2000,
    ROUNDS_MAX = 9,
    VALUES = 64, /* a power of two */
    THREADS_MAX = 8,
    PAUSE_NS = 500000,
    RECORD_NS_MAX = 10000000, /* beyond this the machine did something else */
    CALLGRIND_CALLS = 100000,
};

static struct {
    int bursts, rounds;
    long records;  /* per throughput run, all threads together */
    long disabled; /* calls at a level that is off */
} effort = {BURSTS_MAX, 7, 1000000, 20000000};

static struct log_values values[VALUES];
static char log_path[4096];

static void make_values(void)
{
    static const char *const routes[] = {"/cart/checkout", "/api/glossary", "/products/4711", "/login"};
    static char users[VALUES][16], peers[VALUES][24];
    for (int i = 0; i < VALUES; i++) {
        snprintf(users[i], sizeof users[i], "u-%d", 1000 + 37 * i);
        snprintf(peers[i], sizeof peers[i], "10.0.%d.%d", i, 255 - i);
        values[i] = (struct log_values){routes[i % 4],        i % 9 ? 200 : 404, 0.25 * i + 12.5, users[i],
                                        18231u * (unsigned)i, i % 5 == 0,        i % 3 + 1,       peers[i]};
    }
}

/* --- figures -------------------------------------------------------------------------------------------- */

static int by_size(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

static double median(double *of, int count)
{
    qsort(of, (size_t)count, sizeof *of, by_size);
    return of[count / 2];
}

static double seconds(clockid_t clock)
{
    struct timespec now;
    clock_gettime(clock, &now);
    return (double)now.tv_sec + (double)now.tv_nsec / 1e9;
}

/* --- latency -------------------------------------------------------------------------------------------- */

static bool use_counter; /* decided in main */

/* The first is read after all before it, the second after the call's own instructions. */
static inline uint64_t stamp(void)
{
    uint64_t now = ticks_now(use_counter);
#if defined(__x86_64__)
    _mm_lfence();
#endif
    return now;
}

static void nothing(const struct log_values *v)
{
    __asm__ volatile("" ::"r"(v) : "memory");
}

static double ns_per_tick(void)
{
    struct ticks_anchor anchor;
    ticks_anchor_init(&anchor);
    struct timespec pause = {0, 50000000};
    nanosleep(&pause, NULL);
    ticks_anchor_renew(&anchor);
    return (double)anchor.ns_per_2_32_ticks / 4294967296.0;
}

/* Calls in bursts, each timed alone, with a pause before each burst; sorted, in ticks. */
static int time_calls(log_call *call, int bursts, int calls, double *ret_ticks)
{
    int count = 0;
    for (int b = 0; b < bursts; b++) {
        struct timespec pause = {0, PAUSE_NS};
        nanosleep(&pause, NULL);
        for (int i = 0; i < calls; i++) {
            const struct log_values *v = &values[(b + i) % VALUES];
            uint64_t begin = stamp();
            call(v);
            ret_ticks[count++] = (double)(stamp() - begin);
        }
    }
    qsort(ret_ticks, (size_t)count, sizeof *ret_ticks, by_size);
    return count;
}

enum { P50, P99, P999, PMAX, PERCENTILES };
struct latency {
    double ns[PERCENTILES];
};

static struct latency latency_of(log_call *call, int bursts, int calls, double tick_ns)
{
    static double ticks[BURSTS_MAX * BURST_CALLS];
    int count = time_calls(nothing, 50, BURST_CALLS, ticks);
    double overhead = ticks[count / 2];
    struct latency l;
    count = time_calls(call, bursts, calls, ticks);
    int at[PERCENTILES] = {count / 2, (int)(count * 0.99), (int)(count * 0.999), count - 1};
    for (int i = 0; i < PERCENTILES; i++)
        l.ns[i] = (ticks[at[i]] - overhead) * tick_ns;
    return l;
}

/* The caller stays on one core; what the logger starts runs where it likes. */
static void pin(bool to_one)
{
    cpu_set_t cores;
    CPU_ZERO(&cores);
    for (int i = 0; i < (to_one ? 1 : CPU_SETSIZE); i++)
        CPU_SET(i, &cores);
    pthread_setaffinity_np(pthread_self(), sizeof cores, &cores);
}

static void must_open(const struct log_target *target)
{
    unlink(log_path);
    if (target->open(log_path) != 0)
        exit(1);
}

static void must_close(const struct log_target *target)
{
    uint64_t dropped = target->close();
    if (dropped)
        printf("  %s left out %" PRIu64 " records\n", target->name, dropped);
}

static struct latency one_round(const struct log_target *target, log_call *call, int calls, double tick_ns)
{
    must_open(target);
    pin(true);
    for (int i = 0; i < 1000; i++)
        call(&values[i % VALUES]);
    int bursts = calls == 1 ? effort.bursts / 2 : effort.bursts;
    struct latency l = latency_of(call, bursts, calls, tick_ns);
    pin(false);
    must_close(target);
    return l;
}

static struct latency middle(const struct latency *rounds)
{
    struct latency l;
    for (int p = 0; p < PERCENTILES; p++) {
        double all[ROUNDS_MAX];
        for (int r = 0; r < effort.rounds; r++)
            all[r] = rounds[r].ns[p];
        l.ns[p] = median(all, effort.rounds);
    }
    return l;
}

static void print_latency(const char *name, const struct latency *l)
{
    printf("  %-30s %8.0f %8.0f %9.0f %10.0f\n", name, l->ns[P50], l->ns[P99], l->ns[P999], l->ns[PMAX]);
}

static void compare_latency(const char *title, int calls, double tick_ns)
{
    const struct log_target *targets[] = {&log_target_ours, &log_target_spdlog, &log_target_spdlog_async};
    struct latency rounds[3][ROUNDS_MAX], of[3];
    for (int r = 0; r < effort.rounds; r++)
        for (int t = 0; t < 3; t++)
            rounds[t][r] = one_round(targets[t], targets[t]->info, calls, tick_ns);
    printf("\n%-32s %8s %8s %9s %10s\n", title, "p50 ns", "p99", "p99.9", "max");
    for (int t = 0; t < 3; t++) {
        of[t] = middle(rounds[t]);
        print_latency(targets[t]->name, &of[t]);
    }
    printf("  ours / spdlog synchronous: p50 1/%.1f, p99 1/%.1f\n", of[1].ns[P50] / of[0].ns[P50],
           of[1].ns[P99] / of[0].ns[P99]);
}

static void list_kinds(double tick_ns)
{
    printf("\n%-32s %8s %8s %9s %10s\n", "liblog, bursts of 20", "p50 ns", "p99", "p99.9", "max");
    for (const struct log_kind *kind = log_target_ours.kind; kind->name; kind++) {
        struct latency rounds[ROUNDS_MAX];
        int all = effort.rounds;
        effort.rounds = all < 3 ? all : 3;
        for (int r = 0; r < effort.rounds; r++)
            rounds[r] = one_round(&log_target_ours, kind->call, BURST_CALLS, tick_ns);
        struct latency l = middle(rounds);
        effort.rounds = all;
        print_latency(kind->name, &l);
    }
}

/* --- throughput ----------------------------------------------------------------------------------------- */

struct crew {
    pthread_barrier_t start;
    log_call *call;
    long calls;
};

static void *work(void *argument)
{
    struct crew *crew = argument;
    pthread_barrier_wait(&crew->start);
    for (long i = 0; i < crew->calls; i++)
        crew->call(&values[i % VALUES]);
    return NULL;
}

struct rate {
    double records_s, cpu_s_per_million, bytes_each;
};

/* From the first call until all of it is in the file. */
static struct rate rate_of(const struct log_target *target, int threads)
{
    struct crew crew = {.call = target->info, .calls = effort.records / threads};
    pthread_t thread[THREADS_MAX];
    must_open(target);
    pthread_barrier_init(&crew.start, NULL, (unsigned)threads + 1);
    for (int i = 0; i < threads; i++)
        if (pthread_create(&thread[i], NULL, work, &crew))
            exit(1);
    double begin = seconds(CLOCK_MONOTONIC), cpu = seconds(CLOCK_PROCESS_CPUTIME_ID);
    pthread_barrier_wait(&crew.start);
    for (int i = 0; i < threads; i++)
        pthread_join(thread[i], NULL);
    must_close(target);
    begin = seconds(CLOCK_MONOTONIC) - begin;
    cpu = seconds(CLOCK_PROCESS_CPUTIME_ID) - cpu;
    pthread_barrier_destroy(&crew.start);
    struct stat st;
    double records = (double)(crew.calls * threads);
    if (stat(log_path, &st))
        exit(1);
    return (struct rate){records / begin, cpu * 1e6 / records, (double)st.st_size / records};
}

static struct rate middle_rate(const struct rate *rounds)
{
    double records_s[ROUNDS_MAX], cpu[ROUNDS_MAX];
    for (int r = 0; r < effort.rounds; r++) {
        records_s[r] = rounds[r].records_s;
        cpu[r] = rounds[r].cpu_s_per_million;
    }
    return (struct rate){median(records_s, effort.rounds), median(cpu, effort.rounds), rounds[0].bytes_each};
}

static void compare_rates(int threads, double *ret_records_s)
{
    const struct log_target *targets[] = {&log_target_ours, &log_target_spdlog, &log_target_spdlog_async};
    struct rate rounds[3][ROUNDS_MAX], of[3];
    for (int r = 0; r < effort.rounds; r++)
        for (int t = 0; t < 3; t++)
            rounds[t][r] = rate_of(targets[t], threads);
    printf("\n%-2d %-29s %12s %20s %10s\n", threads, threads == 1 ? "thread" : "threads", "M records/s",
           "CPU s per M records", "bytes each");
    for (int t = 0; t < 3; t++) {
        of[t] = middle_rate(rounds[t]);
        printf("  %-30s %12.2f %20.2f %10.0f\n", targets[t]->name, of[t].records_s / 1e6,
               of[t].cpu_s_per_million, of[t].bytes_each);
    }
    printf("  ours / spdlog synchronous: records/s %.2f, CPU %.2f\n", of[0].records_s / of[1].records_s,
           of[0].cpu_s_per_million / of[1].cpu_s_per_million);
    *ret_records_s = of[0].records_s;
}

static void part_layouts(void)
{
    const struct log_target *targets[] = {&log_target_ours, &log_target_text, &log_target_ecs,
                                          &log_target_otel};
    struct rate rounds[4][ROUNDS_MAX];
    for (int r = 0; r < effort.rounds; r++)
        for (int t = 0; t < 4; t++)
            rounds[t][r] = rate_of(targets[t], 1);
    printf("\n%-32s %12s %20s %10s\n", "layouts, 1 thread", "M records/s", "CPU s per M records",
           "bytes each");
    for (int t = 0; t < 4; t++) {
        struct rate of = middle_rate(rounds[t]);
        printf("  %-30s %12.2f %20.2f %10.0f\n", t ? targets[t]->name : "liblog, json", of.records_s / 1e6,
               of.cpu_s_per_million, of.bytes_each);
    }
}

/* --- a level that is off -------------------------------------------------------------------------------- */

static double loop_ns(log_call *call)
{
    double rounds[ROUNDS_MAX];
    for (int r = 0; r < effort.rounds; r++) {
        double begin = seconds(CLOCK_THREAD_CPUTIME_ID);
        for (long i = 0; i < effort.disabled; i++)
            call(&values[i % VALUES]);
        rounds[r] = (seconds(CLOCK_THREAD_CPUTIME_ID) - begin) * 1e9 / (double)effort.disabled;
    }
    return median(rounds, effort.rounds);
}

static double disabled_ns(const struct log_target *target)
{
    must_open(target);
    double empty = loop_ns(nothing), ns = loop_ns(target->disabled) - empty;
    must_close(target);
    return ns;
}

/* --- from the call to the file, rest and memory --------------------------------------------------------- */

enum { DELAYS_MAX = 400, DELAY_STEP_NS = 20000, IDLE_S = 3, MEMORY_CALLS = 20000 };

static off_t log_bytes(void)
{
    struct stat st;
    return stat(log_path, &st) ? 0 : st.st_size;
}

/* From the beginning of one call until the file has grown, in milliseconds. */
static double delay_ms(const struct log_target *target, int i)
{
    off_t before = log_bytes();
    double begin = seconds(CLOCK_MONOTONIC);
    target->info(&values[i % VALUES]);
    while (log_bytes() == before)
        nanosleep(&(struct timespec){0, DELAY_STEP_NS}, NULL);
    return (seconds(CLOCK_MONOTONIC) - begin) * 1e3;
}

/* While records come, and after pauses in which the writer has gone to sleep for good. */
static void print_delays(const char *title, int count, long pause_ns)
{
    double delays[DELAYS_MAX];
    must_open(&log_target_ours);
    for (int i = 0; i < count; i++) {
        nanosleep(&(struct timespec){0, pause_ns}, NULL);
        delays[i] = delay_ms(&log_target_ours, i);
    }
    must_close(&log_target_ours);
    double p50 = median(delays, count);
    printf("  %-40s %8.2f %8.2f\n", title, p50, delays[count - 1]);
}

static void part_delay(void)
{
    int count = effort.bursts < DELAYS_MAX ? effort.bursts : DELAYS_MAX;
    printf("\n%-42s %8s %8s\n", "liblog, from the call to the file", "p50 ms", "max");
    print_delays("while records come, each after 1 ms", count, 1000000);
    print_delays("after pauses of 200 ms", count / 20 + 1, 200000000);
}

static long switches(void)
{
    struct rusage usage;
    getrusage(RUSAGE_SELF, &usage);
    return usage.ru_nvcsw + usage.ru_nivcsw;
}

/* The bench itself is switched to once, at the end of its sleep. */
static void part_idle(void)
{
    must_open(&log_target_ours);
    log_target_ours.info(&values[0]);
    sleep(1);
    long before = switches();
    sleep(IDLE_S);
    printf("\nliblog, %d s without a record: %ld context switches\n", IDLE_S, switches() - before - 1);
    must_close(&log_target_ours);
}

static long resident_kb(void)
{
    char line[256];
    long kb = 0;
    FILE *status = fopen("/proc/self/status", "r");
    while (status && fgets(line, sizeof line, status))
        if (sscanf(line, "VmRSS: %ld", &kb) == 1)
            break;
    if (status)
        fclose(status);
    return kb;
}

/* All rings are held until the last thread is through: a thread that ends gives its ring to the next. */
static void *work_and_wait(void *argument)
{
    struct crew *crew = argument;
    work(crew);
    pthread_barrier_wait(&crew->start);
    pthread_barrier_wait(&crew->start);
    return NULL;
}

static void part_memory(void)
{
    struct crew crew = {.call = log_target_ours.info, .calls = MEMORY_CALLS};
    pthread_t thread[THREADS_MAX];
    long before = resident_kb();
    must_open(&log_target_ours);
    pthread_barrier_init(&crew.start, NULL, THREADS_MAX + 1);
    for (int i = 0; i < THREADS_MAX; i++)
        if (pthread_create(&thread[i], NULL, work_and_wait, &crew))
            exit(1);
    pthread_barrier_wait(&crew.start);
    pthread_barrier_wait(&crew.start);
    printf("\nresident memory, kB: %ld before, %ld with %d threads that log\n", before, resident_kb(),
           THREADS_MAX);
    pthread_barrier_wait(&crew.start);
    for (int i = 0; i < THREADS_MAX; i++)
        pthread_join(thread[i], NULL);
    pthread_barrier_destroy(&crew.start);
    must_close(&log_target_ours);
}

/* --- main ----------------------------------------------------------------------------------------------- */

static int only_call(void)
{
    must_open(&log_target_ours);
    for (int i = 0; i < CALLGRIND_CALLS; i++)
        log_target_ours.info(&values[i % VALUES]);
    must_close(&log_target_ours);
    return unlink(log_path);
}

static void part_bursts(void)
{
    compare_latency("bursts of 20", BURST_CALLS, ns_per_tick());
}

static void part_alone(void)
{
    compare_latency("alone", 1, ns_per_tick());
}

static void part_kinds(void)
{
    list_kinds(ns_per_tick());
}

static void part_rates(void)
{
    double one, two, eight;
    compare_rates(1, &one);
    compare_rates(2, &two);
    compare_rates(8, &eight);
    printf("\nliblog: two threads / one %.2f, eight / one %.2f\n", two / one, eight / one);
}

static void part_off(void)
{
    printf("\nlevel off, ns: liblog %.2f, spdlog %.2f\n", disabled_ns(&log_target_ours),
           disabled_ns(&log_target_spdlog));
}

static const struct {
    const char *name;
    void (*run)(void);
} parts[] = {{"bursts", part_bursts}, {"alone", part_alone},     {"kinds", part_kinds},
             {"rates", part_rates},   {"layouts", part_layouts}, {"off", part_off},
             {"delay", part_delay},   {"idle", part_idle},       {"memory", part_memory}};

/* `name`: one of them, or NULL for all. */
static void run_parts(const char *name)
{
    for (size_t i = 0; i < sizeof parts / sizeof parts[0]; i++)
        if (!name || strcmp(name, parts[i].name) == 0)
            parts[i].run();
}

int main(int argc, char **argv)
{
    const char *folder = getenv("TMPDIR") ? getenv("TMPDIR") : "/tmp";
    const char *part = NULL;
    bool call_only = false;
    for (int i = 1; i < argc; i++) {
        if (strcmp(argv[i], "--quick") == 0) {
            effort.bursts = 100;
            effort.rounds = 1;
            effort.records = 100000;
            effort.disabled = 1000000;
        } else if (strcmp(argv[i], "--only") == 0 && argv[i + 1]) {
            part = argv[++i];
        } else if (strcmp(argv[i], "--call") == 0) {
            call_only = true;
        } else if (argv[i][0] == '-') {
            fprintf(stderr, "usage: bench_log [--quick] [--only PART] [--call] [FOLDER]\n");
            return 64;
        } else {
            folder = argv[i];
        }
    }
    snprintf(log_path, sizeof log_path, "%s/bench_log.%d.log", folder, (int)getpid());
    make_values();
    use_counter = ticks_use_counter();
    if (!use_counter)
        printf("The kernel does not trust this machine's time stamp counter: latencies are those of a clock "
               "that "
               "takes tens of nanoseconds itself.\n");
    if (call_only)
        return only_call();
    run_parts(part);
    return unlink(log_path);
}
