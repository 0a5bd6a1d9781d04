#define _GNU_SOURCE /* asprintf */
/* Listing the folders: which files have come, moved and gone since the last time. */
#include "tail_internal.h"

#include "liblog/base/cleanup.h"

#include <errno.h>
#include <stdlib.h>

/* How often the folders are listed though nothing was heard. Where inotify watches them all, from 10 s on
 * ever more rarely, as long as such a scan finds nothing that had not been heard of: there are file systems
 * that take a watch and then tell nothing, which only this shows. And the more files there are, the more
 * rarely, so that looking costs a tenth of a thousandth of a core when they are watched, and a few percent
 * when not. */
#define SCAN_WATCHED_NS            INT64_C(10000000000)
#define SCAN_UNWATCHED_NS          INT64_C(1000000000)
#define SCAN_WATCHED_PER_FILE_NS   INT64_C(2000000)
#define SCAN_UNWATCHED_PER_FILE_NS INT64_C(200000)
#define DEAF_NS                    INT64_C(600000000000) /* so long news are not trusted again */
#define NEWS_COME_WITHIN_NS        INT64_C(1000000000)   /* behind the write, if they come at all */

enum { MOURNED_PER_SCAN_MAX = 1000, SCAN_WATCHED_STRETCH_MAX = 16 };

void tail_scan_within(struct tail *tail, int64_t delay_ns)
{
    if (delay_ns == 0)
        tail->scan_due = true;
    else if (tail->next_scan_ns > tail->now_ns + delay_ns)
        tail->next_scan_ns = tail->now_ns + delay_ns;
}

/* Which tracked source has this file, or NULL. */
static struct tracked *owner_of(const struct tail *tail, const struct found_file *found)
{
    const struct known_set *set = &tail->known;

    for (int i = known_first_by_inode(set, found->inode); i >= 0; i = known_next_by_inode(set, i)) {
        struct tracked *tracked = set->items[i].source ? tracked_of(set->items[i].source) : NULL;
        if (tracked && !tracked->file.lost && tracked->file.state != FILE_TRUNCATED &&
            tracked->file.inode == found->inode && tracked->file.device == found->device)
            return tracked;
    }
    return NULL;
}

/* It is compressed under the name that it has now. Without memory the old one stays. */
static void note_path(struct known *known, const char *path)
{
    char *copy = strcmp(known->path, path) != 0 ? strdup(path) : NULL;

    if (!copy)
        return;
    free(known->path);
    known->path = copy;
}

/* A file whose source was read and dropped, and which is as it was then. */
static bool is_retired(struct tail *tail, const struct found_file *found)
{
    struct known_set *set = &tail->known;

    for (int i = known_first_by_inode(set, found->inode); i >= 0; i = known_next_by_inode(set, i)) {
        struct known *known = &set->items[i];
        if (!known->retired || known->evidence.gone_ns || known->evidence.device != found->device ||
            known->evidence.size != found->size || known->evidence.modified_ns != found->modified_ns)
            continue;
        known->seen_at_look = tail->scan;
        note_path(known, found->path);
        return true;
    }
    return false;
}

static int take_place(struct tracked *tracked, const struct found_file *found)
{
    struct source_record *record = &tracked->source.record;

    tracked->seen = true;
    tracked->generation = found->generation;
    tracked->file.missing = 0;
    tracked->file.is_link = found->is_link;
    tracked->source.changed |= record->evidence.gone_ns != 0;
    record->evidence.gone_ns = 0;
    if (strcmp(record->path, found->path) == 0)
        return 0;
    char *family = strdup(found->family);
    if (!family || tail_set_path(tracked, found->path) < 0) {
        free(family);
        return -1;
    }
    tracked->source.changed = true;
    free(tracked->family);
    tracked->family = family;
    return 0;
}

/* 1 when the file must be identified, 0 when its source is at hand, -1 when memory ran out. */
static int meet(struct tail *tail, const struct found_file *found)
{
    struct tracked *tracked = owner_of(tail, found);

    if (!tracked)
        return is_retired(tail, found) ? 0 : 1;
    if (take_place(tracked, found) < 0)
        return -1;
    if (found->has_more_names)
        tail_watch_alone(tail, tracked);
    if (tracked->checked_at != tail->look || tracked->rewritten)
        tail_check_status(tail, tracked, found->size, found->modified_ns);
    if (tracked->rewritten)
        return 1;
    tail->known.items[tracked->known].seen_at_look = tail->scan;
    return 0;
}

