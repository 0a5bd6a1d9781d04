/* What a batch holds, for batch.c, which fills it, and store_commit.c, which writes it. */
#ifndef SHIPPER_BATCH_CONTENT_H
#define SHIPPER_BATCH_CONTENT_H

#include "run.h"
#include "series.h"
#include "window.h"

struct reject_line {
    char source_id[UUID_TEXT_SIZE + 1];
    uint64_t offset;
    enum reject_reason reason;
    struct slice line; /* owned */
};

/* The counts are of all; the lines of the latest ones. */
struct reject_list {
    uint64_t count[REJECT_COUNT];
    struct reject_line *lines; /* a ring of BATCH_REJECT_LINES_MAX, made with the first */
    uint32_t begin, line_count;
};

struct batch {
    struct series_table series; /* lives on from batch to batch */
    struct window_table windows;
    struct run_table runs;
    struct reject_list rejects;
    uint64_t counted;             /* records in the windows */
    int64_t oldest_ns, newest_ns; /* of these; meaningless while there are none */
};

/* The i-th line kept, oldest first. */
const struct reject_line *batch_reject_line(const struct batch *batch, uint32_t i);

/* Empties the batch after a commit; the series stay, with the ids that the commit gave them. */
void batch_clear(struct batch *batch);

#endif
