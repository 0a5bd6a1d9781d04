/*
 * A place in a ring of things that carry it: putting in, taking out and asking cost the same whatever the
 * ring's length, and allocate nothing. The ring's head is a link, too.
 *
 *      head <-> first <-> ... <-> last <-> head         {NULL, NULL}: in no ring
 */
#ifndef SHIPPER_LINK_H
#define SHIPPER_LINK_H

#include <stdbool.h>
#include <stddef.h>

struct link {
    struct link *next, *previous;
};

static inline void ring_init(struct link *head)
{
    head->next = head->previous = head;
}

static inline bool ring_is_empty(const struct link *head)
{
    return head->next == head;
}

static inline bool link_is_in_ring(const struct link *link)
{
    return link->next != NULL;
}

static inline void link_take_out(struct link *link)
{
    if (!link->next)
        return;
    link->next->previous = link->previous;
    link->previous->next = link->next;
    link->next = link->previous = NULL;
}

/* At the end; from wherever it was before. */
static inline void link_put_last(struct link *head, struct link *link)
{
    link_take_out(link);
    link->next = head;
    link->previous = head->previous;
    head->previous->next = link;
    head->previous = link;
}

/* All of a ring behind the last of another; the first is empty then. */
static inline void ring_move_all(struct link *head, struct link *to)
{
    if (ring_is_empty(head))
        return;
    head->next->previous = to->previous;
    head->previous->next = to;
    to->previous->next = head->next;
    to->previous = head->previous;
    ring_init(head);
}

#endif
