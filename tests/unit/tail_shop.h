/* A small shipper over the real tail and real files, for the tests of the tail. The including file defines
 * _GNU_SOURCE first. */
#ifndef TESTS_TAIL_SHOP_H
#define TESTS_TAIL_SHOP_H

#include "tail_files.h"

#include "shipper/tail.h"

#include <time.h>

/*
 * A small shipper: reads what the tail gives in its order, takes whole lines, and keeps what a database would
 * keep. All that was read stands in `got`, once more after each restart.
 */
struct shop {
    struct config_input input;
    bool once;
    struct tail *tail;
    int64_t now_ns;
    char *got;
    size_t got_size;
    uint64_t lost_bytes;
    int problems;
    struct problem last_problem;
    struct source_record *known;
    int known_count;
    int lane_count; /* 0: the statistics alone */
    int64_t hold_ns_max;
    uint64_t hold_bytes_max;
    int gone_kept_max;
};

static struct shop shop;

static inline int64_t clock_ns(void)
{
    struct timespec t;
    clock_gettime(CLOCK_REALTIME, &t);
    return t.tv_sec * INT64_C(1000000000) + t.tv_nsec;
}

static inline void take_problem(void *context, const struct problem *problem)
{
    (void)context;
    shop.problems++;
    shop.last_problem = *problem;
}

static inline void start(void)
{
    struct tail_options options = {.inputs = &shop.input,
                                   .input_count = 1,
                                   .once = shop.once,
                                   .lane_count = shop.lane_count,
                                   .hold_ns_max = shop.hold_ns_max,
                                   .hold_bytes_max = shop.hold_bytes_max,
                                   .gone_kept_max = shop.gone_kept_max,
                                   .known = shop.known,
                                   .known_count = shop.known_count};

    assert_int_equal(tail_new(&options, NULL, &shop.tail), 0);
}

static inline int look(void)
{
    int result = tail_look(shop.tail, shop.now_ns, take_problem, NULL);

    assert_true(result >= 0);
    shop.now_ns += 1000000; /* a millisecond a look */
    return result;
}

static inline void pass_time(int seconds)
{
    shop.now_ns += seconds * INT64_C(1000000000);
}

/* What a transaction does: the evidence goes to the database as text. */
static inline void save(const struct source *source)
{
    struct source_record record = source->record;
    char text[SOURCE_EVIDENCE_TEXT_MAX];
    int i = 0;

    source_evidence_to_text(text, &source->record.evidence);
    assert_int_equal(source_evidence_from_text(text, &record.evidence), 0);
    while (i < shop.known_count && strcmp(shop.known[i].id, record.id) != 0)
        i++;
    record.path = strdup(record.path);
    assert_non_null(record.path);
    if (i == shop.known_count)
        shop.known = realloc(shop.known, (size_t)++shop.known_count * sizeof(*shop.known));
    else
        free(shop.known[i].path);
    shop.known[i] = record;
}

static inline void commit(void)
{
    struct source *source = NULL;

    while ((source = tail_next(shop.tail, source)) != NULL) {
        shop.lost_bytes += source->counters.lost_bytes;
        memset(&source->counters, 0, sizeof(source->counters));
        if (source->changed)
            save(source);
        source->changed = source->is_new = false;
    }
}

static inline void stop(void)
{
    commit();
    tail_free(shop.tail);
    shop.tail = NULL;
}

static inline void restart(void)
{
    if (shop.tail)
        stop();
    start();
}

/* Takes whole lines of a piece (all of it at a final end) and moves the position. */
static inline size_t take_lines(struct source *source, const char *piece, size_t size, bool all)
{
    const char *newline = memrchr(piece, '\n', size);
    size_t taken = all ? size : newline ? (size_t)(newline + 1 - piece) : 0;

    shop.got = realloc(shop.got, shop.got_size + taken + 1);
    memcpy(shop.got + shop.got_size, piece, taken);
    shop.got_size += taken;
    shop.got[shop.got_size] = '\0';
    source->position[LANE_STATS] += taken;
    if (taken)
        source_moved(source, source->position[LANE_STATS],
                     slice_from(piece + (taken > 256 ? taken - 256 : 0), taken > 256 ? 256 : taken));
    return taken;
}

