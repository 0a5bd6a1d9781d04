/*
 * Any bytes as one line: every way of masking blocks gives the same answer, and what is taken lies within the
 * line. Then its lines one by one: what was learned from those before changes no answer, nor does it when
 * they are read as those of a file, which lie in a map.
 */
#include "fuzz.h"

#include "shipper/frame.h"
#include "shipper/scan_private.h"

#include "liblog/base/cleanup.h"
#include "liblog/base/json.h"

static void check_values(const struct event *event, struct slice line)
{
    char memory[200];
    for (int i = 0; i < EVENT_KEY_COUNT; i++) {
        const struct value *value = &event->value[i];
        if (value->kind == VALUE_ABSENT)
            continue;
        fuzz_must(value->data >= line.data && value->data + value->size <= line.data + line.size);
        fuzz_must(value_text(value, memory, sizeof(memory)).size <= sizeof(memory));
    }
}

static bool same_values(const struct event *a, const struct event *b)
{
    for (int i = 0; i < EVENT_KEY_COUNT; i++)
        if (a->value[i].data != b->value[i].data || a->value[i].size != b->value[i].size ||
            a->value[i].kind != b->value[i].kind || a->value[i].escaped != b->value[i].escaped)
            return false;
    return a->bad_utf8 == b->bad_utf8;
}

static void scan_by_every_way(struct scanner *scanner, struct slice line)
{
    struct event first, event;
    size_t count;
    const struct scan_way *ways = scan_ways(&count);
    scanner->way = &ways[count - 1]; /* plain */
    int expected = scan_line(scanner, line, &first);
    for (size_t i = 0; i < count; i++) {
        if (!ways[i].usable())
            continue;
        scanner->way = &ways[i];
        scan_shapes_release(
            &scanner->shapes); /* by the grammar, and then as a line of a shape that is known */
        for (int round = 0; round < 2; round++) {
            fuzz_must(scan_line(scanner, line, &event) == expected);
            fuzz_must(expected != 0 || same_values(&first, &event));
        }
    }
    if (expected != 0)
        return;
    fuzz_must(first.bad_utf8 || json_is_valid(line, SCAN_DEPTH_MAX));
    check_values(&first, line);
    event_interpret(scanner, &first, INT64_C(1760884200000000000), 0);
}

static void scan_line_by_line(struct scanner *taught, struct scanner *untaught, struct slice text)
{
    while (text.size) {
        const char *newline = memchr(text.data, '\n', text.size);
        struct slice line = slice_from(text.data, newline ? (size_t)(newline - text.data) : text.size);
        struct event expected, event;
        scan_shapes_release(&untaught->shapes);
        int answer = scan_line(untaught, line, &expected);
        fuzz_must(scan_line(taught, line, &event) == answer);
        fuzz_must(answer != 0 || same_values(&expected, &event));
        size_t taken = line.size + (newline != NULL);
        text = slice_from(text.data + taken, text.size - taken);
    }
}

/* As a file is read: what lies in a map, with events that have held other lines. */
static void scan_mapped_lines(struct scanner *mapped, struct scanner *alone, struct slice text)
{
    struct framer framer;
    struct frame frame;
    struct event expected, events[2] = {0};
    framer_init(&framer, 0, text.size);
    framer_feed(&framer, text);
    for (unsigned n = 0; (frame = framer_next(&framer)).kind != FRAME_END && frame.kind != FRAME_PARTIAL;
         n++) {
        struct event *event = &events[n % 2];
        if (frame.kind != FRAME_LINE)
            continue;
        int answer = scan_line(alone, frame.line, &expected);
        fuzz_must(scan_mapped_line(mapped, frame.map, frame.line, frame.odd, event) == answer);
        fuzz_must(answer != 0 || same_values(&expected, event));
    }
}

int fuzz_one(const uint8_t *data, size_t size)
{
    const struct scan_config config = {
        .format = "liblog",
        .mapping = {{EVENT_LEVEL, "log.level"}, {EVENT_EXCEPTION_TYPE, "err.kind"}},
        .mapping_count = 2};
    struct scanner *scanner, *untaught;
    _cleanup_free_ char *memory = malloc(size + SCAN_PADDING);
    if (!memory || scanner_new(&config, NULL, &scanner) < 0)
        return 0;
    if (scanner_new(&config, NULL, &untaught) < 0) {
        scanner_free(scanner);
        return 0;
    }
    if (size)
        memcpy(memory, data, size);
    memset(memory + size, '"', SCAN_PADDING);
    scan_by_every_way(scanner, slice_from(memory, size));
    scan_line_by_line(scanner, untaught, slice_from(memory, size));
    scan_mapped_lines(scanner, untaught, slice_from(memory, size));
    scanner_free(untaught);
    scanner_free(scanner);
    return 0;
}
