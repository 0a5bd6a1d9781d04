/*
 * A run's statistics with any of their bytes changed: read as a whole and in windows, counted on, and read
 * again; what comes out is JSON within its bounds.
 *
 * Input: changes of four bytes each: area, place in it (two), value.
 */
#define _GNU_SOURCE
#include "fuzz.h"

#include "liblog/base/json.h"
#include "liblog/stats_view.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { RECORDS = 400, TYPES = 300, JSON_BYTES = 4 << 20, DEPTH_MAX = 8 };
static const int64_t start_ns = INT64_C(1760000000) * STATS_SECOND_NS;

/* Made once: what each input changes a copy of. */
static struct stats_file whole;
static char *json;

static void count(struct stats *stats, int records, uint64_t seq)
{
    char type[32];
    for (int i = 0; i < records; i++) {
        struct stats_error error = {.time_ns = start_ns, .seq = seq + (uint64_t)i, .level = LL_LEVEL_ERROR};
        error.type = slice_from(type, (size_t)snprintf(type, sizeof type, "Type%d", i % TYPES));
        if (stats_count(stats, (unsigned)i % STATS_LEVELS, start_ns + i * (int64_t)STATS_SECOND_NS / 3))
            stats_error(stats, &error);
    }
    stats_stage(stats, seq + (uint64_t)records, start_ns);
    stats_commit(stats);
}

static void make_whole(void)
{
    static struct stats stats;
    struct stats_header header = {.started_ns = start_ns, .run_id = "made"};
    json = malloc(JSON_BYTES);
    fuzz_must(json && stats_file_make_private(&whole, &header) == 0);
    stats_begin(&stats, &whole, 1);
    for (uint64_t block = 0; block < 5; block++)
        count(&stats, RECORDS, 1 + block * RECORDS);
    stats_end(&stats);
}

static size_t area_offset(unsigned area)
{
    static const size_t offsets[] = {offsetof(struct stats_layout, header.started_ns),
                                     offsetof(struct stats_layout, open),
                                     offsetof(struct stats_layout, rows),
                                     offsetof(struct stats_layout, names),
                                     offsetof(struct stats_layout, recent),
                                     offsetof(struct stats_layout, seconds),
                                     offsetof(struct stats_layout, type_seconds),
                                     offsetof(struct stats_layout, type_minutes)};
    return offsets[area % (sizeof offsets / sizeof offsets[0])];
}

static void change(struct stats_layout *layout, const uint8_t *data, size_t size)
{
    for (size_t i = 0; i + 4 <= size; i += 4) {
        size_t at = area_offset(data[i]) + (data[i + 1] | (size_t)data[i + 2] << 8);
        if (at < sizeof *layout)
            ((char *)layout)[at] = (char)data[i + 3];
    }
}

static void look(const struct stats_view *view)
{
    static ll_recent_error recent[LL_RECENT_ERRORS_MAX];
    static ll_stats stats;
    const uint32_t windows[] = {0, 60, 86400};
    int recent_count = stats_view_recent(view, recent);
    for (size_t i = 0; i < sizeof windows / sizeof windows[0]; i++) {
        stats_view_get(view, start_ns + 200 * (int64_t)STATS_SECOND_NS, windows[i], &stats);
        int length = stats_view_json(&stats, recent, recent_count, json, JSON_BYTES);
        fuzz_must(length > 0 && length < JSON_BYTES);
        fuzz_must(json_is_valid(slice_from(json, (size_t)length), DEPTH_MAX));
    }
}

int fuzz_one(const uint8_t *data, size_t size)
{
    static struct stats_view view;
    if (!json)
        make_whole();
    fuzz_must(stats_file_make_private(&view.file, &whole.at->header) == 0);
    memcpy(view.file.at, whole.at, sizeof *whole.at);
    change(view.file.at, data, size);
    view.file.at->header.run_id[sizeof view.file.at->header.run_id - 1] = '\0';
    stats_begin(&view.stats, &view.file, 1 + 5 * RECORDS);
    look(&view);
    count(&view.stats, RECORDS, 1 + 5 * RECORDS);
    look(&view);
    stats_view_release(&view);
    return 0;
}
