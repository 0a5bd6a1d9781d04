/* What line.c and line_usual.c share; private to them. */
#ifndef LIBLOG_LINE_PARTS_H
#define LIBLOG_LINE_PARTS_H

#include "line.h"

enum {
    LINE_STEP_BYTES =
        16, /* constant pieces are copied in steps, so as much behind them may be read and written */
    LINE_VALUE_BYTES_MAX = 64,  /* of a value but for its text: quotes, a number, a time */
    LINE_USUAL_BYTES_MAX = 512, /* of what the library adds: time, numbers, keys of the context */
};

/* How much of a record is written: all, or less when it would be over the limit. */
struct line_limits {
    size_t text_max; /* of each string value, before escaping */
    uint32_t field_count;
    bool truncated;
    bool has_own_addresses;
};

void line_add_value(struct bytes *b, const struct frame_value *value, const struct line_limits *limits);
void line_add_context(struct bytes *b, const struct slice context[static CONTEXT_TEXTS]);

void record_recent_init(struct record_recent *ret_recent);

static inline double line_as_double(uint64_t bits)
{
    double value;
    memcpy(&value, &bits, sizeof value);
    return value;
}

#endif
