/*
 * A builder over memory that somebody else owns: a hard maximum, no allocation, and failures that stick.
 *
 * Appends that do not fit write nothing and set `overflow`; every later append is then refused too, so a
 * caller checks once, at the end. Going back to an earlier length with bytes_cut() clears the flag.
 */
#ifndef LIBLOG_BASE_BYTES_H
#define LIBLOG_BASE_BYTES_H

#include "slice.h"

#include <stdint.h>

struct bytes {
    char *data;
    size_t size;
    size_t capacity;
    bool overflow;
};

static inline void bytes_init(struct bytes *b, void *memory, size_t capacity)
{
    *b = (struct bytes){.data = memory, .capacity = capacity};
}

/* Room for `size` more bytes, or NULL with `overflow` set. What is written there counts after
 * bytes_advance(). */
static inline char *bytes_room(struct bytes *b, size_t size)
{
    if (b->overflow || b->capacity - b->size < size) {
        b->overflow = true;
        return NULL;
    }
    return b->data + b->size;
}

static inline void bytes_advance(struct bytes *b, size_t size)
{
    b->size += size;
}

static inline void bytes_add(struct bytes *b, struct slice s)
{
    char *room = bytes_room(b, s.size);
    if (room && s.size) {
        memcpy(room, s.data, s.size);
        b->size += s.size;
    }
}

static inline void bytes_add_char(struct bytes *b, char c)
{
    char *room = bytes_room(b, 1);
    if (room) {
        *room = c;
        b->size++;
    }
}

static inline void bytes_cut(struct bytes *b, size_t size)
{
    b->size = size;
    b->overflow = false;
}

static inline struct slice bytes_slice(const struct bytes *b)
{
    return (struct slice){b->data, b->size};
}

#define BYTES_LITERAL(b, literal) bytes_add((b), SLICE(literal))

#endif
