/*
 * Times as programs write them at the head of a line of text:
 *
 *     2025-10-19 14:30:00,123  2025/10/19 14:30:00  2025-10-19T14:30:00.123+02:00  2025-10-19 14:30:00 UTC
 *     19/Oct/2025:14:30:00 +0200       Sun Oct 19 14:30:00.123456 2025       Oct 19 14:30:00 1760884200.123
 *
 * Without an offset a time is the machine's local time (TZ). Without a year it is of the latest year in which
 * it does not lie ahead.
 */
#ifndef SHIPPER_PLAIN_TIME_H
#define SHIPPER_PLAIN_TIME_H

#include "liblog/base/slice.h"

#include <stdint.h>

/* The local offset of the quarter of an hour that was asked for last: it changes only between two of them. */
struct local_offset {
    int64_t quarter; /* of local time, since 1970 */
    int64_t offset_s;
    bool known;
};

enum { PLAIN_TIME_SEARCHED_BYTES = 96 };

/* The first time in the first PLAIN_TIME_SEARCHED_BYTES of a text. */
bool plain_time_find(struct slice text, struct slice *ret_time);

/* What plain_time_find() found, or any text that is one of those forms from its beginning to its end. */
bool plain_time_read(struct local_offset *local, struct slice text, int64_t now_ns, int64_t *ret_ns);

#endif
