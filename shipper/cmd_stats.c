#include "cmd.h"

#include "options.h"
#include "report.h"
#include "report_source.h"
#include "report_text.h"
#include "stats_live.h"

#include "liblog/base/cleanup.h"

#include <inttypes.h>

enum { FORMAT_JSON, FORMAT_TABLE };

struct stats {
    const struct report *report; /* by type, ERROR and CRITICAL, all the time there is */
    uint64_t total_errors;
    double minutes;
    double rate_per_minute;
};

static void report_freep(struct report **report)
{
    report_free(*report);
}

/* The time between the first and the last record; windows lost to retention do not count any more. */
static double tracked_minutes(const struct report *report)
{
    if (report->is_empty)
        return 0;
    const int64_t second_ns = INT64_C(1000000000);
    int64_t from_ns = report->extent.from_s * second_ns, to_ns = report->extent.to_s * second_ns;
    if (report->extent.oldest_event_ns > from_ns)
        from_ns = report->extent.oldest_event_ns;
    if (report->extent.newest_event_ns < to_ns)
        to_ns = report->extent.newest_event_ns;
    return to_ns > from_ns ? (double)(to_ns - from_ns) / 60e9 : 0;
}

/* Of errors that all came at one moment there is no rate over time: it is taken as of one minute. */
static struct stats compute(const struct report *report)
{
    struct stats stats = {.report = report, .minutes = tracked_minutes(report)};
    stats.total_errors = report->level[LEVEL_ERROR] + report->level[LEVEL_CRITICAL];
    stats.rate_per_minute = (double)stats.total_errors / (stats.minutes > 0 ? stats.minutes : 1);
    return stats;
}

static void print_json(const struct stats *stats)
{
    fputs("{\"error_counts\":{", stdout);
    for (int level = LEVEL_CRITICAL; level >= LEVEL_TRACE; level--)
        printf("\"%s\":%" PRIu64 ",", level_name((enum level)level), stats->report->level[level]);
    printf("\"UNKNOWN\":%" PRIu64 "},\"error_types\":{", stats->report->level[LEVEL_UNKNOWN]);
    const char *separator = "";
    for (uint32_t i = 0; i < stats->report->line_count; i++) {
        const struct report_line *line = &stats->report->lines[i];
        if (!*line->name)
            continue; /* errors without an exception have no type */
        fputs(separator, stdout);
        text_json(slice_of(line->name), stdout);
        printf(":%" PRIu64, line->count);
        separator = ",";
    }
    printf("},\"total_errors\":%" PRIu64 ",\"error_rate_per_minute\":", stats->total_errors);
    text_json_double(stats->rate_per_minute, stdout);
    fputs(",\"tracking_duration_minutes\":", stdout);
    text_json_double(stats->minutes, stdout);
    fputs("}\n", stdout);
}

static void print_row(struct slice name, uint64_t count)
{
    enum { NAME_WIDTH = 28 };
    fputs("  ", stdout);
    text_terminal(name, stdout);
    for (size_t width = text_terminal_width(name); width < NAME_WIDTH; width++)
        putchar(' ');
    printf("%*s", 14 - text_number(count, NULL), "");
    text_number(count, stdout);
    putchar('\n');
}

static void print_table(const struct stats *stats)
{
    puts("Records by level");
    for (int level = LEVEL_CRITICAL; level >= LEVEL_TRACE; level--)
        print_row(slice_of(level_name((enum level)level)), stats->report->level[level]);
    print_row(SLICE("UNKNOWN"), stats->report->level[LEVEL_UNKNOWN]);
    puts("\nErrors by type");
    for (uint32_t i = 0; i < stats->report->line_count; i++) {
        struct slice name = slice_of(stats->report->lines[i].name);
        print_row(name.size ? name : SLICE("(none)"), stats->report->lines[i].count);
    }
    print_row(SLICE("total"), stats->total_errors);
    printf("\n%.2f errors per minute over %.1f minutes\n", stats->rate_per_minute, stats->minutes);
}

static int answer(const char *database_file, const char *config_file, int format, struct problem *ret_problem)
{
    _cleanup_(report_closep) struct store_reader *reader = NULL;
    _cleanup_(report_freep) struct report *report = NULL;
    const struct report_request request = {.by = COLUMN_TYPE, .levels = report_levels_from(LEVEL_ERROR)};
    int r = report_open(database_file, config_file, ret_problem, &reader);
    if (r == 0)
        r = report_make(reader, &request, ret_problem, &report);
    if (r < 0)
        return r;
    const struct stats stats = compute(report);
    if (format == FORMAT_JSON)
        print_json(&stats);
    else
        print_table(&stats);
    return report_flush(ret_problem);
}

static int check_live(const struct stats_live_request *live, bool has_database, struct problem *ret_problem)
{
    if (live->log_path && has_database)
        return problem_set(ret_problem, ERR_USE_001,
                           "--live asks the program itself: it goes without --db and --config");
    if (!live->log_path && (live->window_ns || live->ring_dir))
        return problem_set(ret_problem, ERR_USE_001, "--window and --ring-dir go with --live LOGFILE");
    return 0;
}

static int answer_live(const struct stats_live_request *live, struct problem *ret_problem)
{
    int r = stats_live(live, ret_problem);
    return r < 0 ? r : report_flush(ret_problem);
}

enum exit_code cmd_stats(int argc, char **argv)
{
    const char *database_file = NULL, *config_file = NULL;
    struct stats_live_request live = {0};
    int format = FORMAT_JSON;
    const struct option options[] = {
        {.name = "format",
         .argument = "json|table",
         .kind = OPTION_CHOICE,
         .to.choice = &format,
         .help = "How the answer is written. Default: json."},
        {.name = "db",
         .argument = "FILE",
         .kind = OPTION_TEXT,
         .to.text = &database_file,
         .help = "The database; also a backup. Default: that of -c, else ./shipper.db."},
        {.letter = 'c',
         .name = "config",
         .argument = "FILE",
         .kind = OPTION_TEXT,
         .to.text = &config_file,
         .help = "The configuration that names the database."},
        {.name = "live",
         .argument = "LOGFILE",
         .kind = OPTION_TEXT,
         .to.text = &live.log_path,
         .help =
             "Instead, what the programs that log to this file have counted themselves, running or dead."},
        {.name = "window",
         .argument = "DURATION",
         .kind = OPTION_DURATION,
         .to.duration_ns = &live.window_ns,
         .help = "With --live: only the last so long, up to 1d."},
        {.name = "ring-dir",
         .argument = "FOLDER",
         .kind = OPTION_TEXT,
         .to.text = &live.ring_dir,
         .help = "With --live: where the program keeps its rings (its LOG_RING_DIR)."},
    };
    const struct option_set set = {
        .command = "stats",
        .summary = "Prints the error statistics over all that the database holds, or a program's own.",
        .options = options,
        .option_count = OPTION_COUNT(options),
    };
    struct arguments none;
    struct problem problem = {0};
    int r = options_parse(&set, argc, argv, &none, &problem);
    if (r != 0)
        return options_end(r, &problem);
    if (check_live(&live, database_file || config_file, &problem) < 0)
        return cmd_fail(&problem);
    live.as_table = format == FORMAT_TABLE;
    if (live.log_path)
        return answer_live(&live, &problem) < 0 ? cmd_fail(&problem) : EXIT_OK_;
    return answer(database_file, config_file, format, &problem) < 0 ? cmd_fail(&problem) : EXIT_OK_;
}
