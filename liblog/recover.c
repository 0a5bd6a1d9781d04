#define _GNU_SOURCE
#include "recover.h"

#include "drain.h"
#include "liblog/base/cleanup.h"
#include "problem.h"
#include "stats_folder.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <pthread.h>
#include <sys/stat.h>
#include <time.h>

enum { NEW_FILE_SECONDS_MAX = 60 };

/* --- the dead run's statistics -------------------------------------------------------------------------- */

struct counting {
    struct stats stats;
    struct stats_file file;
    int fd; /* -1: it has none */
};

/* They go on from where its last block has left them. */
static void counting_begin(struct counting *counting, struct drain *drain, const struct folder *folder)
{
    counting->fd = stats_folder_load(folder, drain->file->identity->run_id, &counting->file);
    if (counting->fd < 0)
        return;
    stats_begin(&counting->stats, &counting->file, drain->next_seq);
    drain->stats = &counting->stats;
}

static void counting_end(struct counting *counting, struct drain *drain)
{
    drain->stats = NULL;
    if (counting->fd < 0)
        return;
    stats_end(&counting->stats);
    stats_file_release(&counting->file);
    close(counting->fd);
}

/* --- was the block written? ----------------------------------------------------------------------------- */

static int open_if_target(const char *path, int flags, const struct ring_target *target)
{
    struct stat st;
    int fd = open(path, O_RDWR | O_CLOEXEC | O_NONBLOCK | flags);
    if (fd >= 0 && (fstat(fd, &st) || !S_ISREG(st.st_mode) || (uint64_t)st.st_dev != target->device ||
                    (uint64_t)st.st_ino != target->inode))
        cleanup_close(&(int){take_fd(&fd)});
    return fd;
}

/* What a rotation has made of the log in its folder: named like it, with something behind. */
static int open_rotated(const char *log_path, const struct ring_target *target)
{
    char path[PATH_MAX + 512];
    const char *slash = strrchr(log_path, '/');
    const char *base = slash ? slash + 1 : log_path;
    snprintf(path, sizeof path, "%.*s", slash ? (int)(slash - log_path) + 1 : 2, slash ? log_path : "./");
    size_t folder = strlen(path);
    DIR *entries = opendir(path);
    int found = -1;
    for (struct dirent *entry; entries && found < 0 && (entry = readdir(entries));) {
        if ((uint64_t)entry->d_ino != target->inode || strncmp(entry->d_name, base, strlen(base)) != 0)
            continue;
        snprintf(path + folder, sizeof path - folder, "%s", entry->d_name);
        found = open_if_target(path, O_NOFOLLOW, target);
    }
    if (entries)
        closedir(entries);
    return found;
}

/* The file that the dead process was writing. A log's path may be a symlink, which its writer followed too.
 */
static int open_target(const char *log_path, const struct ring_target *target)
{
    _cleanup_free_ char *real = realpath(log_path, NULL);
    int found = open_if_target(log_path, 0, target);
    return found >= 0 ? found : open_rotated(real ? real : log_path, target);
}

enum { LINE_LOOK_BYTES = 16384 };

static bool contains(const char *text, size_t size, const char *word)
{
    size_t word_size = strlen(word);
    for (size_t i = 0; i + word_size <= size; i++)
        if (text[i] == word[0] && memcmp(text + i, word, word_size) == 0)
            return true;
    return false;
}

/*
 * Whether what stands at the offset is a line of this run (or, when it is too short to tell, could be its
 * beginning): what a ring file says of another file is not believed without it.
 */
static bool is_line_of_run(int fd, uint64_t offset, uint64_t end, const char *run_id)
{
    static const char beginning[] = "{\"timestamp\":\"";
    char text[LINE_LOOK_BYTES], run[64];
    snprintf(run, sizeof run, "\"" LL_KEY_RUN_ID "\":\"%s\"", run_id);
    ssize_t n = pread(fd, text, sizeof text, (off_t)offset);
    size_t size = n > 0 ? (size_t)n : 0;
    if (size > end - offset)
        size = (size_t)(end - offset);
    size_t shorter = size < sizeof beginning - 1 ? size : sizeof beginning - 1;
    if (size == 0 || memcmp(text, beginning, shorter) != 0)
        return false;
    return contains(text, size, run) || !memchr(text, '\n', size);
}

enum block_state { BLOCK_WHOLE, BLOCK_MISSING, BLOCK_FRAGMENT };

