#define _GNU_SOURCE /* memmem() */

#include "line_parts.h"

#include "liblog/base/digits.h"
#include "liblog/base/json.h"
#include "liblog/base/number.h"
#include "liblog/base/time_text.h"
#include "liblog/base/utf8.h"
#include "traceback.h"

#include <liblog/record.h>
#include <stdio.h>
#include <stdlib.h>

static const char *const level_names[] = {"TRACE", "DEBUG", "INFO", "WARNING", "ERROR", "CRITICAL"};

const char *record_level_name(unsigned level)
{
    return level < sizeof level_names / sizeof level_names[0] ? level_names[level] : "CRITICAL";
}

void line_add_member(struct bytes *b, const char *key, struct slice text)
{
    bytes_add_char(b, ',');
    json_add_string(b, slice_of(key));
    bytes_add_char(b, ':');
    json_add_string(b, text);
}

void line_add_member_if_any(struct bytes *b, const char *key, struct slice text)
{
    if (text.size)
        line_add_member(b, key, text);
}

void line_add_number_member(struct bytes *b, const char *key, uint64_t value)
{
    json_add_key(b, slice_of(key));
    json_add_u64(b, value);
}

/* The part of the builder that was added since `from`. */
static struct slice since(const struct bytes *b, size_t from)
{
    return slice_from(b->data + from, b->size - from);
}

/* --- what does not change from call to call ------------------------------------------------------------- */

static const struct line_layout *layout_of(uint32_t number);

int record_run_init(struct record_run *run, const struct ring_identity *identity)
{
    struct bytes b;
    size_t capacity = JSON_ESCAPE_GROWTH_MAX * sizeof *identity + 256;
    *run = (struct record_run){.identity = identity,
                               .layout = layout_of(identity->layout),
                               .memory = malloc(capacity),
                               .source_level = identity->source_level};
    if (!run->memory)
        return LL_ENOMEM;
    bytes_init(&b, run->memory, capacity);
    line_add_member(&b, LL_KEY_SERVICE, slice_of(identity->service));
    line_add_member_if_any(&b, LL_KEY_ENVIRONMENT, slice_of(identity->environment));
    BYTES_LITERAL(&b, ",\"" LL_KEY_LOGGER "\":");
    run->service = since(&b, 0);
    size_t from = b.size;
    line_add_member(&b, LL_KEY_RUN_ID, slice_of(identity->run_id));
    line_add_member_if_any(&b, LL_KEY_PARENT_RUN_ID, slice_of(identity->parent_run_id));
    BYTES_LITERAL(&b, ",\"" LL_KEY_SEQ "\":");
    run->run = since(&b, from);
    from = b.size;
    BYTES_LITERAL(&b, ",\"" LL_KEY_PID "\":");
    json_add_u64(&b, identity->pid);
    BYTES_LITERAL(&b, ",\"" LL_KEY_TID "\":");
    run->pid = since(&b, from);
    record_recent_init(&run->recent);
    return LL_OK;
}

void record_run_release(struct record_run *run)
{
    free(run->memory);
    *run = (struct record_run){0};
}

static void add_head(struct bytes *b, const struct record_run *run, unsigned level, struct slice logger)
{
    BYTES_LITERAL(b, "\",\"" LL_KEY_LEVEL "\":\"");
    bytes_add(b, slice_of(record_level_name(level)));
    bytes_add_char(b, '"');
    bytes_add(b, run->service);
    json_add_string(b, logger);
    BYTES_LITERAL(b, ",\"" LL_KEY_MESSAGE "\":");
}

struct slice line_base_name(struct slice path)
{
    size_t skip = path.size;
    while (skip > 0 && path.data[skip - 1] != '/')
        skip--;
    return slice_from(path.data + skip, path.size - skip);
}

