/*
 * The usual call: a registered site, with its message, keys and types. It is looked at, measured and written
 * in one pass; here, so that the compiler makes one piece of it and ll_write_at().
 */
#ifndef LIBLOG_FRAME_USUAL_H
#define LIBLOG_FRAME_USUAL_H

#include "frame.h"

static inline size_t frame_padded(size_t size)
{
    return (size + 7) & ~(size_t)7;
}

/* A record that no ring of this size could hold is cut. */
static inline uint64_t frame_bytes_max(const struct ring_producer *producer)
{
    return producer->ring.size / 2 < FRAME_BYTES_MAX ? producer->ring.size / 2 : FRAME_BYTES_MAX;
}

/*
 * The values of the registered keys, each text measured when it is copied; `left` is what texts may take more
 * than the 8 bytes that every field has. NULL when a field is not as registered, or a text does not fit or is
 * to be cut. A function of its own: alone, its loop has registers enough.
 */
char *frame_put_usual(char *at, const ll_field *fields, const struct site_shape *shape, uint64_t left);

static inline char *frame_put_context(char *at, const struct frame_context_bytes *context)
{
    if (!context)
        return at;
    memcpy(at, context->bytes, context->size);
    return at + context->size;
}

/* Whether frame_pack_usual() may be asked. */
static inline bool frame_is_usual(const struct site_shape *shape, const char *message, size_t count)
{
    return shape && message && shape->message == message && shape->key_count == count;
}

/* False, with nothing published, when a field is not as registered, or there may be no room: then
 * frame_pack() is to be asked. */
static inline bool frame_pack_usual(struct ring_producer *producer, const struct site_shape *shape,
                                    const ll_field *fields, const struct frame_context_bytes *context,
                                    uint64_t ticks, uint32_t thread)
{
    uint64_t context_size = context ? context->size : 0;
    uint64_t room = producer->limit - producer->head;
    uint64_t least = sizeof(struct frame) + context_size + 8 * (uint64_t)shape->key_count;
    if (__builtin_expect(room < least, 0))
        return false;
    struct frame *frame = (struct frame *)(void *)ring_at_head(producer);
    char *values = frame_put_context((char *)(frame + 1), context);
    const char *end = frame_put_usual(values, fields, shape, room - least);
    uint64_t size = (uint64_t)(end - (char *)frame);
    if (__builtin_expect(!end || size > frame_bytes_max(producer), 0))
        return false;
    /* Member by member: a copy of a whole one would wait for its members. */
    frame->size = (uint32_t)size;
    frame->stamp = (uint32_t)(producer->head / 8) ^ FRAME_STAMP;
    frame->ticks = ticks;
    frame->entry = shape->entry;
    frame->thread = thread;
    frame->field_count = shape->key_count;
    frame->context_size = (uint16_t)context_size;
    frame->level = shape->level;
    frame->flags = 0;
    frame->reserved = 0;
    ring_publish(producer, size);
    ring_prefetch(producer);
    return true;
}

#endif
