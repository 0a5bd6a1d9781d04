#define _GNU_SOURCE
#include "tail_shop.h"

#include "shipper/tail_file.h"

#include <poll.h>
#include <sys/resource.h>

/* ---- reading ---- */

static void a_rotated_set_is_read_oldest_first_and_never_again(void **state)
{
    (void)state;
    write_packed("app.log.2.gz", "1\n2\n");
    write_file("app.log.1", "3\n4\n");
    write_file("app.log", "5\n6\n");
    use_pattern((char[]){"app.log*"}, true, true);
    start();
    assert_int_equal(look(), 3);
    assert_int_equal(tail_matched(shop.tail), 3);
    drain();
    assert_got("1\n2\n3\n4\n5\n6\n");
    restart();
    assert_int_equal(look(), 0);
    drain();
    assert_got("1\n2\n3\n4\n5\n6\n");
    assert_int_equal(source_count(), 3);
    assert_int_equal(source_unread_bytes(source_at("app.log.2.gz"), LANE_STATS), 0);
}

static void once_reads_to_the_size_that_was_found(void **state)
{
    char memory[100];
    size_t size;
    enum source_end end;

    (void)state;
    write_file("app.log", "1\n2\n");
    shop.once = true;
    start();
    look();
    append_file("app.log", "3\n");
    struct source *source = tail_next(shop.tail, NULL);
    assert_int_equal(source_read(source, 0, memory, sizeof(memory), &size, &end, NULL), 0);
    assert_int_equal(size, 4);
    assert_int_equal(end, SOURCE_FINISHED);
    drain();
    restart();
    turn();
    assert_got("1\n2\n3\n");
}

static void a_growing_file_is_followed_and_a_partial_line_waits(void **state)
{
    (void)state;
    start();
    turn();
    assert_int_equal(source_count(), 0);
    write_file("app.log", "");
    pass_time(11);
    turn();
    append_file("app.log", "one\ntw");
    turn();
    assert_got("one\n");
    append_file("app.log", "o\n");
    turn();
    assert_got("one\ntwo\n");
    assert_int_equal(source_count(), 1);
}

static void news_come_through_the_descriptor(void **state)
{
    (void)state;
    write_file("app.log", "one\n");
    start();
    turn();
    turn();
    struct pollfd poll_fd = {.fd = tail_watch_fd(shop.tail), .events = POLLIN};
    assert_true(poll_fd.fd >= 0);
    assert_int_equal(poll(&poll_fd, 1, 0), 0);
    append_file("app.log", "two\n");
    assert_int_equal(poll(&poll_fd, 1, 1000), 1);
    look();
    assert_int_equal(source_unread_bytes(source_at("app.log"), LANE_STATS), 4);
    write_file("new.log", "");
    assert_int_equal(poll(&poll_fd, 1, 1000), 1);
    assert_int_equal(look(), 1);
}

/* ---- rotation ---- */

static void rename_and_create_while_running_loses_and_repeats_nothing(void **state)
{
    char want[4096] = "", line[32], from[32], to[32];

    (void)state;
    start();
    for (int round = 0; round < 12; round++) {
        for (int i = 0; i < 7; i++) {
            snprintf(line, sizeof(line), "%d.%d\n", round, i);
            append_file("app.log", line);
            strcat(want, line);
            if (i % 3 == 0)
                turn();
        }
        if (round % 4 == 3) /* twice without a look in between */
            turn();
        for (int n = 4; n >= 1; n--) {
            snprintf(from, sizeof(from), "app.log.%d", n);
            snprintf(to, sizeof(to), "app.log.%d", n + 1);
            rename(from, to);
        }
        assert_int_equal(rename("app.log", "app.log.1"), 0);
        write_file("app.log", "");
    }
    turn();
    turn();
    assert_got(want);
}

static void two_rotations_while_stopped_are_caught_up_in_order(void **state)
{
    (void)state;
    write_file("app.log", "1\n");
    restart();
    turn();
    stop();
    append_file("app.log", "2\n");
    rename("app.log", "app.log.2");
    write_file("app.log.1", "3\n");
    make_old("app.log.1", 60);
    write_file("app.log", "4\n");
    restart();
    turn();
    turn();
    assert_got("1\n2\n3\n4\n");
}

static void a_renamed_file_is_finished_when_quiet_but_late_bytes_are_read(void **state)
{
    char memory[16];
    size_t size;
    enum source_end end;

    (void)state;
    write_file("app.log", "1\n");
    start();
    turn();
    rename("app.log", "app.log.1");
    write_file("app.log", "");
    turn();
    struct source *old = source_at("app.log.1");
    assert_int_equal(source_read(old, 2, memory, sizeof(memory), &size, &end, NULL), 0);
    assert_int_equal(end, SOURCE_WAIT);
    pass_time(6);
    turn();
    assert_int_equal(source_read(old, 2, memory, sizeof(memory), &size, &end, NULL), 0);
    assert_int_equal(end, SOURCE_FINISHED);
    assert_true(old->record.evidence.finished);
    append_file("app.log.1", "late\n");
    turn();
    assert_got("1\nlate\n");
    assert_false(old->record.evidence.finished);
}

static void a_clock_that_is_set_back_holds_nobody_up(void **state)
{
    (void)state;
    write_file("app.log", "1\nhalf");
    start();
    turn();
    rename("app.log", "app.log.1");
    write_file("app.log", "2\n");
    turn();
    pass_time(-3600);
    for (int i = 0; i < 4; i++) {
        turn();
        pass_time(2);
    }
    turn();
    assert_got("1\nhalf2\n");
}

static void the_live_file_waits_for_its_older_brothers(void **state)
{
    (void)state;
    write_file("app.log.1", "old\n");
    write_file("app.log", "new\n");
    write_file("other.log", "x\n");
    start();
    look();
    assert_false(source_is_blocked(shop.tail, source_at("app.log.1"), LANE_STATS));
    assert_true(source_is_blocked(shop.tail, source_at("app.log"), LANE_STATS));
    assert_true(source_is_blocked(shop.tail, source_at("app.log"), 1));
    assert_false(source_is_blocked(shop.tail, source_at("other.log"), LANE_STATS));
    drain();
    assert_false(source_is_blocked(shop.tail, source_at("app.log"), LANE_STATS));
    assert_true(source_is_blocked(shop.tail, source_at("app.log"), 1));
}

