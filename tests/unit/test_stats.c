#define _GNU_SOURCE
#include "log_reader.h"

#include <pthread.h>
#include <signal.h>
#include <sys/wait.h>

static ll_stats stats;
static ll_recent_error recent[LL_RECENT_ERRORS_MAX];

static const ll_stats *now(void)
{
    assert_int_equal(ll_stats_get(&stats), LL_OK);
    return &stats;
}

static uint64_t count_of(const ll_stats *in, const char *type)
{
    for (uint32_t i = 0; i < in->type_count; i++)
        if (strcmp(in->types[i].name, type) == 0)
            return in->types[i].count;
    return 0;
}

static void a_record_counts_as_soon_as_its_call_has_returned(void **state)
{
    (void)state;
    open_log("app.log");
    for (int i = 1; i <= 300; i++) {
        ll_info("fine", ll_kv("i", i));
        if (i % 3 == 0)
            ll_error("bad", ll_exception(i % 2 ? "OddError" : "EvenError", "why"));
        if (i % 50 != 0)
            continue;
        assert_int_equal(now()->counts[LL_LEVEL_INFO], i);
        assert_int_equal(now()->total_errors, i / 3);
        assert_int_equal(count_of(&stats, "OddError") + count_of(&stats, "EvenError"), i / 3);
        assert_int_equal(ll_stats_window(3600, &stats), LL_OK);
        assert_int_equal(stats.total_errors, i / 3);
    }
    assert_int_equal(count_of(now(), "EvenError"), 50);
    assert_int_equal(now()->untyped_errors, 0);
    assert_true(now()->types_exact);
}

static void counting_goes_on_while_nothing_can_be_written(void **state)
{
    (void)state;
    assert_int_equal(mkdir("app.log", 0700), 0); /* a folder is in the way */
    open_log("app.log");
    for (int i = 0; i < 100; i++)
        ll_critical("waits");
    pause_ms(30);
    assert_int_equal(now()->counts[LL_LEVEL_CRITICAL], 100);
    assert_int_equal(now()->untyped_errors, 100);
    assert_int_equal(rmdir("app.log"), 0);
    assert_int_equal(ll_flush(FLUSH_MS_MAX), LL_OK);
    assert_int_equal(now()->counts[LL_LEVEL_CRITICAL], 100);
}

static void the_librarys_own_records_do_not_count(void **state)
{
    ll_config config = plain_config("app.log");
    (void)state;
    config.marks = 1;
    open_with(&config);
    ll_info("one");
    ll_close();
    open_with(&config); /* after a record of the mark "close" */
    ll_warning("two");
    assert_int_equal(now()->counts[LL_LEVEL_INFO], 1);
    assert_int_equal(now()->counts[LL_LEVEL_WARNING], 1);
}

static void numbers_go_on_over_close_and_open(void **state)
{
    (void)state;
    for (int i = 1; i <= 5; i++) {
        open_log("app.log");
        ll_error("again", ll_exception("T", "m"));
        assert_int_equal(count_of(now(), "T"), i);
        assert_int_equal(ll_recent_errors(recent, LL_RECENT_ERRORS_MAX), i);
        ll_close();
    }
    assert_int_equal(count_files(".app.log.ll", ".stats", NULL), 1);
}

static void the_latest_errors_tell_where_they_happened(void **state)
{
    (void)state;
    open_log("app.log");
    ll_request_begin(&(ll_request){.request_id = "abc123", .endpoint = "/api/glossary"});
    ll_error("Database connection failed", ll_exception("OperationalError", "unable to open"));
    int line = __LINE__ - 1;
    ll_request_end();
    assert_int_equal(ll_flush(FLUSH_MS_MAX), LL_OK);
    ll_critical("no exception");
    assert_int_equal(ll_recent_errors(recent, 1), 1);
    assert_string_equal(recent[0].message, "no exception");
    assert_int_equal(ll_recent_errors(recent, LL_RECENT_ERRORS_MAX), 2);
    assert_string_equal(recent[1].type, "OperationalError");
    assert_string_equal(recent[1].message, "Database connection failed");
    assert_string_equal(recent[1].request_id, "abc123");
    assert_string_equal(recent[1].endpoint, "/api/glossary");
    assert_string_equal(recent[1].file, "test_stats.c");
    assert_int_equal(recent[1].line, line);
    struct lines lines = read_lines("app.log");
    assert_int_equal(recent[1].seq, seq_of(lines.text[0]));
    free_lines(&lines);
    assert_string_equal(recent[0].type, "");
    assert_true(recent[0].time_ns >= recent[1].time_ns);
}

