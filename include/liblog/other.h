/*
 * What one process may do to the log of another. Not needed by a program that only logs; shipper stands on
 * it.
 */
#ifndef LIBLOG_OTHER_H
#define LIBLOG_OTHER_H

#include "api.h"
#include "error.h"

#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

typedef struct ll_recover_options {
    const char *ring_dir;   /* as LOG_RING_DIR; NULL: the hidden folder beside the log */
    const char *error_file; /* as LOG_ERROR_FILE, for the copies; NULL: none are written */
    uint32_t dry_run;       /* 1: only look */
    uint32_t reserved;
} ll_recover_options;

typedef struct ll_recovered {
    uint32_t living;   /* rings whose process lives: left alone */
    uint32_t finished; /* rings of dead processes, finished and removed (with dry_run: that would be) */
    uint32_t damaged;  /* rings that cannot be read: left as they are; `problem` tells the last one */
    uint32_t reserved;
    uint64_t records;    /* written now */
    uint64_t lost_bytes; /* in rings whose contents could not be believed to the end */
} ll_recovered;

LL_API int ll_recover_sized(const char *log_path, const ll_recover_options *options, size_t options_size,
                            ll_recovered *ret_recovered, size_t recovered_size, ll_problem *ret_problem);

/*
 * Finishes the rings of dead processes that logged to the file `log_path`: what they had logged and not
 * written is appended to it, each record once. `options` may be NULL. LL_OK (also when there was nothing to
 * do), or an error with its words: LL_ENOENT when there is neither log nor folder, LL_EACCES, LL_EIO,
 * LL_EFORMAT when a ring is damaged. May run beside living writers and other recoverers. A ring file is not
 * trusted: every length in it is checked, paths in it are ignored.
 */
static inline int ll_recover(const char *log_path, const ll_recover_options *options,
                             ll_recovered *ret_recovered, ll_problem *ret_problem)
{
    return ll_recover_sized(log_path, options, sizeof *options, ret_recovered, sizeof *ret_recovered,
                            ret_problem);
}

#ifdef __cplusplus
}
#endif
#endif
