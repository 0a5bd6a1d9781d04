/* A source's bytes by position, and how far it was read. */
#include "tail_source.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <sys/stat.h>

/* How far the source reaches: as far as it may be read now, in the units of its position. */
static uint64_t plain_end(const struct source *source)
{
    const struct source_file *file = source->file;
    return source->record.evidence.size < file->limit ? source->record.evidence.size : file->limit;
}

uint64_t source_unread_bytes(const struct source *source, int lane)
{
    const struct source_evidence *evidence = &source->record.evidence;
    const struct source_file *file = source->file;
    uint64_t position = source->position[lane];

    if (!file || file->lost || file->state == FILE_TRUNCATED || file->broken)
        return 0;
    if (!evidence->compressed)
        return plain_end(source) > position ? plain_end(source) - position : 0;
    return file->length != FILE_LENGTH_UNKNOWN && position >= file->length ? 0 : evidence->size;
}

void source_note_finished(struct source *source)
{
    struct source_evidence *evidence = &source->record.evidence;
    const struct source_file *file = source->file;
    bool at_end = evidence->compressed ? evidence->offset == file->length
                                       : file->state == FILE_FINISHED && evidence->offset >= evidence->size;

    if (at_end && !evidence->finished)
        evidence->finished = source->changed = true;
}

/* ---- plain files ---- */

static bool head_stands(const struct source_evidence *evidence, int fd)
{
    char head[SOURCE_HEAD_BYTES_MAX];
    struct source_hash hash;

    if (file_pread(fd, head, evidence->head.size, 0) != (ssize_t)evidence->head.size)
        return false;
    source_hash_bytes(&hash, head, evidence->head.size);
    return source_hash_equal(&hash, &evidence->head);
}

static bool marker_stands(const struct source *source, int fd)
{
    const struct source_evidence *evidence = &source->record.evidence;
    const struct source_file *file = source->file;
    char bytes[SOURCE_MARKER_BYTES_MAX];
    struct source_hash hash;
    uint32_t size = evidence->marker.size;

    if (size == 0)
        return true;
    if (file_pread(fd, bytes, size, evidence->offset - size) != (ssize_t)size)
        return false;
    if (file->recent_size == size)
        return memcmp(bytes, file->recent, size) == 0;
    source_hash_bytes(&hash, bytes, size);
    return source_hash_equal(&hash, &evidence->marker);
}

bool source_bytes_stand(const struct source *source, int fd)
{
    const struct source_evidence *evidence = &source->record.evidence;
    return evidence->offset > 0 ? marker_stands(source, fd) : head_stands(evidence, fd);
}

/* Cannot be read now: told once for each reason. */
static int set_broken(struct source *source, int errno_value, enum source_end *ret_end,
                      struct problem *ret_problem)
{
    struct source_file *file = source->file;
    struct problem problem = {0};

    problem_from_errno(&problem, errno_value, "cannot read", source->record.path);
    if (file->told != problem.error && ret_problem)
        *ret_problem = problem;
    file->broken = file->told = problem.error;
    file->pool->broken = true;
    *ret_end = SOURCE_BROKEN;
    return 0;
}

/* The path leads to another file, or the bytes changed under us: the next look finds out. There is none with
 * --once. */
static int set_suspicious(struct source *source, uint64_t offset, size_t *ret_size, enum source_end *ret_end)
{
    struct source_file *file = source->file;

    *ret_size = 0;
    file->suspicious = file->pool->suspicious = true;
    if (file->once && !file->lost) {
        file->lost = true;
        source->counters.lost_bytes += file->limit > offset ? file->limit - offset : 0;
        source->changed = true;
    }
    *ret_end = file->once ? SOURCE_FINISHED : SOURCE_WAIT;
    return 0;
}

void source_renew_head(struct source *source, int fd, uint64_t end)
{
    struct source_evidence *evidence = &source->record.evidence;
    char head[SOURCE_HEAD_BYTES_MAX];
    uint64_t want = end < sizeof(head) ? end : sizeof(head);

    if (evidence->head.size < want && file_pread(fd, head, (size_t)want, 0) == (ssize_t)want)
        source->changed |= source_renew_beginning(evidence, head, (size_t)want);
}

