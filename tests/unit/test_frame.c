/* Lines out of pieces: however a stream is cut into pieces, the frames are the same. */
#include "shipper/frame.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

enum { EXPECTED_MAX = 16 };

struct expected {
    enum frame_kind kind;
    const char *line;
    uint64_t size; /* with what ends it */
};

/*
 * Feeds `text` in pieces that grow by `step` bytes, a partial line first again, as a caller with a file does,
 * and compares all frames with what is expected; the last one is asked for when nothing more comes.
 */
static void assert_frames(struct slice text, uint64_t offset, uint64_t line_max, size_t step,
                          const struct expected *expected)
{
    struct framer *framer = malloc(sizeof(*framer));
    assert_non_null(framer);
    framer_init(framer, offset, line_max);
    uint64_t position = offset;
    size_t end = 0;
    for (;;) {
        size_t begin = framer->offset - offset;
        end = end + step < text.size ? end + step : text.size;
        char *piece = malloc(end - begin + 1); /* of its own, so that a sanitizer sees a byte too much */
        assert_non_null(piece);
        memcpy(piece, text.data + begin, end - begin);
        framer_feed(framer, slice_from(piece, end - begin));
        struct frame frame;
        while ((frame = framer_next(framer)).kind != FRAME_END || end == text.size) {
            if (frame.kind == FRAME_PARTIAL) {
                assert_int_equal(frame.size, end - begin - (frame.offset - offset - begin));
                if (end < text.size)
                    break;
            }
            if (frame.kind == FRAME_PARTIAL || frame.kind == FRAME_END)
                frame = framer_last(framer);
            if (frame.kind == FRAME_END)
                break;
            if (frame.offset != position || frame.kind != expected->kind || frame.size != expected->size)
                fail_msg("step %zu: kind %d at %llu of %llu bytes instead of kind %d at %llu of %llu", step,
                         frame.kind, (unsigned long long)frame.offset, (unsigned long long)frame.size,
                         expected->kind, (unsigned long long)position, (unsigned long long)expected->size);
            if (expected->line) {
                assert_int_equal(frame.line.size, strlen(expected->line));
                assert_memory_equal(frame.line.data, expected->line, frame.line.size);
            }
            position += frame.size;
            expected++;
        }
        free(piece);
        if (end == text.size)
            break;
    }
    assert_int_equal(position - offset, text.size);
    assert_null(expected->line);
    assert_int_equal(expected->size, 0);
    free(framer);
}

static void assert_frames_in_any_pieces(struct slice text, uint64_t offset, const struct expected *expected)
{
    for (size_t step = 1; step <= text.size; step++)
        assert_frames(text, offset, 100, step, expected);
}

static void lines_have_their_exact_positions(void **state)
{
    (void)state;
    const struct expected expected[] = {
        {FRAME_LINE, "{\"a\":1}", 8}, {FRAME_LINE, "b\r", 3}, {FRAME_LINE, "last", 4}, {0}};
    assert_frames_in_any_pieces(SLICE("{\"a\":1}\nb\r\nlast"), 0, expected);
    assert_frames_in_any_pieces(SLICE("{\"a\":1}\nb\r\nlast"), UINT64_C(5000000000), expected);
}

static void blank_lines_are_told_from_lines(void **state)
{
    (void)state;
    const struct expected expected[] = {{FRAME_BLANK, NULL, 1},
                                        {FRAME_BLANK, NULL, 2},
                                        {FRAME_BLANK, NULL, 4},
                                        {FRAME_LINE, " x", 3},
                                        {FRAME_BLANK, NULL, 1},
                                        {FRAME_BLANK, NULL, 2},
                                        {0}};
    assert_frames_in_any_pieces(SLICE("\n\r\n \t \n x\n\n  "), 0, expected);
}

static void a_byte_order_mark_is_passed_over_only_where_the_source_begins(void **state)
{
    (void)state;
    const struct expected first[] = {{FRAME_LINE, "{}", 6}, {FRAME_LINE, "\xEF\xBB\xBF{}", 6}, {0}};
    assert_frames_in_any_pieces(SLICE("\xEF\xBB\xBF{}\n\xEF\xBB\xBF{}\n"), 0, first);
    const struct expected later[] = {{FRAME_LINE, "\xEF\xBB\xBF{}", 6}, {0}};
    assert_frames_in_any_pieces(SLICE("\xEF\xBB\xBF{}\n"), 7, later);
    const struct expected alone[] = {{FRAME_BLANK, NULL, 3}, {0}};
    assert_frames_in_any_pieces(SLICE("\xEF\xBB\xBF"), 0, alone);
}

static void a_run_of_nuls_harms_neither_the_line_before_nor_the_one_behind(void **state)
{
    (void)state;
    const struct expected expected[] = {{FRAME_LINE, "{\"a\":1}", 8},
                                        {FRAME_LINE, "{\"b", 3},
                                        {FRAME_BLANK, NULL, 5},
                                        {FRAME_LINE, "{\"c\":2}", 8},
                                        {FRAME_BLANK, NULL, 3},
                                        {FRAME_LINE, "x", 2},
                                        {0}};
    struct slice text = SLICE("{\"a\":1}\n{\"b\0\0\0\0\0{\"c\":2}\n\0\0\nx\n");
    assert_frames(text, 0, 100, text.size, expected);
    assert_frames(text, 0, 1000, text.size, expected);
}

