#define _GNU_SOURCE
#include "os.h"

#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <sys/mman.h>

enum { GUARDS_MAX = 16 };

/* Read by the handler, which may run at any time: an address of 0 watches nothing. */
static struct {
    bool is_taken; /* under `guards_mutex` */
    uintptr_t begin, end;
    bool has_lost;
} guards[GUARDS_MAX];
static int guard_count; /* under `guards_mutex` */
static struct sigaction handler_before;
static pthread_mutex_t guards_mutex = PTHREAD_MUTEX_INITIALIZER;

static bool replace_page(uintptr_t address)
{
    uintptr_t page = address & ~(uintptr_t)(os_page_size() - 1);
    int flags = MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED;
    return mmap((void *)page, os_page_size(), PROT_READ | PROT_WRITE, flags, -1, 0) != MAP_FAILED;
}

static bool is_guarded(uintptr_t address)
{
    for (int i = 0; i < GUARDS_MAX; i++) {
        uintptr_t begin = __atomic_load_n(&guards[i].begin, __ATOMIC_ACQUIRE);
        if (!begin || address < begin || address >= guards[i].end)
            continue;
        __atomic_store_n(&guards[i].has_lost, true, __ATOMIC_RELAXED);
        return replace_page(address);
    }
    return false;
}

/* The program's own handler, or, where it has none, the default: the access is tried again and ends it. */
static void pass_on(int number, siginfo_t *info, void *context)
{
    if (handler_before.sa_flags & SA_SIGINFO)
        handler_before.sa_sigaction(number, info, context);
    else if (handler_before.sa_handler != SIG_DFL && handler_before.sa_handler != SIG_IGN)
        handler_before.sa_handler(number);
    else
        sigaction(number, &(struct sigaction){.sa_handler = SIG_DFL}, NULL);
}

static void on_bus_error(int number, siginfo_t *info, void *context)
{
    int errno_before = errno;
    bool handled = info->si_code == BUS_ADRERR && is_guarded((uintptr_t)info->si_addr);
    errno = errno_before;
    if (!handled)
        pass_on(number, info, context);
}

static int free_slot(void)
{
    for (int i = 0; i < GUARDS_MAX; i++)
        if (!guards[i].is_taken)
            return i;
    return -EBUSY;
}

int os_guard_begin(struct os_guard *guard)
{
    const struct sigaction ours = {.sa_sigaction = on_bus_error, .sa_flags = SA_SIGINFO | SA_ONSTACK};
    pthread_mutex_lock(&guards_mutex);
    int slot = free_slot();
    int error = slot < 0 ? slot : 0;
    if (!error && guard_count == 0 && sigaction(SIGBUS, &ours, &handler_before))
        error = -errno;
    if (!error) {
        guard_count++;
        guards[slot].is_taken = true;
        guard->slot = slot;
    }
    pthread_mutex_unlock(&guards_mutex);
    return error;
}

void os_guard_watch(const struct os_guard *guard, void *pages, size_t size)
{
    guards[guard->slot].end = (uintptr_t)pages + size;
    __atomic_store_n(&guards[guard->slot].begin, (uintptr_t)pages, __ATOMIC_RELEASE);
}

/* A handler that the program has set meanwhile stays. */
static void give_handler_back(void)
{
    struct sigaction now;
    if (sigaction(SIGBUS, NULL, &now) == 0 && now.sa_flags & SA_SIGINFO && now.sa_sigaction == on_bus_error)
        sigaction(SIGBUS, &handler_before, NULL);
}

bool os_guard_end(const struct os_guard *guard)
{
    pthread_mutex_lock(&guards_mutex);
    __atomic_store_n(&guards[guard->slot].begin, 0, __ATOMIC_RELEASE);
    bool has_lost = __atomic_exchange_n(&guards[guard->slot].has_lost, false, __ATOMIC_RELAXED);
    guards[guard->slot].is_taken = false;
    if (--guard_count == 0)
        give_handler_back();
    pthread_mutex_unlock(&guards_mutex);
    return has_lost;
}
