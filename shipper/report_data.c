/* The report for programs: JSON, JSON lines, CSV. */
#include "report_print.h"

#include "report_text.h"

#include <inttypes.h>

static void print_window(const char *key, int64_t start_s, int resolution_s, FILE *out)
{
    fprintf(out, ",\"%s\":{\"start\":\"", key);
    text_time_s(start_s, out);
    fprintf(out, "\",\"seconds\":%d}", resolution_s);
}

static void print_number(const char *key, uint64_t value, FILE *out)
{
    fprintf(out, ",\"%s\":%" PRIu64, key, value);
}

static void print_double(const char *key, double value, FILE *out)
{
    fprintf(out, ",\"%s\":", key);
    text_json_double(value, out);
}

static void print_buckets(const uint64_t *buckets, uint32_t count, FILE *out)
{
    fputs(",\"counts\":[", out);
    for (uint32_t i = 0; i < count; i++)
        fprintf(out, "%s%" PRIu64, i ? "," : "", buckets[i]);
    fputc(']', out);
}

static void print_group(const struct report *report, const struct report_line *line, FILE *out)
{
    fprintf(out, "{\"%s\":", store_column_name(report->request.by));
    text_json(slice_of(line->name), out);
    print_number("count", line->count, out);
    print_double("share", report_share(report, line->count), out);
    print_double("rate_per_minute", report_rate(report, line->count), out);
    print_window("first_window", line->first_s, line->first_resolution_s, out);
    print_window("last_window", line->last_s, line->last_resolution_s, out);
    print_buckets(line->bucket, report->bucket_count, out);
    fputc('}', out);
}

static void print_levels_asked(const struct report *report, FILE *out)
{
    const char *separator = "";
    fputs(",\"levels\":[", out);
    for (int level = 0; level < LEVEL_COUNT; level++)
        if (report->request.levels & 1u << level) {
            fprintf(out, "%s\"%s\"", separator, level_name((enum level)level));
            separator = ",";
        }
    fputc(']', out);
}

static void print_question(const struct report *report, FILE *out)
{
    fputs("{\"from\":", out);
    if (report->is_empty) {
        fputs("null,\"to\":null", out);
    } else {
        fputc('"', out);
        text_time_s(report->from_s, out);
        fputs("\",\"to\":\"", out);
        text_time_s(report->to_s, out);
        fputc('"', out);
    }
    print_double("minutes", report->is_empty ? 0 : report_minutes(report), out);
    fprintf(out, ",\"by\":\"%s\",\"service\":", store_column_name(report->request.by));
    if (report->request.service)
        text_json(slice_of(report->request.service), out);
    else
        fputs("null", out);
    print_levels_asked(report, out);
}

static void print_level_counts(const struct report *report, FILE *out)
{
    fputs(",\"level_counts\":{", out);
    for (int level = LEVEL_CRITICAL; level >= LEVEL_TRACE; level--)
        fprintf(out, "\"%s\":%" PRIu64 ",", level_name((enum level)level), report->level[level]);
    fprintf(out, "\"UNKNOWN\":%" PRIu64 "}", report->level[LEVEL_UNKNOWN]);
}

static void print_accounting(const struct report *report, FILE *out)
{
    const struct store_run_sums *runs = &report->runs;
    fprintf(out, ",\"runs\":{\"runs\":%" PRIu64, runs->runs);
    print_number("records", runs->records, out);
    print_number("missing", runs->missing, out);
    print_number("duplicates", runs->duplicates, out);
    print_number("dropped", runs->dropped, out);
    print_number("before_first", runs->before_first, out);
    print_number("inexact", runs->inexact, out);
    fputs("},\"rejected\":{", out);
    for (int i = 0; i < REJECT_COUNT; i++)
        fprintf(out, "%s\"%s\":%" PRIu64, i ? "," : "", reject_reason_name((enum reject_reason)i),
                report->rejects[i]);
    fprintf(out, "},\"lost\":{\"bytes\":%" PRIu64 ",\"files\":%" PRIu64 "}", report->loss.bytes,
            report->loss.files);
}

void report_print_json(const struct report *report, FILE *out)
{
    print_question(report, out);
    print_number("total", report->total, out);
    print_double("rate_per_minute", report_rate(report, report->total), out);
    print_number("group_count", report->group_count, out);
    fputs(",\"groups\":[", out);
    for (uint32_t i = 0; i < report->line_count; i++) {
        if (i)
            fputc(',', out);
        print_group(report, &report->lines[i], out);
    }
    fputc(']', out);
    print_number("bucket_seconds", (uint64_t)report->bucket_s, out);
    print_buckets(report->bucket, report->bucket_count, out);
    print_number("records", report->records, out);
    print_level_counts(report, out);
    print_accounting(report, out);
    fputs("}\n", out);
}

void report_print_jsonl(const struct report *report, FILE *out)
{
    for (uint32_t i = 0; i < report->line_count; i++) {
        print_group(report, &report->lines[i], out);
        fputc('\n', out);
    }
}

void report_print_csv(const struct report *report, FILE *out)
{
    fprintf(out, "%s,count,share,rate_per_minute,first_window,last_window\r\n",
            store_column_name(report->request.by));
    for (uint32_t i = 0; i < report->line_count; i++) {
        const struct report_line *line = &report->lines[i];
        text_csv(slice_of(line->name), out);
        fprintf(out, ",%" PRIu64 ",", line->count);
        text_json_double(report_share(report, line->count), out);
        fputc(',', out);
        text_json_double(report_rate(report, line->count), out);
        fputc(',', out);
        text_time_s(line->first_s, out);
        fputc(',', out);
        text_time_s(line->last_s, out);
        fputs("\r\n", out);
    }
}
