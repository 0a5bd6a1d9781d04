#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "event_maker.h"
#include "store_maker.h"

#include "shipper/batch_content.h"
#include "shipper/store_internal.h"
#include "shipper/store_read.h"

#include <signal.h>
#include <sys/stat.h>
#include <sys/wait.h>

#define RUN_A "019a2b6e-7c1d-7f3a-9a55-3f1c2b7d8e90"
#define T0    INT64_C(1760832000) /* 2025-10-19T00:00:00Z */

static void add(struct batch *batch, struct event event)
{
    assert_int_equal(add_event(batch, &event, SLICE("")), 0);
}

static void each_record_is_counted_once_in_every_resolution(void **state)
{
    struct folder *folder = *state;
    struct store *store = store_made(folder);
    struct batch *batch = batch_for(store, 10000);
    for (int i = 0; i < 300; i++) { /* over three hours, a commit in each */
        add(batch, event_of(LEVEL_ERROR, T0 + 36 * i, "shop", "Timeout"));
        if (i % 100 == 99)
            commit(store, batch);
    }
    add(batch, event_of(LEVEL_INFO, T0, "shop", ""));
    commit(store, batch);
    assert_answer(folder->file,
                  "SELECT resolution_s, sum(count), count(*) FROM counts JOIN series ON id = series_id"
                  " WHERE level = 'ERROR' GROUP BY 1",
                  "10 300 300;60 300 180;3600 300 3;86400 300 1;");
    assert_answer(folder->file,
                  "SELECT start - 1760832000, count FROM counts JOIN series ON id = series_id"
                  " WHERE level = 'ERROR' AND resolution_s = 3600",
                  "0 100;3600 100;7200 100;");
    assert_answer(folder->file, "SELECT service, level, type, logger, environment FROM series ORDER BY id",
                  "shop ERROR Timeout root ;shop INFO  root ;");
    batch_free(batch);
    store_close(store);
}

static void a_new_process_goes_on_with_the_series_and_runs_it_finds(void **state)
{
    struct folder *folder = *state;
    static const uint64_t parts[][2] = {{201, 300}, {1, 100}, {101, 199}, {300, 301}};
    char instance[2][SERIES_TEXT_BYTES_MAX + 1];
    for (int i = 0; i < 4; i++) {
        struct store *store = store_made(folder);
        struct batch *batch = batch_for(store, 10000);
        strcpy(instance[i % 2], store_instance(store));
        for (uint64_t seq = parts[i][0]; seq <= parts[i][1]; seq++)
            add(batch, event_of_run(RUN_A, seq, T0 + (int64_t)seq));
        commit(store, batch);
        batch_free(batch);
        store_close(store);
    }
    assert_string_equal(instance[0], instance[1]);
    assert_int_equal(strlen(instance[0]), UUID_TEXT_SIZE);
    assert_answer(folder->file, "SELECT count(*) FROM series", "1;");
    assert_answer(folder->file,
                  "SELECT first_seq, last_seq, records, missing, duplicates, before_first, inexact, ended,"
                  " first_seen_ns / 1000000000 - 1760832000, last_seen_ns / 1000000000 - 1760832000 FROM run",
                  "1 301 301 1 1 0 0 running 1 301;");
    assert_answer(folder->file, "SELECT from_seq, to_seq FROM run_gap", "200 200;");
}

static void a_run_is_closed_until_it_is_opened_again(void **state)
{
    struct folder *folder = *state;
    struct store *store = store_made(folder);
    struct batch *batch = batch_for(store, 10000);
    add(batch, mark_of_run(RUN_A, 1, T0, "close"));
    commit(store, batch);
    assert_answer(folder->file, "SELECT ended FROM run", "closed;");
    add(batch, event_of_run(RUN_A, 2, T0));
    commit(store, batch);
    assert_answer(folder->file, "SELECT ended FROM run", "running;");
    add(batch, mark_of_run(RUN_A, 3, T0, "crash"));
    commit(store, batch);
    add(batch, mark_of_run(RUN_A, 4, T0, "recovered"));
    commit(store, batch);
    assert_answer(folder->file, "SELECT ended, records FROM run", "crashed 4;");
    assert_answer(folder->file, "SELECT sum(count) FROM counts WHERE resolution_s = 10", "2;");
    batch_free(batch);
    store_close(store);
}

