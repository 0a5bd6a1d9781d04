#include "progress.h"

#include <inttypes.h>

#define SHOW_EVERY_NS (200 * 1000000LL)

enum { BAR_CHARS = 30 };

void progress_begin(struct progress *progress, FILE *out, bool shows_bar, uint64_t bytes_total,
                    int64_t now_ns)
{
    *progress = (struct progress){
        .out = out,
        .shows_bar = shows_bar,
        .bytes_total = bytes_total,
        .begin_ns = now_ns,
    };
}

bool progress_is_due(const struct progress *progress, int64_t now_ns)
{
    return progress->shows_bar && progress->bytes_total && now_ns - progress->shown_ns >= SHOW_EVERY_NS;
}

void progress_show(struct progress *progress, uint64_t bytes_left, int64_t now_ns)
{
    progress->shown_ns = now_ns;
    uint64_t total = progress->bytes_total;
    uint64_t done = bytes_left < total ? total - bytes_left : 0;
    int filled = (int)((double)done / (double)total * BAR_CHARS);
    fprintf(progress->out, "\r[%.*s%*s] %3d %%", filled, "##############################", BAR_CHARS - filled,
            "", (int)((double)done / (double)total * 100));
    fflush(progress->out);
}

void progress_clear(struct progress *progress)
{
    if (progress->shown_ns)
        fprintf(progress->out, "\r%*s\r", BAR_CHARS + 10, "");
    progress->shown_ns = 0;
}

void progress_summary(const struct progress *progress, const struct progress_totals *totals, int64_t now_ns)
{
    double seconds = (double)(now_ns - progress->begin_ns) / 1e9;
    double megabytes = (double)totals->bytes / 1e6;
    fprintf(progress->out,
            "shipper: %" PRIu64 " files, %" PRIu64 " records, %" PRIu64
            " rejected, %.1f MB in %.2f s (%.0f MB/s)\n",
            totals->files, totals->records, totals->rejected, megabytes, seconds,
            seconds > 0 ? megabytes / seconds : 0.0);
}
