/* One character of UTF-8 at a time, as the Unicode Standard has it (table 3-7, well-formed byte sequences).
 */
#ifndef LIBLOG_BASE_UTF8_H
#define LIBLOG_BASE_UTF8_H

#include <stdbool.h>
#include <stddef.h>

/* `size` bytes that are one character, or that together count as one error (its maximal subpart). */
struct utf8_part {
    size_t size;
    bool valid;
};

static inline bool utf8_is_continuation(unsigned char c)
{
    return (c & 0xc0) == 0x80;
}

/* The length a first byte announces, or 0 when no character begins with it. */
static inline size_t utf8_announced_size(unsigned char first)
{
    if (first < 0x80)
        return 1;
    if (first < 0xc2 || first > 0xf4)
        return 0;
    return first < 0xe0 ? 2 : first < 0xf0 ? 3 : 4;
}

/* Refuses overlong forms (E0, F0), surrogates (ED), and what lies beyond U+10FFFF (F4). */
static inline bool utf8_second_fits(unsigned char first, unsigned char second)
{
    unsigned char min = first == 0xe0 ? 0xa0 : first == 0xf0 ? 0x90 : 0x80;
    unsigned char max = first == 0xed ? 0x9f : first == 0xf4 ? 0x8f : 0xbf;
    return second >= min && second <= max;
}

/* The part at the front of the `left` (at least one) bytes at `text`. */
static inline struct utf8_part utf8_first_part(const char *text, size_t left)
{
    const unsigned char *s = (const unsigned char *)text;
    size_t announced = utf8_announced_size(s[0]);
    if (announced <= 1)
        return (struct utf8_part){1, announced == 1};
    if (left < 2 || !utf8_second_fits(s[0], s[1]))
        return (struct utf8_part){1, false};
    size_t size = 2;
    while (size < announced && size < left && utf8_is_continuation(s[size]))
        size++;
    return (struct utf8_part){size, size == announced};
}

#endif