static void rejects_are_counted_and_the_latest_thousand_lines_kept(void **state)
{
    struct folder *folder = *state;
    struct store *store = store_made(folder);
    struct batch *batch = batch_for(store, 10000);
    for (uint64_t i = 0; i < 2500; i++) {
        assert_int_equal(
            batch_add_reject(batch, "source", i, i % 5 ? REJECT_NOT_JSON : REJECT_CUT, SLICE("li\0ne")), 0);
        if (i % 600 == 599)
            commit(store, batch);
    }
    commit(store, batch);
    assert_answer(folder->file, "SELECT reason, count FROM reject ORDER BY reason", "cut 500;not_json 2000;");
    assert_answer(folder->file, "SELECT count(*), min(offset), max(offset), min(hex(line)) FROM reject_line",
                  "1000 1500 2499 6C69006E65;");
    batch_free(batch);
    store_close(store);
}

static void retention_keeps_each_resolution_for_its_time(void **state)
{
    struct folder *folder = *state;
    struct store *store = store_made(folder);
    struct batch *batch = batch_for(store, 10000);
    static const int64_t days_before[] = {0, 1, 3, 20, 401, 3651};
    for (int i = 5; i >= 0; i--) {
        add(batch,
            event_of(LEVEL_ERROR, T0 - days_before[i] * WINDOW_DAY, "shop", i == 5 ? "Ancient" : "Timeout"));
        commit(store, batch);
    }
    const char *sql = "SELECT resolution_s, sum(count) FROM counts GROUP BY 1";
    assert_answer(folder->file, sql, "10 2;60 3;3600 4;86400 5;");
    assert_answer(folder->file, "SELECT type FROM series", "Timeout;");
    /* Late records: the coarser windows only. */
    add(batch, event_of(LEVEL_ERROR, T0 - 3 * WINDOW_DAY, "shop", "Timeout"));
    add(batch, event_of(LEVEL_ERROR, T0 - 20 * WINDOW_DAY, "shop", "Timeout"));
    add(batch, event_of(LEVEL_ERROR, T0 - 4000 * (int64_t)WINDOW_DAY, "shop", "Later"));
    commit(store, batch);
    assert_answer(folder->file, sql, "10 2;60 4;3600 6;86400 7;");
    assert_answer(folder->file, "SELECT value FROM meta WHERE name = 'beyond_retention'", "3;");
    assert_answer(folder->file, "SELECT type FROM series", "Timeout;");
    batch_free(batch);
    store_close(store);
}

static void a_time_ahead_of_the_clock_deletes_nothing(void **state)
{
    struct folder *folder = *state;
    struct store *store = store_made(folder);
    struct batch *batch = batch_for(store, 10000);
    int64_t now = time(NULL);
    add(batch, event_of(LEVEL_ERROR, now - WINDOW_DAY, "shop", "Timeout"));
    add(batch, event_of(LEVEL_ERROR, now + 100 * WINDOW_DAY, "shop", "Timeout"));
    commit(store, batch);
    assert_answer(folder->file, "SELECT sum(count) FROM counts WHERE resolution_s = 10", "2;");
    batch_free(batch);
    store_close(store);
}

