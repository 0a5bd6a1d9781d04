/*
 * Reading a database: reports and whoever asks. A reader sees one state of the database, that of its first
 * question, also while a shipper writes. Any number of readers may be open, also on a backup or in a folder
 * that cannot be written.
 */
#ifndef SHIPPER_STORE_READ_H
#define SHIPPER_STORE_READ_H

#include "batch.h"
#include "problem.h"
#include "run.h"
#include "window.h"

struct store_reader;

/* 0, or a negative error: ERR_DB_006 when there is no such file. */
int store_reader_open(const char *file, struct problem *ret_problem, struct store_reader **ret_reader);
void store_reader_close(struct store_reader *reader); /* NULL is allowed */

/* Which time the counts span. With `is_empty` nothing else is set. Seconds are unix time. */
struct store_extent {
    bool is_empty;
    int64_t from_s, to_s; /* the first window that is kept, as fine as it is known; the end of the last one */
    int64_t oldest_event_ns, newest_event_ns;
    int64_t kept_from_s[WINDOW_RESOLUTIONS]; /* windows that start before are gone; INT64_MIN: nothing is */
};
int store_read_extent(struct store_reader *reader, struct problem *ret_problem,
                      struct store_extent *ret_extent);

/* What counts can be told apart by. */
enum store_column {
    COLUMN_TYPE,
    COLUMN_CODE,
    COLUMN_SERVICE,
    COLUMN_ENDPOINT,
    COLUMN_LEVEL,
    COLUMN_LOGGER,
    COLUMN_HOST,
    COLUMN_COUNT
};
const char *store_column_name(enum store_column column); /* "type" … */

/* Windows of one resolution, from … to (exclusive). */
struct store_piece {
    int resolution_s;
    int64_t from_s, to_s;
};

enum { STORE_PIECES_MAX = 2 * WINDOW_RESOLUTIONS - 1 };

struct store_count_query {
    struct store_piece piece[STORE_PIECES_MAX];
    int piece_count;
    enum store_column by;
    const char *service;             /* only this one, or NULL */
    int64_t bucket_from_s, bucket_s; /* counts are given by stretches of so many seconds from there on */
};

struct store_count_row {
    struct slice group; /* borrowed for the call */
    enum level level;
    int64_t bucket;
    int64_t first_s, last_s; /* start of the first and of the last window with a count */
    int first_resolution_s, last_resolution_s;
    uint64_t count;
};

/* Calls `take` for each group, level and bucket, ordered by group; a negative error of it ends the reading.
 */
int store_read_counts(struct store_reader *reader, const struct store_count_query *query,
                      int (*take)(void *context, const struct store_count_row *row), void *context,
                      struct problem *ret_problem);

struct store_run_row {
    struct slice id, parent_id, service, host, ended; /* borrowed for the call */
    int64_t pid, first_seen_ns, last_seen_ns;
    uint64_t first_seq, last_seq, records, missing, duplicates, dropped, before_first;
    bool inexact;
};

/* Runs that were seen between the two times, of one service or of all (NULL), the latest first, at most
 * `limit`. */
int store_read_runs(struct store_reader *reader, int64_t from_ns, int64_t to_ns, const char *service,
                    int64_t limit, int (*take)(void *context, const struct store_run_row *row), void *context,
                    struct problem *ret_problem);

struct store_run_sums {
    uint64_t runs, records, missing, duplicates, dropped, before_first, inexact;
};
int store_read_run_sums(struct store_reader *reader, int64_t from_ns, int64_t to_ns, const char *service,
                        struct problem *ret_problem, struct store_run_sums *ret_sums);

/* Rejected lines by reason, since the database was made. */
int store_read_rejects(struct store_reader *reader, struct problem *ret_problem,
                       uint64_t ret_count[static REJECT_COUNT]);

/* What could not be read of files, since the database was made, and of how many files. */
struct store_loss {
    uint64_t bytes, files;
};
int store_read_loss(struct store_reader *reader, struct problem *ret_problem, struct store_loss *ret_loss);

#endif