static enum block_state block_state(int fd, const struct ring_target *target, const char *run_id)
{
    struct stat st;
    char last;
    if (fd < 0 || fstat(fd, &st) || (uint64_t)st.st_size <= target->offset)
        return BLOCK_MISSING;
    uint64_t end = target->offset + target->length;
    if (!is_line_of_run(fd, target->offset, end, run_id))
        return BLOCK_MISSING;
    if ((uint64_t)st.st_size < end)
        return BLOCK_FRAGMENT;
    return pread(fd, &last, 1, (off_t)end - 1) == 1 && last == '\n' ? BLOCK_WHOLE : BLOCK_MISSING;
}

static enum block_state look_at(const char *path, const struct ring_target *target, const char *run_id,
                                int *ret_fd)
{
    *ret_fd = target->length && *path ? open_target(path, target) : -1;
    return block_state(*ret_fd, target, run_id);
}

static void cut_at(int fd, uint64_t offset)
{
    if (ftruncate(fd, (off_t)offset))
        return; /* the line stays torn; the block is written again behind it */
}

/* A write under way when a process died, and the files that it went to, where they were found. */
struct pending {
    struct ring_note note;
    int log_fd, errors_fd; /* -1: nothing of it is there */
};

static bool file_begins_with(int fd, uint64_t offset, struct slice block, size_t *ret_there)
{
    _cleanup_free_ char *there = malloc(block.size);
    ssize_t n = there ? pread(fd, there, block.size, (off_t)offset) : -1;
    if (n < 0 || memcmp(there, block.data, (size_t)n) != 0)
        return false;
    *ret_there = (size_t)n;
    return true;
}

/* Returns how many bytes the disk has taken. */
static size_t write_behind(int fd, uint64_t offset, struct slice rest)
{
    size_t written = 0;
    while (written < rest.size) {
        ssize_t n = pwrite(fd, rest.data + written, rest.size - written, (off_t)(offset + written));
        if (n > 0)
            written += (size_t)n;
        else if (n == 0 || errno != EINTR)
            break;
    }
    return written;
}

/* The disk does not take the rest: the whole lines that are in the file are done with, half a line is cut
 * off, and copies of what is made again are taken back. */
static void keep_part(struct drain *drain, struct pending *p, size_t there)
{
    uint64_t offset = p->note.target[0].offset;
    struct slice block = bytes_slice(&drain->block);
    const char *last = there ? memrchr(block.data, '\n', there) : NULL;
    size_t whole = last ? (size_t)(last - block.data) + 1 : 0;
    if (whole && !drain_keep(drain, whole))
        whole = 0;
    cut_at(p->log_fd, offset + whole);
    if (p->errors_fd >= 0)
        cut_at(p->errors_fd, p->note.target[1].offset + p->note.target[1].length - drain->copies.size);
}

/*
 * Makes the block once more and writes what of it is not in the file. Whoever follows the file may have read
 * the lines that are: they stay where they stand. False when the block does not come out as it was.
 */
static bool complete(struct drain *drain, struct pending *p)
{
    uint64_t offset = p->note.target[0].offset;
    size_t there;
    if (!drain_again(drain, &p->note))
        return false;
    struct slice block = bytes_slice(&drain->block);
    if (!file_begins_with(p->log_fd, offset, block, &there))
        return false;
    size_t written =
        write_behind(p->log_fd, offset + there, slice_from(block.data + there, block.size - there));
    if (there + written == block.size)
        ring_file_commit(drain->file);
    else
        keep_part(drain, p, there + written);
    return true;
}

static int settle_fragment(struct ring_file *file, struct pending *p, const struct folder *folder,
                           struct sink *log, struct sink *errors)
{
    struct drain drain;
    struct counting counting;
    int error = drain_init(&drain, file, log, errors);
    if (error)
        return error;
    counting_begin(&counting, &drain, folder);
    bool completed = complete(&drain, p);
    counting_end(&counting, &drain);
    drain_release(&drain);
    if (completed)
        return LL_OK;
    cut_at(p->log_fd, p->note.target[0].offset);
    if (p->errors_fd >= 0)
        cut_at(p->errors_fd, p->note.target[1].offset);
    return LL_OK;
}

/*
 * The write that was under way when the process died. Whole: the positions move. A fragment: it is completed,
 * or, when the block cannot be made again as it was, cut off. Missing: copies that came before it are taken
 * back, for both are made again.
 */
static int settle_found(struct ring_file *file, struct pending *p, enum block_state state,
                        const struct folder *folder, struct sink *log, struct sink *errors)
{
    if (state == BLOCK_FRAGMENT)
        return settle_fragment(file, p, folder, log, errors);
    if (state == BLOCK_WHOLE)
        ring_file_commit(file);
    else if (p->errors_fd >= 0)
        cut_at(p->errors_fd, p->note.target[1].offset);
    return LL_OK;
}

