/* Events out of lines: the same however the stream is cut into pieces, end to end, and none above its limits.
 */
#include "shipper/joiner.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

enum { LINE_MAX = 40 };

struct expected {
    enum frame_kind kind;
    const char *text; /* NULL: whatever it is */
    uint64_t size;
};

struct reading {
    struct slice text;
    uint64_t position;
    const struct expected *expected;
};

static void assert_next(struct reading *reading, const struct frame *frame)
{
    const struct expected *expected = reading->expected++;
    if (frame->kind != expected->kind || frame->offset != reading->position ||
        frame->size != expected->size || (expected->text && !slice_is(frame->line, expected->text)))
        fail_msg("kind %d at %llu of %llu bytes: \"%.*s\" instead of kind %d of %llu: \"%s\"", frame->kind,
                 (unsigned long long)frame->offset, (unsigned long long)frame->size, (int)frame->line.size,
                 frame->line.data, expected->kind, (unsigned long long)expected->size, expected->text);
    reading->position += frame->size;
}

/* Reads one piece from the position on, as a pipeline does, and lets the last event end when all is there. */
static void read_piece(struct reading *reading, const struct pattern *start, struct joiner_limits limits,
                       size_t end)
{
    struct framer framer;
    struct joiner joiner;
    struct frame frame;
    size_t begin = reading->position;
    char *piece = malloc(end - begin + 1); /* of its own, so that a sanitizer sees a byte too much */
    assert_non_null(piece);
    memcpy(piece, reading->text.data + begin, end - begin);
    framer_init(&framer, begin, LINE_MAX);
    joiner_init(&joiner, start, limits);
    framer_feed(&framer, slice_from(piece, end - begin));
    while ((frame = joiner_next(&joiner, &framer)).kind != FRAME_END && frame.kind != FRAME_PARTIAL)
        assert_next(reading, &frame);
    if (frame.kind == FRAME_PARTIAL) {
        assert_int_equal(frame.offset, reading->position);
        assert_int_equal(frame.offset + frame.size, end);
    }
    while (end == reading->text.size && (frame = joiner_last(&joiner, &framer, true)).kind != FRAME_END)
        assert_next(reading, &frame);
    free(piece);
}

static void assert_events(const char *start_text, struct joiner_limits limits, struct slice text,
                          const struct expected *expected)
{
    struct pattern *start = NULL;
    assert_int_equal(pattern_new(start_text, false, NULL, &start), 0);
    for (size_t step = 1; step <= text.size; step++) {
        struct reading reading = {.text = text, .expected = expected};
        for (size_t end = step; reading.position < text.size; end += step)
            read_piece(&reading, start, limits, end < text.size ? end : text.size);
        assert_int_equal(reading.expected->size, 0);
    }
    pattern_free(start);
}

static const struct joiner_limits wide = {100, 1000};

static void an_event_is_a_line_that_begins_one_and_what_goes_on_with_it(void **state)
{
    (void)state;
    const struct expected expected[] = {{FRAME_LINE, "before", 7},
                                        {FRAME_LINE, "# a\n  b\n\n  c", 13},
                                        {FRAME_LINE, "# d\r\n e\r", 9},
                                        {FRAME_LINE, "# f", 4},
                                        {0}};
    assert_events("^#", wide, SLICE("before\n# a\n  b\n\n  c\n# d\r\n e\r\n# f\n"), expected);
}

static void the_last_line_belongs_to_it_though_it_has_no_newline(void **state)
{
    (void)state;
    const struct expected joined[] = {{FRAME_LINE, "# a\n b", 6}, {0}};
    assert_events("^#", wide, SLICE("# a\n b"), joined);
    const struct expected apart[] = {{FRAME_LINE, "# a", 4}, {FRAME_LINE, "# b", 3}, {0}};
    assert_events("^#", wide, SLICE("# a\n# b"), apart);
}

