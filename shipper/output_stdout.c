/*
 * Standard output. Records are borrowed as spans of the bytes they stand in and go out in large blocks when
 * the caller settles; neighbours in memory are one span, so that forwarding everything is one write for each
 * piece read. What the kernel does not take then (a slow reader) is copied, and nothing more is accepted
 * until that is out.
 *
 * A position moves when the kernel has the record's last byte. A span that went out in part keeps the rest,
 * so nothing is doubled by this process; a kill can tear the last line of a file, and the next run begins on
 * a new line.
 */
#define _GNU_SOURCE /* memrchr, F_SETPIPE_SZ */
#include "output_class.h"

#include "liblog/base/cleanup.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/uio.h>

enum {
    SPANS_MAX = 512, /* below every IOV_MAX */
    PIPE_BYTES_WANTED = 1024 * 1024,
};

struct span {
    struct output_stream *stream; /* NULL: bytes that belong to no record */
    uint64_t ticket;
    uint64_t offset; /* of `data` in the source */
    uint64_t records;
    bool is_whole; /* one record of several lines: only its end is a position */
};

struct output_stdout {
    struct output base;
    int fd;
    bool is_own_fd; /* a description of our own, opened for writing without blocking */
    bool is_socket;
    bool mends_line; /* the file ends within a line: a newline goes first */
    struct iovec vector[SPANS_MAX];
    struct span span[SPANS_MAX];
    int first, count; /* spans in use: [first, count) */
    char *kept;       /* the copy of what could not be written; the spans point into it */
    size_t kept_size;
};

static struct output_stdout *self_of(struct output *output)
{
    return (struct output_stdout *)output;
}

/* ---- spans ---- */

static void span_add(struct output_stdout *self, struct span span, struct slice bytes)
{
    self->vector[self->count] = (struct iovec){(char *)bytes.data, bytes.size};
    self->span[self->count++] = span;
}

/* Where the line's bytes begin; the record may begin before them (a byte order mark). */
static uint64_t line_offset(const struct output_record *record)
{
    return record->end - record->line.size;
}

static bool span_continues(const struct output_stdout *self, const struct output_stream *stream,
                           const struct output_record *record)
{
    if (self->count == self->first)
        return false;
    const struct span *last = &self->span[self->count - 1];
    const struct iovec *bytes = &self->vector[self->count - 1];
    return !last->is_whole && last->stream == stream &&
           (const char *)bytes->iov_base + bytes->iov_len == record->line.data &&
           last->offset + bytes->iov_len == line_offset(record);
}

/* A record without newline (the last of a file) is complete when the newline that follows it is out. */
static void add_unended(struct output_stdout *self, struct output_stream *stream,
                        const struct output_record *record)
{
    span_add(self, (struct span){.offset = line_offset(record)}, record->line);
    uint64_t ticket = ack_sent(&stream->ack, record->end);
    span_add(self, (struct span){stream, ticket, record->end - 1, record->count, false}, SLICE("\n"));
}

static void add_whole(struct output_stdout *self, struct output_stream *stream,
                      const struct output_record *record)
{
    uint64_t ticket = ack_sent(&stream->ack, record->end);
    span_add(self, (struct span){stream, ticket, line_offset(record), 1, true}, record->line);
}

static void add_record(struct output_stdout *self, struct output_stream *stream,
                       const struct output_record *record)
{
    if (record->line.data[record->line.size - 1] != '\n') {
        add_unended(self, stream, record);
    } else if (record->is_whole) {
        add_whole(self, stream, record);
    } else if (span_continues(self, stream, record)) {
        self->vector[self->count - 1].iov_len += record->line.size;
        self->span[self->count - 1].records += record->count;
        ack_skip(&stream->ack, record->end);
    } else {
        uint64_t ticket = ack_sent(&stream->ack, record->end);
        span_add(self, (struct span){stream, ticket, line_offset(record), record->count, false},
                 record->line);
    }
}

/* The whole span is out. */
static void span_done(struct output_stdout *self, const struct span *span)
{
    if (!span->stream)
        return;
    ack_done(&span->stream->ack, span->ticket);
    self->base.counters.acknowledged += span->records;
}

