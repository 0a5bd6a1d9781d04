#define _GNU_SOURCE
#include "liblog/drain.h"
#include "log_reader.h"
#include "ring_maker.h"

#include <signal.h>
#include <sys/resource.h>

static ll_site info_site = {"made.logger", "made.c", "maker", 7, LL_LEVEL_INFO, 0, 0, 0, 0};
static ll_site error_site = {"made.logger", "made.c", "maker", 8, LL_LEVEL_ERROR, 0, 0, 0, 0};
static struct made made;
static struct sink log_sink, error_sink;
static struct drain drain;
static int made_fd;

static int make(void **state)
{
    if (enter_folder(state))
        return -1;
    made_fd = os_memory_file("test");
    sink_init(&log_sink, "app.log");
    sink_init(&error_sink, "errors.log");
    return made_begin(&made, made_fd) && drain_init(&drain, &made.file, &log_sink, &error_sink) == LL_OK ? 0
                                                                                                         : -1;
}

static int release(void **state)
{
    drain_release(&drain);
    sink_release(&log_sink);
    sink_release(&error_sink);
    made_end(&made);
    close(made_fd);
    return leave_folder(state);
}

static void put(int depth, const ll_site *site, int i, uint64_t ticks)
{
    ll_field field = ll_kv("i", i);
    assert_int_equal(made_log(&made, depth, site, NULL, "x", &field, 1, ticks), 0);
}

static void drain_all(void)
{
    while (drain_fill(&drain, UINT64_MAX) > 0)
        assert_int_equal(drain_write(&drain), 0);
}

static void records_of_all_rings_come_in_the_order_of_their_stamps(void **state)
{
    (void)state;
    for (int i = 0; i < 300; i++)
        put((i * 7 + i / 5) % 3, &info_site, i, (uint64_t)i * 10);
    drain_all();
    struct lines lines = read_lines("app.log");
    assert_int_equal(lines.count, 300);
    for (size_t i = 0; i < 300; i++) {
        assert_int_equal(field_number(lines.text[i], "i"), i);
        assert_int_equal(seq_of(lines.text[i]), i + 1);
    }
    free_lines(&lines);
}

static void what_is_stamped_behind_the_cut_waits(void **state)
{
    (void)state;
    for (int i = 0; i < 10; i++)
        put(0, &info_site, i, (uint64_t)i);
    assert_int_equal(drain_fill(&drain, 4), 5);
    assert_int_equal(drain_write(&drain), 0);
    assert_int_equal(drain_fill(&drain, 4), 0);
    assert_true(drain_is_behind(&drain));
    drain_all();
    assert_false(drain_is_behind(&drain));
    struct lines lines = read_lines("app.log");
    assert_int_equal(lines.count, 10);
    free_lines(&lines);
}

static void nothing_moves_before_the_block_is_in_the_file(void **state)
{
    struct stat st;
    (void)state;
    put(0, &info_site, 0, 1);
    assert_int_equal(drain_fill(&drain, UINT64_MAX), 1);
    assert_int_equal(mkdir("app.log", 0700), 0); /* a folder is in the way */
    assert_true(drain_write(&drain) < 0);
    assert_true(drain_write(&drain) < 0);
    assert_int_equal(made.file.progress->next_seq[ring_file_parity(&made.file)], 1);
    assert_int_equal(made.file.segment[0].ring[0].control->freed, 0);
    assert_int_equal(drain_fill(&drain, UINT64_MAX), 1); /* the same block */
    assert_int_equal(rmdir("app.log"), 0);
    assert_int_equal(drain_write(&drain), 0);
    assert_int_equal(made.file.progress->next_seq[ring_file_parity(&made.file)], 2);
    assert_int_equal(made.file.segment[0].ring[0].control->freed, made.producer[0].head);
    assert_int_equal(stat("app.log", &st), 0);
    assert_int_equal(st.st_size, drain.counters.bytes);
    struct lines lines = read_lines("app.log");
    assert_int_equal(lines.count, 1);
    free_lines(&lines);
}

static void errors_are_copied_and_the_note_covers_both_files(void **state)
{
    struct stat log, errors;
    (void)state;
    for (int i = 0; i < 9; i++)
        put(0, i % 3 ? &info_site : &error_site, i, (uint64_t)i);
    drain_all();
    struct lines lines = read_lines("app.log"), copies = read_lines("errors.log");
    assert_int_equal(lines.count, 9);
    assert_int_equal(copies.count, 3);
    for (size_t i = 0; i < 3; i++) {
        assert_int_equal(seq_of(copies.text[i]), seq_of(lines.text[3 * i]));
        expect_member(copies.text[i], "copy", "true");
    }
    const struct ring_note *note = &made.file.progress->note;
    assert_int_equal(stat("app.log", &log) + stat("errors.log", &errors), 0);
    assert_int_equal(note->first_seq, 1);
    assert_int_equal(note->last_seq, 9);
    assert_int_equal(note->target[0].offset + note->target[0].length, log.st_size);
    assert_int_equal(note->target[0].inode, log.st_ino);
    assert_int_equal(note->target[1].offset + note->target[1].length, errors.st_size);
    free_lines(&lines);
    free_lines(&copies);
}

