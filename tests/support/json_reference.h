/*
 * JSON once more, written to be obviously right and not to be fast: what the tests and fuzzers hold
 * liblog/base/json.h against. It shares no code or table with it: UTF-8 is decided by code points here, by
 * byte ranges there; values are read by recursion here, by a table of states there.
 */
#ifndef TESTS_SUPPORT_JSON_REFERENCE_H
#define TESTS_SUPPORT_JSON_REFERENCE_H

#include "liblog/base/slice.h"

#include <stdint.h>
#include <stdio.h>

/* How many bytes a first byte wants by its leading ones, 0 for one that cannot be first. */
static inline size_t reference_wanted(unsigned char first)
{
    if (first < 0x80)
        return 1;
    for (size_t size = 2; size <= 4; size++) {
        if ((unsigned)first >> (7 - size) == (1u << (size + 1)) - 2)
            return size;
    }
    return 0;
}

/* Whether there is a character of `wanted` bytes that begins with these `size`. */
static inline bool reference_begins_character(const unsigned char *bytes, size_t size, size_t wanted)
{
    static const uint32_t least[] = {0, 0, 0x80, 0x800, 0x10000}, most[] = {0, 0x7f, 0x7ff, 0xffff, 0x10ffff};
    uint32_t low = wanted == 1 ? bytes[0] : bytes[0] & (0x7fu >> wanted), high = low;
    for (size_t i = 1; i < wanted; i++) {
        if (i < size && bytes[i] >> 6 != 2)
            return false;
        low = low << 6 | (i < size ? bytes[i] & 0x3f : 0);
        high = high << 6 | (i < size ? bytes[i] & 0x3f : 0x3f);
    }
    low = low < least[wanted] ? least[wanted] : low;
    high = high > most[wanted] ? most[wanted] : high;
    bool only_surrogates = low >= 0xd800 && high <= 0xdfff;
    return low <= high && !only_surrogates;
}

/* The size of the character at the front, its code point in *ret_code; or of the maximal bad part, with -1.
 */
static inline size_t reference_character(const unsigned char *bytes, size_t left, int32_t *ret_code)
{
    size_t wanted = reference_wanted(bytes[0]), size = 0;
    *ret_code = -1;
    if (wanted == 0)
        return 1;
    while (size < wanted && size < left && reference_begins_character(bytes, size + 1, wanted))
        size++;
    if (size < wanted)
        return size ? size : 1;
    *ret_code = wanted == 1 ? bytes[0] : bytes[0] & (0x7f >> wanted);
    for (size_t i = 1; i < size; i++)
        *ret_code = *ret_code << 6 | (bytes[i] & 0x3f);
    return size;
}

/* Room for 6 * text.size + 1: a NUL stands behind. */
static inline size_t reference_escape(char *out, struct slice text)
{
    char *start = out;
    for (size_t i = 0; i < text.size;) {
        int32_t code;
        size_t size = reference_character((const unsigned char *)text.data + i, text.size - i, &code);
        const char *two = code > 0 && code < 0x80 ? strchr("\"\"\\\\\bb\ff\nn\rr\tt", (int)code) : NULL;
        if (code < 0)
            out += sprintf(out, "\xef\xbf\xbd");
        else if (two && strchr("\"\\\b\f\n\r\t", (int)code))
            out += sprintf(out, "\\%c", two[1]);
        else if (code < 0x20 || code == 0x7f || code == 0x2028 || code == 0x2029)
            out += sprintf(out, "\\u%04x", (unsigned)code);
        else
            out += sprintf(out, "%.*s", (int)size, text.data + i);
        i += size;
    }
    *out = '\0';
    return (size_t)(out - start);
}

/* The recursive reading: each function takes what it knows from the front and says whether it was there. */

static inline void reference_blanks(struct slice *s)
{
    while (s->size && memchr(" \t\r\n", s->data[0], 4))
        *s = slice_from(s->data + 1, s->size - 1);
}

static inline bool reference_take(struct slice *s, const char *text)
{
    if (!slice_starts_with(*s, slice_of(text)))
        return false;
    *s = slice_from(s->data + strlen(text), s->size - strlen(text));
    return true;
}

static inline bool reference_take_any(struct slice *s, const char *set)
{
    if (!s->size || !memchr(set, s->data[0], strlen(set)))
        return false;
    *s = slice_from(s->data + 1, s->size - 1);
    return true;
}

static inline bool reference_character_of_string(struct slice *s)
{
    if (reference_take(s, "\\u")) {
        for (int i = 0; i < 4; i++) {
            if (!reference_take_any(s, "0123456789abcdefABCDEF"))
                return false;
        }
        return true;
    }
    if (reference_take(s, "\\"))
        return reference_take_any(s, "\"\\/bfnrt");
    int32_t code;
    size_t size = reference_character((const unsigned char *)s->data, s->size, &code);
    *s = slice_from(s->data + size, s->size - size);
    return code >= 0x20;
}

static inline bool reference_string(struct slice *s)
{
    if (!reference_take(s, "\""))
        return false;
    while (s->size) {
        if (reference_take(s, "\""))
            return true;
        if (!reference_character_of_string(s))
            return false;
    }
    return false;
}

static inline bool reference_digits(struct slice *s)
{
    bool any = false;
    while (reference_take_any(s, "0123456789"))
        any = true;
    return any;
}

static inline bool reference_number(struct slice *s)
{
    reference_take(s, "-");
    if (!reference_take(s, "0") && !reference_digits(s))
        return false;
    if (reference_take(s, ".") && !reference_digits(s))
        return false;
    if (!reference_take_any(s, "eE"))
        return true;
    reference_take_any(s, "+-");
    return reference_digits(s);
}

static inline bool reference_value(struct slice *s, int depth_left);

static inline bool reference_member(struct slice *s, bool object, int depth_left)
{
    reference_blanks(s);
    if (object) {
        if (!reference_string(s))
            return false;
        reference_blanks(s);
        if (!reference_take(s, ":"))
            return false;
    }
    return reference_value(s, depth_left);
}

static inline bool reference_members(struct slice *s, bool object, int depth_left)
{
    const char *close = object ? "}" : "]";
    if (depth_left == 0)
        return false;
    reference_blanks(s);
    if (reference_take(s, close))
        return true;
    do {
        if (!reference_member(s, object, depth_left - 1))
            return false;
    } while (reference_take(s, ","));
    return reference_take(s, close);
}

/* Blanks around it included. */
static inline bool reference_value(struct slice *s, int depth_left)
{
    bool found;
    reference_blanks(s);
    if (reference_take(s, "{"))
        found = reference_members(s, true, depth_left);
    else if (reference_take(s, "["))
        found = reference_members(s, false, depth_left);
    else if (s->size && s->data[0] == '"')
        found = reference_string(s);
    else
        found = reference_take(s, "true") || reference_take(s, "false") || reference_take(s, "null") ||
                reference_number(s);
    reference_blanks(s);
    return found;
}

static inline bool reference_is_valid(struct slice text, int depth_max)
{
    return reference_value(&text, depth_max) && text.size == 0;
}

#endif
