#include "frame.h"

static size_t padded(size_t size)
{
    return (size + 7) & ~(size_t)7;
}

/* --- the caller's side ---------------------------------------------------------------------------------- */

/* What is known of a call before its bytes are written. Sizes are measured once: a string that another thread
 * changes meanwhile can give a wrong text, never a wrong frame. */
struct measure {
    uint64_t total;
    uint32_t message_size;
    uint32_t count;
    uint32_t text_max; /* longer texts are cut to this */
    uint8_t flags;
    size_t place_size;
    uint32_t size[FRAME_FIELDS_MAX]; /* of each field's text */
};

enum {
    TEXT_TYPES = 1 << LL_TYPE_STRING | 1 << LL_TYPE_BYTES | 1 << LL_TYPE_JSON | 1 << LL_TYPE_EXCEPTION_TYPE |
                 1 << LL_TYPE_EXCEPTION_CODE | 1 << LL_TYPE_EXCEPTION_MESSAGE,
    WORD_TYPES = 1 << LL_TYPE_BOOL | 1 << LL_TYPE_I64 | 1 << LL_TYPE_U64 | 1 << LL_TYPE_DOUBLE |
                 1 << LL_TYPE_FLOAT | 1 << LL_TYPE_TIME | 1 << LL_TYPE_DURATION,
};

static bool is_one_of(unsigned types, unsigned type)
{
    return type < 32 && types >> type & 1;
}

static bool is_text(unsigned type)
{
    return is_one_of(TEXT_TYPES, type);
}

static bool has_no_value(unsigned type)
{
    return type == LL_TYPE_SECRET || type == LL_TYPE_END;
}

static uint32_t text_size(const ll_field *field)
{
    if (!field->value.pointer)
        return FRAME_NULL;
    size_t size = field->size >= 0 ? (size_t)field->size : strnlen(field->value.pointer, FRAME_BYTES_MAX);
    return size < FRAME_BYTES_MAX ? (uint32_t)size : (uint32_t)FRAME_BYTES_MAX;
}

static uint32_t key_size(const ll_field *field)
{
    return field->key ? (uint32_t)strnlen(field->key, SITE_KEY_BYTES_MAX) : 0;
}

static bool shape_fits(const struct site_shape *shape, const ll_field *fields, size_t count)
{
    if (!shape || shape->key_count != count)
        return false;
    for (size_t i = 0; i < count; i++) {
        const struct site_shape_key *key = &shape->key[i];
        if (key->key != fields[i].key || !(fields[i].flags & LL_FIELD_KEY_LITERAL))
            return false;
        if (key->type != fields[i].type && !(fields[i].type == LL_TYPE_NULL && key->type == LL_TYPE_STRING))
            return false;
    }
    return true;
}

/* The bytes that a text takes, with its size before it. */
static uint64_t text_bytes(uint32_t size)
{
    return padded(sizeof(uint32_t) + (size == FRAME_NULL ? 0 : (uint64_t)size));
}

static uint32_t capped(uint32_t size, uint32_t text_max)
{
    return size < text_max || size == FRAME_NULL ? size : text_max;
}

static uint64_t field_bytes(const struct measure *m, const ll_field *field, uint32_t i)
{
    uint64_t key = m->flags & FRAME_KEYS ? padded(sizeof(struct frame_key) + key_size(field)) : 0;
    if (is_text(field->type))
        return key + text_bytes(capped(m->size[i], m->text_max));
    if (field->type == LL_TYPE_NULL)
        return key + (m->flags & FRAME_KEYS ? 0 : text_bytes(0));
    return key + (has_no_value(field->type) ? 0 : 8);
}

static void measure_total(struct measure *m, const struct frame_call *call)
{
    m->total = sizeof(struct frame) + call->context_size + m->place_size;
    if (m->flags & FRAME_MESSAGE)
        m->total += text_bytes(capped(m->message_size, m->text_max));
    for (uint32_t i = 0; i < m->count; i++)
        m->total += field_bytes(m, &call->fields[i], i);
}

/* Too much for a frame: the longest texts are cut first, by halves; when that is not enough, fields are left
 * out. */
static void measure_cut(struct measure *m, const struct frame_call *call, uint64_t bytes_max)
{
    m->flags |= FRAME_CUT;
    for (m->text_max = FRAME_BYTES_MAX / 2; m->text_max >= 16 && m->total > bytes_max; m->text_max /= 2)
        measure_total(m, call);
    m->text_max *= 2;
    while (m->total > bytes_max && m->count > 0) {
        m->count /= 2;
        measure_total(m, call);
    }
}

