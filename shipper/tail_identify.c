/*
 * Which source a file is that turned up. Three passes, the strongest claims first, so that a copy never takes
 * a source from its own file:
 *   1. the files whose inode a source has, and which are that source;
 *   2. all that are a source under another inode, and those that are like none;
 *   3. what is left: files cut short or written anew, now that it is known whether the old bytes went on
 * elsewhere.
 */
#include "tail_internal.h"

#include "liblog/base/cleanup.h"

#include <errno.h>

enum pass { PASS_SAME_INODE, PASS_MOVED, PASS_REST, PASS_COUNT };

/* One file on its way to a source. */
struct newcomer {
    const struct found_file *found;
    struct probe *probe;
    int *candidates; /* indexes of known sources */
    int candidate_count;
    enum source_verdict verdict;
    int known; /* which, unless the verdict is SOURCE_OTHER */
};

static bool is_present(const struct tail *tail, const struct known *known)
{
    return known->seen_at_look == tail->scan;
}

/* ---- copies ---- */

static bool is_known_copy(struct tail *tail, const struct found_file *found)
{
    for (int i = 0; i < tail->copy_count; i++) {
        struct copy *copy = &tail->copies[i];
        if (copy->inode != found->inode || copy->device != found->device)
            continue;
        if (copy->size == found->size && copy->modified_ns == found->modified_ns &&
            is_present(tail, &tail->known.items[copy->known]))
            return true;
        *copy = tail->copies[--tail->copy_count];
        return false;
    }
    return false;
}

/* Without memory for it, the file is only compared again at the next scan. */
static void remember_copy(struct tail *tail, const struct newcomer *n, int known)
{
    const struct found_file *found = n->found;

    if (tail->copy_count == tail->copy_capacity) {
        int capacity = tail->copy_capacity ? 2 * tail->copy_capacity : 16;
        void *grown = capacity > TAIL_COPIES_MAX
                          ? NULL
                          : realloc(tail->copies, (size_t)capacity * sizeof(*tail->copies));
        if (!grown)
            return;
        tail->copies = grown;
        tail->copy_capacity = capacity;
    }
    tail->copies[tail->copy_count++] = (struct copy){.device = found->device,
                                                     .inode = found->inode,
                                                     .size = found->size,
                                                     .modified_ns = found->modified_ns,
                                                     .known = known};
}

/* app.log.1.gz beside app.log.1, with the same head: gzip (or zstd) is at work, or has kept its input. Read
 * once, from the plain one. */
static int plain_sibling(const struct tail *tail, const struct newcomer *n)
{
    for (int i = 0; i < n->candidate_count; i++) {
        const struct known *known = &tail->known.items[n->candidates[i]];
        const char *other = known->source ? known->source->record.path : "";
        if (name_is_compressed(n->found->path, other) && is_present(tail, known))
            return n->candidates[i];
    }
    return -1;
}

/* The same, of which so little is written that it has no head yet. */
static bool is_being_compressed(const struct tail *tail, const struct newcomer *n)
{
    if (!n->probe->is_cut || n->probe->facts.head.size > 0)
        return false;
    for (size_t i = 0; i < tail->source_count; i++) {
        const struct tracked *tracked = tail->sources[i];
        if (tracked->seen && name_is_compressed(n->found->path, tracked->source.record.path))
            return true;
    }
    return false;
}

static bool has_brother(const struct tail *tail, const struct found_file *found)
{
    for (size_t i = 0; i < tail->source_count; i++)
        if (tail->sources[i]->seen && strcmp(tail->sources[i]->family, found->family) == 0)
            return true;
    return false;
}

static bool candidate_is_present(const struct tail *tail, const struct newcomer *n)
{
    for (int i = 0; i < n->candidate_count; i++)
        if (is_present(tail, &tail->known.items[n->candidates[i]]))
            return true;
    return false;
}

/* A compressed file that ends in the middle, or begins as a source does without reaching its marker. With
 * --once it is left only where what it copies is there to be read. */
static bool may_be_half_compressed(const struct tail *tail, const struct newcomer *n)
{
    if (!n->probe->facts.compressed || (!n->probe->is_cut && n->candidate_count == 0))
        return false;
    return !tail->options.once || candidate_is_present(tail, n);
}

/* An older generation that nobody knows and that was written a moment ago may be a copy (or a compressed one)
 * on its way: too short yet to be known by its head or its marker. It is judged when it is quiet. */
