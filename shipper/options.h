/*
 * The command line of one command, as a table: names, arguments, bounds and help stand in it once, and the
 * parser, the messages and `--help` come from it. Targets are the command's own variables; what they hold
 * before is the default.
 *
 *     enum { FORMAT_TABLE, FORMAT_JSON };
 *     const char *file = NULL;
 *     int format = FORMAT_TABLE;
 *     const struct option options[] = {
 *         {.letter = 'c', .name = "config", .argument = "FILE", .help = "The configuration.",
 *          .kind = OPTION_TEXT, .to.text = &file},
 *         {.name = "format", .argument = "table|json", .help = "How the answer is written.",
 *          .kind = OPTION_CHOICE, .to.choice = &format},
 *     };
 *     const struct option_set set = {.command = "report", .summary = "…", .options = options,
 *                                    .option_count = OPTION_COUNT(options)};
 *     struct arguments arguments;
 *     struct problem problem;
 *     int r = options_parse(&set, argc, argv, &arguments, &problem);
 *     if (r != 0)
 *         return options_end(r, &problem);
 *
 * `--help` and `-h` need no entry. Options and arguments may be mixed; `--` ends the options; `-` is an
 * argument.
 * `--name value`, `--name=value`, `-c value`, `-cvalue` and, for flags, `-abc` are understood. An option
 * given twice takes the last value.
 */
#ifndef SHIPPER_OPTIONS_H
#define SHIPPER_OPTIONS_H

#include "problem.h"

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

enum option_kind {
    OPTION_FLAG,     /* to.flag becomes true; takes no value */
    OPTION_TEXT,     /* to.text points into argv */
    OPTION_NUMBER,   /* to.number, a whole number within minimum … maximum */
    OPTION_DURATION, /* to.duration_ns, "90s", "1h30m", "30d"; more than zero */
    OPTION_MOMENT,   /* to.moment, RFC 3339 or a span of time */
    OPTION_CHOICE,   /* to.choice, the index of the value in `argument`, "table|json|csv" */
};

/* A point in time as given: absolute, or so long before a reference that is known only later (--until, now).
 */
struct option_moment {
    bool is_given;
    bool is_span;
    int64_t ns; /* unix time, or the length of the span */
};

struct option {
    char letter;          /* 'c' for -c, or 0 */
    const char *name;     /* "config" for --config */
    const char *argument; /* how the value is called in the help; NULL for a flag */
    const char *help;     /* one sentence */
    enum option_kind kind;
    union {
        bool *flag;
        const char **text;
        uint64_t *number;
        int64_t *duration_ns;
        struct option_moment *moment;
        int *choice;
    } to;
    uint64_t minimum, maximum; /* of a number; maximum 0 means no bound */
};

#define OPTION_COUNT(options) ((int)(sizeof(options) / sizeof(options)[0]))

struct option_set {
    const char *command;   /* "report" */
    const char *arguments; /* "[PATH…]" for the usage line; NULL when the command takes none */
    const char *summary;   /* one sentence */
    const char *details;   /* more lines for the end of the help, each ending in \n; or NULL */
    const struct option *options;
    int option_count;
    int argument_count_min;
    int argument_count_max; /* -1: any number; 0 (as when left out): none */
};

/* What remains when the options are taken out: a part of argv, which has been reordered. */
struct arguments {
    char **values;
    int count;
};

/*
 * 0 with all targets set; OPTIONS_HELP when help was asked for and is now on stdout; or a negative error
 * (USE_001: an option or argument that is unknown, missing or too many; VAL_001: a value that cannot be),
 * targets then being set in part. When it is not 0, the command ends with options_end().
 */
enum { OPTIONS_HELP = 1 };
int options_parse(const struct option_set *set, int argc, char **argv, struct arguments *ret_arguments,
                  struct problem *ret_problem);

/* Ends a command whose options_parse() returned `result`, not 0: prints the problem, if it is one. */
enum exit_code options_end(int result, const struct problem *problem);

void options_help(const struct option_set *set, FILE *out);

/* Unix time of a moment that was given; a span counts back from `reference_ns`. */
int64_t option_moment_ns(const struct option_moment *moment, int64_t reference_ns);

/* Whether the words on this stream may be coloured: a terminal, and NO_COLOR empty or not set. */
bool may_colour(FILE *out);

#endif