static void add_source(struct bytes *b, const struct site_view *view)
{
    BYTES_LITERAL(b, ",\"" LL_KEY_SOURCE "\":{\"file\":");
    json_add_string(b, line_base_name(view->file));
    BYTES_LITERAL(b, ",\"line\":");
    json_add_u64(b, view->line);
    BYTES_LITERAL(b, ",\"function\":");
    json_add_string(b, view->function);
    bytes_add_char(b, '}');
}

bool line_is_exception(unsigned type)
{
    return type >= LL_TYPE_EXCEPTION_TYPE && type <= LL_TYPE_TRACEBACK;
}

static bool later_key_equal(const struct site_view *view, uint32_t i, const char *text)
{
    struct slice key = slice_from(text, view->key[i].size);
    text += key.size;
    for (uint32_t k = i + 1; k < view->key_count; k++) {
        if (!line_is_exception(view->key[k].type) && slice_equal(key, slice_from(text, view->key[k].size)))
            return true;
        text += view->key[k].size;
    }
    return false;
}

/* `,"fields":{` before the first, `,` before the others. */
static void add_separator(struct bytes *b, bool *is_first)
{
    if (*is_first)
        BYTES_LITERAL(b, ",\"" LL_KEY_FIELDS "\":{");
    else
        bytes_add_char(b, ',');
    *is_first = false;
}

static void add_keys(struct bytes *b, struct record_site *site)
{
    const char *text = site->view.key_text;
    bool is_first = true;
    for (uint32_t i = 0; i < site->view.key_count; i++) {
        struct record_key *key = &site->key[i];
        size_t from = b->size, piece_from = from;
        key->type = site->view.key[i].type;
        key->form = (uint8_t)site_form_of(key->type);
        key->shadowed = later_key_equal(&site->view, i, text);
        if (!key->shadowed) {
            add_separator(b, &is_first);
            from = b->size;
        }
        json_add_string(b, slice_from(text, site->view.key[i].size));
        bytes_add_char(b, ':');
        key->text = since(b, from);
        key->piece = key->shadowed ? slice_from("", 0) : since(b, piece_from);
        text += site->view.key[i].size;
    }
    site->end = is_first ? SLICE("}\n") : SLICE("}}\n");
}

/* Whether the record's members stand as the site's keys do: an exception has a place of its own. */
static bool has_only_fields(const struct site_view *view)
{
    for (uint32_t i = 0; i < view->key_count; i++)
        if (line_is_exception(view->key[i].type) || view->key[i].type == LL_TYPE_END)
            return false;
    return true;
}

static void add_start(struct bytes *b, const struct record_run *run, struct record_site *site)
{
    size_t from = b->size;
    if (run->identity->layout != RING_LAYOUT_JSON || !site->view.has_message || !has_only_fields(&site->view))
        return;
    bytes_add_char(b, 'Z');
    bytes_add(b, site->head);
    bytes_add(b, site->message);
    bytes_add(b, run->run);
    site->start = since(b, from);
}

static size_t site_text_bytes(const struct record_run *run, const struct site_view *view)
{
    size_t raw = view->logger.size + view->file.size + view->function.size + view->message.size;
    for (uint32_t i = 0; i < view->key_count; i++)
        raw += view->key[i].size + 3u;
    /* The head, the message and the run stand there twice, alone and as a start. */
    return 2 * (run->service.size + JSON_ESCAPE_GROWTH_MAX * raw + 256) + run->run.size + LINE_STEP_BYTES;
}

struct record_site *record_site_new(const struct record_run *run, const struct site_view *view)
{
    struct bytes b;
    size_t keys = view->key_count * sizeof(struct record_key);
    size_t capacity = site_text_bytes(run, view);
    struct record_site *site = malloc(sizeof *site + keys + capacity);
    if (!site)
        return NULL;
    *site = (struct record_site){.view = *view, .key = (struct record_key *)(site + 1)};
    bytes_init(&b, (char *)(site + 1) + keys, capacity);
    add_head(&b, run, view->level, view->logger);
    site->head = since(&b, 0);
    size_t from = b.size;
    if (view->has_message)
        json_add_string(&b, view->message);
    site->message = since(&b, from);
    from = b.size;
    if (view->level >= run->source_level && view->file.size)
        add_source(&b, view);
    site->source = since(&b, from);
    add_keys(&b, site);
    add_start(&b, run, site);
    site->bytes_max =
        capacity + view->key_count * (LINE_VALUE_BYTES_MAX + LINE_STEP_BYTES) + LINE_USUAL_BYTES_MAX;
    return site;
}