static struct json_object *get(struct json_object *object, const char *key)
{
    struct json_object *value = NULL;
    if (!json_object_object_get_ex(object, key, &value))
        fail_msg("no %s in %s", key, json_object_to_json_string(object));
    return value;
}

static void the_json_is_the_contracts_and_is_written_whole_or_not_at_all(void **state)
{
    char text[8192];
    (void)state;
    open_log("app.log");
    ll_error("he said \"no\"\n", ll_exception("Quote\"Error", "m"));
    ll_critical("c");
    ll_debug("d");
    int size = ll_stats_json(NULL, 0);
    assert_in_range(size, 100, sizeof text - 1000);
    memset(text, 'x', sizeof text);
    assert_true(ll_stats_json(text, 50) >= 100);
    assert_string_equal(text, "");
    size = ll_stats_json(text, sizeof text);
    assert_int_equal(strlen(text), size);
    struct json_object *json = parse(text, (size_t)size);
    assert_int_equal(json_object_get_int(get(get(json, "error_counts"), "CRITICAL")), 1);
    assert_int_equal(json_object_get_int(get(get(json, "error_counts"), "ERROR")), 1);
    assert_int_equal(json_object_get_int(get(get(json, "error_counts"), "DEBUG")), 1);
    assert_int_equal(json_object_get_int(get(get(json, "error_types"), "Quote\"Error")), 1);
    assert_int_equal(json_object_get_int(get(json, "total_errors")), 2);
    double minutes = json_object_get_double(get(json, "tracking_duration_minutes"));
    double rate = json_object_get_double(get(json, "error_rate_per_minute"));
    assert_true(minutes > 0 && rate * minutes > 1.999 && rate * minutes < 2.001);
    assert_int_equal(json_object_array_length(get(json, "recent")), 2);
    struct json_object *oldest = json_object_array_get_idx(get(json, "recent"), 1);
    assert_string_equal(json_object_get_string(get(oldest, "message")), "he said \"no\"\n");
    json_object_put(json);
}

static void switched_off_or_closed_they_say_so(void **state)
{
    ll_config config = plain_config("app.log");
    (void)state;
    assert_int_equal(ll_stats_get(&stats), LL_ECLOSED);
    assert_int_equal(ll_recent_errors(recent, 1), LL_ECLOSED);
    assert_int_equal(ll_stats_json(NULL, 0), LL_ECLOSED);
    config.stats = 0;
    open_with(&config);
    ll_error("not counted");
    assert_int_equal(ll_stats_get(&stats), LL_EOFF);
    assert_int_equal(ll_stats_window(60, &stats), LL_EOFF);
    assert_int_equal(count_files(".app.log.ll", ".stats", NULL), 0);
    assert_int_equal(ll_stats_window(0, &stats), LL_EINVAL);
    assert_int_equal(ll_stats_window(LL_STATS_SECONDS_MAX + 1, &stats), LL_EINVAL);
}

static void a_program_that_knows_a_smaller_struct_gets_what_it_knows(void **state)
{
    struct {
        uint64_t counts[LL_STATS_LEVELS];
        uint64_t guard;
    } old = {.guard = 42};
    struct {
        ll_recent_error error;
        char more[16];
    } newer[2];
    (void)state;
    open_log("app.log");
    ll_error("first");
    ll_error("second");
    assert_int_equal(ll_stats_get_sized((ll_stats *)(void *)&old, sizeof old.counts), LL_OK);
    assert_int_equal(old.counts[LL_LEVEL_ERROR], 2);
    assert_int_equal(old.guard, 42);
    memset(newer, 'x', sizeof newer);
    assert_int_equal(ll_recent_errors_sized(&newer[0].error, sizeof newer[0], 2), 2);
    assert_string_equal(newer[1].error.message, "first");
    assert_int_equal(newer[1].more[0], 0);
}

static void without_a_file_the_numbers_are_kept_in_memory(void **state)
{
    (void)state;
    assert_int_equal(close(open("app.log", O_CREAT | O_WRONLY, 0600)), 0);
    assert_int_equal(close(open(".app.log.ll", O_CREAT | O_WRONLY, 0600)), 0); /* no folder can be made */
    open_log("app.log");
    ll_error("e", ll_exception("T", "m"));
    assert_int_equal(ll_flush(FLUSH_MS_MAX), LL_OK);
    ll_error("e", ll_exception("T", "m"));
    assert_int_equal(count_of(now(), "T"), 2);
}

