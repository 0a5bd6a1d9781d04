#include "scan_shape.h"

#include "scan_scalar.h"

#include <stdlib.h>

void scan_shapes_init(struct scan_shapes *shapes)
{
    *shapes = (struct scan_shapes){0};
}

void scan_shapes_release(struct scan_shapes *shapes)
{
    free(shapes->node);
    scan_shapes_init(shapes);
}

/* ---- the tree ---- */

static bool node_is(const struct scan_shape_node *a, const struct scan_shape_node *b)
{
    return a->size == b->size && a->slot == b->slot && a->key == b->key &&
           memcmp(a->literal, b->literal, a->size) == 0;
}

/* The node as it stands in a place, which begins with *first; made when it is new. NULL without room. */
static struct scan_shape_node *take_node(struct scan_shapes *shapes, struct scan_shape_node **first,
                                         const struct scan_shape_node *node)
{
    struct scan_shape_node **link = first;
    for (int beside = 0; *link; link = &(*link)->beside, beside++)
        if (node_is(*link, node) || beside == SCAN_SHAPE_BESIDE_MAX)
            break;
    if (*link)
        return node_is(*link, node) ? *link : NULL;
    if (shapes->count == SCAN_SHAPE_NODES_MAX)
        return NULL;
    *link = &shapes->node[shapes->count++];
    **link = *node;
    return *link;
}

static struct scan_shape_node make_node(struct slice literal, enum scan_slot slot, int key)
{
    struct scan_shape_node node = {
        .bits = (uint32_t)((UINT64_C(1) << literal.size) - 1),
        .size = (uint8_t)literal.size,
        .slot = (uint8_t)slot,
        .key = (uint8_t)key,
    };
    memcpy(node.literal, literal.data, literal.size);
    return node;
}

/* ---- learning ---- */

/* A line on its way into the tree. */
struct path {
    struct scan_shapes *shapes;
    const struct event *event;
    struct scan_shape_node **place; /* where the next node goes; NULL: there was no room for one */
    const char *from;               /* what follows the last value */
    uint32_t keys;                  /* of the values so far */
};

/* The literal from the last value to `to`, and what comes behind it. */
static void add_literal(struct path *path, const char *to, enum scan_slot slot, int key)
{
    while (path->place) {
        size_t size = (size_t)(to - path->from);
        bool last = size <= SCAN_LITERAL_SIZE_MAX;
        struct slice literal = slice_from(path->from, last ? size : SCAN_LITERAL_SIZE_MAX);
        struct scan_shape_node node = make_node(literal, last ? slot : SLOT_NONE, last ? key : EVENT_NO_KEY);
        path->keys |= UINT32_C(1) << node.key;
        node.keys = path->keys & ~(UINT32_C(1) << EVENT_NO_KEY);
        struct scan_shape_node *taken = take_node(path->shapes, path->place, &node);
        path->place = taken ? &taken->next : NULL;
        path->from += literal.size;
        if (last)
            return;
    }
}

static int key_of(const struct event *event, const char *value)
{
    for (int key = 0; key < EVENT_KEY_COUNT; key++)
        if (event->value[key].kind != VALUE_ABSENT && event->value[key].data == value)
            return key;
    return EVENT_NO_KEY;
}

/* The string whose opening quote is at `at`. Returns its closing quote, or what follows it when it is a key.
 */
static const char *add_string(struct path *path, const char *at, const char *end)
{
    const char *close = memchr(at + 1, '"', (size_t)(end - at - 1));
    const char *behind = close + 1;
    while (*behind == ' ' || *behind == '\t' || *behind == '\r' || *behind == '\n')
        behind++;
    if (*behind == ':')
        return behind;
    add_literal(path, at + 1, SLOT_STRING, key_of(path->event, at + 1));
    path->from = close;
    return close + 1;
}

static const char *add_scalar(struct path *path, const char *at, const char *end)
{
    add_literal(path, at, SLOT_SCALAR, key_of(path->event, at));
    path->from = scan_scalar_end(at, end);
    return path->from;
}

static const char *add_token(struct path *path, const char *at, const char *end)
{
    if (*at == '"')
        return add_string(path, at, end);
    if (*at == '-' || (*at >= '0' && *at <= '9') || *at == 't' || *at == 'f' || *at == 'n')
        return add_scalar(path, at, end);
    return at + 1;
}

/* A value that is no string or scalar has no place in a tree, nor one that is two keys. */
static bool has_shape(struct slice line, const struct event *event)
{
    if (event->bad_utf8 || memchr(line.data, '\\', line.size))
        return false;
    for (int key = 0; key < EVENT_KEY_COUNT; key++) {
        const struct value *value = &event->value[key];
        if (value->kind == VALUE_OBJECT || value->kind == VALUE_ARRAY)
            return false;
        if (value->kind != VALUE_ABSENT && key_of(event, value->data) != key)
            return false;
    }
    return true;
}

static bool add_line(struct scan_shapes *shapes, struct slice line, const struct event *event)
{
    if (!shapes->node)
        shapes->node = calloc(SCAN_SHAPE_NODES_MAX, sizeof(*shapes->node));
    if (!shapes->node)
        return false;
    struct path path = {.shapes = shapes, .event = event, .place = &shapes->first, .from = line.data};
    const char *end = line.data + line.size;
    for (const char *at = line.data; at < end && path.place;)
        at = add_token(&path, at, end);
    add_literal(&path, end, SLOT_END, EVENT_NO_KEY);
    return path.place;
}

void scan_shapes_learn(struct scan_shapes *shapes, struct slice line, const struct event *event)
{
    if (!has_shape(line, event))
        return;
    if (shapes->count < SCAN_SHAPE_NODES_MAX && add_line(shapes, line, event))
        return;
    /* What a full tree knows may be what a program wrote yesterday. */
    if (++shapes->misses < SCAN_SHAPE_MISSES_MAX)
        return;
    shapes->first = NULL;
    shapes->count = shapes->misses = 0;
}
