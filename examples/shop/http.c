#include "http.h"

#include "payment.h"
#include "store.h"

#include <liblog/liblog.h>

#include <arpa/inet.h>
#include <errno.h>
#include <microhttpd.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define LL_LOGGER "shop.http"

enum { BODY_SIZE = 256, QUANTITY_MAX = 100, LOCK_MS_MAX = 10000, ID_MAX = 1000000000 };

struct reply {
    unsigned status;
    char body[BODY_SIZE];
};

typedef struct reply handler(const struct shop *shop, struct MHD_Connection *connection);

__attribute__((format(printf, 2, 3))) static struct reply reply_make(unsigned status, const char *format, ...)
{
    struct reply reply = {.status = status};
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(reply.body, sizeof(reply.body), format, arguments);
    va_end(arguments);
    return reply;
}

/* What a failed step of the store means to the client. The log knows more already. */
static struct reply reply_store(enum store_result result, const char *what, long number)
{
    switch (result) {
    case STORE_MISSING:
        ll_warning("asked for what is not there", ll_kv("what", what), ll_kv("number", number));
        return reply_make(MHD_HTTP_NOT_FOUND, "{\"error\":\"no such %s\"}\n", what);
    case STORE_SOLD_OUT:
        ll_warning("sold out", ll_kv("product", number));
        return reply_make(MHD_HTTP_CONFLICT, "{\"error\":\"sold out\"}\n");
    default:
        return reply_make(MHD_HTTP_SERVICE_UNAVAILABLE, "{\"error\":\"try again\"}\n");
    }
}

/* A whole number from 1 to `max` in the query; anything else is logged as the client's mistake. */
static bool query_number(struct MHD_Connection *connection, const char *name, long max, long *ret_number)
{
    const char *text = MHD_lookup_connection_value(connection, MHD_GET_ARGUMENT_KIND, name);
    char *end = NULL;
    errno = 0;
    long number = text ? strtol(text, &end, 10) : 0;
    if (!text || end == text || *end != '\0' || errno != 0 || number < 1 || number > max) {
        ll_error("bad input", ll_kv("parameter", name), ll_kv("value", text), ll_kv("max", max),
                 ll_exception_code("ValidationError", "VAL_001", "not a whole number within bounds"));
        return false;
    }
    *ret_number = number;
    return true;
}

static struct reply reply_bad_input(void)
{
    return reply_make(MHD_HTTP_BAD_REQUEST, "{\"error\":\"bad input\"}\n");
}

static struct reply get_product(const struct shop *shop, struct MHD_Connection *connection)
{
    long id;
    struct product product;
    if (!query_number(connection, "id", ID_MAX, &id))
        return reply_bad_input();
    enum store_result result = store_product(shop->database, id, &product);
    if (result != STORE_OK)
        return reply_store(result, "product", id);
    return reply_make(MHD_HTTP_OK, "{\"id\":%ld,\"name\":\"%s\",\"price_cents\":%ld,\"stock\":%ld}\n",
                      product.id, product.name, product.price_cents, product.stock);
}

static struct reply post_order(const struct shop *shop, struct MHD_Connection *connection)
{
    long id, quantity, order;
    struct product product;
    if (!query_number(connection, "product", ID_MAX, &id) ||
        !query_number(connection, "quantity", QUANTITY_MAX, &quantity))
        return reply_bad_input();
    enum store_result result = store_product(shop->database, id, &product);
    if (result == STORE_OK)
        result = store_order(shop->database, id, quantity, &order);
    if (result != STORE_OK)
        return reply_store(result, "product", id);
    ll_info("order taken", ll_kv("order", order), ll_kv("product", id), ll_kv("quantity", quantity));
    return reply_make(MHD_HTTP_CREATED, "{\"order\":%ld}\n", order);
}

static struct reply post_payment(const struct shop *shop, struct MHD_Connection *connection)
{
    long order, cents;
    if (!query_number(connection, "order", ID_MAX, &order))
        return reply_bad_input();
    enum store_result result = store_order_total(shop->database, order, &cents);
    if (result != STORE_OK)
        return reply_store(result, "order", order);
    if (!payment_take(shop->payment_url, order, cents))
        return reply_make(MHD_HTTP_BAD_GATEWAY, "{\"error\":\"payment failed\"}\n");
    return reply_make(MHD_HTTP_OK, "{\"paid_cents\":%ld}\n", cents);
}

static struct reply post_lock(const struct shop *shop, struct MHD_Connection *connection)
{
    long milliseconds;
    if (!query_number(connection, "ms", LOCK_MS_MAX, &milliseconds))
        return reply_bad_input();
    ll_warning("locking the database on purpose", ll_kv("ms", milliseconds));
    enum store_result result = store_lock(shop->database, milliseconds);
    if (result != STORE_OK)
        return reply_store(result, "lock", milliseconds);
    return reply_make(MHD_HTTP_OK, "{\"locked_ms\":%ld}\n", milliseconds);
}

