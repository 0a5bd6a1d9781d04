#include "series.h"

#include "hash.h"
#include "liblog/base/cleanup.h"

#include <assert.h>

enum { SLOTS_MIN = 256, COLLAPSE_STEPS = 4, SIGN_WORD = sizeof(uint64_t), SIGN_BYTES_MAX = 2 * SIGN_WORD };

/* In the order in which they are given up. */
static const enum series_text collapse_order[COLLAPSE_STEPS] = {SERIES_ENDPOINT, SERIES_LOGGER, SERIES_CODE,
                                                                SERIES_TYPE};

/* Each text by itself, under a key of its own: the processor works on all at once. An absent one costs
 * nothing. */
static uint64_t key_hash(const struct series_table *table, const struct series_key *key)
{
    uint64_t hash = hash_number(table->seed, (uint64_t)key->level);
    for (int i = 0; i < SERIES_TEXT_COUNT; i++)
        if (key->text[i].size)
            hash += hash_text(table->seed + (uint64_t)(i + 1) * HASH_FACTOR_WORD, key->text[i]);
    return hash;
}

static bool key_is(const struct series_key *a, const struct series_key *b)
{
    if (a->level != b->level)
        return false;
    for (int i = 0; i < SERIES_TEXT_COUNT; i++)
        if (a->text[i].size != b->text[i].size ||
            (a->text[i].size && !hash_text_equal(a->text[i].data, b->text[i])))
            return false;
    return true;
}

int series_table_init(struct series_table *table, uint64_t series_max, uint64_t seed)
{
    uint32_t *slots = calloc(SLOTS_MIN, sizeof(*slots));
    if (!slots)
        return -ERR_INT_002;
    *table = (struct series_table){
        .slots = slots, .slot_mask = SLOTS_MIN - 1, .series_max = series_max, .seed = seed};
    return 0;
}

void series_table_clear(struct series_table *table)
{
    for (uint32_t i = 0; i < table->count; i++)
        free(series_at(table, i)->texts);
    table->count = 0;
    memset(table->recall, 0, sizeof(table->recall));
    if (table->slots)
        memset(table->slots, 0, ((size_t)table->slot_mask + 1) * sizeof(*table->slots));
}

void series_table_release(struct series_table *table)
{
    series_table_clear(table);
    for (int i = 0; i < SERIES_CHUNKS_MAX; i++)
        free(table->chunk[i]);
    free(table->slots);
    *table = (struct series_table){0};
}

/* The slot of the key, or the free one where it would go. */
static uint32_t *find_slot(const struct series_table *table, uint64_t hash, const struct series_key *key)
{
    for (uint32_t at = (uint32_t)(hash >> 32) & table->slot_mask;; at = (at + 1) & table->slot_mask) {
        uint32_t *slot = &table->slots[at];
        if (*slot == 0)
            return slot;
        const struct series *series = series_at(table, *slot - 1);
        if (series->hash == hash && key_is(&series->key, key))
            return slot;
    }
}

static int grow_slots(struct series_table *table)
{
    uint32_t size = (table->slot_mask + 1) * 2;
    uint32_t *slots = calloc(size, sizeof(*slots));
    if (!slots)
        return -ERR_INT_002;
    free(table->slots);
    table->slots = slots;
    table->slot_mask = size - 1;
    for (uint32_t i = 0; i < table->count; i++)
        *find_slot(table, series_at(table, i)->hash, &series_at(table, i)->key) = i + 1;
    return 0;
}

/* The chunk of the next row, made when that is its first. */
static int make_chunk(struct series_table *table)
{
    uint32_t place = table->count + (1u << SERIES_CHUNK_BITS_MIN);
    int chunk = 31 - __builtin_clz(place) - SERIES_CHUNK_BITS_MIN;
    if (chunk >= SERIES_CHUNKS_MAX)
        return -ERR_INT_002;
    if (!table->chunk[chunk])
        table->chunk[chunk] = calloc((size_t)1 << (SERIES_CHUNK_BITS_MIN + chunk), sizeof(struct series));
    return table->chunk[chunk] ? 0 : -ERR_INT_002;
}

static int make_room(struct series_table *table)
{
    if (make_chunk(table) < 0)
        return -ERR_INT_002;
    /* At most half full, so that a search ends soon. */
    if ((table->count + 1) * 2 > table->slot_mask)
        return grow_slots(table);
    return 0;
}

