#define _GNU_SOURCE /* accept4, struct ucred */
#include "control.h"

#include "control_address.h"

#include "liblog/base/cleanup.h"

#include <errno.h>
#include <fcntl.h>
#include <stdint.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <time.h>

struct connection {
    int fd; /* -1: free */
    int64_t deadline_ns;
    char request[CONTROL_REQUEST_BYTES_MAX + 1];
    size_t request_size;
    char *answer; /* NULL until the request is whole */
    size_t answer_size, sent;
};

struct control {
    const struct control_command *commands;
    void *context;
    int folder_fd;
    int listener;
    int epoll;
    struct connection connection[CONTROL_CONNECTIONS_MAX];
};

static int64_t now_ns(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return now.tv_sec * INT64_C(1000000000) + now.tv_nsec;
}

/* ---- beginning and end ---- */

/* A socket is a dead shipper's; anything else is not ours to remove. */
static int remove_old(int folder_fd, const char *folder, struct problem *ret_problem)
{
    struct stat status;
    if (fstatat(folder_fd, CONTROL_NAME, &status, AT_SYMLINK_NOFOLLOW) < 0)
        return 0;
    if (!S_ISSOCK(status.st_mode))
        return problem_set(ret_problem, ERR_IO_004, "%s/" CONTROL_NAME " is there and no socket; remove it",
                           folder);
    unlinkat(folder_fd, CONTROL_NAME, 0);
    return 0;
}

static int add_to_epoll(const struct control *control, int fd, struct connection *connection, uint32_t events)
{
    struct epoll_event event = {.events = events, .data.ptr = connection};
    return epoll_ctl(control->epoll, EPOLL_CTL_ADD, fd, &event);
}

/* The mode is set before the socket has a name, so nobody else can connect in between. */
static int listen_at(struct control *control, const struct sockaddr_un *address)
{
    control->listener = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    control->epoll = epoll_create1(EPOLL_CLOEXEC);
    if (control->listener < 0 || control->epoll < 0 || fchmod(control->listener, 0600) < 0 ||
        bind(control->listener, (const struct sockaddr *)address, sizeof(*address)) < 0 ||
        listen(control->listener, CONTROL_CONNECTIONS_MAX) < 0)
        return -1;
    return add_to_epoll(control, control->listener, NULL, EPOLLIN);
}

static int begin(struct control *control, const char *folder, struct problem *ret_problem)
{
    struct sockaddr_un address;
    int result = control_address(folder, &address, &control->folder_fd, ret_problem);
    if (result == 0)
        result = remove_old(control->folder_fd, folder, ret_problem);
    if (result == 0 && listen_at(control, &address) < 0)
        result = problem_set(ret_problem, ERR_IO_004, "the socket %s/" CONTROL_NAME " cannot be made: %s",
                             folder, strerror(errno));
    return result;
}

int control_open(const char *folder, const struct control_command *commands, void *context,
                 struct problem *ret_problem, struct control **ret_control)
{
    struct control *control = calloc(1, sizeof(*control));
    if (!control)
        return problem_set(ret_problem, ERR_INT_002, "no memory is left for the socket of commands");
    control->commands = commands;
    control->context = context;
    control->folder_fd = control->listener = control->epoll = -1;
    for (int i = 0; i < CONTROL_CONNECTIONS_MAX; i++)
        control->connection[i].fd = -1;
    int result = begin(control, folder, ret_problem);
    if (result < 0) {
        cleanup_close(&control->listener); /* what lies under its name is not ours */
        control->listener = -1;
        control_close(control);
        return result;
    }
    *ret_control = control;
    return 0;
}

static void drop(struct connection *connection)
{
    if (connection->fd >= 0)
        close(connection->fd);
    free(connection->answer);
    connection->fd = -1;
    connection->answer = NULL;
}

void control_close(struct control *control)
{
    if (!control)
        return;
    for (int i = 0; i < CONTROL_CONNECTIONS_MAX; i++)
        drop(&control->connection[i]);
    if (control->listener >= 0)
        unlinkat(control->folder_fd, CONTROL_NAME, 0);
    cleanup_close(&control->listener);
    cleanup_close(&control->epoll);
    cleanup_close(&control->folder_fd);
    free(control);
}

int control_fd(const struct control *control)
{
    return control ? control->epoll : -1;
}

bool control_is_asked(const struct control *control)
{
    for (int i = 0; control && i < CONTROL_CONNECTIONS_MAX; i++)
        if (control->connection[i].fd >= 0)
            return true;
    return false;
}

/* ---- answering ---- */

static const struct control_command *find_command(const struct control *control, struct slice name)
{
    for (const struct control_command *command = control->commands; command->name; command++)
        if (slice_is(name, command->name))
            return command;
    return NULL;
}

static void answer_error(struct connection *connection, const struct problem *problem)
{
    FILE *out = open_memstream(&connection->answer, &connection->answer_size);
    if (!out)
        return;
    /* A first line has no end but its own; further problems stay within it. */
    fprintf(out, "error %s ", error_name(problem->error));
    for (const char *c = problem->text; *c; c++)
        fputc(*c == '\n' ? ' ' : *c, out);
    fputc('\n', out);
    fclose(out);
}

