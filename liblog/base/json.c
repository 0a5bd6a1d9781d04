#include "json.h"

#include "lanes.h"
#include "number.h"
#include "utf8.h"

#include <stdint.h>

/* 8 to 16 bytes as two words that may overlap, when all are plain. */
static bool copy_two_eights(char *out, const char *in, size_t size)
{
    uint64_t first, last;
    memcpy(&first, in, 8);
    memcpy(&last, in + size - 8, 8);
    if (!lanes_words_are_plain(first, last))
        return false;
    memcpy(out, &first, 8);
    memcpy(out + size - 8, &last, 8);
    return true;
}

/* 4 to 8 bytes likewise. */
static bool copy_two_fours(char *out, const char *in, size_t size)
{
    uint32_t first, last;
    memcpy(&first, in, 4);
    memcpy(&last, in + size - 4, 4);
    uint64_t both = (uint64_t)last << 32 | first;
    if (!lanes_words_are_plain(both, both))
        return false;
    memcpy(out, &first, 4);
    memcpy(out + size - 4, &last, 4);
    return true;
}

/* Short values are the usual ones, and a step a byte is what they would cost most. False: nothing is copied.
 */
static bool copy_short(char *out, const char *in, size_t size)
{
    if (size >= 8)
        return size <= 16 && copy_two_eights(out, in, size);
    return size >= 4 && copy_two_fours(out, in, size);
}

/*
 * Copies plain text up to the first special byte, LANES_SIZE bytes a step. A step may write more than it
 * takes, but never past the escaped text: there are LANES_SIZE bytes of text left, and no byte of it becomes
 * less than one.
 */
static void copy_plain(char **out, const char **in, const char *end)
{
    while (end - *in >= LANES_SIZE) {
        lanes v = lanes_load(*in);
        lanes_mask special = lanes_special(v);
        lanes_store(*out, v);
        size_t taken = special ? lanes_first(special) : LANES_SIZE;
        *in += taken;
        *out += taken;
        if (special)
            return;
    }
    if (copy_short(*out, *in, (size_t)(end - *in))) {
        *out += end - *in;
        *in = end;
    }
    while (*in < end && lanes_is_plain((unsigned char)**in))
        *(*out)++ = *(*in)++;
}

static char *put_unicode_escape(char *out, unsigned code)
{
    static const char hex[] = "0123456789abcdef";
    memcpy(out, "\\u", 2);
    for (int i = 0; i < 4; i++)
        out[2 + i] = hex[code >> (12 - 4 * i) & 15];
    return out + 6;
}

/* The letter after the backslash in a two-character escape, or NUL when `c` has none. */
static char short_escape(unsigned char c)
{
    switch (c) {
    case '"':
    case '\\':
        return (char)c;
    case '\b':
        return 'b';
    case '\f':
        return 'f';
    case '\n':
        return 'n';
    case '\r':
        return 'r';
    case '\t':
        return 't';
    default:
        return '\0';
    }
}

static char *escape_ascii(char *out, unsigned char c)
{
    char letter = short_escape(c);
    if (!letter)
        return put_unicode_escape(out, c);
    out[0] = '\\';
    out[1] = letter;
    return out + 2;
}

/* U+2028 and U+2029, which end a line in JavaScript: E2 80 A8 and E2 80 A9. */
static bool is_line_separator(const char *in, struct utf8_part part)
{
    return part.valid && part.size == 3 && memcmp(in, "\xe2\x80", 2) == 0 && (in[2] & 0xfe) == 0xa8;
}

static char *escape_part(char *out, const char *in, struct utf8_part part)
{
    if (!part.valid) {
        memcpy(out, "\xef\xbf\xbd", 3);
        return out + 3;
    }
    if (is_line_separator(in, part))
        return put_unicode_escape(out, (unsigned char)in[2] == 0xa8 ? 0x2028 : 0x2029);
    for (size_t i = 0; i < part.size; i++)
        out[i] = in[i];
    return out + part.size;
}

static bool is_ascii(char c)
{
    return (unsigned char)c < 0x80;
}

char *json_escape(char *out, struct slice text)
{
    const char *in = text.data, *end = text.size ? in + text.size : in;
    while (in < end) {
        copy_plain(&out, &in, end);
        while (in < end && !is_ascii(*in)) {
            struct utf8_part part = utf8_first_part(in, (size_t)(end - in));
            out = escape_part(out, in, part);
            in += part.size;
        }
        while (in < end && is_ascii(*in) && !lanes_is_plain((unsigned char)*in))
            out = escape_ascii(out, (unsigned char)*in++);
    }
    return out;
}

static size_t escaped_part_size(const char *in, struct utf8_part part)
{
    if (!part.valid)
        return 3;
    if (is_line_separator(in, part))
        return 6;
    if (part.size > 1)
        return part.size;
    return short_escape((unsigned char)*in) ? 2 : 6;
}

size_t json_escaped_size(struct slice text)
{
    size_t size = 0, i = 0;
    while (i < text.size) {
        size_t plain = lanes_plain_size(text.data + i, text.size - i);
        i += plain;
        size += plain;
        if (i == text.size)
            break;
        struct utf8_part part = utf8_first_part(text.data + i, text.size - i);
        size += escaped_part_size(text.data + i, part);
        i += part.size;
    }
    return size;
}

void json_add_string(struct bytes *b, struct slice text)
{
    size_t room = b->capacity - b->size;
    /* Measuring costs a second look at the text, and is needed only near the end of the memory. */
    if (room < 2 || text.size > (room - 2) / JSON_ESCAPE_GROWTH_MAX)
        room = json_escaped_size(text) + 2;
    char *start = bytes_room(b, room);
    if (!start)
        return;
    *start = '"';
    char *end = json_escape(start + 1, text);
    *end++ = '"';
    bytes_advance(b, (size_t)(end - start));
}

void json_add_u64(struct bytes *b, uint64_t value)
{
    char text[NUMBER_U64_CHARS_MAX];
    bytes_add(b, slice_from(text, (size_t)(number_from_u64(text, value) - text)));
}

void json_add_i64(struct bytes *b, int64_t value)
{
    char text[NUMBER_I64_CHARS_MAX];
    bytes_add(b, slice_from(text, (size_t)(number_from_i64(text, value) - text)));
}

void json_add_double(struct bytes *b, double value)
{
    char text[NUMBER_DOUBLE_CHARS_MAX];
    bytes_add(b, slice_from(text, (size_t)(number_from_double(text, value) - text)));
}

void json_add_key(struct bytes *b, struct slice key)
{
    if (b->size && b->data[b->size - 1] != '{')
        bytes_add_char(b, ',');
    json_add_string(b, key);
    bytes_add_char(b, ':');
}

size_t utf8_cut(struct slice text, size_t size_max)
{
    if (text.size <= size_max)
        return text.size;
    for (size_t back = 1; back <= 3 && back <= size_max; back++) {
        size_t start = size_max - back;
        if (utf8_is_continuation((unsigned char)text.data[start]))
            continue;
        struct utf8_part part = utf8_first_part(text.data + start, text.size - start);
        return part.valid && part.size > back ? start : size_max;
    }
    return size_max;
}
