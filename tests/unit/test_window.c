#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "event_maker.h"
#include "shipper/window.h"

#include <stdio.h>
#include <stdlib.h>

static struct series_key key_of(const char *service, enum level level, const char *endpoint)
{
    struct series_key key = {.level = level};
    key.text[SERIES_SERVICE] = slice_of(service);
    key.text[SERIES_ENDPOINT] = slice_of(endpoint);
    key.text[SERIES_LOGGER] = slice_of("root");
    return key;
}

static void windows_start_at_multiples_also_before_1970(void **state)
{
    (void)state;
    assert_int_equal(window_start(1760884205, WINDOW_10S), 1760884200);
    assert_int_equal(window_start(1760884200, WINDOW_10S), 1760884200);
    assert_int_equal(window_start(-1, WINDOW_MINUTE), -60);
    assert_int_equal(window_start(-60, WINDOW_MINUTE), -60);
    assert_int_equal(window_start(-61, WINDOW_DAY), -86400);
}

static void a_record_counts_in_the_window_of_its_own_time(void **state)
{
    (void)state;
    struct series_table series;
    struct window_table windows;
    struct series *row;
    const struct series_key key = key_of("shop", LEVEL_ERROR, "");
    assert_int_equal(series_table_init(&series, 10, 1), 0);
    assert_int_equal(window_table_init(&windows), 0);
    assert_int_equal(series_table_take(&series, &key, &row), 0);

    static const struct {
        int64_t time_ns, start;
    } cases[] = {{0, 0},
                 {9999999999, 0},
                 {10000000000, 10},
                 {-1, -10},
                 {5, 0},
                 {-10000000000, -10},
                 {10000000001, 10},
                 {INT64_MIN, -9223372040},
                 {INT64_MIN + 1, -9223372040},
                 {INT64_MAX, 9223372030},
                 {INT64_MAX - 1, 9223372030},
                 {7, 0}};
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct window_cell *cell = NULL;
        assert_int_equal(window_table_take(&windows, row, cases[i].time_ns, &cell), 0);
        assert_int_equal(cell->start, cases[i].start);
        cell->count++;
    }
    assert_int_equal(windows.count, 5);
    assert_int_equal(windows.cells[0].count, 4);
    assert_int_equal(windows.cells[1].count, 2);
    assert_int_equal(windows.cells[2].count, 2);
    window_table_release(&windows);
    series_table_release(&series);
}

/* Truth: counts kept by a plain array over all windows and series. */
static void coarser_windows_are_the_sums_of_finer_ones(void **state)
{
    (void)state;
    enum { CELLS = 5000, SERIES = 3, DAYS = 2 };
    static uint64_t truth[WINDOW_RESOLUTIONS][DAYS * WINDOW_DAY / WINDOW_10S][SERIES];
    static struct window_cell cells[CELLS];
    srand(20251019);
    for (int i = 0; i < CELLS; i++) {
        int64_t start = (rand() % (DAYS * WINDOW_DAY / WINDOW_10S)) * WINDOW_10S;
        cells[i] = (struct window_cell){start, (uint64_t)(rand() % 5), (uint32_t)(rand() % SERIES)};
        for (int r = 0; r < WINDOW_RESOLUTIONS; r++)
            truth[r][start / window_resolution_s[r]][cells[i].series] += cells[i].count;
    }
    uint32_t count = CELLS;
    for (int r = 0; r < WINDOW_RESOLUTIONS; r++) {
        uint32_t before = count;
        count = window_roll_up(cells, count, window_resolution_s[r]);
        assert_true(count <= before);
        for (uint32_t i = 0; i < count; i++) {
            uint64_t *expected = &truth[r][cells[i].start / window_resolution_s[r]][cells[i].series];
            assert_int_equal(cells[i].count, *expected);
            *expected = 0;
            if (i)
                assert_true(cells[i - 1].start < cells[i].start ||
                            (cells[i - 1].start == cells[i].start && cells[i - 1].series < cells[i].series));
        }
        for (int w = 0; w < DAYS * WINDOW_DAY / window_resolution_s[r]; w++)
            for (int s = 0; s < SERIES; s++)
                assert_int_equal(truth[r][w][s], 0);
    }
}

static void equal_texts_are_one_series_and_others_are_not(void **state)
{
    (void)state;
    struct series_table table;
    assert_int_equal(series_table_init(&table, 100000, 7), 0);
    char endpoint[32];
    struct series *row, *other;
    for (int round = 0; round < 2; round++)
        for (uint32_t i = 0; i < 3000; i++) {
            snprintf(endpoint, sizeof(endpoint), "/api/%u", i);
            struct series_key key = key_of("shop", LEVEL_ERROR, endpoint);
            assert_int_equal(series_table_take(&table, &key, &row), 0);
            assert_int_equal(row->index, i);
            assert_ptr_equal(row, series_at(&table, i));
        }
    /* The same bytes, divided otherwise between the texts. */
    struct series_key a = key_of("ab", LEVEL_ERROR, "c"), b = key_of("a", LEVEL_ERROR, "bc");
    assert_int_equal(series_table_take(&table, &a, &row), 0);
    assert_int_equal(series_table_take(&table, &b, &other), 0);
    assert_ptr_not_equal(row, other);
    series_table_release(&table);
}

/* An event with this text as its endpoint, in a line of its own. */
static struct event event_with(char text[static SERIES_TEXT_BYTES_MAX + 1], size_t size)
{
    struct event event = {.level = LEVEL_ERROR};
    text[size] = '\0';
    event_set(&event, EVENT_ENDPOINT, text);
    return event;
}

static const struct value no_service = {.data = "", .kind = VALUE_STRING};

