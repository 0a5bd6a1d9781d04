#include "config_report.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

struct place place_inside(const struct place *outer, const char *name, int line)
{
    struct place place = {.file = outer->file, .line = line};
    int size = snprintf(place.key, sizeof place.key, "%s%s%s", outer->key, outer->key[0] ? "." : "", name);
    if (size >= (int)sizeof place.key)
        memcpy(place.key + sizeof place.key - 4, "...", 4); /* shown as cut */
    return place;
}

struct place place_element(const struct place *outer, int index, int line)
{
    struct place place = {.file = outer->file, .line = line};
    snprintf(place.key, sizeof place.key, "%.*s[%d]", PLACE_KEY_SIZE - 16, outer->key, index);
    return place;
}

static void place_text(char *out, size_t size, const struct place *place)
{
    char line[16] = "";
    if (place->line > 0)
        snprintf(line, sizeof line, ":%d", place->line);
    snprintf(out, size, "%s%s%s%s%s", place->file ? place->file : "", line, place->file ? ": " : "",
             place->key, place->key[0] ? ": " : "");
}

/* The end of the text stays free for the words about what did not fit. */
enum { ROOM_FOR_LEFT_OUT = 48 };

void report_add(struct report *report, enum error error, const struct place *place, const char *format, ...)
{
    char where[512], what[1024];
    place_text(where, sizeof where, place);
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(what, sizeof what, format, arguments);
    va_end(arguments);

    report->count++;
    bool is_full = strlen(report->problem.text) + sizeof what > PROBLEM_TEXT_SIZE - ROOM_FOR_LEFT_OUT;
    if (is_full || !problem_append(&report->problem, error, "%s%s", where, what))
        report->left_out++;
}

void report_value(struct report *report, const struct place *place, const char *found, const char *wanted,
                  const char *nearest)
{
    const char *quote = found[0] ? "\"" : "";
    report_add(report, ERR_CFG_004, place, "found %s%.200s%s; %s would do%s%s%s", quote,
               found[0] ? found : "nothing", quote, wanted, nearest ? "; did you mean \"" : "",
               nearest ? nearest : "", nearest ? "\"?" : "");
}

int report_end(const struct report *report, struct problem *ret_problem)
{
    if (report->count == 0)
        return 0;
    if (ret_problem) {
        *ret_problem = report->problem;
        if (report->left_out > 0)
            problem_append(ret_problem, report->problem.error, "and %d more", report->left_out);
    }
    return -(int)report->problem.error;
}
