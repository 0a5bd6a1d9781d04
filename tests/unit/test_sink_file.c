#define _GNU_SOURCE
#include "liblog/sink_file.h"
#include "log_reader.h"

#include <errno.h>
#include <signal.h>
#include <sys/resource.h>

static struct sink sink;

static int make(void **state)
{
    int error = enter_folder(state);
    sink_init(&sink, "app.log");
    return error;
}

static int release(void **state)
{
    sink_release(&sink);
    return leave_folder(state);
}

static void write_line(const char *text)
{
    struct ring_target target;
    assert_int_equal(sink_prepare(&sink, &target), 0);
    assert_int_equal(sink_write(&sink, slice_of(text), &target), 0);
    assert_true(sink_settled(&sink));
}

static void expect_file(const char *path, const char *text)
{
    size_t size;
    char *found = read_file(path, &size);
    assert_string_equal(found, text);
    free(found);
}

static void blocks_are_appended_and_the_target_tells_where(void **state)
{
    struct ring_target target;
    struct stat st;
    (void)state;
    write_line("one\n");
    assert_int_equal(sink_prepare(&sink, &target), 0);
    assert_int_equal(stat("app.log", &st), 0);
    assert_int_equal(target.offset, 4);
    assert_int_equal(target.inode, st.st_ino);
    assert_int_equal(target.device, st.st_dev);
    assert_int_equal(st.st_mode & 07007, 0); /* nothing for others */
    write_line("two\n");
    expect_file("app.log", "one\ntwo\n");
    assert_int_equal(sink.reopens, 0);
}

static void a_renamed_file_is_followed_by_a_new_one_and_counted(void **state)
{
    (void)state;
    write_line("one\n");
    assert_int_equal(rename("app.log", "app.log.1"), 0);
    close(open("app.log", O_WRONLY | O_CREAT | O_EXCL, 0640));
    write_line("two\n");
    expect_file("app.log.1", "one\n");
    expect_file("app.log", "two\n");
    assert_int_equal(sink.reopens, 1);
}

/* logrotate moves a file that it finds at the path out of the way, so it is given the time to make its own.
 */
static void a_renamed_file_is_written_on_until_there_is_a_new_one_or_none_is_to_come(void **state)
{
    (void)state;
    write_line("one\n");
    assert_int_equal(rename("app.log", "app.log.1"), 0);
    write_line("two\n");
    assert_int_equal(access("app.log", F_OK), -1);
    usleep(SINK_GONE_NS_MAX / 1000 + 20000);
    write_line("three\n");
    expect_file("app.log.1", "one\ntwo\n");
    expect_file("app.log", "three\n");
    assert_int_equal(sink.reopens, 1);
}

static void a_file_removed_while_a_block_was_written_is_not_settled(void **state)
{
    struct ring_target target;
    (void)state;
    assert_int_equal(sink_prepare(&sink, &target), 0);
    assert_int_equal(unlink("app.log"), 0);
    assert_int_equal(sink_write(&sink, SLICE("one\n"), &target), 0);
    assert_false(sink_settled(&sink));
    write_line("one\n");
    expect_file("app.log", "one\n");
}

static void a_file_that_was_cut_to_nothing_is_written_from_its_beginning(void **state)
{
    (void)state;
    write_line("one\n");
    assert_int_equal(truncate("app.log", 0), 0);
    write_line("two\n");
    expect_file("app.log", "two\n");
}

static void a_descriptor_that_was_closed_and_used_again_is_not_written_to(void **state)
{
    (void)state;
    write_line("one\n");
    int other = open("other", O_RDWR | O_CREAT, 0600);
    assert_int_equal(dup2(other, sink.fd), sink.fd);
    write_line("two\n");
    expect_file("other", "");
    expect_file("app.log", "one\ntwo\n");
    close(other);
}

static void a_release_closes_no_descriptor_of_the_program(void **state)
{
    (void)state;
    write_line("one\n");
    int other = open("other", O_RDWR | O_CREAT, 0600), number = sink.fd;
    assert_int_equal(dup2(other, number), number);
    sink_release(&sink);
    assert_true(fcntl(number, F_GETFD) >= 0);
    close(number);
    close(other);
}

static void limit_files(rlim_t bytes)
{
    struct rlimit limit = {bytes, RLIM_INFINITY};
    signal(SIGXFSZ, SIG_IGN);
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &limit), 0);
}

/* A limit stops the block half-way, as a full disk does. */
static void write_half(struct slice block, struct ring_target *target)
{
    assert_int_equal(sink_prepare(&sink, target), 0);
    limit_files(6000);
    assert_int_equal(sink_write(&sink, block, target), -EFBIG);
    limit_files(RLIM_INFINITY);
    assert_int_equal(sink.last_errno, EFBIG);
    assert_int_equal(sink.sent, 6000 - target->offset);
}

static void a_write_that_fails_half_way_goes_on_where_it_stopped(void **state)
{
    static char block[8001], expected[8008];
    struct ring_target target;
    (void)state;
    memset(block, 'x', sizeof block - 1);
    block[7999] = '\n';
    snprintf(expected, sizeof expected, "one\n%s", block);
    write_line("one\n");
    write_half(slice_from(block, 8000), &target);
    assert_true(sink_goes_on(&sink));
    assert_int_equal(sink_write(&sink, slice_from(block, 8000), &target), 0);
    assert_int_equal(sink.last_errno, 0);
    expect_file("app.log", expected);
}