static int read_plain(struct source *source, uint64_t offset, void *memory, size_t size, size_t *ret_size,
                      enum source_end *ret_end, struct problem *ret_problem)
{
    struct source_file *file = source->file;
    struct source_evidence *evidence = &source->record.evidence;
    uint64_t room = offset < file->limit ? file->limit - offset : 0;
    int fd = file_fd(file);

    *ret_size = 0;
    if (fd == -ESTALE)
        return set_suspicious(source, offset, ret_size, ret_end);
    if (fd < 0)
        return set_broken(source, -fd, ret_end, ret_problem);
    size = size < room ? size : (size_t)room;
    ssize_t got = file_pread(fd, memory, size, offset);
    if (got < 0)
        return set_broken(source, (int)-got, ret_end, ret_problem);
    if (offset == 0 && unzip_knows(memory, (size_t)got))
        return set_suspicious(source, offset, ret_size, ret_end);
    /* After the read, so that what was written over between the look and now is not taken for the source's.
     */
    if (!source_bytes_stand(source, fd))
        return set_suspicious(source, offset, ret_size, ret_end);
    uint64_t end = offset + (uint64_t)got;
    source_renew_head(source, fd, end);
    file->broken = file->told = ERR_NONE;
    if (end > evidence->size)
        evidence->size = end;
    *ret_size = (size_t)got;
    if ((size_t)got == size && end < file->limit)
        *ret_end = SOURCE_MORE;
    else
        *ret_end = file->once || file->state == FILE_FINISHED ? SOURCE_FINISHED : SOURCE_WAIT;
    return 0;
}

/* ---- compressed files ---- */

/* Nothing more comes out of a file that is damaged, or cut short and left so: what is missing is counted as
 * it lies there. */
static void give_up(struct source *source, enum unzip_state state, struct problem *ret_problem)
{
    static const char *const why[] = {[UNZIP_CUT] = "ends in the middle",
                                      [UNZIP_DAMAGED] = "is damaged",
                                      [UNZIP_BOMB] = "inflates beyond all measure",
                                      [UNZIP_WINDOW] = "was compressed with a window above 8 MiB"};
    struct source_file *file = source->file;
    uint64_t size = source->record.evidence.size, used = unzip_compressed_offset(file->unzip);

    file->length = unzip_offset(file->unzip);
    if (file->broken == ERR_IO_007)
        return;
    file->broken = ERR_IO_007;
    source->counters.lost_bytes += size > used ? size - used : 0;
    source->changed = true;
    problem_set(ret_problem, ERR_IO_007, "%s %s, behind %llu bytes that could be read", source->record.path,
                why[state], (unsigned long long)file->length);
}

static int end_of_unzipped(struct source *source, enum unzip_state state, enum source_end *ret_end,
                           struct problem *ret_problem)
{
    struct source_file *file = source->file;

    switch (state) {
    case UNZIP_MORE:
        *ret_end = SOURCE_MORE;
        return 0;
    case UNZIP_END:
        file->length = unzip_offset(file->unzip);
        *ret_end = SOURCE_FINISHED;
        break;
    case UNZIP_FAILED:
        return set_broken(source, unzip_errno(file->unzip), ret_end, ret_problem);
    case UNZIP_CUT:
        /* Somebody may still be writing it. */
        if (!file->once && file->state != FILE_FINISHED) {
            *ret_end = SOURCE_WAIT;
            return 0;
        }
        /* fall through */
    case UNZIP_DAMAGED:
    case UNZIP_BOMB:
    case UNZIP_WINDOW:
        give_up(source, state, ret_problem);
        *ret_end = SOURCE_BROKEN;
        break;
    }
    source_note_finished(source);
    file_end_unzip(file);
    return 0;
}

