/*
 * The files that are this shipper's own: its state, and what it writes to. They are never inputs, or it would
 * forward its own words for ever.
 */
#ifndef SHIPPER_OWN_FILES_H
#define SHIPPER_OWN_FILES_H

#include "config.h"

enum { OWN_FILES_MAX = 4 + CONFIG_OUTPUTS_MAX };

struct own_files {
    const char *path[OWN_FILES_MAX]; /* as discover_options wants them */
    int count;
    char *made[OWN_FILES_MAX]; /* those of them that are freed again */
    int made_count;
};

/* The database with its lock, standard output and standard error, and the outputs' dead letters. The
 * database's path is borrowed from `config`. 0, or -1 when memory ran out; own_files_release() takes both. */
int own_files_init(struct own_files *own, const struct config *config);
void own_files_release(struct own_files *own);

#endif
