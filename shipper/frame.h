/*
 * bytes -> lines. A cursor over a piece of a file that is held in memory: finds whole lines, skips blank ones
 * and NUL runs, passes over lines above the limit without keeping them. A last line without newline is left
 * where it is: the caller comes again with it when more has come, so a partial line waits as an offset.
 *
 * A NUL is never part of a line: it ends the line before it (a power cut leaves half a line, zeros, and then
 * the next whole line), and each run of them is a FRAME_BLANK. A byte order mark is passed over at offset 0
 * of a source, where it counts as part of the first line's size.
 *
 * Frames lie end to end: each one's offset is the end of the one before. The position to keep for a restart
 * is the end of the last frame; it differs from `offset` while a line above the limit is passed over.
 */
#ifndef SHIPPER_FRAME_H
#define SHIPPER_FRAME_H

#include "liblog/base/slice.h"

#include <stdint.h>

enum frame_kind {
    FRAME_LINE,     /* a whole line; `line` is without newline, `size` with it */
    FRAME_BLANK,    /* white space, NULs or nothing: counted, skipped */
    FRAME_TOO_LONG, /* a line above the limit has ended (or, with `last`, the rest of it): `line` is its first
                       4 KiB at most */
    FRAME_PARTIAL,  /* bytes without newline at the end; not consumed */
    FRAME_END,      /* nothing is left */
};

struct frame {
    enum frame_kind kind;
    struct slice line;
    uint64_t offset; /* of the first byte, in the source */
    uint64_t size;   /* bytes of the source that it takes, newline included */
};

enum { FRAME_HEAD_KEPT_MAX = 4096 };

struct framer {
    struct slice piece; /* set by framer_feed() */
    size_t at;          /* consumed of `piece` */
    size_t nul_at;      /* the first NUL of `piece` from `at` on; its size when there is none */
    uint64_t offset;    /* of piece.data[at] in the source */
    uint64_t line_max;
    bool skipping; /* inside a line above the limit, whose head was at skip_offset */
    uint64_t skip_offset;
    uint32_t head_size;
    char head[FRAME_HEAD_KEPT_MAX];
};

/* Starts at `offset` of a source, at the beginning of a line. `line_max` bytes, newline not counted. */
void framer_init(struct framer *framer, uint64_t offset, uint64_t line_max);

/* Gives the next piece, which begins at the framer's offset and stays as it is until framer_next() said
 * FRAME_END or FRAME_PARTIAL. What was partial must come again at the front, so a caller's buffer holds more
 * than line_max bytes. */
void framer_feed(struct framer *framer, struct slice piece);

/* The next frame; its line lives as long as the piece, and for FRAME_TOO_LONG until the framer is next used.
 */
struct frame framer_next(struct framer *framer);

/* Takes the partial rest as a line (the file is finished): FRAME_LINE, FRAME_BLANK, FRAME_TOO_LONG or
 * FRAME_END. */
struct frame framer_last(struct framer *framer);

#endif
