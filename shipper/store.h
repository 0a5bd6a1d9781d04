/*
 * All SQL, and the only code that includes sqlite3.h. A batch's counts, runs, rejects, sources and positions
 * go into one transaction: that makes the statistics exact. One store writes; reports open the same file
 * read-only.
 */
#ifndef SHIPPER_STORE_H
#define SHIPPER_STORE_H

#include "batch.h"
#include "config.h"
#include "problem.h"
#include "tail.h"

struct store;

/*
 * Opens for writing, creating or migrating the file, and takes the state folder's lock (a second shipper gets
 * ERR_DB_005 with the holder's name). 0, or a negative error.
 */
int store_open(const struct config *config, struct problem *ret_problem, struct store **ret_store);

/* The folder that a database lies in. 0, or a negative error when the path is too long. */
enum { STORE_FOLDER_SIZE = 4096 };
int store_folder(const char *database_file, char ret_folder[static STORE_FOLDER_SIZE],
                 struct problem *ret_problem);

/* Closes and keeps the WAL for readers. NULL is allowed. */
void store_close(struct store *store);

/* This database's own UUID (or the configured instance), as text. Borrowed. */
const char *store_instance(const struct store *store);

/* All series there are, into the batch; once, after both were opened. */
int store_load_series(struct store *store, struct batch *batch, struct problem *ret_problem);

/* The sources known, newest last; source_records_free takes them. */
int store_load_sources(struct store *store, struct problem *ret_problem, struct source_record **ret_sources,
                       int *ret_count);

/*
 * Where `output` stands in a source ("stats" are the statistics). 1 with the offset, 0 when it has no
 * position there, or a negative error.
 */
int store_load_position(struct store *store, const char *output, const char *source_id, uint64_t *ret_offset,
                        struct problem *ret_problem);

/* Whether the output was ever seen by this database: a new one starts where the statistics stand. */
bool store_output_known(struct store *store, const char *output);

/* One position that moves in a commit. */
struct store_position {
    const char *output;
    const char *source_id;
    uint64_t offset;
};

/*
 * Begins to commit what the batch has counted, the changed sources (with their counters) and the positions,
 * in one transaction that also applies retention. A thread of the store's own does it; everything is copied
 * or set aside, so that counting goes on at once, but for the texts of the positions, which stay until the
 * commit has succeeded. At most one commit is under way. 0, or a negative error: nothing was begun.
 *
 * After a commit that failed, begins that one again and takes nothing new: what is given then is not looked
 * at.
 */
int store_commit_begin(struct store *store, struct batch *batch, struct source *const *sources,
                       int source_count, const struct store_position *positions, int position_count,
                       struct problem *ret_problem);

/*
 * Takes in the end of a commit, with `wait` once there is one. 1 while it is under way; 0 when it has
 * succeeded (or none was begun); or its negative error: nothing changed in the database, and it is kept to be
 * tried again.
 */
int store_commit_end(struct store *store, bool wait, struct problem *ret_problem);

/* Whether one that failed is still to be tried again. */
bool store_commit_failed(struct store *store);

/* Both: begins, and waits for the end. */
int store_commit(struct store *store, struct batch *batch, struct source *const *sources, int source_count,
                 const struct store_position *positions, int position_count, struct problem *ret_problem);

/* A descriptor that becomes readable when a commit has ended. */
int store_commit_fd(const struct store *store);

/* How long commits have taken, all together. */
int64_t store_busy_ns(struct store *store);

/* Adds a line to audit_log, durable when it returns. `details` is a JSON object. */
int store_audit(struct store *store, const char *operation, const char *details, struct problem *ret_problem);

#endif
