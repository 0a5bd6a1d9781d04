/* Gives a fuzz target every file of the folders named on the command line, once. */
#include "fuzz.h"

#include "liblog/base/cleanup.h"

#include <dirent.h>
#include <limits.h>
#include <stdio.h>
#include <sys/stat.h>

enum { SEED_BYTES_MAX = 1 << 20 };

static void cleanup_closedir(DIR **dir)
{
    if (*dir)
        closedir(*dir);
}

static void cleanup_fclose(FILE **file)
{
    if (*file)
        fclose(*file);
}

static int replay_file(const char *path)
{
    struct stat status;
    _cleanup_(cleanup_fclose) FILE *file = fopen(path, "rb");
    if (!file || fstat(fileno(file), &status) < 0 || status.st_size > SEED_BYTES_MAX)
        return -1;
    size_t size = (size_t)status.st_size;
    _cleanup_free_ uint8_t *data = malloc(size ? size : 1);
    if (!data || fread(data, 1, size, file) != size)
        return -1;
    /* Said before, so that the last line names the one that fails. */
    printf("%s\n", path);
    fflush(stdout);
    return fuzz_one(data, size);
}

/* The number of files replayed, or -1. */
static int replay_folder(const char *folder)
{
    int count = 0;
    _cleanup_(cleanup_closedir) DIR *dir = opendir(folder);
    if (!dir)
        return -1;
    for (struct dirent *entry; (entry = readdir(dir));) {
        char path[PATH_MAX];
        if (entry->d_name[0] == '.')
            continue;
        int size = snprintf(path, sizeof path, "%s/%s", folder, entry->d_name);
        if (size >= (int)sizeof path || replay_file(path) < 0)
            return -1;
        count++;
    }
    return count;
}

int main(int argc, char **argv)
{
    for (int i = 1; i < argc; i++) {
        if (replay_folder(argv[i]) <= 0) {
            fprintf(stderr, "%s: no seeds, or one that cannot be read\n", argv[i]);
            return 1;
        }
    }
    return argc > 1 ? 0 : 1;
}
