/*
 * Error statistics: what this process has logged, by level and by type of error, and the latest errors.
 *
 *     ll_stats stats;
 *     if (ll_stats_window(300, &stats) == LL_OK && stats.error_rate_per_minute > 10) …
 *
 * The log's writer counts what it writes; these calls add what it has not written yet, so a record counts as
 * soon as its call has returned. Errors are ERROR and CRITICAL; an error's type is that of its exception
 * (ll_exception), and of the library's own records only a crash counts. All numbers are of one moment. They
 * go on when the log is closed and opened again; a forked child begins at 0. What a dead or another process
 * has counted: other.h.
 *
 * Any thread; not in a signal handler. They allocate (about a megabyte, for the call) and hold the writer up
 * for some tens of microseconds; log calls they do not disturb. LL_OK; LL_ECLOSED when the log is not open;
 * LL_EOFF with LOG_STATS=off; LL_ENOMEM. What is given is left as it was then.
 */
#ifndef LIBLOG_STATS_H
#define LIBLOG_STATS_H

#include "api.h"
#include "error.h"
#include "record.h"

#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

enum {
    LL_STATS_LEVELS = 8,        /* six are in use */
    LL_ERROR_TYPES_MAX = 256,   /* told apart exactly */
    LL_ERROR_TYPE_SIZE = 208,   /* 200 bytes and NUL; of a longer name 183 bytes, # and a hash of all of it */
    LL_RECENT_ERRORS_MAX = 128, /* kept */
    LL_STATS_SECONDS_MAX = 86400 /* the longest window */
};

/* Texts are UTF-8, end with NUL, and may hold whatever was logged: control characters too. */
typedef struct ll_error_type {
    char name[LL_ERROR_TYPE_SIZE];
    uint64_t count;
    uint64_t error; /* 0: exact. Else the true count is between count - error and count (Space-Saving) */
} ll_error_type;

/* About 60 KB: not for small stacks. May grow at its end: the calls hand its size over. */
typedef struct ll_stats {
    uint64_t counts[LL_STATS_LEVELS]; /* by enum ll_level */
    uint64_t total_errors;            /* ERROR and CRITICAL */
    double error_rate_per_minute;     /* over tracking_duration_minutes; of no time: the errors themselves */
    double tracking_duration_minutes;
    int64_t from_ns, to_ns;  /* the time told of, unix; a window is widened to whole seconds or minutes */
    int64_t types_from_ns;   /* since when `types` hold everything; later than from_ns only in long windows
                                with very many types */
    uint64_t untyped_errors; /* without an exception */
    uint64_t other_types_errors; /* with a type that is not in the list: in a window, of types that have
                                    given way; in a sum of processes, beyond the 256 most frequent */
    uint64_t uncounted;   /* records that are in the log and not here: possible after a power cut only */
    uint32_t types_exact; /* 1: no more than LL_ERROR_TYPES_MAX types were ever seen */
    uint32_t type_count;
    ll_error_type types[LL_ERROR_TYPES_MAX]; /* the most frequent first; equal ones by name */
} ll_stats;

/* One error. Texts are cut to their size at a character. */
typedef struct ll_recent_error {
    int64_t time_ns;               /* unix */
    uint64_t seq;                  /* in its run; 0: not written yet */
    uint32_t level;                /* enum ll_level */
    uint32_t line;                 /* of the call in `file` */
    char type[LL_ERROR_TYPE_SIZE]; /* "" without an exception */
    char message[256];             /* the record's */
    char request_id[64];
    char endpoint[104];
    char logger[56];
    char file[56]; /* its base name */
} ll_recent_error;

LL_API int ll_stats_get_sized(ll_stats *ret_stats, size_t size);
LL_API int ll_stats_window_sized(uint32_t seconds, ll_stats *ret_stats, size_t size);
LL_API int ll_recent_errors_sized(ll_recent_error *ret_errors, size_t size, int errors_max);

/* Since the log was first opened in this process. */
static inline int ll_stats_get(ll_stats *ret_stats)
{
    return ll_stats_get_sized(ret_stats, sizeof *ret_stats);
}

/*
 * The last so many seconds, 1 to LL_STATS_SECONDS_MAX (LL_EINVAL otherwise): in whole seconds up to an hour,
 * in whole minutes beyond; from_ns says from when. By the time of the records: when the clock was set back,
 * what lies in the future is in no window.
 */
static inline int ll_stats_window(uint32_t seconds, ll_stats *ret_stats)
{
    return ll_stats_window_sized(seconds, ret_stats, sizeof *ret_stats);
}

/* The latest errors, newest first, at most errors_max of them. Returns how many, or a negative error. */
static inline int ll_recent_errors(ll_recent_error *ret_errors, int errors_max)
{
    return ll_recent_errors_sized(ret_errors, sizeof *ret_errors, errors_max);
}

/*
 * All of it as one line of JSON, without a newline:
 * {"error_counts":{"CRITICAL":2,"ERROR":15,"WARNING":48,…},"error_types":{"OperationalError":5,…},
 *  "total_errors":17,"error_rate_per_minute":3.21,"tracking_duration_minutes":5.3,"recent":[{…},…]}
 * Returns its length without the NUL, or a negative error. When the length is not below `size`, the buffer
 * gets an empty text: call again with one that is larger (`buf` NULL and size 0 only ask).
 */
LL_API int ll_stats_json(char *buf, size_t size);

#ifdef __cplusplus
}
#endif
#endif