/* Old content, not read to its end, is copied away and the file is written again. */
static void check_copytruncate(const char *anew, bool stopped)
{
    write_file("app.log", "old 1\nold 2\n");
    start();
    turn();
    append_file("app.log", "old 3\n");
    if (stopped)
        stop();
    copy_file("app.log", "app.log.1");
    write_file("app.log", "");
    append_file("app.log", anew);
    if (stopped)
        start();
    for (int i = 0; i < 8; i++) {
        pass_time(2);
        turn();
    }
}

static void check_copytruncate_all(bool stopped)
{
    static const char *const contents[] = {"new\n", "new 1\nnew 2\nnew 3\n", "new 1\nnew 2\nnew 3\nnew 4\n"};
    char want[200];

    for (int i = 0; i < 3; i++) {
        check_copytruncate(contents[i], stopped);
        snprintf(want, sizeof(want), "old 1\nold 2\nold 3\n%s", contents[i]);
        assert_got(want);
        assert_int_equal(shop.lost_bytes, 0);
        begin_anew();
    }
}

static void copytruncate_to_any_size_loses_and_repeats_nothing(void **state)
{
    (void)state;
    check_copytruncate_all(false);
}

static void copytruncate_while_stopped_loses_and_repeats_nothing(void **state)
{
    (void)state;
    check_copytruncate_all(true);
}

/* The program wrote, and was read, between the copy and the truncation: those lines are in no file any more.
 */
static void check_outrun(bool packed)
{
    char *lines = make_lines("o", 0, 60), *more = make_lines("more", 60, 20), *want;

    write_file("app.log", lines);
    start();
    turn();
    copy_file("app.log", "app.log.1");
    append_file("app.log", more);
    turn();
    write_file("app.log", "");
    if (packed)
        pack_file("app.log.1", "app.log.1.gz");
    append_file("app.log", "new\n");
    for (int i = 0; i < 8; i++) {
        pass_time(2);
        turn();
    }
    assert_true(asprintf(&want, "%s%snew\n", lines, more) > 0);
    assert_got(want);
    assert_int_equal(shop.lost_bytes, 0);
    restart();
    pass_time(2);
    turn();
    assert_got(want);
    free(want);
    free(more);
    free(lines);
}

static void a_copy_that_was_outrun_is_not_read_again(void **state)
{
    (void)state;
    check_outrun(false);
    begin_anew();
    check_outrun(true);
}

/* Logs that begin with the same kilobyte: what turns up when one was truncated is no copy of it only for
 * that. */
static void another_log_with_an_equal_beginning_is_no_copy(void **state)
{
    char *head = make_lines("head", 0, 40), *old, *other, *want;

    (void)state;
    assert_true(asprintf(&old, "%sold 1\nold 2\nold 3\n", head) > 0);
    assert_true(asprintf(&other, "%sother\nmore of the other, which is longer\n", head) > 0);
    write_file("app.log", old);
    start();
    turn();
    write_file("app.log.1", other);
    make_old("app.log.1", 60);
    write_file("app.log", "new\n");
    for (int i = 0; i < 4; i++) {
        pass_time(2);
        turn();
    }
    assert_true(asprintf(&want, "%s%snew\n", old, other) > 0);
    assert_got(want);
    free(want);
    free(other);
    free(old);
    free(head);
}

static void a_copy_met_together_with_its_original_is_not_read(void **state)
{
    char *lines = make_lines("both", 0, 50), *want;

    (void)state;
    start();
    turn();
    write_file("app.log", lines);
    copy_file("app.log", "app.log.1");
    make_old("app.log.1", 60);
    pass_time(11);
    turn();
    append_file("app.log", "more\n");
    write_file("app.log", "new\n");
    for (int i = 0; i < 4; i++) {
        pass_time(2);
        turn();
    }
    assert_true(asprintf(&want, "%snew\n", lines) > 0);
    assert_got(want);
    free(want);
    free(lines);
}

/* Of the lines that follow, only those that the statistics have read are the output's as well. */
static void an_output_that_lags_gets_no_bytes_that_were_written_over(void **state)
{
    char *lines = make_lines("lag", 0, 50), memory[100];
    enum source_end end;
    size_t size;

    (void)state;
    write_file("app.log", lines);
    start();
    turn();
    struct source *source = tail_next(shop.tail, NULL);
    assert_int_equal(source_read(source, 0, memory, sizeof(memory), &size, &end, NULL), 0);
    assert_int_equal(size, sizeof(memory));
    char *other = make_lines("other", 0, 100);
    write_file("app.log", other);
    assert_int_equal(source_read(source, 0, memory, sizeof(memory), &size, &end, NULL), 0);
    assert_int_equal(size, 0);
    assert_int_equal(end, SOURCE_WAIT);
    free(other);
    free(lines);
}

static void a_file_written_anew_before_its_first_byte_was_read_is_a_new_source(void **state)
{
    char *lines = make_lines("old", 0, 50), *anew = make_lines("new", 0, 100);

    (void)state;
    write_file("app.log", lines);
    start();
    look();
    write_file("app.log", anew);
    turn();
    turn();
    assert_got(anew);
    assert_int_equal(shop.lost_bytes, strlen(lines));
    assert_int_equal(shop.known_count, 2);
    free(anew);
    free(lines);
}

static void what_a_truncation_took_unread_is_counted(void **state)
{
    (void)state;
    write_file("app.log", "old 1\n");
    start();
    turn();
    append_file("app.log", "old 2\nold 3\n");
    look();
    write_file("app.log", "new\n");
    turn();
    turn();
    assert_got("old 1\nnew\n");
    assert_int_equal(shop.lost_bytes, 12);
}

static void a_copy_beside_its_original_is_not_read(void **state)
{
    char *lines = make_lines("c", 0, 100);

    (void)state;
    write_file("app.log", lines);
    start();
    turn();
    copy_file("app.log", "copy.log");
    pass_time(11);
    turn();
    turn();
    assert_got(lines);
    assert_int_equal(source_count(), 1);
    free(lines);
}

