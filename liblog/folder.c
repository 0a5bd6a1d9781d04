#include "folder.h"

#include "liblog/base/cleanup.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static bool is_stream(const char *log_path)
{
    return strcmp(log_path, "stdout") == 0 || strcmp(log_path, "stderr") == 0;
}

/* The one spelling of a log's path on which its writer and whoever recovers agree: from the root on, its
 * folder without symlinks and dots. */
static int one_spelling(const char *log_path, char *ret_path, size_t size)
{
    char path[PATH_MAX + LL_PATH_SIZE];
    if (is_stream(log_path)) {
        snprintf(ret_path, size, "%s", log_path);
        return 0;
    }
    int error = os_absolute_path(log_path, ret_path, size);
    if (error)
        return error;
    char *base = strrchr(ret_path, '/');
    *base = '\0';
    _cleanup_free_ char *folder = realpath(base == ret_path ? "/" : ret_path, NULL);
    *base = '/';
    if (!folder)
        return 0;
    int length = snprintf(path, sizeof path, "%s%s", folder[1] ? folder : "", base);
    if ((size_t)length >= size)
        return -ENAMETOOLONG;
    memcpy(ret_path, path, (size_t)length + 1);
    return 0;
}

/* The folder's path: beside the log, or under ring_dir with the log's whole path in its name, so that two
 * logs with one base name do not meet. */
static int folder_name(struct folder *folder, const char *log_path, const char *ring_dir)
{
    const char *slash = strrchr(log_path, '/');
    const char *base = slash ? slash + 1 : log_path;
    int size;
    if (!ring_dir || !*ring_dir) {
        int before = slash ? (int)(slash + 1 - log_path) : 0;
        size = snprintf(folder->path, sizeof folder->path, "%.*s.%s.ll", before, log_path, base);
    } else {
        char whole[sizeof folder->path];
        int error = one_spelling(log_path, whole, sizeof whole);
        if (error)
            return error;
        size = snprintf(folder->path, sizeof folder->path, "%s/%s.ll", ring_dir, whole);
        for (char *c = folder->path + strlen(ring_dir) + 1; size < (int)sizeof folder->path && *c; c++)
            *c = *c == '/' ? '%' : *c;
    }
    return size < (int)sizeof folder->path ? 0 : -ENAMETOOLONG;
}

/* Who may read the log may read its rings: search bits follow read bits. */
static mode_t folder_mode(mode_t log_mode)
{
    return 0700 | (log_mode & 0070 ? 0070 & (log_mode | (log_mode & 0040) >> 2) : 0) |
           (log_mode & 0007 ? 0007 & (log_mode | (log_mode & 0004) >> 2) : 0);
}

/* A group that cannot be given is no reason to stop: the folder is then the owner's alone. */
static void folder_like_log(const struct folder *folder, const char *log_path)
{
    struct stat log;
    if (stat(log_path, &log) || chmod(folder->path, folder_mode(log.st_mode)))
        return;
    if (chown(folder->path, (uid_t)-1, log.st_gid))
        return;
}

static int lock_open(struct folder *folder, bool create)
{
    char path[sizeof folder->path + 32];
    int size = snprintf(path, sizeof path, "%s/lock.", folder->path);
    for (int i = 0; i < 8; i++)
        size += snprintf(path + size, sizeof path - (size_t)size, "%02x", folder->boot_id[i]);
    int fd = open(path, O_RDWR | O_CLOEXEC | O_NOFOLLOW | (create ? O_CREAT : 0), 0660);
    if (fd < 0)
        return -errno;
    int error = os_maps_are_coherent(fd) ? os_allocate(fd, 0, os_page_size()) : -ENOTSUP;
    if (error) {
        close(fd);
        return error;
    }
    return fd;
}

static int folder_begin(struct folder *folder, const char *log_path, const char *ring_dir)
{
    *folder = (struct folder){.lock_fd = -1};
    int error = folder_name(folder, log_path, ring_dir);
    return error ? error : os_boot_id(folder->boot_id);
}

int folder_find(struct folder *folder, const char *log_path, const char *ring_dir)
{
    int error = folder_begin(folder, log_path, ring_dir);
    if (error)
        return error;
    return access(folder->path, R_OK | X_OK) ? -errno : 0;
}

bool folder_is_there(const char *log_path, const char *ring_dir)
{
    struct folder folder;
    return folder_name(&folder, log_path, ring_dir) || access(folder.path, F_OK) == 0 || errno != ENOENT;
}

int folder_open(struct folder *folder, const char *log_path, const char *ring_dir, bool create)
{
    int error = folder_begin(folder, log_path, ring_dir);
    if (error)
        return error;
    if (create && mkdir(folder->path, 0700) == 0)
        folder_like_log(folder, log_path);
    folder->lock_fd = lock_open(folder, true);
    return folder->lock_fd < 0 ? folder->lock_fd : 0;
}

void folder_close(struct folder *folder)
{
    if (folder->lock_fd >= 0)
        close(folder->lock_fd);
    folder->lock_fd = -1;
}

void folder_path(const struct folder *folder, const char *name, const char *suffix, char *ret_path,
                 size_t size)
{
    snprintf(ret_path, size, "%s/%s%s", folder->path, name, suffix);
}
