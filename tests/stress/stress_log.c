/*
 * Everything at once, for ThreadSanitizer and for who doubts: threads that log without pause, threads that
 * come and go, rotation by rename, levels set, requests, flushes, health; then closing and opening under it.
 * Afterwards each record is there once and the numbers have no gap. Forks and signal handlers are left to the
 * unit tests: the sanitizer does not follow them.
 *
 *     stress_log [RECORDS_PER_THREAD]
 */
#define _GNU_SOURCE
#include <ftw.h>
#include <liblog/liblog.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

enum { THREADS = 4, FILES_MAX = 1000, SHORT_THREAD = THREADS };

static long records_each = 20000;
static bool stop; /* atomic */
static int rotations;
static uint64_t short_lived;
static uint64_t first_seq; /* the last number before this phase */

static void must(bool holds, const char *what)
{
    if (holds)
        return;
    fprintf(stderr, "stress_log: %s\n", what);
    exit(1);
}

static void pause_us(long us)
{
    nanosleep(&(struct timespec){0, us * 1000}, NULL);
}

/* --- what happens at once ------------------------------------------------------------------------------- */

static void *log_steadily(void *argument)
{
    static const char filler[] =
        "text of a length that changes from call to call, so that frames meet the ring's end";
    int thread = (int)(intptr_t)argument;
    for (long i = 0; i < records_each; i++) {
        ll_request_begin(&(ll_request){.request_id = "r", .endpoint = "/stress"});
        if (i % 50 == 0)
            ll_error("busy", ll_kv("thread", thread), ll_kv("i", i), ll_exception("T", "m"));
        else
            ll_info("busy", ll_kv("thread", thread), ll_kv("i", i),
                    ll_strn("t", filler, (size_t)i % sizeof filler));
        ll_request_end();
    }
    return NULL;
}

static void *log_once(void *argument)
{
    ll_info("short", ll_kv("thread", SHORT_THREAD), ll_kv("i", (uint64_t)(uintptr_t)argument));
    return NULL;
}

static void *come_and_go(void *unused)
{
    for (; !__atomic_load_n(&stop, __ATOMIC_ACQUIRE); short_lived++) {
        pthread_t thread;
        must(pthread_create(&thread, NULL, log_once, (void *)(uintptr_t)short_lived) == 0, "no thread");
        pthread_join(thread, NULL);
    }
    return unused;
}

static void *rotate(void *unused)
{
    char name[64];
    while (!__atomic_load_n(&stop, __ATOMIC_ACQUIRE)) {
        pause_us(5000);
        snprintf(name, sizeof name, "app.log.%d", rotations);
        if (rotations < FILES_MAX && rename("app.log", name) == 0)
            rotations++;
    }
    return unused;
}

static void *meddle(void *unused)
{
    ll_health health;
    for (int i = 0; !__atomic_load_n(&stop, __ATOMIC_ACQUIRE); i++) {
        ll_set_level("another.logger", i % 2 ? LL_LEVEL_OFF : LL_LEVEL_TRACE);
        ll_health_get(&health);
        ll_flush(5);
        if (i % 10 == 0)
            ll_reopen();
        pause_us(500);
    }
    return unused;
}

static void *close_and_open(void *argument)
{
    const ll_config *config = argument;
    while (!__atomic_load_n(&stop, __ATOMIC_ACQUIRE)) {
        pause_us(3000);
        ll_close();
        must(ll_open(config, NULL) == LL_OK, "it does not open again");
    }
    return NULL;
}

/* --- the account ---------------------------------------------------------------------------------------- */

static uint64_t number_after(const char *line, const char *key)
{
    const char *at = strstr(line, key);
    must(at != NULL, line);
    return strtoull(at + strlen(key), NULL, 10);
}

struct account {
    uint64_t seq, count;
    uint8_t *seen[THREADS + 1];
};

