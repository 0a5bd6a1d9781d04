#define _GNU_SOURCE
/* What the tail does when the system fails it: without inotify, without watches, with a file on a bad disk.
 * The calls pass through the test, which lets them fail. */
#include "tail_shop.h"

#include <dirent.h>
#include <errno.h>
#include <poll.h>
#include <sys/inotify.h>

static int failing;            /* the errno that inotify answers with; 0: it works */
static const char *bad_folder; /* cannot be listed; NULL: all can */
static const char *bad_file;   /* reading a file called so fails with EIO; NULL: none */

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

ssize_t __real_pread(int fd, void *memory, size_t size, off_t offset);
ssize_t __wrap_pread(int fd, void *memory, size_t size, off_t offset);

ssize_t __wrap_pread(int fd, void *memory, size_t size, off_t offset)
{
    char link[64], path[256] = "";

    snprintf(link, sizeof(link), "/proc/self/fd/%d", fd);
    if (!bad_file || readlink(link, path, sizeof(path) - 1) < 0 || !strstr(path, bad_file))
        return __real_pread(fd, memory, size, offset);
    errno = EIO;
    return -1;
}

DIR *__real_opendir(const char *path);
DIR *__wrap_opendir(const char *path);

DIR *__wrap_opendir(const char *path)
{
    if (!bad_folder || strcmp(path, bad_folder) != 0)
        return __real_opendir(path);
    errno = EACCES;
    return NULL;
}

static int heal(void **state)
{
    bad_folder = NULL;
    failing = 0;
    bad_file = NULL;
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

/* From the beginning, and in the midst of a file. */
static void what_lies_in_a_folder_that_cannot_be_listed_is_not_gone(void **state)
{
    static char pattern[] = "logs/*.log";

    (void)state;
    shop.input.paths[0] = pattern;
    assert_int_equal(mkdir("logs", 0755), 0);
    write_file("logs/app.log", "1\n");
    start();
    turn();
    append_file("logs/app.log", "2\n");
    pass_time(11);
    look(); /* it is known to be there, and not read */
    stop();
    bad_folder = "logs";
    shop.once = true;
    start();
    turn();
    assert_int_equal(shop.lost_bytes, 0);
    stop();
    shop.problems = 0;
    shop.once = false;
    start();
    turn_for(30);
    assert_int_equal(shop.problems, 1);
    assert_int_equal(shop.lost_bytes, 0);
    bad_folder = NULL;
    turn_for(30);
    assert_got("1\n2\n");
    assert_int_equal(shop.lost_bytes, 0);
    unlink("logs/app.log");
    assert_int_equal(rmdir("logs"), 0);
}

static void a_file_on_a_bad_disk_is_told_once_and_stops_no_other(void **state)
{
    enum exit_code code = EXIT_OK_;

    (void)state;
    write_file("a.log", "a 1\n");
    write_file("b.log", "b 1\n");
    write_packed("c.log.1.zst", "c 1\n");
    bad_file = "/b.log";
    start();
    turn_for(3);
    assert_got("a 1\nc 1\n");
    bad_file = "/a.log";
    append_file("a.log", "a 2\n");
    append_file("b.log", "b 2\n");
    turn_for(12);
    assert_got("a 1\nc 1\nb 1\nb 2\n");
    assert_int_equal(shop.problems, 2);
    assert_int_equal(shop.last_problem.error, ERR_IO_003);
    assert_int_equal(tail_unreadable(shop.tail, &code), 1);
    assert_int_equal(code, EXIT_IO);
    bad_file = NULL;
    turn_for(12);
    assert_got("a 1\nc 1\nb 1\nb 2\na 2\n");
    assert_int_equal(tail_unreadable(shop.tail, &code), 0);
    assert_int_equal(shop.lost_bytes, 0);
}

#define WITH_FAULTS(test) cmocka_unit_test_setup_teardown(test, open_shop, heal)

int main(void)
{
    const struct CMUnitTest tests[] = {
        WITH_FAULTS(without_watches_the_folders_are_listed_each_second),
        WITH_FAULTS(without_inotify_the_folders_are_listed_each_second),
        WITH_FAULTS(a_file_on_a_bad_disk_is_told_once_and_stops_no_other),
        WITH_FAULTS(what_lies_in_a_folder_that_cannot_be_listed_is_not_gone),
        WITH_FAULTS(after_an_overflow_everything_is_looked_at),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