static inline enum source_end read_source(struct source *source, size_t piece_size)
{
    char *piece = malloc(piece_size);
    enum source_end end = SOURCE_MORE;
    size_t size, taken = 1;

    while (end == SOURCE_MORE && taken > 0) {
        struct problem problem = {0};
        assert_int_equal(
            source_read(source, source->position[LANE_STATS], piece, piece_size, &size, &end, &problem), 0);
        if (problem.error)
            take_problem(NULL, &problem);
        taken = take_lines(source, piece, size, end == SOURCE_FINISHED || end == SOURCE_BROKEN);
    }
    free(piece);
    return end;
}

static inline void drain(void)
{
    struct source *source = NULL;

    while ((source = tail_next(shop.tail, source)) != NULL)
        if (!source_is_blocked(shop.tail, source, LANE_STATS))
            read_source(source, 4096);
}

/* With no files, and a database that knows nothing. */
static inline void begin_anew(void)
{
    struct config_input input = shop.input;

    tail_free(shop.tail);
    free(shop.got);
    source_records_free(shop.known, shop.known_count);
    assert_int_equal(leave_folder(NULL), 0);
    shop = (struct shop){.now_ns = clock_ns(), .input = input};
    assert_int_equal(enter_folder(NULL), 0);
}

/* One turn of the loop. */
static inline void turn(void)
{
    look();
    drain();
    commit();
}

static inline void assert_got(const char *want)
{
    assert_string_equal(shop.got ? shop.got : "", want);
}

static inline int source_count(void)
{
    struct source *source = NULL;
    int count = 0;

    while ((source = tail_next(shop.tail, source)) != NULL)
        count++;
    return count;
}

static inline struct source *source_at(const char *path)
{
    struct source *source = NULL, *found = NULL;

    while ((source = tail_next(shop.tail, source)) != NULL)
        if (strcmp(source->record.path, path) == 0)
            found = source;
    return found;
}

static inline int open_shop(void **state)
{
    static char pattern[] = "*.log";

    shop = (struct shop){.now_ns = clock_ns(), .input = {.rotated = true}};
    shop.input.paths[shop.input.path_count++] = pattern;
    return enter_folder(state) || chmod(test_folder, 0755);
}

static inline int close_shop(void **state)
{
    tail_free(shop.tail);
    free(shop.got);
    source_records_free(shop.known, shop.known_count);
    return leave_folder(state);
}

static inline void use_pattern(char *pattern, bool exact, bool once)
{
    shop.input.paths[0] = pattern;
    shop.input.exact = exact;
    shop.once = once;
}

static inline void make_old(const char *path, int seconds)
{
    struct timespec times[2] = {{.tv_sec = time(NULL) - seconds}, {.tv_sec = time(NULL) - seconds}};
    assert_int_equal(utimensat(AT_FDCWD, path, times, 0), 0);
}

/* By the ending of its name. */
static inline void append_packed(const char *packed, const void *bytes, size_t size)
{
    (strstr(packed, ".zst") ? append_zstd : append_gzip)(packed, bytes, size);
}

/* As gzip(1) and zstd(1) do: a new file with the same time, then the old one goes. */
static inline void pack_file(const char *path, const char *packed)
{
    struct stat st;
    char *text;
    int fd = open(path, O_RDONLY);

    assert_true(fd >= 0 && fstat(fd, &st) == 0);
    text = malloc((size_t)st.st_size + 1);
    assert_int_equal(read(fd, text, (size_t)st.st_size), st.st_size);
    close(fd);
    append_packed(packed, text, (size_t)st.st_size);
    free(text);
    struct timespec times[2] = {st.st_atim, st.st_mtim};
    assert_int_equal(utimensat(AT_FDCWD, packed, times, 0), 0);
    assert_int_equal(unlink(path), 0);
}

static inline void write_packed(const char *path, const char *text)
{
    append_packed(path, text, strlen(text));
}

static inline void copy_file(const char *from, const char *to)
{
    char bytes[65536];
    int fd = open(from, O_RDONLY);
    ssize_t size = read(fd, bytes, sizeof(bytes));

    close(fd);
    put_bytes(to, O_TRUNC, bytes, (size_t)size);
}

#define IN_SHOP(test) cmocka_unit_test_setup_teardown(test, open_shop, close_shop)

#endif
