/*
 * Frames -> events of several lines. In text, a stack trace is one event: it begins with a line that matches
 * the input's start pattern, and what does not match goes on with it.
 *
 *      2025-10-19 14:30:00 ERROR it failed         <- matches: begins an event
 *          at a.b.C.d(C.java:17)                   <- goes on
 *      2025-10-19 14:30:01 INFO next               <- matches: the event before it has ended
 *
 * An event also ends at its limits (what follows is an event of its own), at a line above max_line, a run of
 * NULs and the end of the source; at the end of a file that may grow it waits as an offset, like half a line,
 * until the caller says that it has waited long enough. Blank lines within an event belong to it. Lines are
 * never split, and frames lie end to end, as a framer's do: an event's end is a position to go on from.
 *
 * Without a start pattern frames pass as they are.
 */
#ifndef SHIPPER_JOINER_H
#define SHIPPER_JOINER_H

#include "frame.h"
#include "pattern.h"

struct joiner_limits {
    uint64_t lines_max;
    uint64_t bytes_max; /* a single line may be longer */
};

struct joiner {
    const struct pattern *start; /* borrowed; NULL: every line is an event */
    struct joiner_limits limits;
    bool is_open;
    struct frame event; /* while open: what it has so far */
    uint64_t lines;
    bool has_ahead; /* what ended the event has its turn next */
    struct frame ahead;
};

void joiner_init(struct joiner *joiner, const struct pattern *start, struct joiner_limits limits);

/* The next frame or event, as framer_next() gives frames. FRAME_PARTIAL also stands for an event that may go
 * on; its offset is where that begins. */
struct frame joiner_next(struct joiner *joiner, struct framer *framer);

/*
 * After FRAME_PARTIAL or FRAME_END, nothing more comes: the event as it is, then with `for_good` also the
 * line that has no newline; FRAME_END when there is nothing (more).
 */
struct frame joiner_last(struct joiner *joiner, struct framer *framer, bool for_good);

#endif
