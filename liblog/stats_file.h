/*
 * The file that holds one run's statistics, RUN.stats beside its ring file: bounded, written in place, and
 * still there when the ring file is finished and gone.
 *
 *   header     never changed
 *   open[2]    all numbers that change in place; one holds, the other is being made
 *   rows[2]    the types of errors; open[].rows_copy says which belong to it
 *   names[2]   the rows' texts; rows[].name_copy says which
 *   rings      appended to only: closed seconds and minutes by level, closed seconds and minutes of types,
 *              and the latest errors; open[].end says how far
 *
 * Nothing here says which of open[2] holds: it is the one whose next_seq is that of the ring file. So counts,
 * ring positions and sequence number move in the one store that commits a block (ring_file.h), and a death at
 * any point counts nothing twice and loses nothing. What belongs to the copy that holds is not written to:
 * rows and names have a second place, and rings have room behind their end, so that of each ring the last
 * `keep` entries before the end stay readable while `block_max` more are being made.
 *
 * A file is hostile input for everyone but its owner: stats_file_load copies it, and whoever uses a copy
 * checks each index in it (stats_count.c).
 */
#ifndef LIBLOG_STATS_FILE_H
#define LIBLOG_STATS_FILE_H

#include <liblog/record.h>
#include <liblog/stats.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum {
    STATS_VERSION = 1,
    STATS_LEVELS = 6,
    STATS_TYPES_MAX = LL_ERROR_TYPES_MAX,
    STATS_NAME_BYTES_MAX = 200,
    STATS_MESSAGE_BYTES_MAX = 248,
    STATS_REQUEST_ID_BYTES_MAX = 63,
    STATS_ENDPOINT_BYTES_MAX = 96,
    STATS_LOGGER_BYTES_MAX = 48,
    STATS_PLACE_BYTES_MAX = 48,
    STATS_SERVICE_BYTES_MAX = 255,
};

enum stats_ring {
    STATS_SECONDS,
    STATS_MINUTES,
    STATS_TYPE_SECONDS,
    STATS_TYPE_MINUTES,
    STATS_RECENT,
    STATS_RINGS,
    STATS_TIMED_RINGS = STATS_RECENT
};

/* X(ring, keep, block_max, capacity): an hour of seconds, a day of minutes; and twice the errors kept, for of
 * a block that has more they stand in no order (stats_count.c). */
#define STATS_RING_SIZES(X)                                                                                  \
    X(SECONDS, 3600, 128, 4096)                                                                              \
    X(MINUTES, 1440, 64, 1600)                                                                               \
    X(TYPE_SECONDS, 7168, 512, 8192)                                                                         \
    X(TYPE_MINUTES, 15872, 512, 16384)                                                                       \
    X(RECENT, 2 * LL_RECENT_ERRORS_MAX, LL_RECENT_ERRORS_MAX, 3 * LL_RECENT_ERRORS_MAX)

enum {
#define STATS_RING_ENUM_(ring, keep, block_max, capacity)                                                    \
    STATS_##ring##_KEEP = keep, STATS_##ring##_BLOCK_MAX = block_max, STATS_##ring##_CAPACITY = capacity,
    STATS_RING_SIZES(STATS_RING_ENUM_)
#undef STATS_RING_ENUM_
};

struct stats_header {
    char magic[8];
    uint32_t version;
    uint32_t byte_order;
    uint64_t bytes; /* of the file */
    int64_t started_ns;
    char run_id[40];
    char service[STATS_SERVICE_BYTES_MAX + 1];
    uint32_t pid;
    uint32_t reserved;
};

/* One second or minute; `time` counts them since 1970. */
struct stats_span {
    uint32_t time;
    uint32_t count[STATS_LEVELS];
    uint32_t reserved;
};

/* One type in one second or minute. The same may stand there more than once: its counts add up. */
struct stats_cell {
    uint32_t time;
    uint32_t id; /* of the type: stats_row.id */
    uint32_t count;
};

struct stats_row {
    uint64_t hash;  /* of the name */
    uint64_t count; /* since it has this row, and what it took over */
    uint64_t error; /* what it took over */
    uint32_t id;    /* no two types have had the same */
    uint32_t name_copy;
    struct stats_cell second, minute; /* the running ones */
};

