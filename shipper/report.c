#include "report.h"

#include "liblog/base/cleanup.h"

enum { LINES_MIN = 16 };

unsigned report_levels_from(enum level level)
{
    if (level == LEVEL_UNKNOWN)
        return 1u << LEVEL_UNKNOWN;
    unsigned levels = 0;
    for (int i = level; i < LEVEL_UNKNOWN; i++)
        levels |= 1u << i;
    return level == LEVEL_TRACE ? REPORT_LEVELS_ALL : levels;
}

/* --- which windows --- */

/* The finest windows worth reading at the ends of a range so long, and the coarsest worth reading within. */
static void choose_resolutions(int64_t length_s, int *ret_finest, int *ret_coarsest)
{
    static const struct {
        int64_t length_s_max;
        int finest, coarsest; /* index in window_resolution_s */
    } choices[] = {
        {2 * WINDOW_HOUR, 0, 1},
        {2 * WINDOW_DAY, 1, 2},
        {400 * (int64_t)WINDOW_DAY, 2, 3},
        {INT64_MAX, 3, 3},
    };
    int i = 0;
    while (length_s > choices[i].length_s_max)
        i++;
    *ret_finest = choices[i].finest;
    *ret_coarsest = choices[i].coarsest;
}

static int64_t window_end(int64_t time_s, int64_t resolution_s)
{
    int64_t start = window_start(time_s, resolution_s);
    return start == time_s ? start : start + resolution_s;
}

/* The coarsest window that begins at `at`, fits before `to` and is not coarser than `coarsest`. */
static int choose_piece(int64_t at, int64_t to, int finest, int coarsest)
{
    int index = finest;
    for (int i = finest + 1; i <= coarsest; i++) {
        int64_t resolution_s = window_resolution_s[i];
        if (window_start(at, resolution_s) == at && at + resolution_s <= to)
            index = i;
    }
    return index;
}

/* Where windows of `index` stop being the best: at the next coarser boundary, or where no whole one fits any
 * more. */
static int64_t piece_end(int64_t at, int64_t to, int index, int coarsest)
{
    int64_t end = window_start(to, window_resolution_s[index]);
    if (index < coarsest) {
        int64_t coarser_s = window_resolution_s[index + 1];
        int64_t boundary = window_start(at, coarser_s) + coarser_s;
        if (boundary + coarser_s <= to && boundary < end)
            end = boundary;
    }
    return end;
}

int report_plan(int64_t *from_s, int64_t *to_s, const int64_t kept_from_s[static WINDOW_RESOLUTIONS],
                struct store_piece *ret_pieces)
{
    int finest, coarsest, count = 0;
    choose_resolutions(*to_s - *from_s, &finest, &coarsest);
    while (finest < WINDOW_RESOLUTIONS - 1 &&
           kept_from_s[finest] > window_start(*from_s, window_resolution_s[finest]))
        finest++;
    if (coarsest < finest)
        coarsest = finest;
    *from_s = window_start(*from_s, window_resolution_s[finest]);
    *to_s = window_end(*to_s, window_resolution_s[finest]);
    for (int64_t at = *from_s; at < *to_s;) {
        int index = choose_piece(at, *to_s, finest, coarsest);
        int64_t end = piece_end(at, *to_s, index, coarsest);
        ret_pieces[count++] = (struct store_piece){window_resolution_s[index], at, end};
        at = end;
    }
    return count;
}

/* Buckets are not shorter than the coarsest window read, or a sparkline would show holes where there are
 * none. */
static void choose_buckets(struct report *report, const struct store_piece *pieces, int count)
{
    int64_t width = WINDOW_10S, length = report->to_s - report->from_s;
    for (int i = 0; i < count; i++)
        if (pieces[i].resolution_s > width)
            width = pieces[i].resolution_s;
    int64_t wanted = (length + REPORT_BUCKETS - 1) / REPORT_BUCKETS;
    report->bucket_s = wanted <= width ? width : window_end(wanted, width);
    report->bucket_count = (uint32_t)((length + report->bucket_s - 1) / report->bucket_s);
}

/* --- lines --- */

static int add_line(struct report *report, struct slice name)
{
    if (report->line_count == report->line_capacity) {
        uint32_t capacity = report->line_capacity ? report->line_capacity * 2 : LINES_MIN;
        struct report_line *lines = reallocarray(report->lines, capacity, sizeof(*lines));
        if (!lines)
            return -ERR_INT_002;
        report->lines = lines;
        report->line_capacity = capacity;
    }
    char *copy = strndup(name.size ? name.data : "", name.size);
    if (!copy)
        return -ERR_INT_002;
    report->lines[report->line_count++] =
        (struct report_line){.name = copy, .first_s = INT64_MAX, .last_s = INT64_MIN};
    return 0;
}

