/* All that is wrong with a configuration, gathered: a person wants to mend the file once, not line after
 * line. */
#ifndef SHIPPER_CONFIG_REPORT_H
#define SHIPPER_CONFIG_REPORT_H

#include "problem.h"

enum { PLACE_KEY_SIZE = 192 };

/* Where a value stands. */
struct place {
    const char *file;         /* borrowed; NULL: not in a file, `key` says where */
    int line;                 /* 1 is the first; 0: no particular one */
    char key[PLACE_KEY_SIZE]; /* "outputs[1].topic"; empty for the file itself */
};

/* The place of `name` inside `outer`; as the top of the file when that has no key. */
struct place place_inside(const struct place *outer, const char *name, int line);

/* The place of an element of the list at `outer`. */
struct place place_element(const struct place *outer, int index, int line);

struct report {
    struct problem problem;
    int count;    /* all that were found */
    int left_out; /* of these, for want of room */
};

void report_add(struct report *report, enum error error, const struct place *place, const char *format, ...)
    __attribute__((format(printf, 4, 5)));

/* "found X; Y would do", with the nearest word (or NULL) suggested. An empty `found` is "found nothing". */
void report_value(struct report *report, const struct place *place, const char *found, const char *wanted,
                  const char *nearest);

/* 0 when nothing was found, else the negative error of the first, with all of them in ret_problem (may be
 * NULL). */
int report_end(const struct report *report, struct problem *ret_problem);

#endif
