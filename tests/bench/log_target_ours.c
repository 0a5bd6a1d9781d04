#define LL_LOGGER "shop.http"

#include "log_target.h"

#include <liblog/liblog.h>
#include <stdio.h>

static int open_as(const char *path, ll_format format)
{
    ll_config config;
    ll_problem problem;
    ll_config_init(&config);
    config.format = format;
    snprintf(config.file, sizeof config.file, "%s", path);
    snprintf(config.service, sizeof config.service, "checkout");
    if (ll_open(&config, &problem) == LL_OK)
        return 0;
    fprintf(stderr, "bench_log: %s\n", problem.text);
    return -1;
}

static int open_ours(const char *path)
{
    return open_as(path, LL_FORMAT_JSON);
}

static int open_text(const char *path)
{
    return open_as(path, LL_FORMAT_TEXT);
}

static int open_ecs(const char *path)
{
    return open_as(path, LL_FORMAT_ECS);
}

static int open_otel(const char *path)
{
    return open_as(path, LL_FORMAT_OTEL);
}

static uint64_t close_ours(void)
{
    ll_health health;
    ll_flush(60000);
    ll_health_get(&health);
    ll_close();
    return health.dropped;
}

static void info(const struct log_values *v)
{
    ll_info("request served", ll_kv("route", v->route), ll_kv("status", v->status),
            ll_kv("elapsed_ms", v->elapsed_ms), ll_kv("user", v->user), ll_kv("bytes", v->bytes),
            ll_kv("is_retry", v->is_retry), ll_kv("attempt", v->attempt), ll_kv("peer", v->peer));
}

static void disabled(const struct log_values *v)
{
    ll_debug("request served", ll_kv("route", v->route), ll_kv("status", v->status),
             ll_kv("elapsed_ms", v->elapsed_ms), ll_kv("user", v->user), ll_kv("bytes", v->bytes),
             ll_kv("is_retry", v->is_retry), ll_kv("attempt", v->attempt), ll_kv("peer", v->peer));
}

static void no_field(const struct log_values *v)
{
    (void)v;
    ll_info("request served");
}

static void bools(const struct log_values *v)
{
    ll_info("request served", ll_kv("a", v->is_retry), ll_kv("b", v->is_retry), ll_kv("c", v->is_retry),
            ll_kv("d", v->is_retry));
}

static void integers(const struct log_values *v)
{
    ll_info("request served", ll_kv("a", v->attempt), ll_kv("b", v->status), ll_kv("c", v->bytes),
            ll_kv("d", v->attempt));
}

static void doubles(const struct log_values *v)
{
    ll_info("request served", ll_kv("a", v->elapsed_ms), ll_kv("b", v->elapsed_ms), ll_kv("c", v->elapsed_ms),
            ll_kv("d", v->elapsed_ms));
}

static void strings(const struct log_values *v)
{
    ll_info("request served", ll_kv("a", v->route), ll_kv("b", v->user), ll_kv("c", v->peer),
            ll_kv("d", v->route));
}

static void durations(const struct log_values *v)
{
    ll_info("request served", ll_duration("a", v->attempt), ll_duration("b", v->attempt),
            ll_duration("c", v->attempt), ll_duration("d", v->attempt));
}

static void times(const struct log_values *v)
{
    ll_info("request served", ll_time("a", v->attempt), ll_time("b", v->attempt), ll_time("c", v->attempt),
            ll_time("d", v->attempt));
}

static void hex(const struct log_values *v)
{
    ll_info("request served", ll_bytes("a", v->route, 8), ll_bytes("b", v->route, 8),
            ll_bytes("c", v->route, 8), ll_bytes("d", v->route, 8));
}

static void json(const struct log_values *v)
{
    (void)v;
    ll_info("request served", ll_json("a", "[1,2,3]"), ll_json("b", "{\"x\":1}"), ll_json("c", "null"),
            ll_json("d", "[]"));
}

static void secrets(const struct log_values *v)
{
    ll_info("request served", ll_secret("a", v->user), ll_secret("b", v->user), ll_secret("c", v->user),
            ll_secret("d", v->user));
}

static void run_time_message(const struct log_values *v)
{
    ll_info(v->route, ll_kv("a", v->attempt), ll_kv("b", v->status), ll_kv("c", v->bytes),
            ll_kv("d", v->attempt));
}

static void run_time_keys(const struct log_values *v)
{
    ll_info("request served", ll_kv(v->user, v->attempt), ll_kv(v->peer, v->status), ll_kv("c", v->bytes),
            ll_kv("d", v->attempt));
}

static void formatted(const struct log_values *v)
{
    ll_infof("%s %d %llu", v->route, v->status, (unsigned long long)v->bytes);
}

static void failure(const struct log_values *v)
{
    ll_warning("query failed", ll_exception_code("OperationalError", "DB_003", v->route));
}

static const struct log_kind kinds[] = {
    {"no field", no_field},
    {"4 bool", bools},
    {"4 integers", integers},
    {"4 doubles", doubles},
    {"4 strings", strings},
    {"4 durations", durations},
    {"4 times", times},
    {"4 ll_bytes of 8", hex},
    {"4 ll_json", json},
    {"4 ll_secret", secrets},
    {"4 integers, run-time message", run_time_message},
    {"4 integers, 2 run-time keys", run_time_keys},
    {"ll_infof, 3 values", formatted},
    {"exception with code", failure},
    {NULL, NULL},
};

const struct log_target log_target_ours = {"liblog", open_ours, close_ours, info, disabled, kinds};
const struct log_target log_target_text = {"liblog, text", open_text, close_ours, info, disabled, kinds};
const struct log_target log_target_ecs = {"liblog, ecs", open_ecs, close_ours, info, disabled, kinds};
const struct log_target log_target_otel = {"liblog, otel", open_otel, close_ours, info, disabled, kinds};
