#include "settings.h"

#include "levels.h"
#include "liblog/base/number.h"
#include "liblog/base/os.h"
#include "problem.h"
#include "redact.h"
#include "ring_file.h"

#include <stdio.h>
#include <stdlib.h>

static const int64_t block_ns_max = INT64_C(60000000000);
enum { PARENT_RUN_ID_MAX = 64 };

void ll_config_init_sized(ll_config *ret_config, size_t size)
{
    ll_config config = {
        .level = "info",
        .file = "stderr",
        .ring_bytes = 1 << 20,
        .block_max_ns = 1000000000,
        .overflow = LL_OVERFLOW_BLOCK,
        .source_level = LL_LEVEL_WARNING,
        .marks = 1,
        .stats = 1,
    };
    memset(ret_config, 0, size);
    memcpy(ret_config, &config, size < sizeof config ? size : sizeof config);
}

/* --- the variables -------------------------------------------------------------------------------------- */

static int refuse(ll_problem *problem, const char *name, const char *value, const char *what_would_do)
{
    return problem_set(problem, LL_EINVAL, "%s is \"%.200s\", which cannot be; use %s", name, value,
                       what_would_do);
}

static int take_text(const char *name, const char *value, char *ret_text, size_t size, ll_problem *problem)
{
    char what[64];
    if (strlen(value) >= size) {
        snprintf(what, sizeof what, "at most %zu characters", size - 1);
        return refuse(problem, name, value, what);
    }
    memcpy(ret_text, value, strlen(value) + 1);
    return LL_OK;
}

static int take_ring_size(const char *name, const char *value, ll_config *config, ll_problem *problem)
{
    static const char what[] = "a power of two from 64KiB to 1GiB, for example 1MB";
    uint64_t bytes, power = RING_BYTES_MIN;
    if (number_to_size_bytes(slice_of(value), &bytes))
        return refuse(problem, name, value, what);
    while (power < bytes && power < RING_BYTES_MAX)
        power *= 2;
    /* 64KB and 1MB are up to 7 % less than the power of two that they mean */
    if (bytes > RING_BYTES_MAX || bytes < power - power / 14)
        return refuse(problem, name, value, what);
    config->ring_bytes = power;
    return LL_OK;
}

static int take_block_max(const char *name, const char *value, ll_config *config, ll_problem *problem)
{
    int64_t ns;
    if (number_to_duration_ns(slice_of(value), &ns) || ns < 0 || ns > block_ns_max)
        return refuse(problem, name, value, "a time from 0s to 60s, for example 250ms");
    config->block_max_ns = ns;
    return LL_OK;
}

/* The place of a word among `count`, or -1. */
static int one_of(const char *value, const char *const *words, int count)
{
    for (int i = 0; i < count; i++)
        if (strcmp(value, words[i]) == 0)
            return i;
    return -1;
}

static int take_overflow(const char *name, const char *value, ll_config *config, ll_problem *problem)
{
    static const char *const words[] = {"block", "drop", "sync"};
    int index = one_of(value, words, 3);
    if (index < 0)
        return refuse(problem, name, value, "block, drop or sync");
    config->overflow = (ll_overflow)index;
    return LL_OK;
}

static int take_sync(const char *name, const char *value, ll_config *config, ll_problem *problem)
{
    static const char *const words[] = {"never", "interval", "error"};
    int index = one_of(value, words, 3);
    if (index < 0)
        return refuse(problem, name, value, "never, interval or error");
    config->sync = (ll_sync)index;
    return LL_OK;
}

static int take_source(const char *name, const char *value, ll_config *config, ll_problem *problem)
{
    int level = level_parse(value, strlen(value));
    if (level < 0)
        return refuse(problem, name, value, "a level from which on records say their place, or off");
    config->source_level = (ll_level)level;
    return LL_OK;
}

static int take_switch(const char *name, const char *value, uint32_t *ret_on, ll_problem *problem)
{
    if (strcmp(value, "on") && strcmp(value, "off"))
        return refuse(problem, name, value, "on or off");
    *ret_on = strcmp(value, "on") == 0;
    return LL_OK;
}

/* What the contract names and this version does not do yet is refused, never silently left undone. */
static int refuse_later(ll_problem *problem)
{
    static const struct {
        const char *name, *only;
    } later[] = {
        {"LOG_FORMAT", "json"}, {"LOG_ROTATE", "external"}, {"LOG_RATE_LIMIT", ""}, {"LOG_SAMPLE", ""},
        {"LOG_COMPRESS", ""},   {"LOG_MAX_SIZE", ""},       {"LOG_MAX_FILES", ""},
    };
    for (size_t i = 0; i < sizeof later / sizeof later[0]; i++) {
        const char *value = getenv(later[i].name);
        if (value && *value && strcmp(value, later[i].only) != 0)
            return problem_set(problem, LL_EINVAL, "%s is \"%.200s\", which is not in this version; %s%s",
                               later[i].name, value, *later[i].only ? "use " : "unset it", later[i].only);
    }
    return LL_OK;
}

