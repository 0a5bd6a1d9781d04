#define _GNU_SOURCE
#include "drain.h"

#include "tally.h"

#include <errno.h>
#include <stdlib.h>
#include <unistd.h>

enum { SITE_SLOTS = RING_FILE_SITES_BYTES / 8, CURSORS_MAX = RING_FILE_SEGMENTS_MAX * RING_FILE_DEPTHS };
enum { BACKWARD_NS_MAX = 1000000 };

static int allocate(struct drain *drain)
{
    void *sites;
    if (os_reserve(SITE_SLOTS * sizeof *drain->sites, &sites))
        return LL_ENOMEM;
    drain->sites = sites;
    drain->view = malloc(sizeof *drain->view);
    drain->memory = malloc(2 * DRAIN_BUFFER_BYTES);
    drain->cursor = calloc(CURSORS_MAX, sizeof *drain->cursor);
    return drain->view && drain->memory && drain->cursor ? LL_OK : LL_ENOMEM;
}

int drain_init(struct drain *drain, struct ring_file *file, struct sink *log, struct sink *errors)
{
    *drain = (struct drain){.file = file, .log = log, .errors = errors, .block_bytes_max = DRAIN_BLOCK_BYTES};
    int error = allocate(drain);
    if (!error)
        error = record_run_init(&drain->run, file->identity);
    if (error) {
        drain_release(drain);
        return error;
    }
    bytes_init(&drain->block, drain->memory, DRAIN_BUFFER_BYTES);
    bytes_init(&drain->copies, drain->memory + DRAIN_BUFFER_BYTES, DRAIN_BUFFER_BYTES);
    drain->next_seq = drain->first_seq = file->progress->next_seq[ring_file_parity(file)];
    drain->announced = file->progress->announced[ring_file_parity(file)];
    return LL_OK;
}

void drain_release(struct drain *drain)
{
    for (uint32_t i = 0; drain->sites && i < SITE_SLOTS && i <= drain->file->growth->sites_used / 8; i++)
        record_site_free(drain->sites[i]);
    os_unmap(drain->sites, SITE_SLOTS * sizeof *drain->sites);
    record_run_release(&drain->run);
    free(drain->view);
    free(drain->memory);
    free(drain->cursor);
    *drain = (struct drain){0};
}

/* --- rings -> block ------------------------------------------------------------------------------------- */

static void cursor_begin(struct drain *drain, uint32_t i)
{
    struct drain_cursor *cursor = &drain->cursor[i];
    unsigned parity = ring_file_parity(drain->file);
    cursor->ring = &drain->file->segment[i / RING_FILE_DEPTHS].ring[i % RING_FILE_DEPTHS];
    cursor->position = cursor->ring->control->tail[parity];
    memcpy(cursor->announced, cursor->ring->control->announced[parity], sizeof cursor->announced);
}

/* Rings made since the last look get a cursor. */
static void cursors_grow(struct drain *drain)
{
    uint32_t count = __atomic_load_n(&drain->file->segment_count, __ATOMIC_ACQUIRE) * RING_FILE_DEPTHS;
    for (; drain->cursor_count < count; drain->cursor_count++)
        cursor_begin(drain, drain->cursor_count);
}

/* The next frame stamped up to the cut. Bytes that cannot be a frame end the ring: what is behind them is
 * lost. */
static void cursor_look(struct drain *drain, struct drain_cursor *cursor, uint64_t cut)
{
    cursor->frame = NULL;
    if (cursor->position == cursor->head)
        return;
    const struct frame *frame = frame_at(cursor->ring, cursor->position, cursor->head - cursor->position);
    if (!frame) {
        drain->counters.lost_bytes += cursor->head - cursor->position;
        cursor->position = cursor->head;
    } else if (frame->ticks <= cut) {
        cursor->frame = frame;
    }
}

static void cursors_look(struct drain *drain, uint64_t cut)
{
    cursors_grow(drain);
    for (uint32_t i = 0; i < drain->cursor_count; i++) {
        drain->cursor[i].head = ring_head(drain->cursor[i].ring);
        cursor_look(drain, &drain->cursor[i], cut);
    }
}

