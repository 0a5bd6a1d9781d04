/* x86-64: four times 16 bytes a block, two times 32, or 64 at once. */
#if defined(__x86_64__)

#include "line_map.h"

#include <immintrin.h>

/* A byte with this bit turned is at most a blank if it is a quote or a control byte, and no other is. */
enum { QUOTE_BIT = '"' ^ ' ' };

static inline __m128i stops_sse2(__m128i part)
{
    __m128i turned = _mm_xor_si128(part, _mm_set1_epi8(QUOTE_BIT));
    __m128i low = _mm_cmpeq_epi8(_mm_min_epu8(turned, _mm_set1_epi8(' ')), turned);
    return _mm_or_si128(low, _mm_cmpeq_epi8(part, _mm_set1_epi8('\\')));
}

static inline uint64_t bits_sse2(__m128i result, int place)
{
    return (uint64_t)(uint16_t)_mm_movemask_epi8(result) << (16 * place);
}

/* As signed bytes, those below a blank are control bytes and high ones. */
uint64_t line_map_sse2(const char *data, size_t count, uint64_t *ret_stop, uint64_t *ret_newline,
                       uint64_t *ret_odd)
{
    uint64_t any_odd = 0;
    for (size_t i = 0; i < count; i++) {
        uint64_t stop = 0, newline = 0, below = 0;
        for (int j = 0; j < 4; j++, data += sizeof(__m128i)) {
            __m128i part = _mm_loadu_si128((const __m128i *)(const void *)data);
            stop |= bits_sse2(stops_sse2(part), j);
            newline |= bits_sse2(_mm_cmpeq_epi8(part, _mm_set1_epi8('\n')), j);
            below |= bits_sse2(_mm_cmplt_epi8(part, _mm_set1_epi8(' ')), j);
        }
        ret_stop[i] = stop;
        ret_newline[i] = newline;
        any_odd |= ret_odd[i] = below ^ newline;
    }
    return any_odd;
}

#define AVX2 __attribute__((target("avx2")))

AVX2 static inline __m256i stops_avx2(__m256i part)
{
    __m256i turned = _mm256_xor_si256(part, _mm256_set1_epi8(QUOTE_BIT));
    __m256i low = _mm256_cmpeq_epi8(_mm256_min_epu8(turned, _mm256_set1_epi8(' ')), turned);
    return _mm256_or_si256(low, _mm256_cmpeq_epi8(part, _mm256_set1_epi8('\\')));
}

AVX2 static inline uint64_t bits_avx2(__m256i low, __m256i high)
{
    return (uint32_t)_mm256_movemask_epi8(low) | (uint64_t)(uint32_t)_mm256_movemask_epi8(high) << 32;
}

AVX2 uint64_t line_map_avx2(const char *data, size_t count, uint64_t *ret_stop, uint64_t *ret_newline,
                            uint64_t *ret_odd)
{
    const __m256i newlines = _mm256_set1_epi8('\n'), blanks = _mm256_set1_epi8(' ');
    uint64_t any_odd = 0;
    for (size_t i = 0; i < count; i++, data += SCAN_BLOCK_SIZE) {
        __m256i low = _mm256_loadu_si256((const __m256i *)(const void *)data);
        __m256i high = _mm256_loadu_si256((const __m256i *)(const void *)(data + sizeof(__m256i)));
        uint64_t newline = bits_avx2(_mm256_cmpeq_epi8(low, newlines), _mm256_cmpeq_epi8(high, newlines));
        ret_stop[i] = bits_avx2(stops_avx2(low), stops_avx2(high));
        ret_newline[i] = newline;
        any_odd |= ret_odd[i] =
            bits_avx2(_mm256_cmpgt_epi8(blanks, low), _mm256_cmpgt_epi8(blanks, high)) ^ newline;
    }
    return any_odd;
}

__attribute__((target("avx512f,avx512bw"))) uint64_t
line_map_avx512(const char *data, size_t count, uint64_t *ret_stop, uint64_t *ret_newline, uint64_t *ret_odd)
{
    const __m512i blanks = _mm512_set1_epi8(' ');
    uint64_t any_odd = 0;
    for (size_t i = 0; i < count; i++, data += SCAN_BLOCK_SIZE) {
        __m512i block = _mm512_loadu_si512(data);
        uint64_t quoting = _mm512_cmpeq_epi8_mask(block, _mm512_set1_epi8('"')) |
                           _mm512_cmpeq_epi8_mask(block, _mm512_set1_epi8('\\'));
        uint64_t newline = _mm512_cmpeq_epi8_mask(block, _mm512_set1_epi8('\n'));
        ret_stop[i] = quoting | _mm512_cmplt_epu8_mask(block, blanks);
        ret_newline[i] = newline;
        any_odd |= ret_odd[i] = _mm512_cmplt_epi8_mask(block, blanks) ^ newline;
    }
    return any_odd;
}

#else
typedef int line_map_x86_not_built; /* a translation unit may not be empty */
#endif
