/*
 * Counts by series and window of time. A batch counts in windows of ten seconds only; the coarser ones are
 * sums of these and are made at the commit. Times are unix seconds; a window starts at a multiple of its
 * length, also before 1970.
 */
#ifndef SHIPPER_WINDOW_H
#define SHIPPER_WINDOW_H

#include "series.h"

enum { WINDOW_10S = 10, WINDOW_MINUTE = 60, WINDOW_HOUR = 3600, WINDOW_DAY = 86400, WINDOW_RESOLUTIONS = 4 };

/* 10, 60, 3600, 86400: each divides the next. */
extern const int window_resolution_s[WINDOW_RESOLUTIONS];

struct window_cell {
    int64_t start;
    uint64_t count;
    uint32_t series; /* its index in the series table */
};

struct window_table {
    struct window_cell *cells;
    uint32_t count, capacity;
    uint32_t *slots; /* index + 1 of a cell, 0 when free */
    uint32_t slot_mask;
};

int window_table_init(struct window_table *table); /* 0 or -ERR_INT_002 */
void window_table_release(struct window_table *table);

/* Empties the table. The series must have forgotten their cells in it (series_table_forget_cells). */
void window_table_clear(struct window_table *table);

/* Makes the series count in the cell of the window that the time lies in, which is made when it is new. 0 or
 * -ERR_INT_002. */
int window_table_move(struct window_table *table, struct series *series, int64_t time_ns);

/* The cell of a series at a time; made with count 0 when new. 0 or -ERR_INT_002. */
static inline int window_table_take(struct window_table *table, struct series *series, int64_t time_ns,
                                    struct window_cell **ret_cell)
{
    bool same = (uint64_t)time_ns - (uint64_t)series->window.begin_ns < series->window.size_ns;
    int r = same ? 0 : window_table_move(table, series, time_ns);
    if (r < 0)
        return r;
    *ret_cell = &table->cells[series->window.cell];
    return 0;
}

/* The start of the window that the time lies in. */
int64_t window_start(int64_t time_s, int64_t resolution_s);

/*
 * Sums cells into windows of `resolution_s`, in place, ordered by start and series: the order of the table
 * `counts`, so that rows that lie together are written together. Cells without a count fall out. Returns how
 * many are left.
 */
uint32_t window_roll_up(struct window_cell *cells, uint32_t count, int resolution_s);

#endif
