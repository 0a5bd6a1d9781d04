#include "watch.h"

#include "liblog/base/cleanup.h"

#include <errno.h>
#include <stdint.h>
#include <string.h>
#include <sys/inotify.h>

enum { EVENT_BUFFER_SIZE = 64 << 10, READS_MAX = 64 };

enum {
    NAMES_MASK = IN_CREATE | IN_MOVED_FROM | IN_MOVED_TO | IN_DELETE | IN_DELETE_SELF | IN_MOVE_SELF |
                 IN_ATTRIB | IN_IGNORED | IN_UNMOUNT,
    FOLDER_MASK = IN_CREATE | IN_MOVED_FROM | IN_MOVED_TO | IN_DELETE | IN_DELETE_SELF | IN_MOVE_SELF |
                  IN_ATTRIB | IN_MODIFY | IN_ONLYDIR,
    FILE_MASK = IN_MODIFY | IN_MOVE_SELF | IN_ATTRIB, /* the last one when a name of it goes */
};

struct watched_folder {
    int id; /* inotify's; -1 when it is not watched (any more) */
    bool wanted;
    char *path;
};

struct watch {
    int fd;
    struct watched_folder *folders;
    int folder_count;
    int folder_next; /* where the search for one begins */
    int failed;      /* folders that cannot be watched */
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
    free(watch);
}

int watch_fd(const struct watch *watch)
{
    return watch ? watch->fd : -1;
}

/* They are asked for in the same order again and again, so the search goes on behind the last one. */
static struct watched_folder *folder_by_path(struct watch *watch, const char *path)
{
    for (int i = 0, at = watch->folder_next; i < watch->folder_count; i++, at++) {
        at = at < watch->folder_count ? at : 0;
        if (strcmp(watch->folders[at].path, path) != 0)
            continue;
        watch->folder_next = at + 1;
        return &watch->folders[at];
    }
    return NULL;
}

static struct watched_folder *add_folder(struct watch *watch, const char *path)
{
    void *grown = realloc(watch->folders, ((size_t)watch->folder_count + 1) * sizeof(*watch->folders));
    char *copy = strdup(path);

    if (grown)
        watch->folders = grown;
    if (!grown || !copy) {
        free(copy);
        return NULL;
    }
    watch->folders[watch->folder_count] = (struct watched_folder){.id = -1, .path = copy};
    watch->failed++;
    return &watch->folders[watch->folder_count++];
}

int watch_folder(struct watch *watch, const char *path)
{
    struct watched_folder *folder = watch ? folder_by_path(watch, path) : NULL;

    folder = watch && !folder ? add_folder(watch, path) : folder;
    if (!folder)
        return watch ? -ENOMEM : -ENOSYS;
    folder->wanted = true;
    if (folder->id >= 0)
        return 0;
    folder->id = inotify_add_watch(watch->fd, path[0] ? path : ".", FOLDER_MASK);
    if (folder->id < 0)
        return -errno;
    watch->failed--;
    return 1;
}

/* Two paths may lead to one folder, which then has one id. */
static bool is_shared(const struct watch *watch, const struct watched_folder *folder)
{
    for (int i = 0; i < watch->folder_count; i++)
        if (watch->folders[i].wanted && watch->folders[i].id == folder->id)
            return true;
    return false;
}

static void let_go(struct watch *watch, struct watched_folder *folder)
{
    if (folder->id < 0)
        watch->failed--;
    else if (!is_shared(watch, folder))
        inotify_rm_watch(watch->fd, folder->id);
    free(folder->path);
}

void watch_forget_others(struct watch *watch)
{
    int kept = 0;

    for (int i = 0; watch && i < watch->folder_count; i++)
        if (!watch->folders[i].wanted)
            let_go(watch, &watch->folders[i]);
    for (int i = 0; watch && i < watch->folder_count; i++)
        if (watch->folders[i].wanted)
            watch->folders[kept++] = watch->folders[i];
    for (int i = 0; i < kept; i++)
        watch->folders[i].wanted = false;
    if (watch)
        watch->folder_count = kept;
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
    return watch && watch->failed == 0;
}

/* Two paths may lead to one folder, which then has one id: news go to each of them. */
static int hand_out(struct watch *watch, const struct inotify_event *raw,
                    void (*on_event)(void *context, const struct watch_event *event), void *context)
{
    struct watch_event event = {.kind = raw->mask & NAMES_MASK ? WATCH_NAMES : WATCH_WRITTEN,
                                .name = raw->len ? raw->name : NULL};
    int count = 0;

    for (int i = 0; i < watch->folder_count; i++) {
        struct watched_folder *folder = &watch->folders[i];
        if (raw->wd < 0 || folder->id != raw->wd)
            continue;
        if (raw->mask & IN_IGNORED) {
            folder->id = -1;
            watch->failed++;
        }
        if (raw->mask & IN_MOVE_SELF) /* the path leads elsewhere now; IN_IGNORED follows */
            inotify_rm_watch(watch->fd, raw->wd);
        event.folder = folder->path;
        on_event(context, &event);
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