struct stats_name {
    uint32_t size;
    char text[STATS_NAME_BYTES_MAX];
};

struct stats_recent {
    uint64_t order; /* 1, 2, 3 … over all errors of the run */
    int64_t time_ns;
    uint64_t seq;
    uint32_t line;
    uint16_t level, message_size;
    uint8_t type_size, request_id_size, endpoint_size, logger_size, file_size;
    char type[STATS_NAME_BYTES_MAX];
    char message[STATS_MESSAGE_BYTES_MAX];
    char request_id[STATS_REQUEST_ID_BYTES_MAX];
    char endpoint[STATS_ENDPOINT_BYTES_MAX];
    char logger[STATS_LOGGER_BYTES_MAX];
    char file[STATS_PLACE_BYTES_MAX];
};

struct stats_open {
    uint64_t next_seq; /* everything below is counted */
    uint64_t total[STATS_LEVELS];
    uint64_t end[STATS_RINGS]; /* entries ever appended */
    uint64_t errors;
    uint64_t replaced;                /* how often a type had to give way */
    uint64_t uncounted;               /* records below next_seq that were not seen here */
    int64_t last_ns;                  /* of the latest record */
    struct stats_span second, minute; /* the running ones */
    uint32_t lost[STATS_TIMED_RINGS]; /* the newest time of which entries were overwritten; 0: none */
    uint32_t row_count;
    uint32_t rows_copy;
    uint32_t next_id;
    uint32_t reserved;
};

enum { STATS_HEADER_BYTES = 4096 };

struct stats_layout {
    struct stats_header header;
    char pad[STATS_HEADER_BYTES - sizeof(struct stats_header)];
    struct stats_open open[2];
    struct stats_row rows[2][STATS_TYPES_MAX];
    struct stats_name names[2][STATS_TYPES_MAX];
    struct stats_recent recent[STATS_RECENT_CAPACITY];
    struct stats_span seconds[STATS_SECONDS_CAPACITY];
    struct stats_span minutes[STATS_MINUTES_CAPACITY];
    struct stats_cell type_seconds[STATS_TYPE_SECONDS_CAPACITY];
    struct stats_cell type_minutes[STATS_TYPE_MINUTES_CAPACITY];
};

struct stats_file {
    struct stats_layout *at; /* NULL: none */
    bool is_copy;            /* private memory: changes are also written to fd, if there is one */
    int fd;                  /* of a copy; borrowed */
};

/* Where the entries of a ring stand. */
struct stats_ring_place {
    size_t offset; /* in the layout */
    uint32_t entry_bytes, keep, block_max, capacity;
};
extern const struct stats_ring_place stats_ring_places[STATS_RINGS];

static inline void *stats_ring_entry(const struct stats_file *file, enum stats_ring ring, uint64_t index)
{
    const struct stats_ring_place *place = &stats_ring_places[ring];
    return (char *)file->at + place->offset + (size_t)(index % place->capacity) * place->entry_bytes;
}

/* Makes and maps the statistics of a run in `fd` (empty; not needed afterwards). 0 or a negative errno: a
 * full disk is one here, and no signal later. */
int stats_file_make(struct stats_file *file, int fd, const struct stats_header *header);

/* Maps those that this run has made before. 0, a negative errno, or LL_EFORMAT when they are another's. */
int stats_file_open(struct stats_file *file, int fd, const char *run_id);

/* The same in private memory, where there is no file to keep them in. 0 or -ENOMEM. */
int stats_file_make_private(struct stats_file *file, const struct stats_header *header);

/* Copies those of a dead run; what is counted into the copy goes back to `fd`, if that is not -1 later.
 * LL_OK, LL_EFORMAT, LL_EIO, LL_ENOMEM. */
int stats_file_load(struct stats_file *file, int fd);
void stats_file_release(struct stats_file *file);

/* Reads the header alone: LL_OK, LL_EFORMAT or LL_EIO. */
int stats_header_read(int fd, struct stats_header *ret_header);

/* After a change of a part of the layout. A failure is not told: the older state is found, and counted on. */
void stats_file_put(const struct stats_file *file, const void *part, size_t size);

#endif
