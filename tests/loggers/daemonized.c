/* Logs before it opens its log, then becomes a daemon and goes on. The log is set up by LOG_*. */
#define _GNU_SOURCE
#include <liblog/liblog.h>

#include <stdio.h>
#include <unistd.h>

int main(void)
{
    ll_config config;
    ll_problem problem;

    ll_info("before open");
    if (ll_config_from_env(&config, &problem) != LL_OK || ll_open(&config, &problem) != LL_OK) {
        fprintf(stderr, "%s\n", problem.text);
        return 78;
    }
    ll_info("in the parent");
    ll_info("in the parent");
    if (daemon(1, 1) != 0)
        return 71;
    ll_info("in the daemon");
    usleep(300000); /* it idles, as daemons do; then its parent is dead for sure */
    ll_close();
    return 0;
}
