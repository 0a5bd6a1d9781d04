/* The scanner itself, for the files that make it up. */
#ifndef SHIPPER_SCAN_PRIVATE_H
#define SHIPPER_SCAN_PRIVATE_H

#include "plain.h"
#include "plain_time.h"
#include "scan_minute.h"
#include "scan_names.h"
#include "scan_shape.h"
#include "scan_way.h"

/* A level as it was spelled in some line before, in at most eight bytes. */
struct scan_level {
    uint64_t word;
    uint8_t size; /* 0: none yet */
    uint8_t level;
};

enum { SCAN_LEVELS_BITS = 6 }; /* so many that the few levels of a program seldom meet */

struct scanner {
    const struct scan_way *way;
    struct scan_names names;
    struct scan_shapes shapes;
    struct slice *pending; /* by node: an object of this line that is still to be looked into */
    bool any_pending;
    uint8_t rank[EVENT_KEY_COUNT]; /* of the name that gave the value */
    bool otel_levels;
    struct level_rule level_rule[SCAN_LEVEL_RULES_MAX];
    int level_rule_count;
    bool has_level_default;
    enum level level_default;
    struct scan_level levels[1 << SCAN_LEVELS_BITS];
    struct scan_minute minute;
    struct local_offset local;
    struct plain *plain; /* NULL: lines are JSON */
};

/* A time as logs write it: RFC 3339 in UTC or with an offset (its colon may be missing), or a number of
 * seconds, milliseconds, microseconds or nanoseconds since 1970, told apart by its magnitude. 0, or -1 when
 * it is none. SCAN_PADDING bytes behind it are readable. */
int scan_time(struct scan_minute *minute, struct slice text, int64_t *ret_ns);

#endif