static void a_file_written_over_between_the_look_and_the_read_is_not_taken_for_the_rest(void **state)
{
    (void)state;
    write_file("app.log", "old 1\n");
    start();
    turn();
    append_file("app.log", "old 2\n");
    look();
    write_file("app.log", "new 1\nnew 2\nnew 3\n");
    drain();
    assert_got("old 1\n");
    turn();
    turn();
    assert_got("old 1\nnew 1\nnew 2\nnew 3\n");
    assert_int_equal(shop.lost_bytes, 6);
}

static void a_copy_that_begins_during_the_look_is_left_alone_until_it_is_done(void **state)
{
    char *lines = make_lines("c", 0, 200), *want;

    (void)state;
    write_file("app.log", lines);
    start();
    turn();
    write_file("app.log.1", "");
    make_old("app.log.1", -2); /* younger than the look's now */
    turn();
    copy_file("app.log", "app.log.1");
    write_file("app.log", "new\n");
    for (int i = 0; i < 8; i++) {
        pass_time(2);
        turn();
    }
    assert_true(asprintf(&want, "%snew\n", lines) > 0);
    assert_got(want);
    assert_int_equal(shop.lost_bytes, 0);
    free(want);
    free(lines);
}

static void a_copy_on_its_way_is_left_alone_until_it_is_done(void **state)
{
    char *lines = make_lines("c", 0, 200);
    size_t size = strlen(lines);

    (void)state;
    write_file("app.log", lines);
    start();
    turn();
    for (int part = 0; part < 5; part++) {
        put_bytes("app.log.1", O_APPEND, lines + (size_t)part * size / 5,
                  (size_t)(part + 1) * size / 5 - (size_t)part * size / 5);
        pass_time(1);
        turn();
    }
    write_file("app.log", "new\n");
    for (int i = 0; i < 4; i++) {
        pass_time(2);
        turn();
    }
    char *want;
    assert_true(asprintf(&want, "%snew\n", lines) > 0);
    assert_got(want);
    assert_int_equal(shop.lost_bytes, 0);
    free(want);
    free(lines);
}

/* ---- compression ---- */

static void check_compressed_after_reading(const char *packed)
{
    char *lines = make_lines("z", 0, 500);

    write_file("app.log.1", lines);
    start();
    turn();
    pack_file("app.log.1", packed);
    for (int i = 0; i < 4; i++) {
        pass_time(3);
        turn();
    }
    assert_got(lines);
    assert_int_equal(source_count(), 1);
    assert_true(source_at(packed)->record.evidence.finished);
    restart();
    turn();
    assert_got(lines);
    assert_int_equal(shop.lost_bytes, 0);
    free(lines);
}

static void a_file_compressed_after_it_was_read_is_not_read_again(void **state)
{
    (void)state;
    check_compressed_after_reading("app.log.1.gz");
    begin_anew();
    check_compressed_after_reading("app.log.1.zst");
}

static void check_rest_compressed(const char *packed, bool stopped)
{
    char *lines = make_lines("z", 0, 500);
    size_t part = (size_t)(strstr(lines, "000200") - lines);

    while (lines[part - 1] != '\n')
        part--;
    put_bytes("app.log.1", O_TRUNC, lines, part);
    start();
    turn();
    append_file("app.log.1", lines + part);
    if (stopped)
        stop();
    pack_file("app.log.1", packed);
    if (stopped)
        start();
    for (int i = 0; i < 4; i++) {
        pass_time(3);
        turn();
    }
    assert_got(lines);
    assert_int_equal(shop.lost_bytes, 0);
    assert_int_equal(source_count(), 1);
    free(lines);
}

static void the_unread_rest_of_a_file_compressed_meanwhile_is_read(void **state)
{
    (void)state;
    for (int i = 0; i < 4; i++) {
        check_rest_compressed(i < 2 ? "app.log.1.gz" : "app.log.1.zst", i % 2);
        begin_anew();
    }
}

static void a_file_compressed_before_its_first_byte_was_read_is_read_once(void **state)
{
    (void)state;
    for (int i = 0; i < 2; i++) {
        begin_anew();
        write_file("app.log.1", "1\n2\n");
        start();
        look();
        pack_file("app.log.1", i ? "app.log.1.gz" : "app.log.1.zst");
        pass_time(11);
        turn();
        turn();
        assert_got("1\n2\n");
        assert_int_equal(source_count(), 1);
    }
}

/* A file read to its end is known by its size and time: what lies in it now is not looked at. */
static void a_finished_compressed_file_is_not_inflated_again(void **state)
{
    enum { PACKED_MAX = 1 << 20, DAMAGED = 4000 };
    char *lines = make_lines("f", 0, 20000),
         *packed = malloc(PACKED_MAX); /* of several blocks: the head is whole */
    struct stat st;

    (void)state;
    append_zstd("app.log.1.zst", lines, strlen(lines));
    write_file("app.log", "live\n");
    start();
    turn();
    turn();
    stop();
    assert_int_equal(stat("app.log.1.zst", &st), 0);
    int fd = open("app.log.1.zst", O_RDWR);
    size_t size = (size_t)read(fd, packed, PACKED_MAX);
    memset(packed + size - DAMAGED, 'x', DAMAGED); /* whoever inflates it finds it damaged */
    assert_int_equal(pwrite(fd, packed, size, 0), (ssize_t)size);
    struct timespec times[2] = {st.st_atim, st.st_mtim};
    assert_int_equal(futimens(fd, times), 0);
    close(fd);
    start();
    turn();
    turn();
    assert_int_equal(shop.problems, 0);
    assert_int_equal(shop.lost_bytes, 0);
    assert_int_equal(shop.got_size, strlen(lines) + 5);
    free(packed);
    free(lines);
}

static void check_compressor_at_work(const char *packed_path)
{
    char *lines = make_lines("w", 0, 2000), packed[100000];

    write_file("app.log.1", lines);
    write_file("app.log", "live\n");
    start();
    turn();
    turn();
    append_packed(packed_path, lines, strlen(lines));
    int fd = open(packed_path, O_RDONLY);
    size_t size = (size_t)read(fd, packed, sizeof(packed));
    close(fd);
    put_bytes(packed_path, O_TRUNC, "", 0);
    for (size_t at = 0; at < 8; at++) {
        put_bytes(packed_path, O_APPEND, packed + at * size / 8, (at + 1) * size / 8 - at * size / 8);
        pass_time(1);
        turn();
    }
    unlink("app.log.1");
    for (int i = 0; i < 6; i++) {
        pass_time(2);
        turn();
    }
    char *want;
    assert_true(asprintf(&want, "%slive\n", lines) > 0);
    assert_got(want);
    assert_int_equal(shop.problems, 0);
    free(want);
    free(lines);
}

