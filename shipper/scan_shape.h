/*
 * Lines of shapes that were seen before. Programs write the same keys in the same order again and again: what
 * stands between two values of such a line is known to the byte, and only the values differ.
 *
 *      {"timestamp":"  2025-10-19T…  ","level":"  INFO  ","seq":  17  }
 *      literal         string        literal      string literal  scalar literal, end
 *
 * A line that the grammar has accepted is learned as a path through a tree of literals, each with the kind of
 * value that follows it and the key of the record that this value is. A later line that spells a path to its
 * end is the learned one with other strings and scalars in the same places: JSON as well, with the same keys.
 * So it needs no other check than of its values, which are looked at as they are passed. Whatever does not
 * fit (an escape, a control byte, a new key) is no mistake, but a line for the grammar.
 */
#ifndef SHIPPER_SCAN_SHAPE_H
#define SHIPPER_SCAN_SHAPE_H

#include "event.h"
#include "line_map.h"

enum {
    SCAN_LITERAL_SIZE_MAX = 32,    /* a longer one is a chain of nodes */
    SCAN_SHAPE_NODES_MAX = 2048,   /* of one scanner */
    SCAN_SHAPE_BESIDE_MAX = 64,    /* alternatives at one place */
    SCAN_SHAPE_MISSES_MAX = 65536, /* lines without room for them, before all is learned anew */
};

enum scan_slot { SLOT_NONE, SLOT_STRING, SLOT_SCALAR, SLOT_END };

struct scan_shape_node {
    char literal[SCAN_LITERAL_SIZE_MAX]; /* zeros behind it */
    uint32_t bits;                       /* one for each of its bytes, the first in bit 0 */
    uint32_t keys;                  /* at the end of a line: bit 1 << key for each value on the way here */
    uint8_t size;                   /* of the literal */
    uint8_t slot;                   /* enum scan_slot: what follows the literal */
    uint8_t key;                    /* enum event_key that the value is, or EVENT_NO_KEY */
    struct scan_shape_node *next;   /* the first of what may follow the value, or NULL */
    struct scan_shape_node *beside; /* another literal that may stand in this place, or NULL */
};

struct scan_shapes {
    struct scan_shape_node *node;  /* SCAN_SHAPE_NODES_MAX, made with the first; memory is used as they are */
    struct scan_shape_node *first; /* of those that may begin a line, or NULL */
    int count;
    int misses; /* lines that there was no room for */
};

void scan_shapes_init(struct scan_shapes *shapes);
void scan_shapes_release(struct scan_shapes *shapes);

/*
 * Learns a line (white space at its end left out) from which the grammar has taken `event`; the next line of
 * this shape is found by a walk. A line that has no shape (an escape in it, a value that is an object) is
 * passed over, and when memory is short nothing is learned.
 */
void scan_shapes_learn(struct scan_shapes *shapes, struct slice line, const struct event *event);

/*
 * Takes the values of a line (white space at its end left out, SCAN_PADDING bytes behind it readable) of a
 * known shape into `ret_event`, where those that the line does not have become absent. False when it is none,
 * or not UTF-8, which is asked when it is `odd`; the event's values then mean nothing.
 */
typedef bool scan_walk_function(const struct scan_shapes *shapes, const struct line_map *map,
                                struct slice line, bool odd, struct event *ret_event);

scan_walk_function scan_walk_plain;
#if defined(__x86_64__)
scan_walk_function scan_walk_avx2;
scan_walk_function scan_walk_sse2;
#elif defined(__aarch64__)
scan_walk_function scan_walk_neon;
#endif

#endif