static int run_command(struct control *control, const struct control_command *command, struct slice arguments,
                       struct connection *connection, struct problem *ret_problem)
{
    FILE *out = open_memstream(&connection->answer, &connection->answer_size);
    if (!out)
        return problem_set(ret_problem, ERR_INT_002, "no memory is left for an answer");
    fputs("ok\n", out);
    int result = command->run(control->context, arguments, out, ret_problem);
    bool is_lost = ferror(out);
    if (fclose(out) != 0 || is_lost)
        result = problem_set(ret_problem, ERR_INT_002, "no memory is left for an answer");
    if (result == 0 && connection->answer_size > CONTROL_ANSWER_BYTES_MAX)
        result = problem_set(ret_problem, ERR_INT_001, "the answer is larger than %d bytes",
                             CONTROL_ANSWER_BYTES_MAX);
    return result;
}

/* `request` is a whole line without its end. */
static void answer(struct control *control, struct connection *connection, struct slice request)
{
    struct problem problem = {0};
    const char *blank = request.size ? memchr(request.data, ' ', request.size) : NULL;
    size_t name_size = blank ? (size_t)(blank - request.data) : request.size;
    size_t skipped = blank ? name_size + 1 : name_size;
    const struct control_command *command = find_command(control, slice_from(request.data, name_size));
    int result;
    if (command)
        result = run_command(control, command, slice_from(request.data + skipped, request.size - skipped),
                             connection, &problem);
    else
        result = problem_set(&problem, ERR_USE_001, "a running shipper knows no command \"%.*s\"",
                             name_size < 64 ? (int)name_size : 64, request.data);
    if (result == 0)
        return;
    free(take_pointer(connection->answer));
    answer_error(connection, &problem);
}

/* ---- connections ---- */

static bool is_allowed(int fd)
{
    struct ucred peer;
    socklen_t size = sizeof(peer);
    return getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &peer, &size) == 0 &&
           (peer.uid == geteuid() || peer.uid == 0);
}

static struct connection *free_connection(struct control *control)
{
    for (int i = 0; i < CONTROL_CONNECTIONS_MAX; i++)
        if (control->connection[i].fd < 0)
            return &control->connection[i];
    return NULL;
}

static void take_connections(struct control *control)
{
    int fd;
    while ((fd = accept4(control->listener, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK)) >= 0) {
        struct connection *connection = is_allowed(fd) ? free_connection(control) : NULL;
        if (!connection || add_to_epoll(control, fd, connection, EPOLLIN) < 0) {
            close(fd);
            continue;
        }
        connection->fd = fd;
        connection->request_size = connection->sent = connection->answer_size = 0;
        connection->deadline_ns = now_ns() + CONTROL_PEER_MS_MAX * INT64_C(1000000);
    }
}

/* False when the peer is gone, or has more to say than a request. */
static bool receive(struct control *control, struct connection *connection)
{
    char *room = connection->request + connection->request_size;
    ssize_t got = recv(connection->fd, room, CONTROL_REQUEST_BYTES_MAX - connection->request_size, 0);
    if (got < 0)
        return errno == EAGAIN || errno == EINTR;
    connection->request_size += (size_t)got;
    const char *end = got ? memchr(room, '\n', (size_t)got) : NULL;
    if (!end)
        return got > 0 && connection->request_size < CONTROL_REQUEST_BYTES_MAX;
    struct epoll_event event = {.events = EPOLLOUT, .data.ptr = connection};
    epoll_ctl(control->epoll, EPOLL_CTL_MOD, connection->fd, &event);
    answer(control, connection, slice_from(connection->request, (size_t)(end - connection->request)));
    connection->deadline_ns = now_ns() + CONTROL_PEER_MS_MAX * INT64_C(1000000);
    return connection->answer != NULL;
}

/* False when all of the answer is out, or the peer takes no more. A peer that takes has time again. */
static bool send_more(struct connection *connection)
{
    ssize_t sent = send(connection->fd, connection->answer + connection->sent,
                        connection->answer_size - connection->sent, MSG_NOSIGNAL);
    if (sent < 0)
        return errno == EAGAIN || errno == EINTR;
    connection->sent += (size_t)sent;
    connection->deadline_ns = now_ns() + CONTROL_PEER_MS_MAX * INT64_C(1000000);
    return connection->sent < connection->answer_size;
}

static void serve(struct control *control, struct connection *connection)
{
    bool goes_on = connection->answer || receive(control, connection);
    if (goes_on && connection->answer)
        goes_on = send_more(connection);
    if (!goes_on)
        drop(connection);
}

static void drop_late(struct control *control)
{
    for (int i = 0; i < CONTROL_CONNECTIONS_MAX; i++)
        if (control->connection[i].fd >= 0 && control->connection[i].deadline_ns < now_ns())
            drop(&control->connection[i]);
}

void control_turn(struct control *control)
{
    struct epoll_event events[CONTROL_CONNECTIONS_MAX + 1];
    if (!control)
        return;
    int count = epoll_wait(control->epoll, events, CONTROL_CONNECTIONS_MAX + 1, 0);
    for (int i = 0; i < count; i++) {
        struct connection *connection = events[i].data.ptr;
        if (!connection)
            take_connections(control);
        else if (connection->fd >= 0)
            serve(control, connection);
    }
    drop_late(control);
}