static void a_compressor_at_work_is_left_alone_until_it_is_done(void **state)
{
    (void)state;
    check_compressor_at_work("app.log.1.gz");
    begin_anew();
    check_compressor_at_work("app.log.1.zst");
}

static void check_damaged(const char *packed_path)
{
    char *lines = make_lines("d", 0, 60000), *packed = malloc(1 << 21);

    append_packed(packed_path, lines, strlen(lines));
    int fd = open(packed_path, O_RDONLY);
    size_t size = (size_t)read(fd, packed, 1 << 21);
    close(fd);
    put_bytes(packed_path, O_TRUNC, packed, size / 2);
    write_file("app.log", "live\n");
    make_old(packed_path, 100);
    for (int i = 0; i < 3; i++) {
        shop.once = true;
        restart();
        turn();
        enum exit_code code = EXIT_OK_;
        assert_int_equal(tail_unreadable(shop.tail, &code), i == 0);
        assert_int_equal(code, i == 0 ? EXIT_IO : EXIT_OK_);
    }
    assert_true(shop.got_size > strlen(lines) / 4);
    assert_memory_equal(shop.got, lines, shop.got_size - 5);
    assert_string_equal(shop.got + shop.got_size - 5, "live\n");
    assert_int_equal(shop.problems, 1);
    assert_int_equal(shop.last_problem.error, ERR_IO_007);
    free(packed);
    free(lines);
}

static void a_damaged_file_gives_what_can_be_read_and_is_told_once(void **state)
{
    (void)state;
    check_damaged("app.log.1.gz");
    begin_anew();
    check_damaged("app.log.1.zst");
}

static void what_lies_behind_the_damage_is_counted_as_lost(void **state)
{
    enum { NOISE = 20000 };
    char *lines = make_lines("d", 0, 60000), noise[NOISE];
    struct stat st;

    (void)state;
    append_zstd("app.log.1", lines, strlen(lines));
    assert_int_equal(stat("app.log.1", &st), 0);
    memset(noise, 0xff, sizeof(noise));
    int fd = open("app.log.1", O_WRONLY);
    assert_int_equal(pwrite(fd, noise, sizeof(noise), st.st_size / 2), NOISE);
    close(fd);
    make_old("app.log.1", 100);
    write_file("app.log", "");
    start();
    turn();
    turn();
    /* From the block on in which the noise begins. */
    assert_in_range(shop.lost_bytes, st.st_size / 2 - NOISE, st.st_size / 2 + NOISE);
    free(lines);
}

static int stream_count(void)
{
    struct source *source = NULL;
    int count = 0;

    while ((source = tail_next(shop.tail, source)) != NULL)
        count += source->file->unzip != NULL;
    return count;
}

/* More compressed files at a time than there are streams: each is read whole, once. */
static void many_compressed_files_share_a_few_streams(void **state)
{
    enum { FILES = 12 };
    char name[32], *lines[FILES];

    (void)state;
    for (int i = 0; i < FILES; i++) {
        snprintf(name, sizeof(name), "f%02d.log.1.%s", i, i % 2 ? "gz" : "zst");
        lines[i] = make_lines(name, 0, 300);
        append_packed(name, lines[i], strlen(lines[i]));
    }
    start();
    look();
    for (int part = 0; part < 400; part++) { /* a piece of each in turn */
        struct source *source = NULL;
        char piece[1000];
        enum source_end end;
        size_t size;
        while ((source = tail_next(shop.tail, source)) != NULL) {
            assert_int_equal(
                source_read(source, source->position[LANE_STATS], piece, sizeof(piece), &size, &end, NULL),
                0);
            take_lines(source, piece, size, end == SOURCE_FINISHED);
            assert_true(stream_count() <= POOL_UNZIPS_MAX);
        }
    }
    size_t total = 0;
    for (int i = 0; i < FILES; i++) {
        total += strlen(lines[i]);
        free(lines[i]);
    }
    assert_int_equal(shop.got_size, total);
}

/* ---- symbolic links ---- */

static void a_live_file_behind_a_link_is_followed_and_heard(void **state)
{
    (void)state;
    assert_int_equal(mkdir("data", 0755), 0);
    write_file("data/a", "one\n");
    assert_int_equal(symlink("data/a", "app.log"), 0);
    start();
    turn();
    turn();
    struct pollfd poll_fd = {.fd = tail_watch_fd(shop.tail), .events = POLLIN};
    assert_int_equal(poll(&poll_fd, 1, 0), 0);
    append_file("data/a", "two\n"); /* its folder is not watched */
    assert_int_equal(poll(&poll_fd, 1, 1000), 1);
    turn();
    assert_got("one\ntwo\n");
    write_file("data/b", "three\n"); /* as a container's runtime rotates: another target */
    append_file("data/a", "late\n");
    assert_int_equal(symlink("data/b", "next"), 0);
    assert_int_equal(rename("next", "app.log"), 0);
    turn();
    turn();
    append_file("data/b", "four\n");
    turn();
    pass_time(6);
    turn();
    turn();
    assert_got("one\ntwo\nlate\nthree\nfour\n");
    assert_int_equal(shop.lost_bytes, 0);
}

/* The link stays as it is: so it is with the logs of containers. */
static void a_rotation_where_a_link_leads_is_heard(void **state)
{
    (void)state;
    assert_int_equal(mkdir("data", 0755), 0);
    write_file("data/0.log", "one\n");
    assert_int_equal(symlink("data/0.log", "app.log"), 0);
    start();
    turn();
    turn();
    struct pollfd poll_fd = {.fd = tail_watch_fd(shop.tail), .events = POLLIN};
    assert_int_equal(poll(&poll_fd, 1, 0), 0);
    append_file("data/0.log", "two\n");
    assert_int_equal(rename("data/0.log", "data/0.log.1"), 0);
    assert_int_equal(poll(&poll_fd, 1, 1000), 1);
    turn(); /* there is no new one yet */
    write_file("data/0.log", "three\n");
    for (int i = 0; i < 8; i++) {
        pass_time(1);
        turn();
    }
    assert_got("one\ntwo\nthree\n");
    assert_int_equal(shop.lost_bytes, 0);
}