static void a_commit_that_fails_changes_nothing_and_can_be_tried_again(void **state)
{
    struct folder *folder = *state;
    struct store *store = store_made(folder);
    struct batch *batch = batch_for(store, 10000);
    add(batch, event_of(LEVEL_ERROR, T0, "shop", "First"));
    commit(store, batch);
    char type[32];
    for (int i = 0; i < 3000; i++) {
        snprintf(type, sizeof(type), "Type-%d", i);
        struct event event = event_of_run(RUN_A, (uint64_t)i + 1, T0 + i);
        event_set(&event, EVENT_EXCEPTION_TYPE, type);
        assert_int_equal(add_event(batch, &event, SLICE("")), 0);
    }
    assert_int_equal(sqlite3_exec(store->db, "PRAGMA max_page_count = 40", NULL, NULL, NULL), SQLITE_OK);
    const struct store_position position = {"stats", "source", 4711};
    struct problem problem = {0};
    for (int attempt = 0; attempt < 2; attempt++)
        assert_int_equal(store_commit(store, batch, NULL, 0, &position, 1, &problem), -ERR_IO_005);
    assert_answer(folder->file,
                  "SELECT (SELECT sum(count) FROM counts), (SELECT count(*) FROM run), count(*) FROM series",
                  "4 0 1;");
    uint64_t offset;
    assert_int_equal(store_load_position(store, "stats", "source", &offset, &problem), 0);
    assert_int_equal(sqlite3_exec(store->db, "PRAGMA max_page_count = 1000000", NULL, NULL, NULL), SQLITE_OK);
    assert_int_equal(store_commit(store, batch, NULL, 0, &position, 1, &problem), 0);
    assert_answer(folder->file,
                  "SELECT (SELECT sum(count) FROM counts WHERE resolution_s = 10), (SELECT records FROM run),"
                  " (SELECT count(*) FROM series), (SELECT count(DISTINCT series_id) FROM counts)",
                  "3001 3000 3001 3001;");
    batch_free(batch);
    store_close(store);
}

static void what_is_counted_while_a_commit_is_under_way_goes_into_the_next(void **state)
{
    struct folder *folder = *state;
    struct store *store = store_made(folder);
    struct batch *batch = batch_for(store, 10000);
    struct problem problem = {0};
    char type[32];
    uint64_t added = 0;
    for (int round = 0; round < 20; round++) {
        assert_int_equal(store_commit_begin(store, batch, NULL, 0, NULL, 0, &problem), 0);
        int result;
        do {
            snprintf(type, sizeof(type), "Type-%d", (int)(added % 500)); /* known series, and new ones */
            add(batch, event_of(LEVEL_ERROR, T0 + (int64_t)(added % 3600), "shop", type));
            added++;
            result = store_commit_end(store, false, &problem);
        } while (result == 1 || added < 100 * (uint64_t)(round + 1));
        assert_int_equal(result, 0);
    }
    commit(store, batch);
    char expected[64];
    snprintf(expected, sizeof(expected), "%llu %d;", (unsigned long long)added,
             added < 500 ? (int)added : 500);
    assert_answer(folder->file,
                  "SELECT (SELECT sum(count) FROM counts WHERE resolution_s = 60), count(*) FROM series",
                  expected);
    batch_free(batch);
    store_close(store);
}

static void a_commit_that_failed_is_tried_again_as_it_was_and_then_the_rest(void **state)
{
    struct folder *folder = *state;
    struct store *store = store_made(folder);
    struct batch *batch = batch_for(store, 10000);
    struct problem problem = {0};
    commit(store, batch);
    add(batch, event_of(LEVEL_ERROR, T0, "shop", "Early"));
    assert_int_equal(sqlite3_exec(store->db, "PRAGMA query_only = 1", NULL, NULL, NULL), SQLITE_OK);
    const struct store_position early = {"stats", "source", 100}, late = {"stats", "source", 200};
    assert_true(store_commit(store, batch, NULL, 0, &early, 1, &problem) < 0);
    assert_true(problem.error != ERR_NONE && store_commit_failed(store));
    add(batch, event_of(LEVEL_ERROR, T0, "shop", "Late"));
    assert_int_equal(sqlite3_exec(store->db, "PRAGMA query_only = 0", NULL, NULL, NULL), SQLITE_OK);

    static const char question[] = "SELECT (SELECT sum(count) FROM counts WHERE resolution_s = 60), offset"
                                   " FROM output_position";
    assert_int_equal(store_commit(store, batch, NULL, 0, &late, 1, &problem), 0);
    assert_answer(folder->file, question, "1 100;");
    assert_false(store_commit_failed(store));
    assert_int_equal(store_commit(store, batch, NULL, 0, &late, 1, &problem), 0);
    assert_answer(folder->file, question, "2 200;");
    batch_free(batch);
    store_close(store);
}