/* As if the event looked like one of the first series. */
static struct series *recalled(struct series_table *table, struct event event)
{
    series_table_remember(table, &event, &no_service, series_at(table, 0));
    return series_table_recall(table, &event, &no_service);
}

static void a_series_is_recalled_by_all_of_its_key_and_nothing_else(void **state)
{
    (void)state;
    char text[SERIES_TEXT_BYTES_MAX + 1];
    for (size_t i = 0; i < SERIES_TEXT_BYTES_MAX; i++)
        text[i] = (char)('a' + i % 23);
    for (size_t size = SERIES_TEXT_BYTES_MAX; size > 0; size--) {
        struct series_table table;
        struct series *series;
        struct event event = event_with(text, size), other;
        struct series_key key = {.level = LEVEL_ERROR};
        key.text[SERIES_ENDPOINT] = slice_from(text, size);
        assert_int_equal(series_table_init(&table, 10, 1), 0);
        assert_null(series_table_recall(&table, &event, &no_service));
        assert_int_equal(series_table_take(&table, &key, &series), 0);
        series_table_remember(&table, &event, &no_service, series);
        assert_ptr_equal(series_table_recall(&table, &event, &no_service), series);
        assert_ptr_equal(recalled(&table, event_with(text, size)), series);
        for (size_t i = 0; i < size; i++) {
            text[i] ^= 1;
            assert_null(recalled(&table, event_with(text, size)));
            text[i] ^= 1;
        }
        other = event = event_with(text, size);
        other.value[EVENT_ENDPOINT].size = (uint32_t)size - 1;
        assert_null(recalled(&table, other));
        other.value[EVENT_ENDPOINT] = (struct value){0};
        assert_null(recalled(&table, other));
        other = event;
        for (int kind = VALUE_NUMBER; kind <= VALUE_ARRAY; kind++) {
            other.value[EVENT_ENDPOINT].kind = (uint16_t)kind;
            assert_ptr_equal(recalled(&table, other), kind <= VALUE_TRUE ? series : NULL);
        }
        other = event;
        other.value[EVENT_ENDPOINT].escaped = true;
        assert_null(recalled(&table, other));
        other = event;
        other.level = LEVEL_INFO;
        assert_null(recalled(&table, other));
        other = event;
        other.value[EVENT_SERVICE] = event.value[EVENT_ENDPOINT];
        assert_null(recalled(&table, other));
        series_table_release(&table);
    }
}

static void a_series_without_texts_is_recalled_by_its_level(void **state)
{
    (void)state;
    struct series_table table;
    struct series *series;
    struct event event = {.level = LEVEL_ERROR};
    struct series_key key = {.level = LEVEL_ERROR};
    assert_int_equal(series_table_init(&table, 10, 1), 0);
    assert_int_equal(series_table_take(&table, &key, &series), 0);
    assert_ptr_equal(recalled(&table, event), series);
    event.value[EVENT_LOGGER] = no_service;
    assert_ptr_equal(recalled(&table, event), series);
    event.level = LEVEL_INFO;
    assert_null(recalled(&table, event));
    series_table_release(&table);
}

static void beyond_max_series_endpoints_become_other_and_services_stay(void **state)
{
    (void)state;
    enum { MAX = 32 };
    struct series_table table;
    char endpoint[32], service[32];
    struct series *row, *first_other, *again;
    assert_int_equal(series_table_init(&table, MAX, 7), 0);
    for (int i = 0; i < MAX; i++) {
        snprintf(endpoint, sizeof(endpoint), "/%d", i);
        struct series_key key = key_of("shop", LEVEL_ERROR, endpoint);
        assert_int_equal(series_table_take(&table, &key, &row), 0);
        assert_true(slice_is(row->key.text[SERIES_ENDPOINT], endpoint));
    }
    struct series_key beyond = key_of("shop", LEVEL_ERROR, "/new");
    assert_int_equal(series_table_take(&table, &beyond, &first_other), 0);
    assert_true(slice_is(first_other->key.text[SERIES_ENDPOINT], "other"));
    assert_true(slice_is(first_other->key.text[SERIES_LOGGER], "root"));
    beyond = key_of("shop", LEVEL_ERROR, "/newer");
    assert_int_equal(series_table_take(&table, &beyond, &again), 0);
    assert_ptr_equal(again, first_other);
    beyond = key_of("shop", LEVEL_ERROR, "/3");
    assert_int_equal(series_table_take(&table, &beyond, &again), 0);
    assert_int_equal(again->index, 3);
    for (int i = 0; i < 100; i++) {
        snprintf(service, sizeof(service), "service-%d", i);
        beyond = key_of(service, LEVEL_INFO, "/x");
        assert_int_equal(series_table_take(&table, &beyond, &row), 0);
        assert_true(slice_is(row->key.text[SERIES_SERVICE], service));
        assert_true(slice_is(row->key.text[SERIES_ENDPOINT], "other"));
        assert_int_equal(row->key.text[SERIES_TYPE].size, 0);
    }
    /* With no step left the logger has gone too. */
    assert_true(slice_is(row->key.text[SERIES_LOGGER], "other"));
    series_table_release(&table);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(windows_start_at_multiples_also_before_1970),
        cmocka_unit_test(a_record_counts_in_the_window_of_its_own_time),
        cmocka_unit_test(coarser_windows_are_the_sums_of_finer_ones),
        cmocka_unit_test(equal_texts_are_one_series_and_others_are_not),
        cmocka_unit_test(a_series_is_recalled_by_all_of_its_key_and_nothing_else),
        cmocka_unit_test(a_series_without_texts_is_recalled_by_its_level),
        cmocka_unit_test(beyond_max_series_endpoints_become_other_and_services_stay),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