static bool has_newer_brother(const struct found *found, size_t index)
{
    const struct found_file *file = &found->files[index], *next = file + 1;

    return index + 1 < found->count && next->input == file->input && strcmp(next->family, file->family) == 0;
}

/* A name that moves while the folders are listed may be missed. As long as any name leads to the open file,
 * its source is there, and goes on in no copy. */
static void note_present(struct tail *tail)
{
    struct stat st;

    for (size_t i = 0; i < tail->source_count; i++) {
        struct tracked *tracked = tail->sources[i];
        if (tracked->seen || tracked->file.fd < 0 || fstat(tracked->file.fd, &st) < 0)
            continue;
        tracked->file.unlinked = st.st_nlink == 0;
        if (st.st_nlink > 0)
            tail->known.items[tracked->known].seen_at_look = tail->scan;
    }
}

/* Whether there is a newer generation, for all that were found. */
static void note_generations(struct tail *tail, const struct found *found)
{
    for (size_t i = 0; i < found->count; i++) {
        struct tracked *tracked = owner_of(tail, &found->files[i]);
        if (tracked && tracked->seen)
            tracked->file.older_generation = has_newer_brother(found, i);
    }
}

/* No pattern finds it any more: renamed to somewhere else, or deleted. Without a descriptor only the name can
 * tell, and a scan may miss a name that moves: so not before the second one. */
static void miss(struct tail *tail, struct tracked *tracked)
{
    struct source_file *file = &tracked->file;
    struct stat st;

    if (file->lost || file->state == FILE_TRUNCATED)
        return;
    file->older_generation = true;
    if (file->fd >= 0) {
        if (file->missing++ == 0)
            tail_watch_alone(tail, tracked);
        if (fstat(file->fd, &st) == 0)
            file->unlinked = st.st_nlink == 0;
        tail_check_file(tail, tracked);
        if (file->is_link) /* nothing tells when there is a new file where it leads */
            tail_scan_within(tail, SCAN_UNWATCHED_NS);
        return;
    }
    if (++file->missing < 2 && !tail->options.once) {
        tail_scan_within(tail, SCAN_UNWATCHED_NS);
        return;
    }
    file->unlinked = true;
    tail_lose(tail, tracked);
}

/* Its file was truncated or written anew, and the bytes went on nowhere. */
static void settle_rewritten(struct tail *tail, struct tracked *tracked)
{
    if (!tracked->rewritten)
        return;
    tail_lose(tail, tracked);
    tracked->file.state = FILE_TRUNCATED;
    tracked->seen = tracked->rewritten = false;
}

static bool lies_in(const struct found *found, const char *path, int *ret_input)
{
    const char *slash = strrchr(path, '/');
    size_t size = slash ? (size_t)(slash - path) : 0;

    for (size_t i = 0; i < found->folder_count; i++) {
        const char *folder = found->folders[i].path;
        if (strlen(folder) == size && memcmp(folder, path, size) == 0) {
            *ret_input = found->folders[i].input;
            return true;
        }
    }
    return false;
}

static int mourn_one(struct tail *tail, int known, int input)
{
    char live_name[FAMILY_NAME_MAX];
    struct tracked *tracked = tail_track(tail, known, input, tail->known.items[known].path);

    if (!tracked)
        return -1;
    const char *path = tracked->source.record.path, *slash = strrchr(path, '/');
    int folder_size = slash ? (int)(slash + 1 - path) : 0;
    char *family;
    tracked->generation = generation_of(slice_of(path + folder_size), live_name);
    if (asprintf(&family, "%.*s%s", folder_size, path, live_name) < 0)
        return -1;
    free(tracked->family);
    tracked->family = family;
    tail_lose(tail, tracked);
    return 0;
}

static bool has_unread(const struct source_evidence *evidence)
{
    return !evidence->finished && (evidence->compressed || evidence->size > evidence->offset);
}

/* Whether this scan did not find a source that is not tailed. With --once nobody but the unread is missed. */
static bool is_missed(const struct tail *tail, const struct known *known)
{
    return !known->source && known->path && !known->elsewhere && !known->evidence.gone_ns &&
           known->seen_at_look != tail->scan && (!tail->options.once || has_unread(&known->evidence));
}

/* Two scans that met all there was did not find it; with --once there is only one. */
static bool is_missing(const struct tail *tail, const struct known *known)
{
    return tail->options.once || (tail->previous_scan > 0 && known->seen_at_look < tail->previous_scan);
}

/* Sources from before whose file should be found but is not: that is kept in mind, and what was unread of
 * them is counted, once. Each goes through the database, so a few at a time. */
