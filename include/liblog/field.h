/*
 * Fields: the typed values that a record carries in its `fields` object.
 *
 *     ll_info("request served", ll_kv("route", "/cart"), ll_kv("status", 200), ll_kv("elapsed_ms", 12.5));
 *
 * A field is a small value that borrows its strings until the log call returns; the call copies them. Keys
 * that are string literals are registered once per call site; others are copied at each call. Of two fields
 * with one key the last stands.
 */
#ifndef LIBLOG_FIELD_H
#define LIBLOG_FIELD_H

#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
#include <string>
#include <string_view>
extern "C" {
#else
#include <stdbool.h>
#endif

/* What a field holds. The numbers stand in ring files, so they never change. */
enum ll_type {
    LL_TYPE_END = 0,
    LL_TYPE_NULL = 1,
    LL_TYPE_BOOL = 2,
    LL_TYPE_I64 = 3,
    LL_TYPE_U64 = 4,
    LL_TYPE_DOUBLE = 5,
    LL_TYPE_FLOAT = 6,
    LL_TYPE_STRING = 7,
    LL_TYPE_BYTES = 8,     /* written as lower-case hex */
    LL_TYPE_JSON = 9,      /* raw JSON, checked; what is not valid is written as a string */
    LL_TYPE_TIME = 10,     /* nanoseconds since 1970, written as RFC 3339 */
    LL_TYPE_DURATION = 11, /* nanoseconds, written as seconds with a fraction */
    LL_TYPE_SECRET = 12,   /* written as "[redacted]"; the value is never copied */
    LL_TYPE_EXCEPTION_TYPE = 13,
    LL_TYPE_EXCEPTION_CODE = 14,
    LL_TYPE_EXCEPTION_MESSAGE = 15,
    LL_TYPE_TRACEBACK = 16 /* made by ll_traceback() */
};

enum {
    LL_FIELD_KEY_LITERAL = 1,  /* flags: the key is a string literal */
    LL_FIELD_SIZE_UNKNOWN = -1 /* size: the string ends with NUL */
};

typedef struct ll_field {
    const char *key;
    uint8_t type; /* enum ll_type */
    uint8_t flags;
    uint16_t reserved;
    int32_t size; /* bytes of a string, or LL_FIELD_SIZE_UNKNOWN */
    union {
        int64_t i64;
        uint64_t u64;
        double f64;
        const void *pointer; /* NULL is null, whatever the size */
    } value;
} ll_field;

#ifdef __cplusplus
}
#endif

/* 1 when `text` is a string literal (decided by the compiler), else 0. */
#define LL_IS_LITERAL_(text) ((uint8_t)(__builtin_constant_p(text) ? LL_FIELD_KEY_LITERAL : 0))

static inline ll_field ll_field_make_(const char *key, uint8_t flags, int type, int32_t size)
{
    ll_field field;
    field.key = key;
    field.type = (uint8_t)type;
    field.flags = flags;
    field.reserved = 0;
    field.size = size;
    field.value.u64 = 0;
    return field;
}

static inline ll_field ll_field_bool_(const char *key, uint8_t flags, bool value)
{
    ll_field field = ll_field_make_(key, flags, LL_TYPE_BOOL, 0);
    field.value.u64 = value ? 1 : 0;
    return field;
}

static inline ll_field ll_field_i64_(const char *key, uint8_t flags, int64_t value)
{
    ll_field field = ll_field_make_(key, flags, LL_TYPE_I64, 0);
    field.value.i64 = value;
    return field;
}

static inline ll_field ll_field_u64_(const char *key, uint8_t flags, uint64_t value)
{
    ll_field field = ll_field_make_(key, flags, LL_TYPE_U64, 0);
    field.value.u64 = value;
    return field;
}

static inline ll_field ll_field_double_(const char *key, uint8_t flags, double value)
{
    ll_field field = ll_field_make_(key, flags, LL_TYPE_DOUBLE, 0);
    field.value.f64 = value;
    return field;
}

