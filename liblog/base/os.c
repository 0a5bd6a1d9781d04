#define _GNU_SOURCE
#include "os.h"

#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <link.h>
#include <linux/futex.h>
#include <linux/magic.h>
#include <linux/membarrier.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/auxv.h>
#include <sys/mman.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/vfs.h>
#include <time.h>
#include <ucontext.h>
#include <unistd.h>

#ifndef CIFS_SUPER_MAGIC
#define CIFS_SUPER_MAGIC 0xFF534D42
#endif
#ifndef SMB2_SUPER_MAGIC
#define SMB2_SUPER_MAGIC 0xFE534D42
#endif
#ifndef V9FS_MAGIC
#define V9FS_MAGIC 0x01021997
#endif
#ifndef FUSE_SUPER_MAGIC
#define FUSE_SUPER_MAGIC 0x65735546
#endif

/* --- who and where -------------------------------------------------------------------------------------- */

static int hex_digit(char c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    if (c >= 'a' && c <= 'f')
        return c - 'a' + 10;
    return -1;
}

static int boot_id_parse(const char *text, size_t size, uint8_t *ret_id)
{
    int digits = 0;
    for (size_t i = 0; i < size && digits < 2 * OS_BOOT_ID_SIZE; i++) {
        int digit = hex_digit(text[i]);
        if (digit < 0)
            continue;
        if (digits % 2 == 0)
            ret_id[digits / 2] = (uint8_t)(digit << 4);
        else
            ret_id[digits / 2] |= (uint8_t)digit;
        digits++;
    }
    return digits == 2 * OS_BOOT_ID_SIZE ? 0 : -ENOTSUP;
}

