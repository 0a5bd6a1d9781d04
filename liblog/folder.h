/*
 * Where the rings of one log lie: a hidden folder beside it, `.app.log.ll/`, or one under LOG_RING_DIR. In
 * it:
 *
 *   lock.BOOT    one page; its first word is the write lock of this log, for all processes of this boot
 *   RUN.ring     the rings of one run
 *   RUN.new      the same, while it is being made
 *   RUN.stats    the error statistics of one run (stats_file.h); stays for some time when the run is over
 *
 * The lock lives in a mapping and not in a descriptor: a forked child that keeps all descriptors of a dead
 * writer does not hold it, and a program that closes descriptors it does not know does not lose it. A reboot
 * makes a new lock, so a word that was held when the power failed holds nobody up.
 */
#ifndef LIBLOG_FOLDER_H
#define LIBLOG_FOLDER_H

#include "liblog/base/os.h"

#include <liblog/config.h>

struct folder {
    char path[LL_PATH_SIZE + 64];
    uint8_t boot_id[OS_BOOT_ID_SIZE];
    int lock_fd; /* -1: none, the folder cannot be used */
};

/*
 * Opens the folder of a log, making it when `create`: with the log's mode and group where there is a log. 0,
 * or a negative errno; -ENOTSUP where mappings there do not outlive a process.
 */
int folder_open(struct folder *folder, const char *log_path, const char *ring_dir, bool create);

/* The same to look only, for who may not write there: without the lock. -ENOENT when there is none. */
int folder_find(struct folder *folder, const char *log_path, const char *ring_dir);

/* False when the log has no such folder, for certain. One system call. */
bool folder_is_there(const char *log_path, const char *ring_dir);
void folder_close(struct folder *folder);

/* The path of a file in it; `suffix` is ".ring" or ".new". */
void folder_path(const struct folder *folder, const char *name, const char *suffix, char *ret_path,
                 size_t size);

#endif
