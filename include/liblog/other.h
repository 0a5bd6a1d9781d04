/*
 * What one process may do to the log of another. Not needed by a program that only logs; shipper stands on
 * it.
 */
#ifndef LIBLOG_OTHER_H
#define LIBLOG_OTHER_H

#include "api.h"
#include "error.h"
#include "stats.h"

#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

typedef struct ll_recover_options {
    const char *ring_dir;   /* as LOG_RING_DIR; NULL: the hidden folder beside the log */
    const char *error_file; /* as LOG_ERROR_FILE, for the copies; NULL: none are written */
    uint32_t dry_run;       /* 1: only look */
    uint32_t reserved;
} ll_recover_options;

typedef struct ll_recovered {
    uint32_t living;   /* rings whose process lives: left alone */
    uint32_t finished; /* rings of dead processes, finished and removed (with dry_run: that would be) */
    uint32_t damaged;  /* rings that cannot be read: left as they are; `problem` tells the last one */
    uint32_t reserved;
    uint64_t records;    /* written now */
    uint64_t lost_bytes; /* in rings whose contents could not be believed to the end */
} ll_recovered;

LL_API int ll_recover_sized(const char *log_path, const ll_recover_options *options, size_t options_size,
                            ll_recovered *ret_recovered, size_t recovered_size, ll_problem *ret_problem);

/*
 * Finishes the rings of dead processes that logged to the file `log_path`: what they had logged and not
 * written is appended to it, each record once. `options` may be NULL. LL_OK (also when there was nothing to
 * do), or an error with its words: LL_ENOENT when there is neither log nor folder, LL_EACCES, LL_EIO,
 * LL_EFORMAT when a ring is damaged. May run beside living writers and other recoverers. A ring file is not
 * trusted: every length in it is checked, paths in it are ignored.
 */
static inline int ll_recover(const char *log_path, const ll_recover_options *options,
                             ll_recovered *ret_recovered, ll_problem *ret_problem)
{
    return ll_recover_sized(log_path, options, sizeof *options, ret_recovered, sizeof *ret_recovered,
                            ret_problem);
}

/*
 * The statistics of all processes that log, or have logged, to one file: read from outside, of each at one
 * moment, while they run, after they died, and before or after their rings were finished. What a process has
 * logged and not written yet counts too. Needs the right to read the log's hidden folder, changes nothing in
 * it, and holds nobody up. Of dead runs the latest are kept (docs/liblog.md).
 */
typedef struct ll_other_stats ll_other_stats;

typedef struct ll_other_stats_options {
    const char *ring_dir;    /* as LOG_RING_DIR; NULL: the hidden folder beside the log */
    uint32_t window_seconds; /* 0: since each process began; else as ll_stats_window, up to now */
    uint32_t reserved;
} ll_other_stats_options;

/* One run of one process. */
typedef struct ll_other_run {
    char run_id[40];
    char service[256];
    uint32_t pid;      /* in its own pid namespace */
    uint32_t is_alive; /* 1: it has the log open */
    int64_t started_ns;
    int64_t last_ns;     /* the time of its latest record, or 0 */
    uint64_t unwritten;  /* records counted here that are not in the log yet */
    uint32_t is_settled; /* 0: it logged so fast that what is not written yet could not be counted */
    uint32_t reserved;
} ll_other_run;

LL_API int ll_other_stats_read_sized(const char *log_path, const ll_other_stats_options *options,
                                     size_t options_size, ll_other_stats **ret_stats,
                                     ll_problem *ret_problem);
LL_API int ll_other_stats_run_sized(const ll_other_stats *stats, int run, ll_other_run *ret_run, size_t size);
LL_API int ll_other_stats_get_sized(const ll_other_stats *stats, int run, ll_stats *ret_stats, size_t size);
LL_API int ll_other_stats_recent_sized(const ll_other_stats *stats, int run, ll_recent_error *ret_errors,
                                       size_t size, int errors_max);

/*
 * Reads them. LL_OK and what is given to ll_other_stats_free; or LL_ENOENT when there are none, LL_EACCES,
 * LL_EIO, LL_EINVAL, LL_ENOMEM, and LL_EFORMAT when none that are there can be believed. Those that are
 * damaged beside others are left out and counted (ll_other_stats_damaged). Any thread.
 */
static inline int ll_other_stats_read(const char *log_path, const ll_other_stats_options *options,
                                      ll_other_stats **ret_stats, ll_problem *ret_problem)
{
    return ll_other_stats_read_sized(log_path, options, sizeof *options, ret_stats, ret_problem);
}
LL_API void ll_other_stats_free(ll_other_stats *stats); /* NULL is allowed */

/* How many runs there are: 1 or more. The living come first, then the one that logged last. */
LL_API int ll_other_stats_runs(const ll_other_stats *stats);
LL_API int ll_other_stats_damaged(const ll_other_stats *stats);

/* `run` is 0 to ll_other_stats_runs() - 1, or LL_RUN_SUM; another is LL_EINVAL. */
enum { LL_RUN_SUM = -1 };

static inline int ll_other_stats_run(const ll_other_stats *stats, int run, ll_other_run *ret_run)
{
    return ll_other_stats_run_sized(stats, run, ret_run, sizeof *ret_run);
}

/* The sum goes from the beginning of the earliest to the end of the latest. */
static inline int ll_other_stats_get(const ll_other_stats *stats, int run, ll_stats *ret_stats)
{
    return ll_other_stats_get_sized(stats, run, ret_stats, sizeof *ret_stats);
}

/* As ll_recent_errors; of a window, those in it. */
static inline int ll_other_stats_recent(const ll_other_stats *stats, int run, ll_recent_error *ret_errors,
                                        int errors_max)
{
    return ll_other_stats_recent_sized(stats, run, ret_errors, sizeof *ret_errors, errors_max);
}

/* As ll_stats_json; `with_recent` 0 leaves out the latest errors. */
LL_API int ll_other_stats_json(const ll_other_stats *stats, int run, int with_recent, char *buf, size_t size);

#ifdef __cplusplus
}
#endif
#endif
