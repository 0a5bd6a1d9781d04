/*
 * What the library keeps for a thread: its rings, and the request it is in. Made at the thread's first call
 * by mapping memory (so also in a signal handler), given back when the thread ends.
 */
#ifndef LIBLOG_CALLER_H
#define LIBLOG_CALLER_H

#include "frame.h"
#include "instance.h"
#include "traceback.h"

#include <liblog/context.h>

struct caller_request {
    struct frame_context_bytes packed;
    char request_id[LL_REQUEST_TEXT_BYTES_MAX + 1];
    char traceparent[LL_TRACEPARENT_SIZE]; /* "" when not traced */
};

/*
 * A call that is under way, on its own stack. A handler may leave it behind for good (siglongjmp), so whether
 * it is still there is told by its place, and by what it holds.
 */
struct caller_call {
    const struct caller *caller;
    struct caller_call *outer; /* the call that a handler interrupted to make this one, or NULL */
    uint32_t around_count;     /* of the caller, as this call leaves it */
};

enum { CALLER_AROUND_MAX = 8, CALLER_TRACEBACKS = 4 };

/* For functions that hold a caller_call: the address sanitizer might move it to a stack of its own. */
#define CALLER_ON_STACK __attribute__((no_sanitize_address))

struct caller {
    struct instance *instance; /* whose rings these are; NULL: none yet */
    uint64_t epoch;
    struct caller_call *call; /* atomic: the innermost one under way; NULL: none */
    uint32_t thread;          /* the kernel's number */
    uint32_t segment;
    bool errors_wait;       /* LOG_SYNC=error */
    bool has_no_rings;      /* the log is open, and there were none to be had at the last look */
    uint32_t request_depth; /* may exceed LL_REQUEST_DEPTH_MAX */
    uint32_t around_count;
    struct ring_producer producer[RING_FILE_DEPTHS];
    struct caller_call *around[CALLER_AROUND_MAX]; /* the calls around `call`, outermost first */
    struct caller *next, **previous;               /* all callers, under the life lock */
    void *crash_stack;                             /* or NULL */
    struct caller_request request[LL_REQUEST_DEPTH_MAX];
    uint32_t traceback_turn;
    struct traceback traceback[CALLER_TRACEBACKS]; /* of fields on their way into a call */
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

/* Puts `call` inside the calls that are still under way, and tells how many these are. */
uint32_t caller_nest(struct caller *caller, struct caller_call *call);

/* Begins a call of a thread that has none under way. */
static inline void caller_enter_outermost(struct caller *caller, struct caller_call *call)
{
    call->caller = caller;
    __atomic_signal_fence(__ATOMIC_SEQ_CST);
    __atomic_store_n(&caller->call, call, __ATOMIC_RELAXED);
    __atomic_signal_fence(__ATOMIC_SEQ_CST);
}

static inline void caller_leave_outermost(struct caller *caller)
{
    __atomic_store_n(&caller->call, NULL, __ATOMIC_RELEASE);
}

/* Begins a call; returns how deep it is: 0, or more in a signal handler that interrupted others. */
static inline uint32_t caller_enter(struct caller *caller, struct caller_call *call)
{
    uint32_t depth = 0;
    call->caller = caller;
    call->outer = caller->call;
    if (__builtin_expect(call->outer != NULL, 0))
        depth = caller_nest(caller, call);
    __atomic_signal_fence(__ATOMIC_SEQ_CST);
    __atomic_store_n(&caller->call, call, __ATOMIC_RELAXED);
    __atomic_signal_fence(__ATOMIC_SEQ_CST);
    return depth;
}

static inline void caller_leave(struct caller *caller, const struct caller_call *call, uint32_t depth)
{
    __atomic_store_n(&caller->call, call->outer, __ATOMIC_RELEASE);
    if (__builtin_expect(depth > 0, 0))
        caller->around_count = call->around_count;
}

/* The innermost request, or NULL. */
static inline const struct caller_request *caller_request(const struct caller *caller)
{
    uint32_t depth = caller->request_depth;
    if (depth == 0)
        return NULL;
    return &caller->request[(depth < LL_REQUEST_DEPTH_MAX ? depth : LL_REQUEST_DEPTH_MAX) - 1];
}

/* Waits until every call of another thread that is under way has ended, or its thread has. False when one
 * does not in time. */
bool callers_have_left(int64_t timeout_ns);

/* Whether this thread is within a call: asked in a signal handler. */
bool caller_is_inside(void);

/* In the child of a fork: the other threads are not there; their memory is given back when the list of them
 * is known to be whole. A call that this thread is within keeps what it has, and the next begins anew. */
void callers_begin_child(bool is_whole);

#endif