static inline ll_field ll_field_float_(const char *key, uint8_t flags, float value)
{
    ll_field field = ll_field_make_(key, flags, LL_TYPE_FLOAT, 0);
    field.value.f64 = (double)value;
    return field;
}

static inline ll_field ll_field_pointer_(const char *key, uint8_t flags, int type, const void *data,
                                         size_t size)
{
    ll_field field = ll_field_make_(key, flags, type, size > INT32_MAX ? INT32_MAX : (int32_t)size);
    field.value.pointer = data;
    return field;
}

static inline ll_field ll_field_string_(const char *key, uint8_t flags, const char *text)
{
    ll_field field = ll_field_make_(key, flags, LL_TYPE_STRING, LL_FIELD_SIZE_UNKNOWN);
    if (text && __builtin_constant_p(__builtin_strlen(text))) /* a literal: measured by the compiler */
        field.size = (int32_t)__builtin_strlen(text);
    field.value.pointer = text;
    return field;
}

static inline ll_field ll_field_part_(int type, const char *text)
{
    ll_field field = ll_field_make_("", LL_FIELD_KEY_LITERAL, type, LL_FIELD_SIZE_UNKNOWN);
    field.value.pointer = text ? text : "";
    return field;
}

static inline ll_field ll_field_end_(void)
{
    return ll_field_make_("", LL_FIELD_KEY_LITERAL, LL_TYPE_END, 0);
}

#ifndef __cplusplus

static inline ll_field ll_field_text_(const char *key, uint8_t flags, const void *text)
{
    return ll_field_string_(key, flags, (const char *)text);
}

/* Any integer, bool variable, double, float, or C string of char or unsigned char (NULL is null); nothing
 * else compiles. */
#define ll_kv(key, value)                                                                                    \
    _Generic((value),                                                                                         \
        bool: ll_field_bool_,                                                                                 \
        char: ll_field_i64_,                                                                                  \
        signed char: ll_field_i64_,                                                                           \
        short: ll_field_i64_,                                                                                 \
        int: ll_field_i64_,                                                                                   \
        long: ll_field_i64_,                                                                                  \
        long long: ll_field_i64_,                                                                             \
        unsigned char: ll_field_u64_,                                                                         \
        unsigned short: ll_field_u64_,                                                                        \
        unsigned int: ll_field_u64_,                                                                          \
        unsigned long: ll_field_u64_,                                                                         \
        unsigned long long: ll_field_u64_,                                                                    \
        float: ll_field_float_,                                                                               \
        double: ll_field_double_,                                                                             \
        char *: ll_field_text_,                                                                               \
        const char *: ll_field_text_,                                                                         \
        unsigned char *: ll_field_text_,                                                                      \
        const unsigned char *: ll_field_text_)((key), LL_IS_LITERAL_(key), (value))

#else

