#include "tail_known.h"

#include "liblog/base/cleanup.h"

enum { BUCKETS_MIN = 1024 };

void known_release(struct known_set *set)
{
    for (int i = 0; i < set->count; i++)
        free(set->items[i].path);
    free(set->items);
    free(set->by_inode);
    free(set->by_head);
    free(set->by_start);
    *set = (struct known_set){0};
}

const struct source_evidence *known_evidence(const struct known *known)
{
    return known->source ? &known->source->record.evidence : &known->evidence;
}

static bool is_free(const struct known *known)
{
    return !known->source && !known->path;
}

const char *known_path(const struct known *known)
{
    return known->source ? known->source->record.path : known->path;
}

static int *inode_bucket(const struct known_set *set, uint64_t inode)
{
    uint64_t mixed = inode * UINT64_C(0x9e3779b97f4a7c15);
    return &set->by_inode[(mixed >> 32) & (uint64_t)(set->bucket_count - 1)];
}

static int *head_bucket(const struct known_set *set, const struct source_hash *head)
{
    uint32_t bits;
    memcpy(&bits, head->hash, sizeof(bits));
    return &set->by_head[bits & (uint32_t)(set->bucket_count - 1)];
}

/*
 * A file that turned up may have a head of any size that a source has, up to a thousand of them, and to hash
 * it in all of these is dear. So there is an index by what costs one hash: the start, with the head's size.
 */
static uint64_t start_key(const struct source_hash *start, uint32_t head_size)
{
    uint64_t bits;

    memcpy(&bits, start->hash, sizeof(bits));
    bits = (bits ^ head_size) * UINT64_C(0x9e3779b97f4a7c15);
    return bits ? bits : 1;
}

static int *start_bucket(const struct known_set *set, uint64_t key)
{
    return &set->by_start[(key >> 32) & (uint64_t)(set->bucket_count - 1)];
}

static void index_start(struct known_set *set, int index)
{
    struct known *known = &set->items[index];
    const struct source_evidence *evidence = known_evidence(known);

    known->indexed_start = 0;
    if (evidence->head.size < SOURCE_START_BYTES)
        return;
    known->indexed_start = start_key(&evidence->start, evidence->head.size);
    int *bucket = start_bucket(set, known->indexed_start);
    known->next_by_start = *bucket;
    *bucket = index;
}

static void unindex_start(struct known_set *set, int index)
{
    struct known *known = &set->items[index];

    if (!known->indexed_start)
        return;
    int *link = start_bucket(set, known->indexed_start);
    while (*link != index)
        link = &set->items[*link].next_by_start;
    *link = known->next_by_start;
}

/* Whether some source has a head of that size which begins with that start. */
static bool has_start(const struct known_set *set, const struct source_hash *start, uint32_t head_size)
{
    uint64_t key = start_key(start, head_size);
    int index = *start_bucket(set, key);

    while (index >= 0 && set->items[index].indexed_start != key)
        index = set->items[index].next_by_start;
    return index >= 0;
}

/* Puts an item into all chains, by the evidence it has now. A source without head is found by its inode
 * only. */
static void index_item(struct known_set *set, int index)
{
    struct known *known = &set->items[index];
    const struct source_evidence *evidence = known_evidence(known);

    known->indexed_inode = evidence->inode;
    known->indexed_head = evidence->head;
    int *bucket = inode_bucket(set, known->indexed_inode);
    known->next_by_inode = *bucket;
    *bucket = index;
    if (known->indexed_head.size == 0)
        return;
    bucket = head_bucket(set, &known->indexed_head);
    known->next_by_head = *bucket;
    *bucket = index;
    set->head_sizes[known->indexed_head.size]++;
    index_start(set, index);
}

static void unindex_item(struct known_set *set, int index)
{
    struct known *known = &set->items[index];
    int *link = inode_bucket(set, known->indexed_inode);

    while (*link != index)
        link = &set->items[*link].next_by_inode;
    *link = known->next_by_inode;
    if (known->indexed_head.size == 0)
        return;
    link = head_bucket(set, &known->indexed_head);
    while (*link != index)
        link = &set->items[*link].next_by_head;
    *link = known->next_by_head;
    set->head_sizes[known->indexed_head.size]--;
    unindex_start(set, index);
}

void known_reindex(struct known_set *set, int index)
{
    const struct known *known = &set->items[index];
    const struct source_evidence *evidence = known_evidence(known);

    if (evidence->inode == known->indexed_inode && source_hash_equal(&evidence->head, &known->indexed_head))
        return;
    unindex_item(set, index);
    index_item(set, index);
}

static int grow_buckets(struct known_set *set)
{
    int count = set->bucket_count ? 2 * set->bucket_count : BUCKETS_MIN;
    _cleanup_free_ int *by_inode = malloc((size_t)count * sizeof(int));
    _cleanup_free_ int *by_head = malloc((size_t)count * sizeof(int));
    _cleanup_free_ int *by_start = malloc((size_t)count * sizeof(int));

    if (!by_inode || !by_head || !by_start)
        return -1;
    memset(by_inode, -1, (size_t)count * sizeof(int));
    memset(by_head, -1, (size_t)count * sizeof(int));
    memset(by_start, -1, (size_t)count * sizeof(int));
    free(set->by_inode);
    free(set->by_head);
    free(set->by_start);
    set->by_inode = take_pointer(by_inode);
    set->by_head = take_pointer(by_head);
    set->by_start = take_pointer(by_start);
    set->bucket_count = count;
    memset(set->head_sizes, 0, sizeof(set->head_sizes));
    for (int i = 0; i < set->count; i++)
        if (!is_free(&set->items[i]))
            index_item(set, i);
    return 0;
}

