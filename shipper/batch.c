#include "batch_content.h"

#include "column_text.h"
#include "liblog/base/cleanup.h"

#include <assert.h>
#include <endian.h>
#include <stddef.h>
#include <sys/random.h>

/* Seeds are secret, so that no log can be written to make the tables slow; without the kernel's help they are
 * only odd. */
static uint64_t random_seed(void)
{
    uint64_t seed = (uint64_t)getpid();
    if (getrandom(&seed, sizeof(seed), GRND_NONBLOCK) != sizeof(seed))
        seed ^= (uintptr_t)&seed;
    return seed;
}

static void clear_rejects(struct reject_list *rejects)
{
    for (uint32_t i = 0; i < rejects->line_count; i++)
        free((void *)rejects->lines[(rejects->begin + i) % BATCH_REJECT_LINES_MAX].line.data);
    free(rejects->lines);
    *rejects = (struct reject_list){0};
}

static int part_init(struct batch_part *part)
{
    int r = window_table_init(&part->windows);
    return r == 0 ? run_table_init(&part->runs, random_seed()) : r;
}

static void part_release(struct batch_part *part)
{
    clear_rejects(&part->rejects);
    run_table_release(&part->runs);
    window_table_release(&part->windows);
}

int batch_new(uint64_t series_max, struct batch **ret_batch)
{
    struct batch *batch = calloc(1, sizeof(*batch));
    if (!batch)
        return -ERR_INT_002;
    if (series_table_init(&batch->series, series_max, random_seed()) < 0 || part_init(&batch->now) < 0 ||
        part_init(&batch->aside) < 0) {
        batch_free(batch);
        return -ERR_INT_002;
    }
    *ret_batch = batch;
    return 0;
}

void batch_free(struct batch *batch)
{
    if (!batch)
        return;
    part_release(&batch->now);
    part_release(&batch->aside);
    series_table_release(&batch->series);
    free(batch);
}

void batch_set_aside(struct batch *batch)
{
    struct batch_part empty = batch->aside;
    assert(empty.windows.count == 0 && empty.runs.count == 0 && empty.rejects.line_count == 0);
    batch->aside = batch->now;
    batch->now = empty;
    series_table_forget_cells(&batch->series);
}

void batch_clear_aside(struct batch *batch)
{
    struct batch_part *part = &batch->aside;
    for (uint32_t i = 0; i < batch->series.count; i++) {
        struct series *series = series_at(&batch->series, i);
        if (series->new_id)
            series->id = series->new_id;
        series->new_id = 0;
    }
    window_table_clear(&part->windows);
    run_table_clear(&part->runs);
    clear_rejects(&part->rejects);
    part->counted = 0;
}

int batch_learn_series(struct batch *batch, int64_t series_id, const struct series_key *key)
{
    return series_table_learn(&batch->series, series_id, key);
}

/* Room for each text of a key that cannot stand as it is in the line. */
struct key_memory {
    char text[SERIES_TEXT_COUNT][COLUMN_TEXT_BYTES_MAX];
};

static struct slice own_or(struct slice own, struct slice fallback, char memory[static COLUMN_TEXT_BYTES_MAX])
{
    if (own.size || fallback.size == 0)
        return own;
    struct value value = {.data = fallback.data, .size = (uint32_t)fallback.size, .kind = VALUE_STRING};
    return column_text(&value, true, memory);
}

static const enum event_key text_from[SERIES_TEXT_COUNT] = {
    [SERIES_SERVICE] = EVENT_SERVICE,     [SERIES_ENVIRONMENT] = EVENT_ENVIRONMENT,
    [SERIES_TYPE] = EVENT_EXCEPTION_TYPE, [SERIES_CODE] = EVENT_EXCEPTION_CODE,
    [SERIES_ENDPOINT] = EVENT_ENDPOINT,   [SERIES_LOGGER] = EVENT_LOGGER,
};

/* The texts as they stand in the line, which is how nearly all of them may stand. Whether they may: each is
 * absent, or a string of moderate size without escapes. */
