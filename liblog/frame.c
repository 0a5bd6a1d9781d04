#include "frame.h"

#include "frame_usual.h"

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
    uint8_t type[FRAME_FIELDS_MAX];  /* LL_TYPE_SECRET where the key is redacted */
};

static bool is_text(unsigned type)
{
    return site_is_one_of(SITE_TEXT_TYPES, type);
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
        const ll_field *key = &shape->key[i];
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
    return frame_padded(sizeof(uint32_t) + (size == FRAME_NULL ? 0 : (uint64_t)size));
}

static uint32_t capped(uint32_t size, uint32_t text_max)
{
    return size < text_max || size == FRAME_NULL ? size : text_max;
}

static uint64_t field_bytes(const struct measure *m, const ll_field *field, uint32_t i)
{
    uint64_t key = m->flags & FRAME_KEYS ? frame_padded(sizeof(struct frame_key) + key_size(field)) : 0;
    if (is_text(m->type[i]))
        return key + text_bytes(capped(m->size[i], m->text_max));
    if (m->type[i] == LL_TYPE_NULL)
        return key + (m->flags & FRAME_KEYS ? 0 : text_bytes(0));
    return key + (has_no_value(m->type[i]) ? 0 : 8);
}

static size_t context_size_of(const struct frame_call *call)
{
    return call->context ? call->context->size : 0;
}

