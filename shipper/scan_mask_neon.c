/* AArch64: four compares of 16 bytes; their sign bits are gathered by adding neighbours. */
#if defined(__aarch64__)

#include "scan_mask.h"

#include <arm_neon.h>

struct block_neon {
    uint8x16_t part[4];
};

/* Four results of a compare (0 or 0xFF a byte) as 64 bits: each byte keeps the bit of its place, then pairs
 * add up. */
static inline uint64_t bits_neon(const uint8x16_t result[static 4])
{
    static const uint8_t place[16] = {1, 2, 4, 8, 16, 32, 64, 128, 1, 2, 4, 8, 16, 32, 64, 128};
    uint8x16_t places = vld1q_u8(place);
    uint8x16_t low = vpaddq_u8(vandq_u8(result[0], places), vandq_u8(result[1], places));
    uint8x16_t high = vpaddq_u8(vandq_u8(result[2], places), vandq_u8(result[3], places));
    uint8x16_t eights = vpaddq_u8(low, high);
    return vgetq_lane_u64(vreinterpretq_u64_u8(vpaddq_u8(eights, eights)), 0);
}

/* Bytes from `first` to `last`: all else lies above the span when counted from `first`. */
static inline uint64_t between_neon(const struct block_neon *block, uint8_t first, uint8_t last)
{
    uint8x16_t result[4];
    for (int i = 0; i < 4; i++)
        result[i] = vcleq_u8(vsubq_u8(block->part[i], vdupq_n_u8(first)), vdupq_n_u8(last - first));
    return bits_neon(result);
}

static inline uint64_t equal_neon(const struct block_neon *block, uint8_t c)
{
    return between_neon(block, c, c);
}

static void mask_block_neon(const uint8_t *data, struct scan_mask *ret_mask)
{
    struct block_neon block, folded;
    for (int i = 0; i < 4; i++) {
        block.part[i] = vld1q_u8(data + 16 * i);
        folded.part[i] = vorrq_u8(block.part[i], vdupq_n_u8(0x20)); /* makes { of [ and } of ] */
    }
    ret_mask->quote = equal_neon(&block, '"');
    ret_mask->backslash = equal_neon(&block, '\\');
    ret_mask->space = equal_neon(&block, ' ') | between_neon(&block, '\t', '\n') | equal_neon(&block, '\r');
    ret_mask->open = equal_neon(&folded, '{');
    ret_mask->close = equal_neon(&folded, '}');
    ret_mask->colon = equal_neon(&block, ':');
    ret_mask->comma = equal_neon(&block, ',');
    ret_mask->control = between_neon(&block, 0, 0x1F);
    ret_mask->digit = between_neon(&block, '0', '9');
    ret_mask->zero = equal_neon(&block, '0');
    ret_mask->high = between_neon(&block, 0x80, 0xFF);
}

void scan_mask_neon(const char *data, size_t count, struct scan_mask *ret_masks)
{
    for (size_t i = 0; i < count; i++)
        mask_block_neon((const uint8_t *)data + i * SCAN_BLOCK_SIZE, &ret_masks[i]);
}

#else
typedef int scan_mask_neon_not_built; /* a translation unit may not be empty */
#endif
