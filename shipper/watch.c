#define _GNU_SOURCE /* qsort_r */
#include "watch.h"

#include "liblog/base/cleanup.h"

#include <errno.h>
#include <stdint.h>
#include <string.h>
#include <sys/inotify.h>
#include <sys/vfs.h>

enum { EVENT_BUFFER_SIZE = 64 << 10, READS_MAX = 64 };

enum {
    NAMES_MASK = IN_CREATE | IN_MOVED_FROM | IN_MOVED_TO | IN_DELETE | IN_DELETE_SELF | IN_MOVE_SELF |
                 IN_ATTRIB | IN_IGNORED | IN_UNMOUNT,
    FOLDER_MASK = IN_CREATE | IN_MOVED_FROM | IN_MOVED_TO | IN_DELETE | IN_DELETE_SELF | IN_MOVE_SELF |
                  IN_ATTRIB | IN_MODIFY | IN_ONLYDIR,
    FILE_MASK = IN_MODIFY | IN_MOVE_SELF | IN_ATTRIB, /* the last one when a name of it goes */
};

struct watched_folder {
    int id;        /* inotify's; -1 when it is not watched (any more) */
    bool is_there; /* when it was last given */
    bool is_deaf;  /* others may write there, and nothing tells of it */
    bool given;    /* since the others were last forgotten */
    char *path;
};

struct watch {
    int fd;
    struct watched_folder *folders; /* by path */
    int folder_count, folder_capacity;
    int *by_id; /* indexes of those that are watched, by id; made anew when it is needed */
    int by_id_count;
    bool by_id_is_stale;
};

struct watch *watch_new(void)
{
    _cleanup_free_ struct watch *watch = calloc(1, sizeof(*watch));

    if (!watch)
        return NULL;
    watch->fd = inotify_init1(IN_NONBLOCK | IN_CLOEXEC);
    return watch->fd < 0 ? NULL : take_pointer(watch);
}

void watch_free(struct watch *watch)
{
    if (!watch)
        return;
    close(watch->fd);
    for (int i = 0; i < watch->folder_count; i++)
        free(watch->folders[i].path);
    free(watch->folders);
    free(watch->by_id);
    free(watch);
}

int watch_fd(const struct watch *watch)
{
    return watch ? watch->fd : -1;
}

/* ---- folders ---- */

