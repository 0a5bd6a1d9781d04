/* The walk over a line of a known shape, made part of each scan_walk_…, which knows where strings end. */
#ifndef SHIPPER_SCAN_WALK_H
#define SHIPPER_SCAN_WALK_H

#include "scan_grammar.h"
#include "scan_shape.h"
#include "scan_utf8.h"

#include <endian.h>

#define SCAN_INLINE static inline __attribute__((always_inline))

/*
 * Where the string that goes on at `text` stops: at the first quote, backslash or control byte; at or behind
 * `end` when there is none. Sets bits of *high when a byte before that is not ASCII. Reads up to SCAN_PADDING
 * bytes beyond the end.
 */
typedef const char *scan_string_end_function(const char *text, const char *end, uint64_t *high);

SCAN_INLINE uint64_t scan_load(const char *text)
{
    uint64_t word;
    memcpy(&word, text, sizeof(word));
    return word;
}

SCAN_INLINE bool scan_literal_is(const struct scan_shape_node *node, const char *text)
{
    uint64_t first = (scan_load(text) ^ node->word[0]) & node->mask[0];
    uint64_t second = (scan_load(text + 8) ^ node->word[1]) & node->mask[1];
    return (first | second) == 0;
}

/* How many of the eight bytes at `text` are digits before the first that is none. */
SCAN_INLINE unsigned scan_digits(const char *text)
{
    uint64_t from_zero = le64toh(scan_load(text)) ^ UINT64_C(0x3030303030303030);
    /* The top bit of each byte above 9. A carry out of one spoils only those behind it. */
    uint64_t others = (from_zero + UINT64_C(0x7676767676767676)) | from_zero;
    others &= UINT64_C(0x8080808080808080);
    return others ? (unsigned)__builtin_ctzll(others) / 8 : 8;
}

/* The end of the scalar at `text`, or NULL. Whole numbers are most of them. */
SCAN_INLINE const char *scan_scalar_end(const char *text, const char *end, enum value_kind *ret_kind)
{
    const char *at = text;
    unsigned digits;
    do {
        digits = scan_digits(at);
        at += digits;
    } while (digits == 8 && at < end);
    bool whole = at != text && *at != '.' && (*at | 0x20) != 'e' && (*text != '0' || at == text + 1);
    *ret_kind = VALUE_NUMBER;
    if (whole)
        return at;
    *ret_kind = *text == 't'   ? VALUE_TRUE
                : *text == 'f' ? VALUE_FALSE
                : *text == 'n' ? VALUE_NULL
                               : VALUE_NUMBER;
    return grammar_scalar_end(text, end);
}

/* The end of the value that is to follow a literal, or NULL when another follows. */
SCAN_INLINE const char *scan_value_end(const struct scan_shape_node *node, const char *text, const char *end,
                                       scan_string_end_function *string_end, uint64_t *high,
                                       enum value_kind *ret_kind)
{
    if (node->slot == SLOT_SCALAR)
        return scan_scalar_end(text, end, ret_kind);
    *ret_kind = VALUE_STRING;
    return string_end(text, end,
                      high); /* if that is no quote, the next literal, which begins with one, tells */
}

/*
 * Follows the literals. Where one fits but not the value behind it, another may. No reading goes further than
 * SCAN_PADDING behind the line, since each step ends within it.
 */
SCAN_INLINE bool scan_walk(const struct scan_shapes *shapes, struct slice line, struct value *ret_values,
                           scan_string_end_function *string_end)
{
    const char *at = line.data, *end = line.data + line.size;
    uint64_t high = 0;
    for (int index = shapes->first; index >= 0;) {
        const struct scan_shape_node *node = &shapes->node[index];
        const char *value = at + node->size;
        index = node->beside;
        if (!scan_literal_is(node, at) || value > end)
            continue;
        if (node->slot == SLOT_STRING || node->slot == SLOT_SCALAR) {
            enum value_kind kind;
            const char *stop = scan_value_end(node, value, end, string_end, &high, &kind);
            if (!stop || stop > end)
                continue;
            if (node->key >= 0)
                ret_values[node->key] = (struct value){value, (uint32_t)(stop - value), (uint8_t)kind, false};
            value = stop;
        } else if (node->slot == SLOT_END) {
            if (value != end)
                continue;
            return !high || scan_utf8_is_valid(line);
        }
        at = value;
        index = node->next;
    }
    return false;
}

#endif
