/*
 * The tables and views that users query; docs/store.md describes them. A database is made whole under another
 * name and then renamed, so that a file called shipper.db always has all of them.
 */
#include "store_internal.h"

#include "liblog/base/cleanup.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>

static const char tables[] =
    "CREATE TABLE meta (name TEXT NOT NULL PRIMARY KEY, value ANY NOT NULL) STRICT, WITHOUT ROWID;"

    "CREATE TABLE series (id INTEGER PRIMARY KEY, instance TEXT NOT NULL, host TEXT NOT NULL,"
    " service TEXT NOT NULL, environment TEXT NOT NULL, level TEXT NOT NULL, type TEXT NOT NULL,"
    " code TEXT NOT NULL, endpoint TEXT NOT NULL, logger TEXT NOT NULL,"
    " UNIQUE (instance, host, service, environment, level, type, code, endpoint, logger)) STRICT;"

    "CREATE TABLE counts (resolution_s INTEGER NOT NULL, start INTEGER NOT NULL, series_id INTEGER NOT NULL,"
    " count INTEGER NOT NULL, PRIMARY KEY (resolution_s, start, series_id)) STRICT, WITHOUT ROWID;"

    "CREATE TABLE run (run_id TEXT NOT NULL PRIMARY KEY, parent_run_id TEXT NOT NULL, pid INTEGER NOT NULL,"
    " service TEXT NOT NULL, host TEXT NOT NULL, first_seen_ns INTEGER NOT NULL, last_seen_ns INTEGER NOT "
    "NULL,"
    " first_seq INTEGER NOT NULL, last_seq INTEGER NOT NULL, records INTEGER NOT NULL, missing INTEGER NOT "
    "NULL,"
    " duplicates INTEGER NOT NULL, dropped INTEGER NOT NULL, before_first INTEGER NOT NULL,"
    " inexact INTEGER NOT NULL,"
    " ended TEXT NOT NULL CHECK (ended IN ('running', 'closed', 'crashed', 'killed', 'unknown')))"
    " STRICT, WITHOUT ROWID;"
    "CREATE INDEX run_last_seen ON run (last_seen_ns);"

    "CREATE TABLE run_gap (run_id TEXT NOT NULL REFERENCES run ON DELETE CASCADE, from_seq INTEGER NOT NULL,"
    " to_seq INTEGER NOT NULL, PRIMARY KEY (run_id, from_seq)) STRICT, WITHOUT ROWID;"

    "CREATE TABLE source (id TEXT NOT NULL PRIMARY KEY, path TEXT NOT NULL, evidence TEXT NOT NULL,"
    " size INTEGER NOT NULL, records INTEGER NOT NULL, rejected INTEGER NOT NULL, copies INTEGER NOT NULL,"
    " bad_time INTEGER NOT NULL, utf8 INTEGER NOT NULL, lost_bytes INTEGER NOT NULL, blank INTEGER NOT NULL,"
    " state TEXT NOT NULL) STRICT;"

    "CREATE TABLE output_position (output TEXT NOT NULL, source_id TEXT NOT NULL, offset INTEGER NOT NULL,"
    " marker TEXT NOT NULL DEFAULT '', PRIMARY KEY (output, source_id)) STRICT, WITHOUT ROWID;"

    "CREATE TABLE reject (reason TEXT NOT NULL PRIMARY KEY, count INTEGER NOT NULL) STRICT, WITHOUT ROWID;"
    "CREATE TABLE reject_line (id INTEGER PRIMARY KEY, source_id TEXT NOT NULL, offset INTEGER NOT NULL,"
    " reason TEXT NOT NULL, line BLOB NOT NULL) STRICT;"

    "CREATE TABLE audit_log (id INTEGER PRIMARY KEY, time_ns INTEGER NOT NULL, operation TEXT NOT NULL,"
    " actor TEXT NOT NULL, details TEXT NOT NULL, run_id TEXT NOT NULL DEFAULT '',"
    " duration_ms INTEGER NOT NULL DEFAULT 0) STRICT;";

/* "The last 24 hours" count back from the newest record, as retention does: a backup answers like the
 * original. */
