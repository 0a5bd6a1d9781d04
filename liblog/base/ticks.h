/*
 * Time stamps that cost a few nanoseconds: the processor's own counter where the kernel trusts it, else the
 * monotonic clock. A stamp taken in a call that began after another had returned is not smaller (in one
 * process, on all cores).
 */
#ifndef LIBLOG_BASE_TICKS_H
#define LIBLOG_BASE_TICKS_H

#include <stdbool.h>
#include <stdint.h>

#if defined(__x86_64__)
#include <x86intrin.h>
#endif

/* How stamps become wall-clock time: at `ticks` it was `unix_ns`, and 2^32 ticks take `ns_per_2_32_ticks`. */
struct ticks_anchor {
    uint64_t ticks;
    int64_t unix_ns;
    uint64_t ns_per_2_32_ticks;
};

/* Whether ticks_now() reads the counter; decided once. Without it ticks are nanoseconds of the monotonic
 * clock. */
static inline bool ticks_use_counter(void);

uint64_t ticks_from_clock(void);

/* Written in ticks.c only, once: the answer + 1. */
extern uint8_t ticks_counter_choice; /* atomic */
bool ticks_choose_counter(void);

static inline bool ticks_use_counter(void)
{
    uint8_t choice = __atomic_load_n(&ticks_counter_choice, __ATOMIC_ACQUIRE);
    return __builtin_expect(choice != 0, 1) ? choice == 2 : ticks_choose_counter();
}

/*
 * The fence keeps the read of the counter behind the loads before it: what another thread has published was
 * stamped before. Stores need none: they become visible only after the read has retired.
 */
static inline uint64_t ticks_now(bool use_counter)
{
#if defined(__x86_64__)
    if (use_counter) {
        _mm_lfence();
        return __rdtsc();
    }
#elif defined(__aarch64__)
    if (use_counter) {
        uint64_t value;
        __asm__ volatile("isb; mrs %0, cntvct_el0" : "=r"(value)::"memory");
        return value;
    }
#endif
    (void)use_counter;
    return ticks_from_clock();
}

/* The same, the choice included. */
static inline uint64_t ticks_stamp(void)
{
    if (__builtin_expect(__atomic_load_n(&ticks_counter_choice, __ATOMIC_ACQUIRE) == 2, 1))
        return ticks_now(true);
    return ticks_now(ticks_use_counter());
}

/* Measures the rate; takes about a millisecond the first time, later calls only sample the clocks. */
void ticks_anchor_init(struct ticks_anchor *ret_anchor);

/* Renews an anchor: samples both clocks, and makes the rate more exact the longer the first sample lies back.
 */
void ticks_anchor_renew(struct ticks_anchor *anchor);

static inline int64_t ticks_to_unix_ns(const struct ticks_anchor *anchor, uint64_t ticks)
{
    int64_t delta = (int64_t)(ticks - anchor->ticks);
    return anchor->unix_ns + (int64_t)(((__int128)delta * (__int128)anchor->ns_per_2_32_ticks) >> 32);
}

#endif
