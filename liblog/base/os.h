/*
 * The one door to the operating system: what is Linux's own stands behind it, and nowhere else.
 * Functions return 0 or a negative errno unless they say otherwise.
 */
#ifndef LIBLOG_BASE_OS_H
#define LIBLOG_BASE_OS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

/* --- who and where -------------------------------------------------------------------------------------- */

enum { OS_BOOT_ID_SIZE = 16 };

/* The identity of this boot of this kernel, the same in all containers on it. -ENOTSUP where there is none to
 * read. */
int os_boot_id(uint8_t ret_id[static OS_BOOT_ID_SIZE]);

/* The kernel's number of this thread, in its own pid namespace. */
uint32_t os_thread_id(void);

/* Whether that number is a thread of this process now: numbers are used again. */
bool os_thread_is_there(uint32_t thread);

/* Random bytes from the kernel. */
int os_random(void *ret_bytes, size_t size);

/* The program's short name; never NULL. */
const char *os_program_name(void);

void os_thread_name(const char *name);

/* The path from the root on, told by the folder in which the process is now. -ENAMETOOLONG, or why that
 * folder cannot be told. */
int os_absolute_path(const char *path, char *ret_path, size_t size);
size_t os_page_size(void);
int64_t os_realtime_ns(void);
int64_t os_monotonic_ns(void);

/* --- memory --------------------------------------------------------------------------------------------- */

/* Maps `size` bytes of `fd` at `offset`, shared and already faulted in for writing. -ENOMEM … */
int os_map(int fd, uint64_t offset, size_t size, void **ret_memory);

/* The same of the first `size` bytes, faulted in as they are touched: for what is large and mostly never is.
 */
int os_map_untouched(int fd, size_t size, void **ret_memory);

/*
 * Maps the same `size` bytes (a multiple of the page size) twice, one behind the other, so that what runs
 * over the end of the first is at the beginning of the second. Of the second the first 128 KiB are faulted
 * in. Unmap with os_unmap(memory, 2 * size).
 */
int os_map_twice(int fd, uint64_t offset, size_t size, void **ret_memory);
void os_unmap(void *memory, size_t size);

/* Private zeroed memory, not counted until touched. */
int os_reserve(size_t size, void **ret_memory);

/* Zeroed memory that forked children share. */
int os_share(size_t size, void **ret_memory);

/* Private zeroed memory that a forked child sees as zeros again, however it was forked. `memory` is whole
 * pages of it. -EINVAL where the kernel cannot. */
int os_wipe_on_fork(void *memory, size_t size);

/* Puts private zeroed memory in the place of a mapping. */
void os_replace_by_private(void *memory, size_t size);

/* Makes [offset, offset + size) exist on disk, so that a full disk is an error here and no signal later. */
int os_allocate(int fd, uint64_t offset, uint64_t size);

/* Keeps what the kernel loads from shared memory in one pread behind the one before. */
static inline void os_load_fence(void)
{
#if defined(__x86_64__)
    __asm__ volatile("" ::: "memory"); /* loads are in order */
#elif defined(__aarch64__)
    __asm__ volatile("dmb ishld" ::: "memory");
#else
    __atomic_thread_fence(__ATOMIC_ACQUIRE);
#endif
}

/* A file without a name, in memory. Returns a descriptor or a negative errno. */
int os_memory_file(const char *name);

/* Whether mappings of files there are seen by all processes and outlive them: false on network file systems.
 */
bool os_maps_are_coherent(int fd);

/* A stack for signal handlers, of os_signal_stack_bytes(), with a page below it that nobody may touch. */
size_t os_signal_stack_bytes(void);
int os_guarded_stack(size_t size, void **ret_stack);
void os_guarded_stack_release(void *stack, size_t size);

/* --- signal handlers ------------------------------------------------------------------------------------ */

/* These may be called in one. */

/* What is loaded at an address: its path ("" where that is not known) and where its addresses begin. False
 * where there is nothing, or no way to ask that is safe here. The path is valid as long as the module is. */
struct os_module {
    const char *path;
    uintptr_t base;
};
bool os_module_of(uintptr_t address, struct os_module *ret_module);

/* Where a handler's third argument says that the thread was. */
struct os_interrupted {
    uintptr_t instruction;
    const uintptr_t *return_address; /* as far as a call has just been made there; NULL: not known */
};
struct os_interrupted os_interrupted_at(const void *context);

/* Sends this thread the same signal again, with all that is told about it. */
int os_signal_again(int number, void *info);
/* --- files ---------------------------------------------------------------------------------------------- */

