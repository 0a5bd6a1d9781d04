#include "store_positions.h"

#include "report_text.h"
#include "store_internal.h"

#include "liblog/base/cleanup.h"

static const char read_sql[] =
    "SELECT s.id, s.path, s.evidence, p.output, p.offset FROM source AS s JOIN output_position AS p"
    " ON p.source_id = s.id WHERE ?1 OR s.state <> 'finished' OR EXISTS (SELECT 1 FROM output_position AS o"
    " JOIN output_position AS t ON t.source_id = o.source_id AND t.output = 'stats'"
    " WHERE o.source_id = s.id AND o.offset < t.offset)"
    " ORDER BY s.path, s.rowid, p.output <> 'stats', p.output";

static int read_row(sqlite3_stmt *statement, struct store_position_row *ret_row)
{
    enum { ID, PATH, EVIDENCE, OUTPUT, OFFSET };
    *ret_row = (struct store_position_row){
        .source_id = store_column(statement, ID),
        .path = store_column(statement, PATH),
        .output = store_column(statement, OUTPUT),
        .offset = (uint64_t)sqlite3_column_int64(statement, OFFSET),
    };
    return source_evidence_from_text((const char *)sqlite3_column_text(statement, EVIDENCE),
                                     &ret_row->evidence);
}

int store_read_positions(struct store_reader *reader, bool all,
                         int (*take)(void *context, const struct store_position_row *row), void *context,
                         struct problem *ret_problem)
{
    _cleanup_(store_finalize) sqlite3_stmt *statement = NULL;
    int r = store_reader_prepare(reader, read_sql, ret_problem, &statement);
    if (r < 0)
        return r;
    sqlite3_bind_int(statement, 1, all);
    while ((r = store_next(statement, ret_problem)) == 1) {
        struct store_position_row row;
        if (read_row(statement, &row) < 0)
            return problem_set(ret_problem, ERR_DB_002, "the row of source %.*s cannot be understood",
                               (int)row.source_id.size, row.source_id.data);
        r = take(context, &row);
        if (r < 0)
            return r;
    }
    return r;
}

static const char *const reset_sql[] = {
    [STORE_RESET_BEGINNING] = "INSERT INTO output_position (output, source_id, offset, marker)"
                              " SELECT ?1, id, 0, '' FROM source WHERE ?2 IS NULL OR path = ?2"
                              " ON CONFLICT DO UPDATE SET offset = 0, marker = ''",
    [STORE_RESET_STATISTICS] =
        "INSERT INTO output_position (output, source_id, offset, marker)"
        " SELECT ?1, p.source_id, p.offset, p.marker FROM output_position AS p"
        " JOIN source AS s ON s.id = p.source_id"
        " WHERE p.output = 'stats' AND (?2 IS NULL OR s.path = ?2)"
        " ON CONFLICT DO UPDATE SET offset = excluded.offset, marker = excluded.marker",
};

static int move(struct store *store, const char *output, const char *path, enum store_reset to,
                uint64_t *ret_count, struct problem *ret_problem)
{
    _cleanup_(store_finalize) sqlite3_stmt *statement = NULL;
    store_wait(store);
    if (sqlite3_prepare_v2(store->db, reset_sql[to], -1, &statement, NULL) != SQLITE_OK)
        return store_problem(store->db, "be changed", ret_problem);
    store_bind_text(statement, 1, slice_of(output));
    if (path)
        store_bind_path(statement, 2, path);
    int r = store_run(statement, ret_problem);
    *ret_count = r == 0 ? (uint64_t)sqlite3_changes(store->db) : 0;
    return r;
}

static int note(struct store *store, const char *output, const char *path, enum store_reset to,
                struct problem *ret_problem)
{
    _cleanup_free_ char *details = NULL;
    size_t size;
    FILE *out = open_memstream(&details, &size);
    if (!out)
        return problem_set(ret_problem, ERR_INT_002, "memory ran out");
    fputs("{\"output\":", out);
    text_json(slice_of(output), out);
    fputs(",\"path\":", out);
    text_json(slice_of(path ? path : "*"), out);
    fprintf(out, ",\"to\":\"%s\"}", to == STORE_RESET_BEGINNING ? "beginning" : "statistics");
    if (fclose(out) != 0)
        return problem_set(ret_problem, ERR_INT_002, "memory ran out");
    return store_audit(store, "RESET", details, ret_problem);
}

int store_reset_positions(struct store *store, const char *output, const char *path, enum store_reset to,
                          uint64_t *ret_count, struct problem *ret_problem)
{
    uint64_t count = 0;
    if (strcmp(output, "stats") == 0)
        return problem_set(
            ret_problem, ERR_VAL_001,
            "the statistics' own positions cannot be moved: what is counted would be counted twice, or "
            "never; to count anew, begin a new database");
    if (!store_output_known(store, output))
        return problem_set(ret_problem, ERR_VAL_001, "the database knows no output \"%s\"", output);
    /* The audit log comes first: what it says too much is harmless, what it does not say would be a riddle.
     */
    int r = note(store, output, path, to, ret_problem);
    if (r == 0)
        r = move(store, output, path, to, &count, ret_problem);
    if (r < 0)
        return r;
    *ret_count = count;
    return 0;
}
