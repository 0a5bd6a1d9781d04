/* A program that looks after itself: when errors come too fast, it takes less work. */
#include <liblog/liblog.h>

#include <stdio.h>

#define LL_LOGGER "monitor"

enum { LOOK_BACK_S = 60, RATE_PER_MINUTE_MAX = 10 };

static int errors_come_too_fast(void)
{
    static ll_stats stats; /* large, so not on the stack */
    return ll_stats_window(LOOK_BACK_S, &stats) == LL_OK &&
           (double)stats.total_errors * 60 / LOOK_BACK_S > RATE_PER_MINUTE_MAX;
}

static int work(int order)
{
    if (order % 4 != 0)
        return 0;
    ll_error("payment failed", ll_kv("order", order), ll_exception("PaymentError", "card refused"));
    return -1;
}

int main(void)
{
    ll_config config;
    ll_problem problem;
    ll_recent_error latest;
    int order = 0;
    if (ll_config_from_env(&config, &problem) != LL_OK || ll_open(&config, &problem) != LL_OK) {
        fprintf(stderr, "%s\n", problem.text);
        return 78;
    }
    while (!errors_come_too_fast())
        work(++order);
    if (ll_recent_errors(&latest, 1) == 1)
        printf("after %d orders: %s: %s (%s:%u)\n", order, latest.type, latest.message, latest.file,
               latest.line);
    ll_close();
    return 0;
}
