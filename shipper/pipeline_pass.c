/*
 * One piece of one source: read, cut into lines, scanned once, and given to every lane that stands at its
 * beginning.
 *
 *        position of lane 2          of lanes 0 and 1
 *              |                           |
 *     ---------+===========================+-----------------------------> bytes of the source
 *              a pass for lane 2 alone,    then one for all three, if each can take more
 *              up to where the next stands
 *
 * A lane whose output takes no more leaves the pass where it stands; the others go on.
 */
#include "pipeline_pass.h"

#include "tail_file.h"

#include "liblog/base/cleanup.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

enum { NUMBER_OF_LANES_MAX = 32 };

static_assert((int)LANE_COUNT_MAX <= (int)NUMBER_OF_LANES_MAX, "lanes are bits of a uint32_t");

/* ---- the reader ---- */

int reader_init(struct reader *reader, const struct config *config)
{
    uint64_t line_max = 0;
    for (int i = 0; i < config->input_count; i++) {
        if (config->inputs[i].line_bytes_max > line_max)
            line_max = config->inputs[i].line_bytes_max;
    }
    *reader = (struct reader){.capacity = PIECE_BYTES + (size_t)line_max};
    reader->memory = calloc(1, reader->capacity + SCAN_PADDING);
    reader->lines = calloc(LINES_AT_ONCE, sizeof(*reader->lines));
    return reader->memory && reader->lines ? 0 : -ERR_INT_002;
}

void reader_release(struct reader *reader)
{
    while (reader->long_lines)
        reader_forget(reader, reader->long_lines->source);
    free(reader->memory);
    free(reader->lines);
}

static struct long_line **long_line_of(struct reader *reader, const struct source *source)
{
    struct long_line **at = &reader->long_lines;
    while (*at && (*at)->source != source)
        at = &(*at)->next;
    return at;
}

static void forget_long_line(struct reader *reader, const struct source *source)
{
    struct long_line **at = long_line_of(reader, source);
    struct long_line *line = *at;
    if (line)
        *at = line->next;
    free(line);
}

void reader_forget(struct reader *reader, const struct source *source)
{
    forget_long_line(reader, source);
    if (reader->kept_of == source)
        reader->kept_of = NULL;
}

/* Without memory the line is looked through from its beginning again: slower, not wrong. */
static void remember_long_line(struct reader *reader, struct source *source, const struct framer *framer)
{
    struct long_line **at = long_line_of(reader, source);
    if (!*at)
        *at = calloc(1, sizeof(**at));
    if (!*at)
        return;
    (*at)->source = source;
    (*at)->framer = *framer;
}

/* ---- which lanes ---- */

static bool lane_is_ready(struct pipeline *pipeline, struct source *source, int lane)
{
    struct lane *of = &pipeline->lane[lane];
    if (of->given_up || source_unread_bytes(source, lane) == 0 ||
        source_is_blocked(pipeline->tail, source, lane))
        return false;
    if (lane == LANE_STATS)
        return pipeline_can_count(pipeline);
    return output_ready(of->output) && output_resume(of->output, source, source->position[lane]);
}

/* Chooses the lanes, where they begin and how far they may go. */
static void choose_lanes(struct pass *pass)
{
    uint32_t ready = 0;
    uint64_t begin = UINT64_MAX;
    for (int lane = 0; lane < pass->pipeline->lane_count; lane++) {
        if (!lane_is_ready(pass->pipeline, pass->source, lane))
            continue;
        ready |= 1u << lane;
        if (pass->source->position[lane] < begin)
            begin = pass->source->position[lane];
    }
    pass->begin = begin;
    pass->limit = UINT64_MAX;
    for (int lane = 0; lane < pass->pipeline->lane_count; lane++) {
        uint64_t position = pass->source->position[lane];
        if (ready >> lane & 1 && position == begin)
            pass->lanes |= 1u << lane;
        else if (position > begin && position < pass->limit)
            pass->limit = position;
    }
    pass->patience_ns = pass_takes(pass, LANE_STATS) ? PATIENCE_NS : 0;
}

