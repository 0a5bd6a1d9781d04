/* Eight bytes at a time, in a word. */
#include "scan_walk.h"

/* Literals are mostly short, and differ early. */
SCAN_INLINE bool literal_is_plain(const struct scan_shape_node *node, const char *text)
{
    for (unsigned at = 0; at < node->size; at += sizeof(uint64_t)) {
        uint64_t others = le64toh(scan_load(text + at) ^ scan_load(node->literal + at));
        unsigned left = node->size - at;
        if (left < sizeof(uint64_t) ? others << (64 - 8 * left) : others)
            return false;
    }
    return true;
}

bool scan_walk_plain(const struct scan_shapes *shapes, const struct line_map *map, struct slice line,
                     bool odd, struct event *ret_event)
{
    return scan_walk(shapes, map, line, odd, ret_event, literal_is_plain);
}
