/* What `run --once` tells a person on stderr: a bar while it goes on, a line of summary at the end. */
#ifndef SHIPPER_PROGRESS_H
#define SHIPPER_PROGRESS_H

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

struct progress {
    FILE *out;
    bool shows_bar;
    uint64_t bytes_total;       /* expected; as they lie in the files */
    int64_t begin_ns, shown_ns; /* monotonic */
};

struct progress_totals {
    uint64_t files, records, rejected;
    uint64_t bytes; /* read by the statistics, decompressed */
};

void progress_begin(struct progress *progress, FILE *out, bool shows_bar, uint64_t bytes_total,
                    int64_t now_ns);

/* Whether the bar is to be drawn anew: a few times a second. */
bool progress_is_due(const struct progress *progress, int64_t now_ns);
void progress_show(struct progress *progress, uint64_t bytes_left, int64_t now_ns);

/* Wipes the bar. */
void progress_clear(struct progress *progress);

void progress_summary(const struct progress *progress, const struct progress_totals *totals, int64_t now_ns);

#endif
