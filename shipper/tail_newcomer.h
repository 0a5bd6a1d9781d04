/*
 * A file that turned up, on its way to a source: tail_identify.c decides, by the table of source.h and by
 * what is known of copies (tail_copy.c), and gives it to a source (tail_give.c).
 */
#ifndef SHIPPER_TAIL_NEWCOMER_H
#define SHIPPER_TAIL_NEWCOMER_H

#include "tail_internal.h"

/* One file on its way to a source. */
struct newcomer {
    const struct found_file *found;
    struct probe *probe;
    int *candidates; /* indexes of known sources */
    int candidate_count;
    enum source_verdict verdict;
    int known; /* which, unless the verdict is SOURCE_OTHER */
};

/* Whether the source's bytes were seen in a file by this scan. */
static inline bool tail_has(const struct tail *tail, const struct known *known)
{
    return known->seen_at_look == tail->scan;
}

/* ---- tail_copy.c ---- */

/* A copy of a source that is present, unchanged since it was found to be one. */
bool copy_is_known(struct tail *tail, const struct found_file *found);

/* The file is a copy of that source. Without memory for it, it is only compared again at the next scan. */
void copy_remember(struct tail *tail, const struct newcomer *n, int known);
void copy_remember_file(struct tail *tail, uint64_t device, uint64_t inode, uint64_t size,
                        int64_t modified_ns, int known);

/* The file agrees with the source n->known, whose own file is at hand, and is no copy of it all the same: it
 * has more than that one, or so little that another log may have begun with the same words by chance. */
bool copy_is_another(const struct tail *tail, const struct newcomer *n);

/* app.log.1.gz beside app.log.1, with the same head: gzip (or zstd) is at work, or has kept its input. Read
 * once, from the plain one: its source, or -1. */
int copy_plain_sibling(const struct tail *tail, const struct newcomer *n);

/* The same, of which so little is written that it has no head yet. */
bool copy_is_being_made(const struct tail *tail, const struct newcomer *n);

/* Too short yet to be known by its head or its marker, and written a moment ago: it is judged when it is
 * quiet. */
bool copy_may_be_on_its_way(const struct tail *tail, const struct newcomer *n);

/* The source that a copy is of, or -1: one that was just truncated and had outrun its copy; one whose file is
 * still at hand; one that was met in the copy, when the file is the original. */
int copy_outrun_source(const struct tail *tail, const struct newcomer *n);
int copy_original(const struct tail *tail, const struct newcomer *n);
int copy_met_first(const struct tail *tail, const struct newcomer *n);

/* ---- tail_give.c: all 0, or -1 when memory ran out ---- */

/* The file is the source n->known, by n->verdict. */
int give_known(struct tail *tail, struct newcomer *n);

/* The file is a new source. */
int give_new(struct tail *tail, struct newcomer *n);

/* What copy_outrun_source, copy_original and copy_met_first found is n->known. */
int give_outrun(struct tail *tail, struct newcomer *n);
int give_original(struct tail *tail, struct newcomer *n);
int give_swapped(struct tail *tail, struct newcomer *n);

#endif
