#include <liblog/liblog.h>

#include <stdio.h>

#define LL_LOGGER "hello"

int main(void)
{
    ll_config config;
    ll_problem problem;
    if (ll_config_from_env(&config, &problem) != LL_OK || ll_open(&config, &problem) != LL_OK) {
        fprintf(stderr, "%s\n", problem.text); /* says which setting, what it was, what would do */
        return 78;
    }
    ll_info("request served", ll_kv("route", "/cart"), ll_kv("status", 200), ll_kv("elapsed_ms", 12.5));
    ll_warning("stock is low", ll_kv("product", 17), ll_kv("left", 2));
    ll_error("database connection failed", ll_kv("attempt", 3),
             ll_exception_code("OperationalError", "DB_003", "unable to open database file"));
    ll_close(); /* everything logged so far is in the file */
    return 0;
}
