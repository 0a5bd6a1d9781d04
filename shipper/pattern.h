/*
 * A pattern of the configuration: a POSIX extended regular expression, matched by the C library, whose time
 * grows with the text and not with what a log's writer puts into it. Bytes, not characters of a locale.
 *
 * Besides what POSIX has: \d \w \s (also within brackets) and \D \W \S, \b, \t, \n, and (?:…) for a group
 * that is not taken. What would silently mean something else than in other programs is refused: references
 * back, lazy repetition, look-around, other letters behind a backslash.
 */
#ifndef SHIPPER_PATTERN_H
#define SHIPPER_PATTERN_H

#include "problem.h"

#include "liblog/base/slice.h"

enum { PATTERN_BYTES_MAX = 255 };

struct pattern;

/*
 * `lines`: ^ and $ match at each line of a text, and nothing but \n itself matches a newline. 0, -ERR_CFG_004
 * with words that say what is wrong with the pattern, or -ERR_INT_002.
 */
int pattern_new(const char *text, bool lines, struct problem *ret_problem, struct pattern **ret_pattern);
void pattern_free(struct pattern *pattern); /* NULL is allowed */

/* Whether it matches anywhere in the text. */
bool pattern_matches(const struct pattern *pattern, struct slice text);

/* The first match: what its first group took that took part in it, or all of it when the pattern has none. */
bool pattern_find(const struct pattern *pattern, struct slice text, struct slice *ret_found);

#endif