static void sources_and_positions_come_back_as_they_were(void **state)
{
    struct folder *folder = *state;
    struct store *store = store_made(folder);
    struct batch *batch = batch_for(store, 10000);
    struct source source = {.counters = {.records = 5, .rejected = 2, .blank = 1}};
    struct source second = {0};
    struct source *const sources[] = {&source, &second};
    struct problem problem = {0};
    strcpy(source.record.id, "019a2b6e-7c1d-7f3a-9a55-00000000000a");
    source.record.path = "/var/log/shop/app.log";
    source.record.evidence = (struct source_evidence){.device = 7, .inode = 8, .size = 1000, .offset = 900};
    source_hash_bytes(&source.record.evidence.marker, "marker", 6);
    strcpy(second.record.id, "019a2b6e-7c1d-7f3a-9a55-000000000001");
    second.record.path = "/var/log/shop/app.log.1";
    const struct store_position positions[] = {{"stats", source.record.id, 900},
                                               {"out", source.record.id, 500}};

    assert_false(store_output_known(store, "out"));
    assert_int_equal(store_commit(store, batch, sources, 2, positions, 2, &problem), 0);
    source.record.path = "/var/log/shop/app.log.1";
    assert_int_equal(store_commit(store, batch, sources, 1, positions, 1, &problem), 0);
    store_close(store);

    store = store_made(folder);
    struct source_record *records;
    int count;
    uint64_t offset;
    assert_int_equal(store_load_sources(store, &problem, &records, &count), 0);
    assert_int_equal(count, 2);
    assert_string_equal(records[0].id, source.record.id);
    assert_string_equal(records[0].path, "/var/log/shop/app.log.1");
    assert_int_equal(records[0].evidence.inode, 8);
    assert_int_equal(records[0].evidence.offset, 900);
    assert_true(source_hash_equal(&records[0].evidence.marker, &source.record.evidence.marker));
    assert_string_equal(records[1].id, second.record.id);
    source_records_free(records, count);
    assert_int_equal(store_load_position(store, "out", source.record.id, &offset, &problem), 1);
    assert_int_equal(offset, 500);
    assert_int_equal(store_load_position(store, "out", second.record.id, &offset, &problem), 0);
    assert_true(store_output_known(store, "out"));
    assert_false(store_output_known(store, "lake"));
    assert_answer(folder->file, "SELECT records, rejected, blank, size, state FROM source WHERE records > 0",
                  "10 4 2 1000 open;");
    assert_answer(folder->file, "SELECT output, length(marker) FROM output_position ORDER BY 1",
                  "out 0;stats 32;");
    batch_free(batch);
    store_close(store);
}

/* --- killed anywhere --- */

enum { STREAM_RECORDS = 60000, KILLS = 150 };

/* The i-th record of a stream that every attempt reads again from its position. */
static struct event stream_event(uint64_t i)
{
    static const char *const types[] = {"Timeout", "Refused", "Denied", ""};
    static const char *const runs[] = {RUN_A, "019a2b6e-7c1d-7f3a-9a55-3f1c2b7d8e91"};
    struct event event = event_of_run(runs[i % 2], i / 2 + 1 + i / 1000, T0 + (int64_t)(i / 20));
    event.level = i % 3 ? LEVEL_ERROR : LEVEL_INFO;
    event_set(&event, EVENT_EXCEPTION_TYPE, types[i % 4]);
    return event;
}

/* How many statements a reader may begin before it is killed. */
static int statements_left;

static int kill_in_time(unsigned type, void *context, void *statement, void *text)
{
    (void)type, (void)context, (void)statement, (void)text;
    if (--statements_left == 0)
        kill(getpid(), SIGKILL);
    return 0;
}

