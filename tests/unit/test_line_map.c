/* The bits that speak of a text, by every way that this machine has, against a look at each byte. */
#include "shipper/line_map.h"
#include "shipper/scan_way.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>

#include <cmocka.h>

static uint64_t chance_state = 0x9E3779B97F4A7C15;

static unsigned chance(unsigned below)
{
    chance_state ^= chance_state << 13;
    chance_state ^= chance_state >> 7;
    chance_state ^= chance_state << 17;
    return (unsigned)(chance_state % below);
}

/* Mostly letters, as text is; `rare` of 64 bytes are any. */
static void fill(char *text, size_t size, unsigned rare)
{
    for (size_t i = 0; i < size; i++)
        text[i] = chance(64) < rare ? (char)chance(256) : chance(16) ? 'x' : "\"\n"[chance(2)];
}

static bool is_stop(char c)
{
    return c == '"' || c == '\\' || (unsigned char)c < 0x20;
}

static bool is_odd(char c)
{
    return c != '\n' && ((unsigned char)c < 0x20 || (unsigned char)c >= 0x80);
}

static bool bit_of(const uint64_t *words, size_t index)
{
    return words[index / 64] >> index % 64 & 1;
}

static void assert_bits(const struct line_map *map, const char *text, size_t size)
{
    bool odd = false;
    assert_ptr_equal(map->data, text);
    assert_int_equal(map->size, size);
    for (size_t i = 0; i < size; i++) {
        assert_int_equal(bit_of(map->newline, i), text[i] == '\n');
        assert_int_equal(bit_of(map->odd, i), is_odd(text[i]));
        odd |= is_odd(text[i]);
    }
    assert_int_equal(map->is_odd, odd);
}

/* From each byte on, and from those right behind the text, where a string that has no end would go on. */
static void assert_stops(const struct line_map *map, const char *text, size_t size)
{
    size_t stop = size;
    for (size_t i = size; i-- > 0;) {
        stop = is_stop(text[i]) ? i : stop;
        assert_int_equal(i + line_map_stop(map, i), stop);
    }
    for (size_t i = size; i < size + 32; i++)
        assert_int_equal(line_map_stop(map, i), 0);
}

/* Whether a byte of the line, or of the blocks in which it begins and ends, is odd. */
static bool is_odd_line(const char *text, size_t size, size_t begin, size_t end)
{
    end = (end / 64 + 1) * 64;
    for (size_t i = begin / 64 * 64; i < end && i < size; i++)
        if (is_odd(text[i]))
            return true;
    return false;
}

static void assert_lines(const struct line_map *map, const char *text, size_t size)
{
    struct line_ends ends;
    line_map_find_lines(map, &ends);
    int count = 0;
    for (size_t i = 0, begin = 0; i < size && count < LINE_MAP_LINES_MAX; i++) {
        if (text[i] != '\n')
            continue;
        assert_int_equal(ends.at[count], i);
        assert_int_equal(ends.any_odd && ends.odd[count], is_odd_line(text, size, begin, i));
        begin = i;
        count++;
    }
    assert_int_equal(ends.count, count);
}

/* In memory of its very size, so that a sanitizer sees a byte too much. */
static void map_by_every_way(size_t size, unsigned rare)
{
    size_t count;
    const struct scan_way *ways = scan_ways(&count);
    char *text = malloc(size + 1);
    struct line_map *map = malloc(sizeof(*map));
    assert_true(text && map);
    fill(text + 1, size, rare);
    for (size_t i = 0; i < count; i++) {
        if (!ways[i].usable())
            continue;
        memset(map, 0xA5, sizeof(*map));
        line_map_make(map, slice_from(text + 1, size), ways[i].map);
        assert_bits(map, text + 1, size);
        assert_stops(map, text + 1, size);
        assert_lines(map, text + 1, size);
    }
    free(map);
    free(text);
}

static void every_way_maps_what_each_byte_is(void **state)
{
    (void)state;
    for (size_t size = 0; size <= 300; size++)
        for (unsigned rare = 0; rare <= 64; rare += 16)
            map_by_every_way(size, rare);
    for (size_t size = LINE_MAP_BYTES_MAX - 65; size <= LINE_MAP_BYTES_MAX; size++)
        map_by_every_way(size, (unsigned)(size % 3));
}

static void of_a_longer_text_the_first_bytes_are_mapped(void **state)
{
    (void)state;
    char *text = calloc(1, LINE_MAP_BYTES_MAX + 1);
    struct line_map *map = malloc(sizeof(*map));
    assert_true(text && map);
    memset(text, 'x', LINE_MAP_BYTES_MAX + 1);
    line_map_make(map, slice_from(text, LINE_MAP_BYTES_MAX + 1), scan_way_best()->map);
    assert_bits(map, text, LINE_MAP_BYTES_MAX);
    assert_stops(map, text, LINE_MAP_BYTES_MAX);
    free(map);
    free(text);
}

static void of_many_short_lines_the_first_are_found(void **state)
{
    (void)state;
    char text[2 * LINE_MAP_LINES_MAX];
    struct line_map *map = malloc(sizeof(*map));
    assert_non_null(map);
    memset(text, '\n', sizeof(text));
    line_map_make(map, slice_from(text, sizeof(text)), scan_way_best()->map);
    assert_lines(map, text, sizeof(text));
    free(map);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_way_maps_what_each_byte_is),
        cmocka_unit_test(of_a_longer_text_the_first_bytes_are_mapped),
        cmocka_unit_test(of_many_short_lines_the_first_are_found),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
