/* zstd (RFC 8878) by libzstd, with the frames that are to be skipped, which pzstd begins a file with. */
#include "unzip_codec.h"

#include "unzip.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>
#include <zstd.h>
#include <zstd_errors.h>

static_assert(UNZIP_WINDOW_BYTES_MAX == 1 << UNZIP_WINDOW_LOG_MAX, "zstd takes the window's logarithm");

static bool zstd_knows(const unsigned char *head, size_t size)
{
    if (size < 4)
        return false;
    return memcmp(head, "\x28\xb5\x2f\xfd", 4) == 0 ||
           (head[0] >> 4 == 0x5 && memcmp(head + 1, "\x2a\x4d\x18", 3) == 0);
}

enum {
    FIRST_INPUT_BYTES = 5, /* of a frame: what zstd asks for to begin with */
    BLOCK_HEAD_BYTES = 3,
};

struct zstd {
    ZSTD_DCtx *context;
    size_t
        wanted; /* input that zstd asks for next: the rest of one block, and the head of the one behind it */
    bool is_full; /* the last room was filled: there may be more to come out */
};

static void zstd_close(void *state)
{
    struct zstd *zstd = state;

    ZSTD_freeDCtx(zstd->context);
    free(zstd);
}

static void zstd_reset(void *state)
{
    struct zstd *zstd = state;

    ZSTD_DCtx_reset(zstd->context, ZSTD_reset_session_only);
    zstd->wanted = FIRST_INPUT_BYTES;
    zstd->is_full = false;
}

static void *zstd_open(void)
{
    struct zstd *zstd = calloc(1, sizeof(*zstd));

    if (!zstd)
        return NULL;
    zstd->context = ZSTD_createDCtx();
    zstd->wanted = FIRST_INPUT_BYTES;
    if (!zstd->context ||
        ZSTD_isError(ZSTD_DCtx_setParameter(zstd->context, ZSTD_d_windowLogMax, UNZIP_WINDOW_LOG_MAX))) {
        zstd_close(zstd);
        return NULL;
    }
    return zstd;
}

static enum unzip_step inflate(struct zstd *zstd, struct unzip_buffers *buffers, size_t in_size)
{
    ZSTD_inBuffer in = {.src = buffers->in, .size = in_size};
    ZSTD_outBuffer out = {.dst = buffers->out, .size = buffers->out_size};
    size_t result = ZSTD_decompressStream(zstd->context, &out, &in);

    if (ZSTD_isError(result))
        return ZSTD_getErrorCode(result) == ZSTD_error_frameParameter_windowTooLarge ? STEP_WINDOW
                                                                                     : STEP_DAMAGED;
    buffers->in += in.pos;
    buffers->in_size -= in.pos;
    buffers->out += out.pos;
    buffers->out_size -= out.pos;
    zstd->wanted = result;
    zstd->is_full = out.pos == out.size;
    return result == 0 ? STEP_MEMBER_END : STEP_MORE;
}

/*
 * One block at a time, and what is still to come out of one before the next goes in: a call that fails keeps
 * back what it had inflated before the mistake, so that otherwise it would hang on the reader's room how much
 * of a damaged file can be read. And zstd is not called for nothing: after some such calls it takes a file
 * that is still being written for a damaged one.
 */
static enum unzip_step zstd_step(void *state, struct unzip_buffers *buffers)
{
    struct zstd *zstd = state;
    size_t room = buffers->out_size;

    if (zstd->is_full) {
        enum unzip_step step = inflate(zstd, buffers, 0);
        if (step != STEP_MORE || buffers->out_size < room)
            return step;
    }
    if (buffers->in_size == 0)
        return STEP_MORE;
    size_t wanted =
        zstd->wanted > BLOCK_HEAD_BYTES ? zstd->wanted - BLOCK_HEAD_BYTES : zstd->wanted; /* a block alone */
    return inflate(zstd, buffers, wanted < buffers->in_size ? wanted : buffers->in_size);
}

const struct unzip_codec unzip_zstd = {zstd_knows, zstd_open, zstd_close, zstd_reset, zstd_step};