static int read_batch(struct batch *batch, uint64_t from, uint64_t to)
{
    for (uint64_t i = from; i < to; i++) {
        struct event event = stream_event(i);
        if (add_event(batch, &event, SLICE("")) < 0)
            return 1;
        if (i % 100 == 0 && batch_add_reject(batch, "stream", i, REJECT_NOT_JSON, SLICE("x")) < 0)
            return 1;
    }
    return 0;
}

/* Reads the stream to its end in batches of odd sizes; is killed at a statement unless `kill_at` is 0. */
static int read_stream(const struct config *config, uint64_t batch_records, int kill_at)
{
    struct store *store;
    struct batch *batch;
    uint64_t at = 0;
    if (store_open(config, NULL, &store) < 0 || batch_new(10000, &batch) < 0 ||
        store_load_series(store, batch, NULL) < 0 ||
        store_load_position(store, "stats", "stream", &at, NULL) < 0)
        return 1;
    statements_left = kill_at;
    if (kill_at)
        sqlite3_trace_v2(store->db, SQLITE_TRACE_STMT, kill_in_time, NULL);
    while (at < STREAM_RECORDS) {
        uint64_t end = at + batch_records < STREAM_RECORDS ? at + batch_records : STREAM_RECORDS;
        const struct store_position position = {"stats", "stream", end};
        if (read_batch(batch, at, end) != 0 || store_commit(store, batch, NULL, 0, &position, 1, NULL) < 0)
            return 1;
        at = end;
    }
    batch_free(batch);
    store_close(store);
    return 0;
}

/* Whether it came to the end. */
static bool read_in_child(const struct config *config, uint64_t batch_records, int kill_at)
{
    pid_t child = fork();
    assert_true(child >= 0);
    if (child == 0)
        _exit(read_stream(config, batch_records, kill_at));
    int status;
    assert_int_equal(waitpid(child, &status, 0), child);
    if (WIFSIGNALED(status))
        return false;
    assert_int_equal(WEXITSTATUS(status), 0);
    return true;
}

/* Each child kills itself at a statement chosen by chance: within a transaction, before its COMMIT, between
 * two. */
static void after_kill_9_at_any_moment_the_counts_equal_a_clean_run(void **state)
{
    struct folder *folder = *state;
    char clean_file[128];
    static char expected[1 << 20], found[1 << 20];
    snprintf(clean_file, sizeof(clean_file), "%s/clean.db", folder->path);
    struct config clean = folder->config;
    clean.database_file = clean_file;
    assert_true(read_in_child(&clean, 999, 0));

    srand(99);
    int killed = 0;
    for (int i = 0; i < KILLS; i++)
        killed += !read_in_child(&folder->config, 37 + (uint64_t)rand() % 300, 1 + rand() % 200);
    assert_int_equal(killed, KILLS);
    assert_true(read_in_child(&folder->config, 500, 0));

    static const char *const questions[] = {
        "PRAGMA integrity_check",
        ("SELECT resolution_s, start, level, type, count FROM counts JOIN series ON id = series_id"
         " WHERE resolution_s > 10 ORDER BY 1, 2, 3, 4"),
        "SELECT sum(count), count(*) FROM counts WHERE resolution_s = 10",
        "SELECT run_id, records, missing, duplicates, first_seq, last_seq, first_seen_ns, last_seen_ns, "
        "inexact FROM run",
        "SELECT * FROM run_gap ORDER BY 1, 2",
        "SELECT * FROM reject",
        "SELECT offset, count(*) FROM reject_line GROUP BY 1",
        "SELECT output, source_id, offset FROM output_position",
    };
    for (size_t i = 0; i < sizeof(questions) / sizeof(questions[0]); i++) {
        ask(clean_file, questions[i], expected, sizeof(expected));
        ask(folder->file, questions[i], found, sizeof(found));
        assert_string_equal(found, expected);
    }
    assert_answer(folder->file, "SELECT sum(count) FROM counts WHERE resolution_s = 86400", "60000;");
}

