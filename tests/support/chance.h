/* Numbers that look random and are the same in every run, so that a failure can be run again. */
#ifndef TESTS_SUPPORT_CHANCE_H
#define TESTS_SUPPORT_CHANCE_H

#include <stdint.h>
#include <stdlib.h>

/* Any value but 0 starts a sequence. */
struct chance {
    uint64_t state;
};

static inline uint64_t chance_u64(struct chance *c)
{
    c->state ^= c->state << 13;
    c->state ^= c->state >> 7;
    c->state ^= c->state << 17;
    return c->state * UINT64_C(0x2545f4914f6cdd1d);
}

/* 0 to `count` - 1 */
static inline uint64_t chance_below(struct chance *c, uint64_t count)
{
    return (chance_u64(c) >> 32) * count >> 32;
}

/* How often a generated test repeats: `usual`, or what TEST_ROUNDS asks for in a longer run. */
static inline long chance_rounds(long usual)
{
    const char *asked = getenv("TEST_ROUNDS");
    return asked ? atol(asked) : usual;
}

#endif
