/* shipper run: the signals, the options, and the pipeline. */
#include "cmd.h"
#include "config.h"
#include "options.h"
#include "pipeline.h"

#include "liblog/base/cleanup.h"

#include <errno.h>
#include <signal.h>
#include <stdint.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

#define TIMEOUT_NS_DEFAULT (60 * 1000000000LL)

static volatile int stop;
static int stop_fd = -1;

static void on_stop(int signal_number)
{
    (void)signal_number;
    int saved_errno = errno;
    uint64_t one = 1;
    stop = 1;
    (void)!write(stop_fd, &one, sizeof(one));
    errno = saved_errno;
}

/* A second signal ends the program at once: whoever sends it has waited long enough. */
static int catch_stops(struct problem *ret_problem)
{
    struct sigaction action = {.sa_handler = on_stop, .sa_flags = (int)SA_RESETHAND};
    stop_fd = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
    if (stop_fd < 0)
        return problem_set(ret_problem, ERR_IO_006, "no descriptor is left: %s", strerror(errno));
    sigaction(SIGTERM, &action, NULL);
    sigaction(SIGINT, &action, NULL);
    return 0;
}

static void tell(const struct problem *problem)
{
    (void)cmd_fail(problem);
}

struct run_options {
    struct config_flags flags;
    bool once;
    bool quiet;
    bool timings;
    int64_t timeout_ns;
};

static int parse(int argc, char **argv, struct run_options *run, struct problem *ret_problem)
{
    const struct option options[] = {
        {.letter = 'c',
         .name = "config",
         .argument = "FILE",
         .kind = OPTION_TEXT,
         .to.text = &run->flags.file,
         .help = "The configuration; without it the paths given, stdout as output, ./shipper.db."},
        {.name = "db",
         .argument = "FILE",
         .kind = OPTION_TEXT,
         .to.text = &run->flags.database_file,
         .help = "The database."},
        {.name = "once",
         .kind = OPTION_FLAG,
         .to.flag = &run->once,
         .help = "Read what there is, wait until outputs have it, then end."},
        {.name = "timeout",
         .argument = "TIME",
         .kind = OPTION_DURATION,
         .to.duration_ns = &run->timeout_ns,
         .help = "With --once: how long an output may stay away (60s)."},
        {.letter = 'q',
         .name = "quiet",
         .kind = OPTION_FLAG,
         .to.flag = &run->quiet,
         .help = "No progress bar and no summary."},
        {.name = "timings",
         .kind = OPTION_FLAG,
         .to.flag = &run->timings,
         .help = "At the end, how long each stage took, and how much memory."},
    };
    const struct option_set set = {
        .command = "run",
        .arguments = "[PATH…]",
        .summary = "Follows files, counts what they hold, and forwards it.",
        .details = "Patterns given as PATH replace the configured inputs; quote them, so that the shell "
                   "leaves them alone.\n",
        .options = options,
        .option_count = OPTION_COUNT(options),
        .argument_count_max = -1,
    };
    struct arguments arguments;
    int result = options_parse(&set, argc, argv, &arguments, ret_problem);
    if (result == 0) {
        run->flags.paths = arguments.values;
        run->flags.path_count = arguments.count;
    }
    return result;
}

static void free_config(struct config **config)
{
    config_free(*config);
}

enum exit_code cmd_run(int argc, char **argv)
{
    struct run_options run = {.timeout_ns = TIMEOUT_NS_DEFAULT};
    struct problem problem = {0};
    _cleanup_(free_config) struct config *config = NULL;
    int result = parse(argc, argv, &run, &problem);
    if (result != 0)
        return options_end(result, &problem);
    if (config_load(&run.flags, &problem, &config) < 0 || catch_stops(&problem) < 0)
        return cmd_fail(&problem);
    struct pipeline_options options = {
        .once = run.once,
        .timeout_ns = run.timeout_ns,
        .show_progress = !run.quiet && isatty(STDERR_FILENO),
        .show_summary = !run.quiet,
        .show_timings = run.timings,
        .stop = &stop,
        .stop_fd = stop_fd,
        .tell = tell,
    };
    enum exit_code code = pipeline_run(config, &options, &problem);
    if (problem.error)
        (void)cmd_fail(&problem);
    return code;
}