static const char views[] =
    "CREATE VIEW error_rate_per_minute AS"
    " SELECT datetime(c.start, 'unixepoch') AS minute, c.start AS start, s.service AS service,"
    " s.environment AS environment, sum(iif(s.level IN ('ERROR', 'CRITICAL'), c.count, 0)) AS errors,"
    " sum(c.count) AS records,"
    " round(100.0 * sum(iif(s.level IN ('ERROR', 'CRITICAL'), c.count, 0)) / sum(c.count), 3) AS "
    "error_percent"
    " FROM counts AS c JOIN series AS s ON s.id = c.series_id WHERE c.resolution_s = 60"
    " GROUP BY c.start, s.service, s.environment;"

    "CREATE VIEW error_rate_per_hour AS"
    " SELECT datetime(c.start, 'unixepoch') AS hour, c.start AS start, s.service AS service,"
    " s.environment AS environment, sum(iif(s.level IN ('ERROR', 'CRITICAL'), c.count, 0)) AS errors,"
    " sum(c.count) AS records,"
    " round(sum(iif(s.level IN ('ERROR', 'CRITICAL'), c.count, 0)) / 60.0, 3) AS errors_per_minute,"
    " round(100.0 * sum(iif(s.level IN ('ERROR', 'CRITICAL'), c.count, 0)) / sum(c.count), 3) AS "
    "error_percent"
    " FROM counts AS c JOIN series AS s ON s.id = c.series_id WHERE c.resolution_s = 3600"
    " GROUP BY c.start, s.service, s.environment;"

    "CREATE VIEW top_errors_24h AS"
    " SELECT s.service AS service, s.level AS level, s.type AS type, s.code AS code, sum(c.count) AS errors,"
    " round(sum(c.count) / 1440.0, 3) AS errors_per_minute, datetime(min(c.start), 'unixepoch') AS "
    "first_minute,"
    " datetime(max(c.start), 'unixepoch') AS last_minute"
    " FROM counts AS c JOIN series AS s ON s.id = c.series_id WHERE c.resolution_s = 60"
    " AND c.start > (SELECT max(start) FROM counts WHERE resolution_s = 60) - 86400"
    " AND s.level IN ('ERROR', 'CRITICAL')"
    " GROUP BY s.service, s.level, s.type, s.code ORDER BY errors DESC, service, level, type, code;"

    "CREATE VIEW service_health AS"
    " WITH newest (minute) AS (SELECT max(start) FROM counts WHERE resolution_s = 60),"
    " minutes AS (SELECT s.service, s.environment, c.start, c.count,"
    " s.level IN ('ERROR', 'CRITICAL') AS is_error, c.start > newest.minute - 3600 AS in_hour"
    " FROM newest JOIN counts AS c ON c.resolution_s = 60 AND c.start > newest.minute - 86400"
    " JOIN series AS s ON s.id = c.series_id)"
    " SELECT service, environment, datetime(max(start), 'unixepoch') AS last_minute,"
    " sum(iif(in_hour, count, 0)) AS records_1h, sum(iif(in_hour AND is_error, count, 0)) AS errors_1h,"
    " round(sum(iif(in_hour AND is_error, count, 0)) / 60.0, 3) AS errors_per_minute_1h,"
    " sum(count) AS records_24h, sum(iif(is_error, count, 0)) AS errors_24h,"
    " round(100.0 * sum(iif(is_error, count, 0)) / sum(count), 3) AS error_percent_24h"
    " FROM minutes GROUP BY service, environment ORDER BY errors_1h DESC, service, environment;"

    "CREATE VIEW run_accounting AS"
    " SELECT run_id, service, host, pid, datetime(first_seen_ns / 1000000000, 'unixepoch') AS first_seen,"
    " datetime(last_seen_ns / 1000000000, 'unixepoch') AS last_seen, first_seq, last_seq, records, missing,"
    " duplicates, dropped, before_first, ended, inexact FROM run ORDER BY last_seen_ns DESC;";

/* A step brings a database from the version of its index to the next. */
static const char *const steps[][2] = {{tables, views}};
enum { SCHEMA_VERSION = sizeof(steps) / sizeof(steps[0]) };

