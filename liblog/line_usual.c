/*
 * The usual record: of a registered place, with a literal message, its keys, and no exception. What it takes
 * at most is known before, so its pieces are put one behind the other, straight from the frame, and nothing
 * is checked between them but that the frame is what it says.
 */
#include "liblog/base/digits.h"
#include "liblog/base/json.h"
#include "liblog/base/number.h"
#include "liblog/base/time_text.h"
#include "line_parts.h"

#include <liblog/record.h>

enum { NS_PER_SECOND = 1000000000, SECOND_TEXT_SIZE = TIME_TEXT_SIZE - 10, FRACTION_DIGITS = 9 };
#define TIMESTAMP_START "{\"" LL_KEY_TIMESTAMP "\":\""
enum { SECOND_SIZE = sizeof TIMESTAMP_START - 1 + SECOND_TEXT_SIZE };

static void recent_set_second(struct record_recent *recent, int64_t unix_ns)
{
    char text[TIME_TEXT_SIZE];
    int64_t fraction = unix_ns % NS_PER_SECOND;
    time_to_text(text, unix_ns);
    memcpy(recent->second, TIMESTAMP_START, sizeof TIMESTAMP_START - 1);
    memcpy(recent->second + sizeof TIMESTAMP_START - 1, text, SECOND_TEXT_SIZE);
    recent->second_ns = (uint64_t)unix_ns - (uint64_t)(fraction < 0 ? fraction + NS_PER_SECOND : fraction);
}

void record_recent_init(struct record_recent *ret_recent)
{
    *ret_recent = (struct record_recent){0};
    recent_set_second(ret_recent, 0);
}

static char *put(char *at, struct slice piece)
{
    memcpy(at, piece.data, piece.size);
    return at + piece.size;
}

/* A piece that has LINE_STEP_BYTES behind it. */
static inline char *put_steps(char *at, struct slice piece)
{
    memcpy(at, piece.data, LINE_STEP_BYTES);
    for (size_t i = LINE_STEP_BYTES; i < piece.size; i += LINE_STEP_BYTES)
        memcpy(at + i, piece.data + i, LINE_STEP_BYTES);
    return at + piece.size;
}

/* Up to the digits of the nanosecond. */
static char *put_time(char *at, struct record_recent *recent, int64_t unix_ns)
{
    uint64_t fraction = (uint64_t)unix_ns - recent->second_ns;
    if (__builtin_expect(fraction >= NS_PER_SECOND, 0)) {
        recent_set_second(recent, unix_ns);
        fraction = (uint64_t)unix_ns - recent->second_ns;
    }
    memcpy(at, recent->second, SECOND_SIZE);
    at[SECOND_SIZE] = (char)('0' + fraction / 100000000);
    digits_put_eight(at + SECOND_SIZE + 1, (uint32_t)(fraction % 100000000));
    return at + SECOND_SIZE + FRACTION_DIGITS;
}

static char *put_thread(char *at, struct record_run *run, uint32_t thread)
{
    struct record_recent *recent = &run->recent;
    if (__builtin_expect(recent->thread != thread || recent->thread_size == 0, 0)) {
        char *end = number_from_u64(put(recent->tid, run->pid), thread);
        recent->thread = thread;
        recent->thread_size = (uint32_t)(end - recent->tid);
    }
    return put_steps(at, slice_from(recent->tid, recent->thread_size));
}

/* A context that cannot be believed gives NULL. */
static char *put_context(char *at, const struct frame *frame)
{
    struct slice context[CONTEXT_TEXTS];
    struct bytes b;
    if (!frame_read_context(frame, context))
        return NULL;
    bytes_init(&b, at, LINE_USUAL_BYTES_MAX + JSON_ESCAPE_GROWTH_MAX * (size_t)frame->context_size);
    line_add_context(&b, context);
    return at + b.size;
}

