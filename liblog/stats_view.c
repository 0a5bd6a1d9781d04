#include "stats_view.h"

#include "liblog/base/os.h"

#include <stdlib.h>
#include <string.h>

/* --- a copy --------------------------------------------------------------------------------------------- */

static void copy_ring(const struct stats *stats, struct stats_file *to, enum stats_ring ring)
{
    uint64_t end = stats->held_end[ring], keep = stats_ring_places[ring].keep;
    for (uint64_t i = end > keep ? end - keep : 0; i < end; i++)
        memcpy(stats_ring_entry(to, ring, i), stats_ring_entry(stats->file, ring, i),
               stats_ring_places[ring].entry_bytes);
}

static void copy_held(const struct stats *stats, struct stats_layout *to)
{
    const struct stats_layout *at = stats->file->at;
    to->header = at->header;
    to->open[0] = at->open[stats->current];
    uint32_t copy = to->open[0].rows_copy & 1;
    memcpy(to->rows[copy], at->rows[copy], sizeof to->rows[copy]);
    for (uint32_t i = 0; i < to->open[0].row_count && i < STATS_TYPES_MAX; i++) {
        uint32_t name = to->rows[copy][i].name_copy & 1;
        to->names[name][i] = at->names[name][i];
    }
}

int stats_view_copy(struct stats_view *view, const struct stats *stats)
{
    *view = (struct stats_view){0};
    if (stats_file_make_private(&view->file, &stats->file->at->header))
        return LL_ENOMEM;
    copy_held(stats, view->file.at);
    for (int ring = 0; ring < STATS_RINGS; ring++)
        copy_ring(stats, &view->file, (enum stats_ring)ring);
    view->file.at->open[1] = view->file.at->open[0];
    stats_begin(&view->stats, &view->file, view->file.at->open[0].next_seq);
    return LL_OK;
}

void stats_view_release(struct stats_view *view)
{
    stats_end(&view->stats);
    stats_file_release(&view->file);
}

/* --- types ---------------------------------------------------------------------------------------------- */

static void set_type(ll_error_type *type, const struct stats *stats, uint32_t row)
{
    struct slice name = stats_row_name(stats, row);
    memcpy(type->name, name.data, name.size);
    type->name[name.size] = '\0';
}

static int type_order(const void *a, const void *b)
{
    const ll_error_type *x = a, *y = b;
    if (x->count != y->count)
        return x->count < y->count ? 1 : -1;
    return strcmp(x->name, y->name);
}

void stats_view_complete(ll_stats *stats)
{
    uint64_t typed = stats->other_types_errors;
    stats->total_errors = stats->counts[LL_LEVEL_ERROR] + stats->counts[LL_LEVEL_CRITICAL];
    for (uint32_t i = 0; i < stats->type_count; i++)
        typed += stats->types[i].count;
    stats->untyped_errors = stats->total_errors > typed ? stats->total_errors - typed : 0;
    stats->tracking_duration_minutes =
        stats->to_ns > stats->from_ns ? ((double)stats->to_ns - (double)stats->from_ns) / 60e9 : 0;
    stats->error_rate_per_minute =
        (double)stats->total_errors /
        (stats->tracking_duration_minutes > 0 ? stats->tracking_duration_minutes : 1);
    qsort(stats->types, stats->type_count, sizeof stats->types[0], type_order);
}

/* --- since the start ------------------------------------------------------------------------------------ */

static void get_all(const struct stats *stats, ll_stats *ret)
{
    for (int i = 0; i < STATS_LEVELS; i++)
        ret->counts[i] = stats->open.total[i];
    for (uint32_t i = 0; i < stats->open.row_count; i++) {
        ll_error_type *type = &ret->types[ret->type_count++];
        set_type(type, stats, i);
        type->count = stats->row[i].count;
        type->error = stats->row[i].error;
    }
}

/* --- a window ------------------------------------------------------------------------------------------- */

/* The rings that answer, and the times, in their unit, from which to which. */
struct window {
    const struct stats *stats;
    enum stats_ring spans, cells;
    uint32_t unit_s;
    uint32_t from, to;
};