/* --- who may use it --- */

static void a_second_shipper_is_told_who_holds_the_folder(void **state)
{
    struct folder *folder = *state;
    struct store *store = store_made(folder), *second;
    struct problem problem = {0};
    char holder[64];
    assert_int_equal(store_open(&folder->config, &problem, &second), -ERR_DB_005);
    snprintf(holder, sizeof(holder), "process %ld,", (long)getpid());
    assert_non_null(strstr(problem.text, holder));
    assert_non_null(strstr(problem.text, folder->path));
    store_close(store);
    store_close(store_made(folder));
}

static void expect_refusal(struct folder *folder, enum error error)
{
    struct problem problem = {0};
    struct store *store;
    assert_int_equal(store_open(&folder->config, &problem, &store), -(int)error);
    assert_int_equal(problem.error, error);
    assert_non_null(strstr(problem.text, folder->path));
}

static void make_database(const char *file, const char *sql)
{
    sqlite3 *db;
    assert_int_equal(sqlite3_open(file, &db), SQLITE_OK);
    assert_int_equal(sqlite3_exec(db, sql, NULL, NULL, NULL), SQLITE_OK);
    sqlite3_close(db);
}

static void foreign_files_are_refused_and_left_alone(void **state)
{
    struct folder *folder = *state;
    make_database(folder->file, "CREATE TABLE bookmarks (url TEXT); INSERT INTO bookmarks VALUES ('x')");
    expect_refusal(folder, ERR_DB_004);
    assert_answer(folder->file, "SELECT url FROM bookmarks", "x;");
    unlink(folder->file);

    FILE *text = fopen(folder->file, "w");
    assert_non_null(text);
    fputs("this is no database", text);
    fclose(text);
    expect_refusal(folder, ERR_DB_004);
}

static void a_newer_database_is_refused(void **state)
{
    struct folder *folder = *state;
    store_close(store_made(folder));
    make_database(folder->file, "PRAGMA user_version = 9999");
    expect_refusal(folder, ERR_DB_003);
    struct store_reader *reader;
    assert_int_equal(store_reader_open(folder->file, NULL, &reader), -ERR_DB_003);
}

static void a_symbolic_link_is_refused(void **state)
{
    struct folder *folder = *state;
    char target[128];
    store_close(store_made(folder));
    snprintf(target, sizeof(target), "%s/target.db", folder->path);
    assert_int_equal(rename(folder->file, target), 0);
    assert_int_equal(symlink(target, folder->file), 0);
    expect_refusal(folder, ERR_DB_004);
}

static void a_file_of_another_user_is_refused(void **state)
{
    struct folder *folder = *state;
    store_close(store_made(folder));
    /* Only root may give a file away; anyone else takes the same way by a folder that all may write to. */
    if (geteuid() == 0) {
        assert_int_equal(chown(folder->file, 65534, 65534), 0);
        expect_refusal(folder, ERR_DB_004);
        assert_int_equal(chown(folder->file, 0, 0), 0);
    }
    assert_int_equal(chmod(folder->path, 0777), 0);
    expect_refusal(folder, ERR_DB_004);
    assert_int_equal(chmod(folder->path, 0700), 0);
    store_close(store_made(folder));
}

static void an_empty_file_becomes_a_database(void **state)
{
    struct folder *folder = *state;
    FILE *empty = fopen(folder->file, "w");
    assert_non_null(empty);
    fclose(empty);
    store_close(store_made(folder));
    assert_answer(
        folder->file,
        "SELECT (SELECT user_version FROM pragma_user_version), application_id FROM pragma_application_id",
        "1 1819240275;");
}

