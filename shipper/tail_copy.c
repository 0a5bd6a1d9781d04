/* Copies of what is read elsewhere: made by copytruncate, by a compressor, or by moving a log to another file
 * system. What is a copy is passed over, or takes its source on when the original is gone. */
#include "tail_newcomer.h"

#include <stdlib.h>

/* Each scan meets them in the same order, so the search goes on behind the one that was found last. */
static struct copy *find_copy(struct tail *tail, const struct found_file *found)
{
    for (int i = 0, at = tail->copy_next; i < tail->copy_count; i++, at++) {
        at = at < tail->copy_count ? at : 0;
        if (tail->copies[at].inode != found->inode || tail->copies[at].device != found->device)
            continue;
        tail->copy_next = at + 1;
        return &tail->copies[at];
    }
    return NULL;
}

bool copy_is_known(struct tail *tail, const struct found_file *found)
{
    struct copy *copy = find_copy(tail, found);

    if (!copy)
        return false;
    if (copy->size == found->size && copy->modified_ns == found->modified_ns &&
        tail_has(tail, &tail->known.items[copy->known]))
        return true;
    *copy = tail->copies[--tail->copy_count];
    return false;
}

void copy_remember_file(struct tail *tail, uint64_t device, uint64_t inode, uint64_t size,
                        int64_t modified_ns, int known)
{
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
    tail->copies[tail->copy_count++] = (struct copy){
        .device = device, .inode = inode, .size = size, .modified_ns = modified_ns, .known = known};
}

void copy_remember(struct tail *tail, const struct newcomer *n, int known)
{
    const struct found_file *found = n->found;
    copy_remember_file(tail, found->device, found->inode, found->size, found->modified_ns, known);
}

static const char *name_of(const char *path)
{
    const char *slash = strrchr(path, '/');
    return slash ? slash + 1 : path;
}

static bool has_live_name(const char *path, const struct found_file *found)
{
    char live_name[FAMILY_NAME_MAX];

    generation_of(slice_of(name_of(path)), live_name);
    return strcmp(live_name, name_of(found->family)) == 0;
}

/* The same, without taking the name apart again. */
static bool is_namesake(const struct tracked *tracked, const struct found_file *found)
{
    return strcmp(name_of(tracked->family), name_of(found->family)) == 0;
}

/* How long the file is now that a source present has, if it holds the source's bytes as they were read; 0
 * when it does not. A source that was dropped is present only while its file stays as it is. */
static uint64_t whole_size(const struct known *known)
{
    struct tracked *tracked = known->source ? tracked_of(known->source) : NULL;
    const struct source_evidence *evidence = known_evidence(known);
    struct stat st;

    if (!tracked)
        return evidence->size;
    int fd = tracked->rewritten || tracked->file.lost ? -1 : file_fd(&tracked->file);
    if (fd < 0 || fstat(fd, &st) < 0 || (uint64_t)st.st_size < evidence->size ||
        !source_bytes_stand(&tracked->source, fd))
        return 0;
    return (uint64_t)st.st_size;
}

bool copy_is_another(const struct tail *tail, const struct newcomer *n)
{
    const struct known *known = &tail->known.items[n->known];
    const struct source_facts *facts = &n->probe->facts;

    if (facts->compressed || known_evidence(known)->compressed)
        return false;
    if (facts->size < SOURCE_START_BYTES)
        return !has_live_name(known_path(known), n->found);
    uint64_t size = whole_size(known);
    return size > 0 && facts->size > size;
}

int copy_plain_sibling(const struct tail *tail, const struct newcomer *n)
{
    for (int i = 0; i < n->candidate_count; i++) {
        const struct known *known = &tail->known.items[n->candidates[i]];
        if (name_is_compressed(n->found->path, known_path(known)) && tail_has(tail, known))
            return n->candidates[i];
    }
    return -1;
}

bool copy_is_being_made(const struct tail *tail, const struct newcomer *n)
{
    if (!n->probe->is_cut || n->probe->facts.head.size > 0)
        return false;
    for (int i = 0; i < tail->known.count; i++) {
        const struct known *known = &tail->known.items[i];
        if (tail_has(tail, known) && name_is_compressed(n->found->path, known_path(known)))
            return true;
    }
    return false;
}

/* Whether the file begins as the source does; by the first few bytes where it is shorter than the source's
 * head. */
static bool is_beginning_of(const struct newcomer *n, const struct source_evidence *evidence)
{
    const struct slice head = n->probe->facts.head;
    const struct source_hash *known = evidence->head.size <= head.size ? &evidence->head : &evidence->start;
    struct source_hash hash;

    if (known->size == 0 || known->size > head.size)
        return false;
    source_hash_bytes(&hash, head.data, known->size);
    return source_hash_equal(&hash, known);
}

/* It reaches the source's position, and other bytes are there. */
static bool contradicts(const struct newcomer *n, const struct source_evidence *evidence)
{
    const struct source_facts *facts = &n->probe->facts;
    struct source_hash hash;

    return evidence->marker.size > 0 &&
           facts->hash_before(facts->context, evidence->offset, evidence->marker.size, &hash) &&
           !source_hash_equal(&hash, &evidence->marker);
}

