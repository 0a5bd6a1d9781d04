/*
 * Which keys have values that are never copied: those of the list below, and those that LOG_REDACT adds.
 *
 * The rule: key and name are compared in lower case (ASCII) and without `_`, `-`, `.` and spaces; a key is
 * redacted when it ends with a name. So `password` stands for `Password`, `db_password` and `userPassword`,
 * and `token` for `access-token`, but not for `token_count`, where the value is a number of tokens.
 */
#ifndef LIBLOG_REDACT_H
#define LIBLOG_REDACT_H

#include <liblog/config.h>
#include <liblog/field.h>
#include <stdbool.h>

enum { REDACT_NAMES_MAX = 64, REDACT_NAME_BYTES_MAX = 64, REDACT_KEY_BYTES_MAX = 1024 };

struct redact {
    char name[REDACT_NAMES_MAX][REDACT_NAME_BYTES_MAX]; /* as they are compared */
    uint8_t size[REDACT_NAMES_MAX];
    uint32_t count;
    uint64_t endings; /* a bit for the last two letters of each name: most keys have none of them */
};

/* Takes the built-in names and those in `list`, separated by commas (may be empty). LL_OK, or LL_EINVAL with
 * the words. */
int redact_init(struct redact *redact, const char *list, ll_problem *problem);

/* Whether the value of this key is redacted. `redact` may be NULL: none is. */
bool redact_has_key(const struct redact *redact, const char *key, size_t size);

/* Whether this field's value is; never that of a part of the exception. */
bool redact_has_field(const struct redact *redact, const ll_field *field);

#endif
