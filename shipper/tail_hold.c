/*
 * Deleted files that are kept open because somebody has not read them: they take space that no listing shows,
 * and descriptors that other files need. So there are limits, and beyond them the one that was deleted first
 * goes.
 */
#include "tail_internal.h"

struct held {
    uint64_t bytes;
    int files;
    struct tracked *oldest;
};

static struct held survey(struct tail *tail)
{
    struct held held = {0};

    for (size_t i = 0; i < tail->stray_count; i++) {
        struct tracked *tracked = tail->strays[i];
        if (!tracked->file.unlinked || tracked->file.lost || tracked->file.fd < 0) {
            tracked->held_at_ns = 0;
            continue;
        }
        if (tracked->held_at_ns == 0)
            tracked->held_at_ns = tail->own_time_ns + 1;
        held.bytes += tracked->source.record.evidence.size;
        held.files++;
        if (!held.oldest || tracked->held_at_ns < held.oldest->held_at_ns)
            held.oldest = tracked;
    }
    return held;
}

/* Which limit is crossed, in words; NULL when none is. */
static const char *crossed_limit(const struct tail *tail, const struct held *held)
{
    int64_t ns_max = tail->options.hold_ns_max ? tail->options.hold_ns_max : INT64_MAX;
    uint64_t bytes_max = tail->options.hold_bytes_max ? tail->options.hold_bytes_max : UINT64_MAX;

    if (!held->oldest)
        return NULL;
    if (tail->own_time_ns - held->oldest->held_at_ns >= ns_max)
        return "its time is over";
    if (held->bytes > bytes_max)
        return "deleted files take too much space";
    return held->files > tail->pool.open_max / 2 ? "deleted files take too many descriptors" : NULL;
}

static void let_go(struct tail *tail, struct tracked *tracked, const char *why)
{
    struct problem problem = {0};
    uint64_t before = tracked->source.counters.lost_bytes;

    tail_lose(tail, tracked);
    uint64_t lost = tracked->source.counters.lost_bytes - before;
    problem_set(&problem, ERR_IO_008,
                "%s was deleted and is let go: %s; %llu bytes of it were not read by all",
                tracked->source.record.path, why, (unsigned long long)lost);
    if (lost > 0 && tail->on_problem)
        tail->on_problem(tail->on_problem_context, &problem);
}

void tail_limit_held(struct tail *tail)
{
    struct held held = survey(tail);
    const char *why;

    while ((why = crossed_limit(tail, &held)) != NULL) {
        let_go(tail, held.oldest, why);
        held = survey(tail);
    }
}
