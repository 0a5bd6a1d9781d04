#include "report_print.h"

#include "liblog/base/time_text.h"
#include "report_text.h"

void report_print(const struct report *report, enum report_format format, bool colour, FILE *out)
{
    switch (format) {
    case REPORT_TABLE:
        report_print_table(report, colour, out);
        break;
    case REPORT_JSON:
        report_print_json(report, out);
        break;
    case REPORT_JSONL:
        report_print_jsonl(report, out);
        break;
    case REPORT_CSV:
        report_print_csv(report, out);
        break;
    case REPORT_MARKDOWN:
        report_print_markdown(report, out);
        break;
    case REPORT_HTML:
        report_print_html(report, out);
        break;
    }
}

struct slice report_line_name(const struct report_line *line)
{
    return *line->name ? slice_of(line->name) : SLICE("(none)");
}

double report_share(const struct report *report, uint64_t count)
{
    return report->total ? (double)count / (double)report->total : 0;
}

double report_rate(const struct report *report, uint64_t count)
{
    return report->is_empty ? 0 : (double)count / report_minutes(report);
}

uint64_t report_rest(const struct report *report)
{
    uint64_t rest = report->total;
    for (uint32_t i = 0; i < report->line_count; i++)
        rest -= report->lines[i].count;
    return rest;
}

uint64_t report_rejected(const struct report *report)
{
    uint64_t sum = 0;
    for (int i = 0; i < REJECT_COUNT; i++)
        sum += report->rejects[i];
    return sum;
}

const char *report_levels_text(const struct report *report)
{
    static const char *const above[] = {"all levels",        "DEBUG and above", "INFO and above",
                                        "WARNING and above", "ERROR and above", "CRITICAL"};
    for (int level = LEVEL_TRACE; level < LEVEL_UNKNOWN; level++)
        if (report->request.levels & 1u << level)
            return above[level];
    return "UNKNOWN";
}

void report_sparkline(const uint64_t *buckets, uint32_t count, FILE *out)
{
    static const char *const bars[] = {"▁", "▂", "▃", "▄", "▅", "▆", "▇", "█"};
    uint64_t most = 0;
    for (uint32_t i = 0; i < count; i++)
        most = buckets[i] > most ? buckets[i] : most;
    for (uint32_t i = 0; i < count; i++)
        fputs(buckets[i] ? bars[(int)((double)buckets[i] / (double)most * 7)] : " ", out);
}

void report_window_time(int64_t start_s, int resolution_s, FILE *out)
{
    char text[TIME_TEXT_SIZE];
    time_to_text(text, start_s * INT64_C(1000000000));
    text[10] = ' ';
    fprintf(out, "%.*s", resolution_s == WINDOW_DAY ? 10 : resolution_s == WINDOW_10S ? 19 : 16, text);
}

void report_runs_text(const struct report *report, FILE *out)
{
    const struct store_run_sums *runs = &report->runs;
    text_number(runs->records, out);
    fputs(runs->runs == 1 ? " records in 1 run: " : " records in ", out);
    if (runs->runs != 1) {
        text_number(runs->runs, out);
        fputs(" runs: ", out);
    }
    text_number(runs->missing, out);
    fputs(" missing, ", out);
    text_number(runs->duplicates, out);
    fputs(" duplicates, ", out);
    text_number(runs->dropped, out);
    fputs(" dropped on purpose", out);
    if (runs->before_first) {
        fputs("; ", out);
        text_number(runs->before_first, out);
        fputs(" before the first that was seen", out);
    }
    if (runs->inexact) {
        fputs("; inexact for ", out);
        text_number(runs->inexact, out);
        fputs(runs->inexact == 1 ? " run" : " runs", out);
    }
}

void report_rejects_text(const struct report *report, FILE *out)
{
    uint64_t sum = report_rejected(report);
    text_number(sum, out);
    fputs(sum == 1 ? " line" : " lines", out);
    const char *separator = ": ";
    for (int i = 0; i < REJECT_COUNT; i++) {
        if (report->rejects[i] == 0)
            continue;
        fprintf(out, "%s%s ", separator, reject_reason_name((enum reject_reason)i));
        text_number(report->rejects[i], out);
        separator = ", ";
    }
}

void report_loss_text(const struct store_loss *loss, FILE *out)
{
    text_number(loss->bytes, out);
    fputs(loss->bytes == 1 ? " byte" : " bytes", out);
    if (loss->files == 0)
        return;
    fputs(" of ", out);
    text_number(loss->files, out);
    fputs(loss->files == 1 ? " file" : " files", out);
    fputs(", truncated, damaged or deleted before all had read them", out);
}
