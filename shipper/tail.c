#define _GNU_SOURCE /* asprintf */
/* Looking at the files: what is news, which sources have changed, and in which order they are read. */
#include "tail_internal.h"

#include "liblog/base/cleanup.h"

#include <errno.h>
#include <limits.h>

/* How often the folders are listed though nothing was heard: rarely when inotify watches them all; and the
 * more files there are, the more rarely, so that looking costs a few percent of a core at most. */
#define SCAN_WATCHED_NS   INT64_C(10000000000)
#define SCAN_UNWATCHED_NS INT64_C(1000000000)
#define SCAN_PER_FILE_NS  INT64_C(200000)

/* ---- problems ---- */

static struct told *find_told(struct tail *tail, const char *path)
{
    for (int i = 0; i < tail->told_count; i++)
        if (strcmp(tail->told[i].path, path) == 0)
            return &tail->told[i];
    return NULL;
}

static struct told *add_told(struct tail *tail, const char *path)
{
    char *copy = tail->told_count < TAIL_TOLD_MAX ? strdup(path) : NULL;

    if (!copy)
        return NULL;
    tail->told[tail->told_count] = (struct told){.path = copy};
    return &tail->told[tail->told_count++];
}

void tail_tell(struct tail *tail, const struct problem *problem, const char *path)
{
    struct told *told = find_told(tail, path);

    tail->unreadable++;
    if (tail->first_unreadable == ERR_NONE)
        tail->first_unreadable = problem->error;
    if (!told)
        told = add_told(tail, path);
    if (!told)
        return;
    told->look = tail->look;
    if (told->error != problem->error && tail->on_problem)
        tail->on_problem(tail->on_problem_context, problem);
    told->error = problem->error;
}

/* What this scan did not meet again is over: should it come back, it is told again. */
static void forget_told(struct tail *tail)
{
    for (int i = 0; i < tail->told_count;) {
        if (tail->told[i].look == tail->look) {
            i++;
            continue;
        }
        free(tail->told[i].path);
        tail->told[i] = tail->told[--tail->told_count];
    }
}

static void tell_found(void *context, const struct problem *problem, const char *path)
{
    tail_tell(context, problem, path);
}

/* ---- the list ---- */

void tail_scan_within(struct tail *tail, int64_t delay_ns)
{
    if (delay_ns == 0)
        tail->scan_due = true;
    else if (tail->next_scan_ns > tail->now_ns + delay_ns)
        tail->next_scan_ns = tail->now_ns + delay_ns;
}

static int grow_sources(struct tail *tail)
{
    size_t capacity = tail->source_capacity ? 2 * tail->source_capacity : 64;
    void *sources = realloc(tail->sources, capacity * sizeof(*tail->sources));

    if (sources)
        tail->sources = sources;
    void *by_path = realloc(tail->by_path, capacity * sizeof(*tail->by_path));
    if (by_path)
        tail->by_path = by_path;
    if (!sources || !by_path)
        return -1;
    tail->source_capacity = capacity;
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
    snprintf(source->record.path, sizeof(source->record.path), "%s", known->path ? known->path : path);
    source->record.evidence = known->evidence;
    source->position[LANE_STATS] = known->evidence.offset;
    source->last_time_ns = known->evidence.modified_ns;
    source->input = &tail->options.inputs[input];
    source->file = &tracked->file;
    file_init(&tracked->file, &tail->pool, source->record.path);
    tracked->family = strdup(source->record.path);
    if (!tracked->family) {
        free(tracked);
        return NULL;
    }
    tracked->known = known_index;
    tracked->input = input;
    tracked->sequence = tail->next_sequence++;
    known->source = source;
    free(take_pointer(known->path));
    tail->sources[tail->source_count++] = tracked;
    return tracked;
}

static void untrack(struct tracked *tracked)
{
    file_close(&tracked->file);
    free(tracked->family);
    free(tracked);
}

