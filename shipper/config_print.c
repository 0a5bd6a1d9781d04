/* struct config -> YAML, by the table of settings; and the table itself as example file and manual. */
#include "config_expand.h"
#include "config_special.h"

#include "liblog/base/bytes.h"
#include "liblog/base/cleanup.h"
#include "liblog/base/json.h"

#include <stdlib.h>
#include <string.h>

static void print_section(const struct config *config, const struct section *section, const void *base,
                          int indent, bool first_is_indented, FILE *out);

void print_masked(FILE *out)
{
    fputs("\"********\"", out);
}

static bool is_plain(const char *text)
{
    static const char safe[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._-/+";
    return text[0] && text[0] != '-' && strspn(text, safe) == strlen(text) && strcmp(text, "null") != 0;
}

/* JSON's strings are YAML's strings in double quotes. What would be expanded when read again is kept from it.
 */
static void print_quoted(const char *text, FILE *out)
{
    size_t size = strlen(text);
    _cleanup_free_ char *doubled = malloc(2 * size + 1);
    _cleanup_free_ char *escaped = malloc(2 * size * JSON_ESCAPE_GROWTH_MAX + 1);
    if (!doubled || !escaped)
        return;
    char *end = doubled;
    for (const char *at = text; *at; at++) {
        if (strncmp(at, "${", 2) == 0)
            *end++ = '$';
        *end++ = *at;
    }
    const char *escaped_end = json_escape(escaped, slice_from(doubled, (size_t)(end - doubled)));
    fprintf(out, "\"%.*s\"", (int)(escaped_end - escaped), escaped);
}

void print_scalar(const struct config *config, const char *text, FILE *out)
{
    if (config_secrets_in(&config->secrets, text))
        print_masked(out);
    else if (is_plain(text))
        fputs(text, out);
    else
        print_quoted(text, out);
}

static void print_texts(const struct config *config, const struct setting *setting, const void *base,
                        FILE *out)
{
    char *const *texts = (char *const *)((const char *)base + setting->offset);
    int count = *(const int *)((const char *)base + setting->count_offset);
    fputs(" [", out);
    for (int i = 0; i < count; i++) {
        fputs(i ? ", " : "", out);
        print_scalar(config, texts[i], out);
    }
    fputs("]\n", out);
}

static void print_levels(const struct setting *setting, const void *base, FILE *out)
{
    unsigned levels = *(const unsigned *)((const char *)base + setting->offset);
    const char *separator = " [";
    for (int i = 0; i < LEVEL_COUNT; i++) {
        if (!(levels & 1U << i))
            continue;
        fprintf(out, "%s%s", separator, config_level_words[i]);
        separator = ", ";
    }
    fputs("]\n", out);
}

static void print_list(const struct config *config, const struct setting *setting, const void *base,
                       int indent, FILE *out)
{
    int count = *(const int *)((const char *)base + setting->count_offset);
    const char *elements = (const char *)base + setting->offset;
    fputs(count ? "\n" : " []\n", out);
    for (int i = 0; i < count; i++) {
        fprintf(out, "%*s- ", indent + 2, "");
        print_section(config, setting->section, elements + (size_t)i * setting->section->element_size,
                      indent + 4, true, out);
    }
}

/* Behind "name:", up to the end of the line or of the lines. */
static void print_value(const struct config *config, const struct setting *setting, const void *base,
                        int indent, FILE *out)
{
    char text[SETTING_TEXT_SIZE];
    switch (setting->type) {
    case SETTING_TEXTS:
        print_texts(config, setting, base, out);
        break;
    case SETTING_LEVELS:
        print_levels(setting, base, out);
        break;
    case SETTING_SECTION:
        fputc('\n', out);
        print_section(config, setting->section, base, indent + 2, false, out);
        break;
    case SETTING_LIST:
        print_list(config, setting, base, indent, out);
        break;
    case SETTING_SPECIAL:
        setting->functions->print(config, base, indent, out);
        break;
    default:
        setting_text(setting, base, text);
        fputc(' ', out);
        print_scalar(config, text, out);
        fputc('\n', out);
    }
}

/* Whether there is anything to print: optional texts, empty lists of texts and tables are left out. */
static bool is_given(const struct config *config, const struct setting *setting, const void *base)
{
    char text[SETTING_TEXT_SIZE];
    if (setting->type == SETTING_TEXTS)
        return *(const int *)((const char *)base + setting->count_offset) > 0;
    if (setting->type != SETTING_SPECIAL)
        return !setting_is_scalar(setting) || setting_text(setting, base, text);
    _cleanup_(cleanup_free) char *nothing = NULL;
    size_t size;
    FILE *out = open_memstream(&nothing, &size);
    bool given = out && setting->functions->print(config, base, 0, out);
    if (out)
        fclose(out);
    return given;
}

static void print_section(const struct config *config, const struct section *section, const void *base,
                          int indent, bool first_is_indented, FILE *out)
{
    bool is_stdout = section->element_size == sizeof(struct config_output) &&
                     ((const struct config_output *)base)->type == OUTPUT_STDOUT;
    bool is_json = section->element_size == sizeof(struct config_input) &&
                   !scan_format_is_text(((const struct config_input *)base)->scan.format);
    for (int i = 0; i < section->count; i++) {
        const struct setting *setting = &section->settings[i];
        if ((setting->is_kafka && is_stdout) || (setting->is_text && is_json) ||
            !is_given(config, setting, base))
            continue;
        fprintf(out, "%*s%s:", first_is_indented ? 0 : indent, "", setting->name);
        print_value(config, setting, base, indent, out);
        first_is_indented = false;
    }
}

void config_print(const struct config *config, FILE *out)
{
    print_section(config, &config_section, config, 0, false, out);
}