/* ---- which source it is ---- */

static void a_reused_inode_is_a_new_source(void **state)
{
    struct stat st;

    (void)state;
    write_file("app.log", "old 1\nold 2\n");
    start();
    turn();
    stop();
    assert_int_equal(stat("app.log", &st), 0);
    unlink("app.log");
    write_file("app.log", "new 1\nnew 2\n"); /* most file systems give the same number again */
    assert_int_equal(stat("app.log", &st), 0);
    shop.known[0].evidence.inode = st.st_ino; /* and if not, it is made so */
    shop.known[0].evidence.birth_ns = 0;
    start();
    turn();
    assert_got("old 1\nold 2\nnew 1\nnew 2\n");
}

static void evidence_reaches_back_over_a_restart(void **state)
{
    (void)state;
    write_file("app.log", "one\n");
    start();
    turn();
    assert_int_equal(source_at("app.log")->record.evidence.marker.size, 4);
    restart();
    append_file("app.log", "two\n");
    turn();
    assert_int_equal(source_at("app.log")->record.evidence.marker.size, 8);
    stop();
    write_file("app.log", "ONE\ntwo\n"); /* equal bytes where the last line was, and others before */
    start();
    turn();
    assert_got("one\ntwo\nONE\ntwo\n");
}

static void equal_heads_are_kept_apart(void **state)
{
    char *head = make_lines("head", 0, 40), *a, *b;

    (void)state;
    assert_true(asprintf(&a, "%sonly a\n", head) > 0);
    assert_true(asprintf(&b, "%sonly b\n", head) > 0);
    write_file("a.log", a);
    write_file("b.log", b);
    start();
    turn();
    append_file("a.log", "more a\n");
    append_file("b.log", "more b\n");
    restart();
    turn();
    char *want;
    assert_true(asprintf(&want, "%s%smore a\nmore b\n", a, b) > 0);
    assert_got(want);
    free(want);
    free(a);
    free(b);
    free(head);
}

/* Two workers of one program that begin in the same second, and the first one ends. */
static void a_log_that_begins_like_another_one_and_goes_on_is_read(void **state)
{
    char *head = make_lines("head", 0, 4), *want;

    (void)state;
    write_file("a.log", head);
    write_file("c.log", "ok\n");
    start();
    turn();
    write_file("b.log", head);
    write_file("d.log", "ok\n");
    pass_time(11);
    turn();
    append_file("b.log", "only b\n");
    pass_time(11);
    turn();
    restart();
    turn();
    assert_true(asprintf(&want, "%sok\nok\n%sonly b\n", head, head) > 0);
    assert_got(want);
    assert_int_equal(shop.lost_bytes, 0);
    free(want);
    free(head);
}

/* What begins alike may have been read up to different places. */
static void two_that_begin_alike_are_told_apart_when_both_have_moved(void **state)
{
    char *head = make_lines("head", 0, 40), *a = make_lines("a", 0, 30), *b = make_lines("b", 0, 60), *want;

    (void)state;
    write_file("a.log", head);
    append_file("a.log", a);
    write_file("b.log", head);
    append_file("b.log", b);
    start();
    turn();
    stop();
    copy_file("a.log", "c.log");
    copy_file("b.log", "d.log");
    unlink("a.log");
    unlink("b.log");
    start();
    turn();
    append_file("c.log", "more a\n");
    append_file("d.log", "more b\n");
    turn();
    assert_true(asprintf(&want, "%s%s%s%smore a\nmore b\n", head, a, head, b) > 0);
    assert_got(want);
    assert_int_equal(shop.lost_bytes, 0);
    free(want);
    free(b);
    free(a);
    free(head);
}

static void bytes_that_come_late_to_an_older_generation_go_first(void **state)
{
    (void)state;
    write_file("app.log.1", "1\n");
    write_file("app.log", "2\n");
    start();
    turn();
    assert_false(source_is_blocked(shop.tail, source_at("app.log"), LANE_STATS));
    append_file("app.log.1", "late\n");
    append_file("app.log", "3\n");
    look();
    assert_true(source_is_blocked(shop.tail, source_at("app.log"), LANE_STATS));
    drain();
    assert_got("1\n2\nlate\n3\n");
}

static void an_empty_file_that_turns_out_to_be_compressed_is_never_read_as_text(void **state)
{
    (void)state;
    write_file("app.log.1", "");
    start();
    look();
    append_gzip("app.log.1", "1\n2\n", 4);
    drain();
    assert_got("");
    for (int i = 0; i < 4; i++) {
        pass_time(6);
        turn();
    }
    assert_got("1\n2\n");
}

static void another_programs_rotated_log_is_no_copy_of_a_truncated_one(void **state)
{
    char *head = make_lines("head", 0, 40), *want;

    (void)state;
    write_file("app.log", head);
    append_file("app.log", "more\n");
    start();
    turn();
    write_file("other.log.1", head);
    make_old("other.log.1", 60);
    write_file("app.log", "new\n");
    for (int i = 0; i < 4; i++) {
        pass_time(6);
        turn();
    }
    assert_true(asprintf(&want, "%smore\nnew\n%s", head, head) > 0);
    assert_got(want);
    free(want);
    free(head);
}

static void a_copy_does_not_take_the_source_from_a_file_that_was_renamed_out_of_sight(void **state)
{
    char *lines = make_lines("l", 0, 40), *want;

    (void)state;
    write_file("app.log", lines);
    start();
    turn();
    copy_file("app.log", "backup.log");
    rename("app.log", "out-of-sight");
    append_file("out-of-sight", "late\n");
    for (int i = 0; i < 4; i++) {
        pass_time(6);
        turn();
    }
    assert_true(asprintf(&want, "%slate\n", lines) > 0);
    assert_got(want);
    free(want);
    free(lines);
}

/* mv to another file system copies and deletes; the program has the deleted file open, and may still write.
 */
