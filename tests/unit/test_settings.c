#define _GNU_SOURCE
#include "log_reader.h"

#include <errno.h>

static const char *const variables[] = {
    "LOG_LEVEL",    "LOG_FILE",      "LOG_ERROR_FILE", "LOG_SERVICE",  "APP_ENV",        "LOG_RUN_ID",
    "LOG_RING_DIR", "LOG_RING_SIZE", "LOG_BLOCK_MAX",  "LOG_OVERFLOW", "LOG_SOURCE",     "LOG_MARKS",
    "LOG_FORMAT",   "LOG_ROTATE",    "LOG_SYNC",       "LOG_REDACT",   "LOG_RATE_LIMIT", "LOG_SAMPLE",
    "LOG_STATS",    "LOG_COMPRESS",  "LOG_MAX_SIZE",   "LOG_MAX_FILES"};
enum { VARIABLES = sizeof variables / sizeof variables[0] };

static int no_variables(void **state)
{
    (void)state;
    for (int i = 0; i < VARIABLES; i++)
        unsetenv(variables[i]);
    return 0;
}

static ll_config config_with(const char *name, const char *value)
{
    ll_config config;
    ll_problem problem = {0};
    setenv(name, value, 1);
    if (ll_config_from_env(&config, &problem) != LL_OK)
        fail_msg("%s=%s: %s", name, value, problem.text);
    unsetenv(name);
    return config;
}

static void without_variables_the_defaults_hold(void **state)
{
    ll_config config, defaults;
    (void)state;
    assert_int_equal(ll_config_from_env(&config, NULL), LL_OK);
    ll_config_init(&defaults);
    assert_string_equal(config.level, "info");
    assert_string_equal(config.file, "stderr");
    assert_string_equal(config.service, program_invocation_short_name);
    assert_string_equal(config.error_file, "");
    assert_string_equal(config.environment, "");
    assert_int_equal(config.ring_bytes, 1 << 20);
    assert_int_equal(config.block_max_ns, 1000000000);
    assert_int_equal(config.overflow, LL_OVERFLOW_BLOCK);
    assert_int_equal(config.source_level, LL_LEVEL_WARNING);
    assert_int_equal(config.marks, 1);
    assert_int_equal(config.stats, 1);
    assert_string_equal(defaults.service, ""); /* filled when it is checked */
}

static void texts_are_taken_as_they_are(void **state)
{
    (void)state;
    assert_string_equal(config_with("LOG_FILE", "/var/log/app.log").file, "/var/log/app.log");
    assert_string_equal(config_with("LOG_ERROR_FILE", "errors.log").error_file, "errors.log");
    assert_string_equal(config_with("LOG_SERVICE", "checkout \"1\"").service, "checkout \"1\"");
    assert_string_equal(config_with("APP_ENV", "my-own").environment, "my-own");
    assert_string_equal(config_with("LOG_RUN_ID", "job-17").parent_run_id, "job-17");
    assert_string_equal(config_with("LOG_RING_DIR", "/run/rings").ring_dir, "/run/rings");
    assert_string_equal(config_with("LOG_LEVEL", "debug,a.b=off").level, "debug,a.b=off");
    assert_string_equal(config_with("LOG_FILE", "").file, "stderr"); /* empty is the default */
}

static void numbers_and_words_are_read(void **state)
{
    (void)state;
    assert_int_equal(config_with("LOG_RING_SIZE", "64KiB").ring_bytes, 65536);
    assert_int_equal(config_with("LOG_RING_SIZE", "64KB").ring_bytes, 65536);
    assert_int_equal(config_with("LOG_RING_SIZE", "1MB").ring_bytes, 1 << 20);
    assert_int_equal(config_with("LOG_RING_SIZE", "2097152").ring_bytes, 2 << 20);
    assert_int_equal(config_with("LOG_RING_SIZE", "1GiB").ring_bytes, 1 << 30);
    assert_int_equal(config_with("LOG_RING_SIZE", "1GB").ring_bytes, 1 << 30);
    assert_int_equal(config_with("LOG_BLOCK_MAX", "0s").block_max_ns, 0);
    assert_int_equal(config_with("LOG_BLOCK_MAX", "250ms").block_max_ns, 250000000);
    assert_int_equal(config_with("LOG_BLOCK_MAX", "60s").block_max_ns, INT64_C(60000000000));
    assert_int_equal(config_with("LOG_OVERFLOW", "drop").overflow, LL_OVERFLOW_DROP);
    assert_int_equal(config_with("LOG_OVERFLOW", "block").overflow, LL_OVERFLOW_BLOCK);
    assert_int_equal(config_with("LOG_OVERFLOW", "sync").overflow, LL_OVERFLOW_SYNC);
    assert_int_equal(config_with("LOG_SYNC", "never").sync, LL_SYNC_NEVER);
    setenv("LOG_FILE", "app.log", 1);
    assert_int_equal(config_with("LOG_SYNC", "interval").sync, LL_SYNC_INTERVAL);
    assert_int_equal(config_with("LOG_SYNC", "error").sync, LL_SYNC_ERROR);
    unsetenv("LOG_FILE");
    assert_string_equal(config_with("LOG_REDACT", "iban,card_number").redact, "iban,card_number");
    assert_int_equal(config_with("LOG_SOURCE", "off").source_level, LL_LEVEL_OFF);
    assert_int_equal(config_with("LOG_SOURCE", "Trace").source_level, LL_LEVEL_TRACE);
    assert_int_equal(config_with("LOG_MARKS", "off").marks, 0);
    assert_int_equal(config_with("LOG_STATS", "off").stats, 0);
    assert_int_equal(config_with("LOG_MARKS", "on").marks, 1);
}

