/*
 * The error report: what happened most between two times, from the counts of a database. Which windows are
 * read is decided here: the ends of the range as finely as the range is short, whole hours and days in
 * between, so that a report over a month reads hundreds of rows and not millions.
 */
#ifndef SHIPPER_REPORT_H
#define SHIPPER_REPORT_H

#include "store_read.h"

#include <stdio.h>

enum {
    REPORT_BUCKETS = 32, /* the most that a sparkline has */
    REPORT_LEVELS_ALL = (1u << LEVEL_COUNT) - 1,
};

struct report_request {
    bool since_given, until_given; /* else from the first, to the last record that the database holds */
    int64_t since_s, until_s;      /* widened to whole windows */
    enum store_column by;
    const char *service; /* only this one, or NULL; borrowed as long as the report lives */
    unsigned levels;     /* of the lines and of the total: bit 1 << enum level */
    uint32_t top;        /* at most so many lines; 0: all */
};

/* One group. Windows are told by their start, and by their length, which says how exact that is. */
struct report_line {
    char *name;
    uint64_t count;
    int64_t first_s, last_s;
    int first_resolution_s, last_resolution_s;
    uint64_t bucket[REPORT_BUCKETS];
};

struct report {
    struct report_request request;
    bool is_empty;        /* the database holds no counts: nothing below is set */
    int64_t from_s, to_s; /* the effective range */
    struct store_extent extent;
    struct report_line *lines; /* the most frequent first; equal ones by name */
    uint32_t line_count, line_capacity;
    uint32_t group_count;        /* how many there were before `top` */
    uint64_t total;              /* of all groups, at the levels asked for */
    uint64_t level[LEVEL_COUNT]; /* of all records in the range, whatever their level */
    uint64_t records;            /* their sum */
    uint32_t bucket_count;
    int64_t bucket_s;
    uint64_t bucket[REPORT_BUCKETS]; /* of the total */
    struct store_run_sums runs;
    uint64_t rejects[REJECT_COUNT];
    struct store_loss loss;
};

/* Level L and above; UNKNOWN, which may be anything, only when all are asked for. */
unsigned report_levels_from(enum level level);

/* 0 and a report for report_free(), or a negative error. */
int report_make(struct store_reader *reader, const struct report_request *request,
                struct problem *ret_problem, struct report **ret_report);
void report_free(struct report *report);

double report_minutes(const struct report *report); /* of the effective range */

/*
 * Widens from … to to whole windows, fine for short ranges, and covers it with pieces, each in the coarsest
 * windows that fit and are still kept. Pure. `ret_pieces` has room for STORE_PIECES_MAX; returns how many
 * there are.
 */
int report_plan(int64_t *from_s, int64_t *to_s, const int64_t kept_from_s[static WINDOW_RESOLUTIONS],
                struct store_piece *ret_pieces);

enum report_format { REPORT_TABLE, REPORT_JSON, REPORT_JSONL, REPORT_CSV, REPORT_MARKDOWN, REPORT_HTML };

/* Writes the report. Texts of the log are escaped for the format. `colour` is for tables. */
void report_print(const struct report *report, enum report_format format, bool colour, FILE *out);

#endif
