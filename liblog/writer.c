#include "writer.h"

#include "quiet.h"
#include "recover.h"

#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

/* --- the log's lock ------------------------------------------------------------------------------------- */

enum { WORD_OWNER = 0, WORD_LOCK = 1, FOLDER_SETTLED_NS = 500000000 };

static bool has_rings_in_file(const struct writer *w)
{
    return w->ring_path[0] != '\0';
}

static int recover_others(struct writer *w)
{
    ll_recovered recovered = {0};
    int error =
        recover_folder(&w->folder, &w->log, w->has_errors ? &w->errors : NULL, false, &recovered, NULL);
    w->due = error != LL_OK;
    w->health.recovered_rings += recovered.finished;
    w->health.recovered_records += recovered.records;
    w->kin.live = recovered.living > 1; /* one of them is our own */
    return error ? -ENOMEM : 0;
}

/* Takes the lock; should its holder have died, its fragment is repaired and its rings are finished before
 * anything else. */
static int lock_log(struct writer *w)
{
    if (!has_rings_in_file(w) || w->robust.held[WORD_LOCK])
        return 0;
    int taken = os_robust_lock(&w->robust, WORD_LOCK, WRITER_LOCK_NS_MAX);
    if (taken < 0)
        return -EBUSY;
    int error = taken == 1 || w->due ? recover_others(w) : 0;
    if (error)
        os_robust_abandon(&w->robust, WORD_LOCK);
    return error;
}

/* A block of which a part is in the file keeps the lock, so that nobody writes behind it, as long as nobody
 * else wants to. */
static void unlock_log(struct writer *w)
{
    if (!has_rings_in_file(w))
        return;
    if (drain_is_torn(&w->drain) && !os_robust_is_wanted(&w->robust, WORD_LOCK))
        return;
    drain_let_go(&w->drain);
    os_robust_unlock(&w->robust, WORD_LOCK);
}

/* Whether a ring has come or gone since the last look. The time of a folder stands still for some
 * milliseconds, so one that is new says nothing. */
static bool folder_has_changed(struct writer *w)
{
    struct stat st;
    if (stat(w->folder.path, &st))
        return false;
    int64_t changed = (int64_t)st.st_mtim.tv_sec * 1000000000 + st.st_mtim.tv_nsec;
    bool is_old = os_realtime_ns() - changed > FOLDER_SETTLED_NS;
    bool has_changed = !is_old || changed != w->kin.folder_time_ns;
    w->kin.folder_time_ns = is_old ? changed : 0;
    return has_changed;
}

/* What this process forked, or was forked from, and what of it died is finished here, without waiting for the
 * next that opens the log. */
static void look_after_kin(struct writer *w)
{
    if (!__atomic_load_n(&w->kin.may_be, __ATOMIC_ACQUIRE) || !has_rings_in_file(w))
        return;
    w->kin.seen_ns = os_monotonic_ns();
    if ((!folder_has_changed(w) && !w->kin.live) || lock_log(w))
        return;
    if (drain_is_torn(&w->drain) || recover_others(w) == 0)
        unlock_log(w);
    else
        os_robust_abandon(&w->robust, WORD_LOCK);
}

/* At the end of a thread whose log could not be written: whoever comes next completes what is half there. */
static void leave_log(struct writer *w)
{
    if (!has_rings_in_file(w))
        drain_let_go(&w->drain);
    else if (w->robust.held[WORD_LOCK])
        os_robust_abandon(&w->robust, WORD_LOCK);
}

/* --- how it is doing ------------------------------------------------------------------------------------ */

static void publish_health(struct writer *w)
{
    w->health.records = w->drain.counters.records;
    w->health.bytes = w->drain.counters.bytes;
    w->health.truncated = w->drain.counters.truncated;
    w->health.copies_left_out = w->drain.counters.copies_left_out;
    w->health.reopens = w->log.reopens;
    pthread_mutex_lock(&w->health_mutex);
    w->published = w->health;
    pthread_mutex_unlock(&w->health_mutex);
}

void writer_health(struct writer *w, ll_health *ret_health)
{
    pthread_mutex_lock(&w->health_mutex);
    *ret_health = w->published;
    pthread_mutex_unlock(&w->health_mutex);
    ret_health->stalled = writer_is_stalled(w);
    ret_health->write_errno = __atomic_load_n(&w->stall_errno, __ATOMIC_RELAXED);
    ret_health->stalls = __atomic_load_n(&w->stalls, __ATOMIC_RELAXED);
    ret_health->unsynced = __atomic_load_n(&w->unsynced, __ATOMIC_RELAXED);
}

/* --- the log cannot be written -------------------------------------------------------------------------- */

static const char *stall_words(int error)
{
    switch (error) {
    case EBUSY:
        return "another process holds its lock";
    case ETIMEDOUT:
        return "a write to it does not return";
    case EINVAL:
        return "what is there is no file";
    default:
        return strerror(error);
    }
}

