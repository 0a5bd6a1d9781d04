#include "early.h"

#include "quiet.h"

#include <errno.h>
#include <stdlib.h>

struct early {
    pthread_mutex_t mutex; /* of all processes that share it; its holder may die */
    struct ring_control control;
    uint64_t data[EARLY_BYTES_MAX / 8];
};

static struct early *early; /* atomic; NULL until the first call */
static struct redact redact;

/* --- locking --------------------------------------------------------------------------------------------- */

static void mutex_init(pthread_mutex_t *mutex)
{
    pthread_mutexattr_t attributes;
    pthread_mutexattr_init(&attributes);
    pthread_mutexattr_setpshared(&attributes, PTHREAD_PROCESS_SHARED);
    pthread_mutexattr_setrobust(&attributes, PTHREAD_MUTEX_ROBUST);
    pthread_mutex_init(mutex, &attributes);
    pthread_mutexattr_destroy(&attributes);
}

/* Whoever died in it had published nothing yet. */
static void lock(struct early *shared, struct quiet *ret_before)
{
    quiet_begin(ret_before);
    if (pthread_mutex_lock(&shared->mutex) == EOWNERDEAD)
        pthread_mutex_consistent(&shared->mutex);
}

static void unlock(struct early *shared, const struct quiet *before)
{
    pthread_mutex_unlock(&shared->mutex);
    quiet_end(before);
}

/* What LOG_REDACT names is left out here, too. */
static struct early *early_make(void)
{
    instance_lock();
    void *memory;
    if (!early && os_share(sizeof(struct early), &memory) == 0) {
        const char *names = getenv("LOG_REDACT");
        struct early *made = memory;
        mutex_init(&made->mutex);
        redact_init(&redact, names ? names : "", NULL);
        __atomic_store_n(&early, made, __ATOMIC_RELEASE);
    }
    instance_unlock();
    return early;
}

/* The same memory as a ring that is filled once from its beginning: nothing is taken from it before all is.
 */
static struct ring_producer producer_of(struct early *shared)
{
    struct ring_producer producer;
    ring_producer_init(&producer, &(struct ring){&shared->control, (char *)shared->data, EARLY_BYTES_MAX});
    return producer;
}

/* --- before ll_open -------------------------------------------------------------------------------------- */

void early_write(const struct caller *caller, ll_site *site, struct frame_call *call)
{
    struct early *shared = __atomic_load_n(&early, __ATOMIC_ACQUIRE);
    const struct caller_request *request = caller_request(caller);
    struct quiet before;
    uint64_t needed;
    if (!shared)
        shared = early_make();
    if (!shared || !instance_site_is_on(site) || site->level >= RING_LEVELS)
        return;
    call->site = site;
    call->context = request ? &request->packed : NULL;
    call->redact = &redact;
    call->thread = caller->thread;
    lock(shared, &before);
    struct ring_producer producer = producer_of(shared);
    call->ticks = ticks_stamp();
    if (frame_pack(&producer, call, &needed) != 0)
        shared->control.dropped[site->level]++;
    unlock(shared, &before);
}

/* --- ll_open --------------------------------------------------------------------------------------------- */

bool early_is_empty(void)
{
    const struct early *shared = __atomic_load_n(&early, __ATOMIC_ACQUIRE);
    uint64_t count = shared ? __atomic_load_n(&shared->control.head, __ATOMIC_RELAXED) : 0;
    for (int level = 0; shared && level < RING_LEVELS; level++)
        count += __atomic_load_n(&shared->control.dropped[level], __ATOMIC_RELAXED);
    return count == 0;
}

static bool is_on(const struct frame *frame, const struct levels *levels)
{
    static const struct site_view none;
    static struct frame_view view; /* under the life lock */
    struct site_view site;
    char logger[LEVELS_NAME_SIZE];
    if (!frame_read(frame, &none, &view) || !site_read(view.place.data, view.place.size, &site))
        return false;
    size_t size = site.logger.size < sizeof logger ? site.logger.size : sizeof logger - 1;
    memcpy(logger, site.logger.data, size);
    logger[size] = '\0';
    return frame->level >= levels_of(levels, logger);
}

static void move(const struct frame *frame, struct ring_producer *producer)
{
    char *at = ring_reserve(producer, frame->size);
    if (!at)
        return;
    memcpy(at, frame, frame->size);
    ((struct frame *)(void *)at)->stamp = (uint32_t)(producer->head / 8) ^ FRAME_STAMP;
    ring_publish(producer, frame->size);
}

static void move_all(struct early *shared, struct ring_producer *producer, const struct levels *levels)
{
    struct ring ring = producer_of(shared).ring;
    uint64_t head = ring_head(&ring);
    const struct frame *frame;
    for (uint64_t at = 0; at < head && (frame = frame_at(&ring, at, head - at)); at += frame->size)
        if (is_on(frame, levels))
            move(frame, producer);
    for (int level = 0; level < RING_LEVELS; level++)
        __atomic_fetch_add(&producer->ring.control->dropped[level], shared->control.dropped[level],
                           __ATOMIC_RELAXED);
    memset(&shared->control, 0, sizeof shared->control);
}

void early_hand_over(struct ring_producer *producer, const struct levels *levels)
{
    struct early *shared = __atomic_load_n(&early, __ATOMIC_ACQUIRE);
    struct quiet before;
    if (!shared)
        return;
    lock(shared, &before);
    move_all(shared, producer, levels);
    unlock(shared, &before);
}
