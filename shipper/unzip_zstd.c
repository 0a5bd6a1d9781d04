/* zstd (RFC 8878) by libzstd, with the frames that are to be skipped, which pzstd begins a file with. */
#include "unzip_codec.h"

#include "unzip.h"

#include <assert.h>
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

static void *zstd_open(void)
{
    ZSTD_DCtx *context = ZSTD_createDCtx();

    if (context && ZSTD_isError(ZSTD_DCtx_setParameter(context, ZSTD_d_windowLogMax, UNZIP_WINDOW_LOG_MAX))) {
        ZSTD_freeDCtx(context);
        return NULL;
    }
    return context;
}

static void zstd_close(void *state)
{
    ZSTD_freeDCtx(state);
}

static void zstd_reset(void *state)
{
    ZSTD_DCtx_reset(state, ZSTD_reset_session_only);
}

static enum unzip_step zstd_step(void *state, struct unzip_buffers *buffers)
{
    ZSTD_inBuffer in = {.src = buffers->in, .size = buffers->in_size};
    ZSTD_outBuffer out = {.dst = buffers->out, .size = buffers->out_size};
    size_t result = ZSTD_decompressStream(state, &out, &in);

    buffers->in += in.pos;
    buffers->in_size -= in.pos;
    buffers->out += out.pos;
    buffers->out_size -= out.pos;
    if (!ZSTD_isError(result))
        return result == 0 ? STEP_MEMBER_END : STEP_MORE;
    return ZSTD_getErrorCode(result) == ZSTD_error_frameParameter_windowTooLarge ? STEP_WINDOW : STEP_DAMAGED;
}

const struct unzip_codec unzip_zstd = {zstd_knows, zstd_open, zstd_close, zstd_reset, zstd_step};
