/*
 * Rings -> lines -> sinks, in order, each record once. The writer thread runs it for its own process; whoever
 * recovers runs it for a dead one. One thread at a time.
 *
 * Sequence: drain_init; then drain_fill and, while it gave something, drain_write until that succeeds;
 * drain_release. A block that could not be written stays as it is and is tried again: nothing moves before it
 * is in the file.
 */
#ifndef LIBLOG_DRAIN_H
#define LIBLOG_DRAIN_H

#include "frame.h"
#include "line.h"
#include "ring_file.h"
#include "sink_file.h"
#include "stats_count.h"

enum {
    DRAIN_BLOCK_BYTES = 65536, /* a block is written when it has grown to this */
    DRAIN_BUFFER_BYTES = DRAIN_BLOCK_BYTES + 2 * RECORD_BYTES_MAX,
};

/* Where one ring is being read. */
struct drain_cursor {
    struct ring *ring;
    uint64_t position;         /* up to here it is in the block */
    uint64_t head;             /* as seen at the beginning of this filling */
    const struct frame *frame; /* the next one, or NULL: none up to the cut */
    uint64_t announced[RING_LEVELS];
};

struct drain_counters {
    uint64_t records, bytes, dropped, truncated, lost_bytes;
    uint64_t copies_left_out; /* records that are in the log and not in the errors file */
};

struct drain {
    struct ring_file *file;
    struct sink *log;
    struct sink *errors; /* NULL: no errors file */
    struct stats *stats; /* NULL: nothing is counted; set after drain_init */
    struct record_run run;
    struct record_site **sites; /* by entry / 8; reserved, touched as far as used */
    uint64_t
        sites_bytes; /* of the entries read: true ones do not overlap, so they are no more than the table */
    struct frame_view *view;
    char *memory;
    struct bytes block, copies;
    size_t block_bytes_max; /* the block is full when it has grown to this */
    bool copies_done;       /* the copies of this block were written, or left out */
    struct drain_cursor *cursor;
    uint32_t cursor_count;
    uint64_t first_seq, next_seq;
    uint64_t dropped_in_block;
    struct ring_dropped announced; /* of what the file counts, up to the end of the block */
    uint32_t records_in_block;
    int64_t last_time_ns;
    uint32_t closing;           /* enum drain_closing: the block ends with the last record */
    struct ticks_anchor anchor; /* by which this block's times are made */
    int64_t first_time_ns;      /* last_time_ns as the block began */
    int64_t mark_time_ns;       /* of the library's own records in this block */
    uint32_t mark_thread;
    bool starved; /* there was no memory for a frame: it waits */
    bool again;   /* the block of a pending note is being made once more */
    struct drain_counters counters;
};

/* 0 or LL_ENOMEM. Everything is borrowed. */
int drain_init(struct drain *drain, struct ring_file *file, struct sink *log, struct sink *errors);
void drain_release(struct drain *drain);

/* Takes records stamped up to `cut` into the block until it is full. Returns how many it holds (0: nothing is
 * left, or `starved` says that there is no memory for the next). */
uint32_t drain_fill(struct drain *drain, uint64_t cut);

/* Makes the last record there will be, in a block of its own. */
enum drain_closing { DRAIN_OPEN, DRAIN_CLOSED, DRAIN_RECOVERED };
void drain_close(struct drain *drain, enum drain_closing closing);

/*
 * Makes the block of a pending note once more, of a dead process: the frames between the tails that hold and
 * those that were staged with the note, with the note's clock. False when it does not come out as the note
 * says (another version made it, or the file is damaged). The drain is good for nothing else afterwards.
 */
bool drain_again(struct drain *drain, const struct ring_note *note);

/*
 * Writes the block; the log's write lock is held (or there is none). 0; or a negative errno, nothing has
 * moved. A part of the block may be in the file then (drain_is_torn): the lock is held on to until the rest
 * is there, or the drain lets go.
 */
int drain_write(struct drain *drain);

/* Whether a part of the block is in the file, perhaps with half a line at its end. */
static inline bool drain_is_torn(const struct drain *drain)
{
    return drain->log->sent > 0 && !drain->log->is_stream;
}

/*
 * Gives up a block of which a part is in the file, under the lock: the whole lines there are done with, half
 * a line is cut off, and what is not there is the block that is written next.
 */
void drain_let_go(struct drain *drain);

/* Moves over the first `bytes` bytes of the block, whole lines that are in the file, and makes the rest once
 * more. False, and the whole block is made again, when these lines do not come out the same. */
bool drain_keep(struct drain *drain, size_t bytes);

/* Whether a ring has anything that is not in the block. */
bool drain_is_behind(const struct drain *drain);

#endif
