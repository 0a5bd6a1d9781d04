/*
 * The log calls.
 *
 *     #define LL_LOGGER "backend.database"
 *     ll_error("cannot connect", ll_exception_code("OperationalError", "DB_003", sqlite3_errmsg(db)));
 *
 * Any thread, any time after ll_open; in a signal handler too. A call copies the record into its thread's
 * ring and returns; it allocates nothing after a thread's first call and makes no system call while the ring
 * has room and the writer is awake. A call for a level that is off costs two loads and a branch, and
 * evaluates none of its arguments.
 */
#ifndef LIBLOG_LOG_H
#define LIBLOG_LOG_H

#include "api.h"
#include "field.h"
#include "record.h"

#ifdef __cplusplus
#include <initializer_list>
extern "C" {
#endif

/* The logger's name of the calls that follow; dotted. A file defines it as a macro before its calls, also
 * after this header: the default is a variable of the same name, so that such a definition is the first and
 * not a second one. */
#ifndef LL_LOGGER
static const char LL_LOGGER[] __attribute__((unused)) = "root";
#endif

/* Calls below this level are not compiled at all. */
#ifndef LL_LEVEL_FLOOR
#define LL_LEVEL_FLOOR 0
#endif

/* One place in the program that logs. The macros make them; everything behind `line` belongs to the library.
 */
typedef struct ll_site {
    const char *logger;
    const char *file;
    const char *function;
    int32_t line;
    uint32_t level;    /* enum ll_level */
    uint32_t state;    /* atomic: which version of the levels was looked at, and whether the level is on */
    uint32_t entry;    /* atomic: where the site stands in the ring file's table */
    const void *shape; /* atomic: the registered keys and types */
    uint64_t epoch;    /* atomic: the ring file in which `entry` holds */
} ll_site;

#define LL_SITE_INIT_(site_level)                                                                            \
    {                                                                                                        \
        LL_LOGGER, __FILE__, __func__, __LINE__, (site_level), 0, 0, 0, 0                                    \
    }

/* The state of a site whose level is off. Read by the macros; written by the library. */
LL_API extern uint32_t ll_state_off;

/* flags of ll_write_at */
enum { LL_MESSAGE_LITERAL = 1, LL_KEYS_DYNAMIC = 2 };

/* What the macros call. Fields whose type is LL_TYPE_END are passed over. */
LL_API void ll_write_at(ll_site *site, unsigned flags, const char *message, const ll_field *fields,
                        size_t count);

/* The function for wrappers and for field lists made at run time: strings and keys are copied at each call.
 * `site` is static, made with LL_SITE(level). */
LL_API void ll_write(ll_site *site, const char *message, const ll_field *fields, size_t count);

/* The message made by a format string (at most 4 KiB), without fields. */
LL_API void ll_writef(ll_site *site, const char *format, ...) __attribute__((format(printf, 2, 3)));

#define LL_SITE(site_level) LL_SITE_INIT_(site_level)

#ifndef __cplusplus
#define LL_WRITE_FIELDS_(site, message, ...)                                                                 \
    ll_write_at((site), __builtin_constant_p(message) ? LL_MESSAGE_LITERAL : 0, (message),                   \
                (const ll_field[]){__VA_ARGS__},                                                             \
                sizeof((const ll_field[]){__VA_ARGS__}) / sizeof(ll_field) - 1)
#else
#define LL_WRITE_FIELDS_(site, message, ...)                                                                 \
    ll_write_list_((site), __builtin_constant_p(message) ? LL_MESSAGE_LITERAL : 0, (message), {__VA_ARGS__})
#endif

/* Looks up the site's level. The macros ask once for each site, and again when levels have changed. */
LL_API int ll_site_is_on(ll_site *site);

/* Before the arguments are evaluated: also the first call of a site whose level is off evaluates none. */
static inline int ll_is_on_(ll_site *site)
{
    uint32_t state = __atomic_load_n(&site->state, __ATOMIC_RELAXED);
    uint32_t off = __atomic_load_n(&ll_state_off, __ATOMIC_RELAXED);
    return state != off && (state == (off | 1) || ll_site_is_on(site));
}

#define LL_LOG_(site_level, message, ...)                                                                    \
    do {                                                                                                     \
        if ((int)(site_level) >= (int)(LL_LEVEL_FLOOR)) {                                                    \
            static ll_site ll_site_ = LL_SITE_INIT_(site_level);                                             \
            if (ll_is_on_(&ll_site_))                                                                        \
                LL_WRITE_FIELDS_(&ll_site_, message, __VA_ARGS__);                                           \
        }                                                                                                    \
    } while (0)

#define LL_LOGF_(site_level, ...)                                                                            \
    do {                                                                                                     \
        if ((int)(site_level) >= (int)(LL_LEVEL_FLOOR)) {                                                    \
            static ll_site ll_site_ = LL_SITE_INIT_(site_level);                                             \
            if (ll_is_on_(&ll_site_))                                                                        \
                ll_writef(&ll_site_, __VA_ARGS__);                                                           \
        }                                                                                                    \
    } while (0)

/* (message, field…): each field made by ll_kv and its kind. */
#define LL_WITH_END_(site_level, ...) LL_LOG_(site_level, __VA_ARGS__, ll_field_end_())
#define ll_trace(...)                 LL_WITH_END_(LL_LEVEL_TRACE, __VA_ARGS__)
#define ll_debug(...)                 LL_WITH_END_(LL_LEVEL_DEBUG, __VA_ARGS__)
#define ll_info(...)                  LL_WITH_END_(LL_LEVEL_INFO, __VA_ARGS__)
#define ll_warning(...)               LL_WITH_END_(LL_LEVEL_WARNING, __VA_ARGS__)
#define ll_error(...)                 LL_WITH_END_(LL_LEVEL_ERROR, __VA_ARGS__)
#define ll_critical(...)              LL_WITH_END_(LL_LEVEL_CRITICAL, __VA_ARGS__)

/* (format, argument…): the message made by printf's rules. */
#define ll_tracef(...)    LL_LOGF_(LL_LEVEL_TRACE, __VA_ARGS__)
#define ll_debugf(...)    LL_LOGF_(LL_LEVEL_DEBUG, __VA_ARGS__)
#define ll_infof(...)     LL_LOGF_(LL_LEVEL_INFO, __VA_ARGS__)
#define ll_warningf(...)  LL_LOGF_(LL_LEVEL_WARNING, __VA_ARGS__)
#define ll_errorf(...)    LL_LOGF_(LL_LEVEL_ERROR, __VA_ARGS__)
#define ll_criticalf(...) LL_LOGF_(LL_LEVEL_CRITICAL, __VA_ARGS__)

#ifdef __cplusplus
}

/* The list's temporaries (a std::string made in the call) live until this returns. */
inline void ll_write_list_(ll_site *site, unsigned flags, const char *message,
                           std::initializer_list<ll_field> list)
{
    ll_write_at(site, flags, message, list.begin(), list.size() - 1);
}
#endif
#endif