static bool is_inside(const struct window *w, uint32_t time)
{
    return time >= w->from && time <= w->to;
}

static bool has_lost(const struct window *w, enum stats_ring ring)
{
    uint32_t lost = w->stats->open.lost[ring];
    return lost && is_inside(w, lost);
}

static void choose_unit(struct window *w, int64_t from_s, int64_t to_s, bool seconds)
{
    w->unit_s = seconds ? 1 : STATS_MINUTE_SECONDS;
    w->spans = seconds ? STATS_SECONDS : STATS_MINUTES;
    w->cells = seconds ? STATS_TYPE_SECONDS : STATS_TYPE_MINUTES;
    w->from = (uint32_t)(from_s / w->unit_s);
    w->to = (uint32_t)(to_s / w->unit_s);
}

/* Seconds where all of them are still there, else minutes. */
static void choose(struct window *w, int64_t to_ns, uint32_t seconds)
{
    int64_t to_s = to_ns / STATS_SECOND_NS;
    int64_t from_s = to_s > (int64_t)seconds ? to_s - (int64_t)seconds : 0;
    if (to_s > UINT32_MAX)
        to_s = UINT32_MAX;
    choose_unit(w, from_s, to_s, true);
    if (seconds > STATS_SECONDS_KEEP || has_lost(w, w->spans) || has_lost(w, w->cells))
        choose_unit(w, from_s, to_s, false);
    if (has_lost(w, w->spans))
        w->from = w->stats->open.lost[w->spans] + 1;
}

static void add_span(const struct window *w, const struct stats_span *span, ll_stats *ret)
{
    for (int i = 0; i < STATS_LEVELS && is_inside(w, span->time); i++)
        ret->counts[i] += span->count[i];
}

static void add_spans(const struct window *w, ll_stats *ret)
{
    const struct stats_open *open = &w->stats->open;
    for (uint64_t i = stats_first_entry(open, w->spans); i < open->end[w->spans]; i++)
        add_span(w, stats_ring_entry(w->stats->file, w->spans, i), ret);
    add_span(w, w->spans == STATS_SECONDS ? &open->second : &open->minute, ret);
}

/* Which row a type's number stands for. */
struct ids {
    uint32_t id[STATS_SLOTS];
    uint32_t row[STATS_SLOTS]; /* row + 1; 0 is free */
};

static uint32_t id_slot(const struct ids *ids, uint32_t id)
{
    uint32_t i = id % STATS_SLOTS;
    while (ids->row[i] && ids->id[i] != id)
        i = (i + 1) % STATS_SLOTS;
    return i;
}

static void fill_ids(struct ids *ids, const struct stats *stats)
{
    memset(ids, 0, sizeof *ids);
    for (uint32_t i = 0; i < stats->open.row_count; i++) {
        uint32_t slot = id_slot(ids, stats->row[i].id);
        ids->id[slot] = stats->row[i].id;
        ids->row[slot] = i + 1;
    }
}

static void add_cell(const struct window *w, const struct ids *ids, const struct stats_cell *cell,
                     uint64_t counts[static STATS_TYPES_MAX], ll_stats *ret)
{
    if (!is_inside(w, cell->time))
        return;
    uint32_t row = ids->row[id_slot(ids, cell->id)];
    if (row)
        counts[row - 1] += cell->count;
    else
        ret->other_types_errors += cell->count;
}

static void add_cells(const struct window *w, uint64_t counts[static STATS_TYPES_MAX], ll_stats *ret)
{
    const struct stats_open *open = &w->stats->open;
    struct ids ids;
    fill_ids(&ids, w->stats);
    for (uint64_t i = stats_first_entry(open, w->cells); i < open->end[w->cells]; i++)
        add_cell(w, &ids, stats_ring_entry(w->stats->file, w->cells, i), counts, ret);
    for (uint32_t i = 0; i < open->row_count; i++) {
        const struct stats_row *row = &w->stats->row[i];
        add_cell(w, &ids, w->cells == STATS_TYPE_SECONDS ? &row->second : &row->minute, counts, ret);
    }
}

