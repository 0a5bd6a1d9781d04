/*
 * The audit of runs. A program numbers the records of a run 1, 2, 3 … without gaps, so what a run's seen
 * numbers leave out is loss, and a number seen again is a duplicate. Position decides what is counted; this
 * only audits.
 *
 *      first_seq        gap          gap        last_seq
 *          |============....============..==========|        = seen, . missing
 *
 * At most RUN_GAPS_MAX gaps are remembered. Beyond that the lowest is forgotten: it stays in `missing`, but a
 * number of it that comes later looks like a duplicate, and the run is `inexact` from then on.
 *
 * A batch audits what it saw by itself, knowing nothing of the past; a commit adds it to what the database
 * holds with run_audit_merge(). The outcome does not depend on where batches end, as long as a run is not
 * inexact.
 */
#ifndef SHIPPER_RUN_H
#define SHIPPER_RUN_H

#include "batch.h"
#include "hash.h"

/* How a run ended; of several marks the later in this list stands, but `closed` only while no higher seq was
 * seen. */
enum run_end { RUN_RUNNING, RUN_CLOSED, RUN_KILLED, RUN_CRASHED, RUN_UNKNOWN, RUN_END_COUNT };
const char *run_end_name(enum run_end end);       /* "running" … */
enum run_end run_end_from_name(const char *name); /* RUN_UNKNOWN for any other */

struct run_gap {
    uint64_t from, to; /* inclusive */
};

/* Numbers are 1 … INT64_MAX: the database's integers. */
struct run_audit {
    uint64_t first_seq, last_seq; /* 0 before anything was seen */
    uint64_t records;             /* with marks, and with those seen twice */
    uint64_t missing;             /* between first and last, forgotten gaps included */
    uint64_t duplicates;
    uint64_t dropped; /* left out on purpose, as announced */
    int64_t first_seen_ns, last_seen_ns;
    struct run_gap *gaps; /* ascending; owned */
    uint32_t gap_count, gap_capacity;
    bool inexact;
    enum run_end ended;  /* but for `closed`, which is this: */
    uint64_t closed_seq; /* of the highest close mark; 0 without one */
};

void run_audit_release(struct run_audit *audit);

/* Numbers from … to were seen, once each. 0, or -ERR_INT_002 and nothing changed. */
int run_audit_see(struct run_audit *audit, uint64_t from, uint64_t to);

/* Adds what `later` saw. 0, or -ERR_INT_002 and `audit` is of no use any more. */
int run_audit_merge(struct run_audit *audit, const struct run_audit *later);

/* What to call its end now: `closed` only when the close mark is the last number seen. */
enum run_end run_audit_end(const struct run_audit *audit);

/* Lowers `value` + `more` to what the database can hold. */
uint64_t run_sum(uint64_t value, uint64_t more);

struct run {
    uint64_t hash;
    struct slice id, parent_id,
        service; /* in `texts`, with HASH_PADDING bytes behind them; the id is not empty */
    char *texts;
    int64_t pid;
    struct run_audit audit;
};

struct run_table {
    struct run *rows;
    uint32_t count, capacity;
    uint32_t *slots; /* index + 1 of a row, 0 when free */
    uint32_t slot_mask;
    struct run *latest; /* the run seen last: most records follow one of their own run; NULL */
    uint64_t seed;
};

int run_table_init(struct run_table *table, uint64_t seed); /* 0 or -ERR_INT_002 */
void run_table_release(struct run_table *table);
void run_table_clear(struct run_table *table);

/*
 * Audits one record that has a run_id and a seq; others are passed over. `service` names the run if it is new
 * here. 0, or -ERR_INT_002 and nothing changed.
 */
int run_table_add(struct run_table *table, const struct event *event, struct slice service);

/* The same for a record that follows the latest one of its run and is no mark. False: it is none such, and
 * nothing changed. */
static inline bool run_table_follow(struct run_table *table, const struct event *event)
{
    struct run *run = table->latest;
    const struct value *id = &event->value[EVENT_RUN_ID];
    if (!run || event->is_mark || event->seq - 1 != run->audit.last_seq || event->seq > INT64_MAX ||
        value_nature(id) != (VALUE_NATURE_STRING | run->id.size) || !hash_text_equal(id->data, run->id))
        return false;
    struct run_audit *audit = &run->audit;
    audit->last_seq = event->seq;
    audit->records++;
    if (event->time_ns < audit->first_seen_ns)
        audit->first_seen_ns = event->time_ns;
    if (event->time_ns > audit->last_seen_ns)
        audit->last_seen_ns = event->time_ns;
    return true;
}

#endif
