#include "store_read.h"

#include "liblog/base/cleanup.h"
#include "store_internal.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>

struct store_reader {
    sqlite3 *db;
};

void store_finalize(sqlite3_stmt **statement)
{
    sqlite3_finalize(*statement);
}
#define _cleanup_statement_ _cleanup_(store_finalize)

static int prepare(sqlite3 *db, const char *sql, struct problem *ret_problem, sqlite3_stmt **ret_statement)
{
    if (sqlite3_prepare_v2(db, sql, -1, ret_statement, NULL) != SQLITE_OK)
        return store_problem(db, "be read", ret_problem);
    return 0;
}

int store_reader_prepare(struct store_reader *reader, const char *sql, struct problem *ret_problem,
                         sqlite3_stmt **ret_statement)
{
    return prepare(reader->db, sql, ret_problem, ret_statement);
}

/* --- open --- */

static int check_readable(const char *file, struct problem *ret_problem)
{
    _cleanup_close_ int fd = open(file, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    struct stat status;
    if (fd < 0 && errno == ENOENT)
        return problem_set(ret_problem, ERR_DB_006, "there is no database at %s", file);
    if (fd < 0 || fstat(fd, &status) < 0)
        return problem_from_errno(ret_problem, errno, "open the database", file);
    if (!S_ISREG(status.st_mode))
        return problem_set(ret_problem, ERR_DB_004, "%s is not a regular file", file);
    return 0;
}

/* Whether a WAL holds something that the database does not. */
static bool has_wal(const char *file)
{
    char path[PATH_MAX];
    struct stat status;
    snprintf(path, sizeof(path), "%s-wal", file);
    return stat(path, &status) == 0 && status.st_size > 0;
}

/* `immutable` as a URI; characters that mean something in one are written as %xx. */
static void immutable_uri(char *out, size_t size, const char *file)
{
    size_t at = (size_t)snprintf(out, size, "file:");
    for (; *file && at + 4 < size; file++)
        at += (size_t)snprintf(out + at, size - at, strchr("%?#", *file) ? "%%%02X" : "%c",
                               (unsigned char)*file);
    snprintf(out + at, size - at, "?immutable=1");
}

static int open_read_only(const char *name, const char *file, struct problem *ret_problem, sqlite3 **ret_db)
{
    sqlite3 *db = NULL;
    int flags = SQLITE_OPEN_READONLY | SQLITE_OPEN_NOMUTEX | SQLITE_OPEN_URI;
    int r = 0;
    if (sqlite3_open_v2(name, &db, flags, NULL) != SQLITE_OK)
        r = store_problem(db, "be opened", ret_problem);
    if (r == 0) {
        sqlite3_busy_timeout(db, STORE_BUSY_MS);
        r = store_check_schema(db, file, ret_problem);
    }
    if (r < 0) {
        sqlite3_close(db);
        return r;
    }
    *ret_db = db;
    return 0;
}

int store_reader_open(const char *file, struct problem *ret_problem, struct store_reader **ret_reader)
{
    int r = check_readable(file, ret_problem);
    if (r < 0)
        return r;
    struct store_reader *reader = calloc(1, sizeof(*reader));
    if (!reader)
        return problem_set(ret_problem, ERR_INT_002, "memory ran out");
    r = open_read_only(file, file, ret_problem, &reader->db);
    if (r == -ERR_DB_001 && !has_wal(file)) {
        /* A backup in a folder where SQLite cannot make the files beside it: nobody writes there either. */
        char uri[3 * PATH_MAX];
        immutable_uri(uri, sizeof(uri), file);
        r = open_read_only(uri, file, ret_problem, &reader->db);
    }
    if (r == 0)
        r = store_execute(reader->db, "BEGIN", ret_problem);
    if (r < 0) {
        store_reader_close(reader);
        return r;
    }
    *ret_reader = reader;
    return 0;
}

void store_reader_close(struct store_reader *reader)
{
    if (!reader)
        return;
    sqlite3_close(reader->db);
    free(reader);
}

/* --- the time that is there --- */

static void take_clock_row(struct store_clock *clock, const char *name, int64_t value)
{
    if (strcmp(name, "oldest_event_ns") == 0)
        clock->oldest_ns = value;
    else if (strcmp(name, "newest_event_ns") == 0)
        clock->newest_ns = value;
    for (int i = 0; i < WINDOW_RESOLUTIONS; i++) {
        char kept[32];
        snprintf(kept, sizeof(kept), "kept_from_%d", window_resolution_s[i]);
        if (strcmp(name, kept) == 0)
            clock->kept_from_s[i] = value;
    }
}

int store_read_clock(sqlite3 *db, struct store_clock *ret_clock, struct problem *ret_problem)
{
    _cleanup_statement_ sqlite3_stmt *statement = NULL;
    struct store_clock clock = {.oldest_ns = INT64_MAX, .newest_ns = INT64_MIN};
    for (int i = 0; i < WINDOW_RESOLUTIONS; i++)
        clock.kept_from_s[i] = INT64_MIN;
    int r = prepare(db, "SELECT name, value FROM meta", ret_problem, &statement);
    if (r < 0)
        return r;
    while ((r = store_next(statement, ret_problem)) == 1)
        take_clock_row(&clock, (const char *)sqlite3_column_text(statement, 0),
                       sqlite3_column_int64(statement, 1));
    if (r == 0)
        *ret_clock = clock;
    return r;
}

/* 1 with the first (or last) window of a resolution, 0 when it has none. */
static int edge_window(struct store_reader *reader, bool first, int resolution_s, int64_t *ret_start,
                       struct problem *ret_problem)
{
    _cleanup_statement_ sqlite3_stmt *statement = NULL;
    int r = prepare(reader->db,
                    first ? "SELECT start FROM counts WHERE resolution_s = ?1 ORDER BY start LIMIT 1"
                          : "SELECT start FROM counts WHERE resolution_s = ?1 ORDER BY start DESC LIMIT 1",
                    ret_problem, &statement);
    if (r < 0)
        return r;
    sqlite3_bind_int(statement, 1, resolution_s);
    r = store_next(statement, ret_problem);
    if (r == 1)
        *ret_start = sqlite3_column_int64(statement, 0);
    return r;
}

/*
 * The first window, from days down to ten seconds: a finer one tells more as long as it lies in the coarser
 * one and nothing before it was deleted. The last one likewise.
 */
static int find_edges(struct store_reader *reader, struct store_extent *extent, struct problem *ret_problem)
{
    int coarser = 0;
    for (int i = WINDOW_RESOLUTIONS - 1; i >= 0; i--) {
        int resolution_s = window_resolution_s[i];
        int64_t first, last;
        int r = edge_window(reader, true, resolution_s, &first, ret_problem);
        if (r == 1)
            r = edge_window(reader, false, resolution_s, &last, ret_problem);
        if (r < 0)
            return r;
        if (r == 0)
            continue;
        if (extent->is_empty ||
            (window_start(first, coarser) == extent->from_s && extent->kept_from_s[i] <= extent->from_s))
            extent->from_s = first;
        if (extent->is_empty || window_start(last, coarser) == extent->to_s - coarser)
            extent->to_s = last + resolution_s;
        extent->is_empty = false;
        coarser = resolution_s;
    }
    return 0;
}

int store_read_extent(struct store_reader *reader, struct problem *ret_problem,
                      struct store_extent *ret_extent)
{
    struct store_clock clock;
    int r = store_read_clock(reader->db, &clock, ret_problem);
    if (r < 0)
        return r;
    struct store_extent extent = {
        .is_empty = true, .oldest_event_ns = clock.oldest_ns, .newest_event_ns = clock.newest_ns};
    memcpy(extent.kept_from_s, clock.kept_from_s, sizeof(extent.kept_from_s));
    r = find_edges(reader, &extent, ret_problem);
    if (r == 0)
        *ret_extent = extent;
    return r;
}

/* --- counts --- */

static const char *const column_names[COLUMN_COUNT] = {"type",  "code",   "service", "endpoint",
                                                       "level", "logger", "host"};

const char *store_column_name(enum store_column column)
{
    return column_names[column];
}

/* The pieces come first, so that each is one stretch of the primary key. Only names of the table above enter
 * the text. */
static const char count_sql[] =
    "WITH piece (resolution, lowest, above) AS (VALUES (?1, ?2, ?3), (?4, ?5, ?6), (?7, ?8, ?9), (?10, ?11, "
    "?12),"
    " (?13, ?14, ?15), (?16, ?17, ?18), (?19, ?20, ?21))"
    " SELECT s.%s, s.level, (c.start - ?22) / ?23 AS bucket, min(c.start), max(c.start), "
    "min(piece.resolution),"
    " sum(c.count) FROM piece CROSS JOIN counts AS c ON c.resolution_s = piece.resolution"
    " AND c.start >= piece.lowest AND c.start < piece.above CROSS JOIN series AS s ON s.id = c.series_id"
    " WHERE ?24 IS NULL OR s.service = ?24 GROUP BY s.%s, s.level, bucket, piece.resolution ORDER BY 1";

static void bind_query(sqlite3_stmt *statement, const struct store_count_query *query)
{
    for (int i = 0; i < STORE_PIECES_MAX; i++) {
        struct store_piece piece = i < query->piece_count ? query->piece[i] : (struct store_piece){0};
        sqlite3_bind_int(statement, 3 * i + 1, piece.resolution_s);
        sqlite3_bind_int64(statement, 3 * i + 2, piece.from_s);
        sqlite3_bind_int64(statement, 3 * i + 3, piece.to_s);
    }
    sqlite3_bind_int64(statement, 22, query->bucket_from_s);
    sqlite3_bind_int64(statement, 23, query->bucket_s);
    if (query->service)
        store_bind_text(statement, 24, slice_of(query->service));
}

static void read_count(sqlite3_stmt *statement, struct store_count_row *ret_row)
{
    enum { GROUP, LEVEL, BUCKET, FIRST, LAST, RESOLUTION, COUNT };
    *ret_row = (struct store_count_row){
        .group = store_column(statement, GROUP),
        .level = level_from_text(store_column(statement, LEVEL)),
        .bucket = sqlite3_column_int64(statement, BUCKET),
        .first_s = sqlite3_column_int64(statement, FIRST),
        .last_s = sqlite3_column_int64(statement, LAST),
        .first_resolution_s = sqlite3_column_int(statement, RESOLUTION),
        .last_resolution_s = sqlite3_column_int(statement, RESOLUTION),
        .count = (uint64_t)sqlite3_column_int64(statement, COUNT),
    };
}

int store_read_counts(struct store_reader *reader, const struct store_count_query *query,
                      int (*take)(void *context, const struct store_count_row *row), void *context,
                      struct problem *ret_problem)
{
    _cleanup_statement_ sqlite3_stmt *statement = NULL;
    char sql[sizeof(count_sql) + 64];
    snprintf(sql, sizeof(sql), count_sql, column_names[query->by], column_names[query->by]);
    int r = prepare(reader->db, sql, ret_problem, &statement);
    if (r < 0)
        return r;
    bind_query(statement, query);
    while ((r = store_next(statement, ret_problem)) == 1) {
        struct store_count_row row;
        read_count(statement, &row);
        int taken = take(context, &row);
        if (taken < 0)
            return taken;
    }
    return r;
}

/* --- runs and rejects --- */

#define RUNS_BETWEEN                                                                                         \
    " FROM run WHERE last_seen_ns >= ?1 AND first_seen_ns < ?2 AND (?3 IS NULL OR service = ?3)"

static int prepare_runs(struct store_reader *reader, const char *sql, int64_t from_ns, int64_t to_ns,
                        const char *service, struct problem *ret_problem, sqlite3_stmt **ret_statement)
{
    int r = prepare(reader->db, sql, ret_problem, ret_statement);
    if (r < 0)
        return r;
    sqlite3_bind_int64(*ret_statement, 1, from_ns);
    sqlite3_bind_int64(*ret_statement, 2, to_ns);
    if (service)
        store_bind_text(*ret_statement, 3, slice_of(service));
    return 0;
}

static void read_run(sqlite3_stmt *statement, struct store_run_row *ret_row)
{
    uint64_t numbers[7];
    for (int i = 0; i < 7; i++)
        numbers[i] = (uint64_t)sqlite3_column_int64(statement, 8 + i);
    *ret_row = (struct store_run_row){
        .id = store_column(statement, 0),
        .parent_id = store_column(statement, 1),
        .service = store_column(statement, 2),
        .host = store_column(statement, 3),
        .ended = store_column(statement, 4),
        .pid = sqlite3_column_int64(statement, 5),
        .first_seen_ns = sqlite3_column_int64(statement, 6),
        .last_seen_ns = sqlite3_column_int64(statement, 7),
        .first_seq = numbers[0],
        .last_seq = numbers[1],
        .records = numbers[2],
        .missing = numbers[3],
        .duplicates = numbers[4],
        .dropped = numbers[5],
        .before_first = numbers[6],
        .inexact = sqlite3_column_int(statement, 15) != 0,
    };
}

int store_read_runs(struct store_reader *reader, int64_t from_ns, int64_t to_ns, const char *service,
                    int64_t limit, int (*take)(void *context, const struct store_run_row *row), void *context,
                    struct problem *ret_problem)
{
    static const char sql[] = "SELECT run_id, parent_run_id, service, host, ended, pid, first_seen_ns, "
                              "last_seen_ns, first_seq, last_seq,"
                              " records, missing, duplicates, dropped, before_first, inexact" RUNS_BETWEEN
                              " ORDER BY last_seen_ns DESC, run_id DESC LIMIT ?4";
    _cleanup_statement_ sqlite3_stmt *statement = NULL;
    int r = prepare_runs(reader, sql, from_ns, to_ns, service, ret_problem, &statement);
    if (r < 0)
        return r;
    sqlite3_bind_int64(statement, 4, limit);
    while ((r = store_next(statement, ret_problem)) == 1) {
        struct store_run_row row;
        read_run(statement, &row);
        int taken = take(context, &row);
        if (taken < 0)
            return taken;
    }
    return r;
}

/* Added up here: sum() of SQLite fails when integers overflow, and a hostile log can announce any number of
 * drops. */
int store_read_run_sums(struct store_reader *reader, int64_t from_ns, int64_t to_ns, const char *service,
                        struct problem *ret_problem, struct store_run_sums *ret_sums)
{
    _cleanup_statement_ sqlite3_stmt *statement = NULL;
    int r = prepare_runs(reader,
                         "SELECT records, missing, duplicates, dropped, before_first, inexact" RUNS_BETWEEN,
                         from_ns, to_ns, service, ret_problem, &statement);
    if (r < 0)
        return r;
    struct store_run_sums sums = {0};
    uint64_t *const into[] = {&sums.records, &sums.missing,      &sums.duplicates,
                              &sums.dropped, &sums.before_first, &sums.inexact};
    while ((r = store_next(statement, ret_problem)) == 1) {
        for (int i = 0; i < (int)(sizeof(into) / sizeof(into[0])); i++)
            *into[i] = run_sum(*into[i], (uint64_t)sqlite3_column_int64(statement, i));
        sums.runs++;
    }
    if (r == 0)
        *ret_sums = sums;
    return r;
}

static void take_reject(sqlite3_stmt *statement, uint64_t count[static REJECT_COUNT])
{
    struct slice name = store_column(statement, 0);
    for (int reason = 0; reason < REJECT_COUNT; reason++)
        if (slice_is(name, reject_reason_name((enum reject_reason)reason)))
            count[reason] = (uint64_t)sqlite3_column_int64(statement, 1);
}

int store_read_rejects(struct store_reader *reader, struct problem *ret_problem,
                       uint64_t ret_count[static REJECT_COUNT])
{
    _cleanup_statement_ sqlite3_stmt *statement = NULL;
    int r = prepare(reader->db, "SELECT reason, count FROM reject", ret_problem, &statement);
    if (r < 0)
        return r;
    uint64_t count[REJECT_COUNT] = {0};
    while ((r = store_next(statement, ret_problem)) == 1)
        take_reject(statement, count);
    if (r == 0)
        memcpy(ret_count, count, sizeof(count));
    return r;
}

int store_read_loss(struct store_reader *reader, struct problem *ret_problem, struct store_loss *ret_loss)
{
    _cleanup_statement_ sqlite3_stmt *statement = NULL;
    int r =
        prepare(reader->db, "SELECT coalesce(sum(lost_bytes), 0), count(*) FROM source WHERE lost_bytes > 0",
                ret_problem, &statement);
    if (r == 0)
        r = store_next(statement, ret_problem);
    if (r < 0)
        return r;
    *ret_loss = (struct store_loss){(uint64_t)sqlite3_column_int64(statement, 0),
                                    (uint64_t)sqlite3_column_int64(statement, 1)};
    return 0;
}
