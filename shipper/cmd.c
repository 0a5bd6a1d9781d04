#include "cmd.h"

#include "suggest.h"

#include <stdio.h>
#include <string.h>

const struct command commands[] = {
    {"run", "[PATH…]", "Follow files, count what they hold, and forward it.", cmd_run},
    {"check", "[PATH…]", "Check the configuration and show what it means now.", cmd_check},
    {"report", "", "Print an error report from the database.", cmd_report},
    {"stats", "", "Print the error statistics as JSON.", cmd_stats},
    {"runs", "", "Show for each run of a program what is missing or there twice.", cmd_runs},
    {"positions", "", "Show where each output stands in each file, and how far it lags.", cmd_positions},
    {"recover", "LOGFILE…", "Finish what dead programs had logged but not yet written.", cmd_recover},
    {"explain", "[CODE]", "Explain an error code and how to recover.", cmd_explain},
    {0},
};

static enum exit_code print_version(void)
{
    puts("shipper " SHIPPER_VERSION);
    return cmd_finish(EXIT_OK_);
}

/* In characters, for UTF-8: printf counts bytes. */
static int text_width(const char *text)
{
    int width = 0;
    for (; *text; text++)
        width += (*text & 0xc0) != 0x80;
    return width;
}

static enum exit_code print_help(void)
{
    puts("Usage: shipper COMMAND [OPTION…] [ARGUMENT…]\n\n"
         "Follows the log files of programs, keeps their error statistics and forwards their records.\n\n"
         "Commands:");
    for (const struct command *command = commands; command->name; command++)
        printf("  %-9s %s%*s  %s\n", command->name, command->arguments, 10 - text_width(command->arguments),
               "", command->summary);
    puts("\n`shipper COMMAND --help` tells more of a command, `shipper --version` the version.\n"
         "With no configuration at all: shipper run --once 'logs/*.log*'");
    return cmd_finish(EXIT_OK_);
}

static enum exit_code refuse(const char *word)
{
    struct suggestion suggestion = {0};
    for (const struct command *command = commands; command->name; command++)
        suggest(&suggestion, slice_of(word), command->name);
    struct problem problem = {0};
    if (suggestion.word)
        problem_set(&problem, ERR_USE_001, "there is no command \"%s\"; did you mean \"%s\"?", word,
                    suggestion.word);
    else
        problem_set(&problem, ERR_USE_001, "there is no command \"%s\"; `shipper --help` lists them", word);
    return cmd_fail(&problem);
}

static bool is_one_of(const char *word, const char *first, const char *second)
{
    return strcmp(word, first) == 0 || strcmp(word, second) == 0;
}

enum exit_code cmd_dispatch(int argc, char **argv)
{
    if (argc < 2) {
        struct problem problem = {0};
        problem_set(&problem, ERR_USE_001, "a command is missing; `shipper --help` lists them");
        return cmd_fail(&problem);
    }
    for (const struct command *command = commands; command->name; command++)
        if (strcmp(argv[1], command->name) == 0)
            return command->run(argc - 1, argv + 1);
    if (is_one_of(argv[1], "--help", "-h") || strcmp(argv[1], "help") == 0)
        return print_help();
    if (is_one_of(argv[1], "--version", "-V"))
        return print_version();
    return refuse(argv[1]);
}
