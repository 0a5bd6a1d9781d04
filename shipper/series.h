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
#include "hash.h"

/* How a text that is not empty is told in a line: by its first and last eight bytes, which are all of it up
 * to sixteen, and twice all of it up to eight. */
struct series_sign {
    uint64_t first, last;
    uint8_t last_at; /* where the last eight begin: 0 of a shorter text */
    uint8_t
        spare_bits; /* by which either word is shifted, so that only what belongs to a shorter text is left */
};

/* Of window.c: the window that the latest record of a series counted in. */
struct series_window {
    int64_t begin_ns;
    uint64_t size_ns; /* 0: none */
    uint32_t cell;
};

/* In the order in which it is looked at. */
struct series {
    uint64_t hash;
    struct series_key key; /* its texts are this series' own memory */
    struct series_window window;
    struct series_sign sign[SERIES_TEXT_COUNT];
    bool is_long; /* some text has more than the signs tell */
    uint32_t index;
    int64_t id;     /* in the database; 0 while it has none */
    int64_t new_id; /* given by a commit that has not ended yet */
    char *texts;
};

/* Which series an event of this look had: most records are like some of those right before. */
struct series_recall {
    uint64_t look;
    struct series *series; /* NULL: none */
};

enum { SERIES_RECALL_BITS = 12 };

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
    struct series_recall recall[1 << SERIES_RECALL_BITS];
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

/* Forgets the window of each: what follows is counted in another table of windows. */
void series_table_forget_cells(struct series_table *table);

/* Adds a series that the database has, or gives the id to the one that is there. 0, or -ERR_INT_002. */
int series_table_learn(struct series_table *table, int64_t id, const struct series_key *key);

/* The series of `key`, made or collapsed when it is new. 0, or -ERR_INT_002. */
int series_table_take(struct series_table *table, const struct series_key *key, struct series **ret_series);

/* ---- recalling the series of a record like one not long ago ---- */

static const enum event_key series_text_key[SERIES_TEXT_COUNT] = {
    [SERIES_SERVICE] = EVENT_SERVICE,     [SERIES_ENVIRONMENT] = EVENT_ENVIRONMENT,
    [SERIES_TYPE] = EVENT_EXCEPTION_TYPE, [SERIES_CODE] = EVENT_EXCEPTION_CODE,
    [SERIES_ENDPOINT] = EVENT_ENDPOINT,   [SERIES_LOGGER] = EVENT_LOGGER,
};

/* A text of an event's key as it stands in the line; `service` stands in where there is none. */
static inline const struct value *series_text_of(const struct event *event, const struct value *service,
                                                 int i)
{
    const struct value *value = &event->value[series_text_key[i]];
    return i == SERIES_SERVICE && value->size == 0 ? service : value;
}

/* The end of each text, where texts that begin alike differ, and what stands behind it if it is short. No
 * hash: it only says where to look first. */
static inline uint64_t series_look(const struct event *event, const struct value *service)
{
    uint64_t look = (uint64_t)event->level;
    for (int i = 0; i < SERIES_TEXT_COUNT; i++) {
        const struct value *value = series_text_of(event, service, i);
        /* No branch for the size: texts of one key are long and short in turn. */
        uint32_t last_at = (value->size - 8) & -(uint32_t)(value->size > 8);
        if (value->size)
            look = (look << 11 | look >> 53) ^ hash_load64(value->data + last_at);
    }
    return look * HASH_FACTOR_WORD;
}

/* Whether the texts longer than sixteen bytes are equal, too. */
bool series_long_texts_are(const struct series *series, const struct event *event,
                           const struct value *service);

/*
 * The series of an event that was remembered not long ago; NULL: it may be there all the same. Only an event
 * whose line is UTF-8 may be asked for. Of each text, and of `service`, eight bytes from the beginning must
 * be readable.
 */
static inline struct series *series_table_recall(const struct series_table *table, const struct event *event,
                                                 const struct value *service)
{
    uint64_t look = series_look(event, service);
    const struct series_recall *recall = &table->recall[look >> (64 - SERIES_RECALL_BITS)];
    struct series *series = recall->series;
    if (recall->look != look || !series || series->key.level != event->level)
        return NULL;
    /* The sizes agree, and what stands there is itself the text: absent, a string without escapes, a number
     * or `true`. */
    const uint64_t verbatim = (uint64_t)(VALUE_STRING | VALUE_NUMBER) << 32;
    static_assert(VALUE_ABSENT == 0 && (VALUE_STRING | VALUE_NUMBER) == VALUE_TRUE, "kinds by their bits");
    uint64_t differs = 0;
    for (int i = 0; i < SERIES_TEXT_COUNT; i++)
        differs |= value_nature(series_text_of(event, service, i)) ^ series->key.text[i].size;
    if (differs & ~verbatim)
        return NULL;
    differs = 0;
    for (int i = 0; i < SERIES_TEXT_COUNT; i++) {
        const struct value *value = series_text_of(event, service, i);
        const struct series_sign *sign = &series->sign[i];
        if (value->size)
            differs |= ((hash_load64(value->data) ^ sign->first) |
                        (hash_load64(value->data + sign->last_at) ^ sign->last))
                       << sign->spare_bits;
    }
    if (differs || (series->is_long && !series_long_texts_are(series, event, service)))
        return NULL;
    return series;
}

/* Which series an event has, for series_table_recall(). */
static inline void series_table_remember(struct series_table *table, const struct event *event,
                                         const struct value *service, struct series *series)
{
    uint64_t look = series_look(event, service);
    table->recall[look >> (64 - SERIES_RECALL_BITS)] = (struct series_recall){look, series};
}

#endif