static int settle_pending(struct ring_file *file, const struct folder *folder, struct sink *log,
                          struct sink *errors)
{
    const struct ring_note *note = ring_file_pending(file);
    int _cleanup_close_ log_fd = -1;
    int _cleanup_close_ errors_fd = -1;
    if (!note || log->is_stream)
        return LL_OK;
    struct pending pending = {.note = *note, .errors_fd = -1};
    const char *run_id = file->identity->run_id;
    enum block_state state = look_at(log->path, &note->target[0], run_id, &log_fd);
    pending.log_fd = log_fd;
    if (errors && look_at(errors->path, &note->target[1], run_id, &errors_fd) != BLOCK_MISSING)
        pending.errors_fd = errors_fd;
    return settle_found(file, &pending, state, folder, log, errors);
}

/* --- one ring ------------------------------------------------------------------------------------------- */

static int write_rest(struct drain *drain)
{
    int error = 0;
    while (!error && drain_fill(drain, UINT64_MAX) > 0)
        error = drain_write(drain);
    if (!error && !drain->file->progress->closed[ring_file_parity(drain->file)]) {
        drain_close(drain, DRAIN_RECOVERED);
        error = drain_write(drain);
    }
    drain_let_go(drain);
    return error;
}

static int finish_ring(struct ring_file *file, const struct folder *folder, struct sink *log,
                       struct sink *errors, ll_recovered *recovered)
{
    struct drain drain;
    int error = drain_init(&drain, file, log, errors);
    if (error)
        return error;
    struct counting counting;
    counting_begin(&counting, &drain, folder);
    error = write_rest(&drain) ? LL_EIO : LL_OK;
    counting_end(&counting, &drain);
    recovered->records += drain.counters.records;
    recovered->lost_bytes += drain.counters.lost_bytes;
    drain_release(&drain);
    return error;
}

struct finding {
    bool is_alive;
    int error;
    const char *reason;
};

/*
 * Fragments are dealt with in all rings before a line is written for any: a recoverer may have died over one
 * dead process's block, and the next must not put another's lines behind its fragment.
 */
enum step { STEP_LOOK, STEP_SETTLE, STEP_FINISH };

static struct finding examine(int fd, const struct folder *folder, struct sink *log, struct sink *errors,
                              enum step step, ll_recovered *recovered)
{
    struct ring_file file;
    struct finding finding = {.reason = "it is damaged"};
    finding.error = ring_file_is_alive(fd, folder->boot_id, &finding.is_alive);
    if (finding.error || finding.is_alive)
        return finding;
    finding.error = ring_file_load(&file, fd, &finding.reason);
    if (finding.error)
        return finding;
    if (step == STEP_SETTLE)
        finding.error = settle_pending(&file, folder, log, errors);
    if (step == STEP_FINISH)
        finding.error = finish_ring(&file, folder, log, errors, recovered);
    finding.reason = "the log cannot be written";
    ring_file_release(&file);
    return finding;
}

static void count_finding(const struct finding *finding, const char *path, ll_recovered *recovered,
                          ll_problem *problem)
{
    if (finding->error) {
        recovered->damaged++;
        problem_set(problem, finding->error, "the ring file %s is left as it is: %s", path, finding->reason);
    } else if (finding->is_alive) {
        recovered->living++;
    } else {
        recovered->finished++;
    }
}

