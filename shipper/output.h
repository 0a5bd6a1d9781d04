/*
 * Where records go. An output is a small complete table of functions (output_class.h); what all share
 * (back-off, telling a trouble once, the position that moves only over a gapless run of acknowledged records)
 * is in output.c, once.
 *
 * Sequence: output_open; output_begin for each source; then output_send and output_skip for the lines in the
 * order of their source, output_settle before the bytes that were sent go away, output_pump regularly
 * (acknowledgements come in there); output_flush; output_close. All calls come from one thread.
 *
 * Trouble: an output that cannot go on for now holds. It takes nothing, tries again with growing pauses, and
 * keeps whatever it took. The call in which a trouble is first seen fills `ret_problem`; later ones leave it
 * untouched, so the caller sets its error to ERR_NONE before the call and tells what it finds there.
 */
#ifndef SHIPPER_OUTPUT_H
#define SHIPPER_OUTPUT_H

#include "config.h"
#include "event.h"
#include "problem.h"
#include "tail.h"

#include <poll.h>

/* One record; or several, one behind the other in their file, for an output that takes many. */
struct output_record {
    struct slice line; /* with its newline, if it has one; stays as it is until output_settle */
    const struct event
        *event; /* of the (first) record, or NULL: no record, forwarded as it is; for the call */
    struct source *source;
    uint64_t offset; /* of the line */
    uint64_t end;    /* the position behind it */
    bool is_whole;   /* may be of several lines: only its end is a position to go on from */
    uint32_t count;  /* of records, 1 for most outputs */
};

enum output_result {
    OUTPUT_TAKEN,
    OUTPUT_FULL,   /* not taken: come again with the same record after output_pump */
    OUTPUT_FAILED, /* not taken, and the output holds or is dead: come again when output_ready says so */
};

struct output;

struct output_environment {
    const char *instance; /* for client ids */
    const char *host;
    const char *state_dir; /* for the dead-letter file */
};

/* `config` is borrowed as long as the output lives, the environment is copied. 0, or a negative error. */
int output_open(const struct config_output *config, int lane, const struct output_environment *environment,
                struct problem *ret_problem, struct output **ret_output);

/* Drops what is not acknowledged. NULL is allowed. */
void output_close(struct output *output);

const char *output_name(const struct output *output);

/* The output starts in a source at `offset` (from the store, or where it begins). 0 or -ERR_INT_002. */
int output_begin(struct output *output, struct source *source, uint64_t offset);

/*
 * The output goes on in a source at `offset`, which may lie before what it was sent (a file that a power cut
 * rolled back). False while records of the source are out: come again.
 */
bool output_resume(struct output *output, const struct source *source, uint64_t offset);

/* The source is gone and fully acknowledged: forget it. */
void output_forget(struct output *output, const struct source *source);

/* The levels of the records that this output wants, bit 1 << level each; LEVEL_UNKNOWN is also that of a line
 * that is no record. What it does not want is passed by output_skip. */
uint32_t output_levels(const struct output *output);

/* Whether lines that lie end to end may be sent together. */
bool output_takes_many(const struct output *output);

/* Whether output_send is worth trying: it neither holds nor is full. */
bool output_ready(const struct output *output);

/* Whether it failed in a way that no waiting mends (nobody reads standard output any more). */
bool output_is_dead(const struct output *output);

enum output_result output_send(struct output *output, const struct output_record *record,
                               struct problem *ret_problem);

/* The position moves over bytes that are not for this output, in order with what was sent. */
void output_skip(struct output *output, struct source *source, uint64_t end);

/* The bytes of records sent so far are about to go away: write or copy them. 0, or a negative error (the
 * output holds). */
int output_settle(struct output *output, struct problem *ret_problem);

/* Gives the output `timeout_ms` (may be 0) to take in acknowledgements and to try again what failed. 0, or a
 * negative error as long as it holds. */
int output_pump(struct output *output, int timeout_ms, struct problem *ret_problem);

/* What to wait for, with poll(2), before output_pump has something to do; fd -1 when there is nothing. */
struct pollfd output_interest(const struct output *output);

/* Waits until everything is acknowledged, at most `timeout_ms`. 0, or a negative error when something is
 * still out. */
int output_flush(struct output *output, int timeout_ms, struct problem *ret_problem);

/* Up to where the output has acknowledged a source, gapless; `sent` positions lie ahead of it. */
uint64_t output_acknowledged(const struct output *output, const struct source *source);

struct output_counters {
    uint64_t sent;         /* taken by output_send */
    uint64_t acknowledged; /* of these, delivered */
    uint64_t refused;      /* of these, refused for good and put aside */
    uint64_t retried;      /* handed out once more */
    uint64_t aged;         /* older than the topic keeps: sent with the time of reading */
    uint64_t in_flight;    /* taken, and neither delivered nor refused */
};
void output_counters(const struct output *output, struct output_counters *ret_counters);

#endif
