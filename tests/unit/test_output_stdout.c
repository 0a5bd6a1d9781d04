/*
 * What a user relies on: what stdout takes is there once, byte for byte, whatever reads it and however
 * slowly; and a position never passes a byte that the kernel has not taken.
 */
#define _GNU_SOURCE /* F_SETPIPE_SZ */
#include "shipper/output.h"

#include "liblog/base/cleanup.h"

#include <fcntl.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>

/* Standard output of the test itself, while the output under test has descriptor 1. */
static int real_stdout;

static struct config_output config = {.name = "out", .type = OUTPUT_STDOUT, .levels = ~0u};

static void take_stdout(int fd)
{
    fflush(stdout);
    real_stdout = dup(STDOUT_FILENO);
    assert_int_equal(dup2(fd, STDOUT_FILENO), STDOUT_FILENO);
}

static void give_stdout_back(void)
{
    dup2(real_stdout, STDOUT_FILENO);
    close(real_stdout);
}

static struct output *open_stdout(struct source *source, uint64_t offset)
{
    struct output *output;
    struct problem problem;
    struct output_environment environment = {.instance = "i", .host = "h"};
    assert_int_equal(output_open(&config, 1, &environment, &problem, &output), 0);
    assert_int_equal(output_begin(output, source, offset), 0);
    return output;
}

static enum output_result send_line(struct output *output, struct source *source, const char *line,
                                    size_t size, uint64_t offset)
{
    struct event event = {.level = LEVEL_INFO};
    struct output_record record = {slice_from(line, size), &event, source, offset, offset + size, false, 1};
    struct problem problem = {0};
    return output_send(output, &record, &problem);
}

static char *read_file(const char *path, size_t *ret_size)
{
    FILE *file = fopen(path, "r");
    assert_non_null(file);
    char *text = calloc(1, 1 << 20);
    *ret_size = fread(text, 1, 1 << 20, file);
    fclose(file);
    return text;
}

static void assert_file_is(const char *path, const char *expected)
{
    size_t size;
    _cleanup_free_ char *text = read_file(path, &size);
    assert_int_equal(size, strlen(expected));
    assert_memory_equal(text, expected, size);
}

static int open_file(char *path, const char *content)
{
    int fd = mkstemp(path);
    assert_true(fd >= 0);
    assert_int_equal(write(fd, content, strlen(content)), strlen(content));
    return fd;
}

static void test_lines_arrive_in_order_and_skipped_ones_move_the_position(void **state)
{
    (void)state;
    char path[] = "/tmp/test_output_XXXXXX";
    _cleanup_close_ int fd = open_file(path, "");
    struct source source = {.position = {0}};
    static const char piece[] = "one\ntwo\nthree\nfour\n";
    take_stdout(fd);
    struct output *output = open_stdout(&source, 100);
    assert_int_equal(send_line(output, &source, piece, 4, 100), OUTPUT_TAKEN);
    assert_int_equal(send_line(output, &source, piece + 4, 4, 104), OUTPUT_TAKEN);
    output_skip(output, &source, 114);
    assert_int_equal(send_line(output, &source, piece + 14, 5, 114), OUTPUT_TAKEN);
    assert_int_equal(output_acknowledged(output, &source), 100);
    assert_int_equal(output_settle(output, NULL), 0);
    assert_int_equal(output_acknowledged(output, &source), 119);
    struct output_counters counters;
    output_counters(output, &counters);
    output_close(output);
    give_stdout_back();
    assert_int_equal(counters.sent, 3);
    assert_int_equal(counters.acknowledged, 3);
    assert_int_equal(counters.in_flight, 0);
    assert_file_is(path, "one\ntwo\nfour\n");
    unlink(path);
}

static void test_a_last_line_without_newline_gets_one(void **state)
{
    (void)state;
    char path[] = "/tmp/test_output_XXXXXX";
    _cleanup_close_ int fd = open_file(path, "");
    struct source source = {.position = {0}};
    take_stdout(fd);
    struct output *output = open_stdout(&source, 0);
    assert_int_equal(send_line(output, &source, "one\n", 4, 0), OUTPUT_TAKEN);
    assert_int_equal(send_line(output, &source, "two", 3, 4), OUTPUT_TAKEN);
    assert_int_equal(output_settle(output, NULL), 0);
    assert_int_equal(output_acknowledged(output, &source), 7);
    output_close(output);
    give_stdout_back();
    assert_file_is(path, "one\ntwo\n");
    unlink(path);
}