static int mourn(struct tail *tail, const struct found *found)
{
    int mourned = 0;
    for (int i = 0; i < tail->known.count && mourned < MOURNED_PER_SCAN_MAX; i++) {
        struct known *known = &tail->known.items[i];
        const char *name = known->path ? strrchr(known->path, '/') : NULL;
        int input = 0;
        if (!is_missed(tail, known))
            continue;
        if (!is_missing(tail, known)) {
            tail_scan_within(tail, SCAN_UNWATCHED_NS); /* to be sure */
            continue;
        }
        known->elsewhere = !lies_in(found, known->path, &input) ||
                           !discover_wants(&tail->options.inputs[input], 1, name ? name + 1 : known->path);
        if (known->elsewhere)
            continue;
        if (mourn_one(tail, i, input) < 0)
            return -1;
        mourned++;
    }
    if (mourned == MOURNED_PER_SCAN_MAX)
        tail_scan_within(tail, SCAN_UNWATCHED_NS);
    return 0;
}

/* Nothing is lost by it: only later, and at the cost of listing the folders again and again. */
static void tell_unwatched(struct tail *tail)
{
    struct problem problem = {0};

    problem_set(&problem, ERR_IO_009, "%s; changes are found by listing the folders each second",
                tail->watch ? "no inotify watches are left for this user" : "inotify is not to be had");
    if (tail->on_problem)
        tail->on_problem(tail->on_problem_context, &problem);
}

static void watch_folders(struct tail *tail, const struct found *found)
{
    bool had = !tail->watches_lack;

    tail->watches_lack = !tail->watch;
    tail->folders_lack = false;
    for (size_t i = 0; i < found->folder_count; i++) {
        int result = watch_folder(tail->watch, found->folders[i].path);
        tail->scan_due |= result > 0; /* what came between the listing and now was not heard */
        tail->watches_lack |= result == -ENOSPC;
        tail->folders_lack |= result == -ENOENT || result == -ENOTDIR;
    }
    watch_forget_others(tail->watch);
    if (had && tail->watches_lack)
        tell_unwatched(tail);
    tail->next_folders_ns = tail->now_ns + (tail->folders_lack ? SCAN_UNWATCHED_NS : SCAN_WATCHED_NS) +
                            SCAN_UNWATCHED_PER_FILE_NS * (int64_t)found->folder_count;
}

/* The scan tells it. */
static void keep_quiet(void *context, const struct problem *problem, const char *path)
{
    (void)context, (void)problem, (void)path;
}

int tail_look_for_folders(struct tail *tail, struct problem *ret_problem)
{
    _cleanup_(discover_release) struct found found = {0};
    struct discover_options options = {
        .inputs = tail->options.inputs,
        .input_count = tail->options.input_count,
        .on_problem = keep_quiet,
    };
    int error = discover_folders(&options, ret_problem, &found);

    if (error == 0)
        watch_folders(tail, &found);
    return error;
}

/* ---- whether news can be relied on ---- */

static bool is_trusted(const struct tail *tail)
{
    return watch_is_complete(tail->watch) && tail->own_time_ns >= tail->trusted_from_ns;
}

static void tell_deaf(struct tail *tail, const char *path)
{
    struct problem problem = {0};

    problem_set(&problem, ERR_IO_009,
                "%s was written, and the file system told nothing of it; the folders are listed each second",
                path);
    if (!tail->deaf_told && tail->on_problem)
        tail->on_problem(tail->on_problem_context, &problem);
    tail->deaf_told = true;
}

/* What the last scan found without having been asked to, and of which nothing was heard since, would have
 * been found late. */
static void judge_news(struct tail *tail)
{
    if (tail->own_time_ns - tail->unasked_ns < NEWS_COME_WITHIN_NS)
        return;
    for (size_t i = 0; i < tail->source_count; i++) {
        struct tracked *tracked = tail->sources[i];
        if (tracked->untold && is_trusted(tail))
            tell_deaf(tail, tracked->source.record.path);
        if (tracked->untold)
            tail->trusted_from_ns = tail->own_time_ns + DEAF_NS;
        tracked->untold = false;
    }
}

static void begin_scan(struct tail *tail)
{
    judge_news(tail);
    tail_free_dropped(tail);
    tail->scan_unasked = !tail->scan_due && watch_is_complete(tail->watch);
    if (tail->scan_unasked)
        tail->unasked_ns = tail->own_time_ns;
    tail->scan = tail->look;
    tail->scan_due = false;
    tail->unreadable = 0;
    tail->first_unreadable = ERR_NONE;
    tail->next_scan_ns = INT64_MAX;
    for (size_t i = 0; i < tail->source_count; i++) {
        struct source_file *file = &tail->sources[i]->file;
        known_reindex(&tail->known, tail->sources[i]->known);
        tail->sources[i]->seen = false;
        if (file->broken != ERR_IO_007) /* what failed is tried again; what is damaged stays so */
            file->broken = ERR_NONE;
    }
}

