#include "event.h"

#include "liblog/base/json.h"
#include "liblog/base/number.h"
#include "liblog/base/utf8.h"

static const char replacement[] = "\xEF\xBF\xBD"; /* U+FFFD */

static const struct slice level_names[LEVEL_COUNT] = {
    {"TRACE", 5}, {"DEBUG", 5}, {"INFO", 4}, {"WARNING", 7}, {"ERROR", 5}, {"CRITICAL", 8}, {"UNKNOWN", 7},
};

const char *level_name(enum level level)
{
    return level_names[level].data;
}

/* syslog's 0 to 7, and tens as pino and bunyan have them, with what a program put between them. */
static enum level level_from_number(uint64_t number)
{
    static const enum level syslog[] = {LEVEL_CRITICAL, LEVEL_CRITICAL, LEVEL_CRITICAL, LEVEL_ERROR,
                                        LEVEL_WARNING,  LEVEL_INFO,     LEVEL_INFO,     LEVEL_DEBUG};
    if (number < sizeof(syslog) / sizeof(syslog[0]))
        return syslog[number];
    if (number < 10 || number >= 70)
        return LEVEL_UNKNOWN;
    return (enum level)(LEVEL_TRACE + number / 10 - 1);
}

static bool equal_in_any_case(struct slice text, const char *lower)
{
    size_t i = 0;
    for (; i < text.size && lower[i]; i++) {
        char c = text.data[i];
        if ((c >= 'A' && c <= 'Z' ? c + ('a' - 'A') : c) != lower[i])
            return false;
    }
    return i == text.size && !lower[i];
}

/* In any letter case, and as numbers. */
static enum level level_from_alias(struct slice text)
{
    static const struct {
        const char *lower;
        enum level level;
    } names[] = {
        {"info", LEVEL_INFO},          {"error", LEVEL_ERROR},        {"warning", LEVEL_WARNING},
        {"debug", LEVEL_DEBUG},        {"critical", LEVEL_CRITICAL},  {"trace", LEVEL_TRACE},
        {"warn", LEVEL_WARNING},       {"err", LEVEL_ERROR},          {"fatal", LEVEL_CRITICAL},
        {"crit", LEVEL_CRITICAL},      {"notice", LEVEL_INFO},        {"information", LEVEL_INFO},
        {"informational", LEVEL_INFO}, {"inf", LEVEL_INFO},           {"dbg", LEVEL_DEBUG},
        {"wrn", LEVEL_WARNING},        {"panic", LEVEL_CRITICAL},     {"dpanic", LEVEL_CRITICAL},
        {"emerg", LEVEL_CRITICAL},     {"emergency", LEVEL_CRITICAL}, {"alert", LEVEL_CRITICAL},
        {"severe", LEVEL_ERROR},       {"exception", LEVEL_ERROR},    {"verbose", LEVEL_TRACE},
        {"finest", LEVEL_TRACE},       {"finer", LEVEL_TRACE},        {"fine", LEVEL_DEBUG},
        {"ftl", LEVEL_CRITICAL},       {"trc", LEVEL_TRACE},
    };
    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
        if (equal_in_any_case(text, names[i].lower))
            return names[i].level;
    uint64_t number;
    return number_to_u64(text, &number) < 0 ? LEVEL_UNKNOWN : level_from_number(number);
}

enum level level_from_text(struct slice text)
{
    for (enum level level = LEVEL_TRACE; level < LEVEL_UNKNOWN; level++)
        if (slice_equal(text, level_names[level]))
            return level;
    return level_from_alias(text);
}

static uint32_t hex_digit(char c)
{
    return (uint32_t)(c <= '9' ? c - '0' : (c | 0x20) - 'a' + 10);
}

static uint32_t hex_four(const char *text)
{
    return hex_digit(text[0]) << 12 | hex_digit(text[1]) << 8 | hex_digit(text[2]) << 4 | hex_digit(text[3]);
}

static size_t put_character(char out[static 4], uint32_t code)
{
    if (code < 0x80) {
        out[0] = (char)code;
        return 1;
    }
    size_t more = code < 0x800 ? 1 : code < 0x10000 ? 2 : 3;
    for (size_t i = more; i > 0; i--, code >>= 6)
        out[i] = (char)(0x80 | (code & 0x3F));
    out[0] = (char)(0xFF00 >> (more + 1) | code);
    return more + 1;
}

/* A \u escape at `text`, or two that are a surrogate pair; half a pair becomes U+FFFD. Returns how much was
 * read. */
static size_t resolve_unicode(const char *text, const char *end, uint32_t *ret_code)
{
    uint32_t code = hex_four(text + 2);
    size_t size = 6;
    if (code >= 0xD800 && code < 0xE000) {
        bool paired = code < 0xDC00 && end - text >= 12 && text[6] == '\\' && text[7] == 'u';
        uint32_t low = paired ? hex_four(text + 8) : 0;
        paired = low >= 0xDC00 && low < 0xE000;
        code = paired ? 0x10000 + ((code - 0xD800) << 10) + (low - 0xDC00) : 0xFFFD;
        size = paired ? 12 : 6;
    }
    *ret_code = code;
    return size;
}

/* The escape at `text`; its grammar was checked by the scanner. Returns how much was read. */
static size_t resolve_escape(const char *text, const char *end, char out[static 4], size_t *ret_size)
{
    static const char from[] = "bfnrt", to[] = "\b\f\n\r\t";
    uint32_t code = (uint8_t)text[1];
    size_t read = 2;
    const char *found = code ? strchr(from, text[1]) : NULL;
    if (found)
        code = (uint8_t)to[found - from];
    else if (code == 'u')
        read = resolve_unicode(text, end, &code);
    *ret_size = put_character(out, code);
    return read;
}

/* The next character of a string as it is meant. Returns how much of it was read. */
static size_t resolve_next(const char *text, const char *end, char out[static 4], size_t *ret_size)
{
    if (*text == '\\')
        return resolve_escape(text, end, out, ret_size);
    struct utf8_part part = utf8_first_part(text, (size_t)(end - text));
    *ret_size = part.valid ? part.size : sizeof(replacement) - 1;
    memcpy(out, part.valid ? text : replacement, *ret_size);
    return part.size;
}

static struct slice resolve(const struct value *value, char *memory, size_t size)
{
    const char *end = value->data + value->size;
    size_t used = 0;
    for (const char *text = value->data; text < end;) {
        char character[4];
        size_t character_size;
        text += resolve_next(text, end, character, &character_size);
        if (character_size > size - used)
            break;
        memcpy(memory + used, character, character_size);
        used += character_size;
    }
    return slice_from(memory, used);
}

struct slice value_text(const struct value *value, char *memory, size_t size)
{
    if (value->kind == VALUE_ABSENT || value->kind == VALUE_NULL)
        return (struct slice){0};
    if (value->escaped)
        return resolve(value, memory, size);
    struct slice text = slice_from(value->data, value->size);
    return slice_from(text.data, text.size <= size ? text.size : utf8_cut(text, size));
}
