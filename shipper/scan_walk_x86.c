/* x86-64: 16 or 32 bytes at a time. More are no gain: most strings are shorter, and each is waited for. */
#if defined(__x86_64__)

#include "scan_walk.h"

#include <immintrin.h>

/* A byte with this bit turned is at most a blank if it is a quote or a control byte, and no other is. */
enum { QUOTE_BIT = '"' ^ ' ' };

SCAN_INLINE const char *string_end_sse2(const char *text, const char *end)
{
    for (; text < end; text += sizeof(__m128i)) {
        __m128i block = _mm_loadu_si128((const __m128i *)(const void *)text);
        __m128i turned = _mm_xor_si128(block, _mm_set1_epi8(QUOTE_BIT));
        __m128i low = _mm_cmpeq_epi8(_mm_min_epu8(turned, _mm_set1_epi8(' ')), turned);
        __m128i stop = _mm_or_si128(low, _mm_cmpeq_epi8(block, _mm_set1_epi8('\\')));
        unsigned stops = (unsigned)_mm_movemask_epi8(stop);
        if (stops)
            return text + __builtin_ctz(stops);
    }
    return end;
}

SCAN_INLINE bool literal_is_sse2(const struct scan_shape_node *node, const char *text)
{
    const __m128i *there = (const __m128i *)(const void *)text;
    const __m128i *literal = (const __m128i *)(const void *)node->literal;
    __m128i low = _mm_cmpeq_epi8(_mm_loadu_si128(there), _mm_loadu_si128(literal));
    __m128i high = _mm_cmpeq_epi8(_mm_loadu_si128(there + 1), _mm_loadu_si128(literal + 1));
    uint32_t equal = (uint32_t)_mm_movemask_epi8(low) | (uint32_t)_mm_movemask_epi8(high) << 16;
    return !(node->bits & ~equal);
}

SCAN_INLINE bool is_ascii_sse2(struct slice text)
{
    __m128i all = _mm_setzero_si128();
    for (size_t at = 0; at < text.size; at += sizeof(__m128i))
        all = _mm_or_si128(all, _mm_loadu_si128((const __m128i *)(const void *)(text.data + at)));
    return _mm_movemask_epi8(all) == 0;
}

bool scan_walk_sse2(const struct scan_shapes *shapes, struct slice line,
                    struct value ret_values[static EVENT_KEY_COUNT])
{
    const struct scan_eye eye = {string_end_sse2, literal_is_sse2, is_ascii_sse2};
    return scan_walk(shapes, line, ret_values, eye);
}

#define AVX2 __attribute__((target("avx2,bmi,bmi2")))

AVX2 SCAN_INLINE const char *string_end_avx2(const char *text, const char *end)
{
    for (; text < end; text += sizeof(__m256i)) {
        __m256i block = _mm256_loadu_si256((const __m256i *)(const void *)text);
        __m256i turned = _mm256_xor_si256(block, _mm256_set1_epi8(QUOTE_BIT));
        __m256i low = _mm256_cmpeq_epi8(_mm256_min_epu8(turned, _mm256_set1_epi8(' ')), turned);
        __m256i stop = _mm256_or_si256(low, _mm256_cmpeq_epi8(block, _mm256_set1_epi8('\\')));
        unsigned stops = (unsigned)_mm256_movemask_epi8(stop);
        if (stops)
            return text + __builtin_ctz(stops);
    }
    return end;
}

AVX2 SCAN_INLINE bool literal_is_avx2(const struct scan_shape_node *node, const char *text)
{
    __m256i there = _mm256_loadu_si256((const __m256i *)(const void *)text);
    __m256i literal = _mm256_loadu_si256((const __m256i *)(const void *)node->literal);
    return !(node->bits & ~(uint32_t)_mm256_movemask_epi8(_mm256_cmpeq_epi8(there, literal)));
}

AVX2 SCAN_INLINE bool is_ascii_avx2(struct slice text)
{
    __m256i even = _mm256_setzero_si256(), odd = even;
    for (const char *at = text.data; at < text.data + text.size; at += 2 * sizeof(__m256i)) {
        even = _mm256_or_si256(even, _mm256_loadu_si256((const __m256i *)(const void *)at));
        odd = _mm256_or_si256(odd, _mm256_loadu_si256((const __m256i *)(const void *)(at + sizeof(__m256i))));
    }
    return _mm256_movemask_epi8(_mm256_or_si256(even, odd)) == 0;
}

AVX2 bool scan_walk_avx2(const struct scan_shapes *shapes, struct slice line,
                         struct value ret_values[static EVENT_KEY_COUNT])
{
    const struct scan_eye eye = {string_end_avx2, literal_is_avx2, is_ascii_avx2};
    return scan_walk(shapes, line, ret_values, eye);
}

#else
typedef int scan_walk_x86_not_built; /* a translation unit may not be empty */
#endif
