/* The public log calls: level -> context -> ring. */
#include "caller.h"
#include "early.h"
#include "frame_usual.h"
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

static unsigned level_of(const ll_site *site)
{
    return site->level < RING_LEVELS ? site->level : RING_LEVELS - 1;
}

/* The counters lie in the ring's file: what was dropped is announced also when the process dies. */
static void count_dropped(struct instance *instance, struct ring_producer *producer, unsigned level)
{
    uint64_t *dropped = &producer->ring.control->dropped[level];
    if (__atomic_load_n(&instance->writer.stalled, __ATOMIC_RELAXED))
        ring_file_count_dropped(&instance->writer.file, RING_DISK, level);
    else
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

/* How long a call may go on waiting for room, from now on: not at all while the log cannot be written. */
static int64_t may_wait_ns(struct instance *instance, int64_t end_ns)
{
    if (instance->config.overflow == LL_OVERFLOW_DROP || writer_is_stalled(&instance->writer))
        return 0;
    return instance->config.overflow == LL_OVERFLOW_SYNC ? INT64_MAX : end_ns - os_monotonic_ns();
}

/* Waits as the configuration says, then packs or counts. Never in a handler that interrupted a call. */
static __attribute__((noinline)) void pack_into_full(struct instance *instance,
                                                     struct ring_producer *producer, struct frame_call *call,
                                                     uint64_t needed, bool may_wait)
{
    struct writer *w = &instance->writer;
    int64_t end = os_monotonic_ns() + instance->config.block_max_ns;
    for (int64_t left; (left = may_wait ? may_wait_ns(instance, end) : 0) > 0;) {
        wait_for_room(w, producer, needed, left);
        call->ticks = ticks_stamp();
        if (frame_pack(producer, call, &needed) == 0)
            return;
    }
    count_dropped(instance, producer, level_of(call->site));
    writer_poke(w, true);
}

/* LOG_SYNC=error: the call returns when the disk has the record, or cannot have it in time. In a handler that
 * interrupted a call it only asks for it. */
static __attribute__((noinline)) void wait_for_disk(struct instance *instance, const ll_site *site,
                                                    uint32_t depth)
{
    int64_t timeout_ns = depth == 0 ? instance->config.block_max_ns : 0;
    if (site->level >= LL_LEVEL_ERROR && writer_wait_synced(&instance->writer, ticks_stamp(), timeout_ns))
        __atomic_fetch_add(&instance->writer.unsynced, 1, __ATOMIC_RELAXED);
}

/* --- the call ------------------------------------------------------------------------------------------- */

int ll_site_is_on(ll_site *site)
{
    return instance_site_is_on(site);
}

static inline const struct frame_context_bytes *context_of(const struct caller *caller)
{
    const struct caller_request *request = caller_request(caller);
    return request ? &request->packed : NULL;
}

static inline void after_call(struct caller *caller, const ll_site *site, uint32_t depth)
{
    struct writer *writer = &caller->instance->writer;
    if (__builtin_expect(writer_sleeps(writer), 0))
        writer_poke(writer,
                    site->level >= LL_LEVEL_ERROR || ring_producer_is_half_full(&caller->producer[depth]));
    if (__builtin_expect(caller->errors_wait, 0))
        wait_for_disk(caller->instance, site, depth);
}

static void write_within(struct caller *caller, struct instance *instance, uint32_t depth, ll_site *site,
                         unsigned flags, struct frame_call *call)
{
    const char *literal = flags & LL_MESSAGE_LITERAL ? call->message : NULL;
    struct ring_producer *producer = &caller->producer[depth];
    uint64_t needed;
    call->site = site;
    call->shape = shape_of(instance, site, literal, call->fields, flags & LL_KEYS_DYNAMIC ? 0 : call->count);
    call->context = context_of(caller);
    call->redact = &instance->redact;
    call->thread = caller->thread;
    if (frame_pack(producer, call, &needed) != 0)
        pack_into_full(instance, producer, call, needed, depth == 0);
    after_call(caller, site, depth);
}

/* A call of a thread that could have no ring: written out in full, one at a time, into one for all of these.
 * False when there is not even that. */
static bool write_shared(const struct caller *caller, ll_site *site, struct frame_call *call, bool may_wait)
{
    struct instance *instance = instance_current();
    struct quiet before;
    uint64_t needed;
    if (!instance || !__atomic_load_n(&instance->common.is_there, __ATOMIC_ACQUIRE))
        return false;
    if (!instance_site_is_on(site))
        return true;
    struct ring_producer *producer = &instance->common.producer[COMMON_SHARED];
    call->site = site;
    call->context = context_of(caller);
    call->redact = &instance->redact;
    call->thread = caller->thread;
    quiet_begin(&before);
    pthread_mutex_lock(&instance->common.mutex);
    call->ticks = ticks_stamp();
    if (frame_pack(producer, call, &needed) != 0)
        pack_into_full(instance, producer, call, needed, may_wait);
    bool is_urgent = site->level >= LL_LEVEL_ERROR || ring_producer_is_half_full(producer);
    pthread_mutex_unlock(&instance->common.mutex);
    quiet_end(&before);
    writer_poke(&instance->writer, is_urgent);
    return true;
}

/* Any call: a thread's first, a site's first, with keys of its own, in a handler, with a full ring. `mine`
 * lies in ll_write_at's frame: where one that a handler jumped out of is found by its place. */
static __attribute__((noinline)) void write_any(struct caller_call *mine, ll_site *site, unsigned flags,
                                                const char *message, const ll_field *fields, size_t count)
{
    struct frame_call call = {.message = message, .fields = fields, .count = count, .ticks = ticks_stamp()};
    struct caller *caller = caller_mine();
    if (!caller) {
        instance_count_dropped(site);
        return;
    }
    uint32_t depth = caller_enter(caller, mine);
    struct instance *instance = caller_instance(caller);
    bool on = instance && instance_site_is_on(site);
    if (on && depth < RING_FILE_DEPTHS)
        write_within(caller, instance, depth, site, flags, &call);
    else if (on || (caller->has_no_rings && !write_shared(caller, site, &call, depth == 0)))
        instance_count_dropped(site);
    else if (!instance && !caller->has_no_rings && !instance_was_opened())
        early_write(caller, site, &call);
    caller_leave(caller, mine, depth);
    if (!instance && depth == 0)
        instance_hold_at_exit();
}

/* A call of a site that is registered, with its message and keys, not in a handler that interrupted another.
 * False when it is another, or the ring is full; then it has done nothing. */
static inline bool write_usual(struct caller *caller, const ll_site *site, const char *message,
                               const ll_field *fields, size_t count, uint64_t ticks)
{
    const struct instance *instance = instance_current();
    if (!caller_has_rings_of(caller, instance) || !instance_site_is_surely_on(site) ||
        __atomic_load_n(&site->epoch, __ATOMIC_ACQUIRE) != caller->epoch)
        return false;
    const struct site_shape *shape = __atomic_load_n(&site->shape, __ATOMIC_RELAXED);
    return frame_is_usual(shape, message, count) &&
           frame_pack_usual(&caller->producer[0], shape, fields, context_of(caller), ticks, caller->thread);
}

/* The stamp is taken first: it waits for the loads before it, and the work behind it is done meanwhile. */
CALLER_ON_STACK void ll_write_at(ll_site *site, unsigned flags, const char *message, const ll_field *fields,
                                 size_t count)
{
    uint64_t ticks = ticks_stamp();
    struct caller *caller = caller_of_thread;
    struct caller_call mine;
    bool written = false;
    if (__builtin_expect(caller && !caller->call, 1)) {
        caller_enter_outermost(caller, &mine);
        written = write_usual(caller, site, message, fields, count, ticks);
        if (__builtin_expect(written, 1))
            after_call(caller, site, 0);
        caller_leave_outermost(caller);
    }
    if (__builtin_expect(!written, 0))
        write_any(&mine, site, flags, message, fields, count);
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