static void a_line_at_the_limit_is_whole_and_above_it_costs_only_its_head(void **state)
{
    (void)state;
    static char text[20000];
    memset(text, 'x', sizeof(text));
    text[10000] = '\n';
    text[19999] = '\n';
    for (size_t step = 1; step < sizeof(text); step = step * 3 + 1) {
        const struct expected whole[] = {{FRAME_LINE, NULL, 10001}, {FRAME_LINE, NULL, 9999}, {0}};
        assert_frames(slice_from(text, sizeof(text)), 3, 10000, step, whole);
        const struct expected above[] = {{FRAME_TOO_LONG, NULL, 10001}, {FRAME_LINE, NULL, 9999}, {0}};
        assert_frames(slice_from(text, sizeof(text)), 3, 9999, step, above);
        const struct expected both[] = {{FRAME_TOO_LONG, NULL, 10001}, {FRAME_TOO_LONG, NULL, 9999}, {0}};
        assert_frames(slice_from(text, sizeof(text)), 3, 5000, step, both);
    }
}

static void the_head_of_a_line_above_the_limit_is_kept(void **state)
{
    (void)state;
    static char text[9001];
    for (size_t i = 0; i < 9000; i++)
        text[i] = (char)('a' + i % 26);
    text[9000] = '\n';
    struct framer framer;
    framer_init(&framer, 0, 6000);
    framer_feed(&framer, slice_from(text, 7000));
    assert_int_equal(framer_next(&framer).kind, FRAME_END);
    assert_int_equal(framer.offset, 7000);
    framer_feed(&framer, slice_from(text + 7000, 2001));
    struct frame frame = framer_next(&framer);
    assert_int_equal(frame.kind, FRAME_TOO_LONG);
    assert_int_equal(frame.offset, 0);
    assert_int_equal(frame.size, 9001);
    assert_int_equal(frame.line.size, FRAME_HEAD_KEPT_MAX);
    assert_memory_equal(frame.line.data, text, FRAME_HEAD_KEPT_MAX);
    assert_int_equal(framer_next(&framer).kind, FRAME_END);
}

static void a_line_of_four_gigabytes_keeps_its_position(void **state)
{
    (void)state;
    static char piece[1 << 20];
    memset(piece, 'x', sizeof(piece));
    struct framer framer;
    framer_init(&framer, 0, sizeof(piece) - 1);
    for (uint64_t n = 0; n < 4096; n++) {
        framer_feed(&framer, slice_from(piece, sizeof(piece)));
        assert_int_equal(framer_next(&framer).kind, FRAME_END);
    }
    framer_feed(&framer, SLICE("\n{}\n"));
    struct frame frame = framer_next(&framer);
    assert_int_equal(frame.kind, FRAME_TOO_LONG);
    assert_true(frame.size == (UINT64_C(4096) << 20) + 1);
    frame = framer_next(&framer);
    assert_int_equal(frame.kind, FRAME_LINE);
    assert_true(frame.offset == (UINT64_C(4096) << 20) + 1);
}

/* Lines about as long as what is mapped at once, and far longer, with a NUL now and then. */
static void lines_longer_than_a_map_have_their_exact_positions(void **state)
{
    (void)state;
    static const size_t sizes[] = {LINE_MAP_BYTES_USUAL,      40,     LINE_MAP_BYTES_MAX,
                                   LINE_MAP_BYTES_USUAL + 40, 300000, 1};
    enum { COUNT = sizeof(sizes) / sizeof(sizes[0]), ROUNDS = 5 };
    char *text = malloc(ROUNDS * 400000);
    assert_non_null(text);
    size_t size = 0, end = 0;
    for (size_t round = 0; round < ROUNDS; round++)
        for (size_t i = 0; i < COUNT; i++) {
            memset(text + size, 'x', sizes[i] + round);
            size += sizes[i] + round;
            text[size++] = i == round ? '\0' : '\n';
        }
    struct framer *framer = malloc(sizeof(*framer));
    assert_non_null(framer);
    framer_init(framer, 1, size);
    framer_feed(framer, slice_from(text, size));
    for (size_t round = 0; round < ROUNDS; round++)
        for (size_t i = 0; i < COUNT; i++) {
            struct frame frame = framer_next(framer);
            assert_int_equal(frame.kind, FRAME_LINE);
            assert_ptr_equal(frame.line.data, text + end);
            assert_int_equal(frame.line.size, sizes[i] + round);
            assert_true(!frame.map ||
                        (frame.line.data >= frame.map->data &&
                         frame.line.data + frame.line.size <= frame.map->data + frame.map->size));
            assert_true(frame.map || i == round || frame.line.size >= LINE_MAP_BYTES_MAX);
            end += frame.size;
            if (i == round)
                assert_int_equal(framer_next(framer).kind, FRAME_BLANK);
            end += i == round;
        }
    assert_int_equal(framer_next(framer).kind, FRAME_END);
    assert_int_equal(end, size);
    free(framer);
    free(text);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(lines_have_their_exact_positions),
        cmocka_unit_test(blank_lines_are_told_from_lines),
        cmocka_unit_test(a_byte_order_mark_is_passed_over_only_where_the_source_begins),
        cmocka_unit_test(a_run_of_nuls_harms_neither_the_line_before_nor_the_one_behind),
        cmocka_unit_test(a_line_at_the_limit_is_whole_and_above_it_costs_only_its_head),
        cmocka_unit_test(the_head_of_a_line_above_the_limit_is_kept),
        cmocka_unit_test(a_line_of_four_gigabytes_keeps_its_position),
        cmocka_unit_test(lines_longer_than_a_map_have_their_exact_positions),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
