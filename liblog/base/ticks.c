#include "ticks.h"

#include "os.h"

#include <fcntl.h>
#include <pthread.h>
#include <string.h>
#include <unistd.h>

enum { CALIBRATE_NS = 1000000 };

uint8_t ticks_counter_choice;
static bool use_counter;
static uint64_t first_ticks;
static int64_t first_monotonic_ns;
static pthread_once_t once = PTHREAD_ONCE_INIT;

/* The kernel watches the counter for jumps and differences between cores; it uses it only when there are
 * none. */
static bool kernel_trusts_counter(void)
{
#if defined(__x86_64__)
    char name[16];
    int fd = open("/sys/devices/system/clocksource/clocksource0/current_clocksource", O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return false;
    ssize_t size = read(fd, name, sizeof name);
    close(fd);
    return size >= 3 && memcmp(name, "tsc", 3) == 0;
#elif defined(__aarch64__)
    return true;
#else
    return false;
#endif
}

uint64_t ticks_from_clock(void)
{
    return (uint64_t)os_monotonic_ns();
}

/* Both clocks at one moment: the pair between whose two counter reads the least time passed. */
static void sample(uint64_t *ret_ticks, int64_t *ret_monotonic_ns, int64_t *ret_unix_ns)
{
    uint64_t best = UINT64_MAX;
    for (int i = 0; i < 5; i++) {
        uint64_t before = ticks_now(use_counter);
        int64_t monotonic = os_monotonic_ns(), unix_ns = os_realtime_ns();
        uint64_t after = ticks_now(use_counter);
        if (after - before >= best)
            continue;
        best = after - before;
        *ret_ticks = before + (after - before) / 2;
        *ret_monotonic_ns = monotonic;
        *ret_unix_ns = unix_ns;
    }
}

static void start(void)
{
    int64_t unused;
    use_counter = kernel_trusts_counter();
    sample(&first_ticks, &first_monotonic_ns, &unused);
    __atomic_store_n(&ticks_counter_choice, use_counter ? 2 : 1, __ATOMIC_RELEASE);
}

bool ticks_choose_counter(void)
{
    pthread_once(&once, start);
    return use_counter;
}

/* The rate over the time since the first sample. The monotonic clock gives it: the wall clock may be set. */
void ticks_anchor_renew(struct ticks_anchor *anchor)
{
    int64_t monotonic_ns;
    sample(&anchor->ticks, &monotonic_ns, &anchor->unix_ns);
    uint64_t ticks = anchor->ticks - first_ticks;
    if (!use_counter || ticks == 0)
        anchor->ns_per_2_32_ticks = UINT64_C(1) << 32;
    else
        anchor->ns_per_2_32_ticks =
            (uint64_t)(((unsigned __int128)(uint64_t)(monotonic_ns - first_monotonic_ns) << 32) / ticks);
}

void ticks_anchor_init(struct ticks_anchor *ret_anchor)
{
    ticks_use_counter();
    while (os_monotonic_ns() - first_monotonic_ns < CALIBRATE_NS)
        continue;
    ticks_anchor_renew(ret_anchor);
}
