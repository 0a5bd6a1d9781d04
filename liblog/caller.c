#include "caller.h"

#include <errno.h>
#include <time.h>

__thread struct caller *caller_of_thread;
static struct caller *all_callers;
static pthread_key_t end_key;
static pthread_once_t end_once = PTHREAD_ONCE_INIT;

/* --- a thread's end ------------------------------------------------------------------------------------- */

static void give_back_segment(struct caller *caller)
{
    struct instance *instance = instance_current();
    if (instance && caller->instance == instance && caller->epoch == instance->epoch)
        instance->free_segment[instance->free_count++] = caller->segment;
}

static void caller_end(void *argument)
{
    struct caller *caller = argument;
    instance_lock();
    caller_of_thread = NULL;
    give_back_segment(caller);
    *caller->previous = caller->next;
    if (caller->next)
        caller->next->previous = caller->previous;
    instance_unlock();
    os_unmap(caller, sizeof *caller);
}

static void make_key(void)
{
    pthread_key_create(&end_key, caller_end);
}

/* --- a thread's first call ------------------------------------------------------------------------------ */

static struct caller *caller_new(void)
{
    void *memory;
    if (os_reserve(sizeof(struct caller), &memory))
        return NULL;
    struct caller *caller = memory;
    caller->next = all_callers;
    caller->previous = &all_callers;
    if (all_callers)
        all_callers->previous = &caller->next;
    all_callers = caller;
    return caller;
}

struct caller *caller_make(void)
{
    pthread_once(&end_once, make_key);
    int errno_before = errno;
    instance_lock();
    if (!caller_of_thread && (caller_of_thread = caller_new()))
        pthread_setspecific(end_key, caller_of_thread);
    instance_unlock();
    errno = errno_before;
    return caller_of_thread;
}

/* --- rings ---------------------------------------------------------------------------------------------- */

/* A ring whose thread has ended is used again; what that thread left in it is drained all the same. */
static int take_segment(struct instance *instance, uint32_t *ret_segment)
{
    if (instance->free_count > 0) {
        *ret_segment = instance->free_segment[--instance->free_count];
        return 0;
    }
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
        if (caller != caller_of_thread && __atomic_load_n(&caller->depth, __ATOMIC_ACQUIRE) > 0)
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
    return caller_of_thread && caller_of_thread->depth > 0;
}

void callers_forget_others(void)
{
    struct caller *mine = caller_of_thread;
    all_callers = mine;
    if (mine) {
        mine->next = NULL;
        mine->previous = &all_callers;
        mine->instance = NULL;
    }
}
