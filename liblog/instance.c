#include "instance.h"

#include "caller.h"
#include "crash.h"
#include "early.h"
#include "liblog/base/uuid.h"
#include "problem.h"
#include "quiet.h"
#include "settings.h"
#include "stats_folder.h"

#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

enum { ARENA_BYTES = 1 << 20, CLOSE_CALLERS_NS_MAX = 1000000000, EXIT_NS_MAX = 200000000 };

/* Not that of a site which was never looked at: calls before ll_open are looked at, too. */
uint32_t ll_state_off = 2;

struct instance_page instance_page;
bool instance_ever_opened;
static bool page_is_wiped; /* by the kernel, in a child */
static pthread_mutex_t life = PTHREAD_MUTEX_INITIALIZER;
static pthread_mutex_t closing = PTHREAD_MUTEX_INITIALIZER; /* held through ll_close; taken before `life` */
static struct quiet before_lock;                            /* under `life`: of the thread that holds it */
static struct instance *opened;                             /* under `life`; a child finds its parent's */
static struct levels levels = {.root = LL_LEVEL_INFO};      /* under `life` */
static uint32_t levels_version = 1;                         /* under `life`; ll_state_off is twice this */
static uint64_t last_epoch;                                 /* under `life` */
static char run_id[UUID_TEXT_SIZE + 1];
static char run_env[sizeof "LOG_RUN_ID=" + UUID_TEXT_SIZE] = "LOG_RUN_ID=";
static uint64_t next_seq = 1;   /* of run_id: goes on over close and open */
static ll_config forked_config; /* what a child opens at its first call */
static bool forked;
static char forked_from[UUID_TEXT_SIZE + 1]; /* the run of the process that forked this one, or "" */
static bool run_is_over; /* its last records were left to whoever comes next, with the numbers that follow */

static void notice_fork(void);

void instance_lock(void)
{
    struct quiet before;
    quiet_begin(&before);
    notice_fork();
    pthread_mutex_lock(&life);
    before_lock = before;
}

void instance_unlock(void)
{
    struct quiet before = before_lock;
    pthread_mutex_unlock(&life);
    quiet_end(&before);
}

/* What callers see, and what stays known when a child's page is wiped. */
static void set_opened(struct instance *instance)
{
    opened = instance;
    __atomic_store_n(&instance_page.opened, instance, __ATOMIC_SEQ_CST);
}

/* --- levels --------------------------------------------------------------------------------------------- */

/* Every site looks again at its next call. */
static void levels_changed(void)
{
    levels_version++;
    __atomic_store_n(&ll_state_off, levels_version << 1, __ATOMIC_RELEASE);
}

/* Until the log is open the environment decides, as it will where the program asks it. */
static void levels_before_open(void)
{
    const char *text = getenv("LOG_LEVEL");
    if (text && levels_parse(&levels, text, NULL))
        levels = (struct levels){.root = LL_LEVEL_INFO};
    levels_changed();
}

bool instance_look_at_level(ll_site *site)
{
    instance_lock();
    if (levels_version == 1)
        levels_before_open();
    bool on = (int)site->level >= (int)levels_of(&levels, site->logger);
    __atomic_store_n(&site->state, levels_version << 1 | on, __ATOMIC_RELAXED);
    instance_unlock();
    return on;
}

void instance_count_dropped(const ll_site *site)
{
    instance_lock();
    bool counts =
        opened && site->level < RING_LEVELS && (int)site->level >= (int)levels_of(&levels, site->logger);
    if (counts)
        ring_file_count_dropped(&opened->writer.file, RING_OVERFLOW, site->level);
    instance_unlock();
}

int ll_set_level(const char *logger, ll_level level)
{
    if ((int)level < 0 || level > LL_LEVEL_OFF)
        return LL_EINVAL;
    instance_lock();
    int error = levels_set(&levels, logger, level);
    if (!error)
        levels_changed();
    instance_unlock();
    return error;
}

/* --- rings in a file, or in memory ---------------------------------------------------------------------- */

static void fill_identity(struct ring_identity *identity, const ll_config *config,
                          const struct folder *folder)
{
    *identity = (struct ring_identity){.ring_bytes = config->ring_bytes,
                                       .pid = (uint32_t)getpid(),
                                       .source_level = (uint32_t)config->source_level,
                                       .marks = config->marks};
    memcpy(identity->boot_id, folder->boot_id, sizeof identity->boot_id);
    snprintf(identity->run_id, sizeof identity->run_id, "%s", run_id);
    snprintf(identity->parent_run_id, sizeof identity->parent_run_id, "%s",
             *forked_from ? forked_from : config->parent_run_id);
    snprintf(identity->service, sizeof identity->service, "%s", config->service);
    snprintf(identity->environment, sizeof identity->environment, "%s", config->environment);
}