static void what_is_written_to_a_log_after_it_was_moved_to_another_file_system_is_read(void **state)
{
    char *lines = make_lines("l", 0, 40), *want;

    (void)state;
    write_file("app.log", lines);
    start();
    turn();
    int fd = open("app.log", O_WRONLY | O_APPEND);
    copy_file("app.log", "app.log.1");
    unlink("app.log");
    pass_time(1);
    turn();
    assert_int_equal(write(fd, "late\n", 5), 5);
    close(fd);
    for (int i = 0; i < 8; i++) {
        pass_time(2);
        turn();
    }
    assert_true(asprintf(&want, "%slate\n", lines) > 0);
    assert_got(want);
    free(want);
    free(lines);
}

static void bytes_cut_off_behind_what_was_read_are_counted_and_the_source_goes_on(void **state)
{
    char *lines = make_lines("l", 0, 40), *want;

    (void)state;
    write_file("app.log", lines);
    start();
    turn();
    append_file("app.log", "2\n3\n");
    look();
    assert_int_equal(truncate("app.log", (off_t)strlen(lines)), 0);
    turn();
    append_file("app.log", "4\n");
    turn();
    assert_true(asprintf(&want, "%s4\n", lines) > 0);
    assert_got(want);
    assert_int_equal(shop.lost_bytes, 4);
    free(want);
    free(lines);
}

static void a_name_that_one_listing_missed_is_not_gone(void **state)
{
    (void)state;
    write_file("app.log", "1\n");
    start();
    turn();
    append_file("app.log", "2\n");
    look();
    file_close(source_at("app.log")->file);
    rename("app.log", "on-its-way");
    pass_time(11);
    look();
    rename("on-its-way", "app.log");
    pass_time(11);
    turn();
    assert_got("1\n2\n");
    assert_int_equal(shop.lost_bytes, 0);
}

static void another_device_number_after_a_reboot_changes_nothing(void **state)
{
    (void)state;
    write_file("app.log", "1\n");
    start();
    turn();
    stop();
    shop.known[0].evidence.device += 77;
    append_file("app.log", "2\n");
    start();
    turn();
    assert_got("1\n2\n");
    assert_int_equal(source_count(), 1);
}

static void bytes_that_a_power_cut_took_back_are_counted_and_reading_goes_on(void **state)
{
    char *lines = make_lines("p", 0, 100);
    size_t half = strlen(lines) / 2;

    (void)state;
    while (lines[half - 1] != '\n')
        half++;
    write_file("app.log", lines);
    start();
    turn();
    stop();
    assert_int_equal(truncate("app.log", (off_t)half), 0);
    start();
    turn();
    assert_int_equal(shop.lost_bytes, strlen(lines) - half);
    append_file("app.log", "after\n");
    turn();
    char *want;
    assert_true(asprintf(&want, "%safter\n", lines) > 0);
    assert_got(want);
    assert_int_equal(shop.known_count, 1);
    free(want);
    free(lines);
}

static void check_old_folder(const char *folder)
{
    char *lines = make_lines("dir", 0, 50), old[64], pattern[64];

    snprintf(old, sizeof(old), "%s/app.log.1", folder);
    snprintf(pattern, sizeof(pattern), "%s/*.log", folder);
    shop.input.paths[1] = pattern;
    shop.input.path_count = 2;
    write_file("app.log", lines);
    start();
    turn();
    append_file("app.log", "unread\n");
    int writer = open("app.log", O_WRONLY | O_APPEND);
    if (rename("app.log", old) < 0) { /* another file system: what mv and logrotate do */
        copy_file("app.log", old);
        unlink("app.log");
    }
    write_file("app.log", "new\n");
    look();
    drain();
    assert_int_equal(write(writer, "late\n", 5), 5); /* the program had not opened the new one yet */
    close(writer);
    for (int i = 0; i < 6; i++) {
        pass_time(2);
        turn();
    }
    restart();
    for (int i = 0; i < 4; i++) {
        pass_time(2);
        turn();
    }
    assert_int_equal(shop.got_size, strlen(lines) + strlen("unread\nlate\nnew\n"));
    assert_memory_equal(shop.got, lines,
                        strlen(lines)); /* nothing is promised of the order between folders */
    assert_non_null(strstr(shop.got, "unread\n"));
    assert_non_null(strstr(shop.got, "late\n"));
    assert_non_null(strstr(shop.got, "new\n"));
    assert_int_equal(shop.lost_bytes, 0);
    shop.input.path_count = 1;
    free(lines);
}

static void a_log_rotated_into_another_folder_goes_on_there(void **state)
{
    (void)state;
    assert_int_equal(mkdir("old", 0755), 0);
    check_old_folder("old");
}

static void a_log_rotated_onto_another_file_system_goes_on_there(void **state)
{
    char folder[] = "/dev/shm/test-tail-XXXXXX", path[64];
    struct stat here, there;

    (void)state;
    assert_non_null(mkdtemp(folder));
    assert_true(stat(".", &here) == 0 && stat(folder, &there) == 0);
    assert_true(here.st_dev != there.st_dev);
    check_old_folder(folder);
    snprintf(path, sizeof(path), "%s/app.log.1", folder);
    unlink(path);
    assert_int_equal(rmdir(folder), 0);
}

static void a_file_moved_to_another_name_or_file_system_goes_on(void **state)
{
    char *lines = make_lines("m", 0, 50);

    (void)state;
    write_file("app.log", lines);
    start();
    turn();
    stop();
    copy_file("app.log", "moved.log");
    unlink("app.log");
    append_file("moved.log", "rest\n");
    start();
    turn();
    char *want;
    assert_true(asprintf(&want, "%srest\n", lines) > 0);
    assert_got(want);
    free(want);
    free(lines);
}

/* ---- gone ---- */

static void a_file_deleted_unread_is_read_to_its_end(void **state)
{
    char *lines = make_lines("g", 0, 300);

    (void)state;
    write_file("app.log", lines);
    start();
    look();
    look();
    int writer = open("app.log", O_WRONLY | O_APPEND);
    unlink("app.log");
    write_file("app.log", "new\n");
    look();
    drain();
    assert_int_equal(write(writer, "last\n", 5), 5); /* its program still has it open */
    close(writer);
    turn();
    turn();
    char *want;
    assert_true(asprintf(&want, "%slast\nnew\n", lines) > 0);
    assert_int_equal(shop.got_size, strlen(want));
    assert_non_null(strstr(shop.got, "last\n"));
    assert_non_null(strstr(shop.got, "new\n"));
    assert_memory_equal(shop.got, lines, strlen(lines));
    pass_time(6);
    turn();
    struct source *gone = tail_next(shop.tail, NULL);
    char memory[8];
    size_t size;
    enum source_end end;
    assert_int_equal(source_read(gone, gone->position[LANE_STATS], memory, 8, &size, &end, NULL), 0);
    assert_int_equal(end, SOURCE_FINISHED);
    free(want);
    free(lines);
}

