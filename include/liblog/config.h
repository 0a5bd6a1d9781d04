/*
 * Configuration, and the life of the log.
 *
 *     ll_config config;
 *     ll_problem problem;
 *     if (ll_config_from_env(&config, &problem) != LL_OK || ll_open(&config, &problem) != LL_OK) …
 *     …
 *     ll_close();
 */
#ifndef LIBLOG_CONFIG_H
#define LIBLOG_CONFIG_H

#include "api.h"
#include "error.h"
#include "record.h"

#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

typedef enum ll_overflow {
    LL_OVERFLOW_BLOCK = 0, /* a full ring: wait at most block_max_ns, then drop */
    LL_OVERFLOW_DROP = 1,  /* a full ring: drop the new record */
    LL_OVERFLOW_SYNC = 2   /* a full ring: wait until it is drained, however long that takes */
} ll_overflow;

/* What is on the disk after a power cut; a process that dies loses nothing with any of them. */
typedef enum ll_sync {
    LL_SYNC_NEVER = 0,    /* what the kernel had written by itself */
    LL_SYNC_INTERVAL = 1, /* all that was logged up to a second before */
    LL_SYNC_ERROR = 2     /* an ERROR or CRITICAL, and all before it, when the call has returned */
} ll_sync;

enum { LL_TEXT_SIZE = 256, LL_PATH_SIZE = 1024, LL_LEVELS_SIZE = 1024 };

/* Every field has its LOG_ variable. Strings that are empty mean the default. The struct may grow at its end:
 * ll_open and ll_config_from_env hand its size over. */
typedef struct ll_config {
    char level[LL_LEVELS_SIZE];     /* LOG_LEVEL: "info", or "info,backend.database=debug" */
    char file[LL_PATH_SIZE];        /* LOG_FILE: a path, "stdout" or "stderr" (default) */
    char error_file[LL_PATH_SIZE];  /* LOG_ERROR_FILE: ERROR and CRITICAL once more */
    char service[LL_TEXT_SIZE];     /* LOG_SERVICE: default the program's name */
    char environment[LL_TEXT_SIZE]; /* APP_ENV */
    char parent_run_id[72];         /* LOG_RUN_ID: the run that started this one; up to 64 characters */
    char ring_dir[LL_PATH_SIZE];    /* LOG_RING_DIR: default a hidden folder beside the log */
    uint64_t ring_bytes;         /* LOG_RING_SIZE: of each thread; 64 KiB to 1 GiB, a power of two; 1 MiB */
    int64_t block_max_ns;        /* LOG_BLOCK_MAX: how long a call may wait for a full ring; 0 to 60 s; 1 s */
    ll_overflow overflow;        /* LOG_OVERFLOW: block, drop, sync */
    ll_level source_level;       /* LOG_SOURCE: file, line and function from this level on; "off"; WARNING */
    uint32_t marks;              /* LOG_MARKS: 1 on, 0 off: no "close" record */
    uint32_t stats;              /* LOG_STATS: 1 on, 0 off: no error statistics (stats.h) */
    ll_sync sync;                /* LOG_SYNC: never, interval, error */
    char redact[LL_LEVELS_SIZE]; /* LOG_REDACT: more keys whose values are not logged: "iban,card_number" */
} ll_config;

/* Where the rings lie. */
typedef enum ll_ring_place {
    LL_RING_NONE = 0, /* not open */
    LL_RING_FILE = 1, /* a process that dies loses nothing */
    LL_RING_MEMORY =
        2 /* no folder to keep them in, or a file system that cannot: a kill loses what is not written */
} ll_ring_place;

