#include "ring_file.h"

#include "liblog/base/uuid.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum {
    PAGE_IDENTITY,
    PAGE_OWNER,
    PAGE_PROGRESS,
    PAGE_GROWTH,
    PAGES,
    PAGE_BYTES_MAX = 65536,
    PIECE_BYTES = 16384,
    BYTE_ORDER_MARK = 0x01020304
};

static const char too_short[] = "it is shorter than it claims to be";
static const char magic[8] = "LLRING\n";

/* What is in files does not move. A change here is a new version (ring_file.h). */
_Static_assert(sizeof(struct ring_identity) == 712 && offsetof(struct ring_identity, run_id) == 64 &&
                   offsetof(struct ring_identity, service) == 192,
               "the identity page");
_Static_assert(offsetof(struct ring_progress, note) == 96 && sizeof(struct ring_note) == 136 &&
                   offsetof(struct ring_progress, announced) == 232,
               "the progress page");
_Static_assert(sizeof(struct ring_growth) == 8 + sizeof(struct ring_dropped), "the growth page");
_Static_assert(sizeof(struct ring_control) == 512 && offsetof(struct ring_control, tail) == 128 &&
                   offsetof(struct ring_control, dropped) == 256,
               "a ring's control");

uint64_t ring_file_owner_offset(void)
{
    return (uint64_t)PAGE_OWNER * os_page_size();
}

static uint64_t sites_offset(const struct ring_file *file)
{
    return (uint64_t)PAGES * file->page;
}

static uint64_t segment_bytes(const struct ring_identity *identity)
{
    return identity->page + identity->ring_bytes + (identity->depths - 1) * identity->small_bytes;
}

static uint64_t segment_offset(const struct ring_file *file, uint32_t index)
{
    return sites_offset(file) + file->identity->sites_bytes + index * segment_bytes(file->identity);
}

static void point_into(struct ring_file *file, char *memory)
{
    file->identity = (struct ring_identity *)(memory + PAGE_IDENTITY * file->page);
    file->progress = (struct ring_progress *)(memory + PAGE_PROGRESS * file->page);
    file->growth = (struct ring_growth *)(memory + PAGE_GROWTH * file->page);
    file->sites = memory + PAGES * file->page;
}

static size_t front_bytes(const struct ring_file *file)
{
    return PAGES * file->page + RING_FILE_SITES_BYTES;
}

static void identity_complete(struct ring_identity *identity, size_t page)
{
    memcpy(identity->magic, magic, sizeof magic);
    identity->version = RING_FILE_VERSION;
    identity->byte_order = BYTE_ORDER_MARK;
    identity->page = (uint32_t)page;
    identity->depths = RING_FILE_DEPTHS;
    identity->small_bytes = RING_FILE_SMALL_BYTES;
    identity->sites_bytes = RING_FILE_SITES_BYTES;
    identity->uses_counter = ticks_use_counter();
}

static bool is_same_file(const struct ring_file *file, int fd)
{
    struct stat st;
    return fd >= 0 && os_status(fd, &st) == 0 && (uint64_t)st.st_dev == file->device &&
           (uint64_t)st.st_ino == file->inode;
}

bool ring_file_is_open(const struct ring_file *file)
{
    return is_same_file(file, file->fd);
}

