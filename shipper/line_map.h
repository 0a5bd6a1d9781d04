/*
 * What the next bytes of a piece are, one bit a byte, and the lines that end among them. It is made once for
 * some dozens of lines; then the end of a line is a number, and the end of a string is a shift away, however
 * long lines and strings are.
 */
#ifndef SHIPPER_LINE_MAP_H
#define SHIPPER_LINE_MAP_H

#include "scan_mask.h"

#include "liblog/base/slice.h"

#include <endian.h>

enum {
    LINE_MAP_BYTES_USUAL = 8 * 1024, /* with its lines' events it stays in the processor's nearest memory */
    LINE_MAP_BYTES_MAX = 64 * 1024,  /* for lines that are longer */
    LINE_MAP_BLOCKS_MAX = LINE_MAP_BYTES_MAX / SCAN_BLOCK_SIZE,
    LINE_MAP_LINES_MAX = 256,
};

/* Bit i of a word speaks of byte i of its block. */
struct line_map {
    const char *data; /* the first byte that is mapped */
    size_t size;      /* how many are */
    uint64_t
        stop[LINE_MAP_BLOCKS_MAX + 2]; /* quotes, backslashes, control bytes, and all behind the last byte;
                                          each word little-endian, so that one may be loaded from any byte */
    uint64_t newline[LINE_MAP_BLOCKS_MAX];
    bool is_odd;                       /* any byte is */
    uint64_t odd[LINE_MAP_BLOCKS_MAX]; /* control bytes other than newlines, bytes above 0x7F */
};

/* The lines that end in a map. */
struct line_ends {
    int count;
    bool any_odd;                    /* else `odd` is not filled */
    uint32_t at[LINE_MAP_LINES_MAX]; /* index of the newline */
    bool odd[LINE_MAP_LINES_MAX];    /* an odd byte stands in a block that the line has a part of */
};

/* Fills the words of `count` blocks of SCAN_BLOCK_SIZE bytes each, which need no alignment. Returns all of
 * `ret_odd` as one. */
typedef uint64_t line_map_function(const char *data, size_t count, uint64_t *ret_stop, uint64_t *ret_newline,
                                   uint64_t *ret_odd);

line_map_function line_map_plain;
#if defined(__x86_64__)
line_map_function line_map_avx512;
line_map_function line_map_avx2;
line_map_function line_map_sse2;
#elif defined(__aarch64__)
line_map_function line_map_neon;
#endif

/* Maps the first LINE_MAP_BYTES_MAX bytes of `text` at most; nothing behind it is read. The map is of use as
 * long as the text is there. */
void line_map_make(struct line_map *map, struct slice text, line_map_function *map_blocks);

/* The lines that end in the map, the first LINE_MAP_LINES_MAX of them. */
void line_map_find_lines(const struct line_map *map, struct line_ends *ret_ends);

/* How many bytes lie before the first stop from byte `index` on, which is one at most 64 bytes behind the
 * map's end. */
size_t line_map_far_stop(const struct line_map *map, size_t index);

static inline __attribute__((always_inline)) size_t line_map_stop(const struct line_map *map, size_t index)
{
    uint64_t stops;
    memcpy(&stops, (const char *)map->stop + index / 8, sizeof(stops));
    stops = le64toh(stops) >> index % 8; /* at least 57 bytes' */
    return __builtin_expect(stops != 0, 1) ? (size_t)__builtin_ctzll(stops) : line_map_far_stop(map, index);
}

#endif