/* The first `size` bytes of the first span are out: whole lines among them are acknowledged. */
static void span_advance(struct output_stdout *self, size_t size)
{
    struct iovec *bytes = &self->vector[self->first];
    struct span *span = &self->span[self->first];
    const char *newline = memrchr(bytes->iov_base, '\n', size);
    if (newline && span->stream && !span->is_whole) {
        uint64_t position = span->offset + (uint64_t)(newline + 1 - (const char *)bytes->iov_base);
        ack_partial(&span->stream->ack, span->ticket, position);
    }
    span->offset += size;
    bytes->iov_base = (char *)bytes->iov_base + size;
    bytes->iov_len -= size;
}

static void spans_written(struct output_stdout *self, size_t size)
{
    while (self->first < self->count && size >= self->vector[self->first].iov_len) {
        size -= self->vector[self->first].iov_len;
        span_done(self, &self->span[self->first++]);
    }
    if (size)
        span_advance(self, size);
    if (self->first < self->count)
        return;
    self->first = self->count = 0;
    free(self->kept);
    self->kept = NULL;
    self->kept_size = 0;
}

/* ---- writing ---- */

static ssize_t write_vector(const struct output_stdout *self)
{
    struct iovec *vector = (struct iovec *)&self->vector[self->first];
    int count = self->count - self->first;
    if (!self->is_socket)
        return writev(self->fd, vector, count);
    struct msghdr message = {.msg_iov = vector, .msg_iovlen = (size_t)count};
    return sendmsg(self->fd, &message, MSG_DONTWAIT | MSG_NOSIGNAL);
}

static void write_failed(struct output_stdout *self, int error_number)
{
    switch (error_number) {
    case EPIPE:
    case ECONNRESET:
    case EBADF:
        output_die(&self->base, ERR_IO_003, "nobody reads standard output any more (%s)",
                   strerror(error_number));
        return;
    case ENOSPC:
    case EDQUOT:
        output_hold(&self->base, ERR_IO_005, "no space is left behind standard output; it is tried again");
        return;
    default:
        output_hold(&self->base, ERR_IO_003, "writing to standard output failed: %s; it is tried again",
                    strerror(error_number));
    }
}

/* Writes until all is out, the kernel takes no more, a signal came, or it failed. */
static void write_spans(struct output_stdout *self)
{
    while (self->first < self->count && !output_holds(&self->base)) {
        ssize_t written = write_vector(self);
        if (written > 0) {
            spans_written(self, (size_t)written);
            output_well(&self->base);
        } else if (written < 0 && (errno == EINTR || errno == EAGAIN)) {
            return;
        } else {
            write_failed(self, written < 0 ? errno : EIO);
        }
    }
}

static size_t spans_size(const struct output_stdout *self)
{
    size_t size = 0;
    for (int i = self->first; i < self->count; i++)
        size += self->vector[i].iov_len;
    return size;
}

/* The borrowed bytes go away: the spans that are left move into a copy. Without memory for it the write
 * waits, which loses nothing. */
static void keep_spans(struct output_stdout *self)
{
    if (self->kept || self->first == self->count)
        return;
    size_t size = spans_size(self);
    char *at = malloc(size);
    self->kept = at;
    self->kept_size = size;
    for (int i = self->first; at && i < self->count; i++) {
        memcpy(at, self->vector[i].iov_base, self->vector[i].iov_len);
        self->vector[i].iov_base = at;
        at += self->vector[i].iov_len;
    }
}

static void wait_writable(struct output_stdout *self, int timeout_ms)
{
    struct pollfd interest = {self->fd, POLLOUT, 0};
    bool holds = output_holds(&self->base);
    poll(holds ? NULL : &interest, holds ? 0 : 1, timeout_ms);
}

static void stdout_settle(struct output *output)
{
    struct output_stdout *self = self_of(output);
    write_spans(self);
    keep_spans(self);
    while (self->first < self->count && !self->kept && !output_is_dead(output)) {
        wait_writable(self, 100);
        write_spans(self);
        keep_spans(self);
    }
}

/* ---- the class ---- */

static void mend_line(struct output_stdout *self)
{
    if (self->mends_line)
        span_add(self, (struct span){.stream = NULL}, SLICE("\n"));
    self->mends_line = false;
}

