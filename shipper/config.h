/*
 * The configuration, parsed, expanded and checked. One table in config.c says of every setting its name,
 * type, default, bounds and help; the parser, the checks, `shipper check` and the example file come from it.
 */
#ifndef SHIPPER_CONFIG_H
#define SHIPPER_CONFIG_H

#include "problem.h"
#include "scan.h"

#include <stdint.h>
#include <stdio.h>

enum {
    CONFIG_INPUTS_MAX = 64,
    CONFIG_OUTPUTS_MAX = 16,
    CONFIG_PATHS_MAX = 64,      /* patterns of one input */
    CONFIG_PROPERTIES_MAX = 64, /* librdkafka properties of one output */
    CONFIG_ROUTES_MAX = 64,
    CONFIG_SECRETS_MAX = 64, /* secrets that came out of files */
};

/* Events of several lines, in text. */
struct config_multiline {
    char *start; /* the pattern of a line that begins one; NULL: every line is one */
    int64_t timeout_ns;
    uint64_t lines_max;
    uint64_t bytes_max;
};

struct config_input {
    char *paths[CONFIG_PATHS_MAX];
    int path_count;
    char *exclude[CONFIG_PATHS_MAX];
    int exclude_count;
    bool
        exact; /* given on the command line: exactly the files the pattern matches, no rotated ones besides */
    bool rotated; /* also older generations of the files that match */
    bool start_at_end;
    bool invalid_forward;
    bool copies_count;
    bool follow_symlinks;
    uint64_t line_bytes_max;           /* max_line */
    struct config_multiline multiline; /* format plain */
    char *service;                     /* stands in where a record has none; NULL */
    struct scan_config scan;           /* format, keys */
};

enum output_type { OUTPUT_STDOUT, OUTPUT_KAFKA };
enum config_delivery { DELIVERY_AT_LEAST_ONCE };
enum config_timestamp { TIMESTAMP_EVENT, TIMESTAMP_READ };

struct config_property {
    char *name;
    char *value;
};

struct config_route { /* a level's or service's topic */
    char *value;
    char *topic;
};

struct config_output {
    char *name;
    enum output_type type;
    unsigned levels;         /* bit 1 << enum level; all by default */
    bool start_at_beginning; /* a new output starts at the beginning, not where the statistics stand */
    /* kafka */
    char *brokers;
    char *topic;      /* the default topic */
    char *topic_from; /* "level" or "service", or NULL: fixed */
    struct config_route route[CONFIG_ROUTES_MAX];
    int route_count;
    int key; /* enum event_key, or -1: no key */
    enum config_delivery delivery;
    enum config_timestamp timestamp;
    uint64_t in_flight_max; /* records handed to the producer and not acknowledged; 65536 */
    struct config_property property[CONFIG_PROPERTIES_MAX];
    int property_count;
};

/* What was read out of secrets' files: config_print masks every value that holds one. */
struct config_secrets {
    char *values[CONFIG_SECRETS_MAX];
    int count;
};

struct config {
    char *file; /* where it came from; NULL without -c */
    char *environment;
    char *instance;      /* NULL: the UUID in the database */
    char *state_dir;     /* NULL only with database_file */
    char *database_file; /* resolved: state_dir/shipper.db, or ./shipper.db without -c */
    struct config_input inputs[CONFIG_INPUTS_MAX];
    int input_count;
    struct config_output outputs[CONFIG_OUTPUTS_MAX];
    int output_count;
    int64_t retention_ns[4]; /* of windows of 10 s, 1 min, 1 h, 1 d */
    uint64_t series_max;
    uint64_t deleted_bytes_max; /* of deleted files that are held open for outputs, in all */
    int64_t deleted_ns_max;     /* how long each is held */
    struct config_secrets secrets;
};

/* What the command line adds: wins over the file and the environment. */
struct config_flags {
    const char *file; /* -c, or NULL */
    char *const
        *paths; /* patterns as arguments; they replace the configured inputs, or the paths of the only one */
    int path_count;
    const char *database_file; /* --db, or NULL */
};

/*
 * Reads, expands and checks everything; all problems found are in the text, each on a line of its own with
 * file, line, key, what was found and what would do. 0 with a configuration that config_free takes, or a
 * negative error.
 */
int config_load(const struct config_flags *flags, struct problem *ret_problem, struct config **ret_config);
void config_free(struct config *config);

/* The configuration as YAML as it is in force, secrets masked. */
void config_print(const struct config *config, FILE *out);

/* The name of a key of the record, "exception.type", as `keys` and `key` have it. */
const char *config_key_name(enum event_key key);

/* conf/shipper.example.yaml and docs/shipper.yaml.md: every setting with its help, made from the table of
 * settings. */
void config_example(FILE *out);
void config_manual(FILE *out);

#endif