static bool is_stream(const char *file)
{
    return strcmp(file, "stdout") == 0 || strcmp(file, "stderr") == 0;
}

/* The folder gets its log first, so that it can have the log's mode and group. */
static int open_folder(struct writer *w, const ll_config *config)
{
    struct ring_target unused;
    if (is_stream(config->file) && !*config->ring_dir)
        return -ENOTSUP;
    sink_prepare(&w->log, &unused);
    return folder_open(&w->folder, config->file, config->ring_dir, true);
}

static int make_in_file(struct writer *w, const ll_config *config)
{
    struct ring_identity identity;
    struct stat st;
    char name[96];
    int error = open_folder(w, config);
    if (error)
        return error;
    snprintf(name, sizeof name, "%s.%llu", run_id, (unsigned long long)last_epoch);
    folder_path(&w->folder, name, ".ring", w->ring_path, sizeof w->ring_path);
    folder_path(&w->folder, name, ".new", w->new_path, sizeof w->new_path);
    mode_t mode = stat(config->file, &st) == 0 ? st.st_mode & 0660 : 0600;
    int fd = open(w->new_path, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, mode);
    if (fd < 0)
        return -errno;
    fill_identity(&identity, config, &w->folder);
    error = ring_file_make(&w->file, fd, &identity);
    if (error) {
        close(fd);
        unlink(w->new_path);
    }
    return error;
}

static int make_in_memory(struct writer *w, const ll_config *config)
{
    struct ring_identity identity;
    folder_close(&w->folder);
    w->ring_path[0] = '\0';
    int fd = os_memory_file("liblog");
    if (fd < 0)
        return LL_ESYSTEM;
    fill_identity(&identity, config, &w->folder);
    int error = ring_file_make(&w->file, fd, &identity);
    if (error)
        close(fd);
    return error ? LL_ENOMEM : LL_OK;
}

static int make_rings(struct writer *w, const ll_config *config)
{
    w->folder.lock_fd = -1;
    w->health.ring = LL_RING_FILE;
    if (make_in_file(w, config) == 0)
        return LL_OK;
    w->health.ring = LL_RING_MEMORY;
    return make_in_memory(w, config);
}

/* Beside the rings, or, as these, in memory. Without memory for them nothing is counted. */
static void make_stats(struct writer *w, const ll_config *config)
{
    struct stat st;
    bool in_file = w->health.ring == LL_RING_FILE;
    mode_t mode = stat(config->file, &st) == 0 ? st.st_mode & 0660 : 0600;
    if (!config->stats)
        return;
    if (stats_folder_open(in_file ? &w->folder : NULL, w->file.identity, mode, &w->stats_file) == 0)
        stats_begin(&w->stats, &w->stats_file, next_seq);
}

/* --- open and close ------------------------------------------------------------------------------------- */

static void instance_free(struct instance *instance)
{
    int fd = ring_file_is_open(&instance->writer.file) ? instance->writer.file.fd : -1;
    ring_file_release(&instance->writer.file);
    if (fd >= 0)
        close(fd);
    folder_close(&instance->writer.folder);
    stats_end(&instance->writer.stats);
    stats_file_release(&instance->writer.stats_file);
    sink_release(&instance->writer.log);
    sink_release(&instance->writer.errors);
    os_unmap(instance->arena.memory, instance->arena.size);
    pthread_mutex_destroy(&instance->sites_mutex);
    pthread_mutex_destroy(&instance->common.mutex);
    os_unmap(instance, sizeof *instance);
}

