/* A program of somebody else's that uses the installed library: logs one record and says under which run it
 * did. */
#include <liblog/liblog.h>

#include <stdio.h>

#define LL_LOGGER "consumer.c"

int main(void)
{
    ll_config config;
    ll_problem problem;
    if (ll_config_from_env(&config, &problem) != LL_OK || ll_open(&config, &problem) != LL_OK) {
        fprintf(stderr, "%s\n", problem.text);
        return 78;
    }
    ll_info("hello from C", ll_kv("answer", 42), ll_kv("pi", 3.25), ll_kv("name", "teapot"),
            ll_bool("hot", true));
    printf("%s\n", ll_run_id());
    ll_close();
    return 0;
}
