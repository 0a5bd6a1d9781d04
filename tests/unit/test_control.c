/* The socket `control`: who is heard, what is answered, and that no peer can hold the server up. */
#define _GNU_SOURCE
#include "shipper/control.h"

#include "liblog/base/cleanup.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <time.h>

#include <cmocka.h>

struct fixture {
    char folder[64];
    struct control *control;
    int heard; /* requests that came through */
};

static int run_echo(void *context, struct slice arguments, FILE *answer, struct problem *ret_problem)
{
    (void)ret_problem;
    ((struct fixture *)context)->heard++;
    fprintf(answer, "<%.*s>\n", (int)arguments.size, arguments.data);
    return 0;
}

static int run_fail(void *context, struct slice arguments, FILE *answer, struct problem *ret_problem)
{
    (void)context, (void)arguments;
    fputs("half of an answer", answer);
    return problem_set(ret_problem, ERR_DB_002, "it is\nbroken");
}

static int run_large(void *context, struct slice arguments, FILE *answer, struct problem *ret_problem)
{
    (void)context, (void)arguments, (void)ret_problem;
    for (int i = 0; i < 1000000; i++)
        fprintf(answer, "%d\n", i);
    return 0;
}

static const struct control_command commands[] = {
    {"echo", run_echo}, {"fail", run_fail}, {"large", run_large}, {0}};

static int setup(void **state)
{
    struct fixture *f = calloc(1, sizeof(*f));
    strcpy(f->folder, "/tmp/test_control.XXXXXX");
    assert_non_null(mkdtemp(f->folder));
    assert_int_equal(control_open(f->folder, commands, f, NULL, &f->control), 0);
    *state = f;
    return 0;
}

static int teardown(void **state)
{
    struct fixture *f = *state;
    control_close(f->control);
    int result = rmdir(f->folder); /* the socket is gone, too */
    free(f);
    return result;
}

/* ---- a client beside the server ---- */

struct asking {
    const char *folder, *request;
    char *answer;
    size_t answer_size;
    int result;
    struct problem problem;
    atomic_bool done;
};

static void *ask(void *argument)
{
    struct asking *asking = argument;
    FILE *out = open_memstream(&asking->answer, &asking->answer_size);
    asking->result = control_ask(asking->folder, asking->request, out, &asking->problem);
    fclose(out);
    asking->done = true;
    return NULL;
}

static void turn(const struct fixture *f, int timeout_ms)
{
    struct pollfd interest = {control_fd(f->control), POLLIN, 0};
    poll(&interest, 1, timeout_ms);
    control_turn(f->control);
}

static void ask_and_serve(const struct fixture *f, struct asking *asking)
{
    pthread_t thread;
    asking->folder = f->folder;
    assert_int_equal(pthread_create(&thread, NULL, ask, asking), 0);
    while (!asking->done)
        turn(f, 20);
    pthread_join(thread, NULL);
}

/* ---- peers that a test writes by hand ---- */

static int connect_to(const struct fixture *f)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    snprintf(address.sun_path, sizeof(address.sun_path), "%s/control", f->folder);
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (connect(fd, (const struct sockaddr *)&address, sizeof(address)) < 0) {
        close(fd);
        return -1;
    }
    return fd;
}

/* Whether the server has closed the connection without a word. */
static bool is_closed(int fd)
{
    char byte;
    ssize_t got = recv(fd, &byte, 1, MSG_DONTWAIT);
    return got == 0 || (got < 0 && errno == ECONNRESET);
}

/* ---- the tests ---- */

static void a_request_is_answered_and_a_failure_told_with_its_code(void **state)
{
    struct fixture *f = *state;
    struct asking good = {.request = "echo two  words"}, bad = {.request = "fail"},
                  unknown = {.request = "nothing"}, empty = {.request = ""};
    ask_and_serve(f, &good);
    assert_int_equal(good.result, 0);
    assert_string_equal(good.answer, "<two  words>\n");
    ask_and_serve(f, &bad);
    assert_int_equal(bad.result, -ERR_DB_002);
    assert_string_equal(bad.problem.text, "it is\\x0abroken");
    assert_string_equal(bad.answer, "");
    ask_and_serve(f, &unknown);
    assert_int_equal(unknown.result, -ERR_USE_001);
    ask_and_serve(f, &empty);
    assert_int_equal(empty.result, -ERR_USE_001);
    free(good.answer);
    free(bad.answer);
    free(unknown.answer);
    free(empty.answer);
}