static void dropped_records_are_announced_once_by_level_and_take_no_number(void **state)
{
    uint64_t *first = made.file.segment[0].ring[0].control->dropped;
    uint64_t *second = made.file.segment[0].ring[1].control->dropped;
    (void)state;
    put(0, &info_site, 0, 1);
    first[LL_LEVEL_INFO] = 5;
    second[LL_LEVEL_INFO] = 2;
    first[LL_LEVEL_ERROR] = 1;
    drain_all();
    first[LL_LEVEL_INFO] = 6;
    drain_all();
    drain_all();
    struct lines lines = read_lines("app.log");
    assert_int_equal(lines.count, 4);
    expect_member(lines.text[1], "dropped", "{\"count\":7,\"reason\":\"overflow\",\"level\":\"INFO\"}");
    expect_member(lines.text[2], "dropped", "{\"count\":1,\"reason\":\"overflow\",\"level\":\"ERROR\"}");
    expect_member(lines.text[3], "dropped", "{\"count\":1,\"reason\":\"overflow\",\"level\":\"INFO\"}");
    for (size_t i = 0; i < 4; i++)
        assert_int_equal(seq_of(lines.text[i]), i + 1);
    assert_int_equal(drain.counters.dropped, 9);
    free_lines(&lines);
}

/* Bytes that cannot be a frame end their ring; the others go on. */
static void what_cannot_be_read_is_counted_and_stops_no_other_ring(void **state)
{
    (void)state;
    put(0, &info_site, 0, 1);
    uint64_t from = made.producer[0].head;
    put(0, &info_site, 1, 2);
    put(1, &info_site, 2, 3);
    memset(made.file.segment[0].ring[0].data + from, 0xff, 16);
    drain_all();
    struct lines lines = read_lines("app.log");
    assert_int_equal(lines.count, 2);
    assert_int_equal(field_number(lines.text[1], "i"), 2);
    assert_int_equal(seq_of(lines.text[1]), 2);
    assert_int_equal(drain.counters.lost_bytes, made.producer[0].head - from);
    free_lines(&lines);
}

/* Entries of a true table never overlap; a file whose frames name every eighth byte of one is hostile. */
static void sites_that_overlap_are_not_made_without_end(void **state)
{
    enum { ENTRIES = 2000 };
    struct site_entry entry = {.size = 400 * 1024,
                               .level = LL_LEVEL_INFO,
                               .logger_size = 60000,
                               .file_size = 60000,
                               .function_size = 60000,
                               .message_size = 60000};
    struct site_shape shape = {.key_count = 0};
    struct frame_call call = {.site = &info_site, .shape = &shape, .message = "x"};
    uint64_t needed;
    (void)state;
    made.file.growth->sites_used = RING_FILE_SITES_BYTES;
    for (uint32_t i = 0; i < ENTRIES; i++) {
        shape.entry = 8 + i * sizeof entry;
        memcpy(made.file.sites + shape.entry, &entry, sizeof entry);
    }
    for (uint32_t i = 0; i < ENTRIES; i += 2) {
        shape.entry = 8 + i * sizeof entry;
        if (frame_pack(&made.producer[0], &call, &needed))
            break;
    }
    drain_all();
    uint32_t count = 0;
    for (uint32_t i = 0; i < RING_FILE_SITES_BYTES / 8; i++)
        count += drain.sites[i] != NULL;
    assert_int_equal(count, 1);
    assert_true(drain.counters.lost_bytes > 0);
}

/* --- a disk that takes a part --------------------------------------------------------------------------- */

enum { PART_RECORDS = 60 };

static void limit_files(rlim_t bytes)
{
    struct rlimit limit = {bytes, RLIM_INFINITY};
    signal(SIGXFSZ, SIG_IGN);
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &limit), 0);
}