static bool may_be_on_its_way(const struct tail *tail, const struct newcomer *n)
{
    const struct source_facts *facts = &n->probe->facts;
    bool like_others = facts->head.size < SOURCE_HEAD_BYTES_MAX || n->candidate_count > 0;
    int64_t age_ns = tail->now_ns - facts->modified_ns;

    if (age_ns < 0 || age_ns >= FILE_QUIET_NS)
        return false;
    if (may_be_half_compressed(tail, n))
        return true;
    return !tail->options.once && n->found->generation.kind != GENERATION_LIVE && like_others &&
           has_brother(tail, n->found);
}

/* ---- a source gets its file ---- */

static const struct config_input *input_of(const struct tail *tail, const struct found_file *found)
{
    return &tail->options.inputs[found->input];
}

static int set_place(struct tracked *tracked, const struct found_file *found)
{
    const struct source_record *record = &tracked->source.record;
    char *family = strdup(found->family);
    bool moved = strcmp(record->path, found->path) != 0;

    if (!family || (moved && tail_set_path(tracked, found->path) < 0)) {
        free(family);
        return -1;
    }
    free(tracked->family);
    tracked->family = family;
    tracked->generation = found->generation;
    tracked->input = found->input;
    tracked->source.changed |= moved;
    return 0;
}

/* The source is in this file from now on. */
static int give_file(struct tail *tail, struct tracked *tracked, struct newcomer *n)
{
    struct source_evidence *evidence = &tracked->source.record.evidence;
    const struct source_facts *facts = &n->probe->facts;
    struct source_file *file = &tracked->file;

    if (set_place(tracked, n->found) < 0)
        return -1;
    bool same_file = evidence->inode == facts->inode && evidence->size == facts->size && !evidence->gone_ns;
    tracked->source.changed |= !same_file;
    evidence->finished =
        evidence->finished && evidence->inode == facts->inode && evidence->size == facts->size;
    evidence_refresh(evidence, facts);
    file->is_link = n->found->is_link;
    file->device = facts->device;
    file->inode = facts->inode;
    file->unlinked = file->lost = file->suspicious = false;
    file->broken = ERR_NONE;
    file->state = FILE_FOLLOWING;
    file->once = tail->options.once;
    file->limit = tail->options.once && !facts->compressed ? facts->size : UINT64_MAX;
    file->length = n->verdict == SOURCE_REMEMBERED ? evidence->offset : FILE_LENGTH_UNKNOWN;
    file->grown_ns = facts->modified_ns < tail->now_ns ? facts->modified_ns : tail->now_ns;
    file->missing = 0;
    tracked->watch_id = -1;
    if (n->verdict == SOURCE_REMEMBERED)
        file_close(file);
    else
        file_adopt(file, take_fd(&n->probe->fd), take_pointer(n->probe->unzip));
    if (file->is_link)
        tail_watch_alone(tail, tracked);
    tracked->seen = true;
    tracked->rewritten = false;
    tracked->checked_at = tail->look;
    tail->known.items[tracked->known].seen_at_look = tail->scan;
    tail->known.items[tracked->known].retired = false;
    known_reindex(&tail->known, tracked->known);
    return 0;
}

static void move_to(struct tracked *tracked, struct newcomer *n, uint64_t offset)
{
    struct source_evidence *evidence = &tracked->source.record.evidence;
    uint32_t size = offset < SOURCE_MARKER_BYTES_MAX ? (uint32_t)offset : SOURCE_MARKER_BYTES_MAX;
    struct source_hash marker = {0};

    /* A marker that cannot be read is none. */
    if (size == 0 || !n->probe->facts.hash_before(n->probe, offset, size, &marker))
        marker = (struct source_hash){0};
    evidence->offset = offset;
    evidence->marker = marker;
    tracked->file.recent_size = 0;
    tracked->source.changed = true;
}

/* A power cut took bytes that had been read: what comes now follows those that are left. */
static void roll_back(struct tracked *tracked, struct newcomer *n)
{
    struct source *source = &tracked->source;
    uint64_t size = n->probe->facts.size;

    source->counters.lost_bytes += source->record.evidence.offset - size;
    move_to(tracked, n, size);
    for (int lane = 0; lane < LANE_COUNT_MAX; lane++)
        if (source->position[lane] > size)
            source->position[lane] = size;
}