/* Where the path stands, or belongs. */
static int place_of(const struct watch *watch, const char *path)
{
    int low = 0, high = watch->folder_count;

    while (low < high) {
        int middle = (low + high) / 2;
        if (strcmp(watch->folders[middle].path, path) < 0)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

static int grow(struct watch *watch)
{
    int capacity = watch->folder_capacity ? 2 * watch->folder_capacity : 16;
    void *folders = realloc(watch->folders, (size_t)capacity * sizeof(*watch->folders));

    if (folders)
        watch->folders = folders;
    void *by_id = realloc(watch->by_id, (size_t)capacity * sizeof(*watch->by_id));
    if (by_id)
        watch->by_id = by_id;
    if (!folders || !by_id)
        return -ENOMEM;
    watch->folder_capacity = capacity;
    return 0;
}

static struct watched_folder *get_folder(struct watch *watch, const char *path)
{
    int at = place_of(watch, path);

    if (at < watch->folder_count && strcmp(watch->folders[at].path, path) == 0)
        return &watch->folders[at];
    if (watch->folder_count == watch->folder_capacity && grow(watch) < 0)
        return NULL;
    char *copy = strdup(path);
    if (!copy)
        return NULL;
    memmove(&watch->folders[at + 1], &watch->folders[at],
            (size_t)(watch->folder_count - at) * sizeof(*watch->folders));
    watch->folders[at] = (struct watched_folder){.id = -1, .path = copy};
    watch->folder_count++;
    watch->by_id_is_stale = true;
    return &watch->folders[at];
}

/* File systems that other machines (or a program of its own) write to behind the kernel's back; their numbers
 * as statfs(2) has them. */
static bool is_deaf(const char *path)
{
    static const uint32_t deaf[] = {
        0x6969,     /* NFS */
        0x517B,     /* SMB */
        0xFF534D42, /* CIFS */
        0xFE534D42, /* SMB2 */
        0x65735546, /* FUSE */
        0x00C36400, /* Ceph */
        0x01021997, /* 9P */
        0x5346414F, /* AFS */
        0x6B414653, /* kAFS */
        0x0BD00BD0, /* Lustre */
        0x01161970, /* GFS2 */
        0x7461636F, /* OCFS2 */
        0x786F4256, /* VirtualBox's shared folders */
    };
    struct statfs status;

    if (statfs(path, &status) < 0)
        return false;
    for (size_t i = 0; i < sizeof(deaf) / sizeof(deaf[0]); i++)
        if ((uint32_t)status.f_type == deaf[i])
            return true;
    return false;
}

int watch_folder(struct watch *watch, const char *path)
{
    struct watched_folder *folder = watch ? get_folder(watch, path) : NULL;
    const char *name = path[0] ? path : ".";

    if (!folder)
        return watch ? -ENOMEM : -ENOSYS;
    folder->given = true;
    int before = folder->id;
    folder->id = inotify_add_watch(watch->fd, name, FOLDER_MASK);
    int error = folder->id < 0 ? errno : 0;
    watch->by_id_is_stale |= folder->id != before;
    folder->is_there = error != ENOENT && error != ENOTDIR;
    if (error)
        return -error;
    if (folder->id == before) /* which is what inotify says while the path leads to the same folder */
        return 0;
    folder->is_deaf = is_deaf(name);
    return 1;
}

static int compare_id(const void *left, const void *right, void *context)
{
    const struct watch *watch = context;
    int a = *(const int *)left, b = *(const int *)right;
    int order = watch->folders[a].id - watch->folders[b].id;

    return order ? order : a - b;
}

static void sort_by_id(struct watch *watch)
{
    watch->by_id_count = 0;
    for (int i = 0; i < watch->folder_count; i++)
        if (watch->folders[i].id >= 0)
            watch->by_id[watch->by_id_count++] = i;
    if (watch->by_id_count > 0)
        qsort_r(watch->by_id, (size_t)watch->by_id_count, sizeof(*watch->by_id), compare_id, watch);
    watch->by_id_is_stale = false;
}

/* The place in by_id of the first folder with that id, or of the one behind. */
static int first_with_id(struct watch *watch, int id)
{
    if (watch->by_id_is_stale)
        sort_by_id(watch);
    int low = 0, high = watch->by_id_count;
    while (low < high) {
        int middle = (low + high) / 2;
        if (watch->folders[watch->by_id[middle]].id < id)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

void watch_forget_others(struct watch *watch)
{
    int kept = 0;

    for (int i = 0; watch && i < watch->folder_count; i++) {
        struct watched_folder *folder = &watch->folders[i];
        if (folder->given) {
            folder->given = false;
            watch->folders[kept++] = *folder;
            continue;
        }
        if (folder->id >= 0) /* another path that leads there is watched anew when it is given next */
            inotify_rm_watch(watch->fd, folder->id);
        free(folder->path);
    }
    if (watch && kept < watch->folder_count) {
        watch->folder_count = kept;
        watch->by_id_is_stale = true;
    }
}

/* /proc leads to the open file itself, also when its name is gone. */
int watch_file(struct watch *watch, int fd)
{
    char path[64];

    if (!watch)
        return -1;
    snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
    return inotify_add_watch(watch->fd, path, FILE_MASK);
}

bool watch_is_complete(const struct watch *watch)
{
    for (int i = 0; watch && i < watch->folder_count; i++) {
        const struct watched_folder *folder = &watch->folders[i];
        if (folder->is_deaf || (folder->is_there && folder->id < 0))
            return false;
    }
    return watch != NULL;
}

/* ---- news ---- */

static void tell_folder(struct watch *watch, struct watched_folder *folder, const struct inotify_event *raw,
                        struct watch_event *event,
                        void (*on_event)(void *context, const struct watch_event *event), void *context)
{
    if (raw->mask & IN_IGNORED) {
        folder->id = -1;
        watch->by_id_is_stale = true;
    }
    if (raw->mask & IN_MOVE_SELF) /* the path leads elsewhere now; IN_IGNORED follows */
        inotify_rm_watch(watch->fd, raw->wd);
    event->folder = folder->path;
    on_event(context, event);
}

/* Two paths may lead to one folder, which then has one id: news go to each of them. */
static int hand_out(struct watch *watch, const struct inotify_event *raw,
                    void (*on_event)(void *context, const struct watch_event *event), void *context)
{
    struct watch_event event = {.kind = raw->mask & NAMES_MASK ? WATCH_NAMES : WATCH_WRITTEN,
                                .name = raw->len ? raw->name : NULL};
    int count = 0;

    for (int i = first_with_id(watch, raw->wd); i < watch->by_id_count; i++) {
        struct watched_folder *folder = &watch->folders[watch->by_id[i]];
        if (folder->id != raw->wd)
            break;
        tell_folder(watch, folder, raw, &event, on_event, context);
        count++;
    }
    if (count == 0 && !(raw->mask & IN_IGNORED)) {
        event.folder = event.name = NULL;
        event.file_id = raw->wd;
        event.kind = raw->mask & IN_Q_OVERFLOW ? WATCH_OVERFLOW : event.kind;
        on_event(context, &event);
        count++;
    }
    return count;
}

int watch_take(struct watch *watch, void (*on_event)(void *context, const struct watch_event *event),
               void *context)
{
    _Alignas(struct inotify_event) char buffer[EVENT_BUFFER_SIZE];
    ssize_t size = 0;
    int count = 0;

    /* Bounded, since somebody may write faster than this reads. */
    for (int reads = 0; watch && reads < READS_MAX; reads++) {
        size = read(watch->fd, buffer, sizeof(buffer));
        if (size <= 0)
            break;
        for (ssize_t at = 0; at < size;) {
            const struct inotify_event *raw = (const void *)(buffer + at);
            at += (ssize_t)(sizeof(*raw) + raw->len);
            count += hand_out(watch, raw, on_event, context);
        }
    }
    return count;
}