/* --- while others count --------------------------------------------------------------------------------- */

enum { THREADS = 3, ROUNDS = 3000 };

/* Each round: one INFO, then one ERROR. */
static void *log_pairs(void *type)
{
    for (int i = 0; i < ROUNDS; i++) {
        ll_info("before");
        ll_error("after", ll_exception(type, "m"));
    }
    return NULL;
}

/* What one moment can be: numbers never go back, and no error is there without the INFO before it. */
static void expect_one_moment(uint64_t *errors_before)
{
    uint64_t typed = 0, infos = now()->counts[LL_LEVEL_INFO], errors = stats.total_errors;
    for (uint32_t i = 0; i < stats.type_count; i++)
        typed += stats.types[i].count;
    assert_int_equal(typed, errors);
    assert_in_range(infos, errors, errors + THREADS);
    assert_true(errors >= *errors_before);
    *errors_before = errors;
}

static void a_reader_sees_one_moment_while_threads_log_and_the_writer_counts(void **state)
{
    static const char *const types[THREADS] = {"A", "B", "C"};
    pthread_t thread[THREADS];
    uint64_t errors = 0;
    (void)state;
    open_log("app.log");
    for (int i = 0; i < THREADS; i++)
        assert_int_equal(pthread_create(&thread[i], NULL, log_pairs, (void *)types[i]), 0);
    while (errors < THREADS * ROUNDS)
        expect_one_moment(&errors);
    for (int i = 0; i < THREADS; i++)
        pthread_join(thread[i], NULL);
    for (int i = 0; i < THREADS; i++)
        assert_int_equal(count_of(now(), types[i]), ROUNDS);
    assert_int_equal(ll_recent_errors(recent, LL_RECENT_ERRORS_MAX), LL_RECENT_ERRORS_MAX);
}

#if !defined(__SANITIZE_THREAD__)
static void a_forked_child_begins_at_0_and_the_parent_counts_on(void **state)
{
    int status;
    (void)state;
    open_log("app.log");
    ll_error("parent's");
    pid_t child = fork();
    if (child == 0) {
        ll_warning("child's");
        _exit(ll_stats_get(&stats) == LL_OK && stats.total_errors == 0 && stats.counts[LL_LEVEL_WARNING] == 1
                  ? 0
                  : 1);
    }
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_int_equal(status, 0);
    ll_error("parent's");
    assert_int_equal(now()->total_errors, 2);
    assert_int_equal(now()->counts[LL_LEVEL_WARNING], 0);
}

/* Statistics of dead runs: the latest 8 stay. */
static void of_dead_runs_the_latest_8_are_kept(void **state)
{
    (void)state;
    for (int i = 0; i < 13; i++) {
        int status;
        pid_t child = fork();
        if (child == 0) {
            open_log("app.log");
            ll_error("dies");
            raise(SIGKILL);
        }
        assert_int_equal(waitpid(child, &status, 0), child);
        assert_true(WIFSIGNALED(status));
    }
    open_log("app.log");
    ll_info("the living one");
    assert_int_equal(count_files(".app.log.ll", ".stats", NULL), 8 + 1);
}
#endif

int main(void)
{
    const struct CMUnitTest tests[] = {
        in_folder(a_record_counts_as_soon_as_its_call_has_returned),
        in_folder(counting_goes_on_while_nothing_can_be_written),
        in_folder(the_librarys_own_records_do_not_count),
        in_folder(numbers_go_on_over_close_and_open),
        in_folder(the_latest_errors_tell_where_they_happened),
        in_folder(the_json_is_the_contracts_and_is_written_whole_or_not_at_all),
        in_folder(switched_off_or_closed_they_say_so),
        in_folder(a_program_that_knows_a_smaller_struct_gets_what_it_knows),
        in_folder(without_a_file_the_numbers_are_kept_in_memory),
        in_folder(a_reader_sees_one_moment_while_threads_log_and_the_writer_counts),
#if !defined(__SANITIZE_THREAD__)
        in_folder(a_forked_child_begins_at_0_and_the_parent_counts_on),
        in_folder(of_dead_runs_the_latest_8_are_kept),
#endif
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
