/* The walk over a line of a known shape, made part of each scan_walk_…, which brings what it sees bytes with.
 */
#ifndef SHIPPER_SCAN_WALK_H
#define SHIPPER_SCAN_WALK_H

#include "scan_digits.h"
#include "scan_scalar.h"
#include "scan_shape.h"
#include "scan_utf8.h"

#define SCAN_INLINE static inline __attribute__((always_inline))

/* All may read up to SCAN_PADDING bytes behind the end of what they look at, a literal 32 from its beginning.
 */
struct scan_eye {
    /* Where the string that goes on at `text` stops: at the first quote, backslash or control byte; `end` or
     * more when there is none before it. */
    const char *(*string_end)(const char *text, const char *end);
    bool (*literal_is)(const struct scan_shape_node *node, const char *text);
    bool (*is_ascii)(struct slice text); /* false, too, when only what is behind it is not */
};

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

/* The end of the scalar at `text`, more than `end` when there is none. Whole numbers are most of them. */
SCAN_INLINE const char *scan_walk_scalar(const char *text, const char *end, enum value_kind *ret_kind)
{
    const char *at = text;
    unsigned digits;
    do {
        digits = digits_count(digits_load(at));
        at += digits;
    } while (digits == 8 && at < end);
    *ret_kind = VALUE_NUMBER;
    if (at != text && *at != '.' && (*at | 0x20) != 'e' && (*text != '0' || at == text + 1))
        return at;
    *ret_kind = scan_scalar_kind(*text);
    at = scan_scalar_end(text, end);
    return at ? at : end + 1;
}

/*
 * Follows the literals. Where one fits but not the value behind it, another may. If a string stops at another
 * byte than its quote, the literal behind it, which begins with the quote, tells.
 */
SCAN_INLINE bool scan_walk(const struct scan_shapes *shapes, struct slice line, struct value *ret_values,
                           const struct scan_eye eye)
{
    const char *at = line.data, *end = line.data + line.size;
    for (const struct scan_shape_node *node = shapes->first; node;) {
        const char *value = at + node->size, *stop = value;
        enum value_kind kind = VALUE_STRING;
        bool fits = eye.literal_is(node, at);
        if (fits && node->slot == SLOT_STRING)
            stop = eye.string_end(value, end);
        else if (fits && node->slot == SLOT_SCALAR)
            stop = scan_walk_scalar(value, end, &kind);
        else if (fits && node->slot == SLOT_END && value == end)
            return eye.is_ascii(line) || scan_utf8_is_valid(line);
        if (!fits || stop >= end || node->slot == SLOT_END) {
            node = node->beside;
            continue;
        }
        if (node->key >= 0)
            ret_values[node->key] = (struct value){value, (uint32_t)(stop - value), (uint16_t)kind, false};
        at = stop;
        node = node->next;
    }
    return false;
}

#endif