static int take_variable(const char *name, const char *value, ll_config *config, ll_problem *problem)
{
    if (strcmp(name, "LOG_LEVEL") == 0)
        return take_text(name, value, config->level, sizeof config->level, problem);
    if (strcmp(name, "LOG_FILE") == 0)
        return take_text(name, value, config->file, sizeof config->file, problem);
    if (strcmp(name, "LOG_ERROR_FILE") == 0)
        return take_text(name, value, config->error_file, sizeof config->error_file, problem);
    if (strcmp(name, "LOG_SERVICE") == 0)
        return take_text(name, value, config->service, sizeof config->service, problem);
    if (strcmp(name, "APP_ENV") == 0)
        return take_text(name, value, config->environment, sizeof config->environment, problem);
    if (strcmp(name, "LOG_RUN_ID") == 0)
        return take_text(name, value, config->parent_run_id, PARENT_RUN_ID_MAX + 1, problem);
    if (strcmp(name, "LOG_RING_DIR") == 0)
        return take_text(name, value, config->ring_dir, sizeof config->ring_dir, problem);
    if (strcmp(name, "LOG_RING_SIZE") == 0)
        return take_ring_size(name, value, config, problem);
    if (strcmp(name, "LOG_BLOCK_MAX") == 0)
        return take_block_max(name, value, config, problem);
    if (strcmp(name, "LOG_OVERFLOW") == 0)
        return take_overflow(name, value, config, problem);
    if (strcmp(name, "LOG_SYNC") == 0)
        return take_sync(name, value, config, problem);
    if (strcmp(name, "LOG_REDACT") == 0)
        return take_text(name, value, config->redact, sizeof config->redact, problem);
    if (strcmp(name, "LOG_SOURCE") == 0)
        return take_source(name, value, config, problem);
    if (strcmp(name, "LOG_STATS") == 0)
        return take_switch(name, value, &config->stats, problem);
    return take_switch(name, value, &config->marks, problem);
}

int ll_config_from_env_sized(ll_config *ret_config, size_t size, ll_problem *ret_problem)
{
    static const char *const names[] = {"LOG_LEVEL",     "LOG_FILE",     "LOG_ERROR_FILE", "LOG_SERVICE",
                                        "APP_ENV",       "LOG_RUN_ID",   "LOG_RING_DIR",   "LOG_RING_SIZE",
                                        "LOG_BLOCK_MAX", "LOG_OVERFLOW", "LOG_SOURCE",     "LOG_MARKS",
                                        "LOG_STATS",     "LOG_SYNC",     "LOG_REDACT"};
    ll_config config;
    ll_config_init(&config);
    int error = refuse_later(ret_problem);
    for (size_t i = 0; i < sizeof names / sizeof names[0] && !error; i++) {
        const char *value = getenv(names[i]);
        if (value && *value)
            error = take_variable(names[i], value, &config, ret_problem);
    }
    if (!error)
        error = settings_check(&config, ret_problem);
    if (error)
        return error;
    memset(ret_config, 0, size);
    memcpy(ret_config, &config, size < sizeof config ? size : sizeof config);
    return LL_OK;
}

/* --- checks --------------------------------------------------------------------------------------------- */

static int check_texts(const ll_config *config, ll_problem *problem)
{
    const struct {
        const char *name, *text;
        size_t size;
    } texts[] = {
        {"LOG_LEVEL", config->level, sizeof config->level},
        {"LOG_FILE", config->file, sizeof config->file},
        {"LOG_ERROR_FILE", config->error_file, sizeof config->error_file},
        {"LOG_SERVICE", config->service, sizeof config->service},
        {"APP_ENV", config->environment, sizeof config->environment},
        {"LOG_RUN_ID", config->parent_run_id, sizeof config->parent_run_id},
        {"LOG_RING_DIR", config->ring_dir, sizeof config->ring_dir},
        {"LOG_REDACT", config->redact, sizeof config->redact},
    };
    for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++)
        if (!memchr(texts[i].text, '\0', texts[i].size))
            return problem_set(problem, LL_EINVAL, "%s does not end with NUL; at most %zu characters fit",
                               texts[i].name, texts[i].size - 1);
    return LL_OK;
}

static int check_numbers(const ll_config *config, ll_problem *problem)
{
    if (config->ring_bytes < RING_BYTES_MIN || config->ring_bytes > RING_BYTES_MAX ||
        (config->ring_bytes & (config->ring_bytes - 1)))
        return problem_set(problem, LL_EINVAL,
                           "LOG_RING_SIZE is %llu bytes; use a power of two from 64KiB to 1GiB",
                           (unsigned long long)config->ring_bytes);
    if (config->block_max_ns < 0 || config->block_max_ns > block_ns_max)
        return problem_set(problem, LL_EINVAL, "LOG_BLOCK_MAX is %lld ns; use 0s to 60s",
                           (long long)config->block_max_ns);
    if ((int)config->overflow < 0 || config->overflow > LL_OVERFLOW_SYNC)
        return problem_set(problem, LL_EINVAL, "LOG_OVERFLOW is %d; use block, drop or sync",
                           (int)config->overflow);
    if ((int)config->sync < 0 || config->sync > LL_SYNC_ERROR)
        return problem_set(problem, LL_EINVAL, "LOG_SYNC is %d; use never, interval or error",
                           (int)config->sync);
    return LL_OK;
}

static bool is_stream(const char *file)
{
    return strcmp(file, "stdout") == 0 || strcmp(file, "stderr") == 0;
}

int settings_check(ll_config *config, ll_problem *problem)
{
    struct levels levels;
    struct redact redact;
    int error = check_texts(config, problem);
    if (!error)
        error = check_numbers(config, problem);
    if (!error)
        error = levels_parse(&levels, config->level, problem);
    if (!error)
        error = redact_init(&redact, config->redact, problem);
    if (error)
        return error;
    if (!*config->file)
        memcpy(config->file, "stderr", sizeof "stderr");
    if (config->sync != LL_SYNC_NEVER && is_stream(config->file))
        return problem_set(
            problem, LL_EINVAL,
            "LOG_SYNC is \"%s\", which needs a log on a disk, and LOG_FILE is \"%s\"; use never, "
            "or a path there",
            config->sync == LL_SYNC_ERROR ? "error" : "interval", config->file);
    if (!*config->service)
        snprintf(config->service, sizeof config->service, "%s", os_program_name());
    return LL_OK;
}