void tail_lose(struct tracked *tracked)
{
    struct source *source = &tracked->source;
    struct source_evidence *evidence = &source->record.evidence;
    uint64_t end = evidence->size < tracked->file.limit ? evidence->size : tracked->file.limit;

    if (tracked->file.lost)
        return;
    if (!evidence->finished && evidence->compressed)
        source->counters.lost_bytes += evidence->size;
    else if (!evidence->compressed && end > evidence->offset)
        source->counters.lost_bytes += end - evidence->offset;
    tracked->file.lost = true;
    evidence->finished = source->changed = true;
    file_close(&tracked->file);
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

static void sort_sources(struct tail *tail)
{
    if (tail->source_count == 0)
        return;
    qsort(tail->sources, tail->source_count, sizeof(*tail->sources), compare_order);
    tail->strays = false;
    for (size_t i = 0; i < tail->source_count; i++) {
        tail->sources[i]->index = i;
        tail->strays |= !tail->sources[i]->seen && !tail->sources[i]->file.lost;
    }
    memcpy(tail->by_path, tail->sources, tail->source_count * sizeof(*tail->sources));
    qsort(tail->by_path, tail->source_count, sizeof(*tail->by_path), compare_path);
}

/* ---- what the file system says of one file ---- */

/* The quick check that a file which changed still holds what was read: its marker, or its head while nothing
 * was read. */
/* A file that was empty when it was found may turn out to be a compressed one on its way. */
static bool turned_compressed(struct tracked *tracked)
{
    char head[4];
    int fd = file_fd(&tracked->file);
    ssize_t got = fd < 0 ? 0 : file_pread(fd, head, sizeof(head), 0);
    return got > 0 && unzip_knows(head, (size_t)got);
}

static bool still_holds(struct tracked *tracked, uint64_t size)
{
    struct source_evidence *evidence = &tracked->source.record.evidence;
    char head[SOURCE_HEAD_BYTES_MAX];
    struct source_hash hash;

    if (size < evidence->offset || size < evidence->head.size)
        return false;
    if (evidence->offset == 0 && evidence->head.size == 0)
        return !turned_compressed(tracked);
    int fd = file_fd(&tracked->file);
    if (fd < 0)
        return false;
    if (evidence->offset > 0)
        return source_marker_stands(&tracked->source, fd);
    if (file_pread(fd, head, evidence->head.size, 0) != (ssize_t)evidence->head.size)
        return false;
    source_hash_bytes(&hash, head, evidence->head.size);
    return source_hash_equal(&hash, &evidence->head);
}

/* Whether the file holds other bytes than its source, or fewer than were read. What cannot be read now is
 * asked again. */
static bool is_rewritten(struct tail *tail, struct tracked *tracked, uint64_t size)
{
    struct source_evidence *evidence = &tracked->source.record.evidence;
    enum source_verdict verdict;

    if (evidence->compressed ? size >= evidence->size : still_holds(tracked, size))
        return false;
    if (!tail_compare_again(tail, tracked, &verdict)) {
        tracked->file.suspicious = true;
        return false;
    }
    return verdict != SOURCE_SAME && verdict != SOURCE_REMEMBERED;
}

/* A compressed file that was changed has another end. */
static void reopen_end(struct tracked *tracked, bool shrunk)
{
    tracked->source.record.evidence.finished = false;
    tracked->file.length = FILE_LENGTH_UNKNOWN;
    tracked->file.broken = ERR_NONE;
    if (shrunk)
        file_close(&tracked->file);
}

/* Takes in size and time. Sets `rewritten` when they show that the file is another now. */
static void check_status(struct tail *tail, struct tracked *tracked, uint64_t size, int64_t modified_ns)
{
    struct source *source = &tracked->source;
    struct source_evidence *evidence = &source->record.evidence;
    struct source_file *file = &tracked->file;
    bool written = modified_ns != evidence->modified_ns, resized = size != evidence->size;

    tracked->checked_at = tail->look;
    if (!written && !resized && !file->suspicious)
        return;
    file->suspicious = false;
    tracked->rewritten = is_rewritten(tail, tracked, size);
    if (tracked->rewritten)
        return;
    if (written)
        file->grown_ns = tail->now_ns;
    if (resized && evidence->compressed)
        reopen_end(tracked, size < evidence->size);
    if (!evidence->compressed && size > evidence->offset)
        evidence->finished = false;
    if (!evidence->compressed && size < evidence->size) /* cut off behind what was read */
        source->counters.lost_bytes += evidence->size - size;
    evidence->size = size;
    evidence->modified_ns = modified_ns;
}

/* By descriptor or path, without a scan. */
static void check_file(struct tail *tail, struct tracked *tracked)
{
    struct source_file *file = &tracked->file;
    struct stat st;

    if (tracked->checked_at == tail->look || file->lost || file->state == FILE_TRUNCATED)
        return;
    int result = file->fd >= 0 ? fstat(file->fd, &st) : stat(tracked->source.record.path, &st);
    if (result < 0 || st.st_ino != file->inode || st.st_dev != file->device) {
        tail_scan_within(tail, 0);
        return;
    }
    file->unlinked = st.st_nlink == 0;
    check_status(tail, tracked, (uint64_t)st.st_size,
                 st.st_mtim.tv_sec * INT64_C(1000000000) + st.st_mtim.tv_nsec);
    if (tracked->rewritten)
        tail_scan_within(tail, 0);
}

/* ---- states ---- */

static void step_source(struct tail *tail, struct tracked *tracked)
{
    struct source_file *file = &tracked->file;
    int64_t quiet_ns = tail->now_ns - file->grown_ns;
    struct file_sight sight = {
        .rewritten = tracked->rewritten,
        .unlinked = file->unlinked,
        .older = file->older_generation || tracked->source.record.evidence.compressed,
        .quiet = tail->options.once || quiet_ns >= FILE_QUIET_NS,
    };

    file->state = file_step(file->state, &sight);
    tail->restless |= file->state == FILE_RENAMED || file->state == FILE_GONE;
    if (!file->lost)
        source_note_finished(&tracked->source);
}

static void step_all(struct tail *tail)
{
    tail->restless = false;
    for (size_t i = 0; i < tail->source_count; i++)
        step_source(tail, tail->sources[i]);
}

/* ---- the scan ---- */

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

/* A file whose source was read and dropped, and which is as it was then. */
static bool is_retired(struct tail *tail, const struct found_file *found)
{
    struct known_set *set = &tail->known;

    for (int i = known_first_by_inode(set, found->inode); i >= 0; i = known_next_by_inode(set, i)) {
        struct known *known = &set->items[i];
        if (!known->retired || known->evidence.device != found->device ||
            known->evidence.size != found->size || known->evidence.modified_ns != found->modified_ns)
            continue;
        known->seen_at_look = tail->scan;
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
    if (strcmp(record->path, found->path) == 0)
        return 0;
    snprintf(record->path, sizeof(record->path), "%s", found->path);
    tracked->source.changed = true;
    char *family = strdup(found->family);
    if (!family)
        return -1;
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
    if (tracked->checked_at != tail->look || tracked->rewritten)
        check_status(tail, tracked, found->size, found->modified_ns);
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
        const struct tracked *tracked = tail->sources[i];
        if (!tracked->seen && tracked->file.fd >= 0 && fstat(tracked->file.fd, &st) == 0 && st.st_nlink > 0)
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
            watch_file(tail->watch, file->fd);
        if (fstat(file->fd, &st) == 0)
            file->unlinked = st.st_nlink == 0;
        check_file(tail, tracked);
        return;
    }
    if (++file->missing < 2 && !tail->options.once) {
        tail_scan_within(tail, SCAN_UNWATCHED_NS);
        return;
    }
    file->unlinked = true;
    tail_lose(tracked);
}

/* Its file was truncated or written anew, and the bytes went on nowhere. */
static void settle_rewritten(struct tracked *tracked)
{
    if (!tracked->rewritten)
        return;
    tail_lose(tracked);
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
    tail_lose(tracked);
    return 0;
}

/* Sources from before that had unread bytes, and whose file should be found but is not: counted once, then
 * finished. */
static int mourn(struct tail *tail, const struct found *found)
{
    for (int i = 0; i < tail->known.count; i++) {
        struct known *known = &tail->known.items[i];
        const char *name = known->path ? strrchr(known->path, '/') : NULL;
        int input;
        bool unread = !known->evidence.finished &&
                      (known->evidence.compressed || known->evidence.size > known->evidence.offset);
        if (known->source || known->seen_at_look == tail->scan || !unread ||
            !lies_in(found, known->path, &input))
            continue;
        if (discover_wants(&tail->options.inputs[input], 1, name ? name + 1 : known->path) &&
            mourn_one(tail, i, input) < 0)
            return -1;
    }
    return 0;
}

static void watch_folders(struct tail *tail, const struct found *found)
{
    for (size_t i = 0; i < found->folder_count; i++)
        if (watch_folder(tail->watch, found->folders[i].path) > 0)
            tail->scan_due = true; /* what came between the listing and now was not heard */
}

static void free_dropped(struct tail *tail)
{
    size_t kept = 0;

    for (size_t i = 0; i < tail->source_count; i++) {
        if (tail->sources[i]->dropped)
            untrack(tail->sources[i]);
        else
            tail->sources[kept++] = tail->sources[i];
    }
    tail->source_count = kept;
}

static void begin_scan(struct tail *tail)
{
    free_dropped(tail);
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
        settle_rewritten(tail->sources[i]);
    }
    bool time_to_mourn = tail->scans == (tail->options.once ? 0 : 1);
    return time_to_mourn && !found->incomplete ? mourn(tail, found) : 0;
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

static int64_t scan_interval_ns(const struct tail *tail)
{
    int64_t interval = watch_is_complete(tail->watch) ? SCAN_WATCHED_NS : SCAN_UNWATCHED_NS;
    return interval + SCAN_PER_FILE_NS * (int64_t)tail->source_count;
}

static int scan(struct tail *tail, struct problem *ret_problem)
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
    int error = discover(&options, ret_problem, &found);
    if (error == 0)
        error = take_in(tail, &found, ret_problem);
    sort_sources(tail);
    if (error < 0)
        return error;
    if (!tail->options.once)
        watch_folders(tail, &found);
    forget_told(tail);
    if (tail->scans++ == 0 && tail->known.count > 0)
        tail_scan_within(tail, SCAN_UNWATCHED_NS); /* to be sure of what seems to be gone */
    tail_scan_within(tail, scan_interval_ns(tail));
    return 0;
}

