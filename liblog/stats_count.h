/*
 * Counts records into a run's statistics (stats_file.h). One thread counts: the writer, or whoever finishes a
 * dead process's ring; a reader counts what is not drained yet into a copy of its own.
 *
 *     stats_begin(stats, file, next_seq)                   the copy that belongs to next_seq holds
 *     for each block:
 *         stats_count for each record, stats_error for ERROR and above
 *         stats_stage(stats, next_seq)                     before the block's note: the other copy is whole
 *         … the block is written …
 *         stats_lock; the ring file commits; stats_commit; stats_unlock
 *
 * A block that could not be written is staged again. Everything counted is private until it is staged, but
 * for entries behind the ends of the rings, which nobody reads.
 *
 * Time is the record's own and goes where it goes: a second that comes again after the clock was set back
 * gets a second entry, and both count. What can be told of a time is known by `lost`, the newest time of
 * which a ring has lost entries.
 */
#ifndef LIBLOG_STATS_COUNT_H
#define LIBLOG_STATS_COUNT_H

#include "liblog/base/slice.h"
#include "stats_file.h"

#include <pthread.h>

enum { STATS_SLOTS = 2 * STATS_TYPES_MAX, STATS_SECOND_NS = 1000000000, STATS_MINUTE_SECONDS = 60 };

struct stats {
    struct stats_file *file;
    int64_t second_ns;            /* where the running second begins */
    uint32_t count[STATS_LEVELS]; /* of it, not yet in `open` */
    uint32_t current;             /* which of open[2] holds */
    struct stats_open open;       /* what the next stage writes */
    struct stats_row row[STATS_TYPES_MAX];
    bool rows_changed;       /* in this block */
    uint32_t held_rows_copy; /* as of the copy that holds: */
    uint64_t held_end[STATS_RINGS];
    uint8_t held_name_copy[STATS_TYPES_MAX];
    uint64_t errors_in_block;
    uint16_t slot[STATS_SLOTS]; /* row + 1 by hash, open addressing; 0 is free */
    pthread_mutex_t mutex;      /* held over a commit: a reader that holds it sees one state */
};

/* What a record of ERROR or above adds. Texts are cut as they are kept. */
struct stats_error {
    int64_t time_ns;
    uint64_t seq;
    unsigned level;
    uint32_t line;
    struct slice type; /* empty: no exception */
    struct slice message, request_id, endpoint, logger;
    struct slice file; /* a path, of which the last part is kept */
};

/* `file` is borrowed. Everything in it is checked; what cannot be is taken as nothing. */
void stats_begin(struct stats *stats, struct stats_file *file, uint64_t next_seq);
void stats_end(struct stats *stats);

/* Forgets what was counted since the last commit: its records are counted once more. */
void stats_again(struct stats *stats);

void stats_next_second(struct stats *stats, int64_t unix_ns);

/* Counts a record. True when it is an error, of which stats_error is to be told too. */
static inline bool stats_count(struct stats *stats, unsigned level, int64_t unix_ns)
{
    if (__builtin_expect((uint64_t)unix_ns - (uint64_t)stats->second_ns >= STATS_SECOND_NS, 0))
        stats_next_second(stats, unix_ns);
    stats->count[level]++;
    return __builtin_expect(level >= LL_LEVEL_ERROR, 0);
}

void stats_error(struct stats *stats, const struct stats_error *error);

/* Brings what was counted into `open`. */
void stats_fold(struct stats *stats);

/* `last_ns`: the time of the latest record, or 0 when there was none. */
void stats_stage(struct stats *stats, uint64_t next_seq, int64_t last_ns);
void stats_commit(struct stats *stats);

static inline void stats_lock(struct stats *stats)
{
    pthread_mutex_lock(&stats->mutex);
}

static inline void stats_unlock(struct stats *stats)
{
    pthread_mutex_unlock(&stats->mutex);
}

/* Which of a file's two copies holds: that of next_seq; after a power cut, when there is none, the latest
 * before it. */
uint32_t stats_choose(const struct stats_open open[static 2], uint64_t next_seq);

/* What stats_row.hash is made of. */
uint64_t stats_name_hash(struct slice name);
struct slice stats_row_name(const struct stats *stats, uint32_t row);

/* The first entry of a ring that may be read. */
static inline uint64_t stats_first_entry(const struct stats_open *open, enum stats_ring ring)
{
    uint32_t keep = stats_ring_places[ring].keep;
    return open->end[ring] > keep ? open->end[ring] - keep : 0;
}

#endif
