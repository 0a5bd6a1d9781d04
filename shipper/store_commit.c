/*
 * One batch, one transaction: counts, runs, rejects, sources, positions and retention. Nothing in memory
 * changes before COMMIT has returned, so a commit that failed can be tried again, and one that a kill cut off
 * never happened.
 */
#include "store_internal.h"

#include "batch_content.h"
#include "liblog/base/cleanup.h"

#define SECOND_NS INT64_C(1000000000)
#define DAY_NS    (86400 * SECOND_NS)
#define HOUR_NS   (3600 * SECOND_NS)

/* A commit under way: what it will have changed in the store's memory when it has succeeded. */
struct commit {
    struct store *store;
    struct store_change *change;
    const struct batch_part *part; /* of the change's batch, what was set aside */
    struct problem *problem;
    int64_t now_ns;
    struct store_clock clock;
    uint64_t run_total, gap_total;
    uint64_t beyond_retention;
};

static sqlite3_stmt *use(const struct commit *commit, enum statement which)
{
    return commit->store->statement[which];
}

/* --- time --- */

static int64_t min_i64(int64_t a, int64_t b)
{
    return a < b ? a : b;
}

/* Retention counts back from the newest event, but a clock set wrong somewhere must not make it delete the
 * present. */
static void advance_clock(struct commit *commit)
{
    const struct batch_part *part = commit->part;
    struct store_clock *clock = &commit->clock;
    *clock = commit->store->clock;
    if (part->counted == 0)
        return;
    int64_t newest_ns = min_i64(part->newest_ns, commit->now_ns);
    if (newest_ns > clock->newest_ns)
        clock->newest_ns = newest_ns;
    clock->newest_ns = min_i64(clock->newest_ns, commit->now_ns);
    clock->oldest_ns = min_i64(clock->oldest_ns, part->oldest_ns);
    for (int i = 0; i < WINDOW_RESOLUTIONS; i++) {
        int64_t horizon_s = clock->newest_ns / SECOND_NS - commit->store->retention_s[i];
        int64_t kept_from_s = window_start(horizon_s, window_resolution_s[i]);
        /* It never goes back: what was deleted is not to be counted anew in part. */
        if (kept_from_s > clock->kept_from_s[i])
            clock->kept_from_s[i] = kept_from_s;
    }
}

/* --- counts --- */

static struct series *series_of(const struct commit *commit, const struct window_cell *cell)
{
    return series_at(&commit->change->batch->series, cell->series);
}

static int take_series_id(struct commit *commit, struct series *series, int64_t *ret_id)
{
    static const enum series_text column[] = {SERIES_SERVICE, SERIES_ENVIRONMENT, SERIES_TYPE,
                                              SERIES_CODE,    SERIES_ENDPOINT,    SERIES_LOGGER};
    if (series->id == 0 && series->new_id == 0) {
        sqlite3_stmt *statement = use(commit, STATEMENT_ADD_SERIES);
        store_bind_text(statement, 1, slice_of(commit->store->instance));
        store_bind_text(statement, 2, slice_of(commit->store->host));
        for (int i = 0; i < SERIES_TEXT_COUNT; i++)
            store_bind_text(statement, 3 + i, series->key.text[column[i]]);
        store_bind_text(statement, 3 + SERIES_TEXT_COUNT, slice_of(level_name(series->key.level)));
        int r = store_next(statement, commit->problem);
        if (r == 1)
            series->new_id = sqlite3_column_int64(statement, 0);
        sqlite3_reset(statement);
        if (r < 0)
            return r;
    }
    *ret_id = series->id ? series->id : series->new_id;
    return 0;
}

static int write_cell(struct commit *commit, int resolution_s, const struct window_cell *cell)
{
    int64_t series_id;
    int r = take_series_id(commit, series_of(commit, cell), &series_id);
    if (r < 0)
        return r;
    sqlite3_stmt *statement = use(commit, STATEMENT_ADD_COUNT);
    sqlite3_bind_int(statement, 1, resolution_s);
    sqlite3_bind_int64(statement, 2, cell->start);
    sqlite3_bind_int64(statement, 3, series_id);
    sqlite3_bind_int64(statement, 4, (int64_t)cell->count);
    return store_run(statement, commit->problem);
}