void pass_begin_joining(const struct pass *pass, struct joiner *joiner)
{
    const struct config_input *input = pass->source->input;
    uint64_t line_max = input->line_bytes_max, bytes_max = input->multiline.bytes_max;
    struct joiner_limits limits = {input->multiline.lines_max, bytes_max < line_max ? bytes_max : line_max};
    joiner_init(joiner, pass->pipeline->event_start[input - pass->pipeline->config->inputs], limits);
}

/* ---- the last line, which has no newline ---- */

/* Whether nothing can follow what was read: an older generation, a deleted file, the end of a compressed one.
 */
static bool ends_for_good(const struct source *source)
{
    if (source->record.evidence.compressed)
        return source->file && source->file->length != FILE_LENGTH_UNKNOWN;
    return source->file && source->file->state == FILE_FINISHED;
}

/* A whole object is a record; half of one is cut, or in a file that may still grow left where it is. */
static void take_unended(struct pass *pass, struct frame frame, bool for_good)
{
    struct line *line = pass->pipeline->reader.lines;
    line->frame = frame;
    lines_judge(pass, line, 1);
    if (line->worth == LINE_REJECT && frame.kind == FRAME_LINE && !for_good)
        return;
    if (line->worth == LINE_REJECT && frame.kind == FRAME_LINE)
        line->reason = REJECT_CUT;
    lines_take(pass, line, 1);
}

/* An event of several lines waits until nothing was added to the file for a while. */
static bool was_quiet(struct pass *pass)
{
    struct source *source = pass->source;
    uint64_t end = pass->piece_offset + pass->piece.size;
    int64_t now_ns = pipeline_mono_ns();
    if (source->quiet_end != end || !source->quiet_since_ns) {
        source->quiet_end = end;
        source->quiet_since_ns = now_ns;
    }
    return pass->end == SOURCE_WAIT && now_ns - source->quiet_since_ns >= source->input->multiline.timeout_ns;
}

/* When a pass is to look whether it was quiet for long enough; 0: that is not waited for. */
static int64_t quiet_at_ns(const struct pass *pass)
{
    const struct source *source = pass->source;
    uint64_t end = pass->piece_offset + pass->piece.size;
    bool waits = scan_format_is_text(source->input->scan.format) && pass->end == SOURCE_WAIT &&
                 source->quiet_end == end && source->quiet_since_ns;
    return waits ? source->quiet_since_ns + source->input->multiline.timeout_ns : 0;
}

/* In text nothing can be cut: what has no newline at the end for good is a line, too. */
static void take_last_events(struct pass *pass, bool at_end, bool for_good)
{
    if (!at_end && !was_quiet(pass))
        return;
    struct line *line = pass->pipeline->reader.lines;
    while ((line->frame = joiner_last(&pass->joiner, &pass->framer, for_good)).kind != FRAME_END) {
        lines_judge(pass, line, 1);
        lines_take(pass, line, 1);
    }
}

/* Where another lane stands a line has ended, whatever follows: it took the same bytes for the last line
 * once. */
static void take_last_line(struct pass *pass)
{
    bool at_limit = pass->piece_offset + pass->piece.size == pass->limit;
    bool for_good = at_limit || ends_for_good(pass->source);
    bool at_end = at_limit || pass->end == SOURCE_FINISHED || (pass->end == SOURCE_BROKEN && for_good);
    if (scan_format_is_text(pass->source->input->scan.format)) {
        take_last_events(pass, at_end, for_good);
        return;
    }
    if (!at_end || (pass->framer.skipping && !for_good))
        return;
    struct frame frame = framer_last(&pass->framer);
    if (frame.kind != FRAME_END)
        take_unended(pass, frame, for_good);
}

/* ---- the pass ---- */

static void begin_framing(struct pass *pass)
{
    const struct long_line *line = *long_line_of(&pass->pipeline->reader, pass->source);
    if (line && line->framer.skip_offset == pass->begin)
        pass->framer = line->framer;
    else
        framer_init(&pass->framer, pass->begin, pass->source->input->line_bytes_max);
    pass_begin_joining(pass, &pass->joiner);
    pass->piece_offset = pass->framer.offset;
    pass->done = pass->begin;
}

