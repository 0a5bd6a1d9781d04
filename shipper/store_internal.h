/* What the store's own files share. Nobody else includes this, or sqlite3.h. */
#ifndef SHIPPER_STORE_INTERNAL_H
#define SHIPPER_STORE_INTERNAL_H

#include "store.h"
#include "store_sql.h"
#include "window.h"

#include <limits.h>
#include <pthread.h>
#include <sqlite3.h>
#include <time.h>

enum {
    STORE_APPLICATION_ID = 0x6c6f6753, /* "logS" */
    STORE_RUNS_MAX = 1000000,
    STORE_GAPS_MAX = 100000, /* of all runs together */
    STORE_RUN_DAYS_MAX = 400,
    STORE_WAL_BYTES_KEPT_MAX = 64 << 20,
    STORE_BUSY_MS = 5000,
    STORE_FILE_MODE = 0640,
};

/* What a commit keeps up to date of the time that the counts span. */
struct store_clock {
    int64_t oldest_ns; /* of the events counted; INT64_MAX while there are none */
    int64_t newest_ns; /* never later than the wall clock; INT64_MIN while there are none */
    int64_t kept_from_s[WINDOW_RESOLUTIONS]; /* windows that start before are gone; INT64_MIN: nothing is */
};

/* A source as it is at the commit; what comes later does not change it. */
struct store_source {
    char id[UUID_TEXT_SIZE + 1];
    char *path; /* owned */
    struct source_evidence evidence;
    struct source_counters counters;
};

/* What goes into one transaction. */
struct store_change {
    struct batch *batch; /* borrowed: what was set aside of it */
    struct store_source *sources;
    int source_count;
    struct store_position *positions; /* owned, but not their texts */
    int position_count;
    bool series_freed; /* by its retention: ids that are known may be of no series any more */
};

/*
 *      IDLE --begin--> ASKED --the thread--> ENDED --end--> IDLE, or FAILED --begin--> ASKED
 *
 * The change, the connection and its statements belong to the thread while ASKED, and to the caller else.
 */
enum store_work_state { WORK_IDLE, WORK_ASKED, WORK_ENDED, WORK_FAILED };

struct store_work {
    pthread_t thread;
    bool has_thread;
    pthread_mutex_t mutex; /* for all below */
    pthread_cond_t moved;  /* the state */
    enum store_work_state state;
    bool stops;
    struct store_change change;
    int result; /* when ENDED */
    struct problem problem;
    int64_t busy_ns; /* of all commits together */
    int ended_fd;    /* an eventfd, readable when a commit has ended */
};

struct store {
    sqlite3 *db;
    sqlite3_stmt *statement[STATEMENT_COUNT];
    int lock_fd;
    char instance[SERIES_TEXT_BYTES_MAX + 1];
    char host[SERIES_TEXT_BYTES_MAX + 1];
    int64_t retention_s[WINDOW_RESOLUTIONS];
    struct store_clock clock;
    uint64_t run_total, gap_total; /* at least so many rows; counted again when a bound is near */
    int64_t sources_pruned_ns;     /* by the wall clock; 0: not since it was opened */
    struct window_cell *scratch;   /* of the cells of a batch */
    uint32_t scratch_capacity;
    struct store_work work;
};

/* store_work.c: the thread that writes. */
int store_work_init(
    struct store_work *work); /* 0 or a negative error; store_work_release takes it in any case */
void store_work_release(struct store_work *work); /* waits for a commit under way */

/* Waits until no commit is under way; whoever uses the connection elsewhere calls it first. */
void store_wait(struct store *store);

/* store_commit.c: one transaction. On failure nothing changed. */
int store_write(struct store *store, struct store_change *change, struct problem *ret_problem);

/* store_lock.c: whether the database's folder and files may be trusted, and the lock of the folder. */
int store_check_folder(const char *file, struct problem *ret_problem);
/* 1 when the file is there, 0 when it is not (or empty), or a negative error when it may not be used. */
int store_check_file(const char *file, struct problem *ret_problem);
/* A descriptor that holds the lock until it is closed. */
int store_lock(const char *file, struct problem *ret_problem);
void store_unlock(int *fd);

/* store_schema.c */
int store_create(const char *file, struct problem *ret_problem);
/* Our application id and a version that we know, or a negative error. */
int store_check_schema(sqlite3 *db, const char *file, struct problem *ret_problem);

/* store_statement.c: small steps with SQLite. The functions that return int give 0 or a negative error. */
int store_problem(sqlite3 *db, const char *what, struct problem *ret_problem);
int store_execute(sqlite3 *db, const char *sql, struct problem *ret_problem);
int store_query_integer(sqlite3 *db, const char *sql, int64_t *ret_value, struct problem *ret_problem);
void store_bind_text(sqlite3_stmt *statement, int at, struct slice text);
/* A file's name may be no text, but a column of text is UTF-8: what is no character becomes U+FFFD. A source
 * is known by its evidence, so that its name cannot be turned back harms nothing. */
void store_bind_path(sqlite3_stmt *statement, int at, const char *path);
struct slice store_column(sqlite3_stmt *statement, int at);
/* Runs a bound statement that gives no rows, and makes it ready for the next time. */
int store_run(sqlite3_stmt *statement, struct problem *ret_problem);
/* The next row: 1; or 0 at the end, the statement being ready again; or a negative error. */
int store_next(sqlite3_stmt *statement, struct problem *ret_problem);

/* store_read.c: statements of a reader; the clock as the database holds it. */
struct store_reader;
int store_reader_prepare(struct store_reader *reader, const char *sql, struct problem *ret_problem,
                         sqlite3_stmt **ret_statement);
void store_finalize(sqlite3_stmt **statement);
int store_read_clock(sqlite3 *db, struct store_clock *ret_clock, struct problem *ret_problem);

#endif