static void what_was_deleted_while_stopped_is_counted_once(void **state)
{
    (void)state;
    write_file("app.log", "1\n");
    start();
    turn();
    append_file("app.log", "unread\n");
    look();
    struct source *source = tail_next(shop.tail, NULL);
    source->changed = true;
    stop();
    unlink("app.log");
    for (int i = 0; i < 2; i++) {
        start();
        turn();
        pass_time(2);
        turn();
        stop();
        assert_int_equal(shop.lost_bytes, 7);
    }
}

static void a_dropped_source_is_not_met_again_until_it_grows(void **state)
{
    (void)state;
    write_file("app.log.1", "1\n");
    start();
    turn();
    tail_drop(shop.tail, tail_next(shop.tail, NULL));
    assert_null(tail_next(shop.tail, NULL));
    pass_time(11);
    assert_int_equal(look(), 0);
    assert_null(tail_next(shop.tail, NULL));
    append_file("app.log.1", "2\n");
    pass_time(11);
    turn();
    assert_got("1\n2\n");
}

/* ---- inputs ---- */

static void an_exact_path_also_brings_the_unread_rest_of_what_it_was(void **state)
{
    (void)state;
    use_pattern((char[]){"app.log"}, true, true);
    write_file("app.log", "1\n");
    start();
    turn();
    stop();
    append_file("app.log", "2\n");
    rename("app.log", "app.log.1");
    write_file("app.log.2", "never asked for\n");
    write_file("app.log", "3\n");
    start();
    turn();
    assert_got("1\n2\n3\n");
    assert_int_equal(tail_matched(shop.tail), 1);
}

static void start_at_end_passes_over_what_was_there_and_only_that(void **state)
{
    (void)state;
    shop.input.start_at_end = true;
    write_packed("app.log.2.gz", "x\n");
    write_file("app.log.1", "y\n");
    write_file("app.log", "z\n");
    start();
    turn();
    append_file("app.log", "1\n");
    turn();
    stop();
    append_file("app.log", "2\n");
    rename("app.log.1", "app.log.2");
    rename("app.log", "app.log.1");
    write_file("app.log", "3\n");
    start();
    turn();
    write_file("later.log", "4\n");
    turn();
    turn();
    assert_got("1\n2\n3\n4\n");
}

/* ---- trouble ---- */

static void a_file_without_permission_is_told_once_and_tried_again(void **state)
{
    enum exit_code code = EXIT_OK_;
    bool root = geteuid() == 0;

    (void)state;
    write_file("a.log", "a\n");
    write_file("b.log", "b\n");
    assert_int_equal(chmod("a.log", 0), 0);
    if (root)
        assert_int_equal(seteuid(12345), 0);
    start();
    for (int i = 0; i < 3; i++) {
        pass_time(11);
        turn();
    }
    int unreadable = tail_unreadable(shop.tail, &code);
    if (root)
        assert_int_equal(seteuid(0), 0);
    assert_int_equal(unreadable, 1);
    assert_int_equal(code, EXIT_NO_PERMISSION);
    assert_int_equal(shop.problems, 1);
    assert_int_equal(shop.last_problem.error, ERR_IO_002);
    assert_int_equal(tail_matched(shop.tail), 2);
    assert_got("b\n");
    assert_int_equal(chmod("a.log", 0644), 0);
    pass_time(11);
    turn();
    assert_got("b\na\n");
    assert_int_equal(tail_unreadable(shop.tail, &code), 0);
}

static void open_descriptors_are_bounded_and_all_files_are_read(void **state)
{
    enum { FILES = 200 };
    struct rlimit before, low;
    char name[32], line[32];
    int open_count = 0;

    (void)state;
    assert_int_equal(getrlimit(RLIMIT_NOFILE, &before), 0);
    low = before;
    low.rlim_cur = 64;
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &low), 0);
    start();
    for (int round = 0; round < 3; round++) {
        for (int i = 0; i < FILES; i++) {
            snprintf(name, sizeof(name), "f%03d.log", i);
            snprintf(line, sizeof(line), "%d %d\n", i, round);
            append_file(name, line);
        }
        turn();
        turn();
    }
    for (int fd = 0; fd < 64; fd++)
        open_count += fcntl(fd, F_GETFD) >= 0;
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &before), 0);
    assert_true(open_count < 48);
    assert_int_equal(shop.problems, 0);
    for (int i = 0; i < FILES; i++)
        for (int round = 0; round < 3; round++) {
            snprintf(line, sizeof(line), "\n%d %d\n", i, round);
            assert_true(strstr(shop.got, line) || strncmp(shop.got, line + 1, strlen(line + 1)) == 0);
        }
    assert_int_equal(source_count(), FILES);
}

static void a_read_that_failed_is_told_once_and_tried_again(void **state)
{
    struct rlimit before, low;
    char name[32];

    (void)state;
    assert_int_equal(getrlimit(RLIMIT_NOFILE, &before), 0);
    low = before;
    low.rlim_cur = 64;
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &low), 0);
    for (int i = 0; i < 40; i++) { /* more than the pool keeps open: the first ones are closed again */
        snprintf(name, sizeof(name), "f%03d.log", i);
        write_file(name, "x\n");
    }
    start();
    look();
    struct source *source = source_at("f000.log");
    for (int i = 0; i < 3; i++) {
        low.rlim_cur = 3; /* no descriptor for anybody */
        assert_int_equal(setrlimit(RLIMIT_NOFILE, &low), 0);
        assert_int_equal(read_source(source, 100), SOURCE_BROKEN);
        assert_int_equal(setrlimit(RLIMIT_NOFILE, &before), 0);
        assert_int_equal(source_unread_bytes(source, LANE_STATS), 0);
        pass_time(30);
        look();
        assert_int_equal(source_unread_bytes(source, LANE_STATS), 2);
    }
    assert_int_equal(shop.problems, 1);
    assert_int_equal(shop.last_problem.error, ERR_IO_006);
    read_source(source, 100);
    assert_got("x\n");
}

