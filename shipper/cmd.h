/* The commands, one file each (cmd_NAME.c). A command parses its own arguments, works through the modules, prints its
 * answer on stdout and words on stderr, and returns the exit code. */
#ifndef SHIPPER_CMD_H
#define SHIPPER_CMD_H

#include "problem.h"

typedef enum exit_code command_function(int argc, char **argv); /* argv[0] is the command's name */

struct command {
    const char *name;
    const char *arguments; /* for the usage line */
    const char *summary;
    command_function *run;
};

command_function cmd_run, cmd_check, cmd_report, cmd_stats, cmd_runs, cmd_recover, cmd_explain;

/* Prints "shipper: CODE: text" on stderr and returns the error's exit code. */
enum exit_code cmd_fail(const struct problem *problem);

#endif
