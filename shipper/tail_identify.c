/*
 * Which source a file is that turned up. Three passes, the strongest claims first, so that a copy never takes
 * a source from its own file:
 *   1. the files whose inode a source has, and which are that source;
 *   2. all that are a source under another inode, and those that are like none;
 *   3. what is left: files cut short or written anew, now that it is known whether the old bytes went on
 * elsewhere.
 */
#include "tail_newcomer.h"

#include "liblog/base/cleanup.h"

#include <errno.h>
#include <fcntl.h>

enum pass { PASS_SAME_INODE, PASS_MOVED, PASS_REST, PASS_COUNT };

static bool is_same(const struct newcomer *n)
{
    return n->verdict == SOURCE_SAME || n->verdict == SOURCE_REMEMBERED;
}

static int decide(const struct tail *tail, struct newcomer *n)
{
    int count = known_candidates(&tail->known, &n->probe->facts, &n->candidates), best = -1;

    if (count < 0)
        return -1;
    n->candidate_count = count;
    _cleanup_free_ struct source_candidate *candidates = calloc((size_t)count + 1, sizeof(*candidates));
    if (!candidates)
        return -1;
    for (int i = 0; i < count; i++) {
        const struct known *known = &tail->known.items[n->candidates[i]];
        candidates[i].evidence = known_evidence(known);
        candidates[i].present = tail_has(tail, known);
    }
    n->verdict = source_decide(candidates, count, &n->probe->facts, &best);
    n->known = best >= 0 ? n->candidates[best] : -1;
    if (is_same(n) && tail_has(tail, &tail->known.items[n->known]) && copy_is_another(tail, n))
        n->verdict = SOURCE_OTHER;
    return 0;
}

/* The file is like no source: 1, or -1. */
static int settle_unknown(struct tail *tail, struct newcomer *n)
{
    int sibling = copy_plain_sibling(tail, n);

    if (sibling >= 0) {
        copy_remember(tail, n, sibling);
        return 1;
    }
    if (n->found->rest_only)
        return 1;
    bool is_new = n->verdict != SOURCE_REWRITTEN; /* else it was here before, and is nobody's copy */
    if (is_new && (copy_is_being_made(tail, n) || copy_may_be_on_its_way(tail, n))) {
        tail_scan_within(tail, FILE_QUIET_NS / 5);
        return 1;
    }
    return give_new(tail, n) < 0 ? -1 : 1;
}

/* The source's file was deleted, and is open here: the program may still write to it. */
static bool is_held_open(const struct known *known)
{
    const struct tracked *tracked = known->source ? tracked_of(known->source) : NULL;

    return tracked && tracked->file.unlinked && !tracked->file.lost && !tracked->rewritten &&
           tracked->file.fd >= 0 && !known_evidence(known)->compressed;
}

/* The sources whose file this was until now; those that lost it before are gone. */
static void note_rewritten(struct tail *tail, uint64_t inode)
{
    const struct known_set *set = &tail->known;

    for (int i = known_first_by_inode(set, inode); i >= 0 && tail->rewritten_count < TAIL_REWRITTEN_MAX;
         i = known_next_by_inode(set, i))
        if (!known_evidence(&set->items[i])->gone_ns)
            tail->rewritten[tail->rewritten_count++] = i;
}

/* 1 when it is settled what the file is, 0 when a later pass must, -1 when memory ran out. */
static int settle(struct tail *tail, struct newcomer *n, enum pass pass)
{
    const struct known *known = n->verdict == SOURCE_OTHER ? NULL : &tail->known.items[n->known];
    bool same = is_same(n);

    if (n->verdict == SOURCE_REWRITTEN && pass == PASS_SAME_INODE)
        note_rewritten(tail, n->found->inode);
    if (pass == PASS_SAME_INODE) {
        bool own = same && known_evidence(known)->inode == n->found->inode && !tail_has(tail, known);
        return own ? (give_known(tail, n) < 0 ? -1 : 1) : 0;
    }
    if (same && tail_has(tail, known)) {
        copy_remember(tail, n, n->known);
        return 1;
    }
    if (same && is_held_open(known))
        return give_original(tail, n) < 0 ? -1 : 1;
    if (same || (pass == PASS_REST && n->verdict == SOURCE_ROLLED_BACK && !tail_has(tail, known)))
        return give_known(tail, n) < 0 ? -1 : 1;
    /* A compressed file waits until it is known whose plain sibling is there. */
    if (pass == PASS_MOVED && (known || n->probe->facts.compressed))
        return 0;
    n->known = copy_outrun_source(tail, n);
    if (n->known >= 0)
        return give_outrun(tail, n) < 0 ? -1 : 1;
    n->known = copy_met_first(tail, n);
    if (n->known >= 0)
        return give_swapped(tail, n) < 0 ? -1 : 1;
    n->known = copy_original(tail, n);
    if (n->known >= 0)
        return give_original(tail, n) < 0 ? -1 : 1;
    return settle_unknown(tail, n);
}