static int write_resolution(struct commit *commit, int index, const struct window_cell *cells, uint32_t count)
{
    for (uint32_t i = 0; i < count; i++) {
        if (cells[i].start < commit->clock.kept_from_s[index]) {
            /* Late: only coarser windows still have room for it. Told once, where it is first left out. */
            commit->beyond_retention += index == 0 ? cells[i].count : 0;
            continue;
        }
        int r = write_cell(commit, window_resolution_s[index], &cells[i]);
        if (r < 0)
            return r;
    }
    return 0;
}

static int copy_cells(struct commit *commit)
{
    struct store *store = commit->store;
    const struct window_table *windows = &commit->part->windows;
    if (store->scratch_capacity < windows->count) {
        struct window_cell *scratch = reallocarray(store->scratch, windows->capacity, sizeof(*scratch));
        if (!scratch)
            return problem_set(commit->problem, ERR_INT_002, "memory ran out at a commit");
        store->scratch = scratch;
        store->scratch_capacity = windows->capacity;
    }
    if (windows->count)
        memcpy(store->scratch, windows->cells, windows->count * sizeof(*windows->cells));
    return 0;
}

static int write_counts(struct commit *commit)
{
    /* What an attempt before this one was given has been rolled back. */
    for (uint32_t i = 0; i < commit->part->windows.count; i++)
        series_of(commit, &commit->part->windows.cells[i])->new_id = 0;
    int r = copy_cells(commit);
    uint32_t count = commit->part->windows.count;
    for (int i = 0; r == 0 && i < WINDOW_RESOLUTIONS; i++) {
        count = window_roll_up(commit->store->scratch, count, window_resolution_s[i]);
        r = write_resolution(commit, i, commit->store->scratch, count);
    }
    return r;
}

/* --- runs --- */

static int add_loaded_gap(struct run_audit *audit, uint64_t from, uint64_t to)
{
    if (audit->gap_count == audit->gap_capacity) {
        uint32_t capacity = audit->gap_capacity ? audit->gap_capacity * 2 : 8;
        struct run_gap *gaps = reallocarray(audit->gaps, capacity, sizeof(*gaps));
        if (!gaps)
            return -ERR_INT_002;
        audit->gaps = gaps;
        audit->gap_capacity = capacity;
    }
    audit->gaps[audit->gap_count++] = (struct run_gap){from, to};
    return 0;
}

static int load_gaps(struct commit *commit, struct slice id, struct run_audit *audit)
{
    sqlite3_stmt *statement = use(commit, STATEMENT_GET_GAPS);
    store_bind_text(statement, 1, id);
    int r;
    while ((r = store_next(statement, commit->problem)) == 1)
        if (add_loaded_gap(audit, (uint64_t)sqlite3_column_int64(statement, 0),
                           (uint64_t)sqlite3_column_int64(statement, 1)) < 0) {
            sqlite3_reset(statement);
            return problem_set(commit->problem, ERR_INT_002, "memory ran out at a commit");
        }
    return r;
}

static void read_audit(sqlite3_stmt *statement, struct run_audit *ret_audit)
{
    enum {
        FIRST_SEEN,
        LAST_SEEN,
        FIRST_SEQ,
        LAST_SEQ,
        RECORDS,
        MISSING,
        DUPLICATES,
        DROPPED,
        INEXACT,
        ENDED
    };
    *ret_audit = (struct run_audit){
        .first_seen_ns = sqlite3_column_int64(statement, FIRST_SEEN),
        .last_seen_ns = sqlite3_column_int64(statement, LAST_SEEN),
        .first_seq = (uint64_t)sqlite3_column_int64(statement, FIRST_SEQ),
        .last_seq = (uint64_t)sqlite3_column_int64(statement, LAST_SEQ),
        .records = (uint64_t)sqlite3_column_int64(statement, RECORDS),
        .missing = (uint64_t)sqlite3_column_int64(statement, MISSING),
        .duplicates = (uint64_t)sqlite3_column_int64(statement, DUPLICATES),
        .dropped = (uint64_t)sqlite3_column_int64(statement, DROPPED),
        .inexact = sqlite3_column_int(statement, INEXACT) != 0,
    };
    /* A run called closed has its close mark last. One that was given up as unknown has just spoken again. */
    enum run_end ended = run_end_from_name((const char *)sqlite3_column_text(statement, ENDED));
    if (ended == RUN_CLOSED)
        ret_audit->closed_seq = ret_audit->last_seq;
    else if (ended != RUN_UNKNOWN)
        ret_audit->ended = ended;
}

