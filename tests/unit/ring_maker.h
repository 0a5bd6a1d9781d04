/* A ring file with some records in it, made without threads: what a process leaves when it dies. The
 * including file defines _GNU_SOURCE first. Shared by unit tests and the fuzz target. */
#ifndef TESTS_RING_MAKER_H
#define TESTS_RING_MAKER_H

#include "liblog/frame.h"
#include "liblog/ring_file.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static const char made_run_id[] = "019a2b6e-7c1d-7f3a-9a55-3f1c2b7d8e90";

struct made {
    struct ring_file file;
    struct site_arena arena;
    char arena_memory[4096];
    struct ring_producer producer[RING_FILE_DEPTHS];
};

/* In `fd`, an empty file. False when the system refuses. */
static inline bool made_begin(struct made *made, int fd)
{
    struct ring_identity identity = {
        .ring_bytes = RING_BYTES_MIN, .pid = 4711, .source_level = LL_LEVEL_WARNING, .marks = 1};
    uint32_t index;
    snprintf(identity.run_id, sizeof identity.run_id, "%s", made_run_id);
    snprintf(identity.service, sizeof identity.service, "made");
    if (ring_file_make(&made->file, fd, &identity) || ring_file_grow(&made->file, &index))
        return false;
    /* one tick is one nanosecond, from the beginning of 1970 on */
    struct ticks_anchor anchor = {.ns_per_2_32_ticks = UINT64_C(1) << 32};
    ring_file_set_anchor(&made->file, &anchor);
    made->arena = (struct site_arena){.memory = made->arena_memory, .size = sizeof made->arena_memory};
    for (int i = 0; i < RING_FILE_DEPTHS; i++)
        ring_producer_init(&made->producer[i], &made->file.segment[0].ring[i]);
    return true;
}

/* One call of a site; `depth` says in which ring. */
static inline int made_log(struct made *made, int depth, const ll_site *site, const struct site_shape *shape,
                           const char *message, const ll_field *fields, size_t count, uint64_t ticks)
{
    struct frame_call call = {.site = site,
                              .shape = shape,
                              .message = message,
                              .fields = fields,
                              .count = count,
                              .ticks = ticks,
                              .thread = 4713};
    uint64_t needed;
    return frame_pack(&made->producer[depth], &call, &needed);
}

static inline void made_end(struct made *made)
{
    ring_file_release(&made->file);
}

#endif
