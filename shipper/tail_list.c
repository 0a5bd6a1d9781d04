/* The list of the sources that are tailed: by the order of reading, and by path. */
#include "tail_internal.h"

#include "liblog/base/cleanup.h"

#include <stdlib.h>

static int grow_sources(struct tail *tail)
{
    size_t capacity = tail->source_capacity ? 2 * tail->source_capacity : 64;
    void *sources = realloc(tail->sources, capacity * sizeof(*tail->sources));

    if (sources)
        tail->sources = sources;
    struct tracked ***const others[] = {&tail->by_path, &tail->by_watch, &tail->strays};
    for (size_t i = 0; i < sizeof(others) / sizeof(others[0]); i++) {
        void *other = realloc(*others[i], capacity * sizeof(**others[i]));
        if (!other)
            return -1;
        *others[i] = other;
    }
    if (!sources)
        return -1;
    tail->source_capacity = capacity;
    return 0;
}

int tail_set_path(struct tracked *tracked, const char *path)
{
    char *copy = strdup(path);

    if (!copy)
        return -1;
    free(tracked->source.record.path);
    tracked->file.path = tracked->source.record.path = copy;
    return 0;
}

struct tracked *tail_track(struct tail *tail, int known_index, int input, const char *path)
{
    struct known *known = &tail->known.items[known_index];

    if (tail->source_count == tail->source_capacity && grow_sources(tail) < 0)
        return NULL;
    struct tracked *tracked = calloc(1, sizeof(*tracked));
    if (!tracked)
        return NULL;
    struct source *source = &tracked->source;
    memcpy(source->record.id, known->id, sizeof(known->id));
    source->record.evidence = known->evidence;
    source->position[LANE_STATS] = known->evidence.offset;
    source->last_time_ns = known->evidence.modified_ns;
    source->input = &tail->options.inputs[input];
    source->file = &tracked->file;
    file_init(&tracked->file, &tail->pool);
    if (tail_set_path(tracked, known->path ? known->path : path) < 0 ||
        !(tracked->family = strdup(source->record.path))) {
        tail_untrack(tracked);
        return NULL;
    }
    tracked->known = known_index;
    tracked->watch_id = -1;
    tracked->input = input;
    tracked->sequence = tail->next_sequence++;
    known->source = source;
    free(take_pointer(known->path));
    tail->sources[tail->source_count++] = tracked;
    return tracked;
}

void tail_untrack(struct tracked *tracked)
{
    file_close(&tracked->file);
    free(tracked->source.record.path);
    free(tracked->family);
    free(tracked);
}

uint64_t tail_least_position(const struct source *source, int lane_count)
{
    uint64_t least = source->record.evidence.offset;

    for (int lane = LANE_STATS + 1; source->started && lane < lane_count; lane++)
        least = source->position[lane] < least ? source->position[lane] : least;
    return least;
}

/* Bytes of a file, as they lie there, between two places in the source. Of a compressed one the part that
 * they are of the whole, if its end was seen; else all of it. */
static uint64_t bytes_between(const struct source *source, uint64_t from, uint64_t to)
{
    const struct source_evidence *evidence = &source->record.evidence;

    if (from >= to)
        return 0;
    if (!evidence->compressed)
        return to - from;
    return to == UINT64_MAX ? evidence->size
                            : (uint64_t)((double)evidence->size * (double)(to - from) / (double)to);
}

static uint64_t end_of(const struct tracked *tracked)
{
    const struct source_evidence *evidence = &tracked->source.record.evidence;

    if (evidence->compressed)
        return evidence->finished ? evidence->offset : tracked->file.length;
    return evidence->size < tracked->file.limit ? evidence->size : tracked->file.limit;
}

void tail_lose(struct tail *tail, struct tracked *tracked)
{
    struct source *source = &tracked->source;
    struct source_evidence *evidence = &source->record.evidence;

    if (tracked->file.lost)
        return;
    source->counters.lost_bytes +=
        bytes_between(source, tail_least_position(source, tail->options.lane_count), end_of(tracked));
    tracked->file.lost = true;
    evidence->finished = source->changed = true;
    evidence->gone_ns = tail->now_ns;
    file_close(&tracked->file);
    tail_wake(tail, tracked);
}

void source_start(struct source *source, int lane_count)
{
    source->started = true;
    if (!source->file || !source->file->lost)
        return;
    source->counters.lost_bytes +=
        bytes_between(source, tail_least_position(source, lane_count), source->record.evidence.offset);
    source->changed = true;
}

void tail_watch_alone(struct tail *tail, struct tracked *tracked)
{
    if (tracked->watch_id < 0 && tracked->file.fd >= 0)
        tracked->watch_id = watch_file(tail->watch, tracked->file.fd);
}