inline ll_field ll_kv_(const char *k, uint8_t f, bool v)
{
    return ll_field_bool_(k, f, v);
}
inline ll_field ll_kv_(const char *k, uint8_t f, char v)
{
    return ll_field_i64_(k, f, v);
}
inline ll_field ll_kv_(const char *k, uint8_t f, signed char v)
{
    return ll_field_i64_(k, f, v);
}
inline ll_field ll_kv_(const char *k, uint8_t f, short v)
{
    return ll_field_i64_(k, f, v);
}
inline ll_field ll_kv_(const char *k, uint8_t f, int v)
{
    return ll_field_i64_(k, f, v);
}
inline ll_field ll_kv_(const char *k, uint8_t f, long v)
{
    return ll_field_i64_(k, f, v);
}
inline ll_field ll_kv_(const char *k, uint8_t f, long long v)
{
    return ll_field_i64_(k, f, v);
}
inline ll_field ll_kv_(const char *k, uint8_t f, unsigned char v)
{
    return ll_field_u64_(k, f, v);
}
inline ll_field ll_kv_(const char *k, uint8_t f, unsigned short v)
{
    return ll_field_u64_(k, f, v);
}
inline ll_field ll_kv_(const char *k, uint8_t f, unsigned int v)
{
    return ll_field_u64_(k, f, v);
}
inline ll_field ll_kv_(const char *k, uint8_t f, unsigned long v)
{
    return ll_field_u64_(k, f, v);
}
inline ll_field ll_kv_(const char *k, uint8_t f, unsigned long long v)
{
    return ll_field_u64_(k, f, v);
}
inline ll_field ll_kv_(const char *k, uint8_t f, float v)
{
    return ll_field_float_(k, f, v);
}
inline ll_field ll_kv_(const char *k, uint8_t f, double v)
{
    return ll_field_double_(k, f, v);
}
inline ll_field ll_kv_(const char *k, uint8_t f, const char *v)
{
    return ll_field_string_(k, f, v);
}
inline ll_field ll_kv_(const char *k, uint8_t f, const unsigned char *v)
{
    return ll_field_string_(k, f, reinterpret_cast<const char *>(v));
}
inline ll_field ll_kv_(const char *k, uint8_t f, std::string_view v)
{
    return ll_field_pointer_(k, f, LL_TYPE_STRING, v.data() ? v.data() : "", v.size());
}
inline ll_field ll_kv_(const char *k, uint8_t f, const std::string &v)
{
    return ll_field_pointer_(k, f, LL_TYPE_STRING, v.data(), v.size());
}
template <typename T> ll_field ll_kv_(const char *, uint8_t, const T *) = delete; /* other pointers */
#define ll_kv(key, value) ll_kv_((key), LL_IS_LITERAL_(key), (value))

#endif

/* true and false: in C11 these are ints, so say which you mean. */
#define ll_bool(key, value) ll_field_bool_((key), LL_IS_LITERAL_(key), (value))

/* A string of `size` bytes, which may hold NUL. NULL is null. */
#define ll_strn(key, text, size) ll_field_pointer_((key), LL_IS_LITERAL_(key), LL_TYPE_STRING, (text), (size))

/* Bytes, written as lower-case hex. */
#define ll_bytes(key, data, size) ll_field_pointer_((key), LL_IS_LITERAL_(key), LL_TYPE_BYTES, (data), (size))

/* A value that is JSON already. It is checked; what is not valid JSON is written as a string. */
#define ll_json(key, text) ll_field_json_((key), LL_IS_LITERAL_(key), (text))
static inline ll_field ll_field_json_(const char *key, uint8_t flags, const char *text)
{
    ll_field field = ll_field_string_(key, flags, text);
    field.type = LL_TYPE_JSON;
    return field;
}

/* A point in time in nanoseconds since 1970 (UTC), written as RFC 3339. */
#define ll_time(key, unix_ns) ll_field_ns_((key), LL_IS_LITERAL_(key), LL_TYPE_TIME, (unix_ns))

/* A span of time in nanoseconds, written as seconds: 0.0125. */
#define ll_duration(key, ns) ll_field_ns_((key), LL_IS_LITERAL_(key), LL_TYPE_DURATION, (ns))
static inline ll_field ll_field_ns_(const char *key, uint8_t flags, int type, int64_t ns)
{
    ll_field field = ll_field_i64_(key, flags, ns);
    field.type = (uint8_t)type;
    return field;
}

/* A value that must never be written: only the key and "[redacted]" are. The value is evaluated and thrown
 * away. */
#define ll_secret(key, value) ((void)(value), ll_field_make_((key), LL_IS_LITERAL_(key), LL_TYPE_SECRET, 0))

/* The record's `exception` object. Each stands for two or three arguments of the log call, so use it only
 * there. */
#define ll_exception(type, message)                                                                          \
    ll_field_part_(LL_TYPE_EXCEPTION_TYPE, (type)), ll_field_part_(LL_TYPE_EXCEPTION_MESSAGE, (message))
#define ll_exception_code(type, code, message)                                                               \
    ll_field_part_(LL_TYPE_EXCEPTION_TYPE, (type)), ll_field_part_(LL_TYPE_EXCEPTION_CODE, (code)),          \
        ll_field_part_(LL_TYPE_EXCEPTION_MESSAGE, (message))

#endif
