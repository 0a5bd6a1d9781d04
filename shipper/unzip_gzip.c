/* gzip (RFC 1952) by zlib. */
#define ZLIB_CONST /* input is not written to */
#include "unzip_codec.h"

#include "liblog/base/cleanup.h"

#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <zlib.h>

enum { WINDOW_BITS_GZIP = 15 + 16 /* zlib's way to say: the largest window, and a gzip header */ };

static bool gzip_knows(const unsigned char *head, size_t size)
{
    return size >= 3 && memcmp(head, "\x1f\x8b\x08", 3) == 0;
}

static void *gzip_open(void)
{
    _cleanup_free_ z_stream *stream = calloc(1, sizeof(*stream));

    if (!stream || inflateInit2(stream, WINDOW_BITS_GZIP) != Z_OK)
        return NULL;
    return take_pointer(stream);
}

static void gzip_close(void *state)
{
    inflateEnd(state);
    free(state);
}

static void gzip_reset(void *state)
{
    inflateReset(state);
}

static uInt at_most_uint(size_t size)
{
    return size > UINT_MAX ? UINT_MAX : (uInt)size;
}

static enum unzip_step gzip_step(void *state, struct unzip_buffers *buffers)
{
    z_stream *stream = state;
    uInt in_size = at_most_uint(buffers->in_size), out_size = at_most_uint(buffers->out_size);

    stream->next_in = buffers->in;
    stream->avail_in = in_size;
    stream->next_out = buffers->out;
    stream->avail_out = out_size;
    int result = inflate(stream, Z_NO_FLUSH);
    buffers->in += in_size - stream->avail_in;
    buffers->in_size -= in_size - stream->avail_in;
    buffers->out += out_size - stream->avail_out;
    buffers->out_size -= out_size - stream->avail_out;
    if (result == Z_STREAM_END)
        return STEP_MEMBER_END;
    return result == Z_OK || result == Z_BUF_ERROR ? STEP_MORE : STEP_DAMAGED;
}

const struct unzip_codec unzip_gzip = {gzip_knows, gzip_open, gzip_close, gzip_reset, gzip_step};
