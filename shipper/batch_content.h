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

/* What was counted in one stretch. */
struct batch_part {
    struct window_table windows;
    struct run_table runs;
    struct reject_list rejects;
    uint64_t counted;             /* records in the windows */
    int64_t oldest_ns, newest_ns; /* of these; meaningless while there are none */
};

/*
 * Counting goes on while the store writes what was counted before: it has `aside` for itself, and of the
 * series the rows that the windows there name (their texts, their ids). Nobody else touches these meanwhile.
 */
struct batch {
    struct series_table series; /* lives on */
    struct batch_part now;
    struct batch_part aside;
};

/* The i-th line kept, oldest first. */
const struct reject_line *batch_reject_line(const struct batch_part *part, uint32_t i);

/* Puts what was counted aside, where nothing may be, and begins anew. */
void batch_set_aside(struct batch *batch);

/* The commit of what was aside has succeeded: it is emptied, and the series keep the ids that it gave them.
 */
void batch_clear_aside(struct batch *batch);

#endif
