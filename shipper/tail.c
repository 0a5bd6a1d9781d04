/* The interface of the tail, and what is done at each look. */
#include "tail_internal.h"

#include <stdlib.h>

#define STEP_NS_MAX INT64_C(60000000000) /* longer is not between two looks, but the clock was set */
#define AGAIN_NS    INT64_C(100000000)   /* what a look found to be in doubt is looked at anew after this */
/* How often files that have left the folders are looked at, though they are watched; and if some is not. */
#define STRAYS_WATCHED_NS   INT64_C(1000000000)
#define STRAYS_UNWATCHED_NS INT64_C(200000000)

/* ---- news ---- */

static void take_news_of(struct tail *tail, struct tracked *tracked)
{
    if (!tracked)
        return;
    tracked->untold = false;
    tail_check_file(tail, tracked);
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
        take_news_of(tail, tail_find_by_watch(tail, event->file_id));
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
    take_news_of(tail, tracked);
    tail->scan_due |= tracked && tracked->dropped;
}

/* No folder tells of files that left it, and a watch of their own may not be had: so they are looked at by
 * time. */
static void check_strays(struct tail *tail)
{
    bool all_watched = true;
    size_t kept = 0;

    if (tail->now_ns < tail->next_strays_ns)
        return;
    for (size_t i = 0; i < tail->stray_count; i++) {
        struct tracked *stray = tail->strays[i];
        if (stray->dropped || stray->file.lost)
            continue;
        tail->strays[kept++] = stray;
        all_watched &= stray->watch_id >= 0;
        if (stray->file.fd >= 0)
            tail_check_file(tail, stray);
    }
    tail->stray_count = kept;
    tail->next_strays_ns = tail->now_ns + (all_watched ? STRAYS_WATCHED_NS : STRAYS_UNWATCHED_NS);
    tail_limit_held(tail);
}

static void take_time(struct tail *tail, int64_t now_ns)
{
    int64_t passed_ns = tail->look > 0 ? now_ns - tail->last_look_ns : 0;

    /* A clock that was set back must not put off the next scan. */
    tail->scan_due |= passed_ns < 0;
    /* And one that was set forward must not end anybody's time. */
    tail->own_time_ns += passed_ns < 0 ? 0 : passed_ns > STEP_NS_MAX ? STEP_NS_MAX : passed_ns;
    tail->last_look_ns = tail->now_ns = now_ns;
}

/* What reading found since the last look, whose time it still is. */
static void take_doubts(struct tail *tail)
{
    tail->scan_due |= tail->pool.suspicious;
    if (tail->pool.broken)
        tail_scan_within(tail, tail_retry_ns(tail));
    tail->pool.suspicious = tail->pool.broken = false;
}

static int scan(struct tail *tail)
{
    int error = tail_scan(tail, NULL);

    if (error < 0) {
        tail->scan_due = true;
        return error;
    }
    tail_step_all(tail);
    check_strays(tail);
    tail_wake_all(tail);
    return 0;
}

int tail_look(struct tail *tail, int64_t now_ns,
              void (*on_problem)(void *context, const struct problem *problem), void *context)
{
    int error = 0;

    take_doubts(tail);
    take_time(tail, now_ns);
    tail->on_problem = on_problem;
    tail->on_problem_context = context;
    tail->look++;
    tail->new_count = 0;
    watch_take(tail->watch, take_news, tail);
    check_strays(tail);
    if (tail->watch && now_ns >= tail->next_folders_ns)
        error = tail_look_for_folders(tail, NULL);
    if (error == 0 && (tail->scan_due || now_ns >= tail->next_scan_ns))
        error = scan(tail);
    else if (error == 0 && now_ns >= tail->next_step_ns)
        tail_step_restless(tail);
    return error < 0 ? error : tail->new_count;
}

static int64_t earlier(int64_t a, int64_t b)
{
    return a < b ? a : b;
}

int64_t tail_due_ns(const struct tail *tail)
{
    int64_t now_ns = tail->last_look_ns, due_ns = now_ns + STEP_NS_MAX;

    if (tail->options.once)
        return STEP_NS_MAX;
    due_ns = earlier(due_ns, tail->next_scan_ns);
    if (tail->watch)
        due_ns = earlier(due_ns, tail->next_folders_ns);
    if (tail->stray_count > 0)
        due_ns = earlier(due_ns, tail->next_strays_ns);
    if (tail->restless)
        due_ns = earlier(due_ns, tail->next_step_ns);
    if (tail->pool.broken)
        due_ns = earlier(due_ns, now_ns + tail_retry_ns(tail));
    if (tail->scan_due || tail->pool.suspicious)
        due_ns = earlier(due_ns, now_ns + AGAIN_NS);
    return due_ns > now_ns ? due_ns - now_ns : 0;
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
        tail->woken_end = &tail->first_woken;
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
    free(tail->by_watch);
    free(tail->strays);
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

struct source *source_younger(const struct tail *tail, const struct source *source)
{
    const struct tracked *tracked = tracked_of(source);
    size_t next = tracked->index + 1;

    while (next < tail->source_count && tail->sources[next]->dropped)
        next++;
    if (next == tail->source_count)
        return NULL;
    struct tracked *younger = tail->sources[next];
    bool is_brother = younger->input == tracked->input && strcmp(younger->family, tracked->family) == 0;
    return is_brother ? &younger->source : NULL;
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
