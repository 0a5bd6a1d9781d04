/* Finishing what dead programs had logged and not yet written, so that it is read like everything else. */
#include "pipeline_internal.h"

#include "discover.h"

#include "liblog/base/cleanup.h"

#include <liblog/other.h>

#include <string.h>

/* Each log is asked for with a system call at least, so the more there are the more rarely. */
#define RECOVER_EVERY_NS    (30 * NS_PER_S)
#define RECOVER_PER_FILE_NS (6 * NS_PER_MS)

/* The tail looks at the same files next and tells what it cannot read. */
static void leave_to_tail(void *context, const struct problem *problem, const char *path)
{
    (void)context, (void)problem, (void)path;
}

static bool may_have_rings(const struct config_input *input)
{
    return strcmp(input->scan.format, "liblog") == 0;
}

static int recover(const char *path, struct problem *ret_problem)
{
    ll_recovered done = {0};
    ll_problem reason = {0};
    int result = ll_recover(path, NULL, &done, &reason);
    if (result == LL_OK && done.lost_bytes)
        return problem_set(ret_problem, ERR_LOG_001,
                           "%s: %llu bytes in rings could not be believed and are lost", path,
                           (unsigned long long)done.lost_bytes);
    if (result == LL_OK || result == LL_ENOENT)
        return 0;
    enum error error = result == LL_EACCES ? ERR_IO_002 : result == LL_EFORMAT ? ERR_LOG_001 : ERR_IO_003;
    return problem_set(ret_problem, error, "cannot finish the rings of %s: %s", path,
                       reason.text[0] ? reason.text : ll_strerror(result));
}

/* The first problem of a round is told, unless it is that of the round before. */
static void end_round(struct pipeline *pipeline, const struct problem *first)
{
    if (first->error != pipeline->recovery.told)
        pipeline_tell(pipeline, first);
    pipeline->recovery.told = first->error;
}

static void recover_one(const char *path, struct problem *first)
{
    struct problem problem = {0};
    if (recover(path, &problem) < 0 && !first->error)
        *first = problem;
}

/* Before anything was looked at, the folders are listed for it: --once reads to the size that a look finds.
 */
static void recover_found(struct pipeline *pipeline)
{
    struct discover_options options = {
        .inputs = pipeline->config->inputs,
        .input_count = pipeline->config->input_count,
        .own_files = pipeline->own_files.path,
        .own_file_count = pipeline->own_files.count,
        .on_problem = leave_to_tail,
    };
    _cleanup_(discover_release) struct found found = {0};
    struct problem first = {0};
    if (discover(&options, NULL, &found) < 0)
        return;
    for (size_t i = 0; i < found.count; i++) {
        const struct found_file *file = &found.files[i];
        if (file->generation.kind == GENERATION_LIVE && !file->rest_only &&
            may_have_rings(&pipeline->config->inputs[file->input]))
            recover_one(file->path, &first);
    }
    end_round(pipeline, &first);
}

static bool has_live_name(const char *path)
{
    char live_name[FAMILY_NAME_MAX];
    const char *slash = strrchr(path, '/');
    return generation_of(slice_of(slash ? slash + 1 : path), live_name).kind == GENERATION_LIVE;
}

static void recover_followed(struct pipeline *pipeline)
{
    struct problem first = {0};
    for (struct source *source = tail_next(pipeline->tail, NULL); source;
         source = tail_next(pipeline->tail, source)) {
        const struct source_record *record = &source->record;
        if (!record->evidence.gone_ns && may_have_rings(source->input) && has_live_name(record->path))
            recover_one(record->path, &first);
    }
    end_round(pipeline, &first);
}

void pipeline_recover(struct pipeline *pipeline)
{
    int64_t now_ns = pipeline_mono_ns();
    bool is_first = pipeline->recovery.due_ns == 0;
    if (now_ns < pipeline->recovery.due_ns)
        return;
    pipeline->recovery.due_ns =
        now_ns + RECOVER_EVERY_NS + RECOVER_PER_FILE_NS * tail_matched(pipeline->tail);
    if (is_first)
        recover_found(pipeline);
    else
        recover_followed(pipeline);
}
