#define _GNU_SOURCE
/*
 * The tail against a small model: a program logs, somebody rotates, truncates, compresses and deletes, the
 * reader runs, stops, is killed and comes back, clocks are set; all of it at random, on real files. At the
 * end every line that could still be read was read exactly once by each lane, no line twice, none in the
 * wrong order, and what is counted as lost was lost.
 *
 *      model_tail [--seeds N] [--from SEED] [--steps N] [--other-device FOLDER] [-v]
 *
 * A failure names its seed; --from SEED --seeds 1 -v runs it again and tells each step.
 */
#include "reader.h"
#include "world.h"

#include <errno.h>
#include <ftw.h>
#include <getopt.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#define SECOND_NS INT64_C(1000000000)

struct options {
    long seeds, from;
    int steps;
    const char *other_device;
    bool tells;
};

struct model {
    struct chance chance;
    struct world world;
    struct reader reader;
    const struct options *options;
    long seed;
    bool has_ended;
    int read_by[READER_LANES][WORLD_LINES_MAX];
    char failure[1024];
};

__attribute__((format(printf, 2, 3))) static void tell(const struct model *model, const char *format, ...)
{
    va_list arguments;

    if (!model->options->tells)
        return;
    va_start(arguments, format);
    vfprintf(stderr, format, arguments);
    va_end(arguments);
}

__attribute__((format(printf, 2, 3))) static void fail(struct model *model, const char *format, ...)
{
    va_list arguments;

    if (model->failure[0])
        return;
    va_start(arguments, format);
    vsnprintf(model->failure, sizeof(model->failure), format, arguments);
    va_end(arguments);
}

static uint64_t below(struct model *model, uint64_t count)
{
    return chance_below(&model->chance, count);
}

/* ---- the reader's steps ---- */

static bool runs(const struct model *model)
{
    return model->reader.tail != NULL;
}

static void tell_sources(const struct model *model)
{
    struct source *source = NULL;

    while (model->options->tells && (source = tail_next(model->reader.tail, source)) != NULL)
        fprintf(stderr, "    %.8s %s: read to %llu and %llu, size %llu%s\n", source->record.id + 28,
                source->record.path, (unsigned long long)source->position[0],
                (unsigned long long)source->position[1], (unsigned long long)source->record.evidence.size,
                source->record.evidence.gone_ns ? ", gone" : "");
}

static bool has_open(void *context, const char *path)
{
    const struct model *model = context;
    struct source *source = NULL;

    while ((source = tail_next(model->reader.tail, source)) != NULL)
        if (strcmp(source->record.path, path) == 0 && !source->record.evidence.gone_ns)
            return true;
    return false;
}

static void look(struct model *model)
{
    reader_look(&model->reader);
    world_reader_looked(&model->world, has_open, model);
    tell(model, "  look\n");
    tell_sources(model);
}

static void tell_files(const struct model *model)
{
    for (int i = 0; i < model->world.file_count; i++) {
        const struct world_file *file = &model->world.files[i];
        if (!file->linked && !file->held)
            continue;
        tell(model, "    %s%s%s: %d lines", file->path, file->held ? " (deleted)" : "",
             i == model->world.current ? " (written)" : "", file->count);
        if (file->count)
            tell(model, ", %d to %d", file->lines[0], file->lines[file->count - 1]);
        tell(model, "\n");
    }
}

static void drain(struct model *model)
{
    static const size_t piece_bytes[] = {WORLD_LINE_BYTES_MAX, 5000, 1 << 16};
    int lane = (int)below(model, READER_LANES), pieces = 1 + (int)below(model, 20);

    tell(model, "  drain %d\n", lane);
    reader_drain(&model->reader, lane, piece_bytes[below(model, 3)], pieces);
}

static void commit(struct model *model)
{
    tell(model, "  commit\n");
    reader_commit(&model->reader);
}

static void pass_ms(struct model *model, int64_t ms)
{
    tell(model, "  %lld ms pass\n", (long long)ms);
    model->reader.now_ns += ms * 1000000;
}

static void pass_time(struct model *model)
{
    pass_ms(model, (int64_t)below(model, below(model, 3) ? 500 : 12000));
}

/* Less than what is taken for quiet: nobody who copies or compresses stops for so long. */
static void pass_moment(struct model *model)
{
    pass_ms(model, (int64_t)below(model, 1000));
}

static void set_clock(struct model *model)
{
    int64_t hours = (int64_t)below(model, 3) - 1;

    tell(model, "  clock by %lld h\n", (long long)hours);
    model->reader.now_ns += hours * 3600 * SECOND_NS;
}

static void start(struct model *model)
{
    tell(model, "start\n");
    reader_start(&model->reader, false);
}

static void end(struct model *model, bool killed)
{
    tell(model, "%s\n", killed ? "kill" : "stop");
    model->has_ended = true;
    (killed ? reader_kill : reader_stop)(&model->reader);
    world_reader_ended(&model->world);
}

