/* One setting: text <-> its place in the configuration. */
#include "config_table.h"
#include "suggest.h"

#include "liblog/base/number.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

static void *target_of(const struct setting *setting, void *base)
{
    return (char *)base + setting->offset;
}

static const void *source_of(const struct setting *setting, const void *base)
{
    return (const char *)base + setting->offset;
}

int words_index(const char *const *words, const char *text)
{
    for (int i = 0; words[i]; i++)
        if (strcasecmp(words[i], text) == 0)
            return i;
    return -1;
}

const char *words_nearest(const char *const *words, const char *text)
{
    struct suggestion suggestion = {0};
    for (int i = 0; words[i]; i++)
        suggest(&suggestion, slice_of(text), words[i]);
    return suggestion.word;
}

void words_list(const char *const *words, char *out, size_t size)
{
    size_t used = 0;
    out[0] = '\0';
    for (int i = 0; words[i] && used < size; i++) {
        const char *separator = i == 0 ? "" : words[i + 1] ? ", " : " or ";
        used += (size_t)snprintf(out + used, size - used, "%s%s", separator, words[i]);
    }
}

bool setting_is_scalar(const struct setting *setting)
{
    return setting->type < SETTING_LEVELS;
}

static int read_text_value(const char *text, char **target)
{
    char *copy = strdup(text);
    if (!copy)
        return -1;
    free(*target);
    *target = copy;
    return 0;
}

static int read_flag(const char *text, bool *target)
{
    static const char *const words[] = {"false", "true", NULL};
    int index = words_index(words, text);
    if (index >= 0)
        *target = index;
    return index >= 0 ? 0 : -1;
}

/* Enums of GNU C and int have one size and representation. */
static int read_word(const struct setting *setting, const char *text, void *base)
{
    int index = words_index(setting->words, text);
    if (index < 0)
        return -1;
    if (setting->type == SETTING_FLAG_WORDS)
        *(bool *)target_of(setting, base) = index;
    else
        memcpy(target_of(setting, base), &index, sizeof index);
    return 0;
}

static int read_format(const struct setting *setting, const char *text, void *base)
{
    int index = words_index(setting->words, text);
    if (index < 0 || !scan_format_known(setting->words[index]))
        return -1;
    snprintf(target_of(setting, base), sizeof((struct scan_config *)0)->format, "%s", setting->words[index]);
    return 0;
}

static int read_quantity(const struct setting *setting, const char *text, void *base)
{
    uint64_t value;
    int r = setting->type == SETTING_SIZE ? number_to_size_bytes(slice_of(text), &value)
                                          : number_to_u64(slice_of(text), &value);
    if (r < 0 || value < setting->minimum || value > setting->maximum)
        return -1;
    *(uint64_t *)target_of(setting, base) = value;
    return 0;
}

static int read_duration(const struct setting *setting, const char *text, void *base)
{
    int64_t value;
    if (number_to_duration_ns(slice_of(text), &value) < 0 || value < (int64_t)setting->minimum ||
        value > (int64_t)setting->maximum)
        return -1;
    *(int64_t *)target_of(setting, base) = value;
    return 0;
}

int setting_read_text(const struct setting *setting, const char *text, void *base)
{
    switch (setting->type) {
    case SETTING_TEXT:
        return read_text_value(text, target_of(setting, base));
    case SETTING_FLAG:
        return read_flag(text, target_of(setting, base));
    case SETTING_FLAG_WORDS:
    case SETTING_CHOICE:
    case SETTING_KEY:
        return read_word(setting, text, base);
    case SETTING_FORMAT:
        return read_format(setting, text, base);
    case SETTING_NUMBER:
    case SETTING_SIZE:
        return read_quantity(setting, text, base);
    case SETTING_DURATION:
        return read_duration(setting, text, base);
    default:
        return -1;
    }
}

static void size_text(uint64_t bytes, char *out, size_t size)
{
    static const char *const units[] = {"", "KiB", "MiB", "GiB"};
    int unit = 0;
    while (unit < 3 && bytes >= 1024 && bytes % 1024 == 0) {
        bytes /= 1024;
        unit++;
    }
    snprintf(out, size, "%" PRIu64 "%s", bytes, units[unit]);
}

/* The largest units first, and only those that are there: 1h30m. */
static void duration_text(int64_t ns, char *out, size_t size)
{
    static const struct {
        int64_t ns;
        const char *name;
    } units[] = {
        {86400000000000, "d"}, {3600000000000, "h"}, {60000000000, "m"}, {1000000000, "s"}, {1000000, "ms"}};
    size_t used = 0;
    out[0] = '\0';
    for (size_t i = 0; i < sizeof units / sizeof units[0] && used < size; i++) {
        if (ns / units[i].ns > 0)
            used +=
                (size_t)snprintf(out + used, size - used, "%" PRId64 "%s", ns / units[i].ns, units[i].name);
        ns %= units[i].ns;
    }
}

static void wanted_words(const struct setting *setting, char *out, size_t size)
{
    const char *known[32] = {NULL};
    int count = 0;
    for (int i = 0; setting->words[i] && count < 31; i++)
        if (setting->type != SETTING_FORMAT || scan_format_known(setting->words[i]))
            known[count++] = setting->words[i];
    words_list(known, out, size);
}

