/* What plugin_host.c loads and unloads. Compiled twice, so that one's literals lie where the other's were. */
#include <liblog/liblog.h>

#define LL_LOGGER "plugin." PLUGIN

__attribute__((visibility("default"))) void plugin_log(int round);

void plugin_log(int round)
{
    ll_info("plugin " PLUGIN " at work", ll_kv("round " PLUGIN, round), ll_kv("plugin", PLUGIN));
    ll_error("plugin " PLUGIN " failed", ll_exception("PluginError" PLUGIN, "as it should"),
             ll_kv("round", round));
}
