/* Real files in a folder of their own, for the tests of what reads files. Each test runs inside its folder.
 * The including file defines _GNU_SOURCE first (nftw). */
#ifndef TESTS_TAIL_FILES_H
#define TESTS_TAIL_FILES_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <fcntl.h>
#include <ftw.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include <zlib.h>
#include <zstd.h>

static char test_folder[64];

static inline int enter_folder(void **state)
{
    (void)state;
    snprintf(test_folder, sizeof(test_folder), "/tmp/test-tail-XXXXXX");
    return mkdtemp(test_folder) && chdir(test_folder) == 0 ? 0 : -1;
}

static inline int remove_one(const char *path, const struct stat *st, int type, struct FTW *walk)
{
    (void)st;
    (void)type;
    (void)walk;
    return remove(path);
}

static inline int leave_folder(void **state)
{
    (void)state;
    return chdir("/") == 0 && nftw(test_folder, remove_one, 16, FTW_DEPTH | FTW_PHYS) == 0 ? 0 : -1;
}

static inline void put_bytes(const char *path, int flags, const void *bytes, size_t size)
{
    int fd = open(path, O_WRONLY | O_CREAT | flags, 0644);

    assert_true(fd >= 0);
    assert_int_equal(write(fd, bytes, size), (ssize_t)size);
    close(fd);
}

static inline void write_file(const char *path, const char *text)
{
    put_bytes(path, O_TRUNC, text, strlen(text));
}

static inline void append_file(const char *path, const char *text)
{
    put_bytes(path, O_APPEND, text, strlen(text));
}

/* One gzip member; appends it. */
static inline void append_gzip(const char *path, const void *bytes, size_t size)
{
    gzFile file = gzopen(path, "ab");

    assert_non_null(file);
    assert_int_equal(gzwrite(file, bytes, (unsigned)size), (int)size);
    assert_int_equal(gzclose(file), Z_OK);
}

/* One zstd frame of that level; appends it. */
static inline void append_zstd_level(const char *path, const void *bytes, size_t size, int level)
{
    size_t room = ZSTD_compressBound(size);
    char *packed = malloc(room);

    assert_non_null(packed);
    ZSTD_CCtx *context = ZSTD_createCCtx();
    ZSTD_CCtx_setParameter(context, ZSTD_c_compressionLevel, level);
    ZSTD_CCtx_setParameter(context, ZSTD_c_checksumFlag, 1); /* as zstd(1) does */
    size_t packed_size = ZSTD_compress2(context, packed, room, bytes, size);
    ZSTD_freeCCtx(context);
    assert_false(ZSTD_isError(packed_size));
    put_bytes(path, O_APPEND, packed, packed_size);
    free(packed);
}

static inline void append_zstd(const char *path, const void *bytes, size_t size)
{
    append_zstd_level(path, bytes, size, 3);
}

/* `count` lines of the writer `name`, from number `first` on; the caller frees them. */
static inline char *make_lines(const char *name, int first, int count)
{
    char *text = malloc((size_t)count * 96 + 1), *at = text;

    assert_non_null(text);
    for (int i = first; i < first + count; i++)
        at += sprintf(at, "{\"n\":\"%s\",\"seq\":%06d,\"text\":\"%08x\"}\n", name, i,
                      (unsigned)i * 2654435761u);
    *at = '\0';
    return text;
}

#endif