/* Every third is an error. Writes until `bytes` are in the log; returns the file as it is then. */
static char *write_part(size_t bytes, size_t *ret_size)
{
    for (int i = 0; i < PART_RECORDS; i++)
        put(0, i % 3 ? &info_site : &error_site, i, (uint64_t)i * 1000);
    assert_int_equal(drain_fill(&drain, UINT64_MAX), PART_RECORDS);
    assert_true(drain.block.size > bytes && drain.copies.size < bytes);
    limit_files(bytes);
    assert_true(drain_write(&drain) < 0);
    assert_true(drain_write(&drain) < 0);
    assert_true(drain_is_torn(&drain));
    limit_files(RLIM_INFINITY);
    char *part = read_file("app.log", ret_size);
    assert_int_equal(*ret_size, bytes);
    return part;
}

/* Every record once in both files, in order, and the first `size` bytes as they were. */
static void expect_all(const char *part, size_t size)
{
    size_t whole_size;
    char *whole = read_file("app.log", &whole_size);
    assert_true(whole_size > size);
    assert_memory_equal(whole, part, size);
    struct lines lines = read_lines("app.log"), copies = read_lines("errors.log");
    assert_int_equal(lines.count, PART_RECORDS);
    assert_int_equal(copies.count, PART_RECORDS / 3);
    for (size_t i = 0; i < PART_RECORDS; i++) {
        assert_int_equal(field_number(lines.text[i], "i"), i);
        assert_int_equal(seq_of(lines.text[i]), i + 1);
    }
    for (size_t i = 0; i < PART_RECORDS / 3; i++)
        assert_int_equal(seq_of(copies.text[i]), 3 * i + 1);
    assert_int_equal(drain.counters.records, PART_RECORDS);
    free_lines(&lines);
    free_lines(&copies);
    free(whole);
}

static void the_lines_that_a_full_disk_took_stay_and_the_rest_follows_them(void **state)
{
    size_t size;
    (void)state;
    char *part = write_part(9001, &size);
    drain_all();
    expect_all(part, size);
    free(part);
}

/* Nothing of a torn line may stand before a line of another process. */
static void a_block_let_go_of_leaves_whole_lines_and_goes_on_behind_those_of_others(void **state)
{
    static const char other[] = "{\"other\":1}\n";
    size_t size, whole;
    (void)state;
    char *part = write_part(9001, &size);
    drain_let_go(&drain);
    assert_false(drain_is_torn(&drain));
    assert_true(drain.counters.records > 10 && drain.counters.records < PART_RECORDS);
    assert_int_equal(made.file.segment[0].ring[0].control->freed,
                     made.file.segment[0].ring[0].control->tail[ring_file_parity(&made.file)]);
    free(read_file("app.log", &whole));
    assert_true(whole < size && part[whole - 1] == '\n' && !memchr(part + whole, '\n', size - whole));
    struct lines lines = read_lines("app.log");
    assert_int_equal(lines.count, drain.counters.records);
    free_lines(&lines);
    int fd = open("app.log", O_WRONLY | O_APPEND);
    assert_int_equal(write(fd, other, sizeof other - 1), sizeof other - 1);
    drain_all();
    lines = read_lines("app.log");
    assert_int_equal(count_with(&lines, "{\"other\":1}"), 1);
    assert_int_equal(expect_gapless(&lines, made_run_id, 1), PART_RECORDS);
    assert_int_equal(lines.count, PART_RECORDS + 1);
    free_lines(&lines);
    free(part);
    close(fd);
}

/* Also what was made a second time is counted once, and a part that is done with is. */
static void statistics_count_each_record_once_when_a_part_was_kept(void **state)
{
    struct stats_header header = {.run_id = "made"};
    struct stats_file file;
    struct stats stats;
    size_t size;
    (void)state;
    assert_int_equal(stats_file_make_private(&file, &header), 0);
    stats_begin(&stats, &file, 1);
    drain.stats = &stats;
    free(write_part(9001, &size));
    drain_let_go(&drain);
    uint64_t kept = drain.counters.records;
    assert_true(kept > 0 && kept < PART_RECORDS);
    const struct stats_open *held = &file.at->open[stats_choose(file.at->open, kept + 1)];
    assert_int_equal(held->next_seq, kept + 1);
    assert_int_equal(held->total[LL_LEVEL_INFO] + held->total[LL_LEVEL_ERROR], kept);
    drain_all();
    held = &file.at->open[stats_choose(file.at->open, PART_RECORDS + 1)];
    assert_int_equal(held->total[LL_LEVEL_INFO], PART_RECORDS * 2 / 3);
    assert_int_equal(held->total[LL_LEVEL_ERROR], PART_RECORDS / 3);
    assert_int_equal(held->errors, PART_RECORDS / 3);
    assert_int_equal(held->uncounted, 0);
    drain.stats = NULL;
    stats_end(&stats);
    stats_file_release(&file);
}

