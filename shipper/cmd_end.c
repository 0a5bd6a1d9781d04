/* How commands end; apart from cmd.c, so that what only wants to tell a problem does not need every command.
 */
#include "cmd.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

enum exit_code cmd_fail(const struct problem *problem)
{
    const char *line = problem->text;
    fprintf(stderr, "shipper: %s: ", error_name(problem->error));
    for (const char *end; (end = strchr(line, '\n')); line = end + 1)
        fprintf(stderr, "%.*s\nshipper: ", (int)(end - line), line);
    fprintf(stderr, "%s\n", line);
    return error_exit_code(problem->error);
}

enum exit_code cmd_finish(enum exit_code code)
{
    if (fflush(stdout) == 0 && !ferror(stdout))
        return code;
    /* Whoever closed the pipe (`| head`) has what it wanted, and needs no word about it. */
    if (errno == EPIPE)
        return EXIT_IO;
    struct problem problem = {0};
    problem_from_errno(&problem, errno, "cannot write to", "the standard output");
    return cmd_fail(&problem);
}