static void wanted_range(const struct setting *setting, char *out, size_t size)
{
    char least[64], most[64];
    void (*write)(uint64_t, char *, size_t) = size_text;
    if (setting->type == SETTING_DURATION) {
        duration_text((int64_t)setting->minimum, least, sizeof least);
        duration_text((int64_t)setting->maximum, most, sizeof most);
    } else if (setting->type == SETTING_SIZE) {
        write(setting->minimum, least, sizeof least);
        write(setting->maximum, most, sizeof most);
    } else {
        snprintf(least, sizeof least, "%" PRIu64, setting->minimum);
        snprintf(most, sizeof most, "%" PRIu64, setting->maximum);
    }
    const char *what = setting->type == SETTING_DURATION ? "a span of time such as 10m, 2h or 30d,"
                       : setting->type == SETTING_SIZE   ? "a size such as 64KiB or 1MiB,"
                                                         : "a whole number";
    snprintf(out, size, "%s from %s to %s", what, least, most);
}

void setting_wanted(const struct setting *setting, char out[static SETTING_WANTED_SIZE])
{
    switch (setting->type) {
    case SETTING_FLAG:
        snprintf(out, SETTING_WANTED_SIZE, "true or false");
        break;
    case SETTING_NUMBER:
    case SETTING_SIZE:
    case SETTING_DURATION:
        wanted_range(setting, out, SETTING_WANTED_SIZE);
        break;
    case SETTING_TEXTS:
        snprintf(out, SETTING_WANTED_SIZE, "a text or a list of texts");
        break;
    case SETTING_SECTION:
        snprintf(out, SETTING_WANTED_SIZE, "a mapping (name: value)");
        break;
    case SETTING_LIST:
        snprintf(out, SETTING_WANTED_SIZE, "a list (each element begins with \"- \")");
        break;
    default:
        if (setting->words)
            wanted_words(setting, out, SETTING_WANTED_SIZE);
        else
            snprintf(out, SETTING_WANTED_SIZE, "a text");
    }
}

static bool text_of_text(const char *value, char *out)
{
    if (value)
        snprintf(out, SETTING_TEXT_SIZE, "%s", value);
    return value != NULL;
}

static bool text_of_word(const struct setting *setting, const void *base, char *out)
{
    int index;
    if (setting->type == SETTING_FLAG_WORDS)
        index = *(const bool *)source_of(setting, base);
    else
        memcpy(&index, source_of(setting, base), sizeof index);
    if (index >= 0)
        snprintf(out, SETTING_TEXT_SIZE, "%s", setting->words[index]);
    return index >= 0;
}

bool setting_text(const struct setting *setting, const void *base, char out[static SETTING_TEXT_SIZE])
{
    const void *source = source_of(setting, base);
    switch (setting->type) {
    case SETTING_TEXT:
        return text_of_text(*(char *const *)source, out);
    case SETTING_FORMAT:
        return text_of_text(source, out);
    case SETTING_FLAG:
        return text_of_text(*(const bool *)source ? "true" : "false", out);
    case SETTING_FLAG_WORDS:
    case SETTING_CHOICE:
    case SETTING_KEY:
        return text_of_word(setting, base, out);
    case SETTING_NUMBER:
        snprintf(out, SETTING_TEXT_SIZE, "%" PRIu64, *(const uint64_t *)source);
        return true;
    case SETTING_SIZE:
        size_text(*(const uint64_t *)source, out, SETTING_TEXT_SIZE);
        return true;
    case SETTING_DURATION:
        duration_text(*(const int64_t *)source, out, SETTING_TEXT_SIZE);
        return true;
    default:
        return false;
    }
}

static void setting_default(const struct setting *setting, void *base)
{
    static const int no_key = -1;
    if (setting->type == SETTING_SECTION)
        section_defaults(setting->section, base);
    else if (setting->type == SETTING_LEVELS)
        *(unsigned *)target_of(setting, base) = (1U << LEVEL_COUNT) - 1;
    else if (setting->type == SETTING_KEY)
        memcpy(target_of(setting, base), &no_key, sizeof no_key);
    else if (setting->initial)
        setting_read_text(setting, setting->initial, base);
}

void section_defaults(const struct section *section, void *base)
{
    for (int i = 0; i < section->count; i++)
        setting_default(&section->settings[i], base);
}

static void release_texts(const struct setting *setting, void *base)
{
    char **texts = target_of(setting, base);
    int count = *(const int *)((const char *)base + setting->count_offset);
    for (int i = 0; i < count; i++)
        free(texts[i]);
}

static void release_list(const struct setting *setting, void *base)
{
    char *elements = target_of(setting, base);
    int count = *(const int *)((const char *)base + setting->count_offset);
    for (int i = 0; i < count; i++)
        section_release(setting->section, elements + (size_t)i * setting->section->element_size);
}

static void setting_release(const struct setting *setting, void *base)
{
    switch (setting->type) {
    case SETTING_TEXT:
        free(*(char **)target_of(setting, base));
        break;
    case SETTING_TEXTS:
        release_texts(setting, base);
        break;
    case SETTING_SECTION:
        section_release(setting->section, base);
        break;
    case SETTING_LIST:
        release_list(setting, base);
        break;
    case SETTING_SPECIAL:
        if (setting->functions->release)
            setting->functions->release(base);
        break;
    default:
        break;
    }
}

void section_release(const struct section *section, void *base)
{
    for (int i = 0; i < section->count; i++)
        setting_release(&section->settings[i], base);
}
