/*
 * The files of one shipper: which there are (discover), which source each is (source), and their bytes by
 * position.
 *
 * Sequence: tail_new; then again and again tail_look (finds, recognises, drops what is gone) and, for each
 * source that tail_next gives, source_read at the positions that the pipeline keeps; tail_free. Everything
 * runs on one thread.
 *
 * A source stays open while it can still grow or has unread bytes; a deleted one is read to its end through
 * the open descriptor. One bad file (EACCES, EIO, EMFILE) is reported, tried again at the next look, and
 * stops no other.
 */
#ifndef SHIPPER_TAIL_H
#define SHIPPER_TAIL_H

#include "config.h"
#include "link.h"
#include "problem.h"
#include "source.h"

#include "liblog/base/slice.h"

/* The consumers of a source that have positions of their own: the statistics, then the outputs in their
 * order. */
enum { LANE_STATS = 0, LANE_COUNT_MAX = 1 + CONFIG_OUTPUTS_MAX };

/* What the pipeline counts for a source; the store adds them up for good. */
struct source_counters {
    uint64_t records, rejected, copies, bad_time, utf8, lost_bytes, blank;
};

struct source {
    struct source_record record;      /* id, path, evidence; tail keeps them up to date */
    const struct config_input *input; /* borrowed from the configuration */
    uint64_t position[LANE_COUNT_MAX];
    struct source_counters counters; /* since the last commit; the pipeline adds, and clears after a commit */
    int64_t last_time_ns; /* time of the last record read by the statistics: stands in for a bad one */
    bool is_new;          /* never committed yet */
    bool changed;         /* to be written at the next commit */
    /* The pipeline's own; the tail leaves them as they are (zero at first). */
    uint64_t committed[LANE_COUNT_MAX]; /* what the database holds; UINT64_MAX: no row yet */
    bool started;                       /* every lane has its position */
    bool knows_time;        /* last_time_ns is that of the record before the statistics' position */
    bool tells_time;        /* some record of it told its time */
    uint64_t quiet_end;     /* where the file's bytes end, ... */
    int64_t quiet_since_ns; /* ... since when (monotonic): how long an event of several lines has waited */
    struct link turn, unsettled; /* agenda.h */
    int64_t due_ns;
    struct source_file *file; /* tail's own: descriptor, decompressor; NULL while it cannot be read */
};

/* What lies behind the bytes that source_read gave. */
enum source_end {
    SOURCE_MORE,     /* more is there now */
    SOURCE_WAIT,     /* the end of a live file: more may come */
    SOURCE_FINISHED, /* the end, for good: an older generation, a compressed file, a deleted one, or --once */
    SOURCE_BROKEN,   /* cannot be read now (or, compressed and damaged, beyond here); others go on */
};

struct tail;

struct tail_options {
    const struct config_input *inputs; /* borrowed as long as the tail lives */
    int input_count;
    bool once; /* read to the size each file has when first seen, then SOURCE_FINISHED */
    const char *const
        *own_files; /* paths that are this program's own output, log or state: never inputs; borrowed too */
    int own_file_count;
    const struct source_record *known; /* from the store; copied */
    int known_count;
    int lane_count; /* how many lanes a source has; 0: the statistics alone */
    /* How long, and of which size in all, deleted files are kept open for those who have not read them; 0: no
     * such limit. */
    int64_t hold_ns_max;
    uint64_t hold_bytes_max;
    int gone_kept_max; /* of how many sources that are gone the evidence is kept; 0: SOURCE_GONE_KEPT_MAX */
};

/* 0, or a negative error. */
int tail_new(const struct tail_options *options, struct problem *ret_problem, struct tail **ret_tail);
void tail_free(struct tail *tail);

/*
 * A source that is known from before has position[LANE_STATS] from its evidence; its other positions are for
 * the caller to fill, and lie at most at evidence.size of a plain file (one that was rolled back by a power
 * cut is shorter now). A new source has them all at its beginning (or, with start_at_end, its end).
 *
 * Looks at the folders and files again. `now_ns` is the wall clock. `on_problem` (may be NULL) is told each
 * file that could not be read, once until it changes. Returns the number of sources that are new, or a
 * negative error.
 */
int tail_look(struct tail *tail, int64_t now_ns,
              void (*on_problem)(void *context, const struct problem *problem), void *context);

/*
 * The next source of which something changed (found, written, moved, finished, lost; or a scan met it again)
 * since it was given here before; NULL when there is no more. After a look that listed the folders these are
 * all, in the order of reading. Of a source that is not given nothing is new.
 */
struct source *tail_next_woken(struct tail *tail);

/* How long after the last look, in ns, there is something for tail_look to do though tail_watch_fd stays
 * silent: at most a minute, 0 when it is due. */
int64_t tail_due_ns(const struct tail *tail);

/* How many files match the patterns now; after tail_look. */
int tail_matched(const struct tail *tail);

/* How many matched files and folders could not be read (at the last look, or while reading since), and the
 * exit code the first of them asks for (77 or 74). *ret_code is set only when there are any. */
int tail_unreadable(const struct tail *tail, enum exit_code *ret_code);

/*
 * The sources in the order in which they must be read: within a family (app.log.2.gz, app.log.1, app.log)
 * oldest first. `after` is NULL for the first. A source whose older brother is not read to its end by every
 * lane may still be given; source_is_blocked tells, for one lane.
 */
struct source *tail_next(struct tail *tail, const struct source *after);
bool source_is_blocked(const struct tail *tail, const struct source *source, int lane);

/* The brother that follows it in the order of reading, and may be blocked by it; NULL when it is the
 * youngest. */
struct source *source_younger(const struct tail *tail, const struct source *source);

/*
 * Forgets a source that was read to its end by every lane and committed; the pointer dies. tail_look never
 * does that by itself: until then a source that is gone stays in the list, and a deleted file keeps its
 * descriptor (and its space on the disk), up to the limits above; what is let go then is told (IO_008) and
 * counted in lost_bytes from the lane on that was furthest behind. A file that is still there is not taken
 * for a new source; when it grows, its source comes back.
 */
void tail_drop(struct tail *tail, struct source *source);

/*
 * Up to `size` bytes of the source from `offset` on into `memory`. 0 with *ret_size (0 only at an end) and
 * what lies behind them, or a negative error (memory). Plain files are read by position; compressed ones in a
 * stream that starts again when `offset` lies behind it. With SOURCE_BROKEN, ret_problem is filled the first
 * time only: set its error to ERR_NONE before.
 */
int source_read(struct source *source, uint64_t offset, void *memory, size_t size, size_t *ret_size,
                enum source_end *ret_end, struct problem *ret_problem);

/* Every lane has its position now. Of a source whose bytes are out of reach, what a lane of these has not
 * read is counted. */
void source_start(struct source *source, int lane_count);

/* The statistics stand at `offset`, and `recent` are the last (up to 256) bytes before it: renews the marker.
 * Moving position[LANE_STATS] is the caller's. */
void source_moved(struct source *source, uint64_t offset, struct slice recent);

/* How much is unread for a lane: bytes as they lie in the file (for compressed files, 0 when read to the end,
 * else its size). */
uint64_t source_unread_bytes(const struct source *source, int lane);

/* A descriptor that becomes readable when something may have changed (inotify); -1 where there is none: look
 * by time. */
int tail_watch_fd(const struct tail *tail);

#endif