static int identify_probed(struct tail *tail, const struct found_file *found, struct probe *probe,
                           enum pass pass)
{
    struct newcomer n = {.found = found, .probe = probe};
    int result = decide(tail, &n);

    if (result == 0)
        result = settle(tail, &n, pass);
    free(n.candidates);
    return result;
}

/* Opens what was found, and nothing else. 1, or 0 when it cannot be read now (told), or when it is another
 * file already. */
static int open_found(struct tail *tail, const struct found_file *found, struct probe *probe)
{
    struct problem problem = {0};
    int fd = file_open_path(found->path, found->is_link);

    if (fd == -ENOENT || fd == -ELOOP) {
        tail_scan_within(tail, 0);
        return 0;
    }
    if (fd < 0)
        problem_from_errno(&problem, -fd, "cannot open", found->path);
    if (fd < 0 || probe_init(probe, fd, found->path, &problem) < 0) {
        tail_tell(tail, &problem, found->path);
        return 0;
    }
    if (probe->facts.inode == found->inode && probe->facts.device == found->device)
        return 1;
    probe_release(probe);
    tail_scan_within(tail, 0);
    return 0;
}

static int identify(struct tail *tail, const struct found_file *found, enum pass pass)
{
    struct probe probe;

    if (pass == PASS_SAME_INODE && known_first_by_inode(&tail->known, found->inode) < 0)
        return 0;
    if (copy_is_known(tail, found) || !open_found(tail, found, &probe))
        return 1;
    int result = identify_probed(tail, found, &probe, pass);
    probe_release(&probe);
    return result;
}

int tail_identify(struct tail *tail, const struct found_file *const *files, size_t count,
                  struct problem *ret_problem)
{
    _cleanup_free_ bool *settled = calloc(count + 1, sizeof(*settled));
    int result = settled ? 0 : -1;

    tail->rewritten_count = 0;
    for (int pass = 0; pass < PASS_COUNT && result >= 0; pass++)
        for (size_t i = 0; i < count && result >= 0; i++)
            if (!settled[i]) {
                result = identify(tail, files[i], (enum pass)pass);
                settled[i] = result > 0;
            }
    return result < 0 ? problem_set(ret_problem, ERR_INT_002, "no memory is left for the files found") : 0;
}

/* As when it could not be read: once for each reason, and tried again after the next scan. */
static void tell_broken(struct tail *tail, struct tracked *tracked, const struct problem *problem)
{
    struct source_file *file = &tracked->file;

    if (file->told != problem->error && tail->on_problem)
        tail->on_problem(tail->on_problem_context, problem);
    file->broken = file->told = problem->error;
    file->pool->broken = true;
}

bool tail_compare_again(struct tail *tail, struct tracked *tracked, enum source_verdict *ret_verdict)
{
    const struct source_file *file = &tracked->file;
    struct problem problem = {0};
    struct probe probe;
    int fd = file->fd >= 0 ? fcntl(file->fd, F_DUPFD_CLOEXEC, 0)
                           : file_open_path(tracked->source.record.path, file->is_link);

    if (fd == -ENOENT || fd == -ELOOP) { /* it has another name by now */
        tail_scan_within(tail, 0);
        return false;
    }
    if (fd < 0)
        problem_from_errno(&problem, file->fd >= 0 ? errno : -fd, "cannot open", tracked->source.record.path);
    if (fd < 0 || probe_init(&probe, fd, tracked->source.record.path, &problem) < 0) {
        tell_broken(tail, tracked, &problem);
        return false;
    }
    *ret_verdict = source_compare(&tracked->source.record.evidence, false, &probe.facts);
    probe_release(&probe);
    return true;
}
