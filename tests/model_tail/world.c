#define _GNU_SOURCE
#include "world.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include <zlib.h>
#include <zstd.h>

enum { HEAD_BYTES_MAX = 1024 };

static void must(bool condition, const char *what)
{
    if (condition)
        return;
    perror(what);
    abort();
}

static bool one_in(struct world *world, uint64_t n)
{
    return chance_below(world->chance, n) == 0;
}

static void pause_here(struct world *world)
{
    if (one_in(world, 2))
        world->pause(world->pause_context);
}

void world_init(struct world *world, struct chance *chance, enum world_style style, const int64_t *now_ns)
{
    memset(world, 0, sizeof(*world));
    world->chance = chance;
    world->style = style;
    world->now_ns = now_ns;
    world->live = world->current = world->partial = world->fd = -1;
}

void world_release(struct world *world)
{
    if (world->fd >= 0)
        close(world->fd);
    for (int i = 0; i < world->file_count; i++)
        free(world->files[i].lines);
}

static void set_time(struct world *world, int fd)
{
    struct timespec now = {.tv_sec = *world->now_ns / 1000000000, .tv_nsec = *world->now_ns % 1000000000};
    struct timespec times[2] = {now, now};

    must(futimens(fd, times) == 0, "futimens");
}

static void truncate_file(struct world *world, const char *path, off_t size)
{
    int fd = open(path, O_WRONLY | O_CLOEXEC);

    must(fd >= 0 && ftruncate(fd, size) == 0, "truncate");
    set_time(world, fd);
    close(fd);
}

/* ---- lines ---- */

/* Begins with what tells it from all others, so that the heads of two files are never alike by chance. */
void world_line_text(const struct world *world, int number, char out[static WORLD_LINE_BYTES_MAX])
{
    struct chance chance = {(uint64_t)number * UINT64_C(0x9e3779b97f4a7c15) + 1};
    int size = world->lines[number].size;
    int at = sprintf(out, "%08x.%05d ", (unsigned)chance_u64(&chance), number);

    while (at < size - 1)
        out[at++] = (char)('a' + chance_below(&chance, 26));
    out[size - 1] = '\n';
}

static int new_line(struct world *world)
{
    struct world_file *file = &world->files[world->current];
    int size = one_in(world, 12) ? 1000 + (int)chance_below(world->chance, 2500)
                                 : 64 + (int)chance_below(world->chance, 200);

    must(world->line_count < WORLD_LINES_MAX, "too many lines");
    world->lines[world->line_count] = (struct world_line){.size = size, .stream = file->stream};
    file->lines = realloc(file->lines, (size_t)(file->count + 1) * sizeof(int));
    file->lines[file->count++] = world->line_count;
    return world->line_count++;
}

static void put(struct world *world, int number, int size)
{
    char text[WORLD_LINE_BYTES_MAX];
    struct world_line *line = &world->lines[number];

    world_line_text(world, number, text);
    must(write(world->fd, text + line->written, (size_t)(size - line->written)) == size - line->written,
         "write");
    line->written = size;
    set_time(world, world->fd);
}

void world_end_line(struct world *world)
{
    if (world->partial >= 0)
        put(world, world->partial, world->lines[world->partial].size);
    world->partial = -1;
}

void world_write(struct world *world, int count)
{
    if (world->current < 0)
        world_reopen(world);
    world_end_line(world);
    for (int i = 0; i < count; i++) {
        int number = new_line(world);
        put(world, number, world->lines[number].size);
    }
}

void world_begin_line(struct world *world)
{
    world_write(world, 0);
    int number = new_line(world);
    put(world, number, 1 + (int)chance_below(world->chance, (uint64_t)world->lines[number].size - 1));
    world->partial = number;
}

/* In the live file the next program would go on in the same row; that tears two lines, and tells nothing of
 * the tail. */
void world_crash(struct world *world)
{
    if (world->current == world->live)
        world_end_line(world);
    world->partial = -1;
    if (world->fd >= 0)
        close(world->fd);
    world->fd = world->current = -1;
}

/* ---- files ---- */

static int new_file(struct world *world, const char *path, int stream)
{
    must(world->file_count < WORLD_FILES_MAX, "too many files");
    struct world_file *file = &world->files[world->file_count];
    *file = (struct world_file){.linked = true, .stream = stream};
    snprintf(file->path, sizeof(file->path), "%s", path);
    return world->file_count++;
}

void world_reopen(struct world *world)
{
    if (world->current >= 0 && world->current == world->live)
        return;
    if (world->current >= 0)
        world_end_line(world);
    world_crash(world);
    world->fd = open("app.log", O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0644);
    must(world->fd >= 0, "open app.log");
    if (world->live < 0)
        set_time(world, world->fd);
    if (world->live < 0)
        world->live = new_file(world, "app.log", world->next_stream++);
    world->current = world->live;
}

