/*
 * Up to where a stream of records has been acknowledged, when acknowledgements come in any order.
 *
 *      position            entries: each the end of a record that is out
 *         |      +--------+--------+--------+--------+
 *   done  |      |  done  |   out  |  done  |   out  |    <- the next ack_sent()
 *         +------+--------+--------+--------+--------+
 *                first                        first + count
 *
 * The position moves only over a gapless run of acknowledged records. Bytes that are not sent (filtered,
 * blank) take no entry: they lengthen the entry before them, so that passing over a gigabyte of them costs
 * nothing.
 *
 * Pure: no clock, no lock, no input or output. One thread at a time.
 */
#ifndef SHIPPER_ACK_H
#define SHIPPER_ACK_H

#include <stdbool.h>
#include <stdint.h>

struct ack_entry {
    uint64_t end : 63;
    uint64_t done : 1;
};

struct ack_tracker {
    uint64_t position;      /* everything before it is acknowledged */
    uint64_t sent;          /* everything before it was sent or passed over */
    uint64_t first;         /* ticket of the oldest entry; never 0 */
    uint32_t count;         /* entries in use */
    uint32_t capacity;      /* a power of two, or 0 */
    struct ack_entry *ring; /* the entry of ticket t is ring[t % capacity] */
};

/* Nothing is out; everything before `position` counts as acknowledged. */
void ack_init(struct ack_tracker *tracker, uint64_t position);
void ack_release(struct ack_tracker *tracker);

/* Makes room for one more entry. 0, or -ERR_INT_002 and nothing changed. */
int ack_reserve(struct ack_tracker *tracker);

/* A record that ends at `end` goes out; room was reserved. Returns its ticket, which is never 0. */
uint64_t ack_sent(struct ack_tracker *tracker, uint64_t end);

/* The bytes up to `end` are not sent, or belong to what the newest ticket stands for. */
void ack_skip(struct ack_tracker *tracker, uint64_t end);

/* What the ticket stands for is acknowledged up to `position`, which is less than its end. */
void ack_partial(struct ack_tracker *tracker, uint64_t ticket, uint64_t position);

/* The ticket is acknowledged as a whole. Each is done once. */
void ack_done(struct ack_tracker *tracker, uint64_t ticket);

#endif