static void at_its_limits_an_event_ends_and_the_rest_is_one_of_its_own(void **state)
{
    (void)state;
    const struct expected lines[] = {
        {FRAME_LINE, "# a\n1\n2", 8}, {FRAME_LINE, "3\n4\n5", 6}, {FRAME_LINE, "6", 2}, {0}};
    assert_events("^#", (struct joiner_limits){3, 1000}, SLICE("# a\n1\n2\n3\n4\n5\n6\n"), lines);
    const struct expected bytes[] = {{FRAME_LINE, "# a\n1234", 9},
                                     {FRAME_LINE, "5678\n12", 8},
                                     {FRAME_LINE, "a line above the limit", 23},
                                     {FRAME_LINE, "x", 2},
                                     {0}};
    assert_events("^#", (struct joiner_limits){100, 10},
                  SLICE("# a\n1234\n5678\n12\na line above the limit\nx\n"), bytes);
}

static void a_line_above_the_limit_and_a_run_of_nuls_end_an_event(void **state)
{
    (void)state;
    const struct expected expected[] = {{FRAME_LINE, "# a\n b", 7}, {FRAME_TOO_LONG, NULL, 61},
                                        {FRAME_LINE, " c", 3},      {FRAME_BLANK, NULL, 3},
                                        {FRAME_LINE, " d", 3},      {0}};
    struct pattern *start = NULL;
    struct slice text = SLICE("# a\n b\n............................................................\n"
                              " c\n\0\0\0 d\n");
    assert_int_equal(pattern_new("^#", false, NULL, &start), 0);
    struct reading reading = {.text = text, .expected = expected};
    read_piece(&reading, start, wide, text.size);
    assert_int_equal(reading.expected->size, 0);

    /* In pieces, the event ends as soon as the line is seen to be too long. */
    reading = (struct reading){.text = text, .expected = expected};
    read_piece(&reading, start, wide, 60);
    assert_int_equal(reading.position, 7);
    pattern_free(start);
}

static void an_event_at_the_end_waits_until_it_is_let_go(void **state)
{
    (void)state;
    struct pattern *start = NULL;
    struct framer framer;
    struct joiner joiner;
    assert_int_equal(pattern_new("^#", false, NULL, &start), 0);
    framer_init(&framer, 0, LINE_MAX);
    joiner_init(&joiner, start, wide);
    framer_feed(&framer, SLICE("# a\n b\n half"));
    struct frame frame = joiner_next(&joiner, &framer);
    assert_int_equal(frame.kind, FRAME_PARTIAL);
    frame = joiner_last(&joiner, &framer, false);
    assert_int_equal(frame.kind, FRAME_LINE);
    assert_int_equal(frame.size, 7);
    assert_int_equal(joiner_last(&joiner, &framer, false).kind, FRAME_END);
    pattern_free(start);
}

static void without_a_start_every_line_is_an_event(void **state)
{
    (void)state;
    struct framer framer;
    struct joiner joiner;
    framer_init(&framer, 0, LINE_MAX);
    joiner_init(&joiner, NULL, (struct joiner_limits){0});
    framer_feed(&framer, SLICE("a\n\n b\nc"));
    assert_int_equal(joiner_next(&joiner, &framer).size, 2);
    assert_int_equal(joiner_next(&joiner, &framer).kind, FRAME_BLANK);
    assert_int_equal(joiner_next(&joiner, &framer).size, 3);
    assert_int_equal(joiner_next(&joiner, &framer).kind, FRAME_PARTIAL);
    assert_int_equal(joiner_last(&joiner, &framer, false).kind, FRAME_END);
    assert_int_equal(joiner_last(&joiner, &framer, true).kind, FRAME_LINE);
    assert_int_equal(joiner_last(&joiner, &framer, true).kind, FRAME_END);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_event_is_a_line_that_begins_one_and_what_goes_on_with_it),
        cmocka_unit_test(the_last_line_belongs_to_it_though_it_has_no_newline),
        cmocka_unit_test(at_its_limits_an_event_ends_and_the_rest_is_one_of_its_own),
        cmocka_unit_test(a_line_above_the_limit_and_a_run_of_nuls_end_an_event),
        cmocka_unit_test(an_event_at_the_end_waits_until_it_is_let_go),
        cmocka_unit_test(without_a_start_every_line_is_an_event),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
