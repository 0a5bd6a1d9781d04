/* Times in the minute of a time before: records come in time order, so most begin with the same minute. */
#ifndef SHIPPER_SCAN_MINUTE_H
#define SHIPPER_SCAN_MINUTE_H

#include "scan_digits.h"

#include "liblog/base/slice.h"

#include <endian.h>
#include <stdbool.h>

enum {
    MINUTE_TEXT_SIZE = 16,                          /* 2025-10-19T14:30 */
    MINUTE_SECOND_SIZE = MINUTE_TEXT_SIZE + 4,      /* :00Z */
    MINUTE_TIME_SIZE_MAX = MINUTE_SECOND_SIZE + 10, /* and nine digits behind a point */
};

struct scan_minute {
    bool known;
    uint64_t text[MINUTE_TEXT_SIZE / sizeof(uint64_t)]; /* as it stands in the line */
    int64_t ns;
};

/*
 * The fraction of a second in the `size` (one to nine) digits at `text`, in nanoseconds; -1 when they are
 * none. What stands behind the digits counts for zeros, so that eight are one word, however many there are.
 */
static inline int64_t scan_minute_fraction(const char *text, size_t size)
{
    uint64_t digits = digits_load(text) & (size < 8 ? (UINT64_C(1) << 8 * size) - 1 : UINT64_MAX);
    unsigned last = size == 9 ? (unsigned char)(text[8] ^ '0') : 0;
    if (digits_others(digits) || last > 9)
        return -1;
    return (int64_t)(digits_value(digits) * 10 + last);
}

/* `:SS` and `last` at `text`, in seconds; -1 when it is something else. */
static inline int scan_minute_seconds(const char *text, char last)
{
    const uint32_t zero = ':' | (uint32_t)'0' << 8 | (uint32_t)'0' << 16 | (uint32_t)last << 24;
    const uint32_t above = (15 - 5) << 8 | (15 - 9) << 16; /* lifts tens above 5 and ones above 9 over 15 */
    uint32_t word;
    memcpy(&word, text, sizeof(word));
    word = le32toh(word) ^ zero;
    if ((word | (word + above)) & UINT32_C(0xFFF0F0FF))
        return -1;
    return (int)((word >> 8 & 15) * 10 + (word >> 16));
}

/* YYYY-MM-DDTHH:MM:SS[.fraction]Z in the minute that is known. False for a time in another minute or form,
 * and for what is none. Seven bytes behind the text must be readable. */
static inline bool scan_minute_time(const struct scan_minute *minute, struct slice text, int64_t *ret_ns)
{
    uint64_t there[2];
    if (!minute->known || text.size < MINUTE_SECOND_SIZE || text.size > MINUTE_TIME_SIZE_MAX)
        return false;
    memcpy(there, text.data, sizeof(there));
    if ((there[0] ^ minute->text[0]) | (there[1] ^ minute->text[1]))
        return false;
    bool whole = text.size == MINUTE_SECOND_SIZE;
    int seconds = scan_minute_seconds(text.data + MINUTE_TEXT_SIZE, whole ? 'Z' : '.');
    size_t digits = text.size - MINUTE_SECOND_SIZE - 1;
    int64_t fraction = whole         ? 0
                       : digits == 0 ? -1
                                     : scan_minute_fraction(text.data + MINUTE_SECOND_SIZE, digits);
    if (seconds < 0 || fraction < 0 || text.data[text.size - 1] != 'Z')
        return false;
    *ret_ns = minute->ns + seconds * INT64_C(1000000000) + fraction;
    return true;
}

#endif