static int grow_items(struct known_set *set)
{
    int capacity = set->capacity ? 2 * set->capacity : 64;
    void *grown = realloc(set->items, (size_t)capacity * sizeof(*set->items));

    if (!grown)
        return -1;
    set->items = grown;
    set->capacity = capacity;
    return 0;
}

static int make_room(struct known_set *set)
{
    if (set->first_free > 0)
        return 0;
    if (set->count == set->bucket_count && grow_buckets(set) < 0)
        return -1;
    return set->count == set->capacity ? grow_items(set) : 0;
}

static int take_index(struct known_set *set)
{
    int index = set->first_free - 1;

    if (index < 0)
        return set->count++;
    set->first_free = set->items[index].next_by_inode;
    return index;
}

int known_add(struct known_set *set, const char *id, const char *path, const struct source_evidence *evidence)
{
    _cleanup_free_ char *copy = strdup(path);

    if (!copy || make_room(set) < 0)
        return -1;
    int index = take_index(set);
    struct known *known = &set->items[index];
    *known = (struct known){.evidence = *evidence, .path = take_pointer(copy)};
    memcpy(known->id, id, UUID_TEXT_SIZE);
    index_item(set, index);
    return index;
}

static void forget(struct known_set *set, int index)
{
    struct known *known = &set->items[index];

    unindex_item(set, index);
    free(known->path);
    *known = (struct known){.next_by_inode = set->first_free};
    set->first_free = index + 1;
}

static int compare_i64(const void *left, const void *right)
{
    int64_t a = *(const int64_t *)left, b = *(const int64_t *)right;
    return (a > b) - (a < b);
}

static bool is_gone(const struct known *known)
{
    return !known->source && known->path && known->evidence.gone_ns;
}

/* When those were gone that go because there are more than `max`; INT64_MIN when there are not, or no memory
 * to find out. */
static int64_t gone_beyond(const struct known_set *set, int max)
{
    int count = 0;

    for (int i = 0; i < set->count; i++)
        count += is_gone(&set->items[i]);
    if (count <= max)
        return INT64_MIN;
    _cleanup_free_ int64_t *times = malloc((size_t)count * sizeof(*times));
    if (!times)
        return INT64_MIN;
    for (int i = 0, at = 0; i < set->count; i++)
        if (is_gone(&set->items[i]))
            times[at++] = set->items[i].evidence.gone_ns;
    qsort(times, (size_t)count, sizeof(*times), compare_i64);
    return times[count - max - 1];
}

int known_forget_gone(struct known_set *set, int64_t before_ns, int max)
{
    int64_t beyond_ns = gone_beyond(set, max);
    int forgotten = 0;

    for (int i = 0; i < set->count; i++) {
        const struct known *known = &set->items[i];
        if (!is_gone(known) || (known->evidence.gone_ns >= before_ns && known->evidence.gone_ns > beyond_ns))
            continue;
        forget(set, i);
        forgotten++;
    }
    return forgotten;
}

int known_first_by_inode(const struct known_set *set, uint64_t inode)
{
    int index = set->bucket_count ? *inode_bucket(set, inode) : -1;

    while (index >= 0 && set->items[index].indexed_inode != inode)
        index = set->items[index].next_by_inode;
    return index;
}

int known_next_by_inode(const struct known_set *set, int index)
{
    uint64_t inode = set->items[index].indexed_inode;

    do
        index = set->items[index].next_by_inode;
    while (index >= 0 && set->items[index].indexed_inode != inode);
    return index;
}

struct index_list {
    int *items;
    int count, capacity;
};

static int add_index(struct index_list *list, int index)
{
    if (list->count == list->capacity) {
        int capacity = list->capacity ? 2 * list->capacity : 16;
        void *grown = realloc(list->items, (size_t)capacity * sizeof(int));
        if (!grown)
            return -1;
        list->items = grown;
        list->capacity = capacity;
    }
    list->items[list->count++] = index;
    return 0;
}

/* Those whose head has this size and is the file's; the ones with its inode are in the list already. */
static int add_by_head(const struct known_set *set, const struct source_facts *facts, uint32_t size,
                       struct index_list *list)
{
    struct source_hash head;

    source_hash_bytes(&head, facts->head.data, size);
    for (int i = *head_bucket(set, &head); i >= 0; i = set->items[i].next_by_head) {
        const struct known *known = &set->items[i];
        if (known->indexed_inode == facts->inode || !source_hash_equal(&known->indexed_head, &head))
            continue;
        if (add_index(list, i) < 0)
            return -1;
    }
    return 0;
}

int known_candidates(const struct known_set *set, const struct source_facts *facts, int **ret_indexes)
{
    struct index_list list = {0};
    struct source_hash start = {0};
    int error = 0;

    if (facts->head.size >= SOURCE_START_BYTES)
        source_hash_bytes(&start, facts->head.data, SOURCE_START_BYTES);

    for (int i = known_first_by_inode(set, facts->inode); i >= 0 && error == 0;
         i = known_next_by_inode(set, i))
        error = add_index(&list, i);
    for (uint32_t size = 1; size <= facts->head.size && set->count > 0 && error == 0; size++)
        if (set->head_sizes[size] > 0 && (size < SOURCE_START_BYTES || has_start(set, &start, size)))
            error = add_by_head(set, facts, size, &list);
    if (error < 0) {
        free(list.items);
        return -1;
    }
    *ret_indexes = list.items;
    return list.count;
}
