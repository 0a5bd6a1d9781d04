/* `shipper stats --live`: a program's own statistics, read through the library while it runs or after it
 * died. */
#ifndef SHIPPER_STATS_LIVE_H
#define SHIPPER_STATS_LIVE_H

#include "problem.h"

#include <stdbool.h>
#include <stdint.h>

struct stats_live_request {
    const char *log_path;
    const char *ring_dir; /* the program's LOG_RING_DIR, or NULL */
    int64_t window_ns;    /* 0: since each process began */
    bool as_table;        /* else JSON */
};

/* Prints the answer on stdout. 0 or a negative error. */
int stats_live(const struct stats_live_request *request, struct problem *ret_problem);

#endif
