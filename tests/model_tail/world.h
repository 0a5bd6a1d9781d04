/*
 * A program that logs and whoever rotates its log, as the model test sees them: real files in the current
 * folder, and the truth about them. Each line is written once and is known by its number; the truth says of
 * each whether somebody can still read it.
 *
 *      app.log                       the live file
 *      app.log.1, app.log.2.gz       styles NUMBERED and COPYTRUNCATE
 *      app.log-2025010100001         style DATED
 *      old/app.log.1                 styles OLDDIR and OTHER_DEVICE (`old` is a link to another file system
 * then)
 */
#ifndef TESTS_MODEL_TAIL_WORLD_H
#define TESTS_MODEL_TAIL_WORLD_H

#include "tests/support/chance.h"

#include <stdbool.h>
#include <stddef.h>

enum { WORLD_LINES_MAX = 6000, WORLD_FILES_MAX = 64, WORLD_PATH_MAX = 64, WORLD_LINE_BYTES_MAX = 4096 };

enum world_style {
    STYLE_NUMBERED,
    STYLE_DATED,
    STYLE_OLDDIR,
    STYLE_OTHER_DEVICE,
    STYLE_COPYTRUNCATE,
    STYLE_COUNT
};

struct world_line {
    int size;         /* with its newline */
    int written;      /* so much of it: less while the program is in the midst of it, or died there */
    int stream;       /* of the file that it was written to; numbers rise within it */
    bool may_be_lost; /* destroyed while perhaps nobody had read it */
};

struct world_file {
    char path[WORLD_PATH_MAX];
    int *lines;
    int count;
    int stream;
    bool linked; /* a name leads to it */
    bool held;   /* deleted, but the reader has it open */
    bool seen;   /* the reader that runs now has it open */
    bool packed;
};

struct world {
    struct chance *chance;
    enum world_style style;
    struct world_line lines[WORLD_LINES_MAX];
    int line_count;
    struct world_file files[WORLD_FILES_MAX];
    int file_count;
    int older[WORLD_FILES_MAX]; /* indexes of the rotated ones, the youngest first */
    int older_count;
    int live;    /* index of the file called app.log; -1: there is none */
    int current; /* index of the file that the program writes to; -1: it has none open */
    int fd;      /* its descriptor */
    int partial; /* number of the line that it is in the midst of; -1 */
    int next_stream, next_date;
    const int64_t *now_ns; /* the reader's clock; the files' times are by it, too */
    bool reader_runs;
    /* What the reader may do in the midst of an operation. */
    void (*pause)(void *context);
    void *pause_context;
};

void world_init(struct world *world, struct chance *chance, enum world_style style, const int64_t *now_ns);
void world_release(struct world *world); /* the files stay */

/* The text of a line, with its newline; the same for a number always. */
void world_line_text(const struct world *world, int number, char out[static WORLD_LINE_BYTES_MAX]);

/* ---- the program ---- */
void world_write(struct world *world, int count);
void world_begin_line(struct world *world);
void world_end_line(struct world *world);
void world_reopen(struct world *world); /* closes what was renamed, and makes app.log anew if it has to */
void world_crash(struct world *world);  /* the line that it was in the midst of is never ended */

/* ---- whoever rotates ---- */
void world_rotate(struct world *world); /* in the world's style; the program may go on in the old file */
void world_truncate(struct world *world);
void world_roll_back(struct world *world);
void world_compress(struct world *world);
void world_delete_oldest(struct world *world);

/* ---- the reader ---- */
/* `has` says whether the reader has a file open that is called so. */
void world_reader_looked(struct world *world, bool (*has)(void *context, const char *path), void *context);
void world_reader_ended(struct world *world);

/* Whether this line must have been read when all is read. */
bool world_is_readable(const struct world *world, int number);

#endif