static void files_are_for_owner_and_group_and_the_wal_stays(void **state)
{
    struct folder *folder = *state;
    static const char *const suffixes[] = {"", "-wal", "-shm"};
    mode_t mask = umask(077);
    struct store *store = store_made(folder);
    struct batch *batch = batch_for(store, 10000);
    add(batch, event_of(LEVEL_ERROR, T0, "shop", "Timeout"));
    commit(store, batch);
    batch_free(batch);
    store_close(store);
    umask(mask);
    for (int i = 0; i < 3; i++) {
        char path[128];
        struct stat status;
        snprintf(path, sizeof(path), "%s%s", folder->file, suffixes[i]);
        assert_int_equal(stat(path, &status), 0);
        assert_int_equal(status.st_mode & 07777, 0640);
    }
}

static void an_audit_line_says_who_and_what(void **state)
{
    struct folder *folder = *state;
    struct store *store = store_made(folder);
    struct problem problem = {0};
    assert_int_equal(store_audit(store, "START", "{\"once\":true}", &problem), 0);
    assert_answer(folder->file,
                  "SELECT operation, details, actor LIKE '%uid%', time_ns > 1e18 FROM audit_log",
                  "START {\"once\":true} 1 1;");
    store_close(store);
}

static void execute(const char *file, const char *sql)
{
    sqlite3 *db;
    assert_int_equal(sqlite3_open_v2(file, &db, SQLITE_OPEN_READWRITE, NULL), SQLITE_OK);
    assert_int_equal(sqlite3_exec(db, sql, NULL, NULL, NULL), SQLITE_OK);
    sqlite3_close(db);
}

static void evidence_of_gone_sources_is_kept_for_its_time_and_bounded(void **state)
{
    struct folder *folder = *state;
    struct store *store = store_made(folder);
    char sql[1024];
    store_close(store);
    /* One that is there, one gone too long ago, and five more than are kept. */
    snprintf(sql, sizeof(sql),
             "WITH RECURSIVE n (i, gone) AS (SELECT -1, '' UNION ALL SELECT 0, ',\"gone_ns\":1' UNION ALL"
             " SELECT i + 1, ',\"gone_ns\":' || (unixepoch() * 1000000000 - 1000000 + i) FROM n"
             " WHERE i >= 0 AND i < %d)"
             " INSERT INTO source SELECT format('%%036d', i + 1), 'p', '{\"offset\":0' || gone || '}', 0, 0, "
             "0, 0, 0, 0,"
             " 0, 0, 'open' FROM n",
             SOURCE_GONE_KEPT_MAX + 5);
    execute(folder->file, sql);
    execute(folder->file, "INSERT INTO output_position SELECT 'stats', id, 0, '' FROM source");
    store = NULL;
    struct problem problem = {0};
    assert_int_equal(store_open(&folder->config, &problem, &store), 0);
    struct batch *batch = batch_for(store, 10000);
    commit(store, batch);
    batch_free(batch);
    store_close(store);
    snprintf(sql, sizeof(sql), "%d %036d %036d;", SOURCE_GONE_KEPT_MAX + 1, 0, 7);
    assert_answer(folder->file,
                  "SELECT count(*), min(id), min(iif(id > format('%036d', 0), id, NULL)) FROM source", sql);
    snprintf(sql, sizeof(sql), "%d;", SOURCE_GONE_KEPT_MAX + 1);
    assert_answer(folder->file, "SELECT count(*) FROM output_position", sql);
}

static void gaps_of_all_runs_are_bounded(void **state)
{
    struct folder *folder = *state;
    struct store *store = store_made(folder);
    struct batch *batch = batch_for(store, 10000);
    enum { RUNS = STORE_GAPS_MAX / 50 + 10 };
    char run_id[RUNS][37];
    for (int run = 0; run < RUNS; run++) {
        snprintf(run_id[run], sizeof(run_id[run]), "019a2b6e-7c1d-7f3a-9a55-%012d", run);
        for (uint64_t seq = 1; seq <= 101; seq += 2)
            add(batch, event_of_run(run_id[run], seq, T0));
    }
    commit(store, batch);
    assert_answer(folder->file,
                  "SELECT (SELECT count(*) FROM run_gap), sum(inexact), sum(missing), count(*) FROM run",
                  "100000 10 100500 2010;");
    assert_answer(folder->file, "SELECT max(run_id) FROM run WHERE inexact",
                  "019a2b6e-7c1d-7f3a-9a55-000000000009;");
    batch_free(batch);
    store_close(store);
}

