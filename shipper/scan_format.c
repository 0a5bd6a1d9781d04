#include "scan_format.h"

#include "liblog/record.h"

/* clang-format off */
static const struct scan_format_key liblog_keys[] = {
    {EVENT_TIMESTAMP, LL_KEY_TIMESTAMP}, {EVENT_LEVEL, LL_KEY_LEVEL}, {EVENT_SERVICE, LL_KEY_SERVICE},
    {EVENT_ENVIRONMENT, LL_KEY_ENVIRONMENT}, {EVENT_LOGGER, LL_KEY_LOGGER}, {EVENT_MESSAGE, LL_KEY_MESSAGE},
    {EVENT_RUN_ID, LL_KEY_RUN_ID}, {EVENT_PARENT_RUN_ID, LL_KEY_PARENT_RUN_ID}, {EVENT_SEQ, LL_KEY_SEQ},
    {EVENT_MARK, LL_KEY_MARK},
    {EVENT_DROPPED_COUNT, LL_KEY_DROPPED ".count"}, {EVENT_DROPPED_REASON, LL_KEY_DROPPED ".reason"},
    {EVENT_DROPPED_LEVEL, LL_KEY_DROPPED ".level"},
    {EVENT_REQUEST_ID, LL_KEY_REQUEST_ID}, {EVENT_TRACE_ID, LL_KEY_TRACE_ID}, {EVENT_SPAN_ID, LL_KEY_SPAN_ID},
    {EVENT_ENDPOINT, LL_KEY_ENDPOINT}, {EVENT_USER, LL_KEY_USER},
    {EVENT_EXCEPTION_TYPE, LL_KEY_EXCEPTION ".type"}, {EVENT_EXCEPTION_MESSAGE, LL_KEY_EXCEPTION ".message"},
    {EVENT_EXCEPTION_CODE, LL_KEY_EXCEPTION ".code"},
    {EVENT_EXCEPTION_FINGERPRINT, LL_KEY_EXCEPTION ".fingerprint"},
    {EVENT_PID, LL_KEY_PID}, {EVENT_TID, LL_KEY_TID}, {EVENT_TRUNCATED, LL_KEY_TRUNCATED}, {EVENT_COPY, LL_KEY_COPY},
};

static const struct scan_format_key ecs_keys[] = {
    {EVENT_TIMESTAMP, "@timestamp"}, {EVENT_LEVEL, "log.level"}, {EVENT_SERVICE, "service.name"},
    {EVENT_ENVIRONMENT, "service.environment"}, {EVENT_LOGGER, "log.logger"}, {EVENT_MESSAGE, "message"},
    {EVENT_REQUEST_ID, "http.request.id"}, {EVENT_TRACE_ID, "trace.id"}, {EVENT_SPAN_ID, "span.id"},
    {EVENT_ENDPOINT, "url.path"}, {EVENT_USER, "user.id"}, {EVENT_USER, "user.name"},
    {EVENT_EXCEPTION_TYPE, "error.type"}, {EVENT_EXCEPTION_MESSAGE, "error.message"},
    {EVENT_EXCEPTION_CODE, "error.code"}, {EVENT_EXCEPTION_TRACEBACK, "error.stack_trace"}, {EVENT_PID, "process.pid"}, {EVENT_TID, "process.thread.id"},
};

static const struct scan_format_key otel_keys[] = {
    {EVENT_TIMESTAMP, "timeUnixNano"}, {EVENT_TIMESTAMP, "observedTimeUnixNano"},
    {EVENT_LEVEL, "severityNumber"}, {EVENT_LEVEL, "severityText"},
    {EVENT_MESSAGE, "body.stringValue"}, {EVENT_MESSAGE, "body"},
    {EVENT_SERVICE, "resource.service.name"}, {EVENT_ENVIRONMENT, "resource.deployment.environment.name"},
    {EVENT_ENVIRONMENT, "resource.deployment.environment"},
    {EVENT_TRACE_ID, "traceId"}, {EVENT_SPAN_ID, "spanId"},
    {EVENT_EXCEPTION_TYPE, "attributes.exception.type"}, {EVENT_EXCEPTION_MESSAGE, "attributes.exception.message"},
    {EVENT_ENDPOINT, "attributes.url.path"}, {EVENT_USER, "attributes.user.id"},
};

