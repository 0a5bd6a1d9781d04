/* The report for a terminal: columns as wide as what stands in them. */
#include "report_print.h"

#include "report_text.h"

enum { NAME_WIDTH_MAX = 60 };

struct layout {
    size_t name_width;
    int count_width;
    const char *bold, *faint, *plain; /* of a terminal, or empty */
};

static void pad(size_t width, size_t taken, FILE *out)
{
    for (; taken < width; taken++)
        fputc(' ', out);
}

static struct layout choose_layout(const struct report *report, bool colour)
{
    struct layout layout = {.name_width = 14, .count_width = 7, .bold = "", .faint = "", .plain = ""};
    for (uint32_t i = 0; i < report->line_count; i++) {
        size_t width = text_terminal_width(report_line_name(&report->lines[i]));
        if (width > layout.name_width)
            layout.name_width = width < NAME_WIDTH_MAX ? width : NAME_WIDTH_MAX;
    }
    int total_width = text_number(report->total, NULL);
    if (total_width > layout.count_width)
        layout.count_width = total_width;
    if (colour) {
        layout.bold = "\033[1m";
        layout.faint = "\033[2m";
        layout.plain = "\033[0m";
    }
    return layout;
}

static void print_numbers(const struct report *report, const struct layout *layout, uint64_t count, FILE *out)
{
    pad((size_t)layout->count_width, (size_t)text_number(count, NULL), out);
    text_number(count, out);
    fprintf(out, "  %5.1f %%  %10.2f", 100 * report_share(report, count), report_rate(report, count));
}

static void print_name(const struct layout *layout, struct slice name, FILE *out)
{
    text_terminal(name, out);
    pad(layout->name_width, text_terminal_width(name), out);
    fputs("  ", out);
}

static void print_time(int64_t start_s, int resolution_s, FILE *out)
{
    enum { WIDTH = 19 };
    fputs("  ", out);
    report_window_time(start_s, resolution_s, out);
    pad(WIDTH, resolution_s == WINDOW_DAY ? 10 : resolution_s == WINDOW_10S ? 19 : 16, out);
}

static void print_line(const struct report *report, const struct layout *layout,
                       const struct report_line *line, FILE *out)
{
    print_name(layout, report_line_name(line), out);
    print_numbers(report, layout, line->count, out);
    print_time(line->first_s, line->first_resolution_s, out);
    print_time(line->last_s, line->last_resolution_s, out);
    fputs("  ", out);
    report_sparkline(line->bucket, report->bucket_count, out);
    fputc('\n', out);
}

static void print_range(const struct report *report, const struct layout *layout, FILE *out)
{
    fprintf(out, "%sErrors by %s%s, %s", layout->bold, store_column_name(report->request.by), layout->plain,
            report_levels_text(report));
    if (report->request.service) {
        fputs(", service ", out);
        text_terminal(slice_of(report->request.service), out);
    }
    fputc('\n', out);
    if (report->is_empty)
        return;
    text_time_s(report->from_s, out);
    fputs(" to ", out);
    text_time_s(report->to_s, out);
    fprintf(out, " (%.1f minutes)\n\n", report_minutes(report));
}

static void print_heading(const struct report *report, const struct layout *layout, FILE *out)
{
    const char *name = store_column_name(report->request.by);
    fputs(layout->faint, out);
    for (const char *c = name; *c; c++)
        fputc(*c - 'a' + 'A', out);
    pad(layout->name_width, strlen(name), out);
    fprintf(out, "  %*s  %7s  %10s  %-19s  %-19s  OVER TIME%s\n", layout->count_width, "COUNT", "SHARE",
            "PER MINUTE", "FIRST", "LAST", layout->plain);
}

static void print_lines(const struct report *report, const struct layout *layout, FILE *out)
{
    print_heading(report, layout, out);
    for (uint32_t i = 0; i < report->line_count; i++)
        print_line(report, layout, &report->lines[i], out);
    if (report->group_count > report->line_count) {
        char name[32];
        snprintf(name, sizeof(name), "(%u more)", report->group_count - report->line_count);
        print_name(layout, slice_of(name), out);
        print_numbers(report, layout, report_rest(report), out);
        fputc('\n', out);
    }
    fputs(layout->bold, out);
    print_name(layout, SLICE("total"), out);
    print_numbers(report, layout, report->total, out);
    fputs(layout->plain, out);
    pad(44, 0, out);
    report_sparkline(report->bucket, report->bucket_count, out);
    fputs("\n\n", out);
}

static void print_levels(const struct report *report, FILE *out)
{
    const char *separator = "Levels    ";
    for (int level = LEVEL_CRITICAL; level >= LEVEL_TRACE; level--) {
        fprintf(out, "%s%s ", separator, level_name((enum level)level));
        text_number(report->level[level], out);
        separator = "  ";
    }
    if (report->level[LEVEL_UNKNOWN]) {
        fputs("  UNKNOWN ", out);
        text_number(report->level[LEVEL_UNKNOWN], out);
    }
    fputc('\n', out);
}

/* Of a range that lies beside what there is, a person wants to know where to look instead. */
static void print_nothing(const struct report *report, FILE *out)
{
    fputs("Nothing at these levels in this time.", out);
    if (report->records == 0) {
        fputs(" The database holds records from ", out);
        text_time_s(report->extent.from_s, out);
        fputs(" to ", out);
        text_time_s(report->extent.to_s, out);
        fputc('.', out);
    }
    fputs("\n\n", out);
}

void report_print_table(const struct report *report, bool colour, FILE *out)
{
    struct layout layout = choose_layout(report, colour);
    print_range(report, &layout, out);
    if (report->is_empty) {
        fputs("The database holds no records yet.\n", out);
    } else {
        if (report->line_count)
            print_lines(report, &layout, out);
        else
            print_nothing(report, out);
        print_levels(report, out);
        fputs("Runs      ", out);
        report_runs_text(report, out);
        fputc('\n', out);
    }
    fputs("Rejected  ", out);
    report_rejects_text(report, out);
    fputs("\nLost      ", out);
    report_loss_text(&report->loss, out);
    fputc('\n', out);
}
