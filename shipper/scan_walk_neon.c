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

SCAN_INLINE const char *string_end_neon(const char *text, const char *end)
{
    for (; text < end; text += sizeof(uint8x16_t)) {
        uint8x16_t block = vld1q_u8((const uint8_t *)text);
        uint8x16_t stop = vorrq_u8(vceqq_u8(block, vdupq_n_u8('"')), vceqq_u8(block, vdupq_n_u8('\\')));
        uint64_t stops = bits_neon(vorrq_u8(stop, vcltq_u8(block, vdupq_n_u8(0x20))));
        if (stops)
            return text + __builtin_ctzll(stops) / BITS_PER_BYTE;
    }
    return end;
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

SCAN_INLINE bool is_ascii_neon(struct slice text)
{
    uint8x16_t all = vdupq_n_u8(0);
    for (size_t at = 0; at < text.size; at += sizeof(uint8x16_t))
        all = vorrq_u8(all, vld1q_u8((const uint8_t *)text.data + at));
    return vmaxvq_u8(all) < 0x80;
}

bool scan_walk_neon(const struct scan_shapes *shapes, struct slice line,
                    struct value ret_values[static EVENT_KEY_COUNT])
{
    const struct scan_eye eye = {string_end_neon, literal_is_neon, is_ascii_neon};
    return scan_walk(shapes, line, ret_values, eye);
}

#else
typedef int scan_walk_neon_not_built; /* a translation unit may not be empty */
#endif