static inline char *put_string(char *at, struct slice text)
{
    *at = '"';
    at = json_escape(at + 1, text);
    *at = '"';
    return at + 1;
}

static inline char *put_bool(char *at, bool value)
{
    memcpy(at, value ? "true" : "fals", 4);
    at[4] = 'e';
    return at + (value ? 4 : 5);
}

/* A value of a rarer type. */
static char *put_other(char *at, const struct frame_value *value)
{
    const struct line_limits none = {.text_max = SIZE_MAX};
    struct bytes b;
    bytes_init(&b, at, LINE_VALUE_BYTES_MAX + JSON_ESCAPE_GROWTH_MAX * value->text.size);
    line_add_value(&b, value, &none);
    return at + b.size;
}

static inline char *put_number(char *at, unsigned type, uint64_t number)
{
    switch (type) {
    case LL_TYPE_I64:
        return number_from_i64(at, (int64_t)number);
    case LL_TYPE_U64:
        return number_from_u64(at, number);
    case LL_TYPE_DOUBLE:
        return number_from_double(at, line_as_double(number));
    case LL_TYPE_BOOL:
        return put_bool(at, number != 0);
    default:
        return put_other(at, &(struct frame_value){.type = (uint8_t)type, .number = number});
    }
}

static inline char *put_word(char *at, const struct record_key *key, struct frame_values *values)
{
    uint64_t number;
    if (!frame_take_word(values, &number))
        return NULL;
    return key->shadowed ? at : put_number(put_steps(at, key->piece), key->type, number);
}

static inline char *put_text(char *at, const struct record_key *key, struct frame_values *values)
{
    struct frame_value value = {.type = key->type};
    bool is_null;
    if (!frame_take_text(values, &value.text, &is_null))
        return NULL;
    if (key->shadowed)
        return at;
    at = put_steps(at, key->piece);
    if (__builtin_expect(!is_null && value.type == LL_TYPE_STRING, 1))
        return put_string(at, value.text);
    value.type = is_null ? (uint8_t)LL_TYPE_NULL : value.type;
    return put_other(at, &value);
}

/* A value that takes no room in the frame. */
static char *put_nothing(char *at, const struct record_key *key)
{
    return key->shadowed ? at
                         : put_other(put_steps(at, key->piece), &(struct frame_value){.type = key->type});
}

/* NULL when a value does not lie in the frame. */
static char *put_fields(char *at, const struct record_site *site, const struct frame *frame)
{
    struct frame_values values = frame_values_of(frame);
    const struct record_key *key = site->key, *end = key + site->view.key_count;
    for (; key < end && at; key++) {
        if (key->form == SITE_FORM_WORD)
            at = put_word(at, key, &values);
        else
            at = key->form == SITE_FORM_TEXT ? put_text(at, key, &values) : put_nothing(at, key);
    }
    return at;
}

bool record_is_usual(const struct record_site *site, const struct frame *frame)
{
    return site->start.size && frame->flags == 0 && frame->field_count == site->view.key_count &&
           frame->context_size <= frame->size - sizeof *frame &&
           site->bytes_max + JSON_ESCAPE_GROWTH_MAX * (size_t)frame->size <=
               RECORD_BYTES_MAX - RECORD_COPY_BYTES;
}

bool record_encode_usual(struct bytes *out, struct record_run *run, const struct record_site *site,
                         const struct frame *frame, uint64_t seq, int64_t unix_ns)
{
    char *start = out->data + out->size;
    if (out->capacity - out->size < RECORD_BYTES_MAX)
        return false;
    char *at = put(put_time(start, &run->recent, unix_ns), site->start);
    at = number_from_u64(at, seq);
    if (__builtin_expect(frame->context_size, 0) && !(at = put_context(at, frame)))
        return false;
    at = put_steps(put_thread(at, run, frame->thread), site->source);
    at = put_fields(at, site, frame);
    if (!at)
        return false;
    bytes_advance(out, (size_t)(put(at, site->end) - start));
    return true;
}