static int meet_all(struct tail *tail, const struct found *found, const struct found_file **ret_new,
                    size_t *ret_count)
{
    size_t count = 0;

    tail->matched = 0;
    for (size_t i = 0; i < found->count; i++) {
        int result = meet(tail, &found->files[i]);
        if (result < 0)
            return -1;
        if (result > 0)
            ret_new[count++] = &found->files[i];
        tail->matched += !found->files[i].rest_only;
    }
    *ret_count = count;
    return 0;
}

/* What was not found again, after the newcomers have taken what is theirs. */
static int settle_missing(struct tail *tail, const struct found *found)
{
    for (size_t i = 0; i < tail->source_count; i++) {
        if (!tail->sources[i]->seen && !found->incomplete)
            miss(tail, tail->sources[i]);
        settle_rewritten(tail, tail->sources[i]);
    }
    int result = found->incomplete ? 0 : mourn(tail, found);
    tail->previous_scan = found->incomplete ? 0 : tail->scan;
    return result;
}

static int take_in(struct tail *tail, const struct found *found, struct problem *ret_problem)
{
    _cleanup_free_ const struct found_file **newcomers = calloc(found->count + 1, sizeof(*newcomers));
    size_t count;

    if (!newcomers || meet_all(tail, found, newcomers, &count) < 0)
        return problem_set(ret_problem, ERR_INT_002, "no memory is left for the files found");
    note_present(tail);
    int error = tail_identify(tail, newcomers, count, ret_problem);
    if (error < 0)
        return error;
    if (settle_missing(tail, found) < 0)
        return problem_set(ret_problem, ERR_INT_002, "no memory is left for the files found");
    note_generations(tail, found);
    return 0;
}

int64_t tail_retry_ns(const struct tail *tail)
{
    int64_t count = (int64_t)tail->source_count;

    return is_trusted(tail) ? SCAN_WATCHED_NS + SCAN_WATCHED_PER_FILE_NS * count
                            : SCAN_UNWATCHED_NS + SCAN_UNWATCHED_PER_FILE_NS * count;
}

/* Each is as long as all the time before, up to a limit. */
static int64_t scan_interval_ns(const struct tail *tail)
{
    int64_t least_ns = tail_retry_ns(tail), trusted_ns = tail->own_time_ns - tail->trusted_from_ns;

    if (!is_trusted(tail) || tail->unreadable > 0 || tail->links_lack || trusted_ns < least_ns)
        return least_ns;
    return trusted_ns < SCAN_WATCHED_STRETCH_MAX * least_ns ? trusted_ns
                                                            : SCAN_WATCHED_STRETCH_MAX * least_ns;
}

static void tell_found(void *context, const struct problem *problem, const char *path)
{
    tail_tell(context, problem, path);
}

/* The store does the same to its table. */
static void forget_gone(struct tail *tail)
{
    int max = tail->options.gone_kept_max ? tail->options.gone_kept_max : SOURCE_GONE_KEPT_MAX;
    int forgotten = known_forget_gone(&tail->known, tail->now_ns - SOURCE_GONE_KEPT_NS, max);

    if (forgotten > 0) /* what may be a copy of one of them is to be compared anew */
        tail->copy_count = 0;
}

int tail_scan(struct tail *tail, struct problem *ret_problem)
{
    _cleanup_(discover_release) struct found found = {0};
    struct discover_options options = {
        .inputs = tail->options.inputs,
        .input_count = tail->options.input_count,
        .own_files = tail->options.own_files,
        .own_file_count = tail->options.own_file_count,
        .on_problem = tell_found,
        .context = tail,
    };

    begin_scan(tail);
    forget_gone(tail);
    int error = discover(&options, ret_problem, &found);
    if (error == 0)
        error = take_in(tail, &found, ret_problem);
    tail_sort(tail);
    tail->scan_unasked = false;
    tail->next_strays_ns = tail->now_ns;
    tail->links_lack = found.dangles;
    if (error < 0)
        return error;
    if (!tail->options.once)
        watch_folders(tail, &found);
    tail_forget_told(tail);
    if (tail->scans++ == 0 && tail->known.count > 0)
        tail_scan_within(tail, SCAN_UNWATCHED_NS); /* to be sure of what seems to be gone */
    tail_scan_within(tail, scan_interval_ns(tail));
    return 0;
}
