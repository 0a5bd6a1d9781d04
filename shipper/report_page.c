/* The report to be pasted or mailed: Markdown, and an HTML page that needs nothing beside itself. */
#include "report_print.h"

#include "report_text.h"

static void print_range(const struct report *report, FILE *out)
{
    text_time_s(report->from_s, out);
    fputs(" to ", out);
    text_time_s(report->to_s, out);
    fprintf(out, ", %s", report_levels_text(report));
}

/* --- Markdown --- */

static void print_markdown_line(const struct report *report, const struct report_line *line, FILE *out)
{
    fputs("| ", out);
    text_markdown(report_line_name(line), out);
    fputs(" | ", out);
    text_number(line->count, out);
    fprintf(out, " | %.1f %% | %.2f | ", 100 * report_share(report, line->count),
            report_rate(report, line->count));
    report_window_time(line->first_s, line->first_resolution_s, out);
    fputs(" | ", out);
    report_window_time(line->last_s, line->last_resolution_s, out);
    fputs(" |\n", out);
}

static void print_markdown_table(const struct report *report, FILE *out)
{
    fprintf(out, "| %s | count | share | per minute | first | last |\n|:--|--:|--:|--:|:--|:--|\n",
            store_column_name(report->request.by));
    for (uint32_t i = 0; i < report->line_count; i++)
        print_markdown_line(report, &report->lines[i], out);
    fputs("| **total** | ", out);
    text_number(report->total, out);
    fprintf(out, " | 100.0 %% | %.2f | | |\n\n", report_rate(report, report->total));
}

void report_print_markdown(const struct report *report, FILE *out)
{
    fprintf(out, "# Errors by %s\n\n", store_column_name(report->request.by));
    if (report->is_empty) {
        fputs("The database holds no records yet.\n\n", out);
    } else {
        print_range(report, out);
        if (report->request.service) {
            fputs(", service ", out);
            text_markdown(slice_of(report->request.service), out);
        }
        fputs("\n\n", out);
        print_markdown_table(report, out);
        fputs("- Runs: ", out);
        report_runs_text(report, out);
        fputc('\n', out);
    }
    fputs("- Rejected: ", out);
    report_rejects_text(report, out);
    fputs("\n- Lost: ", out);
    report_loss_text(&report->loss, out);
    fputc('\n', out);
}

/* --- HTML --- */

static const char page_head[] =
    "<!doctype html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n"
    "<meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; style-src "
    "'unsafe-inline'\">\n"
    "<meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n<title>Error "
    "report</title>\n<style>\n"
    ":root{color-scheme:light dark}\nbody{font:15px/1.5 system-ui,sans-serif;margin:2rem "
    "auto;max-width:70rem;"
    "padding:0 1rem}\ntable{border-collapse:collapse;width:100%}\nth,td{padding:.3rem .6rem;text-align:left;"
    "border-bottom:1px solid #8884}\ntd.n,th.n{text-align:right;font-variant-numeric:tabular-nums}\n"
    "td.s{white-space:pre;font-family:monospace}\ntfoot{font-weight:bold}\n</style>\n</head>\n<body>\n";

static void print_html_line(const struct report *report, const struct report_line *line, FILE *out)
{
    fputs("<tr><td>", out);
    text_html(report_line_name(line), out);
    fputs("</td><td class=\"n\">", out);
    text_number(line->count, out);
    fprintf(out, "</td><td class=\"n\">%.1f&nbsp;%%</td><td class=\"n\">%.2f</td><td>",
            100 * report_share(report, line->count), report_rate(report, line->count));
    report_window_time(line->first_s, line->first_resolution_s, out);
    fputs("</td><td>", out);
    report_window_time(line->last_s, line->last_resolution_s, out);
    fputs("</td><td class=\"s\">", out);
    report_sparkline(line->bucket, report->bucket_count, out);
    fputs("</td></tr>\n", out);
}

static void print_html_table(const struct report *report, FILE *out)
{
    fprintf(out,
            "<table>\n<thead><tr><th>%s</th><th class=\"n\">count</th><th class=\"n\">share</th><th "
            "class=\"n\">per "
            "minute</th><th>first</th><th>last</th><th>over time</th></tr></thead>\n<tbody>\n",
            store_column_name(report->request.by));
    for (uint32_t i = 0; i < report->line_count; i++)
        print_html_line(report, &report->lines[i], out);
    fputs("</tbody>\n<tfoot><tr><td>total</td><td class=\"n\">", out);
    text_number(report->total, out);
    fprintf(out, "</td><td class=\"n\"></td><td class=\"n\">%.2f</td><td></td><td></td><td class=\"s\">",
            report_rate(report, report->total));
    report_sparkline(report->bucket, report->bucket_count, out);
    fputs("</td></tr></tfoot>\n</table>\n", out);
}

void report_print_html(const struct report *report, FILE *out)
{
    fputs(page_head, out);
    fprintf(out, "<h1>Errors by %s</h1>\n", store_column_name(report->request.by));
    if (report->is_empty) {
        fputs("<p>The database holds no records yet.</p>\n", out);
    } else {
        fputs("<p>", out);
        print_range(report, out);
        if (report->request.service) {
            fputs(", service ", out);
            text_html(slice_of(report->request.service), out);
        }
        fputs("</p>\n", out);
        print_html_table(report, out);
        fputs("<p>Runs: ", out);
        report_runs_text(report, out);
        fputs("</p>\n", out);
    }
    fputs("<p>Rejected: ", out);
    report_rejects_text(report, out);
    fputs("</p>\n<p>Lost: ", out);
    report_loss_text(&report->loss, out);
    fputs("</p>\n</body>\n</html>\n", out);
}
