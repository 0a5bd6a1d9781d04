#include "store.h"

#include <liblog/liblog.h>

#include <sqlite3.h>
#include <stdio.h>
#include <time.h>

#define LL_LOGGER "shop.store"

/* A request waits this long for somebody else's lock. */
enum { LOCK_WAIT_MS = 50 };

#define AUTO_CLOSE    __attribute__((cleanup(close_database)))
#define AUTO_FINALIZE __attribute__((cleanup(finalize_statement)))

static void close_database(sqlite3 **db)
{
    sqlite3_close(*db);
}

static void finalize_statement(sqlite3_stmt **statement)
{
    sqlite3_finalize(*statement);
}

static enum store_result failed(sqlite3 *db, const char *doing)
{
    int code = sqlite3_errcode(db);
    ll_error(
        "the database failed", ll_kv("doing", doing), ll_kv("sqlite_code", code),
        ll_exception_code("OperationalError", code == SQLITE_BUSY ? "DB_005" : "DB_002", sqlite3_errmsg(db)));
    return STORE_FAILED;
}

/* The connection is the caller's to close, also when opening failed: it holds the reason. */
static enum store_result open_database(const char *path, sqlite3 **ret_db)
{
    if (sqlite3_open_v2(path, ret_db, SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE, NULL) != SQLITE_OK)
        return failed(*ret_db, "open");
    sqlite3_busy_timeout(*ret_db, LOCK_WAIT_MS);
    return STORE_OK;
}

static enum store_result execute(sqlite3 *db, const char *doing, const char *sql)
{
    if (sqlite3_exec(db, sql, NULL, NULL, NULL) != SQLITE_OK)
        return failed(db, doing);
    return STORE_OK;
}

/*
 * Runs `sql` with ?1 and ?2 bound. STORE_OK: the statement stands on its first row. STORE_MISSING: it is done
 * and gave none. The statement is the caller's to finalize.
 */
static enum store_result run(sqlite3 *db, const char *doing, const char *sql, long first, long second,
                             sqlite3_stmt **ret_statement)
{
    if (sqlite3_prepare_v2(db, sql, -1, ret_statement, NULL) != SQLITE_OK)
        return failed(db, doing);
    sqlite3_bind_int64(*ret_statement, 1, first);
    sqlite3_bind_int64(*ret_statement, 2, second);
    switch (sqlite3_step(*ret_statement)) {
    case SQLITE_ROW:
        return STORE_OK;
    case SQLITE_DONE:
        return STORE_MISSING;
    default:
        return failed(db, doing);
    }
}

enum store_result store_create(const char *path)
{
    AUTO_CLOSE sqlite3 *db = NULL;
    if (open_database(path, &db) != STORE_OK)
        return STORE_FAILED;
    return execute(db, "create",
                   "CREATE TABLE IF NOT EXISTS product (id INTEGER PRIMARY KEY, name TEXT NOT NULL,"
                   "  price_cents INTEGER NOT NULL, stock INTEGER NOT NULL) STRICT;"
                   "CREATE TABLE IF NOT EXISTS purchase (id INTEGER PRIMARY KEY, product INTEGER NOT NULL,"
                   "  quantity INTEGER NOT NULL, FOREIGN KEY (product) REFERENCES product (id)) STRICT;"
                   "INSERT OR IGNORE INTO product VALUES (1, 'teapot', 2450, 400), (2, 'cup', 650, 900),"
                   "  (3, 'kettle', 3900, 2);");
}

enum store_result store_product(const char *path, long id, struct product *ret_product)
{
    AUTO_CLOSE sqlite3 *db = NULL;
    AUTO_FINALIZE sqlite3_stmt *statement = NULL;
    enum store_result result = open_database(path, &db);
    if (result == STORE_OK)
        result = run(db, "read a product", "SELECT name, price_cents, stock FROM product WHERE id = ?1", id,
                     0, &statement);
    if (result != STORE_OK)
        return result;
    ret_product->id = id;
    snprintf(ret_product->name, sizeof(ret_product->name), "%s", sqlite3_column_text(statement, 0));
    ret_product->price_cents = sqlite3_column_int64(statement, 1);
    ret_product->stock = sqlite3_column_int64(statement, 2);
    return STORE_OK;
}

enum store_result store_order_total(const char *path, long order, long *ret_cents)
{
    AUTO_CLOSE sqlite3 *db = NULL;
    AUTO_FINALIZE sqlite3_stmt *statement = NULL;
    enum store_result result = open_database(path, &db);
    if (result == STORE_OK)
        result =
            run(db, "read an order",
                "SELECT quantity * price_cents FROM purchase JOIN product ON product.id = purchase.product"
                " WHERE purchase.id = ?1",
                order, 0, &statement);
    if (result == STORE_OK)
        *ret_cents = sqlite3_column_int64(statement, 0);
    return result;
}

/* Within a transaction: the stock never goes below nothing, however many ask at once. */
static enum store_result take_and_note(sqlite3 *db, long product, long quantity)
{
    AUTO_FINALIZE sqlite3_stmt *take = NULL;
    AUTO_FINALIZE sqlite3_stmt *note = NULL;
    enum store_result result =
        run(db, "take from stock", "UPDATE product SET stock = stock - ?2 WHERE id = ?1 AND stock >= ?2",
            product, quantity, &take);
    if (result == STORE_FAILED)
        return result;
    if (sqlite3_changes(db) == 0)
        return STORE_SOLD_OUT;
    result = run(db, "note an order", "INSERT INTO purchase (product, quantity) VALUES (?1, ?2)", product,
                 quantity, &note);
    return result == STORE_MISSING ? STORE_OK : result; /* an INSERT gives no row */
}

enum store_result store_order(const char *path, long product, long quantity, long *ret_order)
{
    AUTO_CLOSE sqlite3 *db = NULL;
    enum store_result result = open_database(path, &db);
    if (result == STORE_OK)
        result = execute(db, "begin an order", "BEGIN IMMEDIATE");
    if (result == STORE_OK)
        result = take_and_note(db, product, quantity);
    if (result == STORE_OK)
        result = execute(db, "commit an order", "COMMIT");
    if (result == STORE_OK)
        *ret_order = sqlite3_last_insert_rowid(db);
    return result; /* closing the connection rolls back what was not committed */
}

enum store_result store_lock(const char *path, long milliseconds)
{
    AUTO_CLOSE sqlite3 *db = NULL;
    enum store_result result = open_database(path, &db);
    if (result == STORE_OK)
        result = execute(db, "lock everything", "BEGIN EXCLUSIVE");
    if (result == STORE_OK)
        nanosleep(&(struct timespec){milliseconds / 1000, milliseconds % 1000 * 1000000}, NULL);
    return result;
}
