/*
 * The file at a path, appended to in whole blocks. It sees by itself when the file at the path is no longer
 * the one that is open (rotated, removed), and when its descriptor was closed by the program and the number
 * used again.
 *
 * A block goes through prepare -> write -> settled. Of a write that fails half-way the bytes that are out
 * stay out (`sent`), for whoever follows the file may have read them: the next write of the same block goes
 * on behind them.
 */
#ifndef LIBLOG_SINK_FILE_H
#define LIBLOG_SINK_FILE_H

#include "liblog/base/slice.h"
#include "ring_file.h"

#include <liblog/config.h>

/* A rotation renames the file, then makes the next one. A writer that made it in between would have its file
 * moved out of the way by logrotate (to app.log-DATE.backup), so for this long it goes on in the renamed one.
 */
enum { SINK_GONE_NS_MAX = 200000000 };

struct sink {
    char path[LL_PATH_SIZE]; /* empty: a stream that is always open (stdout, stderr) */
    int fd;
    bool is_stream;
    bool reopen;  /* asked for by ll_reopen; atomic */
    bool syncs;   /* what was written is synced before the file is closed */
    bool dirty;   /* written to since it was synced */
    bool unnamed; /* opened since its folder was synced: a power cut may take a new file's name away */
    size_t sent;  /* of the block whose write failed: so much of it is out already */
    uint64_t end; /* of a file: where it ended after the last write */
    uint64_t device, inode;
    uint64_t reopens;      /* the file at the path had become another one */
    int64_t gone_since_ns; /* monotonic: since when the path leads nowhere; 0: it leads somewhere */
    int last_errno;        /* of the last prepare or write that failed; 0 after one that did not */
};

/* A sink for a path, or for "stdout" and "stderr". Opens nothing yet. */
void sink_init(struct sink *sink, const char *path);
void sink_release(struct sink *sink);

/*
 * Makes sure that the file at the path is open. `ret_target` is where the next block will be; length is for
 * the caller. 0 or a negative errno.
 */
int sink_prepare(struct sink *sink, struct ring_target *ret_target);

/* Writes the block, or of one whose write failed what is missing. 0; or a negative errno, `sent` tells how
 * much is out. */
int sink_write(struct sink *sink, struct slice block, const struct ring_target *target);

/* Whether the rest of a block can follow what was sent of it: the file at the path ends with that. */
bool sink_goes_on(struct sink *sink);

/* Gives up a block whose write failed: its last `torn` bytes of those sent are cut off, if they are the
 * file's end. */
void sink_give_up(struct sink *sink, size_t torn);

/* What was written is on the disk, as far as the disk tells the truth. 0 or a negative errno. */
int sink_sync(struct sink *sink);

/* After a write: whether the block stays. False when the file had been removed by then: it is to be written
 * again. */
bool sink_settled(const struct sink *sink);

/* Whether the file's last byte is a newline (or it is empty): a block may follow. */
bool sink_ends_line(const struct sink *sink, const struct ring_target *target);

#endif
