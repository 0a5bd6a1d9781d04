#include "ring.h"

void ring_producer_init(struct ring_producer *producer, const struct ring *ring)
{
    *producer = (struct ring_producer){.ring = *ring, .head = ring->control->head};
    ring_producer_refresh(producer);
}

uint64_t ring_producer_refresh(struct ring_producer *producer)
{
    uint64_t freed = __atomic_load_n(&producer->ring.control->freed, __ATOMIC_ACQUIRE);
    producer->limit = freed + producer->ring.size;
    return producer->limit - producer->head;
}
