/* The walk over a line of a known shape, made part of each scan_walk_…, which brings what it sees bytes with.
 */
#ifndef SHIPPER_SCAN_WALK_H
#define SHIPPER_SCAN_WALK_H

#include "scan_digits.h"
#include "scan_scalar.h"
#include "scan_shape.h"
#include "scan_utf8.h"

#define SCAN_INLINE static inline __attribute__((always_inline))

/* Whether the literal of a node stands at `text`; 32 bytes may be read from there. */
typedef bool literal_is_function(const struct scan_shape_node *node, const char *text);

SCAN_INLINE uint64_t scan_load(const char *text)
{
    uint64_t word;
    memcpy(&word, text, sizeof(word));
    return word;
}

static inline enum value_kind scan_scalar_kind(char first)
{
    return first == 't' ? VALUE_TRUE : first == 'f' ? VALUE_FALSE : first == 'n' ? VALUE_NULL : VALUE_NUMBER;
}

/* The size of the scalar at `text`, 0 when there is none. */
static inline size_t scan_walk_any_scalar(const char *text, const char *end, enum value_kind *ret_kind)
{
    const char *stop = scan_scalar_end(text, end);
    *ret_kind = scan_scalar_kind(*text);
    return stop ? (size_t)(stop - text) : 0;
}

/* Whole numbers of a few digits are most of them. */
SCAN_INLINE size_t scan_walk_scalar(const char *text, const char *end, enum value_kind *ret_kind)
{
    size_t digits = digits_count(digits_load(text));
    char behind = text[digits];
    *ret_kind = VALUE_NUMBER;
    if ((behind == ',' || behind == '}') && digits % 8 && (*text != '0' || digits == 1))
        return digits;
    return scan_walk_any_scalar(text, end, ret_kind);
}

struct scan_walk {
    const struct scan_shape_node *node; /* that is tried; NULL: no shape is left */
    struct event *event;
    const char *data; /* the map's; all else are indices there */
    size_t at;        /* where the node's literal must stand */
    size_t end;       /* of the line */
};

SCAN_INLINE void scan_walk_beside(struct scan_walk *walk)
{
    walk->node = walk->node->beside;
}

/* The value behind the literal is one of `size` bytes, unless that is no place for it to end. */
SCAN_INLINE void scan_walk_take(struct scan_walk *walk, size_t value, size_t size, enum value_kind kind)
{
    const struct scan_shape_node *node = walk->node;
    if (value + size >= walk->end) {
        scan_walk_beside(walk);
        return;
    }
    value_set(&walk->event->value[node->key], walk->data + value, size, kind);
    walk->at = value + size;
    walk->node = node->next;
}

/* The line has the values of `keys` and no others, whatever was in the event before. */
SCAN_INLINE void scan_walk_end(struct event *event, uint32_t keys)
{
    for (uint32_t left = event->taken & ~keys; left; left &= left - 1)
        event->value[__builtin_ctz(left)] = (struct value){0};
    event->taken = keys;
    event->bad_utf8 = false;
}

/*
 * Follows the literals. Where one fits but not the value behind it, another may. If a string stops at another
 * byte than its quote, the literal behind it, which begins with the quote, tells.
 */
SCAN_INLINE bool scan_walk(const struct scan_shapes *shapes, const struct line_map *map, struct slice line,
                           bool odd, struct event *event, literal_is_function *literal_is)
{
    size_t begin = (size_t)(line.data - map->data);
    struct scan_walk walk = {shapes->first, event, map->data, begin, begin + line.size};
    while (walk.node) {
        const struct scan_shape_node *node = walk.node;
        const size_t value = walk.at + node->size;
        if (!literal_is(node, walk.data + walk.at)) {
            scan_walk_beside(&walk);
        } else if (node->slot == SLOT_STRING) {
            scan_walk_take(&walk, value, line_map_stop(map, value), VALUE_STRING);
        } else if (node->slot == SLOT_SCALAR) {
            enum value_kind kind;
            size_t size = scan_walk_scalar(walk.data + value, walk.data + walk.end, &kind);
            scan_walk_take(&walk, value, size ? size : line.size, kind);
        } else if (node->slot == SLOT_NONE) {
            scan_walk_take(&walk, value, 0, VALUE_STRING);
        } else if (value == walk.end) {
            scan_walk_end(event, node->keys);
            return !odd || scan_utf8_is_valid(line);
        } else {
            scan_walk_beside(&walk);
        }
    }
    return false;
}

#endif
