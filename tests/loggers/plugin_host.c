/*
 * Loads a plugin, lets it log, and unloads it, again and again, one after the other.
 *
 *     plugin_host ROUNDS PLUGIN…
 *
 * The log is set up by LOG_*.
 */
#include <liblog/liblog.h>

#include <dlfcn.h>
#include <stdio.h>
#include <stdlib.h>

static int run_plugin(const char *path, int round)
{
    void (*log_round)(int);
    void *plugin = dlopen(path, RTLD_NOW | RTLD_LOCAL);

    if (!plugin) {
        fprintf(stderr, "%s\n", dlerror());
        return 69;
    }
    *(void **)&log_round = dlsym(plugin, "plugin_log");
    log_round(round);
    return dlclose(plugin) == 0 ? 0 : 70;
}

int main(int argc, char **argv)
{
    int rounds = argc > 2 ? atoi(argv[1]) : 0;
    ll_config config;
    ll_problem problem;

    if (ll_config_from_env(&config, &problem) != LL_OK || ll_open(&config, &problem) != LL_OK) {
        fprintf(stderr, "%s\n", problem.text);
        return 78;
    }
    for (int round = 0; round < rounds; round++) {
        int code = run_plugin(argv[2 + round % (argc - 2)], round);
        if (code != 0)
            return code;
    }
    ll_close();
    return 0;
}
