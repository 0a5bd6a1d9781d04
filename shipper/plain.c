#include "plain.h"

#include "pattern.h"
#include "plain_time.h"
#include "scan_utf8.h"
#include "trace.h"

#include "liblog/base/cleanup.h"

enum { LEVEL_SEARCHED_BYTES = 256, LEVEL_WORD_BYTES_MAX = 16 };

struct plain_key {
    enum event_key key;
    struct pattern *pattern;
};

struct plain {
    struct plain_key key[SCAN_MAPPING_MAX];
    int key_count;
};

/* ---- a level, by looking ---- */

static bool is_upper(char c)
{
    return c >= 'A' && c <= 'Z';
}

static bool is_letter(char c)
{
    return is_upper(c) || (c >= 'a' && c <= 'z');
}

static bool is_word_byte(char c)
{
    return is_letter(c) || (c >= '0' && c <= '9') || c == '_';
}

static bool all_upper(struct slice word)
{
    for (size_t i = 0; i < word.size; i++)
        if (!is_upper(word.data[i]))
            return false;
    return true;
}

/* level=error, lvl=error, severity=error … */
static bool is_named(const char *begin, const char *word)
{
    static const struct slice names[] = {{"level=", 6}, {"lvl=", 4}, {"severity=", 9}, {"level\":\"", 8}};
    word -= word > begin && word[-1] == '"' && word - begin > 1 && word[-2] == '=';
    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
        if ((size_t)(word - begin) >= names[i].size &&
            memcmp(word - names[i].size, names[i].data, names[i].size) == 0)
            return true;
    return false;
}

/* [error], <err>, (error), [core:error] */
static bool is_bracketed(const char *begin, const char *end, struct slice word)
{
    const char *behind = word.data + word.size;
    if (word.data == begin || behind == end)
        return false;
    char before = word.data[-1];
    return (*behind == ']' && (before == '[' || before == ':')) || (*behind == '>' && before == '<') ||
           (*behind == ')' && before == '(');
}

/* A word of a sentence ("an error occurred") is none; one in capitals, or set apart, is. */
static bool is_level(const char *begin, const char *end, struct slice word)
{
    if (word.size > LEVEL_WORD_BYTES_MAX || level_from_text(word) == LEVEL_UNKNOWN)
        return false;
    return all_upper(word) || is_bracketed(begin, end, word) || is_named(begin, word.data);
}

struct slice plain_level_find(struct slice text)
{
    size_t size = text.size < LEVEL_SEARCHED_BYTES ? text.size : LEVEL_SEARCHED_BYTES;
    const char *line_end = size ? memchr(text.data, '\n', size) : NULL;
    const char *end = line_end ? line_end : text.data + size;
    for (const char *at = text.data; at < end;) {
        const char *word = at;
        while (at < end && is_word_byte(*at))
            at++;
        struct slice found = slice_from(word, (size_t)(at - word));
        if (found.size && is_letter(*word) && is_level(text.data, end, found))
            return found;
        at += at == word;
    }
    return (struct slice){0};
}

/* ---- the event ---- */

static struct value value_of(struct slice text)
{
    return (struct value){
        .data = text.data, .size = (uint32_t)text.size, .kind = text.size ? VALUE_STRING : VALUE_ABSENT};
}

static struct slice first_line(struct slice text)
{
    const char *end = memchr(text.data, '\n', text.size);
    size_t size = end ? (size_t)(end - text.data) : text.size;
    while (size && text.data[size - 1] == '\r')
        size--;
    return slice_from(text.data, size);
}

/* By the patterns; of several for one key the first that matches stands. */
static void take_keys(const struct plain *plain, struct slice text, struct event *event)
{
    if (text.size > PLAIN_SEARCHED_BYTES_MAX)
        text.size = PLAIN_SEARCHED_BYTES_MAX;
    for (int i = 0; i < plain->key_count; i++) {
        struct value *value = &event->value[plain->key[i].key];
        struct slice found;
        if (value->kind == VALUE_ABSENT && pattern_find(plain->key[i].pattern, text, &found))
            *value = value_of(found);
    }
}

/* A stack trace begins with the second line of its event, if at all. */
static struct slice type_behind_first_line(struct slice text)
{
    const char *newline = memchr(text.data, '\n', text.size);
    if (!newline)
        return (struct slice){0};
    return trace_type(slice_from(newline + 1, (size_t)(text.data + text.size - newline - 1)), false);
}

static bool has_pattern(const struct plain *plain, enum event_key key)
{
    for (int i = 0; i < plain->key_count; i++)
        if (plain->key[i].key == key)
            return true;
    return false;
}

void plain_scan(const struct plain *plain, struct slice text, struct event *ret_event)
{
    struct slice time;
    *ret_event = (struct event){0};
    if (text.size == 0)
        return;
    take_keys(plain, text, ret_event);
    if (!has_pattern(plain, EVENT_MESSAGE))
        ret_event->value[EVENT_MESSAGE] = value_of(first_line(text));
    if (!has_pattern(plain, EVENT_TIMESTAMP) && plain_time_find(text, &time))
        ret_event->value[EVENT_TIMESTAMP] = value_of(time);
    if (!has_pattern(plain, EVENT_LEVEL))
        ret_event->value[EVENT_LEVEL] = value_of(plain_level_find(text));
    if (!has_pattern(plain, EVENT_EXCEPTION_TYPE))
        ret_event->value[EVENT_EXCEPTION_TYPE] = value_of(type_behind_first_line(text));
    ret_event->bad_utf8 = !scan_utf8_is_valid(text);
}

/* ---- beginning and end ---- */

static void cleanup_plain(struct plain **plain)
{
    plain_free(*plain);
}

int plain_new(const struct scan_config *config, struct problem *ret_problem, struct plain **ret_plain)
{
    _cleanup_(cleanup_plain) struct plain *plain = calloc(1, sizeof(*plain));
    if (!plain)
        return problem_set(ret_problem, ERR_INT_002, "no memory is left for the patterns of an input");
    for (int i = 0; i < config->mapping_count; i++) {
        const struct key_mapping *mapping = &config->mapping[i];
        struct plain_key *key = &plain->key[plain->key_count];
        int result = pattern_new(mapping->path, true, ret_problem, &key->pattern);
        if (result < 0)
            return result;
        key->key = mapping->key;
        plain->key_count++;
    }
    *ret_plain = take_pointer(plain);
    return 0;
}

void plain_free(struct plain *plain)
{
    if (!plain)
        return;
    for (int i = 0; i < plain->key_count; i++)
        pattern_free(plain->key[i].pattern);
    free(plain);
}
