/*
 * keys: { message: msg, exception.type: err.kind, level: { from: status, map: { "500-599": ERROR }, default:
 * INFO } }
 */
#include "config_read.h"
#include "config_special.h"

#include "liblog/base/cleanup.h"
#include "liblog/base/number.h"

#include <inttypes.h>
#include <string.h>

static void add_mapping(struct reader *reader, const struct place *place, struct scan_config *scan, int key,
                        const char *path)
{
    struct key_mapping mapping = {.key = (enum event_key)key};
    if (!path[0] || strlen(path) >= sizeof mapping.path) {
        report_value(reader->report, place, path,
                     "the name of a key in the records, or a pattern, of at most 255 bytes,", NULL);
        return;
    }
    if (scan->mapping_count == SCAN_MAPPING_MAX) {
        report_add(reader->report, ERR_CFG_004, place, "found more than %d keys", SCAN_MAPPING_MAX);
        return;
    }
    snprintf(mapping.path, sizeof mapping.path, "%s", path);
    scan->mapping[scan->mapping_count++] = mapping;
}

static void read_path(struct reader *reader, const struct place *place, struct scan_config *scan, int key,
                      yaml_node_t *node)
{
    _cleanup_free_ char *path = read_scalar(reader, place, node, "the name of a key in the records");
    if (path)
        add_mapping(reader, place, scan, key, path);
}

static int read_level(struct reader *reader, const struct place *place, yaml_node_t *node)
{
    char wanted[128];
    words_list(config_level_words, wanted, sizeof wanted);
    _cleanup_free_ char *text = read_scalar(reader, place, node, wanted);
    if (!text)
        return -1;
    int level = words_index(config_level_words, text);
    if (level < 0)
        report_value(reader->report, place, text, wanted, words_nearest(config_level_words, text));
    return level;
}

/* "500-599", "500", "-5--1": whether the whole text is a range of whole numbers. */
static bool parse_range(const char *text, int64_t *ret_from, int64_t *ret_to)
{
    if (number_to_i64(slice_of(text), ret_from) == 0) {
        *ret_to = *ret_from;
        return true;
    }
    const char *dash = text[0] ? strchr(text + 1, '-') : NULL;
    return dash && number_to_i64(slice_from(text, (size_t)(dash - text)), ret_from) == 0 &&
           number_to_i64(slice_of(dash + 1), ret_to) == 0;
}

static void add_rule(struct reader *reader, const struct mapping_pair *pair, struct scan_config *scan)
{
    struct level_rule rule = {0};
    int level = read_level(reader, &pair->place, pair->value);
    if (level < 0)
        return;
    rule.level = (enum level)level;
    bool is_range = parse_range(pair->key, &rule.from, &rule.to);
    if (is_range && rule.from > rule.to)
        report_value(reader->report, &pair->place, pair->key, "a range from the smaller number to the larger",
                     NULL);
    else if (!is_range && (!pair->key[0] || strlen(pair->key) >= sizeof rule.text))
        report_value(reader->report, &pair->place, pair->key,
                     "a text of at most 63 bytes, or a range such as 500-599,", NULL);
    else if (scan->level_rule_count == SCAN_LEVEL_RULES_MAX)
        report_add(reader->report, ERR_CFG_004, &pair->place, "found more than %d values",
                   SCAN_LEVEL_RULES_MAX);
    else {
        if (!is_range)
            snprintf(rule.text, sizeof rule.text, "%s", pair->key);
        scan->level_rule[scan->level_rule_count++] = rule;
    }
}

static void read_rules(struct reader *reader, const struct place *place, yaml_node_t *node,
                       struct scan_config *scan)
{
    if (!read_is_mapping(reader, place, node, "a table of values and their levels"))
        return;
    struct mapping_pair pair = {0};
    while (read_next_pair(reader, place, node, &pair))
        add_rule(reader, &pair, scan);
}

static void read_level_table(struct reader *reader, const struct place *place, yaml_node_t *node,
                             struct scan_config *scan)
{
    bool has_from = false;
    struct mapping_pair pair = {0};
    while (read_next_pair(reader, place, node, &pair)) {
        if (strcmp(pair.key, "from") == 0) {
            has_from = true;
            read_path(reader, &pair.place, scan, EVENT_LEVEL, pair.value);
        } else if (strcmp(pair.key, "map") == 0)
            read_rules(reader, &pair.place, pair.value, scan);
        else if (strcmp(pair.key, "default") == 0) {
            int level = read_level(reader, &pair.place, pair.value);
            if (level >= 0) {
                scan->level_default = (enum level)level;
                scan->has_level_default = true;
            }
        } else
            report_add(reader->report, ERR_CFG_003, &pair.place,
                       "there is no such key; from, map or default would do");
    }
    if (!has_from)
        report_add(reader->report, ERR_CFG_007, place,
                   "`from` is missing: the key whose value decides the level");
}

static void read_keys(struct reader *reader, const struct place *place, yaml_node_t *node, void *base)
{
    struct scan_config *scan = &((struct config_input *)base)->scan;
    if (!read_is_mapping(reader, place, node, "a table: the record's key, then the key in the file"))
        return;
    struct mapping_pair pair = {0};
    while (read_next_pair(reader, place, node, &pair)) {
        int key = words_index(config_key_words, pair.key);
        const char *nearest = key < 0 ? words_nearest(config_key_words, pair.key) : NULL;
        if (key < 0)
            report_add(reader->report, ERR_CFG_003, &pair.place, "the record has no such key%s%s%s",
                       nearest ? "; did you mean \"" : "", nearest ? nearest : "", nearest ? "\"?" : "");
        else if (key == EVENT_LEVEL && pair.value->type == YAML_MAPPING_NODE)
            read_level_table(reader, &pair.place, pair.value, scan);
        else
            read_path(reader, &pair.place, scan, key, pair.value);
    }
}

static void print_rules(const struct config *config, const struct scan_config *scan, FILE *out)
{
    fputs("map: { ", out);
    for (int i = 0; i < scan->level_rule_count; i++) {
        const struct level_rule *rule = &scan->level_rule[i];
        fputs(i ? ", " : "", out);
        if (rule->text[0])
            print_scalar(config, rule->text, out);
        else if (rule->from == rule->to)
            fprintf(out, "\"%" PRId64 "\"", rule->from);
        else
            fprintf(out, "\"%" PRId64 "-%" PRId64 "\"", rule->from, rule->to);
        fprintf(out, ": %s", config_level_words[rule->level]);
    }
    fputs(" }, ", out);
}

static bool print_keys(const struct config *config, const void *base, int indent, FILE *out)
{
    const struct scan_config *scan = &((const struct config_input *)base)->scan;
    if (scan->mapping_count == 0)
        return false;
    for (int i = 0; i < scan->mapping_count; i++) {
        const struct key_mapping *mapping = &scan->mapping[i];
        bool is_table =
            mapping->key == EVENT_LEVEL && (scan->level_rule_count > 0 || scan->has_level_default);
        fprintf(out, "\n%*s%s: %s", indent + 2, "", config_key_words[mapping->key],
                is_table ? "{ from: " : "");
        print_scalar(config, mapping->path, out);
        if (!is_table)
            continue;
        fputs(", ", out);
        if (scan->level_rule_count > 0)
            print_rules(config, scan, out);
        enum level level = scan->has_level_default ? scan->level_default : LEVEL_UNKNOWN;
        fprintf(out, "default: %s }", config_level_words[level]);
    }
    fputc('\n', out);
    return true;
}

const struct setting_functions keys_functions = {.read = read_keys, .print = print_keys};
