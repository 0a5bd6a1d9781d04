/*
 * The one thread that drains a process's rings into its sinks. Named ll-writer, all signals blocked.
 *
 * It sleeps in two ways. NAP: at most 10 ms, while records come; callers do not wake it, but for a half-full
 * ring and for an error. ASLEEP: for good, after 100 ms without a record; the next caller wakes it with one
 * futex call. A caller only loads the state after it has published: the writer, before it sleeps for good,
 * makes every thread of the process pass a barrier and looks at the rings once more, so no published record
 * is slept over and no caller pays for a fence.
 *
 *       records                  no record for 100 ms
 *   AWAKE -----> NAP (10 ms) ---------------------------> ASLEEP
 *     ^___________|  half-full, error                       |
 *     ^_____________________________________________________|  any record
 */
#ifndef LIBLOG_WRITER_H
#define LIBLOG_WRITER_H

#include "drain.h"
#include "folder.h"

#include <pthread.h>

enum writer_state { WRITER_AWAKE = 0, WRITER_NAP = 1, WRITER_ASLEEP = 2 };

enum {
    WRITER_NAP_NS = 10000000,
    WRITER_IDLE_NS = 100000000,
    WRITER_RETRY_NS = 100000000,      /* while the log cannot be written */
    WRITER_KIN_NS = 1000000000,       /* how often a writer that is busy looks after forked processes */
    WRITER_LOCK_NS_MAX = 1000000000,  /* another process holds the log's lock: tried again after */
    WRITER_SYNC_NS = 1000000000,      /* LOG_SYNC=interval: no record is longer in the kernel only */
    WRITER_SLOW_NS_MIN = 1000000000,  /* a block that takes longer (or than LOG_BLOCK_MAX) is a stall */
    WRITER_CLOSE_NS_MAX = 2000000000, /* ll_close waits at most this long for a log that cannot be written */
};

static const int64_t WRITER_TELL_NS = INT64_C(60000000000); /* at most one line on stderr in this time */

/* Processes that this one forked, or was forked from, and their rings beside its own. */
struct writer_kin {
    uint32_t may_be;        /* atomic: there was a fork */
    bool live;              /* as of the last look into the folder */
    int64_t seen_ns;        /* of that, monotonic */
    int64_t folder_time_ns; /* of its last change, seen; 0: it may change without a change of its time */
};

struct writer {
    struct ring_file file;
    char ring_path[LL_PATH_SIZE + 512]; /* empty: the rings are in memory only */
    char new_path[LL_PATH_SIZE + 512];
    struct folder folder;
    struct os_robust robust;
    struct sink log, errors;
    bool has_errors;
    struct stats_file stats_file;
    struct stats stats; /* stats.file is NULL: nothing is counted */
    ll_sync sync;
    int64_t slow_ns; /* a block that takes longer is a stall */
    struct drain drain;
    pthread_t thread;
    uint32_t thread_number; /* the kernel's */
    struct writer_kin kin;

    uint32_t state;        /* enum writer_state; futex */
    uint32_t stop;         /* ll_close: finish and end */
    uint32_t started;      /* 1 when ll_open may return; futex */
    uint32_t passes;       /* counts whole passes; futex for ll_flush */
    uint64_t passed;       /* everything stamped up to here is written */
    uint32_t freed;        /* counts commits; futex for callers that wait for room */
    uint32_t waiting;      /* callers that do */
    uint64_t written;      /* bytes of lines since they were woken */
    uint32_t stalled;      /* the log cannot be written; atomic, as the three below */
    int32_t stall_errno;   /* why, positive */
    uint64_t stalls;       /* how often that began */
    int64_t busy_since_ns; /* monotonic: when the block under way was begun; 0: there is none */
    uint32_t sync_wanted;  /* a caller waits for its record to be on the disk */
    uint64_t synced;       /* everything stamped up to here was on the disk when it was asked for */
    uint64_t sync_failed;  /* up to here it was asked for and the disk refused */
    int64_t synced_at_ns;  /* monotonic */
    uint64_t unsynced;     /* calls that returned before their record was on the disk; atomic */
    int64_t told_at_ns;    /* monotonic: the last line on stderr */
    bool due;              /* recovery: dead processes' rings were not looked at yet */
    bool barrier;          /* the kernel helps with sleeping for good */
    bool left_behind;      /* the ring file stays: at the end the log could not be written */
    ll_health health;      /* the thread's own */
    pthread_mutex_t health_mutex;
    ll_health published; /* as of the last pass, under health_mutex */
};

/*
 * Starts the thread; returns when dead processes' rings are finished and the ring file has its name. `writer`
 * is filled up to `stats` by the caller. LL_OK, LL_ENOMEM, LL_ESYSTEM.
 */
int writer_start(struct writer *writer);

/* Writes all that was published before, then ends the thread. What cannot be written stays in the ring file
 * for recovery. */
void writer_stop(struct writer *writer);

/* Gives back the memory of a writer whose thread has ended, or, in the child of a fork, is not there. */
void writer_release(struct writer *writer);

static inline bool writer_sleeps(const struct writer *writer)
{
    return __atomic_load_n(&writer->state, __ATOMIC_RELAXED) != WRITER_AWAKE;
}

/* After a publication: wakes the writer if it sleeps for good, or, when urgent, also from a nap. Safe in a
 * signal handler. */
static inline void writer_poke(struct writer *writer, bool urgent)
{
    uint32_t state = __atomic_load_n(&writer->state, __ATOMIC_RELAXED);
    if (__builtin_expect(state != WRITER_AWAKE && (urgent || state == WRITER_ASLEEP), 0) &&
        __atomic_exchange_n(&writer->state, WRITER_AWAKE, __ATOMIC_ACQ_REL) != WRITER_AWAKE)
        os_futex_wake(&writer->state, 1, false);
}

/* Waits until everything stamped up to `ticks` is written. 0 or -ETIMEDOUT. */
int writer_wait(struct writer *writer, uint64_t ticks, int64_t timeout_ns);

/* Has everything stamped up to `ticks` synced, and waits for that unless timeout_ns is 0. 0, -ETIMEDOUT; -EIO
 * when the log cannot be written or synced. */
int writer_wait_synced(struct writer *writer, uint64_t ticks, int64_t timeout_ns);

/* Whether the log cannot be written, as far as a caller can see: also when the writer is stuck in a block. A
 * stall that is seen here first is told here. */
bool writer_is_stalled(struct writer *writer);

/* How the log was doing at the end of the last pass; what callers count is left to the caller. Any thread. */
void writer_health(struct writer *writer, ll_health *ret_health);

#endif
