#include "stats_live.h"

#include "report_text.h"

#include "liblog/base/cleanup.h"

#include <inttypes.h>
#include <liblog/other.h>
#include <string.h>

static const int64_t second_ns = INT64_C(1000000000);

static void stats_freep(ll_other_stats **stats)
{
    ll_other_stats_free(*stats);
}

static enum error error_of(int ll_error)
{
    switch (ll_error) {
    case LL_ENOENT:
        return ERR_LOG_002;
    case LL_EACCES:
        return ERR_IO_002;
    case LL_EIO:
        return ERR_IO_003;
    case LL_EFORMAT:
        return ERR_LOG_001;
    case LL_EINVAL:
        return ERR_VAL_001;
    case LL_ENOMEM:
        return ERR_INT_002;
    default:
        return ERR_INT_001;
    }
}

/* --- JSON ----------------------------------------------------------------------------------------------- */

/* The library's JSON without its last brace, so that more can follow. */
static int print_open_json(const ll_other_stats *stats, int run, bool with_recent)
{
    int size = ll_other_stats_json(stats, run, with_recent, NULL, 0);
    _cleanup_free_ char *text = size < 0 ? NULL : malloc((size_t)size + 1);
    if (!text || ll_other_stats_json(stats, run, with_recent, text, (size_t)size + 1) != size)
        return -ERR_INT_002;
    fwrite(text, 1, (size_t)size - 1, stdout);
    return 0;
}

static void print_time(const char *key, int64_t unix_ns)
{
    if (unix_ns == 0) {
        printf(",\"%s\":null", key);
        return;
    }
    printf(",\"%s\":\"", key);
    text_time_ns(unix_ns, stdout);
    putchar('"');
}

static int print_process(const ll_other_stats *stats, int run)
{
    ll_other_run about;
    ll_other_stats_run(stats, run, &about);
    int r = print_open_json(stats, run, false);
    if (r < 0)
        return r;
    printf(",\"run_id\":");
    text_json(slice_of(about.run_id), stdout);
    printf(",\"service\":");
    text_json(slice_of(about.service), stdout);
    printf(",\"pid\":%" PRIu32 ",\"alive\":%s", about.pid, about.is_alive ? "true" : "false");
    print_time("started", about.started_ns);
    print_time("last", about.last_ns);
    printf(",\"unwritten\":%" PRIu64 ",\"settled\":%s}", about.unwritten,
           about.is_settled ? "true" : "false");
    return 0;
}

static int print_json(const ll_other_stats *stats)
{
    int r = print_open_json(stats, LL_RUN_SUM, true);
    printf(",\"processes\":[");
    for (int run = 0; run < ll_other_stats_runs(stats) && r == 0; run++) {
        if (run)
            putchar(',');
        r = print_process(stats, run);
    }
    printf("],\"damaged\":%d}\n", ll_other_stats_damaged(stats));
    return r;
}

/* --- table ---------------------------------------------------------------------------------------------- */

enum {
    NAME_WIDTH = 28,
    NUMBER_WIDTH = 14,
    TYPES_SHOWN_MAX = 20,
    RECENT_SHOWN_MAX = 10,
    PIECE_BYTES_MAX = 120
};

static void print_row(const char *name, uint64_t count)
{
    fputs("  ", stdout);
    text_terminal(slice_of(name), stdout);
    for (size_t width = text_terminal_width(slice_of(name)); width < NAME_WIDTH; width++)
        putchar(' ');
    printf("%*s", NUMBER_WIDTH - text_number(count, NULL), "");
    text_number(count, stdout);
    putchar('\n');
}

static void print_levels(const ll_stats *sum)
{
    static const char *const names[] = {"TRACE", "DEBUG", "INFO", "WARNING", "ERROR", "CRITICAL"};
    puts("Records by level");
    for (int level = LL_LEVEL_CRITICAL; level >= LL_LEVEL_TRACE; level--)
        print_row(names[level], sum->counts[level]);
}