/* The library's only words of its own: once for each stall and no more than one a minute, so that somebody
 * learns of it. A stderr that takes nothing holds nobody up. */
static void tell(struct writer *w, int error)
{
    char text[LL_PATH_SIZE + 256];
    struct pollfd room = {.fd = STDERR_FILENO, .events = POLLOUT};
    int64_t now = os_monotonic_ns(), before = __atomic_load_n(&w->told_at_ns, __ATOMIC_RELAXED);
    if (w->log.is_stream || (before && now - before < WRITER_TELL_NS) || poll(&room, 1, 0) != 1)
        return;
    __atomic_store_n(&w->told_at_ns, now, __ATOMIC_RELAXED);
    int size = snprintf(text, sizeof text,
                        "liblog: %s cannot be written (%s); records wait in memory, writing is tried again\n",
                        w->log.path, stall_words(error));
    if (write(STDERR_FILENO, text, (size_t)size) < 0)
        return;
}

/* Also called within a log call, which stands between a failure and the look at errno. */
static void stall_begins(struct writer *w, int error)
{
    __atomic_store_n(&w->stall_errno, error, __ATOMIC_RELAXED);
    if (__atomic_exchange_n(&w->stalled, 1, __ATOMIC_SEQ_CST))
        return;
    int errno_before = errno;
    __atomic_fetch_add(&w->stalls, 1, __ATOMIC_RELAXED);
    tell(w, error);
    errno = errno_before;
}

static void stall_ends(struct writer *w)
{
    __atomic_store_n(&w->stall_errno, 0, __ATOMIC_RELAXED);
    __atomic_store_n(&w->stalled, 0, __ATOMIC_SEQ_CST);
}

/* Whichever comes later, the end of the block or the look at it, ends a stall that is none. */
bool writer_is_stalled(struct writer *w)
{
    int64_t since = __atomic_load_n(&w->busy_since_ns, __ATOMIC_SEQ_CST);
    if (__atomic_load_n(&w->stalled, __ATOMIC_ACQUIRE))
        return true;
    if (since == 0 || os_monotonic_ns() - since < w->slow_ns)
        return false;
    stall_begins(w, ETIMEDOUT);
    if (__atomic_load_n(&w->busy_since_ns, __ATOMIC_SEQ_CST) == since)
        return true;
    stall_ends(w);
    return false;
}

static void set_busy(struct writer *w, bool busy)
{
    __atomic_store_n(&w->busy_since_ns, busy ? os_monotonic_ns() : 0, __ATOMIC_SEQ_CST);
}

/* --- one pass ------------------------------------------------------------------------------------------- */

/* Waking costs both sides as much as a hundred records: callers wait until half their ring is free, or there
 * is nothing more to write. (They look by themselves, too, now and then.) */
static void wake_waiting(struct writer *w, size_t block_bytes)
{
    w->written += block_bytes;
    if (block_bytes >= DRAIN_BLOCK_BYTES && w->written < w->file.identity->ring_bytes / 2)
        return;
    w->written = 0;
    __atomic_fetch_add(&w->freed, 1, __ATOMIC_SEQ_CST);
    if (__atomic_load_n(&w->waiting, __ATOMIC_SEQ_CST))
        os_futex_wake(&w->freed, INT32_MAX, false);
}

/* The wait for the lock has an end of its own, and is no slow disk. */
static int write_block(struct writer *w)
{
    size_t block_bytes = w->drain.block.size;
    set_busy(w, false);
    int error = lock_log(w);
    if (!error) {
        set_busy(w, true);
        error = drain_write(&w->drain);
        unlock_log(w);
        set_busy(w, false);
    }
    if (error) {
        w->health.write_errors++;
        publish_health(w);
        stall_begins(w, -error);
        return error;
    }
    if (__atomic_load_n(&w->stalled, __ATOMIC_SEQ_CST))
        stall_ends(w);
    wake_waiting(w, block_bytes);
    return 0;
}

/* Readers of the statistics tell the time of what is not drained by it. */
static void anchor_clock(struct writer *w)
{
    struct ticks_anchor anchor = *ring_file_anchor(&w->file);
    ticks_anchor_renew(&anchor);
    if (w->drain.stats)
        stats_lock(w->drain.stats);
    ring_file_set_anchor(&w->file, &anchor);
    if (w->drain.stats)
        stats_unlock(w->drain.stats);
}

/* How long until what was written is to be synced; -1: nothing is. */
static int64_t sync_due_in(const struct writer *w)
{
    if (w->sync != LL_SYNC_INTERVAL || !(w->log.dirty || w->errors.dirty))
        return -1;
    int64_t left = w->synced_at_ns + WRITER_SYNC_NS - os_monotonic_ns();
    return left > 0 ? left : 0;
}

