#include "line_map.h"

void line_map_make(struct line_map *map, struct slice text, line_map_function *map_blocks)
{
    size_t size = text.size < LINE_MAP_BYTES_MAX ? text.size : LINE_MAP_BYTES_MAX;
    size_t count = size / SCAN_BLOCK_SIZE, rest = size % SCAN_BLOCK_SIZE;
    map->data = text.data;
    map->size = size;
    map->is_odd = map_blocks(text.data, count, map->stop, map->newline, map->odd) != 0;
    if (rest) {
        char last[SCAN_BLOCK_SIZE] = {0}; /* what is no text is a control byte, and stops */
        memcpy(last, text.data + size - rest, rest);
        map_blocks(last, 1, &map->stop[count], &map->newline[count], &map->odd[count]);
        map->odd[count] &= (UINT64_C(1) << rest) - 1;
        map->is_odd |= map->odd[count++] != 0;
    }
    map->stop[count] = map->stop[count + 1] = UINT64_MAX;
}

static size_t block_count(const struct line_map *map)
{
    return (map->size + SCAN_BLOCK_SIZE - 1) / SCAN_BLOCK_SIZE;
}

static uint32_t index_of(size_t block, uint64_t bits)
{
    return (uint32_t)(block * SCAN_BLOCK_SIZE) + (uint32_t)__builtin_ctzll(bits | UINT64_C(1) << 63);
}

/* Nearly every block has one newline or none: that one is noted without asking. */
static int find_newlines(const struct line_map *map, uint32_t ret_at[static LINE_MAP_LINES_MAX])
{
    size_t blocks = block_count(map);
    int count = 0;
    for (size_t i = 0; i < blocks && count < LINE_MAP_LINES_MAX; i++) {
        uint64_t newlines = map->newline[i];
        ret_at[count] = index_of(i, newlines);
        count += newlines != 0;
        while ((newlines &= newlines - 1) && count < LINE_MAP_LINES_MAX)
            ret_at[count++] = index_of(i, newlines);
    }
    return count;
}

/* A line has parts of the blocks from the end of the one before to its own. */
static void find_odd_lines(const struct line_map *map, struct line_ends *ends)
{
    size_t block = 0;
    for (int i = 0; i < ends->count; i++) {
        uint64_t odd = map->odd[block];
        while (block < ends->at[i] / SCAN_BLOCK_SIZE)
            odd |= map->odd[++block];
        ends->odd[i] = odd;
    }
}

void line_map_find_lines(const struct line_map *map, struct line_ends *ret_ends)
{
    ret_ends->count = find_newlines(map, ret_ends->at);
    ret_ends->any_odd = map->is_odd;
    if (map->is_odd)
        find_odd_lines(map, ret_ends);
}

size_t line_map_far_stop(const struct line_map *map, size_t index)
{
    size_t word = index / 64;
    uint64_t stops = le64toh(map->stop[word]) >> index % 64;
    if (stops)
        return (size_t)__builtin_ctzll(stops);
    while (!map->stop[++word])
        ;
    return word * 64 + (size_t)__builtin_ctzll(le64toh(map->stop[word])) - index;
}