static int read_unzipped(struct source *source, uint64_t offset, char *memory, size_t size, size_t *ret_size,
                         enum source_end *ret_end, struct problem *ret_problem)
{
    struct source_file *file = source->file;
    struct unzip *unzip;
    int error = file_unzip(file, &unzip);

    *ret_size = 0;
    if (error == -ESTALE)
        return set_suspicious(source, offset, ret_size, ret_end);
    if (error == -ENOMEM)
        return problem_set(ret_problem, ERR_INT_002, "no memory is left to read %s", source->record.path);
    if (error < 0)
        return set_broken(source, -error, ret_end, ret_problem);
    enum unzip_state state = unzip_seek(unzip, offset);
    if (state == UNZIP_MORE)
        state = unzip_read(unzip, memory, size, ret_size);
    return end_of_unzipped(source, state, ret_end, ret_problem);
}

int source_read(struct source *source, uint64_t offset, void *memory, size_t size, size_t *ret_size,
                enum source_end *ret_end, struct problem *ret_problem)
{
    struct source_file *file = source->file;

    *ret_size = 0;
    *ret_end = SOURCE_FINISHED;
    if (!file || file->lost || file->state == FILE_TRUNCATED)
        return 0;
    if (!source->record.evidence.compressed)
        return read_plain(source, offset, memory, size, ret_size, ret_end, ret_problem);
    if (file->length != FILE_LENGTH_UNKNOWN && offset >= file->length) {
        *ret_end = file->broken ? SOURCE_BROKEN : SOURCE_FINISHED;
        return 0;
    }
    return read_unzipped(source, offset, memory, size, ret_size, ret_end, ret_problem);
}

/* ---- positions ---- */

static uint32_t at_most_a_marker(uint64_t size)
{
    return size < SOURCE_MARKER_BYTES_MAX ? (uint32_t)size : SOURCE_MARKER_BYTES_MAX;
}

/* Keeps the last bytes before `offset`: the new ones, behind what is left of those from before. */
static void keep_recent(struct source_file *file, uint64_t from, uint64_t offset, struct slice recent)
{
    uint32_t size = at_most_a_marker(recent.size);
    uint32_t kept = from + recent.size == offset ? file->recent_size : 0;

    if (kept + size > SOURCE_MARKER_BYTES_MAX)
        kept = SOURCE_MARKER_BYTES_MAX - size;
    memmove(file->recent, file->recent + file->recent_size - kept, kept);
    if (size)
        memcpy(file->recent + kept, recent.data + recent.size - size, size);
    file->recent_size = kept + size;
}

/* After a restart, or when the file was closed meanwhile, what lies before the new bytes is not in memory: it
 * is taken from the file, if that still holds the new bytes where they were read. */
static void complete_recent(struct source_file *file, uint64_t offset)
{
    char bytes[SOURCE_MARKER_BYTES_MAX];
    uint32_t want = at_most_a_marker(offset), have = file->recent_size;

    if (have >= want || file->fd < 0 || file_pread(file->fd, bytes, want, offset - want) != (ssize_t)want ||
        memcmp(bytes + want - have, file->recent, have) != 0)
        return;
    memcpy(file->recent, bytes, want);
    file->recent_size = want;
}

static void renew_marker(struct source *source, uint64_t offset, struct slice recent)
{
    struct source_evidence *evidence = &source->record.evidence;
    struct source_file *file = source->file;
    uint32_t size = at_most_a_marker(recent.size);

    if (file && !file->recent)
        file->recent = malloc(SOURCE_MARKER_BYTES_MAX);
    if (!file || !file->recent) {
        source_hash_bytes(&evidence->marker, size ? recent.data + recent.size - size : "", size);
        return;
    }
    keep_recent(file, evidence->offset, offset, recent);
    if (!evidence->compressed)
        complete_recent(file, offset);
    source_hash_bytes(&evidence->marker, file->recent, file->recent_size);
}

void source_moved(struct source *source, uint64_t offset, struct slice recent)
{
    assert(recent.size <= offset);
    source->changed = true;
    renew_marker(source, offset, recent);
    source->record.evidence.offset = offset;
    if (source->file)
        source_note_finished(source);
}
