#include "caller.h"

#include "crash.h"

#include <errno.h>
#include <signal.h>
#include <time.h>

__thread struct caller *caller_of_thread;
static struct caller *all_callers;
static pthread_key_t end_key;

/* --- a thread's end ------------------------------------------------------------------------------------- */

static void give_back_segment(struct caller *caller)
{
    struct instance *instance = instance_current();
    if (instance && caller->instance == instance && caller->epoch == instance->epoch)
        instance->free_segment[instance->free_count++] = caller->segment;
}

static void caller_free(struct caller *caller, bool is_own)
{
    give_back_segment(caller);
    *caller->previous = caller->next;
    if (caller->next)
        caller->next->previous = caller->previous;
    crash_stack_end(caller->crash_stack, is_own);
    os_unmap(caller, sizeof *caller);
}

static void caller_end(void *argument)
{
    instance_lock();
    caller_of_thread = NULL;
    caller_free(argument, true);
    instance_unlock();
}

/* Before main, and before a handler can ask for it: the C library keeps the values of its first keys without
 * an allocation. */
__attribute__((constructor)) static void make_key(void)
{
    pthread_key_create(&end_key, caller_end);
}

/* A thread's number stands for the thread that took it last. */
static bool is_number_of_another(const struct caller *caller)
{
    for (const struct caller *other = all_callers; other && other != caller; other = other->next)
        if (other->thread == caller->thread)
            return true;
    return false;
}

static bool has_ended(const struct caller *caller)
{
    return !os_thread_is_there(caller->thread) || is_number_of_another(caller);
}

/* What is left of threads that ended without telling: by a system call of their own, or by a log call in the
 * last of their destructors. */
static void free_ended(void)
{
    for (struct caller *caller = all_callers, *next; caller; caller = next) {
        next = caller->next;
        if (caller != caller_of_thread && has_ended(caller))
            caller_free(caller, false);
    }
}

/* --- a thread's first call ------------------------------------------------------------------------------ */

static void caller_enlist(struct caller *caller)
{
    caller->instance = NULL;
    caller->thread = os_thread_id();
    caller->next = all_callers;
    caller->previous = &all_callers;
    if (all_callers)
        all_callers->previous = &caller->next;
    all_callers = caller;
}

static struct caller *caller_new(void)
{
    void *memory;
    if (os_reserve(sizeof(struct caller), &memory))
        return NULL;
    caller_enlist(memory);
    return memory;
}

struct caller *caller_make(void)
{
    int errno_before = errno;
    instance_lock();
    if (!caller_of_thread && (caller_of_thread = caller_new())) {
        pthread_setspecific(end_key, caller_of_thread);
        if (crash_is_watched())
            caller_of_thread->crash_stack = crash_stack_begin();
    }
    instance_unlock();
    errno = errno_before;
    return caller_of_thread;
}

/* --- rings ---------------------------------------------------------------------------------------------- */

enum { SWEEP_SEGMENTS_MIN = 32 };

/* Each thread's end gives its ring back. Those that could not tell are looked for when half as many rings
 * were taken as there are, so that it costs each thread the same however many live. */
static void look_for_ended(struct instance *instance)
{
    uint32_t segments = instance->writer.file.segment_count;
    if (segments < SWEEP_SEGMENTS_MIN || instance->taken < segments / 2)
        return;
    free_ended();
    instance->taken = 0;
}

/* A ring whose thread has ended is used again; what that thread left in it is drained all the same. */
static int take_segment(struct instance *instance, uint32_t *ret_segment)
{
    if (instance->free_count == 0)
        look_for_ended(instance);
    instance->taken++;
    if (instance->free_count > 0) {
        *ret_segment = instance->free_segment[--instance->free_count];
        return 0;
    }
    if (instance->writer.file.segment_count > 0) /* there may be more threads to come than rings */
        common_make(&instance->common, &instance->writer.file);
    int error = ring_file_grow(&instance->writer.file, ret_segment);
    if (error == -EBADF && ring_file_reopen(&instance->writer.file, instance->writer.ring_path) == 0)
        error = ring_file_grow(&instance->writer.file, ret_segment);
    return error;
}

static bool take_rings(struct caller *caller, struct instance *instance)
{
    if (take_segment(instance, &caller->segment))
        return false;
    struct ring_segment *segment = &instance->writer.file.segment[caller->segment];
    for (int i = 0; i < RING_FILE_DEPTHS; i++)
        ring_producer_init(&caller->producer[i], &segment->ring[i]);
    caller->thread = os_thread_id();
    caller->epoch = instance->epoch;
    caller->errors_wait = instance->config.sync == LL_SYNC_ERROR;
    caller->instance = instance;
    return true;
}

