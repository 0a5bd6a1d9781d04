#define _GNU_SOURCE /* statx */
#include "tail_file.h"

#include "liblog/base/cleanup.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>

enum {
    POOL_OPEN_MIN = 4,
    POOL_OPEN_MAX = 1024,
    OTHERS_OPEN = 20, /* what shipper has open besides: database, lock, sockets, the file being looked at */
};

enum file_state file_step(enum file_state state, const struct file_sight *sight)
{
    if (state == FILE_TRUNCATED || sight->rewritten)
        return FILE_TRUNCATED;
    if (!sight->unlinked && !sight->older)
        return FILE_FOLLOWING;
    if (sight->quiet)
        return FILE_FINISHED;
    return sight->unlinked ? FILE_GONE : FILE_RENAMED;
}

/* ---- descriptors ---- */

int file_pool_default_max(void)
{
    struct rlimit limit;

    if (getrlimit(RLIMIT_NOFILE, &limit) < 0 || limit.rlim_cur == RLIM_INFINITY)
        return POOL_OPEN_MAX;
    rlim_t half = limit.rlim_cur / 2;
    if (half < OTHERS_OPEN)
        half = limit.rlim_cur > OTHERS_OPEN ? limit.rlim_cur - OTHERS_OPEN : 0;
    return half < POOL_OPEN_MIN ? POOL_OPEN_MIN : half > POOL_OPEN_MAX ? POOL_OPEN_MAX : (int)half;
}

void file_init(struct source_file *file, struct file_pool *pool)
{
    *file = (struct source_file){.pool = pool, .fd = -1, .limit = UINT64_MAX, .length = FILE_LENGTH_UNKNOWN};
}

static void ring_remove(struct source_file *file)
{
    struct file_pool *pool = file->pool;

    file->newer->older = file->older;
    file->older->newer = file->newer;
    if (pool->newest == file)
        pool->newest = file->older == file ? NULL : file->older;
    file->newer = file->older = NULL;
    pool->open_count--;
}

/* The ring's `newest->newer` is the oldest. */
static void ring_insert(struct source_file *file)
{
    struct file_pool *pool = file->pool;
    struct source_file *newest = pool->newest;

    file->older = newest ? newest : file;
    file->newer = newest ? newest->newer : file;
    file->older->newer = file;
    file->newer->older = file;
    pool->newest = file;
    pool->open_count++;
}

/* ---- streams ---- */

void file_end_unzip(struct source_file *file)
{
    struct source_file **list = file->pool->unzipping;
    int kept = 0;

    if (!file->unzip)
        return;
    unzip_free(file->unzip);
    file->unzip = NULL;
    for (int i = 0; i < POOL_UNZIPS_MAX; i++)
        if (list[i] != file)
            list[kept++] = list[i];
    while (kept < POOL_UNZIPS_MAX)
        list[kept++] = NULL;
}

/* Takes ownership; the stream that was begun first has to go when there are too many. */
static void set_unzip(struct source_file *file, struct unzip *unzip)
{
    struct source_file **list = file->pool->unzipping;

    file_end_unzip(file);
    if (!unzip)
        return;
    if (list[POOL_UNZIPS_MAX - 1])
        file_end_unzip(list[POOL_UNZIPS_MAX - 1]);
    memmove(list + 1, list, (POOL_UNZIPS_MAX - 1) * sizeof(*list));
    list[0] = file;
    file->unzip = unzip;
}

static int begin_unzip(struct source_file *file)
{
    char head[UNZIP_HEAD_BYTES];
    int fd = file_fd(file);
    ssize_t got = fd < 0 ? fd : file_pread(fd, head, sizeof(head), 0);

    if (got < 0)
        return (int)got;
    if (!unzip_knows(head, (size_t)got))
        return -ESTALE;
    set_unzip(file, unzip_new(fd, head, (size_t)got));
    return file->unzip ? 0 : -ENOMEM;
}

int file_unzip(struct source_file *file, struct unzip **ret_unzip)
{
    int error = file->unzip ? 0 : begin_unzip(file);

    if (error == 0)
        *ret_unzip = file->unzip;
    return error;
}

