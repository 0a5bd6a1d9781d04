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
    return sink->fd >= 0 && fstat(sink->fd, ret_stat) == 0 && (uint64_t)ret_stat->st_dev == sink->device &&
           (uint64_t)ret_stat->st_ino == sink->inode;
}

void sink_release(struct sink *sink)
{
    struct stat st;
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
    if (fstat(sink->fd, &st))
        return -errno;
    *ret_target = (struct ring_target){
        .device = (uint64_t)st.st_dev, .inode = (uint64_t)st.st_ino, .offset = (uint64_t)st.st_size};
    return 0;
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

static int write_all(int fd, struct slice block)
{
    while (block.size > 0) {
        ssize_t n = write(fd, block.data, block.size);
        if (n < 0 && errno == EINTR)
            continue;
        if (n <= 0)
            return n < 0 ? -errno : -EIO;
        block.data += n;
        block.size -= (size_t)n;
    }
    return 0;
}

/* A pipe takes what it can; the rest of the block goes on from there at the next try. */
static int stream_write(struct sink *sink, struct slice block)
{
    while (sink->stream_sent < block.size) {
        ssize_t n = write(sink->fd, block.data + sink->stream_sent, block.size - sink->stream_sent);
        if (n < 0 && errno == EINTR)
            continue;
        if (n <= 0)
            return n < 0 ? -errno : -EIO;
        sink->stream_sent += (size_t)n;
    }
    sink->stream_sent = 0;
    return 0;
}

int sink_write(struct sink *sink, struct slice block, const struct ring_target *target)
{
    int error = sink->is_stream ? stream_write(sink, block) : write_all(sink->fd, block);
    sink->last_errno = -error;
    if (error && !sink->is_stream && ftruncate(sink->fd, (off_t)target->offset))
        sink->last_errno = errno;
    return error;
}

bool sink_settled(const struct sink *sink)
{
    struct stat st;
    return sink->is_stream || (fstat(sink->fd, &st) == 0 && st.st_nlink > 0);
}

bool sink_ends_line(const struct sink *sink, const struct ring_target *target)
{
    char last;
    if (sink->is_stream || target->offset == 0)
        return true;
    return pread(sink->fd, &last, 1, (off_t)target->offset - 1) != 1 || last == '\n';
}