/* 1 when the database knows the run, 0 when it is new. */
static int load_run(struct commit *commit, struct slice id, struct run_audit *audit)
{
    sqlite3_stmt *statement = use(commit, STATEMENT_GET_RUN);
    store_bind_text(statement, 1, id);
    int r = store_next(statement, commit->problem);
    if (r == 1)
        read_audit(statement, audit);
    sqlite3_reset(statement);
    if (r != 1)
        return r;
    r = load_gaps(commit, id, audit);
    return r < 0 ? r : 1;
}

static int write_gaps(struct commit *commit, struct slice id, const struct run_audit *audit)
{
    sqlite3_stmt *statement = use(commit, STATEMENT_DELETE_GAPS);
    store_bind_text(statement, 1, id);
    int r = store_run(statement, commit->problem);
    commit->gap_total -= (uint64_t)(r == 0 ? sqlite3_changes(commit->store->db) : 0);
    statement = use(commit, STATEMENT_ADD_GAP);
    for (uint32_t i = 0; r == 0 && i < audit->gap_count; i++) {
        store_bind_text(statement, 1, id);
        sqlite3_bind_int64(statement, 2, (int64_t)audit->gaps[i].from);
        sqlite3_bind_int64(statement, 3, (int64_t)audit->gaps[i].to);
        r = store_run(statement, commit->problem);
        commit->gap_total++;
    }
    return r;
}

static int put_run(struct commit *commit, const struct run *run, const struct run_audit *audit)
{
    sqlite3_stmt *statement = use(commit, STATEMENT_PUT_RUN);
    store_bind_text(statement, 1, run->id);
    store_bind_text(statement, 2, run->parent_id);
    sqlite3_bind_int64(statement, 3, run->pid);
    store_bind_text(statement, 4, run->service);
    store_bind_text(statement, 5, slice_of(commit->store->host));
    sqlite3_bind_int64(statement, 6, audit->first_seen_ns);
    sqlite3_bind_int64(statement, 7, audit->last_seen_ns);
    const uint64_t numbers[] = {audit->first_seq,  audit->last_seq, audit->records,      audit->missing,
                                audit->duplicates, audit->dropped,  audit->first_seq - 1};
    for (int i = 0; i < (int)(sizeof(numbers) / sizeof(numbers[0])); i++)
        sqlite3_bind_int64(statement, 8 + i, (int64_t)numbers[i]);
    sqlite3_bind_int(statement, 15, audit->inexact);
    store_bind_text(statement, 16, slice_of(run_end_name(run_audit_end(audit))));
    return store_run(statement, commit->problem);
}

static bool gaps_equal(const struct run_gap *gaps, uint32_t count, const struct run_audit *audit)
{
    return count == audit->gap_count && (count == 0 || memcmp(gaps, audit->gaps, count * sizeof(*gaps)) == 0);
}

static int write_run(struct commit *commit, const struct run *run)
{
    _cleanup_(run_audit_release) struct run_audit audit = {0};
    struct run_gap before[RUN_GAPS_MAX];
    int known = load_run(commit, run->id, &audit);
    if (known < 0)
        return known;
    uint32_t before_count = audit.gap_count < RUN_GAPS_MAX ? audit.gap_count : RUN_GAPS_MAX;
    if (before_count)
        memcpy(before, audit.gaps, before_count * sizeof(*before));
    if (run_audit_merge(&audit, &run->audit) < 0)
        return problem_set(commit->problem, ERR_INT_002, "memory ran out at a commit");
    commit->run_total += known ? 0 : 1;
    int r = put_run(commit, run, &audit);
    if (r == 0 && !gaps_equal(before, before_count, &audit))
        r = write_gaps(commit, run->id, &audit);
    return r;
}