static void add_to_line(struct report_line *line, const struct store_count_row *row, uint32_t bucket)
{
    if (row->first_s < line->first_s) {
        line->first_s = row->first_s;
        line->first_resolution_s = row->first_resolution_s;
    }
    if (row->last_s > line->last_s) {
        line->last_s = row->last_s;
        line->last_resolution_s = row->last_resolution_s;
    }
    line->count += row->count;
    line->bucket[bucket] += row->count;
}

/* Rows come ordered by group, so a row belongs to the latest line or begins the next. */
static int take_row(void *context, const struct store_count_row *row)
{
    struct report *report = context;
    report->level[row->level] += row->count;
    report->records += row->count;
    if (!(report->request.levels & 1u << row->level))
        return 0;
    struct report_line *line = report->line_count ? &report->lines[report->line_count - 1] : NULL;
    if (!line || !slice_equal(slice_of(line->name), row->group)) {
        int r = add_line(report, row->group);
        if (r < 0)
            return r;
        line = &report->lines[report->line_count - 1];
    }
    uint32_t bucket = row->bucket < report->bucket_count ? (uint32_t)row->bucket : report->bucket_count - 1;
    add_to_line(line, row, bucket);
    report->bucket[bucket] += row->count;
    report->total += row->count;
    return 0;
}

static int compare_lines(const void *left, const void *right)
{
    const struct report_line *a = left, *b = right;
    if (a->count != b->count)
        return a->count > b->count ? -1 : 1;
    return strcmp(a->name, b->name);
}

static void keep_top(struct report *report)
{
    report->group_count = report->line_count;
    if (report->line_count)
        qsort(report->lines, report->line_count, sizeof(*report->lines), compare_lines);
    while (report->request.top && report->line_count > report->request.top)
        free(report->lines[--report->line_count].name);
}

/* --- the report --- */

static void choose_range(struct report *report)
{
    const struct report_request *request = &report->request;
    const struct store_extent *extent = &report->extent;
    report->to_s = request->until_given ? request->until_s : extent->to_s;
    report->from_s = request->since_given ? request->since_s : extent->from_s;
    if (report->to_s <= report->from_s)
        report->to_s = report->from_s + WINDOW_10S;
}

static int read_all(struct report *report, struct store_reader *reader, struct problem *ret_problem)
{
    struct store_count_query query = {.by = report->request.by, .service = report->request.service};
    query.piece_count = report_plan(&report->from_s, &report->to_s, report->extent.kept_from_s, query.piece);
    choose_buckets(report, query.piece, query.piece_count);
    query.bucket_from_s = report->from_s;
    query.bucket_s = report->bucket_s;
    int r = store_read_counts(reader, &query, take_row, report, ret_problem);
    if (r == -ERR_INT_002)
        return problem_set(ret_problem, ERR_INT_002, "memory ran out while the report was made");
    const int64_t second_ns = INT64_C(1000000000);
    if (r == 0)
        r = store_read_run_sums(reader, report->from_s * second_ns, report->to_s * second_ns,
                                report->request.service, ret_problem, &report->runs);
    return r;
}

int report_make(struct store_reader *reader, const struct report_request *request,
                struct problem *ret_problem, struct report **ret_report)
{
    struct report *report = calloc(1, sizeof(*report));
    if (!report)
        return problem_set(ret_problem, ERR_INT_002, "memory ran out while the report was made");
    report->request = *request;
    int r = store_read_extent(reader, ret_problem, &report->extent);
    report->is_empty = r == 0 && report->extent.is_empty;
    if (r == 0 && !report->is_empty) {
        choose_range(report);
        r = read_all(report, reader, ret_problem);
        keep_top(report);
    }
    if (r == 0)
        r = store_read_rejects(reader, ret_problem, report->rejects);
    if (r == 0)
        r = store_read_loss(reader, ret_problem, &report->loss);
    if (r < 0) {
        report_free(report);
        return r;
    }
    *ret_report = report;
    return 0;
}

void report_free(struct report *report)
{
    if (!report)
        return;
    for (uint32_t i = 0; i < report->line_count; i++)
        free(report->lines[i].name);
    free(report->lines);
    free(report);
}

double report_minutes(const struct report *report)
{
    return (double)(report->to_s - report->from_s) / 60;
}
