/*
 * What holds for every record of a request, per thread.
 *
 *     ll_request_begin(&(ll_request){.request_id = id, .traceparent = header, .endpoint = "/cart", .user =
 * "u-77"}); …every record this thread logs carries request_id, trace_id, span_id, endpoint and user…
 *     ll_request_end();
 */
#ifndef LIBLOG_CONTEXT_H
#define LIBLOG_CONTEXT_H

#include "api.h"

#include <stddef.h>

#ifdef __cplusplus
extern "C" {
#endif

enum {
    LL_TRACEPARENT_SIZE = 56,        /* 55 characters and NUL */
    LL_REQUEST_TEXT_BYTES_MAX = 200, /* of request_id, endpoint and user each; longer is cut at a character */
    LL_REQUEST_DEPTH_MAX = 16        /* nested requests; deeper ones keep the context of the sixteenth */
};

/* All strings are copied; each may be NULL. */
typedef struct ll_request {
    const char *request_id;  /* the caller's; NULL or empty: one is made (UUIDv7) */
    const char *traceparent; /* W3C Trace Context, the header's value; one that is not valid is ignored, as
                                the standard says */
    const char *endpoint;
    const char *user;
} ll_request;

/* Begins a request on this thread. What is NULL in a nested request is taken from the one around it. */
LL_API void ll_request_begin(const ll_request *request);
LL_API void ll_request_end(void);

/* The current request's id, or "" outside of one. Valid until the request ends. */
LL_API const char *ll_request_id(void);

/*
 * The header for a call onward: the trace and span that this request's records carry, and its flags. (The
 * library makes no spans of its own: one that no tracer knows would tear the trace.) Writes
 * LL_TRACEPARENT_SIZE bytes. 0, or LL_ECLOSED when this thread is in no traced request (the buffer is then
 * "").
 */
LL_API int ll_traceparent(char ret_header[LL_TRACEPARENT_SIZE]);

#ifdef __cplusplus
}

/* A request for as long as the scope. */
class ll_request_scope
{
  public:
    explicit ll_request_scope(const ll_request &request)
    {
        ll_request_begin(&request);
    }
    ~ll_request_scope()
    {
        ll_request_end();
    }
    ll_request_scope(const ll_request_scope &) = delete;
    ll_request_scope &operator=(const ll_request_scope &) = delete;
};
#endif
#endif