static bool has_unread_rest(const struct newcomer *n, const struct source_evidence *evidence)
{
    if (n->probe->facts.compressed)
        return n->verdict != SOURCE_REMEMBERED;
    return n->probe->facts.size > evidence->offset;
}

/* The file is a source that is known: 0 or -1 (memory). */
static int go_on(struct tail *tail, struct newcomer *n)
{
    struct known *known = &tail->known.items[n->known];
    struct tracked *tracked = known->source ? tracked_of(known->source) : NULL;

    if (!tracked && n->found->rest_only && !has_unread_rest(n, &known->evidence)) {
        known->seen_at_look = tail->scan;
        return 0;
    }
    if (!tracked)
        tracked = tail_track(tail, n->known, n->found->input, n->found->path);
    if (!tracked)
        return -1;
    if (n->verdict == SOURCE_ROLLED_BACK)
        roll_back(tracked, n);
    return give_file(tail, tracked, n);
}

static bool family_is_known(const struct tail *tail, const struct found_file *found)
{
    char live_name[FAMILY_NAME_MAX];
    const char *slash = strrchr(found->family, '/');
    size_t folder_size = slash ? (size_t)(slash + 1 - found->family) : 0;

    for (int i = 0; i < tail->known.count; i++) {
        const struct known *known = &tail->known.items[i];
        const char *path = known->source ? known->source->record.path : known->path;
        if (!path || (known->source && known->source->is_new) ||
            strncmp(path, found->family, folder_size) != 0 || strchr(path + folder_size, '/'))
            continue;
        generation_of(slice_of(path + folder_size), live_name);
        if (strcmp(live_name, found->family + folder_size) == 0)
            return true;
    }
    return false;
}

/* Only what an input holds when it is met for the first time is passed over; what comes later is read from
 * its beginning. */
static bool starts_at_end(const struct tail *tail, const struct found_file *found)
{
    return input_of(tail, found)->start_at_end && tail->scans == 0 && !family_is_known(tail, found);
}

static void pass_over(struct tracked *tracked, struct newcomer *n)
{
    struct source *source = &tracked->source;

    if (n->probe->facts.compressed) {
        source->record.evidence.finished = true;
        n->verdict = SOURCE_REMEMBERED;
        return;
    }
    move_to(tracked, n, n->probe->facts.size);
    for (int lane = 0; lane < LANE_COUNT_MAX; lane++)
        source->position[lane] = source->record.evidence.offset;
}

static int begin_source(struct tail *tail, struct newcomer *n)
{
    uint8_t uuid[UUID_SIZE];
    char id[UUID_TEXT_SIZE + 1] = "";
    struct source_evidence evidence;

    if (uuid7_now(uuid) < 0)
        return -1;
    uuid_to_text(id, uuid);
    bool at_end = starts_at_end(tail, n->found);
    evidence_begin(&evidence, &n->probe->facts);
    int known = known_add(&tail->known, id, n->found->path, &evidence);
    struct tracked *tracked = known < 0 ? NULL : tail_track(tail, known, n->found->input, n->found->path);
    if (!tracked)
        return -1;
    tracked->source.is_new = tracked->source.changed = true;
    tracked->source.last_time_ns = n->probe->facts.modified_ns;
    if (at_end)
        pass_over(tracked, n);
    tail->new_count++;
    return give_file(tail, tracked, n);
}

/* ---- the decision ---- */

static int decide(const struct tail *tail, struct newcomer *n)
{
    int count = known_candidates(&tail->known, &n->probe->facts, &n->candidates), best = -1;

    if (count < 0)
        return -1;
    n->candidate_count = count;
    _cleanup_free_ struct source_candidate *candidates = calloc((size_t)count + 1, sizeof(*candidates));
    if (!candidates)
        return -1;
    for (int i = 0; i < count; i++) {
        const struct known *known = &tail->known.items[n->candidates[i]];
        candidates[i].evidence = known_evidence(known);
        candidates[i].present = is_present(tail, known);
    }
    n->verdict = source_decide(candidates, count, &n->probe->facts, &best);
    n->known = best >= 0 ? n->candidates[best] : -1;
    return 0;
}

