#include "agenda.h"

static struct source *by_turn(struct link *link)
{
    return (struct source *)((char *)link - offsetof(struct source, turn));
}

static struct source *by_unsettled(struct link *link)
{
    return (struct source *)((char *)link - offsetof(struct source, unsettled));
}

void agenda_init(struct agenda *agenda)
{
    *agenda = (struct agenda){.timed_due_ns = INT64_MAX};
    ring_init(&agenda->awake);
    ring_init(&agenda->turn);
    ring_init(&agenda->held);
    ring_init(&agenda->timed);
    ring_init(&agenda->unsettled);
}

/* ---- turns ---- */

void agenda_wake(struct agenda *agenda, struct source *source)
{
    link_put_last(&agenda->awake, &source->turn);
}

void agenda_begin_turn(struct agenda *agenda)
{
    ring_move_all(&agenda->awake, &agenda->turn);
}

struct source *agenda_next(struct agenda *agenda)
{
    if (ring_is_empty(&agenda->turn))
        return NULL;
    struct source *source = by_turn(agenda->turn.next);
    link_take_out(&source->turn);
    return source;
}

bool agenda_rests(const struct source *source)
{
    return !link_is_in_ring(&source->turn);
}

/* ---- waiting ---- */

static void note_due(struct agenda *agenda, struct source *source, int64_t due_ns)
{
    source->due_ns = due_ns;
    if (due_ns < agenda->timed_due_ns)
        agenda->timed_due_ns = due_ns;
}

void agenda_hold(struct agenda *agenda, struct source *source, uint32_t lanes, int64_t due_ns)
{
    link_put_last(&agenda->held, &source->turn);
    agenda->held_lanes |= lanes;
    note_due(agenda, source, due_ns);
}

void agenda_lanes_are_ready(struct agenda *agenda, uint32_t lanes)
{
    if (!(agenda->held_lanes & lanes))
        return;
    agenda->held_lanes = 0;
    ring_move_all(&agenda->held, &agenda->awake);
}

void agenda_wait_until(struct agenda *agenda, struct source *source, int64_t due_ns)
{
    link_put_last(&agenda->timed, &source->turn);
    note_due(agenda, source, due_ns);
}

static void wake_due(struct agenda *agenda, struct link *ring, int64_t now_ns)
{
    for (struct link *link = ring->next, *next; link != ring; link = next) {
        struct source *source = by_turn(link);
        next = link->next;
        if (source->due_ns <= now_ns)
            agenda_wake(agenda, source);
        else
            note_due(agenda, source, source->due_ns);
    }
}

void agenda_time_is(struct agenda *agenda, int64_t now_ns)
{
    if (now_ns < agenda->timed_due_ns)
        return;
    agenda->timed_due_ns = INT64_MAX;
    wake_due(agenda, &agenda->timed, now_ns);
    wake_due(agenda, &agenda->held, now_ns);
}

/* ---- what the database does not hold ---- */

void agenda_unsettle(struct agenda *agenda, struct source *source)
{
    if (link_is_in_ring(&source->unsettled))
        return;
    link_put_last(&agenda->unsettled, &source->unsettled);
    agenda->unsettled_count++;
}

void agenda_settle(struct agenda *agenda, struct source *source)
{
    if (!link_is_in_ring(&source->unsettled))
        return;
    link_take_out(&source->unsettled);
    agenda->unsettled_count--;
}

struct source *agenda_next_unsettled(const struct agenda *agenda, const struct source *after)
{
    struct link *next = after ? after->unsettled.next : agenda->unsettled.next;
    return next == &agenda->unsettled ? NULL : by_unsettled(next);
}

void agenda_forget(struct agenda *agenda, struct source *source)
{
    link_take_out(&source->turn);
    agenda_settle(agenda, source);
}
