/*
 * Owns the stages, their order, back-pressure and stopping; the only module that sees them all.
 *
 * discover -> tail -> frame -> scan -> batch -> store, and scan -> outputs. Each source has a position for
 * each lane (the statistics, and each output). A pass reads a piece at the least position of the lanes that
 * can take more and gives it to all lanes that stand there; a lane that lags is served by passes of its own
 * until it has caught up. The files are the buffer: nothing is read that nobody can take.
 *
 * Everything runs on the calling thread but the commits, which the store writes on a thread of its own. One
 * bad file, line or output harms only itself; what ends the run is a stop, the end (once), memory that ran
 * out, or that no output lives any more.
 */
#ifndef SHIPPER_PIPELINE_H
#define SHIPPER_PIPELINE_H

#include "config.h"
#include "problem.h"

struct pipeline_options {
    bool once;
    int64_t timeout_ns;       /* with once: how long an output may stay away before exit 69 */
    bool show_progress;       /* with once: a bar on stderr */
    bool show_summary;        /* with once: a line on stderr at the end */
    bool show_timings;        /* a line on stderr at the end: how long each stage took */
    const volatile int *stop; /* set by a signal handler: end cleanly within a few seconds */
    int stop_fd;              /* becomes readable together with `stop`, so that no wait misses it; -1: none */
    void (*tell)(const struct problem *problem); /* something happened that does not end the run */
};

/* Runs until the end (once), a stop, or a failure, which is in ret_problem then (else its error is ERR_NONE).
 * Returns an exit code of the contract. */
enum exit_code pipeline_run(const struct config *config, const struct pipeline_options *options,
                            struct problem *ret_problem);

#endif
