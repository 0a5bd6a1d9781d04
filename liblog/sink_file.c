#include "sink_file.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

enum { LOG_MODE = 0640 };

void sink_init(struct sink *sink, const char *path)
{
    *sink = (struct sink){.fd = -1};
    if (strcmp(path, "stdout") == 0 || strcmp(path, "stderr") == 0) {
        sink->is_stream = true;
        sink->fd = strcmp(path, "stdout") == 0 ? STDOUT_FILENO : STDERR_FILENO;
        return;
    }
    snprintf(sink->path, sizeof sink->path, "%s", path);
}

/* Whether the descriptor still is the file that was opened: programs close descriptors that they do not know.
 */
static bool is_ours(const struct sink *sink, struct stat *ret_stat)
{
    return sink->fd >= 0 && os_status(sink->fd, ret_stat) == 0 &&
           (uint64_t)ret_stat->st_dev == sink->device && (uint64_t)ret_stat->st_ino == sink->inode;
}

static int sync_folder(const char *path)
{
    char folder[LL_PATH_SIZE];
    const char *slash = strrchr(path, '/');
    snprintf(folder, sizeof folder, "%.*s", slash ? (int)(slash - path) + 1 : 1, slash ? path : ".");
    int fd = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    int error = fd < 0 || fsync(fd) ? -errno : 0;
    if (fd >= 0)
        close(fd);
    return error;
}

int sink_sync(struct sink *sink)
{
    struct stat st;
    if (sink->is_stream || !sink->dirty || !is_ours(sink, &st))
        return 0;
    if (fdatasync(sink->fd))
        return -errno;
    sink->dirty = false;
    int error = sink->unnamed ? sync_folder(sink->path) : 0;
    sink->unnamed &= error != 0;
    return error;
}

void sink_release(struct sink *sink)
{
    struct stat st;
    if (sink->syncs)
        sink_sync(sink);
    if (!sink->is_stream && is_ours(sink, &st))
        close(sink->fd);
    sink->fd = -1;
}

static int sink_open(struct sink *sink)
{
    struct stat st;
    sink_release(sink);
    int fd = open(sink->path, O_RDWR | O_APPEND | O_CREAT | O_CLOEXEC | O_NOCTTY | O_NONBLOCK, LOG_MODE);
    if (fd < 0)
        return -errno;
    if (fstat(fd, &st) || !S_ISREG(st.st_mode)) {
        close(fd);
        return -EINVAL; /* a FIFO or device put at the path would hold the writer up */
    }
    sink->fd = fd;
    sink->unnamed = true;
    sink->device = (uint64_t)st.st_dev;
    sink->inode = (uint64_t)st.st_ino;
    return 0;
}

static bool has_folder(const char *path)
{
    char folder[LL_PATH_SIZE];
    struct stat st;
    const char *slash = strrchr(path, '/');
    if (!slash)
        return true;
    snprintf(folder, sizeof folder, "%.*s", (int)(slash - path) + 1, path);
    return stat(folder, &st) == 0;
}

/* Whether the open file is the one to write to: it is at the path, or was renamed a moment ago and nothing is
 * there yet. */
static bool is_current(struct sink *sink, const struct stat *open_file)
{
    struct stat st;
    bool is_there = stat(sink->path, &st) == 0;
    if (is_there || errno != ENOENT || open_file->st_nlink == 0 || !has_folder(sink->path)) {
        sink->gone_since_ns = 0;
        return is_there && (uint64_t)st.st_dev == sink->device && (uint64_t)st.st_ino == sink->inode;
    }
    int64_t now = os_monotonic_ns();
    if (sink->gone_since_ns == 0)
        sink->gone_since_ns = now;
    return now - sink->gone_since_ns < SINK_GONE_NS_MAX;
}

static int target_of(const struct sink *sink, struct ring_target *ret_target)
{
    struct stat st;
    int error = os_status(sink->fd, &st);
    if (error)
        return error;
    *ret_target = (struct ring_target){
        .device = (uint64_t)st.st_dev, .inode = (uint64_t)st.st_ino, .offset = (uint64_t)st.st_size};
    return 0;
}

bool sink_goes_on(struct sink *sink)
{
    struct stat st;
    if (sink->is_stream)
        return true;
    return !__atomic_load_n(&sink->reopen, __ATOMIC_ACQUIRE) && is_ours(sink, &st) && is_current(sink, &st) &&
           (uint64_t)st.st_size == sink->end;
}

void sink_give_up(struct sink *sink, size_t torn)
{
    struct stat st;
    sink->sent = 0;
    if (!torn || !is_ours(sink, &st) || (uint64_t)st.st_size != sink->end)
        return;
    int error = os_cut_at(sink->fd, sink->end - torn);
    if (error)
        sink->last_errno = -error; /* a file that can only be appended to: the line stays torn */
}

int sink_prepare(struct sink *sink, struct ring_target *ret_target)
{
    struct stat st;
    int error = 0;
    if (sink->is_stream) {
        *ret_target = (struct ring_target){0};
        return 0;
    }
    bool was_open = sink->fd >= 0;
    bool reopen = __atomic_exchange_n(&sink->reopen, false, __ATOMIC_ACQ_REL);
    if (reopen || !is_ours(sink, &st) || !is_current(sink, &st)) {
        sink->gone_since_ns = 0;
        error = sink_open(sink);
        sink->reopens += was_open && !error;
    }
    if (!error)
        error = target_of(sink, ret_target);
    sink->last_errno = -error;
    return error;
}

/* A disk or a pipe takes what it can; the rest of the block goes on from there at the next try. */
int sink_write(struct sink *sink, struct slice block, const struct ring_target *target)
{
    int error = 0;
    while (sink->sent < block.size && !error) {
        ssize_t n = write(sink->fd, block.data + sink->sent, block.size - sink->sent);
        if (n > 0)
            sink->sent += (size_t)n;
        else if (n == 0 || errno != EINTR)
            error = n < 0 ? -errno : -EIO;
    }
    sink->dirty = true;
    sink->last_errno = -error;
    sink->end = target->offset + sink->sent;
    if (!error)
        sink->sent = 0;
    return error;
}

bool sink_settled(const struct sink *sink)
{
    struct stat st;
    return sink->is_stream || (os_status(sink->fd, &st) == 0 && st.st_nlink > 0);
}

bool sink_ends_line(const struct sink *sink, const struct ring_target *target)
{
    char last;
    if (sink->is_stream || target->offset == 0)
        return true;
    return os_read_at(sink->fd, &last, 1, target->offset - 1) != 1 || last == '\n';
}
