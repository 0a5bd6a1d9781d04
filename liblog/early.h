/*
 * What is logged while the log is not open: kept, up to 64 KiB, and written by ll_open before everything
 * else. The memory is shared with forked children, so of a program that becomes a daemon, or of a family of
 * workers, whoever opens the log first writes it, once.
 */
#ifndef LIBLOG_EARLY_H
#define LIBLOG_EARLY_H

#include "caller.h"

enum { EARLY_BYTES_MAX = RING_FILE_SMALL_BYTES };

/* Keeps a call, or counts it. Safe in a signal handler. */
void early_write(const struct caller *caller, ll_site *site, struct frame_call *call);

/* Whether there is nothing to hand over. */
bool early_is_empty(void);

/* Moves what is of a level that is on to a ring as large as all of it, and what did not fit to its counters.
 * Under the life lock. */
void early_hand_over(struct ring_producer *producer, const struct levels *levels);

#endif