static void measure_call(struct measure *m, const struct frame_call *call)
{
    m->count = call->count < FRAME_FIELDS_MAX ? (uint32_t)call->count : (uint32_t)FRAME_FIELDS_MAX;
    m->flags = call->count > FRAME_FIELDS_MAX ? FRAME_CUT : 0;
    m->text_max = FRAME_BYTES_MAX;
    if (!shape_fits(call->shape, call->fields, call->count))
        m->flags |= FRAME_KEYS;
    if (!call->shape)
        m->flags |= FRAME_PLACE;
    if (!call->shape || call->shape->message != call->message || !call->message) {
        m->flags |= FRAME_MESSAGE;
        m->message_size = call->message ? (uint32_t)strnlen(call->message, FRAME_BYTES_MAX) : 0;
    }
    for (uint32_t i = 0; i < m->count; i++)
        if (is_text(call->fields[i].type))
            m->size[i] = text_size(&call->fields[i]);
}

static char *put_text(char *at, const void *text, uint32_t size)
{
    memcpy(at, &size, sizeof size);
    if (size && size != FRAME_NULL)
        memcpy(at + sizeof size, text, size);
    return at + text_bytes(size);
}

static char *put_null(char *at)
{
    uint32_t size = FRAME_NULL;
    memcpy(at, &size, sizeof size);
    return at + text_bytes(0);
}

static char *put_key(char *at, const ll_field *field)
{
    struct frame_key key = {field->type, 0, (uint16_t)key_size(field)};
    memcpy(at, &key, sizeof key);
    if (key.size)
        memcpy(at + sizeof key, field->key, key.size);
    return at + padded(sizeof key + key.size);
}

static char *put_field(char *at, const struct measure *m, const ll_field *field, uint32_t i)
{
    if (m->flags & FRAME_KEYS)
        at = put_key(at, field);
    if (is_text(field->type))
        return put_text(at, field->value.pointer, capped(m->size[i], m->text_max));
    if (field->type == LL_TYPE_NULL)
        return m->flags & FRAME_KEYS ? at : put_null(at);
    if (has_no_value(field->type))
        return at;
    memcpy(at, &field->value, 8);
    return at + 8;
}

static inline char *put_context(char *at, const struct frame_call *call)
{
    if (call->context_size)
        memcpy(at, call->context, call->context_size);
    return at + call->context_size;
}

/* Member by member: a copy of a whole one would wait for its members. */
static inline char *put_frame(char *at, const struct frame_call *call, uint64_t position, uint64_t size,
                              uint32_t count, uint8_t flags)
{
    struct frame *frame = (struct frame *)(void *)at;
    frame->size = (uint32_t)size;
    frame->stamp = (uint32_t)(position / 8) ^ FRAME_STAMP;
    frame->ticks = call->ticks;
    frame->entry = call->shape ? call->shape->entry : 0;
    frame->thread = call->thread;
    frame->field_count = (uint16_t)count;
    frame->context_size = (uint16_t)call->context_size;
    frame->level = (uint8_t)call->site->level;
    frame->flags = flags;
    frame->reserved = 0;
    return at + sizeof *frame;
}

static uint64_t frame_bytes_max(const struct ring_producer *producer)
{
    return producer->ring.size / 2 < FRAME_BYTES_MAX ? producer->ring.size / 2 : FRAME_BYTES_MAX;
}

/* Any call: measured first, cut where it must be, then written. Its memory is much, so it is a function of
 * its own. */
static __attribute__((noinline)) int pack_any(struct ring_producer *producer, const struct frame_call *call,
                                              uint64_t *ret_needed)
{
    struct measure m;
    char place[SITE_PLAIN_BYTES_MAX];
    measure_call(&m, call);
    m.place_size = m.flags & FRAME_PLACE ? site_plain_entry(place, call->site) : 0;
    measure_total(&m, call);
    if (m.total > frame_bytes_max(producer))
        measure_cut(&m, call, frame_bytes_max(producer));
    char *at = ring_reserve(producer, m.total);
    if (!at) {
        *ret_needed = m.total;
        return -1;
    }
    at = put_context(put_frame(at, call, producer->head, m.total, m.count, m.flags), call);
    if (m.place_size)
        memcpy(at, place, m.place_size);
    at += m.place_size;
    if (m.flags & FRAME_MESSAGE)
        at = put_text(at, call->message, capped(m.message_size, m.text_max));
    for (uint32_t i = 0; i < m.count; i++)
        at = put_field(at, &m, &call->fields[i], i);
    ring_publish(producer, m.total);
    return 0;
}

