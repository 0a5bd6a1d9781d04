#include "stats_folder.h"

#include "liblog/base/cleanup.h"
#include "stats_count.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>

#define NEW_SUFFIX ".new" /* of a ring file that is being made: its run has begun */

enum { STATS_PATH_SIZE = LL_PATH_SIZE + 512 };

/* --- one run's ------------------------------------------------------------------------------------------ */

static void fill_header(struct stats_header *header, const struct ring_identity *identity)
{
    *header = (struct stats_header){.started_ns = os_realtime_ns(), .pid = identity->pid};
    memcpy(header->run_id, identity->run_id, sizeof header->run_id);
    memcpy(header->service, identity->service, sizeof header->service);
}

static int open_again(const char *path, const char *run_id, struct stats_file *file)
{
    int _cleanup_close_ fd = open(path, O_RDWR | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
    if (fd < 0)
        return -errno;
    return stats_file_open(file, fd, run_id);
}

static int make_new(const char *path, mode_t mode, const struct stats_header *header, struct stats_file *file)
{
    int _cleanup_close_ fd = open(path, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, mode);
    if (fd < 0)
        return -errno;
    int error = stats_file_make(file, fd, header);
    if (error)
        unlink(path);
    return error;
}

int stats_folder_open(const struct folder *folder, const struct ring_identity *identity, mode_t mode,
                      struct stats_file *ret_file)
{
    char path[STATS_PATH_SIZE];
    struct stats_header header;
    fill_header(&header, identity);
    if (!folder)
        return stats_file_make_private(ret_file, &header);
    folder_path(folder, identity->run_id, STATS_SUFFIX, path, sizeof path);
    if (open_again(path, identity->run_id, ret_file) == 0)
        return 0;
    unlink(path); /* nobody else has this run's name: what is there is damaged */
    if (make_new(path, mode, &header, ret_file) == 0)
        return 0;
    return stats_file_make_private(ret_file, &header);
}

int stats_folder_load(const struct folder *folder, const char *run_id, struct stats_file *ret_file)
{
    char path[STATS_PATH_SIZE];
    struct stat st;
    folder_path(folder, run_id, STATS_SUFFIX, path, sizeof path);
    int _cleanup_close_ fd = open(path, O_RDWR | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
    if (fd < 0 || fstat(fd, &st) || !S_ISREG(st.st_mode) || stats_file_load(ret_file, fd))
        return -1;
    if (strcmp(ret_file->at->header.run_id, run_id) != 0) {
        stats_file_release(ret_file);
        return -1;
    }
    ret_file->fd = fd;
    return take_fd(&fd);
}

/* --- all of them ---------------------------------------------------------------------------------------- */

static bool ends_with(const char *name, const char *suffix)
{
    size_t size = strlen(name), suffix_size = strlen(suffix);
    return size > suffix_size && strcmp(name + size - suffix_size, suffix) == 0;
}

bool stats_name_run(const char *name, char ret_run_id[static STATS_NAME_SIZE])
{
    if (!ends_with(name, STATS_SUFFIX) || strlen(name) >= STATS_NAME_SIZE)
        return false;
    snprintf(ret_run_id, STATS_NAME_SIZE, "%.*s", (int)(strlen(name) - strlen(STATS_SUFFIX)), name);
    return true;
}

/* RUN.N and the suffix. */
static bool find(const struct folder *folder, const char *run_id, const char *suffix,
                 char ret_name[static STATS_NAME_SIZE])
{
    size_t size = strlen(run_id);
    bool found = false;
    DIR *entries = opendir(folder->path);
    for (struct dirent *entry; entries && !found && (entry = readdir(entries));) {
        const char *name = entry->d_name;
        found = strncmp(name, run_id, size) == 0 && name[size] == '.' && ends_with(name, suffix);
        if (found)
            snprintf(ret_name, STATS_NAME_SIZE, "%s", name);
    }
    if (entries)
        closedir(entries);
    return found;
}

bool stats_ring_name(const struct folder *folder, const char *run_id, char ret_name[static STATS_NAME_SIZE])
{
    return find(folder, run_id, RING_SUFFIX, ret_name);
}

/* --- throwing away -------------------------------------------------------------------------------------- */

struct kept {
    int64_t last_ns;
    char name[STATS_NAME_SIZE];
};

static void throw_away(const struct folder *folder, const char *name)
{
    char path[STATS_PATH_SIZE];
    folder_path(folder, name, "", path, sizeof path);
    unlink(path);
}

/* When the run counted last. Statistics that cannot be read are as old as their file. */
static int64_t last_time(const struct folder *folder, const char *name)
{
    char path[STATS_PATH_SIZE];
    struct stat st;
    struct stats_header header;
    struct stats_open open_now[2];
    folder_path(folder, name, "", path, sizeof path);
    int _cleanup_close_ fd = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
    if (fd < 0 || fstat(fd, &st))
        return 0;
    if (stats_header_read(fd, &header) ||
        pread(fd, open_now, sizeof open_now, offsetof(struct stats_layout, open)) != sizeof open_now)
        return (int64_t)st.st_mtime * STATS_SECOND_NS;
    int64_t last_ns = open_now[open_now[1].next_seq > open_now[0].next_seq].last_ns;
    return last_ns > header.started_ns ? last_ns : header.started_ns;
}

/* Takes its place among those kept, the latest first; the last of too many falls out. */
static void keep(const struct folder *folder, struct kept kept[static STATS_DEAD_RUNS_MAX], int *count,
                 const struct kept *one)
{
    int at = *count;
    while (at > 0 && kept[at - 1].last_ns < one->last_ns)
        at--;
    if (*count == STATS_DEAD_RUNS_MAX)
        throw_away(folder, at == STATS_DEAD_RUNS_MAX ? one->name : kept[STATS_DEAD_RUNS_MAX - 1].name);
    else
        (*count)++;
    for (int i = *count - 1; i > at; i--)
        kept[i] = kept[i - 1];
    if (at < *count)
        kept[at] = *one;
}

static void prune_one(const struct folder *folder, const char *name, struct kept kept[], int *count)
{
    char run_id[STATS_NAME_SIZE], ring[STATS_NAME_SIZE];
    struct kept one;
    if (!stats_name_run(name, run_id) || find(folder, run_id, RING_SUFFIX, ring) ||
        find(folder, run_id, NEW_SUFFIX, ring))
        return;
    snprintf(one.name, sizeof one.name, "%s", name);
    one.last_ns = last_time(folder, name);
    if (os_realtime_ns() - one.last_ns > STATS_DEAD_SECONDS_MAX * (int64_t)STATS_SECOND_NS)
        throw_away(folder, name);
    else
        keep(folder, kept, count, &one);
}

void stats_folder_prune(const struct folder *folder)
{
    struct kept kept[STATS_DEAD_RUNS_MAX];
    int count = 0;
    DIR *entries = opendir(folder->path);
    for (struct dirent *entry; entries && (entry = readdir(entries));)
        prune_one(folder, entry->d_name, kept, &count);
    if (entries)
        closedir(entries);
}