static bool stdout_has_room(const struct output *output)
{
    return !((const struct output_stdout *)output)->kept;
}

static enum output_result stdout_send(struct output *output, struct output_stream *stream,
                                      const struct output_record *record)
{
    struct output_stdout *self = self_of(output);
    if (self->kept)
        return OUTPUT_FULL;
    mend_line(self);
    if (self->count + 2 > SPANS_MAX)
        stdout_settle(output);
    if (self->kept || output_is_dead(output))
        return output_holds(output) ? OUTPUT_FAILED : OUTPUT_FULL;
    add_record(self, stream, record);
    return OUTPUT_TAKEN;
}

static void stdout_pump(struct output *output, int timeout_ms)
{
    struct output_stdout *self = self_of(output);
    if (self->first == self->count)
        return;
    if (timeout_ms)
        wait_writable(self, timeout_ms);
    write_spans(self);
}

static uint64_t stdout_in_flight(const struct output *output)
{
    const struct output_stdout *self = (const struct output_stdout *)output;
    return self->base.counters.sent - self->base.counters.acknowledged;
}

static struct pollfd stdout_interest(const struct output *output)
{
    const struct output_stdout *self = (const struct output_stdout *)output;
    bool waits = self->kept && !output_holds(output);
    return (struct pollfd){waits ? self->fd : -1, POLLOUT, 0};
}

static void stdout_close(struct output *output)
{
    struct output_stdout *self = self_of(output);
    if (self->is_own_fd)
        close(self->fd);
    free(self->kept);
    free(self);
}

static const struct output_class stdout_class = {
    .send = stdout_send,
    .settle = stdout_settle,
    .pump = stdout_pump,
    .has_room = stdout_has_room,
    .in_flight = stdout_in_flight,
    .interest = stdout_interest,
    .close = stdout_close,
    .takes_many = true,
};

/* ---- opening ---- */

/* Whether a regular file would be continued in the middle of a line: a run before this one was killed within
 * a write. */
static bool ends_within_line(int fd)
{
    _cleanup_close_ int readable = open("/proc/self/fd/1", O_RDONLY | O_CLOEXEC);
    struct stat status;
    if (readable < 0 || fstat(readable, &status) < 0)
        return false;
    off_t end = fcntl(fd, F_GETFL) & O_APPEND ? status.st_size : lseek(fd, 0, SEEK_CUR);
    char last;
    return end > 0 && pread(readable, &last, 1, end - 1) == 1 && last != '\n';
}

/*
 * A pipe is opened once more, because O_NONBLOCK belongs to the description that other programs share with
 * us; where that is not allowed it is written as it is, and a slow reader holds everything up.
 */
static void open_pipe(struct output_stdout *self)
{
    int fd = open("/proc/self/fd/1", O_WRONLY | O_NONBLOCK | O_CLOEXEC);
    if (fd < 0)
        return;
    self->fd = fd;
    self->is_own_fd = true;
    (void)fcntl(fd, F_SETPIPE_SZ, PIPE_BYTES_WANTED); /* fewer turns; a smaller pipe does as well */
}

/* main() puts what cannot be written to where a descriptor was closed. */
static bool is_open_for_writing(int fd)
{
    int flags = fcntl(fd, F_GETFL);
    return flags >= 0 && (flags & O_ACCMODE) != O_RDONLY;
}

int output_stdout_open(const struct config_output *config, struct problem *ret_problem,
                       struct output **ret_output)
{
    struct stat status;
    if (!is_open_for_writing(STDOUT_FILENO) || fstat(STDOUT_FILENO, &status) < 0)
        return problem_set(ret_problem, ERR_IO_003, "output \"%s\": standard output is closed", config->name);
    struct output_stdout *self = calloc(1, sizeof(*self));
    if (!self)
        return problem_set(ret_problem, ERR_INT_002, "output \"%s\": no memory", config->name);
    self->base.class = &stdout_class;
    self->base.config = config;
    self->fd = STDOUT_FILENO;
    self->is_socket = S_ISSOCK(status.st_mode);
    self->mends_line = S_ISREG(status.st_mode) && ends_within_line(self->fd);
    if (S_ISFIFO(status.st_mode))
        open_pipe(self);
    *ret_output = &self->base;
    return 0;
}
