/*
 * Positions and transactions. The statistics' counts and positions go into one transaction; with them go the
 * positions up to which outputs have acknowledged, which are facts already and may come late without harm.
 */
#include "pipeline_internal.h"

#include "liblog/base/cleanup.h"

#include <stdlib.h>

enum { DROPS_MAX = 16 };

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

struct commit_list {
    struct source **sources;
    struct store_position *positions;
    int source_count, position_count;
};

static void commit_list_release(struct commit_list *list)
{
    free(list->sources);
    free(list->positions);
}

static int count_sources(struct pipeline *pipeline)
{
    int count = 0;
    for (struct source *source = tail_next(pipeline->tail, NULL); source;
         source = tail_next(pipeline->tail, source))
        count++;
    return count;
}

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
        list->positions[list->position_count++] = (struct store_position){
            lane_name(pipeline, lane), source->record.id, lane_safe_position(pipeline, source, lane)};
    }
    if (source->changed || source->is_new)
        list->sources[list->source_count++] = source;
}

static int make_list(struct pipeline *pipeline, struct commit_list *list)
{
    size_t count = (size_t)count_sources(pipeline);
    list->sources = calloc(count + 1, sizeof(struct source *));
    list->positions = calloc(count * (size_t)pipeline->lane_count + 1, sizeof(struct store_position));
    if (!list->sources || !list->positions)
        return -ERR_INT_002;
    for (struct source *source = tail_next(pipeline->tail, NULL); source;
         source = tail_next(pipeline->tail, source))
        list_source(pipeline, source, list);
    return 0;
}

/* What was written is what the outputs have acknowledged now, since both happen on this thread. */
static void note_committed(struct pipeline *pipeline, const struct commit_list *list)
{
    for (struct source *source = tail_next(pipeline->tail, NULL); source;
         source = tail_next(pipeline->tail, source)) {
        for (int lane = 0; source->started && lane < pipeline->lane_count; lane++)
            source->committed[lane] = lane_safe_position(pipeline, source, lane);
    }
    for (int i = 0; i < list->source_count; i++) {
        list->sources[i]->counters = (struct source_counters){0};
        list->sources[i]->changed = false;
        list->sources[i]->is_new = false;
    }
}

static int commit(struct pipeline *pipeline, struct problem *ret_problem)
{
    _cleanup_(commit_list_release) struct commit_list list = {0};
    if (make_list(pipeline, &list) < 0)
        return problem_set(ret_problem, ERR_INT_002, "no memory is left for a commit");
    int result = store_commit(pipeline->store, pipeline->batch, list.sources, list.source_count,
                              list.positions, list.position_count, ret_problem);
    if (result == 0)
        note_committed(pipeline, &list);
    return result;
}

void pipeline_touch(struct pipeline *pipeline)
{
    if (!pipeline->committer.due_ns)
        pipeline->committer.due_ns = pipeline_mono_ns() + COMMIT_EVERY_NS;
}

bool pipeline_can_count(const struct pipeline *pipeline)
{
    return !pipeline->committer.problem.error || batch_rows(pipeline->batch) < COMMIT_ROWS_MAX;
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

int pipeline_commit(struct pipeline *pipeline, bool now)
{
    struct committer *committer = &pipeline->committer;
    struct problem problem = {0};
    if (!is_due(pipeline) && !(now && committer->due_ns))
        return 0;
    int result = commit(pipeline, &problem);
    committer->due_ns = result < 0 ? pipeline_mono_ns() + COMMIT_EVERY_NS : 0;
    if (result < 0 && committer->problem.error != problem.error)
        pipeline_tell(pipeline, &problem);
    committer->problem = result < 0 ? problem : (struct problem){0};
    return result;
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

/* Each drop sorts the list of sources anew, hence a few at a time. */
void pipeline_drop_finished(struct pipeline *pipeline)
{
    struct source *through[DROPS_MAX];
    int count = 0;
    for (struct source *source = tail_next(pipeline->tail, NULL); source && count < DROPS_MAX;
         source = tail_next(pipeline->tail, source)) {
        if (is_through(pipeline, source))
            through[count++] = source;
    }
    for (int i = 0; i < count; i++) {
        for (int lane = LANE_STATS + 1; lane < pipeline->lane_count; lane++)
            output_forget(pipeline->lane[lane].output, through[i]);
        reader_forget(&pipeline->reader, through[i]);
        tail_drop(pipeline->tail, through[i]);
    }
}
