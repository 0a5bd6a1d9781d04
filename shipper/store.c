#include "store_internal.h"

#include "batch_content.h"
#include "column_text.h"
#include "liblog/base/cleanup.h"

#include <pwd.h>

static const char *const statement_text[STATEMENT_COUNT] = {
#define STATEMENT(name, text) [STATEMENT_##name] = text,
    STATEMENTS(STATEMENT)
#undef STATEMENT
};

/* --- open and close --- */

static int configure(sqlite3 *db, struct problem *ret_problem)
{
    int keep = 1;
    sqlite3_busy_timeout(db, STORE_BUSY_MS);
    sqlite3_file_control(db, "main", SQLITE_FCNTL_PERSIST_WAL, &keep);
    char sql[256];
    snprintf(sql, sizeof(sql),
             "PRAGMA journal_mode = WAL; PRAGMA synchronous = NORMAL; PRAGMA foreign_keys = ON;"
             "PRAGMA trusted_schema = OFF; PRAGMA journal_size_limit = %d",
             STORE_WAL_BYTES_KEPT_MAX);
    return store_execute(db, sql, ret_problem);
}

static int prepare(struct store *store, struct problem *ret_problem)
{
    for (int i = 0; i < STATEMENT_COUNT; i++)
        if (sqlite3_prepare_v3(store->db, statement_text[i], -1, SQLITE_PREPARE_PERSISTENT,
                               &store->statement[i], NULL) != SQLITE_OK)
            return store_problem(store->db, "be asked", ret_problem);
    return 0;
}

/* A text from outside as a column holds it, with a NUL. */
static void copy_name(char ret_copy[static SERIES_TEXT_BYTES_MAX + 1], const char *name)
{
    char memory[COLUMN_TEXT_BYTES_MAX];
    struct value value = {.data = name, .size = (uint32_t)strlen(name), .kind = VALUE_STRING};
    struct slice text = column_text(&value, false, memory);
    memcpy(ret_copy, text.data, text.size);
    ret_copy[text.size] = '\0';
}

static int load_instance(struct store *store, const char *configured, struct problem *ret_problem)
{
    sqlite3_stmt *statement = NULL;
    if (configured && *configured) {
        copy_name(store->instance, configured);
        return 0;
    }
    if (sqlite3_prepare_v2(store->db, "SELECT value FROM meta WHERE name = 'instance'", -1, &statement,
                           NULL) != SQLITE_OK)
        return store_problem(store->db, "be read", ret_problem);
    int r = store_next(statement, ret_problem);
    if (r == 1)
        copy_name(store->instance, (const char *)sqlite3_column_text(statement, 0));
    sqlite3_finalize(statement);
    if (r == 0)
        return problem_set(ret_problem, ERR_DB_002, "the database has no instance in its table meta");
    return r < 0 ? r : 0;
}

static void load_host(struct store *store)
{
    char name[256] = "";
    gethostname(name, sizeof(name) - 1);
    copy_name(store->host, name);
}

static int load_totals(struct store *store, struct problem *ret_problem)
{
    int64_t runs, gaps;
    int r = store_query_integer(store->db, "SELECT count(*) FROM run", &runs, ret_problem);
    if (r == 0)
        r = store_query_integer(store->db, "SELECT count(*) FROM run_gap", &gaps, ret_problem);
    if (r < 0)
        return r;
    store->run_total = (uint64_t)runs;
    store->gap_total = (uint64_t)gaps;
    return store_read_clock(store->db, &store->clock, ret_problem);
}

static int open_database(struct store *store, const struct config *config, struct problem *ret_problem)
{
    const char *file = config->database_file;
    if (sqlite3_open_v2(file, &store->db, SQLITE_OPEN_READWRITE | SQLITE_OPEN_NOMUTEX, NULL) != SQLITE_OK)
        return store_problem(store->db, "be opened", ret_problem);
    int r = store_check_schema(store->db, file, ret_problem);
    if (r == 0)
        r = configure(store->db, ret_problem);
    if (r == 0)
        r = prepare(store, ret_problem);
    if (r == 0)
        r = load_instance(store, config->instance, ret_problem);
    return r == 0 ? load_totals(store, ret_problem) : r;
}

