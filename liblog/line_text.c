/*
 * LOG_FORMAT=text: one line for a person, its columns under each other:
 *
 *     2025-10-19T14:30:00.123456Z ERROR    backend.database Database connection failed attempt=3 retry=true
 *         error=OperationalError code=DB_003 error_message="unable to open" source=db.c:118 run_id=019a…
 * seq=1042
 *
 * (one line). Values that are no plain word are quoted as in JSON; control characters are escaped everywhere,
 * so a text makes up neither a line nor a colour. At a terminal the level and the names have colours.
 */
#include "liblog/base/json.h"
#include "liblog/base/lanes.h"
#include "liblog/base/time_text.h"
#include "line_parts.h"

enum { LEVEL_COLUMN = 8, LOGGER_COLUMN = 16, MICROSECOND_DIGITS_END = 26 };

/* What surrounds the parts; empty where there are no colours. */
struct palette {
    const char *level[6];
    const char *dim, *key, *reset;
};

static const struct palette plain = {{"", "", "", "", "", ""}, "", "", ""};
static const struct palette coloured = {
    {"\033[2m", "\033[36m", "\033[32m", "\033[33m", "\033[31m", "\033[1;31m"},
    "\033[2m",
    "\033[36m",
    "\033[0m"};

static void add_words(struct bytes *b, const char *text)
{
    bytes_add(b, slice_of(text));
}

static void add_blanks(struct bytes *b, size_t used, size_t column)
{
    for (; used < column; used++)
        bytes_add_char(b, ' ');
}

/* Escaped as in JSON, but for quotes and backslashes, which a person reads better as they are. */
static void add_readable(struct bytes *b, struct slice text)
{
    while (text.size > 0) {
        size_t size = 0;
        while (size < text.size && text.data[size] != '"' && text.data[size] != '\\')
            size++;
        struct slice part = slice_from(text.data, size);
        char *room = bytes_room(b, json_escaped_size(part));
        if (!room)
            return;
        bytes_advance(b, (size_t)(json_escape(room, part) - room));
        if (size < text.size)
            bytes_add_char(b, text.data[size++]);
        text = slice_from(text.data + size, text.size - size);
    }
}

static struct slice cut(struct slice text, const struct line_limits *limits)
{
    return slice_from(text.data, utf8_cut(text, limits->text_max));
}

static bool is_word(struct slice text)
{
    for (size_t i = 0; i < text.size; i++)
        if (!lanes_is_plain((unsigned char)text.data[i]) || text.data[i] == ' ' || text.data[i] == '=')
            return false;
    return text.size > 0;
}

static void add_key(struct bytes *b, const struct palette *p, struct slice key)
{
    bytes_add_char(b, ' ');
    add_words(b, p->key);
    if (is_word(key))
        bytes_add(b, key);
    else
        json_add_string(b, key);
    add_words(b, p->reset);
    bytes_add_char(b, '=');
}

static void add_pair(struct bytes *b, const struct palette *p, const char *key, struct slice text,
                     const struct line_limits *limits)
{
    if (!text.size)
        return;
    add_key(b, p, slice_of(key));
    if (is_word(text) && text.size <= limits->text_max)
        bytes_add(b, text);
    else
        line_add_text(b, text, limits);
}

static void add_number_pair(struct bytes *b, const struct palette *p, const char *key, uint64_t value)
{
    add_key(b, p, slice_of(key));
    json_add_u64(b, value);
}

static void add_start(struct bytes *b, const struct palette *p, int64_t unix_ns, unsigned level,
                      struct slice logger)
{
    char time[TIME_TEXT_SIZE];
    time_to_text(time, unix_ns);
    add_words(b, p->dim);
    bytes_add(b, slice_from(time, MICROSECOND_DIGITS_END));
    BYTES_LITERAL(b, "Z ");
    add_words(b, p->reset);
    add_words(b, p->level[level]);
    add_words(b, record_level_name(level));
    add_words(b, p->reset);
    add_blanks(b, strlen(record_level_name(level)), LEVEL_COLUMN + 1);
    add_words(b, p->dim);
    add_readable(b, logger);
    add_words(b, p->reset);
    add_blanks(b, logger.size, LOGGER_COLUMN);
    bytes_add_char(b, ' ');
}

static void add_end(struct bytes *b, const struct palette *p, const struct record_run *run, uint64_t seq)
{
    add_words(b, p->dim);
    BYTES_LITERAL(b, " run_id=");
    add_words(b, run->identity->run_id);
    BYTES_LITERAL(b, " seq=");
    json_add_u64(b, seq);
    add_words(b, p->reset);
    bytes_add_char(b, '\n');
}

/* The key of a site's i-th field, as it was given. */
static struct slice site_key_text(const struct site_view *view, uint32_t index)
{
    const char *text = view->key_text;
    for (uint32_t i = 0; i < index; i++)
        text += view->key[i].size;
    return slice_from(text, view->key[index].size);
}

static void add_field(struct bytes *b, const struct palette *p, struct slice key,
                      const struct frame_value *value, const struct line_limits *limits)
{
    add_key(b, p, key);
    if (value->type == LL_TYPE_STRING && is_word(value->text) && value->text.size <= limits->text_max)
        bytes_add(b, value->text);
    else
        line_add_value(b, value, limits);
}