static void count_file(struct account *account, const char *path)
{
    char *line = NULL;
    size_t capacity = 0;
    FILE *file = fopen(path, "r");
    if (!file)
        return;
    for (ssize_t size; (size = getline(&line, &capacity, file)) > 0;) {
        must(line[size - 1] == '\n' && line[0] == '{' && line[size - 2] == '}', "a torn line");
        must(number_after(line, "\"seq\":") == ++account->seq, "a gap in the numbers");
        uint64_t thread = number_after(line, "\"fields\":{\"thread\":"), i = number_after(line, ",\"i\":");
        must(thread <= THREADS && !account->seen[thread][i]++, "a record twice");
        account->count++;
    }
    free(line);
    fclose(file);
}

static uint64_t count_all(uint64_t records_max)
{
    struct account account = {.seq = first_seq};
    char name[64];
    for (int i = 0; i <= THREADS; i++)
        must((account.seen[i] = calloc(records_max + 1, 1)) != NULL, "no memory");
    for (int i = 0; i <= rotations; i++) {
        snprintf(name, sizeof name, i < rotations ? "app.log.%d" : "app.log", i);
        count_file(&account, name);
    }
    for (int i = 0; i <= THREADS; i++)
        free(account.seen[i]);
    return account.count;
}

/* --- two phases ----------------------------------------------------------------------------------------- */

static void run(pthread_t *threads, int count, void *(*const *bodies)(void *), void *argument)
{
    pthread_t loggers[THREADS];
    stop = false;
    for (intptr_t i = 0; i < THREADS; i++)
        must(pthread_create(&loggers[i], NULL, log_steadily, (void *)i) == 0, "no thread");
    for (int i = 0; i < count; i++)
        must(pthread_create(&threads[i], NULL, bodies[i], argument) == 0, "no thread");
    for (int i = 0; i < THREADS; i++)
        pthread_join(loggers[i], NULL);
    __atomic_store_n(&stop, true, __ATOMIC_RELEASE);
    for (int i = 0; i < count; i++)
        pthread_join(threads[i], NULL);
}

static int remove_but_the_top(const char *path, const struct stat *st, int type, struct FTW *walk)
{
    (void)st;
    (void)type;
    return walk->level == 0 ? 0 : remove(path);
}

int main(int argc, char **argv)
{
    static void *(*const all[])(void *) = {come_and_go, rotate, meddle};
    static void *(*const closing[])(void *) = {close_and_open};
    char folder[] = "/tmp/stress-log-XXXXXX";
    pthread_t threads[3];
    ll_config config;
    if (argc > 1)
        records_each = atol(argv[1]);
    must(mkdtemp(folder) && chdir(folder) == 0, "no folder");
    ll_config_init(&config);
    snprintf(config.file, sizeof config.file, "app.log");
    config.marks = 0;
    config.ring_bytes = 65536;
    config.block_max_ns = INT64_C(60000000000);

    /* all at once: nothing is missing */
    must(ll_open(&config, NULL) == LL_OK, "it does not open");
    run(threads, 3, all, NULL);
    ll_close();
    uint64_t logged = (uint64_t)records_each * THREADS + short_lived;
    must(count_all((uint64_t)records_each + short_lived) == logged, "records are missing");
    printf("%llu records, %llu of them by threads that lived for one, in %d files\n",
           (unsigned long long)logged, (unsigned long long)short_lived, rotations + 1);

    /* closed and opened meanwhile: what is called while it is closed is left out, the rest is there once */
    must(nftw(".", remove_but_the_top, 16, FTW_DEPTH | FTW_PHYS) == 0, "the folder cannot be cleared");
    snprintf(config.file, sizeof config.file, "%s/app.log", folder);
    rotations = 0;
    first_seq = logged;
    must(ll_open(&config, NULL) == LL_OK, "it does not open");
    run(threads, 1, closing, &config);
    ll_close();
    uint64_t kept = count_all((uint64_t)records_each);
    must(kept > 0 && kept <= (uint64_t)records_each * THREADS, "more records than calls");
    printf("%llu records while it was closed and opened\n", (unsigned long long)kept);
    must(nftw(".", remove_but_the_top, 16, FTW_DEPTH | FTW_PHYS) == 0 && rmdir(folder) == 0,
         "the folder stays");
    return 0;
}
