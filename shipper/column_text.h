/*
 * The text of a database column that a log can fill: valid UTF-8 without NUL, at most COLUMN_TEXT_BYTES_MAX
 * bytes, empty when absent. A longer text is cut at a character and ends in `#` and the hash of all of it, so
 * that two long texts that begin alike stay apart.
 */
#ifndef SHIPPER_COLUMN_TEXT_H
#define SHIPPER_COLUMN_TEXT_H

#include "batch.h"

enum { COLUMN_TEXT_BYTES_MAX = SERIES_TEXT_BYTES_MAX };

/* The general way: resolves escapes, replaces what is no character by U+FFFD, cuts. The view is into
 * `memory`. */
struct slice column_text_make(const struct value *value, char memory[static COLUMN_TEXT_BYTES_MAX]);

/* As above, but a view into the line where the text may stand as it is. `clean`: the line is known to be
 * UTF-8. */
static inline struct slice column_text(const struct value *value, bool clean,
                                       char memory[static COLUMN_TEXT_BYTES_MAX])
{
    if (value->kind == VALUE_ABSENT)
        return (struct slice){NULL, 0};
    if (value->kind == VALUE_STRING && !value->escaped && clean && value->size <= COLUMN_TEXT_BYTES_MAX)
        return (struct slice){value->data, value->size};
    return column_text_make(value, memory);
}

#endif
