#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "event_maker.h"
#include "shipper/batch_content.h"
#include "shipper/column_text.h"

#include <stdio.h>
#include <stdlib.h>

static struct batch *batch_made(uint64_t series_max)
{
    struct batch *batch;
    assert_int_equal(batch_new(series_max, &batch), 0);
    return batch;
}

static uint64_t counted(const struct batch *batch, const char *service, const char *type, int64_t start)
{
    uint64_t sum = 0;
    for (uint32_t i = 0; i < batch->now.windows.count; i++) {
        const struct window_cell *cell = &batch->now.windows.cells[i];
        const struct series_key *key = &series_at(&batch->series, cell->series)->key;
        if (cell->start == start && slice_is(key->text[SERIES_SERVICE], service) &&
            slice_is(key->text[SERIES_TYPE], type))
            sum += cell->count;
    }
    return sum;
}

static void records_are_counted_by_series_and_window(void **state)
{
    (void)state;
    struct batch *batch = batch_made(100);
    for (int64_t second = 0; second < 40; second++) {
        struct event a = event_of(LEVEL_ERROR, 1000 + second, "shop", "Timeout");
        struct event b = event_of(LEVEL_ERROR, 1000 + second, "bank", "Refused");
        assert_int_equal(add_event(batch, &a, SLICE("fallback")), 0);
        if (second % 4 == 0)
            assert_int_equal(add_event(batch, &b, SLICE("fallback")), 0);
    }
    assert_int_equal(batch->now.counted, 50);
    for (int64_t start = 1000; start < 1040; start += 10)
        assert_int_equal(counted(batch, "shop", "Timeout", start), 10);
    assert_int_equal(counted(batch, "bank", "Refused", 1000), 3);
    assert_int_equal(counted(batch, "bank", "Refused", 1010), 2);
    batch_free(batch);
}

static void a_record_without_service_gets_that_of_its_input(void **state)
{
    (void)state;
    struct batch *batch = batch_made(100);
    struct event event = event_of(LEVEL_ERROR, 1000, "", "Timeout");
    assert_int_equal(add_event(batch, &event, SLICE("nginx")), 0);
    event.value[EVENT_SERVICE] = (struct value){.kind = VALUE_ABSENT};
    assert_int_equal(add_event(batch, &event, SLICE("nginx")), 0);
    assert_int_equal(counted(batch, "nginx", "Timeout", 1000), 2);
    batch_free(batch);
}

static void marks_are_audited_but_only_crashes_are_counted(void **state)
{
    (void)state;
    static const char *const marks[] = {"close", "recovered", "dropped", "repeated", "crash"};
    struct batch *batch = batch_made(100);
    for (uint64_t i = 0; i < 5; i++) {
        struct event event = mark_of_run("run", i + 1, 1000, marks[i]);
        assert_int_equal(add_event(batch, &event, SLICE("")), 0);
    }
    assert_int_equal(batch->now.counted, 1);
    assert_int_equal(batch->now.runs.rows[0].audit.records, 5);
    batch_free(batch);
}

static void escaped_and_plain_spelling_are_one_series(void **state)
{
    (void)state;
    struct batch *batch = batch_made(100);
    struct event plain = event_of(LEVEL_ERROR, 1000, "shop", "a/b");
    struct event escaped = event_of(LEVEL_ERROR, 1000, "shop", "a\\/\\u0062");
    assert_int_equal(add_event(batch, &plain, SLICE("")), 0);
    assert_int_equal(add_event(batch, &escaped, SLICE("")), 0);
    assert_int_equal(counted(batch, "shop", "a/b", 1000), 2);
    batch_free(batch);
}

/* Each spelling twice, since the second time it is known by its look. */
static void a_code_is_counted_by_its_text_whatever_its_kind(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        enum value_kind kind;
        bool counts; /* as the code 500 */
    } codes[] = {{"500", VALUE_STRING, true}, {"500", VALUE_NUMBER, true},   {"501", VALUE_NUMBER, false},
                 {"null", VALUE_NULL, false}, {"null", VALUE_STRING, false}, {"null", VALUE_NULL, false},
                 {"true", VALUE_TRUE, false}, {"", VALUE_STRING, false},     {"500", VALUE_NUMBER, true}};
    struct batch *batch = batch_made(100);
    uint64_t expected = 0, without = 0;
    for (size_t i = 0; i < 2 * sizeof(codes) / sizeof(codes[0]); i++) {
        struct event event = event_of(LEVEL_ERROR, 1000, "shop", "HTTP");
        event_set(&event, EVENT_EXCEPTION_CODE, codes[i / 2].text);
        event.value[EVENT_EXCEPTION_CODE].kind = (uint16_t)codes[i / 2].kind;
        assert_int_equal(add_event(batch, &event, SLICE("")), 0);
        expected += codes[i / 2].counts;
        without += codes[i / 2].kind == VALUE_NULL || !*codes[i / 2].text;
    }
    for (uint32_t i = 0; i < batch->now.windows.count; i++) {
        const struct window_cell *cell = &batch->now.windows.cells[i];
        struct slice code = series_at(&batch->series, cell->series)->key.text[SERIES_CODE];
        assert_int_equal(cell->count, slice_is(code, "500") ? expected : code.size == 0 ? without : 2);
    }
    assert_int_equal(batch->series.count, 5);
    batch_free(batch);
}

