/* The statistics of this process: the public calls of liblog/stats.h. */
#include "caller.h"
#include "instance.h"
#include "liblog/base/cleanup.h"
#include "stats_view.h"
#include "tally.h"

#include <stdlib.h>
#include <string.h>

/* A copy of what holds, and what is not drained yet; meanwhile the writer moves neither. */
static int look_locked(struct writer *writer, struct stats_view *view)
{
    int error = stats_view_copy(view, &writer->stats);
    if (error)
        return error;
    int64_t undrained = tally_undrained(&view->stats, &writer->file);
    if (undrained < 0)
        stats_view_release(view);
    else
        view->undrained = (uint64_t)undrained;
    return undrained < 0 ? (int)undrained : LL_OK;
}

static int look_at(struct instance *instance, struct stats_view *view)
{
    if (!instance)
        return LL_ECLOSED;
    if (!instance->config.stats)
        return LL_EOFF;
    if (!instance->writer.stats.file)
        return LL_ENOMEM;
    stats_lock(&instance->writer.stats);
    int error = look_locked(&instance->writer, view);
    stats_unlock(&instance->writer.stats);
    return error;
}

/* Between enter and leave the instance stays: ll_close waits for those inside. */
CALLER_ON_STACK static int look(struct stats_view *view)
{
    struct caller *caller = caller_mine();
    if (!caller)
        return LL_ENOMEM;
    struct caller_call mine;
    uint32_t depth = caller_enter(caller, &mine);
    int error = look_at(instance_current(), view);
    caller_leave(caller, &mine, depth);
    return error;
}

static int get(uint32_t seconds, ll_stats *ret_stats, size_t size)
{
    struct stats_view view;
    _cleanup_free_ ll_stats *stats = malloc(sizeof *stats);
    int error = stats ? look(&view) : LL_ENOMEM;
    if (error)
        return error;
    stats_view_get(&view, os_realtime_ns(), seconds, stats);
    stats_view_release(&view);
    memset(ret_stats, 0, size);
    memcpy(ret_stats, stats, size < sizeof *stats ? size : sizeof *stats);
    return LL_OK;
}

int ll_stats_get_sized(ll_stats *ret_stats, size_t size)
{
    return get(0, ret_stats, size);
}

int ll_stats_window_sized(uint32_t seconds, ll_stats *ret_stats, size_t size)
{
    if (seconds == 0 || seconds > LL_STATS_SECONDS_MAX)
        return LL_EINVAL;
    return get(seconds, ret_stats, size);
}

int ll_recent_errors_sized(ll_recent_error *ret_errors, size_t size, int errors_max)
{
    struct stats_view view;
    _cleanup_free_ ll_recent_error *errors = calloc(LL_RECENT_ERRORS_MAX, sizeof *errors);
    if (errors_max < 0)
        return LL_EINVAL;
    int error = errors ? look(&view) : LL_ENOMEM;
    if (error)
        return error;
    int count = stats_view_recent(&view, errors);
    stats_view_release(&view);
    count = count < errors_max ? count : errors_max;
    for (int i = 0; i < count; i++) {
        char *place = (char *)ret_errors + (size_t)i * size;
        memset(place, 0, size);
        memcpy(place, &errors[i], size < sizeof *errors ? size : sizeof *errors);
    }
    return count;
}

int ll_stats_json(char *buf, size_t size)
{
    struct stats_view view;
    _cleanup_free_ ll_stats *stats = malloc(sizeof *stats);
    _cleanup_free_ ll_recent_error *errors = calloc(LL_RECENT_ERRORS_MAX, sizeof *errors);
    int error = stats && errors ? look(&view) : LL_ENOMEM;
    if (error)
        return error;
    stats_view_get(&view, os_realtime_ns(), 0, stats);
    int count = stats_view_recent(&view, errors);
    stats_view_release(&view);
    return stats_view_json(stats, errors, count, buf, size);
}
