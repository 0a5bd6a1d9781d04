#include "ack.h"

#include "problem.h"

#include <assert.h>
#include <stdlib.h>

enum { ACK_CAPACITY_MIN = 16 };

void ack_init(struct ack_tracker *tracker, uint64_t position)
{
    *tracker = (struct ack_tracker){.position = position, .sent = position, .first = 1};
}

void ack_release(struct ack_tracker *tracker)
{
    free(tracker->ring);
    *tracker = (struct ack_tracker){.first = 1};
}

static struct ack_entry *entry_of(const struct ack_tracker *tracker, uint64_t ticket)
{
    assert(ticket - tracker->first < tracker->count);
    return &tracker->ring[ticket & (tracker->capacity - 1)];
}

int ack_reserve(struct ack_tracker *tracker)
{
    if (tracker->count < tracker->capacity)
        return 0;
    uint32_t capacity = tracker->capacity ? tracker->capacity * 2 : ACK_CAPACITY_MIN;
    struct ack_entry *ring = calloc(capacity, sizeof(*ring));
    if (!ring)
        return -ERR_INT_002;
    for (uint64_t ticket = tracker->first; ticket < tracker->first + tracker->count; ticket++)
        ring[ticket & (capacity - 1)] = *entry_of(tracker, ticket);
    free(tracker->ring);
    tracker->ring = ring;
    tracker->capacity = capacity;
    return 0;
}

uint64_t ack_sent(struct ack_tracker *tracker, uint64_t end)
{
    assert(tracker->count < tracker->capacity);
    assert(end >= tracker->sent);
    uint64_t ticket = tracker->first + tracker->count++;
    *entry_of(tracker, ticket) = (struct ack_entry){.end = end};
    tracker->sent = end;
    return ticket;
}

void ack_skip(struct ack_tracker *tracker, uint64_t end)
{
    assert(end >= tracker->sent);
    tracker->sent = end;
    if (tracker->count)
        entry_of(tracker, tracker->first + tracker->count - 1)->end = end;
    else
        tracker->position = end;
}

void ack_partial(struct ack_tracker *tracker, uint64_t ticket, uint64_t position)
{
    assert(position <= entry_of(tracker, ticket)->end);
    if (ticket == tracker->first && position > tracker->position)
        tracker->position = position;
}

void ack_done(struct ack_tracker *tracker, uint64_t ticket)
{
    assert(!entry_of(tracker, ticket)->done);
    entry_of(tracker, ticket)->done = 1;
    while (tracker->count && entry_of(tracker, tracker->first)->done) {
        tracker->position = entry_of(tracker, tracker->first)->end;
        tracker->first++;
        tracker->count--;
    }
}
