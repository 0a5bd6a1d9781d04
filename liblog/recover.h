/* Finishes the rings of dead processes, through the same lines and sinks as the living. */
#ifndef LIBLOG_RECOVER_H
#define LIBLOG_RECOVER_H

#include "folder.h"
#include "sink_file.h"

#include <liblog/other.h>

/*
 * Finishes every ring in the folder whose process is dead and adds to `recovered`. The log's write lock is
 * held by the caller (but for dry_run), so that two recoverers do not meet, and no living writer appends
 * behind a fragment. One ring that is damaged stops no other: it is left as it is, counted, and named in
 * `problem` (may be NULL). LL_OK; or LL_ENOMEM: a fragment may still be at the log's end, so that nobody may
 * write before this was called again (os_robust_abandon says so to who comes next).
 */
int recover_folder(const struct folder *folder, struct sink *log, struct sink *errors, bool dry_run,
                   ll_recovered *recovered, ll_problem *problem);

#endif