static int instance_new(const ll_config *config, struct instance **ret_instance)
{
    void *memory, *arena;
    if (os_reserve(sizeof(struct instance), &memory))
        return LL_ENOMEM;
    struct instance *instance = memory;
    if (os_reserve(ARENA_BYTES, &arena)) {
        os_unmap(memory, sizeof *instance);
        return LL_ENOMEM;
    }
    instance->config = *config;
    instance->arena = (struct site_arena){.memory = arena, .size = ARENA_BYTES, .redact = &instance->redact};
    instance->epoch = ++last_epoch;
    pthread_mutex_init(&instance->sites_mutex, NULL);
    pthread_mutex_init(&instance->common.mutex, NULL);
    sink_init(&instance->writer.log, config->file);
    sink_init(&instance->writer.errors, config->error_file);
    instance->writer.has_errors = *config->error_file != '\0';
    instance->writer.kin.may_be = *forked_from != '\0';
    redact_init(&instance->redact, config->redact, NULL);
    instance->writer.sync = config->sync;
    instance->writer.log.syncs = instance->writer.errors.syncs = config->sync != LL_SYNC_NEVER;
    instance->writer.slow_ns =
        config->block_max_ns > WRITER_SLOW_NS_MIN ? config->block_max_ns : WRITER_SLOW_NS_MIN;
    *ret_instance = instance;
    return LL_OK;
}

static void first_progress(struct ring_file *file)
{
    struct ticks_anchor anchor;
    ticks_anchor_init(&anchor);
    ring_file_set_anchor(file, &anchor);
    file->progress->next_seq[0] = file->progress->next_seq[1] = next_seq;
}

int instance_watch_crashes(void)
{
    instance_lock();
    int error = opened ? common_make(&opened->common, &opened->writer.file) : 0;
    instance_unlock();
    return error ? LL_ENOMEM : LL_OK;
}

static int make_run_id(ll_problem *problem)
{
    uint8_t uuid[UUID_SIZE];
    if (*run_id && !run_is_over)
        return LL_OK;
    if (uuid7_now(uuid))
        return problem_set(problem, LL_ESYSTEM, "the kernel gives no random bytes for a run id");
    uuid_to_text(run_id, uuid);
    memcpy(run_env + sizeof "LOG_RUN_ID=" - 1, run_id, UUID_TEXT_SIZE);
    next_seq = 1;
    run_is_over = false;
    return LL_OK;
}

/* Before any other call can have a ring: what was logged earlier comes first. */
static void hand_over_early(struct instance *instance)
{
    if (early_is_empty() || common_make(&instance->common, &instance->writer.file))
        return;
    early_hand_over(&instance->common.producer[COMMON_EARLY], &levels);
    writer_poke(&instance->writer, true);
}

static int open_locked(const ll_config *config, ll_problem *problem)
{
    struct instance *instance;
    int error = make_run_id(problem);
    if (error)
        return error;
    error = instance_new(config, &instance);
    if (error)
        return problem_set(problem, error, "no memory for the log: %s", ll_strerror(error));
    error = make_rings(&instance->writer, config);
    if (error) {
        instance->writer.file.fd = -1;
        instance_free(instance);
        return problem_set(problem, error, "no memory for the rings of the log: %s", ll_strerror(error));
    }
    first_progress(&instance->writer.file);
    if (crash_is_watched())
        common_make(&instance->common, &instance->writer.file);
    make_stats(&instance->writer, config);
    error = writer_start(&instance->writer);
    if (error) {
        unlink(instance->writer.new_path);
        instance_free(instance);
        return problem_set(problem, error, "the log's writer cannot be started: %s", ll_strerror(error));
    }
    levels_parse(&levels, config->level, NULL);
    hand_over_early(instance);
    __atomic_store_n(&instance_ever_opened, true, __ATOMIC_RELAXED);
    set_opened(instance);
    levels_changed();
    return LL_OK;
}

/* --- fork ----------------------------------------------------------------------------------------------- */

static void before_fork(void)
{
    instance_lock();
}

static void after_fork_in_parent(void)
{
    if (opened)
        __atomic_store_n(&opened->writer.kin.may_be, 1, __ATOMIC_RELEASE);
    instance_unlock();
}

/* What the child has of the parent's log is memory only: it lets go of it, and the files stay as they are. */
static void let_go_of_parents(struct instance *parent)
{
    writer_release(&parent->writer);
    instance_free(parent);
}

/* Forked in a signal handler within a call, which goes on in the child with what it has: it may write into
 * memory that nobody reads, and waits for no writer. */
static void leave_to_parent(struct instance *parent)
{
    ring_file_leave(&parent->writer.file);
    __atomic_store_n(&parent->writer.stalled, 1, __ATOMIC_RELEASE);
}

/* The child has no writer and must not touch the parent's rings: it gets a run and rings of its own at its
 * first call; a run of its own also when the log was closed and it opens it by itself. */
