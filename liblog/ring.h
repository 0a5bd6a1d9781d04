/*
 * A ring of bytes with one producer and one consumer, in memory that outlives both. It knows nothing of what
 * it carries.
 *
 *                tail[generation & 1]                       head
 *      ...free...|####### published, to be consumed ########|..... being written .....|...free...
 *                consumer moves this end                    producer moves this end
 *
 *   - Positions are 64-bit counts of bytes since the ring was made; they never wrap. `position & (size - 1)`
 * is the place.
 *   - The data area is mapped twice in a row, so what is reserved or read is always one piece.
 *   - head:   stored by the producer with release after the bytes; loaded by the consumer with acquire.
 *   - tail:   the consumer's; two values, of which the ring file's generation says which holds, so that the
 * tails of all rings, the sequence number and the statistics move in one store.
 *   - freed:  the tail as told to the producer (release / acquire). Only a hint for space: it may lag, never
 * lead.
 *   - What lies between head and the producer's private end is invisible: a process that dies there has not
 *     returned from its call.
 */
#ifndef LIBLOG_RING_H
#define LIBLOG_RING_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { RING_LINE = 128, RING_LEVELS = 6, RING_PREFETCH_BYTES = 256 };

/* In the file. Each end has cache lines of its own. */
struct ring_control {
    uint64_t head;
    uint8_t pad0[RING_LINE - 8];
    uint64_t tail[2];
    uint64_t freed;
    uint8_t pad1[RING_LINE - 24];
    uint64_t dropped[RING_LEVELS];      /* counted by the producer: the ring was full */
    uint64_t announced[2][RING_LEVELS]; /* of these, told in a record; two values, as of `tail` */
    uint8_t pad2[2 * RING_LINE - 24 * RING_LEVELS];
};

struct ring {
    struct ring_control *control;
    char *data;    /* mapped twice */
    uint64_t size; /* a power of two */
};

/* The producer's end. */
struct ring_producer {
    struct ring ring;
    uint64_t head;  /* as published */
    uint64_t limit; /* up to here there is room, as far as known */
};

void ring_producer_init(struct ring_producer *producer, const struct ring *ring);

/* Looks again how much the consumer has freed. Returns the room in bytes. */
uint64_t ring_producer_refresh(struct ring_producer *producer);

/* Looks again only when it may be so. */
static inline bool ring_producer_is_half_full(struct ring_producer *producer)
{
    uint64_t half = producer->ring.size / 2;
    return __builtin_expect(producer->limit - producer->head < half, 0) &&
           ring_producer_refresh(producer) < half;
}

static inline char *ring_at_head(const struct ring_producer *producer)
{
    return producer->ring.data + (producer->head & (producer->ring.size - 1));
}

/*
 * Fetches a cache line that will be written. On x86-64 by PREFETCHW, which takes the line away from the other
 * core at once (a plain prefetch would leave it shared, and the store would have to ask again); processors
 * without it do nothing. The compiler throws away calls of functions that only prefetch, unless they are asm.
 */
static inline void ring_prefetch_line(const char *at)
{
#if defined(__x86_64__)
    __asm__ volatile("prefetchw %0" ::"m"(*at));
#else
    __builtin_prefetch(at, 1);
    __asm__ volatile("");
#endif
}

/* The lines that come next were last read by the consumer, on another core: they are fetched a usual frame
 * ahead. (The data is mapped twice, so they are always there.) */
static inline void ring_prefetch(const struct ring_producer *producer)
{
    const char *next = ring_at_head(producer) + RING_PREFETCH_BYTES;
    ring_prefetch_line(next);
    ring_prefetch_line(next + 64);
    ring_prefetch_line(next + 128);
    ring_prefetch_line(next + 192);
}

/* Room for `size` bytes at the head, or NULL. Nothing is visible before ring_publish. */
static inline char *ring_reserve(struct ring_producer *producer, uint64_t size)
{
    if (__builtin_expect(producer->limit - producer->head < size, 0) &&
        ring_producer_refresh(producer) < size)
        return NULL;
    return ring_at_head(producer);
}

static inline void ring_publish(struct ring_producer *producer, uint64_t size)
{
    producer->head += size;
    __atomic_store_n(&producer->ring.control->head, producer->head, __ATOMIC_RELEASE);
}

static inline uint64_t ring_head(const struct ring *ring)
{
    return __atomic_load_n(&ring->control->head, __ATOMIC_ACQUIRE);
}

/* The bytes at a position between tail and head. */
static inline const char *ring_at(const struct ring *ring, uint64_t position)
{
    return ring->data + (position & (ring->size - 1));
}

/* Tells the producer that everything before `tail` may be written over. */
static inline void ring_free(const struct ring *ring, uint64_t tail)
{
    __atomic_store_n(&ring->control->freed, tail, __ATOMIC_RELEASE);
}

#endif