static void views_answer_in_errors_per_minute_and_hour(void **state)
{
    struct folder *folder = *state;
    struct store *store = store_made(folder);
    struct batch *batch = batch_for(store, 10000);
    for (int minute = 0; minute < 120; minute++) {
        for (int i = 0; i < 3; i++)
            add(batch, event_of(LEVEL_INFO, T0 + 60 * minute, "shop", ""));
        if (minute % 2)
            add(batch, event_of(LEVEL_ERROR, T0 + 60 * minute, "shop", "Timeout"));
    }
    add(batch, event_of(LEVEL_CRITICAL, T0 - 2 * WINDOW_DAY, "shop", "Old"));
    commit(store, batch);
    assert_answer(
        folder->file,
        "SELECT count(*), sum(errors), sum(records) FROM error_rate_per_minute WHERE start >= 1760832000",
        "120 60 420;");
    assert_answer(
        folder->file,
        "SELECT minute, errors, records, error_percent FROM error_rate_per_minute WHERE start = 1760832060",
        "2025-10-19 00:01:00 1 4 25.0;");
    assert_answer(
        folder->file,
        "SELECT hour, errors, records, errors_per_minute FROM error_rate_per_hour WHERE start >= 1760832000",
        "2025-10-19 00:00:00 30 210 0.5;2025-10-19 01:00:00 30 210 0.5;");
    assert_answer(folder->file, "SELECT service, level, type, errors FROM top_errors_24h",
                  "shop ERROR Timeout 60;");
    assert_answer(
        folder->file,
        "SELECT service, last_minute, records_1h, errors_1h, records_24h, errors_24h FROM service_health",
        "shop 2025-10-19 01:59:00 210 30 420 60;");
    assert_answer(folder->file, "SELECT count(*) FROM run_accounting", "0;");
    batch_free(batch);
    store_close(store);
}

#define STORE_TEST(name) cmocka_unit_test_setup_teardown(name, folder_setup, folder_teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        STORE_TEST(each_record_is_counted_once_in_every_resolution),
        STORE_TEST(a_new_process_goes_on_with_the_series_and_runs_it_finds),
        STORE_TEST(a_run_is_closed_until_it_is_opened_again),
        STORE_TEST(rejects_are_counted_and_the_latest_thousand_lines_kept),
        STORE_TEST(retention_keeps_each_resolution_for_its_time),
        STORE_TEST(a_time_ahead_of_the_clock_deletes_nothing),
        STORE_TEST(a_commit_that_fails_changes_nothing_and_can_be_tried_again),
        STORE_TEST(what_is_counted_while_a_commit_is_under_way_goes_into_the_next),
        STORE_TEST(a_commit_that_failed_is_tried_again_as_it_was_and_then_the_rest),
        STORE_TEST(sources_and_positions_come_back_as_they_were),
        STORE_TEST(after_kill_9_at_any_moment_the_counts_equal_a_clean_run),
        STORE_TEST(a_second_shipper_is_told_who_holds_the_folder),
        STORE_TEST(foreign_files_are_refused_and_left_alone),
        STORE_TEST(a_newer_database_is_refused),
        STORE_TEST(a_symbolic_link_is_refused),
        STORE_TEST(a_file_of_another_user_is_refused),
        STORE_TEST(an_empty_file_becomes_a_database),
        STORE_TEST(files_are_for_owner_and_group_and_the_wal_stays),
        STORE_TEST(an_audit_line_says_who_and_what),
        STORE_TEST(evidence_of_gone_sources_is_kept_for_its_time_and_bounded),
        STORE_TEST(gaps_of_all_runs_are_bounded),
        STORE_TEST(views_answer_in_errors_per_minute_and_hour),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
