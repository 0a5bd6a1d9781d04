/*
 * Several bytes of text looked at in one step, in the widest way that every machine of the target has: SSE2,
 * NEON, or eight bytes in a plain integer. The three give the same answers; LANES_PORTABLE asks for the plain
 * one.
 *
 *     lanes v = lanes_load(in);                    LANES_SIZE bytes, any alignment
 *     lanes_mask special = lanes_special(v);       which of them are not plain
 *     if (special) in += lanes_first(special);     the index of the first one
 *     lanes_words_are_plain(a, b)                  the same question of twice eight bytes
 *
 * Plain is what JSON text can hold as it is and is a character by itself: ASCII from blank to `~` without `"`
 * and `\`.
 */
#ifndef LIBLOG_BASE_LANES_H
#define LIBLOG_BASE_LANES_H

#include <stddef.h>
#include <stdint.h>
#include <string.h>

static inline int lanes_is_plain(unsigned char c)
{
    return c >= 0x20 && c < 0x7f && c != '"' && c != '\\';
}

#if defined(__SSE2__) && !defined(LANES_PORTABLE)

#include <emmintrin.h>

enum { LANES_SIZE = 16 };
typedef __m128i lanes;
typedef unsigned lanes_mask;

static inline lanes lanes_load(const char *in)
{
    return _mm_loadu_si128((const __m128i *)(const void *)in);
}

static inline void lanes_store(char *out, lanes v)
{
    _mm_storeu_si128((__m128i *)(void *)out, v);
}

static inline lanes_mask lanes_special(lanes v)
{
    /* Signed, so that bytes from 0x80 on count as less than a blank too. */
    lanes low = _mm_cmplt_epi8(v, _mm_set1_epi8(0x20));
    lanes quote = _mm_cmpeq_epi8(v, _mm_set1_epi8('"'));
    lanes backslash = _mm_cmpeq_epi8(v, _mm_set1_epi8('\\'));
    lanes del = _mm_cmpeq_epi8(v, _mm_set1_epi8(0x7f));
    return (unsigned)_mm_movemask_epi8(_mm_or_si128(_mm_or_si128(low, quote), _mm_or_si128(backslash, del)));
}

static inline size_t lanes_first(lanes_mask special)
{
    return (size_t)__builtin_ctz(special);
}

static inline int lanes_words_are_plain(uint64_t a, uint64_t b)
{
    return lanes_special(_mm_set_epi64x((int64_t)a, (int64_t)b)) == 0;
}

#elif defined(__aarch64__) && defined(__ARM_NEON) && defined(__AARCH64EL__) && !defined(LANES_PORTABLE)

#include <arm_neon.h>

enum { LANES_SIZE = 16 };
typedef uint8x16_t lanes;
typedef uint64_t lanes_mask;

static inline lanes lanes_load(const char *in)
{
    return vld1q_u8((const uint8_t *)in);
}

static inline void lanes_store(char *out, lanes v)
{
    vst1q_u8((uint8_t *)out, v);
}

static inline lanes_mask lanes_special(lanes v)
{
    uint8x16_t special = vorrq_u8(vcltq_u8(v, vdupq_n_u8(0x20)), vcgeq_u8(v, vdupq_n_u8(0x7f)));
    special = vorrq_u8(special, vceqq_u8(v, vdupq_n_u8('"')));
    special = vorrq_u8(special, vceqq_u8(v, vdupq_n_u8('\\')));
    /* Four bits a byte: NEON has no movemask, but narrows pairs of bytes. */
    return vget_lane_u64(vreinterpret_u64_u8(vshrn_n_u16(vreinterpretq_u16_u8(special), 4)), 0);
}

static inline size_t lanes_first(lanes_mask special)
{
    return (size_t)__builtin_ctzll(special) / 4;
}

static inline int lanes_words_are_plain(uint64_t a, uint64_t b)
{
    return lanes_special(vcombine_u8(vcreate_u8(a), vcreate_u8(b))) == 0;
}

#else

enum { LANES_SIZE = 8 };
typedef uint64_t lanes;
typedef uint64_t lanes_mask;

static inline lanes lanes_load(const char *in)
{
    lanes v;
    memcpy(&v, in, sizeof v);
    return v;
}

static inline void lanes_store(char *out, lanes v)
{
    memcpy(out, &v, sizeof v);
}

static inline uint64_t lanes_each(unsigned char c)
{
    return UINT64_C(0x0101010101010101) * c;
}

/* The highest bit of each byte that is at least `min` (1 to 0x80), of bytes below 0x80. No carry leaves a
 * byte. */
static inline uint64_t lanes_at_least(uint64_t ascii, unsigned char min)
{
    return ascii + lanes_each((unsigned char)(0x80 - min));
}

static inline lanes_mask lanes_special(lanes v)
{
    uint64_t ascii = v & lanes_each(0x7f);
    uint64_t plain = lanes_at_least(ascii, 0x20) & lanes_at_least(ascii ^ lanes_each('"'), 1) &
                     lanes_at_least(ascii ^ lanes_each('\\'), 1) & ~lanes_at_least(ascii, 0x7f);
    return (~plain | v) & lanes_each(0x80);
}

static inline size_t lanes_first(lanes_mask special)
{
#if __BYTE_ORDER__ == __ORDER_BIG_ENDIAN__
    return (size_t)__builtin_clzll(special) / 8;
#else
    return (size_t)__builtin_ctzll(special) / 8;
#endif
}

static inline int lanes_words_are_plain(uint64_t a, uint64_t b)
{
    return (lanes_special(a) | lanes_special(b)) == 0;
}

#endif

/* How many bytes at the front are plain. */
static inline size_t lanes_plain_size(const char *in, size_t size)
{
    size_t i = 0;
    for (; size - i >= LANES_SIZE; i += LANES_SIZE) {
        lanes_mask special = lanes_special(lanes_load(in + i));
        if (special)
            return i + lanes_first(special);
    }
    while (i < size && lanes_is_plain((unsigned char)in[i]))
        i++;
    return i;
}

#endif