/* The cursor with the earliest frame; and up to which stamp it stays the earliest. */
static struct drain_cursor *cursors_earliest(struct drain *drain, uint64_t *ret_until)
{
    struct drain_cursor *earliest = NULL;
    uint64_t until = UINT64_MAX;
    for (uint32_t i = 0; i < drain->cursor_count; i++) {
        struct drain_cursor *cursor = &drain->cursor[i];
        if (!cursor->frame)
            continue;
        if (!earliest || cursor->frame->ticks < earliest->frame->ticks) {
            until = earliest ? earliest->frame->ticks : UINT64_MAX;
            earliest = cursor;
        } else if (cursor->frame->ticks < until) {
            until = cursor->frame->ticks;
        }
    }
    *ret_until = until;
    return earliest;
}

static struct record_site *new_site(struct drain *drain, const struct site_view *view)
{
    struct record_site *site = record_site_new(&drain->run, view);
    drain->starved |= !site;
    return site;
}

/* The site of a table entry, read and escaped at its first use. NULL when it cannot be believed. */
static const struct record_site *site_of(struct drain *drain, uint32_t entry)
{
    uint32_t used = __atomic_load_n(&drain->file->growth->sites_used, __ATOMIC_ACQUIRE);
    struct site_view view;
    if (entry % 8 || entry < 8 || entry >= used || used > RING_FILE_SITES_BYTES)
        return NULL;
    struct record_site **place = &drain->sites[entry / 8];
    if (*place || !site_read(drain->file->sites + entry, used - entry, &view))
        return *place;
    if (drain->sites_bytes + view.size > RING_FILE_SITES_BYTES)
        return NULL;
    *place = new_site(drain, &view);
    drain->sites_bytes += *place ? view.size : 0;
    return *place;
}

/* Time goes forward from line to line, but for real steps of the clock: two samplings of it differ by some
 * nanoseconds. */
static int64_t time_of(struct drain *drain, uint64_t ticks)
{
    int64_t unix_ns = ticks_to_unix_ns(&drain->anchor, ticks);
    if (unix_ns < drain->last_time_ns && drain->last_time_ns - unix_ns < BACKWARD_NS_MAX)
        unix_ns = drain->last_time_ns;
    drain->last_time_ns = unix_ns;
    return unix_ns;
}

static void copy_error(struct drain *drain, size_t from, unsigned level)
{
    if (drain->errors && level >= LL_LEVEL_ERROR)
        record_copy(&drain->copies, slice_from(drain->block.data + from, drain->block.size - from));
}

static void count_line(struct drain *drain, const struct frame *frame, const struct record_site *site,
                       int64_t unix_ns)
{
    if (drain->stats && stats_count(drain->stats, frame->level, unix_ns))
        tally_error(drain->stats, drain->view, &site->view, drain->next_seq, unix_ns);
}

static bool add_line(struct drain *drain, const struct frame *frame, const struct record_site *site)
{
    bool truncated = false;
    size_t from = drain->block.size;
    int64_t unix_ns = time_of(drain, frame->ticks);
    if (!record_encode(&drain->block, &drain->run, site, drain->view, drain->next_seq, unix_ns, &truncated))
        return false;
    copy_error(drain, from, frame->level);
    count_line(drain, frame, site, unix_ns);
    drain->next_seq++;
    drain->records_in_block++;
    drain->counters.truncated += truncated;
    return true;
}

/* A site that is not in the table stands in the frame itself; its parts are made for this one line. */
static bool add_placed(struct drain *drain, const struct frame *frame)
{
    struct site_view none = {.key_count = 0}, view;
    if (!frame_read(frame, &none, drain->view))
        return false;
    struct slice place = drain->view->place;
    if (!site_read(place.data, place.size, &view))
        return false;
    struct record_site *site = new_site(drain, &view);
    bool added = site && add_line(drain, frame, site);
    record_site_free(site);
    return added;
}