void record_site_free(struct record_site *site)
{
    free(site);
}

/* --- one record ----------------------------------------------------------------------------------------- */

static void add_time(struct bytes *b, int64_t unix_ns)
{
    BYTES_LITERAL(b, "{\"" LL_KEY_TIMESTAMP "\":\"");
    char *room = bytes_room(b, TIME_TEXT_SIZE);
    if (!room)
        return;
    time_to_text(room, unix_ns);
    bytes_advance(b, TIME_TEXT_SIZE);
}

/* The caller cuts at a byte (what it cuts may change under its hands); the character torn there is left out
 * here. */
static size_t without_torn_character(struct slice text)
{
    for (size_t back = 1; back <= 3 && back <= text.size; back++) {
        const char *start = text.data + text.size - back;
        if (utf8_is_continuation((unsigned char)*start))
            continue;
        struct utf8_part part = utf8_first_part(start, back);
        return !part.valid && part.size == back && utf8_announced_size((unsigned char)*start) > back
                   ? text.size - back
                   : text.size;
    }
    return text.size;
}

void line_add_text(struct bytes *b, struct slice text, const struct line_limits *limits)
{
    if (text.size > limits->text_max)
        text.size = utf8_cut(text, limits->text_max);
    if (limits->truncated)
        text.size = without_torn_character(text);
    json_add_string(b, text);
}

static void add_hex(struct bytes *b, struct slice bytes, const struct line_limits *limits)
{
    static const char digits[] = "0123456789abcdef";
    size_t size = 2 * bytes.size > limits->text_max ? limits->text_max / 2 : bytes.size;
    bytes_add_char(b, '"');
    char *room = bytes_room(b, 2 * size);
    for (size_t i = 0; room && i < size; i++) {
        *room++ = digits[(unsigned char)bytes.data[i] >> 4];
        *room++ = digits[(unsigned char)bytes.data[i] & 15];
    }
    if (room)
        bytes_advance(b, 2 * size);
    bytes_add_char(b, '"');
}

enum { RAW_JSON_DEPTH_MAX = 64 };

/* U+2028 or U+2029: in valid JSON these stand only inside strings, where an escape means the same. */
static bool is_line_separator(const char *at, const char *end)
{
    return end - at >= 3 && memcmp(at, "\xe2\x80", 2) == 0 && ((unsigned char)at[2] & 0xfe) == 0xa8;
}

/* A newline inside raw JSON is white space there, but would end the line here. */
static void add_raw_json(struct bytes *b, struct slice text, const struct line_limits *limits)
{
    if (text.size > limits->text_max || !json_is_valid(text, RAW_JSON_DEPTH_MAX)) {
        line_add_text(b, text, limits);
        return;
    }
    for (const char *at = text.data, *end = at + text.size; at < end; at++) {
        if (is_line_separator(at, end)) {
            bytes_add(b, (unsigned char)at[2] == 0xa8 ? SLICE("\\u2028") : SLICE("\\u2029"));
            at += 2;
        } else {
            bytes_add_char(b, (unsigned char)*at < 0x20 ? ' ' : *at);
        }
    }
}

static void add_float(struct bytes *b, double value)
{
    char *room = bytes_room(b, NUMBER_DOUBLE_CHARS_MAX);
    if (room)
        bytes_advance(b, (size_t)(number_from_float(room, (float)value) - room));
}