static void a_file_rotated_away_in_the_middle_of_a_block_keeps_its_whole_lines(void **state)
{
    size_t size;
    (void)state;
    free(write_part(9001, &size));
    assert_int_equal(rename("app.log", "app.log.1"), 0);
    close(open("app.log", O_WRONLY | O_CREAT, 0600));
    drain_all();
    struct lines old = read_lines("app.log.1"), new = read_lines("app.log");
    assert_int_equal(old.count + new.count, PART_RECORDS);
    assert_int_equal(expect_gapless(&old, made_run_id, 1), old.count);
    assert_int_equal(expect_gapless(&new, made_run_id, old.count + 1), PART_RECORDS);
    free_lines(&old);
    free_lines(&new);
}

static void a_file_removed_in_the_middle_of_a_block_is_written_anew_as_a_whole(void **state)
{
    size_t size;
    (void)state;
    free(write_part(9001, &size));
    assert_int_equal(unlink("app.log"), 0);
    drain_all();
    expect_all("", 0);
}

/* A dropped record's mark in the middle of what is made again. */
static void marks_of_dropped_records_come_out_once_when_a_part_was_kept(void **state)
{
    uint64_t *dropped = made.file.segment[0].ring[0].control->dropped;
    (void)state;
    dropped[LL_LEVEL_INFO] = 5;
    dropped[LL_LEVEL_ERROR] = 2;
    for (int i = 0; i < PART_RECORDS; i++)
        put(0, &info_site, i, (uint64_t)i * 1000);
    assert_int_equal(drain_fill(&drain, UINT64_MAX), PART_RECORDS + 2);
    limit_files(drain.block.size - 10);
    assert_true(drain_write(&drain) < 0);
    limit_files(RLIM_INFINITY);
    drain_let_go(&drain);
    dropped[LL_LEVEL_INFO] = 6;
    drain_all();
    struct lines lines = read_lines("app.log");
    assert_int_equal(lines.count, PART_RECORDS + 3);
    assert_int_equal(expect_gapless(&lines, made_run_id, 1), PART_RECORDS + 3);
    expect_member(lines.text[PART_RECORDS], "dropped",
                  "{\"count\":5,\"reason\":\"overflow\",\"level\":\"INFO\"}");
    expect_member(lines.text[PART_RECORDS + 2], "dropped",
                  "{\"count\":1,\"reason\":\"overflow\",\"level\":\"INFO\"}");
    assert_int_equal(drain.counters.dropped, 8);
    free_lines(&lines);
}

static void copies_that_a_full_disk_did_not_take_are_left_out_and_counted(void **state)
{
    (void)state;
    for (int i = 0; i < PART_RECORDS; i++)
        put(0, &error_site, i, (uint64_t)i * 1000);
    mkdir("errors.log", 0700);
    assert_int_equal(drain_fill(&drain, UINT64_MAX), PART_RECORDS);
    assert_int_equal(drain_write(&drain), 0);
    assert_int_equal(drain.counters.copies_left_out, PART_RECORDS);
    rmdir("errors.log");
    put(0, &error_site, PART_RECORDS, PART_RECORDS * 1000);
    drain_all();
    struct lines lines = read_lines("app.log"), copies = read_lines("errors.log");
    assert_int_equal(lines.count, PART_RECORDS + 1);
    assert_int_equal(copies.count, 1);
    free_lines(&lines);
    free_lines(&copies);
}

#define with_drain(test) cmocka_unit_test_setup_teardown(test, make, release)

int main(void)
{
    const struct CMUnitTest tests[] = {
        with_drain(records_of_all_rings_come_in_the_order_of_their_stamps),
        with_drain(what_is_stamped_behind_the_cut_waits),
        with_drain(nothing_moves_before_the_block_is_in_the_file),
        with_drain(errors_are_copied_and_the_note_covers_both_files),
        with_drain(dropped_records_are_announced_once_by_level_and_take_no_number),
        with_drain(what_cannot_be_read_is_counted_and_stops_no_other_ring),
        with_drain(sites_that_overlap_are_not_made_without_end),
        with_drain(the_lines_that_a_full_disk_took_stay_and_the_rest_follows_them),
        with_drain(a_block_let_go_of_leaves_whole_lines_and_goes_on_behind_those_of_others),
        with_drain(statistics_count_each_record_once_when_a_part_was_kept),
        with_drain(a_file_rotated_away_in_the_middle_of_a_block_keeps_its_whole_lines),
        with_drain(a_file_removed_in_the_middle_of_a_block_is_written_anew_as_a_whole),
        with_drain(marks_of_dropped_records_come_out_once_when_a_part_was_kept),
        with_drain(copies_that_a_full_disk_did_not_take_are_left_out_and_counted),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
