/*
 * Every allocation and every call of the system fails once, in each place: no crash, no hang, nothing leaked,
 * and each record that was logged is in the log once or announced as left out.
 */
#define _GNU_SOURCE
#include "failing_calls.h"
#include "log_reader.h"

#include <signal.h>
#include <sys/resource.h>
#include <sys/wait.h>

enum { RECORDS = 30, PLACES_MAX = 2000 };

static int descriptors(void)
{
    int count = 0;
    DIR *entries = opendir("/proc/self/fd");
    while (readdir(entries))
        count++;
    closedir(entries);
    return count;
}

static void remove_all(void)
{
    nftw(".", remove_one, 16, FTW_DEPTH | FTW_PHYS); /* but the folder itself, in which we are */
}

static void log_some(void)
{
    for (int i = 0; i < RECORDS; i++) {
        if (i % 10 == 9)
            ll_error("an error", ll_exception("T", "message"), ll_kv("i", i));
        else
            ll_info("goes on", ll_kv("i", i));
    }
}

/* Records in the log, once each and in order, and those announced as left out. */
static uint64_t accounted(const char *place)
{
    struct lines lines = {0};
    if (access("app.log", F_OK) == 0)
        lines = read_lines("app.log");
    uint64_t dropped = 0, count = 0, next = lines.count ? seq_of(lines.text[0]) : 0;
    for (size_t i = 0; i < lines.count; i++) {
        if (seq_of(lines.text[i]) != next++)
            fail_msg("%s: seq %llu where %llu was due", place, (unsigned long long)seq_of(lines.text[i]),
                     (unsigned long long)next - 1);
        const char *mark = member(lines.text[i], "mark");
        count += !mark;
        if (mark && strcmp(mark, "\"dropped\"") == 0)
            dropped += strtoull(member(lines.text[i], "dropped") + strlen("{\"count\":"), NULL, 10);
    }
    free_lines(&lines);
    return count + dropped;
}

static ll_config torture_config(void)
{
    ll_config config = plain_config("app.log");
    snprintf(config.error_file, sizeof config.error_file, "errors.log");
    config.sync = LL_SYNC_ERROR;
    config.block_max_ns = 1000000000;
    config.marks = 1;
    return config;
}

/* The library's words about a log that cannot be written are not for who reads the test. */
static int silence(void)
{
    int before = dup(STDERR_FILENO), nowhere = open("/dev/null", O_WRONLY);
    dup2(nowhere, STDERR_FILENO);
    close(nowhere);
    return before;
}

static void speak(int before)
{
    dup2(before, STDERR_FILENO);
    close(before);
}

/* --- a log's life --------------------------------------------------------------------------------------- */

static bool live_with_failure(int64_t number, enum fail_kind kind)
{
    ll_config config = torture_config();
    ll_problem problem = {0};
    char place[64];
    int words = silence();
    fail_call(number, kind);
    int error = ll_open(&config, &problem);
    log_some();
    ll_flush(FLUSH_MS_MAX);
    log_some();
    ll_close();
    bool failed = fail_no_more();
    speak(words);
    snprintf(place, sizeof place, "%s, the call %lld", failed ? failed_call : "none", (long long)number);
    if (error)
        assert_true(*problem.text && problem.error == error);
    ll_recover("app.log", &(ll_recover_options){.error_file = "errors.log"}, NULL, NULL);
    uint64_t count = error ? 0 : accounted(place);
    if (!error && count != 2 * RECORDS)
        fail_msg("%s: %llu of %d records", place, (unsigned long long)count, 2 * RECORDS);
    return failed;
}