/* All there is, by a reader of its own. */
static void run_once(struct model *model)
{
    tell(model, "once\n");
    reader_start(&model->reader, true);
    look(model);
    for (int lane = 0; lane < READER_LANES; lane++)
        while (reader_drain(&model->reader, lane, 1 << 16, 100))
            ;
    end(model, false);
}

static void step_reader(struct model *model)
{
    static void (*const steps[])(struct model *) = {look,  look,   look,   drain,     drain,    drain,
                                                    drain, commit, commit, pass_time, pass_time};

    if (!runs(model)) {
        (below(model, 4) ? start : run_once)(model);
        return;
    }
    if (below(model, 25) == 0)
        end(model, below(model, 2));
    else if (below(model, 100) == 0)
        set_clock(model);
    else
        steps[below(model, sizeof(steps) / sizeof(steps[0]))](model);
}

/* In the midst of a rotation. */
static void pause_for_reader(void *context)
{
    struct model *model = context;

    for (uint64_t steps = below(model, 4); runs(model) && steps > 0; steps--) {
        static void (*const parts[])(struct model *) = {look, drain, commit, pass_moment};
        parts[below(model, 4)](model);
    }
}

/* ---- the world's steps ---- */

/* Nobody writes before the reader has seen it, and keeps it in mind: what is written then cannot be told from
 * what was there. */
static void roll_back(struct model *model)
{
    tell(model, "roll back\n");
    world_roll_back(&model->world);
    if (!runs(model))
        start(model);
    look(model);
    commit(model);
}

static void step_world(struct model *model)
{
    struct world *world = &model->world;
    uint64_t what = below(model, 100);

    if (what < 50) {
        tell(model, "write\n");
        world_write(world, 1 + (int)below(model, 6));
    } else if (what < 56) {
        tell(model, "begin a line\n");
        world_begin_line(world);
    } else if (what < 62) {
        tell(model, "end the line\n");
        world_end_line(world);
    } else if (what < 75) {
        tell(model, "rotate\n");
        world_rotate(world);
    } else if (what < 80) {
        tell(model, "reopen\n");
        world_reopen(world);
    } else if (what < 82) {
        tell(model, "crash\n");
        world_crash(world);
    } else if (what < 84) {
        tell(model, "truncate\n");
        world_truncate(world);
    } else if (what < 86) {
        roll_back(model);
    } else if (what < 94) {
        tell(model, "compress\n");
        world_compress(world);
    } else {
        tell(model, "delete the oldest\n");
        world_delete_oldest(world);
    }
    tell_files(model);
}

/* ---- the end ---- */

/* Nobody writes any more: turns until everything is read and every state is a final one. */
static void settle(struct model *model)
{
    tell(model, "settle\n");
    world_end_line(&model->world);
    if (!runs(model))
        start(model);
    for (int quiet = 0; quiet < 4;) {
        bool moved = false;
        look(model);
        for (int lane = 0; lane < READER_LANES; lane++)
            moved |= reader_drain(&model->reader, lane, 1 << 16, 100);
        commit(model);
        model->reader.now_ns += 13 * SECOND_NS;
        quiet = moved ? 0 : quiet + 1;
    }
    reader_stop(&model->reader);
}

/* Takes one line off the front of what was read. */
static size_t check_line(struct model *model, int lane, const char *data, size_t size, int *last_of_stream)
{
    char text[WORLD_LINE_BYTES_MAX];
    int number = size >= 14 ? atoi(data + 9) : -1;

    if (number < 0 || number >= model->world.line_count) {
        /* so little of a line that was never ended that its number is not in it */
        if (size >= 14)
            fail(model, "lane %d read what is no line: %.40s", lane, data);
        return size;
    }
    const struct world_line *line = &model->world.lines[number];
    world_line_text(&model->world, number, text);
    size_t want = (size_t)line->written < size ? (size_t)line->written : size;
    if (memcmp(data, text, want) != 0 || (want < (size_t)line->written && want < size))
        fail(model, "lane %d read line %d otherwise than it was written: %.40s", lane, number, data);
    if (want < (size_t)line->written)
        fail(model, "lane %d read line %d only to byte %zu of %d", lane, number, want, line->written);
    if (model->read_by[lane][number]++ > 0)
        fail(model, "lane %d read line %d twice", lane, number);
    if (number < last_of_stream[line->stream])
        fail(model, "lane %d read line %d after line %d", lane, number, last_of_stream[line->stream]);
    last_of_stream[line->stream] = number;
    return want;
}

static void check_lane(struct model *model, int lane)
{
    int last_of_stream[WORLD_FILES_MAX * 4] = {0};

    for (int i = 0; i < model->reader.source_count; i++) {
        const struct reader_bytes *bytes = &model->reader.sources[i].bytes[lane];
        for (size_t at = 0; at < bytes->size && !model->failure[0];)
            at += check_line(model, lane, bytes->data + at, bytes->size - at, last_of_stream);
    }
    for (int number = 0; number < model->world.line_count; number++) {
        const struct world_line *line = &model->world.lines[number];
        bool whole = line->written == line->size;
        if (whole && world_is_readable(&model->world, number) && model->read_by[lane][number] == 0)
            fail(model, "lane %d never read line %d", lane, number);
    }
}

