/*
 * The file that holds all rings of one run of one process: what is needed to finish its job when it is dead.
 *
 *   page 0     identity   made before the file gets its name; never changed
 *   page 1     owner      the robust word: held by the writer thread as long as it lives
 *   page 2     progress   the writer's: generation, sequence number, the note of the write under way
 *   page 3     growth     the callers': how much of the site table and how many segments are in use
 *   sites      the call sites' constant parts (site.h), appended once, free of pointers
 *   segments   one for each thread: a control page for its rings, then their data
 *
 * Calling sequence of a block (the writer, or whoever finishes a dead one's work):
 *   1. store the new tails, sequence number and announced drops under the other parity      (invisible)
 *   2. ring_file_note: where the block will be written, stamped with this generation        (the intent)
 *   3. write the block
 *   4. ring_file_commit: generation + 1                                                     (everything
 * moves)
 *   5. ring_free for each ring                                                              (producers may go
 * on) Death before 2: nothing happened. Between 2 and 4: the note says which bytes to look for; whole, then 4
 * is all that is missing; not whole, then the fragment is cut off and the block made again. After 4: nothing
 * is left to do.
 *
 * A file is hostile input for everyone but its owner: ring_file_load copies it, checks every length and
 * index, and changes of the finished parts go back by pwrite; a file that shrinks meanwhile does no harm.
 */
#ifndef LIBLOG_RING_FILE_H
#define LIBLOG_RING_FILE_H

#include "liblog/base/os.h"
#include "liblog/base/ticks.h"
#include "ring.h"

#include <liblog/error.h>

/*
 * Versions. A file says the least version whose reader understands it; a newer reader understands it too. New
 * parts are appended to what a page holds, zero in older files, and zero means what held before there were
 * any. tests/unit/test_ring_versions.c finishes a file of each.
 *   1  the first
 *   2  progress.announced, growth.dropped: what was left out for reasons other than a full ring
 */
enum {
    RING_FILE_VERSION = 2,
    RING_FILE_DEPTHS = 3, /* ordinary calls, calls in a signal handler, and in a handler within one */
    RING_FILE_SMALL_BYTES = 65536, /* the size of a handler's ring */
    RING_FILE_SITES_BYTES = 512 * 1024,
    RING_FILE_SEGMENTS_MAX = 1024,
    RING_FILE_TARGETS = 2, /* the log, and the errors file */
    RING_FILE_TEXT_MAX = 255,
    RING_BYTES_MIN = 65536,
    RING_BYTES_MAX = 1 << 30,
};
#define RING_FILE_PUBLISHED_BYTES_MAX (UINT64_C(16) << 30) /* of a dead process's rings together */

struct ring_identity {
    char magic[8];
    uint32_t version;
    uint32_t byte_order;
    uint32_t page;
    uint32_t depths;
    uint64_t ring_bytes;
    uint64_t small_bytes;
    uint64_t sites_bytes;
    uint8_t boot_id[OS_BOOT_ID_SIZE];
    char run_id[40];
    char parent_run_id[72];
    uint32_t pid;
    uint32_t source_level;
    uint32_t marks;
    uint32_t uses_counter;
    char service[RING_FILE_TEXT_MAX + 1];
    char environment[RING_FILE_TEXT_MAX + 1];
};

/* Where a block is being written. length 0: nothing there. */
struct ring_target {
    uint64_t device;
    uint64_t inode;
    uint64_t offset;
    uint64_t length;
};

struct ring_note {
    uint64_t generation; /* holds while it equals progress.generation */
    uint64_t first_seq;
    uint64_t last_seq;
    struct ring_target target[RING_FILE_TARGETS];
    /* what else the block was made of, so that it can be made once more to the byte */
    struct ticks_anchor anchor;
    int64_t last_time_ns; /* of the record before the block */
    int64_t mark_time_ns; /* of the library's own records in it */
    uint32_t mark_thread;
    uint32_t closing; /* enum drain_closing */
};

/* Why records were left out. The numbers stand in ring files, so they never change. */
enum ring_reason { RING_OVERFLOW, RING_DISK, RING_RATE, RING_SAMPLE, RING_REASONS };

/* What was left out, by reason and level, but for what a ring itself counts (its own overflow). */
struct ring_dropped {
    uint64_t count[RING_REASONS][RING_LEVELS];
};