/* ---- opening and closing ---- */

void file_close(struct source_file *file)
{
    file_end_unzip(file);
    free(file->recent);
    file->recent = NULL;
    file->recent_size = 0;
    if (file->fd < 0)
        return;
    ring_remove(file);
    close(file->fd);
    file->fd = -1;
}

/* Closes what was not used for longest, but for deleted files, which no path leads back to. */
static void make_room(struct file_pool *pool)
{
    struct source_file *file = pool->newest ? pool->newest->newer : NULL;

    for (int left = pool->open_count; left > 0 && pool->open_count >= pool->open_max; left--) {
        struct source_file *next = file->newer;
        if (!file->unlinked)
            file_close(file);
        file = next;
    }
}

void file_adopt(struct source_file *file, int fd, struct unzip *unzip)
{
    file_close(file);
    make_room(file->pool);
    file->fd = fd;
    set_unzip(file, unzip);
    ring_insert(file);
}

int file_open_path(const char *path, bool is_link)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK | (is_link ? 0 : O_NOFOLLOW));
    return fd < 0 ? -errno : fd;
}

int file_fd(struct source_file *file)
{
    struct stat st;

    if (file->fd >= 0) {
        ring_remove(file);
        ring_insert(file);
        return file->fd;
    }
    _cleanup_close_ int fd = file_open_path(file->path, file->is_link);
    if (fd < 0)
        return fd == -ENOENT || fd == -ELOOP ? -ESTALE : fd;
    if (fstat(fd, &st) < 0)
        return -errno;
    if (st.st_dev != file->device || st.st_ino != file->inode)
        return -ESTALE;
    file_adopt(file, take_fd(&fd), NULL);
    return file->fd;
}

ssize_t file_pread(int fd, void *memory, size_t size, uint64_t offset)
{
    size_t done = 0;

    while (done < size) {
        ssize_t got = pread(fd, (char *)memory + done, size - done, (off_t)(offset + done));
        if (got < 0 && errno == EINTR)
            continue;
        if (got < 0)
            return done ? (ssize_t)done : -errno;
        if (got == 0)
            break;
        done += (size_t)got;
    }
    return (ssize_t)done;
}

/* ---- probing ---- */

static bool hash_plain(int fd, uint64_t offset, uint32_t size, struct source_hash *ret_hash)
{
    char bytes[SOURCE_MARKER_BYTES_MAX];

    if (size > sizeof(bytes) || file_pread(fd, bytes, size, offset - size) != (ssize_t)size)
        return false;
    source_hash_bytes(ret_hash, bytes, size);
    return true;
}

/* Leaves the stream at `offset`, where reading goes on when this is the source. */
static bool hash_unzipped(struct probe *probe, uint64_t offset, uint32_t size, struct source_hash *ret_hash)
{
    char bytes[SOURCE_MARKER_BYTES_MAX];
    size_t got;

    if (size > sizeof(bytes))
        return false;
    enum unzip_state state = unzip_seek(probe->unzip, offset - size);
    if (state == UNZIP_MORE)
        state = unzip_read(probe->unzip, bytes, size, &got);
    probe->is_cut = probe->is_cut || state == UNZIP_CUT;
    if (unzip_offset(probe->unzip) != offset)
        return false;
    source_hash_bytes(ret_hash, bytes, size);
    return true;
}

/* Files that begin alike were often read up to the same place, so the last answer is kept. */
static bool probe_hash_before(void *context, uint64_t offset, uint32_t size, struct source_hash *ret_hash)
{
    struct probe *probe = context;
    struct source_hash hash;

    if (size == 0 || probe->hashed.size != size || probe->hashed_offset != offset) {
        if (size > offset || !(probe->unzip ? hash_unzipped(probe, offset, size, &hash)
                                            : hash_plain(probe->fd, offset, size, &hash)))
            return false;
        probe->hashed = hash;
        probe->hashed_offset = offset;
    }
    *ret_hash = probe->hashed;
    return true;
}

