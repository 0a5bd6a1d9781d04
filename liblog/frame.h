/*
 * One call in the ring: its values, raw. Made by the caller (frame_pack), read by the writer or by whoever
 * finishes a dead process's work (frame_read), who believes nothing in it.
 *
 *   struct frame | context | [place] | [message] | fields                                 (each padded to 8)
 *
 *   context   five texts of struct frame_context: request id, trace id, span id, endpoint, user
 *   place     a site entry without keys, where the site is not in the table (FRAME_PLACE)
 *   message   where it is not in the table (FRAME_MESSAGE): size and bytes
 *   fields    with FRAME_KEYS: struct frame_key, key, value; else values only, in the order of the site's
 * keys value     8 bytes for a number; size and bytes for a text (size FRAME_NULL: null); nothing for a
 * secret
 */
#ifndef LIBLOG_FRAME_H
#define LIBLOG_FRAME_H

#include "ring.h"
#include "site.h"

enum {
    FRAME_PLACE = 1,
    FRAME_MESSAGE = 2,
    FRAME_KEYS = 4,
    FRAME_CUT = 8,           /* something was cut to fit */
    FRAME_CRASH = 16,        /* the crash handler's: it has a mark and no place */
    FRAME_FIELDS_MAX = 1024, /* more are left out, and the record is marked truncated */
    FRAME_BYTES_MAX = 80 * 1024,
    FRAME_CONTEXT_BYTES_MAX = 1024,
};
#define FRAME_NULL  0xffffffffu
#define FRAME_STAMP 0x5a17c0deu

struct frame {
    uint32_t size;  /* of the whole frame, a multiple of 8 */
    uint32_t stamp; /* its position in the ring / 8, exclusive-or FRAME_STAMP: bytes of an earlier round do
                       not have it */
    uint64_t ticks;
    uint32_t entry; /* of the site's table, or 0 */
    uint32_t thread;
    uint16_t field_count;
    uint16_t context_size; /* a multiple of 8 */
    uint8_t level;
    uint8_t flags;
    uint16_t reserved;
};

struct frame_key {
    uint8_t type;
    uint8_t reserved;
    uint16_t size;
};

/* The sizes of the texts that follow it, in the order of the record's keys. */
enum frame_context_text {
    CONTEXT_REQUEST_ID,
    CONTEXT_TRACE_ID,
    CONTEXT_SPAN_ID,
    CONTEXT_ENDPOINT,
    CONTEXT_USER,
    CONTEXT_TEXTS
};
struct frame_context {
    uint16_t size[CONTEXT_TEXTS];
};

/* --- the caller's side ---------------------------------------------------------------------------------- */

/* A context as it stands in the frame. */
struct frame_context_bytes {
    uint32_t size; /* a multiple of 8 */
    char bytes[FRAME_CONTEXT_BYTES_MAX];
};

struct frame_call {
    const ll_site *site;
    const struct site_shape *shape; /* NULL: written out in full */
    const char *message;
    const ll_field *fields;
    size_t count;
    const struct frame_context_bytes *context; /* or NULL */
    const struct redact *redact;               /* for keys that are not registered; or NULL */
    bool is_crash;
    uint64_t ticks;
    uint32_t thread;
};

/*
 * Packs a call into the ring and publishes it. 0; or -1, nothing published, when there is no room for
 * *ret_needed bytes (a record that no ring of this size could hold is cut before).
 */
int frame_pack(struct ring_producer *producer, const struct frame_call *call, uint64_t *ret_needed);

/* --- the reader's side ---------------------------------------------------------------------------------- */

struct frame_value {
    struct slice key; /* of a field written out in full */
    uint8_t type;     /* enum ll_type; LL_TYPE_NULL for a null text */
    uint64_t number;
    struct slice text;
};

struct frame_view {
    const struct frame *frame;
    struct slice place;   /* the entry of FRAME_PLACE */
    struct slice message; /* of FRAME_MESSAGE */
    struct slice context[CONTEXT_TEXTS];
    struct frame_value value[FRAME_FIELDS_MAX];
    uint32_t value_count;
};

/*
 * Looks at the frame at `position` of which `available` bytes are published. NULL when it cannot be one.
 */
const struct frame *frame_at(const struct ring *ring, uint64_t position, uint64_t available);

/* Reads it in full; `site` are the keys of its entry (key_count 0 with FRAME_KEYS). False when it cannot be
 * believed. */
bool frame_read(const struct frame *frame, const struct site_view *site, struct frame_view *ret_view);

/* The texts of its context. False when it cannot be believed. */
bool frame_read_context(const struct frame *frame, struct slice ret_context[static CONTEXT_TEXTS]);

/* The values of a frame without place, message and keys, one after the other; `at` never leaves the frame. */
struct frame_values {
    const char *at;
    size_t left;
};

static inline struct frame_values frame_values_of(const struct frame *frame)
{
    size_t before = sizeof *frame + frame->context_size;
    return (struct frame_values){(const char *)frame + before, frame->size - before};
}

static inline bool frame_take_word(struct frame_values *values, uint64_t *ret_word)
{
    if (values->left < 8)
        return false;
    memcpy(ret_word, values->at, 8);
    values->at += 8;
    values->left -= 8;
    return true;
}

static inline bool frame_take_text(struct frame_values *values, struct slice *ret_text, bool *ret_is_null)
{
    uint32_t size;
    if (values->left < 8)
        return false;
    memcpy(&size, values->at, sizeof size);
    *ret_is_null = size == FRAME_NULL;
    size = *ret_is_null ? 0 : size;
    size_t taken = (sizeof size + (size_t)size + 7) & ~(size_t)7;
    if (taken > values->left)
        return false;
    *ret_text = slice_from(values->at + sizeof size, size);
    values->at += taken;
    values->left -= taken;
    return true;
}

#endif