static bool is_elsewhere(const struct world *world, const struct world_file *except, int number)
{
    for (int i = 0; i < world->file_count; i++) {
        const struct world_file *file = &world->files[i];
        for (int j = 0; file != except && (file->linked || file->held) && j < file->count; j++)
            if (file->lines[j] == number)
                return true;
    }
    return false;
}

/* The lines from an index on are in this file no more. What is written there afterwards nobody has looked at.
 */
static void destroy(struct world *world, struct world_file *file, int from)
{
    file->seen = false;
    for (int i = from; i < file->count; i++)
        if (!is_elsewhere(world, file, file->lines[i]))
            world->lines[file->lines[i]].may_be_lost = true;
    file->count = from;
}

/* Its name is gone. What the reader has open it can still read. */
static void unlink_file(struct world *world, struct world_file *file)
{
    must(unlink(file->path) == 0, "unlink");
    file->linked = false;
    file->held = world->reader_runs && file->seen;
    if (!file->held)
        destroy(world, file, 0);
}

static void rename_file(struct world_file *file, const char *path)
{
    must(rename(file->path, path) == 0, "rename");
    snprintf(file->path, sizeof(file->path), "%s", path);
}

static const char *ending_of(const struct world_file *file)
{
    const char *dot = strrchr(file->path, '.');
    return file->packed ? dot : "";
}

/* ---- rotation ---- */

static const char *folder_of(const struct world *world)
{
    return world->style == STYLE_OLDDIR || world->style == STYLE_OTHER_DEVICE ? "old/" : "";
}

/* Makes the name of the youngest older generation free. */
static void shift(struct world *world, char out[static WORLD_PATH_MAX])
{
    if (world->style == STYLE_DATED) {
        snprintf(out, WORLD_PATH_MAX, "app.log-20250101%05d", ++world->next_date);
        return;
    }
    for (int i = world->older_count; i-- > 0;) {
        char path[WORLD_PATH_MAX];
        struct world_file *file = &world->files[world->older[i]];
        snprintf(path, sizeof(path), "%sapp.log.%d%s", folder_of(world), i + 2, ending_of(file));
        rename_file(file, path);
    }
    snprintf(out, WORLD_PATH_MAX, "%sapp.log.1", folder_of(world));
}

static void add_older(struct world *world, int file)
{
    memmove(world->older + 1, world->older, (size_t)world->older_count * sizeof(int));
    world->older[0] = file;
    world->older_count++;
}

static void copy_bytes(struct world *world, const char *from, const char *to)
{
    static char bytes[4 << 20];
    int in = open(from, O_RDONLY | O_CLOEXEC), out = open(to, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0644);
    ssize_t size = read(in, bytes, sizeof(bytes));

    must(in >= 0 && out >= 0 && size >= 0 && size < (ssize_t)sizeof(bytes), "copy");
    must(write(out, bytes, (size_t)size) == size, "copy");
    set_time(world, out);
    close(in);
    close(out);
}

/* A file with the same lines under another name. */
static int copy_file(struct world *world, int from, const char *path)
{
    copy_bytes(world, world->files[from].path, path);
    int copy = new_file(world, path, world->files[from].stream);
    struct world_file *file = &world->files[copy];
    file->count = world->files[from].count;
    file->lines = malloc(((size_t)file->count + 1) * sizeof(int));
    if (file->count)
        memcpy(file->lines, world->files[from].lines, (size_t)file->count * sizeof(int));
    return copy;
}

/* What the program writes between the copy and the truncation is in the way: the reader gets it or not. */
static void copytruncate(struct world *world)
{
    char path[WORLD_PATH_MAX];

    world_write(world, 0);
    shift(world, path);
    int copy = copy_file(world, world->live, path);
    add_older(world, copy);
    pause_here(world);
    if (one_in(world, 3))
        world_write(world, 1 + (int)chance_below(world->chance, 3));
    pause_here(world);
    struct world_file *live = &world->files[world->live];
    truncate_file(world, live->path, 0);
    destroy(world, live, 0);
    live->stream = world->next_stream++;
}

static void move_to_other_device(struct world *world)
{
    char path[WORLD_PATH_MAX];

    world_end_line(world);
    shift(world, path);
    add_older(world, copy_file(world, world->live, path));
    pause_here(world);
    unlink_file(world, &world->files[world->live]);
    world->live = -1;
    world_reopen(world);
}

void world_rotate(struct world *world)
{
    char path[WORLD_PATH_MAX];

    if (world->live < 0 || world->older_count + 4 > WORLD_FILES_MAX || world->files[world->live].count == 0)
        return;
    if (world->style == STYLE_COPYTRUNCATE) {
        copytruncate(world);
        return;
    }
    if (world->style == STYLE_OTHER_DEVICE) {
        move_to_other_device(world);
        return;
    }
    shift(world, path);
    rename_file(&world->files[world->live], path);
    add_older(world, world->live);
    world->live = -1;
    pause_here(world);
    if (!one_in(world, 4))
        world_reopen(world);
}