static void an_answer_larger_than_any_buffer_arrives_whole(void **state)
{
    struct fixture *f = *state;
    struct asking asking = {.request = "large"};
    ask_and_serve(f, &asking);
    assert_int_equal(asking.result, 0);
    assert_int_equal(asking.answer_size, 6888890);
    assert_string_equal(asking.answer + asking.answer_size - 14, "999998\n999999\n");
    free(asking.answer);
}

static void a_request_may_come_in_pieces_and_what_follows_it_is_not_heard(void **state)
{
    struct fixture *f = *state;
    int fd = connect_to(f);
    static const char *const pieces[] = {"ec", "ho a", "b\necho second\n"};
    for (int i = 0; i < 3; i++) {
        assert_true(send(fd, pieces[i], strlen(pieces[i]), 0) > 0);
        turn(f, 20);
        turn(f, 20);
    }
    char answer[64] = "";
    turn(f, 20);
    assert_int_equal(recv(fd, answer, sizeof(answer), 0), 8);
    assert_string_equal(answer, "ok\n<ab>\n");
    assert_int_equal(f->heard, 1);
    close(fd);
}

static void a_request_above_the_limit_is_cut_off(void **state)
{
    struct fixture *f = *state;
    char noise[CONTROL_REQUEST_BYTES_MAX + 100];
    memset(noise, 'x', sizeof(noise));
    int fd = connect_to(f);
    assert_true(send(fd, noise, sizeof(noise), 0) == sizeof(noise));
    for (int i = 0; i < 10 && !is_closed(fd); i++)
        turn(f, 20);
    assert_true(is_closed(fd));
    close(fd);
}

/* More peers than there is room for, who say nothing, one who left, and one who asks and takes no answer. */
static void silent_peers_hold_nobody_up_and_are_dropped_in_time(void **state)
{
    struct fixture *f = *state;
    int silent[CONTROL_CONNECTIONS_MAX], lazy = connect_to(f);
    assert_true(send(lazy, "large\n", 6, 0) > 0);
    for (int i = 1; i < CONTROL_CONNECTIONS_MAX; i++)
        silent[i] = connect_to(f);
    int gone = connect_to(f);
    close(gone);
    for (int i = 0; i < 5; i++)
        turn(f, 10);
    struct asking refused = {.request = "echo"};
    ask_and_serve(f, &refused);
    assert_int_equal(refused.result, -ERR_NET_003);
    struct timespec begin, now;
    clock_gettime(CLOCK_MONOTONIC, &begin);
    do {
        turn(f, 100);
        clock_gettime(CLOCK_MONOTONIC, &now);
    } while (!is_closed(silent[1]) && now.tv_sec - begin.tv_sec < 60);
    assert_true(is_closed(silent[1]));
    struct asking heard = {.request = "echo"};
    ask_and_serve(f, &heard);
    assert_int_equal(heard.result, 0);
    close(lazy);
    for (int i = 1; i < CONTROL_CONNECTIONS_MAX; i++)
        close(silent[i]);
    free(refused.answer);
    free(heard.answer);
}

static void nobody_listens_when_no_shipper_runs(void **state)
{
    struct fixture *f = *state;
    struct problem problem;
    assert_int_equal(control_ask("/nowhere", "ping", stderr, &problem), -ERR_IO_001);
    /* A dead shipper leaves its socket: nobody answers there, and the next one takes its place. */
    char path[96], other[96];
    snprintf(path, sizeof(path), "%s/control", f->folder);
    snprintf(other, sizeof(other), "%s/kept", f->folder);
    assert_int_equal(rename(path, other), 0);
    control_close(f->control);
    assert_int_equal(rename(other, path), 0);
    assert_int_equal(control_ask(f->folder, "ping", stderr, &problem), -ERR_NET_002);
    assert_int_equal(control_open(f->folder, commands, f, &problem, &f->control), 0);
    struct asking asking = {.request = "echo"};
    ask_and_serve(f, &asking);
    assert_int_equal(asking.result, 0);
    free(asking.answer);
}