static void add_time_value(struct bytes *b, int64_t unix_ns)
{
    char text[TIME_TEXT_SIZE];
    time_to_text(text, unix_ns);
    bytes_add_char(b, '"');
    bytes_add(b, slice_from(text, sizeof text));
    bytes_add_char(b, '"');
}

static void add_number(struct bytes *b, const struct frame_value *value)
{
    switch (value->type) {
    case LL_TYPE_BOOL:
        bytes_add(b, value->number ? SLICE("true") : SLICE("false"));
        break;
    case LL_TYPE_I64:
        json_add_i64(b, (int64_t)value->number);
        break;
    case LL_TYPE_U64:
        json_add_u64(b, value->number);
        break;
    case LL_TYPE_DOUBLE:
        json_add_double(b, line_as_double(value->number));
        break;
    case LL_TYPE_FLOAT:
        add_float(b, line_as_double(value->number));
        break;
    case LL_TYPE_TIME:
        add_time_value(b, (int64_t)value->number);
        break;
    case LL_TYPE_DURATION:
        json_add_double(b, (double)(int64_t)value->number / 1e9);
        break;
    default:
        BYTES_LITERAL(b, "null");
    }
}

/* Entries are short, so they stay whole or are left out. */
static void add_traceback(struct bytes *b, struct slice bytes, const struct line_limits *limits)
{
    char text[TRACEBACK_TEXT_SIZE];
    struct traceback_entry entry;
    struct slice name;
    bool is_first = true;
    bytes_add_char(b, '[');
    while (limits->text_max >= TRACEBACK_TEXT_SIZE && traceback_next(&bytes, &entry, &name)) {
        size_t size = traceback_text(text, &entry, name, limits->has_own_addresses);
        if (!is_first)
            bytes_add_char(b, ',');
        json_add_string(b, slice_from(text, size));
        is_first = false;
    }
    bytes_add_char(b, ']');
}

/* The same as one text. */
static void add_stack_text(struct bytes *b, struct slice bytes, const struct line_limits *limits)
{
    char text[TRACEBACK_TEXT_SIZE];
    char escaped[TRACEBACK_TEXT_SIZE * JSON_ESCAPE_GROWTH_MAX];
    struct traceback_entry entry;
    struct slice name;
    const char *between = "";
    bytes_add_char(b, '"');
    while (limits->text_max >= TRACEBACK_TEXT_SIZE && traceback_next(&bytes, &entry, &name)) {
        size_t size = traceback_text(text, &entry, name, limits->has_own_addresses);
        bytes_add(b, slice_of(between));
        bytes_add(b, slice_from(escaped, (size_t)(json_escape(escaped, slice_from(text, size)) - escaped)));
        between = "\\n";
    }
    bytes_add_char(b, '"');
}

void line_add_value(struct bytes *b, const struct frame_value *value, const struct line_limits *limits)
{
    switch (value->type) {
    case LL_TYPE_STRING:
        line_add_text(b, value->text, limits);
        break;
    case LL_TYPE_BYTES:
        add_hex(b, value->text, limits);
        break;
    case LL_TYPE_JSON:
        add_raw_json(b, value->text, limits);
        break;
    case LL_TYPE_TRACEBACK:
        add_traceback(b, value->text, limits);
        break;
    case LL_TYPE_SECRET:
        BYTES_LITERAL(b, "\"[redacted]\"");
        break;
    default:
        add_number(b, value);
    }
}

static bool value_is_shadowed(const struct frame_view *frame, uint32_t i, uint32_t count)
{
    for (uint32_t k = i + 1; k < count; k++)
        if (!line_is_exception(frame->value[k].type) && slice_equal(frame->value[i].key, frame->value[k].key))
            return true;
    return false;
}

const struct frame_value *line_exception_part(const struct frame_view *frame, unsigned type)
{
    for (uint32_t i = frame->value_count; i-- > 0;)
        if (frame->value[i].type == type)
            return &frame->value[i];
    return NULL;
}

