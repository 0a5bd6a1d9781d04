/*
 * A compressed file as a stream of its decompressed bytes: gzip and zstd, also of several members one after
 * the other (as pigz, `cat a.gz b.gz` and programs that append make them). Forward only; unzip_seek()
 * backwards begins anew. Inflates straight into the caller's memory. One thread at a time.
 *
 * A stream holds up to 200 KiB for gzip; for zstd the window that the file asks for besides, at most
 * UNZIP_WINDOW_BYTES_MAX.
 */
#ifndef SHIPPER_UNZIP_H
#define SHIPPER_UNZIP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum {
    /* A bomb is what grows more than any log does: beyond so many bytes, more than so many for each
       compressed one. */
    UNZIP_BOMB_RATIO_MAX = 500,
    UNZIP_BOMB_FREE_BYTES = 256 << 20,
    /* How far back a frame of zstd may look: what RFC 8878 asks of every reader, and what all levels but
       --ultra and --long keep to. */
    UNZIP_WINDOW_LOG_MAX = 23,
    UNZIP_WINDOW_BYTES_MAX = 8 << 20,
    /* So many bytes tell which compression it is. */
    UNZIP_HEAD_BYTES = 4,
};

enum unzip_state {
    UNZIP_MORE,    /* more bytes come, or the memory given was full */
    UNZIP_END,     /* behind a whole member, and nothing follows */
    UNZIP_CUT,     /* the file ends inside a member: half written; goes on by itself when the file grows */
    UNZIP_DAMAGED, /* beyond here it is not what it began as, or its checksum is wrong */
    UNZIP_BOMB,    /* beyond the limits above */
    UNZIP_WINDOW,  /* a frame needs more than UNZIP_WINDOW_BYTES_MAX */
    UNZIP_FAILED,  /* reading failed with unzip_errno() */
};

struct unzip;

/* Whether a file that begins with these bytes is one that unzip reads; less than UNZIP_HEAD_BYTES may not be
 * enough. */
bool unzip_knows(const void *head, size_t size);

/* Reads what `head`, the file's first bytes, shows it to be; unzip_knows(head) must be true. `fd` is read by
 * position, so its own offset does not matter; borrowed until unzip_free. NULL when memory ran out. */
struct unzip *unzip_new(int fd, const void *head, size_t size);
void unzip_free(struct unzip *unzip); /* NULL is allowed */

/* Fills as much of the memory as there is. Bytes may come together with any state: what could be read is
 * given. */
enum unzip_state unzip_read(struct unzip *unzip, void *memory, size_t size, size_t *ret_size);

/* Goes to a place in the decompressed bytes. UNZIP_MORE when it is there; else it stands where the stream
 * ended. */
enum unzip_state unzip_seek(struct unzip *unzip, uint64_t offset);

uint64_t unzip_offset(const struct unzip *unzip);            /* of the next decompressed byte */
uint64_t unzip_compressed_offset(const struct unzip *unzip); /* of the next compressed byte not yet used */
int unzip_errno(const struct unzip *unzip);

#endif
