/*
 * The series of a database: the combinations of texts by which counts are kept apart, each with a number that
 * stands for it while the program runs (its index here) and one in the database (its id).
 *
 * At most `series_max` are kept in full. Beyond that a new one gives up its endpoint, then logger, code and
 * type, each for the word `other`; never service, environment and level, so that counts by these stay exact.
 * The steps have a sixteenth of `series_max` each of their own, that one text of many values does not take
 * the others with it. A text that is empty stays empty: nothing is known of it that could be given up.
 */
#ifndef SHIPPER_SERIES_H
#define SHIPPER_SERIES_H

#include "batch.h"

struct series {
    uint64_t hash;
    uint64_t outline;      /* of the key */
    int64_t id;            /* in the database; 0 while it has none */
    int64_t new_id;        /* given by a commit that has not ended yet */
    struct series_key key; /* its texts are this series' own memory */
    char *texts;
    int64_t last_start; /* window.c's: the window of the latest record, and its cell */
    uint32_t last_cell;
};

/* No window starts here. */
#define SERIES_NO_WINDOW INT64_MIN

/* Which series a key of about this look had: most records are like some of those right before. */
enum { SERIES_RECALL_BITS = 8 };

/* Rows lie in chunks, each twice as large as the one before, and never move: the store reads the texts of
 * those that it was given while others are added. */
enum { SERIES_CHUNK_BITS_MIN = 6, SERIES_CHUNKS_MAX = 26 };

struct series_table {
    struct series *chunk[SERIES_CHUNKS_MAX];
    uint32_t count;
    uint32_t *slots; /* index + 1 of a row, 0 when free; open addressing */
    uint32_t slot_mask;
    uint64_t series_max;
    uint64_t seed;
    uint32_t recall[1 << SERIES_RECALL_BITS]; /* index + 1 of a row, 0: of none */
};

/* The row of an index. */
static inline struct series *series_at(const struct series_table *table, uint32_t index)
{
    uint32_t place = index + (1u << SERIES_CHUNK_BITS_MIN); /* its highest bit tells the chunk */
    unsigned bits = 31 - (unsigned)__builtin_clz(place);
    return &table->chunk[bits - SERIES_CHUNK_BITS_MIN][place - (1u << bits)];
}

/* 0, or -ERR_INT_002 with nothing to release. */
int series_table_init(struct series_table *table, uint64_t series_max, uint64_t seed);
void series_table_release(struct series_table *table);

/* Forgets all series; indices given before are void. */
void series_table_clear(struct series_table *table);

/* Forgets the ids of all: the database does not have them any more, or not under these. */
void series_table_forget_ids(struct series_table *table);

/* Forgets which cell each has counted in last: what follows is counted in another table of windows. */
void series_table_forget_cells(struct series_table *table);

/* Adds a series that the database has, or gives the id to the one that is there. 0, or -ERR_INT_002. */
int series_table_learn(struct series_table *table, int64_t id, const struct series_key *key);

/*
 * The level and the sizes of the texts in one word: keys that differ mostly differ in it. Texts of a key that
 * a table has are at most SERIES_TEXT_BYTES_MAX long, so each size is a byte.
 */
static inline uint64_t series_outline(const struct series_key *key)
{
    uint64_t outline = (uint64_t)key->level;
    for (int i = 0; i < SERIES_TEXT_COUNT; i++)
        outline |= (uint64_t)(uint8_t)key->text[i].size << (8 * (i + 1));
    return outline;
}

/* The index of the series of `key`, made or collapsed when it is new. 0, or -ERR_INT_002. */
int series_table_take(struct series_table *table, const struct series_key *key, uint32_t *ret_index);

#endif