static void test_after_a_kill_within_a_write_the_next_run_begins_on_a_new_line(void **state)
{
    (void)state;
    char path[] = "/tmp/test_output_XXXXXX";
    close(open_file(path, "one\ntw"));
    _cleanup_close_ int fd = open(path, O_WRONLY | O_APPEND);
    struct source source = {.position = {0}};
    take_stdout(fd);
    struct output *output = open_stdout(&source, 4);
    assert_int_equal(send_line(output, &source, "two\n", 4, 4), OUTPUT_TAKEN);
    assert_int_equal(output_settle(output, NULL), 0);
    output_close(output);
    output = open_stdout(&source, 8); /* and one that ended well adds nothing */
    assert_int_equal(send_line(output, &source, "six\n", 4, 8), OUTPUT_TAKEN);
    assert_int_equal(output_settle(output, NULL), 0);
    output_close(output);
    give_stdout_back();
    assert_file_is(path, "one\ntw\ntwo\nsix\n");
    unlink(path);
}

enum { LINE_SIZE = 100, LINES = 5000 };

static char *make_lines(void)
{
    char *lines = malloc(LINE_SIZE * LINES + 1);
    for (int i = 0; i < LINES; i++)
        snprintf(lines + i * LINE_SIZE, LINE_SIZE + 1, "%0*d\n", LINE_SIZE - 1, i);
    return lines;
}

/* Sends all lines, reading `step` bytes from the other end whenever the output takes no more. Returns what
 * was read. */
static char *send_to_slow_reader(struct output *output, struct source *source, const char *lines, int reader,
                                 size_t step, int *ret_full)
{
    char *seen = calloc(1, LINE_SIZE * LINES + 1);
    char *borrowed = malloc(LINE_SIZE); /* overwritten at every turn, as a piece of a file is */
    size_t size = 0;
    for (int i = 0; i < LINES;) {
        memcpy(borrowed, lines + i * LINE_SIZE, LINE_SIZE);
        if (send_line(output, source, borrowed, LINE_SIZE, (uint64_t)i * LINE_SIZE) == OUTPUT_TAKEN) {
            i++;
        } else {
            ++*ret_full;
            size += (size_t)read(reader, seen + size, step);
            output_pump(output, 0, NULL);
        }
        output_settle(output, NULL);
        memset(borrowed, '#', LINE_SIZE);
        /* The kernel has what the position says, and the reader cannot have seen less than the pipe lacks. */
        assert_true(output_acknowledged(output, source) <= (uint64_t)i * LINE_SIZE);
    }
    while (size < LINE_SIZE * LINES) {
        size += (size_t)read(reader, seen + size, LINE_SIZE * LINES - size);
        output_pump(output, 0, NULL);
    }
    free(borrowed);
    return seen;
}

static void assert_slow_reader_sees_all(int reader, int writer)
{
    struct source source = {.position = {0}};
    _cleanup_free_ char *lines = make_lines();
    take_stdout(writer);
    struct output *output = open_stdout(&source, 0);
    fcntl(writer, F_SETPIPE_SZ, 4096);
    int full = 0;
    _cleanup_free_ char *seen = send_to_slow_reader(output, &source, lines, reader, 777, &full);
    assert_int_equal(output_flush(output, 1000, NULL), 0);
    uint64_t acknowledged = output_acknowledged(output, &source);
    output_close(output);
    give_stdout_back();
    assert_int_equal(acknowledged, LINE_SIZE * LINES);
    assert_true(full > 10); /* it was indeed slow */
    assert_string_equal(seen, lines);
}

static void test_a_slow_reader_of_a_pipe_gets_every_byte_once(void **state)
{
    (void)state;
    int ends[2];
    assert_int_equal(pipe(ends), 0);
    assert_slow_reader_sees_all(ends[0], ends[1]);
    assert_int_equal(fcntl(ends[1], F_GETFL) & O_NONBLOCK, 0); /* who shares the pipe is not touched */
    close(ends[0]);
    close(ends[1]);
}

