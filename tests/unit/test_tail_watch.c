#define _GNU_SOURCE
/* How the tail hears of changes, and how it does without. inotify's calls pass through the test, which lets
 * them fail. */
#include "tail_shop.h"

#include <errno.h>
#include <poll.h>
#include <sys/inotify.h>

static int failing; /* the errno that inotify answers with; 0: it works */

int __real_inotify_add_watch(int fd, const char *path, uint32_t mask);
int __wrap_inotify_add_watch(int fd, const char *path, uint32_t mask);
int __real_inotify_init1(int flags);
int __wrap_inotify_init1(int flags);

int __wrap_inotify_add_watch(int fd, const char *path, uint32_t mask)
{
    if (failing == 0)
        return __real_inotify_add_watch(fd, path, mask);
    errno = failing;
    return -1;
}

int __wrap_inotify_init1(int flags)
{
    if (failing == 0 || failing == ENOSPC)
        return __real_inotify_init1(flags);
    errno = failing;
    return -1;
}

static int heal(void **state)
{
    failing = 0;
    return close_shop(state);
}

/* A turn a second, as the pipeline has it. */
static void turn_for(int seconds)
{
    for (int i = 0; i < seconds; i++) {
        pass_time(1);
        turn();
    }
}

static void check_without_watches(void)
{
    write_file("a.log", "1\n");
    start();
    turn();
    assert_int_equal(shop.problems, 1);
    assert_int_equal(shop.last_problem.error, ERR_IO_009);
    append_file("a.log", "2\n");
    rename("a.log", "a.log.1");
    write_file("a.log", "3\n");
    write_file("b.log", "4\n");
    turn_for(2);
    assert_got("1\n2\n3\n4\n");
    append_file("a.log", "5\n");
    turn_for(2);
    assert_got("1\n2\n3\n4\n5\n");
    assert_int_equal(shop.problems, 1);
}

static void without_watches_the_folders_are_listed_each_second(void **state)
{
    (void)state;
    failing = ENOSPC;
    check_without_watches();
    failing = 0; /* somebody gave some back: they are taken at the next scan */
    turn_for(12);
    struct pollfd poll_fd = {.fd = tail_watch_fd(shop.tail), .events = POLLIN};
    assert_int_equal(poll(&poll_fd, 1, 0), 0);
    append_file("a.log", "6\n");
    assert_int_equal(poll(&poll_fd, 1, 1000), 1);
}

static void without_inotify_the_folders_are_listed_each_second(void **state)
{
    (void)state;
    failing = EMFILE;
    check_without_watches();
    assert_int_equal(tail_watch_fd(shop.tail), -1);
}

static void after_an_overflow_everything_is_looked_at(void **state)
{
    char limit[32] = "", name[32];
    FILE *file = fopen("/proc/sys/fs/inotify/max_queued_events", "r");

    (void)state;
    assert_non_null(file);
    assert_non_null(fgets(limit, sizeof(limit), file));
    fclose(file);
    for (int i = 0; i < 20; i++) {
        snprintf(name, sizeof(name), "f%02d.log", i);
        write_file(name, "");
    }
    start();
    turn();
    turn();
    int fds[] = {open("f00.log", O_WRONLY | O_APPEND), open("f01.log", O_WRONLY | O_APPEND)};
    for (long i = 0; i <= atol(limit); i++) /* by turns, since equal news one after the other are one */
        assert_int_equal(write(fds[i % 2], "x", 1), 1);
    close(fds[0]);
    close(fds[1]);
    append_file("f19.log", "not heard of\n");
    write_file("new.log", "nor of this\n");
    for (int i = 0; i < 3; i++) /* news are taken a part at a time */
        turn();
    assert_non_null(strstr(shop.got, "not heard of\n"));
    assert_non_null(strstr(shop.got, "nor of this\n"));
}

#define WITH_FAULTS(test) cmocka_unit_test_setup_teardown(test, open_shop, heal)

int main(void)
{
    const struct CMUnitTest tests[] = {
        WITH_FAULTS(without_watches_the_folders_are_listed_each_second),
        WITH_FAULTS(without_inotify_the_folders_are_listed_each_second),
        WITH_FAULTS(after_an_overflow_everything_is_looked_at),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