static void a_deleted_file_keeps_its_descriptor_among_many(void **state)
{
    struct rlimit before, low;
    char name[32];

    (void)state;
    write_file("deleted.log", "unread\n");
    assert_int_equal(getrlimit(RLIMIT_NOFILE, &before), 0);
    low = before;
    low.rlim_cur = 64;
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &low), 0);
    start();
    look();
    unlink("deleted.log");
    look();
    for (int i = 0; i < 100; i++) {
        snprintf(name, sizeof(name), "f%03d.log", i);
        write_file(name, "");
    }
    look();
    turn();
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &before), 0);
    assert_got("unread\n");
    assert_int_equal(source_count(), 101);
}

static void too_many_open_files_is_told_and_goes_away(void **state)
{
    struct rlimit before, low;

    (void)state;
    write_file("a.log", "a\n");
    start();
    assert_int_equal(getrlimit(RLIMIT_NOFILE, &before), 0);
    low = before;
    low.rlim_cur = 3;
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &low), 0);
    int result = look();
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &before), 0);
    assert_int_equal(result, 0);
    assert_int_equal(shop.problems, 1);
    assert_int_equal(shop.last_problem.error, ERR_IO_006);
    pass_time(11);
    turn();
    assert_got("a\n");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        IN_SHOP(a_rotated_set_is_read_oldest_first_and_never_again),
        IN_SHOP(once_reads_to_the_size_that_was_found),
        IN_SHOP(a_growing_file_is_followed_and_a_partial_line_waits),
        IN_SHOP(news_come_through_the_descriptor),
        IN_SHOP(rename_and_create_while_running_loses_and_repeats_nothing),
        IN_SHOP(two_rotations_while_stopped_are_caught_up_in_order),
        IN_SHOP(a_renamed_file_is_finished_when_quiet_but_late_bytes_are_read),
        IN_SHOP(a_clock_that_is_set_back_holds_nobody_up),
        IN_SHOP(the_live_file_waits_for_its_older_brothers),
        IN_SHOP(copytruncate_to_any_size_loses_and_repeats_nothing),
        IN_SHOP(copytruncate_while_stopped_loses_and_repeats_nothing),
        IN_SHOP(a_copy_that_was_outrun_is_not_read_again),
        IN_SHOP(another_log_with_an_equal_beginning_is_no_copy),
        IN_SHOP(a_copy_met_together_with_its_original_is_not_read),
        IN_SHOP(an_output_that_lags_gets_no_bytes_that_were_written_over),
        IN_SHOP(a_file_written_anew_before_its_first_byte_was_read_is_a_new_source),
        IN_SHOP(what_a_truncation_took_unread_is_counted),
        IN_SHOP(a_file_written_over_between_the_look_and_the_read_is_not_taken_for_the_rest),
        IN_SHOP(a_copy_that_begins_during_the_look_is_left_alone_until_it_is_done),
        IN_SHOP(a_copy_on_its_way_is_left_alone_until_it_is_done),
        IN_SHOP(a_copy_beside_its_original_is_not_read),
        IN_SHOP(a_file_compressed_after_it_was_read_is_not_read_again),
        IN_SHOP(the_unread_rest_of_a_file_compressed_meanwhile_is_read),
        IN_SHOP(a_file_compressed_before_its_first_byte_was_read_is_read_once),
        IN_SHOP(a_compressor_at_work_is_left_alone_until_it_is_done),
        IN_SHOP(a_finished_compressed_file_is_not_inflated_again),
        IN_SHOP(many_compressed_files_share_a_few_streams),
        IN_SHOP(a_damaged_file_gives_what_can_be_read_and_is_told_once),
        IN_SHOP(what_lies_behind_the_damage_is_counted_as_lost),
        IN_SHOP(a_live_file_behind_a_link_is_followed_and_heard),
        IN_SHOP(a_rotation_where_a_link_leads_is_heard),
        IN_SHOP(a_reused_inode_is_a_new_source),
        IN_SHOP(evidence_reaches_back_over_a_restart),
        IN_SHOP(equal_heads_are_kept_apart),
        IN_SHOP(a_log_that_begins_like_another_one_and_goes_on_is_read),
        IN_SHOP(two_that_begin_alike_are_told_apart_when_both_have_moved),
        IN_SHOP(bytes_that_come_late_to_an_older_generation_go_first),
        IN_SHOP(an_empty_file_that_turns_out_to_be_compressed_is_never_read_as_text),
        IN_SHOP(another_programs_rotated_log_is_no_copy_of_a_truncated_one),
        IN_SHOP(a_copy_does_not_take_the_source_from_a_file_that_was_renamed_out_of_sight),
        IN_SHOP(what_is_written_to_a_log_after_it_was_moved_to_another_file_system_is_read),
        IN_SHOP(bytes_cut_off_behind_what_was_read_are_counted_and_the_source_goes_on),
        IN_SHOP(a_name_that_one_listing_missed_is_not_gone),
        IN_SHOP(another_device_number_after_a_reboot_changes_nothing),
        IN_SHOP(bytes_that_a_power_cut_took_back_are_counted_and_reading_goes_on),
        IN_SHOP(a_log_rotated_into_another_folder_goes_on_there),
        IN_SHOP(a_log_rotated_onto_another_file_system_goes_on_there),
        IN_SHOP(a_file_moved_to_another_name_or_file_system_goes_on),
        IN_SHOP(a_file_deleted_unread_is_read_to_its_end),
        IN_SHOP(what_was_deleted_while_stopped_is_counted_once),
        IN_SHOP(a_dropped_source_is_not_met_again_until_it_grows),
        IN_SHOP(an_exact_path_also_brings_the_unread_rest_of_what_it_was),
        IN_SHOP(start_at_end_passes_over_what_was_there_and_only_that),
        IN_SHOP(a_file_without_permission_is_told_once_and_tried_again),
        IN_SHOP(open_descriptors_are_bounded_and_all_files_are_read),
        IN_SHOP(a_read_that_failed_is_told_once_and_tried_again),
        IN_SHOP(a_deleted_file_keeps_its_descriptor_among_many),
        IN_SHOP(too_many_open_files_is_told_and_goes_away),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