static char *repeated(char c, size_t count)
{
    static char text[5000];
    memset(text, c, count);
    text[count] = '\0';
    return text;
}

/* Said: which variable, what it was, what would do. */
static void expect_refused(const char *name, const char *value, const char *what_would_do)
{
    ll_config config = {.marks = 42};
    ll_problem problem = {0};
    setenv(name, value, 1);
    assert_int_equal(ll_config_from_env(&config, &problem), LL_EINVAL);
    assert_int_equal(ll_config_from_env(&config, NULL), LL_EINVAL);
    unsetenv(name);
    assert_int_equal(config.marks, 42); /* untouched */
    assert_int_equal(problem.error, LL_EINVAL);
    if (!strstr(problem.text, name) || !strstr(problem.text, strndupa(value, 100)) ||
        !strstr(problem.text, what_would_do))
        fail_msg("%s=%.100s says: %s", name, value, problem.text);
}

static void a_value_that_cannot_be_is_refused_with_the_variable_the_value_and_what_would_do(void **state)
{
    static const struct {
        const char *name, *value, *what;
    } bad[] = {
        {"LOG_LEVEL", "loud", "critical or off"},
        {"LOG_LEVEL", "x=loud", "LOGGER=LEVEL"},
        {"LOG_RING_SIZE", "0", "64KiB to 1GiB"},
        {"LOG_RING_SIZE", "32KiB", "64KiB to 1GiB"},
        {"LOG_RING_SIZE", "2GiB", "64KiB to 1GiB"},
        {"LOG_RING_SIZE", "100KiB", "power of two"},
        {"LOG_RING_SIZE", "-1", "power of two"},
        {"LOG_RING_SIZE", "much", "power of two"},
        {"LOG_RING_SIZE", "99999999999999999999", "power of two"},
        {"LOG_BLOCK_MAX", "61s", "0s to 60s"},
        {"LOG_BLOCK_MAX", "-1s", "0s to 60s"},
        {"LOG_BLOCK_MAX", "soon", "250ms"},
        {"LOG_OVERFLOW", "explode", "block, drop or sync"},
        {"LOG_OVERFLOW", "Block", "block, drop or sync"},
        {"LOG_SYNC", "error", "a log on a disk"}, /* the log is stderr */
        {"LOG_SYNC", "always", "never, interval or error"},
        {"LOG_SOURCE", "sometimes", "off"},
        {"LOG_MARKS", "yes", "on or off"},
        {"LOG_FORMAT", "text", "json"},
        {"LOG_FORMAT", "ecs", "json"},
        {"LOG_ROTATE", "size", "external"},
        {"LOG_REDACT", "iban,,bic", "separated by commas"},
        {"LOG_REDACT", "/[0-9]+/", "names of keys"},
        {"LOG_RATE_LIMIT", "10", "unset"},
        {"LOG_SAMPLE", "0.1", "unset"},
        {"LOG_STATS", "no", "on or off"},
        {"LOG_COMPRESS", "gzip", "unset"},
        {"LOG_MAX_SIZE", "5MB", "unset"},
        {"LOG_MAX_FILES", "3", "unset"},
    };
    (void)state;
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++)
        expect_refused(bad[i].name, bad[i].value, bad[i].what);
    expect_refused("LOG_FILE", repeated('f', LL_PATH_SIZE), "at most 1023 characters");
    expect_refused("LOG_ERROR_FILE", repeated('e', LL_PATH_SIZE), "at most 1023 characters");
    expect_refused("LOG_RING_DIR", repeated('r', LL_PATH_SIZE), "at most 1023 characters");
    expect_refused("LOG_SERVICE", repeated('s', LL_TEXT_SIZE), "at most 255 characters");
    expect_refused("APP_ENV", repeated('a', 4999), "at most 255 characters");
    expect_refused("LOG_RUN_ID", repeated('j', 65), "at most 64 characters");
    expect_refused("LOG_LEVEL", repeated('l', LL_LEVELS_SIZE), "at most 1023 characters");
    assert_int_equal(strlen(config_with("LOG_RUN_ID", repeated('j', 64)).parent_run_id), 64);
}

static void expect_open_refused(const ll_config *config, const char *name)
{
    ll_problem problem = {0};
    assert_int_equal(ll_open(config, &problem), LL_EINVAL);
    if (!strstr(problem.text, name))
        fail_msg("%s: %s", name, problem.text);
}