static bool add_usual(struct drain *drain, const struct frame *frame, const struct record_site *site)
{
    int64_t unix_ns = time_of(drain, frame->ticks);
    if (!record_encode_usual(&drain->block, &drain->run, site, frame, drain->next_seq, unix_ns))
        return false;
    if (drain->stats)
        stats_count(drain->stats, frame->level, unix_ns);
    drain->next_seq++;
    drain->records_in_block++;
    return true;
}

/* Errors are read in full: they are told to the statistics, and copied. */
static bool add_frame(struct drain *drain, const struct frame *frame)
{
    if (frame->flags & FRAME_PLACE)
        return add_placed(drain, frame);
    const struct record_site *site = site_of(drain, frame->entry);
    if (__builtin_expect(site && frame->level < LL_LEVEL_ERROR && record_is_usual(site, frame), 1))
        return add_usual(drain, frame, site);
    return site && frame_read(frame, &site->view, drain->view) && add_line(drain, frame, site);
}

static void take_from(struct drain *drain, struct drain_cursor *cursor, uint64_t until, uint64_t cut)
{
    while (cursor->frame && cursor->frame->ticks <= until && drain->block.size < drain->block_bytes_max) {
        const struct frame *frame = cursor->frame;
        bool added = add_frame(drain, frame);
        if (drain->starved)
            return;
        drain->counters.lost_bytes += added ? 0 : frame->size;
        cursor->position += frame->size;
        cursor_look(drain, cursor, cut);
    }
}

static void begin_block(struct drain *drain)
{
    drain->anchor = *ring_file_anchor(drain->file);
    drain->first_time_ns = drain->last_time_ns;
    drain->mark_time_ns = os_realtime_ns();
    drain->mark_thread = os_thread_id();
}

static void add_mark(struct drain *drain, const struct record_mark *mark)
{
    size_t from = drain->block.size;
    if (!record_encode_mark(&drain->block, &drain->run, mark, drain->next_seq, drain->mark_time_ns))
        return;
    copy_error(drain, from, mark->level);
    drain->next_seq++;
    drain->records_in_block++;
}

static void add_closing(struct drain *drain, enum drain_closing closing)
{
    const struct record_mark closed = {.mark = LL_MARK_CLOSE,
                                       .message = "log closed",
                                       .level = LL_LEVEL_INFO,
                                       .pid_thread = drain->mark_thread};
    const struct record_mark recovered = {.mark = LL_MARK_RECOVERED,
                                          .message = "the process died; its log was finished by another",
                                          .level = LL_LEVEL_WARNING,
                                          .pid_thread = drain->file->identity->pid};
    add_mark(drain, closing == DRAIN_CLOSED ? &closed : &recovered);
    drain->closing = closing;
}

void drain_close(struct drain *drain, enum drain_closing closing)
{
    begin_block(drain);
    add_closing(drain, closing);
}

static void announce(struct drain *drain, uint64_t count, enum ring_reason reason, unsigned level)
{
    static const struct {
        const char *name, *message;
    } reasons[RING_REASONS] = {
        [RING_OVERFLOW] = {"overflow", "records were left out: the ring was full"},
        [RING_DISK] = {"disk", "records were left out: the log could not be written"},
        [RING_RATE] = {"rate", "records were left out: there were too many of one place"},
        [RING_SAMPLE] = {"sample", "records were left out: one of many is taken"},
    };
    struct record_mark mark = {.mark = LL_MARK_DROPPED,
                               .message = reasons[reason].message,
                               .level = LL_LEVEL_WARNING,
                               .pid_thread = drain->mark_thread,
                               .dropped_count = count,
                               .dropped_reason = reasons[reason].name,
                               .dropped_level = (uint8_t)level};
    drain->dropped_in_block += count;
    add_mark(drain, &mark);
}

/* How many were dropped as far as this block may know: now, or when it was made the first time. */
static uint64_t dropped_in_ring(const struct drain *drain, const struct drain_cursor *cursor, unsigned level)
{
    const struct ring_control *control = cursor->ring->control;
    if (drain->again)
        return control->announced[ring_file_parity(drain->file) ^ 1][level];
    return __atomic_load_n(&control->dropped[level], __ATOMIC_RELAXED);
}

