#define _GNU_SOURCE
#include "log_reader.h"

#include "liblog/early.h"

#include <pthread.h>
#include <sys/wait.h>

/* What is logged before the log is open: liblog/early.h. */

/* Each test is as a program of its own. */
static int before_open(void **state)
{
    instance_ever_opened = false;
    ll_set_level(NULL, LL_LEVEL_INFO);
    return enter_folder(state);
}

#define in_program(test) cmocka_unit_test_setup_teardown(test, before_open, leave_folder)

static void log_numbers(int from, int to)
{
    for (int i = from; i < to; i++)
        ll_info("early", ll_kv("i", i));
}

static void expect_numbers(const struct lines *lines, uint64_t from, uint64_t to)
{
    uint64_t next = from;
    for (size_t i = 0; i < lines->count; i++)
        if (strstr(lines->text[i], "\"message\":\"early\""))
            assert_int_equal(field_number(lines->text[i], "i"), next++);
    assert_int_equal(next, to);
}

static void what_was_logged_before_open_stands_first_with_all_it_has(void **state)
{
    char key[] = "made";
    (void)state;
    log_numbers(0, 100);
    ll_request_begin(&(ll_request){.request_id = "abc123", .endpoint = "/cart"});
    ll_error("failed", ll_exception("TimeoutError", "no answer"), ll_kv(key, "text"), ll_kv("d", 0.5));
    ll_request_end();
    open_log("app.log");
    ll_info("late");
    struct lines lines = close_and_read("app.log", 102);
    expect_numbers(&lines, 0, 100);
    expect_member(lines.text[100], "message", "\"failed\"");
    expect_member(lines.text[100], "request_id", "\"abc123\"");
    expect_member(lines.text[100], "endpoint", "\"/cart\"");
    expect_member(lines.text[100], "exception", "{\"type\":\"TimeoutError\",\"message\":\"no answer\"}");
    expect_member(lines.text[100], "fields", "{\"made\":\"text\",\"d\":0.5}");
    assert_non_null(strstr(member(lines.text[100], "source"), "\"file\":\"test_early.c\""));
    expect_member(lines.text[101], "message", "\"late\"");
    expect_gapless(&lines, ll_run_id(), seq_of(lines.text[0]));
    free_lines(&lines);
}

/* "2025-10-19T14:30:07.5Z", in its quotes: 7.5. */
static double seconds_of(const char *line)
{
    return atof(member(line, "timestamp") + 18);
}

static void its_time_is_that_of_the_call(void **state)
{
    (void)state;
    log_numbers(0, 1);
    pause_ms(60);
    open_log("app.log");
    ll_info("late");
    struct lines lines = close_and_read("app.log", 2);
    double first = seconds_of(lines.text[0]);
    double second = seconds_of(lines.text[1]);
    double passed = second - first + (second < first ? 60 : 0);
    assert_true(passed > 0.055 && passed < 30);
    free_lines(&lines);
}

static void what_the_settings_turn_off_is_left_out(void **state)
{
    ll_config config = plain_config("app.log");
    (void)state;
    snprintf(config.level, sizeof config.level, "error");
    log_numbers(0, 5);
    ll_error("an error");
    open_with(&config);
    struct lines lines = close_and_read("app.log", 1);
    expect_member(lines.text[0], "message", "\"an error\"");
    free_lines(&lines);
}

static uint64_t dropped_in(const struct lines *lines)
{
    uint64_t sum = 0;
    for (size_t i = 0; i < lines->count; i++) {
        const char *dropped = member(lines->text[i], "dropped");
        sum += dropped ? strtoull(dropped + strlen("{\"count\":"), NULL, 10) : 0;
    }
    return sum;
}

static void what_does_not_fit_is_counted_and_announced(void **state)
{
    enum { CALLS = 5000 };
    ll_health health;
    (void)state;
    log_numbers(0, CALLS);
    open_log("app.log");
    ll_flush(FLUSH_MS_MAX);
    ll_health_get(&health);
    ll_close();
    struct lines lines = read_lines("app.log");
    uint64_t kept = count_with(&lines, "\"message\":\"early\"");
    expect_numbers(&lines, 0, kept);
    assert_true(kept > EARLY_BYTES_MAX / 1000 && kept < CALLS);
    assert_int_equal(kept + dropped_in(&lines), CALLS);
    assert_int_equal(health.dropped, CALLS - kept);
    free_lines(&lines);
}

static void *log_some(void *argument)
{
    log_numbers((int)(intptr_t)argument, (int)(intptr_t)argument + 20);
    return NULL;
}

static void threads_that_log_before_open_lose_nothing(void **state)
{
    pthread_t threads[4];
    (void)state;
    for (intptr_t i = 0; i < 4; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, log_some, (void *)(20 * i)), 0);
    for (int i = 0; i < 4; i++)
        pthread_join(threads[i], NULL);
    open_log("app.log");
    struct lines lines = close_and_read("app.log", 80);
    bool seen[80] = {false};
    for (size_t i = 0; i < 80; i++)
        seen[field_number(lines.text[i], "i")] = true;
    for (size_t i = 0; i < 80; i++)
        assert_true(seen[i]);
    free_lines(&lines);
}

static void a_secret_is_no_less_hidden(void **state)
{
    (void)state;
    ll_info("login", ll_kv("password", "hunter2"), ll_secret("pin", "1234"));
    open_log("app.log");
    struct lines lines = close_and_read("app.log", 1);
    assert_null(strstr(lines.text[0], "hunter2"));
    assert_null(strstr(lines.text[0], "1234"));
    free_lines(&lines);
}

/* daemon(3) is this: the parent ends, and the child opens the log. */
static __attribute__((unused)) void of_a_family_whoever_opens_first_writes_it_once(void **state)
{
    int status;
    (void)state;
    log_numbers(0, 10);
    pid_t child = fork();
    if (child == 0) {
        open_log("app.log");
        log_numbers(10, 15);
        ll_close();
        _exit(0);
    }
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_int_equal(status, 0);
    open_log("app.log");
    log_numbers(15, 20);
    struct lines lines = close_and_read("app.log", 20);
    expect_numbers(&lines, 0, 20);
    free_lines(&lines);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        in_program(what_was_logged_before_open_stands_first_with_all_it_has),
        in_program(its_time_is_that_of_the_call),
        in_program(what_the_settings_turn_off_is_left_out),
        in_program(what_does_not_fit_is_counted_and_announced),
        in_program(threads_that_log_before_open_lose_nothing),
        in_program(a_secret_is_no_less_hidden),
#if !defined(__SANITIZE_THREAD__) /* which does not follow forks */
        in_program(of_a_family_whoever_opens_first_writes_it_once),
#endif
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
