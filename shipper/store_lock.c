/*
 * Who may use the state folder. Two shippers that count the same files into one database would count twice,
 * so one holds the lock: a lock of the open file (not of the process), which the kernel drops when its holder
 * dies in any way, and which no program that the holder starts inherits. The file's text says who it is.
 */
#define _GNU_SOURCE /* F_OFD_SETLK */
#include "store_internal.h"

#include "liblog/base/cleanup.h"
#include "liblog/base/time_text.h"

#include <errno.h>
#include <fcntl.h>
#include <libgen.h>
#include <sys/stat.h>

enum { HOLDER_TEXT_SIZE = 128 };

int store_folder(const char *file, char ret_folder[static STORE_FOLDER_SIZE], struct problem *ret_problem)
{
    char copy[PATH_MAX];
    if (strlen(file) >= sizeof(copy) - 8)
        return problem_set(ret_problem, ERR_DB_001, "the path of the database is too long: %s", file);
    strcpy(copy, file);
    strcpy(ret_folder, dirname(copy));
    return 0;
}

static int cannot_make(const char *folder, struct problem *ret_problem)
{
    return problem_set(ret_problem, ERR_IO_004, "the state folder %s cannot be made: %s", folder,
                       strerror(errno));
}

/* With all folders above it; the last one is for its owner and group only. Another may be making it, too. */
static int make_folder(const char *folder, struct problem *ret_problem)
{
    char path[PATH_MAX];
    snprintf(path, sizeof(path), "%s", folder);
    for (char *slash = strchr(path + 1, '/'); slash; slash = strchr(slash + 1, '/')) {
        *slash = '\0';
        if (mkdir(path, 0755) < 0 && errno != EEXIST)
            return cannot_make(path, ret_problem);
        *slash = '/';
    }
    return mkdir(path, 0750) < 0 && errno != EEXIST ? cannot_make(path, ret_problem) : 0;
}

int store_check_folder(const char *file, struct problem *ret_problem)
{
    char folder[STORE_FOLDER_SIZE];
    int r = store_folder(file, folder, ret_problem);
    if (r < 0)
        return r;
    struct stat status;
    if (stat(folder, &status) < 0 && errno == ENOENT) {
        if ((r = make_folder(folder, ret_problem)) < 0)
            return r;
        if (stat(folder, &status) < 0)
            return problem_from_errno(ret_problem, errno, "look at", folder);
    } else if (stat(folder, &status) < 0) {
        return problem_set(ret_problem, ERR_DB_001, "the folder %s of the database cannot be used: %s",
                           folder, strerror(errno));
    }
    /* In a sticky folder such as /tmp others cannot replace what is ours, and what is theirs is refused by
     * owner. */
    if (status.st_mode & S_IWOTH && !(status.st_mode & S_ISVTX))
        return problem_set(ret_problem, ERR_DB_004,
                           "anyone may write to the folder %s, and so replace the database: chmod o-w it",
                           folder);
    return 0;
}

/* 1 when it is there and ours, 0 when it is not there. */
static int check_owned(const char *path, struct stat *ret_status, struct problem *ret_problem)
{
    if (lstat(path, ret_status) < 0)
        return errno == ENOENT ? 0 : problem_from_errno(ret_problem, errno, "look at", path);
    if (S_ISLNK(ret_status->st_mode))
        return problem_set(ret_problem, ERR_DB_004, "%s is a symbolic link, which the database must not be",
                           path);
    if (!S_ISREG(ret_status->st_mode))
        return problem_set(ret_problem, ERR_DB_004, "%s is not a regular file", path);
    if (ret_status->st_uid != geteuid())
        return problem_set(ret_problem, ERR_DB_004, "%s belongs to user %u, and this is user %u", path,
                           (unsigned)ret_status->st_uid, (unsigned)geteuid());
    return 1;
}

static uint32_t big_endian_32(const unsigned char *at)
{
    return (uint32_t)at[0] << 24 | (uint32_t)at[1] << 16 | (uint32_t)at[2] << 8 | at[3];
}

/* Looks at the header without SQLite, which would roll back a journal that it finds beside a foreign
 * database. */
