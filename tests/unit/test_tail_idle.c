#define _GNU_SOURCE
/* What following costs while nothing happens, and that whoever sleeps until something is due misses nothing:
 * here time goes on by what the tail says, or until inotify tells something. */
#include "tail_shop.h"

#include "shipper/tail_file.h"

#include <poll.h>
#include <sys/inotify.h>

#define SECOND_NS INT64_C(1000000000)

static bool is_deaf; /* watches are taken, and tell nothing */

int __real_inotify_add_watch(int fd, const char *path, uint32_t mask);
int __wrap_inotify_add_watch(int fd, const char *path, uint32_t mask);

int __wrap_inotify_add_watch(int fd, const char *path, uint32_t mask)
{
    return __real_inotify_add_watch(fd, path, is_deaf ? IN_UNMOUNT : mask);
}

static int heal(void **state)
{
    is_deaf = false;
    return close_shop(state);
}

static bool has_news(void)
{
    struct pollfd news = {tail_watch_fd(shop.tail), POLLIN, 0};
    return poll(&news, 1, 0) == 1;
}

/* As the pipeline has it: only who was woken is read, and the brothers that it may have been in the way of.
 */
static int wakeful_turn(void)
{
    struct source *source;
    int woken = 0;

    look();
    for (; (source = tail_next_woken(shop.tail)) != NULL; woken++)
        for (; source && !source_is_blocked(shop.tail, source, LANE_STATS);
             source = source_younger(shop.tail, source))
            read_source(source, 4096);
    commit();
    return woken;
}

/* Sleeps until something is due or heard, then takes its turn. How many were woken. */
static int sleep_and_turn(void)
{
    if (!has_news())
        shop.now_ns += tail_due_ns(shop.tail);
    return wakeful_turn();
}

/* Until all of `want` was read; at most so long. How long it took. */
static int64_t sleep_until_got(const char *want, int64_t ns_max)
{
    int64_t begin_ns = shop.now_ns;
    while (strcmp(shop.got ? shop.got : "", want) != 0 && shop.now_ns - begin_ns <= ns_max)
        sleep_and_turn();
    assert_got(want);
    return shop.now_ns - begin_ns;
}

static int sleep_for(int64_t ns)
{
    int64_t end_ns = shop.now_ns + ns;
    int turns = 0;
    for (; shop.now_ns < end_ns; turns++)
        sleep_and_turn();
    return turns;
}

static int take_woken(const struct source **ret_last)
{
    const struct source *source;
    int count = 0;
    for (; (source = tail_next_woken(shop.tail)) != NULL; count++)
        *ret_last = source;
    return count;
}

static void write_files(int count)
{
    char name[32];
    for (int i = 0; i < count; i++) {
        snprintf(name, sizeof(name), "f%03d.log", i);
        write_file(name, "");
    }
}

static void only_what_changed_is_woken(void **state)
{
    const struct source *last = NULL;

    (void)state;
    write_files(100);
    start();
    turn();
    turn();
    assert_int_equal(take_woken(&last), 100);
    turn();
    assert_int_equal(take_woken(&last), 0);
    append_file("f042.log", "x\n");
    turn();
    assert_int_equal(take_woken(&last), 1);
    assert_ptr_equal(last, source_at("f042.log"));
    append_file("f042.log", "y\n");
    append_file("f007.log", "z\n");
    turn();
    assert_int_equal(take_woken(&last), 2);
}

static void an_idle_hour_is_slept_through_but_for_a_look_each_ten_seconds(void **state)
{
    (void)state;
    write_files(100);
    start();
    sleep_for(60 * SECOND_NS);
    int woken = 0, turns = 0;
    for (int64_t end_ns = shop.now_ns + 3600 * SECOND_NS; shop.now_ns < end_ns; turns++)
        woken += sleep_and_turn();
    assert_in_range(turns, 60, 400);
    assert_in_range(woken / 100, 10, 60); /* each scan meets all: ever more rarely */
}

static void what_is_written_while_all_sleep_is_heard_at_once(void **state)
{
    (void)state;
    write_files(100);
    start();
    sleep_for(600 * SECOND_NS);
    append_file("f050.log", "x\n");
    assert_true(sleep_until_got("x\n", SECOND_NS) < SECOND_NS / 10);
}

static void a_renamed_file_is_finished_in_time_though_nothing_is_heard(void **state)
{
    (void)state;
    write_file("app.log", "one\n");
    start();
    sleep_for(600 * SECOND_NS);
    append_file("app.log", "half");
    sleep_and_turn();
    assert_int_equal(rename("app.log", "app.log.1"), 0);
    write_file("app.log", "two\n");
    sleep_and_turn();
    assert_in_range(sleep_until_got("one\nhalftwo\n", 10 * SECOND_NS), 4 * SECOND_NS, 6 * SECOND_NS);
}

static void a_deleted_file_is_finished_in_time_though_nothing_is_heard(void **state)
{
    (void)state;
    write_file("app.log", "one\n");
    start();
    sleep_for(600 * SECOND_NS);
    append_file("app.log", "half");
    sleep_and_turn();
    unlink("app.log");
    sleep_and_turn();
    assert_in_range(sleep_until_got("one\nhalf", 10 * SECOND_NS), 4 * SECOND_NS, 6 * SECOND_NS);
}

