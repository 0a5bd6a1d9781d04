/* The commands, one file each (cmd_NAME.c). A command parses its own arguments, works through the modules,
 * prints its answer on stdout and words on stderr, and returns the exit code. */
#ifndef SHIPPER_CMD_H
#define SHIPPER_CMD_H

#include "problem.h"

#define SHIPPER_VERSION "0.1.0" /* as in CMakeLists.txt: a test compares them */

typedef enum exit_code command_function(int argc, char **argv); /* argv[0] is the command's name */

struct command {
    const char *name;
    const char *arguments; /* for the usage line */
    const char *summary;
    command_function *run;
};

command_function cmd_run, cmd_check, cmd_report, cmd_stats, cmd_runs, cmd_positions, cmd_recover, cmd_explain;

/* The commands in the order of `shipper --help`; ends with a nameless one. */
extern const struct command commands[];

/* Runs the command that the arguments of the program name, and returns its exit code. */
enum exit_code cmd_dispatch(int argc, char **argv);

/* Prints "shipper: CODE: text" on stderr, line by line, and returns the error's exit code. */
enum exit_code cmd_fail(const struct problem *problem);

/* Flushes stdout. An answer that could not be written (full disk, closed pipe) is a failure: returns its exit
 * code. */
enum exit_code cmd_finish(enum exit_code code);

#endif