static int write_runs(struct commit *commit)
{
    int r = 0;
    for (uint32_t i = 0; r == 0 && i < commit->part->runs.count; i++)
        r = write_run(commit, &commit->part->runs.rows[i]);
    return r;
}

/* --- rejects --- */

static int write_reject_line(struct commit *commit, const struct reject_line *line)
{
    sqlite3_stmt *statement = use(commit, STATEMENT_ADD_REJECT_LINE);
    store_bind_text(statement, 1, slice_of(line->source_id));
    sqlite3_bind_int64(statement, 2, (int64_t)line->offset);
    store_bind_text(statement, 3, slice_of(reject_reason_name(line->reason)));
    sqlite3_bind_blob(statement, 4, line->line.data, (int)line->line.size, SQLITE_STATIC);
    return store_run(statement, commit->problem);
}

static int write_rejects(struct commit *commit)
{
    const struct reject_list *rejects = &commit->part->rejects;
    int r = 0;
    for (int reason = 0; r == 0 && reason < REJECT_COUNT; reason++) {
        if (rejects->count[reason] == 0)
            continue;
        sqlite3_stmt *statement = use(commit, STATEMENT_ADD_REJECT);
        store_bind_text(statement, 1, slice_of(reject_reason_name((enum reject_reason)reason)));
        sqlite3_bind_int64(statement, 2, (int64_t)rejects->count[reason]);
        r = store_run(statement, commit->problem);
    }
    for (uint32_t i = 0; r == 0 && i < rejects->line_count; i++)
        r = write_reject_line(commit, batch_reject_line(commit->part, i));
    if (r < 0 || rejects->line_count == 0)
        return r;
    sqlite3_stmt *statement = use(commit, STATEMENT_PRUNE_REJECT_LINES);
    sqlite3_bind_int(statement, 1, BATCH_REJECT_LINES_MAX);
    return store_run(statement, commit->problem);
}

/* --- sources and positions --- */

static int write_source(struct commit *commit, const struct store_source *source)
{
    const struct source_evidence *evidence = &source->evidence;
    const struct source_counters *counters = &source->counters;
    char text[SOURCE_EVIDENCE_TEXT_MAX];
    source_evidence_to_text(text, evidence);
    sqlite3_stmt *statement = use(commit, STATEMENT_PUT_SOURCE);
    store_bind_text(statement, 1, slice_of(source->id));
    store_bind_path(statement, 2, source->path);
    store_bind_text(statement, 3, slice_of(text));
    sqlite3_bind_int64(statement, 4, (int64_t)evidence->size);
    store_bind_text(statement, 5, slice_of(evidence->finished ? "finished" : "open"));
    const uint64_t numbers[] = {counters->records, counters->rejected,   counters->copies, counters->bad_time,
                                counters->utf8,    counters->lost_bytes, counters->blank};
    for (int i = 0; i < (int)(sizeof(numbers) / sizeof(numbers[0])); i++)
        sqlite3_bind_int64(statement, 6 + i, (int64_t)numbers[i]);
    return store_run(statement, commit->problem);
}

static int write_position(struct commit *commit, const struct store_position *position)
{
    sqlite3_stmt *statement = use(commit, STATEMENT_PUT_POSITION);
    store_bind_text(statement, 1, slice_of(position->output));
    store_bind_text(statement, 2, slice_of(position->source_id));
    sqlite3_bind_int64(statement, 3, (int64_t)position->offset);
    return store_run(statement, commit->problem);
}

/* --- retention and bounds --- */

static int prune_series(struct commit *commit, int resolution_s)
{
    sqlite3_stmt *statement = use(commit, STATEMENT_PRUNE_SERIES);
    sqlite3_bind_int(statement, 1, resolution_s);
    int r = store_run(statement, commit->problem);
    commit->change->series_freed = r == 0 && sqlite3_changes(commit->store->db) > 0;
    return r;
}

