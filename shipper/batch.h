/*
 * What a stretch of records adds up to, until it is committed: counts by series and 10-second window, the
 * audit of runs, rejects. Pure arithmetic in memory; window.c and run.c fill it, store_commit.c writes it, on
 * a thread of its own, while the next stretch is counted already.
 */
#ifndef SHIPPER_BATCH_H
#define SHIPPER_BATCH_H

#include "event.h"
#include "scan.h"
#include "source.h"

enum {
    SERIES_TEXT_BYTES_MAX = 200, /* of a text column; longer is cut at a character and a hash appended */
    RUN_GAPS_MAX = 64,
    REJECT_LINE_BYTES_MAX = 4096,
    BATCH_REJECT_LINES_MAX = 1000,
};

/* The texts by which counts are kept apart; with instance and host, which do not change, a row of `series`.
 */
enum series_text {
    SERIES_SERVICE,
    SERIES_ENVIRONMENT,
    SERIES_TYPE,
    SERIES_CODE,
    SERIES_ENDPOINT,
    SERIES_LOGGER,
    SERIES_TEXT_COUNT
};

struct series_key {
    enum level level;
    struct slice text[SERIES_TEXT_COUNT];
};

struct batch;

int batch_new(uint64_t series_max, struct batch **ret_batch); /* 0 or -ERR_INT_002 */
void batch_free(struct batch *batch);

/* Tells the batch of a series that the store has already (at start). */
int batch_learn_series(struct batch *batch, int64_t series_id, const struct series_key *key);

/*
 * Takes records into the counts and the audit, in their order; their lines are still there, with the padding.
 * `service` stands in where one has none. Copies are for the caller to leave out; marks are audited here, and
 * only `crash` is counted. 0, or a negative error when not all could be taken.
 */
int batch_add(struct batch *batch, const struct event *const *events, int count, struct slice service);
int batch_add_reject(struct batch *batch, const char *source_id, uint64_t offset, enum reject_reason reason,
                     struct slice line);

/* How many rows a commit would change, about; of what the store was not given yet. */
uint64_t batch_rows(const struct batch *batch);

#endif