bool line_is_shadowed(const struct record_site *site, const struct frame_view *frame, uint32_t i,
                      uint32_t count)
{
    return frame->frame->flags & FRAME_KEYS ? value_is_shadowed(frame, i, count) : site->key[i].shadowed;
}

void line_add_fields(struct bytes *b, const struct record_site *site, const struct frame_view *frame,
                     const struct line_limits *limits)
{
    bool has_keys = frame->frame->flags & FRAME_KEYS, is_first = true;
    bool has_exception = line_exception_part(frame, LL_TYPE_EXCEPTION_TYPE) != NULL;
    for (uint32_t i = 0; i < limits->field_count; i++) {
        const struct frame_value *value = &frame->value[i];
        if (line_is_exception(value->type) && (value->type != LL_TYPE_TRACEBACK || has_exception))
            continue;
        if (value->type == LL_TYPE_END)
            continue;
        if (line_is_shadowed(site, frame, i, limits->field_count))
            continue;
        add_separator(b, &is_first);
        if (has_keys) {
            json_add_string(b, value->key);
            bytes_add_char(b, ':');
        } else {
            bytes_add(b, site->key[i].text);
        }
        line_add_value(b, value, limits);
    }
    if (!is_first)
        bytes_add_char(b, '}');
}

void line_add_exception_part(struct bytes *b, const struct frame_value *part,
                             const struct line_limits *limits)
{
    if (part->type == LL_TYPE_TRACEBACK)
        add_traceback(b, part->text, limits);
    else
        line_add_text(b, part->text, limits);
}

void line_add_exception_members(struct bytes *b, const char *const keys[static LINE_EXCEPTION_KEYS],
                                const struct frame_view *frame, const struct line_limits *limits)
{
    static const unsigned types[LINE_EXCEPTION_KEYS] = {
        [LINE_EXCEPTION_TYPE] = LL_TYPE_EXCEPTION_TYPE,
        [LINE_EXCEPTION_MESSAGE] = LL_TYPE_EXCEPTION_MESSAGE,
        [LINE_EXCEPTION_CODE] = LL_TYPE_EXCEPTION_CODE,
        [LINE_EXCEPTION_STACK] = LL_TYPE_TRACEBACK,
    };
    if (!line_exception_part(frame, LL_TYPE_EXCEPTION_TYPE))
        return;
    for (int i = 0; i < LINE_EXCEPTION_KEYS; i++) {
        const struct frame_value *part = line_exception_part(frame, types[i]);
        if (!part)
            continue;
        json_add_key(b, slice_of(keys[i]));
        (i == LINE_EXCEPTION_STACK ? add_stack_text : line_add_text)(b, part->text, limits);
    }
}

static void add_exception(struct bytes *b, const struct frame_view *frame, const struct line_limits *limits)
{
    const struct frame_value *type = line_exception_part(frame, LL_TYPE_EXCEPTION_TYPE);
    const struct frame_value *message = line_exception_part(frame, LL_TYPE_EXCEPTION_MESSAGE);
    const struct frame_value *code = line_exception_part(frame, LL_TYPE_EXCEPTION_CODE);
    const struct frame_value *traceback = line_exception_part(frame, LL_TYPE_TRACEBACK);
    if (!type)
        return;
    BYTES_LITERAL(b, ",\"" LL_KEY_EXCEPTION "\":{\"type\":");
    line_add_text(b, type->text, limits);
    if (message) {
        BYTES_LITERAL(b, ",\"message\":");
        line_add_text(b, message->text, limits);
    }
    if (code) {
        BYTES_LITERAL(b, ",\"code\":");
        line_add_text(b, code->text, limits);
    }
    if (traceback) {
        BYTES_LITERAL(b, ",\"traceback\":");
        add_traceback(b, traceback->text, limits);
    }
    bytes_add_char(b, '}');
}