static int64_t time_ns(struct statx_timestamp t)
{
    return t.tv_sec * INT64_C(1000000000) + t.tv_nsec;
}

static int probe_status(struct probe *probe, const char *path, struct problem *ret_problem)
{
    struct source_facts *facts = &probe->facts;
    struct statx st;

    if (statx(probe->fd, "", AT_EMPTY_PATH, STATX_BASIC_STATS | STATX_BTIME, &st) < 0)
        return problem_from_errno(ret_problem, errno, "cannot look at", path);
    if (!S_ISREG(st.stx_mode))
        return problem_set(ret_problem, ERR_IO_003, "%s is no regular file any more", path);
    facts->device = makedev(st.stx_dev_major, st.stx_dev_minor);
    facts->inode = st.stx_ino;
    facts->birth_ns = st.stx_mask & STATX_BTIME ? time_ns(st.stx_btime) : 0;
    facts->modified_ns = time_ns(st.stx_mtime);
    facts->size = st.stx_size;
    return 0;
}

static int probe_unzip_head(struct probe *probe, const char *path, size_t *ret_size,
                            struct problem *ret_problem)
{
    probe->facts.compressed = true;
    probe->unzip = unzip_new(probe->fd, probe->head, *ret_size);
    if (!probe->unzip)
        return problem_set(ret_problem, ERR_INT_002, "no memory is left to read %s", path);
    enum unzip_state state = unzip_read(probe->unzip, probe->head, sizeof(probe->head), ret_size);
    if (state == UNZIP_FAILED)
        return problem_from_errno(ret_problem, unzip_errno(probe->unzip), "cannot read", path);
    probe->is_cut = state == UNZIP_CUT;
    return 0;
}

/* Where a lost write could have begun: behind a line, in what a power cut left as zeros, or at a sector's
 * edge. */
static bool ends_clean(const struct probe *probe)
{
    enum { SECTOR_SIZE = 512 };
    char last;

    if (probe->facts.size == 0 || probe->facts.size % SECTOR_SIZE == 0)
        return true;
    return file_pread(probe->fd, &last, 1, probe->facts.size - 1) == 1 && (last == '\n' || last == '\0');
}

static int probe_head(struct probe *probe, const char *path, struct problem *ret_problem)
{
    ssize_t got = file_pread(probe->fd, probe->head, sizeof(probe->head), 0);
    size_t size = got < 0 ? 0 : (size_t)got;

    if (got < 0)
        return problem_from_errno(ret_problem, (int)-got, "cannot read", path);
    if (unzip_knows(probe->head, size)) {
        int error = probe_unzip_head(probe, path, &size, ret_problem);
        if (error < 0)
            return error;
    }
    probe->facts.head = slice_from(probe->head, size);
    probe->facts.clean_end = ends_clean(probe);
    return 0;
}

int probe_init(struct probe *probe, int fd, const char *path, struct problem *ret_problem)
{
    memset(probe, 0, offsetof(struct probe, head));
    probe->fd = fd;
    probe->facts.context = probe;
    probe->facts.hash_before = probe_hash_before;
    int error = probe_status(probe, path, ret_problem);
    if (error == 0)
        error = probe_head(probe, path, ret_problem);
    if (error < 0)
        probe_release(probe);
    return error;
}

void probe_release(struct probe *probe)
{
    unzip_free(probe->unzip);
    probe->unzip = NULL;
    if (probe->fd >= 0)
        close(probe->fd);
    probe->fd = -1;
}

void evidence_refresh(struct source_evidence *evidence, const struct source_facts *facts)
{
    evidence->device = facts->device;
    evidence->inode = facts->inode;
    evidence->birth_ns = facts->birth_ns;
    evidence->modified_ns = facts->modified_ns;
    evidence->size = facts->size;
    evidence->compressed = facts->compressed;
    evidence->gone_ns = 0;
    source_renew_beginning(evidence, facts->head.data, facts->head.size);
}

void evidence_begin(struct source_evidence *ret_evidence, const struct source_facts *facts)
{
    *ret_evidence = (struct source_evidence){0};
    evidence_refresh(ret_evidence, facts);
}