int os_boot_id(uint8_t ret_id[static OS_BOOT_ID_SIZE])
{
    char text[64];
    int fd = open("/proc/sys/kernel/random/boot_id", O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return -ENOTSUP;
    ssize_t size = read(fd, text, sizeof text);
    close(fd);
    return size > 0 ? boot_id_parse(text, (size_t)size, ret_id) : -ENOTSUP;
}

uint32_t os_thread_id(void)
{
    return (uint32_t)syscall(SYS_gettid);
}

bool os_thread_is_there(uint32_t thread)
{
    return syscall(SYS_tgkill, getpid(), thread, 0) == 0 || errno != ESRCH;
}

int os_random(void *ret_bytes, size_t size)
{
    char *at = ret_bytes;
    while (size > 0) {
        ssize_t n = getrandom(at, size, 0);
        if (n < 0 && errno == EINTR)
            continue;
        if (n <= 0)
            return -errno;
        at += n;
        size -= (size_t)n;
    }
    return 0;
}

const char *os_program_name(void)
{
    return program_invocation_short_name && *program_invocation_short_name ? program_invocation_short_name
                                                                           : "unknown";
}

void os_thread_name(const char *name)
{
    pthread_setname_np(pthread_self(), name);
}

int os_absolute_path(const char *path, char *ret_path, size_t size)
{
    char folder[PATH_MAX] = "";
    bool is_relative = *path != '/';
    if (is_relative && !getcwd(folder, sizeof folder))
        return -errno;
    while (is_relative && strncmp(path, "./", 2) == 0)
        path += 2;
    char *joined = NULL;
    int length = asprintf(&joined, "%s%s%s", folder, is_relative ? "/" : "", path);
    if (length < 0)
        return -ENOMEM;
    bool fits = (size_t)length < size;
    if (fits)
        memcpy(ret_path, joined, (size_t)length + 1);
    free(joined);
    return fits ? 0 : -ENAMETOOLONG;
}

size_t os_page_size(void)
{
    return (size_t)sysconf(_SC_PAGESIZE);
}

static int64_t clock_ns(clockid_t clock)
{
    struct timespec t;
    clock_gettime(clock, &t);
    return (int64_t)t.tv_sec * 1000000000 + t.tv_nsec;
}

int64_t os_realtime_ns(void)
{
    return clock_ns(CLOCK_REALTIME);
}

int64_t os_monotonic_ns(void)
{
    return clock_ns(CLOCK_MONOTONIC);
}

/* --- memory --------------------------------------------------------------------------------------------- */

/* Faults pages in for writing: MAP_POPULATE does it for reading only, where the mapping is shared. Kernels
 * before 5.14 need a write to each, which changes nothing. */
static void fault_in(char *memory, size_t size)
{
    if (madvise(memory, size, MADV_POPULATE_WRITE) == 0 || errno != EINVAL)
        return;
    for (size_t i = 0; i < size; i += os_page_size())
        __atomic_fetch_or(memory + i, 0, __ATOMIC_RELAXED);
}

/* Faults the first `warm` bytes in. */
static int map_at(void *address, int fd, uint64_t offset, size_t size, size_t warm)
{
    int flags = MAP_SHARED | MAP_FIXED;
    void *memory = mmap(address, size, PROT_READ | PROT_WRITE, flags, fd, (off_t)offset);
    if (memory == MAP_FAILED)
        return -errno;
    fault_in(memory, warm < size ? warm : size);
    return 0;
}

int os_reserve(size_t size, void **ret_memory)
{
    void *memory =
        mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (memory == MAP_FAILED)
        return -errno;
    *ret_memory = memory;
    return 0;
}

int os_share(size_t size, void **ret_memory)
{
    void *memory = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    if (memory == MAP_FAILED)
        return -errno;
    *ret_memory = memory;
    return 0;
}

int os_wipe_on_fork(void *memory, size_t size)
{
    return madvise(memory, size, MADV_WIPEONFORK) ? -errno : 0;
}

void os_replace_by_private(void *memory, size_t size)
{
    int flags = MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE | MAP_FIXED;
    if (mmap(memory, size, PROT_READ | PROT_WRITE, flags, -1, 0) == MAP_FAILED)
        munmap(memory, size);
}

/* Of a second mapping the beginning is touched, by what runs over the end of the first; a page that is mapped
 * twice counts twice as resident. */
enum { SECOND_WARM_BYTES = 128 * 1024 };

/* Reserves the address range first, so that a mapping that fails leaves nothing half-done in it. */
static int map_copies(int fd, uint64_t offset, size_t size, int copies, void **ret_memory)
{
    void *memory = NULL;
    int error = os_reserve(size * (size_t)copies, &memory);
    if (error)
        return error;
    for (int i = 0; i < copies && !error; i++)
        error =
            map_at((char *)memory + size * (size_t)i, fd, offset, size, i == 0 ? size : SECOND_WARM_BYTES);
    if (error)
        munmap(memory, size * (size_t)copies);
    else
        *ret_memory = memory;
    return error;
}

int os_map(int fd, uint64_t offset, size_t size, void **ret_memory)
{
    return map_copies(fd, offset, size, 1, ret_memory);
}

int os_map_untouched(int fd, size_t size, void **ret_memory)
{
    void *memory = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    if (memory == MAP_FAILED)
        return -errno;
    *ret_memory = memory;
    return 0;
}

int os_map_twice(int fd, uint64_t offset, size_t size, void **ret_memory)
{
    return map_copies(fd, offset, size, 2, ret_memory);
}

void os_unmap(void *memory, size_t size)
{
    if (memory)
        munmap(memory, size);
}

/* A limit on the size of files (ulimit -f) is told twice: by an error, and by a signal that would end the
 * program. Where signals are blocked it has not yet. */
static void take_back_size_signal(void)
{
    sigset_t one;
    sigemptyset(&one);
    sigaddset(&one, SIGXFSZ);
    sigtimedwait(&one, NULL, &(struct timespec){0, 0});
}

int os_allocate(int fd, uint64_t offset, uint64_t size)
{
    int error;
    do
        error = posix_fallocate(fd, (off_t)offset, (off_t)size);
    while (error == EINTR);
    if (error == EFBIG)
        take_back_size_signal();
    return -error;
}

int os_memory_file(const char *name)
{
    int fd = memfd_create(name, MFD_CLOEXEC);
    return fd < 0 ? -errno : fd;
}

bool os_maps_are_coherent(int fd)
{
    struct statfs fs;
    if (fstatfs(fd, &fs))
        return false;
    switch ((unsigned long)fs.f_type) {
    case NFS_SUPER_MAGIC:
    case SMB_SUPER_MAGIC:
    case CIFS_SUPER_MAGIC:
    case SMB2_SUPER_MAGIC:
    case V9FS_MAGIC:
    case FUSE_SUPER_MAGIC:
        return false;
    default:
        return true;
    }
}

enum { SIGNAL_STACK_BYTES_MIN = 65536 };

/* With room beside what the kernel itself puts there: the processor's registers, some kilobytes of them. */
size_t os_signal_stack_bytes(void)
{
    size_t registers = (getauxval(AT_MINSIGSTKSZ) + os_page_size() - 1) & ~(os_page_size() - 1);
    return SIGNAL_STACK_BYTES_MIN + registers;
}

int os_guarded_stack(size_t size, void **ret_stack)
{
    void *memory = NULL;
    int error = os_reserve(size + os_page_size(), &memory);
    if (error)
        return error;
    mprotect(memory, os_page_size(), PROT_NONE);
    *ret_stack = (char *)memory + os_page_size();
    return 0;
}

void os_guarded_stack_release(void *stack, size_t size)
{
    munmap((char *)stack - os_page_size(), size + os_page_size());
}

/* --- signal handlers ------------------------------------------------------------------------------------ */

#ifdef DLFO_EH_SEGMENT_TYPE /* since glibc 2.35, and without a lock, unlike dladdr() */
bool os_module_of(uintptr_t address, struct os_module *ret_module)
{
    struct dl_find_object object;
    if (_dl_find_object((void *)address, &object))
        return false;
    const struct link_map *module = object.dlfo_link_map;
    *ret_module = (struct os_module){*module->l_name ? module->l_name : os_program_name(), module->l_addr};
    return true;
}
#else
bool os_module_of(uintptr_t address, struct os_module *ret_module)
{
    (void)address;
    (void)ret_module;
    return false;
}
#endif

struct os_interrupted os_interrupted_at(const void *context)
{
    const ucontext_t *at = context;
#if defined(__x86_64__)
    return (struct os_interrupted){(uintptr_t)at->uc_mcontext.gregs[REG_RIP],
                                   (const uintptr_t *)at->uc_mcontext.gregs[REG_RSP]};
#elif defined(__aarch64__)
    return (struct os_interrupted){at->uc_mcontext.pc, (const uintptr_t *)&at->uc_mcontext.regs[30]};
#else
    (void)at;
    return (struct os_interrupted){0};
#endif
}

int os_signal_again(int number, void *info)
{
    return syscall(SYS_rt_tgsigqueueinfo, getpid(), syscall(SYS_gettid), number, info) ? -errno : 0;
}

/* --- files ---------------------------------------------------------------------------------------------- */

enum { DISK_TRIES_MAX = 3 };

ssize_t os_read_at(int fd, void *ret_bytes, size_t size, uint64_t offset)
{
    char *bytes = ret_bytes;
    size_t done = 0;
    for (int failures = 0; done < size;) {
        ssize_t n = pread(fd, bytes + done, size - done, (off_t)(offset + done));
        if (n == 0)
            break;
        if (n > 0)
            done += (size_t)n;
        else if (errno != EINTR && ++failures == DISK_TRIES_MAX)
            return -errno;
    }
    return (ssize_t)done;
}

int os_write_at(int fd, const void *bytes, size_t size, uint64_t offset)
{
    const char *at = bytes;
    for (int failures = 0; size > 0;) {
        ssize_t n = pwrite(fd, at, size, (off_t)offset);
        if (n > 0) {
            at += n;
            size -= (size_t)n;
            offset += (uint64_t)n;
        } else if (errno != EINTR && ++failures == DISK_TRIES_MAX) {
            return n < 0 ? -errno : -EIO;
        }
    }
    return 0;
}

int os_status(int fd, struct stat *ret_status)
{
    for (int i = 0; i < DISK_TRIES_MAX; i++) {
        if (fstat(fd, ret_status) == 0)
            return 0;
        if (errno == EBADF)
            break;
    }
    return -errno;
}

int os_cut_at(int fd, uint64_t size)
{
    for (int i = 0; i < DISK_TRIES_MAX; i++)
        if (ftruncate(fd, (off_t)size) == 0)
            return 0;
    return -errno;
}

bool os_is_short(int error)
{
    return error == ENOMEM || error == EMFILE || error == ENFILE || error == EAGAIN;
}

/* --- waiting -------------------------------------------------------------------------------------------- */

int os_futex_wait(uint32_t *word, uint32_t expected, int64_t timeout_ns, bool shared)
{
    struct timespec timeout = {timeout_ns / 1000000000, timeout_ns % 1000000000};
    int operation = shared ? FUTEX_WAIT : FUTEX_WAIT_PRIVATE;
    int before = errno;
    long result = syscall(SYS_futex, word, operation, expected, timeout_ns < 0 ? NULL : &timeout, NULL, 0);
    int error = result < 0 ? -errno : 0;
    errno = before;
    return error;
}

void os_futex_wake(uint32_t *word, int count, bool shared)
{
    int before = errno;
    syscall(SYS_futex, word, shared ? FUTEX_WAKE : FUTEX_WAKE_PRIVATE, count, NULL, NULL, 0);
    errno = before;
}

int os_barrier_register(void)
{
    return syscall(SYS_membarrier, MEMBARRIER_CMD_REGISTER_PRIVATE_EXPEDITED, 0, 0) ? -errno : 0;
}

int os_barrier(void)
{
    return syscall(SYS_membarrier, MEMBARRIER_CMD_PRIVATE_EXPEDITED, 0, 0) ? -errno : 0;
}

/* --- locks that say "owner died" ------------------------------------------------------------------------ */

/* The first bytes of the region: the head of the kernel's list, then one link in each word's private page. */
struct robust_private {
    struct robust_list
        link; /* of this page's word; must come first: its address is the word's less the distance */
    struct robust_list_head head; /* used in page 0 only */
};

static struct robust_private *robust_private(const struct os_robust *robust, int index)
{
    return (struct robust_private *)((char *)robust->region + robust->page * (size_t)index);
}

void *os_robust_page(const struct os_robust *robust, int index)
{
    return (char *)robust->region + robust->page * (size_t)(OS_ROBUST_WORDS + index);
}

int os_robust_map(struct os_robust *robust, const int fds[static OS_ROBUST_WORDS],
                  const uint64_t offsets[static OS_ROBUST_WORDS])
{
    *robust = (struct os_robust){.page = os_page_size()};
    int error = os_reserve(2 * OS_ROBUST_WORDS * robust->page, &robust->region);
    for (int i = 0; i < OS_ROBUST_WORDS && !error; i++)
        if (fds[i] >= 0)
            error = map_at(os_robust_page(robust, i), fds[i], offsets[i], robust->page, robust->page);
    if (error)
        os_robust_unmap(robust);
    return error;
}

void os_robust_unmap(struct os_robust *robust)
{
    os_unmap(robust->region, 2 * OS_ROBUST_WORDS * robust->page);
    robust->region = NULL;
}

/* Links the words that are held into the list; called whenever `held` changes, by the thread itself. */
static void robust_relink(struct os_robust *robust)
{
    struct robust_list_head *head = &robust_private(robust, 0)->head;
    struct robust_list *first = &head->list;
    for (int i = OS_ROBUST_WORDS - 1; i >= 0; i--) {
        if (!robust->held[i])
            continue;
        robust_private(robust, i)->link.next = first;
        __atomic_signal_fence(__ATOMIC_SEQ_CST);
        first = &robust_private(robust, i)->link;
    }
    __atomic_store_n(&head->list.next, first, __ATOMIC_RELEASE);
}

/*
 * Replaces the C library's list of this thread. The thread is the library's own and takes no robust mutex of
 * anyone else, so nothing is lost by that.
 */
void os_robust_adopt(struct os_robust *robust)
{
    struct robust_list_head *head = &robust_private(robust, 0)->head;
    head->futex_offset = (long)(OS_ROBUST_WORDS * robust->page);
    head->list_op_pending = NULL;
    robust_relink(robust);
    syscall(SYS_set_robust_list, head, sizeof *head);
}

/* One try: 0 or 1 as os_robust_lock, -EBUSY with the value seen. */
static int robust_try(uint32_t *word, uint32_t mine, uint32_t *ret_seen)
{
    uint32_t seen = __atomic_load_n(word, __ATOMIC_RELAXED);
    for (;;) {
        if (os_word_is_held(seen)) {
            *ret_seen = seen;
            return -EBUSY;
        }
        uint32_t value = mine | (seen & OS_WAITERS);
        if (__atomic_compare_exchange_n(word, &seen, value, false, __ATOMIC_ACQUIRE, __ATOMIC_RELAXED))
            return seen & OS_OWNER_DIED ? 1 : 0;
    }
}

static int robust_try_pending(struct os_robust *robust, int index, uint32_t mine, uint32_t *ret_seen)
{
    struct robust_list_head *head = &robust_private(robust, 0)->head;
    __atomic_store_n(&head->list_op_pending, &robust_private(robust, index)->link, __ATOMIC_RELEASE);
    int taken = robust_try(os_robust_page(robust, index), mine, ret_seen);
    if (taken >= 0) {
        robust->held[index] = true;
        robust_relink(robust);
    }
    __atomic_store_n(&head->list_op_pending, NULL, __ATOMIC_RELEASE);
    return taken;
}

enum { ROBUST_WAIT_NS_MAX = 500000000 };

static int robust_wait(uint32_t *word, uint32_t seen, int64_t timeout_ns)
{
    uint32_t waited = seen | OS_WAITERS;
    if (!(seen & OS_WAITERS) &&
        !__atomic_compare_exchange_n(word, &seen, waited, false, __ATOMIC_RELAXED, __ATOMIC_RELAXED))
        return 0;
    return os_futex_wait(word, waited, timeout_ns, true);
}

int os_robust_lock(struct os_robust *robust, int index, int64_t timeout_ns)
{
    if (robust->held[index])
        return -EDEADLK;
    uint32_t *word = os_robust_page(robust, index);
    uint32_t mine = os_thread_id(), seen;
    int64_t end = os_monotonic_ns() + timeout_ns;
    for (;;) {
        /* Should we die between the exchange and the link, the kernel looks at the pending one, and takes the
         * word for ours if the number in it is ours: that of a thread in another container may be the same,
         * so nothing pends on a word that is held. */
        seen = __atomic_load_n(word, __ATOMIC_RELAXED);
        int taken = os_word_is_held(seen) ? -EBUSY : robust_try_pending(robust, index, mine, &seen);
        if (taken >= 0)
            return taken;
        int64_t left = timeout_ns < 0 ? -1 : end - os_monotonic_ns();
        if (timeout_ns >= 0 && left <= 0)
            return -ETIMEDOUT;
        /* not for longer than a while: the word of a file that is cut meanwhile wakes nobody */
        robust_wait(word, seen, left < 0 || left > ROBUST_WAIT_NS_MAX ? ROBUST_WAIT_NS_MAX : left);
        mine |= OS_WAITERS; /* others may still sleep: only one of them was woken */
    }
}

static void robust_leave(struct os_robust *robust, int index, uint32_t value)
{
    uint32_t *word = os_robust_page(robust, index);
    struct robust_list_head *head = &robust_private(robust, 0)->head;
    __atomic_store_n(&head->list_op_pending, &robust_private(robust, index)->link, __ATOMIC_RELEASE);
    robust->held[index] = false;
    robust_relink(robust);
    uint32_t before = __atomic_exchange_n(word, value, __ATOMIC_RELEASE);
    __atomic_store_n(&head->list_op_pending, NULL, __ATOMIC_RELEASE);
    if (before & OS_WAITERS)
        os_futex_wake(word, 1, true);
}

void os_robust_unlock(struct os_robust *robust, int index)
{
    robust_leave(robust, index, 0);
}

void os_robust_abandon(struct os_robust *robust, int index)
{
    robust_leave(robust, index, OS_OWNER_DIED);
}

bool os_robust_is_wanted(const struct os_robust *robust, int index)
{
    const uint32_t *word = os_robust_page(robust, index);
    return __atomic_load_n(word, __ATOMIC_RELAXED) & OS_WAITERS;
}
