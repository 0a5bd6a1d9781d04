#include "tally.h"

#include "liblog/base/cleanup.h"

enum { ROUND_RECORDS = STATS_RECENT_BLOCK_MAX };

static struct slice exception_type(const struct frame_view *frame)
{
    for (uint32_t i = frame->value_count; i-- > 0;)
        if (frame->value[i].type == LL_TYPE_EXCEPTION_TYPE)
            return frame->value[i].text;
    return slice_from("", 0);
}

void tally_error(struct stats *stats, const struct frame_view *frame, const struct site_view *site,
                 uint64_t seq, int64_t unix_ns)
{
    bool has_message = frame->frame->flags & FRAME_MESSAGE;
    const struct stats_error error = {
        .time_ns = unix_ns,
        .seq = seq,
        .level = frame->frame->level,
        .line = site->line,
        .type = exception_type(frame),
        .message = has_message ? frame->message : site->message,
        .request_id = frame->context[CONTEXT_REQUEST_ID],
        .endpoint = frame->context[CONTEXT_ENDPOINT],
        .logger = site->logger,
        .file = site->file,
    };
    stats_error(stats, &error);
}

/* --- what is not drained yet ---------------------------------------------------------------------------- */

struct walk {
    struct stats *stats;
    const struct ring_file *rings;
    struct frame_view *view;
    uint64_t records;
    int64_t last_ns;
};

/* The place of a frame: in the table, or in the frame itself. As the writer reads it: what it would not write
 * is not counted. */
static bool read_frame(struct walk *walk, const struct frame *frame, struct site_view *ret_site)
{
    const struct ring_growth *growth = walk->rings->growth;
    struct site_view none = {.key_count = 0};
    if (frame->flags & FRAME_PLACE)
        return frame_read(frame, &none, walk->view) &&
               site_read(walk->view->place.data, walk->view->place.size, ret_site);
    uint32_t used = __atomic_load_n(&growth->sites_used, __ATOMIC_ACQUIRE);
    if (frame->entry % 8 || frame->entry < 8 || frame->entry >= used || used > RING_FILE_SITES_BYTES)
        return false;
    return site_read(walk->rings->sites + frame->entry, used - frame->entry, ret_site) &&
           frame_read(frame, ret_site, walk->view);
}

static void count_frame(struct walk *walk, const struct frame *frame)
{
    struct site_view site;
    if (!read_frame(walk, frame, &site))
        return;
    int64_t unix_ns = ticks_to_unix_ns(ring_file_anchor(walk->rings), frame->ticks);
    if (stats_count(walk->stats, frame->level, unix_ns))
        tally_error(walk->stats, walk->view, &site, 0, unix_ns);
    if (unix_ns > walk->last_ns)
        walk->last_ns = unix_ns;
    if (++walk->records % ROUND_RECORDS == 0) { /* a block holds no more errors than are kept */
        stats_stage(walk->stats, walk->stats->open.next_seq, walk->last_ns);
        stats_commit(walk->stats);
    }
}

static void walk_ring(struct walk *walk, const struct ring *ring)
{
    uint64_t position = ring->control->tail[ring_file_parity(walk->rings)], head = ring_head(ring);
    while (position < head && head - position <= ring->size) {
        const struct frame *frame = frame_at(ring, position, head - position);
        if (!frame)
            return;
        count_frame(walk, frame);
        position += frame->size;
    }
}

int64_t tally_undrained(struct stats *stats, const struct ring_file *rings)
{
    struct walk walk = {.stats = stats, .rings = rings};
    _cleanup_free_ struct frame_view *view = malloc(sizeof *view);
    if (!view)
        return LL_ENOMEM;
    walk.view = view;
    uint32_t segments = __atomic_load_n(&rings->segment_count, __ATOMIC_ACQUIRE);
    for (uint32_t i = 0; i < segments; i++)
        for (int depth = 0; depth < RING_FILE_DEPTHS; depth++)
            walk_ring(&walk, &rings->segment[i].ring[depth]);
    stats_stage(stats, stats->open.next_seq, walk.last_ns);
    stats_commit(stats);
    return (int64_t)walk.records;
}
