/*
 * Positions and transactions. The statistics' counts and positions go into one transaction; with them go the
 * positions up to which outputs have acknowledged, which are facts already and may come late without harm.
 */
#include "pipeline_internal.h"

#include <stdlib.h>

enum { DROPS_MAX = 1000 }; /* before files have their turn again */

static const char *lane_name(const struct pipeline *pipeline, int lane)
{
    return lane == LANE_STATS ? "stats" : output_name(pipeline->lane[lane].output);
}

/* Up to where a restart may skip. */
static uint64_t lane_safe_position(const struct pipeline *pipeline, const struct source *source, int lane)
{
    const struct output *output = pipeline->lane[lane].output;
    return output ? output_acknowledged(output, source) : source->position[lane];
}

/* ---- where a lane begins ---- */

/* An output that this database has never seen starts where the statistics stand, or at the beginning if told
 * so. */
static uint64_t first_position(const struct pipeline *pipeline, const struct source *source, int lane)
{
    const struct lane *of = &pipeline->lane[lane];
    bool from_beginning = of->was_known || pipeline->config->outputs[lane - 1].start_at_beginning;
    return from_beginning ? 0 : source->position[LANE_STATS];
}

static uint64_t at_most_its_size(const struct source *source, uint64_t position)
{
    const struct source_evidence *evidence = &source->record.evidence;
    return !evidence->compressed && position > evidence->size ? evidence->size : position;
}

static int start_lane(struct pipeline *pipeline, struct source *source, int lane, struct problem *ret_problem)
{
    uint64_t position = source->position[lane];
    int found = 0;
    if (!source->is_new) {
        found = store_load_position(pipeline->store, lane_name(pipeline, lane), source->record.id, &position,
                                    ret_problem);
        if (found < 0)
            return found;
    }
    source->committed[lane] = found ? position : UINT64_MAX;
    if (lane == LANE_STATS)
        return 0; /* its place is in the source's evidence */
    if (!found && !source->is_new)
        position = first_position(pipeline, source, lane);
    source->position[lane] = at_most_its_size(source, position);
    if (output_begin(pipeline->lane[lane].output, source, source->position[lane]) < 0)
        return problem_set(ret_problem, ERR_INT_002, "no memory is left for %s", source->record.path);
    return 0;
}

int pipeline_start_source(struct pipeline *pipeline, struct source *source, struct problem *ret_problem)
{
    int result = 0;
    for (int lane = 0; result == 0 && lane < pipeline->lane_count; lane++)
        result = start_lane(pipeline, source, lane, ret_problem);
    source->knows_time = source->position[LANE_STATS] == 0;
    if (result == 0)
        source_start(source, pipeline->lane_count);
    pipeline_touch(pipeline);
    return result;
}

/* ---- committing ---- */

static bool lane_has_moved(const struct pipeline *pipeline, const struct source *source, int lane)
{
    return source->started && lane_safe_position(pipeline, source, lane) != source->committed[lane];
}

/* A position refers to its source, so a source that has one to be written goes with it the first time. */
static void list_source(const struct pipeline *pipeline, struct source *source, struct commit_list *list)
{
    if (!source->started)
        return;
    for (int lane = 0; lane < pipeline->lane_count; lane++) {
        if (!lane_has_moved(pipeline, source, lane))
            continue;
        list->moved[list->position_count] = (struct moved_lane){source, lane};
        list->positions[list->position_count++] = (struct store_position){
            lane_name(pipeline, lane), source->record.id, lane_safe_position(pipeline, source, lane)};
    }
    if (source->changed || source->is_new)
        list->sources[list->source_count++] = source;
}

static int make_list(struct pipeline *pipeline, struct commit_list *list)
{
    size_t count = (size_t)pipeline->agenda.unsettled_count;
    list->sources = calloc(count + 1, sizeof(struct source *));
    list->positions = calloc(count * (size_t)pipeline->lane_count + 1, sizeof(struct store_position));
    list->moved = calloc(count * (size_t)pipeline->lane_count + 1, sizeof(struct moved_lane));
    if (!list->sources || !list->positions || !list->moved)
        return -ERR_INT_002;
    for (struct source *source = agenda_next_unsettled(&pipeline->agenda, NULL); source;
         source = agenda_next_unsettled(&pipeline->agenda, source))
        list_source(pipeline, source, list);
    return 0;
}

/* What the change holds is counted anew from here on. */
static void note_begun(const struct commit_list *list)
{
    for (int i = 0; i < list->source_count; i++) {
        list->sources[i]->counters = (struct source_counters){0};
        list->sources[i]->changed = false;
        list->sources[i]->is_new = false;
    }
}

static void note_committed(const struct commit_list *list)
{
    for (int i = 0; i < list->position_count; i++)
        list->moved[i].source->committed[list->moved[i].lane] = list->positions[i].offset;
}

