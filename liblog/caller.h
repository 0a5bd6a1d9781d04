/*
 * What the library keeps for a thread: its rings, and the request it is in. Made at the thread's first call
 * by mapping memory (so also in a signal handler), given back when the thread ends.
 */
#ifndef LIBLOG_CALLER_H
#define LIBLOG_CALLER_H

#include "frame.h"
#include "instance.h"

#include <liblog/context.h>

struct caller_request {
    struct frame_context_bytes packed;
    char request_id[LL_REQUEST_TEXT_BYTES_MAX + 1];
    char traceparent[LL_TRACEPARENT_SIZE]; /* "" when not traced */
};

struct caller {
    struct instance *instance; /* whose rings these are; NULL: none yet */
    uint64_t epoch;
    uint32_t depth;  /* calls under way in this thread: more than one in a signal handler */
    uint32_t thread; /* the kernel's number */
    uint32_t segment;
    bool errors_wait;       /* LOG_SYNC=error */
    bool has_no_rings;      /* the log is open, and there were none to be had at the last look */
    uint32_t request_depth; /* may exceed LL_REQUEST_DEPTH_MAX */
    struct ring_producer producer[RING_FILE_DEPTHS];
    struct caller *next, **previous; /* all callers, under the life lock */
    struct caller_request request[LL_REQUEST_DEPTH_MAX];
};

/* This thread's, or NULL: none yet. Written in caller.c only. */
extern __thread struct caller *caller_of_thread __attribute__((tls_model("initial-exec")));

struct caller *caller_make(void);
struct instance *caller_attach(struct caller *caller);

/* This thread's, made when there is none; NULL when memory runs out. */
static inline struct caller *caller_mine(void)
{
    struct caller *caller = caller_of_thread;
    return __builtin_expect(caller != NULL, 1) ? caller : caller_make();
}

static inline bool caller_has_rings_of(const struct caller *caller, const struct instance *instance)
{
    return __builtin_expect(instance && caller->instance == instance && caller->epoch == instance->epoch, 1);
}

/* The instance with a ring of this thread, or NULL: not open, or no ring to be had (has_no_rings).
 * Between enter and leave. */
static inline struct instance *caller_instance(struct caller *caller)
{
    struct instance *instance = instance_current();
    return caller_has_rings_of(caller, instance) ? instance : caller_attach(caller);
}

static inline uint32_t caller_enter(struct caller *caller)
{
    uint32_t depth = caller->depth;
    __atomic_store_n(&caller->depth, depth + 1, __ATOMIC_RELAXED);
    __atomic_signal_fence(__ATOMIC_SEQ_CST);
    return depth;
}

static inline void caller_leave(struct caller *caller, uint32_t depth)
{
    __atomic_store_n(&caller->depth, depth, __ATOMIC_RELEASE);
}

/* The innermost request, or NULL. */
static inline const struct caller_request *caller_request(const struct caller *caller)
{
    uint32_t depth = caller->request_depth;
    if (depth == 0)
        return NULL;
    return &caller->request[(depth < LL_REQUEST_DEPTH_MAX ? depth : LL_REQUEST_DEPTH_MAX) - 1];
}

/* Waits until every call of another thread that is under way has ended. False when one does not in time. */
bool callers_have_left(int64_t timeout_ns);

/* Whether this thread is within a call: asked in a signal handler. */
bool caller_is_inside(void);

/* In the child of a fork: the other threads are not there. */
void callers_forget_others(void);

#endif
