/*
 * The inside of a tail:
 *
 *      tail.c            the interface, and what is done at each look
 *      tail_scan.c       listing the folders: what has come, moved and gone
 *      tail_identify.c   which source a file is that turned up
 *      tail_copy.c       copies: made, on their way, outrun
 *      tail_give.c       a source gets its file
 *      tail_check.c      what became of one file that is known
 *      tail_hold.c       deleted files that are kept open, and how many
 *      tail_list.c       the sources that are tailed, in their order
 *      tail_known.c      all sources ever heard of, by inode and head
 *      tail_source.c     a source's bytes by position
 *      tail_file.c       its descriptor, its states, the evidence a file shows
 *      tail_problem.c    what cannot be read, told once
 */
#ifndef SHIPPER_TAIL_INTERNAL_H
#define SHIPPER_TAIL_INTERNAL_H

#include "discover.h"
#include "tail_known.h"
#include "tail_source.h"
#include "watch.h"

/* A source as tail sees it. `source` comes first, so that a struct source * leads here. */
struct tracked {
    struct source source;
    struct source_file file;
    char *family;
    struct generation generation;
    uint64_t sequence; /* of creation: orders what has one age (a deleted app.log and the new one) */
    int input;
    int known;           /* index of its entry there */
    size_t index;        /* in the order of reading */
    int watch_id;        /* of its own file, where that is watched by itself; else -1 */
    int64_t held_at_ns;  /* in the tail's own time: when it was first seen deleted; 0: it is not */
    uint64_t checked_at; /* number of the look that last saw what the file system says */
    uint64_t free_at;    /* number of the look since which all older brothers are read ... */
    uint32_t free_lanes; /* ... by these lanes */
    bool seen;           /* by the last scan */
    bool dropped;        /* only waits for the next scan to be freed */
    bool rewritten; /* by the last scan: the file holds other bytes, or fewer; to be settled in this scan */
    bool woken;     /* in the list of those, which is linked by next_woken */
    bool restless;  /* to be stepped: in the list of those, which is linked by next_restless */
    bool untold;    /* a scan in its time found it written, and nothing was heard of it yet */
    struct tracked *next_woken, *next_restless;
};

/* Another file with the bytes of a source that is present: not looked at again while it stays as it is. */
struct copy {
    uint64_t device, inode, size;
    int64_t modified_ns;
    int known;
};

/* A path that somebody was told of. */
struct told {
    char *path;
    enum error error;
    uint64_t look; /* the last scan that met it */
};

enum { TAIL_TOLD_MAX = 1000, TAIL_COPIES_MAX = 100000, TAIL_REWRITTEN_MAX = 1000 };

struct tail {
    struct tail_options options;
    struct file_pool pool;
    struct known_set known;
    struct watch *watch; /* NULL: look by time */

    struct tracked **sources; /* in the order of reading */
    size_t source_count, source_capacity;
    struct tracked **by_path;  /* the same, by path; for the news of watch */
    struct tracked **by_watch; /* those that are watched by themselves, by their number there */
    size_t by_watch_count;
    struct tracked *
        *strays; /* not found by the last scan, and not lost: nothing but themselves tells of them */
    size_t stray_count;
    struct tracked *first_woken, **woken_end; /* of which something changed: for the owner */
    struct tracked *restless;                 /* whose state may change, at next_step_ns the first of them */
    uint64_t next_sequence;

    struct copy *copies;
    int copy_count, copy_capacity;
    int copy_next; /* where the search for one begins */

    int rewritten[TAIL_REWRITTEN_MAX]; /* indexes of known sources in whose files this scan found other bytes
                                        */
    int rewritten_count;

    struct told *told;
    int told_count;
    void (*on_problem)(void *context, const struct problem *problem); /* of the look that goes on */
    void *on_problem_context;

    uint64_t look;  /* counts tail_look */
    uint64_t scan;  /* the look that last listed the folders; what was seen then is `present` */
    uint64_t scans; /* how many there were */
    int64_t now_ns; /* of the look that goes on */
    int64_t next_scan_ns;
    int64_t next_folders_ns; /* when it is looked again which folders there are */
    int64_t next_strays_ns;
    int64_t next_step_ns; /* of the restless */
    int64_t last_look_ns;
    int64_t own_time_ns;    /* that has passed between the looks: goes on evenly when the clock is set */
    uint64_t previous_scan; /* the look of the scan before, if that one met all there was */
    bool scan_due;
    bool scan_unasked;       /* no news asked for the scan that goes on: what it finds was not heard of yet */
    int64_t unasked_ns;      /* in own time: when there was such a one */
    int64_t trusted_from_ns; /* in own time: since then all that scans found was heard of, too; ahead: till
                                then news are not relied on */
    bool deaf_told;
    bool folders_lack; /* some folder that is named is not there */
    bool links_lack;   /* some link leads nowhere for now */
    bool watches_lack; /* inotify does not tell of all folders, and that was told */
    int new_count;     /* sources new in this look */
    int matched;
    int unreadable; /* at the last scan */
    enum error first_unreadable;
};

