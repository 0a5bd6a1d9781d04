/* One run's statistics as seen from outside its process: the file, and what its rings hold that is not in it
 * yet, of one moment. */
#ifndef LIBLOG_STATS_OUTSIDE_H
#define LIBLOG_STATS_OUTSIDE_H

#include "folder.h"
#include "stats_view.h"

struct stats_outside {
    struct stats_view view;
    bool is_alive;
    bool is_settled; /* what is not drained is counted too */
};

/* LL_OK; LL_ENOENT (it was thrown away meanwhile), LL_EACCES, LL_EFORMAT, LL_EIO, LL_ENOMEM. Release the
 * view. */
int stats_outside_read(const struct folder *folder, const char *run_id, struct stats_outside *ret_outside);

#endif
