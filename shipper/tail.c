/* The interface of the tail, and what is done at each look. */
#include "tail_internal.h"

#include <stdlib.h>

#define STEP_NS_MAX INT64_C(60000000000) /* longer is not between two looks, but the clock was set */

/* ---- news ---- */

static struct tracked *find_by_watch(const struct tail *tail, int watch_id)
{
    for (size_t i = 0; i < tail->source_count; i++)
        if (tail->sources[i]->watch_id == watch_id)
            return tail->sources[i];
    return NULL;
}

static void take_news(void *context, const struct watch_event *event)
{
    struct tail *tail = context;
    char path[SOURCE_PATH_MAX];

    if (event->kind == WATCH_OVERFLOW || (event->kind == WATCH_NAMES && !event->name)) {
        tail->scan_due = true;
        return;
    }
    if (!event->name) { /* a file that is watched by itself */
        struct tracked *tracked = find_by_watch(tail, event->file_id);
        if (tracked)
            tail_check_file(tail, tracked);
        return;
    }
    if (event->kind == WATCH_NAMES) {
        tail->scan_due |= discover_wants(tail->options.inputs, tail->options.input_count, event->name);
        return;
    }
    size_t folder_size = strlen(event->folder);
    bool slash = folder_size > 0 && event->folder[folder_size - 1] != '/';
    snprintf(path, sizeof(path), "%s%s%s", event->folder, slash ? "/" : "", event->name);
    struct tracked *tracked = tail_find_by_path(tail, path);
    if (tracked)
        tail_check_file(tail, tracked);
    tail->scan_due |= tracked && tracked->dropped;
}

/* Nothing tells reliably of files that left the folders, so they are looked at each time; all others cost
 * nothing here. */
static void check_strays(struct tail *tail)
{
    tail->scan_due |= tail->pool.suspicious;
    tail->pool.suspicious = false;
    for (size_t i = 0; tail->strays && i < tail->source_count; i++)
        if (!tail->sources[i]->seen && tail->sources[i]->file.fd >= 0)
            tail_check_file(tail, tail->sources[i]);
}

static void take_time(struct tail *tail, int64_t now_ns)
{
    int64_t passed_ns = now_ns - tail->last_look_ns;

    /* A clock that was set back must not put off the next scan. */
    tail->scan_due |= passed_ns < 0;
    /* And one that was set forward must not end anybody's time. */
    tail->own_time_ns += passed_ns < 0 ? 0 : passed_ns > STEP_NS_MAX ? STEP_NS_MAX : passed_ns;
    tail->last_look_ns = tail->now_ns = now_ns;
}

int tail_look(struct tail *tail, int64_t now_ns,
              void (*on_problem)(void *context, const struct problem *problem), void *context)
{
    int error = 0;

    take_time(tail, now_ns);
    tail->on_problem = on_problem;
    tail->on_problem_context = context;
    tail->look++;
    tail->new_count = 0;
    int news = watch_take(tail->watch, take_news, tail);
    check_strays(tail);
    bool scans = tail->scan_due || now_ns >= tail->next_scan_ns;
    if (scans)
        error = tail_scan(tail, NULL);
    if (error < 0) {
        tail->scan_due = true;
        return error;
    }
    if (scans || news > 0 || tail->restless)
        tail_step_all(tail);
    if (tail->strays)
        tail_limit_held(tail);
    return tail->new_count;
}

/* ---- the interface ---- */

static int load_known(struct tail *tail)
{
    const struct tail_options *options = &tail->options;

    for (int i = 0; i < options->known_count; i++) {
        const struct source_record *record = &options->known[i];
        if (known_add(&tail->known, record->id, record->path, &record->evidence) < 0)
            return -1;
    }
    return 0;
}

int tail_new(const struct tail_options *options, struct problem *ret_problem, struct tail **ret_tail)
{
    struct tail *tail = calloc(1, sizeof(*tail));

    if (tail) {
        tail->options = *options;
        tail->pool.open_max = file_pool_default_max();
        tail->told = calloc(TAIL_TOLD_MAX, sizeof(*tail->told));
        tail->watch = options->once ? NULL : watch_new();
        tail->scan_due = true;
        tail->next_scan_ns = INT64_MAX;
    }
    if (!tail || !tail->told || load_known(tail) < 0) {
        tail_free(tail);
        return problem_set(ret_problem, ERR_INT_002, "no memory is left for the sources known");
    }
    tail->options.known = NULL; /* copied */
    *ret_tail = tail;
    return 0;
}

void tail_free(struct tail *tail)
{
    if (!tail)
        return;
    for (size_t i = 0; i < tail->source_count; i++)
        tail_untrack(tail->sources[i]);
    for (int i = 0; i < tail->told_count; i++)
        free(tail->told[i].path);
    free(tail->sources);
    free(tail->by_path);
    free(tail->told);
    free(tail->copies);
    known_release(&tail->known);
    watch_free(tail->watch);
    free(tail);
}

int tail_matched(const struct tail *tail)
{
    return tail->matched;
}

int tail_unreadable(const struct tail *tail, enum exit_code *ret_code)
{
    enum error first = tail->first_unreadable;
    int count = tail->unreadable;

    for (size_t i = 0; i < tail->source_count; i++) {
        enum error broken = tail->sources[i]->file.broken;
        if (broken == ERR_NONE)
            continue;
        first = first == ERR_NONE ? broken : first;
        count++;
    }
    if (count > 0)
        *ret_code = first == ERR_IO_002 ? EXIT_NO_PERMISSION : EXIT_IO;
    return count;
}

struct source *tail_next(struct tail *tail, const struct source *after)
{
    size_t index = after ? tracked_of(after)->index + 1 : 0;

    while (index < tail->source_count && tail->sources[index]->dropped)
        index++;
    return index < tail->source_count ? &tail->sources[index]->source : NULL;
}

/* Older brothers that a lane has read stay read until the next look, so that of a thousand generations each
 * is asked once. */
static bool is_known_free(const struct tail *tail, const struct tracked *tracked, int lane)
{
    return tracked->free_at == tail->look && tracked->free_lanes >> lane & 1;
}

static void note_free(const struct tail *tail, struct tracked *tracked, int lane)
{
    if (tracked->free_at != tail->look)
        tracked->free_lanes = 0;
    tracked->free_at = tail->look;
    tracked->free_lanes |= 1u << lane;
}

bool source_is_blocked(const struct tail *tail, const struct source *source, int lane)
{
    struct tracked *tracked = tracked_of(source);

    for (size_t i = tracked->index; i > 0 && !is_known_free(tail, tail->sources[i], lane); i--) {
        const struct tracked *older = tail->sources[i - 1];
        if (older->input != tracked->input || strcmp(older->family, tracked->family) != 0)
            break;
        if (source_unread_bytes(&older->source, lane) > 0)
            return true;
    }
    note_free(tail, tracked, lane);
    return false;
}

void tail_drop(struct tail *tail, struct source *source)
{
    struct tracked *tracked = tracked_of(source);
    struct known *known = &tail->known.items[tracked->known];
    char *path = strdup(source->record.path);

    if (!path) /* it stays: only memory is at stake */
        return;
    known_reindex(&tail->known, tracked->known);
    known->evidence = source->record.evidence;
    known->path = path;
    known->source = NULL;
    known->retired = true;
    file_close(&tracked->file);
    tracked->file.lost = tracked->dropped = true;
    tracked->file.suspicious = false;
    tracked->file.broken = ERR_NONE;
}

int tail_watch_fd(const struct tail *tail)
{
    return watch_fd(tail->watch);
}
