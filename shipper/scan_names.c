#include "scan_names.h"

#include "liblog/base/cleanup.h"

/* A key as it is compared. */
struct key {
    struct slice text;
    uint64_t head, tail;
};

/* `text` is at most SCAN_NAME_SIZE_MAX bytes. */
static struct key key_of(struct slice text)
{
    struct key key = {.text = text};
    memcpy(&key.head, text.data, text.size < 8 ? text.size : 8);
    if (text.size > 8)
        key.tail = scan_word(text.data + text.size - 8);
    return key;
}

static unsigned bucket_of(const struct key *key)
{
    uint64_t mixed = (key->head ^ (key->tail << 1) ^ key->text.size) * UINT64_C(0x9E3779B97F4A7C15);
    return (unsigned)(mixed >> (64 - SCAN_NODE_BUCKET_BITS));
}

static bool name_is(const struct scan_names *names, int index, const struct key *key)
{
    const struct scan_name *name = &names->name[index];
    return name->head == key->head && name->tail == key->tail && name->size == key->text.size &&
           (name->size <= 16 || memcmp(names->text[index].data, key->text.data, name->size) == 0);
}

static int find(const struct scan_names *names, int node, const struct key *key)
{
    int index = names->node[node].bucket[bucket_of(key)];
    while (index >= 0 && !name_is(names, index, key))
        index = names->name[index].next;
    return index;
}

int scan_names_find(const struct scan_names *names, int node, struct slice text)
{
    if (text.size > SCAN_NAME_SIZE_MAX)
        return -1;
    struct key key = key_of(text);
    return find(names, node, &key);
}

void scan_guess_set(struct scan_guess *guess, const char *key, size_t size, int name)
{
    if (size > SCAN_GUESS_SIZE_MAX)
        return;
    char there[SCAN_GUESS_SIZE_MAX] = {0};
    *guess = (struct scan_guess){.size = (uint32_t)size, .name = (int16_t)name};
    memset(there, 0xFF, size);
    memcpy(guess->mask, there, sizeof(there));
    memcpy(guess->word, key, size);
}

/* Room for one more element, with its bytes zero; the array doubles when the count is a power of two. */
static int grow(void **array, int count, size_t element_size)
{
    if (count & (count - 1))
        return 0;
    void *larger = realloc(*array, (count ? 2 * (size_t)count : 1) * element_size);
    if (!larger)
        return -ERR_INT_002;
    *array = larger;
    return 0;
}

static int add_node(struct scan_names *names)
{
    void *nodes = names->node;
    int rc = grow(&nodes, names->node_count, sizeof(*names->node));
    names->node = nodes;
    if (rc < 0)
        return rc;
    struct scan_node *node = &names->node[names->node_count];
    *node = (struct scan_node){0};
    memset(node->bucket, 0xFF, sizeof(node->bucket)); /* every one -1 */
    return names->node_count++;
}

static int grow_names(struct scan_names *names)
{
    void *name = names->name;
    void *text = names->text;
    int rc =
        names->name_count < INT16_MAX ? grow(&name, names->name_count, sizeof(*names->name)) : -ERR_INT_002;
    names->name = name;
    if (rc == 0)
        rc = grow(&text, names->name_count, sizeof(*names->text));
    names->text = text;
    return rc;
}

/* Links a new name in: behind those of its text, or else into its bucket. */
static void link_name(struct scan_names *names, int node, int index, const struct key *key)
{
    int first = find(names, node, key);
    int16_t *link = &names->node[node].bucket[bucket_of(key)];
    if (first >= 0)
        link = &names->name[first].same;
    *(first >= 0 ? &names->name[index].same : &names->name[index].next) = *link;
    *link = (int16_t)index;
}

/* Puts a name without meaning yet into a node. Its index, or a negative error. */
static int add_name(struct scan_names *names, int node, struct slice text)
{
    int rc = grow_names(names);
    if (rc < 0)
        return rc;
    int index = names->name_count++;
    struct scan_name_text *copy = &names->text[index];
    *copy = (struct scan_name_text){0};
    memcpy(copy->data, text.data, text.size);
    struct key key = key_of(slice_from(copy->data, text.size));
    names->name[index] = (struct scan_name){
        .head = key.head,
        .tail = key.tail,
        .key = -1,
        .child = -1,
        .next = -1,
        .same = -1,
        .rank = SCAN_RANK_NONE,
        .size = (uint8_t)text.size,
    };
    link_name(names, node, index, &key);
    return index;
}

/* The node behind the name `text` of `node`, made when there is none. */
static int child_of(struct scan_names *names, int node, struct slice text)
{
    for (int n = scan_names_find(names, node, text); n >= 0; n = names->name[n].same)
        if (names->name[n].child >= 0)
            return names->name[n].child;
    int name = add_name(names, node, text);
    int child = name < 0 ? name : add_node(names);
    if (child >= 0)
        names->name[name].child = (int16_t)child;
    return child;
}

static int add_key(struct scan_names *names, int node, struct slice text, enum event_key key, uint8_t rank)
{
    int name = add_name(names, node, text);
    if (name < 0)
        return name;
    names->name[name].key = (int16_t)key;
    names->name[name].rank = rank;
    return 0;
}

static bool path_is_good(struct slice path)
{
    if (path.size == 0 || path.size > SCAN_NAME_SIZE_MAX || path.data[0] == '.' ||
        path.data[path.size - 1] == '.')
        return false;
    for (size_t i = 1; i < path.size; i++)
        if (path.data[i] == '.' && path.data[i - 1] == '.')
            return false;
    return true;
}

int scan_names_add(struct scan_names *names, const char *path, enum event_key key, uint8_t rank, bool flat)
{
    struct slice rest = slice_of(path);
    if (!path_is_good(rest))
        return -ERR_CFG_004;
    int node = 0;
    for (;;) {
        const char *dot = memchr(rest.data, '.', rest.size);
        int rc = !dot || flat ? add_key(names, node, rest, key, rank) : 0;
        if (rc < 0 || !dot)
            return rc;
        node = child_of(names, node, slice_from(rest.data, (size_t)(dot - rest.data)));
        if (node < 0)
            return node;
        rest = slice_from(dot + 1, (size_t)(rest.data + rest.size - dot - 1));
    }
}

int scan_names_init(struct scan_names *names)
{
    *names = (struct scan_names){0};
    int node = add_node(names);
    return node < 0 ? node : 0;
}

void scan_names_release(struct scan_names *names)
{
    free(names->node);
    free(names->name);
    free(names->text);
    *names = (struct scan_names){0};
}
