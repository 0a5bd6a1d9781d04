/*
 * Where records go. An output is a small complete table of functions; what all share (retry, back-off, the position
 * that moves only over a gapless run of acknowledged records) is in output.c, once.
 *
 * Sequence: output_open; then output_send for records in the order of their source, output_settle before the bytes
 * that were sent go away, output_pump regularly (acknowledgements come in there); output_flush; output_close. All calls
 * come from one thread.
 */
#ifndef SHIPPER_OUTPUT_H
#define SHIPPER_OUTPUT_H

#include "config.h"
#include "event.h"
#include "problem.h"
#include "tail.h"

struct output_record {
    struct slice line;        /* with its newline; stays as it is until output_settle */
    const struct event *event; /* NULL for a line that is no record and is forwarded as it is; valid for the call */
    struct source *source;
    uint64_t offset;          /* of the line */
    uint64_t end;             /* the position behind it */
};

enum output_result {
    OUTPUT_TAKEN,
    OUTPUT_FULL,   /* not taken: come again with the same record after output_pump */
    OUTPUT_FAILED, /* the output holds (problem told); come again later */
};

struct output;

struct output_environment {
    const char *instance; /* for client ids */
    const char *host;
    const char *state_dir; /* for the dead-letter file */
};

int output_open(const struct config_output *config, int lane, const struct output_environment *environment,
                struct problem *ret_problem, struct output **ret_output);
void output_close(struct output *output);

const char *output_name(const struct output *output);

/* Whether this output wants the record at all (its levels). One that it does not want is passed by output_skip. */
bool output_wants(const struct output *output, const struct event *event);

enum output_result output_send(struct output *output, const struct output_record *record,
                               struct problem *ret_problem);

/* The position moves over bytes that are not for this output, in order with what was sent. */
void output_skip(struct output *output, struct source *source, uint64_t end);

/* The bytes of records sent so far are about to go away: write or copy them. 0, or a negative error (the output holds). */
int output_settle(struct output *output, struct problem *ret_problem);

/* Gives the output `timeout_ms` (may be 0) to take in acknowledgements and to try again what failed. */
int output_pump(struct output *output, int timeout_ms, struct problem *ret_problem);

/* Waits until everything is acknowledged, at most `timeout_ms`. 0, or a negative error when something is still out. */
int output_flush(struct output *output, int timeout_ms, struct problem *ret_problem);

/* Up to where the output has acknowledged a source, gapless; `sent` positions lie ahead of it. */
uint64_t output_acknowledged(const struct output *output, const struct source *source);

/* The output starts in a source at `offset` (from the store, or where it begins). */
int output_begin(struct output *output, struct source *source, uint64_t offset);

/* The source is gone and fully acknowledged: forget it. */
void output_forget(struct output *output, const struct source *source);

struct output_counters {
    uint64_t sent, acknowledged, refused, retried, in_flight;
};
void output_counters(const struct output *output, struct output_counters *ret_counters);

#endif
