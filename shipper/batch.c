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

static void forget_times(struct batch_part *part)
{
    part->counted = 0;
    part->oldest_ns = INT64_MAX;
    part->newest_ns = INT64_MIN;
}

static int part_init(struct batch_part *part)
{
    forget_times(part);
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
    forget_times(part);
}

int batch_learn_series(struct batch *batch, int64_t series_id, const struct series_key *key)
{
    return series_table_learn(&batch->series, series_id, key);
}

/* Room for each text of a key that cannot stand as it is in the line. */
struct key_memory {
    char text[SERIES_TEXT_COUNT][COLUMN_TEXT_BYTES_MAX];
};

static void make_key(const struct event *event, const struct value *service, struct key_memory *memory,
                     struct series_key *ret_key)
{
    ret_key->level = event->level;
    for (int i = 0; i < SERIES_TEXT_COUNT; i++)
        ret_key->text[i] = column_text(series_text_of(event, service, i), !event->bad_utf8, memory->text[i]);
}

static int take_series(struct batch *batch, const struct event *event, const struct value *service,
                       struct series **ret_series)
{
    struct key_memory memory;
    struct series_key key;
    make_key(event, service, &memory, &key);
    int r = series_table_take(&batch->series, &key, ret_series);
    if (r == 0)
        series_table_remember(&batch->series, event, service, *ret_series);
    return r;
}

static int audit(struct batch *batch, const struct event *event, const struct value *service)
{
    char memory[COLUMN_TEXT_BYTES_MAX];
    return run_table_add(
        &batch->now.runs, event,
        column_text(series_text_of(event, service, SERIES_SERVICE), !event->bad_utf8, memory));
}

/* What is counted of a few records, until it is added to the rest. */
struct tally {
    uint64_t counted;
    int64_t oldest_ns, newest_ns;
};

/* All that can fail comes before the first thing that counts. */
static inline int add_one(struct batch *batch, const struct event *event, const struct value *service,
                          struct tally *tally)
{
    if (event->is_mark && !event->is_crash)
        return audit(batch, event, service);
    struct series *series = series_table_recall(&batch->series, event, service);
    struct window_cell *cell = NULL;
    int r = series ? 0 : take_series(batch, event, service, &series);
    if (r == 0)
        r = window_table_take(&batch->now.windows, series, event->time_ns, &cell);
    if (r == 0 && event->seq != 0 && !run_table_follow(&batch->now.runs, event))
        r = audit(batch, event, service);
    if (r < 0)
        return r;
    cell->count++;
    tally->counted++;
    if (event->time_ns < tally->oldest_ns)
        tally->oldest_ns = event->time_ns;
    if (event->time_ns > tally->newest_ns)
        tally->newest_ns = event->time_ns;
    return 0;
}

/* A service that stands in, as if it stood in a line. */
static struct value stand_in(struct slice service, char memory[static COLUMN_TEXT_BYTES_MAX + SCAN_PADDING])
{
    struct value given = {.data = service.data, .size = (uint32_t)service.size, .kind = VALUE_STRING};
    struct slice text = service.size ? column_text_make(&given, memory) : slice_from(memory, 0);
    return (struct value){.data = text.data, .size = (uint32_t)text.size, .kind = VALUE_STRING};
}

int batch_add(struct batch *batch, const struct event *const *events, int count, struct slice service)
{
    char memory[COLUMN_TEXT_BYTES_MAX + SCAN_PADDING];
    struct batch_part *now = &batch->now;
    struct tally tally = {now->counted, now->oldest_ns, now->newest_ns};
    struct value own = stand_in(service, memory);
    int r = 0;
    for (int i = 0; i < count; i++) {
        r = add_one(batch, events[i], &own, &tally);
        if (r < 0)
            break;
    }
    now->counted = tally.counted;
    now->oldest_ns = tally.oldest_ns;
    now->newest_ns = tally.newest_ns;
    return r;
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
