#include "stats_outside.h"

#include "liblog/base/cleanup.h"
#include "stats_folder.h"
#include "tally.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <time.h>

enum {
    TRIES_MAX = 200,
    PATIENT_TRIES_MAX = 100, /* then without what is not drained */
    TRY_PAUSE_NS = 500000,
    FRAME_RESERVE_BYTES = FRAME_BYTES_MAX + SITE_PLAIN_BYTES_MAX,
    FRONT_BYTES = offsetof(struct stats_layout, names), /* what every block changes */
};

/* One look at the two files, which may change meanwhile. */
struct look {
    int fd;          /* of the statistics */
    int ring_fd;     /* or -1: the run has no rings any more */
    bool is_patient; /* rather looks again than leaves something out */
    struct stats_file file;
    struct ring_file rings;
};

static int read_part(int fd, void *at, size_t offset, size_t size)
{
    while (size > 0) {
        ssize_t n = pread(fd, at, size, (off_t)offset);
        if (n < 0 && errno == EINTR)
            continue;
        if (n <= 0)
            return n < 0 ? LL_EIO : LL_EFORMAT;
        at = (char *)at + n;
        offset += (size_t)n;
        size -= (size_t)n;
    }
    return LL_OK;
}

/*
 * Blocks were committed since the front was read. The rings have room behind their ends: as long as no end
 * has moved on by more than that, and one block that is being made, none of the entries that belong to the
 * front was written over.
 */
static bool is_within_room(const struct stats_open *held, const struct stats_open *after,
                           enum stats_ring ring)
{
    const struct stats_ring_place *place = &stats_ring_places[ring];
    return after->end[ring] <= held->end[ring] + (place->capacity - place->keep - place->block_max);
}

/* Of errors there is less room: those that may have been written over are left out. */
static void forget_overwritten(struct stats_layout *at, const struct stats_open *held, uint64_t end)
{
    uint64_t to = end + STATS_RECENT_BLOCK_MAX;
    for (uint64_t i = held->end[STATS_RECENT]; i < to && i - held->end[STATS_RECENT] < STATS_RECENT_CAPACITY;
         i++)
        at->recent[i % STATS_RECENT_CAPACITY].order = 0;
}

static int check_ends(const struct look *look, const struct stats_open *held)
{
    struct stats_open after[2];
    os_load_fence();
    int error = read_part(look->fd, after, offsetof(struct stats_layout, open), sizeof after);
    for (int i = 0; i < 2 && !error; i++) {
        for (int ring = 0; ring < STATS_TIMED_RINGS && !error; ring++)
            if (!is_within_room(held, &after[i], (enum stats_ring)ring))
                error = LL_ETIMEOUT;
        if (!is_within_room(held, &after[i], STATS_RECENT)) {
            error = look->is_patient ? LL_ETIMEOUT : error;
            forget_overwritten(look->file.at, held, after[i].end[STATS_RECENT]);
        }
    }
    return error;
}

/* A name whose hash is not its row's was exchanged for another meanwhile, or is damaged. */
static bool names_are_whole(const struct stats *stats)
{
    for (uint32_t i = 0; i < stats->open.row_count; i++)
        if (stats_name_hash(stats_row_name(stats, i)) != stats->row[i].hash)
            return false;
    return true;
}

static bool front_is_same(const struct look *look)
{
    struct stats_open after[2];
    os_load_fence();
    return read_part(look->fd, after, offsetof(struct stats_layout, open), sizeof after) == LL_OK &&
           memcmp(after, look->file.at->open, sizeof after) == 0;
}

/* Whether no block was committed since the front was read: then nothing of it was written over. */
static bool is_unmoved(const struct look *look)
{
    return look->ring_fd < 0 ? front_is_same(look) : ring_file_peek_holds(&look->rings);
}

static int read_rest(struct look *look, uint64_t next_seq, struct stats_view *view)
{
    struct stats_layout *at = look->file.at;
    const struct stats_open held = at->open[stats_choose(at->open, next_seq)];
    if (held.next_seq != next_seq && held.next_seq && look->is_patient)
        return LL_ETIMEOUT; /* the log was closed and opened in between; or, for good, there was a power cut
                             */
    int error = read_part(look->fd, at->names, FRONT_BYTES, sizeof *at - FRONT_BYTES);
    if (!error && !is_unmoved(look))
        error = check_ends(look, &held);
    if (error)
        return error;
    view->file = look->file;
    stats_begin(&view->stats, &view->file, next_seq);
    if (!names_are_whole(&view->stats)) {
        stats_end(&view->stats);
        return is_unmoved(look) ? LL_EFORMAT : LL_ETIMEOUT;
    }
    look->file = (struct stats_file){.fd = -1}; /* it is the view's now */
    return LL_OK;
}