/* The bytes kept from the piece before move to the front. Returns how many there are. */
static size_t use_kept(struct pass *pass)
{
    struct reader *reader = &pass->pipeline->reader;
    bool fits = reader->kept_of == pass->source && pass->piece_offset >= reader->kept_offset &&
                pass->piece_offset - reader->kept_offset <= reader->kept.size;
    reader->kept_of = NULL;
    if (!fits)
        return 0;
    size_t passed = (size_t)(pass->piece_offset - reader->kept_offset);
    memmove(reader->memory, reader->kept.data + passed, reader->kept.size - passed);
    return reader->kept.size - passed;
}

static int read_piece(struct pass *pass, size_t size)
{
    struct reader *reader = &pass->pipeline->reader;
    struct problem problem = {0};
    uint64_t room = pass->limit - pass->piece_offset;
    size_t kept = use_kept(pass), got = 0;
    size = size < room ? size : (size_t)room;
    int result = 0;
    pass->end = SOURCE_MORE;
    if (size > kept)
        result = source_read(pass->source, pass->piece_offset + kept, reader->memory + kept, size - kept,
                             &got, &pass->end, &problem);
    if (result < 0)
        pass->pipeline->fatal = problem;
    else
        pipeline_tell(pass->pipeline, &problem);
    pass->piece = slice_from(reader->memory, kept + got);
    stage_end(&pass->pipeline->stages, STAGE_READ);
    return result;
}

static void keep_rest(struct pass *pass)
{
    struct reader *reader = &pass->pipeline->reader;
    uint64_t from = pass->done > pass->piece_offset ? pass->done : pass->piece_offset;
    uint64_t end = pass->piece_offset + pass->piece.size;
    if (!pass->source->record.evidence.compressed || pass->framer.skipping || from > end)
        return;
    reader->kept_of = pass->source;
    reader->kept_offset = from;
    reader->kept = slice_from(pass->piece.data + (from - pass->piece_offset), (size_t)(end - from));
}

/*
 * The next lines of the piece, at most LINES_AT_ONCE. *ret_last is the kind of what came last, a line or
 * none. The head of a line above the limit is the framer's own, so nothing is cut behind it before it is
 * dealt with.
 */
static int cut_lines(struct pass *pass, struct line *lines, enum frame_kind *ret_last)
{
    int count = 0;
    do {
        struct frame *frame = &lines[count].frame;
        if (pass->joiner.start || !framer_take_usual_line(&pass->framer, frame))
            *frame = joiner_next(&pass->joiner, &pass->framer);
        *ret_last = frame->kind;
        if (*ret_last == FRAME_END || *ret_last == FRAME_PARTIAL)
            break;
        count++;
    } while (count < LINES_AT_ONCE && *ret_last != FRAME_TOO_LONG && framer_keeps_map(&pass->framer));
    return count;
}

static void take_lines(struct pass *pass)
{
    struct line *lines = pass->pipeline->reader.lines;
    enum frame_kind last;
    framer_feed(&pass->framer, pass->piece);
    do {
        int count = cut_lines(pass, lines, &last);
        stage_end(&pass->pipeline->stages, STAGE_FRAME);
        lines_judge(pass, lines, count);
        stage_end(&pass->pipeline->stages, STAGE_SCAN);
        if (count)
            lines_take(pass, lines, count);
        if (!pass->lanes || pass->pipeline->fatal.error)
            return;
    } while (last != FRAME_END && last != FRAME_PARTIAL);
    /* FRAME_END within a line above the limit leaves something to end, too. */
    if (last == FRAME_PARTIAL || pass->framer.skipping)
        take_last_line(pass);
}

/* The last bytes before the position, for the source's marker: all that were read now, or the last 256 of
 * them. */