static void what_code_sets_is_checked_as_what_the_environment_sets(void **state)
{
    ll_config config;
    (void)state;
    ll_config_init(&config);
    config.ring_bytes = 100000;
    expect_open_refused(&config, "LOG_RING_SIZE");
    ll_config_init(&config);
    config.block_max_ns = -1;
    expect_open_refused(&config, "LOG_BLOCK_MAX");
    ll_config_init(&config);
    config.overflow = (ll_overflow)3;
    expect_open_refused(&config, "LOG_OVERFLOW");
    ll_config_init(&config);
    config.sync = (ll_sync)3;
    expect_open_refused(&config, "LOG_SYNC");
    ll_config_init(&config);
    snprintf(config.redact, sizeof config.redact, "a,,b");
    expect_open_refused(&config, "LOG_REDACT");
    ll_config_init(&config);
    memset(config.file, 'f', sizeof config.file);
    expect_open_refused(&config, "LOG_FILE");
    ll_config_init(&config);
    snprintf(config.level, sizeof config.level, "loud");
    expect_open_refused(&config, "LOG_LEVEL");
}

/* A program built against an older header hands a smaller struct over; one built against a newer, a larger.
 */
static void a_config_of_another_size_is_taken_as_far_as_it_is_known(void **state)
{
    struct {
        ll_config config;
        char later[64];
    } larger;
    char smaller[LL_LEVELS_SIZE + 8];
    (void)state;
    memset(&larger, 0x55, sizeof larger);
    assert_int_equal(ll_config_from_env_sized(&larger.config, sizeof larger, NULL), LL_OK);
    assert_string_equal(larger.config.file, "stderr");
    for (size_t i = 0; i < sizeof larger.later; i++)
        assert_int_equal(larger.later[i], 0);
    memset(smaller, 0x55, sizeof smaller);
    assert_int_equal(ll_config_from_env_sized((ll_config *)(void *)smaller, LL_LEVELS_SIZE, NULL), LL_OK);
    assert_string_equal(smaller, "info");
    assert_int_equal(smaller[LL_LEVELS_SIZE], 0x55);
}

/* --- .env.example --------------------------------------------------------------------------------------- */

static bool is_name(const char *text, size_t size)
{
    bool known = (size > 4 && memcmp(text, "LOG_", 4) == 0) || (size == 7 && memcmp(text, "APP_ENV", 7) == 0);
    for (size_t i = 0; i < size && known; i++)
        known = (text[i] >= 'A' && text[i] <= 'Z') || text[i] == '_';
    return known;
}

/* Every quoted name in settings.c. */
static int names_in_source(char names[][32])
{
    size_t size;
    int count = 0;
    char *text = read_file(PROJECT_FOLDER "/liblog/settings.c", &size);
    for (char *at = strchr(text, '"'), *end; at; at = strchr(end + 1, '"')) {
        end = strpbrk(at + 1, "\"\n");
        bool fresh = is_name(at + 1, (size_t)(end - at - 1));
        for (int i = 0; i < count && fresh; i++)
            fresh =
                strlen(names[i]) != (size_t)(end - at - 1) || memcmp(names[i], at + 1, strlen(names[i])) != 0;
        if (fresh)
            snprintf(names[count++], 32, "%.*s", (int)(end - at - 1), at + 1);
    }
    free(text);
    return count;
}

static void every_variable_stands_in_the_example_and_the_example_can_be_used(void **state)
{
    char names[64][32], line[512];
    bool found[64] = {false};
    int count = names_in_source(names);
    (void)state;
    assert_int_equal(count, VARIABLES);
    FILE *example = fopen(PROJECT_FOLDER "/.env.example", "r");
    assert_non_null(example);
    while (fgets(line, sizeof line, example)) {
        bool active = *line != '#';
        char *name = active ? line : line + 1, *equals = strchr(name, '=');
        if (!equals || !is_name(name, (size_t)(equals - name)))
            continue;
        *equals = '\0';
        equals[1 + strcspn(equals + 1, "\n")] = '\0';
        int i = 0;
        while (i < count && strcmp(names[i], name) != 0)
            i++;
        if (i == count)
            fail_msg(".env.example tells of %s, which no code reads", name);
        found[i] = true;
        config_with(name, equals + 1);
    }
    fclose(example);
    for (int i = 0; i < count; i++)
        if (!found[i])
            fail_msg("%s is not in .env.example", names[i]);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(without_variables_the_defaults_hold, no_variables),
        cmocka_unit_test_setup(texts_are_taken_as_they_are, no_variables),
        cmocka_unit_test_setup(numbers_and_words_are_read, no_variables),
        cmocka_unit_test_setup(
            a_value_that_cannot_be_is_refused_with_the_variable_the_value_and_what_would_do, no_variables),
        cmocka_unit_test_setup(what_code_sets_is_checked_as_what_the_environment_sets, no_variables),
        cmocka_unit_test_setup(a_config_of_another_size_is_taken_as_far_as_it_is_known, no_variables),
        cmocka_unit_test_setup(every_variable_stands_in_the_example_and_the_example_can_be_used,
                               no_variables),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
