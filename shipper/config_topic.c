/* What an output of type kafka has besides plain settings: the topic, fixed or by a table, and librdkafka's
 * properties. */
#define _GNU_SOURCE /* strcasestr */

#include "config_expand.h"
#include "config_read.h"
#include "config_special.h"

#include "liblog/base/cleanup.h"

#include <stdlib.h>
#include <string.h>
#include <strings.h>

static const char topic_wanted[] = "a name of up to 249 letters, digits, dots, hyphens and underscores";
static const char *const from_words[] = {"level", "service", NULL};

static bool is_topic(const char *name)
{
    size_t size = strlen(name);
    bool is_dots = strcmp(name, ".") == 0 || strcmp(name, "..") == 0;
    return size > 0 && size <= 249 && !is_dots &&
           strspn(name, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._-") == size;
}

static char *read_topic_name(struct reader *reader, const struct place *place, yaml_node_t *node)
{
    _cleanup_free_ char *name = read_scalar(reader, place, node, topic_wanted);
    if (name && !is_topic(name)) {
        report_value(reader->report, place, name, topic_wanted, NULL);
        return NULL;
    }
    return take_pointer(name);
}

static void read_from(struct reader *reader, const struct place *place, yaml_node_t *node,
                      struct config_output *output)
{
    _cleanup_free_ char *text = read_scalar(reader, place, node, "level or service");
    if (!text)
        return;
    if (words_index(from_words, text) < 0)
        report_value(reader->report, place, text, "level or service", words_nearest(from_words, text));
    else
        output->topic_from = take_pointer(text);
}

static void add_route(struct reader *reader, const struct mapping_pair *pair, struct config_output *output)
{
    _cleanup_free_ char *topic = read_topic_name(reader, &pair->place, pair->value);
    _cleanup_free_ char *value = strdup(pair->key);
    if (!value)
        report_add(reader->report, ERR_INT_001, &pair->place, "out of memory");
    if (!topic || !value)
        return;
    if (output->route_count == CONFIG_ROUTES_MAX)
        report_add(reader->report, ERR_CFG_004, &pair->place, "found more than %d values", CONFIG_ROUTES_MAX);
    else
        output->route[output->route_count++] =
            (struct config_route){.value = take_pointer(value), .topic = take_pointer(topic)};
}

static void read_routes(struct reader *reader, const struct place *place, yaml_node_t *node,
                        struct config_output *output)
{
    if (!read_is_mapping(reader, place, node, "a table of levels or services and their topics"))
        return;
    struct mapping_pair pair = {0};
    while (read_next_pair(reader, place, node, &pair))
        add_route(reader, &pair, output);
}

/* `map` may come before `from`, so this looks at its values when both are read. */
static void check_routes(struct reader *reader, const struct place *place, const struct config_output *output)
{
    if (!output->topic_from || strcmp(output->topic_from, "level") != 0)
        return;
    char wanted[128];
    words_list(config_level_words, wanted, sizeof wanted);
    for (int i = 0; i < output->route_count; i++) {
        const char *value = output->route[i].value;
        if (words_index(config_level_words, value) < 0)
            report_value(reader->report, place, value, wanted, words_nearest(config_level_words, value));
    }
}

static void read_topic_table(struct reader *reader, const struct place *place, yaml_node_t *node,
                             struct config_output *output)
{
    bool has_default = false, has_from = false;
    struct mapping_pair pair = {0};
    while (read_next_pair(reader, place, node, &pair)) {
        if (strcmp(pair.key, "from") == 0) {
            has_from = true;
            read_from(reader, &pair.place, pair.value, output);
        } else if (strcmp(pair.key, "map") == 0)
            read_routes(reader, &pair.place, pair.value, output);
        else if (strcmp(pair.key, "default") == 0) {
            has_default = true;
            output->topic = read_topic_name(reader, &pair.place, pair.value);
        } else
            report_add(reader->report, ERR_CFG_003, &pair.place,
                       "there is no such key; from, map or default would do");
    }
    if (!has_from)
        report_add(reader->report, ERR_CFG_007, place, "`from` is missing: level or service");
    if (!has_default)
        report_add(reader->report, ERR_CFG_007, place,
                   "`default` is missing: the topic of what the table does not name");
    check_routes(reader, place, output);
}

static void read_topic(struct reader *reader, const struct place *place, yaml_node_t *node, void *base)
{
    struct config_output *output = base;
    if (node->type == YAML_MAPPING_NODE)
        read_topic_table(reader, place, node, output);
    else
        output->topic = read_topic_name(reader, place, node);
}

static bool print_topic(const struct config *config, const void *base, int indent, FILE *out)
{
    const struct config_output *output = base;
    (void)indent;
    if (!output->topic)
        return false;
    if (!output->topic_from) {
        fprintf(out, " %s\n", output->topic);
        return true;
    }
    fprintf(out, " { from: %s, map: { ", output->topic_from);
    for (int i = 0; i < output->route_count; i++) {
        fputs(i ? ", " : "", out);
        print_scalar(config, output->route[i].value, out);
        fprintf(out, ": %s", output->route[i].topic);
    }
    fprintf(out, " }, default: %s }\n", output->topic);
    return true;
}

static void release_topic(void *base)
{
    struct config_output *output = base;
    free(output->topic);
    free(output->topic_from);
    for (int i = 0; i < output->route_count; i++) {
        free(output->route[i].value);
        free(output->route[i].topic);
    }
}

const struct setting_functions topic_functions = {
    .read = read_topic, .print = print_topic, .release = release_topic};

/* What shipper sets itself, since its promises hang on it; with the aliases that librdkafka knows. */
static const char *const owned_properties[] = {"acks",
                                               "request.required.acks",
                                               "enable.idempotence",
                                               "transactional.id",
                                               "max.in.flight",
                                               "max.in.flight.requests.per.connection",
                                               "message.timeout.ms",
                                               "delivery.timeout.ms",
                                               "plugin.library.paths",
                                               NULL};
static const char *const broker_properties[] = {"bootstrap.servers", "metadata.broker.list", NULL};

static bool is_allowed(struct reader *reader, const struct place *place, const char *name,
                       const struct config_output *output)
{
    if (words_index(owned_properties, name) >= 0)
        report_add(reader->report, ERR_CFG_006, place,
                   "this is set by shipper, since its promises hang on it; remove it");
    else if (words_index(broker_properties, name) >= 0)
        report_add(reader->report, ERR_CFG_006, place, "this is set by shipper; use `brokers` of the output");
    else if (output->property_count == CONFIG_PROPERTIES_MAX)
        report_add(reader->report, ERR_CFG_004, place, "found more than %d properties",
                   CONFIG_PROPERTIES_MAX);
    else
        return true;
    return false;
}

static void add_property(struct reader *reader, const struct mapping_pair *pair, struct config_output *output)
{
    _cleanup_free_ char *value = read_scalar(reader, &pair->place, pair->value, "a text or a number");
    if (!is_allowed(reader, &pair->place, pair->key, output) || !value)
        return;
    char *name = strdup(pair->key);
    if (name)
        output->property[output->property_count++] =
            (struct config_property){.name = name, .value = take_pointer(value)};
    else
        report_add(reader->report, ERR_INT_001, &pair->place, "out of memory");
}

static void read_properties(struct reader *reader, const struct place *place, yaml_node_t *node, void *base)
{
    if (!read_is_mapping(reader, place, node, "a table of librdkafka's settings"))
        return;
    struct mapping_pair pair = {0};
    while (read_next_pair(reader, place, node, &pair))
        add_property(reader, &pair, base);
}

/* Rather one too many: a hidden path can be looked up in the file, a shown password cannot be taken back. */
static bool is_secret_name(const char *name)
{
    static const char *const parts[] = {"password", "passwd",     "secret", "token", "key",
                                        "jaas",     "credential", "pem",    NULL};
    for (int i = 0; parts[i]; i++)
        if (strcasestr(name, parts[i]))
            return true;
    return false;
}

static bool print_properties(const struct config *config, const void *base, int indent, FILE *out)
{
    const struct config_output *output = base;
    if (output->property_count == 0)
        return false;
    for (int i = 0; i < output->property_count; i++) {
        const struct config_property *property = &output->property[i];
        fprintf(out, "\n%*s", indent + 2, "");
        print_scalar(config, property->name, out);
        fputs(": ", out);
        if (is_secret_name(property->name))
            print_masked(out);
        else
            print_scalar(config, property->value, out);
    }
    fputc('\n', out);
    return true;
}

static void release_properties(void *base)
{
    struct config_output *output = base;
    for (int i = 0; i < output->property_count; i++) {
        free(output->property[i].name);
        free(output->property[i].value);
    }
}

const struct setting_functions properties_functions = {
    .read = read_properties, .print = print_properties, .release = release_properties};
