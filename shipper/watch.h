/*
 * "Something changed", behind one interface. Linux: inotify on folders (names that come and go, bytes that
 * are written) and on single files that have left their folder. Where it does not work (no watches left,
 * network file systems), the owner looks by time: watch_is_complete() says whether news can be relied on.
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

/* 1 when the folder is watched from now on, 0 when it was already, or a negative errno: -ENOSPC when the user
 * has no watches left. */
int watch_folder(struct watch *watch, const char *path);

/* Lets go of all folders that watch_folder was not asked for since the last call of this. */
void watch_forget_others(struct watch *watch);

/* Watches an open file, whatever it is called: its bytes (WATCH_WRITTEN) and its names (WATCH_NAMES), until
 * it is deleted and closed by all. Its number in the news,
 * >= 0 and the same for one file, or -1. */
int watch_file(struct watch *watch, int fd);

/* All folders given are watched. */
bool watch_is_complete(const struct watch *watch);

/* Takes in what has happened, without waiting. Returns how many news there were. */
int watch_take(struct watch *watch, void (*on_event)(void *context, const struct watch_event *event),
               void *context);

#endif
