/* Eight bytes at a time, in a word. */
#include "scan_walk.h"

#define EACH(byte) (UINT64_C(0x0101010101010101) * (byte))

/* The top bit of the first byte below `limit` (at most 0x80); bytes behind it may be marked wrongly. */
SCAN_INLINE uint64_t first_below(uint64_t word, uint8_t limit)
{
    return (word - EACH(limit)) & ~word & EACH(0x80);
}

SCAN_INLINE const char *string_end_plain(const char *text, const char *end)
{
    for (; text < end; text += sizeof(uint64_t)) {
        uint64_t word = le64toh(scan_load(text));
        uint64_t stops =
            first_below(word ^ EACH('"'), 1) | first_below(word ^ EACH('\\'), 1) | first_below(word, 0x20);
        if (stops)
            return text + __builtin_ctzll(stops) / 8;
    }
    return end;
}

/* Literals are mostly short, and differ early. */
SCAN_INLINE bool literal_is_plain(const struct scan_shape_node *node, const char *text)
{
    for (unsigned at = 0; at < node->size; at += sizeof(uint64_t)) {
        uint64_t others = le64toh(scan_load(text + at) ^ scan_load(node->literal + at));
        unsigned left = node->size - at;
        if (left < sizeof(uint64_t) ? others << (64 - 8 * left) : others)
            return false;
    }
    return true;
}

SCAN_INLINE bool is_ascii_plain(struct slice text)
{
    uint64_t all = 0;
    for (size_t at = 0; at < text.size; at += 2 * sizeof(uint64_t))
        all |= scan_load(text.data + at) | scan_load(text.data + at + sizeof(uint64_t));
    return !(all & EACH(0x80));
}

bool scan_walk_plain(const struct scan_shapes *shapes, struct slice line,
                     struct value ret_values[static EVENT_KEY_COUNT])
{
    const struct scan_eye eye = {string_end_plain, literal_is_plain, is_ascii_plain};
    return scan_walk(shapes, line, ret_values, eye);
}