static int compare_order(const void *left, const void *right)
{
    const struct tracked *a = *(struct tracked *const *)left, *b = *(struct tracked *const *)right;
    int order = a->input - b->input;

    order = order ? order : strcmp(a->family, b->family);
    order = order ? order : generation_compare(a->generation, b->generation);
    return order ? order : (a->sequence > b->sequence) - (a->sequence < b->sequence);
}

/* Of one path, the file that has it now comes first. */
static int compare_path(const void *left, const void *right)
{
    const struct tracked *a = *(struct tracked *const *)left, *b = *(struct tracked *const *)right;
    int order = strcmp(a->source.record.path, b->source.record.path);

    return order ? order : (int)b->seen - (int)a->seen;
}

/* Of one file, the source that comes first. */
static int compare_watch(const void *left, const void *right)
{
    const struct tracked *a = *(struct tracked *const *)left, *b = *(struct tracked *const *)right;
    int order = a->watch_id - b->watch_id;

    return order ? order : (a->index > b->index) - (a->index < b->index);
}

void tail_sort(struct tail *tail)
{
    tail->stray_count = tail->by_watch_count = 0;
    if (tail->source_count == 0)
        return;
    qsort(tail->sources, tail->source_count, sizeof(*tail->sources), compare_order);
    for (size_t i = 0; i < tail->source_count; i++) {
        struct tracked *tracked = tail->sources[i];
        tracked->index = i;
        if (tracked->seen)
            tracked->held_at_ns = 0;
        else if (!tracked->file.lost)
            tail->strays[tail->stray_count++] = tracked;
        if (tracked->watch_id >= 0)
            tail->by_watch[tail->by_watch_count++] = tracked;
    }
    memcpy(tail->by_path, tail->sources, tail->source_count * sizeof(*tail->sources));
    qsort(tail->by_path, tail->source_count, sizeof(*tail->by_path), compare_path);
    if (tail->by_watch_count > 0)
        qsort(tail->by_watch, tail->by_watch_count, sizeof(*tail->by_watch), compare_watch);
}

/* All will be woken, and stepped, at the end of the scan that begins with this. */
static void forget_lists(struct tail *tail)
{
    tail->first_woken = tail->restless = NULL;
    tail->woken_end = &tail->first_woken;
    tail->stray_count = tail->by_watch_count = 0;
    for (size_t i = 0; i < tail->source_count; i++)
        tail->sources[i]->woken = tail->sources[i]->restless = false;
}

void tail_free_dropped(struct tail *tail)
{
    size_t kept = 0;

    forget_lists(tail);
    for (size_t i = 0; i < tail->source_count; i++) {
        if (tail->sources[i]->dropped)
            tail_untrack(tail->sources[i]);
        else
            tail->sources[kept++] = tail->sources[i];
    }
    tail->source_count = kept;
}

struct tracked *tail_find_by_path(const struct tail *tail, const char *path)
{
    size_t low = 0, high = tail->source_count;

    while (low < high) {
        size_t middle = (low + high) / 2;
        if (strcmp(tail->by_path[middle]->source.record.path, path) < 0)
            low = middle + 1;
        else
            high = middle;
    }
    bool found = low < tail->source_count && strcmp(tail->by_path[low]->source.record.path, path) == 0;
    return found ? tail->by_path[low] : NULL;
}

struct tracked *tail_find_by_watch(const struct tail *tail, int watch_id)
{
    size_t low = 0, high = tail->by_watch_count;

    while (low < high) {
        size_t middle = (low + high) / 2;
        if (tail->by_watch[middle]->watch_id < watch_id)
            low = middle + 1;
        else
            high = middle;
    }
    bool found = low < tail->by_watch_count && tail->by_watch[low]->watch_id == watch_id;
    return found ? tail->by_watch[low] : NULL;
}

/* ---- those of which something changed ---- */

void tail_wake(struct tail *tail, struct tracked *tracked)
{
    if (tracked->woken)
        return;
    tracked->woken = true;
    tracked->next_woken = NULL;
    *tail->woken_end = tracked;
    tail->woken_end = &tracked->next_woken;
}

void tail_wake_all(struct tail *tail)
{
    tail->first_woken = NULL;
    tail->woken_end = &tail->first_woken;
    for (size_t i = 0; i < tail->source_count; i++) {
        tail->sources[i]->woken = false;
        tail_wake(tail, tail->sources[i]);
    }
}

static struct tracked *take_woken(struct tail *tail)
{
    struct tracked *tracked = tail->first_woken;

    if (!tracked)
        return NULL;
    tracked->woken = false;
    tail->first_woken = tracked->next_woken;
    if (!tail->first_woken)
        tail->woken_end = &tail->first_woken;
    return tracked;
}

struct source *tail_next_woken(struct tail *tail)
{
    struct tracked *tracked = take_woken(tail);

    while (tracked && tracked->dropped)
        tracked = take_woken(tail);
    return tracked ? &tracked->source : NULL;
}