/* It would not be glued to what somebody else has written there. */
static void what_was_sent_of_a_block_is_not_gone_on_with_when_it_is_not_the_files_end(void **state)
{
    static char block[8000];
    struct ring_target target;
    (void)state;
    memset(block, 'x', sizeof block);
    write_half(slice_from(block, sizeof block), &target);
    int other = open("app.log", O_WRONLY | O_APPEND);
    assert_int_equal(write(other, "two\n", 4), 4);
    close(other);
    assert_false(sink_goes_on(&sink));
    sink_give_up(&sink, 6000);
    struct stat st;
    assert_int_equal(stat("app.log", &st), 0);
    assert_int_equal(st.st_size, 6004); /* nothing of the other's is cut */
    assert_int_equal(rename("app.log", "app.log.1"), 0);
    close(open("app.log", O_WRONLY | O_CREAT, 0600));
    write_half(slice_from(block, sizeof block), &target);
    assert_int_equal(rename("app.log", "app.log.2"), 0);
    close(open("app.log", O_WRONLY | O_CREAT, 0600));
    assert_false(sink_goes_on(&sink));
    sink_give_up(&sink, 5000);
    assert_int_equal(stat("app.log.1", &st), 0);
    assert_int_equal(st.st_size, 6004);
    assert_int_equal(stat("app.log.2", &st), 0);
    assert_int_equal(st.st_size, 1000);
    assert_int_equal(sink.sent, 0);
}

static void what_is_no_file_is_refused(void **state)
{
    struct ring_target target;
    (void)state;
    assert_int_equal(mkdir("app.log", 0700), 0);
    assert_int_equal(sink_prepare(&sink, &target), -EISDIR);
    assert_int_equal(rmdir("app.log"), 0);
    assert_int_equal(mkfifo("app.log", 0600), 0);
    assert_int_equal(sink_prepare(&sink, &target), -EINVAL);
    assert_int_equal(unlink("app.log"), 0);
    assert_int_equal(symlink("/dev/full", "app.log"), 0);
    assert_int_equal(sink_prepare(&sink, &target), -EINVAL);
    assert_int_equal(unlink("app.log"), 0);
    write_line("one\n");
}

static void the_end_of_a_line_is_seen(void **state)
{
    struct ring_target target;
    (void)state;
    assert_int_equal(sink_prepare(&sink, &target), 0);
    assert_true(sink_ends_line(&sink, &target)); /* empty */
    write_line("one");
    assert_int_equal(sink_prepare(&sink, &target), 0);
    assert_false(sink_ends_line(&sink, &target));
    write_line("\n");
    assert_int_equal(sink_prepare(&sink, &target), 0);
    assert_true(sink_ends_line(&sink, &target));
}

/* A full pipe takes a part; the next try goes on behind it. */
static void a_stream_that_takes_a_part_gets_the_rest_later_and_nothing_twice(void **state)
{
    static char block[200000], got[300000];
    struct ring_target target = {0};
    int ends[2];
    size_t size = 0;
    (void)state;
    assert_int_equal(pipe2(ends, O_NONBLOCK), 0);
    struct sink stream;
    sink_init(&stream, "stdout");
    assert_true(stream.is_stream);
    assert_int_equal(stream.fd, STDOUT_FILENO);
    stream.fd = ends[1];
    for (size_t i = 0; i < sizeof block; i++)
        block[i] = (char)(i % 251);
    int error, tries = 0;
    do {
        error = sink_write(&stream, slice_from(block, sizeof block), &target);
        for (ssize_t n; (n = read(ends[0], got + size, sizeof got - size)) > 0;)
            size += (size_t)n;
        tries++;
    } while (error == -EAGAIN);
    assert_int_equal(error, 0);
    assert_true(tries > 1);
    assert_int_equal(size, sizeof block);
    assert_memory_equal(got, block, size);
    close(ends[0]);
    close(ends[1]);
}

#define with_sink(test) cmocka_unit_test_setup_teardown(test, make, release)

int main(void)
{
    const struct CMUnitTest tests[] = {
        with_sink(blocks_are_appended_and_the_target_tells_where),
        with_sink(a_renamed_file_is_followed_by_a_new_one_and_counted),
        with_sink(a_renamed_file_is_written_on_until_there_is_a_new_one_or_none_is_to_come),
        with_sink(a_file_removed_while_a_block_was_written_is_not_settled),
        with_sink(a_file_that_was_cut_to_nothing_is_written_from_its_beginning),
        with_sink(a_descriptor_that_was_closed_and_used_again_is_not_written_to),
        with_sink(a_release_closes_no_descriptor_of_the_program),
        with_sink(a_write_that_fails_half_way_goes_on_where_it_stopped),
        with_sink(what_was_sent_of_a_block_is_not_gone_on_with_when_it_is_not_the_files_end),
        with_sink(what_is_no_file_is_refused),
        with_sink(the_end_of_a_line_is_seen),
        with_sink(a_stream_that_takes_a_part_gets_the_rest_later_and_nothing_twice),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
