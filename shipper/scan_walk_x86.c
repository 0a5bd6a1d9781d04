/* x86-64: 16 or 32 bytes at a time. More are no gain: most strings are shorter, and each is waited for. */
#if defined(__x86_64__)

#include "scan_walk.h"

#include <immintrin.h>

enum { LAST_CONTROL = 0x1F };

SCAN_INLINE const char *string_end_sse2(const char *text, const char *end, uint64_t *high)
{
    const __m128i control = _mm_set1_epi8(LAST_CONTROL);
    for (; text < end; text += sizeof(__m128i)) {
        __m128i block = _mm_loadu_si128((const __m128i *)(const void *)text);
        __m128i stop = _mm_or_si128(_mm_cmpeq_epi8(block, _mm_set1_epi8('"')),
                                    _mm_cmpeq_epi8(block, _mm_set1_epi8('\\')));
        stop = _mm_or_si128(stop, _mm_cmpeq_epi8(_mm_min_epu8(block, control), block));
        uint32_t stops = (uint32_t)_mm_movemask_epi8(stop), sign = (uint32_t)_mm_movemask_epi8(block);
        *high |= sign & (stops - 1) & ~stops; /* all of them when there is no stop */
        if (stops)
            return text + __builtin_ctz(stops);
    }
    return end;
}

bool scan_walk_sse2(const struct scan_shapes *shapes, struct slice line,
                    struct value ret_values[static EVENT_KEY_COUNT])
{
    return scan_walk(shapes, line, ret_values, string_end_sse2);
}

#define AVX2 __attribute__((target("avx2,bmi,bmi2")))

AVX2 SCAN_INLINE const char *string_end_avx2(const char *text, const char *end, uint64_t *high)
{
    const __m256i control = _mm256_set1_epi8(LAST_CONTROL);
    for (; text < end; text += sizeof(__m256i)) {
        __m256i block = _mm256_loadu_si256((const __m256i *)(const void *)text);
        __m256i stop = _mm256_or_si256(_mm256_cmpeq_epi8(block, _mm256_set1_epi8('"')),
                                       _mm256_cmpeq_epi8(block, _mm256_set1_epi8('\\')));
        stop = _mm256_or_si256(stop, _mm256_cmpeq_epi8(_mm256_min_epu8(block, control), block));
        uint32_t stops = (uint32_t)_mm256_movemask_epi8(stop), sign = (uint32_t)_mm256_movemask_epi8(block);
        *high |= sign & (stops - 1) & ~stops;
        if (stops)
            return text + __builtin_ctz(stops);
    }
    return end;
}

AVX2 bool scan_walk_avx2(const struct scan_shapes *shapes, struct slice line,
                         struct value ret_values[static EVENT_KEY_COUNT])
{
    return scan_walk(shapes, line, ret_values, string_end_avx2);
}

#else
typedef int scan_walk_x86_not_built; /* a translation unit may not be empty */
#endif