static struct instance *begin_child(void)
{
    struct instance *parent = opened;
    if (parent && caller_is_inside())
        leave_to_parent(parent);
    if (*run_id)
        memcpy(forked_from, run_id, sizeof forked_from);
    run_id[0] = '\0';
    if (parent) {
        forked_config = parent->config;
        forked = true;
        set_opened(NULL);
        levels_changed();
    }
    __atomic_store_n(&instance_page.is_mine, 1, __ATOMIC_RELEASE);
    return parent;
}

static void after_fork_in_child(void)
{
    struct instance *parent = begin_child();
    if (parent && !caller_is_inside())
        let_go_of_parents(parent);
    callers_begin_child(true);
    pthread_mutex_init(&closing, NULL);
    instance_unlock();
}

/* A child that the handlers above know nothing of. Its locks are as some thread of the parent held them, and
 * what they guard may be half-done: it is forgotten, not given back. */
static void begin_unseen_child(void)
{
    pthread_mutex_init(&life, NULL);
    pthread_mutex_init(&closing, NULL);
    begin_child();
    callers_begin_child(false);
}

/* Before the lock is taken: it may be held by a thread that is not there. */
static void notice_fork(void)
{
    enum { UNSEEN = 0, MINE = 1, BEING_SEEN = 2 };
    uint32_t seen = UNSEEN;
    if (!page_is_wiped || __atomic_load_n(&instance_page.is_mine, __ATOMIC_ACQUIRE) == MINE)
        return;
    if (__atomic_compare_exchange_n(&instance_page.is_mine, &seen, BEING_SEEN, false, __ATOMIC_ACQ_REL,
                                    __ATOMIC_ACQUIRE))
        begin_unseen_child();
    while (__atomic_load_n(&instance_page.is_mine, __ATOMIC_ACQUIRE) != MINE)
        sched_yield();
}

struct instance *instance_after_fork(void)
{
    if (!forked)
        return NULL;
    forked = false;
    open_locked(&forked_config, NULL);
    return opened;
}

/* --- the public calls ----------------------------------------------------------------------------------- */

static void watch_forks(void)
{
    pthread_atfork(before_fork, after_fork_in_parent, after_fork_in_child);
    instance_page.is_mine = 1;
    page_is_wiped = os_wipe_on_fork(&instance_page, sizeof instance_page) == 0;
}

/* A program may go to another folder later; its files stay where they were at ll_open. */
static void from_the_root_on(char path[static LL_PATH_SIZE])
{
    if (*path && !is_stream(path) && os_absolute_path(path, path, LL_PATH_SIZE))
        return; /* too long to say so: then as the program said it */
}

int ll_open_sized(const ll_config *config, size_t size, ll_problem *ret_problem)
{
    static pthread_once_t once = PTHREAD_ONCE_INIT;
    ll_config checked;
    pthread_once(&once, watch_forks);
    ll_config_init(&checked);
    memcpy(&checked, config, size < sizeof checked ? size : sizeof checked);
    int error = settings_check(&checked, ret_problem);
    if (error)
        return error;
    from_the_root_on(checked.file);
    from_the_root_on(checked.error_file);
    from_the_root_on(checked.ring_dir);
    pthread_mutex_lock(&closing); /* the numbers go on where a log that is being closed ends */
    instance_lock();
    forked = false;
    if (opened)
        error = problem_set(ret_problem, LL_EOPEN, "the log is open already, on %s; close it first",
                            opened->config.file);
    else
        error = open_locked(&checked, ret_problem);
    instance_unlock();
    pthread_mutex_unlock(&closing);
    return error;
}

/* From now on no call finds the log. */
static struct instance *take_opened(void)
{
    instance_lock();
    struct instance *instance = opened;
    set_opened(NULL);
    forked = false;
    levels_changed();
    instance_unlock();
    return instance;
}

/* The file stays mapped as long as a call that began before may still be writing into it. */
static void close_instance(struct instance *instance)
{
    os_barrier();
    bool left = callers_have_left(CLOSE_CALLERS_NS_MAX);
    writer_stop(&instance->writer);
    next_seq = instance->writer.file.progress->next_seq[ring_file_parity(&instance->writer.file)];
    run_is_over = instance->writer.left_behind;
    if (left)
        instance_free(instance);
}

/* Who closes what another is closing waits for it: exit() must not run ahead. */
void ll_close(void)
{
    int cancel_state;
    pthread_setcancelstate(PTHREAD_CANCEL_DISABLE, &cancel_state);
    pthread_mutex_lock(&closing);
    struct instance *instance = take_opened();
    if (instance)
        close_instance(instance);
    pthread_mutex_unlock(&closing);
    pthread_setcancelstate(cancel_state, &cancel_state);
}

