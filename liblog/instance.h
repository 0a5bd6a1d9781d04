/*
 * One open log: its rings, its writer, its levels. There is one for the process; callers find it through
 * instance_current and may use it between caller_enter and caller_leave.
 */
#ifndef LIBLOG_INSTANCE_H
#define LIBLOG_INSTANCE_H

#include "common.h"
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
    struct common common; /* rings of nobody's own; made under the life lock */
    struct redact redact;
    pthread_mutex_t sites_mutex; /* the table and the arena; taken with all signals blocked */
    uint32_t free_segment[RING_FILE_SEGMENTS_MAX]; /* segments whose thread has ended */
    uint32_t free_count;
    uint32_t taken; /* segments, since threads that had ended were last looked for */
};

/*
 * What a process knows of itself, in pages of their own. A child finds zeros there, also when it was made
 * without the C library's knowing (_Fork, clone): so it never takes the parent's rings for its own, and no
 * call pays for that. Written in instance.c only.
 */
enum { INSTANCE_PAGE_BYTES = 65536 }; /* whole pages, whatever their size is */
struct instance_page {
    struct instance *opened; /* atomic */
    uint32_t is_mine;        /* atomic: 1 in the process that wrote it */
} __attribute__((aligned(INSTANCE_PAGE_BYTES)));
extern struct instance_page instance_page;

/* The open log, or NULL. */
static inline struct instance *instance_current(void)
{
    return __atomic_load_n(&instance_page.opened, __ATOMIC_ACQUIRE);
}

/* Whether there was ever a log: what is logged after its end is left out. Written in instance.c only. */
extern bool instance_ever_opened; /* atomic */
static inline bool instance_was_opened(void)
{
    return __atomic_load_n(&instance_ever_opened, __ATOMIC_RELAXED);
}

/* After a call that found no log: in a thread that goes on while another is in exit(), which has closed the
 * log, it does not return before the process ends, or a moment has passed. A call that returned is in the
 * log. */
void instance_hold_at_exit(void);

/* The life lock: of opening, closing, levels, and of getting and giving back a ring. A stretch of quiet. */
void instance_lock(void);
void instance_unlock(void);

/* In a child: opens the log anew, as the parent had it, at the child's first call. NULL when there was none.
 * Under the life lock. */
struct instance *instance_after_fork(void);

/* Counts a record, if it was to be logged, for which there is no ring and not even memory to have one. */
void instance_count_dropped(const ll_site *site);

/* From now on the crash handler finds a ring in each log that is open. LL_OK, LL_ENOMEM. */
int instance_watch_crashes(void);

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