/* Texts are short: two moves that may overlap cost less than a call. */
static inline void copy_text(char *at, const char *text, uint64_t size)
{
    uint64_t first, last;
    if (size < 8 || size > 16) {
        memcpy(at, text, size);
        return;
    }
    memcpy(&first, text, 8);
    memcpy(&last, text + size - 8, 8);
    memcpy(at, &first, 8);
    memcpy(at + size - 8, &last, 8);
}

/* A text that takes at most `left` bytes more than the 8 that every field has. NULL when it does not fit, or
 * is to be cut. */
static inline char *put_usual_text(char *at, const ll_field *field, uint64_t *left)
{
    const char *text = field->value.pointer;
    if (__builtin_expect(!text, 0))
        return put_null(at);
    uint64_t size = field->size >= 0 ? (uint64_t)field->size : strnlen(text, FRAME_BYTES_MAX);
    uint64_t more = (size + sizeof(uint32_t) - 1) & ~(uint64_t)7;
    uint32_t size_32 = (uint32_t)size;
    if (__builtin_expect(more > *left, 0))
        return NULL;
    *left -= more;
    memcpy(at, &size_32, sizeof size_32);
    copy_text(at + sizeof size_32, text, size);
    return at + 8 + more;
}

/* A value that is not quite as registered, or takes no room. NULL when it is another. */
static char *put_unusual(char *at, const ll_field *field, const struct site_shape_key *key, uint64_t *left)
{
    if (field->key != key->key || field->flags != LL_FIELD_KEY_LITERAL)
        return NULL;
    if (field->type == LL_TYPE_NULL && key->type == LL_TYPE_STRING)
        return put_null(at);
    if (field->type != key->type)
        return NULL;
    if (is_text(field->type))
        return put_usual_text(at, field, left);
    return field->type == LL_TYPE_SECRET ? at : NULL;
}

static bool is_as_registered(const ll_field *field, const struct site_shape_key *key)
{
    return memcmp(field, key, sizeof *key) == 0;
}

/* The values of the registered keys, each text measured when it is copied. NULL when one is not as
 * registered. */
static inline char *put_usual(char *at, const ll_field *field, const struct site_shape *shape, uint64_t left)
{
    const struct site_shape_key *key = shape->key, *end = key + shape->key_count;
    for (; key < end && at; key++, field++) {
        bool is_same = is_as_registered(field, key);
        if (is_same && is_one_of(WORD_TYPES, key->type)) {
            memcpy(at, &field->value, 8);
            at += 8;
        } else if (is_same && key->type == LL_TYPE_STRING) {
            at = put_usual_text(at, field, &left);
        } else {
            at = put_unusual(at, field, key, &left);
        }
    }
    return at;
}

/*
 * The usual call, whose message, keys and types are the registered ones: looked at, measured and written in
 * one pass. False, with nothing published, when it is another, or there may be no room.
 */
static bool pack_usual(struct ring_producer *producer, const struct frame_call *call)
{
    const struct site_shape *shape = call->shape;
    if (!shape || shape->message != call->message || !call->message || shape->key_count != call->count)
        return false;
    uint64_t room = producer->limit - producer->head, bytes_max = frame_bytes_max(producer);
    uint64_t least = sizeof(struct frame) + call->context_size + 8 * (uint64_t)shape->key_count;
    room = room < bytes_max ? room : bytes_max;
    if (room < least)
        return false;
    char *start = ring_at_head(producer);
    char *end = put_usual(put_context(start + sizeof(struct frame), call), call->fields, shape, room - least);
    if (!end)
        return false;
    put_frame(start, call, producer->head, (uint64_t)(end - start), shape->key_count, 0);
    ring_publish(producer, (uint64_t)(end - start));
    ring_prefetch(producer, (uint64_t)(end - start));
    return true;
}

int frame_pack(struct ring_producer *producer, const struct frame_call *call, uint64_t *ret_needed)
{
    if (__builtin_expect(pack_usual(producer, call), 1))
        return 0;
    return pack_any(producer, call, ret_needed);
}

/* --- the reader's side ---------------------------------------------------------------------------------- */

const struct frame *frame_at(const struct ring *ring, uint64_t position, uint64_t available)
{
    const struct frame *frame = (const struct frame *)(const void *)ring_at(ring, position);
    if (available < sizeof *frame || frame->size < sizeof *frame || frame->size > available ||
        frame->size % 8 || frame->size > FRAME_BYTES_MAX + SITE_PLAIN_BYTES_MAX)
        return NULL;
    if (frame->stamp != ((uint32_t)(position / 8) ^ FRAME_STAMP) || frame->level >= LL_LEVEL_OFF)
        return NULL;
    return frame;
}

