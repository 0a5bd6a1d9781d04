/* Texts of a log on their way to people: what a reader or a program behind the report could take for its own
 * is escaped. */
#ifndef SHIPPER_REPORT_TEXT_H
#define SHIPPER_REPORT_TEXT_H

#include "liblog/base/slice.h"

#include <stdint.h>
#include <stdio.h>

/* Control characters, what turns the direction of writing, and invalid UTF-8 as \xNN: nothing can steer a
 * terminal. */
void text_terminal(struct slice text, FILE *out);

/* How many columns text_terminal() takes, one for each character. */
size_t text_terminal_width(struct slice text);

/* With quotes. */
void text_json(struct slice text, FILE *out);

/* A cell of RFC 4180; one that a spreadsheet would take for a formula begins with an apostrophe. */
void text_csv(struct slice text, FILE *out);
void text_markdown(struct slice text, FILE *out);
void text_html(struct slice text, FILE *out);

/* A JSON number; null when it is not finite. */
void text_json_double(double value, FILE *out);

/* 2025-10-19T14:30:00Z, and with nanoseconds. */
void text_time_s(int64_t unix_s, FILE *out);
void text_time_ns(int64_t unix_ns, FILE *out);

/* 1234567 as 1,234,567; returns how many columns that takes. `out` may be NULL. */
int text_number(uint64_t value, FILE *out);

#endif
