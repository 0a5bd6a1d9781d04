#include "output_dead.h"

#include "liblog/base/cleanup.h"
#include "liblog/base/json.h"
#include "liblog/base/time_text.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum { LETTER_OVERHEAD_BYTES_MAX = 64 * 1024 };

void dead_init(struct dead_letters *dead, const char *state_dir, const char *output)
{
    *dead = (struct dead_letters){.fd = -1, .size_max = DEAD_FILE_BYTES_MAX};
    snprintf(dead->path, sizeof(dead->path), "%s/dead-%s.jsonl", state_dir ? state_dir : ".", output);
    for (char *at = strrchr(dead->path, '\0') - strlen(output) - strlen(".jsonl"); *at; at++) {
        if (*at == '/')
            *at = '_'; /* a name is no way out of the folder */
    }
}

void dead_release(struct dead_letters *dead)
{
    if (dead->fd >= 0)
        close(dead->fd);
    dead->fd = -1;
}

/* A name in a folder is durable when the folder is. */
static int sync_folder(const char *path)
{
    char folder[DEAD_PATH_MAX];
    snprintf(folder, sizeof(folder), "%s", path);
    *strrchr(folder, '/') = '\0';
    _cleanup_close_ int fd = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    return fd < 0 || fsync(fd) < 0 ? -1 : 0;
}

static int open_file(struct dead_letters *dead, struct problem *ret_problem)
{
    if (dead->fd >= 0)
        return 0;
    _cleanup_close_ int fd =
        open(dead->path, O_WRONLY | O_APPEND | O_CREAT | O_NOFOLLOW | O_CLOEXEC, S_IRUSR | S_IWUSR);
    struct stat status;
    if (fd < 0 || fstat(fd, &status) < 0 || sync_folder(dead->path) < 0)
        return problem_from_errno(ret_problem, errno, "cannot open the dead-letter file", dead->path);
    if (!S_ISREG(status.st_mode) || status.st_uid != geteuid())
        return problem_set(ret_problem, ERR_IO_004, "the dead-letter file %s is not a file of this user",
                           dead->path);
    dead->size = (uint64_t)status.st_size;
    dead->fd = take_fd(&fd);
    return 0;
}

static int rotate(struct dead_letters *dead, struct problem *ret_problem)
{
    char older[DEAD_PATH_MAX + 2];
    snprintf(older, sizeof(older), "%s.1", dead->path);
    if (rename(dead->path, older) < 0)
        return problem_from_errno(ret_problem, errno, "cannot rename the dead-letter file", dead->path);
    dead_release(dead);
    return open_file(dead, ret_problem);
}

static void add_text(struct bytes *b, struct slice key, const char *text)
{
    json_add_key(b, key);
    json_add_string(b, slice_of(text));
}

static void letter_to_text(struct bytes *b, const struct dead_letter *letter)
{
    char time[TIME_TEXT_SIZE];
    time_to_text(time, letter->time_ns);
    bytes_add_char(b, '{');
    json_add_key(b, SLICE("time"));
    json_add_string(b, slice_from(time, sizeof(time)));
    add_text(b, SLICE("output"), letter->output);
    add_text(b, SLICE("topic"), letter->topic);
    add_text(b, SLICE("reason"), letter->reason);
    add_text(b, SLICE("file"), letter->file);
    json_add_key(b, SLICE("offset"));
    json_add_u64(b, letter->offset);
    json_add_key(b, SLICE("line"));
    json_add_string(b, letter->line);
    BYTES_LITERAL(b, "}\n");
}

/* All of it or nothing: a letter that went out in part is cut off again, so that the next one begins a line.
 */
static int append(struct dead_letters *dead, struct slice text, struct problem *ret_problem)
{
    size_t done = 0;
    while (done < text.size) {
        ssize_t written = write(dead->fd, text.data + done, text.size - done);
        if (written > 0) {
            done += (size_t)written;
        } else if (written == 0 || errno != EINTR) {
            int error_number = written < 0 ? errno : EIO;
            if (done && ftruncate(dead->fd, (off_t)dead->size) < 0)
                dead->size += done;
            return problem_from_errno(ret_problem, error_number, "cannot write the dead-letter file",
                                      dead->path);
        }
    }
    dead->size += text.size;
    if (fsync(dead->fd) < 0)
        return problem_from_errno(ret_problem, errno, "cannot write the dead-letter file", dead->path);
    return 0;
}

int dead_write(struct dead_letters *dead, const struct dead_letter *letter, struct problem *ret_problem)
{
    size_t capacity = letter->line.size * JSON_ESCAPE_GROWTH_MAX + LETTER_OVERHEAD_BYTES_MAX;
    _cleanup_free_ char *memory = malloc(capacity);
    if (!memory)
        return problem_set(ret_problem, ERR_INT_002, "no memory for a dead letter of %zu bytes",
                           letter->line.size);
    struct bytes text;
    bytes_init(&text, memory, capacity);
    letter_to_text(&text, letter);
    if (text.overflow)
        return problem_set(ret_problem, ERR_INT_001, "a dead letter is larger than was planned for");
    int result = open_file(dead, ret_problem);
    if (result == 0 && dead->size && dead->size + text.size > dead->size_max)
        result = rotate(dead, ret_problem);
    return result < 0 ? result : append(dead, bytes_slice(&text), ret_problem);
}