static struct slice recent_bytes(struct pass *pass, char memory[static SOURCE_MARKER_BYTES_MAX])
{
    uint64_t from = pass->begin > pass->piece_offset ? pass->begin : pass->piece_offset;
    if (pass->done - from > SOURCE_MARKER_BYTES_MAX)
        from = pass->done - SOURCE_MARKER_BYTES_MAX;
    size_t size = (size_t)(pass->done - from);
    if (from == pass->begin || size == SOURCE_MARKER_BYTES_MAX)
        return slice_from(pass->piece.data + (from - pass->piece_offset), size);
    /* The end of a line above the limit that began some pieces before. */
    enum source_end end;
    source_read(pass->source, pass->done - SOURCE_MARKER_BYTES_MAX, memory, SOURCE_MARKER_BYTES_MAX, &size,
                &end, NULL);
    return size == SOURCE_MARKER_BYTES_MAX ? slice_from(memory, size) : (struct slice){0};
}

static void move_statistics(struct pass *pass)
{
    char memory[SOURCE_MARKER_BYTES_MAX];
    source_moved(pass->source, pass->done, recent_bytes(pass, memory));
    pass->pipeline->totals.bytes += pass->done - pass->begin;
}

/* Outputs write or copy what they borrowed; the lanes that are still here stand behind the last line. */
static bool end_pass(struct pass *pass, uint32_t began_with)
{
    bool moved = false;
    for (int lane = 0; lane < pass->pipeline->lane_count; lane++) {
        struct problem problem = {0};
        if (!(began_with >> lane & 1))
            continue;
        if (lane != LANE_STATS)
            output_settle(pass->pipeline->lane[lane].output, &problem);
        pipeline_tell(pass->pipeline, &problem);
        if (pass_takes(pass, lane))
            pass->source->position[lane] = pass->done;
        moved |= pass->source->position[lane] > pass->begin;
    }
    stage_end(&pass->pipeline->stages, STAGE_OUTPUT);
    if (pass_takes(pass, LANE_STATS) && pass->done > pass->begin)
        move_statistics(pass);
    stage_end(&pass->pipeline->stages, STAGE_READ); /* the marker of what was read */
    if (moved) {
        pipeline_touch(pass->pipeline);
        pipeline_unsettle(pass->pipeline, pass->source);
    }
    return moved;
}

/* Looking through a line above the limit is progress, too, though no position moves. */
static bool note_long_line(struct pass *pass)
{
    struct reader *reader = &pass->pipeline->reader;
    if (pass->framer.skipping && pass->lanes) {
        remember_long_line(reader, pass->source, &pass->framer);
        return pass->piece.size > 0;
    }
    forget_long_line(reader, pass->source);
    return false;
}

bool pipeline_pass(struct pipeline *pipeline, struct source *source)
{
    struct pass pass = {
        .pipeline = pipeline,
        .source = source,
        .scanner = pipeline->scanner[source->input - pipeline->config->inputs],
        .now_ns = pipeline_wall_ns(),
    };
    stage_begin(&pipeline->stages);
    choose_lanes(&pass);
    uint32_t began_with = pass.lanes;
    if (!began_with) {
        pipeline_let_wait(pipeline, source, 0, 0);
        return false;
    }
    begin_framing(&pass);
    if (read_piece(&pass, PIECE_BYTES) < 0)
        return false;
    take_lines(&pass);
    if (pass.done == pass.begin && pass.end == SOURCE_MORE && !pass.framer.skipping && pass.lanes) {
        keep_rest(&pass); /* a line, or an event of several, longer than a piece */
        begin_framing(&pass);
        if (read_piece(&pass, pipeline->reader.capacity) < 0)
            return false;
        take_lines(&pass);
    }
    bool looked_through = note_long_line(&pass);
    bool moved = end_pass(&pass, began_with);
    keep_rest(&pass);
    if (!moved && !looked_through)
        pipeline_let_wait(pipeline, source, pass.end == SOURCE_MORE ? 0 : pass.lanes, quiet_at_ns(&pass));
    return moved || looked_through;
}
