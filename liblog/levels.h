/* Which logger logs from which level on: "info,backend.database=debug". A rule holds for its logger and those
 * below it. */
#ifndef LIBLOG_LEVELS_H
#define LIBLOG_LEVELS_H

#include <liblog/error.h>
#include <liblog/record.h>
#include <stdbool.h>

enum { LEVELS_RULES_MAX = 64, LEVELS_NAME_SIZE = 128 };

struct levels {
    ll_level root;
    int count;
    struct {
        char name[LEVELS_NAME_SIZE];
        ll_level level;
    } rule[LEVELS_RULES_MAX];
};

/* The level of that name in any letter case (warn and fatal too), or -1. `size` bytes of `text`. */
int level_parse(const char *text, unsigned long size);

/* LL_OK, or LL_EINVAL and `problem` tells which part cannot be. */
int levels_parse(struct levels *levels, const char *text, ll_problem *problem);

/* LL_OK, LL_EINVAL for a name that is too long, LL_ENOMEM when there are too many rules. logger NULL: the
 * root. */
int levels_set(struct levels *levels, const char *logger, ll_level level);

/* From which level on the logger logs: the rule with the longest name that is the logger's or stands above
 * it. */
ll_level levels_of(const struct levels *levels, const char *logger);

#endif
