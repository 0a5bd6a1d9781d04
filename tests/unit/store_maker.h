/* A state folder of its own for each test, and questions to the database in it. */
#ifndef TESTS_STORE_MAKER_H
#define TESTS_STORE_MAKER_H

#include "shipper/store.h"

#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

struct folder {
    char path[64];
    char file[96];
    struct config config;
};

static inline struct config folder_config(struct folder *folder)
{
    const int64_t day_ns = INT64_C(86400) * 1000000000;
    return (struct config){
        .state_dir = folder->path,
        .database_file = folder->file,
        .retention_ns = {2 * day_ns, 14 * day_ns, 400 * day_ns, 3650 * day_ns},
        .series_max = 10000,
    };
}

static inline int folder_setup(void **state)
{
    struct folder *folder = calloc(1, sizeof(*folder));
    if (!folder)
        return -1;
    strcpy(folder->path, "/tmp/test_store.XXXXXX");
    if (!mkdtemp(folder->path)) {
        free(folder);
        return -1;
    }
    snprintf(folder->file, sizeof(folder->file), "%s/shipper.db", folder->path);
    folder->config = folder_config(folder);
    *state = folder;
    return 0;
}

static inline void folder_remove(const struct folder *folder, const char *name)
{
    char path[128];
    snprintf(path, sizeof(path), "%s/%s", folder->path, name);
    unlink(path);
}

static inline int folder_teardown(void **state)
{
    static const char *const names[] = {"shipper.db",   "shipper.db-wal", "shipper.db-shm",
                                        "lock",         "clean.db",       "clean.db-wal",
                                        "clean.db-shm", "target.db",      "out"};
    struct folder *folder = *state;
    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
        folder_remove(folder, names[i]);
    int r = rmdir(folder->path);
    free(folder);
    return r;
}

static inline struct store *store_made(struct folder *folder)
{
    struct problem problem = {0};
    struct store *store = NULL;
    int r = store_open(&folder->config, &problem, &store);
    if (r != 0)
        print_error("%s\n", problem.text);
    assert_int_equal(r, 0);
    return store;
}

static inline struct batch *batch_for(struct store *store, uint64_t series_max)
{
    struct batch *batch;
    assert_int_equal(batch_new(series_max, &batch), 0);
    assert_int_equal(store_load_series(store, batch, NULL), 0);
    return batch;
}

static inline void commit(struct store *store, struct batch *batch)
{
    struct problem problem = {0};
    int r = store_commit(store, batch, NULL, 0, NULL, 0, &problem);
    if (r != 0)
        print_error("%s\n", problem.text);
    assert_int_equal(r, 0);
}

/* The rows of a query as text, columns parted by blanks, rows by `;`. */
static inline void ask(const char *file, const char *sql, char *out, size_t size)
{
    sqlite3 *db;
    sqlite3_stmt *statement;
    FILE *memory = fmemopen(out, size, "w");
    assert_non_null(memory);
    assert_int_equal(sqlite3_open_v2(file, &db, SQLITE_OPEN_READONLY, NULL), SQLITE_OK);
    if (sqlite3_prepare_v2(db, sql, -1, &statement, NULL) != SQLITE_OK)
        fail_msg("%s: %s", sql, sqlite3_errmsg(db));
    while (sqlite3_step(statement) == SQLITE_ROW) {
        for (int i = 0; i < sqlite3_column_count(statement); i++)
            fprintf(memory, "%s%s", i ? " " : "", (const char *)sqlite3_column_text(statement, i));
        fputc(';', memory);
    }
    sqlite3_finalize(statement);
    sqlite3_close(db);
    fputc('\0', memory);
    fclose(memory);
}

static inline void assert_answer(const char *file, const char *sql, const char *expected)
{
    static char answer[1 << 16];
    ask(file, sql, answer, sizeof(answer));
    assert_string_equal(answer, expected);
}

#endif