static uint32_t exiting_thread; /* atomic: the one in exit(); 0: none */
static int64_t exit_ends_ns;    /* atomic: until then it counts as on its way */

/* exit() and the end of main: after the program's own atexit handlers, whose records are still taken. */
__attribute__((destructor(101))) static void close_at_exit(void)
{
    __atomic_store_n(&exit_ends_ns, INT64_MAX, __ATOMIC_RELAXED);
    __atomic_store_n(&exiting_thread, os_thread_id(), __ATOMIC_RELEASE);
    ll_close();
    __atomic_store_n(&exit_ends_ns, os_monotonic_ns() + EXIT_NS_MAX, __ATOMIC_RELEASE);
}

void instance_hold_at_exit(void)
{
    uint32_t exiting = __atomic_load_n(&exiting_thread, __ATOMIC_ACQUIRE);
    while (exiting && exiting != os_thread_id() &&
           os_monotonic_ns() < __atomic_load_n(&exit_ends_ns, __ATOMIC_ACQUIRE))
        nanosleep(&(struct timespec){0, 1000000}, NULL);
}

/* Between enter and leave the instance stays: ll_close waits for those inside. */
CALLER_ON_STACK int ll_flush(int timeout_ms)
{
    struct caller *caller = caller_mine();
    struct caller_call mine;
    int64_t timeout_ns = (int64_t)(timeout_ms < 0 ? 0 : timeout_ms) * 1000000;
    int error = LL_ECLOSED;
    if (!caller)
        return LL_ENOMEM;
    uint32_t depth = caller_enter(caller, &mine);
    struct instance *instance = instance_current();
    if (instance)
        error =
            writer_wait(&instance->writer, ticks_now(ticks_use_counter()), timeout_ns) ? LL_ETIMEOUT : LL_OK;
    caller_leave(caller, &mine, depth);
    return error;
}

void ll_reopen(void)
{
    instance_lock();
    if (opened) {
        __atomic_store_n(&opened->writer.log.reopen, true, __ATOMIC_RELEASE);
        __atomic_store_n(&opened->writer.errors.reopen, true, __ATOMIC_RELEASE);
    }
    instance_unlock();
}

const char *ll_run_id(void)
{
    return run_id;
}

const char *ll_run_env(void)
{
    return run_env;
}

const char *ll_version(void)
{
    return LIBLOG_VERSION;
}

/* Whether recovery would find them: their folder may have been removed. */
static bool rings_are_in_place(const struct writer *w)
{
    struct stat st;
    return stat(w->ring_path, &st) == 0 && (uint64_t)st.st_dev == w->file.device &&
           (uint64_t)st.st_ino == w->file.inode;
}

static uint64_t dropped_in_file(const struct instance *instance, enum ring_reason reason)
{
    const uint64_t *count = instance->writer.file.growth->dropped.count[reason];
    uint64_t dropped = 0;
    for (int level = 0; level < RING_LEVELS; level++)
        dropped += __atomic_load_n(&count[level], __ATOMIC_RELAXED);
    return dropped;
}

static uint64_t dropped_in_rings(const struct instance *instance)
{
    const struct ring_file *file = &instance->writer.file;
    uint64_t dropped = 0;
    uint32_t segments = __atomic_load_n(&file->segment_count, __ATOMIC_ACQUIRE);
    for (uint32_t i = 0; i < segments; i++)
        for (int depth = 0; depth < RING_FILE_DEPTHS; depth++)
            for (int level = 0; level < RING_LEVELS; level++)
                dropped +=
                    __atomic_load_n(&file->segment[i].ring[depth].control->dropped[level], __ATOMIC_RELAXED);
    return dropped;
}

void ll_health_get_sized(ll_health *ret_health, size_t size)
{
    ll_health health = {0};
    instance_lock();
    struct instance *instance = opened;
    if (instance) {
        writer_health(&instance->writer, &health);
        health.dropped = dropped_in_rings(instance);
        for (int reason = 0; reason < RING_REASONS; reason++)
            health.dropped += dropped_in_file(instance, (enum ring_reason)reason);
        health.dropped_disk = dropped_in_file(instance, RING_DISK);
        if (health.ring == LL_RING_FILE && !rings_are_in_place(&instance->writer))
            health.ring = LL_RING_MEMORY;
    }
    instance_unlock();
    memset(ret_health, 0, size);
    memcpy(ret_health, &health, size < sizeof health ? size : sizeof health);
}