struct ring_progress {
    uint64_t generation;
    uint64_t next_seq[2];
    uint64_t closed[2]; /* 1: the last record there will be is written; nothing is left to finish */
    struct ticks_anchor anchor[2];
    uint64_t anchor_version; /* anchor[anchor_version & 1] holds */
    struct ring_note note;
    struct ring_dropped announced[2]; /* of growth.dropped, told in a record; two values, as of a tail */
};

struct ring_growth {
    uint32_t sites_used; /* bytes */
    uint32_t segments;
    struct ring_dropped dropped; /* counted by callers, atomic */
};

/* One thread's rings as mapped (or, of a dead process, as copied). */
struct ring_segment {
    char *control_page;
    struct ring ring[RING_FILE_DEPTHS];
};

struct ring_file {
    int fd;
    uint64_t device, inode; /* what fd is, as long as the program has not closed it */
    bool is_copy;           /* of a dead process: changes are also written to fd */
    struct ring_identity *identity;
    struct ring_progress *progress;
    struct ring_growth *growth;
    char *sites;
    size_t page;
    struct ring_segment *segment; /* [RING_FILE_SEGMENTS_MAX]; filled up to the count this process knows */
    uint32_t segment_count;
    uint64_t published_bytes; /* of a copy: between the ends of all its rings */
};

/* Makes the file's first part in `fd` (empty) and maps it. `identity` is copied, its layout fields filled. */
int ring_file_make(struct ring_file *file, int fd, const struct ring_identity *identity);

/* The next segment, mapped and faulted in; its number goes to ret_index. -ENOSPC when there are enough,
 * -EBADF when the program has closed the descriptor. Under the caller's lock. */
int ring_file_grow(struct ring_file *file, uint32_t *ret_index);

/* In a forked child: puts private memory in the file's place, so that nothing that is still written there
 * reaches the parent. */
void ring_file_leave(const struct ring_file *file);

/* Whether fd still is the ring file: programs close descriptors that they do not know, and use the numbers
 * again. */
bool ring_file_is_open(const struct ring_file *file);

/* Finds the file again by its path, should the program have closed the descriptor. 0 or a negative errno. */
int ring_file_reopen(struct ring_file *file, const char *path);

/*
 * Copies the rings of a dead process out of `fd`. LL_OK; LL_EFORMAT with a reason when it is not to be
 * believed; LL_EIO, LL_ENOMEM.
 */
int ring_file_load(struct ring_file *file, int fd, const char **ret_reason);
void ring_file_release(struct ring_file *file);

/*
 * Looks at what is not drained yet, of a process that may be alive and go on meanwhile; nothing is changed.
 *
 *     ring_file_peek          progress and the ends of all rings, of one moment if …
 *     …                       whatever else is to be of that moment
 *     ring_file_peek_holds    … the generation is still the same
 *     ring_file_peek_bytes    what lies between tails and heads, and the table of call sites
 *
 * LL_OK; LL_EFORMAT with a reason, LL_EIO, LL_ENOMEM as ring_file_load; LL_ETIMEOUT: producers were faster
 * and have written over it (they write at most `reserve_bytes` behind their head): begin again. The file is
 * the caller's to release, but when ring_file_peek has failed.
 */
int ring_file_peek(struct ring_file *file, int fd, const char **ret_reason);
bool ring_file_peek_holds(const struct ring_file *file);
int ring_file_peek_bytes(struct ring_file *file, uint64_t reserve_bytes);

/* The offset of the owner's page, for os_robust_map, and whether somebody living holds the file. */
uint64_t ring_file_owner_offset(void);
int ring_file_is_alive(int fd, const uint8_t boot_id[static OS_BOOT_ID_SIZE], bool *ret_alive,
                       const char **ret_reason);

static inline unsigned ring_file_parity(const struct ring_file *file)
{
    return (unsigned)(file->progress->generation & 1);
}

void ring_file_note(struct ring_file *file, const struct ring_note *note);
void ring_file_commit(struct ring_file *file);

/* The note of a write that was under way, or NULL. */
const struct ring_note *ring_file_pending(const struct ring_file *file);

/* Counts a record that was left out. Any thread, also in a signal handler. */
static inline void ring_file_count_dropped(struct ring_file *file, enum ring_reason reason, unsigned level)
{
    __atomic_fetch_add(&file->growth->dropped.count[reason][level], 1, __ATOMIC_RELAXED);
}

/* A change of the anchor, seen whole by whoever reads after a death. */
void ring_file_set_anchor(struct ring_file *file, const struct ticks_anchor *anchor);
const struct ticks_anchor *ring_file_anchor(const struct ring_file *file);

#endif
