/* The table of settings as files for people: conf/shipper.example.yaml and docs/shipper.yaml.md. */
#include "config_special.h"
#include "config_table.h"

#include <string.h>

enum { LINE_CHARS_MAX = 110 };

/* Writes `text` word by word, each line behind `indent` blanks and "# ". */
static void print_comment(const char *text, int indent, FILE *out)
{
    int column = LINE_CHARS_MAX + 1;
    bool is_first = true;
    while (*text) {
        int size = (int)strcspn(text, " ");
        if (column + 1 + size > LINE_CHARS_MAX) {
            column = fprintf(out, "%s%*s# %.*s", is_first ? "" : "\n", indent, "", size, text);
            is_first = false;
        } else
            column += fprintf(out, " %.*s", size, text);
        text += size + (text[size] == ' ');
    }
    fputc('\n', out);
}

/* "From 1KiB to 64MiB." or "One of: a, b or c.", where the type alone does not say it. */
static void bounds_text(const struct setting *setting, char *out, size_t size)
{
    char wanted[SETTING_WANTED_SIZE];
    setting_wanted(setting, wanted);
    bool is_words = setting->words && setting->type != SETTING_LEVELS && setting->type != SETTING_KEY;
    const char *range = setting->maximum ? strstr(wanted, "from ") : NULL;
    out[0] = '\0';
    if (is_words && setting->words[1])
        snprintf(out, size, "One of %s.", wanted);
    else if (range)
        snprintf(out, size, "F%s.", range + 1);
}

static void help_text(const struct setting *setting, char *out, size_t size)
{
    char bounds[SETTING_WANTED_SIZE + 16];
    bounds_text(setting, bounds, sizeof bounds);
    snprintf(out, size, "%s%s%s", setting->help, bounds[0] ? " " : "", bounds);
}

static void example_section(const struct section *section, int variant, int indent, bool first_is_indented,
                            FILE *out);

/* In which of the two elements of a list a setting is explained. */
static bool is_explained(const struct setting *setting, int variant)
{
    return (setting->is_kafka ? 1 : 0) == variant;
}

static void explain(const struct setting *setting, int variant, int indent, FILE *out)
{
    char help[1024];
    help_text(setting, help, sizeof help);
    if (is_explained(setting, variant))
        print_comment(help, indent, out);
}

/* The first setting of an element stands behind its "- ": what explains it goes before that. */
static void example_list(const struct setting *setting, int indent, FILE *out)
{
    for (int variant = 0; variant < 2; variant++) {
        explain(&setting->section->settings[0], variant, indent + 2, out);
        fprintf(out, "%*s- ", indent + 2, "");
        example_section(setting->section, variant, indent + 4, true, out);
    }
}

/* A value of several lines goes on further in, and commented where its beginning is. */
static void example_value(const char *value, const char *prefix, int indent, FILE *out)
{
    for (const char *end; (end = strchr(value, '\n')); value = end + 1)
        fprintf(out, "%.*s\n%*s%s  ", (int)(end - value), value, indent, "", prefix);
    fprintf(out, "%s\n", value);
}

static void example_line(const struct setting *setting, int variant, int indent, bool is_indented, FILE *out)
{
    const char *value = setting->example[variant];
    const char *shown = value ? value : setting->initial ? setting->initial : setting->example[1];
    if (!shown || (!value && !is_explained(setting, variant)))
        return;
    const char *prefix = value ? "" : "# ";
    fprintf(out, "%*s%s%s: ", is_indented ? 0 : indent, "", prefix, setting->name);
    example_value(shown, prefix, indent, out);
}

static void example_setting(const struct setting *setting, int variant, int indent, bool is_indented,
                            FILE *out)
{
    if (!is_indented)
        explain(setting, variant, indent, out);
    if (!setting->section) {
        example_line(setting, variant, indent, is_indented, out);
        return;
    }
    if (variant == 1) /* explained in the first element */
        return;
    fprintf(out, "%*s%s:\n", indent, "", setting->name);
    if (setting->type == SETTING_LIST)
        example_list(setting, indent, out);
    else
        example_section(setting->section, 0, indent + 2, false, out);
}

static void example_section(const struct section *section, int variant, int indent, bool first_is_indented,
                            FILE *out)
{
    for (int i = 0; i < section->count; i++) {
        if (indent == 0 && i > 0)
            fputc('\n', out);
        example_setting(&section->settings[i], variant, indent, first_is_indented && i == 0, out);
    }
}

void config_example(FILE *out)
{
    fputs("# Every setting of shipper. Commented ones show their default or an example.\n"
          "# `shipper check -c FILE` says what is wrong with a file, and what it means.\n"
          "#\n"
          "# Inside values: ${NAME}, ${NAME:-default}, ${file:/run/secrets/name}. SHIPPER_STATE_DIR, "
          "SHIPPER_STATS_MAX_SERIES\n"
          "# and so on win over what stands here.\n\n",
          out);
    example_section(&config_section, 0, 0, false, out);
}

static void manual_rows(const struct section *section, FILE *out)
{
    fputs("| key | default | meaning |\n|---|---|---|\n", out);
    for (int i = 0; i < section->count; i++) {
        const struct setting *setting = &section->settings[i];
        char help[1024];
        help_text(setting, help, sizeof help);
        const char *quote = setting->initial ? "`" : "";
        fprintf(out, "| `%s` | %s%s%s | %s%s |\n", setting->name, quote,
                setting->initial ? setting->initial : "", quote, setting->is_kafka ? "(kafka) " : "", help);
    }
}

static void manual_section(const struct section *section, const char *heading, FILE *out)
{
    fprintf(out, "\n## %s\n\n", heading);
    manual_rows(section, out);
    for (int i = 0; i < section->count; i++) {
        const struct setting *setting = &section->settings[i];
        char inner[128];
        snprintf(inner, sizeof inner, "%s%s%s%s", section == &config_section ? "" : heading,
                 section == &config_section ? "" : ".", setting->name,
                 setting->type == SETTING_LIST ? "[]" : "");
        if (setting->section)
            manual_section(setting->section, inner, out);
    }
}

void config_manual(FILE *out)
{
    fputs("# shipper.yaml\n\n"
          "Every setting of shipper, made from the table that the program itself reads by. "
          "`conf/shipper.example.yaml` is the\n"
          "same as a file to start from; `shipper check -c FILE` tells what is wrong with a file and what it "
          "means.\n\n"
          "Values may hold `${NAME}`, `${NAME:-default}`, `${file:/path}` and `${file:/path:-default}`. They "
          "are expanded after\n"
          "the YAML was parsed, so what a variable holds can only ever be a part of that value; `$${` stands "
          "for `${`. When\n"
          "NAME is not set but NAME_FILE is, the value is read from that file. What came out of a file is "
          "never shown.\n\n"
          "A variable of the environment wins over the file: `SHIPPER_STATE_DIR` for `state_dir`, "
          "`SHIPPER_STATS_MAX_SERIES` for\n"
          "`stats.max_series`, and so on for every single value outside of `inputs` and `outputs`. What "
          "stands on the command\n"
          "line wins over both.\n",
          out);
    manual_section(&config_section, "The file", out);
}
