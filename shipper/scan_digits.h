/* Eight decimal digits at a time, in a word. */
#ifndef SHIPPER_SCAN_DIGITS_H
#define SHIPPER_SCAN_DIGITS_H

#include <endian.h>
#include <stdint.h>
#include <string.h>

/* Eight bytes of text, the first in the lowest byte; a digit is its value, every other byte is above 9. */
static inline uint64_t digits_load(const char *text)
{
    uint64_t word;
    memcpy(&word, text, sizeof(word));
    return le64toh(word) ^ UINT64_C(0x3030303030303030);
}

/* The top bit of each byte that is no digit. A carry out of one spoils only those behind it, so the first is
 * right, and so is 0. */
static inline uint64_t digits_others(uint64_t digits)
{
    return ((digits + UINT64_C(0x7676767676767676)) | digits) & UINT64_C(0x8080808080808080);
}

/* How many digits stand before the first other byte. */
static inline unsigned digits_count(uint64_t digits)
{
    uint64_t others = digits_others(digits);
    return others ? (unsigned)__builtin_ctzll(others) / 8 : 8;
}

/* The number that eight digits make: neighbours are joined to pairs, these to fours, and these to the whole.
 */
static inline uint64_t digits_value(uint64_t digits)
{
    const uint64_t every_fourth = UINT64_C(0x000000FF000000FF);
    const uint64_t high = 100 + (UINT64_C(1000000) << 32), low = 1 + (UINT64_C(10000) << 32);
    digits = digits * 10 + (digits >> 8);
    return ((digits & every_fourth) * high + (digits >> 16 & every_fourth) * low) >> 32;
}

#endif