static void get_window(const struct stats *stats, int64_t to_ns, uint32_t seconds, ll_stats *ret)
{
    uint64_t counts[STATS_TYPES_MAX] = {0};
    struct window w = {.stats = stats};
    choose(&w, to_ns, seconds);
    add_spans(&w, ret);
    add_cells(&w, counts, ret);
    for (uint32_t i = 0; i < stats->open.row_count; i++) {
        if (!counts[i])
            continue;
        ll_error_type *type = &ret->types[ret->type_count++];
        set_type(type, stats, i);
        type->count = counts[i];
    }
    int64_t unit_ns = (int64_t)w.unit_s * STATS_SECOND_NS;
    ret->from_ns = w.from * unit_ns;
    ret->types_from_ns = has_lost(&w, w.cells) ? (stats->open.lost[w.cells] + INT64_C(1)) * unit_ns : 0;
}

void stats_view_get(const struct stats_view *view, int64_t to_ns, uint32_t seconds, ll_stats *ret_stats)
{
    int64_t started_ns = view->file.at->header.started_ns;
    memset(ret_stats, 0, sizeof *ret_stats);
    ret_stats->to_ns = to_ns;
    ret_stats->uncounted = view->stats.open.uncounted;
    ret_stats->types_exact = view->stats.open.replaced == 0;
    if (seconds)
        get_window(&view->stats, to_ns, seconds, ret_stats);
    else
        get_all(&view->stats, ret_stats);
    if (ret_stats->from_ns < started_ns)
        ret_stats->from_ns = started_ns;
    if (ret_stats->types_from_ns < ret_stats->from_ns)
        ret_stats->types_from_ns = ret_stats->from_ns;
    stats_view_complete(ret_stats);
}

/* --- the latest errors ---------------------------------------------------------------------------------- */

static void get_text(char *out, size_t out_size, const char *text, size_t size, size_t size_max)
{
    size = size < size_max ? size : size_max;
    size = size < out_size ? size : out_size - 1;
    memcpy(out, text, size);
    out[size] = '\0';
}

#define GET_TEXT(to, from, member)                                                                           \
    get_text((to)->member, sizeof(to)->member, (from)->member, (from)->member##_size, sizeof(from)->member)

static void get_recent(const struct stats_recent *from, ll_recent_error *to)
{
    memset(to, 0, sizeof *to);
    to->time_ns = from->time_ns;
    to->seq = from->seq;
    to->level = from->level < STATS_LEVELS ? from->level : (uint32_t)LL_LEVEL_CRITICAL;
    to->line = from->line;
    GET_TEXT(to, from, type);
    GET_TEXT(to, from, message);
    GET_TEXT(to, from, request_id);
    GET_TEXT(to, from, endpoint);
    GET_TEXT(to, from, logger);
    GET_TEXT(to, from, file);
}

/* One that came after `open` is being written over an older one. */
static bool is_kept(const struct stats_open *open, const struct stats_recent *recent)
{
    return recent->order != 0 && recent->order <= open->errors;
}

static int newer_first(const void *a, const void *b)
{
    const struct stats_recent *const *x = a, *const *y = b;
    return ((*x)->order < (*y)->order) - ((*x)->order > (*y)->order);
}

int stats_view_recent(const struct stats_view *view, ll_recent_error ret_errors[static LL_RECENT_ERRORS_MAX])
{
    const struct stats_recent *recent[STATS_RECENT_KEEP];
    const struct stats_open *open = &view->stats.open;
    int count = 0;
    for (uint64_t i = stats_first_entry(open, STATS_RECENT); i < open->end[STATS_RECENT]; i++)
        if (is_kept(open, recent[count] = stats_ring_entry(&view->file, STATS_RECENT, i)))
            count++;
    qsort(recent, (size_t)count, sizeof recent[0], newer_first);
    count = count < LL_RECENT_ERRORS_MAX ? count : LL_RECENT_ERRORS_MAX;
    for (int i = 0; i < count; i++)
        get_recent(recent[i], &ret_errors[i]);
    return count;
}
