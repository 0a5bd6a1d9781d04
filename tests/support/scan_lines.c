/*
 * What shipper's scanner finds in each line of standard input, as one line of JSON: the reason of a reject,
 * or the values of the record's keys. For tests that compare it with a parser of another language.
 *
 *     scan_lines WAY [FORMAT [KEY=PATH…]]      WAY is one of those that `scan_lines` without arguments prints
 */
#include "shipper/scan_private.h"

#include "liblog/base/bytes.h"
#include "liblog/base/cleanup.h"
#include "liblog/base/json.h"
#include "shipper/config.h"

#include <stdio.h>
#include <stdlib.h>

static int print_ways(void)
{
    size_t count;
    const struct scan_way *ways = scan_ways(&count);
    for (size_t i = 0; i < count; i++)
        if (ways[i].usable())
            puts(ways[i].name);
    return 0;
}

static const struct scan_way *find_way(const char *name)
{
    size_t count;
    const struct scan_way *ways = scan_ways(&count);
    for (size_t i = 0; i < count; i++)
        if (strcmp(ways[i].name, name) == 0 && ways[i].usable())
            return &ways[i];
    return NULL;
}

static int find_key(const char *name, size_t size)
{
    for (int key = 0; key < EVENT_KEY_COUNT; key++)
        if (slice_is(slice_from(name, size), config_key_name((enum event_key)key)))
            return key;
    return -1;
}

static int add_mapping(struct scan_config *config, const char *text)
{
    const char *equals = strchr(text, '=');
    int key = equals ? find_key(text, (size_t)(equals - text)) : -1;
    if (key < 0)
        return -1;
    struct key_mapping *mapping = &config->mapping[config->mapping_count++];
    mapping->key = (enum event_key)key;
    snprintf(mapping->path, sizeof(mapping->path), "%s", equals + 1);
    return 0;
}

static void print_text(struct slice text)
{
    _cleanup_free_ char *escaped = malloc(text.size * JSON_ESCAPE_GROWTH_MAX + 1);
    if (!escaped)
        abort();
    const char *end = json_escape(escaped, text);
    printf("\"%.*s\"", (int)(end - escaped), escaped);
}

static void print_value(const struct value *value)
{
    static const char *const kinds[] = {
        [VALUE_STRING] = "string", [VALUE_NUMBER] = "number", [VALUE_TRUE] = "true",  [VALUE_FALSE] = "false",
        [VALUE_NULL] = "null",     [VALUE_OBJECT] = "object", [VALUE_ARRAY] = "array"};
    _cleanup_free_ char *memory = malloc(3 * (size_t)value->size + 4);
    if (!memory)
        abort();
    printf("[\"%s\",", kinds[value->kind]);
    print_text(value_text(value, memory, 3 * (size_t)value->size + 4));
    putchar(']');
}

static void print_event(struct scanner *scanner, struct event *event)
{
    printf("{\"utf8\":%s,\"values\":{", event->bad_utf8 ? "false" : "true");
    bool first = true;
    for (int key = 0; key < EVENT_KEY_COUNT; key++) {
        if (event->value[key].kind == VALUE_ABSENT)
            continue;
        printf("%s\"%s\":", first ? "" : ",", config_key_name((enum event_key)key));
        print_value(&event->value[key]);
        first = false;
    }
    event_interpret(scanner, event, INT64_MAX / 2, -1);
    printf("},\"level\":\"%s\",\"seq\":%llu,\"time_ns\":%lld}\n", level_name(event->level),
           (unsigned long long)event->seq, event->bad_time ? -1LL : (long long)event->time_ns);
}

static void scan(struct scanner *scanner, const char *text, size_t size)
{
    struct event event;
    _cleanup_free_ char *line =
        malloc(size + SCAN_PADDING); /* of its own, so that a sanitizer sees a byte too much */
    if (!line)
        abort();
    memcpy(line, text, size);
    memset(line + size, '"', SCAN_PADDING);
    int reason = scan_line(scanner, slice_from(line, size), &event);
    if (reason == 0)
        print_event(scanner, &event);
    else
        printf("{\"reject\":\"%s\"}\n", reject_reason_name((enum reject_reason)(reason - 1)));
}

int main(int argc, char **argv)
{
    struct scan_config config = {0};
    struct problem problem = {0};
    struct scanner *scanner = NULL;
    if (argc < 2)
        return print_ways();
    snprintf(config.format, sizeof(config.format), "%s", argc > 2 ? argv[2] : "liblog");
    for (int i = 3; i < argc; i++)
        if (add_mapping(&config, argv[i]) < 0)
            return 2;
    if (!find_way(argv[1]) || scanner_new(&config, &problem, &scanner) < 0)
        return 2;
    scanner->way = find_way(argv[1]);
    _cleanup_free_ char *line = NULL;
    size_t capacity = 0;
    for (ssize_t size; (size = getline(&line, &capacity, stdin)) > 0;)
        scan(scanner, line, (size_t)(size - (line[size - 1] == '\n')));
    scanner_free(scanner);
    return 0;
}