static void test_a_slow_reader_of_a_socket_gets_every_byte_once(void **state)
{
    (void)state;
    int ends[2], size = 4096;
    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, ends), 0);
    setsockopt(ends[1], SOL_SOCKET, SO_SNDBUF, &size, sizeof(size));
    assert_slow_reader_sees_all(ends[0], ends[1]);
    close(ends[0]);
    close(ends[1]);
}

static void test_the_position_follows_whole_lines_that_the_kernel_took(void **state)
{
    (void)state;
    int ends[2];
    assert_int_equal(pipe(ends), 0);
    struct source source = {.position = {0}};
    _cleanup_free_ char *lines = make_lines();
    take_stdout(ends[1]);
    struct output *output = open_stdout(&source, 0);
    int pipe_size = fcntl(ends[1], F_SETPIPE_SZ, 4096);
    for (int i = 0; i < 200; i++)
        send_line(output, &source, lines + i * LINE_SIZE, LINE_SIZE, (uint64_t)i * LINE_SIZE);
    output_settle(output, NULL);
    uint64_t acknowledged = output_acknowledged(output, &source);
    bool is_ready = output_ready(output);
    output_close(output);
    give_stdout_back();
    assert_int_equal(acknowledged, pipe_size / LINE_SIZE * LINE_SIZE);
    assert_false(is_ready);
    close(ends[0]);
    close(ends[1]);
}

/* An event of several lines: a position within it would let the next run begin in its middle. */
static void test_the_position_never_stands_within_an_event_of_several_lines(void **state)
{
    (void)state;
    enum { EVENT = 3000, EVENTS = 1000 };
    struct source source = {.position = {0}};
    struct event event = {.level = LEVEL_ERROR};
    _cleanup_free_ char *text = calloc(EVENTS, EVENT);
    for (size_t i = 0; i < (size_t)EVENTS * EVENT; i++)
        text[i] = i % 30 == 29 ? '\n' : 'x';
    int ends[2];
    assert_int_equal(pipe(ends), 0);
    take_stdout(ends[1]);
    struct output *output = open_stdout(&source, 0);
    for (uint64_t i = 0; i < EVENTS; i++) {
        struct output_record record = {
            slice_from(text + i * EVENT, EVENT), &event, &source, i * EVENT, (i + 1) * EVENT, true, 1};
        if (output_send(output, &record, NULL) != OUTPUT_TAKEN)
            break;
    }
    output_settle(output, NULL);
    char taken[777];
    uint64_t moves = 0, before = 0;
    for (int i = 0; i < 1000; i++) {
        assert_int_equal(read(ends[0], taken, sizeof(taken)), sizeof(taken));
        output_pump(output, 0, NULL);
        uint64_t position = output_acknowledged(output, &source);
        assert_int_equal(position % EVENT, 0);
        moves += position != before;
        before = position;
    }
    output_close(output);
    give_stdout_back();
    assert_true(moves > 10);
    close(ends[0]);
    close(ends[1]);
}

static void test_without_a_reader_the_output_dies_and_says_so_once(void **state)
{
    (void)state;
    int ends[2];
    assert_int_equal(pipe(ends), 0);
    signal(SIGPIPE, SIG_IGN);
    struct source source = {.position = {0}};
    take_stdout(ends[1]);
    struct output *output = open_stdout(&source, 0);
    close(ends[0]);
    send_line(output, &source, "one\n", 4, 0);
    struct problem first = {0}, second = {0};
    int settled = output_settle(output, &first);
    int pumped = output_pump(output, 0, &second);
    bool is_dead = output_is_dead(output);
    enum output_result result = send_line(output, &source, "two\n", 4, 4);
    uint64_t acknowledged = output_acknowledged(output, &source);
    output_close(output);
    give_stdout_back();
    close(ends[1]);
    assert_int_equal(settled, -ERR_IO_003);
    assert_int_equal(first.error, ERR_IO_003);
    assert_non_null(strstr(first.text, "nobody reads"));
    assert_int_equal(pumped, -ERR_IO_003);
    assert_int_equal(second.error, ERR_NONE);
    assert_true(is_dead);
    assert_int_equal(result, OUTPUT_FAILED);
    assert_int_equal(acknowledged, 0);
}