static struct slice made(const char *text, bool clean, char memory[static COLUMN_TEXT_BYTES_MAX])
{
    struct event event = {0};
    event_set(&event, EVENT_LOGGER, text);
    return column_text(&event.value[EVENT_LOGGER], clean, memory);
}

static void long_texts_are_cut_at_a_character_with_a_hash(void **state)
{
    (void)state;
    char memory[COLUMN_TEXT_BYTES_MAX], other_memory[COLUMN_TEXT_BYTES_MAX], text[1001];
    for (size_t size = 198; size <= 1000; size++) {
        memset(text, 'x', size);
        text[size] = '\0';
        struct slice cut = made(text, true, memory);
        assert_int_equal(cut.size, size <= 200 ? size : 200);
        if (size > 200) {
            assert_int_equal(cut.data[183], '#');
            text[size - 1] = 'y';
            struct slice other = made(text, true, other_memory);
            assert_int_equal(other.size, 200);
            assert_memory_equal(cut.data, other.data, 184);
            assert_memory_not_equal(cut.data, other.data, 200);
        }
    }
    /* 61 characters of three bytes fill 183 exactly; one byte before them, and only 60 do. */
    for (int i = 0; i < 100; i++)
        memcpy(text + 3 * i, "\xe2\x82\xac", 4);
    assert_int_equal(made(text, true, memory).size, 200);
    memmove(text + 1, text, 301);
    text[0] = 'a';
    struct slice cut = made(text, true, memory);
    assert_int_equal(cut.size, 1 + 60 * 3 + 17);
    assert_int_equal(cut.data[181], '#');
}

static void what_is_no_character_becomes_the_replacement(void **state)
{
    (void)state;
    char memory[COLUMN_TEXT_BYTES_MAX];
    assert_true(slice_is(made("a\xff"
                              "b",
                              false, memory),
                         "a\xef\xbf\xbd"
                         "b"));
    assert_true(slice_is(made("a\\u0000b", true, memory), "a\xef\xbf\xbd"
                                                          "b"));
    assert_int_equal(made("", true, memory).size, 0);
    char bad[101];
    memset(bad, 0xff, 100);
    bad[100] = '\0';
    struct slice cut = made(bad, false, memory);
    assert_int_equal(cut.size, 61 * 3 + 17);
}

static void rejects_are_counted_and_the_latest_lines_kept(void **state)
{
    (void)state;
    struct batch *batch = batch_made(100);
    static char line[REJECT_LINE_BYTES_MAX + 100];
    memset(line, 'x', sizeof(line));
    for (uint64_t i = 0; i < BATCH_REJECT_LINES_MAX + 7; i++)
        assert_int_equal(batch_add_reject(batch, "019a2b6e-7c1d-7f3a-9a55-3f1c2b7d8e90", i, REJECT_NOT_JSON,
                                          slice_from(line, i ? 5 : sizeof(line))),
                         0);
    assert_int_equal(batch_add_reject(batch, "s", 9999, REJECT_CUT, slice_from(line, sizeof(line))), 0);
    assert_int_equal(batch->now.rejects.count[REJECT_NOT_JSON], BATCH_REJECT_LINES_MAX + 7);
    assert_int_equal(batch->now.rejects.count[REJECT_CUT], 1);
    assert_int_equal(batch->now.rejects.line_count, BATCH_REJECT_LINES_MAX);
    assert_int_equal(batch_reject_line(&batch->now, 0)->offset, 8);
    const struct reject_line *last = batch_reject_line(&batch->now, BATCH_REJECT_LINES_MAX - 1);
    assert_int_equal(last->offset, 9999);
    assert_int_equal(last->line.size, REJECT_LINE_BYTES_MAX);
    batch_free(batch);
}

static void an_emptied_batch_starts_from_nothing_but_knows_its_series(void **state)
{
    (void)state;
    struct batch *batch = batch_made(100);
    struct event event = event_of(LEVEL_ERROR, 1000, "shop", "Timeout");
    for (int round = 0; round < 3; round++) {
        assert_int_equal(add_event(batch, &event, SLICE("")), 0);
        assert_int_equal(counted(batch, "shop", "Timeout", 1000), 1);
        assert_int_equal(batch->series.count, 1);
        assert_true(batch_rows(batch) > 0);
        batch_set_aside(batch);
        batch_clear_aside(batch);
        assert_int_equal(batch_rows(batch), 0);
    }
    batch_free(batch);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(records_are_counted_by_series_and_window),
        cmocka_unit_test(a_record_without_service_gets_that_of_its_input),
        cmocka_unit_test(marks_are_audited_but_only_crashes_are_counted),
        cmocka_unit_test(escaped_and_plain_spelling_are_one_series),
        cmocka_unit_test(a_code_is_counted_by_its_text_whatever_its_kind),
        cmocka_unit_test(long_texts_are_cut_at_a_character_with_a_hash),
        cmocka_unit_test(what_is_no_character_becomes_the_replacement),
        cmocka_unit_test(rejects_are_counted_and_the_latest_lines_kept),
        cmocka_unit_test(an_emptied_batch_starts_from_nothing_but_knows_its_series),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
