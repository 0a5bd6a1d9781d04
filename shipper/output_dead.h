/*
 * Dead letters: records that a server refused for good, kept so that a person can mend and send them. One
 * JSON object a line; the file is 0600, holds at most 64 MiB, and is then renamed to NAME.1 in place of the
 * one before.
 */
#ifndef SHIPPER_OUTPUT_DEAD_H
#define SHIPPER_OUTPUT_DEAD_H

#include "problem.h"

#include "liblog/base/slice.h"

#include <stdint.h>

enum { DEAD_FILE_BYTES_MAX = 64 * 1024 * 1024, DEAD_PATH_MAX = 4096 };

struct dead_letters {
    char path[DEAD_PATH_MAX];
    int fd;            /* -1 until the first letter */
    uint64_t size;     /* of the file */
    uint64_t size_max; /* DEAD_FILE_BYTES_MAX; a test makes it smaller */
};

struct dead_letter {
    int64_t time_ns; /* unix */
    const char *output;
    const char *reason; /* the server's words */
    const char *topic;
    const char *file;
    uint64_t offset;
    struct slice line;
};

/* Nothing is opened yet. `state_dir` NULL is the working directory. */
void dead_init(struct dead_letters *dead, const char *state_dir, const char *output);
void dead_release(struct dead_letters *dead);

/* Written and on the disk when it returns 0; else a negative error. */
int dead_write(struct dead_letters *dead, const struct dead_letter *letter, struct problem *ret_problem);

#endif
