/*
 * What an output is made of; only output*.c include this. A class fills the table and begins its own struct
 * with a `struct output`. It acknowledges by calling ack_done on the stream's tracker, and says how it fares
 * by output_hold, output_die and output_well; when to try again and whether to tell is decided in output.c.
 */
#ifndef SHIPPER_OUTPUT_CLASS_H
#define SHIPPER_OUTPUT_CLASS_H

#include "ack.h"
#include "output.h"

/* One source as this output sees it. The address stays until output_forget. */
struct output_stream {
    const struct source *source;
    struct ack_tracker ack;
};

struct output_class {
    /* Takes the record, for which the tracker has room, or says why not. */
    enum output_result (*send)(struct output *output, struct output_stream *stream,
                               const struct output_record *record);
    void (*settle)(struct output *output);
    void (*pump)(struct output *output, int timeout_ms);
    bool (*has_room)(const struct output *output);
    uint64_t (*in_flight)(const struct output *output);
    struct pollfd (*interest)(const struct output *output);
    void (*close)(struct output *output); /* frees the output itself too */
    bool takes_many;                      /* a record may be many lines */
};

struct output_trouble {
    struct problem problem; /* ERR_NONE: all is well */
    bool untold;
    bool for_good;
    int64_t retry_at_ns; /* monotonic */
    int64_t pause_ns;
    int64_t told_at_ns; /* when `told` was last told; the same within a minute is not told again */
    enum error told;
};

struct output_map { /* source -> stream: open addressing, at most half full */
    struct output_stream **slot;
    uint32_t capacity; /* a power of two, or 0 */
    uint32_t count;
    struct output_stream *latest;
};

struct output {
    const struct output_class *class;
    const struct config_output *config;
    struct output_map streams;
    struct output_trouble trouble;
    struct output_counters counters; /* all but in_flight */
};

/* The constructors; each fills ret_problem on failure. */
int output_stdout_open(const struct config_output *config, struct problem *ret_problem,
                       struct output **ret_output);
int output_kafka_open(const struct config_output *config, const struct output_environment *environment,
                      struct problem *ret_problem, struct output **ret_output);

/* The output holds: it is tried again after a pause that grows from 100 ms to 10 s while nothing succeeds. */
void output_hold(struct output *output, enum error error, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

/* Something worth telling that holds nothing up. */
void output_warn(struct output *output, enum error error, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

/* No waiting will mend it. */
void output_die(struct output *output, enum error error, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

/* Something went through: a trouble is over. */
void output_well(struct output *output);

/* Whether the pause after a failure is still on. */
bool output_holds(const struct output *output);

int64_t output_now_ns(void); /* monotonic */

#endif
