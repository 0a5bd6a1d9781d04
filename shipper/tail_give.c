/* A source gets its file: one that goes on there, or a new one. */
#include "tail_newcomer.h"

#include "liblog/base/cleanup.h"

#include <stdlib.h>

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
    if (n->verdict == SOURCE_REMEMBERED) { /* an output may still want it */
        unzip_free(n->probe->unzip);
        n->probe->unzip = NULL;
    }
    file_adopt(file, take_fd(&n->probe->fd), take_pointer(n->probe->unzip));
    if (file->is_link || n->found->has_more_names)
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

static void set_position_max(struct source *source, uint64_t size)
{
    for (int lane = 0; lane < LANE_COUNT_MAX; lane++)
        if (source->position[lane] > size)
            source->position[lane] = size;
}

/* A power cut took bytes that had been read: what comes now follows those that are left. */
static void roll_back(struct tracked *tracked, struct newcomer *n)
{
    struct source *source = &tracked->source;
    uint64_t size = n->probe->facts.size;

    source->counters.lost_bytes += source->record.evidence.offset - size;
    move_to(tracked, n, size);
    set_position_max(source, size);
}

/* All that the file has was read, and what was read behind it is in no file any more: the source ends here.
 */
int give_outrun(struct tail *tail, struct newcomer *n)
{
    struct known *known = &tail->known.items[n->known];
    struct tracked *tracked = known->source ? tracked_of(known->source)
                                            : tail_track(tail, n->known, n->found->input, n->found->path);
    if (!tracked)
        return -1;
    struct source *source = &tracked->source;
    if (n->probe->unzip)
        unzip_seek(n->probe->unzip, UINT64_MAX); /* how long it is */
    uint64_t read = source->record.evidence.offset,
             end = n->probe->unzip ? unzip_offset(n->probe->unzip) : n->probe->facts.size,
             size = end < read ? end : read, least = tail_least_position(source, tail->options.lane_count);
    if (least < read)
        source->counters.lost_bytes += read - (least > size ? least : size);
    if (!n->probe->facts.compressed || read > 0)
        set_position_max(source, end);
    if (source->record.evidence.head.size > end) { /* it was known for more than is left */
        source->record.evidence.head = source->record.evidence.start = (struct source_hash){0};
        source_renew_beginning(&source->record.evidence, n->probe->facts.head.data,
                               n->probe->facts.head.size);
    }
    move_to(tracked, n, size);
    bool all_read = read > 0 && end <= read;
    n->verdict = n->probe->facts.compressed && all_read ? SOURCE_REMEMBERED : SOURCE_SAME;
    return give_file(tail, tracked, n);
}

static bool is_read_by_all(const struct tail *tail, const struct source *source)
{
    for (int lane = 0; lane == 0 || lane < tail->options.lane_count; lane++)
        if (source_unread_bytes(source, lane) > 0)
            return false;
    return true;
}

/* While the original has a name, the copy is passed over. When it was deleted, somebody may still write to
 * it, and it may have more than the copy: so it is read to its end, and only when nothing came for a while
 * the source moves to the copy. That is before it is finished, and forgotten. */
int give_original(struct tail *tail, struct newcomer *n)
{
    const struct tracked *original = tracked_of(tail->known.items[n->known].source);
    bool quiet = tail->now_ns - original->file.grown_ns >= FILE_QUIET_NS / 2;

    if (tail_has(tail, &tail->known.items[n->known])) {
        copy_remember(tail, n, n->known);
        return 0;
    }
    if (quiet && is_read_by_all(tail, &original->source))
        return give_outrun(tail, n);
    tail_scan_within(tail, FILE_QUIET_NS / 5);
    return 0;
}

/* The source is in the live file, and the file that it was met in is the copy. */
int give_swapped(struct tail *tail, struct newcomer *n)
{
    struct tracked *tracked = tracked_of(tail->known.items[n->known].source);
    const struct source_evidence *evidence = &tracked->source.record.evidence;

    copy_remember_file(tail, evidence->device, evidence->inode, evidence->size, evidence->modified_ns,
                       n->known);
    n->verdict = SOURCE_SAME;
    return give_file(tail, tracked, n);
}

static bool has_unread_rest(const struct newcomer *n, const struct source_evidence *evidence)
{
    if (n->probe->facts.compressed)
        return n->verdict != SOURCE_REMEMBERED;
    return n->probe->facts.size > evidence->offset;
}

/* The file is a source that is known: 0 or -1 (memory). */
int give_known(struct tail *tail, struct newcomer *n)
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
        const char *path = known_path(known);
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

int give_new(struct tail *tail, struct newcomer *n)
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