/* The resolution that is kept longest: a series without a count there has none anywhere. */
static int longest_kept(const struct store *store)
{
    int longest = 0;
    for (int i = 1; i < WINDOW_RESOLUTIONS; i++)
        if (store->retention_s[i] >= store->retention_s[longest])
            longest = i;
    return longest;
}

static int prune_counts(struct commit *commit)
{
    int longest = longest_kept(commit->store);
    for (int i = 0; i < WINDOW_RESOLUTIONS; i++) {
        if (commit->clock.kept_from_s[i] == commit->store->clock.kept_from_s[i])
            continue;
        sqlite3_stmt *statement = use(commit, STATEMENT_PRUNE_COUNTS);
        sqlite3_bind_int(statement, 1, window_resolution_s[i]);
        sqlite3_bind_int64(statement, 2, commit->clock.kept_from_s[i]);
        int r = store_run(statement, commit->problem);
        if (r == 0 && i == longest && sqlite3_changes(commit->store->db) > 0)
            r = prune_series(commit, window_resolution_s[i]);
        if (r < 0)
            return r;
    }
    return 0;
}

static int count_again(struct commit *commit, const char *sql, uint64_t *total)
{
    int64_t value = 0;
    int r = store_query_integer(commit->store->db, sql, &value, commit->problem);
    *total = (uint64_t)value;
    return r;
}

static int prune_runs(struct commit *commit)
{
    if (commit->clock.newest_ns == INT64_MIN)
        return 0;
    sqlite3_stmt *statement = use(commit, STATEMENT_PRUNE_RUNS);
    sqlite3_bind_int64(statement, 1, commit->clock.newest_ns - STORE_RUN_DAYS_MAX * DAY_NS);
    int r = store_run(statement, commit->problem);
    if (r == 0 && commit->run_total > STORE_RUNS_MAX)
        r = count_again(commit, "SELECT count(*) FROM run", &commit->run_total);
    if (r < 0 || commit->run_total <= STORE_RUNS_MAX)
        return r;
    statement = use(commit, STATEMENT_PRUNE_OLDEST_RUNS);
    sqlite3_bind_int64(statement, 1, (int64_t)commit->run_total - STORE_RUNS_MAX);
    commit->run_total = STORE_RUNS_MAX;
    return store_run(statement, commit->problem);
}

/* Looks through all sources, so it is not done at every commit. The tail forgets the same ones by itself. */
static int prune_sources(struct commit *commit)
{
    struct store *store = commit->store;
    if (commit->now_ns - store->sources_pruned_ns < HOUR_NS && commit->now_ns >= store->sources_pruned_ns)
        return 0;
    sqlite3_stmt *statement = use(commit, STATEMENT_PRUNE_SOURCES);
    sqlite3_bind_int64(statement, 1, commit->now_ns - SOURCE_GONE_KEPT_NS);
    sqlite3_bind_int64(statement, 2, SOURCE_GONE_KEPT_MAX);
    int r = store_run(statement, commit->problem);
    if (r == 0 && sqlite3_changes(store->db) > 0)
        r = store_run(use(commit, STATEMENT_PRUNE_POSITIONS), commit->problem);
    if (r == 0)
        store->sources_pruned_ns = commit->now_ns;
    return r;
}

/* 1 and the run whose gaps go first: run ids begin with their time, so it is the oldest. 0 when there are no
 * gaps. */
static int lowest_gap_run(struct commit *commit, char ret_id[static SERIES_TEXT_BYTES_MAX + 1])
{
    sqlite3_stmt *statement = use(commit, STATEMENT_LOWEST_GAP_RUN);
    int r = store_next(statement, commit->problem);
    if (r == 1)
        snprintf(ret_id, SERIES_TEXT_BYTES_MAX + 1, "%s", (const char *)sqlite3_column_text(statement, 0));
    sqlite3_reset(statement);
    return r;
}

static int forget_gaps(struct commit *commit, const char *run_id)
{
    sqlite3_stmt *statement = use(commit, STATEMENT_SET_INEXACT);
    store_bind_text(statement, 1, slice_of(run_id));
    int r = store_run(statement, commit->problem);
    if (r < 0)
        return r;
    statement = use(commit, STATEMENT_DELETE_GAPS);
    store_bind_text(statement, 1, slice_of(run_id));
    r = store_run(statement, commit->problem);
    commit->gap_total -= (uint64_t)sqlite3_changes(commit->store->db);
    return r;
}

