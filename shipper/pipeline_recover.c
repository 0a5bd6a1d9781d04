/* Finishing what dead programs had logged and not yet written, so that it is read like everything else. */
#include "pipeline_internal.h"

#include "discover.h"

#include "liblog/base/cleanup.h"

#include <liblog/other.h>

#include <string.h>

#define RECOVER_EVERY_NS (30 * NS_PER_S)

/* The tail looks at the same files next and tells what it cannot read. */
static void leave_to_tail(void *context, const struct problem *problem, const char *path)
{
    (void)context, (void)problem, (void)path;
}

static bool may_have_rings(const struct pipeline *pipeline, const struct found_file *file)
{
    const struct config_input *input = &pipeline->config->inputs[file->input];
    return file->generation.kind == GENERATION_LIVE && !file->rest_only &&
           strcmp(input->scan.format, "liblog") == 0;
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
static void recover_all(struct pipeline *pipeline, const struct found *found)
{
    struct problem first = {0};
    for (size_t i = 0; i < found->count; i++) {
        struct problem problem = {0};
        if (may_have_rings(pipeline, &found->files[i]) && recover(found->files[i].path, &problem) < 0 &&
            !first.error)
            first = problem;
    }
    if (first.error != pipeline->recovery.told)
        pipeline_tell(pipeline, &first);
    pipeline->recovery.told = first.error;
}

void pipeline_recover(struct pipeline *pipeline)
{
    int64_t now_ns = pipeline_mono_ns();
    if (now_ns < pipeline->recovery.due_ns)
        return;
    pipeline->recovery.due_ns = now_ns + RECOVER_EVERY_NS;
    struct discover_options options = {
        .inputs = pipeline->config->inputs,
        .input_count = pipeline->config->input_count,
        .own_files = pipeline->own_files.path,
        .own_file_count = pipeline->own_files.count,
        .on_problem = leave_to_tail,
    };
    _cleanup_(discover_release) struct found found = {0};
    if (discover(&options, NULL, &found) == 0)
        recover_all(pipeline, &found);
}
