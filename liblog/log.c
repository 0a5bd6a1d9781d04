/* The public log calls: level -> context -> ring. */
#include "caller.h"
#include "quiet.h"

#include <stdarg.h>
#include <stdio.h>

enum { WAIT_STEP_NS = 10000000, FORMATTED_BYTES_MAX = 4096 };

/* --- the site ------------------------------------------------------------------------------------------- */

static const struct site_shape *register_site(struct instance *instance, ll_site *site, const char *literal,
                                              const ll_field *fields, size_t count)
{
    struct ring_file *file = &instance->writer.file;
    const struct site_shape *shape = site_register(file, &instance->arena, site, literal, fields, count);
    /* keys that are not literal are written out at each call; the place at least is entered */
    return shape ? shape : site_register(file, &instance->arena, site, literal, fields, 0);
}

/* The first call of a site in this ring file enters it. In a handler that interrupted such a call there is no
 * waiting. */
static __attribute__((noinline)) const struct site_shape *first_shape(struct instance *instance,
                                                                      ll_site *site, const char *literal,
                                                                      const ll_field *fields, size_t count)
{
    struct quiet before;
    const struct site_shape *shape = NULL;
    quiet_begin(&before);
    pthread_mutex_lock(&instance->sites_mutex);
    if (__atomic_load_n(&site->epoch, __ATOMIC_RELAXED) != instance->epoch) {
        shape = register_site(instance, site, literal, fields, count);
        __atomic_store_n(&site->shape, shape, __ATOMIC_RELAXED);
        __atomic_store_n(&site->epoch, instance->epoch, __ATOMIC_RELEASE);
    } else {
        shape = site->shape;
    }
    pthread_mutex_unlock(&instance->sites_mutex);
    quiet_end(&before);
    return shape;
}

static inline const struct site_shape *shape_of(struct instance *instance, ll_site *site, const char *literal,
                                                const ll_field *fields, size_t count)
{
    if (__builtin_expect(__atomic_load_n(&site->epoch, __ATOMIC_ACQUIRE) == instance->epoch, 1))
        return __atomic_load_n(&site->shape, __ATOMIC_RELAXED);
    return first_shape(instance, site, literal, fields, count);
}

/* --- a full ring ---------------------------------------------------------------------------------------- */

static void count_dropped(struct ring_producer *producer, uint32_t level)
{
    uint64_t *dropped = &producer->ring.control->dropped[level < RING_LEVELS ? level : RING_LEVELS - 1];
    __atomic_store_n(dropped, *dropped + 1, __ATOMIC_RELAXED);
}

static void wait_for_room(struct writer *w, struct ring_producer *producer, uint64_t needed, int64_t left_ns)
{
    __atomic_fetch_add(&w->waiting, 1, __ATOMIC_SEQ_CST);
    uint32_t freed = __atomic_load_n(&w->freed, __ATOMIC_SEQ_CST);
    if (ring_producer_refresh(producer) < needed) {
        writer_poke(w, true);
        os_futex_wait(&w->freed, freed, left_ns < WAIT_STEP_NS ? left_ns : WAIT_STEP_NS, false);
    }
    __atomic_fetch_sub(&w->waiting, 1, __ATOMIC_SEQ_CST);
}

/* Waits as the configuration says, then packs or counts. Never in a signal handler, nor while the log cannot
 * be written. */
static __attribute__((noinline)) void pack_into_full(struct instance *instance,
                                                     struct ring_producer *producer, struct frame_call *call,
                                                     uint64_t needed, bool may_wait)
{
    struct writer *w = &instance->writer;
    int64_t end = os_monotonic_ns() + instance->config.block_max_ns;
    may_wait = may_wait && instance->config.overflow == LL_OVERFLOW_BLOCK;
    for (;;) {
        int64_t left =
            may_wait && !__atomic_load_n(&w->stalled, __ATOMIC_ACQUIRE) ? end - os_monotonic_ns() : 0;
        if (left <= 0)
            break;
        wait_for_room(w, producer, needed, left);
        call->ticks = ticks_now(ticks_use_counter());
        if (frame_pack(producer, call, &needed) == 0)
            return;
    }
    count_dropped(producer, call->site->level);
    writer_poke(w, true);
}

static bool is_half_full(struct ring_producer *producer)
{
    if (__builtin_expect(producer->limit - producer->head >= producer->ring.size / 2, 1))
        return false;
    return ring_producer_refresh(producer) < producer->ring.size / 2;
}

/* --- the call ------------------------------------------------------------------------------------------- */

static void log_call(struct caller *caller, struct instance *instance, uint32_t depth,
                     struct frame_call *call)
{
    struct ring_producer *producer = &caller->producer[depth];
    const struct caller_request *request = caller_request(caller);
    uint64_t needed;
    if (request) {
        call->context = request->packed;
        call->context_size = request->size;
    }
    call->thread = caller->thread;
    /* The stamp waits for the loads before it: one wait for all. */
    __builtin_prefetch(&instance->writer.state);
    __builtin_prefetch(producer->ring.control, 1);
    call->ticks = ticks_now(ticks_use_counter());
    if (__builtin_expect(frame_pack(producer, call, &needed) != 0, 0))
        pack_into_full(instance, producer, call, needed, depth == 0);
    writer_poke(&instance->writer, call->site->level >= LL_LEVEL_ERROR || is_half_full(producer));
}

int ll_site_is_on(ll_site *site)
{
    return instance_site_is_on(site);
}

CALLER_ON_STACK void ll_write_at(ll_site *site, unsigned flags, const char *message, const ll_field *fields,
                                 size_t count)
{
    struct caller *caller = caller_mine();
    if (!caller) {
        instance_count_dropped();
        return;
    }
    struct caller_call mine;
    uint32_t depth = caller_enter(caller, &mine);
    struct instance *instance = caller_instance(caller);
    bool on = instance && instance_site_is_on(site);
    if (on && depth < RING_FILE_DEPTHS) {
        const char *literal = flags & LL_MESSAGE_LITERAL ? message : NULL;
        struct frame_call call = {.site = site, .message = message, .fields = fields, .count = count};
        call.shape = flags & LL_KEYS_DYNAMIC ? shape_of(instance, site, literal, fields, 0)
                                             : shape_of(instance, site, literal, fields, count);
        log_call(caller, instance, depth, &call);
    } else if (on) {
        __atomic_fetch_add(&instance->dropped_without_ring, 1, __ATOMIC_RELAXED);
    }
    caller_leave(caller, &mine, depth);
}

void ll_write(ll_site *site, const char *message, const ll_field *fields, size_t count)
{
    ll_write_at(site, LL_KEYS_DYNAMIC, message, fields, count);
}

void ll_writef(ll_site *site, const char *format, ...)
{
    char message[FORMATTED_BYTES_MAX];
    va_list arguments;
    va_start(arguments, format);
    int size = vsnprintf(message, sizeof message, format, arguments);
    va_end(arguments);
    ll_write_at(site, LL_KEYS_DYNAMIC, size < 0 ? format : message, NULL, 0);
}
