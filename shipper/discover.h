/*
 * Which files there are: those that an input's patterns match, and (unless it says otherwise) the older
 * generations that a rotation left of them, ordered oldest first within a family. Looks at names and lstat()
 * only; opens nothing.
 *
 * A family is a live name and what rotation made of it: app.log, app.log.1, app.log.2.gz,
 * app.log-20251019.gz, app-20251019.log.
 */
#ifndef SHIPPER_DISCOVER_H
#define SHIPPER_DISCOVER_H

#include "config.h"
#include "problem.h"

#include "liblog/base/slice.h"

#include <stdint.h>
#include <sys/stat.h>

/* Where a file stands in its family, oldest first. */
enum generation_kind {
    GENERATION_DATED,    /* app.log-20251019, app-20251019.log, app.log.2025-10-19_14: `number` are the date's
                            digits */
    GENERATION_NUMBERED, /* app.log.1: the greater `number` is the older */
    GENERATION_LIVE,     /* app.log */
};

struct generation {
    enum generation_kind kind;
    uint64_t number;
};

enum { FAMILY_NAME_MAX = 256 };

/* Takes a file's name (no folder) apart: its generation, and the live name that its family has. */
struct generation generation_of(struct slice name, char ret_live_name[static FAMILY_NAME_MAX]);

/* Below 0 when `a` is older than `b`, 0 when they are of one age. */
int generation_compare(struct generation a, struct generation b);

/* Whether `path` is what compressing a file called `plain` makes: app.log.1.zst of app.log.1. */
bool name_is_compressed(const char *path, const char *plain);

struct found_file {
    char *path;
    char *family; /* folder and live name */
    struct generation generation;
    int input;      /* index; the first that matches has the file */
    bool rest_only; /* no pattern matches it: taken only as the unread rest of a known source */
    bool is_link;
    bool has_more_names; /* hard links: what is written by another name is not heard of in this folder */
    uint64_t device;
    uint64_t inode;
    uint64_t size;
    int64_t modified_ns;
};

struct found_folder {
    char *path;
    int input;
};

struct found {
    struct found_file *files; /* by input, family and age */
    size_t count;
    struct found_folder *folders;
    size_t folder_count;
    bool incomplete; /* a folder or file could not be looked at: what was not found may be there all the same
                      */
    bool dangles;    /* a link leads nowhere for now; nothing will tell when it does */
};

struct discover_options {
    const struct config_input *inputs;
    int input_count;
    const char *const
        *own_files; /* never found, however a pattern spells their path, nor what belongs to them
                       (-wal, -shm, rotated ones) */
    int own_file_count;
    void (*on_problem)(void *context, const struct problem *problem, const char *path); /* not NULL */
    void *context;
};

/* 0 with what discover_release() takes, or a negative error. A folder that cannot be read is told and passed
 * over. */
int discover(const struct discover_options *options, struct problem *ret_problem, struct found *ret_found);
void discover_release(struct found *found);

/* The same for the folders alone, which are not listed: what it costs is to find those that patterns mean. */
int discover_folders(const struct discover_options *options, struct problem *ret_problem,
                     struct found *ret_found);

/* Whether a file of that name (no folder) could be found at all: by it, news about other files are passed
 * over. */
bool discover_wants(const struct config_input *inputs, int input_count, const char *name);

#endif