void world_truncate(struct world *world)
{
    if (world->live < 0 || world->current != world->live)
        return;
    world_end_line(world);
    struct world_file *live = &world->files[world->live];
    truncate_file(world, live->path, 0);
    destroy(world, live, 0);
    live->stream = world->next_stream++;
}

/* To the end of a line, as after a power cut; not into the head, by which the file is known. */
void world_roll_back(struct world *world)
{
    off_t size = 0;

    if (world->live < 0 || world->current != world->live || world->files[world->live].count < 2)
        return;
    world_end_line(world);
    struct world_file *live = &world->files[world->live];
    int keep = 1 + (int)chance_below(world->chance, (uint64_t)live->count - 1);
    for (int i = 0; i < live->count && (i < keep || size < HEAD_BYTES_MAX); i++) {
        size += world->lines[live->lines[i]].written;
        keep = i < keep ? keep : i + 1;
    }
    truncate_file(world, live->path, size);
    destroy(world, live, keep);
}

/* ---- compressing ---- */

static size_t pack(bool zstd, const char *bytes, size_t size, char *out, size_t room)
{
    if (zstd) {
        size_t packed = ZSTD_compress(out, room, bytes, size, 3);
        must(!ZSTD_isError(packed), "zstd");
        return packed;
    }
    z_stream stream = {.next_in = (Bytef *)(uintptr_t)bytes,
                       .avail_in = (uInt)size,
                       .next_out = (Bytef *)out,
                       .avail_out = (uInt)room};
    must(deflateInit2(&stream, 6, Z_DEFLATED, 15 + 16, 8, Z_DEFAULT_STRATEGY) == Z_OK, "gzip");
    must(deflate(&stream, Z_FINISH) == Z_STREAM_END, "gzip");
    deflateEnd(&stream);
    return room - stream.avail_out;
}

static int plain_older(struct world *world)
{
    int at = world->older_count ? (int)chance_below(world->chance, (uint64_t)world->older_count) : -1;

    if (at < 0)
        return -1;
    const struct world_file *file = &world->files[world->older[at]];
    return file->packed || world->older[at] == world->current || file->count == 0 ? -1 : at;
}

/* As gzip(1) and zstd(1) do: a new file, written bit by bit, with the old one's time; then that goes. */
void world_compress(struct world *world)
{
    static char bytes[4 << 20], packed[5 << 20];
    char path[WORLD_PATH_MAX];
    struct stat st;
    int at = plain_older(world), from = at < 0 ? -1 : world->older[at];

    if (at < 0)
        return;
    bool zstd = one_in(world, 2);
    snprintf(path, sizeof(path), "%.50s%s", world->files[from].path, zstd ? ".zst" : ".gz");
    int in = open(world->files[from].path, O_RDONLY | O_CLOEXEC);
    ssize_t size = read(in, bytes, sizeof(bytes));
    must(in >= 0 && size >= 0 && fstat(in, &st) == 0, "compress");
    close(in);
    size_t packed_size = pack(zstd, bytes, (size_t)size, packed, sizeof(packed)), half = packed_size / 2;
    int out = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0644);
    must(out >= 0 && write(out, packed, half) == (ssize_t)half, "compress");
    set_time(world, out);
    pause_here(world);
    must(write(out, packed + half, packed_size - half) == (ssize_t)(packed_size - half), "compress");
    struct timespec times[2] = {st.st_atim, st.st_mtim};
    must(futimens(out, times) == 0, "compress");
    close(out);
    pause_here(world);
    int new = new_file(world, path, world->files[from].stream);
    struct world_file *file = &world->files[new], *old = &world->files[from];
    file->packed = true;
    file->count = old->count;
    file->lines = malloc((size_t)old->count * sizeof(int));
    memcpy(file->lines, old->lines, (size_t)old->count * sizeof(int));
    unlink_file(world, old);
    world->older[at] = new;
}

void world_delete_oldest(struct world *world)
{
    if (world->older_count < 2 || world->older[world->older_count - 1] == world->current)
        return;
    unlink_file(world, &world->files[world->older[--world->older_count]]);
}

/* ---- the reader ---- */

void world_reader_looked(struct world *world, bool (*has)(void *context, const char *path), void *context)
{
    world->reader_runs = true;
    for (int i = 0; i < world->file_count; i++)
        world->files[i].seen |= world->files[i].linked && has(context, world->files[i].path);
}

void world_reader_ended(struct world *world)
{
    world->reader_runs = false;
    for (int i = 0; i < world->file_count; i++) {
        struct world_file *file = &world->files[i];
        file->seen = false;
        if (!file->held)
            continue;
        file->held = false;
        destroy(world, file, 0);
    }
}

bool world_is_readable(const struct world *world, int number)
{
    return !world->lines[number].may_be_lost;
}