/* How the log itself is doing. All numbers count since ll_open. */
typedef struct ll_health {
    ll_ring_place ring;
    uint32_t stalled;    /* 1 while the log cannot be written */
    int32_t write_errno; /* why: of the system call, EBUSY: another process holds the log's lock, ETIMEDOUT: a
                            write does not return; or 0 */
    uint32_t reserved;
    uint64_t records; /* written to the main sink */
    uint64_t bytes;
    uint64_t dropped;         /* left out because a ring was full or there was none */
    uint64_t truncated;       /* records cut to the limit */
    uint64_t recovered_rings; /* of dead processes, finished by this one */
    uint64_t recovered_records;
    uint64_t reopens; /* the file at the path was another one: rotated */
    uint64_t write_errors;
    uint64_t dropped_disk;    /* of `dropped`: left out while the log could not be written */
    uint64_t stalls;          /* how often it began that the log could not be written */
    uint64_t copies_left_out; /* records that are in the log and not in the errors file */
    uint64_t unsynced; /* calls with LOG_SYNC=error that returned before their record was on the disk */
} ll_health;

LL_API int ll_config_from_env_sized(ll_config *ret_config, size_t size, ll_problem *ret_problem);
LL_API int ll_open_sized(const ll_config *config, size_t size, ll_problem *ret_problem);
LL_API void ll_health_get_sized(ll_health *ret_health, size_t size);

/* The defaults. */
static inline void ll_config_init(ll_config *ret_config);

/* The LOG_ variables over the defaults. LL_OK, or LL_EINVAL and `problem` (may be NULL) says which variable,
 * what it was and what would do. */
static inline int ll_config_from_env(ll_config *ret_config, ll_problem *ret_problem)
{
    return ll_config_from_env_sized(ret_config, sizeof *ret_config, ret_problem);
}

/*
 * Opens the log: finishes the rings of dead processes of this file, then starts the writer. A log that cannot
 * be written now (a folder that is missing, a full disk) is no error: the program goes on, see ll_health.
 * LL_OK; LL_EINVAL for a setting that cannot be, LL_EOPEN when it is open already, LL_ENOMEM, LL_ESYSTEM. One
 * thread.
 */
static inline int ll_open(const ll_config *config, ll_problem *ret_problem)
{
    return ll_open_sized(config, sizeof *config, ret_problem);
}

static inline void ll_health_get(ll_health *ret_health)
{
    ll_health_get_sized(ret_health, sizeof *ret_health);
}

LL_API void ll_config_init_sized(ll_config *ret_config, size_t size);
static inline void ll_config_init(ll_config *ret_config)
{
    ll_config_init_sized(ret_config, sizeof *ret_config);
}

/* Everything logged so far is in the file when it returns. Other threads may go on calling; their records are
 * left out. Also done by exit(). */
LL_API void ll_close(void);

/* Waits until all records whose calls had returned are written. LL_OK, LL_ETIMEOUT or LL_ECLOSED. Any thread,
 * not in a signal handler. */
LL_API int ll_flush(int timeout_ms);

/* Opens the file at the path anew before the next write. Not needed after a rename: that is seen by itself.
 * Any thread. */
LL_API void ll_reopen(void);

/* This run's UUIDv7 as text; "" before ll_open. Static; valid for the life of the process. */
LL_API const char *ll_run_id(void);

/*
 * "LOG_RUN_ID=" and this run's id, for the environment of a program that is started: it then names this run
 * as its parent_run_id. In a child between fork and exec it is the run that forked, as long as the child has
 * not logged. Without an id before the first ll_open. Static; any thread, also in a signal handler.
 *
 *     char *environment[] = {(char *)ll_run_env(), "PATH=/usr/bin", NULL};
 *     posix_spawn(&child, path, NULL, NULL, arguments, environment);          or: putenv((char
 * *)ll_run_env());
 */
LL_API const char *ll_run_env(void);

/* "0.1.0" */
LL_API const char *ll_version(void);

/* Sets the level of a logger and those below it, or with NULL of all that have none of their own. LL_OK,
 * LL_EINVAL, LL_ENOMEM. Any thread. */
LL_API int ll_set_level(const char *logger, ll_level level);

#ifdef __cplusplus
}
#endif
#endif