static inline bool view_key(const struct event *event, struct series_key *ret_key)
{
    const uint64_t moderate = 127 | (uint64_t)VALUE_STRING << 32;
    static_assert(VALUE_ABSENT == 0 && VALUE_STRING == 1 && 127 <= COLUMN_TEXT_BYTES_MAX, "bits of a nature");
    uint64_t odd = event->bad_utf8 ? UINT64_MAX : 0;
    for (int i = 0; i < SERIES_TEXT_COUNT; i++) {
        const struct value *value = &event->value[text_from[i]];
        odd |= value_nature(value) & ~moderate;
        ret_key->text[i] = slice_from(value->data, value->size);
    }
    return !odd;
}

static void clean_key(const struct event *event, struct key_memory *memory, struct series_key *ret_key)
{
    for (int i = 0; i < SERIES_TEXT_COUNT; i++)
        ret_key->text[i] = column_text(&event->value[text_from[i]], !event->bad_utf8, memory->text[i]);
}

static inline void make_key(const struct event *event, struct slice service, struct key_memory *memory,
                            struct series_key *ret_key)
{
    ret_key->level = event->level;
    if (!view_key(event, ret_key))
        clean_key(event, memory, ret_key);
    ret_key->text[SERIES_SERVICE] =
        own_or(ret_key->text[SERIES_SERVICE], service, memory->text[SERIES_SERVICE]);
}

static void count(struct batch_part *part, struct window_cell *cell, int64_t time_ns)
{
    cell->count++;
    if (part->counted == 0 || time_ns < part->oldest_ns)
        part->oldest_ns = time_ns;
    if (part->counted == 0 || time_ns > part->newest_ns)
        part->newest_ns = time_ns;
    part->counted++;
}

int batch_add(struct batch *batch, const struct event *event, struct slice service)
{
    struct key_memory memory;
    struct series_key key;
    make_key(event, service, &memory, &key);
    if (event->is_mark && !event->is_crash)
        return run_table_add(&batch->now.runs, event, key.text[SERIES_SERVICE]);

    /* All that can fail comes before the first thing that counts. */
    uint32_t series;
    struct window_cell *cell = NULL;
    int r = series_table_take(&batch->series, &key, &series);
    if (r == 0)
        r = window_table_take(&batch->now.windows, &batch->series, series, event->time_ns, &cell);
    if (r == 0)
        r = run_table_add(&batch->now.runs, event, key.text[SERIES_SERVICE]);
    if (r < 0)
        return r;
    count(&batch->now, cell, event->time_ns);
    return 0;
}

static int keep_line(struct reject_list *rejects, const struct reject_line *line)
{
    if (!rejects->lines)
        rejects->lines = calloc(BATCH_REJECT_LINES_MAX, sizeof(*rejects->lines));
    size_t size = line->line.size < REJECT_LINE_BYTES_MAX ? line->line.size : REJECT_LINE_BYTES_MAX;
    char *copy = rejects->lines ? malloc(size + 1) : NULL;
    if (!copy)
        return -ERR_INT_002;
    if (size)
        memcpy(copy, line->line.data, size);
    struct reject_line *place =
        &rejects->lines[(rejects->begin + rejects->line_count) % BATCH_REJECT_LINES_MAX];
    if (rejects->line_count == BATCH_REJECT_LINES_MAX) {
        free((void *)place->line.data);
        rejects->begin = (rejects->begin + 1) % BATCH_REJECT_LINES_MAX;
    } else {
        rejects->line_count++;
    }
    *place = *line;
    place->line = slice_from(copy, size);
    return 0;
}

int batch_add_reject(struct batch *batch, const char *source_id, uint64_t offset, enum reject_reason reason,
                     struct slice line)
{
    struct reject_line kept = {.offset = offset, .reason = reason, .line = line};
    size_t size = strnlen(source_id, UUID_TEXT_SIZE);
    memcpy(kept.source_id, source_id, size);
    int r = keep_line(&batch->now.rejects, &kept);
    if (r < 0)
        return r;
    batch->now.rejects.count[reason]++;
    return 0;
}

const struct reject_line *batch_reject_line(const struct batch_part *part, uint32_t i)
{
    return &part->rejects.lines[(part->rejects.begin + i) % BATCH_REJECT_LINES_MAX];
}

uint64_t batch_rows(const struct batch *batch)
{
    /* Each cell is a row of ten seconds, and shares one of each coarser resolution with others. */
    const struct batch_part *now = &batch->now;
    return (uint64_t)now->windows.count * 2 + now->runs.count + now->rejects.line_count;
}
