/* The report in each of its formats; report.c's report_print() chooses. */
#ifndef SHIPPER_REPORT_PRINT_H
#define SHIPPER_REPORT_PRINT_H

#include "report.h"

void report_print_table(const struct report *report, bool colour, FILE *out);
void report_print_json(const struct report *report, FILE *out);
void report_print_jsonl(const struct report *report, FILE *out);
void report_print_csv(const struct report *report, FILE *out);
void report_print_markdown(const struct report *report, FILE *out);
void report_print_html(const struct report *report, FILE *out);

/* A name to show: what has none is called so. */
struct slice report_line_name(const struct report_line *line);
double report_share(const struct report *report, uint64_t count); /* of the total, 0 … 1 */
double report_rate(const struct report *report, uint64_t count);  /* per minute of the effective range */
uint64_t report_rest(const struct report *report);                /* records in groups that `top` left out */
uint64_t report_rejected(const struct report *report);
const char *report_levels_text(const struct report *report); /* "ERROR and above" … */

/* Bars of eight heights, one character each; a bucket with anything in it is never empty. */
void report_sparkline(const uint64_t *buckets, uint32_t count, FILE *out);

/* A window's start: date and time, or only the date when it is a day long. */
void report_window_time(int64_t start_s, int resolution_s, FILE *out);

/* "… records in N runs, none missing" and so on, one line without its end; the same words in table, Markdown
 * and HTML. */
void report_runs_text(const struct report *report, FILE *out);
void report_rejects_text(const struct report *report, FILE *out);
void report_loss_text(const struct store_loss *loss, FILE *out);

#endif
