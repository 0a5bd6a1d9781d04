#define _GNU_SOURCE /* memrchr */
#include "reader.h"

#include "shipper/tail_file.h"

#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static void must(bool condition, const char *what)
{
    if (condition)
        return;
    fprintf(stderr, "%s\n", what);
    abort();
}

void reader_init(struct reader *reader, int64_t now_ns, char *const *patterns, int pattern_count)
{
    memset(reader, 0, sizeof(*reader));
    reader->now_ns = now_ns;
    reader->input.rotated = true;
    for (int i = 0; i < pattern_count; i++)
        reader->input.paths[reader->input.path_count++] = patterns[i];
}

void reader_release(struct reader *reader)
{
    tail_free(reader->tail);
    for (int i = 0; i < reader->source_count; i++) {
        free(reader->sources[i].record.path);
        for (int lane = 0; lane < READER_LANES; lane++)
            free(reader->sources[i].bytes[lane].data);
    }
}

static struct reader_source *kept_of(struct reader *reader, const struct source *source)
{
    for (int i = 0; i < reader->source_count; i++)
        if (strcmp(reader->sources[i].id, source->record.id) == 0)
            return &reader->sources[i];
    must(reader->source_count < READER_SOURCES_MAX, "too many sources");
    struct reader_source *kept = &reader->sources[reader->source_count++];
    memcpy(kept->id, source->record.id, sizeof(kept->id));
    return kept;
}

/* ---- beginning and end ---- */

static void take_problem(void *context, const struct problem *problem)
{
    struct reader *reader = context;

    reader->problems++;
    if (getenv("MODEL_VERBOSE"))
        fprintf(stderr, "%s %s\n", error_name(problem->error), problem->text);
}

void reader_start(struct reader *reader, bool once)
{
    static struct source_record known[READER_SOURCES_MAX];
    int count = 0;

    for (int i = 0; i < reader->source_count; i++)
        if (reader->sources[i].record.path)
            known[count++] = reader->sources[i].record;
    struct tail_options options = {.inputs = &reader->input,
                                   .input_count = 1,
                                   .once = once,
                                   .lane_count = READER_LANES,
                                   .known = known,
                                   .known_count = count};
    must(tail_new(&options, NULL, &reader->tail) == 0, "tail_new");
    reader->once = once;
    reader->looked_ns = 0;
}

void reader_stop(struct reader *reader)
{
    reader_commit(reader);
    tail_free(reader->tail);
    reader->tail = NULL;
}

void reader_kill(struct reader *reader)
{
    tail_free(reader->tail);
    reader->tail = NULL;
    for (int i = 0; i < reader->source_count; i++)
        for (int lane = 0; lane < READER_LANES; lane++)
            reader->sources[i].bytes[lane].size = reader->sources[i].bytes[lane].committed;
}

/* ---- looking ---- */

static void start_source(struct reader *reader, struct source *source)
{
    const struct reader_source *kept = kept_of(reader, source);

    for (int lane = LANE_STATS + 1; kept->record.path && lane < READER_LANES; lane++) {
        uint64_t position = kept->position[lane], size = source->record.evidence.size;
        source->position[lane] = !source->record.evidence.compressed && position > size ? size : position;
    }
    source_start(source, READER_LANES);
}

/* What a look may change of a source, and its owner must be told of. */
struct sight {
    const struct source *source;
    struct source_evidence evidence;
    enum file_state state;
    bool lost;
    uint64_t unread[READER_LANES];
};

static void see(struct sight *sight, const struct source *source)
{
    memset(sight, 0, sizeof(*sight));
    sight->source = source;
    memcpy(&sight->evidence, &source->record.evidence, sizeof(sight->evidence));
    sight->state = source->file->state;
    sight->lost = source->file->lost;
    for (int lane = 0; lane < READER_LANES; lane++)
        sight->unread[lane] = source_unread_bytes(source, lane);
}

static int see_all(const struct reader *reader, struct sight *sights)
{
    struct source *source = NULL;
    int count = 0;

    while ((source = tail_next(reader->tail, source)) != NULL && count < READER_SOURCES_MAX)
        see(&sights[count++], source);
    return count;
}

static bool was_seen_so(const struct sight *sights, int count, const struct sight *now)
{
    for (int i = 0; i < count; i++)
        if (memcmp(&sights[i], now, sizeof(*now)) == 0)
            return true;
    return false;
}

/* Whether nothing is due, and nothing was heard. */
static bool may_rest(const struct reader *reader)
{
    struct pollfd news = {tail_watch_fd(reader->tail), POLLIN, 0};
    int64_t passed_ns = reader->now_ns - reader->looked_ns;

    return reader->looked_ns && passed_ns >= 0 && passed_ns < tail_due_ns(reader->tail) &&
           poll(&news, 1, 0) == 0;
}

/* Whoever goes by what is woken, and sleeps until something is due, misses nothing. */
static void check_woken(struct reader *reader, const struct sight *before, int before_count, bool rested)
{
    static const struct source *woken[READER_SOURCES_MAX];
    static struct sight after[READER_SOURCES_MAX];
    int woken_count = 0, count = see_all(reader, after);

    while (woken_count < READER_SOURCES_MAX && (woken[woken_count] = tail_next_woken(reader->tail)) != NULL)
        woken_count++;
    must(!rested || woken_count == 0, "a source was woken though nothing was due and nothing heard");
    for (int i = 0; i < count; i++) {
        bool is_woken = false;
        for (int j = 0; j < woken_count; j++)
            is_woken |= woken[j] == after[i].source;
        must(is_woken || (after[i].source->started && was_seen_so(before, before_count, &after[i])),
             "a source changed in a look and was not woken");
    }
}