/* The file is like no source: 1, or -1. */
static int settle_unknown(struct tail *tail, struct newcomer *n)
{
    int sibling = plain_sibling(tail, n);

    if (sibling >= 0) {
        remember_copy(tail, n, sibling);
        return 1;
    }
    if (n->found->rest_only)
        return 1;
    if (is_being_compressed(tail, n) || may_be_on_its_way(tail, n)) {
        tail_scan_within(tail, FILE_QUIET_NS / 5);
        return 1;
    }
    return begin_source(tail, n) < 0 ? -1 : 1;
}

/* 1 when it is settled what the file is, 0 when a later pass must, -1 when memory ran out. */
static int settle(struct tail *tail, struct newcomer *n, enum pass pass)
{
    const struct known *known = n->verdict == SOURCE_OTHER ? NULL : &tail->known.items[n->known];
    bool same = n->verdict == SOURCE_SAME || n->verdict == SOURCE_REMEMBERED;

    if (pass == PASS_SAME_INODE) {
        bool own = same && known_evidence(known)->inode == n->found->inode && !is_present(tail, known);
        return own ? (go_on(tail, n) < 0 ? -1 : 1) : 0;
    }
    if (same && is_present(tail, known)) {
        remember_copy(tail, n, n->known);
        return 1;
    }
    if (same || (pass == PASS_REST && n->verdict == SOURCE_ROLLED_BACK && !is_present(tail, known)))
        return go_on(tail, n) < 0 ? -1 : 1;
    if (pass == PASS_MOVED && known)
        return 0;
    return settle_unknown(tail, n);
}

static int identify_probed(struct tail *tail, const struct found_file *found, struct probe *probe,
                           enum pass pass)
{
    struct newcomer n = {.found = found, .probe = probe};
    int result = decide(tail, &n);

    if (result == 0)
        result = settle(tail, &n, pass);
    free(n.candidates);
    return result;
}

/* Opens what was found, and nothing else. 1, or 0 when it cannot be read now (told), or when it is another
 * file already. */
static int open_found(struct tail *tail, const struct found_file *found, struct probe *probe)
{
    struct problem problem = {0};
    int fd = file_open_path(found->path, found->is_link);

    if (fd == -ENOENT || fd == -ELOOP) {
        tail_scan_within(tail, 0);
        return 0;
    }
    if (fd < 0)
        problem_from_errno(&problem, -fd, "cannot open", found->path);
    if (fd < 0 || probe_init(probe, fd, found->path, &problem) < 0) {
        tail_tell(tail, &problem, found->path);
        return 0;
    }
    if (probe->facts.inode == found->inode && probe->facts.device == found->device)
        return 1;
    probe_release(probe);
    tail_scan_within(tail, 0);
    return 0;
}

static int identify(struct tail *tail, const struct found_file *found, enum pass pass)
{
    struct probe probe;

    if (pass == PASS_SAME_INODE && known_first_by_inode(&tail->known, found->inode) < 0)
        return 0;
    if (is_known_copy(tail, found) || !open_found(tail, found, &probe))
        return 1;
    int result = identify_probed(tail, found, &probe, pass);
    probe_release(&probe);
    return result;
}

int tail_identify(struct tail *tail, const struct found_file *const *files, size_t count,
                  struct problem *ret_problem)
{
    _cleanup_free_ bool *settled = calloc(count + 1, sizeof(*settled));
    int result = settled ? 0 : -1;

    for (int pass = 0; pass < PASS_COUNT && result >= 0; pass++)
        for (size_t i = 0; i < count && result >= 0; i++)
            if (!settled[i]) {
                result = identify(tail, files[i], (enum pass)pass);
                settled[i] = result > 0;
            }
    return result < 0 ? problem_set(ret_problem, ERR_INT_002, "no memory is left for the files found") : 0;
}

bool tail_compare_again(struct tail *tail, struct tracked *tracked, enum source_verdict *ret_verdict)
{
    struct problem problem = {0};
    struct probe probe;
    int fd = file_open_path(tracked->source.record.path, tracked->file.is_link);

    if (fd < 0)
        problem_from_errno(&problem, -fd, "cannot open", tracked->source.record.path);
    if (fd < 0 || probe_init(&probe, fd, tracked->source.record.path, &problem) < 0) {
        tail_tell(tail, &problem, tracked->source.record.path);
        return false;
    }
    *ret_verdict = source_compare(&tracked->source.record.evidence, false, &probe.facts);
    probe_release(&probe);
    return true;
}
