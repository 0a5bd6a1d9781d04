/*
 * What a line is worth, and who gets it. The lines of a pass go through the stages in groups: all are
 * scanned, then all are counted, then each lane is given all of them. That keeps a stage's code and tables
 * close at hand, and lets an output have many lines that lie end to end as one.
 */
#include "pipeline_pass.h"

#include "liblog/base/cleanup.h"

#include <stdlib.h>

enum { LOOK_BACK_BYTES = 64 * 1024, PUMP_STEP_MS = 20 };

static void fail_for_memory(struct pass *pass)
{
    problem_set(&pass->pipeline->fatal, ERR_INT_002, "no memory is left to count %s",
                pass->source->record.path);
}

/* ---- scanning ---- */

/* The time of the last record in these bytes that tells one; `time_ns` when none does. */
static int64_t last_time_in(struct pass *pass, struct slice bytes, uint64_t offset, int64_t time_ns)
{
    struct framer framer;
    struct joiner joiner;
    struct frame frame;
    framer_init(&framer, offset, LOOK_BACK_BYTES);
    pass_begin_joining(pass, &joiner);
    framer_feed(&framer, bytes);
    while ((frame = joiner_next(&joiner, &framer)).kind != FRAME_END && frame.kind != FRAME_PARTIAL) {
        struct event event;
        if (frame.kind != FRAME_LINE || scan_line(pass->scanner, frame.line, &event) != 0)
            continue;
        event_interpret(pass->scanner, &event, pass->now_ns, time_ns);
        time_ns = event.time_ns;
        pass->source->tells_time |= !event.bad_time;
    }
    return time_ns;
}

/*
 * A record without a time takes that of the one before it. After a restart that one was read by another
 * process, so it is looked for in the file: the same answer on every replay.
 */
static void look_back(struct pass *pass)
{
    struct source *source = pass->source;
    uint64_t begin = pass->begin > LOOK_BACK_BYTES ? pass->begin - LOOK_BACK_BYTES : 0;
    size_t size = 0;
    enum source_end end;
    _cleanup_free_ char *memory = calloc(1, LOOK_BACK_BYTES + SCAN_PADDING);
    source->knows_time = true;
    if (!memory || begin == pass->begin ||
        source_read(source, begin, memory, (size_t)(pass->begin - begin), &size, &end, NULL) < 0)
        return;
    source->last_time_ns = last_time_in(pass, slice_from(memory, size), begin, source->last_time_ns);
}

static inline void interpret(struct pass *pass, struct event *event)
{
    struct source *source = pass->source;
    event_interpret(pass->scanner, event, pass->now_ns, source->last_time_ns);
    if (event->bad_time && !source->knows_time) {
        look_back(pass);
        event->time_ns = source->last_time_ns;
    }
    /* Text in which nothing tells a time goes on telling that of the file. */
    if (event->bad_time && !source->tells_time && scan_format_is_text(source->input->scan.format))
        event->time_ns = source->record.evidence.modified_ns;
    if (!pass_takes(pass, LANE_STATS))
        return;
    source->last_time_ns = event->time_ns;
    source->knows_time = true;
    source->tells_time |= !event->bad_time;
}

static inline enum line_worth worth_of(struct pass *pass, struct line *line)
{
    if (line->frame.kind == FRAME_BLANK)
        return LINE_BLANK;
    line->reason = REJECT_TOO_LONG;
    if (line->frame.kind != FRAME_LINE)
        return LINE_REJECT;
    const struct frame *frame = &line->frame;
    int result = frame->map
                     ? scan_mapped_line(pass->scanner, frame->map, frame->line, frame->odd, &line->event)
                     : scan_line(pass->scanner, frame->line, &line->event);
    if (result != 0) {
        line->reason = (enum reject_reason)(result - 1);
        return LINE_REJECT;
    }
    interpret(pass, &line->event);
    return line->event.is_copy && !pass->source->input->copies_count ? LINE_COPY : LINE_RECORD;
}

void lines_judge(struct pass *pass, struct line *lines, int count)
{
    for (int i = 0; i < count; i++)
        lines[i].worth = worth_of(pass, &lines[i]);
}

/* ---- counting ---- */

static void count_reject(struct pass *pass, const struct line *line)
{
    if (batch_add_reject(pass->pipeline->batch, pass->source->record.id, line->frame.offset, line->reason,
                         line->frame.line) < 0)
        fail_for_memory(pass);
    pass->source->counters.rejected++;
    pass->pipeline->totals.rejected++;
}

static void count_other(struct pass *pass, const struct line *line)
{
    struct source_counters *counters = &pass->source->counters;
    counters->copies += line->worth == LINE_COPY;
    counters->blank += line->worth == LINE_BLANK;
    if (line->worth == LINE_REJECT)
        count_reject(pass, line);
}

