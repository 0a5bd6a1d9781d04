/*
 * The loggers that bench_log compares, behind one table each. `open` begins a new file at `path`; `close`
 * returns when everything is in it. The calls may come from any thread in between.
 */
#ifndef TESTS_BENCH_LOG_TARGET_H
#define TESTS_BENCH_LOG_TARGET_H

#include <stdint.h>
#ifndef __cplusplus
#include <stdbool.h>
#endif

#ifdef __cplusplus
extern "C" {
#endif

/* The eight values of a record: as many kinds as a service logs about a request. */
struct log_values {
    const char *route;
    int32_t status;
    double elapsed_ms;
    const char *user;
    uint64_t bytes;
    bool is_retry;
    int64_t attempt;
    const char *peer;
};

typedef void log_call(const struct log_values *values);

struct log_kind {
    const char *name;
    log_call *call;
};

struct log_target {
    const char *name;
    int (*open)(const char *path); /* 0, or -1 and it has said why on stderr */
    uint64_t (*close)(void);       /* how many records were left out */
    log_call *info;                /* the record of eight values */
    log_call *disabled;            /* the same at a level that is off */
    const struct log_kind *kind;   /* a record with four values of one kind; ends with a NULL name */
};

extern const struct log_target log_target_ours;
extern const struct log_target log_target_text, log_target_ecs, log_target_otel; /* ours, in another layout */
extern const struct log_target log_target_spdlog;
extern const struct log_target log_target_spdlog_async;

#ifdef __cplusplus
}
#endif
#endif
