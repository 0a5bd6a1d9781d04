/* The thread that writes. What a commit needs is copied or set aside at its beginning, so that nobody waits.
 */
#include "store_internal.h"

#include "batch_content.h"
#include "liblog/base/cleanup.h"

#include <assert.h>
#include <errno.h>
#include <signal.h>
#include <sys/eventfd.h>

static int64_t mono_ns(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return now.tv_sec * INT64_C(1000000000) + now.tv_nsec;
}

/* ---- the change ---- */

static void change_release(struct store_change *change)
{
    for (int i = 0; i < change->source_count; i++)
        free(change->sources[i].path);
    free(change->sources);
    free(change->positions);
    *change = (struct store_change){0};
}

static int copy_source(struct store_change *change, const struct source *source)
{
    struct store_source *copy = &change->sources[change->source_count];
    memcpy(copy->id, source->record.id, sizeof(copy->id));
    copy->evidence = source->record.evidence;
    copy->counters = source->counters;
    copy->path = strdup(source->record.path);
    if (!copy->path)
        return -ERR_INT_002;
    change->source_count++;
    return 0;
}

static int change_fill(struct store_change *change, struct source *const *sources, int source_count,
                       const struct store_position *positions, int position_count)
{
    change->sources = calloc((size_t)source_count + 1, sizeof(*change->sources));
    change->positions = calloc((size_t)position_count + 1, sizeof(*change->positions));
    if (!change->sources || !change->positions)
        return -ERR_INT_002;
    for (int i = 0; i < source_count; i++)
        if (copy_source(change, sources[i]) < 0)
            return -ERR_INT_002;
    if (position_count)
        memcpy(change->positions, positions, (size_t)position_count * sizeof(*positions));
    change->position_count = position_count;
    return 0;
}

/* ---- the thread ---- */

static void lock(struct store_work *work)
{
    pthread_mutex_lock(&work->mutex);
}

static void unlock(struct store_work *work)
{
    pthread_mutex_unlock(&work->mutex);
}

static void set_state(struct store_work *work, enum store_work_state state)
{
    work->state = state;
    pthread_cond_broadcast(&work->moved);
}

/* Writes what was asked for, the lock not held meanwhile. */
static void write_asked(struct store *store)
{
    struct store_work *work = &store->work;
    struct problem problem = {0};
    unlock(work);
    int64_t begin_ns = mono_ns();
    int result = store_write(store, &work->change, &problem);
    int64_t busy_ns = mono_ns() - begin_ns;
    lock(work);
    work->result = result;
    work->problem = problem;
    work->busy_ns += busy_ns;
    set_state(work, WORK_ENDED);
    uint64_t one = 1;
    (void)!write(work->ended_fd, &one, sizeof(one));
}

static void *run_thread(void *context)
{
    struct store *store = context;
    struct store_work *work = &store->work;
    lock(work);
    for (;;) {
        if (work->state == WORK_ASKED)
            write_asked(store);
        else if (work->stops)
            break;
        else
            pthread_cond_wait(&work->moved, &work->mutex);
    }
    unlock(work);
    return NULL;
}

/* Signals are for the pipeline's thread, whose waits they are to end. */
static int start_thread(struct store *store)
{
    sigset_t all, before;
    if (store->work.has_thread)
        return 0;
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    int error = pthread_create(&store->work.thread, NULL, run_thread, store);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    store->work.has_thread = error == 0;
    return -error;
}

int store_work_init(struct store_work *work)
{
    pthread_mutex_init(&work->mutex, NULL);
    pthread_cond_init(&work->moved, NULL);
    work->ended_fd = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
    return work->ended_fd < 0 ? -errno : 0;
}

void store_work_release(struct store_work *work)
{
    if (work->has_thread) {
        lock(work);
        work->stops = true;
        pthread_cond_broadcast(&work->moved);
        unlock(work);
        pthread_join(work->thread, NULL);
    }
    change_release(&work->change);
    pthread_cond_destroy(&work->moved);
    pthread_mutex_destroy(&work->mutex);
    if (work->ended_fd >= 0)
        close(work->ended_fd);
}

void store_wait(struct store *store)
{
    struct store_work *work = &store->work;
    lock(work);
    while (work->state == WORK_ASKED)
        pthread_cond_wait(&work->moved, &work->mutex);
    unlock(work);
}

/* ---- the calls ---- */

static void move_to(struct store_work *work, enum store_work_state state)
{
    lock(work);
    set_state(work, state);
    unlock(work);
}

static enum store_work_state state_of(struct store_work *work)
{
    lock(work);
    enum store_work_state state = work->state;
    unlock(work);
    return state;
}

int store_commit_begin(struct store *store, struct batch *batch, struct source *const *sources,
                       int source_count, const struct store_position *positions, int position_count,
                       struct problem *ret_problem)
{
    struct store_work *work = &store->work;
    enum store_work_state state = state_of(work);
    assert(state == WORK_IDLE || state == WORK_FAILED);
    if (start_thread(store) < 0)
        return problem_set(ret_problem, ERR_INT_002, "there is no thread for a commit");
    if (state == WORK_FAILED) {
        move_to(work, WORK_ASKED);
        return 0;
    }
    struct store_change change = {.batch = batch};
    if (change_fill(&change, sources, source_count, positions, position_count) < 0) {
        change_release(&change);
        return problem_set(ret_problem, ERR_INT_002, "no memory is left for a commit");
    }
    batch_set_aside(batch);
    work->change = change;
    move_to(work, WORK_ASKED);
    return 0;
}

/* Ids of series that were freed must not be used. What cannot be loaded now gets its id again when it counts.
 */
static void renew_series(struct store *store, struct batch *batch)
{
    if (batch->now.windows.count == 0)
        series_table_clear(&batch->series);
    else
        series_table_forget_ids(&batch->series);
    store_load_series(store, batch, NULL);
}

static int take_end(struct store *store, struct problem *ret_problem)
{
    struct store_work *work = &store->work;
    uint64_t count;
    (void)!read(work->ended_fd, &count, sizeof(count));
    if (work->result < 0) {
        if (ret_problem)
            *ret_problem = work->problem;
        move_to(work, WORK_FAILED);
        return work->result;
    }
    struct batch *batch = work->change.batch;
    bool series_freed = work->change.series_freed;
    batch_clear_aside(batch);
    change_release(&work->change);
    move_to(work, WORK_IDLE);
    if (series_freed)
        renew_series(store, batch);
    return 0;
}

int store_commit_end(struct store *store, bool wait, struct problem *ret_problem)
{
    if (wait)
        store_wait(store);
    enum store_work_state state = state_of(&store->work);
    if (state == WORK_ASKED)
        return 1;
    return state == WORK_ENDED ? take_end(store, ret_problem) : 0;
}

bool store_commit_failed(struct store *store)
{
    return state_of(&store->work) == WORK_FAILED;
}

int store_commit(struct store *store, struct batch *batch, struct source *const *sources, int source_count,
                 const struct store_position *positions, int position_count, struct problem *ret_problem)
{
    int r = store_commit_begin(store, batch, sources, source_count, positions, position_count, ret_problem);
    return r < 0 ? r : store_commit_end(store, true, ret_problem);
}

int store_commit_fd(const struct store *store)
{
    return store->work.ended_fd;
}

int64_t store_busy_ns(struct store *store)
{
    lock(&store->work);
    int64_t busy_ns = store->work.busy_ns;
    unlock(&store->work);
    return busy_ns;
}
