#define _GNU_SOURCE /* asprintf */
#include "cmd.h"

#include "options.h"
#include "report.h"
#include "report_source.h"

#include "liblog/base/cleanup.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <time.h>

#define SECOND_NS INT64_C(1000000000)

struct report_arguments {
    const char *config_file, *database_file, *output_file, *service, *level;
    struct option_moment since, until;
    int by, format;
    uint64_t top;
};

static int parse(struct report_arguments *arguments, int argc, char **argv, struct problem *ret_problem)
{
    const struct option options[] = {
        {.name = "since",
         .argument = "TIME",
         .kind = OPTION_MOMENT,
         .to.moment = &arguments->since,
         .help =
             "From then on: RFC 3339, or so long before --until (2h, 30d). Default: from the first record."},
        {.name = "until",
         .argument = "TIME",
         .kind = OPTION_MOMENT,
         .to.moment = &arguments->until,
         .help = "Up to then. Default: now, or the last record when --since is not given."},
        {.name = "by",
         .argument = "type|code|service|endpoint|level|logger|host",
         .kind = OPTION_CHOICE,
         .to.choice = &arguments->by,
         .help = "What to tell apart. Default: type."},
        {.name = "service",
         .argument = "NAME",
         .kind = OPTION_TEXT,
         .to.text = &arguments->service,
         .help = "Only this service."},
        {.name = "level",
         .argument = "LEVEL",
         .kind = OPTION_TEXT,
         .to.text = &arguments->level,
         .help = "This level and those above. Default: ERROR."},
        {.name = "top",
         .argument = "N",
         .kind = OPTION_NUMBER,
         .to.number = &arguments->top,
         .maximum = 1000000,
         .help = "At most so many lines; 0: all. Default: 20."},
        {.name = "format",
         .argument = "table|json|jsonl|csv|md|html",
         .kind = OPTION_CHOICE,
         .to.choice = &arguments->format,
         .help = "How the answer is written. Default: table."},
        {.letter = 'o',
         .name = "output",
         .argument = "FILE",
         .kind = OPTION_TEXT,
         .to.text = &arguments->output_file,
         .help = "Write to a file, which is replaced when the report is whole."},
        {.name = "db",
         .argument = "FILE",
         .kind = OPTION_TEXT,
         .to.text = &arguments->database_file,
         .help = "The database; also a backup. Default: that of -c, else ./shipper.db."},
        {.letter = 'c',
         .name = "config",
         .argument = "FILE",
         .kind = OPTION_TEXT,
         .to.text = &arguments->config_file,
         .help = "The configuration that names the database."},
    };
    const struct option_set set = {
        .command = "report",
        .summary = "Prints what failed most, how often and when, from the database; also while shipper runs.",
        .details = "Ends of the range are widened to whole windows; the range in effect is printed.\n",
        .options = options,
        .option_count = OPTION_COUNT(options),
    };
    struct arguments none;
    return options_parse(&set, argc, argv, &none, ret_problem);
}

static int choose_levels(const char *text, unsigned *ret_levels, struct problem *ret_problem)
{
    enum level level = text ? level_from_text(slice_of(text)) : LEVEL_ERROR;
    if (level == LEVEL_UNKNOWN && strcasecmp(text, "unknown") != 0)
        return problem_set(ret_problem, ERR_VAL_001,
                           "--level: found \"%s\"; TRACE, DEBUG, INFO, WARNING, ERROR or CRITICAL would do",
                           text);
    *ret_levels = report_levels_from(level);
    return 0;
}

/* The last second that a moment reaches into: an end within a second takes that second in. */
static int64_t second_after(int64_t time_ns)
{
    return window_start(time_ns + SECOND_NS - 1, SECOND_NS) / SECOND_NS;
}