/* Reads until `size` bytes are there or the file ends. A disk that fails is asked once more, and again.
 * Returns the bytes read or a negative errno. */
ssize_t os_read_at(int fd, void *ret_bytes, size_t size, uint64_t offset);

/* Writes all of it, asked again as above. 0 or a negative errno. */
int os_write_at(int fd, const void *bytes, size_t size, uint64_t offset);

/* fstat; asked again as above. */
struct stat;
int os_status(int fd, struct stat *ret_status);

/* Cuts the file; asked again as above. */
int os_cut_at(int fd, uint64_t size);

/* Whether an error says only that the process or the machine is short of something now. */
bool os_is_short(int error);

/* --- waiting -------------------------------------------------------------------------------------------- */

/* Both leave errno as it was: a log call stands between a failure and the look at errno. */
/* Sleeps while *word == expected, at most timeout_ns (negative: for good). `shared` between processes. */
int os_futex_wait(uint32_t *word, uint32_t expected, int64_t timeout_ns, bool shared);
void os_futex_wake(uint32_t *word, int count, bool shared);

/* Every other thread of this process passes a full memory barrier. Needs os_barrier_register() once; without
 * the kernel's help it returns -ENOSYS and callers must fence by themselves. */
int os_barrier_register(void);
int os_barrier(void);

/* --- locks that say "owner died" ------------------------------------------------------------------------ */

/*
 * A word in a shared mapping that the kernel marks when the thread that holds it dies: in whatever way, also
 * while a forked child keeps the descriptors and the mapping. A thread owns one os_robust, which stands for
 * at most two words:
 *
 *     private page of links        [ link of word 0 | link of word 1 ]
 *     shared pages (the caller's)  [     word 0     |     word 1     ]     at a constant distance
 *
 * The kernel's list of held words runs through the private page only, so nothing that another process writes
 * into the mapping can lead it astray. States of a word: 0 free; thread id: held; | OS_OWNER_DIED: the holder
 * is dead.
 */
enum { OS_ROBUST_WORDS = 2 };
#define OS_OWNER_DIED 0x40000000u
#define OS_WAITERS    0x80000000u
#define OS_OWNER_MASK 0x3fffffffu

struct os_robust {
    void *region; /* 2 * OS_ROBUST_WORDS pages: the links, then the mapped pages */
    size_t page;
    bool held[OS_ROBUST_WORDS];
};

/* Maps page `page_index` of each descriptor; a descriptor of -1 leaves its word unused. The calling thread
 * must call os_robust_adopt() before it takes a word, and must be the only one that uses `robust`. */
int os_robust_map(struct os_robust *robust, const int fds[static OS_ROBUST_WORDS],
                  const uint64_t offsets[static OS_ROBUST_WORDS]);
void os_robust_adopt(struct os_robust *robust);
void os_robust_unmap(struct os_robust *robust);

/* The page that holds word `index`, as mapped; the word is its first four bytes. */
void *os_robust_page(const struct os_robust *robust, int index);

/* Takes a word: 0, 1 when its holder had died (what it guarded needs repair), -ETIMEDOUT, or -EDEADLK when
 * held already. */
int os_robust_lock(struct os_robust *robust, int index, int64_t timeout_ns);
void os_robust_unlock(struct os_robust *robust, int index);

/* Gives up a word as if its holder had died: what it guards is left in need of repair. */
void os_robust_abandon(struct os_robust *robust, int index);

/* Whether another thread waits for a word that is held. */
bool os_robust_is_wanted(const struct os_robust *robust, int index);

/* Whether the value of a word says that a living thread holds it. */
static inline bool os_word_is_held(uint32_t value)
{
    return (value & OS_OWNER_MASK) != 0 && !(value & OS_OWNER_DIED);
}

/* --- mapped files that others can cut ------------------------------------------------------------------- */

/*
 * Pages of a mapped file that the file has no longer are SIGBUS to whoever touches them. While a guard
 * stands, such a page among those that it watches becomes one of zeros, private to this process, and the
 * access goes on. Faults elsewhere go to the handler that the program has. For the short time of a look at
 * what may be hostile: the handler is the whole process's.
 */
struct os_guard {
    int slot;
};

/* 0; -EBUSY when too many stand. */
int os_guard_begin(struct os_guard *guard);
void os_guard_watch(const struct os_guard *guard, void *pages, size_t size);

/* Whether a page was lost. */
bool os_guard_end(const struct os_guard *guard);

#endif