static uint64_t dropped_in_file(const struct drain *drain, enum ring_reason reason, unsigned level)
{
    const struct ring_progress *progress = drain->file->progress;
    if (drain->again)
        return progress->announced[ring_file_parity(drain->file) ^ 1].count[reason][level];
    return __atomic_load_n(&drain->file->growth->dropped.count[reason][level], __ATOMIC_RELAXED);
}

/* What all rings have counted of a level since the last telling. */
static uint64_t take_dropped_in_rings(struct drain *drain, unsigned level)
{
    uint64_t count = 0;
    for (uint32_t i = 0; i < drain->cursor_count; i++) {
        struct drain_cursor *cursor = &drain->cursor[i];
        uint64_t dropped = dropped_in_ring(drain, cursor, level);
        count += dropped - cursor->announced[level];
        cursor->announced[level] = dropped;
    }
    return count;
}

static void announce_level(struct drain *drain, enum ring_reason reason, unsigned level)
{
    uint64_t *announced = &drain->announced.count[reason][level];
    uint64_t dropped = dropped_in_file(drain, reason, level);
    uint64_t count = dropped - *announced;
    *announced = dropped;
    if (reason == RING_OVERFLOW)
        count += take_dropped_in_rings(drain, level);
    if (count)
        announce(drain, count, reason, level);
}

/* What was dropped since the last telling, summed up by reason and level. */
static void announce_dropped(struct drain *drain)
{
    for (unsigned reason = 0; reason < RING_REASONS; reason++)
        for (unsigned level = 0; level < RING_LEVELS && drain->block.size < drain->block_bytes_max; level++)
            announce_level(drain, (enum ring_reason)reason, level);
}

static void take_frames(struct drain *drain, uint64_t cut)
{
    uint64_t until;
    struct drain_cursor *cursor;
    drain->starved = false;
    while (!drain->starved && drain->block.size < drain->block_bytes_max &&
           (cursor = cursors_earliest(drain, &until)))
        take_from(drain, cursor, until, cut);
}

uint32_t drain_fill(struct drain *drain, uint64_t cut)
{
    if (drain->block.size)
        return drain->records_in_block;
    begin_block(drain);
    cursors_look(drain, cut);
    take_frames(drain, cut);
    announce_dropped(drain);
    return drain->records_in_block;
}

/* Up to the staged tails and no further. */
static bool cursors_look_again(struct drain *drain)
{
    unsigned next = ring_file_parity(drain->file) ^ 1;
    cursors_grow(drain);
    for (uint32_t i = 0; i < drain->cursor_count; i++) {
        struct drain_cursor *cursor = &drain->cursor[i];
        cursor->head = cursor->ring->control->tail[next];
        if (cursor->head < cursor->position || cursor->head > ring_head(cursor->ring))
            return false;
        cursor_look(drain, cursor, UINT64_MAX);
    }
    return true;
}

bool drain_again(struct drain *drain, const struct ring_note *note)
{
    drain->again = true;
    drain->anchor = note->anchor;
    drain->last_time_ns = note->last_time_ns;
    drain->mark_time_ns = note->mark_time_ns;
    drain->mark_thread = note->mark_thread;
    if (!cursors_look_again(drain))
        return false;
    if (note->closing == DRAIN_OPEN) {
        take_frames(drain, UINT64_MAX);
        announce_dropped(drain);
    } else {
        add_closing(drain, note->closing == DRAIN_CLOSED ? DRAIN_CLOSED : DRAIN_RECOVERED);
    }
    return drain->first_seq == note->first_seq && drain->next_seq - 1 == note->last_seq &&
           drain->block.size == note->target[0].length;
}

bool drain_is_behind(const struct drain *drain)
{
    uint32_t count = __atomic_load_n(&drain->file->segment_count, __ATOMIC_ACQUIRE) * RING_FILE_DEPTHS;
    for (uint32_t i = 0; i < drain->cursor_count; i++)
        if (ring_head(drain->cursor[i].ring) != drain->cursor[i].position)
            return true;
    return drain->block.size || count != drain->cursor_count;
}

