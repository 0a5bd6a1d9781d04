#include "config_read.h"

#include "config_expand.h"
#include "suggest.h"

#include "liblog/base/cleanup.h"

#include <ctype.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

static void read_section(struct reader *reader, const struct place *place, const struct section *section,
                         yaml_node_t *node, void *base);

int node_line(const yaml_node_t *node)
{
    return (int)node->start_mark.line + 1;
}

static const char *scalar_text(const yaml_node_t *node)
{
    return (const char *)node->data.scalar.value;
}

/* `key:` with nothing behind it, `~`, null. */
static bool is_nothing(const yaml_node_t *node)
{
    if (node->type != YAML_SCALAR_NODE || node->data.scalar.style != YAML_PLAIN_SCALAR_STYLE)
        return false;
    const char *text = scalar_text(node);
    return !text[0] || strcmp(text, "~") == 0 || strcmp(text, "null") == 0;
}

static const char *found_kind(const yaml_node_t *node)
{
    switch (node->type) {
    case YAML_MAPPING_NODE:
        return "a mapping";
    case YAML_SEQUENCE_NODE:
        return "a list";
    default:
        return is_nothing(node) ? "nothing" : "a text";
    }
}

static void report_kind(struct reader *reader, const struct place *place, const yaml_node_t *node,
                        const char *wanted)
{
    report_add(reader->report, ERR_CFG_004, place, "found %s; %s would do", found_kind(node), wanted);
}

char *read_scalar(struct reader *reader, const struct place *place, yaml_node_t *node, const char *wanted)
{
    if (node->type != YAML_SCALAR_NODE || is_nothing(node)) {
        report_kind(reader, place, node, wanted);
        return NULL;
    }
    if (strlen(scalar_text(node)) != node->data.scalar.length) {
        report_add(reader->report, ERR_CFG_004, place, "found a NUL character; %s would do", wanted);
        return NULL;
    }
    char *text = NULL;
    struct problem problem = {0};
    if (config_expand(scalar_text(node), &reader->config->secrets, &text, &problem) < 0)
        report_add(reader->report, problem.error, place, "%s", problem.text);
    return text;
}

bool read_is_mapping(struct reader *reader, const struct place *place, yaml_node_t *node, const char *wanted)
{
    if (node->type == YAML_MAPPING_NODE)
        return true;
    report_kind(reader, place, node, wanted);
    return false;
}

static bool key_came_before(struct reader *reader, yaml_node_t *mapping, const yaml_node_pair_t *pair,
                            const char *key)
{
    for (const yaml_node_pair_t *at = mapping->data.mapping.pairs.start; at < pair; at++) {
        const yaml_node_t *other = yaml_document_get_node(reader->document, at->key);
        if (other->type == YAML_SCALAR_NODE && strcmp(scalar_text(other), key) == 0)
            return true;
    }
    return false;
}

bool read_next_pair(struct reader *reader, const struct place *outer, yaml_node_t *mapping,
                    struct mapping_pair *pair)
{
    const yaml_node_pair_t *at = pair->pair ? pair->pair + 1 : mapping->data.mapping.pairs.start;
    for (; at < mapping->data.mapping.pairs.top; at++) {
        const yaml_node_t *key = yaml_document_get_node(reader->document, at->key);
        if (key->type != YAML_SCALAR_NODE) {
            struct place place = *outer;
            place.line = node_line(key);
            report_add(reader->report, ERR_CFG_003, &place, "found %s as a key; a text would do",
                       found_kind(key));
            continue;
        }
        struct place place = place_inside(outer, scalar_text(key), node_line(key));
        if (key_came_before(reader, mapping, at, scalar_text(key))) {
            report_add(reader->report, ERR_CFG_004, &place, "the key is there twice; remove one of them");
            continue;
        }
        *pair = (struct mapping_pair){.pair = at,
                                      .key = scalar_text(key),
                                      .value = yaml_document_get_node(reader->document, at->value),
                                      .place = place};
        return true;
    }
    return false;
}

static void report_later(struct report *report, const struct place *place, const char *text,
                         const char *wanted)
{
    report_add(report, ERR_CFG_004, place, "\"%s\" is not in this version; %s would do", text, wanted);
}

/* The text of a scalar setting, wherever it came from. */
static void take_text(struct report *report, const struct place *place, const struct setting *setting,
                      const char *text, void *base)
{
    /* `${NAME:-}` is how to say: as by default, unless NAME is set. */
    bool is_default = !text[0] && setting->type == SETTING_TEXT && !setting->is_required;
    if (is_default)
        return;
    if (text[0] && setting_read_text(setting, text, base) == 0)
        return;
    char wanted[SETTING_WANTED_SIZE];
    setting_wanted(setting, wanted);
    if (setting->later && words_index(setting->later, text) >= 0)
        report_later(report, place, text, wanted);
    else
        report_value(report, place, text, wanted,
                     setting->words ? words_nearest(setting->words, text) : NULL);
}