int ring_file_reopen(struct ring_file *file, const char *path)
{
    int fd = open(path, O_RDWR | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
    if (fd < 0)
        return -errno;
    if (!is_same_file(file, fd)) {
        close(fd);
        return -ENOENT;
    }
    file->fd = fd;
    return 0;
}

int ring_file_make(struct ring_file *file, int fd, const struct ring_identity *identity)
{
    void *memory;
    struct stat st;
    if (fstat(fd, &st))
        return -errno;
    *file = (struct ring_file){
        .fd = fd, .device = (uint64_t)st.st_dev, .inode = (uint64_t)st.st_ino, .page = os_page_size()};
    file->segment = calloc(RING_FILE_SEGMENTS_MAX, sizeof *file->segment);
    if (!file->segment)
        return -ENOMEM;
    int error = os_allocate(fd, 0, front_bytes(file));
    if (!error)
        error = os_map(fd, 0, front_bytes(file), &memory);
    if (error) {
        free(file->segment);
        return error;
    }
    point_into(file, memory);
    *file->identity = *identity;
    identity_complete(file->identity, file->page);
    file->progress->next_seq[0] = file->progress->next_seq[1] = 1;
    file->progress->generation = 2; /* a note of generation 0 never holds */
    file->growth->sites_used = 8;   /* entry 0 means none */
    return 0;
}

/* --- segments ------------------------------------------------------------------------------------------- */

static uint64_t ring_bytes_of(const struct ring_identity *identity, int depth)
{
    return depth == 0 ? identity->ring_bytes : identity->small_bytes;
}

static struct ring_control *control_of(const struct ring_segment *segment, int depth)
{
    return (struct ring_control *)(segment->control_page + (size_t)depth * sizeof(struct ring_control));
}

/* In its own process a ring's beginning is mapped again as far as a frame can reach; a copy holds two of all.
 */
static uint64_t data_bytes(const struct ring_file *file, uint64_t size)
{
    return size + (file->is_copy ? size : ring_again_bytes(size));
}

static void segment_unmap(const struct ring_file *file, struct ring_segment *segment)
{
    for (int i = 0; i < RING_FILE_DEPTHS; i++)
        if (segment->ring[i].data)
            os_unmap(segment->ring[i].data, data_bytes(file, segment->ring[i].size));
    if (file->is_copy)
        free(segment->control_page);
    else
        os_unmap(segment->control_page, file->page);
    *segment = (struct ring_segment){0};
}

static int segment_map(const struct ring_file *file, uint64_t offset, struct ring_segment *segment)
{
    void *memory;
    int error = os_map(file->fd, offset, file->page, &memory);
    if (error)
        return error;
    segment->control_page = memory;
    offset += file->page;
    for (int i = 0; i < RING_FILE_DEPTHS && !error; i++) {
        uint64_t size = ring_bytes_of(file->identity, i);
        error = os_map_twice(file->fd, offset, size, ring_again_bytes(size), &memory);
        if (!error)
            segment->ring[i] = (struct ring){control_of(segment, i), memory, size};
        offset += size;
    }
    if (error)
        segment_unmap(file, segment);
    return error;
}

int ring_file_grow(struct ring_file *file, uint32_t *ret_index)
{
    uint32_t index = file->segment_count;
    if (index == RING_FILE_SEGMENTS_MAX)
        return -ENOSPC;
    if (!ring_file_is_open(file))
        return -EBADF;
    uint64_t offset = segment_offset(file, index);
    int error = os_allocate(file->fd, offset, segment_bytes(file->identity));
    if (!error)
        error = segment_map(file, offset, &file->segment[index]);
    if (error)
        return error;
    __atomic_store_n(&file->segment_count, index + 1, __ATOMIC_RELEASE);
    __atomic_store_n(&file->growth->segments, index + 1, __ATOMIC_RELEASE);
    *ret_index = index;
    return 0;
}

static void segment_leave(const struct ring_file *file, const struct ring_segment *segment)
{
    os_replace_by_private(segment->control_page, file->page);
    for (int i = 0; i < RING_FILE_DEPTHS; i++)
        os_replace_by_private(segment->ring[i].data, 2 * segment->ring[i].size);
}

void ring_file_leave(const struct ring_file *file)
{
    os_replace_by_private(file->identity, front_bytes(file));
    for (uint32_t i = 0; i < file->segment_count; i++)
        segment_leave(file, &file->segment[i]);
}

void ring_file_release(struct ring_file *file)
{
    for (uint32_t i = 0; file->segment && i < file->segment_count; i++)
        segment_unmap(file, &file->segment[i]);
    free(file->segment);
    if (file->is_copy)
        free(file->identity);
    else if (file->identity)
        os_unmap(file->identity, front_bytes(file));
    *file = (struct ring_file){.fd = -1};
}

/* --- progress ------------------------------------------------------------------------------------------- */

/* Of a copy, what was changed in memory goes to the file too. A failure is not told here: the copy is right,
 * and whoever comes next finds the older state and does the work again. */
static void put_back(const struct ring_file *file, uint64_t offset, const void *bytes, size_t size)
{
    if (file->is_copy && os_write_at(file->fd, bytes, size, offset))
        return;
}

static void put_back_segments(const struct ring_file *file)
{
    for (uint32_t i = 0; file->is_copy && i < file->segment_count; i++)
        put_back(file, segment_offset(file, i), file->segment[i].control_page, file->page);
}

/* The new tails reach the file before the note does: a note that is found always finds them too. */
void ring_file_note(struct ring_file *file, const struct ring_note *note)
{
    struct ring_note *place = &file->progress->note;
    put_back_segments(file);
    struct ring_note whole = *note;
    whole.generation = 0; /* does not hold yet, nor does one of an earlier try any more */
    __atomic_store_n(&place->generation, 0, __ATOMIC_RELEASE);
    __atomic_signal_fence(__ATOMIC_SEQ_CST);
    *place = whole;
    __atomic_store_n(&place->generation, file->progress->generation, __ATOMIC_RELEASE);
    put_back(file, PAGE_PROGRESS * file->page, file->progress, sizeof *file->progress);
}

void ring_file_commit(struct ring_file *file)
{
    put_back_segments(file);
    __atomic_store_n(&file->progress->generation, file->progress->generation + 1, __ATOMIC_RELEASE);
    put_back(file, PAGE_PROGRESS * file->page, file->progress, sizeof *file->progress);
}

const struct ring_note *ring_file_pending(const struct ring_file *file)
{
    const struct ring_note *note = &file->progress->note;
    return note->generation == file->progress->generation ? note : NULL;
}

void ring_file_set_anchor(struct ring_file *file, const struct ticks_anchor *anchor)
{
    struct ring_progress *progress = file->progress;
    progress->anchor[(progress->anchor_version + 1) & 1] = *anchor;
    __atomic_store_n(&progress->anchor_version, progress->anchor_version + 1, __ATOMIC_RELEASE);
}

const struct ticks_anchor *ring_file_anchor(const struct ring_file *file)
{
    return &file->progress->anchor[file->progress->anchor_version & 1];
}

/* --- reading a dead process's file ---------------------------------------------------------------------- */

static int read_all(int fd, uint64_t offset, void *memory, size_t size)
{
    ssize_t n = os_read_at(fd, memory, size, offset);
    if (n < 0)
        return LL_EIO;
    return (size_t)n == size ? LL_OK : LL_EFORMAT;
}

static bool is_power_of_two(uint64_t value)
{
    return value != 0 && (value & (value - 1)) == 0;
}

static bool text_ends(const char *text, size_t size)
{
    return memchr(text, '\0', size) != NULL;
}

static const char *identity_fault(const struct ring_identity *identity)
{
    if (memcmp(identity->magic, magic, sizeof magic) != 0)
        return "it is not a ring file";
    if (identity->version == 0 || identity->version > RING_FILE_VERSION)
        return "it was made by a newer version";
    if (identity->byte_order != BYTE_ORDER_MARK)
        return "it comes from a machine with another byte order";
    if (identity->page < 4096 || identity->page > PAGE_BYTES_MAX || !is_power_of_two(identity->page))
        return "its page size cannot be";
    if (identity->depths != RING_FILE_DEPTHS || identity->small_bytes != RING_FILE_SMALL_BYTES ||
        identity->sites_bytes != RING_FILE_SITES_BYTES)
        return "its layout cannot be";
    if (!is_power_of_two(identity->ring_bytes) || identity->ring_bytes < RING_BYTES_MIN ||
        identity->ring_bytes > RING_BYTES_MAX)
        return "its ring size cannot be";
    if (!text_ends(identity->run_id, sizeof identity->run_id) ||
        !text_ends(identity->parent_run_id, sizeof identity->parent_run_id) ||
        !text_ends(identity->service, sizeof identity->service) ||
        !text_ends(identity->environment, sizeof identity->environment))
        return "its texts do not end";
    if (identity->layout >= RING_LAYOUTS)
        return "it writes lines that this version does not know";
    uint8_t uuid[UUID_SIZE];
    if (uuid_from_text(slice_of(identity->run_id), uuid))
        return "its run id cannot be"; /* lines are told by it, so it must be one that no other text is */
    return NULL;
}

static const char *growth_fault(const struct ring_growth *growth)
{
    if (growth->sites_used < 8 || growth->sites_used > RING_FILE_SITES_BYTES)
        return "its table of call sites is longer than it can be";
    if (growth->segments > RING_FILE_SEGMENTS_MAX)
        return "it claims more threads than it can hold";
    return NULL;
}

/* What the owner may have been in the middle of: the head leads the tail by at most the ring's size. */
static const char *ring_fault(const struct ring *ring, unsigned parity)
{
    const struct ring_control *control = ring->control;
    uint64_t tail = control->tail[parity];
    if (control->head < tail || control->head - tail > ring->size || tail % 8 || control->head % 8)
        return "the ends of a ring cannot be";
    return NULL;
}

static bool is_zero(const char *bytes, size_t size)
{
    return size == 0 || (bytes[0] == 0 && memcmp(bytes, bytes + 1, size - 1) == 0);
}

/* What is zero is not touched, so that a file of holes which claims to be large costs no memory. */
static int read_sparse(int fd, uint64_t offset, char *memory, uint64_t size)
{
    char piece[PIECE_BYTES];
    while (size > 0) {
        size_t n = size < sizeof piece ? (size_t)size : sizeof piece;
        int error = read_all(fd, offset, piece, n);
        if (error)
            return error;
        if (!is_zero(piece, n))
            memcpy(memory, piece, n);
        memory += n;
        offset += n;
        size -= n;
    }
    return LL_OK;
}

/* Copies what is published of one ring: in one piece from its tail on, as it is mapped in its own process,
 * and what of it lies at the beginning there as well. */
static int ring_load(const struct ring_file *file, uint64_t offset, struct ring *ring)
{
    uint64_t tail = ring->control->tail[ring_file_parity(file)], size = ring->control->head - tail;
    uint64_t from = tail & (ring->size - 1);
    uint64_t first = size < ring->size - from ? size : ring->size - from;
    int error = read_sparse(file->fd, offset + from, ring->data + from, first);
    if (!error)
        error = read_sparse(file->fd, offset, ring->data + ring->size, size - first);
    if (!error)
        error = read_sparse(file->fd, offset, ring->data, size - first);
    return error;
}

/* The reason of a fault goes out; where there is none, that of an earlier step stays. */
static int fault(const char *reason, const char **ret_reason)
{
    if (!reason)
        return LL_OK;
    *ret_reason = reason;
    return LL_EFORMAT;
}

/* The ring's ends are checked, then what lies between them is copied. */
static int segment_ring_load(struct ring_file *file, struct ring_segment *segment, int depth, uint64_t offset,
                             const char **ret_reason)
{
    void *memory;
    struct ring *ring = &segment->ring[depth];
    uint64_t size = ring_bytes_of(file->identity, depth);
    if (os_reserve(data_bytes(file, size), &memory))
        return LL_ENOMEM;
    *ring = (struct ring){control_of(segment, depth), memory, size};
    int error = fault(ring_fault(ring, ring_file_parity(file)), ret_reason);
    if (error)
        return error;
    file->published_bytes += ring->control->head - ring->control->tail[ring_file_parity(file)];
    if (file->published_bytes > RING_FILE_PUBLISHED_BYTES_MAX)
        return fault("its rings claim to hold more than they can", ret_reason);
    return ring_load(file, offset, ring);
}

static int segment_load(struct ring_file *file, uint32_t index, const char **ret_reason)
{
    struct ring_segment *segment = &file->segment[index];
    uint64_t offset = segment_offset(file, index);
    segment->control_page = malloc(file->page);
    if (!segment->control_page)
        return LL_ENOMEM;
    file->segment_count = index + 1;
    int error = read_all(file->fd, offset, segment->control_page, file->page);
    offset += file->page;
    for (int i = 0; i < RING_FILE_DEPTHS && !error; i++) {
        error = segment_ring_load(file, segment, i, offset, ret_reason);
        offset += ring_bytes_of(file->identity, i);
    }
    return error;
}

/* Reads what stands before the segments, with the table of sites or without; only the identity's page size
 * tells how many bytes these are. */
static int front_load(struct ring_file *file, bool with_sites, const char **ret_reason)
{
    struct ring_identity identity;
    int error = read_all(file->fd, 0, &identity, sizeof identity);
    if (!error)
        error = fault(identity_fault(&identity), ret_reason);
    if (error)
        return error;
    file->page = identity.page;
    char *memory = malloc(front_bytes(file));
    if (!memory)
        return LL_ENOMEM;
    point_into(file, memory);
    error = read_all(file->fd, 0, memory, with_sites ? front_bytes(file) : PAGES * file->page);
    if (error)
        return error;
    *file->identity = identity; /* what was checked, should the file have changed in between */
    return fault(growth_fault(file->growth), ret_reason);
}

int ring_file_load(struct ring_file *file, int fd, const char **ret_reason)
{
    *file = (struct ring_file){.fd = fd, .is_copy = true};
    *ret_reason = too_short;
    file->segment = calloc(RING_FILE_SEGMENTS_MAX, sizeof *file->segment);
    int error = file->segment ? front_load(file, true, ret_reason) : LL_ENOMEM;
    uint32_t segments = error ? 0 : file->growth->segments;
    for (uint32_t i = 0; i < segments && !error; i++)
        error = segment_load(file, i, ret_reason);
    if (error)
        ring_file_release(file);
    return error;
}

/* --- looking at a ring that may be alive ---------------------------------------------------------------- */

static int peek_segment(struct ring_file *file, uint32_t index)
{
    struct ring_segment *segment = &file->segment[index];
    segment->control_page = malloc(file->page);
    if (!segment->control_page)
        return LL_ENOMEM;
    file->segment_count = index + 1;
    for (int i = 0; i < RING_FILE_DEPTHS; i++) {
        uint64_t size = ring_bytes_of(file->identity, i);
        void *memory; /* touched as far as there is something to read */
        if (os_reserve(2 * size, &memory))
            return LL_ENOMEM;
        segment->ring[i] = (struct ring){control_of(segment, i), memory, size};
    }
    return read_all(file->fd, segment_offset(file, index), segment->control_page, file->page);
}

int ring_file_peek(struct ring_file *file, int fd, const char **ret_reason)
{
    *file = (struct ring_file){.fd = fd, .is_copy = true};
    *ret_reason = too_short;
    file->segment = calloc(RING_FILE_SEGMENTS_MAX, sizeof *file->segment);
    int error = file->segment ? front_load(file, false, ret_reason) : LL_ENOMEM;
    uint32_t segments = error ? 0 : file->growth->segments;
    for (uint32_t i = 0; i < segments && !error; i++)
        error = peek_segment(file, i);
    if (error)
        ring_file_release(file);
    return error;
}

/* The fence keeps the loads of one read before those of the next. */
bool ring_file_peek_holds(const struct ring_file *file)
{
    uint64_t generation;
    os_load_fence();
    return read_all(file->fd, PAGE_PROGRESS * file->page, &generation, sizeof generation) == LL_OK &&
           generation == file->progress->generation;
}

/* What is published, to the places where it is mapped in its own process. */
static int peek_bytes(const struct ring_file *file, uint64_t offset, const struct ring *ring)
{
    uint64_t tail = ring->control->tail[ring_file_parity(file)], mask = ring->size - 1;
    uint64_t size = ring->control->head - tail, start = tail & mask;
    uint64_t first = size < ring->size - start ? size : ring->size - start;
    int error = read_all(file->fd, offset + start, ring->data + start, first);
    if (!error && size > first)
        error = read_all(file->fd, offset, ring->data, size - first);
    if (!error)
        memcpy(ring->data + ring->size, ring->data, size - first);
    return error;
}

/* Whether no producer can have reached the bytes that were read: nothing was freed, or it has not come so
 * far round. */
static bool is_intact(const struct ring_control *before, const struct ring_control *after, uint64_t size,
                      unsigned parity, uint64_t reserve_bytes)
{
    uint64_t tail = before->tail[parity];
    return after->freed <= tail || after->head + reserve_bytes <= tail + size;
}

static int peek_rings(struct ring_file *file, uint32_t index, char *page, uint64_t reserve_bytes)
{
    struct ring_segment *segment = &file->segment[index];
    uint64_t offset = segment_offset(file, index), at = offset + file->page;
    unsigned parity = ring_file_parity(file);
    int error = LL_OK;
    for (int i = 0; i < RING_FILE_DEPTHS && !error; i++) {
        error = ring_fault(&segment->ring[i], parity) ? LL_EFORMAT : peek_bytes(file, at, &segment->ring[i]);
        at += segment->ring[i].size;
    }
    os_load_fence();
    if (!error)
        error = read_all(file->fd, offset, page, file->page);
    for (int i = 0; i < RING_FILE_DEPTHS && !error; i++) {
        const struct ring_control *after = (const struct ring_control *)(const void *)page + i;
        if (!is_intact(segment->ring[i].control, after, segment->ring[i].size, parity, reserve_bytes))
            error = LL_ETIMEOUT;
    }
    return error;
}

int ring_file_peek_bytes(struct ring_file *file, uint64_t reserve_bytes)
{
    char *page = malloc(file->page);
    int error = page ? LL_OK : LL_ENOMEM;
    for (uint32_t i = 0; i < file->segment_count && !error; i++)
        error = peek_rings(file, i, page, reserve_bytes);
    free(page);
    if (!error) /* last: what a frame that was read refers to is in the table by then */
        error = read_all(file->fd, PAGE_GROWTH * file->page, file->growth, sizeof *file->growth);
    if (!error && growth_fault(file->growth))
        error = LL_EFORMAT;
    if (!error)
        error = read_all(file->fd, sites_offset(file), file->sites, file->growth->sites_used);
    return error;
}

int ring_file_is_alive(int fd, const uint8_t boot_id[static OS_BOOT_ID_SIZE], bool *ret_alive,
                       const char **ret_reason)
{
    struct ring_identity identity;
    uint32_t owner;
    *ret_reason = too_short;
    int error = read_all(fd, 0, &identity, sizeof identity);
    if (!error)
        error = fault(identity_fault(&identity), ret_reason);
    if (error)
        return error;
    error = read_all(fd, (uint64_t)PAGE_OWNER * identity.page, &owner, sizeof owner);
    if (error)
        return error;
    *ret_alive = memcmp(identity.boot_id, boot_id, OS_BOOT_ID_SIZE) == 0 && os_word_is_held(owner);
    return LL_OK;
}
