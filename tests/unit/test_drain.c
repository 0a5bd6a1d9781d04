#define _GNU_SOURCE
#include "liblog/drain.h"
#include "log_reader.h"
#include "ring_maker.h"

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
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