/* A cursor that never leaves the frame. */
struct reader {
    const char *at;
    size_t left;
};

static const char *reader_take(struct reader *r, size_t size)
{
    if (padded(size) > r->left)
        return NULL;
    const char *taken = r->at;
    r->at += padded(size);
    r->left -= padded(size);
    return taken;
}

static bool read_text(struct reader *r, struct slice *ret_text, bool *ret_is_null)
{
    uint32_t size;
    if (r->left < 8)
        return false;
    memcpy(&size, r->at, sizeof size);
    *ret_is_null = size == FRAME_NULL;
    size = *ret_is_null ? 0 : size;
    const char *bytes = reader_take(r, sizeof size + (size_t)size);
    if (!bytes)
        return false;
    *ret_text = slice_from(bytes + sizeof size, size);
    return true;
}

static bool read_value(struct reader *r, bool has_keys, struct frame_value *value)
{
    bool is_null = false;
    if (is_text(value->type)) {
        if (!read_text(r, &value->text, &is_null))
            return false;
        value->type = is_null ? (uint8_t)LL_TYPE_NULL : value->type;
        return true;
    }
    if (has_no_value(value->type) || (value->type == LL_TYPE_NULL && has_keys))
        return true;
    const char *bytes = value->type < LL_TYPE_SECRET ? reader_take(r, 8) : NULL;
    if (bytes)
        memcpy(&value->number, bytes, 8);
    return bytes != NULL;
}

static bool read_key(struct reader *r, struct frame_value *value)
{
    struct frame_key key;
    if (r->left < 8)
        return false;
    memcpy(&key, r->at, sizeof key);
    const char *bytes = reader_take(r, sizeof key + key.size);
    if (!bytes)
        return false;
    value->type = key.type;
    value->key = slice_from(bytes + sizeof key, key.size);
    return true;
}

static bool read_fields(struct reader *r, const struct frame *frame, const struct site_view *site,
                        struct frame_view *view)
{
    bool has_keys = frame->flags & FRAME_KEYS;
    if (frame->field_count > FRAME_FIELDS_MAX || (!has_keys && frame->field_count > site->key_count))
        return false;
    view->value_count = frame->field_count;
    for (uint32_t i = 0; i < frame->field_count; i++) {
        struct frame_value *value = &view->value[i];
        value->key = slice_from("", 0);
        value->text = slice_from("", 0);
        value->number = 0;
        value->type = has_keys ? 0 : site->key[i].type;
        if ((has_keys && !read_key(r, value)) || !read_value(r, has_keys, value))
            return false;
    }
    return true;
}

static bool read_context(struct reader *r, const struct frame *frame, struct frame_view *view)
{
    struct frame_context context = {{0}};
    struct reader inner = {r->at, frame->context_size};
    if (frame->context_size % 8 || frame->context_size > r->left)
        return false;
    if (frame->context_size) {
        if (inner.left < sizeof context)
            return false;
        memcpy(&context, inner.at, sizeof context);
        inner.at += sizeof context;
        inner.left -= sizeof context;
    }
    for (int i = 0; i < CONTEXT_TEXTS; i++) {
        if (context.size[i] > inner.left)
            return false;
        view->context[i] = slice_from(inner.at, context.size[i]);
        inner.at += context.size[i];
        inner.left -= context.size[i];
    }
    return reader_take(r, frame->context_size) != NULL;
}

static bool read_place(struct reader *r, const struct frame *frame, struct frame_view *view)
{
    struct site_entry entry;
    view->place = slice_from("", 0);
    if (!(frame->flags & FRAME_PLACE))
        return true;
    if (r->left < sizeof entry)
        return false;
    memcpy(&entry, r->at, sizeof entry);
    const char *bytes = reader_take(r, entry.size);
    view->place = slice_from(bytes, bytes ? entry.size : 0);
    return bytes != NULL;
}

bool frame_read(const struct frame *frame, const struct site_view *site, struct frame_view *ret_view)
{
    struct reader r = {(const char *)(frame + 1), frame->size - sizeof *frame};
    bool is_null = false;
    ret_view->frame = frame;
    ret_view->message = slice_from("", 0);
    if (!read_context(&r, frame, ret_view) || !read_place(&r, frame, ret_view))
        return false;
    if (frame->flags & FRAME_MESSAGE && !read_text(&r, &ret_view->message, &is_null))
        return false;
    return read_fields(&r, frame, site, ret_view);
}
