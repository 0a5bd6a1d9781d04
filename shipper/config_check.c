/* What must hold between settings. */
#include "config_read.h"
#include "config_special.h"
#include "pattern.h"

#include <string.h>
#include <strings.h>

enum { KEY_NAME_BYTES_MAX = 127 }; /* of a key in JSON, its objects included */

static yaml_node_t *find_value(struct reader *reader, yaml_node_t *node, const char *name)
{
    for (const yaml_node_pair_t *at = node->data.mapping.pairs.start; at < node->data.mapping.pairs.top;
         at++) {
        const yaml_node_t *key = yaml_document_get_node(reader->document, at->key);
        if (key->type == YAML_SCALAR_NODE && strcmp((const char *)key->data.scalar.value, name) == 0)
            return yaml_document_get_node(reader->document, at->value);
    }
    return NULL;
}

/* A required setting that is there but wrong was reported already. */
static void require(struct reader *reader, const struct place *place, yaml_node_t *node, const char *name,
                    const char *what)
{
    if (!find_value(reader, node, name))
        report_add(reader->report, ERR_CFG_007, place, "`%s` is missing: %s", name, what);
}

/* As the scanner will make them, so that a mistake is told with its line. */
static void check_pattern(struct reader *reader, const struct place *place, const char *text)
{
    struct pattern *pattern = NULL;
    struct problem problem = {0};
    if (pattern_new(text, true, &problem, &pattern) < 0)
        report_add(reader->report, problem.error, place, "%s", problem.text);
    pattern_free(pattern);
}

static void check_mapping(struct reader *reader, const struct place *keys, const struct key_mapping *mapping,
                          bool is_text)
{
    struct place place = place_inside(keys, config_key_words[mapping->key], keys->line);
    if (is_text)
        check_pattern(reader, &place, mapping->path);
    else if (strlen(mapping->path) > KEY_NAME_BYTES_MAX)
        report_value(reader->report, &place, mapping->path, "the name of a key, of at most 127 bytes,", NULL);
}

static void check_text(struct reader *reader, const struct place *place, yaml_node_t *node,
                       const struct config_input *input)
{
    bool is_text = scan_format_is_text(input->scan.format);
    yaml_node_t *keys = find_value(reader, node, "keys"), *multiline = find_value(reader, node, "multiline");
    struct place keys_place = place_inside(place, "keys", keys ? node_line(keys) : place->line);
    struct place multiline_place =
        place_inside(place, "multiline", multiline ? node_line(multiline) : place->line);
    for (int i = 0; i < input->scan.mapping_count; i++)
        check_mapping(reader, &keys_place, &input->scan.mapping[i], is_text);
    if (!input->multiline.start)
        return;
    struct place start_place = place_inside(&multiline_place, "start", multiline_place.line);
    check_pattern(reader, &start_place, input->multiline.start);
    if (!is_text)
        report_add(reader->report, ERR_CFG_004, &multiline_place,
                   "events of several lines are of text; `format: plain` would do");
}

void check_input(struct reader *reader, const struct place *place, yaml_node_t *node, void *element)
{
    check_text(reader, place, node, element);
    require(reader, place, node, "paths", "the patterns of files to follow");
    const yaml_node_t *paths = find_value(reader, node, "paths");
    bool is_empty = paths && paths->type == YAML_SEQUENCE_NODE &&
                    paths->data.sequence.items.start == paths->data.sequence.items.top;
    if (is_empty)
        report_add(reader->report, ERR_CFG_007, place, "`paths` is empty; at least one pattern would do");
}

