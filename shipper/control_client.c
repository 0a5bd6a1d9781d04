#define _GNU_SOURCE
#include "control.h"

#include "control_address.h"

#include "liblog/base/cleanup.h"

#include <errno.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>

enum { ANSWER_S_MAX = 60, FIRST_LINE_BYTES_MAX = PROBLEM_TEXT_SIZE + 64 };

static int nobody(const char *folder, struct problem *ret_problem)
{
    return problem_set(ret_problem, ERR_NET_002, "no shipper runs with the state folder %s", folder);
}

static int failed(const char *folder, const char *what, struct problem *ret_problem)
{
    return problem_set(ret_problem, ERR_NET_003, "the shipper that runs with the state folder %s %s", folder,
                       what);
}

static int connect_to(const char *folder, struct problem *ret_problem)
{
    const struct timeval patience = {.tv_sec = ANSWER_S_MAX};
    struct sockaddr_un address;
    _cleanup_close_ int folder_fd = -1;
    _cleanup_close_ int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (fd < 0)
        return problem_from_errno(ret_problem, errno, "make a socket for", folder);
    int result = control_address(folder, &address, &folder_fd, ret_problem);
    if (result < 0)
        return result;
    setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof(patience));
    setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &patience, sizeof(patience));
    if (connect(fd, (const struct sockaddr *)&address, sizeof(address)) == 0)
        return take_fd(&fd);
    if (errno == ENOENT || errno == ECONNREFUSED)
        return nobody(folder, ret_problem);
    return problem_from_errno(ret_problem, errno, "ask the shipper that runs in", folder);
}

static bool send_all(int fd, const char *text)
{
    size_t size = strlen(text);
    while (size) {
        ssize_t sent = send(fd, text, size, MSG_NOSIGNAL);
        if (sent < 0 && errno == EINTR)
            continue;
        if (sent <= 0)
            return false;
        text += sent;
        size -= (size_t)sent;
    }
    return true;
}

/* The first line, without its newline, byte by byte: it is short, and what follows is for another reader. */
static bool receive_line(int fd, char line[static FIRST_LINE_BYTES_MAX])
{
    for (size_t size = 0; size + 1 < FIRST_LINE_BYTES_MAX;) {
        ssize_t got = recv(fd, line + size, 1, 0);
        if (got < 0 && errno == EINTR)
            continue;
        if (got <= 0)
            return false;
        if (line[size] == '\n') {
            line[size] = '\0';
            return true;
        }
        size++;
    }
    return false;
}

static int copy_rest(int fd, FILE *answer)
{
    char memory[64 * 1024];
    for (;;) {
        ssize_t got = recv(fd, memory, sizeof(memory), 0);
        if (got < 0 && errno == EINTR)
            continue;
        if (got <= 0)
            return (int)got;
        fwrite(memory, 1, (size_t)got, answer);
    }
}

/* "error DB_002 text" */
static int error_of(const char *line, const char *folder, struct problem *ret_problem)
{
    char name[16];
    int end = 0;
    if (sscanf(line, "error %15s %n", name, &end) != 1 || !error_from_name(name))
        return failed(folder, "gave an answer that cannot be understood", ret_problem);
    return problem_set(ret_problem, error_from_name(name), "%s", line + end);
}

int control_ask(const char *folder, const char *request, FILE *answer, struct problem *ret_problem)
{
    char line[FIRST_LINE_BYTES_MAX];
    _cleanup_close_ int fd = connect_to(folder, ret_problem);
    if (fd < 0)
        return fd;
    if (!send_all(fd, request) || !send_all(fd, "\n") || !receive_line(fd, line))
        return failed(folder, "gave no answer", ret_problem);
    if (strcmp(line, "ok") != 0)
        return error_of(line, folder, ret_problem);
    return copy_rest(fd, answer) < 0 ? failed(folder, "broke off its answer", ret_problem) : 0;
}