static int recover_one(const struct folder *folder, const char *path, struct sink *log, struct sink *errors,
                       enum step step, ll_recovered *recovered, ll_problem *problem)
{
    int _cleanup_close_ fd = open(path, O_RDWR | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
    struct finding finding = {.error = LL_EACCES, .reason = "it cannot be opened, or is no file"};
    struct stat st;
    if (fd < 0 && errno == ENOENT)
        return LL_OK; /* its owner closed it, or another recoverer was here */
    if (fd >= 0 && fstat(fd, &st) == 0 && S_ISREG(st.st_mode))
        finding = examine(fd, folder, log, errors, step, recovered);
    if (step != STEP_SETTLE)
        count_finding(&finding, path, recovered, problem);
    if (step == STEP_FINISH && !finding.error && !finding.is_alive)
        unlink(path);
    return finding.error;
}

/* --- all of them ---------------------------------------------------------------------------------------- */

static bool ends_with(const char *name, const char *suffix)
{
    size_t size = strlen(name), suffix_size = strlen(suffix);
    return size > suffix_size && strcmp(name + size - suffix_size, suffix) == 0;
}

/* A file that never got its name, of a process that died while it opened its log. */
static void remove_unfinished(const char *path)
{
    struct stat st;
    if (lstat(path, &st) == 0 && time(NULL) - st.st_mtime > NEW_FILE_SECONDS_MAX)
        unlink(path);
}

/* Whether every ring could be looked at: memory that is short now may be there later. */
static bool recover_step(const struct folder *folder, struct sink *log, struct sink *errors, enum step step,
                         ll_recovered *recovered, ll_problem *problem)
{
    char path[LL_PATH_SIZE + 512];
    DIR *entries = opendir(folder->path);
    bool looked = entries || errno != ENOMEM;
    for (struct dirent *entry; entries && (entry = readdir(entries));) {
        folder_path(folder, entry->d_name, "", path, sizeof path);
        if (ends_with(entry->d_name, ".ring"))
            looked &= recover_one(folder, path, log, errors, step, recovered, problem) != LL_ENOMEM;
        else if (ends_with(entry->d_name, ".new") && step == STEP_FINISH)
            remove_unfinished(path);
    }
    if (entries)
        closedir(entries);
    return looked;
}

int recover_folder(const struct folder *folder, struct sink *log, struct sink *errors, bool dry_run,
                   ll_recovered *recovered, ll_problem *problem)
{
    if (dry_run)
        recover_step(folder, log, errors, STEP_LOOK, recovered, problem);
    else if (!recover_step(folder, log, errors, STEP_SETTLE, recovered, problem))
        return problem_set(problem, LL_ENOMEM, "no memory to finish the rings in %s", folder->path);
    else
        recover_step(folder, log, errors, STEP_FINISH, recovered, problem);
    if (!dry_run)
        stats_folder_prune(folder);
    return LL_OK;
}

/* --- the public call ------------------------------------------------------------------------------------ */

struct job {
    const char *log_path;
    ll_recover_options options;
    ll_recovered recovered;
    ll_problem problem;
    int result;
};

static int folder_problem(struct job *job, int error)
{
    if (error == -ENOENT) {
        if (access(job->log_path, F_OK) == 0)
            return LL_OK; /* a log without rings: nothing to do */
        return problem_set(&job->problem, LL_ENOENT, "there is no log %s, and no rings of one",
                           job->log_path);
    }
    return problem_set(&job->problem, error == -EACCES || error == -EPERM ? LL_EACCES : LL_ESYSTEM,
                       "the rings of %s cannot be reached: %s", job->log_path, strerror(-error));
}

static void recover_locked(struct job *job, const struct folder *folder, struct os_robust *robust)
{
    struct sink log, errors;
    bool has_errors = job->options.error_file && *job->options.error_file;
    sink_init(&log, job->log_path);
    sink_init(&errors, has_errors ? job->options.error_file : "");
    os_robust_adopt(robust);
    if (!job->options.dry_run)
        os_robust_lock(robust, 1, -1);
    job->result = recover_folder(folder, &log, has_errors ? &errors : NULL, job->options.dry_run,
                                 &job->recovered, &job->problem);
    if (job->result)
        os_robust_abandon(robust, 1);
    else if (!job->options.dry_run)
        os_robust_unlock(robust, 1);
    sink_release(&log);
    sink_release(&errors);
    if (!job->result && job->recovered.damaged)
        job->result = job->problem.error;
}

/* On a thread of its own, for the kernel's list of held words is the thread's, and the caller's is the C
 * library's. */
static void *recover_thread(void *argument)
{
    struct job *job = argument;
    struct folder folder;
    struct os_robust robust;
    int error = folder_open(&folder, job->log_path, job->options.ring_dir, false);
    if (error) {
        job->result = folder_problem(job, error);
        return NULL;
    }
    error = os_robust_map(&robust, (int[]){-1, folder.lock_fd}, (uint64_t[]){0, 0});
    if (error)
        job->result = folder_problem(job, error);
    else
        recover_locked(job, &folder, &robust);
    if (!error)
        os_robust_unmap(&robust);
    folder_close(&folder);
    return NULL;
}

int ll_recover_sized(const char *log_path, const ll_recover_options *options, size_t options_size,
                     ll_recovered *ret_recovered, size_t recovered_size, ll_problem *ret_problem)
{
    struct job job = {.log_path = log_path};
    pthread_t thread;
    if (!log_path || !*log_path)
        return problem_set(ret_problem, LL_EINVAL, "the path of a log is needed");
    if (options)
        memcpy(&job.options, options, options_size < sizeof job.options ? options_size : sizeof job.options);
    if (pthread_create(&thread, NULL, recover_thread, &job))
        return problem_set(ret_problem, LL_ESYSTEM, "no thread can be started");
    pthread_join(thread, NULL);
    if (ret_recovered)
        memcpy(ret_recovered, &job.recovered,
               recovered_size < sizeof job.recovered ? recovered_size : sizeof job.recovered);
    if (ret_problem && job.result)
        *ret_problem = job.problem;
    return job.result;
}
