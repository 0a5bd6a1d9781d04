/*
 * All sources ever heard of, found by inode and by head: what a file that turns up may be. Those that are
 * tailed now have their evidence in their struct source, the others here.
 */
#ifndef SHIPPER_TAIL_KNOWN_H
#define SHIPPER_TAIL_KNOWN_H

#include "tail.h"

struct known {
    struct source_evidence evidence; /* while `source` is NULL */
    char id[UUID_TEXT_SIZE + 1];
    char *path;            /* while `source` is NULL; NULL as well: forgotten */
    struct source *source; /* tailed now; borrowed */
    uint64_t seen_at_look; /* number of the look that last saw its bytes in a file */
    bool retired;          /* read and dropped: its file is passed over while it stays as it is */
    bool elsewhere;        /* no input finds its path, so nothing can be said of it */
    /* the chains of the indexes */
    int next_by_inode, next_by_head, next_by_start;
    uint64_t indexed_inode;
    uint64_t indexed_start; /* key of the start and the head's size; 0: the head is shorter than a start */
    struct source_hash indexed_head;
};

struct known_set {
    struct known *items;
    int count, capacity;
    int first_free; /* index + 1 of one that was forgotten, chained by next_by_inode; 0: none */
    int *by_inode, *by_head, *by_start;        /* bucket -> first item, or -1 */
    int bucket_count;                          /* a power of two */
    int head_sizes[SOURCE_HEAD_BYTES_MAX + 1]; /* how many heads of each size there are */
};

void known_release(struct known_set *set);

/* Adds a source with its evidence. Its index, which stays as it is, or -1 when memory ran out. */
int known_add(struct known_set *set, const char *id, const char *path,
              const struct source_evidence *evidence);

const struct source_evidence *known_evidence(const struct known *known);
const char *known_path(const struct known *known); /* NULL: forgotten */

/* To be called when the evidence's inode or head may have changed. */
void known_reindex(struct known_set *set, int index);

/* Forgets sources that are gone and not tailed: those gone before `before_ns`, and the oldest beyond `max`.
 * Their indexes are given to others later. How many they were. */
int known_forget_gone(struct known_set *set, int64_t before_ns, int max);

/* The items with that inode: the first, and the one after `index`; -1 when there is none. */
int known_first_by_inode(const struct known_set *set, uint64_t inode);
int known_next_by_inode(const struct known_set *set, int index);

/* Indexes of all that the file may be, by inode or head. The caller frees them. The count, or -1 when memory
 * ran out. */
int known_candidates(const struct known_set *set, const struct source_facts *facts, int **ret_indexes);

#endif