static void add_fields(struct bytes *b, const struct palette *p, const struct record_site *site,
                       const struct frame_view *frame, const struct line_limits *limits)
{
    bool has_keys = frame->frame->flags & FRAME_KEYS;
    bool has_exception = line_exception_part(frame, LL_TYPE_EXCEPTION_TYPE) != NULL;
    for (uint32_t i = 0; i < limits->field_count; i++) {
        const struct frame_value *value = &frame->value[i];
        bool is_alone = value->type == LL_TYPE_TRACEBACK && !has_exception; /* a call stack is a field then */
        if ((line_is_exception(value->type) && !is_alone) || value->type == LL_TYPE_END ||
            line_is_shadowed(site, frame, i, limits->field_count))
            continue;
        add_field(b, p, has_keys ? value->key : site_key_text(&site->view, i), value, limits);
    }
}

static void add_exception(struct bytes *b, const struct palette *p, const struct frame_view *frame,
                          const struct line_limits *limits)
{
    static const struct {
        const char *key;
        unsigned type;
    } parts[] = {{"error", LL_TYPE_EXCEPTION_TYPE},
                 {"code", LL_TYPE_EXCEPTION_CODE},
                 {"error_message", LL_TYPE_EXCEPTION_MESSAGE}};
    for (size_t i = 0; i < sizeof parts / sizeof parts[0]; i++) {
        const struct frame_value *part = line_exception_part(frame, parts[i].type);
        if (part)
            add_pair(b, p, parts[i].key, part->text, limits);
    }
    const struct frame_value *traceback = line_exception_part(frame, LL_TYPE_TRACEBACK);
    if (!traceback || !line_exception_part(frame, LL_TYPE_EXCEPTION_TYPE))
        return;
    add_key(b, p, SLICE("traceback"));
    line_add_exception_part(b, traceback, limits);
}

static void add_source(struct bytes *b, const struct palette *p, const struct site_view *view)
{
    add_key(b, p, SLICE("source"));
    add_readable(b, line_base_name(view->file));
    bytes_add_char(b, ':');
    json_add_u64(b, view->line);
}

static void add_line(struct bytes *b, const struct palette *p, const struct record_run *run,
                     const struct record_site *site, const struct frame_view *frame, uint64_t seq,
                     int64_t unix_ns, const struct line_limits *limits)
{
    static const char *const context_keys[CONTEXT_TEXTS] = {"request_id", "trace_id", "span_id", "endpoint",
                                                            "user"};
    add_start(b, p, unix_ns, site->view.level, site->view.logger);
    add_readable(b, cut(line_message(site, frame), limits));
    if (frame->frame->flags & FRAME_CRASH)
        add_pair(b, p, "mark", SLICE(LL_MARK_CRASH), limits);
    add_fields(b, p, site, frame, limits);
    add_exception(b, p, frame, limits);
    for (int i = 0; i < CONTEXT_TEXTS; i++)
        add_pair(b, p, context_keys[i], frame->context[i], limits);
    if (site->view.level >= run->source_level)
        add_source(b, p, &site->view);
    if (limits->truncated)
        BYTES_LITERAL(b, " truncated");
    add_end(b, p, run, seq);
}

static void add_mark_line(struct bytes *b, const struct palette *p, const struct record_run *run,
                          const struct record_mark *mark, uint64_t seq, int64_t unix_ns)
{
    const struct line_limits none = {.text_max = SIZE_MAX};
    add_start(b, p, unix_ns, mark->level, SLICE("liblog"));
    add_words(b, mark->message);
    add_pair(b, p, "mark", slice_of(mark->mark), &none);
    if (mark->dropped_count) {
        add_number_pair(b, p, "count", mark->dropped_count);
        add_pair(b, p, "reason", slice_of(mark->dropped_reason), &none);
        add_pair(b, p, "level", slice_of(record_level_name(mark->dropped_level)), &none);
    }
    add_end(b, p, run, seq);
}

static void add_plain(struct bytes *b, const struct record_run *run, const struct record_site *site,
                      const struct frame_view *frame, uint64_t seq, int64_t unix_ns,
                      const struct line_limits *limits)
{
    add_line(b, &plain, run, site, frame, seq, unix_ns, limits);
}

static void add_plain_mark(struct bytes *b, const struct record_run *run, const struct record_mark *mark,
                           uint64_t seq, int64_t unix_ns)
{
    add_mark_line(b, &plain, run, mark, seq, unix_ns);
}

static void add_coloured(struct bytes *b, const struct record_run *run, const struct record_site *site,
                         const struct frame_view *frame, uint64_t seq, int64_t unix_ns,
                         const struct line_limits *limits)
{
    add_line(b, &coloured, run, site, frame, seq, unix_ns, limits);
}

static void add_coloured_mark(struct bytes *b, const struct record_run *run, const struct record_mark *mark,
                              uint64_t seq, int64_t unix_ns)
{
    add_mark_line(b, &coloured, run, mark, seq, unix_ns);
}

const struct line_layout line_layout_text = {add_plain,          add_plain_mark,
                                             LINE_LITERAL(""),   LINE_LITERAL(" run_id="),
                                             LINE_LITERAL("\n"), LINE_LITERAL(" copy\n")};
const struct line_layout line_layout_coloured = {
    add_coloured,       add_coloured_mark,      LINE_LITERAL("\033[2m"), LINE_LITERAL(" run_id="),
    LINE_LITERAL("\n"), LINE_LITERAL(" copy\n")};