/* --- block -> sinks ------------------------------------------------------------------------------------- */

static void stage(struct drain *drain)
{
    unsigned next = ring_file_parity(drain->file) ^ 1;
    for (uint32_t i = 0; i < drain->cursor_count; i++) {
        struct ring_control *control = drain->cursor[i].ring->control;
        control->tail[next] = drain->cursor[i].position;
        memcpy(control->announced[next], drain->cursor[i].announced, sizeof control->announced[next]);
    }
    if (drain->stats)
        stats_stage(drain->stats, drain->next_seq, drain->last_time_ns);
    drain->file->progress->next_seq[next] = drain->next_seq;
    drain->file->progress->announced[next] = drain->announced;
    drain->file->progress->closed[next] = drain->closing != DRAIN_OPEN;
}

/* Another program's last line may have no newline: ours must not be glued to it. */
static int end_foreign_line(struct sink *sink, struct ring_target *target)
{
    if (sink_ends_line(sink, target))
        return 0;
    int error = sink_write(sink, SLICE("\n"), target);
    target->offset += !error;
    return error;
}

static int prepare(struct sink *sink, struct ring_target *target, size_t size)
{
    int error = sink_prepare(sink, target);
    if (!error)
        error = end_foreign_line(sink, target);
    target->length = error ? 0 : size;
    return error;
}

static uint32_t count_lines(struct slice text)
{
    uint32_t lines = 0;
    for (size_t i = 0; i < text.size; i++)
        lines += text.data[i] == '\n';
    return lines;
}

/* The bytes of the whole lines among the first `size`. */
static size_t whole_lines(struct slice text, size_t size)
{
    const char *last = size ? memrchr(text.data, '\n', size) : NULL;
    return last ? (size_t)(last - text.data) + 1 : 0;
}

/* What cannot be copied is left out and holds nothing up. */
static void leave_out_copies(struct drain *drain, size_t from)
{
    struct slice copies = bytes_slice(&drain->copies);
    drain->counters.copies_left_out += count_lines(slice_from(copies.data + from, copies.size - from));
}

/* The copies come first: when the log's part is found whole after a crash, theirs is. */
static void write_copies(struct drain *drain, const struct ring_target *target)
{
    struct slice copies = bytes_slice(&drain->copies);
    if (target->length && sink_write(drain->errors, copies, target)) {
        size_t whole = whole_lines(copies, drain->errors->sent);
        leave_out_copies(drain, whole);
        sink_give_up(drain->errors, drain->errors->sent - whole);
    }
}

static void prepare_copies(struct drain *drain, struct ring_target *target)
{
    if (!drain->errors || !drain->copies.size || drain->copies_done)
        return;
    if (prepare(drain->errors, target, drain->copies.size))
        leave_out_copies(drain, 0);
}

static struct ring_note note_of(const struct drain *drain)
{
    return (struct ring_note){.first_seq = drain->first_seq,
                              .last_seq = drain->next_seq - 1,
                              .anchor = drain->anchor,
                              .last_time_ns = drain->first_time_ns,
                              .mark_time_ns = drain->mark_time_ns,
                              .mark_thread = drain->mark_thread,
                              .closing = drain->closing};
}

static int write_block(struct drain *drain)
{
    struct ring_note note = note_of(drain);
    int error = prepare(drain->log, &note.target[0], drain->block.size);
    if (error)
        return error;
    prepare_copies(drain, &note.target[1]);
    ring_file_note(drain->file, &note);
    write_copies(drain, &note.target[1]);
    drain->copies_done = true;
    return sink_write(drain->log, bytes_slice(&drain->block), &note.target[0]);
}

/* The rest of a block whose note stands: what is in the file already is where the note says. */
static int write_on(struct drain *drain)
{
    struct ring_target target = {.offset = drain->log->end - drain->log->sent};
    return sink_write(drain->log, bytes_slice(&drain->block), &target);
}

