/*
 * A fast hash of short texts, sixteen bytes at a time. Keyed by its seed, so that a table with a seed of its
 * own cannot be flooded by texts made to collide; with a fixed seed the value is the same on every machine
 * and may be stored.
 */
#ifndef SHIPPER_HASH_H
#define SHIPPER_HASH_H

#include "liblog/base/slice.h"

#include <endian.h>
#include <stdint.h>

__extension__ typedef unsigned __int128 hash_wide;

#define HASH_FACTOR_WORD UINT64_C(0x9e3779b97f4a7c15)
#define HASH_FACTOR_SIZE UINT64_C(0xd1b54a32d192ed03)

static inline uint64_t hash_mix(uint64_t a, uint64_t b)
{
    hash_wide product = (hash_wide)a * b;
    return (uint64_t)product ^ (uint64_t)(product >> 64);
}

static inline uint64_t hash_load64(const char *at)
{
    uint64_t word;
    memcpy(&word, at, sizeof(word));
    return le64toh(word);
}

static inline uint64_t hash_load32(const char *at)
{
    uint32_t word;
    memcpy(&word, at, sizeof(word));
    return le32toh(word);
}

/* All of a text shorter than eight bytes in one word. */
static inline uint64_t hash_load_short(struct slice text)
{
    const unsigned char *s = (const unsigned char *)text.data;
    if (text.size >= 4)
        return hash_load32(text.data) | hash_load32(text.data + text.size - 4) << 32;
    if (text.size == 0)
        return 0;
    return (uint64_t)s[0] | (uint64_t)s[text.size / 2] << 8 | (uint64_t)s[text.size - 1] << 16;
}

/* Both factors hold the key, so that nobody who does not know it can choose one that is 0. */
static inline uint64_t hash_pair(uint64_t hash, uint64_t first, uint64_t second)
{
    return hash_mix(first ^ hash, second ^ (hash << 32 | hash >> 32) ^ HASH_FACTOR_WORD);
}

/* Goes on from `hash`, so that texts one after the other make one value; each text's size takes part. */
static inline uint64_t hash_text(uint64_t hash, struct slice text)
{
    hash ^= text.size * HASH_FACTOR_SIZE;
    if (text.size < 8)
        return hash_pair(hash, hash_load_short(text), 0);
    const char *end = text.data + text.size;
    if (text.size <= 16)
        return hash_pair(hash, hash_load64(text.data), hash_load64(end - 8));
    for (const char *at = text.data; at < end - 16; at += 16)
        hash = hash_pair(hash, hash_load64(at), hash_load64(at + 8));
    return hash_pair(hash, hash_load64(end - 16), hash_load64(end - 8));
}

static inline uint64_t hash_sixteen_differ(const char *a, const char *b)
{
    return (hash_load64(a) ^ hash_load64(b)) | (hash_load64(a + 8) ^ hash_load64(b + 8));
}

/* Whether as many bytes at `data` are the text; without a loop or a call for 16 to 48 bytes, as ids have. */
static inline bool hash_text_equal(const char *data, struct slice text)
{
    if (text.size < 16 || text.size > 48)
        return memcmp(data, text.data, text.size) == 0;
    size_t last = text.size - 16, middle = last < 16 ? last : 16;
    return !(hash_sixteen_differ(data, text.data) | hash_sixteen_differ(data + middle, text.data + middle) |
             hash_sixteen_differ(data + last, text.data + last));
}

static inline uint64_t hash_number(uint64_t hash, uint64_t number)
{
    return hash_mix(hash ^ number, HASH_FACTOR_WORD);
}

#endif
