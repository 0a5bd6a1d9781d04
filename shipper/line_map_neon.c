/* AArch64: four times 16 bytes a block. */
#if defined(__aarch64__)

#include "line_map.h"

#include <arm_neon.h>

struct block {
    uint8x16_t part[4];
};

/* Compares' 0 or 0xFF a byte, as a bit each: of eight neighbours each keeps its own bit, and three rounds of
 * adding neighbours join them. */
static inline uint64_t bits_of(const struct block *result)
{
    const uint8x16_t own = {1, 2, 4, 8, 16, 32, 64, 128, 1, 2, 4, 8, 16, 32, 64, 128};
    uint8x16_t low = vpaddq_u8(vandq_u8(result->part[0], own), vandq_u8(result->part[1], own));
    uint8x16_t high = vpaddq_u8(vandq_u8(result->part[2], own), vandq_u8(result->part[3], own));
    uint8x16_t all = vpaddq_u8(low, high);
    return vgetq_lane_u64(vreinterpretq_u64_u8(vpaddq_u8(all, all)), 0);
}

uint64_t line_map_neon(const char *data, size_t count, uint64_t *ret_stop, uint64_t *ret_newline,
                       uint64_t *ret_odd)
{
    uint64_t any_odd = 0;
    for (size_t i = 0; i < count; i++, data += SCAN_BLOCK_SIZE) {
        struct block stop, newline, odd;
        for (int j = 0; j < 4; j++) {
            uint8x16_t part = vld1q_u8((const uint8_t *)data + 16 * j);
            uint8x16_t low = vcltq_u8(part, vdupq_n_u8(0x20)), high = vcgeq_u8(part, vdupq_n_u8(0x80));
            uint8x16_t quoting = vorrq_u8(vceqq_u8(part, vdupq_n_u8('"')), vceqq_u8(part, vdupq_n_u8('\\')));
            newline.part[j] = vceqq_u8(part, vdupq_n_u8('\n'));
            stop.part[j] = vorrq_u8(low, quoting);
            odd.part[j] = vbicq_u8(vorrq_u8(low, high), newline.part[j]);
        }
        ret_stop[i] = htole64(bits_of(&stop));
        ret_newline[i] = bits_of(&newline);
        any_odd |= ret_odd[i] = bits_of(&odd);
    }
    return any_odd;
}

#else
typedef int line_map_neon_not_built; /* a translation unit may not be empty */
#endif
