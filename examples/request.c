#include <liblog/liblog.h>

#include <stdio.h>

#define LL_LOGGER "cart"

static void serve_cart(const char *traceparent)
{
    ll_request_begin(&(ll_request){
        .request_id = "abc123", .traceparent = traceparent, .endpoint = "/cart", .user = "u-77"});
    ll_info("cart opened", ll_kv("items", 3));
    ll_error("price service is away", ll_exception("ConnectionError", "connection refused"));
    ll_request_end();
}

int main(void)
{
    ll_config config;
    ll_problem problem;
    if (ll_config_from_env(&config, &problem) != LL_OK || ll_open(&config, &problem) != LL_OK) {
        fprintf(stderr, "%s\n", problem.text);
        return 78;
    }
    serve_cart("00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01");
    ll_info("outside of any request");
    ll_close();
    return 0;
}
