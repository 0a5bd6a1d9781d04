#define _GNU_SOURCE
#include "tail_files.h"

#include "shipper/watch.h"

#include <errno.h>
#include <poll.h>

/* What was heard, as text: "names:FOLDER/NAME written:FOLDER/NAME …". */
static char heard[4096];
static int heard_file; /* the number of the file that was heard last; -1: of none */

static void hear(void *context, const struct watch_event *event)
{
    static const char *const kinds[] = {"names", "written", "overflow"};

    (void)context;
    size_t at = strlen(heard);
    heard_file = event->folder ? -1 : event->file_id;
    snprintf(heard + at, sizeof(heard) - at, "%s%s:%s/%s", at ? " " : "", kinds[event->kind],
             event->folder ? event->folder : "-", event->name ? event->name : "-");
}

static const char *listen(struct watch *watch)
{
    heard[0] = '\0';
    watch_take(watch, hear, NULL);
    return heard;
}

static void names_and_writes_are_heard_with_their_folder(void **state)
{
    struct watch *watch = watch_new();

    (void)state;
    assert_int_equal(mkdir("logs", 0755), 0);
    assert_int_equal(watch_folder(watch, "logs"), 1);
    assert_int_equal(watch_folder(watch, "logs"), 0);
    assert_true(watch_is_complete(watch));
    assert_string_equal(listen(watch), "");
    write_file("logs/a.log", "");
    assert_string_equal(listen(watch), "names:logs/a.log");
    append_file("logs/a.log", "x");
    struct pollfd poll_fd = {.fd = watch_fd(watch), .events = POLLIN};
    assert_int_equal(poll(&poll_fd, 1, 0), 1);
    assert_string_equal(listen(watch), "written:logs/a.log");
    assert_int_equal(poll(&poll_fd, 1, 0), 0);
    rename("logs/a.log", "logs/b.log");
    assert_string_equal(listen(watch), "names:logs/a.log names:logs/b.log");
    unlink("logs/b.log");
    assert_string_equal(listen(watch), "names:logs/b.log");
    watch_free(watch);
}

static void a_deleted_file_that_is_open_is_still_heard(void **state)
{
    struct watch *watch = watch_new();
    int fd = open("a.log", O_CREAT | O_RDWR, 0644);

    (void)state;
    unlink("a.log");
    int id = watch_file(watch, fd);
    assert_true(id >= 0);
    assert_int_equal(watch_file(watch, fd), id);
    assert_int_equal(write(fd, "x", 1), 1);
    assert_string_equal(listen(watch), "written:-/-");
    assert_int_equal(heard_file, id);
    close(fd);
    watch_free(watch);
}

static void a_folder_that_comes_and_goes_away_is_watched_while_it_is_there(void **state)
{
    struct watch *watch = watch_new();

    (void)state;
    assert_int_equal(watch_folder(watch, "later"), -ENOENT);
    assert_true(watch_is_complete(watch)); /* nothing that is there is unheard */
    assert_int_equal(mkdir("later", 0755), 0);
    assert_int_equal(watch_folder(watch, "later"), 1);
    assert_true(watch_is_complete(watch));
    assert_int_equal(rename("later", "elsewhere"), 0);
    assert_string_equal(listen(watch),
                        "names:later/- names:later/-"); /* it moved, and is not watched any more */
    assert_false(watch_is_complete(watch));
    assert_int_equal(mkdir("later", 0755), 0);
    assert_int_equal(watch_folder(watch, "later"), 1);
    listen(watch);
    write_file("later/a.log", "");
    assert_string_equal(listen(watch), "names:later/a.log");
    watch_free(watch);
}

static void folders_that_are_not_given_any_more_are_not_heard(void **state)
{
    struct watch *watch = watch_new();

    (void)state;
    assert_int_equal(mkdir("stays", 0755), 0);
    assert_int_equal(mkdir("goes", 0755), 0);
    for (int turns = 0; turns < 2; turns++) {
        watch_folder(watch, "stays");
        assert_int_equal(watch_folder(watch, "goes"), 1);
        watch_forget_others(watch);
        watch_folder(watch, "stays");
        watch_forget_others(watch);
        listen(watch);
        write_file("goes/a.log", "x");
        assert_string_equal(listen(watch), "");
        write_file("stays/a.log", "x");
        assert_non_null(strstr(listen(watch), "stays/a.log"));
    }
    watch_free(watch);
}

static void count_overflow(void *context, const struct watch_event *event)
{
    int *overflows = context;
    *overflows += event->kind == WATCH_OVERFLOW;
}

static void an_overflow_is_told(void **state)
{
    struct watch *watch = watch_new();
    char limit[32] = "";
    FILE *file = fopen("/proc/sys/fs/inotify/max_queued_events", "r");
    int overflows = 0;

    (void)state;
    assert_non_null(file);
    assert_non_null(fgets(limit, sizeof(limit), file));
    fclose(file);
    assert_int_equal(watch_folder(watch, ""), 1);
    int fds[] = {open("a", O_CREAT | O_WRONLY, 0644), open("b", O_CREAT | O_WRONLY, 0644)};
    for (long i = 0; i <= atol(limit); i++) /* by turns, since equal news one after the other are one */
        assert_int_equal(pwrite(fds[i % 2], "x", 1, 0), 1);
    close(fds[0]);
    close(fds[1]);
    while (watch_take(watch, count_overflow, &overflows) > 0)
        ;
    assert_int_equal(overflows, 1);
    watch_free(watch);
}

static void without_inotify_everything_says_no(void **state)
{
    (void)state;
    assert_int_equal(watch_fd(NULL), -1);
    assert_int_equal(watch_folder(NULL, "."), -ENOSYS);
    assert_int_equal(watch_file(NULL, 0), -1);
    assert_false(watch_is_complete(NULL));
    assert_int_equal(watch_take(NULL, hear, NULL), 0);
    watch_free(NULL);
}

#define IN_FOLDER(test) cmocka_unit_test_setup_teardown(test, enter_folder, leave_folder)

int main(void)
{
    const struct CMUnitTest tests[] = {
        IN_FOLDER(names_and_writes_are_heard_with_their_folder),
        IN_FOLDER(a_deleted_file_that_is_open_is_still_heard),
        IN_FOLDER(a_folder_that_comes_and_goes_away_is_watched_while_it_is_there),
        IN_FOLDER(folders_that_are_not_given_any_more_are_not_heard),
        IN_FOLDER(an_overflow_is_told),
        cmocka_unit_test(without_inotify_everything_says_no),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