static void print_types(const ll_stats *sum)
{
    uint64_t others = sum->other_types_errors;
    puts("\nErrors by type");
    for (uint32_t i = 0; i < sum->type_count; i++) {
        if (i < TYPES_SHOWN_MAX)
            print_row(sum->types[i].name, sum->types[i].count);
        else
            others += sum->types[i].count;
    }
    if (others)
        print_row("(others)", others);
    if (sum->untyped_errors)
        print_row("(none)", sum->untyped_errors);
    print_row("total", sum->total_errors);
    printf("\n%.2f errors per minute over %.1f minutes", sum->error_rate_per_minute,
           sum->tracking_duration_minutes);
    puts(sum->types_exact ? "" : "; more than 256 types: their counts are estimates");
}

static void print_processes(const ll_other_stats *stats)
{
    static ll_stats one;
    printf("\n%-38s %8s %-6s %10s %10s  %s\n", "Process", "PID", "", "errors", "unwritten", "service");
    for (int run = 0; run < ll_other_stats_runs(stats); run++) {
        ll_other_run about;
        ll_other_stats_run(stats, run, &about);
        ll_other_stats_get(stats, run, &one);
        fputs("  ", stdout);
        text_terminal(slice_of(about.run_id), stdout);
        printf(" %8" PRIu32 " %-6s %10" PRIu64 " %10" PRIu64 "  ", about.pid,
               about.is_alive ? "alive" : "over", one.total_errors, about.unwritten);
        text_terminal(slice_of(about.service), stdout);
        putchar('\n');
    }
}

static void print_piece(const char *text)
{
    putchar(' ');
    text_terminal(slice_from(text, strnlen(text, PIECE_BYTES_MAX)), stdout);
}

static void print_recent(const ll_other_stats *stats)
{
    ll_recent_error recent[RECENT_SHOWN_MAX];
    int count = ll_other_stats_recent(stats, LL_RUN_SUM, recent, RECENT_SHOWN_MAX);
    if (count > 0)
        puts("\nLatest errors");
    for (int i = 0; i < count; i++) {
        fputs("  ", stdout);
        text_time_ns(recent[i].time_ns, stdout);
        print_piece(*recent[i].type ? recent[i].type : "-");
        fputs(":", stdout);
        print_piece(recent[i].message);
        if (*recent[i].file)
            fputs(" (", stdout);
        text_terminal(slice_of(recent[i].file), stdout);
        if (*recent[i].file)
            printf(":%" PRIu32 ")", recent[i].line);
        putchar('\n');
    }
}

static void print_table(const ll_other_stats *stats)
{
    static ll_stats sum;
    ll_other_stats_get(stats, LL_RUN_SUM, &sum);
    print_levels(&sum);
    print_types(&sum);
    print_processes(stats);
    print_recent(stats);
}

/* --- both ----------------------------------------------------------------------------------------------- */

static int check_window(int64_t window_ns, struct problem *ret_problem)
{
    if (window_ns < 0 || window_ns > LL_STATS_SECONDS_MAX * second_ns)
        return problem_set(ret_problem, ERR_VAL_001,
                           "--window is at most 1d: programs keep their statistics of one day");
    return 0;
}

int stats_live(const struct stats_live_request *request, struct problem *ret_problem)
{
    _cleanup_(stats_freep) ll_other_stats *stats = NULL;
    ll_problem reason = {0};
    const ll_other_stats_options options = {
        .ring_dir = request->ring_dir,
        .window_seconds = (uint32_t)((request->window_ns + second_ns - 1) / second_ns),
    };
    int r = check_window(request->window_ns, ret_problem);
    if (r < 0)
        return r;
    r = ll_other_stats_read(request->log_path, &options, &stats, &reason);
    if (r != LL_OK)
        return problem_set(ret_problem, error_of(r), "%s", reason.text[0] ? reason.text : ll_strerror(r));
    if (!request->as_table)
        return print_json(stats) < 0 ? problem_set(ret_problem, ERR_INT_002, "out of memory") : 0;
    print_table(stats);
    return 0;
}
