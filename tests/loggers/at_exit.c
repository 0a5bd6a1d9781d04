/* Logs from the handlers of exit() that it registered before and after it opened the log, and leaves closing
 * to exit(). */
#include <liblog/liblog.h>

#include <stdio.h>
#include <stdlib.h>

static void early_handler(void)
{
    ll_info("handler registered before open");
}

static void late_handler(void)
{
    ll_info("handler registered after open");
}

int main(void)
{
    ll_config config;
    ll_problem problem;
    atexit(early_handler);
    if (ll_config_from_env(&config, &problem) != LL_OK || ll_open(&config, &problem) != LL_OK) {
        fprintf(stderr, "%s\n", problem.text);
        return 78;
    }
    atexit(late_handler);
    ll_info("main");
    return 0;
}
