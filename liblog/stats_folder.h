/*
 * Which statistics lie in a log's folder, and how long. RUN.stats is made when a log is opened and stays when
 * it is closed or its process dies, so that a dead run can still be asked. Of runs whose ring file is gone
 * the latest STATS_DEAD_RUNS_MAX are kept, none longer than STATS_DEAD_SECONDS_MAX; who opens or recovers the
 * log throws the others away, under the log's lock.
 */
#ifndef LIBLOG_STATS_FOLDER_H
#define LIBLOG_STATS_FOLDER_H

#include "folder.h"
#include "ring_file.h"
#include "stats_file.h"

enum { STATS_DEAD_RUNS_MAX = 8, STATS_DEAD_SECONDS_MAX = 7 * 24 * 3600, STATS_NAME_SIZE = 256 };

#define STATS_SUFFIX ".stats"
#define RING_SUFFIX  ".ring"

/* The statistics of the run that `identity` describes: those it has made before, else new ones; in private
 * memory when `folder` is NULL or cannot hold them. 0 or -ENOMEM. */
int stats_folder_open(const struct folder *folder, const struct ring_identity *identity, mode_t mode,
                      struct stats_file *ret_file);

/* Copies those of a dead run, to be counted into. The descriptor is the caller's to close. -1: there are none
 * that can be believed. */
int stats_folder_load(const struct folder *folder, const char *run_id, struct stats_file *ret_file);

void stats_folder_prune(const struct folder *folder);

/* Whether `name` is that of a run's statistics; then its run goes to ret_run_id. */
bool stats_name_run(const char *name, char ret_run_id[static STATS_NAME_SIZE]);

/* The name of a run's ring file in the folder; false when it has none. */
bool stats_ring_name(const struct folder *folder, const char *run_id, char ret_name[static STATS_NAME_SIZE]);

#endif
