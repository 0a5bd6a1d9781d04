/* Times as text (RFC 3339) and as unix nanoseconds; proleptic Gregorian calendar, UTC, no time zone database.
 */
#ifndef LIBLOG_BASE_TIME_TEXT_H
#define LIBLOG_BASE_TIME_TEXT_H

#include "slice.h"

#include <stdint.h>

enum { TIME_TEXT_SIZE = 30 }; /* 2025-10-19T14:30:00.123456789Z */

/* Writes exactly TIME_TEXT_SIZE bytes, no NUL. */
void time_to_text(char out[static TIME_TEXT_SIZE], int64_t unix_ns);

/*
 * RFC 3339: any offset, 0 to 9 and more digits of a second (beyond 9 cut off), `T`, `t` or a blank between
 * date and time, a leap second taken as the second before. 0, or -1 and ret_ns untouched.
 */
int time_from_text(struct slice text, int64_t *ret_unix_ns);

#endif
