/*
 * Which sources have something to be done, and which wait for what; so that a turn costs what changed, and
 * ten thousand files that nobody writes cost nothing.
 *
 *      resting --agenda_wake--> awake --agenda_begin_turn, agenda_next--> its turn
 *         ^                       ^                                        |
 *         |                       +------ a lane that it waits for is ready, or its time has come
 *         |                       |                                        |
 *         |             held (by lanes that are not ready) <---------------+
 *         |             timed (until then)                 <---------------+
 *         +----------------------------------------------------------------+   all read, or half a line
 *
 * Beside that, a source is *unsettled* while the database does not hold what is known of it, and while it is
 * finished and not let go of.
 *
 * Pure: no clock (times are monotonic), no memory of its own. One thread.
 */
#ifndef SHIPPER_AGENDA_H
#define SHIPPER_AGENDA_H

#include "tail.h"

struct agenda {
    struct link awake, turn, held, timed; /* by source.turn */
    struct link unsettled;                /* by source.unsettled */
    uint32_t held_lanes;                  /* bits: whom the held ones wait for */
    int64_t timed_due_ns;                 /* when the first that waits for a time is due */
    int unsettled_count;
};

void agenda_init(struct agenda *agenda);

/* The source has its turn, in the order of waking. */
void agenda_wake(struct agenda *agenda, struct source *source);

/* Those awake now have their turn; who is woken meanwhile has it next time. */
void agenda_begin_turn(struct agenda *agenda);

/* The next one of this turn, which is resting from now on; NULL: it is over. */
struct source *agenda_next(struct agenda *agenda);

/* Whether it waits for nothing but news. */
bool agenda_rests(const struct source *source);

/* It waits until one of these lanes (bits) is ready, until `due_ns` (INT64_MAX: never), or for news. */
void agenda_hold(struct agenda *agenda, struct source *source, uint32_t lanes, int64_t due_ns);

/* Wakes the held ones, if one of the lanes that they wait for is among these. */
void agenda_lanes_are_ready(struct agenda *agenda, uint32_t lanes);

/* It waits until then, or for news. */
void agenda_wait_until(struct agenda *agenda, struct source *source, int64_t due_ns);

/* Wakes those whose time has come. */
void agenda_time_is(struct agenda *agenda, int64_t now_ns);

void agenda_unsettle(struct agenda *agenda, struct source *source);
void agenda_settle(struct agenda *agenda, struct source *source);

/* The unsettled one behind `after` (NULL: the first), in no order that means anything. NULL: no more. */
struct source *agenda_next_unsettled(const struct agenda *agenda, const struct source *after);

/* It is about to go. */
void agenda_forget(struct agenda *agenda, struct source *source);

#endif