/* ---- news ---- */

static struct tracked *find_by_path(const struct tail *tail, const char *path)
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

static void take_news(void *context, const struct watch_event *event)
{
    struct tail *tail = context;
    char path[SOURCE_PATH_MAX];

    if (event->kind == WATCH_OVERFLOW || (event->kind == WATCH_NAMES && !event->name)) {
        tail->scan_due = true;
        return;
    }
    if (!event->name) /* a file without its name was written: those are checked at every look */
        return;
    if (event->kind == WATCH_NAMES) {
        tail->scan_due |= discover_wants(tail->options.inputs, tail->options.input_count, event->name);
        return;
    }
    size_t folder_size = strlen(event->folder);
    bool slash = folder_size > 0 && event->folder[folder_size - 1] != '/';
    snprintf(path, sizeof(path), "%s%s%s", event->folder, slash ? "/" : "", event->name);
    struct tracked *tracked = find_by_path(tail, path);
    if (tracked)
        check_file(tail, tracked);
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
            check_file(tail, tail->sources[i]);
}

int tail_look(struct tail *tail, int64_t now_ns,
              void (*on_problem)(void *context, const struct problem *problem), void *context)
{
    int error = 0;

    /* A clock that was set back must not put off the next scan. */
    tail->scan_due |= now_ns < tail->last_look_ns;
    tail->last_look_ns = tail->now_ns = now_ns;
    tail->on_problem = on_problem;
    tail->on_problem_context = context;
    tail->look++;
    tail->new_count = 0;
    int news = watch_take(tail->watch, take_news, tail);
    check_strays(tail);
    bool scans = tail->scan_due || now_ns >= tail->next_scan_ns;
    if (scans)
        error = scan(tail, NULL);
    if (error < 0) {
        tail->scan_due = true;
        return error;
    }
    if (scans || news > 0 || tail->restless)
        step_all(tail);
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
        untrack(tail->sources[i]);
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

bool source_is_blocked(const struct tail *tail, const struct source *source, int lane)
{
    const struct tracked *tracked = tracked_of(source);

    for (size_t i = tracked->index; i-- > 0;) {
        const struct tracked *older = tail->sources[i];
        if (older->input != tracked->input || strcmp(older->family, tracked->family) != 0)
            return false;
        if (source_unread_bytes(&older->source, lane) > 0)
            return true;
    }
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