static void whatever_fails_in_a_logs_life_each_record_is_accounted_for(void **state)
{
    static const enum fail_kind kinds[] = {FAIL_HARD, FAIL_SOFT};
    (void)state;
    for (int kind = 0; kind < 2; kind++) {
        int64_t number = 0;
        int open_before = descriptors();
        while (number < PLACES_MAX && live_with_failure(number, kinds[kind])) {
            if (descriptors() != open_before)
                fail_msg("%s, the call %lld, leaves a descriptor open", failed_call, (long long)number);
            remove_all();
            number++;
        }
        assert_in_range(number, 5, PLACES_MAX - 1);
        remove_all();
    }
}

/* --- recovery ------------------------------------------------------------------------------------------- */

enum { BYTES_ON_DISK = 20000 };

/* Logs until its disk is full in the middle of a block, and is killed. */
static void log_and_die(uint64_t *calls)
{
    ll_config config = torture_config();
    struct rlimit limit = {BYTES_ON_DISK, RLIM_INFINITY};
    ll_health health = {0};
    config.sync = LL_SYNC_NEVER;
    silence();
    signal(SIGXFSZ, SIG_IGN);
    if (ll_open(&config, NULL) != LL_OK)
        _exit(1);
    log_some(); /* makes the ring, which is longer than files may be from now on */
    *calls += RECORDS;
    ll_flush(FLUSH_MS_MAX);
    setrlimit(RLIMIT_FSIZE, &limit);
    while (!health.stalled) {
        log_some();
        *calls += RECORDS;
        pause_ms(2);
        ll_health_get(&health);
    }
    raise(SIGKILL);
}

/* Returns what is in the log then: a part of a block, whose rest is in the ring. */
static char *leave_ring(uint64_t *calls, size_t *ret_size)
{
    int status;
    *calls = 0;
    pid_t child = fork();
    assert_true(child >= 0);
    if (child == 0)
        log_and_die(calls);
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_true(WIFSIGNALED(status));
    char *part = read_file("app.log", ret_size);
    assert_int_equal(*ret_size, BYTES_ON_DISK);
    while (part[*ret_size - 1] != '\n')
        --*ret_size;
    return part;
}

static bool recover_with_failure(int64_t number, enum fail_kind kind, uint64_t *calls)
{
    ll_recover_options options = {.error_file = "errors.log"};
    ll_problem problem = {0};
    size_t part_size, size;
    char place[64], *part = leave_ring(calls, &part_size);
    fail_call(number, kind);
    ll_recover("app.log", &options, NULL, &problem);
    bool failed = fail_no_more();
    snprintf(place, sizeof place, "%s, the call %lld", failed ? failed_call : "none", (long long)number);
    if (ll_recover("app.log", &options, NULL, &problem) != LL_OK)
        fail_msg("%s: %s", place, problem.text);
    uint64_t count = accounted(place);
    if (count != *calls)
        fail_msg("%s: %llu of %llu records", place, (unsigned long long)count, (unsigned long long)*calls);
    char *whole = read_file("app.log", &size);
    if (size < part_size || memcmp(part, whole, part_size) != 0)
        fail_msg("%s: lines that somebody may have read are not where they were", place);
    free(part);
    free(whole);
    return failed;
}

static void whatever_fails_in_a_recovery_the_next_one_finishes_it(void **state)
{
    static const enum fail_kind kinds[] = {FAIL_HARD, FAIL_SOFT};
    uint64_t *calls = mmap(NULL, sizeof *calls, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    int open_before = descriptors();
    (void)state;
    for (int kind = 0; kind < 2; kind++) {
        int64_t number = 0;
        for (; number < PLACES_MAX && recover_with_failure(number, kinds[kind], calls); number++) {
            if (descriptors() != open_before)
                fail_msg("%s, the call %lld, leaves a descriptor open", failed_call, (long long)number);
            remove_all();
        }
        assert_in_range(number, 5, PLACES_MAX - 1);
        remove_all();
    }
    munmap(calls, sizeof *calls);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        in_folder(whatever_fails_in_a_logs_life_each_record_is_accounted_for),
        in_folder(whatever_fails_in_a_recovery_the_next_one_finishes_it),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