/* copytruncate's copy of a log that its marker does not tell: the log went on growing and was read on between
 * the copy and the truncation, so that the copy ends before the source's position; or nothing was read yet;
 * or the copy is shorter than the source's head. It begins as the source does, it is an older generation of
 * the same log, and the log was truncated just now. The source that it is, or -1. */
int copy_outrun_source(const struct tail *tail, const struct newcomer *n)
{
    if (n->found->generation.kind == GENERATION_LIVE || n->probe->is_cut)
        return -1;
    for (int i = 0; i < tail->rewritten_count; i++) {
        const struct known *known = &tail->known.items[tail->rewritten[i]];
        const struct source_evidence *evidence = known_evidence(known);
        if (!tail_has(tail, known) && !evidence->compressed && evidence->inode != n->found->inode &&
            has_live_name(known_path(known), n->found) && is_beginning_of(n, evidence) &&
            !contradicts(n, evidence))
            return tail->rewritten[i];
    }
    return -1;
}

/* The last bytes of the smaller file are in the other one at the same place. A few bytes may be alike by
 * chance. */
static bool ends_within(int fd, uint64_t size, int other_fd, uint64_t other_size)
{
    enum { COMPARED_BYTES = 4096 };
    char here[COMPARED_BYTES], there[COMPARED_BYTES];
    size_t compared = size < COMPARED_BYTES ? (size_t)size : COMPARED_BYTES;
    ssize_t want = (ssize_t)compared;

    return size >= SOURCE_START_BYTES && size <= other_size &&
           file_pread(fd, here, compared, size - compared) == want &&
           file_pread(other_fd, there, compared, size - compared) == want &&
           memcmp(here, there, compared) == 0;
}

/* A compressed one is compared at the end of the other file. */
static bool is_copy_of(const struct newcomer *n, int fd, uint64_t size)
{
    const struct source_facts *facts = &n->probe->facts;
    uint32_t compared = size < SOURCE_MARKER_BYTES_MAX ? (uint32_t)size : SOURCE_MARKER_BYTES_MAX;
    char bytes[SOURCE_MARKER_BYTES_MAX];
    struct source_hash packed, plain;

    if (!facts->compressed)
        return ends_within(n->probe->fd, facts->size, fd, size);
    if (compared < SOURCE_START_BYTES ||
        file_pread(fd, bytes, compared, size - compared) != (ssize_t)compared ||
        !facts->hash_before(facts->context, size, compared, &packed))
        return false;
    source_hash_bytes(&plain, bytes, compared);
    return source_hash_equal(&packed, &plain);
}

/* A copy of a file that is still at hand, told by its very bytes, whatever was read of it: copytruncate at
 * work, or a log that was moved to another file system and deleted here. The source, or -1. */
int copy_original(const struct tail *tail, const struct newcomer *n)
{
    if (n->found->generation.kind == GENERATION_LIVE)
        return -1;
    for (int i = 0; i < n->candidate_count; i++) {
        const struct known *known = &tail->known.items[n->candidates[i]];
        struct tracked *tracked = known->source ? tracked_of(known->source) : NULL;
        if (!tracked || tracked->rewritten || tracked->file.lost || tracked->file.inode == n->found->inode ||
            known_evidence(known)->compressed || !is_namesake(tracked, n->found))
            continue;
        int fd = file_fd(&tracked->file);
        if (fd >= 0 && is_copy_of(n, fd, known_evidence(known)->size))
            return n->candidates[i];
    }
    return -1;
}

/* The live file, met together with copytruncate's copy of it, which was looked at first and taken for a
 * source. The source, or -1. */
int copy_met_first(const struct tail *tail, const struct newcomer *n)
{
    if (n->found->generation.kind != GENERATION_LIVE || n->probe->facts.compressed)
        return -1;
    for (int i = 0; i < n->candidate_count; i++) {
        const struct known *known = &tail->known.items[n->candidates[i]];
        struct tracked *tracked = known->source ? tracked_of(known->source) : NULL;
        if (!tracked || !tracked->source.is_new || tracked->rewritten ||
            tracked->file.inode == n->found->inode || known_evidence(known)->offset > 0 ||
            known_evidence(known)->compressed || !is_namesake(tracked, n->found))
            continue;
        int fd = file_fd(&tracked->file);
        if (fd >= 0 && ends_within(fd, known_evidence(known)->size, n->probe->fd, n->probe->facts.size))
            return n->candidates[i];
    }
    return -1;
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
        if (tail_has(tail, &tail->known.items[n->candidates[i]]))
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
bool copy_may_be_on_its_way(const struct tail *tail, const struct newcomer *n)
{
    const struct source_facts *facts = &n->probe->facts;
    bool like_others = facts->head.size < SOURCE_HEAD_BYTES_MAX || n->candidate_count > 0;
    int64_t age_ns = tail->now_ns - facts->modified_ns;

    /* A file that was made since the look began is younger than its now. */
    if (age_ns < -FILE_QUIET_NS || age_ns >= FILE_QUIET_NS)
        return false;
    if (may_be_half_compressed(tail, n))
        return true;
    return !tail->options.once && n->found->generation.kind != GENERATION_LIVE && like_others &&
           has_brother(tail, n->found);
}
