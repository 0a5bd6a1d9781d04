/* What the file system says of one file, and what becomes of it: the quick look, without listing a folder. */
#include "tail_internal.h"

#include <sys/stat.h>

/* The quick check that a file which changed still holds what was read: its marker, or its head while nothing
 * was read. */
/* A file that was empty when it was found may turn out to be a compressed one on its way. */
static bool turned_compressed(struct tracked *tracked)
{
    char head[UNZIP_HEAD_BYTES];
    int fd = file_fd(&tracked->file);
    ssize_t got = fd < 0 ? 0 : file_pread(fd, head, sizeof(head), 0);
    return got > 0 && unzip_knows(head, (size_t)got);
}

static bool still_holds(struct tracked *tracked, uint64_t size)
{
    struct source_evidence *evidence = &tracked->source.record.evidence;

    if (size < evidence->offset || size < evidence->head.size)
        return false;
    if (evidence->offset == 0 && evidence->head.size == 0)
        return !turned_compressed(tracked);
    int fd = file_fd(&tracked->file);
    if (fd < 0)
        return false;
    return source_bytes_stand(&tracked->source, fd);
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

/* What cannot be read now is read with the next bytes. */
static void renew_head(struct tracked *tracked, uint64_t size)
{
    int fd = file_fd(&tracked->file);

    if (fd >= 0)
        source_renew_head(&tracked->source, fd, size);
}

static void note_cut(struct source *source, uint64_t bytes)
{
    source->counters.lost_bytes += bytes;
    source->changed = true;
}

void tail_check_status(struct tail *tail, struct tracked *tracked, uint64_t size, int64_t modified_ns)
{
    struct source *source = &tracked->source;
    struct source_evidence *evidence = &source->record.evidence;
    struct source_file *file = &tracked->file;
    bool written = modified_ns != evidence->modified_ns, resized = size != evidence->size;

    tracked->checked_at = tail->look;
    if (!written && !resized && !file->suspicious)
        return;
    file->suspicious = false;
    tail_wake(tail, tracked);
    tracked->untold |= tail->scan_unasked;
    tracked->rewritten = is_rewritten(tail, tracked, size);
    if (tracked->rewritten || file->suspicious) /* what these bytes are is not known (yet) */
        return;
    if (written)
        file->grown_ns = tail->now_ns;
    if (resized && evidence->compressed)
        reopen_end(tracked, size < evidence->size);
    if (!evidence->compressed && size > evidence->offset)
        evidence->finished = false;
    if (!evidence->compressed && evidence->head.size < SOURCE_HEAD_BYTES_MAX)
        renew_head(tracked, size);
    if (!evidence->compressed && size < evidence->size) /* cut off behind what was read */
        note_cut(source, evidence->size - size);
    evidence->size = size;
    evidence->modified_ns = modified_ns;
}

static void step_at(struct tail *tail, struct tracked *tracked, int64_t when_ns)
{
    if (tail->next_step_ns > when_ns)
        tail->next_step_ns = when_ns;
    if (tracked->restless)
        return;
    tracked->restless = true;
    tracked->next_restless = tail->restless;
    tail->restless = tracked;
}

void tail_check_file(struct tail *tail, struct tracked *tracked)
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
    step_at(tail, tracked, INT64_MIN);
    tail_check_status(tail, tracked, (uint64_t)st.st_size,
                      st.st_mtim.tv_sec * INT64_C(1000000000) + st.st_mtim.tv_nsec);
    if (tracked->rewritten)
        tail_scan_within(tail, 0);
}

/* ---- states ---- */

/* No name leads to its file any more. */
static void note_gone(struct tail *tail, struct tracked *tracked)
{
    struct source_evidence *evidence = &tracked->source.record.evidence;

    if (!tracked->file.unlinked || evidence->gone_ns)
        return;
    evidence->gone_ns = tail->now_ns;
    tracked->source.changed = true;
}

static void step(struct tail *tail, struct tracked *tracked)
{
    struct source_file *file = &tracked->file;
    if (file->grown_ns > tail->now_ns) /* the clock was set back */
        file->grown_ns = tail->now_ns;
    struct file_sight sight = {
        .rewritten = tracked->rewritten,
        .unlinked = file->unlinked,
        .older = file->older_generation || tracked->source.record.evidence.compressed,
        .quiet = tail->options.once || tail->now_ns - file->grown_ns >= FILE_QUIET_NS,
    };
    enum file_state before = file->state;
    bool was_changed = tracked->source.changed;

    file->state = file_step(file->state, &sight);
    note_gone(tail, tracked);
    if (file->state == FILE_RENAMED || file->state == FILE_GONE)
        step_at(tail, tracked, file->grown_ns + FILE_QUIET_NS);
    if (!file->lost)
        source_note_finished(&tracked->source);
    if (file->state != before || tracked->source.changed != was_changed)
        tail_wake(tail, tracked);
}

void tail_step_all(struct tail *tail)
{
    tail->next_step_ns = INT64_MAX;
    for (size_t i = 0; i < tail->source_count; i++)
        step(tail, tail->sources[i]);
}

void tail_step_restless(struct tail *tail)
{
    struct tracked *tracked = tail->restless, *next;

    tail->restless = NULL;
    tail->next_step_ns = INT64_MAX;
    for (; tracked; tracked = next) {
        next = tracked->next_restless;
        tracked->restless = false;
        step(tail, tracked);
    }
}
