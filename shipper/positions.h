/*
 * Where each output stands in each source, and how far it lags: in bytes, and in seconds as the age of the
 * first record that it has not got. Rows come from a running shipper's memory (pipeline_control.c) or from
 * the database (store_positions.c); here they are measured and printed.
 */
#ifndef SHIPPER_POSITIONS_H
#define SHIPPER_POSITIONS_H

#include "scan.h"

#include <stdint.h>
#include <stdio.h>

struct position_row {
    struct slice source_id, path, output; /* borrowed */
    uint64_t offset;                      /* in decompressed bytes */
    uint64_t size;                        /* of the file as it lies there */
    uint64_t lag_bytes; /* unread, as they lie in the file: a compressed one whole or not at all */
    bool compressed;
    bool finished; /* read to its end, and no more can come */
    uint64_t device, inode;
    int64_t modified_ns;
    int fd; /* borrowed: open on the file, which may have been deleted; -1: it is opened by its path */
};

/* How old the first unread record is by its own time, or else by the file's; 0 when nothing is unread.
 * `scanner` reads the file's format; NULL: only the file's time is known. */
double position_lag_s(const struct position_row *row, struct scanner *scanner, int64_t now_ns);

enum positions_format { POSITIONS_TABLE, POSITIONS_JSON };

struct positions_printer {
    enum positions_format format;
    FILE *out;
    uint64_t count, lag_bytes;
};

void positions_begin(struct positions_printer *printer, enum positions_format format, FILE *out);
void positions_add(struct positions_printer *printer, const struct position_row *row, double lag_s);
void positions_end(struct positions_printer *printer);

#endif