static int open_locked(struct store *store, const struct config *config, struct problem *ret_problem)
{
    int is_there = store_check_file(config->database_file, ret_problem);
    if (is_there < 0)
        return is_there;
    int r = is_there ? 0 : store_create(config->database_file, ret_problem);
    return r == 0 ? open_database(store, config, ret_problem) : r;
}

int store_open(const struct config *config, struct problem *ret_problem, struct store **ret_store)
{
    struct store *store = calloc(1, sizeof(*store));
    if (!store)
        return problem_set(ret_problem, ERR_INT_002, "memory ran out");
    store->lock_fd = -1;
    int r = store_work_init(&store->work);
    if (r < 0) {
        store_close(store);
        return problem_set(ret_problem, ERR_IO_006, "no descriptor is left for the database: %s",
                           strerror(-r));
    }
    load_host(store);
    for (int i = 0; i < WINDOW_RESOLUTIONS; i++)
        store->retention_s[i] = config->retention_ns[i] / INT64_C(1000000000);

    r = store_check_folder(config->database_file, ret_problem);
    if (r == 0)
        r = store->lock_fd = store_lock(config->database_file, ret_problem);
    if (r >= 0)
        r = open_locked(store, config, ret_problem);
    if (r < 0) {
        store_close(store);
        return r;
    }
    *ret_store = store;
    return 0;
}

void store_close(struct store *store)
{
    if (!store)
        return;
    store_work_release(&store->work);
    for (int i = 0; i < STATEMENT_COUNT; i++)
        sqlite3_finalize(store->statement[i]);
    sqlite3_close(store->db);
    store_unlock(&store->lock_fd);
    free(store->scratch);
    free(store);
}

const char *store_instance(const struct store *store)
{
    return store->instance;
}

/* --- what was known before --- */

static void read_key(sqlite3_stmt *statement, struct series_key *ret_key)
{
    static const enum series_text column[] = {SERIES_SERVICE, SERIES_ENVIRONMENT, SERIES_TYPE,
                                              SERIES_CODE,    SERIES_ENDPOINT,    SERIES_LOGGER};
    for (int i = 0; i < SERIES_TEXT_COUNT; i++)
        ret_key->text[column[i]] = store_column(statement, 1 + i);
    ret_key->level = level_from_text(store_column(statement, 1 + SERIES_TEXT_COUNT));
}

int store_load_series(struct store *store, struct batch *batch, struct problem *ret_problem)
{
    store_wait(store);
    sqlite3_stmt *statement = store->statement[STATEMENT_GET_SERIES];
    store_bind_text(statement, 1, slice_of(store->instance));
    store_bind_text(statement, 2, slice_of(store->host));
    int r;
    while ((r = store_next(statement, ret_problem)) == 1) {
        struct series_key key;
        read_key(statement, &key);
        if (batch_learn_series(batch, sqlite3_column_int64(statement, 0), &key) < 0) {
            sqlite3_reset(statement);
            return problem_set(ret_problem, ERR_INT_002, "memory ran out while the series were read");
        }
    }
    return r;
}

/* 0 and the source, -ERR_INT_002, or -ERR_DB_002 when the row is not what this program wrote. */
static int read_source(sqlite3_stmt *statement, struct source_record *ret_source)
{
    struct slice id = store_column(statement, 0), path = store_column(statement, 1);
    struct source_record source = {0};
    if (id.size != UUID_TEXT_SIZE || path.size >= SOURCE_PATH_MAX ||
        source_evidence_from_text((const char *)sqlite3_column_text(statement, 2), &source.evidence) < 0)
        return -ERR_DB_002;
    memcpy(source.id, id.data, id.size);
    source.path = strndup(path.data, path.size);
    if (!source.path)
        return -ERR_INT_002;
    *ret_source = source;
    return 0;
}

