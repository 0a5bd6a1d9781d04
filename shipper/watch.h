/*
 * "Something changed", behind one interface. Linux: inotify on folders (names that come and go, bytes that
 * are written) and on single files that have left their folder. Where it does not work (no watches left,
 * network file systems), the owner looks by time: watch_is_complete() says whether news can be relied on.
 *
 * Sequence, again and again: watch_folder for each folder there is, then watch_forget_others; watch_take
 * whenever watch_fd is readable.
 */
#ifndef SHIPPER_WATCH_H
#define SHIPPER_WATCH_H

#include <stdbool.h>

enum watch_kind {
    WATCH_NAMES,    /* names came or went in a folder, or rights changed */
    WATCH_WRITTEN,  /* bytes of the file were written or cut off */
    WATCH_OVERFLOW, /* news were lost: look at everything */
};

struct watch_event {
    enum watch_kind kind;
    const char *folder; /* as given to watch_folder; NULL for a watched file and for an overflow */
    const char *name;   /* in that folder; NULL when it is about the folder itself */
    int file_id;        /* what watch_file gave for it; only without a folder */
};

struct watch;

/* NULL when there is none to be had; every other call takes that NULL and then says that nothing works. */
struct watch *watch_new(void);
void watch_free(struct watch *watch);

/* Readable when there are news, or -1. */
int watch_fd(const struct watch *watch);

/* 1 when the folder is watched from now on (or the path has come to lead to another folder, which is watched
 * now), 0 when it was already, or a negative errno: -ENOSPC when the user has no watches left, -ENOENT or
 * -ENOTDIR when there is no such folder. */
int watch_folder(struct watch *watch, const char *path);

/* Ends the watching of all folders that were not given to watch_folder since this was called before. */
void watch_forget_others(struct watch *watch);

/* Watches an open file, whatever it is called: its bytes (WATCH_WRITTEN) and its names (WATCH_NAMES), until
 * it is deleted and closed by all. Its number in the news,
 * >= 0 and the same for one file, or -1. */
int watch_file(struct watch *watch, int fd);

/* All folders given that are there are watched, and none lies on a file system that is known to tell only of
 * what this machine does. */
bool watch_is_complete(const struct watch *watch);

/* Takes in what has happened, without waiting. Returns how many news there were. */
int watch_take(struct watch *watch, void (*on_event)(void *context, const struct watch_event *event),
               void *context);

#endif