static void test_a_full_disk_holds_the_output_until_there_is_space(void **state)
{
    (void)state;
    _cleanup_close_ int full = open("/dev/full", O_WRONLY);
    char path[] = "/tmp/test_output_XXXXXX";
    _cleanup_close_ int fd = open_file(path, "");
    struct source source = {.position = {0}};
    char line[] = "one\n";
    take_stdout(full);
    struct output *output = open_stdout(&source, 0);
    send_line(output, &source, line, 4, 0);
    struct problem problem = {0};
    int settled = output_settle(output, &problem);
    memset(line, '#', 4);
    bool is_ready = output_ready(output), is_dead = output_is_dead(output);
    dup2(fd, STDOUT_FILENO); /* space again */
    int flushed = output_flush(output, 2000, NULL);
    uint64_t acknowledged = output_acknowledged(output, &source);
    output_close(output);
    give_stdout_back();
    assert_int_equal(settled, -ERR_IO_005);
    assert_int_equal(problem.error, ERR_IO_005);
    assert_false(is_ready);
    assert_false(is_dead);
    assert_int_equal(flushed, 0);
    assert_int_equal(acknowledged, 4);
    assert_file_is(path, "one\n");
    unlink(path);
}

static void test_sources_that_come_and_go_keep_their_own_positions(void **state)
{
    (void)state;
    enum { SOURCES = 300 };
    static struct source sources[SOURCES];
    _cleanup_close_ int null = open("/dev/null", O_WRONLY);
    take_stdout(null);
    struct output *output = open_stdout(&sources[0], 0);
    for (uint64_t i = 1; i < SOURCES; i++)
        assert_int_equal(output_begin(output, &sources[i], i), 0);
    for (int i = 0; i < SOURCES; i += 3)
        output_forget(output, &sources[i]);
    for (uint64_t i = 0; i < SOURCES; i++)
        assert_int_equal(output_acknowledged(output, &sources[i]), i % 3 ? i : 0);
    assert_int_equal(output_begin(output, &sources[3], 9), 0);
    assert_int_equal(send_line(output, &sources[3], "one\n", 4, 9), OUTPUT_TAKEN);
    assert_int_equal(output_settle(output, NULL), 0);
    uint64_t acknowledged = output_acknowledged(output, &sources[3]);
    output_close(output);
    give_stdout_back();
    assert_int_equal(acknowledged, 13);
}

static void test_only_the_levels_asked_for_are_wanted(void **state)
{
    (void)state;
    struct source source = {.position = {0}};
    config.levels = 1u << LEVEL_ERROR | 1u << LEVEL_CRITICAL;
    struct output *output = open_stdout(&source, 0);
    assert_int_equal(output_levels(output), config.levels);
    config.levels = ~0u;
    assert_int_equal(output_levels(output), ~0u);
    output_close(output);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_lines_arrive_in_order_and_skipped_ones_move_the_position),
        cmocka_unit_test(test_a_last_line_without_newline_gets_one),
        cmocka_unit_test(test_after_a_kill_within_a_write_the_next_run_begins_on_a_new_line),
        cmocka_unit_test(test_a_slow_reader_of_a_pipe_gets_every_byte_once),
        cmocka_unit_test(test_a_slow_reader_of_a_socket_gets_every_byte_once),
        cmocka_unit_test(test_the_position_follows_whole_lines_that_the_kernel_took),
        cmocka_unit_test(test_the_position_never_stands_within_an_event_of_several_lines),
        cmocka_unit_test(test_without_a_reader_the_output_dies_and_says_so_once),
        cmocka_unit_test(test_a_full_disk_holds_the_output_until_there_is_space),
        cmocka_unit_test(test_sources_that_come_and_go_keep_their_own_positions),
        cmocka_unit_test(test_only_the_levels_asked_for_are_wanted),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