static struct reply get_health(const struct shop *shop, struct MHD_Connection *connection)
{
    (void)shop;
    (void)connection;
    return reply_make(MHD_HTTP_OK, "{\"status\":\"healthy\"}\n");
}

struct route {
    const char *method;
    const char *path;
    handler *handle;
};

/* clang-format off */
static const struct route routes[] = {
    {"GET",  "/product",    get_product},
    {"POST", "/order",      post_order},
    {"POST", "/pay",        post_payment},
    {"POST", "/admin/lock", post_lock},
    {"GET",  "/health",     get_health},
};
/* clang-format on */

static const struct route *route_find(const char *method, const char *path)
{
    for (size_t i = 0; i < sizeof(routes) / sizeof(routes[0]); i++)
        if (strcmp(routes[i].method, method) == 0 && strcmp(routes[i].path, path) == 0)
            return &routes[i];
    return NULL;
}

static const char *header(struct MHD_Connection *connection, const char *name)
{
    return MHD_lookup_connection_value(connection, MHD_HEADER_KIND, name);
}

static double elapsed_ms(const struct timespec *since)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (double)(now.tv_sec - since->tv_sec) * 1e3 + (double)(now.tv_nsec - since->tv_nsec) / 1e6;
}

/* Everything logged between begin and end, in whatever file, carries the request's id, trace, endpoint and
 * user. The endpoint is the route's path and never the client's text, so that a stranger can't make up a
 * million of them. */
static struct reply serve(const struct shop *shop, struct MHD_Connection *connection, const char *method,
                          const char *path)
{
    struct timespec start;
    clock_gettime(CLOCK_MONOTONIC, &start);
    const struct route *route = route_find(method, path);
    ll_request_begin(&(ll_request){.request_id = header(connection, "X-Request-Id"),
                                   .traceparent = header(connection, "traceparent"),
                                   .endpoint = route ? route->path : "unknown",
                                   .user = header(connection, "X-User")});
    struct reply reply = route ? route->handle(shop, connection)
                               : reply_make(MHD_HTTP_NOT_FOUND, "{\"error\":\"no such page\"}\n");
    ll_info("request served", ll_kv("method", method), ll_kv("path", path), ll_kv("status", reply.status),
            ll_kv("elapsed_ms", elapsed_ms(&start)));
    ll_request_end();
    return reply;
}

static enum MHD_Result send_reply(struct MHD_Connection *connection, struct reply *reply)
{
    struct MHD_Response *response =
        MHD_create_response_from_buffer(strlen(reply->body), reply->body, MHD_RESPMEM_MUST_COPY);
    if (!response)
        return MHD_NO;
    MHD_add_response_header(response, MHD_HTTP_HEADER_CONTENT_TYPE, "application/json");
    enum MHD_Result result = MHD_queue_response(connection, reply->status, response);
    MHD_destroy_response(response);
    return result;
}

/* libmicrohttpd calls once when the headers are there, again for each piece of a body, and once more at its
 * end. All parameters are in the query, so a body is read and forgotten. */
static enum MHD_Result on_request(void *context, struct MHD_Connection *connection, const char *path,
                                  const char *method, const char *version, const char *body,
                                  size_t *body_size, void **state)
{
    static char seen_headers;
    (void)version;
    (void)body;
    if (!*state) {
        *state = &seen_headers;
        return MHD_YES;
    }
    if (*body_size > 0) {
        *body_size = 0;
        return MHD_YES;
    }
    struct reply reply = serve(context, connection, method, path);
    return send_reply(connection, &reply);
}

struct MHD_Daemon *http_start(const struct shop *shop, uint16_t port)
{
    struct sockaddr_in address = {
        .sin_family = AF_INET, .sin_port = htons(port), .sin_addr = {.s_addr = htonl(INADDR_LOOPBACK)}};
    return MHD_start_daemon(MHD_USE_INTERNAL_POLLING_THREAD | MHD_USE_THREAD_PER_CONNECTION, port, NULL, NULL,
                            on_request, (void *)shop, MHD_OPTION_SOCK_ADDR, &address,
                            MHD_OPTION_CONNECTION_TIMEOUT, 5u, MHD_OPTION_END);
}

uint16_t http_port(struct MHD_Daemon *daemon)
{
    const union MHD_DaemonInfo *info = MHD_get_daemon_info(daemon, MHD_DAEMON_INFO_BIND_PORT);
    return info ? info->port : 0;
}

void http_stop(struct MHD_Daemon *daemon)
{
    MHD_stop_daemon(daemon);
}
