/*
 * The library's writes to files, as the test likes them: held, slow, or failing. The program is linked with
 * --wrap=write (and what else it replaces); the including file defines _GNU_SOURCE first.
 */
#ifndef TESTS_HELD_WRITE_H
#define TESTS_HELD_WRITE_H

#include <errno.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

ssize_t __real_write(int fd, const void *bytes, size_t size);
ssize_t __wrap_write(int fd, const void *bytes, size_t size);

static bool write_is_held;      /* atomic */
static uint64_t writes_waiting; /* atomic */
static uint32_t write_pause_us; /* atomic */
static int write_errno;        /* atomic: not 0: fails with it, after half of the bytes where there are two */
static uint32_t writes_failed; /* atomic */
static uint32_t
    write_bytes_max; /* atomic: not 0: takes no more at once, and is interrupted every other time */

static inline bool is_a_file(int fd)
{
    struct stat st;
    return fstat(fd, &st) == 0 && S_ISREG(st.st_mode);
}

static inline ssize_t write_as_told(int fd, const void *bytes, size_t size)
{
    static uint32_t calls;
    int error = __atomic_load_n(&write_errno, __ATOMIC_SEQ_CST);
    uint32_t bytes_max = __atomic_load_n(&write_bytes_max, __ATOMIC_SEQ_CST);
    uint32_t call = __atomic_fetch_add(&calls, 1, __ATOMIC_SEQ_CST);
    if (error && __atomic_fetch_add(&writes_failed, 1, __ATOMIC_SEQ_CST) % 2 == 0 && size > 1)
        return __real_write(fd, bytes, size / 2);
    if (error || (bytes_max && call % 2)) {
        errno = error ? error : EINTR;
        return -1;
    }
    return __real_write(fd, bytes, bytes_max && size > bytes_max ? bytes_max : size);
}

ssize_t __wrap_write(int fd, const void *bytes, size_t size)
{
    struct timespec pause = {0, (long)__atomic_load_n(&write_pause_us, __ATOMIC_SEQ_CST) * 1000};
    if (fd > STDERR_FILENO && is_a_file(fd)) {
        __atomic_fetch_add(&writes_waiting, 1, __ATOMIC_SEQ_CST);
        if (pause.tv_nsec)
            nanosleep(&pause, NULL);
        while (__atomic_load_n(&write_is_held, __ATOMIC_SEQ_CST))
            nanosleep(&(struct timespec){0, 1000000}, NULL);
        __atomic_fetch_sub(&writes_waiting, 1, __ATOMIC_SEQ_CST);
    }
    return fd > STDERR_FILENO && is_a_file(fd) ? write_as_told(fd, bytes, size)
                                               : __real_write(fd, bytes, size);
}

#endif
