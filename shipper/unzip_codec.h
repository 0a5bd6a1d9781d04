/*
 * One way of compression, as unzip.c drives it: bytes in, bytes out, and where a member (gzip) or frame
 * (zstd) ends. Files, limits and seeking are unzip.c's.
 */
#ifndef SHIPPER_UNZIP_CODEC_H
#define SHIPPER_UNZIP_CODEC_H

#include <stdbool.h>
#include <stddef.h>

/* What a step may take and where its bytes go; it moves both on. */
struct unzip_buffers {
    const unsigned char *in;
    size_t in_size;
    unsigned char *out;
    size_t out_size;
};

enum unzip_step {
    STEP_MORE,       /* it goes on, with more input or more room */
    STEP_MEMBER_END, /* a whole member; it is ready for the next one */
    STEP_DAMAGED,
    STEP_WINDOW, /* it looks back further than UNZIP_WINDOW_BYTES_MAX */
};

struct unzip_codec {
    bool (*knows)(const unsigned char *head, size_t size);
    void *(*open)(void); /* NULL when memory ran out */
    void (*close)(void *state);
    void (*reset)(void *state); /* to a member's beginning */
    /* Without input it may still give bytes that did not fit before. */
    enum unzip_step (*step)(void *state, struct unzip_buffers *buffers);
};

extern const struct unzip_codec unzip_gzip, unzip_zstd;

#endif
