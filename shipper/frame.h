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

#include "line_map.h"

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
    bool odd; /* as line_map.h has it; only with a map */
    struct slice line;
    const struct line_map *map; /* of the line's bytes, until another is made of what follows; or NULL */
    uint64_t offset;            /* of the first byte, in the source */
    uint64_t size;              /* bytes of the source that it takes, newline included */
};

enum { FRAME_HEAD_KEPT_MAX = 4096 };

struct framer {
    struct slice piece; /* set by framer_feed() */
    size_t at;          /* consumed of `piece` */
    size_t nul_from;    /* where `nul_at` was looked for from; beyond `at` when it was not */
    size_t nul_at;      /* the first NUL of `piece` from there on; its size when there is none */
    uint64_t offset;    /* of piece.data[at] in the source */
    uint64_t line_max;
    bool skipping; /* inside a line above the limit, whose head was at skip_offset */
    uint64_t skip_offset;
    uint32_t head_size;
    char head[FRAME_HEAD_KEPT_MAX];
    line_map_function *map_blocks;
    struct line_map map; /* of what follows in `piece` */
    struct line_ends ends;
    int next; /* of `ends`: the first that is not behind `at` */
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

/* Where the next line that is mapped ends, in the piece. There must be one. */
static inline size_t framer_line_end(const struct framer *framer)
{
    return (size_t)(framer->map.data - framer->piece.data) + framer->ends.at[framer->next];
}

static inline bool framer_line_is_odd(const struct framer *framer)
{
    return framer->ends.any_odd && framer->ends.odd[framer->next];
}

/*
 * What framer_next() does when a line comes next that is mapped and as nearly every one: no odd byte is in it
 * and no white space before it, and it is no longer than it may be. False, and nothing is done, when it is
 * not so. Its fields are written one by one where they are to be: a copy of what was written just now is
 * waited for.
 */
static inline bool framer_take_usual_line(struct framer *framer, struct frame *ret_frame)
{
    if (framer->next >= framer->ends.count || framer_line_is_odd(framer) || framer->skipping ||
        framer->offset == 0)
        return false;
    size_t at = framer->at, size = framer_line_end(framer) - at;
    if (size > framer->line_max || framer->piece.data[at] <= ' ')
        return false;
    ret_frame->kind = FRAME_LINE;
    ret_frame->odd = false;
    ret_frame->line = slice_from(framer->piece.data + at, size);
    ret_frame->map = &framer->map;
    ret_frame->offset = framer->offset;
    ret_frame->size = size + 1;
    framer->offset += size + 1;
    framer->at = at + size + 1;
    framer->next++;
    return true;
}

/* Whether the next frame leaves the map of the frames before it as it is. */
static inline bool framer_keeps_map(const struct framer *framer)
{
    return framer->next < framer->ends.count;
}

/* Takes the partial rest as a line (the file is finished): FRAME_LINE, FRAME_BLANK, FRAME_TOO_LONG or
 * FRAME_END. */
struct frame framer_last(struct framer *framer);

#endif
