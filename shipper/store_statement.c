#include "store_internal.h"

#include "liblog/base/cleanup.h"
#include "liblog/base/utf8.h"

/* What a person can do differs: free space, find who locks it, look at the disk. */
static enum error error_of(int code)
{
    switch (code & 0xff) {
    case SQLITE_FULL:
        return ERR_IO_005;
    case SQLITE_NOMEM:
        return ERR_INT_002;
    case SQLITE_CANTOPEN:
    case SQLITE_READONLY:
        return ERR_DB_001;
    case SQLITE_NOTADB:
        return ERR_DB_004;
    case SQLITE_BUSY:
    case SQLITE_LOCKED:
        return ERR_DB_005;
    default:
        return ERR_DB_002;
    }
}

int store_problem(sqlite3 *db, const char *what, struct problem *ret_problem)
{
    enum error error = db ? error_of(sqlite3_extended_errcode(db)) : ERR_INT_002;
    return problem_set(ret_problem, error, "the database could not %s: %s", what,
                       db ? sqlite3_errmsg(db) : "memory ran out");
}

int store_execute(sqlite3 *db, const char *sql, struct problem *ret_problem)
{
    return sqlite3_exec(db, sql, NULL, NULL, NULL) == SQLITE_OK
               ? 0
               : store_problem(db, "be written", ret_problem);
}

static void finalize_statement(sqlite3_stmt **statement)
{
    sqlite3_finalize(*statement);
}

int store_query_integer(sqlite3 *db, const char *sql, int64_t *ret_value, struct problem *ret_problem)
{
    _cleanup_(finalize_statement) sqlite3_stmt *statement = NULL;
    if (sqlite3_prepare_v2(db, sql, -1, &statement, NULL) != SQLITE_OK ||
        sqlite3_step(statement) != SQLITE_ROW)
        return store_problem(db, "be read", ret_problem);
    *ret_value = sqlite3_column_int64(statement, 0);
    return 0;
}

/* A NULL pointer would bind SQL's NULL; an absent text is empty. */
void store_bind_text(sqlite3_stmt *statement, int at, struct slice text)
{
    sqlite3_bind_text(statement, at, text.size ? text.data : "", (int)text.size, SQLITE_STATIC);
}

void store_bind_path(sqlite3_stmt *statement, int at, const char *path)
{
    char text[3 * SOURCE_PATH_MAX];
    size_t size = 0;

    for (struct slice left = slice_of(path); left.size && size + 3 < sizeof(text);) {
        struct utf8_part part = utf8_first_part(left.data, left.size);
        struct slice shown = part.valid ? slice_from(left.data, part.size) : SLICE("\xef\xbf\xbd");
        memcpy(text + size, shown.data, shown.size);
        size += shown.size;
        left = slice_from(left.data + part.size, left.size - part.size);
    }
    sqlite3_bind_text(statement, at, text, (int)size, SQLITE_TRANSIENT);
}

struct slice store_column(sqlite3_stmt *statement, int at)
{
    const void *text = sqlite3_column_text(statement, at);
    return slice_from(text, (size_t)sqlite3_column_bytes(statement, at));
}

int store_run(sqlite3_stmt *statement, struct problem *ret_problem)
{
    sqlite3 *db = sqlite3_db_handle(statement);
    int r = sqlite3_step(statement) == SQLITE_DONE ? 0 : store_problem(db, "be written", ret_problem);
    sqlite3_reset(statement);
    return r;
}

int store_next(sqlite3_stmt *statement, struct problem *ret_problem)
{
    int code = sqlite3_step(statement);
    if (code == SQLITE_ROW)
        return 1;
    int r = code == SQLITE_DONE ? 0 : store_problem(sqlite3_db_handle(statement), "be read", ret_problem);
    sqlite3_reset(statement);
    return r;
}
