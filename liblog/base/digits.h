/* Two decimal digits at a time, for those in base that write numbers. */
#ifndef LIBLOG_BASE_DIGITS_H
#define LIBLOG_BASE_DIGITS_H

#include <stdint.h>
#include <string.h>

/* "00", "01" … "99", one after the other, no NUL between. */
extern const char digits_pairs[];

/* The number of decimal digits in `value`; 0 has one. */
int digits_count(uint64_t value);

/* Writes exactly `count` digits at `out`; `value` has no more than that. */
void digits_put(char *out, uint64_t value, int count);

/* `value` < 100 as exactly two digits. */
static inline void digits_put_pair(char *out, unsigned value)
{
    memcpy(out, digits_pairs + 2 * value, 2);
}

/* `value` < 10^8 as exactly eight; in halves, so that the divisions need not wait for each other. */
static inline void digits_put_eight(char *out, uint32_t value)
{
    uint32_t high = value / 10000, low = value % 10000;
    digits_put_pair(out, high / 100);
    digits_put_pair(out + 2, high % 100);
    digits_put_pair(out + 4, low / 100);
    digits_put_pair(out + 6, low % 100);
}

#endif