static int prune_gaps(struct commit *commit)
{
    if (commit->gap_total <= STORE_GAPS_MAX)
        return 0;
    int r = count_again(commit, "SELECT count(*) FROM run_gap", &commit->gap_total);
    while (r == 0 && commit->gap_total > STORE_GAPS_MAX) {
        char run_id[SERIES_TEXT_BYTES_MAX + 1];
        int found = lowest_gap_run(commit, run_id);
        if (found <= 0)
            return found;
        r = forget_gaps(commit, run_id);
    }
    return r;
}

/* --- what the database says of itself --- */

static int put_meta(struct commit *commit, enum statement how, const char *name, int64_t value)
{
    sqlite3_stmt *statement = use(commit, how);
    store_bind_text(statement, 1, slice_of(name));
    sqlite3_bind_int64(statement, 2, value);
    return store_run(statement, commit->problem);
}

static int write_clock(struct commit *commit)
{
    const struct store_clock *now = &commit->clock, *before = &commit->store->clock;
    int r = 0;
    if (now->oldest_ns != before->oldest_ns)
        r = put_meta(commit, STATEMENT_PUT_META, "oldest_event_ns", now->oldest_ns);
    if (r == 0 && now->newest_ns != before->newest_ns)
        r = put_meta(commit, STATEMENT_PUT_META, "newest_event_ns", now->newest_ns);
    for (int i = 0; r == 0 && i < WINDOW_RESOLUTIONS; i++) {
        char name[32];
        snprintf(name, sizeof(name), "kept_from_%d", window_resolution_s[i]);
        if (now->kept_from_s[i] != before->kept_from_s[i])
            r = put_meta(commit, STATEMENT_PUT_META, name, now->kept_from_s[i]);
    }
    if (r == 0 && commit->beyond_retention)
        r = put_meta(commit, STATEMENT_ADD_META, "beyond_retention", (int64_t)commit->beyond_retention);
    return r;
}

/* --- the transaction --- */

static int write_content(struct commit *commit)
{
    static int (*const parts[])(struct commit *) = {write_counts, write_runs, write_rejects, prune_counts,
                                                    prune_runs,   prune_gaps, prune_sources, write_clock};
    int r = 0;
    for (size_t i = 0; r == 0 && i < sizeof(parts) / sizeof(parts[0]); i++)
        r = parts[i](commit);
    return r;
}

static int write_places(struct commit *commit)
{
    const struct store_change *change = commit->change;
    int r = 0;
    for (int i = 0; r == 0 && i < change->source_count; i++)
        r = write_source(commit, &change->sources[i]);
    for (int i = 0; r == 0 && i < change->position_count; i++)
        r = write_position(commit, &change->positions[i]);
    return r;
}

int store_write(struct store *store, struct store_change *change, struct problem *ret_problem)
{
    struct timespec now;
    clock_gettime(CLOCK_REALTIME, &now);
    struct commit commit = {
        .store = store,
        .change = change,
        .part = &change->batch->aside,
        .problem = ret_problem,
        .now_ns = now.tv_sec * SECOND_NS + now.tv_nsec,
        .run_total = store->run_total,
        .gap_total = store->gap_total,
    };
    advance_clock(&commit);
    int r = store_run(use(&commit, STATEMENT_BEGIN), ret_problem);
    if (r < 0)
        return r;
    r = write_content(&commit);
    if (r == 0)
        r = write_places(&commit);
    if (r == 0)
        r = store_run(use(&commit, STATEMENT_COMMIT), ret_problem);
    if (r < 0) {
        /* A full disk rolls back by itself; then there is nothing left to undo. */
        if (!sqlite3_get_autocommit(store->db))
            sqlite3_exec(store->db, "ROLLBACK", NULL, NULL, NULL);
        return r;
    }
    store->clock = commit.clock;
    store->run_total = commit.run_total;
    store->gap_total = commit.gap_total;
    return 0;
}
