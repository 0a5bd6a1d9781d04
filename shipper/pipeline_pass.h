/* One pass, for pipeline_pass.c, which reads a piece and cuts it, and pipeline_lines.c, which deals with
 * lines. */
#ifndef SHIPPER_PIPELINE_PASS_H
#define SHIPPER_PIPELINE_PASS_H

#include "pipeline_internal.h"

struct pass {
    struct pipeline *pipeline;
    struct source *source;
    struct scanner *scanner;
    uint32_t lanes; /* bit 1 << lane: takes part */
    uint64_t begin;
    uint64_t limit; /* where the next lane stands: no further; UINT64_MAX */
    struct framer framer;
    struct joiner joiner;
    struct slice piece;
    uint64_t piece_offset; /* of the piece's first byte */
    uint64_t done;         /* end of the last line dealt with */
    enum source_end end;
    int64_t now_ns;      /* unix */
    int64_t patience_ns; /* that is left for outputs that are full */
};

enum line_worth { LINE_RECORD, LINE_COPY, LINE_REJECT, LINE_BLANK };

/* A line, or an event of several, on its way through the stages. */
struct line {
    struct frame frame;
    enum line_worth worth;
    enum reject_reason reason; /* of a reject */
    struct event event;        /* of a record or copy */
};

static inline bool pass_takes(const struct pass *pass, int lane)
{
    return pass->lanes >> lane & 1;
}

/* A joiner for the pass's input; above max_line an event would not fit into the reader's memory. */
void pass_begin_joining(const struct pass *pass, struct joiner *joiner);

/* ---- pipeline_lines.c ---- */

/* Scans lines whose frames are set, and says what each is worth. Its time may be that of the record before
 * it, so lines are judged in their order, each once. */
void lines_judge(struct pass *pass, struct line *lines, int count);

/*
 * Counts lines that were judged, and gives them to the outputs; they lie end to end. A lane whose output
 * takes no more leaves the pass. The pass is done up to the end of the last.
 */
void lines_take(struct pass *pass, const struct line *lines, int count);

#endif
