#include "scan_shape.h"

#include "problem.h"
#include "scan_grammar.h"

#include <stdlib.h>

enum { NODES_MIN = 64 };

void scan_shapes_init(struct scan_shapes *shapes)
{
    *shapes = (struct scan_shapes){.first = -1};
}

void scan_shapes_release(struct scan_shapes *shapes)
{
    free(shapes->node);
    scan_shapes_init(shapes);
}

/* ---- the tree ---- */

/* The place behind node `parent`, or the beginning of a line. */
static int first_behind(const struct scan_shapes *shapes, int parent)
{
    return parent < 0 ? shapes->first : shapes->node[parent].next;
}

static bool node_is(const struct scan_shape_node *a, const struct scan_shape_node *b)
{
    return a->word[0] == b->word[0] && a->word[1] == b->word[1] && a->size == b->size && a->slot == b->slot &&
           a->key == b->key;
}

static int grow(struct scan_shapes *shapes)
{
    int capacity = shapes->capacity ? 2 * shapes->capacity : NODES_MIN;
    struct scan_shape_node *node = reallocarray(shapes->node, (size_t)capacity, sizeof(*node));
    if (!node)
        return -ERR_INT_002;
    shapes->node = node;
    shapes->capacity = capacity;
    return 0;
}

/* Puts a node behind the last of those in its place. Its index, or -1 when there is no room. */
static int append(struct scan_shapes *shapes, int parent, int last, const struct scan_shape_node *node)
{
    if (shapes->count == SCAN_SHAPE_NODES_MAX || (shapes->count == shapes->capacity && grow(shapes) < 0))
        return -1;
    int index = shapes->count++;
    shapes->node[index] = *node;
    if (last >= 0)
        shapes->node[last].beside = (int16_t)index;
    else if (parent >= 0)
        shapes->node[parent].next = (int16_t)index;
    else
        shapes->first = index;
    return index;
}

/* The node as it stands behind `parent`, made when it is new. Its index, or -1. */
static int take_node(struct scan_shapes *shapes, int parent, const struct scan_shape_node *node)
{
    int last = -1, beside = 0;
    for (int i = first_behind(shapes, parent); i >= 0; i = shapes->node[i].beside, beside++) {
        if (node_is(&shapes->node[i], node))
            return i;
        last = i;
    }
    return beside < SCAN_SHAPE_BESIDE_MAX ? append(shapes, parent, last, node) : -1;
}

static struct scan_shape_node make_node(struct slice literal, enum scan_slot slot, int key)
{
    struct scan_shape_node node = {
        .next = -1, .beside = -1, .size = (uint8_t)literal.size, .slot = (uint8_t)slot, .key = (int8_t)key};
    char there[SCAN_LITERAL_SIZE_MAX] = {0};
    memset(there, 0xFF, literal.size);
    memcpy(node.mask, there, sizeof(there));
    memcpy(node.word, literal.data, literal.size);
    return node;
}

/* ---- learning ---- */

/* A line on its way into the tree. */
struct path {
    struct scan_shapes *shapes;
    const struct event *event;
    int node;         /* the last one, or -1 */
    bool full;        /* there was no room for one */
    const char *from; /* what follows the last value */
};

/* The literal from the last value to `to`, and what comes behind it. */
static void add_literal(struct path *path, const char *to, enum scan_slot slot, int key)
{
    while (!path->full) {
        size_t size = (size_t)(to - path->from);
        bool last = size <= SCAN_LITERAL_SIZE_MAX;
        struct slice literal = slice_from(path->from, last ? size : SCAN_LITERAL_SIZE_MAX);
        struct scan_shape_node node = make_node(literal, last ? slot : SLOT_NONE, last ? key : -1);
        path->node = take_node(path->shapes, path->node, &node);
        path->full = path->node < 0;
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
    return -1;
}

/* The string whose opening quote is at `at`. Returns its closing quote, or what follows it when it is a key.
 */
static const char *add_string(struct path *path, const char *at, const char *end)
{
    const char *close = memchr(at + 1, '"', (size_t)(end - at - 1));
    const char *behind = close + 1;
    while (*behind == ' ' || *behind == '\t')
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
    path->from = grammar_scalar_end(at, end);
    return path->from;
}

/* Brackets end a literal, so that what differs within an object leaves what stands before it alone. */
static const char *add_token(struct path *path, const char *at, const char *end)
{
    if (*at == '"')
        return add_string(path, at, end);
    if (*at == '-' || (*at >= '0' && *at <= '9') || *at == 't' || *at == 'f' || *at == 'n')
        return add_scalar(path, at, end);
    if ((*at == '{' || *at == '[') && at > path->from)
        add_literal(path, at + 1, SLOT_NONE, -1);
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
    struct path path = {.shapes = shapes, .event = event, .node = -1, .from = line.data};
    const char *end = line.data + line.size;
    for (const char *at = line.data; at < end && !path.full;)
        at = add_token(&path, at, end);
    if (!path.full)
        add_literal(&path, end, SLOT_END, -1);
    return !path.full;
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
    shapes->first = -1;
    shapes->count = shapes->misses = 0;
}
