/*
 * The calls by which the library asks the system for something, each of which can be made to fail once: the
 * n-th from now on. The program is linked with --wrap for each of them (tests/CMakeLists.txt); the including
 * file defines _GNU_SOURCE first.
 */
#ifndef TESTS_FAILING_CALLS_H
#define TESTS_FAILING_CALLS_H

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/vfs.h>
#include <unistd.h>

/* FAIL_HARD: as a broken or full disk. FAIL_SOFT: what is to be tried again at once, or taken in parts. */
enum fail_kind { FAIL_HARD, FAIL_SOFT };

static int64_t until_failure = -1; /* atomic; how many may still succeed; negative: all */
static const char *failed_call;    /* the one that failed, or NULL; atomic */
static enum fail_kind fail_kind;
static int64_t fail_number;
static uint32_t write_failures; /* atomic */

static inline bool can_be_soft(const char *name)
{
    return strstr("write pwrite pread posix_fallocate", name) != NULL;
}

static inline bool fails_now(const char *name)
{
    if (fail_kind == FAIL_SOFT && !can_be_soft(name))
        return false;
    if (__atomic_load_n(&until_failure, __ATOMIC_SEQ_CST) < 0 ||
        __atomic_fetch_sub(&until_failure, 1, __ATOMIC_SEQ_CST) != 0)
        return false;
    __atomic_store_n(&failed_call, name, __ATOMIC_SEQ_CST);
    return true;
}

static inline void fail_call(int64_t number, enum fail_kind kind)
{
    fail_kind = kind;
    fail_number = number;
    write_failures = 0;
    __atomic_store_n(&failed_call, NULL, __ATOMIC_SEQ_CST);
    __atomic_store_n(&until_failure, number, __ATOMIC_SEQ_CST);
}

/* Whether one has failed since. */
static inline bool fail_no_more(void)
{
    __atomic_store_n(&until_failure, -1, __ATOMIC_SEQ_CST);
    return __atomic_load_n(&failed_call, __ATOMIC_SEQ_CST) != NULL;
}

#define FAILING(returns, name, parameters, arguments, failure, error)                                        \
    returns __real_##name parameters;                                                                        \
    returns __wrap_##name parameters;                                                                        \
    returns __wrap_##name parameters                                                                         \
    {                                                                                                        \
        if (!fails_now(#name))                                                                               \
            return __real_##name arguments;                                                                  \
        errno = (error);                                                                                     \
        return failure;                                                                                      \
    }

FAILING(void *, malloc, (size_t size), (size), NULL, ENOMEM)
FAILING(void *, calloc, (size_t count, size_t size), (count, size), NULL, ENOMEM)
FAILING(void *, mmap, (void *address, size_t size, int protection, int flags, int fd, off_t offset),
        (address, size, protection, flags, fd, offset), MAP_FAILED, ENOMEM)
FAILING(int, madvise, (void *address, size_t size, int advice), (address, size, advice), -1, EFAULT)
FAILING(int, fstat, (int fd, struct stat *st), (fd, st), -1, EIO)
FAILING(int, stat, (const char *path, struct stat *st), (path, st), -1, EIO)
FAILING(int, fstatfs, (int fd, struct statfs *fs), (fd, fs), -1, EIO)
FAILING(int, ftruncate, (int fd, off_t size), (fd, size), -1, EIO)
FAILING(int, posix_fallocate, (int fd, off_t offset, off_t size), (fd, offset, size),
        fail_kind == FAIL_SOFT ? EINTR : ENOSPC, errno)
FAILING(int, mkdir, (const char *path, mode_t mode), (path, mode), -1, ENOSPC)
FAILING(int, chmod, (const char *path, mode_t mode), (path, mode), -1, EPERM)
FAILING(int, chown, (const char *path, uid_t uid, gid_t gid), (path, uid, gid), -1, EPERM)
FAILING(int, rename, (const char *from, const char *to), (from, to), -1, EACCES)
FAILING(int, unlink, (const char *path), (path), -1, EACCES)
FAILING(int, fdatasync, (int fd), (fd), -1, EIO)
FAILING(int, fsync, (int fd), (fd), -1, EIO)
FAILING(int, memfd_create, (const char *name, unsigned flags), (name, flags), -1, EMFILE)
FAILING(DIR *, opendir, (const char *path), (path), NULL, EMFILE)
FAILING(char *, realpath, (const char *path, char *resolved), (path, resolved), NULL, ENOMEM)
FAILING(ssize_t, pread, (int fd, void *bytes, size_t size, off_t offset), (fd, bytes, size, offset), -1,
        fail_kind == FAIL_SOFT ? EINTR : EIO)
FAILING(int, pthread_create,
        (pthread_t * thread, const pthread_attr_t *attributes, void *(*start)(void *), void *argument),
        (thread, attributes, start, argument), EAGAIN, errno)

/* A full disk takes a part before it says so; a signal comes before anything was written, or after a part. */
#define FAILING_WRITE(name, parameters, half, arguments)                                                     \
    ssize_t __real_##name parameters;                                                                        \
    ssize_t __wrap_##name parameters;                                                                        \
    ssize_t __wrap_##name parameters                                                                         \
    {                                                                                                        \
        if (!fails_now(#name))                                                                               \
            return __real_##name arguments;                                                                  \
        if (size > 1 && takes_half())                                                                        \
            return __real_##name half;                                                                       \
        errno = fail_kind == FAIL_SOFT ? EINTR : ENOSPC;                                                     \
        return -1;                                                                                           \
    }

static inline bool takes_half(void)
{
    uint32_t failures = __atomic_fetch_add(&write_failures, 1, __ATOMIC_SEQ_CST);
    if (fail_kind == FAIL_SOFT)
        return fail_number % 2;
    if (failures == 0)
        __atomic_store_n(&until_failure, 0, __ATOMIC_SEQ_CST); /* the rest fails */
    return failures == 0;
}

FAILING_WRITE(write, (int fd, const void *bytes, size_t size), (fd, bytes, size / 2), (fd, bytes, size))
FAILING_WRITE(pwrite, (int fd, const void *bytes, size_t size, off_t offset), (fd, bytes, size / 2, offset),
              (fd, bytes, size, offset))

static inline int open_mode(int flags, va_list more)
{
    return flags & O_CREAT ? va_arg(more, int) : 0;
}

int __real_open(const char *path, int flags, ...);
int __wrap_open(const char *path, int flags, ...);
int __wrap_open(const char *path, int flags, ...)
{
    va_list more;
    va_start(more, flags);
    int mode = open_mode(flags, more);
    va_end(more);
    if (!fails_now("open"))
        return __real_open(path, flags, mode);
    errno = EMFILE;
    return -1;
}

#endif
