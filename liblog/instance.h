/*
 * One open log: its rings, its writer, its levels. There is one for the process; callers find it through
 * instance_current and may use it between caller_enter and caller_leave.
 */
#ifndef LIBLOG_INSTANCE_H
#define LIBLOG_INSTANCE_H

#include "levels.h"
#include "redact.h"
#include "site.h"
#include "writer.h"

#include <pthread.h>

struct instance {
    uint64_t epoch; /* of its ring file; no two in one process are equal */
    ll_config config;
    struct writer writer;
    struct site_arena arena;
    struct redact redact;
    pthread_mutex_t sites_mutex; /* the table and the arena; taken with all signals blocked */
    uint32_t free_segment[RING_FILE_SEGMENTS_MAX]; /* segments whose thread has ended */
    uint32_t free_count;
};

/* Written in instance.c only. */
extern struct instance *instance_opened; /* atomic */

/* The open log, or NULL. */
static inline struct instance *instance_current(void)
{
    return __atomic_load_n(&instance_opened, __ATOMIC_ACQUIRE);
}

/* The life lock: of opening, closing, levels, and of getting and giving back a ring. All signals are blocked
 * under it. */
void instance_lock(void);
void instance_unlock(void);

/* After a fork, in the child: opens the log anew, as the parent had it, at the child's first call. */
struct instance *instance_after_fork(void);

/* Counts a record, if it was to be logged, for which there is no ring and not even memory to have one. */
void instance_count_dropped(const ll_site *site);

/* Whether the site's level is on now; renews the site's state. */
bool instance_look_at_level(ll_site *site);

/* Without looking: false also when nobody has looked yet. */
static inline bool instance_site_is_surely_on(const ll_site *site)
{
    uint32_t off = __atomic_load_n(&ll_state_off, __ATOMIC_ACQUIRE);
    return __builtin_expect(__atomic_load_n(&site->state, __ATOMIC_RELAXED) == (off | 1), 1);
}

static inline bool instance_site_is_on(ll_site *site)
{
    uint32_t off = __atomic_load_n(&ll_state_off, __ATOMIC_ACQUIRE);
    if (instance_site_is_surely_on(site))
        return true;
    return __atomic_load_n(&site->state, __ATOMIC_RELAXED) != off && instance_look_at_level(site);
}

#endif
