#define _GNU_SOURCE
#include "liblog/levels.h"
#include "log_reader.h"

#include <pthread.h>

/* --- the rules ------------------------------------------------------------------------------------------ */

static ll_level level_of(const char *rules, const char *logger)
{
    struct levels levels;
    ll_problem problem = {0};
    if (levels_parse(&levels, rules, &problem) != LL_OK)
        fail_msg("%s", problem.text);
    return levels_of(&levels, logger);
}

static void the_rule_with_the_longest_name_above_a_logger_holds(void **state)
{
    static const char rules[] = "warning,backend=error,backend.database=debug,backend.database.pool=off";
    (void)state;
    assert_int_equal(level_of(rules, "root"), LL_LEVEL_WARNING);
    assert_int_equal(level_of(rules, "backend"), LL_LEVEL_ERROR);
    assert_int_equal(level_of(rules, "backend.http"), LL_LEVEL_ERROR);
    assert_int_equal(level_of(rules, "backend.database"), LL_LEVEL_DEBUG);
    assert_int_equal(level_of(rules, "backend.database.query"), LL_LEVEL_DEBUG);
    assert_int_equal(level_of(rules, "backend.database.pool.idle"), LL_LEVEL_OFF);
    assert_int_equal(level_of(rules, "backend.databases"), LL_LEVEL_ERROR); /* another name, not one below */
    assert_int_equal(level_of(rules, "backends"), LL_LEVEL_WARNING);
    assert_int_equal(level_of(rules, ""), LL_LEVEL_WARNING);
    assert_int_equal(level_of("a.b=debug,a=error,off", "a.b.c"),
                     LL_LEVEL_DEBUG); /* in whatever order they stand */
}

static void levels_are_read_in_any_case_with_blanks_and_their_other_names(void **state)
{
    (void)state;
    assert_int_equal(level_of("", "x"), LL_LEVEL_INFO);
    assert_int_equal(level_of("DEBUG", "x"), LL_LEVEL_DEBUG);
    assert_int_equal(level_of("Warn", "x"), LL_LEVEL_WARNING);
    assert_int_equal(level_of("fatal", "x"), LL_LEVEL_CRITICAL);
    assert_int_equal(level_of(" error , x=trace ,", "x"), LL_LEVEL_TRACE);
    assert_int_equal(level_of("x=debug", "y"), LL_LEVEL_INFO);
    assert_int_equal(level_of("info,debug", "x"), LL_LEVEL_DEBUG);
    assert_int_equal(level_of("x=info,x=error", "x"), LL_LEVEL_ERROR);
}

static void expect_refused(const char *rules, const char *part)
{
    struct levels levels;
    ll_problem problem = {0};
    assert_int_equal(levels_parse(&levels, rules, &problem), LL_EINVAL);
    assert_int_equal(problem.error, LL_EINVAL);
    assert_non_null(strstr(problem.text, "LOG_LEVEL"));
    if (!strstr(problem.text, part))
        fail_msg("%s does not tell %s", problem.text, part);
}

static void a_rule_that_cannot_be_is_refused_and_told(void **state)
{
    char name[300], many[2048] = "info";
    (void)state;
    expect_refused("loud", "\"loud\"");
    expect_refused("info,backend=verbose", "\"backend=verbose\"");
    expect_refused("=debug", "\"=debug\"");
    expect_refused("a=", "\"a=\"");
    expect_refused("5", "\"5\"");
    memset(name, 'n', sizeof name);
    memcpy(name + LEVELS_NAME_SIZE - 1, "=debug", 7);
    assert_int_equal(level_of(name, "x"), LL_LEVEL_INFO);
    name[LEVELS_NAME_SIZE - 1] = 'n';
    memcpy(name + LEVELS_NAME_SIZE, "=debug", 7);
    expect_refused(name, "nnnn");
    for (int i = 0; i <= LEVELS_RULES_MAX; i++)
        snprintf(many + strlen(many), sizeof many - strlen(many), ",l%d=debug", i);
    expect_refused(many, "\"l64=debug\"");
}

/* --- in a running program ------------------------------------------------------------------------------- */

static int evaluated;

static int evaluate(void)
{
    return ++evaluated;
}

static void the_arguments_of_a_disabled_call_are_not_evaluated(void **state)
{
    ll_config config = plain_config("app.log");
    (void)state;
    snprintf(config.level, sizeof config.level, "warning");
    evaluated = 0;
    open_with(&config);
    for (int i = 0; i < 3; i++) {
        ll_info("off", ll_kv("n", evaluate()));
        ll_infof("off %d", evaluate());
    }
    assert_int_equal(evaluated, 0);
    ll_warning("on", ll_kv("n", evaluate()));
    assert_int_equal(evaluated, 1);
    struct lines lines = close_and_read("app.log", 1);
    free_lines(&lines);
    ll_critical("closed", ll_kv("n", evaluate()));
}

