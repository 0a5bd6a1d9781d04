/* The statistics of other processes: the public calls of liblog/other.h. */
#include "liblog/base/cleanup.h"
#include "problem.h"
#include "stats_folder.h"
#include "stats_outside.h"

#include <dirent.h>
#include <errno.h>
#include <liblog/other.h>
#include <string.h>

struct run {
    ll_other_run about;
    ll_stats *stats;
    ll_recent_error *recent;
    int recent_count;
};

struct ll_other_stats {
    struct run *run;
    int count, capacity;
    int damaged;
    struct run sum;
};

/* --- one run -------------------------------------------------------------------------------------------- */

static void run_release(struct run *run)
{
    free(run->stats);
    free(run->recent);
}

static void fill_about(ll_other_run *about, const struct stats_outside *outside)
{
    const struct stats_header *header = &outside->view.file.at->header;
    *about = (ll_other_run){.pid = header->pid,
                            .is_alive = outside->is_alive,
                            .started_ns = header->started_ns,
                            .last_ns = outside->view.stats.open.last_ns,
                            .unwritten = outside->view.undrained,
                            .is_settled = outside->is_settled};
    memcpy(about->run_id, header->run_id, sizeof about->run_id);
    memcpy(about->service, header->service, sizeof about->service);
}

/* The time of a run that is over ends with its last record; a window ends now, for the living and the dead.
 */
static void fill_run(struct run *run, const struct stats_outside *outside, int64_t now_ns, uint32_t seconds)
{
    int64_t end_ns = run->about.is_alive || seconds ? now_ns : run->about.last_ns;
    int count = stats_view_recent(&outside->view, run->recent);
    stats_view_get(&outside->view, end_ns, seconds, run->stats);
    while (seconds && count > 0 && run->recent[count - 1].time_ns < run->stats->from_ns)
        count--;
    run->recent_count = count;
}

static int read_run(const struct folder *folder, const char *run_id, int64_t now_ns, uint32_t seconds,
                    struct run *run)
{
    struct stats_outside outside;
    int error = stats_outside_read(folder, run_id, &outside);
    if (error)
        return error;
    fill_about(&run->about, &outside);
    run->stats = malloc(sizeof *run->stats);
    run->recent = calloc(LL_RECENT_ERRORS_MAX, sizeof *run->recent);
    if (run->stats && run->recent)
        fill_run(run, &outside, now_ns, seconds);
    stats_view_release(&outside.view);
    return run->stats && run->recent ? LL_OK : LL_ENOMEM;
}

/* --- the sum -------------------------------------------------------------------------------------------- */

static int by_name(const void *a, const void *b)
{
    return strcmp(((const ll_error_type *)a)->name, ((const ll_error_type *)b)->name);
}

static int by_count(const void *a, const void *b)
{
    const ll_error_type *x = a, *y = b;
    return (x->count < y->count) - (x->count > y->count);
}

static uint32_t merge_equal(ll_error_type *types, uint32_t count)
{
    uint32_t kept = 0;
    qsort(types, count, sizeof *types, by_name);
    for (uint32_t i = 0; i < count; i++) {
        if (kept && strcmp(types[kept - 1].name, types[i].name) == 0) {
            types[kept - 1].count += types[i].count;
            types[kept - 1].error += types[i].error;
        } else {
            types[kept++] = types[i];
        }
    }
    return kept;
}

static int sum_types(const ll_other_stats *all, ll_stats *sum)
{
    uint32_t count = 0;
    _cleanup_free_ ll_error_type *types =
        malloc((size_t)all->count * LL_ERROR_TYPES_MAX * sizeof(ll_error_type));
    if (!types)
        return LL_ENOMEM;
    for (int i = 0; i < all->count; i++) {
        const ll_stats *one = all->run[i].stats;
        memcpy(types + count, one->types, one->type_count * sizeof *types);
        count += one->type_count;
    }
    count = merge_equal(types, count);
    qsort(types, count, sizeof *types, by_count);
    sum->type_count = count < LL_ERROR_TYPES_MAX ? count : (uint32_t)LL_ERROR_TYPES_MAX;
    memcpy(sum->types, types, sum->type_count * sizeof *types);
    for (uint32_t i = sum->type_count; i < count; i++)
        sum->other_types_errors += types[i].count;
    return LL_OK;
}

static void sum_numbers(ll_stats *sum, const ll_stats *one)
{
    for (int i = 0; i < LL_STATS_LEVELS; i++)
        sum->counts[i] += one->counts[i];
    sum->other_types_errors += one->other_types_errors;
    sum->uncounted += one->uncounted;
    sum->types_exact &= one->types_exact;
    sum->from_ns = one->from_ns < sum->from_ns ? one->from_ns : sum->from_ns;
    sum->to_ns = one->to_ns > sum->to_ns ? one->to_ns : sum->to_ns;
    if (one->types_from_ns != one->from_ns && one->types_from_ns > sum->types_from_ns)
        sum->types_from_ns = one->types_from_ns;
}

