/* x86-64: four compares of 16 bytes, two of 32, or one of 64. */
#if defined(__x86_64__)

#include "scan_mask.h"

#include <immintrin.h>

enum {
    CASE_BIT = 0x20, /* makes { of [ and } of ] */
    LAST_CONTROL = 0x1F,
};

struct block_sse2 {
    __m128i part[4];
};

static inline uint64_t equal_sse2(const struct block_sse2 *block, char c)
{
    uint64_t bits = 0;
    for (int i = 0; i < 4; i++)
        bits |= (uint64_t)(uint16_t)_mm_movemask_epi8(_mm_cmpeq_epi8(block->part[i], _mm_set1_epi8(c)))
                << (16 * i);
    return bits;
}

/* Bytes from `first` to `last`: all else lies above the span when counted from `first`. */
static inline uint64_t between_sse2(const struct block_sse2 *block, uint8_t first, uint8_t last)
{
    uint64_t bits = 0;
    __m128i span = _mm_set1_epi8((char)(last - first));
    for (int i = 0; i < 4; i++) {
        __m128i from = _mm_sub_epi8(block->part[i], _mm_set1_epi8((char)first));
        bits |= (uint64_t)(uint16_t)_mm_movemask_epi8(_mm_cmpeq_epi8(_mm_min_epu8(from, span), from))
                << (16 * i);
    }
    return bits;
}

static void mask_block_sse2(const char *data, struct scan_mask *ret_mask)
{
    struct block_sse2 block, folded;
    for (int i = 0; i < 4; i++) {
        block.part[i] = _mm_loadu_si128((const __m128i *)(const void *)(data + 16 * i));
        folded.part[i] = _mm_or_si128(block.part[i], _mm_set1_epi8(CASE_BIT));
    }
    ret_mask->quote = equal_sse2(&block, '"');
    ret_mask->backslash = equal_sse2(&block, '\\');
    ret_mask->space = equal_sse2(&block, ' ') | equal_sse2(&block, '\t') | equal_sse2(&block, '\n') |
                      equal_sse2(&block, '\r');
    ret_mask->open = equal_sse2(&folded, '{');
    ret_mask->close = equal_sse2(&folded, '}');
    ret_mask->colon = equal_sse2(&block, ':');
    ret_mask->comma = equal_sse2(&block, ',');
    ret_mask->control = between_sse2(&block, 0, LAST_CONTROL);
    ret_mask->digit = between_sse2(&block, '0', '9');
    ret_mask->zero = equal_sse2(&block, '0');
    ret_mask->high = between_sse2(&block, 0x80, 0xFF);
}

void scan_mask_sse2(const char *data, size_t count, struct scan_mask *ret_masks)
{
    for (size_t i = 0; i < count; i++)
        mask_block_sse2(data + i * SCAN_BLOCK_SIZE, &ret_masks[i]);
}

#define AVX2 __attribute__((target("avx2")))

struct block_avx2 {
    __m256i low, high;
};

AVX2 static inline uint64_t bits_avx2(__m256i low, __m256i high)
{
    return (uint32_t)_mm256_movemask_epi8(low) | (uint64_t)(uint32_t)_mm256_movemask_epi8(high) << 32;
}

AVX2 static inline uint64_t equal_avx2(struct block_avx2 block, char c)
{
    __m256i all = _mm256_set1_epi8(c);
    return bits_avx2(_mm256_cmpeq_epi8(block.low, all), _mm256_cmpeq_epi8(block.high, all));
}

AVX2 static inline __m256i part_between_avx2(__m256i part, uint8_t first, uint8_t last)
{
    __m256i from = _mm256_sub_epi8(part, _mm256_set1_epi8((char)first));
    return _mm256_cmpeq_epi8(_mm256_min_epu8(from, _mm256_set1_epi8((char)(last - first))), from);
}

AVX2 static inline uint64_t between_avx2(struct block_avx2 block, uint8_t first, uint8_t last)
{
    return bits_avx2(part_between_avx2(block.low, first, last), part_between_avx2(block.high, first, last));
}