#undef LL_LOGGER
#define LL_LOGGER "backend.database"

static void log_at_all_levels(int round)
{
    ll_trace("t", ll_kv("round", round));
    ll_debug("d", ll_kv("round", round));
    ll_info("i", ll_kv("round", round));
    ll_error("e", ll_kv("round", round));
}

static void a_level_set_while_running_holds_from_the_next_call_on(void **state)
{
    static const struct {
        const char *logger;
        ll_level level;
        size_t lines;
    } steps[] = {{NULL, LL_LEVEL_INFO, 2},
                 {"backend", LL_LEVEL_TRACE, 4},
                 {"backend.database", LL_LEVEL_ERROR, 1},
                 {"backend", LL_LEVEL_OFF, 1},
                 {NULL, LL_LEVEL_TRACE, 1},
                 {"backend.database", LL_LEVEL_OFF, 0},
                 {"frontend", LL_LEVEL_INFO, 0},
                 {"backend.database", LL_LEVEL_DEBUG, 3}};
    size_t count = 0;
    (void)state;
    open_log("app.log");
    for (size_t i = 0; i < sizeof steps / sizeof steps[0]; i++) {
        assert_int_equal(ll_set_level(steps[i].logger, steps[i].level), LL_OK);
        log_at_all_levels((int)i);
        count += steps[i].lines;
    }
    struct lines lines = close_and_read("app.log", count);
    for (size_t i = 0, line = 0; i < sizeof steps / sizeof steps[0]; i++)
        for (size_t k = 0; k < steps[i].lines; k++, line++) {
            assert_int_equal(field_number(lines.text[line], "round"), i);
            expect_member(lines.text[line], "logger", "\"backend.database\"");
        }
    free_lines(&lines);
}

static void a_level_that_cannot_be_is_refused(void **state)
{
    char name[200];
    (void)state;
    memset(name, 'n', sizeof name);
    name[sizeof name - 1] = '\0';
    open_log("app.log");
    assert_int_equal(ll_set_level(NULL, (ll_level)7), LL_EINVAL);
    assert_int_equal(ll_set_level(NULL, (ll_level)-1), LL_EINVAL);
    assert_int_equal(ll_set_level(name, LL_LEVEL_INFO), LL_EINVAL);
    for (int i = 0; i < LEVELS_RULES_MAX; i++) {
        snprintf(name, sizeof name, "l%d", i);
        assert_int_equal(ll_set_level(name, LL_LEVEL_INFO), LL_OK);
    }
    assert_int_equal(ll_set_level("one too many", LL_LEVEL_INFO), LL_ENOMEM);
    assert_int_equal(ll_set_level("l63", LL_LEVEL_DEBUG), LL_OK);
}

static void *set_levels(void *argument)
{
    (void)argument;
    for (int i = 0; i < 300; i++)
        ll_set_level("backend", i % 2 ? LL_LEVEL_OFF : LL_LEVEL_TRACE);
    ll_set_level("backend", LL_LEVEL_TRACE);
    return NULL;
}

static void levels_may_change_while_others_log(void **state)
{
    pthread_t thread;
    (void)state;
    open_log("app.log");
    pthread_create(&thread, NULL, set_levels, NULL);
    for (int i = 0; i < 20000; i++)
        ll_info("busy", ll_kv("round", i));
    pthread_join(thread, NULL);
    ll_info("last", ll_kv("round", 0));
    ll_close();
    struct lines lines = read_lines("app.log");
    expect_member(lines.text[lines.count - 1], "message", "\"last\"");
    uint64_t before = 0;
    for (size_t i = 0; i + 1 < lines.count; i++) {
        assert_true(i == 0 || field_number(lines.text[i], "round") > before);
        before = field_number(lines.text[i], "round");
    }
    free_lines(&lines);
}

#undef LL_LEVEL_FLOOR
#define LL_LEVEL_FLOOR LL_LEVEL_INFO

static void calls_below_the_floor_are_not_there_whatever_the_level(void **state)
{
    (void)state;
    evaluated = 0;
    open_log("app.log");
    ll_debug("below", ll_kv("n", evaluate()));
    ll_debugf("below %d", evaluate());
    ll_info("at the floor");
    assert_int_equal(evaluated, 0);
    struct lines lines = close_and_read("app.log", 1);
    free_lines(&lines);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_rule_with_the_longest_name_above_a_logger_holds),
        cmocka_unit_test(levels_are_read_in_any_case_with_blanks_and_their_other_names),
        cmocka_unit_test(a_rule_that_cannot_be_is_refused_and_told),
        in_folder(the_arguments_of_a_disabled_call_are_not_evaluated),
        in_folder(a_level_set_while_running_holds_from_the_next_call_on),
        in_folder(a_level_that_cannot_be_is_refused),
        in_folder(levels_may_change_while_others_log),
        in_folder(calls_below_the_floor_are_not_there_whatever_the_level),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