static int check_header(const char *file, struct problem *ret_problem)
{
    unsigned char header[100];
    enum { APPLICATION_ID_AT = 68 };
    _cleanup_close_ int fd = open(file, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
    if (fd < 0)
        return problem_from_errno(ret_problem, errno, "open the database", file);
    ssize_t size = pread(fd, header, sizeof(header), 0);
    if (size < 0)
        return problem_from_errno(ret_problem, errno, "read the database", file);
    if (size < (ssize_t)sizeof(header) || memcmp(header, "SQLite format 3", 16) != 0)
        return problem_set(ret_problem, ERR_DB_004, "%s is not a database", file);
    if (big_endian_32(header + APPLICATION_ID_AT) != STORE_APPLICATION_ID)
        return problem_set(ret_problem, ERR_DB_004, "%s is a database, but not one of shipper's", file);
    return 0;
}

int store_check_file(const char *file, struct problem *ret_problem)
{
    static const char *const companions[] = {"-wal", "-shm", "-journal"};
    struct stat status;
    int is_there = check_owned(file, &status, ret_problem);
    if (is_there < 0)
        return is_there;
    for (size_t i = 0; i < sizeof(companions) / sizeof(companions[0]); i++) {
        char path[PATH_MAX];
        struct stat ignored;
        snprintf(path, sizeof(path), "%s%s", file, companions[i]);
        int r = check_owned(path, &ignored, ret_problem);
        if (r < 0)
            return r;
    }
    if (!is_there || status.st_size == 0)
        return 0;
    int r = check_header(file, ret_problem);
    return r < 0 ? r : 1;
}

static int tell_holder(int fd, const char *folder, struct problem *ret_problem)
{
    char holder[HOLDER_TEXT_SIZE];
    ssize_t size = pread(fd, holder, sizeof(holder) - 1, 0);
    holder[size > 0 ? size : 0] = '\0';
    holder[strcspn(holder, "\n")] = '\0';
    return problem_set(ret_problem, ERR_DB_005, "the state folder %s is in use by %s", folder,
                       *holder ? holder : "a shipper that is just starting");
}

static void write_holder(int fd)
{
    struct timespec now;
    clock_gettime(CLOCK_REALTIME, &now);
    char text[HOLDER_TEXT_SIZE], time_text[TIME_TEXT_SIZE];
    time_to_text(time_text, now.tv_sec * INT64_C(1000000000));
    int size =
        snprintf(text, sizeof(text), "process %ld, which started at %.19sZ\n", (long)getpid(), time_text);
    /* Only words for the next one who asks: the lock holds without them. */
    if (ftruncate(fd, 0) < 0 || pwrite(fd, text, (size_t)size, 0) != size)
        return;
}

int store_lock(const char *file, struct problem *ret_problem)
{
    char folder[STORE_FOLDER_SIZE], path[PATH_MAX + 8];
    int r = store_folder(file, folder, ret_problem);
    if (r < 0)
        return r;
    snprintf(path, sizeof(path), "%s/lock", folder);
    struct stat ignored;
    if ((r = check_owned(path, &ignored, ret_problem)) < 0)
        return r;
    _cleanup_close_ int fd = open(path, O_CREAT | O_RDWR | O_CLOEXEC | O_NOFOLLOW, STORE_FILE_MODE);
    if (fd < 0)
        return problem_from_errno(ret_problem, errno, "open the lock", path);
    struct flock lock = {.l_type = F_WRLCK, .l_whence = SEEK_SET};
    if (fcntl(fd, F_OFD_SETLK, &lock) < 0) {
        if (errno == EAGAIN || errno == EACCES)
            return tell_holder(fd, folder, ret_problem);
        return problem_from_errno(ret_problem, errno, "lock", path);
    }
    write_holder(fd);
    return take_fd(&fd);
}

void store_unlock(int *fd)
{
    if (*fd < 0)
        return;
    /* The file stays: to remove it would let two hold locks on two files of one name. */
    if (ftruncate(*fd, 0) == 0)
        fsync(*fd);
    close(*fd);
    *fd = -1;
}