static int choose_range(const struct report_arguments *arguments, struct report_request *request,
                        struct problem *ret_problem)
{
    struct timespec now;
    clock_gettime(CLOCK_REALTIME, &now);
    const int64_t now_ns = now.tv_sec * SECOND_NS + now.tv_nsec;
    const int64_t until_ns = arguments->until.is_given ? option_moment_ns(&arguments->until, now_ns) : now_ns;
    request->since_given = arguments->since.is_given;
    request->until_given = arguments->until.is_given || arguments->since.is_given;
    request->until_s = second_after(until_ns);
    if (!request->since_given)
        return 0;
    const int64_t since_ns = option_moment_ns(&arguments->since, until_ns);
    request->since_s = window_start(since_ns, SECOND_NS) / SECOND_NS;
    if (since_ns >= until_ns)
        return problem_set(ret_problem, ERR_VAL_001, "--since: found a time that is not before --until");
    return 0;
}

/* --- where it goes --- */

static int cannot_create(const char *path, struct problem *ret_problem)
{
    if (errno == ENOSPC || errno == EDQUOT)
        return problem_from_errno(ret_problem, errno, "create", path);
    return problem_set(ret_problem, ERR_IO_004, "%s cannot be created: %s", path, strerror(errno));
}

static void fclosep(FILE **file)
{
    if (*file)
        fclose(*file);
}

static int print_to(const struct report *report, const struct report_arguments *arguments, const char *draft,
                    struct problem *ret_problem)
{
    _cleanup_(fclosep) FILE *out = fopen(draft, "we");
    if (!out)
        return cannot_create(draft, ret_problem);
    report_print(report, (enum report_format)arguments->format, false, out);
    if (fflush(out) != 0 || ferror(out))
        return problem_from_errno(ret_problem, errno, "write", draft);
    return 0;
}

/* Whoever reads the file sees the report before or this one, never half of it. */
static int print_to_file(const struct report *report, const struct report_arguments *arguments,
                         struct problem *ret_problem)
{
    const char *file = arguments->output_file;
    struct stat status;
    if (stat(file, &status) == 0 && !S_ISREG(status.st_mode))
        return print_to(report, arguments, file, ret_problem);
    _cleanup_free_ char *draft = NULL;
    if (asprintf(&draft, "%s.%ld.new", file, (long)getpid()) < 0) {
        draft = NULL;
        return problem_set(ret_problem, ERR_INT_002, "memory ran out while the report was written");
    }
    int r = print_to(report, arguments, draft, ret_problem);
    if (r == 0 && rename(draft, file) < 0)
        r = cannot_create(file, ret_problem);
    if (r < 0)
        unlink(draft);
    return r;
}

static int print(const struct report *report, const struct report_arguments *arguments,
                 struct problem *ret_problem)
{
    if (arguments->output_file && strcmp(arguments->output_file, "-") != 0)
        return print_to_file(report, arguments, ret_problem);
    report_print(report, (enum report_format)arguments->format, may_colour(stdout), stdout);
    return report_flush(ret_problem);
}

static void report_freep(struct report **report)
{
    report_free(*report);
}

static int answer(const struct report_arguments *arguments, struct problem *ret_problem)
{
    _cleanup_(report_closep) struct store_reader *reader = NULL;
    _cleanup_(report_freep) struct report *report = NULL;
    struct report_request request = {.by = (enum store_column)arguments->by,
                                     .service = arguments->service,
                                     .top = (uint32_t)arguments->top};
    int r = choose_levels(arguments->level, &request.levels, ret_problem);
    if (r == 0)
        r = choose_range(arguments, &request, ret_problem);
    if (r == 0)
        r = report_open(arguments->database_file, arguments->config_file, ret_problem, &reader);
    if (r == 0)
        r = report_make(reader, &request, ret_problem, &report);
    return r == 0 ? print(report, arguments, ret_problem) : r;
}

enum exit_code cmd_report(int argc, char **argv)
{
    struct report_arguments arguments = {.by = COLUMN_TYPE, .format = REPORT_TABLE, .top = 20};
    struct problem problem = {0};
    int r = parse(&arguments, argc, argv, &problem);
    if (r != 0)
        return options_end(r, &problem);
    return answer(&arguments, &problem) < 0 ? cmd_fail(&problem) : EXIT_OK_;
}
