#include "stats_file.h"

#include "liblog/base/os.h"

#include <errno.h>
#include <liblog/error.h>
#include <string.h>
#include <unistd.h>

enum { BYTE_ORDER_MARK = 0x01020304 };

static const char magic[8] = "LLSTAT\n";

#define entries_of(member) offsetof(struct stats_layout, member), sizeof((struct stats_layout *)0)->member[0]
#define sizes_of(ring)     STATS_##ring##_KEEP, STATS_##ring##_BLOCK_MAX, STATS_##ring##_CAPACITY
const struct stats_ring_place stats_ring_places[STATS_RINGS] = {
    [STATS_SECONDS] = {entries_of(seconds), sizes_of(SECONDS)},
    [STATS_MINUTES] = {entries_of(minutes), sizes_of(MINUTES)},
    [STATS_TYPE_SECONDS] = {entries_of(type_seconds), sizes_of(TYPE_SECONDS)},
    [STATS_TYPE_MINUTES] = {entries_of(type_minutes), sizes_of(TYPE_MINUTES)},
    [STATS_RECENT] = {entries_of(recent), sizes_of(RECENT)},
};

static bool header_is_sound(const struct stats_header *header)
{
    return memcmp(header->magic, magic, sizeof magic) == 0 && header->version == STATS_VERSION &&
           header->byte_order == BYTE_ORDER_MARK && header->bytes == sizeof(struct stats_layout) &&
           memchr(header->run_id, '\0', sizeof header->run_id) &&
           memchr(header->service, '\0', sizeof header->service);
}

static void begin(struct stats_layout *layout, const struct stats_header *header)
{
    struct stats_header whole = *header;
    whole.version = STATS_VERSION;
    whole.byte_order = BYTE_ORDER_MARK;
    whole.bytes = sizeof *layout;
    memcpy(whole.magic, magic, sizeof magic);
    layout->header = whole;
    layout->open[0].next_id = layout->open[1].next_id = 1;
}

static int map(struct stats_file *file, int fd)
{
    void *memory;
    int error = os_map_untouched(fd, sizeof(struct stats_layout), &memory);
    if (!error)
        *file = (struct stats_file){.at = memory, .fd = -1};
    return error;
}

int stats_file_make(struct stats_file *file, int fd, const struct stats_header *header)
{
    *file = (struct stats_file){.fd = -1};
    int error = os_allocate(fd, 0, sizeof(struct stats_layout));
    if (!error)
        error = map(file, fd);
    if (!error)
        begin(file->at, header);
    return error;
}

int stats_file_open(struct stats_file *file, int fd, const char *run_id)
{
    struct stats_header header;
    *file = (struct stats_file){.fd = -1};
    int error = stats_header_read(fd, &header);
    if (!error && strcmp(header.run_id, run_id) != 0)
        error = LL_EFORMAT;
    if (!error)
        error = os_allocate(fd, 0, sizeof(struct stats_layout)); /* whole, and so it stays */
    return error ? error : map(file, fd);
}

static int reserve(struct stats_file *file)
{
    void *memory;
    *file = (struct stats_file){.fd = -1};
    int error = os_reserve(sizeof(struct stats_layout), &memory);
    if (!error)
        *file = (struct stats_file){.at = memory, .is_copy = true, .fd = -1};
    return error;
}

int stats_file_make_private(struct stats_file *file, const struct stats_header *header)
{
    int error = reserve(file);
    if (!error)
        begin(file->at, header);
    return error;
}

static int read_all(int fd, void *memory, size_t size)
{
    for (size_t done = 0; done < size;) {
        ssize_t n = pread(fd, (char *)memory + done, size - done, (off_t)done);
        if (n < 0 && errno == EINTR)
            continue;
        if (n <= 0)
            return n < 0 ? LL_EIO : LL_EFORMAT;
        done += (size_t)n;
    }
    return LL_OK;
}

int stats_header_read(int fd, struct stats_header *ret_header)
{
    struct stats_header header;
    int error = read_all(fd, &header, sizeof header);
    if (!error && !header_is_sound(&header))
        error = LL_EFORMAT;
    if (!error)
        *ret_header = header;
    return error;
}

int stats_file_load(struct stats_file *file, int fd)
{
    if (reserve(file))
        return LL_ENOMEM;
    int error = read_all(fd, file->at, sizeof *file->at);
    if (!error && !header_is_sound(&file->at->header))
        error = LL_EFORMAT;
    if (error)
        stats_file_release(file);
    return error;
}

void stats_file_release(struct stats_file *file)
{
    os_unmap(file->at, sizeof *file->at);
    *file = (struct stats_file){.fd = -1};
}

void stats_file_put(const struct stats_file *file, const void *part, size_t size)
{
    off_t offset = (const char *)part - (const char *)file->at;
    if (file->is_copy && file->fd >= 0 && os_write_at(file->fd, part, size, (uint64_t)offset))
        return;
}
