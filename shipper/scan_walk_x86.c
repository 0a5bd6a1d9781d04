/* x86-64: a literal is compared in two halves, or at once. */
#if defined(__x86_64__)

#include "scan_walk.h"

#include <immintrin.h>

SCAN_INLINE bool literal_is_sse2(const struct scan_shape_node *node, const char *text)
{
    const __m128i *there = (const __m128i *)(const void *)text;
    const __m128i *literal = (const __m128i *)(const void *)node->literal;
    __m128i low = _mm_cmpeq_epi8(_mm_loadu_si128(there), _mm_loadu_si128(literal));
    __m128i high = _mm_cmpeq_epi8(_mm_loadu_si128(there + 1), _mm_loadu_si128(literal + 1));
    uint32_t equal = (uint32_t)_mm_movemask_epi8(low) | (uint32_t)_mm_movemask_epi8(high) << 16;
    return !(node->bits & ~equal);
}

bool scan_walk_sse2(const struct scan_shapes *shapes, const struct line_map *map, struct slice line, bool odd,
                    struct event *ret_event)
{
    return scan_walk(shapes, map, line, odd, ret_event, literal_is_sse2);
}

#define AVX2 __attribute__((target("avx2,bmi,bmi2")))

AVX2 SCAN_INLINE bool literal_is_avx2(const struct scan_shape_node *node, const char *text)
{
    __m256i there = _mm256_loadu_si256((const __m256i *)(const void *)text);
    __m256i literal = _mm256_loadu_si256((const __m256i *)(const void *)node->literal);
    return !(node->bits & ~(uint32_t)_mm256_movemask_epi8(_mm256_cmpeq_epi8(there, literal)));
}

AVX2 bool scan_walk_avx2(const struct scan_shapes *shapes, const struct line_map *map, struct slice line,
                         bool odd, struct event *ret_event)
{
    return scan_walk(shapes, map, line, odd, ret_event, literal_is_avx2);
}

#else
typedef int scan_walk_x86_not_built; /* a translation unit may not be empty */
#endif