static int later_first(const void *a, const void *b)
{
    const ll_recent_error *x = a, *y = b;
    return (x->time_ns < y->time_ns) - (x->time_ns > y->time_ns);
}

static int sum_recent(const ll_other_stats *all, struct run *sum)
{
    int count = 0;
    for (int i = 0; i < all->count; i++)
        count += all->run[i].recent_count;
    sum->recent = calloc((size_t)count + 1, sizeof *sum->recent);
    if (!sum->recent)
        return LL_ENOMEM;
    for (int i = 0, at = 0; i < all->count; at += all->run[i].recent_count, i++)
        memcpy(sum->recent + at, all->run[i].recent, (size_t)all->run[i].recent_count * sizeof *sum->recent);
    qsort(sum->recent, (size_t)count, sizeof *sum->recent, later_first);
    sum->recent_count = count < LL_RECENT_ERRORS_MAX ? count : LL_RECENT_ERRORS_MAX;
    return LL_OK;
}

static void sum_about(const ll_other_stats *all, ll_other_run *sum)
{
    *sum = all->run[0].about;
    sum->run_id[0] = sum->service[0] = '\0';
    sum->pid = 0;
    for (int i = 1; i < all->count; i++) {
        const ll_other_run *one = &all->run[i].about;
        sum->is_alive |= one->is_alive;
        sum->is_settled &= one->is_settled;
        sum->unwritten += one->unwritten;
        sum->started_ns = one->started_ns < sum->started_ns ? one->started_ns : sum->started_ns;
        sum->last_ns = one->last_ns > sum->last_ns ? one->last_ns : sum->last_ns;
    }
}

static int make_sum(ll_other_stats *all)
{
    struct run *sum = &all->sum;
    sum->stats = calloc(1, sizeof *sum->stats);
    if (!sum->stats)
        return LL_ENOMEM;
    sum->stats->types_exact = 1;
    sum->stats->from_ns = INT64_MAX;
    for (int i = 0; i < all->count; i++)
        sum_numbers(sum->stats, all->run[i].stats);
    if (sum->stats->types_from_ns < sum->stats->from_ns)
        sum->stats->types_from_ns = sum->stats->from_ns;
    sum_about(all, &sum->about);
    int error = sum_types(all, sum->stats);
    if (!error)
        error = sum_recent(all, sum);
    stats_view_complete(sum->stats);
    return error;
}

/* --- all of them ---------------------------------------------------------------------------------------- */

static int living_then_latest(const void *a, const void *b)
{
    const ll_other_run *x = &((const struct run *)a)->about, *y = &((const struct run *)b)->about;
    if (x->is_alive != y->is_alive)
        return x->is_alive ? -1 : 1;
    return (x->last_ns < y->last_ns) - (x->last_ns > y->last_ns);
}

static struct run *one_more(ll_other_stats *all)
{
    if (all->count == all->capacity) {
        int capacity = all->capacity ? 2 * all->capacity : 8;
        struct run *run = realloc(all->run, (size_t)capacity * sizeof *run);
        if (!run)
            return NULL;
        all->run = run;
        all->capacity = capacity;
    }
    all->run[all->count] = (struct run){0};
    return &all->run[all->count];
}

/* A run that is thrown away while we look was not there. */
static int add_run(ll_other_stats *all, const struct folder *folder, const char *run_id, int64_t now_ns,
                   uint32_t seconds)
{
    struct run *run = one_more(all);
    int error = run ? read_run(folder, run_id, now_ns, seconds, run) : LL_ENOMEM;
    if (!error) {
        all->count++;
        return LL_OK;
    }
    if (run)
        run_release(run);
    if (error == LL_ENOENT)
        return LL_OK;
    all->damaged++;
    return error;
}

/* The error of the last that could not be read, or LL_OK. */
static int read_folder(ll_other_stats *all, const struct folder *folder, uint32_t seconds)
{
    char run_id[STATS_NAME_SIZE];
    int64_t now_ns = os_realtime_ns();
    int error = LL_OK;
    DIR *entries = opendir(folder->path);
    for (struct dirent *entry; entries && (entry = readdir(entries));) {
        int one = LL_OK;
        if (stats_name_run(entry->d_name, run_id))
            one = add_run(all, folder, run_id, now_ns, seconds);
        error = one ? one : error;
    }
    if (entries)
        closedir(entries);
    if (all->count)
        qsort(all->run, (size_t)all->count, sizeof *all->run, living_then_latest);
    return error;
}

