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

/* The end of the scalar at `text`, more than `end` when there is none. Whole numbers of a few digits are most
 * of them. */
SCAN_INLINE const char *scan_walk_scalar(const char *text, const char *end, enum value_kind *ret_kind)
{
    unsigned digits = digits_count(digits_load(text));
    char behind = text[digits];
    *ret_kind = VALUE_NUMBER;
    if (digits % 8 && (behind == ',' || behind == '}') && (*text != '0' || digits == 1))
        return text + digits;
    *ret_kind = scan_scalar_kind(*text);
    const char *stop = scan_scalar_end(text, end);
    return stop ? stop : end + 1;
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
    const char *data = map->data;
    const size_t begin = (size_t)(line.data - data), end = begin + line.size;
    size_t at = begin;
    for (const struct scan_shape_node *node = shapes->first; node;) {
        size_t value = at + node->size, stop = end;
        enum value_kind kind = VALUE_STRING;
        if (!literal_is(node, data + at)) {
            node = node->beside;
            continue;
        }
        if (node->slot == SLOT_STRING) {
            stop = line_map_stop(map, value);
        } else if (node->slot == SLOT_SCALAR) {
            stop = (size_t)(scan_walk_scalar(data + value, data + end, &kind) - data);
        } else if (node->slot == SLOT_NONE) {
            stop = value;
        } else if (value == end) {
            scan_walk_end(event, node->keys);
            return !odd || scan_utf8_is_valid(line);
        }
        if (stop >= end) {
            node = node->beside;
            continue;
        }
        value_set(&event->value[node->key], data + value, stop - value, kind);
        at = stop;
        node = node->next;
    }
    return false;
}

#endif