static void check_name(struct reader *reader, const struct place *place, const struct config_output *output)
{
    static const char allowed[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._-";
    if (!output->name)
        return;
    struct place name_place = place_inside(place, "name", place->line);
    size_t size = strlen(output->name);
    if (size == 0 || size > 64 || strspn(output->name, allowed) != size)
        report_value(reader->report, &name_place, output->name,
                     "a name of up to 64 letters, digits, dots, hyphens and underscores", NULL);
    else if (strcmp(output->name, "stats") == 0)
        report_add(reader->report, ERR_CFG_004, &name_place,
                   "\"stats\" is how the statistics' own positions are called; any other name would do");
}

static bool is_kafka_key(const char *name)
{
    for (const struct setting *top = config_section.settings;
         top < config_section.settings + config_section.count; top++)
        for (int i = 0; strcmp(top->name, "outputs") == 0 && i < top->section->count; i++)
            if (strcmp(top->section->settings[i].name, name) == 0)
                return top->section->settings[i].is_kafka;
    return false;
}

static void check_no_kafka_keys(struct reader *reader, const struct place *place, yaml_node_t *node)
{
    for (const yaml_node_pair_t *at = node->data.mapping.pairs.start; at < node->data.mapping.pairs.top;
         at++) {
        const yaml_node_t *key = yaml_document_get_node(reader->document, at->key);
        if (key->type != YAML_SCALAR_NODE || !is_kafka_key((const char *)key->data.scalar.value))
            continue;
        struct place key_place = place_inside(place, (const char *)key->data.scalar.value, node_line(key));
        report_add(reader->report, ERR_CFG_003, &key_place,
                   "only an output of type kafka has this key; remove it");
    }
}

void check_output(struct reader *reader, const struct place *place, yaml_node_t *node, void *element)
{
    const struct config_output *output = element;
    require(reader, place, node, "name", "the database keeps the output's positions under it");
    require(reader, place, node, "type", "stdout or kafka");
    check_name(reader, place, output);
    if (output->type == OUTPUT_KAFKA) {
        require(reader, place, node, "brokers", "such as localhost:9092");
        require(reader, place, node, "topic", "where records go");
    } else if (find_value(reader, node, "type"))
        check_no_kafka_keys(reader, place, node);
}

static void check_names(const struct config *config, const struct place *outputs, struct report *report)
{
    for (int i = 0; i < config->output_count; i++) {
        for (int j = 0; j < i; j++) {
            if (!config->outputs[i].name || !config->outputs[j].name ||
                strcmp(config->outputs[i].name, config->outputs[j].name) != 0)
                continue;
            struct place place = place_element(outputs, i, 0);
            report_add(report, ERR_CFG_004, &place,
                       "the name \"%s\" is that of outputs[%d], too; another would do",
                       config->outputs[i].name, j);
            break;
        }
    }
}

static const char *property(const struct config_output *output, const char *name, const char *alias)
{
    for (int i = 0; i < output->property_count; i++)
        if (strcmp(output->property[i].name, name) == 0 || strcmp(output->property[i].name, alias) == 0)
            return output->property[i].value;
    return NULL;
}

/* GSSAPI, which is librdkafka's default, encrypts by itself; the others show passwords or records to the
 * network. */
static void check_sasl(const struct config_output *output, const struct place *place, struct report *report)
{
    const char *protocol = property(output, "security.protocol", "security.protocol");
    const char *mechanism = property(output, "sasl.mechanisms", "sasl.mechanism");
    if (!protocol || strcasecmp(protocol, "sasl_plaintext") != 0 || !mechanism ||
        strcasecmp(mechanism, "GSSAPI") == 0)
        return;
    report_add(report, ERR_CFG_004, place,
               "found sasl_plaintext with %s, which is unsafe in production; sasl_ssl would do", mechanism);
}

static void check_production(const struct config *config, const struct place *outputs, struct report *report)
{
    for (int i = 0; i < config->output_count; i++) {
        struct place element = place_element(outputs, i, 0);
        struct place place = place_inside(&element, "properties.security.protocol", 0);
        check_sasl(&config->outputs[i], &place, report);
    }
}

void check_config(const struct config *config, const char *file, struct report *report)
{
    struct place top = {.file = file};
    struct place outputs = place_inside(&top, "outputs", 0);
    check_names(config, &outputs, report);
    if (config->environment && strcasecmp(config->environment, "production") == 0)
        check_production(config, &outputs, report);
}
