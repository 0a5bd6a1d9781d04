/* How long each stage of the pipeline took. While nobody asks, a clock that does not run costs one look. */
#ifndef SHIPPER_STAGE_H
#define SHIPPER_STAGE_H

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

enum stage { STAGE_READ, STAGE_FRAME, STAGE_SCAN, STAGE_WINDOW, STAGE_STORE, STAGE_OUTPUT, STAGE_COUNT };

struct stage_clock {
    bool runs;
    int64_t at_ns; /* monotonic: when the latest stage ended */
    int64_t took_ns[STAGE_COUNT];
};

int64_t stage_now_ns(void);

/* What is timed begins here. */
static inline void stage_begin(struct stage_clock *clock)
{
    if (clock->runs)
        clock->at_ns = stage_now_ns();
}

/* The stage ends that began where the one before it ended. */
static inline void stage_end(struct stage_clock *clock, enum stage stage)
{
    if (!clock->runs)
        return;
    int64_t now_ns = stage_now_ns();
    clock->took_ns[stage] += now_ns - clock->at_ns;
    clock->at_ns = now_ns;
}

/* One line for people: `stages: read 0.040 s, frame …`. The store's is on a thread of its own, beside the
 * rest. */
void stage_print(const struct stage_clock *clock, FILE *out);

#endif