static void a_file_on_a_silent_file_system_is_found_and_from_then_on_each_second(void **state)
{
    (void)state;
    is_deaf = true;
    write_file("app.log", "1\n");
    start();
    sleep_for(600 * SECOND_NS);
    assert_int_equal(shop.problems, 0);
    append_file("app.log", "2\n");
    sleep_until_got("1\n2\n", 200 * SECOND_NS);
    sleep_for(180 * SECOND_NS); /* the next scan knows that nothing was heard */
    assert_int_equal(shop.problems, 1);
    assert_int_equal(shop.last_problem.error, ERR_IO_009);
    append_file("app.log", "3\n");
    sleep_until_got("1\n2\n3\n", 2 * SECOND_NS);
    write_file("other.log", "4\n");
    sleep_until_got("1\n2\n3\n4\n", 2 * SECOND_NS);
    assert_int_equal(shop.problems, 1);
}

/* A scan may see what was written a moment before inotify tells of it. */
static void news_that_come_are_trusted_whoever_is_first(void **state)
{
    char want[4096] = "";

    (void)state;
    write_file("app.log", "");
    start();
    for (int i = 0; i < 300; i++) {
        shop.now_ns += tail_due_ns(shop.tail);
        append_file("app.log", "x\n");
        strcat(want, "x\n");
        wakeful_turn();
    }
    sleep_until_got(want, SECOND_NS);
    assert_int_equal(shop.problems, 0);
}

static void a_new_folder_that_a_pattern_means_is_found_within_seconds(void **state)
{
    (void)state;
    assert_int_equal(mkdir("one", 0755), 0);
    write_file("one/app.log", "1\n");
    shop.input.paths[0] = "*/app.log";
    start();
    sleep_for(600 * SECOND_NS);
    assert_int_equal(mkdir("two", 0755), 0);
    write_file("two/app.log", "2\n");
    assert_true(sleep_until_got("1\n2\n", 60 * SECOND_NS) < 12 * SECOND_NS);
    append_file("two/app.log", "3\n");
    assert_true(has_news());
    unlink("two/app.log");
    assert_int_equal(rmdir("two"), 0);
    sleep_for(20 * SECOND_NS);
    tail_drop(shop.tail, source_at("two/app.log"));
    assert_in_range(sleep_for(3600 * SECOND_NS), 60, 500); /* a folder that went is not waited for */
    unlink("one/app.log");
    assert_int_equal(rmdir("one"), 0);
}

static void a_folder_that_is_not_there_yet_is_waited_for(void **state)
{
    (void)state;
    shop.input.paths[0] = "later/*.log";
    start();
    sleep_for(600 * SECOND_NS);
    assert_int_equal(mkdir("later", 0755), 0);
    write_file("later/app.log", "1\n");
    assert_true(sleep_until_got("1\n", 60 * SECOND_NS) < 3 * SECOND_NS);
    append_file("later/app.log", "2\n");
    assert_true(has_news());
    unlink("later/app.log");
    assert_int_equal(rmdir("later"), 0);
}

static void a_folder_that_a_link_leads_to_elsewhere_is_found(void **state)
{
    (void)state;
    assert_int_equal(mkdir("first", 0755), 0);
    assert_int_equal(mkdir("second", 0755), 0);
    assert_int_equal(symlink("first", "now"), 0);
    write_file("first/app.log", "1\n");
    shop.input.paths[0] = "now/*.log";
    start();
    sleep_for(600 * SECOND_NS);
    write_file("second/new.log", "2\n");
    unlink("now");
    assert_int_equal(symlink("second", "now"), 0);
    assert_true(sleep_until_got("1\n2\n", 60 * SECOND_NS) < 12 * SECOND_NS);
    append_file("second/new.log", "3\n");
    assert_true(has_news());
    unlink("now");
    unlink("first/app.log");
    unlink("second/new.log");
    assert_int_equal(rmdir("first"), 0);
    assert_int_equal(rmdir("second"), 0);
}

static void what_is_written_by_another_name_of_the_file_is_heard(void **state)
{
    (void)state;
    assert_int_equal(mkdir("data", 0755), 0);
    write_file("data/a", "1\n");
    assert_int_equal(link("data/a", "app.log"), 0);
    start();
    sleep_for(600 * SECOND_NS);
    append_file("data/a", "2\n");
    assert_true(has_news());
    wakeful_turn();
    assert_got("1\n2\n");
    unlink("data/a");
    assert_int_equal(rmdir("data"), 0);
}

#define ASLEEP(test) cmocka_unit_test_setup_teardown(test, open_shop, heal)

int main(void)
{
    const struct CMUnitTest tests[] = {
        ASLEEP(only_what_changed_is_woken),
        ASLEEP(an_idle_hour_is_slept_through_but_for_a_look_each_ten_seconds),
        ASLEEP(what_is_written_while_all_sleep_is_heard_at_once),
        ASLEEP(a_renamed_file_is_finished_in_time_though_nothing_is_heard),
        ASLEEP(a_deleted_file_is_finished_in_time_though_nothing_is_heard),
        ASLEEP(a_file_on_a_silent_file_system_is_found_and_from_then_on_each_second),
        ASLEEP(news_that_come_are_trusted_whoever_is_first),
        ASLEEP(a_new_folder_that_a_pattern_means_is_found_within_seconds),
        ASLEEP(a_folder_that_is_not_there_yet_is_waited_for),
        ASLEEP(a_folder_that_a_link_leads_to_elsewhere_is_found),
        ASLEEP(what_is_written_by_another_name_of_the_file_is_heard),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
