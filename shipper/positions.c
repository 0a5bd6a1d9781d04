#define _GNU_SOURCE
#include "positions.h"

#include "event.h"
#include "frame.h"
#include "report_text.h"

#include "liblog/base/cleanup.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <sys/stat.h>

enum { LOOKED_AT_BYTES = 64 * 1024, NS_PER_S = 1000000000 };

/* ---- how old ---- */

/* The file that the row is of, or -1: its name may lead to another one by now. */
static int open_file(const struct position_row *row)
{
    char path[4096];
    struct stat status;
    if (row->fd >= 0)
        return fcntl(row->fd, F_DUPFD_CLOEXEC, 0);
    snprintf(path, sizeof(path), "%.*s", (int)row->path.size, row->path.data);
    _cleanup_close_ int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK);
    if (fd < 0 || fstat(fd, &status) < 0 || status.st_dev != row->device || status.st_ino != row->inode)
        return -1;
    return take_fd(&fd);
}

/* The time of the first record in these bytes; false when none tells one. */
static bool first_time(struct scanner *scanner, struct slice bytes, uint64_t offset, int64_t now_ns,
                       int64_t *ret_ns)
{
    struct framer framer;
    struct frame frame;
    framer_init(&framer, offset, LOOKED_AT_BYTES);
    framer_feed(&framer, bytes);
    while ((frame = framer_next(&framer)).kind != FRAME_END && frame.kind != FRAME_PARTIAL) {
        struct event event;
        if (frame.kind != FRAME_LINE || scan_line(scanner, frame.line, &event) != 0)
            continue;
        event_interpret(scanner, &event, now_ns, now_ns);
        *ret_ns = event.time_ns;
        return !event.bad_time;
    }
    return false;
}

static bool first_unread_time(const struct position_row *row, struct scanner *scanner, int64_t now_ns,
                              int64_t *ret_ns)
{
    if (!scanner || row->compressed)
        return false;
    _cleanup_close_ int fd = open_file(row);
    _cleanup_free_ char *memory = fd < 0 ? NULL : calloc(1, LOOKED_AT_BYTES + SCAN_PADDING);
    if (!memory)
        return false;
    ssize_t got = pread(fd, memory, LOOKED_AT_BYTES, (off_t)row->offset);
    return got > 0 && first_time(scanner, slice_from(memory, (size_t)got), row->offset, now_ns, ret_ns);
}

double position_lag_s(const struct position_row *row, struct scanner *scanner, int64_t now_ns)
{
    int64_t time_ns;
    if (row->lag_bytes == 0)
        return 0;
    if (!first_unread_time(row, scanner, now_ns, &time_ns))
        time_ns = row->modified_ns;
    return time_ns < now_ns ? (double)(now_ns - time_ns) / NS_PER_S : 0;
}

/* ---- printing ---- */

void positions_begin(struct positions_printer *printer, enum positions_format format, FILE *out)
{
    *printer = (struct positions_printer){.format = format, .out = out};
    if (format == POSITIONS_JSON)
        fputs("[", out);
}

static void print_json(const struct position_row *row, double lag_s, FILE *out)
{
    fputs("{\"output\":", out);
    text_json(row->output, out);
    fputs(",\"path\":", out);
    text_json(row->path, out);
    fputs(",\"source\":", out);
    text_json(row->source_id, out);
    fprintf(out,
            ",\"offset\":%" PRIu64 ",\"size\":%" PRIu64 ",\"lag_bytes\":%" PRIu64
            ",\"lag_s\":%.3f,\"compressed\":%s,\"finished\":%s}",
            row->offset, row->size, row->lag_bytes, lag_s, row->compressed ? "true" : "false",
            row->finished ? "true" : "false");
}

static void print_number(uint64_t value, int width, FILE *out)
{
    fprintf(out, "%*s", width - text_number(value, NULL), "");
    text_number(value, out);
    fputs("  ", out);
}

static void print_line(const struct position_row *row, double lag_s, FILE *out)
{
    text_terminal(row->output, out);
    fprintf(out, "%*s  ", (int)(row->output.size < 12 ? 12 - text_terminal_width(row->output) : 0), "");
    print_number(row->offset, 15, out);
    print_number(row->size, 15, out);
    print_number(row->lag_bytes, 15, out);
    fprintf(out, "%10.1f  ", lag_s);
    text_terminal(row->path, out);
    fputs(row->finished ? " (finished)\n" : "\n", out);
}

void positions_add(struct positions_printer *printer, const struct position_row *row, double lag_s)
{
    if (printer->format == POSITIONS_JSON) {
        fputs(printer->count ? ",\n" : "\n", printer->out);
        print_json(row, lag_s, printer->out);
    } else {
        if (printer->count == 0)
            fprintf(printer->out, "%-12s  %15s  %15s  %15s  %10s  %s\n", "OUTPUT", "POSITION", "SIZE",
                    "BYTES BEHIND", "SECONDS", "FILE");
        print_line(row, lag_s, printer->out);
    }
    printer->count++;
    printer->lag_bytes += row->lag_bytes;
}

void positions_end(struct positions_printer *printer)
{
    if (printer->format == POSITIONS_JSON) {
        fputs(printer->count ? "\n]\n" : "]\n", printer->out);
        return;
    }
    fputs(printer->count ? "\n" : "", printer->out);
    text_number(printer->count, printer->out);
    fputs(" positions, ", printer->out);
    text_number(printer->lag_bytes, printer->out);
    fputs(" bytes behind in all\n", printer->out);
}