static int missing(const char *log_path, int error, ll_problem *problem)
{
    if (error == -EACCES || error == -EPERM)
        return problem_set(problem, LL_EACCES, "the folder of the rings of %s cannot be read", log_path);
    if (error && error != -ENOENT && error != -ENOTDIR)
        return problem_set(problem, LL_ESYSTEM, "the rings of %s cannot be reached: %s", log_path,
                           strerror(-error));
    return problem_set(
        problem, LL_ENOENT,
        "there are no statistics of %s: no program with liblog logs there, or LOG_STATS is off, "
        "or it has another LOG_RING_DIR",
        log_path);
}

static int read_all(const char *log_path, const ll_other_stats_options *options, ll_other_stats *all,
                    ll_problem *problem)
{
    struct folder folder;
    int error = folder_find(&folder, log_path, options->ring_dir);
    if (error)
        return missing(log_path, error, problem);
    error = read_folder(all, &folder, options->window_seconds);
    if (all->count == 0 && error == LL_EACCES)
        return missing(log_path, -EACCES, problem);
    if (all->count == 0 && error)
        return problem_set(problem, error, "the statistics in %s cannot be read: %s", folder.path,
                           ll_strerror(error));
    if (all->count == 0)
        return missing(log_path, 0, problem);
    error = make_sum(all);
    return error ? problem_set(problem, error, "no memory for the statistics of %s", log_path) : LL_OK;
}

int ll_other_stats_read_sized(const char *log_path, const ll_other_stats_options *options,
                              size_t options_size, ll_other_stats **ret_stats, ll_problem *ret_problem)
{
    ll_other_stats_options whole = {0};
    if (!log_path || !*log_path)
        return problem_set(ret_problem, LL_EINVAL, "the path of a log is needed");
    if (options)
        memcpy(&whole, options, options_size < sizeof whole ? options_size : sizeof whole);
    if (whole.window_seconds > LL_STATS_SECONDS_MAX)
        return problem_set(ret_problem, LL_EINVAL, "a window of %u s is too long: at most %d s are kept",
                           (unsigned)whole.window_seconds, LL_STATS_SECONDS_MAX);
    ll_other_stats *all = calloc(1, sizeof *all);
    if (!all)
        return problem_set(ret_problem, LL_ENOMEM, "no memory for the statistics of %s", log_path);
    int error = read_all(log_path, &whole, all, ret_problem);
    if (error)
        ll_other_stats_free(all);
    else
        *ret_stats = all;
    return error;
}

void ll_other_stats_free(ll_other_stats *stats)
{
    for (int i = 0; stats && i < stats->count; i++)
        run_release(&stats->run[i]);
    if (stats) {
        run_release(&stats->sum);
        free(stats->run);
    }
    free(stats);
}

/* --- what is in them ------------------------------------------------------------------------------------ */

int ll_other_stats_runs(const ll_other_stats *stats)
{
    return stats->count;
}

int ll_other_stats_damaged(const ll_other_stats *stats)
{
    return stats->damaged;
}

static const struct run *run_at(const ll_other_stats *stats, int run)
{
    if (run == LL_RUN_SUM)
        return &stats->sum;
    return run >= 0 && run < stats->count ? &stats->run[run] : NULL;
}

/* As much of it as the caller knows; what only the caller knows is 0. */
static void hand_out(void *to, size_t size, const void *from, size_t from_size)
{
    memset(to, 0, size);
    memcpy(to, from, size < from_size ? size : from_size);
}

int ll_other_stats_run_sized(const ll_other_stats *stats, int run, ll_other_run *ret_run, size_t size)
{
    const struct run *at = run_at(stats, run);
    if (!at)
        return LL_EINVAL;
    hand_out(ret_run, size, &at->about, sizeof at->about);
    return LL_OK;
}

int ll_other_stats_get_sized(const ll_other_stats *stats, int run, ll_stats *ret_stats, size_t size)
{
    const struct run *at = run_at(stats, run);
    if (!at)
        return LL_EINVAL;
    hand_out(ret_stats, size, at->stats, sizeof *at->stats);
    return LL_OK;
}

int ll_other_stats_recent_sized(const ll_other_stats *stats, int run, ll_recent_error *ret_errors,
                                size_t size, int errors_max)
{
    const struct run *at = run_at(stats, run);
    if (!at || errors_max < 0)
        return LL_EINVAL;
    int count = at->recent_count < errors_max ? at->recent_count : errors_max;
    for (int i = 0; i < count; i++)
        hand_out((char *)ret_errors + (size_t)i * size, size, &at->recent[i], sizeof at->recent[i]);
    return count;
}

int ll_other_stats_json(const ll_other_stats *stats, int run, int with_recent, char *buf, size_t size)
{
    const struct run *at = run_at(stats, run);
    if (!at)
        return LL_EINVAL;
    return stats_view_json(at->stats, with_recent ? at->recent : NULL, at->recent_count, buf, size);
}