static void read_scalar_setting(struct reader *reader, const struct place *place,
                                const struct setting *setting, yaml_node_t *node, void *base)
{
    char wanted[SETTING_WANTED_SIZE];
    setting_wanted(setting, wanted);
    _cleanup_free_ char *text = read_scalar(reader, place, node, wanted);
    if (text)
        take_text(reader->report, place, setting, text, base);
}

typedef void item_function(struct reader *reader, const struct place *place, const struct setting *setting,
                           yaml_node_t *node, void *base);

/* A list of texts; a single one stands for a list of one. */
static void for_each_item(struct reader *reader, const struct place *place, const struct setting *setting,
                          yaml_node_t *node, void *base, item_function *function)
{
    if (node->type != YAML_SEQUENCE_NODE) {
        function(reader, place, setting, node, base);
        return;
    }
    const yaml_node_item_t *start = node->data.sequence.items.start;
    for (const yaml_node_item_t *item = start; item < node->data.sequence.items.top; item++) {
        yaml_node_t *element = yaml_document_get_node(reader->document, *item);
        struct place element_place = place_element(place, (int)(item - start), node_line(element));
        function(reader, &element_place, setting, element, base);
    }
}

static void add_text(struct reader *reader, const struct place *place, const struct setting *setting,
                     yaml_node_t *node, void *base)
{
    int *count = (int *)((char *)base + setting->count_offset);
    char **texts = (char **)((char *)base + setting->offset);
    char wanted[SETTING_WANTED_SIZE];
    setting_wanted(setting, wanted);
    _cleanup_free_ char *text = read_scalar(reader, place, node, wanted);
    if (!text)
        return;
    if (!text[0])
        report_value(reader->report, place, "", wanted, NULL);
    else if (*count == CONFIG_PATHS_MAX)
        report_add(reader->report, ERR_CFG_004, place, "found more than %d texts", CONFIG_PATHS_MAX);
    else
        texts[(*count)++] = take_pointer(text);
}

static void add_level(struct reader *reader, const struct place *place, const struct setting *setting,
                      yaml_node_t *node, void *base)
{
    char wanted[SETTING_WANTED_SIZE];
    setting_wanted(setting, wanted);
    _cleanup_free_ char *text = read_scalar(reader, place, node, wanted);
    if (!text)
        return;
    int level = words_index(setting->words, text);
    if (level < 0)
        report_value(reader->report, place, text, wanted, words_nearest(setting->words, text));
    else
        *(unsigned *)((char *)base + setting->offset) |= 1U << level;
}

static void read_levels(struct reader *reader, const struct place *place, const struct setting *setting,
                        yaml_node_t *node, void *base)
{
    *(unsigned *)((char *)base + setting->offset) = 0;
    if (node->type == YAML_SEQUENCE_NODE && node->data.sequence.items.start == node->data.sequence.items.top)
        report_add(reader->report, ERR_CFG_004, place, "found no level at all; at least one would do");
    for_each_item(reader, place, setting, node, base, add_level);
}

static void read_list(struct reader *reader, const struct place *place, const struct setting *setting,
                      yaml_node_t *node, void *base)
{
    if (node->type != YAML_SEQUENCE_NODE) {
        char wanted[SETTING_WANTED_SIZE];
        setting_wanted(setting, wanted);
        report_kind(reader, place, node, wanted);
        return;
    }
    int *count = (int *)((char *)base + setting->count_offset);
    const struct section *section = setting->section;
    const yaml_node_item_t *start = node->data.sequence.items.start;
    for (const yaml_node_item_t *item = start; item < node->data.sequence.items.top; item++) {
        yaml_node_t *element = yaml_document_get_node(reader->document, *item);
        struct place element_place = place_element(place, (int)(item - start), node_line(element));
        if (*count == section->element_max) {
            report_add(reader->report, ERR_CFG_004, &element_place, "found more than %d",
                       section->element_max);
            return;
        }
        void *target = (char *)base + setting->offset + (size_t)(*count)++ * section->element_size;
        section_defaults(section, target);
        read_section(reader, &element_place, section, element, target);
    }
}

static void read_setting(struct reader *reader, const struct place *place, const struct setting *setting,
                         yaml_node_t *node, void *base)
{
    switch (setting->type) {
    case SETTING_LEVELS:
        read_levels(reader, place, setting, node, base);
        break;
    case SETTING_TEXTS:
        for_each_item(reader, place, setting, node, base, add_text);
        break;
    case SETTING_SECTION:
        if (!is_nothing(node)) /* a heading whose settings are all commented out */
            read_section(reader, place, setting->section, node, base);
        break;
    case SETTING_LIST:
        read_list(reader, place, setting, node, base);
        break;
    case SETTING_SPECIAL:
        setting->functions->read(reader, place, node, base);
        break;
    default:
        read_scalar_setting(reader, place, setting, node, base);
    }
}

static const struct setting *find_setting(const struct section *section, const char *name)
{
    for (int i = 0; i < section->count; i++)
        if (strcmp(section->settings[i].name, name) == 0)
            return &section->settings[i];
    return NULL;
}

