/*
 * Whose turn it is. A source that was given no turn costs nothing, so whatever lets one go on must wake it:
 * the tail (its file changed), a lane that it waited for, the time, or a brother that was in its way.
 */
#include "pipeline_internal.h"

enum { PIECES_PER_TURN_MAX = 64 }; /* of one source, before others have their turn */

/* ---- settled or not ---- */

bool pipeline_is_settled(const struct pipeline *pipeline, const struct source *source)
{
    if (source->changed || source->is_new || source->record.evidence.finished)
        return false;
    for (int lane = 0; lane < pipeline->lane_count; lane++) {
        if (source->committed[lane] != source->position[lane])
            return false;
    }
    return true;
}

void pipeline_unsettle(struct pipeline *pipeline, struct source *source)
{
    if (pipeline_is_settled(pipeline, source))
        return;
    agenda_unsettle(&pipeline->agenda, source);
    if (source->changed)
        pipeline_touch(pipeline);
    else
        pipeline->may_drop |= source->record.evidence.finished;
}

/* ---- after a turn ---- */

static bool lane_wants_more(struct pipeline *pipeline, const struct source *source, int lane)
{
    return !pipeline->lane[lane].given_up && source_unread_bytes(source, lane) > 0;
}

/* The lanes that want more of it, get nothing now, and are in nobody's way but their own. */
static uint32_t lanes_in_wait(struct pipeline *pipeline, const struct source *source, uint32_t served)
{
    uint32_t lanes = 0;
    for (int lane = 0; lane < pipeline->lane_count; lane++) {
        if (!(served >> lane & 1) && lane_wants_more(pipeline, source, lane) &&
            !source_is_blocked(pipeline->tail, source, lane))
            lanes |= 1u << lane;
    }
    return lanes;
}

void pipeline_let_wait(struct pipeline *pipeline, struct source *source, uint32_t served, int64_t due_ns)
{
    uint32_t lanes = lanes_in_wait(pipeline, source, served);
    bool waits = due_ns > pipeline_mono_ns();
    if (lanes)
        agenda_hold(&pipeline->agenda, source, lanes, waits ? due_ns : INT64_MAX);
    else if (waits)
        agenda_wait_until(&pipeline->agenda, source, due_ns);
}

/* Its younger brothers may have waited for it. */
static void wake_brothers(struct pipeline *pipeline, const struct source *source)
{
    for (struct source *next = source_younger(pipeline->tail, source); next;
         next = source_younger(pipeline->tail, next)) {
        if (agenda_rests(next) && lanes_in_wait(pipeline, next, 0))
            agenda_wake(&pipeline->agenda, next);
    }
}

/* ---- the turn ---- */

/* A stream that goes back begins anew, so a compressed file is read in one go. */
static bool read_source(struct pipeline *pipeline, struct source *source)
{
    int pieces = 0;
    bool goes_on = true;
    while (pieces < PIECES_PER_TURN_MAX || source->record.evidence.compressed) {
        goes_on = !pipeline_stops(pipeline) && pipeline_pass(pipeline, source);
        if (!goes_on)
            break;
        pieces++;
        pipeline_tick(pipeline);
    }
    if (goes_on)
        agenda_wake(&pipeline->agenda, source);
    wake_brothers(pipeline, source);
    return pieces > 0;
}

static uint32_t ready_lanes(const struct pipeline *pipeline)
{
    uint32_t lanes = pipeline_can_count(pipeline) ? 1u << LANE_STATS : 0;
    for (int lane = LANE_STATS + 1; lane < pipeline->lane_count; lane++) {
        if (!pipeline->lane[lane].given_up && output_ready(pipeline->lane[lane].output))
            lanes |= 1u << lane;
    }
    return lanes;
}

bool pipeline_turn(struct pipeline *pipeline)
{
    struct agenda *agenda = &pipeline->agenda;
    struct source *source;
    bool moved = false;
    agenda_time_is(agenda, pipeline_mono_ns());
    agenda_lanes_are_ready(agenda, ready_lanes(pipeline));
    agenda_begin_turn(agenda);
    while (!pipeline_stops(pipeline) && (source = agenda_next(agenda)) != NULL)
        moved |= read_source(pipeline, source);
    return moved;
}