/*
 * The four kinds of white space differ in their low half-byte, so one look-up by it names the only one a byte
 * could be. A high byte looks up 0 whatever the table holds, so the filler, being high, equals nothing.
 */
static inline __m128i space_candidates(void)
{
    const char none = (char)0x80;
    return _mm_setr_epi8(' ', none, none, none, none, none, none, none, none, '\t', '\n', none, none, '\r',
                         none, none);
}

AVX2 static inline __m256i part_space_avx2(__m256i part)
{
    __m256i candidate = _mm256_broadcastsi128_si256(space_candidates());
    return _mm256_cmpeq_epi8(_mm256_shuffle_epi8(candidate, part), part);
}

AVX2 static inline void mask_block_avx2(const char *data, struct scan_mask *ret_mask)
{
    struct block_avx2 block = {_mm256_loadu_si256((const __m256i *)(const void *)data),
                               _mm256_loadu_si256((const __m256i *)(const void *)(data + 32))};
    __m256i bit = _mm256_set1_epi8(CASE_BIT);
    struct block_avx2 folded = {_mm256_or_si256(block.low, bit), _mm256_or_si256(block.high, bit)};
    ret_mask->quote = equal_avx2(block, '"');
    ret_mask->backslash = equal_avx2(block, '\\');
    ret_mask->space = bits_avx2(part_space_avx2(block.low), part_space_avx2(block.high));
    ret_mask->open = equal_avx2(folded, '{');
    ret_mask->close = equal_avx2(folded, '}');
    ret_mask->colon = equal_avx2(block, ':');
    ret_mask->comma = equal_avx2(block, ',');
    ret_mask->control = between_avx2(block, 0, LAST_CONTROL);
    ret_mask->digit = between_avx2(block, '0', '9');
    ret_mask->zero = equal_avx2(block, '0');
    ret_mask->high = bits_avx2(block.low, block.high); /* the sign bits */
}

AVX2 void scan_mask_avx2(const char *data, size_t count, struct scan_mask *ret_masks)
{
    for (size_t i = 0; i < count; i++)
        mask_block_avx2(data + i * SCAN_BLOCK_SIZE, &ret_masks[i]);
}

#define AVX512 __attribute__((target("avx512f,avx512bw")))

AVX512 static inline uint64_t equal_avx512(__m512i block, char c)
{
    return _mm512_cmpeq_epi8_mask(block, _mm512_set1_epi8(c));
}

AVX512 static inline uint64_t space_avx512(__m512i block)
{
    __m512i candidate = _mm512_broadcast_i32x4(space_candidates());
    return _mm512_cmpeq_epi8_mask(_mm512_shuffle_epi8(candidate, block), block);
}

AVX512 static inline void mask_block_avx512(const char *data, struct scan_mask *ret_mask)
{
    __m512i block = _mm512_loadu_si512(data);
    __m512i folded = _mm512_or_si512(block, _mm512_set1_epi8(CASE_BIT));
    ret_mask->quote = equal_avx512(block, '"');
    ret_mask->backslash = equal_avx512(block, '\\');
    ret_mask->space = space_avx512(block);
    ret_mask->open = equal_avx512(folded, '{');
    ret_mask->close = equal_avx512(folded, '}');
    ret_mask->colon = equal_avx512(block, ':');
    ret_mask->comma = equal_avx512(block, ',');
    ret_mask->control = _mm512_cmple_epu8_mask(block, _mm512_set1_epi8(LAST_CONTROL));
    ret_mask->digit =
        _mm512_cmplt_epu8_mask(_mm512_sub_epi8(block, _mm512_set1_epi8('0')), _mm512_set1_epi8(10));
    ret_mask->zero = equal_avx512(block, '0');
    ret_mask->high = _mm512_movepi8_mask(block);
}

AVX512 void scan_mask_avx512(const char *data, size_t count, struct scan_mask *ret_masks)
{
    for (size_t i = 0; i < count; i++)
        mask_block_avx512(data + i * SCAN_BLOCK_SIZE, &ret_masks[i]);
}

#else
typedef int scan_mask_x86_not_built; /* a translation unit may not be empty */
#endif