static void what_is_no_socket_is_left_alone(void **state)
{
    struct fixture *f = *state;
    struct problem problem = {0};
    struct control *second = NULL;
    char path[96];
    snprintf(path, sizeof(path), "%s/control", f->folder);
    control_close(f->control);
    f->control = NULL;
    assert_int_equal(close(open(path, O_CREAT | O_WRONLY | O_CLOEXEC, 0600)), 0);
    assert_int_equal(control_open(f->folder, commands, f, &problem, &second), -ERR_IO_004);
    assert_non_null(strstr(problem.text, "no socket"));
    assert_int_equal(unlink(path), 0);
}

static void only_its_own_user_and_root_are_heard(void **state)
{
    struct fixture *f = *state;
    struct stat status;
    char path[96];
    snprintf(path, sizeof(path), "%s/control", f->folder);
    assert_int_equal(stat(path, &status), 0);
    assert_int_equal(status.st_mode & 07777, 0600);
    if (geteuid() != 0)
        return; /* nobody else can be played */
    /* Even were the mode lost: the kernel says who asks. */
    assert_int_equal(chmod(f->folder, 0755) | chmod(path, 0666), 0);
    pid_t child = fork();
    if (child == 0) {
        int fd = seteuid(65534) == 0 ? connect_to(f) : -1;
        ssize_t sent = fd < 0 ? 0 : send(fd, "echo\n", 5, MSG_NOSIGNAL);
        char byte;
        _exit(fd >= 0 && (sent < 0 || recv(fd, &byte, 1, 0) <= 0) ? 0 : 1);
    }
    int ended = 0, code = -1;
    while (!ended) {
        turn(f, 20);
        ended = waitpid(child, &code, WNOHANG);
    }
    assert_int_equal(code, 0);
    assert_int_equal(f->heard, 0);
}

static void a_folder_with_a_longer_path_than_a_socket_may_have_is_no_hindrance(void **state)
{
    struct fixture *f = *state;
    char folder[300];
    int size = snprintf(folder, sizeof(folder), "%s/", f->folder);
    memset(folder + size, 'd', 200);
    folder[size + 200] = '\0';
    assert_int_equal(mkdir(folder, 0700), 0);
    struct fixture deep = {.control = NULL};
    struct problem problem = {0};
    assert_int_equal(control_open(folder, commands, &deep, &problem, &deep.control), 0);
    struct asking asking = {.request = "echo deep"};
    pthread_t thread;
    asking.folder = folder;
    assert_int_equal(pthread_create(&thread, NULL, ask, &asking), 0);
    while (!asking.done)
        turn(&deep, 20);
    pthread_join(thread, NULL);
    assert_string_equal(asking.answer, "<deep>\n");
    free(asking.answer);
    control_close(deep.control);
    assert_int_equal(rmdir(folder), 0);
}

#define CONTROL_TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        CONTROL_TEST(a_request_is_answered_and_a_failure_told_with_its_code),
        CONTROL_TEST(an_answer_larger_than_any_buffer_arrives_whole),
        CONTROL_TEST(a_request_may_come_in_pieces_and_what_follows_it_is_not_heard),
        CONTROL_TEST(a_request_above_the_limit_is_cut_off),
        CONTROL_TEST(silent_peers_hold_nobody_up_and_are_dropped_in_time),
        CONTROL_TEST(nobody_listens_when_no_shipper_runs),
        CONTROL_TEST(what_is_no_socket_is_left_alone),
        CONTROL_TEST(only_its_own_user_and_root_are_heard),
        CONTROL_TEST(a_folder_with_a_longer_path_than_a_socket_may_have_is_no_hindrance),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