static int add_source(struct source_record **sources, int count, sqlite3_stmt *statement,
                      struct problem *ret_problem)
{
    /* A power of two has just been filled: double. */
    if ((count & (count - 1)) == 0) {
        struct source_record *more = reallocarray(*sources, count ? (size_t)count * 2 : 1, sizeof(**sources));
        if (!more)
            return problem_set(ret_problem, ERR_INT_002, "memory ran out while the sources were read");
        *sources = more;
    }
    int r = read_source(statement, &(*sources)[count]);
    if (r == -ERR_INT_002)
        return problem_set(ret_problem, ERR_INT_002, "memory ran out while the sources were read");
    if (r < 0)
        return problem_set(ret_problem, ERR_DB_002, "the row of source %.36s cannot be understood",
                           (const char *)sqlite3_column_text(statement, 0));
    return 0;
}

int store_load_sources(struct store *store, struct problem *ret_problem, struct source_record **ret_sources,
                       int *ret_count)
{
    sqlite3_stmt *statement = store->statement[STATEMENT_GET_SOURCES];
    struct source_record *sources = NULL;
    int count = 0, r;
    while ((r = store_next(statement, ret_problem)) == 1) {
        r = add_source(&sources, count, statement, ret_problem);
        if (r < 0)
            break;
        count++;
    }
    sqlite3_reset(statement);
    if (r < 0) {
        source_records_free(sources, count);
        return r;
    }
    *ret_sources = sources;
    *ret_count = count;
    return 0;
}

int store_load_position(struct store *store, const char *output, const char *source_id, uint64_t *ret_offset,
                        struct problem *ret_problem)
{
    store_wait(store);
    sqlite3_stmt *statement = store->statement[STATEMENT_GET_POSITION];
    store_bind_text(statement, 1, slice_of(output));
    store_bind_text(statement, 2, slice_of(source_id));
    int r = store_next(statement, ret_problem);
    if (r == 1)
        *ret_offset = (uint64_t)sqlite3_column_int64(statement, 0);
    sqlite3_reset(statement);
    return r;
}

bool store_output_known(struct store *store, const char *output)
{
    store_wait(store);
    sqlite3_stmt *statement = store->statement[STATEMENT_OUTPUT_KNOWN];
    store_bind_text(statement, 1, slice_of(output));
    bool is_known = store_next(statement, NULL) == 1;
    sqlite3_reset(statement);
    return is_known;
}

/* --- what people did --- */

static void actor_name(char *out, size_t size)
{
    const struct passwd *user = getpwuid(geteuid());
    snprintf(out, size, "%s (uid %u)", user ? user->pw_name : "?", (unsigned)geteuid());
}

int store_audit(struct store *store, const char *operation, const char *details, struct problem *ret_problem)
{
    store_wait(store);
    sqlite3_stmt *statement = store->statement[STATEMENT_ADD_AUDIT];
    struct timespec now;
    char actor[128];
    clock_gettime(CLOCK_REALTIME, &now);
    actor_name(actor, sizeof(actor));
    sqlite3_bind_int64(statement, 1, now.tv_sec * INT64_C(1000000000) + now.tv_nsec);
    store_bind_text(statement, 2, slice_of(operation));
    store_bind_text(statement, 3, slice_of(actor));
    store_bind_text(statement, 4, slice_of(details));
    int r = store_execute(store->db, "PRAGMA synchronous = FULL", ret_problem);
    if (r == 0)
        r = store_run(statement, ret_problem);
    int back = store_execute(store->db, "PRAGMA synchronous = NORMAL", r == 0 ? ret_problem : NULL);
    return r < 0 ? r : back;
}
