/*
 * The ways of scanning that this build has, by instruction set. All give the same answers; the best one that
 * the machine has is chosen once, at run time.
 */
#ifndef SHIPPER_SCAN_WAY_H
#define SHIPPER_SCAN_WAY_H

#include "line_map.h"
#include "scan_grammar.h"
#include "scan_shape.h"

struct scan_way {
    const char *name; /* "avx512", "avx2", "sse2", "neon", "plain" */
    scan_mask_function *mask;
    grammar_step_function *step;
    line_map_function *map;
    scan_walk_function *walk;
    bool (*usable)(void); /* on this machine */
};

/* All of them, the fastest first; the last one is usable everywhere. */
const struct scan_way *scan_ways(size_t *ret_count);

/* The fastest that is usable here. */
const struct scan_way *scan_way_best(void);

#endif