static int read_undrained(struct look *look, struct stats_view *view)
{
    int error = ring_file_peek_bytes(&look->rings, FRAME_RESERVE_BYTES);
    int64_t records = error ? error : tally_undrained(&view->stats, &look->rings);
    if (records < 0)
        stats_view_release(view);
    else
        view->undrained = (uint64_t)records;
    return records < 0 ? (int)records : LL_OK;
}

/* Without rings nobody writes, or it is about to make some: the later copy is the one that holds. */
static int look_without_rings(struct look *look, struct stats_view *view)
{
    const struct stats_open *open = look->file.at->open;
    int error = read_part(look->fd, look->file.at, 0, FRONT_BYTES);
    if (!error && !front_is_same(look))
        error = LL_ETIMEOUT;
    return error ? error : read_rest(look, open[open[1].next_seq > open[0].next_seq].next_seq, view);
}

static int look_with_rings(struct look *look, struct stats_view *view)
{
    const char *reason;
    int error = ring_file_peek(&look->rings, look->ring_fd, &reason);
    if (error)
        return error;
    error = read_part(look->fd, look->file.at, 0, FRONT_BYTES);
    if (!error && !ring_file_peek_holds(&look->rings))
        error = LL_ETIMEOUT;
    if (!error)
        error = read_rest(look, look->rings.progress->next_seq[ring_file_parity(&look->rings)], view);
    if (!error && look->is_patient)
        error = read_undrained(look, view);
    ring_file_release(&look->rings);
    return error;
}

static int open_in(const struct folder *folder, const char *name, const char *suffix)
{
    char path[LL_PATH_SIZE + 512];
    struct stat st;
    folder_path(folder, name, suffix, path, sizeof path);
    int _cleanup_close_ fd = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
    if (fd < 0)
        return errno == ENOENT ? LL_ENOENT : errno == EACCES || errno == EPERM ? LL_EACCES : LL_EFORMAT;
    if (fstat(fd, &st) || !S_ISREG(st.st_mode))
        return LL_EFORMAT;
    return take_fd(&fd);
}

static int look_at_both(struct look *look, struct stats_view *view)
{
    struct stats_header header;
    *view = (struct stats_view){0};
    int error = stats_header_read(look->fd, &header);
    if (!error && stats_file_make_private(&look->file, &header))
        error = LL_ENOMEM;
    if (!error)
        error = look->ring_fd < 0 ? look_without_rings(look, view) : look_with_rings(look, view);
    stats_file_release(&look->file);
    return error;
}

/* A ring file that cannot be believed says nothing of what holds: then the statistics stand alone. */
static int look_once(const struct folder *folder, const char *run_id, bool is_patient,
                     struct stats_outside *outside)
{
    char ring[STATS_NAME_SIZE];
    *outside = (struct stats_outside){.is_settled = is_patient};
    int _cleanup_close_ fd = open_in(folder, run_id, STATS_SUFFIX);
    int _cleanup_close_ ring_fd = stats_ring_name(folder, run_id, ring) ? open_in(folder, ring, "") : -1;
    struct look look = {.fd = fd, .ring_fd = ring_fd < 0 ? -1 : ring_fd, .is_patient = is_patient};
    if (fd < 0)
        return fd;
    int error = LL_EFORMAT;
    if (look.ring_fd < 0)
        return look_at_both(&look, &outside->view);
    const char *reason;
    if (ring_file_is_alive(look.ring_fd, folder->boot_id, &outside->is_alive, &reason) == LL_OK)
        error = look_at_both(&look, &outside->view);
    if (error != LL_EFORMAT)
        return error;
    look.ring_fd = -1;
    outside->is_settled = false;
    return look_at_both(&look, &outside->view);
}

int stats_outside_read(const struct folder *folder, const char *run_id, struct stats_outside *ret_outside)
{
    const struct timespec pause = {0, TRY_PAUSE_NS};
    struct stats_outside outside;
    int error = LL_ETIMEOUT;
    for (int i = 0; i < TRIES_MAX && error == LL_ETIMEOUT; i++) {
        error = look_once(folder, run_id, i < PATIENT_TRIES_MAX, &outside);
        if (error == LL_ETIMEOUT)
            nanosleep(&pause, NULL);
    }
    if (!error)
        *ret_outside = outside;
    return error;
}