/* What all records of a group add to is added once. */
static void count_lines(struct pass *pass, const struct line *lines, int count)
{
    struct source_counters *counters = &pass->source->counters;
    const struct event *events[LINES_AT_ONCE];
    unsigned records = 0, bad_time = 0, utf8 = 0;
    for (int i = 0; i < count; i++) {
        if (lines[i].worth != LINE_RECORD) {
            count_other(pass, &lines[i]);
            continue;
        }
        events[records++] = &lines[i].event;
        bad_time += lines[i].event.bad_time;
        utf8 += lines[i].event.bad_utf8;
    }
    if (records &&
        batch_add(pass->pipeline->batch, events, (int)records, slice_of(pass->source->input->service)) < 0)
        fail_for_memory(pass);
    counters->records += records;
    counters->bad_time += bad_time;
    counters->utf8 += utf8;
    pass->pipeline->totals.records += records;
}

/* ---- giving lines to outputs ---- */

static void pump(struct pass *pass, struct output *output, int timeout_ms)
{
    struct problem problem = {0};
    output_pump(output, timeout_ms, &problem);
    pipeline_tell(pass->pipeline, &problem);
}

/* Waits for a full output as long as the pass has patience, since all lanes in step is what reads a file only
 * once. */
static bool send_to(struct pass *pass, struct output *output, const struct output_record *record)
{
    struct problem problem;
    enum output_result result;
    problem.error = ERR_NONE; /* enough, and clearing its text for each record is not free */
    while ((result = output_send(output, record, &problem)) == OUTPUT_FULL) {
        if (pass->patience_ns <= 0 || pipeline_stops(pass->pipeline))
            break;
        int64_t before_ns = pipeline_mono_ns();
        pump(pass, output, PUMP_STEP_MS);
        pass->patience_ns -= pipeline_mono_ns() - before_ns;
    }
    pipeline_tell(pass->pipeline, &problem);
    return result == OUTPUT_TAKEN;
}

/* NULL for a line that is no record. */
static const struct event *event_of(const struct line *line)
{
    return line->worth == LINE_RECORD ? &line->event : NULL;
}

/* Which lines an output is given. */
struct choice {
    uint32_t levels; /* of records, bit 1 << level */
    bool rejects;
};

static struct choice choice_of(const struct pass *pass, const struct output *output)
{
    uint32_t levels = output_levels(output);
    return (struct choice){levels, pass->source->input->invalid_forward && levels >> LEVEL_UNKNOWN & 1};
}

static inline bool is_chosen(const struct choice *choice, const struct line *line)
{
    if (line->worth == LINE_RECORD)
        return choice->levels >> line->event.level & 1;
    /* Of a line above the limit only the head is in memory, so it cannot go out as it is. */
    return choice->rejects && line->worth == LINE_REJECT && line->reason != REJECT_TOO_LONG;
}

static const char *end_of(const struct pass *pass, const struct line *line)
{
    return pass->piece.data + (line->frame.offset + line->frame.size - pass->piece_offset);
}

/* How many lines from the first on go the same way: none to the output, or all of them as one, since lines
 * lie end to end. */
static int count_alike(const struct choice *choice, const struct line *lines, int count, bool goes)
{
    int alike = 1;
    while (alike < count && is_chosen(choice, &lines[alike]) == goes)
        alike++;
    return alike;
}

static bool forward(struct pass *pass, struct output *output, const struct line *lines, int count)
{
    const struct frame *first = &lines[0].frame, *last = &lines[count - 1].frame;
    const char *end = end_of(pass, &lines[count - 1]);
    struct output_record record = {
        .line = slice_from(first->line.data, (size_t)(end - first->line.data)),
        .event = event_of(&lines[0]),
        .source = pass->source,
        .offset = first->offset,
        .end = last->offset + last->size,
        .count = (uint32_t)count,
        .is_whole = pass->joiner.start != NULL,
    };
    return send_to(pass, output, &record);
}

static void give_to_lane(struct pass *pass, int lane, const struct line *lines, int count)
{
    struct output *output = pass->pipeline->lane[lane].output;
    struct choice choice = choice_of(pass, output);
    bool one_by_one = !output_takes_many(output) || pass->joiner.start;
    for (int i = 0, alike; i < count; i += alike) {
        bool goes = is_chosen(&choice, &lines[i]);
        alike = goes && one_by_one ? 1 : count_alike(&choice, &lines[i], count - i, goes);
        const struct frame *last = &lines[i + alike - 1].frame;
        if (!goes)
            output_skip(output, pass->source, last->offset + last->size);
        else if (!forward(pass, output, &lines[i], alike)) {
            pass->lanes &= ~(1u << lane);
            pass->source->position[lane] = lines[i].frame.offset;
            return;
        }
    }
}

/* ---- all of it ---- */

void lines_take(struct pass *pass, const struct line *lines, int count)
{
    /* Only what the statistics take is counted: lanes that lag have seen it counted already. */
    if (pass_takes(pass, LANE_STATS))
        count_lines(pass, lines, count);
    stage_end(&pass->pipeline->stages, STAGE_WINDOW);
    for (int lane = LANE_STATS + 1; lane < pass->pipeline->lane_count; lane++)
        if (pass_takes(pass, lane))
            give_to_lane(pass, lane, lines, count);
    stage_end(&pass->pipeline->stages, STAGE_OUTPUT);
    pass->done = lines[count - 1].frame.offset + lines[count - 1].frame.size;
}
