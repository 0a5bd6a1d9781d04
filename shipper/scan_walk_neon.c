/* AArch64: 16 bytes at a time; four bits of a word speak of each byte. */
#if defined(__aarch64__)

#include "scan_walk.h"

#include <arm_neon.h>

enum { BITS_PER_BYTE = 4 };

/* A compare's 0 or 0xFF a byte, as half-bytes of 64 bits. */
SCAN_INLINE uint64_t bits_neon(uint8x16_t result)
{
    return vget_lane_u64(vreinterpret_u64_u8(vshrn_n_u16(vreinterpretq_u16_u8(result), 4)), 0);
}

/* What is not equal, within the literal's size. */
SCAN_INLINE bool literal_is_neon(const struct scan_shape_node *node, const char *text)
{
    const uint8_t *there = (const uint8_t *)text, *literal = (const uint8_t *)node->literal;
    uint64_t low = ~bits_neon(vceqq_u8(vld1q_u8(there), vld1q_u8(literal)));
    uint64_t high = ~bits_neon(vceqq_u8(vld1q_u8(there + 16), vld1q_u8(literal + 16)));
    unsigned size = node->size;
    if (size < 16)
        return low << (64 - BITS_PER_BYTE * size) == 0;
    return low == 0 && (size == 16 || high << (64 - BITS_PER_BYTE * (size - 16)) == 0);
}

bool scan_walk_neon(const struct scan_shapes *shapes, const struct line_map *map, struct slice line, bool odd,
                    struct event *ret_event)
{
    return scan_walk(shapes, map, line, odd, ret_event, literal_is_neon);
}

#else
typedef int scan_walk_neon_not_built; /* a translation unit may not be empty */
#endif
