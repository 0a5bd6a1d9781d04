/*
 * Owns the stages, their order, back-pressure and stopping; the only file that sees them all.
 *
 * discover -> tail -> frame -> scan -> batch -> store, and scan -> outputs. Each source has a position for each lane
 * (the statistics, and each output). A pass reads a piece at the least position of the lanes that can take more and gives
 * it to all lanes that stand there; a lane that lags is served by passes of its own until it has caught up. The files
 * are the buffer: nothing is read that nobody can take.
 */
#ifndef SHIPPER_PIPELINE_H
#define SHIPPER_PIPELINE_H

#include "config.h"
#include "problem.h"

struct pipeline_options {
    bool once;
    int64_t timeout_ns;     /* with once: how long an output may stay away before exit 69 */
    bool show_progress;
    volatile int *stop;     /* set by a signal handler: end cleanly within a few seconds */
};

/* Runs until the end (once), a stop, or a failure. Returns an exit code of the contract. */
enum exit_code pipeline_run(const struct config *config, const struct pipeline_options *options,
                            struct problem *ret_problem);

#endif
