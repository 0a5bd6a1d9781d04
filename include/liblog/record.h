/*
 * The record's names: what one line of a log file may hold, shared by the library that writes it, the sidecar
 * that reads it, and anyone who processes the files. docs/record.md describes the record.
 */
#ifndef LIBLOG_RECORD_H
#define LIBLOG_RECORD_H

/* Severity, least first. A level includes all above it. */
typedef enum ll_level {
    LL_LEVEL_TRACE = 0,
    LL_LEVEL_DEBUG = 1,
    LL_LEVEL_INFO = 2,
    LL_LEVEL_WARNING = 3,
    LL_LEVEL_ERROR = 4,
    LL_LEVEL_CRITICAL = 5,
    LL_LEVEL_OFF = 6 /* as a threshold: nothing is logged */
} ll_level;

/* Keys of the record, in the order in which they stand in a line. */
#define LL_KEY_TIMESTAMP     "timestamp"
#define LL_KEY_LEVEL         "level"
#define LL_KEY_SERVICE       "service"
#define LL_KEY_ENVIRONMENT   "environment"
#define LL_KEY_LOGGER        "logger"
#define LL_KEY_MESSAGE       "message"
#define LL_KEY_RUN_ID        "run_id"
#define LL_KEY_PARENT_RUN_ID "parent_run_id"
#define LL_KEY_SEQ           "seq"
#define LL_KEY_MARK          "mark"
#define LL_KEY_DROPPED       "dropped"
#define LL_KEY_REQUEST_ID    "request_id"
#define LL_KEY_TRACE_ID      "trace_id"
#define LL_KEY_SPAN_ID       "span_id"
#define LL_KEY_ENDPOINT      "endpoint"
#define LL_KEY_USER          "user"
#define LL_KEY_EXCEPTION     "exception"
#define LL_KEY_PID           "pid"
#define LL_KEY_TID           "tid"
#define LL_KEY_SOURCE        "source"
#define LL_KEY_FIELDS        "fields"
#define LL_KEY_TRUNCATED     "truncated"
#define LL_KEY_COPY          "copy"

/* Values of "mark": records that the library makes itself. */
#define LL_MARK_CLOSE     "close"
#define LL_MARK_CRASH     "crash"
#define LL_MARK_RECOVERED "recovered"
#define LL_MARK_DROPPED   "dropped"
#define LL_MARK_REPEATED  "repeated"

#endif