/* A copy of the key in one piece of memory, which the caller frees. */
static char *copy_key(const struct series_key *key, struct series_key *ret_copy)
{
    size_t size = SIGN_WORD; /* read behind a short text */
    for (int i = 0; i < SERIES_TEXT_COUNT; i++)
        size += key->text[i].size;
    char *texts = calloc(1, size);
    if (!texts)
        return NULL;
    char *out = texts;
    ret_copy->level = key->level;
    for (int i = 0; i < SERIES_TEXT_COUNT; i++) {
        if (key->text[i].size)
            memcpy(out, key->text[i].data, key->text[i].size);
        ret_copy->text[i] = slice_from(out, key->text[i].size);
        out += key->text[i].size;
    }
    return texts;
}

/* The text lies in memory of copy_key(). */
static struct series_sign sign_of(struct slice text)
{
    struct series_sign sign = {
        .last_at = (uint8_t)(text.size > SIGN_WORD ? text.size - SIGN_WORD : 0),
        .spare_bits = (uint8_t)(text.size < SIGN_WORD ? 8 * (SIGN_WORD - text.size) : 0),
    };
    sign.first = hash_load64(text.data);
    sign.last = hash_load64(text.data + sign.last_at);
    return sign;
}

static int add(struct series_table *table, uint64_t hash, const struct series_key *key, int64_t id)
{
    if (make_room(table) < 0)
        return -ERR_INT_002;
    struct series series = {.index = table->count, .hash = hash, .id = id};
    series.texts = copy_key(key, &series.key);
    if (!series.texts)
        return -ERR_INT_002;
    for (int i = 0; i < SERIES_TEXT_COUNT; i++)
        if (series.key.text[i].size) {
            series.sign[i] = sign_of(series.key.text[i]);
            series.is_long |= series.key.text[i].size > SIGN_BYTES_MAX;
        }
    *series_at(table, table->count++) = series;
    uint32_t *slot = find_slot(table, hash, key);
    assert(*slot == 0);
    *slot = table->count;
    return 0;
}

void series_table_forget_ids(struct series_table *table)
{
    for (uint32_t i = 0; i < table->count; i++)
        series_at(table, i)->id = 0;
}

void series_table_forget_cells(struct series_table *table)
{
    for (uint32_t i = 0; i < table->count; i++)
        series_at(table, i)->window.size_ns = 0;
}

int series_table_learn(struct series_table *table, int64_t id, const struct series_key *key)
{
    uint64_t hash = key_hash(table, key);
    uint32_t slot = *find_slot(table, hash, key);
    if (slot == 0)
        return add(table, hash, key, id);
    series_at(table, slot - 1)->id = id;
    return 0;
}

/* Gives up texts step by step until the series exists or there is still room for it. */
static void collapse(const struct series_table *table, struct series_key *key)
{
    for (int step = 0; step < COLLAPSE_STEPS; step++) {
        struct slice *text = &key->text[collapse_order[step]];
        if (text->size)
            *text = SLICE("other");
        uint64_t room = table->series_max + (table->series_max / 16) * (uint64_t)(step + 1);
        if (table->count < room || *find_slot(table, key_hash(table, key), key) != 0)
            return;
    }
}

static int take_or_collapse(struct series_table *table, const struct series_key *key, uint32_t *ret_slot)
{
    uint64_t hash = key_hash(table, key);
    *ret_slot = *find_slot(table, hash, key);
    if (*ret_slot)
        return 0;
    struct series_key collapsed = *key;
    if (table->count >= table->series_max) {
        collapse(table, &collapsed);
        hash = key_hash(table, &collapsed);
        *ret_slot = *find_slot(table, hash, &collapsed);
    }
    if (*ret_slot)
        return 0;
    int r = add(table, hash, &collapsed, 0);
    *ret_slot = table->count;
    return r;
}

int series_table_take(struct series_table *table, const struct series_key *key, struct series **ret_series)
{
    uint32_t slot;
    int r = take_or_collapse(table, key, &slot);
    if (r < 0)
        return r;
    *ret_series = series_at(table, slot - 1);
    return 0;
}

bool series_long_texts_are(const struct series *series, const struct event *event,
                           const struct value *service)
{
    for (int i = 0; i < SERIES_TEXT_COUNT; i++) {
        struct slice text = series->key.text[i];
        if (text.size > SIGN_BYTES_MAX &&
            memcmp(series_text_of(event, service, i)->data, text.data, text.size) != 0)
            return false;
    }
    return true;
}