void line_add_context(struct bytes *b, const struct slice context[static CONTEXT_TEXTS])
{
    static const char *const keys[CONTEXT_TEXTS] = {LL_KEY_REQUEST_ID, LL_KEY_TRACE_ID, LL_KEY_SPAN_ID,
                                                    LL_KEY_ENDPOINT, LL_KEY_USER};
    for (int i = 0; i < CONTEXT_TEXTS; i++)
        line_add_member_if_any(b, keys[i], context[i]);
}

static void add_record(struct bytes *b, const struct record_run *run, const struct record_site *site,
                       const struct frame_view *frame, uint64_t seq, int64_t unix_ns,
                       const struct line_limits *limits)
{
    add_time(b, unix_ns);
    bytes_add(b, site->head);
    if (frame->frame->flags & FRAME_MESSAGE || site->message.size > limits->text_max)
        line_add_text(b, line_message(site, frame), limits);
    else
        bytes_add(b, site->message);
    bytes_add(b, run->run);
    json_add_u64(b, seq);
    if (frame->frame->flags & FRAME_CRASH)
        line_add_member(b, LL_KEY_MARK, slice_of(LL_MARK_CRASH));
    line_add_context(b, frame->context);
    add_exception(b, frame, limits);
    bytes_add(b, run->pid);
    json_add_u64(b, frame->frame->thread);
    bytes_add(b, site->source);
    line_add_fields(b, site, frame, limits);
    if (limits->truncated)
        BYTES_LITERAL(b, ",\"" LL_KEY_TRUNCATED "\":true");
    BYTES_LITERAL(b, "}\n");
}

/* The longest texts that fit, then, when even none do, the most fields: both by halving what is still open.
 */
static bool fits(struct bytes *b, size_t from, const struct record_run *run, const struct record_site *site,
                 const struct frame_view *frame, uint64_t seq, int64_t unix_ns,
                 const struct line_limits *limits)
{
    bytes_cut(b, from);
    run->layout->add_record(b, run, site, frame, seq, unix_ns, limits);
    return !b->overflow;
}

static void add_cut(struct bytes *b, size_t from, const struct record_run *run,
                    const struct record_site *site, const struct frame_view *frame, uint64_t seq,
                    int64_t unix_ns)
{
    struct line_limits limits = {
        .field_count = frame->value_count, .truncated = true, .has_own_addresses = run->has_own_addresses};
    while (!fits(b, from, run, site, frame, seq, unix_ns, &limits) && limits.field_count > 0)
        limits.field_count /= 2;
    size_t low = 0, high = RECORD_BYTES_MAX;
    while (high - low > 1) {
        limits.text_max = low + (high - low) / 2;
        if (fits(b, from, run, site, frame, seq, unix_ns, &limits))
            low = limits.text_max;
        else
            high = limits.text_max;
    }
    limits.text_max = low;
    fits(b, from, run, site, frame, seq, unix_ns, &limits);
}

/* --- any record ----------------------------------------------------------------------------------------- */

static size_t copy_bytes(const struct line_layout *layout)
{
    size_t more = layout->copy_end.size - layout->end.size;
    return more > RECORD_COPY_BYTES ? more : RECORD_COPY_BYTES;
}

bool record_encode(struct bytes *out, struct record_run *run, const struct record_site *site,
                   const struct frame_view *frame, uint64_t seq, int64_t unix_ns, bool *ret_truncated)
{
    struct line_limits limits = {SIZE_MAX, frame->value_count, frame->frame->flags & FRAME_CUT,
                                 run->has_own_addresses};
    if (out->capacity - out->size < RECORD_BYTES_MAX)
        return false;
    *ret_truncated = false;
    struct bytes b;
    bytes_init(&b, out->data + out->size, RECORD_BYTES_MAX - copy_bytes(run->layout));
    *ret_truncated = limits.truncated;
    run->layout->add_record(&b, run, site, frame, seq, unix_ns, &limits);
    if (b.overflow) {
        *ret_truncated = true;
        add_cut(&b, 0, run, site, frame, seq, unix_ns);
    }
    bytes_advance(out, b.size);
    return true;
}