static void measure_total(struct measure *m, const struct frame_call *call)
{
    m->total = sizeof(struct frame) + context_size_of(call) + m->place_size;
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

/* Keys that are registered were looked at then, the others are at each call. */
static uint8_t type_to_write(const struct measure *m, const struct frame_call *call, uint32_t i)
{
    bool is_redacted = m->flags & FRAME_KEYS ? redact_has_field(call->redact, &call->fields[i])
                                             : call->shape->key[i].value.u64 == SITE_FORM_NOTHING;
    return is_redacted ? (uint8_t)LL_TYPE_SECRET : call->fields[i].type;
}

static void measure_call(struct measure *m, const struct frame_call *call)
{
    m->count = call->count < FRAME_FIELDS_MAX ? (uint32_t)call->count : (uint32_t)FRAME_FIELDS_MAX;
    m->flags = call->count > FRAME_FIELDS_MAX ? FRAME_CUT : 0;
    if (call->is_crash)
        m->flags |= FRAME_CRASH;
    m->text_max = FRAME_BYTES_MAX;
    if (!shape_fits(call->shape, call->fields, call->count))
        m->flags |= FRAME_KEYS;
    if (!call->shape)
        m->flags |= FRAME_PLACE;
    if (!call->shape || call->shape->message != call->message || !call->message) {
        m->flags |= FRAME_MESSAGE;
        m->message_size = call->message ? (uint32_t)strnlen(call->message, FRAME_BYTES_MAX) : 0;
    }
    for (uint32_t i = 0; i < m->count; i++) {
        m->type[i] = type_to_write(m, call, i);
        if (is_text(m->type[i]))
            m->size[i] = text_size(&call->fields[i]);
    }
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

static char *put_key(char *at, const ll_field *field, uint8_t type)
{
    struct frame_key key = {type, 0, (uint16_t)key_size(field)};
    memcpy(at, &key, sizeof key);
    if (key.size)
        memcpy(at + sizeof key, field->key, key.size);
    return at + frame_padded(sizeof key + key.size);
}

static char *put_field(char *at, const struct measure *m, const ll_field *field, uint32_t i)
{
    if (m->flags & FRAME_KEYS)
        at = put_key(at, field, m->type[i]);
    if (is_text(m->type[i]))
        return put_text(at, field->value.pointer, capped(m->size[i], m->text_max));
    if (m->type[i] == LL_TYPE_NULL)
        return m->flags & FRAME_KEYS ? at : put_null(at);
    if (has_no_value(m->type[i]))
        return at;
    memcpy(at, &field->value, 8);
    return at + 8;
}

static char *put_context(char *at, const struct frame_call *call)
{
    if (call->context)
        memcpy(at, call->context->bytes, call->context->size);
    return at + context_size_of(call);
}

static char *put_frame(char *at, const struct frame_call *call, uint64_t position, uint64_t size,
                       uint32_t count, uint8_t flags)
{
    struct frame *frame = (struct frame *)(void *)at;
    frame->size = (uint32_t)size;
    frame->stamp = (uint32_t)(position / 8) ^ FRAME_STAMP;
    frame->ticks = call->ticks;
    frame->entry = call->shape ? call->shape->entry : 0;
    frame->thread = call->thread;
    frame->field_count = (uint16_t)count;
    frame->context_size = (uint16_t)context_size_of(call);
    frame->level = (uint8_t)call->site->level;
    frame->flags = flags;
    frame->reserved = 0;
    return at + sizeof *frame;
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

/* --- the usual call ------------------------------------------------------------------------------------- */

/* Two moves that may overlap. */
static inline void copy_ends(char *at, const char *text, uint64_t size, size_t step)
{
    char first[16], last[16];
    memcpy(first, text, step);
    memcpy(last, text + size - step, step);
    memcpy(at, first, step);
    memcpy(at + size - step, last, step);
}

/* Texts are short: for these a call costs more than the copy. */
static inline void copy_text(char *at, const char *text, uint64_t size)
{
    if (size > 32)
        memcpy(at, text, size);
    else if (size > 16)
        copy_ends(at, text, size, 16);
    else if (size >= 8)
        copy_ends(at, text, size, 8);
    else if (size >= 4)
        copy_ends(at, text, size, 4);
    else if (size >= 2)
        copy_ends(at, text, size, 2);
    else if (size)
        *at = *text;
}

/* Type and flags and what is reserved, as one number. A text's size may be another at each call. */
static inline uint32_t kind_of(const ll_field *field)
{
    uint32_t kind;
    memcpy(&kind, &field->type, offsetof(ll_field, size) - offsetof(ll_field, type));
    return kind;
}

/* NULL when it does not fit. */
static inline char *put_usual_text(char *at, const ll_field *field, uint64_t *left)
{
    const char *text = field->value.pointer;
    if (!text)
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

char *frame_put_usual(char *at, const ll_field *field, const struct site_shape *shape, uint64_t left)
{
    const ll_field *key = shape->key, *end = field + shape->key_count;
    for (; field < end; field++, key++) {
        if (__builtin_expect(field->key != key->key || kind_of(field) != kind_of(key), 0))
            return NULL;
        if (key->value.u64 == SITE_FORM_WORD) {
            memcpy(at, &field->value, 8);
            at += 8;
        } else if (key->value.u64 == SITE_FORM_TEXT) {
            at = put_usual_text(at, field, &left);
            if (__builtin_expect(!at, 0))
                return NULL;
        }
    }
    return at;
}

int frame_pack(struct ring_producer *producer, const struct frame_call *call, uint64_t *ret_needed)
{
    if (frame_is_usual(call->shape, call->message, call->count) &&
        frame_pack_usual(producer, call->shape, call->fields, call->context, call->ticks, call->thread))
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

static const char *reader_take(struct frame_values *r, size_t size)
{
    if (frame_padded(size) > r->left)
        return NULL;
    const char *taken = r->at;
    r->at += frame_padded(size);
    r->left -= frame_padded(size);
    return taken;
}

static inline bool read_value(struct frame_values *r, bool has_keys, struct frame_value *value)
{
    bool is_null = false;
    if (is_text(value->type)) {
        if (!frame_take_text(r, &value->text, &is_null))
            return false;
        value->type = is_null ? (uint8_t)LL_TYPE_NULL : value->type;
        return true;
    }
    if (has_no_value(value->type) || (value->type == LL_TYPE_NULL && has_keys))
        return true;
    return value->type < LL_TYPE_SECRET && frame_take_word(r, &value->number);
}

static bool read_key(struct frame_values *r, struct frame_value *value)
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

/* Written out in full, each with its key. */
static bool read_members(struct frame_values *r, struct frame_view *view)
{
    for (uint32_t i = 0; i < view->value_count; i++) {
        struct frame_value *value = &view->value[i];
        *value = (struct frame_value){.key = slice_from("", 0), .text = slice_from("", 0)};
        if (!read_key(r, value) || !read_value(r, true, value))
            return false;
    }
    return true;
}

/* Values only, of the types that the site has registered. */
static bool read_values(struct frame_values *r, const struct site_view *site, struct frame_view *view)
{
    for (uint32_t i = 0; i < view->value_count; i++) {
        struct frame_value *value = &view->value[i];
        *value = (struct frame_value){
            .key = slice_from("", 0), .type = site->key[i].type, .text = slice_from("", 0)};
        if (!read_value(r, false, value))
            return false;
    }
    return true;
}

static bool read_fields(struct frame_values *r, const struct frame *frame, const struct site_view *site,
                        struct frame_view *view)
{
    bool has_keys = frame->flags & FRAME_KEYS;
    if (frame->field_count > FRAME_FIELDS_MAX || (!has_keys && frame->field_count > site->key_count))
        return false;
    view->value_count = frame->field_count;
    return has_keys ? read_members(r, view) : read_values(r, site, view);
}

bool frame_read_context(const struct frame *frame, struct slice ret_context[static CONTEXT_TEXTS])
{
    struct frame_context context;
    struct frame_values inner = {(const char *)(frame + 1), frame->context_size};
    if (inner.left % 8 || inner.left < sizeof context || inner.left > frame->size - sizeof *frame)
        return false;
    memcpy(&context, inner.at, sizeof context);
    inner.at += sizeof context;
    inner.left -= sizeof context;
    for (int i = 0; i < CONTEXT_TEXTS; i++) {
        if (context.size[i] > inner.left)
            return false;
        ret_context[i] = slice_from(inner.at, context.size[i]);
        inner.at += context.size[i];
        inner.left -= context.size[i];
    }
    return true;
}

static bool read_context(struct frame_values *r, const struct frame *frame, struct frame_view *view)
{
    memset(view->context, 0, sizeof view->context);
    return frame->context_size == 0 ||
           (frame_read_context(frame, view->context) && reader_take(r, frame->context_size));
}

static bool read_place(struct frame_values *r, const struct frame *frame, struct frame_view *view)
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
    struct frame_values r = {(const char *)(frame + 1), frame->size - sizeof *frame};
    bool is_null = false;
    ret_view->frame = frame;
    ret_view->message = slice_from("", 0);
    if (!read_context(&r, frame, ret_view) || !read_place(&r, frame, ret_view))
        return false;
    if (frame->flags & FRAME_MESSAGE && !frame_take_text(&r, &ret_view->message, &is_null))
        return false;
    return read_fields(&r, frame, site, ret_view);
}
