#include "levels.h"

#include "problem.h"

#include <stdio.h>
#include <string.h>
#include <strings.h>

int level_parse(const char *text, unsigned long size)
{
    static const struct {
        const char *name;
        ll_level level;
    } names[] = {
        {"trace", LL_LEVEL_TRACE},       {"debug", LL_LEVEL_DEBUG},    {"info", LL_LEVEL_INFO},
        {"warning", LL_LEVEL_WARNING},   {"warn", LL_LEVEL_WARNING},   {"error", LL_LEVEL_ERROR},
        {"critical", LL_LEVEL_CRITICAL}, {"fatal", LL_LEVEL_CRITICAL}, {"off", LL_LEVEL_OFF},
    };
    for (unsigned i = 0; i < sizeof names / sizeof names[0]; i++)
        if (strlen(names[i].name) == size && strncasecmp(names[i].name, text, size) == 0)
            return (int)names[i].level;
    return -1;
}

static int find_rule(const struct levels *levels, const char *logger)
{
    for (int i = 0; i < levels->count; i++)
        if (strcmp(levels->rule[i].name, logger) == 0)
            return i;
    return -1;
}

int levels_set(struct levels *levels, const char *logger, ll_level level)
{
    if (!logger || !*logger) {
        levels->root = level;
        return LL_OK;
    }
    if (strlen(logger) >= LEVELS_NAME_SIZE)
        return LL_EINVAL;
    int i = find_rule(levels, logger);
    if (i < 0 && levels->count == LEVELS_RULES_MAX)
        return LL_ENOMEM;
    if (i < 0) {
        i = levels->count++;
        snprintf(levels->rule[i].name, LEVELS_NAME_SIZE, "%s", logger);
    }
    levels->rule[i].level = level;
    return LL_OK;
}

/* One part: "debug", or "backend.database=debug". */
static int parse_part(struct levels *levels, const char *part, size_t size, ll_problem *problem)
{
    char logger[LEVELS_NAME_SIZE] = "";
    const char *equals = memchr(part, '=', size);
    const char *name = equals ? equals + 1 : part;
    int level = level_parse(name, (unsigned long)(part + size - name));
    if (equals)
        snprintf(logger, sizeof logger, "%.*s", (int)(equals - part), part);
    if (level < 0)
        return problem_set(
            problem, LL_EINVAL,
            "LOG_LEVEL: \"%.*s\" is no level; use trace, debug, info, warning, error, critical or off, "
            "or LOGGER=LEVEL, with commas between them",
            (int)size, part);
    bool cannot_be = equals && (equals == part || equals - part >= LEVELS_NAME_SIZE);
    if (cannot_be || levels_set(levels, logger, (ll_level)level))
        return problem_set(
            problem, LL_EINVAL,
            "LOG_LEVEL: the logger of \"%.*s\" cannot be; use at most %d names of 1 to %d characters",
            (int)size, part, LEVELS_RULES_MAX, LEVELS_NAME_SIZE - 1);
    return LL_OK;
}

int levels_parse(struct levels *levels, const char *text, ll_problem *problem)
{
    levels->root = LL_LEVEL_INFO;
    levels->count = 0;
    while (*text) {
        size_t size = strcspn(text, ",");
        size_t blanks = strspn(text, " ");
        size_t trimmed = size;
        while (trimmed > blanks && text[trimmed - 1] == ' ')
            trimmed--;
        if (blanks < trimmed) {
            int error = parse_part(levels, text + blanks, trimmed - blanks, problem);
            if (error)
                return error;
        }
        text += size + (text[size] == ',');
    }
    return LL_OK;
}

ll_level levels_of(const struct levels *levels, const char *logger)
{
    size_t longest = 0;
    ll_level level = levels->root;
    for (int i = 0; i < levels->count; i++) {
        size_t size = strlen(levels->rule[i].name);
        bool is_above =
            strncmp(logger, levels->rule[i].name, size) == 0 && (logger[size] == '\0' || logger[size] == '.');
        if (is_above && size > longest) {
            longest = size;
            level = levels->rule[i].level;
        }
    }
    return level;
}