/* --- the library's own records -------------------------------------------------------------------------- */

static void add_dropped(struct bytes *b, const struct record_mark *mark)
{
    BYTES_LITERAL(b, ",\"" LL_KEY_DROPPED "\":{\"count\":");
    json_add_u64(b, mark->dropped_count);
    line_add_member(b, "reason", slice_of(mark->dropped_reason));
    line_add_member(b, "level", slice_of(record_level_name(mark->dropped_level)));
    bytes_add_char(b, '}');
}

static void add_mark(struct bytes *b, const struct record_run *run, const struct record_mark *mark,
                     uint64_t seq, int64_t unix_ns)
{
    add_time(b, unix_ns);
    add_head(b, run, mark->level, SLICE("liblog"));
    json_add_string(b, slice_of(mark->message));
    bytes_add(b, run->run);
    json_add_u64(b, seq);
    line_add_member(b, LL_KEY_MARK, slice_of(mark->mark));
    if (mark->dropped_count)
        add_dropped(b, mark);
    bytes_add(b, run->pid);
    json_add_u64(b, mark->pid_thread);
    BYTES_LITERAL(b, "}\n");
}

bool record_encode_mark(struct bytes *out, const struct record_run *run, const struct record_mark *mark,
                        uint64_t seq, int64_t unix_ns)
{
    if (out->capacity - out->size < RECORD_BYTES_MAX)
        return false;
    run->layout->add_mark(out, run, mark, seq, unix_ns);
    return !out->overflow;
}

bool record_copy(struct bytes *out, const struct record_run *run, struct slice line)
{
    size_t from = out->size;
    bytes_add(out, slice_from(line.data, line.size - run->layout->end.size));
    bytes_add(out, run->layout->copy_end);
    if (out->overflow)
        bytes_cut(out, from);
    return out->size > from;
}

/* --- layouts -------------------------------------------------------------------------------------------- */

static const struct line_layout json_layout = {add_record,
                                               add_mark,
                                               LINE_LITERAL("{\"" LL_KEY_TIMESTAMP "\":\""),
                                               LINE_LITERAL("\"" LL_KEY_RUN_ID "\":\""),
                                               LINE_LITERAL("}\n"),
                                               LINE_LITERAL(",\"" LL_KEY_COPY "\":true}\n")};

static const struct line_layout *layout_of(uint32_t number)
{
    static const struct line_layout *const layouts[RING_LAYOUTS] = {
        [RING_LAYOUT_JSON] = &json_layout,
        [RING_LAYOUT_TEXT] = &line_layout_text,
        [RING_LAYOUT_ECS] = &line_layout_ecs,
        [RING_LAYOUT_OTEL] = &line_layout_otel,
        [RING_LAYOUT_COLOURED] = &line_layout_coloured,
    };
    return number < RING_LAYOUTS ? layouts[number] : &json_layout;
}

static bool contains(struct slice all, const char *text)
{
    return memmem(all.data, all.size, text, strlen(text)) != NULL;
}

bool record_may_be_of_run(struct slice bytes, bool is_all, const struct ring_identity *identity)
{
    const struct line_layout *layout = layout_of(identity->layout);
    const char *newline = bytes.size ? memchr(bytes.data, '\n', bytes.size) : NULL;
    struct slice line = slice_from(bytes.data, newline ? (size_t)(newline - bytes.data) : bytes.size);
    size_t size = line.size < layout->beginning.size ? line.size : layout->beginning.size;
    char run[64];
    snprintf(run, sizeof run, "%.*s%s", (int)layout->run.size, layout->run.data, identity->run_id);
    if (line.size == 0 || memcmp(line.data, layout->beginning.data, size) != 0)
        return false;
    return contains(line, run) || (!newline && is_all);
}
