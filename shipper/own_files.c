#define _GNU_SOURCE /* asprintf */
#include "own_files.h"

#include "output_dead.h"
#include "store.h"

#include <stdio.h>
#include <stdlib.h>

static void add(struct own_files *own, const char *path)
{
    own->path[own->count++] = path;
}

/* Takes ownership. */
static int add_made(struct own_files *own, char *path)
{
    if (!path)
        return -1;
    own->made[own->made_count++] = path;
    add(own, path);
    return 0;
}

static int add_dead_letters(struct own_files *own, const struct config *config)
{
    for (int i = 0; i < config->output_count; i++) {
        struct dead_letters dead;
        dead_init(&dead, config->state_dir, config->outputs[i].name);
        if (add_made(own, strdup(dead.path)) < 0)
            return -1;
    }
    return 0;
}

int own_files_init(struct own_files *own, const struct config *config)
{
    char folder[STORE_FOLDER_SIZE], *lock;

    *own = (struct own_files){0};
    add(own, config->database_file);
    add(own, "/proc/self/fd/1");
    add(own, "/proc/self/fd/2");
    if (store_folder(config->database_file, folder, NULL) == 0 &&
        (asprintf(&lock, "%s/lock", folder) < 0 || add_made(own, lock) < 0))
        return -1;
    return add_dead_letters(own, config);
}

void own_files_release(struct own_files *own)
{
    for (int i = 0; i < own->made_count; i++)
        free(own->made[i]);
    *own = (struct own_files){0};
}