static void sync_log(struct writer *w, uint64_t cut)
{
    int error = sink_sync(&w->log);
    if (w->has_errors && !error)
        error = sink_sync(&w->errors);
    w->synced_at_ns = os_monotonic_ns();
    w->health.write_errors += error != 0;
    __atomic_store_n(error ? &w->sync_failed : &w->synced, cut, __ATOMIC_RELEASE);
}

/* Whoever wants a sync has published before he said so, so his record is in the pass that begins here. */
static bool begin_pass(struct writer *w)
{
    anchor_clock(w);
    return __atomic_exchange_n(&w->sync_wanted, 0, __ATOMIC_SEQ_CST);
}

static void end_pass(struct writer *w, uint64_t cut, bool sync_wanted)
{
    if (sync_wanted || sync_due_in(w) == 0)
        sync_log(w, cut);
    __atomic_store_n(&w->passed, cut, __ATOMIC_RELEASE);
    __atomic_fetch_add(&w->passes, 1, __ATOMIC_RELEASE);
    os_futex_wake(&w->passes, INT32_MAX, false);
}

static uint32_t fill_block(struct writer *w, uint64_t cut)
{
    set_busy(w, true);
    uint32_t records = drain_fill(&w->drain, cut);
    set_busy(w, false);
    return records;
}

/* Writes all that was published before the cut. Returns the number of records, or a negative errno. */
static int64_t pass(struct writer *w)
{
    uint64_t before = w->drain.counters.records;
    bool sync_wanted = begin_pass(w);
    uint64_t cut = ticks_now(ticks_use_counter());
    while (fill_block(w, cut) > 0) {
        int error = write_block(w);
        if (error)
            return error;
    }
    if (w->drain.starved) {
        stall_begins(w, ENOMEM);
        return -ENOMEM;
    }
    if (w->drain.counters.records != before)
        publish_health(w);
    end_pass(w, cut, sync_wanted);
    return (int64_t)(w->drain.counters.records - before);
}

/* --- sleeping ------------------------------------------------------------------------------------------- */

enum { BUSY_RECORDS = 256 };

static void sleep_in(struct writer *w, enum writer_state state, int64_t timeout_ns)
{
    __atomic_store_n(&w->state, state, __ATOMIC_SEQ_CST);
    if (state == WRITER_ASLEEP)
        os_barrier();
    bool must_not = __atomic_load_n(&w->stop, __ATOMIC_SEQ_CST) ||
                    __atomic_load_n(&w->sync_wanted, __ATOMIC_SEQ_CST) ||
                    (state == WRITER_ASLEEP && drain_is_behind(&w->drain));
    if (!must_not)
        os_futex_wait(&w->state, state, timeout_ns, false);
    __atomic_store_n(&w->state, WRITER_AWAKE, __ATOMIC_SEQ_CST);
}

/* A pass that filled whole blocks is followed by the next at once: more has come meanwhile. */
static void sleep_after(struct writer *w, int64_t result, int64_t *idle_since_ns)
{
    int64_t now = os_monotonic_ns();
    bool is_idle = result == 0 && now - *idle_since_ns >= WRITER_IDLE_NS;
    if (result != 0)
        *idle_since_ns = now;
    if (result >= 0 && (is_idle || now - w->kin.seen_ns > WRITER_KIN_NS))
        look_after_kin(w);
    if (result >= BUSY_RECORDS)
        return;
    if (result < 0)
        sleep_in(w, WRITER_NAP, WRITER_RETRY_NS);
    else if (!is_idle || !w->barrier)
        sleep_in(w, WRITER_NAP, WRITER_NAP_NS);
    else
        sleep_in(w, WRITER_ASLEEP, sync_due_in(w));
}

/* --- the thread ----------------------------------------------------------------------------------------- */

/* The owner's word is held before the file has its name, so nobody ever sees a ring of a living process
 * without it. */
static void begin_in_file(struct writer *w)
{
    os_robust_adopt(&w->robust);
    os_robust_lock(&w->robust, WORD_OWNER, -1);
    if (rename(w->new_path, w->ring_path))
        w->health.ring = LL_RING_MEMORY;
    w->due = true;
    if (lock_log(w) == 0) /* else a stopped process holds it: then before the first block */
        os_robust_unlock(&w->robust, WORD_LOCK);
    publish_health(w);
}

static void write_close_mark(struct writer *w)
{
    if (!w->file.identity->marks)
        return;
    drain_close(&w->drain, DRAIN_CLOSED);
    write_block(w);
}

