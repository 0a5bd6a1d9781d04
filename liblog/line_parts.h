/* What line.c and line_usual.c share; private to them. */
#ifndef LIBLOG_LINE_PARTS_H
#define LIBLOG_LINE_PARTS_H

#include "line.h"

#include <liblog/record.h>

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

/* One value's parts of a line, as any layout of JSON needs them. */
void line_add_text(struct bytes *b, struct slice text, const struct line_limits *limits);
void line_add_member(struct bytes *b, const char *key, struct slice text);
void line_add_member_if_any(struct bytes *b, const char *key, struct slice text);
void line_add_number_member(struct bytes *b, const char *key, uint64_t value);
void line_add_fields(struct bytes *b, const struct record_site *site, const struct frame_view *frame,
                     const struct line_limits *limits);
void line_add_exception_part(struct bytes *b, const struct frame_value *part,
                             const struct line_limits *limits);

/* The exception as members of their own, each under the layout's key for it; the call stack as one string, a
 * line for each call. */
enum {
    LINE_EXCEPTION_TYPE,
    LINE_EXCEPTION_MESSAGE,
    LINE_EXCEPTION_CODE,
    LINE_EXCEPTION_STACK,
    LINE_EXCEPTION_KEYS
};
void line_add_exception_members(struct bytes *b, const char *const keys[static LINE_EXCEPTION_KEYS],
                                const struct frame_view *frame, const struct line_limits *limits);
const struct frame_value *line_exception_part(const struct frame_view *frame, unsigned type);
bool line_is_exception(unsigned type);

/* The message of the call, or that of its place. */
static inline struct slice line_message(const struct record_site *site, const struct frame_view *frame)
{
    return frame->frame->flags & FRAME_MESSAGE ? frame->message : site->view.message;
}

/* The last part of a path. */
struct slice line_base_name(struct slice path);

/* Whether the i-th field has a later one with its key. */
bool line_is_shadowed(const struct record_site *site, const struct frame_view *frame, uint32_t i,
                      uint32_t count);

#define LINE_LITERAL(text)                                                                                   \
    {                                                                                                        \
        (text), sizeof(text) - 1                                                                             \
    } /* a struct slice, in an initializer */

/*
 * A layout (LOG_FORMAT): how a record becomes a line. All of them hold run and seq, so that loss can be
 * audited, and let what the caller gives forge none of the rest.
 */
struct line_layout {
    void (*add_record)(struct bytes *b, const struct record_run *run, const struct record_site *site,
                       const struct frame_view *frame, uint64_t seq, int64_t unix_ns,
                       const struct line_limits *limits);
    void (*add_mark)(struct bytes *b, const struct record_run *run, const struct record_mark *mark,
                     uint64_t seq, int64_t unix_ns);
    struct slice beginning; /* of every line */
    struct slice run;       /* before the run's id in every line */
    struct slice end;       /* of every line; */
    struct slice copy_end;  /* of a copy */
};

extern const struct line_layout line_layout_text, line_layout_coloured, line_layout_ecs, line_layout_otel;

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