/* Whoever holds the lock of the statistics sees neither move, nor the records in between written over. */
static void commit(struct drain *drain)
{
    if (drain->stats)
        stats_lock(drain->stats);
    ring_file_commit(drain->file);
    if (drain->stats)
        stats_commit(drain->stats);
    for (uint32_t i = 0; i < drain->cursor_count; i++)
        ring_free(drain->cursor[i].ring, drain->cursor[i].position);
    if (drain->stats)
        stats_unlock(drain->stats);
}

static void finish_block(struct drain *drain)
{
    commit(drain);
    drain->counters.records += drain->records_in_block;
    drain->counters.bytes += drain->block.size;
    drain->counters.dropped += drain->dropped_in_block;
    bytes_cut(&drain->block, 0);
    bytes_cut(&drain->copies, 0);
    drain->records_in_block = 0;
    drain->dropped_in_block = 0;
    drain->copies_done = false;
    drain->first_seq = drain->next_seq;
}

enum { REMOVED_TRIES_MAX = 8 };

int drain_write(struct drain *drain)
{
    if (drain->block.size == 0)
        return 0;
    if (drain_is_torn(drain) && !sink_goes_on(drain->log))
        drain_let_go(drain);
    bool goes_on = drain->log->sent > 0;
    stage(drain);
    int error = -EAGAIN;
    for (int i = 0; i < REMOVED_TRIES_MAX; i++) {
        error = goes_on ? write_on(drain) : write_block(drain);
        if (error || sink_settled(drain->log))
            break;
        goes_on = false;
    }
    if (!error)
        finish_block(drain);
    return error;
}

/* --- a block of which a part is in the file ------------------------------------------------------------- */

/* The block is made of the same frames once more, up to `bytes_max`. */
static bool make_again(struct drain *drain, size_t bytes_max)
{
    bytes_cut(&drain->block, 0);
    bytes_cut(&drain->copies, 0);
    drain->next_seq = drain->first_seq;
    drain->last_time_ns = drain->first_time_ns;
    drain->records_in_block = 0;
    drain->dropped_in_block = 0;
    drain->announced = drain->file->progress->announced[ring_file_parity(drain->file)];
    if (drain->stats)
        stats_again(drain->stats);
    for (uint32_t i = 0; i < drain->cursor_count; i++)
        cursor_begin(drain, i);
    drain->again = true;
    bool stands = cursors_look_again(drain);
    drain->block_bytes_max = bytes_max;
    if (stands)
        take_frames(drain, UINT64_MAX);
    announce_dropped(drain);
    drain->block_bytes_max = DRAIN_BLOCK_BYTES;
    drain->again = false;
    return stands && drain->block.size == bytes_max;
}

/* What is left of the frames that were in the block, with its clock: the lines come out as they were. */
static void make_rest(struct drain *drain)
{
    drain->first_time_ns = drain->last_time_ns;
    take_frames(drain, UINT64_MAX);
    announce_dropped(drain);
}

/* The note goes on to tell of the whole block until the commit; a death between the two makes recovery cut
 * the part off and write it anew. */
bool drain_keep(struct drain *drain, size_t bytes)
{
    struct drain_counters before = drain->counters;
    bool copies_done = drain->copies_done;
    bool kept = make_again(drain, bytes);
    if (kept) {
        stage(drain);
        finish_block(drain);
        make_rest(drain);
        drain->copies_done = copies_done;
    } else {
        make_again(drain, DRAIN_BLOCK_BYTES);
    }
    drain->counters.truncated = before.truncated;
    drain->counters.lost_bytes = before.lost_bytes;
    return kept;
}

void drain_let_go(struct drain *drain)
{
    struct slice block = bytes_slice(&drain->block);
    size_t sent = drain->log->sent, whole = whole_lines(block, sent);
    if (!drain_is_torn(drain))
        return;
    bool kept = whole == 0 || (sink_settled(drain->log) && drain_keep(drain, whole));
    sink_give_up(drain->log, kept ? sent - whole : sent);
}