/* The end: what a stalled log did not take stays in the ring file, for the next who opens it. */
static void finish(struct writer *w)
{
    int64_t end = os_monotonic_ns() + WRITER_CLOSE_NS_MAX;
    int64_t result = pass(w);
    while (result < 0 && os_monotonic_ns() < end) {
        struct timespec pause = {0, WRITER_NAP_NS};
        nanosleep(&pause, NULL);
        result = pass(w);
    }
    if (result >= 0)
        look_after_kin(w);
    if (result >= 0)
        write_close_mark(w);
    if (w->sync != LL_SYNC_NEVER)
        sync_log(w, w->passed);
    w->left_behind = result < 0 || w->drain.block.size > 0;
    if (has_rings_in_file(w) && !w->left_behind)
        unlink(w->ring_path);
}

static void *writer_thread(void *argument)
{
    struct writer *w = argument;
    int64_t idle_since_ns = os_monotonic_ns();
    os_thread_name("ll-writer");
    w->thread_number = os_thread_id();
    w->drain.run.has_own_addresses = true;
    if (has_rings_in_file(w))
        begin_in_file(w);
    __atomic_store_n(&w->started, 1, __ATOMIC_RELEASE);
    os_futex_wake(&w->started, INT32_MAX, false);
    while (!__atomic_load_n(&w->stop, __ATOMIC_SEQ_CST))
        sleep_after(w, pass(w), &idle_since_ns);
    finish(w);
    leave_log(w);
    if (has_rings_in_file(w))
        os_robust_unlock(&w->robust, WORD_OWNER);
    return NULL;
}

static int start_thread(struct writer *w)
{
    struct quiet before;
    quiet_begin(&before);
    int error = pthread_create(&w->thread, NULL, writer_thread, w);
    quiet_end(&before);
    return error ? LL_ESYSTEM : LL_OK;
}

int writer_start(struct writer *w)
{
    int error = drain_init(&w->drain, &w->file, &w->log, w->has_errors ? &w->errors : NULL);
    if (error)
        return error;
    w->drain.stats = w->stats.file ? &w->stats : NULL;
    pthread_mutex_init(&w->health_mutex, NULL);
    w->published = w->health;
    w->barrier = os_barrier_register() == 0;
    if (has_rings_in_file(w) && os_robust_map(&w->robust, (int[]){w->file.fd, w->folder.lock_fd},
                                              (uint64_t[]){ring_file_owner_offset(), 0}))
        error = LL_ENOMEM;
    folder_close(&w->folder); /* the mapping holds the lock's page; a program may want the number */
    if (!error)
        error = start_thread(w);
    if (error) {
        drain_release(&w->drain);
        return error;
    }
    while (!__atomic_load_n(&w->started, __ATOMIC_ACQUIRE))
        os_futex_wait(&w->started, 0, -1, false);
    return LL_OK;
}

void writer_stop(struct writer *w)
{
    __atomic_store_n(&w->stop, 1, __ATOMIC_SEQ_CST);
    writer_poke(w, true);
    pthread_join(w->thread, NULL);
    writer_release(w);
}

void writer_release(struct writer *w)
{
    drain_release(&w->drain);
    if (has_rings_in_file(w))
        os_robust_unmap(&w->robust);
}

static bool has_passed(const struct writer *w, uint64_t ticks)
{
    return __atomic_load_n(&w->passed, __ATOMIC_ACQUIRE) >= ticks;
}

int writer_wait(struct writer *w, uint64_t ticks, int64_t timeout_ns)
{
    int64_t end = os_monotonic_ns() + timeout_ns;
    for (;;) {
        uint32_t passes = __atomic_load_n(&w->passes, __ATOMIC_ACQUIRE);
        if (has_passed(w, ticks))
            return 0;
        int64_t left = end - os_monotonic_ns();
        if (left <= 0)
            return -ETIMEDOUT;
        writer_poke(w, true);
        os_futex_wait(&w->passes, passes, left < WRITER_NAP_NS ? left : WRITER_NAP_NS, false);
    }
}

int writer_wait_synced(struct writer *w, uint64_t ticks, int64_t timeout_ns)
{
    int64_t end = os_monotonic_ns() + timeout_ns;
    __atomic_store_n(&w->sync_wanted, 1, __ATOMIC_SEQ_CST);
    while (timeout_ns > 0) {
        uint32_t passes = __atomic_load_n(&w->passes, __ATOMIC_ACQUIRE);
        if (__atomic_load_n(&w->synced, __ATOMIC_ACQUIRE) >= ticks)
            return 0;
        if (__atomic_load_n(&w->sync_failed, __ATOMIC_ACQUIRE) >= ticks || writer_is_stalled(w))
            return -EIO;
        int64_t left = end - os_monotonic_ns();
        if (left <= 0)
            return -ETIMEDOUT;
        writer_poke(w, true);
        os_futex_wait(&w->passes, passes, left < WRITER_NAP_NS ? left : WRITER_NAP_NS, false);
    }
    writer_poke(w, true);
    return -ETIMEDOUT;
}
