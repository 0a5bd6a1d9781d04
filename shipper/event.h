/*
 * One scanned line: views into its bytes, valid as long as these are. Nothing is copied or decoded; a value
 * with `escaped` set holds JSON escapes or bad UTF-8, which value_text() resolves.
 */
#ifndef SHIPPER_EVENT_H
#define SHIPPER_EVENT_H

#include "liblog/base/slice.h"

#include <assert.h>
#include <endian.h>
#include <stddef.h>
#include <stdint.h>

enum value_kind {
    VALUE_ABSENT = 0,
    VALUE_STRING,
    VALUE_NUMBER,
    VALUE_TRUE,
    VALUE_FALSE,
    VALUE_NULL,
    VALUE_OBJECT,
    VALUE_ARRAY
};

struct value {
    const char *data; /* a string without its quotes, anything else as it stands */
    uint32_t size;
    uint16_t kind;
    uint16_t escaped; /* 0 or 1; of this width, so that all but `data` is one word without a gap */
};

/* All of a value but where it is, in one word: its size, above that its kind, and whether it is escaped. */
static inline uint64_t value_nature(const struct value *value)
{
    uint64_t nature;
    static_assert(sizeof(*value) - offsetof(struct value, size) == sizeof(nature), "one word");
    memcpy(&nature, &value->size, sizeof(nature));
    return le64toh(nature);
}

/* Sets all of a value without escapes, in two stores. */
static inline void value_set(struct value *value, const char *data, size_t size, enum value_kind kind)
{
    uint64_t nature = htole64(size | (uint64_t)kind << 32);
    value->data = data;
    memcpy(&value->size, &nature, sizeof(nature));
}

#define VALUE_NATURE_STRING ((uint64_t)VALUE_STRING << 32) /* of a string that is empty, and not escaped */

/* The record's keys that shipper uses. Nested ones are taken only from the record's own objects of that name.
 */
enum event_key {
    EVENT_TIMESTAMP,
    EVENT_LEVEL,
    EVENT_SERVICE,
    EVENT_ENVIRONMENT,
    EVENT_LOGGER,
    EVENT_MESSAGE,
    EVENT_RUN_ID,
    EVENT_PARENT_RUN_ID,
    EVENT_SEQ,
    EVENT_MARK,
    EVENT_DROPPED_COUNT,
    EVENT_DROPPED_REASON,
    EVENT_DROPPED_LEVEL,
    EVENT_REQUEST_ID,
    EVENT_TRACE_ID,
    EVENT_SPAN_ID,
    EVENT_ENDPOINT,
    EVENT_USER,
    EVENT_EXCEPTION_TYPE,
    EVENT_EXCEPTION_MESSAGE,
    EVENT_EXCEPTION_CODE,
    EVENT_EXCEPTION_FINGERPRINT,
    EVENT_EXCEPTION_TRACEBACK, /* of other programs, whose type may stand nowhere else (trace.h) */
    EVENT_PID,
    EVENT_TID,
    EVENT_TRUNCATED,
    EVENT_COPY,
    EVENT_KEY_COUNT,
    EVENT_NO_KEY =
        EVENT_KEY_COUNT, /* where a scan puts values that nobody asks for, which is quicker than asking */
};

/* Levels as counted. LEVEL_UNKNOWN keeps its text in the record only. */
enum level {
    LEVEL_TRACE,
    LEVEL_DEBUG,
    LEVEL_INFO,
    LEVEL_WARNING,
    LEVEL_ERROR,
    LEVEL_CRITICAL,
    LEVEL_UNKNOWN,
    LEVEL_COUNT
};

#define EVENT_ALL_KEYS ((UINT32_C(1) << EVENT_KEY_COUNT) - 1)

struct event {
    struct value value[EVENT_KEY_COUNT + 1];
    uint32_t taken; /* bit 1 << key: the value may be there; of no other it is. For the next scan into this
                       event, which has less to clear */

    /* what event_interpret() makes of them */
    int64_t time_ns;  /* unix; of the record, or the one that stands in for it */
    uint64_t seq;     /* 0 when absent or not a positive integer */
    uint64_t dropped; /* announced by mark "dropped", else 0 */
    enum level level;
    bool bad_time; /* timestamp missing, unreadable or too far ahead: time_ns is a substitute */
    bool is_copy;  /* "copy":true */
    bool is_mark;  /* made by the library */
    bool is_crash; /* mark "crash": the only mark that is counted */
    bool bad_utf8; /* a record, flagged */
};

/* "WARNING" …, "UNKNOWN". */
const char *level_name(enum level level);

/* Any spelling that tail.md allows (warn, err, fatal, pino's 10–60, syslog's 0–7 …), else LEVEL_UNKNOWN. */
enum level level_from_text(struct slice text);

/* The value as text with escapes resolved and bad UTF-8 (half a surrogate pair, too) as U+FFFD, cut to `size`
 * bytes at a character. Returns the view: into the line when nothing had to be resolved, else into `memory`.
 * Absent and null are empty. */
struct slice value_text(const struct value *value, char *memory, size_t size);

#endif