void reader_look(struct reader *reader)
{
    static struct sight before[READER_SOURCES_MAX];
    struct source *source = NULL;
    int count = see_all(reader, before);
    bool rests = may_rest(reader);

    must(tail_look(reader->tail, reader->now_ns, take_problem, reader) >= 0, "tail_look");
    check_woken(reader, before, count, rests);
    reader->looked_ns = reader->now_ns;
    reader->now_ns += 1000000;
    while ((source = tail_next(reader->tail, source)) != NULL)
        if (!source->started)
            start_source(reader, source);
}

/* ---- reading ---- */

/* An output is never ahead of the statistics: it is given what they were given, or less. */

static void take_bytes(struct reader_bytes *bytes, const char *data, size_t size)
{
    bytes->data = realloc(bytes->data, bytes->size + size + 1);
    must(bytes->data != NULL, "no memory");
    memcpy(bytes->data + bytes->size, data, size);
    bytes->size += size;
}

/* As the pipeline has it: at the end of what can't grow any more the last line needs no newline. */
static bool ends_for_good(const struct source *source)
{
    return source->record.evidence.compressed ? source->file->length != FILE_LENGTH_UNKNOWN
                                              : source->file->state == FILE_FINISHED;
}

static size_t take_lines(struct reader *reader, struct source *source, int lane, const char *piece,
                         size_t size, bool at_end)
{
    const char *newline = memrchr(piece, '\n', size);
    size_t taken = at_end && ends_for_good(source) ? size : newline ? (size_t)(newline + 1 - piece) : 0;
    size_t recent = taken > SOURCE_MARKER_BYTES_MAX ? SOURCE_MARKER_BYTES_MAX : taken;

    if (taken == 0)
        return 0;
    take_bytes(&kept_of(reader, source)->bytes[lane], piece, taken);
    source->position[lane] += taken;
    if (lane == LANE_STATS)
        source_moved(source, source->position[lane], slice_from(piece + taken - recent, recent));
    source->changed = true;
    return taken;
}

static bool read_source(struct reader *reader, struct source *source, int lane, size_t piece_bytes,
                        int pieces)
{
    static char piece[1 << 16];
    enum source_end end = SOURCE_MORE;
    size_t size, taken = 1;
    bool moved = false;

    for (; pieces > 0 && end == SOURCE_MORE && taken > 0; pieces--) {
        struct problem problem = {0};
        uint64_t room =
            lane == LANE_STATS ? piece_bytes : source->position[LANE_STATS] - source->position[lane];
        size_t want = room < piece_bytes ? (size_t)room : piece_bytes;
        if (want == 0)
            break;
        int result = source_read(source, source->position[lane], piece, want, &size, &end, &problem);
        must(result == 0, "source_read");
        if (problem.error)
            take_problem(reader, &problem);
        taken = 0;
        /* Where the statistics stand a line has ended, whatever follows. */
        bool at_end = end == SOURCE_FINISHED || end == SOURCE_BROKEN || (lane != LANE_STATS && size == room);
        taken = take_lines(reader, source, lane, piece, size, at_end);
        moved |= taken > 0;
    }
    return moved;
}

bool reader_drain(struct reader *reader, int lane, size_t piece_bytes, int pieces)
{
    struct source *source = NULL;
    bool moved = false;

    while ((source = tail_next(reader->tail, source)) != NULL)
        if (source_unread_bytes(source, lane) > 0 && !source_is_blocked(reader->tail, source, lane))
            moved |= read_source(reader, source, lane, piece_bytes, pieces);
    return moved;
}

/* ---- committing ---- */

/* The evidence goes through text, as through the database. */
static void keep_record(struct reader_source *kept, const struct source *source)
{
    char text[SOURCE_EVIDENCE_TEXT_MAX];

    source_evidence_to_text(text, &source->record.evidence);
    free(kept->record.path);
    memcpy(kept->record.id, source->record.id, sizeof(kept->record.id));
    kept->record.path = strdup(source->record.path);
    must(kept->record.path && source_evidence_from_text(text, &kept->record.evidence) == 0, "evidence");
}

static void commit_source(struct reader *reader, struct source *source)
{
    struct reader_source *kept = kept_of(reader, source);

    reader->lost_bytes += source->counters.lost_bytes;
    source->counters = (struct source_counters){0};
    if (source->changed || source->is_new)
        keep_record(kept, source);
    for (int lane = 0; lane < READER_LANES; lane++) {
        kept->position[lane] = source->position[lane];
        kept->bytes[lane].committed = kept->bytes[lane].size;
    }
    source->changed = source->is_new = false;
}

static bool is_through(const struct source *source)
{
    if (!source->record.evidence.finished)
        return false;
    for (int lane = 0; lane < READER_LANES; lane++)
        if (source_unread_bytes(source, lane) > 0)
            return false;
    return true;
}

void reader_commit(struct reader *reader)
{
    struct source *source, *next;

    for (source = tail_next(reader->tail, NULL); source; source = next) {
        next = tail_next(reader->tail, source);
        commit_source(reader, source);
        if (!reader->once && is_through(source))
            tail_drop(reader->tail, source);
    }
}
