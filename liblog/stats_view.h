/* Statistics -> what a user asks: totals, a window of time, the latest errors, JSON. On statistics that
 * nobody counts into: a reader's own copy. */
#ifndef LIBLOG_STATS_VIEW_H
#define LIBLOG_STATS_VIEW_H

#include "stats_count.h"

/* A reader's copy. */
struct stats_view {
    struct stats_file file;
    struct stats stats;
    uint64_t undrained; /* of the records counted: not written yet */
};

/*
 * Copies what belongs to the copy that holds; under stats_lock. LL_OK or LL_ENOMEM.
 */
int stats_view_copy(struct stats_view *view, const struct stats *stats);
void stats_view_release(struct stats_view *view);

/* Until `to_ns`; `seconds` 0 since the start, else the last so many before it, at most
 * LL_STATS_SECONDS_MAX. */
void stats_view_get(const struct stats_view *view, int64_t to_ns, uint32_t seconds, ll_stats *ret_stats);

/* The latest errors, newest first; returns how many. */
int stats_view_recent(const struct stats_view *view, ll_recent_error ret_errors[static LL_RECENT_ERRORS_MAX]);

/* Rate, length and order of the types, once all else is filled in. */
void stats_view_complete(ll_stats *stats);

/*
 * The JSON of liblog/stats.h into `buf`. Returns its length, or LL_ENOMEM. `recent` may be NULL: without
 * that member.
 */
int stats_view_json(const ll_stats *stats, const ll_recent_error *recent, int recent_count, char *buf,
                    size_t size);

#endif
