/*
 * Which key of an object means what: the names of a format and of an input's mapping, as a tree of small hash
 * tables, one for the record itself and one for each object of it that is looked into (`exception`, and what
 * a mapping names). A node's children have higher numbers than itself.
 */
#ifndef SHIPPER_SCAN_NAMES_H
#define SHIPPER_SCAN_NAMES_H

#include "scan.h"

enum {
    SCAN_NAME_SIZE_MAX = 127,
    SCAN_NODE_BUCKET_BITS = 8, /* so many that names of one format seldom meet */
    SCAN_NODE_BUCKETS = 1 << SCAN_NODE_BUCKET_BITS,
    SCAN_RANK_NONE = 255, /* worse than any; a rank is how good a name is for its key, 0 the best */
};

/* A name in one object: it gives the value of a key, or leads to an object with names of its own. */
struct scan_name {
    uint64_t head; /* its first 8 bytes, zeros behind a shorter one */
    uint64_t tail; /* its last 8 bytes, 0 when it has no more than 8 */
    int16_t key;   /* enum event_key, or -1 */
    int16_t child; /* a node, or -1 */
    int16_t next;  /* in the same bucket and of another text, or -1 */
    int16_t same;  /* of the same text in the same node, or -1 */
    uint8_t rank;
    uint8_t size;
};

struct scan_name_text {
    char data[SCAN_NAME_SIZE_MAX + 1];
};

/*
 * What one member of an object had for its key in the line before: its bytes from the opening quote to the
 * colon, in two words. Programs write their keys in the same order again and again, so the first look is at
 * that.
 */
struct scan_guess {
    uint64_t word[2];
    uint64_t mask[2]; /* of the bytes that count */
    uint32_t size;    /* with quotes and colon; 0: none yet */
    int16_t name;     /* what the key was found to be; -1: none of ours */
};

enum { SCAN_GUESSES = 32, SCAN_GUESS_SIZE_MAX = 16 };

struct scan_node {
    int16_t bucket[SCAN_NODE_BUCKETS];     /* the first name, or -1 */
    struct scan_guess guess[SCAN_GUESSES]; /* by the number of the member, modulo their count */
};

struct scan_names {
    struct scan_node *node; /* node[0] is the record */
    int node_count;
    struct scan_name *name;      /* apart from their texts: 32 bytes each, all that most look-ups read */
    struct scan_name_text *text; /* of each name */
    int name_count;
};

/* Sets up an empty tree. 0, or -ERR_INT_002; scan_names_release() takes it in any case. */
int scan_names_init(struct scan_names *names);
void scan_names_release(struct scan_names *names);

/*
 * Lets `path` give the value of `key`: "a.b" is the key b in the object a and, when `flat`, also the record's
 * key "a.b". 0, -ERR_INT_002, or -ERR_CFG_004 when the path is empty or a part of it is, or it is too long.
 */
int scan_names_add(struct scan_names *names, const char *path, enum event_key key, uint8_t rank, bool flat);

/* The first name of `node` that is `text` (others follow by `same`), or -1. */
int scan_names_find(const struct scan_names *names, int node, struct slice text);

static inline uint64_t scan_word(const char *data)
{
    uint64_t word;
    memcpy(&word, data, sizeof(word));
    return word;
}

/* Whether the `size` bytes at `key` are those of the guess; 16 bytes must be readable there. */
static inline bool scan_guess_is(const struct scan_guess *guess, const char *key, size_t size)
{
    return guess->size == size && (scan_word(key) & guess->mask[0]) == guess->word[0] &&
           (scan_word(key + 8) & guess->mask[1]) == guess->word[1];
}

void scan_guess_set(struct scan_guess *guess, const char *key, size_t size, int name);

#endif
