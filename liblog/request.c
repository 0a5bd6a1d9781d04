/* The context of a request, per thread; packed once, copied into each record. */
#include "caller.h"
#include "liblog/base/json.h"
#include "liblog/base/uuid.h"

#include <stdio.h>

/* --- traceparent (W3C Trace Context, section 3.2) ------------------------------------------------------- */

enum {
    TRACEPARENT_CHARS = 55,
    TRACE_ID_AT = 3,
    TRACE_ID_CHARS = 32,
    SPAN_ID_AT = 36,
    SPAN_ID_CHARS = 16,
    FLAGS_AT = 53
};

static bool is_lower_hex(const char *text, size_t size)
{
    for (size_t i = 0; i < size; i++)
        if (!((text[i] >= '0' && text[i] <= '9') || (text[i] >= 'a' && text[i] <= 'f')))
            return false;
    return true;
}

static bool is_all_zero(const char *text, size_t size)
{
    for (size_t i = 0; i < size; i++)
        if (text[i] != '0')
            return false;
    return true;
}

/* Version 00 has exactly 55 characters; later ones may have more, after another hyphen; ff is no version. */
static bool has_valid_shape(const char *header, size_t size)
{
    if (size < TRACEPARENT_CHARS || !is_lower_hex(header, 2) || memcmp(header, "ff", 2) == 0)
        return false;
    if (size > TRACEPARENT_CHARS && (memcmp(header, "00", 2) == 0 || header[TRACEPARENT_CHARS] != '-'))
        return false;
    return header[2] == '-' && header[SPAN_ID_AT - 1] == '-' && header[FLAGS_AT - 1] == '-';
}

static bool is_traceparent(const char *header)
{
    size_t size = header ? strnlen(header, 512) : 0;
    return has_valid_shape(header, size) && is_lower_hex(header + TRACE_ID_AT, TRACE_ID_CHARS) &&
           !is_all_zero(header + TRACE_ID_AT, TRACE_ID_CHARS) &&
           is_lower_hex(header + SPAN_ID_AT, SPAN_ID_CHARS) &&
           !is_all_zero(header + SPAN_ID_AT, SPAN_ID_CHARS) && is_lower_hex(header + FLAGS_AT, 2);
}

/* --- packing -------------------------------------------------------------------------------------------- */

static struct slice bounded(const char *text)
{
    struct slice all = slice_from(text, text ? strnlen(text, LL_REQUEST_TEXT_BYTES_MAX + 4) : 0);
    if (all.size > LL_REQUEST_TEXT_BYTES_MAX)
        all.size = utf8_cut(all, LL_REQUEST_TEXT_BYTES_MAX);
    return all;
}

static void pack(struct caller_request *request, const struct slice text[static CONTEXT_TEXTS])
{
    struct frame_context sizes;
    char *at = request->packed.bytes + sizeof sizes;
    for (int i = 0; i < CONTEXT_TEXTS; i++) {
        sizes.size[i] = (uint16_t)text[i].size;
        if (text[i].size)
            memcpy(at, text[i].data, text[i].size);
        at += text[i].size;
    }
    memcpy(request->packed.bytes, &sizes, sizeof sizes);
    while ((at - request->packed.bytes) % 8)
        *at++ = '\0';
    request->packed.size = (uint32_t)(at - request->packed.bytes);
}

static void unpack(const struct caller_request *request, struct slice ret_text[static CONTEXT_TEXTS])
{
    struct frame_context sizes = {{0}};
    const char *at = request ? request->packed.bytes + sizeof sizes : "";
    if (request)
        memcpy(&sizes, request->packed.bytes, sizeof sizes);
    for (int i = 0; i < CONTEXT_TEXTS; i++) {
        ret_text[i] = slice_from(at, sizes.size[i]);
        at += sizes.size[i];
    }
}

/* The caller's id, else that of the request around, else a new one. */
static void choose_id(struct caller_request *request, const char *given, const struct caller_request *around)
{
    uint8_t uuid[UUID_SIZE];
    struct slice id = bounded(given);
    if (id.size) {
        memcpy(request->request_id, id.data, id.size);
        request->request_id[id.size] = '\0';
    } else if (around) {
        memcpy(request->request_id, around->request_id, sizeof request->request_id);
    } else {
        request->request_id[0] = '\0';
        if (uuid7_now(uuid) == 0) {
            uuid_to_text(request->request_id, uuid);
            request->request_id[UUID_TEXT_SIZE] = '\0';
        }
    }
}

static void choose_trace(struct caller_request *request, const char *given,
                         const struct caller_request *around)
{
    if (is_traceparent(given)) {
        memcpy(request->traceparent, given, TRACEPARENT_CHARS);
        request->traceparent[TRACEPARENT_CHARS] = '\0';
    } else {
        memcpy(request->traceparent, around ? around->traceparent : "",
               around ? sizeof request->traceparent : 1);
    }
}

static void fill(struct caller_request *request, const ll_request *given, const struct caller_request *around)
{
    struct slice text[CONTEXT_TEXTS];
    unpack(around, text);
    choose_id(request, given->request_id, around);
    choose_trace(request, given->traceparent, around);
    text[CONTEXT_REQUEST_ID] = slice_of(request->request_id);
    if (*request->traceparent) {
        text[CONTEXT_TRACE_ID] = slice_from(request->traceparent + TRACE_ID_AT, TRACE_ID_CHARS);
        text[CONTEXT_SPAN_ID] = slice_from(request->traceparent + SPAN_ID_AT, SPAN_ID_CHARS);
    }
    if (given->endpoint)
        text[CONTEXT_ENDPOINT] = bounded(given->endpoint);
    if (given->user)
        text[CONTEXT_USER] = bounded(given->user);
    pack(request, text);
}

/* --- the public calls ----------------------------------------------------------------------------------- */

void ll_request_begin(const ll_request *request)
{
    static const ll_request nothing = {0};
    struct caller *caller = caller_mine();
    if (!caller)
        return;
    const struct caller_request *around = caller_request(caller);
    if (caller->request_depth < LL_REQUEST_DEPTH_MAX)
        fill(&caller->request[caller->request_depth], request ? request : &nothing, around);
    __atomic_signal_fence(
        __ATOMIC_SEQ_CST); /* a handler that logs sees the old context or the whole new one */
    caller->request_depth++;
}

void ll_request_end(void)
{
    struct caller *caller = caller_mine();
    if (caller && caller->request_depth > 0)
        caller->request_depth--;
}

const char *ll_request_id(void)
{
    struct caller *caller = caller_mine();
    const struct caller_request *request = caller ? caller_request(caller) : NULL;
    return request ? request->request_id : "";
}

int ll_traceparent(char ret_header[LL_TRACEPARENT_SIZE])
{
    struct caller *caller = caller_mine();
    const struct caller_request *request = caller ? caller_request(caller) : NULL;
    ret_header[0] = '\0';
    if (!request || !*request->traceparent)
        return LL_ECLOSED;
    memcpy(ret_header, request->traceparent, LL_TRACEPARENT_SIZE);
    return LL_OK;
}
