#include "window.h"

#include "hash.h"
#include "liblog/base/cleanup.h"

enum { SLOTS_MIN = 256, CELLS_MIN = 128, NS_PER_S = 1000000000 };

const int window_resolution_s[WINDOW_RESOLUTIONS] = {WINDOW_10S, WINDOW_MINUTE, WINDOW_HOUR, WINDOW_DAY};

int window_table_init(struct window_table *table)
{
    uint32_t *slots = calloc(SLOTS_MIN, sizeof(*slots));
    if (!slots)
        return -ERR_INT_002;
    *table = (struct window_table){.slots = slots, .slot_mask = SLOTS_MIN - 1};
    return 0;
}

void window_table_release(struct window_table *table)
{
    free(table->cells);
    free(table->slots);
    *table = (struct window_table){0};
}

void window_table_clear(struct window_table *table)
{
    table->count = 0;
    memset(table->slots, 0, ((size_t)table->slot_mask + 1) * sizeof(*table->slots));
}

static uint32_t *find_slot(const struct window_table *table, int64_t start, uint32_t series)
{
    uint64_t hash = hash_number(hash_number(HASH_FACTOR_SIZE, series), (uint64_t)start);
    for (uint32_t at = (uint32_t)hash & table->slot_mask;; at = (at + 1) & table->slot_mask) {
        uint32_t *slot = &table->slots[at];
        if (*slot == 0)
            return slot;
        const struct window_cell *cell = &table->cells[*slot - 1];
        if (cell->start == start && cell->series == series)
            return slot;
    }
}

static int grow_cells(struct window_table *table)
{
    uint32_t capacity = table->capacity ? table->capacity * 2 : CELLS_MIN;
    struct window_cell *cells = reallocarray(table->cells, capacity, sizeof(*cells));
    if (!cells)
        return -ERR_INT_002;
    table->cells = cells;
    table->capacity = capacity;
    return 0;
}

static int grow_slots(struct window_table *table)
{
    uint32_t size = (table->slot_mask + 1) * 2;
    uint32_t *slots = calloc(size, sizeof(*slots));
    if (!slots)
        return -ERR_INT_002;
    free(table->slots);
    table->slots = slots;
    table->slot_mask = size - 1;
    for (uint32_t i = 0; i < table->count; i++)
        *find_slot(table, table->cells[i].start, table->cells[i].series) = i + 1;
    return 0;
}

static int add(struct window_table *table, int64_t start, uint32_t series)
{
    if (table->count == table->capacity && grow_cells(table) < 0)
        return -ERR_INT_002;
    if ((table->count + 1) * 2 > table->slot_mask && grow_slots(table) < 0)
        return -ERR_INT_002;
    table->cells[table->count++] = (struct window_cell){.start = start, .series = series};
    *find_slot(table, start, series) = table->count;
    return 0;
}

int64_t window_start(int64_t time_s, int64_t resolution_s)
{
    int64_t into = time_s % resolution_s;
    return time_s - (into < 0 ? into + resolution_s : into);
}

/* The window of ten seconds that the time lies in. */
static int64_t window_of_ns(int64_t time_ns)
{
    int64_t into = time_ns % NS_PER_S;
    return window_start(time_ns / NS_PER_S - (into < 0), WINDOW_10S);
}

int window_table_move(struct window_table *table, struct series *series, int64_t time_ns)
{
    int64_t start = window_of_ns(time_ns), begin_ns;
    uint32_t slot = *find_slot(table, start, series->index);
    if (slot == 0) {
        int r = add(table, start, series->index);
        if (r < 0)
            return r;
        slot = table->count;
    }
    /* Before the year 1678 a window may begin where nanoseconds do not reach. */
    bool begins = !__builtin_mul_overflow(start, NS_PER_S, &begin_ns);
    series->window = (struct series_window){
        .begin_ns = begins ? begin_ns : 0,
        .size_ns = begins ? WINDOW_10S * (uint64_t)NS_PER_S : 0,
        .cell = slot - 1,
    };
    return 0;
}

static int compare_cells(const void *left, const void *right)
{
    const struct window_cell *a = left, *b = right;
    if (a->start != b->start)
        return a->start < b->start ? -1 : 1;
    return (a->series > b->series) - (a->series < b->series);
}

uint32_t window_roll_up(struct window_cell *cells, uint32_t count, int resolution_s)
{
    for (uint32_t i = 0; i < count; i++)
        cells[i].start = window_start(cells[i].start, resolution_s);
    if (count)
        qsort(cells, count, sizeof(*cells), compare_cells);
    uint32_t left = 0;
    for (uint32_t i = 0; i < count; i++) {
        if (cells[i].count == 0)
            continue;
        if (left && compare_cells(&cells[left - 1], &cells[i]) == 0)
            cells[left - 1].count += cells[i].count;
        else
            cells[left++] = cells[i];
    }
    return left;
}
