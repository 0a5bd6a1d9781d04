/*
 * A source is one stream of bytes that a program wrote into one file, whatever the file is called today. Here
 * is the evidence by which it is known again, and the pure decision which known source a file is
 * (docs/internals/tail.md has the table). Offsets are in decompressed bytes, also for .gz and .zst.
 */
#ifndef SHIPPER_SOURCE_H
#define SHIPPER_SOURCE_H

#include "liblog/base/slice.h"
#include "liblog/base/uuid.h"

#include <stdbool.h>
#include <stdint.h>

enum {
    SOURCE_HEAD_BYTES_MAX = 1024,
    SOURCE_START_BYTES = 64,
    SOURCE_MARKER_BYTES_MAX = 256,
    SOURCE_HASH_SIZE = 16,
    SOURCE_PATH_MAX = 4096, /* with its end, as PATH_MAX */
};

/* Evidence of a source whose file is gone is kept so long, and of so many; beyond that the oldest goes, and a
 * copy of its file that turns up is a new source. */
enum { SOURCE_GONE_KEPT_DAYS = 400, SOURCE_GONE_KEPT_MAX = 100000 };
#define SOURCE_GONE_KEPT_NS (SOURCE_GONE_KEPT_DAYS * INT64_C(86400000000000))

/* The hash of the `size` bytes that end at (marker) or begin with (head) a place. size 0: nothing to compare.
 */
struct source_hash {
    uint32_t size;
    uint8_t hash[SOURCE_HASH_SIZE]; /* SHA-256, its first 16 bytes */
};

struct source_evidence {
    uint64_t device;
    uint64_t inode;
    int64_t birth_ns; /* 0 where the file system has none */
    int64_t modified_ns;
    uint64_t size; /* of the file as it lies there, compressed or not */
    bool compressed;
    bool finished;   /* read to its end, and no more can come */
    int64_t gone_ns; /* since when no file has its bytes; 0 while one does */
    uint64_t offset; /* where `marker` ends: the statistics' position */
    struct source_hash head;
    struct source_hash
        start; /* of SOURCE_START_BYTES, once there are so many: for what is shorter than the head */
    struct source_hash marker;
};

/* `bytes`, at most SOURCE_HEAD_BYTES_MAX of them, are its first: renews head and start, if there are more
 * than before. Whether there were. */
bool source_renew_beginning(struct source_evidence *evidence, const char *bytes, size_t size);

/* What is kept of a source in the database, and what it is called there. */
struct source_record {
    char id[UUID_TEXT_SIZE + 1];
    char *
        path; /* where it was last seen; owned, and as long as the path, since there may be 100,000 of them */
    struct source_evidence evidence;
};

/* Frees an array of records with their paths. NULL is allowed. */
void source_records_free(struct source_record *records, int count);

/* Evidence as text for the table `source` (one JSON object), and back. 0, or -1 when it is not that. */
enum { SOURCE_EVIDENCE_TEXT_MAX = 512 };
void source_evidence_to_text(char out[static SOURCE_EVIDENCE_TEXT_MAX],
                             const struct source_evidence *evidence);
int source_evidence_from_text(const char *text, struct source_evidence *ret_evidence);

void source_hash_bytes(struct source_hash *ret_hash, const void *bytes, uint32_t size);
bool source_hash_equal(const struct source_hash *a, const struct source_hash *b);

/* What a file shows to whoever must decide which source it is. */
struct source_facts {
    uint64_t device;
    uint64_t inode;
    int64_t birth_ns;
    int64_t modified_ns;
    uint64_t size; /* as it lies there */
    bool compressed;
    bool clean_end;    /* its last bytes are where a lost write could have begun: a line's end, NULs, a whole
                          sector */
    struct slice head; /* its first decompressed bytes, up to SOURCE_HEAD_BYTES_MAX */

    /* The hash of the `size` decompressed bytes before `offset`. False when the file does not reach that far
     * or cannot be read there. */
    bool (*hash_before)(void *context, uint64_t offset, uint32_t size, struct source_hash *ret_hash);
    void *context;
};

/* What one file is to one known source; the greater one is the stronger. */
enum source_verdict {
    SOURCE_OTHER,     /* another source */
    SOURCE_REWRITTEN, /* the source's own file, truncated and written again: the source is not in it any more
                       */
    SOURCE_ROLLED_BACK, /* the same source, shorter than it was: the position moves to the file's size */
    SOURCE_SAME,        /* the same source: go on at its offset */
    SOURCE_REMEMBERED,  /* the same compressed file, read to its end before: nothing to be done */
};

/* A source that a file may be. */
struct source_candidate {
    const struct source_evidence *evidence;
    bool present; /* its bytes are seen elsewhere at this moment: in its own file or in another */
};

/* What the file is to this one source. Pure but for facts->hash_before, which is asked only when the head
 * agrees. */
enum source_verdict source_compare(const struct source_evidence *known, bool present,
                                   const struct source_facts *facts);

/*
 * The known source that the file is, by the strongest verdict (of equal ones: not present elsewhere, then the
 * greater offset). Returns the verdict and, unless it is SOURCE_OTHER, its index.
 */
enum source_verdict source_decide(const struct source_candidate *candidates, int count,
                                  const struct source_facts *facts, int *ret_index);

#endif