static inline struct tracked *tracked_of(const struct source *source)
{
    return (struct tracked *)(uintptr_t)source;
}

/* ---- tail_problem.c ---- */

/* Tells a problem with a path, once until it changes, and counts it. */
void tail_tell(struct tail *tail, const struct problem *problem, const char *path);

/* What this scan did not meet again is over: should it come back, it is told again. */
void tail_forget_told(struct tail *tail);

/* ---- tail_scan.c ---- */

/* Lists the folders and settles what each file is. 0 or a negative error. */
int tail_scan(struct tail *tail, struct problem *ret_problem);

/* The next scan comes at `delay_ns` from now at the latest. */
void tail_scan_within(struct tail *tail, int64_t delay_ns);

/* In how long a scan tries again what could not be read. */
int64_t tail_retry_ns(const struct tail *tail);

/* Looks which folders there are, without listing them: one that is new, or another than it was, asks for a
 * scan. 0 or a negative error. */
int tail_look_for_folders(struct tail *tail, struct problem *ret_problem);

/* ---- tail_list.c ---- */

/* A source for that entry of `known`, in the list, not yet with a file. NULL when memory ran out. */
struct tracked *tail_track(struct tail *tail, int known, int input, const char *path);

/* Frees a source that is in no list any more. */
void tail_untrack(struct tracked *tracked);

/* Frees what was dropped since the last scan. */
void tail_free_dropped(struct tail *tail);

/* Where the source's file is called `path` from now on. 0, or -1 when memory ran out. */
int tail_set_path(struct tracked *tracked, const char *path);

/* Puts the list in order, after the generations or paths of some have changed. */
void tail_sort(struct tail *tail);

/* The source whose file is called that, or NULL; as of the last tail_sort. */
struct tracked *tail_find_by_path(const struct tail *tail, const char *path);

/* The source whose file is watched by itself under that number, or NULL; as of the last tail_sort. */
struct tracked *tail_find_by_watch(const struct tail *tail, int watch_id);

/* Something changed of the source: its owner is to look at it. */
void tail_wake(struct tail *tail, struct tracked *tracked);

/* The same for all, in the order of reading. */
void tail_wake_all(struct tail *tail);

/* How far the lane got that is furthest behind. */
uint64_t tail_least_position(const struct source *source, int lane_count);

/* Its bytes are out of reach for good: what was not read is counted. */
void tail_lose(struct tail *tail, struct tracked *tracked);

/* Watches the file by itself, since the folder does not tell of it. */
void tail_watch_alone(struct tail *tail, struct tracked *tracked);

/* ---- tail_hold.c ---- */

/* Lets go of deleted files that nobody reads any more, oldest first, until all limits are kept. */
void tail_limit_held(struct tail *tail);

/* ---- tail_check.c ---- */

/* Takes in size and time. Sets `rewritten` when they show that the file is another now. */
void tail_check_status(struct tail *tail, struct tracked *tracked, uint64_t size, int64_t modified_ns);

/* The same by descriptor or path, without a scan; asks for one when it is needed. */
void tail_check_file(struct tail *tail, struct tracked *tracked);

/* Each source goes on to the state that its file is in now. */
void tail_step_all(struct tail *tail);

/* The same for those that may have another: which were looked at, or change with time. */
void tail_step_restless(struct tail *tail);

/* ---- tail_identify.c ---- */

/*
 * Finds out which source each of these files is, and gives it to that one: an older one that goes on there,
 * or a new one. 0 or a negative error.
 */
int tail_identify(struct tail *tail, const struct found_file *const *files, size_t count,
                  struct problem *ret_problem);

/* Opens the file anew and compares it with its own source. False when it cannot be read now. */
bool tail_compare_again(struct tail *tail, struct tracked *tracked, enum source_verdict *ret_verdict);

#endif
