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

enum { NEW_FILE_SECONDS_MAX = 60, WORD_LOCK = 1 };
#define RECOVER_LOCK_NS_MAX INT64_C(10000000000)

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

/* A descriptor, or a negative errno: -ENOENT when the path is another file. */
static int open_if_target(const char *path, int flags, const struct ring_target *target)
{
    struct stat st;
    int fd = open(path, O_RDWR | O_CLOEXEC | O_NONBLOCK | flags);
    if (fd < 0)
        return -errno;
    if (os_status(fd, &st) == 0 && S_ISREG(st.st_mode) && (uint64_t)st.st_dev == target->device &&
        (uint64_t)st.st_ino == target->inode)
        return fd;
    close(fd);
    return -ENOENT;
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
    int found = entries ? -ENOENT : -errno;
    for (struct dirent *entry; entries && found < 0 && !os_is_short(-found) && (entry = readdir(entries));) {
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
    if (!real && errno == ENOMEM)
        return -ENOMEM;
    int found = open_if_target(log_path, 0, target);
    return found >= 0 || os_is_short(-found) ? found : open_rotated(real ? real : log_path, target);
}

enum { LINE_LOOK_BYTES = RECORD_BYTES_MAX }; /* a run's id may stand at the end of a line */

/*
 * Whether what stands at the offset is a line of this run, or a torn one at the file's end that is too short
 * to tell: what a ring file says of another file, its lengths included, is not believed without it.
 */
static bool is_line_of_run(int fd, uint64_t offset, const struct ring_identity *identity)
{
    char text[LINE_LOOK_BYTES];
    ssize_t n = os_read_at(fd, text, sizeof text, offset);
    struct slice there = slice_from(text, n > 0 ? (size_t)n : 0);
    return record_may_be_of_run(there, there.size < sizeof text, identity);
}

/* Behind the line at the offset; 0 when the file ends before. */
static uint64_t line_end(int fd, uint64_t offset)
{
    char text[LINE_LOOK_BYTES];
    for (ssize_t n; (n = pread(fd, text, sizeof text, (off_t)offset)) > 0; offset += (uint64_t)n) {
        const char *newline = memchr(text, '\n', (size_t)n);
        if (newline)
            return offset + (uint64_t)(newline - text) + 1;
    }
    return 0;
}

/* Whether from the offset on there is nothing of anybody else: only that may be cut off. */
static bool ends_with_run(int fd, uint64_t offset, const struct ring_identity *identity)
{
    struct stat st;
    if (fstat(fd, &st))
        return false;
    do {
        if (offset >= (uint64_t)st.st_size)
            break;
        if (!is_line_of_run(fd, offset, identity))
            return false;
        offset = line_end(fd, offset);
    } while (offset);
    return true;
}

enum block_state { BLOCK_WHOLE, BLOCK_MISSING, BLOCK_FRAGMENT };

static enum block_state block_state(int fd, const struct ring_target *target,
                                    const struct ring_identity *identity)
{
    struct stat st;
    char last;
    if (fd < 0 || os_status(fd, &st) || (uint64_t)st.st_size <= target->offset)
        return BLOCK_MISSING;
    uint64_t end = target->offset + target->length;
    if (!is_line_of_run(fd, target->offset, identity))
        return BLOCK_MISSING;
    if ((uint64_t)st.st_size < end)
        return BLOCK_FRAGMENT;
    return os_read_at(fd, &last, 1, end - 1) == 1 && last == '\n' ? BLOCK_WHOLE : BLOCK_MISSING;
}

static void cut_at(int fd, uint64_t offset)
{
    if (os_cut_at(fd, offset))
        return; /* the line stays torn; the block is written again behind it */
}

/* A write under way when a process died, and the files that it went to, where they were found. */
struct pending {
    struct ring_note note;
    int log_fd, errors_fd; /* -1: nothing of it is there */
};

/* Whether all that stands behind the offset is the beginning of the block. */
static bool file_begins_with(int fd, uint64_t offset, struct slice block, size_t *ret_there)
{
    char there[4096];
    size_t done = 0;
    for (ssize_t n = 1; n > 0 && done < block.size; done += (size_t)n) {
        size_t size = block.size - done < sizeof there ? block.size - done : sizeof there;
        n = os_read_at(fd, there, size, offset + done);
        if (n < 0 || memcmp(there, block.data + done, (size_t)n) != 0)
            return false;
    }
    *ret_there = done;
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

/* Writes what of the block is not in the file. Whoever follows the file may have read the lines that are:
 * they stay where they stand. */
static void complete(struct drain *drain, struct pending *p, size_t there)
{
    struct slice block = bytes_slice(&drain->block);
    size_t written = write_behind(p->log_fd, p->note.target[0].offset + there,
                                  slice_from(block.data + there, block.size - there));
    if (there + written == block.size)
        ring_file_commit(drain->file);
    else
        keep_part(drain, p, there + written);
}

/*
 * How much of what was being written stands in the file. The best evidence is the block itself, made once
 * more; where that does not come out as it was (another version made it), that a line of this run begins
 * there.
 */
static enum block_state state_of(int fd, const struct ring_target *target,
                                 const struct ring_identity *identity, struct slice again, size_t *ret_there)
{
    *ret_there = 0;
    if (fd < 0 || target->length == 0)
        return BLOCK_MISSING;
    if (again.size != target->length || !file_begins_with(fd, target->offset, again, ret_there))
        return block_state(fd, target, identity);
    if (*ret_there == again.size)
        return BLOCK_WHOLE;
    return *ret_there ? BLOCK_FRAGMENT : BLOCK_MISSING;
}

static void take_back_copies(const struct pending *p, const struct ring_identity *identity)
{
    if (p->errors_fd >= 0 && ends_with_run(p->errors_fd, p->note.target[1].offset, identity))
        cut_at(p->errors_fd, p->note.target[1].offset);
}

/*
 * The write that was under way when the process died. Whole: the positions move. A fragment: it is completed,
 * or, when the block cannot be made again as it was, cut off. Missing: copies that came before it are taken
 * back, for both are made again.
 */
static int settle(struct drain *drain, struct pending *p, const struct ring_identity *identity)
{
    struct slice none = slice_from("", 0);
    bool made = drain_again(drain, &p->note);
    if (drain->starved)
        return LL_ENOMEM;
    size_t there, copies_there;
    enum block_state copies = state_of(p->errors_fd, &p->note.target[1], identity,
                                       made ? bytes_slice(&drain->copies) : none, &copies_there);
    if (copies == BLOCK_MISSING && p->errors_fd >= 0)
        cleanup_close(&(int){take_fd(&p->errors_fd)});
    enum block_state state =
        state_of(p->log_fd, &p->note.target[0], identity, made ? bytes_slice(&drain->block) : none, &there);
    if (state == BLOCK_WHOLE) {
        ring_file_commit(drain->file);
    } else if (state == BLOCK_FRAGMENT && made && there) {
        complete(drain, p, there);
    } else {
        if (state == BLOCK_FRAGMENT && ends_with_run(p->log_fd, p->note.target[0].offset, identity))
            cut_at(p->log_fd, p->note.target[0].offset);
        take_back_copies(p, identity);
    }
    return LL_OK;
}

/* False when there are no descriptors or memory now to look. */
static bool open_targets(struct pending *p, const struct sink *log, const struct sink *errors)
{
    p->log_fd = open_target(log->path, &p->note.target[0]);
    if (errors && !errors->is_stream && p->note.target[1].length)
        p->errors_fd = open_target(errors->path, &p->note.target[1]);
    if (!os_is_short(-p->log_fd) && !os_is_short(-p->errors_fd))
        return true;
    cleanup_close(&p->log_fd);
    cleanup_close(&p->errors_fd);
    return false;
}

static int settle_pending(struct ring_file *file, const struct folder *folder, struct sink *log,
                          struct sink *errors)
{
    struct drain drain;
    struct counting counting;
    const struct ring_note *note = ring_file_pending(file);
    if (!note || log->is_stream || note->target[0].length == 0)
        return LL_OK;
    struct pending pending = {.note = *note, .errors_fd = -ENOENT};
    if (!open_targets(&pending, log, errors))
        return LL_ENOMEM;
    int error = drain_init(&drain, file, log, errors);
    if (!error) {
        counting_begin(&counting, &drain, folder);
        error = settle(&drain, &pending, file->identity);
        counting_end(&counting, &drain);
        drain_release(&drain);
    }
    cleanup_close(&pending.log_fd);
    cleanup_close(&pending.errors_fd);
    return error;
}

/* --- one ring ------------------------------------------------------------------------------------------- */

static int write_rest(struct drain *drain)
{
    int error = 0;
    while (!error && drain_fill(drain, UINT64_MAX) > 0)
        error = drain_write(drain);
    if (!error && drain->starved)
        error = -ENOMEM;
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
    error = write_rest(&drain);
    error = error == -ENOMEM ? LL_ENOMEM : error ? LL_EIO : LL_OK;
    counting_end(&counting, &drain);
    recovered->records += drain.counters.records;
    recovered->lost_bytes += drain.counters.lost_bytes;
    drain_release(&drain);
    return error;
}

struct finding {
    bool is_alive;
    bool is_gone; /* closed by its owner, or finished by another, since it was opened */
    int error;
    const char *reason;
};

/*
 * Fragments are dealt with in all rings before a line is written for any: a recoverer may have died over one
 * dead process's block, and the next must not put another's lines behind its fragment.
 */
enum step { STEP_LOOK, STEP_SETTLE, STEP_FINISH };

/* An owner that closes its log removes the file, then gives up its word: looked at in the other order, a file
 * without an owner that has its name still was left by one who died. A second name is none that we gave. */
static bool is_gone(int fd, struct finding *finding)
{
    struct stat st;
    if (os_status(fd, &st))
        st.st_nlink = 0;
    finding->is_gone = st.st_nlink == 0;
    if (st.st_nlink > 1) {
        finding->error = LL_EACCES;
        finding->reason = "it has a second name";
    }
    return st.st_nlink != 1;
}

static struct finding examine(int fd, const struct folder *folder, struct sink *log, struct sink *errors,
                              enum step step, ll_recovered *recovered)
{
    struct ring_file file;
    struct finding finding = {.reason = "it is damaged"};
    finding.error = ring_file_is_alive(fd, folder->boot_id, &finding.is_alive, &finding.reason);
    if (finding.error || finding.is_alive || is_gone(fd, &finding))
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

static int recover_one(const struct folder *folder, int folder_fd, const char *name, struct sink *log,
                       struct sink *errors, enum step step, ll_recovered *recovered, ll_problem *problem)
{
    char path[LL_PATH_SIZE + 512];
    int _cleanup_close_ fd = openat(folder_fd, name, O_RDWR | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
    struct finding finding = {.error = LL_EACCES, .reason = "it cannot be opened, or is no file"};
    struct stat st;
    if (fd < 0 && errno == ENOENT)
        return LL_OK; /* its owner closed it, or another recoverer was here */
    if (fd < 0 && os_is_short(errno))
        finding = (struct finding){.error = LL_ENOMEM, .reason = "there is no memory or descriptor for it"};
    if (fd >= 0 && os_status(fd, &st) == 0 && S_ISREG(st.st_mode))
        finding = examine(fd, folder, log, errors, step, recovered);
    folder_path(folder, name, "", path, sizeof path);
    if (step != STEP_SETTLE && !finding.is_gone)
        count_finding(&finding, path, recovered, problem);
    if (step == STEP_FINISH && !finding.error && !finding.is_alive && !finding.is_gone)
        unlinkat(folder_fd, name, 0);
    return finding.error;
}

/* --- all of them ---------------------------------------------------------------------------------------- */

static bool ends_with(const char *name, const char *suffix)
{
    size_t size = strlen(name), suffix_size = strlen(suffix);
    return size > suffix_size && strcmp(name + size - suffix_size, suffix) == 0;
}

/* A file that never got its name, of a process that died while it opened its log. */
static void remove_unfinished(int folder_fd, const char *name)
{
    struct stat st;
    if (fstatat(folder_fd, name, &st, AT_SYMLINK_NOFOLLOW) == 0 &&
        time(NULL) - st.st_mtime > NEW_FILE_SECONDS_MAX)
        unlinkat(folder_fd, name, 0);
}

/* Whoever may write beside the log can put a symlink there, to the rings of another: it is not followed. */
static DIR *open_entries(const struct folder *folder)
{
    int _cleanup_close_ fd = open(folder->path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    DIR *entries = fd < 0 ? NULL : fdopendir(fd);
    if (entries)
        take_fd(&fd);
    return entries;
}

/* Whether every ring could be looked at: memory that is short now may be there later. */
static bool recover_step(const struct folder *folder, struct sink *log, struct sink *errors, enum step step,
                         ll_recovered *recovered, ll_problem *problem)
{
    DIR *entries = open_entries(folder);
    bool looked = entries || !os_is_short(errno);
    for (struct dirent *entry; entries && (entry = readdir(entries));) {
        const char *name = entry->d_name;
        if (ends_with(name, ".ring"))
            looked &=
                recover_one(folder, dirfd(entries), name, log, errors, step, recovered, problem) != LL_ENOMEM;
        else if (ends_with(name, ".new") && step == STEP_FINISH)
            remove_unfinished(dirfd(entries), name);
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

/* A log that is a symlink of another than its owner: who recovers may be root, and would write where the one
 * who made the link may not. */
static int log_fault(struct job *job)
{
    struct stat link, file;
    if (lstat(job->log_path, &link) || !S_ISLNK(link.st_mode) || link.st_uid == 0 || link.st_uid == geteuid())
        return LL_OK;
    if (stat(job->log_path, &file) == 0 && file.st_uid == link.st_uid)
        return LL_OK;
    return problem_set(&job->problem, LL_EACCES, "the log %s is a symlink to a file of another owner",
                       job->log_path);
}

/* A log that is missing is made for those who log to it, not for who recovers. */
static int make_log(struct job *job, const struct folder *folder)
{
    struct stat st;
    if (geteuid() != 0 || strcmp(job->log_path, "stdout") == 0 || strcmp(job->log_path, "stderr") == 0)
        return LL_OK;
    int _cleanup_close_ fd = open(job->log_path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0640);
    if (fd < 0 || (stat(folder->path, &st) == 0 && fchown(fd, st.st_uid, st.st_gid) == 0))
        return LL_OK;
    return problem_set(&job->problem, LL_EACCES, "the log %s cannot be made for its owner", job->log_path);
}

/* What a process that died has left. */
static int recover_dead(struct job *job, const struct folder *folder, struct os_robust *robust)
{
    struct sink log, errors;
    bool has_errors = job->options.error_file && *job->options.error_file;
    if (os_robust_lock(robust, WORD_LOCK, RECOVER_LOCK_NS_MAX) < 0)
        return problem_set(&job->problem, LL_ETIMEOUT,
                           "the lock of %s is held by a living process that does not move", job->log_path);
    job->recovered = (ll_recovered){0};
    sink_init(&log, job->log_path);
    sink_init(&errors, has_errors ? job->options.error_file : "");
    int error =
        recover_folder(folder, &log, has_errors ? &errors : NULL, false, &job->recovered, &job->problem);
    if (error)
        os_robust_abandon(robust, WORD_LOCK);
    else
        os_robust_unlock(robust, WORD_LOCK);
    sink_release(&log);
    sink_release(&errors);
    return error;
}

/* The living are not disturbed: the lock is taken only when there is something to finish. */
static int recover_job(struct job *job, const struct folder *folder, struct os_robust *robust)
{
    int error = log_fault(job);
    if (error)
        return error;
    os_robust_adopt(robust);
    recover_folder(folder, NULL, NULL, true, &job->recovered, &job->problem);
    if (job->recovered.finished && !job->options.dry_run)
        error = make_log(job, folder);
    if (job->recovered.finished && !job->options.dry_run && !error)
        error = recover_dead(job, folder, robust);
    return error || !job->recovered.damaged ? error : job->problem.error;
}

/* On a thread of its own, for the kernel's list of held words is the thread's, and the caller's is the C
 * library's. Whoever may write the folder may also cut the lock's file while it is mapped: hence the guard.
 */
static void *recover_thread(void *argument)
{
    struct job *job = argument;
    struct folder folder;
    struct os_robust robust;
    struct os_guard guard;
    int error = folder_open(&folder, job->log_path, job->options.ring_dir, false);
    if (error) {
        job->result = folder_problem(job, error);
        return NULL;
    }
    error = os_guard_begin(&guard);
    if (!error && (error = os_robust_map(&robust, (int[]){-1, folder.lock_fd}, (uint64_t[]){0, 0})))
        os_guard_end(&guard);
    if (error) {
        job->result = folder_problem(job, error);
    } else {
        os_guard_watch(&guard, os_robust_page(&robust, WORD_LOCK), os_page_size());
        job->result = recover_job(job, &folder, &robust);
        if (os_guard_end(&guard))
            job->result = problem_set(&job->problem, LL_EFORMAT, "the lock of %s was cut off", job->log_path);
        os_robust_unmap(&robust);
    }
    folder_close(&folder);
    return NULL;
}

/* Most logs that somebody asks about have no rings, and asking is to cost no thread then. */
static bool has_no_rings(const struct job *job)
{
    return !folder_is_there(job->log_path, job->options.ring_dir);
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
    if (has_no_rings(&job))
        job.result = folder_problem(&job, -ENOENT);
    else if (pthread_create(&thread, NULL, recover_thread, &job))
        return problem_set(ret_problem, LL_ESYSTEM, "no thread can be started");
    else
        pthread_join(thread, NULL);
    if (ret_recovered)
        memcpy(ret_recovered, &job.recovered,
               recovered_size < sizeof job.recovered ? recovered_size : sizeof job.recovered);
    if (ret_problem && job.result)
        *ret_problem = job.problem;
    return job.result;
}
