#include "joiner.h"

void joiner_init(struct joiner *joiner, const struct pattern *start, struct joiner_limits limits)
{
    *joiner = (struct joiner){.start = start, .limits = limits};
}

static struct slice without_return(struct slice line)
{
    while (line.size && line.data[line.size - 1] == '\r')
        line.size--;
    return line;
}

static bool begins_event(const struct joiner *joiner, struct slice line)
{
    return pattern_matches(joiner->start, without_return(line));
}

static bool is_white_line(const struct frame *frame)
{
    return frame->kind == FRAME_BLANK && (frame->line.size == 0 || frame->line.data[0] != '\0');
}

static bool fits(const struct joiner *joiner, uint64_t more_bytes)
{
    return joiner->lines < joiner->limits.lines_max &&
           joiner->event.size + more_bytes <= joiner->limits.bytes_max;
}

/* Whether the frame belongs to the event that is open. */
static bool continues(const struct joiner *joiner, const struct frame *frame)
{
    if (!fits(joiner, frame->size))
        return false;
    return is_white_line(frame) || (frame->kind == FRAME_LINE && !begins_event(joiner, frame->line));
}

static void open_event(struct joiner *joiner, const struct frame *frame)
{
    joiner->is_open = true;
    joiner->event = *frame;
    joiner->event.map = NULL; /* further lines may need another */
    joiner->lines = 1;
}

/* Blank lines at the end are in its bytes, but not in its text. */
static void extend_event(struct joiner *joiner, const struct frame *frame)
{
    struct frame *event = &joiner->event;
    event->size += frame->size;
    joiner->lines++;
    if (frame->kind == FRAME_LINE)
        event->line.size = (size_t)(frame->line.data + frame->line.size - event->line.data);
}

static struct frame close_event(struct joiner *joiner)
{
    joiner->is_open = false;
    return joiner->event;
}

static struct frame waiting_event(const struct joiner *joiner, uint64_t rest_bytes)
{
    struct frame frame = joiner->event;
    frame.kind = FRAME_PARTIAL;
    frame.size += rest_bytes;
    return frame;
}

/* No further frame is here. A line above the limit that has begun ends the event, and so does a piece of a
 * line that will not fit into it. */
static struct frame at_end_of_piece(struct joiner *joiner, const struct framer *framer,
                                    const struct frame *frame)
{
    uint64_t rest = frame->kind == FRAME_PARTIAL ? frame->size : 0;
    if (framer->skipping || !fits(joiner, rest))
        return close_event(joiner);
    return waiting_event(joiner, rest);
}

static struct frame take_ahead(struct joiner *joiner)
{
    joiner->has_ahead = false;
    return joiner->ahead;
}

/* The frame ends the open event, and has its turn after it. */
static struct frame close_before(struct joiner *joiner, const struct frame *frame)
{
    joiner->has_ahead = true;
    joiner->ahead = *frame;
    return close_event(joiner);
}

struct frame joiner_next(struct joiner *joiner, struct framer *framer)
{
    for (;;) {
        struct frame frame = joiner->has_ahead ? take_ahead(joiner) : framer_next(framer);
        bool none = frame.kind == FRAME_END || frame.kind == FRAME_PARTIAL;
        if (!joiner->start || (!joiner->is_open && (none || frame.kind != FRAME_LINE)))
            return frame;
        if (!joiner->is_open)
            open_event(joiner, &frame);
        else if (none)
            return at_end_of_piece(joiner, framer, &frame);
        else if (continues(joiner, &frame))
            extend_event(joiner, &frame);
        else
            return close_before(joiner, &frame);
    }
}

struct frame joiner_last(struct joiner *joiner, struct framer *framer, bool for_good)
{
    struct frame none = {.kind = FRAME_END};
    if (!joiner->start || !joiner->is_open)
        return for_good ? joiner->has_ahead ? take_ahead(joiner) : framer_last(framer) : none;
    if (!for_good)
        return close_event(joiner);
    struct frame frame = framer_last(framer);
    if (frame.kind != FRAME_END && !continues(joiner, &frame))
        return close_before(joiner, &frame);
    if (frame.kind != FRAME_END)
        extend_event(joiner, &frame);
    return close_event(joiner);
}
