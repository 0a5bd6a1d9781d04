/*
 * How fast lines are found and scanned, against the fastest that could be: memchr() counting newlines in the
 * same memory. Prints MB/s and the ratio.
 */
#define _GNU_SOURCE /* memmem */

#include "shipper/frame.h"
#include "shipper/scan_private.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

enum { BENCH_BYTES = 16 << 20, PIECE_BYTES = 256 << 10, ROUNDS = 25 };

#define NOW_NS INT64_C(1760884200000000000)

struct corpus {
    char *data;
    size_t size;
    uint64_t lines;
    uint64_t errors;
};

static int64_t clock_ns(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return now.tv_sec * INT64_C(1000000000) + now.tv_nsec;
}

/* Records of about 250 bytes, of four levels and shapes as services mix them. */
static size_t put_record(char *out, uint64_t seq)
{
    static const char *const levels[] = {"INFO", "INFO", "DEBUG", "INFO", "WARNING", "INFO", "ERROR", "INFO"};
    const char *level = levels[(seq * 2654435761u >> 7) % 8];
    char *at = out;
    at += sprintf(at,
                  "{\"timestamp\":\"2025-10-19T14:%02d:%02d.%09dZ\",\"level\":\"%s\",\"service\":"
                  "\"checkout\",\"logger\":"
                  "\"backend.database\",\"message\":\"Request %" PRIu64 " done\",\"run_id\":"
                  "\"019a2b6e-7c1d-7f3a-9a55-3f1c2b7d8e90\",\"seq\":%" PRIu64,
                  (int)(seq / 60000 % 30), (int)(seq / 1000 % 60), (int)(seq % 1000) * 1000003, level,
                  seq * 7919, seq);
    if (level[0] == 'E')
        at +=
            sprintf(at, ",\"exception\":{\"type\":\"OperationalError\",\"message\":\"database is locked\"}");
    at += sprintf(at, ",\"pid\":4711,\"tid\":%d,\"fields\":{\"attempt\":%d}}\n", 4713 + (int)(seq % 8),
                  (int)(seq % 3));
    return (size_t)(at - out);
}

static struct corpus make_corpus(void)
{
    struct corpus c = {.data = malloc(BENCH_BYTES + SCAN_PADDING)};
    if (!c.data)
        abort();
    while (c.size + 1024 < BENCH_BYTES)
        c.size += put_record(c.data + c.size, ++c.lines);
    memset(c.data + c.size, 0, SCAN_PADDING);
    for (const char *at = c.data;
         (at = memmem(at, (size_t)(c.data + c.size - at), "\"level\":\"ERROR\"", 15)); at++)
        c.errors++;
    return c;
}

static uint64_t count_newlines(const struct corpus *c)
{
    uint64_t count = 0;
    const char *end = c->data + c->size;
    for (const char *at = c->data; (at = memchr(at, '\n', (size_t)(end - at))); at++)
        count++;
    return count;
}

enum stage { STAGE_FRAME, STAGE_SCAN, STAGE_INTERPRET };

struct totals {
    uint64_t lines;
    uint64_t errors;
};

static void take_line(struct scanner *scanner, const struct frame *frame, enum stage stage,
                      struct totals *totals)
{
    static struct event event;
    totals->lines++;
    if (stage == STAGE_FRAME || scan_mapped_line(scanner, frame->map, frame->line, frame->odd, &event) != 0)
        return;
    if (stage == STAGE_INTERPRET)
        event_interpret(scanner, &event, NOW_NS, 0);
    else
        event.level = event.value[EVENT_LEVEL].size == 5 && event.value[EVENT_LEVEL].data[0] == 'E'
                          ? LEVEL_ERROR
                          : LEVEL_INFO;
    totals->errors += event.level == LEVEL_ERROR;
}

static struct totals run_through(const struct corpus *c, struct scanner *scanner, enum stage stage)
{
    struct totals totals = {0};
    struct framer framer;
    framer_init(&framer, 0, 1 << 20);
    while (framer.offset < c->size) {
        size_t left = c->size - framer.offset;
        framer_feed(&framer, slice_from(c->data + framer.offset, left < PIECE_BYTES ? left : PIECE_BYTES));
        struct frame frame;
        while (framer_take_usual_line(&framer, &frame) || (frame = framer_next(&framer)).kind == FRAME_LINE)
            take_line(scanner, &frame, stage, &totals);
    }
    return totals;
}

static double best_mb_s(const struct corpus *c, struct scanner *scanner, int stage)
{
    int64_t best_ns = INT64_MAX;
    for (int i = 0; i < ROUNDS; i++) {
        int64_t begin_ns = clock_ns();
        struct totals totals =
            stage < 0 ? (struct totals){count_newlines(c), 0} : run_through(c, scanner, (enum stage)stage);
        int64_t took_ns = clock_ns() - begin_ns;
        best_ns = took_ns < best_ns ? took_ns : best_ns;
        if (totals.lines != c->lines || (stage > STAGE_FRAME && totals.errors != c->errors)) {
            fprintf(stderr, "bench_scan: counted %" PRIu64 " lines, %" PRIu64 " errors\n", totals.lines,
                    totals.errors);
            exit(1);
        }
    }
    return (double)c->size * 1e3 / (double)best_ns;
}

int main(void)
{
    struct corpus c = make_corpus();
    struct scanner *scanner;
    if (scanner_new(&(struct scan_config){.format = "liblog"}, NULL, &scanner) < 0)
        return 1;
    printf("%" PRIu64 " records of %zu bytes on average\n", c.lines, (size_t)(c.size / c.lines));
    double memchr_mb_s = best_mb_s(&c, scanner, -1);
    printf("%-28s %8.0f MB/s\n", "memchr", memchr_mb_s);
    printf("%-28s %8.0f MB/s\n", "frame", best_mb_s(&c, scanner, STAGE_FRAME));
    size_t count;
    const struct scan_way *ways = scan_ways(&count);
    for (size_t i = 0; i < count; i++) {
        if (!ways[i].usable())
            continue;
        scanner->way = &ways[i];
        double scan_mb_s = best_mb_s(&c, scanner, STAGE_SCAN);
        double all_mb_s = best_mb_s(&c, scanner, STAGE_INTERPRET);
        printf(
            "%-6s frame+scan            %8.0f MB/s, %5.2f times memchr's time; with interpret %8.0f MB/s\n",
            ways[i].name, scan_mb_s, memchr_mb_s / scan_mb_s, all_mb_s);
    }
    scanner_free(scanner);
    free(c.data);
    return 0;
}