static void close_database(sqlite3 **db)
{
    sqlite3_close(*db);
}

static int write_instance(sqlite3 *db, struct problem *ret_problem)
{
    uint8_t uuid[UUID_SIZE];
    char text[UUID_TEXT_SIZE + 1] = "", sql[128];
    if (uuid7_now(uuid) < 0)
        return problem_set(ret_problem, ERR_INT_001,
                           "the kernel gives no random bytes for a new database's UUID");
    uuid_to_text(text, uuid);
    snprintf(sql, sizeof(sql), "INSERT INTO meta VALUES ('instance', '%s')", text);
    return store_execute(db, sql, ret_problem);
}

static int apply_steps(sqlite3 *db, struct problem *ret_problem)
{
    int r = store_execute(db, "BEGIN IMMEDIATE", ret_problem);
    for (int version = 0; r == 0 && version < SCHEMA_VERSION; version++) {
        r = store_execute(db, steps[version][0], ret_problem);
        if (r == 0)
            r = store_execute(db, steps[version][1], ret_problem);
    }
    char sql[128];
    snprintf(sql, sizeof(sql), "PRAGMA application_id = %d; PRAGMA user_version = %d", STORE_APPLICATION_ID,
             SCHEMA_VERSION);
    if (r == 0)
        r = store_execute(db, sql, ret_problem);
    if (r == 0)
        r = write_instance(db, ret_problem);
    return r == 0 ? store_execute(db, "COMMIT", ret_problem) : r;
}

static int build(const char *file, struct problem *ret_problem)
{
    _cleanup_(close_database) sqlite3 *db = NULL;
    if (sqlite3_open_v2(file, &db, SQLITE_OPEN_READWRITE | SQLITE_OPEN_NOMUTEX, NULL) != SQLITE_OK)
        return store_problem(db, "be created", ret_problem);
    int r = store_execute(db, "PRAGMA synchronous = FULL", ret_problem);
    if (r == 0)
        r = apply_steps(db, ret_problem);
    return r == 0 ? store_execute(db, "PRAGMA journal_mode = WAL", ret_problem) : r;
}

static int create_file(const char *file, struct problem *ret_problem)
{
    unlink(file);
    _cleanup_close_ int fd = open(file, O_CREAT | O_EXCL | O_RDWR | O_CLOEXEC | O_NOFOLLOW, STORE_FILE_MODE);
    /* The contract names the mode; a narrow umask would shut out the group that may read. */
    if (fd < 0 || fchmod(fd, STORE_FILE_MODE) < 0)
        return problem_from_errno(ret_problem, errno, "create the database", file);
    return 0;
}

int store_create(const char *file, struct problem *ret_problem)
{
    char draft[PATH_MAX];
    if ((size_t)snprintf(draft, sizeof(draft), "%s.new", file) >= sizeof(draft))
        return problem_set(ret_problem, ERR_DB_001, "the path of the database is too long: %s", file);
    int r = create_file(draft, ret_problem);
    if (r == 0)
        r = build(draft, ret_problem);
    if (r == 0 && rename(draft, file) < 0)
        r = problem_from_errno(ret_problem, errno, "create the database", file);
    if (r < 0)
        unlink(draft);
    return r;
}

int store_check_schema(sqlite3 *db, const char *file, struct problem *ret_problem)
{
    int64_t id, version;
    int r = store_query_integer(db, "PRAGMA application_id", &id, ret_problem);
    if (r == 0)
        r = store_query_integer(db, "PRAGMA user_version", &version, ret_problem);
    if (r < 0)
        return r;
    if (id != STORE_APPLICATION_ID)
        return problem_set(ret_problem, ERR_DB_004, "%s is a database, but not one of shipper's", file);
    if (version > SCHEMA_VERSION)
        return problem_set(ret_problem, ERR_DB_003,
                           "%s has schema version %lld; this program knows versions up to %d", file,
                           (long long)version, (int)SCHEMA_VERSION);
    if (version < SCHEMA_VERSION)
        return problem_set(ret_problem, ERR_DB_002, "%s has schema version %lld, which never was", file,
                           (long long)version);
    return 0;
}
