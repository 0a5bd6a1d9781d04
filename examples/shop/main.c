/*
 * A small shop over HTTP, logged with liblog as any service would be: see scripts/demo.sh for it at work.
 *
 *   LOG_FILE=shop.log LOG_SERVICE=shop SHOP_PAYMENT_URL=http://127.0.0.1:9/ shop DATABASE [PORT]
 *
 * Without a port it takes a free one. Prints its address when it is ready, and ends on SIGTERM or SIGINT.
 */
#include "http.h"
#include "store.h"

#include <liblog/liblog.h>

#include <curl/curl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>

#define LL_LOGGER "shop"

/* As sysexits(3) has them. */
enum { EXIT_WRONG_USE = 64, EXIT_NOT_AVAILABLE = 69, EXIT_WRONG_SETTING = 78 };

enum { PORT_MAX = 65535 };

static int open_log(void)
{
    ll_config config;
    ll_problem problem;
    int result = ll_config_from_env(&config, &problem);
    if (result == LL_OK)
        result = ll_open(&config, &problem);
    if (result != LL_OK)
        fprintf(stderr, "shop: %s\n", problem.text);
    return result;
}

/* Blocked before any thread starts, so that all of them inherit it and only wait_for_end takes the signal. */
static sigset_t block_end_signals(void)
{
    sigset_t signals;
    sigemptyset(&signals);
    sigaddset(&signals, SIGTERM);
    sigaddset(&signals, SIGINT);
    pthread_sigmask(SIG_BLOCK, &signals, NULL);
    return signals;
}

static int serve_until_signal(const struct shop *shop, uint16_t port, const sigset_t *signals)
{
    int signal_number = 0;
    struct MHD_Daemon *daemon = http_start(shop, port);
    if (!daemon) {
        ll_critical("cannot listen", ll_kv("port", port), ll_exception("OSError", "the port can't be had"));
        fprintf(stderr, "shop: cannot listen on port %u\n", port);
        return EXIT_NOT_AVAILABLE;
    }
    ll_info("listening", ll_kv("port", http_port(daemon)));
    printf("http://127.0.0.1:%u\n", http_port(daemon));
    fflush(stdout);
    sigwait(signals, &signal_number);
    ll_info("ending", ll_kv("signal", signal_number));
    http_stop(daemon);
    return 0;
}

int main(int argc, char **argv)
{
    long port = argc > 2 ? strtol(argv[2], NULL, 10) : 0;
    if (argc < 2 || argc > 3 || port < 0 || port > PORT_MAX) {
        fprintf(stderr, "usage: shop DATABASE [PORT]\n");
        return EXIT_WRONG_USE;
    }
    const char *payment_url = getenv("SHOP_PAYMENT_URL");
    struct shop shop = {.database = argv[1],
                        .payment_url = payment_url ? payment_url : "http://127.0.0.1:9/"};
    sigset_t signals = block_end_signals();
    if (open_log() != LL_OK)
        return EXIT_WRONG_SETTING;
    curl_global_init(CURL_GLOBAL_DEFAULT);
    int result = store_create(shop.database) == STORE_OK ? serve_until_signal(&shop, (uint16_t)port, &signals)
                                                         : EXIT_NOT_AVAILABLE;
    curl_global_cleanup();
    ll_close();
    return result;
}
