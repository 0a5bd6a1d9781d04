/* Eight bytes at a time, in a word. */
#include "scan_walk.h"

#define EACH(byte) (UINT64_C(0x0101010101010101) * (byte))

/* The top bit of the first byte below `limit` (at most 0x80); bytes behind it may be marked wrongly. */
SCAN_INLINE uint64_t first_below(uint64_t word, uint8_t limit)
{
    return (word - EACH(limit)) & ~word & EACH(0x80);
}

SCAN_INLINE const char *string_end_plain(const char *text, const char *end, uint64_t *high)
{
    for (; text < end; text += sizeof(uint64_t)) {
        uint64_t word = le64toh(scan_load(text));
        uint64_t stops =
            first_below(word ^ EACH('"'), 1) | first_below(word ^ EACH('\\'), 1) | first_below(word, 0x20);
        uint64_t before = stops ? (stops & -stops) - 1 : UINT64_MAX;
        *high |= word & EACH(0x80) & before;
        if (stops)
            return text + __builtin_ctzll(stops) / 8;
    }
    return end;
}

bool scan_walk_plain(const struct scan_shapes *shapes, struct slice line,
                     struct value ret_values[static EVENT_KEY_COUNT])
{
    return scan_walk(shapes, line, ret_values, string_end_plain);
}
