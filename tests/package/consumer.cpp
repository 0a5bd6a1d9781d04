// The same from C++17, with the types only C++ has.
#include <liblog/liblog.h>

#include <cstdio>
#include <string>
#include <string_view>

#define LL_LOGGER "consumer.cpp"

int main()
{
    ll_config config;
    ll_problem problem;
    if (ll_config_from_env(&config, &problem) != LL_OK || ll_open(&config, &problem) != LL_OK) {
        std::fprintf(stderr, "%s\n", problem.text);
        return 78;
    }
    {
        ll_request_scope scope(ll_request{"abc123", nullptr, "/cart", nullptr});
        ll_info("hello from C++", ll_kv("answer", 42), ll_kv("pi", 3.25),
                ll_kv("name", std::string("tea") + "pot"), ll_kv("hot", true),
                ll_kv("view", std::string_view("cup of tea").substr(0, 3)));
    }
    std::printf("%s\n", ll_run_id());
    ll_close();
    return 0;
}
