/*
 * One file of a source: its descriptor, its decompressor, and what became of it since it was found.
 *
 *      FOLLOWING --a newer generation has its name, or its name is unknown--> RENAMED --quiet--> FINISHED
 *          |  \--no name leads to it any more--> GONE --quiet--> FINISHED             \--written--> RENAMED
 *          \--its bytes are others now--> TRUNCATED (from any state; the source is read no further here)
 *
 * Descriptors are bounded: a pool closes those not used for longest. One is opened again by path when it is
 * needed, if the path still leads to the same inode; a deleted file is never closed before the source is
 * dropped.
 */
#ifndef SHIPPER_TAIL_FILE_H
#define SHIPPER_TAIL_FILE_H

#include "problem.h"
#include "source.h"
#include "unzip.h"

#include <sys/types.h>

#define FILE_QUIET_NS                                                                                        \
    INT64_C(5000000000) /* so long nothing is written: a program has let go of a renamed file */
#define FILE_LENGTH_UNKNOWN UINT64_MAX

enum file_state { FILE_FOLLOWING, FILE_RENAMED, FILE_GONE, FILE_TRUNCATED, FILE_FINISHED };

/* What a look sees of a file. */
struct file_sight {
    bool rewritten; /* the source's bytes are not in it any more */
    bool unlinked;  /* no name leads to it */
    bool older;     /* a newer generation has taken its name, or it has a name that no pattern finds */
    bool quiet;     /* nothing was written for FILE_QUIET_NS */
};

enum file_state file_step(enum file_state state, const struct file_sight *sight);

/* Streams that are kept while their files are not read: each may hold UNZIP_WINDOW_BYTES_MAX. One that is
 * given up begins anew when its file is read on. */
enum { POOL_UNZIPS_MAX = 2 };

struct file_pool {
    bool suspicious; /* some file's bytes did not fit when they were read: to be judged at the next look */
    bool broken;     /* some file could not be read: to be tried again */
    int open_count;
    int open_max;
    struct source_file *newest; /* a ring of the open ones, by use */
    struct source_file
        *unzipping[POOL_UNZIPS_MAX]; /* those with a stream, the newest first; NULL behind them */
};

struct source_file {
    struct file_pool *pool;
    struct source_file *newer, *older; /* in the pool's ring, while open */
    const char *path;                  /* borrowed from the source's record */
    int fd;                            /* -1 while closed */
    bool is_link;
    uint64_t device, inode;

    enum file_state state;
    bool unlinked;
    bool older_generation;
    bool lost;         /* its bytes are out of reach for good */
    bool suspicious;   /* what was read did not fit: to be judged at the next look */
    enum error broken; /* why it cannot be read (on) now; all but damage is tried again after the next scan */
    enum error told;   /* the last such reason that was told, until a read succeeds */
    bool once;
    uint64_t limit;   /* with `once`: the size at which the file was found; else UINT64_MAX */
    int64_t grown_ns; /* when it was last seen to have been written */
    int missing;      /* looks in a row that did not find it */

    struct unzip *unzip;
    uint64_t length; /* of a compressed file, when its end was seen; else FILE_LENGTH_UNKNOWN */

    uint32_t recent_size; /* the bytes before the evidence's offset, as far as they are in memory */
    char *recent;         /* SOURCE_MARKER_BYTES_MAX of them at most; NULL: none, as while it is closed */
};

/* The number of descriptors that may be open, by the process's own limit. */
int file_pool_default_max(void);

void file_init(struct source_file *file, struct file_pool *pool); /* its path is to be set */
void file_close(struct source_file *file);                        /* also the decompressor */

/* Takes over an open descriptor (and its decompressor, or NULL); makes room in the pool. */
void file_adopt(struct source_file *file, int fd, struct unzip *unzip);

/* The stream of a compressed file, begun if need be. 0 with the stream, which stays the file's, or -errno;
 * -ESTALE when the path leads to another file now, or the file is no compressed one any more. */
int file_unzip(struct source_file *file, struct unzip **ret_unzip);

/* Frees the stream; the descriptor stays, since another lane may not have read the file. */
void file_end_unzip(struct source_file *file);

/* The descriptor, opened again if need be. >= 0, or -errno; -ESTALE when the path leads to another file now.
 */
int file_fd(struct source_file *file);

/* Opens a regular file for reading without ever blocking; a symbolic link only when `is_link`. >= 0 or
 * -errno. */
int file_open_path(const char *path, bool is_link);

/* Reads by position, over interruptions and short reads. Bytes read, less only at the end; or -errno. */
ssize_t file_pread(int fd, void *memory, size_t size, uint64_t offset);

/* A file opened to see which source it is. */
struct probe {
    int fd;
    struct unzip *unzip; /* of a compressed one */
    struct source_facts facts;
    bool is_cut; /* compressed, and ends inside a member */
    uint64_t hashed_offset;
    struct source_hash hashed; /* the bytes before hashed_offset; size 0: none were hashed yet */
    char head[SOURCE_HEAD_BYTES_MAX];
};

/*
 * Fills facts (context and head point into `probe`, so it stays where it is). Takes ownership of `fd`, also
 * on failure. 0, or a negative error with the problem named by `path`.
 */
int probe_init(struct probe *probe, int fd, const char *path, struct problem *ret_problem);
void probe_release(struct probe *probe);

/* The evidence of a source that begins in this file. */
void evidence_begin(struct source_evidence *ret_evidence, const struct source_facts *facts);

/* Renews what the file system says of the file: device, inode, birth, time, size, compression. */
void evidence_refresh(struct source_evidence *evidence, const struct source_facts *facts);

#endif
