/* Positions as the database holds them, read for people and moved by their order. */
#ifndef SHIPPER_STORE_POSITIONS_H
#define SHIPPER_STORE_POSITIONS_H

#include "store.h"
#include "store_read.h"

/* One output in one source. */
struct store_position_row {
    struct slice source_id, path, output; /* borrowed for the call */
    struct source_evidence evidence;
    uint64_t offset;
};

/* In the order of paths; with `all` also of sources that every output has read to their end. A negative error
 * of `take` ends the reading. */
int store_read_positions(struct store_reader *reader, bool all,
                         int (*take)(void *context, const struct store_position_row *row), void *context,
                         struct problem *ret_problem);

/* Where a position is moved to. */
enum store_reset { STORE_RESET_BEGINNING, STORE_RESET_STATISTICS };

/*
 * Notes in the audit log what is to be done, then moves an output's positions in all sources whose path is
 * `path` (NULL: in all), in one transaction. ERR_VAL_001 when the database knows no such output, or it is
 * "stats". *ret_count: of sources.
 */
int store_reset_positions(struct store *store, const char *output, const char *path, enum store_reset to,
                          uint64_t *ret_count, struct problem *ret_problem);

#endif
