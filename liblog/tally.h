/* Frames -> statistics: what of a record is counted. Brings frame and stats together, for whoever drains a
 * ring and for readers who add what is not drained yet. */
#ifndef LIBLOG_TALLY_H
#define LIBLOG_TALLY_H

#include "frame.h"
#include "ring_file.h"
#include "stats_count.h"

/* Tells of an error that stats_count has found: a frame as read, at a place. */
void tally_error(struct stats *stats, const struct frame_view *frame, const struct site_view *site,
                 uint64_t seq, int64_t unix_ns);

/*
 * Counts what lies in the rings between the tails that hold and the heads, and commits it. `stats` stands on
 * a copy of the reader's own; nobody moves the tails meanwhile. What cannot be believed is passed over.
 * Returns how many records that were, or LL_ENOMEM.
 */
int64_t tally_undrained(struct stats *stats, const struct ring_file *rings);

#endif
