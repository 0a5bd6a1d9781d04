/*
 * The statements of the writing connection, prepared once. STATEMENT(name, text); parameters are numbered in
 * the order in which store.c and store_commit.c bind them.
 */
#ifndef SHIPPER_STORE_SQL_H
#define SHIPPER_STORE_SQL_H

/* clang-format off */
#define STATEMENTS(STATEMENT)                                                                                          \
    STATEMENT(BEGIN, "BEGIN IMMEDIATE")                                                                                \
    STATEMENT(COMMIT, "COMMIT")                                                                                        \
    STATEMENT(ADD_SERIES,                                                                                              \
        "INSERT INTO series (instance, host, service, environment, type, code, endpoint, logger, level)"              \
        " VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9)"                                                                 \
        " ON CONFLICT DO UPDATE SET level = excluded.level RETURNING id")                                              \
    STATEMENT(ADD_COUNT,                                                                                               \
        "INSERT INTO counts (resolution_s, start, series_id, count) VALUES (?1, ?2, ?3, ?4)"                           \
        " ON CONFLICT DO UPDATE SET count = count + excluded.count")                                                   \
    STATEMENT(GET_RUN,                                                                                                 \
        "SELECT first_seen_ns, last_seen_ns, first_seq, last_seq, records, missing, duplicates, dropped, inexact,"     \
        " ended FROM run WHERE run_id = ?1")                                                                           \
    STATEMENT(PUT_RUN,                                                                                                 \
        "INSERT INTO run (run_id, parent_run_id, pid, service, host, first_seen_ns, last_seen_ns, first_seq,"          \
        " last_seq, records, missing, duplicates, dropped, before_first, inexact, ended)"                              \
        " VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14, ?15, ?16)"                              \
        " ON CONFLICT DO UPDATE SET first_seen_ns = excluded.first_seen_ns, last_seen_ns = excluded.last_seen_ns,"     \
        " first_seq = excluded.first_seq, last_seq = excluded.last_seq, records = excluded.records,"                   \
        " missing = excluded.missing, duplicates = excluded.duplicates, dropped = excluded.dropped,"                   \
        " before_first = excluded.before_first, inexact = excluded.inexact, ended = excluded.ended")                   \
    STATEMENT(GET_GAPS, "SELECT from_seq, to_seq FROM run_gap WHERE run_id = ?1 ORDER BY from_seq")                    \
    STATEMENT(DELETE_GAPS, "DELETE FROM run_gap WHERE run_id = ?1")                                                    \
    STATEMENT(ADD_GAP, "INSERT INTO run_gap (run_id, from_seq, to_seq) VALUES (?1, ?2, ?3)")                           \
    STATEMENT(LOWEST_GAP_RUN, "SELECT run_id FROM run_gap ORDER BY run_id LIMIT 1")                                    \
    STATEMENT(SET_INEXACT, "UPDATE run SET inexact = 1 WHERE run_id = ?1")                                             \
    STATEMENT(ADD_REJECT,                                                                                              \
        "INSERT INTO reject (reason, count) VALUES (?1, ?2)"                                                           \
        " ON CONFLICT DO UPDATE SET count = count + excluded.count")                                                   \
    STATEMENT(ADD_REJECT_LINE,                                                                                         \
        "INSERT INTO reject_line (source_id, offset, reason, line) VALUES (?1, ?2, ?3, ?4)")                           \
    STATEMENT(PRUNE_REJECT_LINES,                                                                                      \
        "DELETE FROM reject_line WHERE id <= (SELECT max(id) FROM reject_line) - ?1")                                  \
    STATEMENT(PUT_SOURCE,                                                                                              \
        "INSERT INTO source (id, path, evidence, size, state, records, rejected, copies, bad_time, utf8,"              \
        " lost_bytes, blank) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12)"                               \
        " ON CONFLICT DO UPDATE SET path = excluded.path, evidence = excluded.evidence, size = excluded.size,"         \
        " state = excluded.state, records = records + excluded.records, rejected = rejected + excluded.rejected,"      \
        " copies = copies + excluded.copies, bad_time = bad_time + excluded.bad_time, utf8 = utf8 + excluded.utf8,"    \
        " lost_bytes = lost_bytes + excluded.lost_bytes, blank = blank + excluded.blank")                              \
    STATEMENT(PUT_POSITION,                                                                                            \
        "INSERT INTO output_position (output, source_id, offset, marker) VALUES (?1, ?2, ?3, coalesce("                \
        "(SELECT evidence ->> '$.marker' FROM source WHERE id = ?2 AND evidence ->> '$.offset' = ?3), ''))"             \
        " ON CONFLICT DO UPDATE SET offset = excluded.offset, marker = excluded.marker")                               \
    STATEMENT(GET_POSITION, "SELECT offset FROM output_position WHERE output = ?1 AND source_id = ?2")                 \
    STATEMENT(OUTPUT_KNOWN, "SELECT 1 FROM output_position WHERE output = ?1 LIMIT 1")                                 \
    STATEMENT(ADD_META,                                                                                                \
        "INSERT INTO meta (name, value) VALUES (?1, ?2) ON CONFLICT DO UPDATE SET value = value + excluded.value")     \
    STATEMENT(PUT_META,                                                                                                \
        "INSERT INTO meta (name, value) VALUES (?1, ?2) ON CONFLICT DO UPDATE SET value = excluded.value")             \
    STATEMENT(PRUNE_COUNTS, "DELETE FROM counts WHERE resolution_s = ?1 AND start < ?2")                               \
    STATEMENT(PRUNE_SERIES,                                                                                            \
        "DELETE FROM series WHERE id NOT IN (SELECT series_id FROM counts WHERE resolution_s = ?1)")                   \
    STATEMENT(PRUNE_RUNS, "DELETE FROM run WHERE last_seen_ns < ?1")                                                   \
    STATEMENT(PRUNE_OLDEST_RUNS,                                                                                       \
        "DELETE FROM run WHERE run_id IN (SELECT run_id FROM run ORDER BY last_seen_ns LIMIT ?1)")                     \
    STATEMENT(PRUNE_SOURCES,                                                                                           \
        "DELETE FROM source WHERE evidence ->> '$.gone_ns' < ?1 OR id IN (SELECT id FROM source"                       \
        " WHERE evidence ->> '$.gone_ns' > 0 ORDER BY evidence ->> '$.gone_ns' DESC LIMIT -1 OFFSET ?2)")              \
    STATEMENT(PRUNE_POSITIONS, "DELETE FROM output_position WHERE source_id NOT IN (SELECT id FROM source)")           \
    STATEMENT(GET_SERIES,                                                                                              \
        "SELECT id, service, environment, type, code, endpoint, logger, level FROM series"                             \
        " WHERE instance = ?1 AND host = ?2 ORDER BY id")                                                              \
    STATEMENT(GET_SOURCES, "SELECT id, path, evidence FROM source ORDER BY rowid")                                     \
    STATEMENT(ADD_AUDIT,                                                                                               \
        "INSERT INTO audit_log (time_ns, operation, actor, details) VALUES (?1, ?2, ?3, ?4)")
/* clang-format on */

enum statement {
#define STATEMENT(name, text) STATEMENT_##name,
    STATEMENTS(STATEMENT)
#undef STATEMENT
        STATEMENT_COUNT
};

#endif