struct instance *caller_attach(struct caller *caller)
{
    int errno_before = errno;
    instance_lock();
    struct instance *instance = instance_current();
    if (!instance)
        instance = instance_after_fork();
    caller->has_no_rings = instance && (caller->instance != instance || caller->epoch != instance->epoch) &&
                           !take_rings(caller, instance);
    if (caller->has_no_rings)
        instance = NULL;
    instance_unlock();
    errno = errno_before;
    return instance;
}

/* --- the end of an instance ----------------------------------------------------------------------------- */

static bool any_inside(void)
{
    bool inside = false;
    instance_lock();
    for (const struct caller *caller = all_callers; caller; caller = caller->next)
        if (caller != caller_of_thread && __atomic_load_n(&caller->call, __ATOMIC_ACQUIRE) &&
            !has_ended(caller))
            inside = true;
    instance_unlock();
    return inside;
}

bool callers_have_left(int64_t timeout_ns)
{
    int64_t end = os_monotonic_ns() + timeout_ns;
    while (any_inside()) {
        if (os_monotonic_ns() > end)
            return false;
        nanosleep(&(struct timespec){0, 1000000}, NULL);
    }
    return true;
}

bool caller_is_inside(void)
{
    return caller_of_thread && caller_of_thread->call;
}

static void free_others(const struct caller *mine)
{
    for (struct caller *caller = all_callers, *next; caller; caller = next) {
        next = caller->next;
        if (caller == mine)
            continue;
        crash_stack_end(caller->crash_stack, false);
        os_unmap(caller, sizeof *caller);
    }
}

/* A call that was interrupted goes on with what it has; the next ones have a caller of their own. */
static struct caller *begin_beside(const struct caller *interrupted)
{
    struct caller *caller = caller_new();
    if (caller) {
        memcpy(caller->request, interrupted->request, sizeof caller->request);
        caller->request_depth = interrupted->request_depth;
    }
    return caller;
}

void callers_begin_child(bool is_whole)
{
    struct caller *mine = caller_of_thread;
    if (is_whole)
        free_others(mine);
    all_callers = NULL;
    if (mine && mine->call)
        caller_of_thread = begin_beside(mine);
    else if (mine)
        caller_enlist(mine);
    pthread_setspecific(end_key, caller_of_thread);
}

/* --- calls in signal handlers ---------------------------------------------------------------------------- */

/* The addresses of two calls tell which is the inner one, where both are on one stack. */
struct stacks {
    const char *alternate; /* of this thread, for handlers; NULL: none */
    size_t size;
    bool is_used; /* this call is on it */
};

static struct stacks stacks_look(void)
{
    stack_t stack;
    if (sigaltstack(NULL, &stack) || stack.ss_flags & SS_DISABLE)
        return (struct stacks){0};
    return (struct stacks){stack.ss_sp, stack.ss_size, stack.ss_flags & SS_ONSTACK};
}

/* The memory of a call that a handler jumped out of is below the end of the stack, or was written over since.
 * In doubt a call counts as under way: that costs a ring of handlers, the other would cost a record. */
CALLER_ON_STACK static bool is_under_way(const struct caller *caller, const struct caller_call *outer,
                                         const struct stacks *stacks, const struct caller_call *call)
{
    const char *place = (const char *)outer;
    bool is_on_alternate =
        stacks->alternate && place >= stacks->alternate && place < stacks->alternate + stacks->size;
    if (is_on_alternate && !stacks->is_used)
        return false;
    if (is_on_alternate == stacks->is_used && outer <= call)
        return false;
    return outer->caller == caller;
}

/* A handler that interrupts this finds the calls around it as they were, or one more than there are. */
CALLER_ON_STACK uint32_t caller_nest(struct caller *caller, struct caller_call *call)
{
    struct stacks stacks = stacks_look();
    uint32_t count = caller->around_count;
    while (call->outer && !is_under_way(caller, call->outer, &stacks, call))
        call->outer = count > 0 ? caller->around[--count] : NULL;
    call->around_count = count;
    if (call->outer && count < CALLER_AROUND_MAX)
        caller->around[count++] = call->outer;
    __atomic_signal_fence(__ATOMIC_SEQ_CST);
    caller->around_count = count;
    return count;
}
