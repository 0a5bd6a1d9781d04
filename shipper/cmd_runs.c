#include "cmd.h"

#include "options.h"
#include "report_print.h"
#include "report_source.h"
#include "report_text.h"

#include "liblog/base/cleanup.h"

#include <inttypes.h>

enum { FORMAT_TABLE, FORMAT_JSON, FORMAT_JSONL };

struct runs_arguments {
    const char *config_file, *database_file, *service;
    int format;
    uint64_t top;
};

struct printing {
    int format;
    uint64_t count;
};

/* --- JSON --- */

static void print_text(const char *key, struct slice text)
{
    printf(",\"%s\":", key);
    text_json(text, stdout);
}

static void print_time(const char *key, int64_t time_ns)
{
    printf(",\"%s\":\"", key);
    text_time_ns(time_ns, stdout);
    putchar('"');
}

static void print_json_run(const struct store_run_row *row)
{
    fputs("{\"run_id\":", stdout);
    text_json(row->id, stdout);
    print_text("parent_run_id", row->parent_id);
    print_text("service", row->service);
    print_text("host", row->host);
    printf(",\"pid\":%" PRId64, row->pid);
    print_time("first_seen", row->first_seen_ns);
    print_time("last_seen", row->last_seen_ns);
    printf(",\"first_seq\":%" PRIu64 ",\"last_seq\":%" PRIu64 ",\"records\":%" PRIu64 ",\"missing\":%" PRIu64
           ",\"duplicates\":%" PRIu64 ",\"dropped\":%" PRIu64 ",\"before_first\":%" PRIu64 ",\"inexact\":%s",
           row->first_seq, row->last_seq, row->records, row->missing, row->duplicates, row->dropped,
           row->before_first, row->inexact ? "true" : "false");
    print_text("ended", row->ended);
    putchar('}');
}

/* --- table --- */

static void print_columns(void)
{
    printf("%-36s  %-16s  %8s  %-19s  %-19s  %11s  %9s  %9s  %9s  %s\n", "RUN", "SERVICE", "PID", "FIRST",
           "LAST", "RECORDS", "MISSING", "TWICE", "DROPPED", "ENDED");
}

static void print_padded(struct slice text, size_t width)
{
    text_terminal(text, stdout);
    for (size_t taken = text_terminal_width(text); taken < width; taken++)
        putchar(' ');
    fputs("  ", stdout);
}

static void print_number(uint64_t value, int width)
{
    int pad = width - text_number(value, NULL);
    printf("%*s", pad > 0 ? pad : 0, "");
    text_number(value, stdout);
    fputs("  ", stdout);
}

static void print_table_run(const struct store_run_row *row)
{
    const int64_t second_ns = INT64_C(1000000000);
    print_padded(row->id, 36);
    print_padded(row->service, 16);
    printf("%8" PRId64 "  ", row->pid);
    report_window_time(row->first_seen_ns / second_ns, WINDOW_10S, stdout);
    fputs("  ", stdout);
    report_window_time(row->last_seen_ns / second_ns, WINDOW_10S, stdout);
    fputs("  ", stdout);
    print_number(row->records, 11);
    print_number(row->missing, 9);
    print_number(row->duplicates, 9);
    print_number(row->dropped, 9);
    text_terminal(row->ended, stdout);
    if (row->before_first)
        printf(", begins at seq %" PRIu64, row->first_seq);
    puts(row->inexact ? ", inexact" : "");
}

/* --- the answer --- */

static int print_run(void *context, const struct store_run_row *row)
{
    struct printing *printing = context;
    if (printing->format == FORMAT_TABLE) {
        if (printing->count == 0)
            print_columns();
        print_table_run(row);
    } else {
        if (printing->format == FORMAT_JSON && printing->count)
            putchar(',');
        print_json_run(row);
        if (printing->format == FORMAT_JSONL)
            putchar('\n');
    }
    printing->count++;
    return 0;
}

static void print_sums(const struct store_run_sums *sums, const struct store_loss *loss, uint64_t shown)
{
    const struct report report = {.runs = *sums};
    if (sums->runs)
        putchar('\n');
    report_runs_text(&report, stdout);
    if (shown < sums->runs)
        printf("; the latest %" PRIu64 " are shown", shown);
    putchar('\n');
    if (loss->bytes == 0)
        return;
    fputs("Not read: ", stdout);
    report_loss_text(loss, stdout);
    putchar('\n');
}

static int answer(const struct runs_arguments *arguments, struct problem *ret_problem)
{
    _cleanup_(report_closep) struct store_reader *reader = NULL;
    struct printing printing = {.format = arguments->format};
    struct store_run_sums sums;
    struct store_loss loss;
    int r = report_open(arguments->database_file, arguments->config_file, ret_problem, &reader);
    if (r == 0)
        r = store_read_run_sums(reader, INT64_MIN, INT64_MAX, arguments->service, ret_problem, &sums);
    if (r == 0)
        r = store_read_loss(reader, ret_problem, &loss);
    if (r < 0)
        return r;
    if (arguments->format == FORMAT_JSON)
        putchar('[');
    r = store_read_runs(reader, INT64_MIN, INT64_MAX, arguments->service,
                        arguments->top ? (int64_t)arguments->top : INT64_MAX, print_run, &printing,
                        ret_problem);
    if (r < 0)
        return r;
    if (arguments->format == FORMAT_JSON)
        puts("]");
    if (arguments->format == FORMAT_TABLE)
        print_sums(&sums, &loss, printing.count);
    return report_flush(ret_problem);
}

enum exit_code cmd_runs(int argc, char **argv)
{
    struct runs_arguments arguments = {.top = 50};
    const struct option options[] = {
        {.name = "service",
         .argument = "NAME",
         .kind = OPTION_TEXT,
         .to.text = &arguments.service,
         .help = "Only runs of this service."},
        {.name = "top",
         .argument = "N",
         .kind = OPTION_NUMBER,
         .to.number = &arguments.top,
         .maximum = 1000000000,
         .help = "The latest so many runs; 0: all. Default: 50."},
        {.name = "format",
         .argument = "table|json|jsonl",
         .kind = OPTION_CHOICE,
         .to.choice = &arguments.format,
         .help = "How the answer is written. Default: table."},
        {.name = "db",
         .argument = "FILE",
         .kind = OPTION_TEXT,
         .to.text = &arguments.database_file,
         .help = "The database; also a backup. Default: that of -c, else ./shipper.db."},
        {.letter = 'c',
         .name = "config",
         .argument = "FILE",
         .kind = OPTION_TEXT,
         .to.text = &arguments.config_file,
         .help = "The configuration that names the database."},
    };
    const struct option_set set = {
        .command = "runs",
        .summary = "Prints what is known of each run of a program: records seen, missing, twice, dropped, "
                   "and its end.",
        .options = options,
        .option_count = OPTION_COUNT(options),
    };
    struct arguments none;
    struct problem problem = {0};
    int r = options_parse(&set, argc, argv, &none, &problem);
    if (r != 0)
        return options_end(r, &problem);
    return answer(&arguments, &problem) < 0 ? cmd_fail(&problem) : EXIT_OK_;
}
