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
    int16_t next;  /* in the same bucket, or -1 */
    uint8_t rank;
    uint8_t size;
};

struct scan_name_text {
    char data[SCAN_NAME_SIZE_MAX + 1];
};

struct scan_node {
    int16_t bucket[SCAN_NODE_BUCKETS]; /* the first name, or -1 */
};

struct scan_names {
    struct scan_node *node; /* node[0] is the record */
    int node_count;
    struct scan_name *name;      /* apart from their texts: 24 bytes each, all that most look-ups read */
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

/* A key as it is compared. Eight bytes behind it must be readable. */
struct scan_key {
    const char *data;
    size_t size;
    uint64_t head, tail;
};

static inline uint64_t scan_word(const char *data)
{
    uint64_t word;
    memcpy(&word, data, sizeof(word));
    return word;
}

static inline struct scan_key scan_key_of(const char *data, size_t size)
{
    static const uint64_t there[9] = {
        0, 0xFF, 0xFFFF, 0xFFFFFF, 0xFFFFFFFF, 0xFFFFFFFFFF, 0xFFFFFFFFFFFF, 0xFFFFFFFFFFFFFF, UINT64_MAX};
    if (__BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__ || size >= 8)
        return (struct scan_key){data, size, scan_word(data) & there[size < 8 ? size : 8],
                                 size > 8 ? scan_word(data + size - 8) : 0};
    struct scan_key key = {.data = data, .size = size};
    memcpy(&key.head, data, size);
    return key;
}

static inline unsigned scan_key_bucket(const struct scan_key *key)
{
    uint64_t mixed = (key->head ^ (key->tail << 1) ^ key->size) * UINT64_C(0x9E3779B97F4A7C15);
    return (unsigned)(mixed >> (64 - SCAN_NODE_BUCKET_BITS));
}

static inline bool scan_name_is(const struct scan_names *names, int index, const struct scan_key *key)
{
    const struct scan_name *name = &names->name[index];
    return name->head == key->head && name->tail == key->tail && name->size == key->size &&
           (key->size <= 16 || memcmp(names->text[index].data, key->data, key->size) == 0);
}

#endif