static void report_unknown(struct report *report, const struct place *place, const struct section *section,
                           const char *name)
{
    struct suggestion suggestion = {0};
    char known[512] = "";
    size_t used = 0;
    for (int i = 0; i < section->count; i++) {
        suggest(&suggestion, slice_of(name), section->settings[i].name);
        if (used < sizeof known)
            used += (size_t)snprintf(known + used, sizeof known - used, "%s%s", i ? ", " : "",
                                     section->settings[i].name);
    }
    if (suggestion.word)
        report_add(report, ERR_CFG_003, place, "there is no such key; did you mean \"%s\"?", suggestion.word);
    else
        report_add(report, ERR_CFG_003, place, "there is no such key; known here: %s", known);
}

static void read_section(struct reader *reader, const struct place *place, const struct section *section,
                         yaml_node_t *node, void *base)
{
    if (!read_is_mapping(reader, place, node, "a mapping (name: value)"))
        return;
    struct mapping_pair pair = {0};
    while (read_next_pair(reader, place, node, &pair)) {
        const struct setting *setting = find_setting(section, pair.key);
        if (setting)
            read_setting(reader, &pair.place, setting, pair.value, base);
        else
            report_unknown(reader->report, &pair.place, section, pair.key);
    }
    if (section->check)
        section->check(reader, place, node, base);
}

static void report_yaml(const yaml_parser_t *parser, struct place *place, struct report *report)
{
    place->line = (int)parser->problem_mark.line + 1;
    report_add(report, ERR_CFG_002, place, "not valid YAML: %s%s%s",
               parser->problem ? parser->problem : "out of memory", parser->context ? ", " : "",
               parser->context ? parser->context : "");
}

static void read_document(struct place *place, yaml_document_t *document, struct config *config,
                          struct report *report)
{
    struct reader reader = {.document = document, .config = config, .report = report};
    yaml_node_t *root = yaml_document_get_root_node(document);
    if (!root)
        report_add(report, ERR_CFG_002, place,
                   "the file is empty; conf/shipper.example.yaml shows what could stand in it");
    else
        read_section(&reader, place, &config_section, root, config);
}

/* There may be one document only: a second one would otherwise be left out without a word. */
static void read_end(struct place *place, yaml_parser_t *parser, struct report *report)
{
    yaml_document_t document;
    if (!yaml_parser_load(parser, &document)) {
        report_yaml(parser, place, report);
        return;
    }
    yaml_node_t *root = yaml_document_get_root_node(&document);
    place->line = root ? node_line(root) : 0;
    if (root)
        report_add(report, ERR_CFG_002, place, "found a second document; one would do");
    yaml_document_delete(&document);
}

static void read_yaml(struct place *place, const char *text, struct config *config, struct report *report)
{
    _cleanup_(yaml_parser_delete) yaml_parser_t parser;
    yaml_document_t document;
    if (!yaml_parser_initialize(&parser)) {
        memset(&parser, 0, sizeof parser);
        report_add(report, ERR_INT_001, place, "out of memory");
        return;
    }
    yaml_parser_set_input_string(&parser, (const unsigned char *)text, strlen(text));
    if (!yaml_parser_load(&parser, &document)) {
        report_yaml(&parser, place, report);
        return;
    }
    read_document(place, &document, config, report);
    bool has_root = yaml_document_get_root_node(&document);
    yaml_document_delete(&document);
    if (has_root)
        read_end(place, &parser, report);
}

void config_read(const char *file, struct config *config, struct report *report)
{
    _cleanup_free_ char *text = NULL;
    struct place place = {.file = file};
    int r = config_read_file(file, CONFIG_FILE_BYTES_MAX, &text);
    if (r == -EFBIG)
        report_add(report, ERR_CFG_001, &place, "the file is larger than 1 MiB");
    else if (r == -EILSEQ)
        report_add(report, ERR_CFG_002, &place, "not valid YAML: there is a NUL byte in the file");
    else if (r < 0) {
        char reason[128];
        if (strerror_r(-r, reason, sizeof reason) != 0)
            snprintf(reason, sizeof reason, "error %d of the system", -r);
        report_add(report, ERR_CFG_001, &place, "cannot be read: %s", reason);
    } else
        read_yaml(&place, text, config, report);
}

static void read_variables(const struct section *section, const char *prefix, void *base,
                           struct report *report)
{
    for (int i = 0; i < section->count; i++) {
        const struct setting *setting = &section->settings[i];
        struct place place = {0};
        snprintf(place.key, sizeof place.key, "%s_%s", prefix, setting->name);
        for (char *c = place.key; *c; c++)
            *c = (char)toupper((unsigned char)*c);
        if (setting->type == SETTING_SECTION)
            read_variables(setting->section, place.key, base, report);
        const char *value = setting_is_scalar(setting) ? getenv(place.key) : NULL;
        if (value && value[0])
            take_text(report, &place, setting, value, base);
    }
}

void config_read_environment(struct config *config, struct report *report)
{
    read_variables(&config_section, "SHIPPER", config, report);
}