/* Bytes that may be counted as lost: of lines that some lane did not read. */
static uint64_t lost_bytes_max(const struct model *model)
{
    uint64_t bytes = 0;

    for (int number = 0; number < model->world.line_count; number++) {
        const struct world_line *line = &model->world.lines[number];
        if (line->may_be_lost || line->written < line->size)
            bytes += (uint64_t)line->written;
    }
    return bytes;
}

static void check(struct model *model)
{
    for (int lane = 0; lane < READER_LANES; lane++)
        check_lane(model, lane);
    uint64_t most = lost_bytes_max(model);
    /* A file of which nothing was read is not known again under another inode (but by its time): what was
     * moved to another file system, or compressed while nobody looked, counts as lost, and is read as another
     * source. */
    if (model->world.style == STYLE_OTHER_DEVICE || model->has_ended)
        return;
    if (model->reader.lost_bytes > most)
        fail(model, "%llu bytes are counted as lost, at most %llu were",
             (unsigned long long)model->reader.lost_bytes, (unsigned long long)most);
}

/* ---- a seed ---- */

static int remove_one(const char *path, const struct stat *st, int type, struct FTW *walk)
{
    (void)st;
    (void)type;
    (void)walk;
    return remove(path);
}

static void remove_folder(const char *path)
{
    nftw(path, remove_one, 16, FTW_DEPTH | FTW_PHYS);
}

static int64_t wall_ns(void)
{
    struct timespec now;

    clock_gettime(CLOCK_REALTIME, &now);
    return now.tv_sec * SECOND_NS + now.tv_nsec;
}

static void make_old_folder(const struct model *model, char other[static 64])
{
    other[0] = '\0';
    if (model->world.style != STYLE_OTHER_DEVICE) {
        if (mkdir("old", 0755) < 0)
            abort();
        return;
    }
    snprintf(other, 64, "%s/model-tail-XXXXXX", model->options->other_device);
    if (!mkdtemp(other) || symlink(other, "old") < 0) {
        perror(other);
        abort();
    }
}

static void run_steps(struct model *model)
{
    world_write(&model->world, 1);
    for (int step = 0; step < model->options->steps && model->world.line_count < WORLD_LINES_MAX / 2 &&
                       model->world.file_count < WORLD_FILES_MAX - 4;
         step++)
        (below(model, 2) ? step_world : step_reader)(model);
    settle(model);
    check(model);
    reader_release(&model->reader);
}

/* Whether it went well. */
static bool run_seed(const struct options *options, long seed)
{
    static struct model model;
    static char live[] = "*.log", older[] = "old/*.log";
    char *const patterns[] = {live, older};
    char folder[] = "/tmp/model-tail-XXXXXX", other[64];

    memset(&model, 0, sizeof(model));
    model.chance.state = (uint64_t)seed * UINT64_C(0x9e3779b97f4a7c15) + 77;
    model.options = options;
    model.seed = seed;
    if (!mkdtemp(folder) || chdir(folder) < 0 || chmod(folder, 0755) < 0) {
        perror(folder);
        abort();
    }
    reader_init(&model.reader, wall_ns(), patterns, 2);
    world_init(&model.world, &model.chance, (enum world_style)below(&model, STYLE_COUNT),
               &model.reader.now_ns);
    model.world.pause = pause_for_reader;
    model.world.pause_context = &model;
    make_old_folder(&model, other);
    tell(&model, "style %d\n", (int)model.world.style);
    run_steps(&model);
    world_release(&model.world);
    if (chdir("/") < 0)
        abort();
    remove_folder(folder);
    if (other[0])
        remove_folder(other);
    if (model.failure[0])
        printf("seed %ld, style %d: %s\n", seed, (int)model.world.style, model.failure);
    return !model.failure[0];
}

static int read_options(int argc, char **argv, struct options *ret_options)
{
    static const struct option names[] = {{"seeds", required_argument, NULL, 's'},
                                          {"from", required_argument, NULL, 'f'},
                                          {"steps", required_argument, NULL, 'n'},
                                          {"other-device", required_argument, NULL, 'o'},
                                          {0}};
    int letter;

    *ret_options = (struct options){.seeds = 200, .from = 1, .steps = 120, .other_device = "/dev/shm"};
    while ((letter = getopt_long(argc, argv, "v", names, NULL)) != -1) {
        if (letter == 's')
            ret_options->seeds = atol(optarg);
        else if (letter == 'f')
            ret_options->from = atol(optarg);
        else if (letter == 'n')
            ret_options->steps = atoi(optarg);
        else if (letter == 'o')
            ret_options->other_device = optarg;
        else if (letter == 'v')
            ret_options->tells = true;
        else
            return -1;
    }
    return 0;
}

int main(int argc, char **argv)
{
    struct options options;
    long failed = 0;

    if (read_options(argc, argv, &options) < 0)
        return 2;
    for (long seed = options.from; seed < options.from + options.seeds; seed++)
        failed += !run_seed(&options, seed);
    printf("%ld seeds from %ld, %ld failed\n", options.seeds, options.from, failed);
    return failed ? 1 : 0;
}