void committer_release(struct committer *committer)
{
    free(committer->list.sources);
    free(committer->list.positions);
    free(committer->list.moved);
    committer->list = (struct commit_list){0};
}

void pipeline_touch(struct pipeline *pipeline)
{
    if (!pipeline->committer.due_ns)
        pipeline->committer.due_ns = pipeline_mono_ns() + COMMIT_EVERY_NS;
}

bool pipeline_can_count(const struct pipeline *pipeline)
{
    const struct committer *committer = &pipeline->committer;
    return (!committer->problem.error && !committer->under_way) ||
           batch_rows(pipeline->batch) < COMMIT_ROWS_MAX;
}

static bool is_due(const struct pipeline *pipeline)
{
    const struct committer *committer = &pipeline->committer;
    if (!committer->due_ns)
        return false;
    if (pipeline_mono_ns() >= committer->due_ns)
        return true;
    return !committer->problem.error && batch_rows(pipeline->batch) >= COMMIT_ROWS_MAX;
}

/* A problem is told when it is another than that of the try before. */
static void note_result(struct pipeline *pipeline, int result, const struct problem *problem)
{
    struct committer *committer = &pipeline->committer;
    if (result < 0) {
        committer->due_ns = pipeline_mono_ns() + COMMIT_EVERY_NS;
        if (committer->problem.error != problem->error)
            pipeline_tell(pipeline, problem);
    }
    committer->problem = result < 0 ? *problem : (struct problem){0};
}

/* Takes in the end of the commit under way. 1 when it goes on. */
static int settle(struct pipeline *pipeline, bool wait)
{
    struct committer *committer = &pipeline->committer;
    struct problem problem = {0};
    int result = committer->under_way ? store_commit_end(pipeline->store, wait, &problem) : 0;
    if (result == 1 || !committer->under_way)
        return result;
    committer->under_way = false;
    if (result == 0) {
        note_committed(&committer->list);
        committer_release(committer);
        pipeline->may_drop = true;
    }
    note_result(pipeline, result, &problem);
    return result;
}

/* One that failed is begun again as it was; what came since then waits for the next. */
static int begin(struct pipeline *pipeline)
{
    struct committer *committer = &pipeline->committer;
    struct commit_list *list = &committer->list;
    bool again = store_commit_failed(pipeline->store);
    struct problem problem = {0};
    int result = again ? 0 : make_list(pipeline, list);
    if (result < 0)
        problem_set(&problem, ERR_INT_002, "no memory is left for a commit");
    else
        result = store_commit_begin(pipeline->store, pipeline->batch, list->sources, list->source_count,
                                    list->positions, list->position_count, &problem);
    if (result < 0) {
        if (!again)
            committer_release(committer);
        note_result(pipeline, result, &problem);
        return result;
    }
    committer->under_way = true;
    committer->due_ns = again ? pipeline_mono_ns() + COMMIT_EVERY_NS : 0;
    if (!again)
        note_begun(list);
    return 0;
}

int pipeline_commit(struct pipeline *pipeline, bool now)
{
    int result = settle(pipeline, now);
    if (result != 0)
        return result < 0 ? result : 0;
    if (!is_due(pipeline) && !(now && pipeline->committer.due_ns))
        return 0;
    result = begin(pipeline);
    return result < 0 || !now ? result : pipeline_commit(pipeline, true);
}

/* ---- letting go ---- */

static bool is_through(const struct pipeline *pipeline, const struct source *source)
{
    if (!source->record.evidence.finished || source->changed || source->is_new || !source->started)
        return false;
    for (int lane = 0; lane < pipeline->lane_count; lane++) {
        uint64_t position = source->position[lane];
        if (source_unread_bytes(source, lane) || source->committed[lane] != position ||
            lane_safe_position(pipeline, source, lane) != position)
            return false;
    }
    return true;
}

static void drop(struct pipeline *pipeline, struct source *source)
{
    for (int lane = LANE_STATS + 1; lane < pipeline->lane_count; lane++)
        output_forget(pipeline->lane[lane].output, source);
    reader_forget(&pipeline->reader, source);
    agenda_forget(&pipeline->agenda, source);
    tail_drop(pipeline->tail, source);
}

bool pipeline_can_drop(const struct pipeline *pipeline)
{
    return pipeline->may_drop && !pipeline->committer.under_way && !store_commit_failed(pipeline->store);
}

void pipeline_drop_finished(struct pipeline *pipeline)
{
    int dropped = 0;
    if (!pipeline_can_drop(pipeline))
        return;
    struct source *next = agenda_next_unsettled(&pipeline->agenda, NULL);
    while (next && dropped < DROPS_MAX) {
        struct source *source = next;
        next = agenda_next_unsettled(&pipeline->agenda, source);
        if (pipeline_is_settled(pipeline, source)) {
            agenda_settle(&pipeline->agenda, source);
        } else if (is_through(pipeline, source)) {
            drop(pipeline, source);
            dropped++;
        }
    }
    pipeline->may_drop = next != NULL;
}