static const struct scan_format_key zap_keys[] = {
    {EVENT_TIMESTAMP, "ts"}, {EVENT_LEVEL, "level"}, {EVENT_LOGGER, "logger"}, {EVENT_MESSAGE, "msg"},
    {EVENT_EXCEPTION_MESSAGE, "error"},
};

static const struct scan_format_key zerolog_keys[] = {
    {EVENT_TIMESTAMP, "time"}, {EVENT_LEVEL, "level"}, {EVENT_MESSAGE, "message"}, {EVENT_EXCEPTION_MESSAGE, "error"},
};

static const struct scan_format_key pino_keys[] = {
    {EVENT_TIMESTAMP, "time"}, {EVENT_LEVEL, "level"}, {EVENT_LOGGER, "name"}, {EVENT_MESSAGE, "msg"},
    {EVENT_PID, "pid"}, {EVENT_REQUEST_ID, "reqId"}, {EVENT_REQUEST_ID, "req.id"}, {EVENT_ENDPOINT, "req.url"},
    {EVENT_EXCEPTION_TYPE, "err.type"}, {EVENT_EXCEPTION_MESSAGE, "err.message"}, {EVENT_EXCEPTION_CODE, "err.code"},
};

static const struct scan_format_key structlog_keys[] = {
    {EVENT_TIMESTAMP, "timestamp"}, {EVENT_LEVEL, "level"}, {EVENT_LEVEL, "log_level"}, {EVENT_LOGGER, "logger"},
    {EVENT_MESSAGE, "event"}, {EVENT_REQUEST_ID, "request_id"}, {EVENT_EXCEPTION_TRACEBACK, "exception"},
};

/* logstash-logback-encoder, and the JSON encoder that logback itself has. */
static const struct scan_format_key logback_keys[] = {
    {EVENT_TIMESTAMP, "@timestamp"}, {EVENT_TIMESTAMP, "timestamp"}, {EVENT_LEVEL, "level"},
    {EVENT_LOGGER, "logger_name"}, {EVENT_LOGGER, "loggerName"},
    {EVENT_MESSAGE, "formattedMessage"}, {EVENT_MESSAGE, "message"},
    {EVENT_EXCEPTION_TYPE, "throwable.className"}, {EVENT_EXCEPTION_MESSAGE, "throwable.message"},
    {EVENT_EXCEPTION_TRACEBACK, "stack_trace"},
};

#define KEYS(array) array, (int)(sizeof(array) / sizeof((array)[0]))
static const struct scan_format formats[] = {
    {"liblog", KEYS(liblog_keys), .flat = false},
    {"ecs", KEYS(ecs_keys), .flat = true},
    {"otel", KEYS(otel_keys), .flat = true, .otel_levels = true},
    {"zap", KEYS(zap_keys), .flat = false},
    {"zerolog", KEYS(zerolog_keys), .flat = false},
    {"pino", KEYS(pino_keys), .flat = false},
    {"structlog", KEYS(structlog_keys), .flat = false},
    {"logback", KEYS(logback_keys), .flat = false},
};
/* clang-format on */

const struct scan_format *scan_format_find(const char *name)
{
    for (size_t i = 0; i < sizeof(formats) / sizeof(formats[0]); i++)
        if (strcmp(formats[i].name, name[0] ? name : "liblog") == 0)
            return &formats[i];
    return NULL;
}

bool scan_format_is_text(const char *name)
{
    return strcmp(name, "plain") == 0;
}

bool scan_format_known(const char *name)
{
    return name[0] && (scan_format_find(name) || scan_format_is_text(name));
}
