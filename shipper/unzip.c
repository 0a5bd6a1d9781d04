#include "unzip.h"

#include "liblog/base/cleanup.h"

#include <errno.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <zlib.h>

enum {
    INPUT_SIZE = 128 << 10,
    SKIP_SIZE = 64 << 10,
    WINDOW_BITS_GZIP = 15 + 16, /* zlib's way to say: the largest window, and a gzip header */
};

enum member {
    MEMBER_NONE,   /* at the file's beginning or behind a whole member */
    MEMBER_INSIDE, /* header or data of one */
};

struct unzip {
    z_stream stream;
    int fd;
    int errno_value;
    enum member member;
    enum unzip_state ended; /* UNZIP_MORE while it goes on, else the state that stays */
    uint64_t read_offset;   /* of the compressed byte behind the input */
    uint64_t offset;
    unsigned char input[INPUT_SIZE];
};

bool unzip_knows(const void *head, size_t size)
{
    return size >= 3 && memcmp(head, "\x1f\x8b\x08", 3) == 0;
}

struct unzip *unzip_new(int fd)
{
    _cleanup_free_ struct unzip *unzip = malloc(sizeof(*unzip));

    if (!unzip)
        return NULL;
    memset(unzip, 0, offsetof(struct unzip, input));
    unzip->fd = fd;
    if (inflateInit2(&unzip->stream, WINDOW_BITS_GZIP) != Z_OK)
        return NULL;
    return take_pointer(unzip);
}

void unzip_free(struct unzip *unzip)
{
    if (!unzip)
        return;
    inflateEnd(&unzip->stream);
    free(unzip);
}

static void begin_anew(struct unzip *unzip)
{
    inflateReset(&unzip->stream);
    unzip->stream.avail_in = 0;
    unzip->errno_value = 0;
    unzip->member = MEMBER_NONE;
    unzip->ended = UNZIP_MORE;
    unzip->read_offset = unzip->offset = 0;
}

/* More compressed bytes. 1, 0 at the file's end, or -1. */
static int fill_input(struct unzip *unzip)
{
    ssize_t size;

    do
        size = pread(unzip->fd, unzip->input, sizeof(unzip->input), (off_t)unzip->read_offset);
    while (size < 0 && errno == EINTR);
    if (size < 0)
        unzip->errno_value = errno;
    if (size <= 0)
        return (int)size;
    unzip->read_offset += (uint64_t)size;
    unzip->stream.next_in = unzip->input;
    unzip->stream.avail_in = (uInt)size;
    return 1;
}

/* Between members: zeros are padding (tape blocks, preallocated files), anything else begins the next one. */
static void skip_padding(z_stream *stream)
{
    while (stream->avail_in && *stream->next_in == 0) {
        stream->next_in++;
        stream->avail_in--;
    }
}

static bool is_bomb(const struct unzip *unzip)
{
    return unzip->offset > UNZIP_BOMB_FREE_BYTES &&
           unzip->offset / UNZIP_BOMB_RATIO_MAX > unzip_compressed_offset(unzip);
}

/* One call of inflate() inside a member. Without input it may still have bytes that did not fit before. */
static enum unzip_state inflate_some(struct unzip *unzip)
{
    z_stream *stream = &unzip->stream;
    const unsigned char *before = stream->next_out;
    int result = inflate(stream, Z_NO_FLUSH);

    unzip->offset += (uint64_t)(stream->next_out - before);
    if (result == Z_STREAM_END) {
        unzip->member = MEMBER_NONE;
        inflateReset(stream);
        return UNZIP_MORE;
    }
    if (result != Z_OK && result != Z_BUF_ERROR)
        return UNZIP_DAMAGED;
    return is_bomb(unzip) ? UNZIP_BOMB : UNZIP_MORE;
}

static enum unzip_state step_at_end(struct unzip *unzip)
{
    uint64_t before = unzip->offset;

    if (unzip->member == MEMBER_NONE)
        return unzip->read_offset > 0 ? UNZIP_END : UNZIP_CUT;
    enum unzip_state state = inflate_some(unzip);
    bool stuck = state == UNZIP_MORE && unzip->offset == before && unzip->member == MEMBER_INSIDE;
    return stuck ? UNZIP_CUT : state;
}

static enum unzip_state step(struct unzip *unzip)
{
    if (unzip->stream.avail_in == 0) {
        int filled = fill_input(unzip);
        if (filled < 0)
            return UNZIP_FAILED;
        if (filled == 0)
            return step_at_end(unzip);
    }
    if (unzip->member == MEMBER_NONE)
        skip_padding(&unzip->stream);
    if (unzip->stream.avail_in == 0)
        return UNZIP_MORE;
    unzip->member = MEMBER_INSIDE;
    return inflate_some(unzip);
}

/* The file may grow behind its end, and a failed read may succeed the next time; the other ends are for good.
 */
static bool may_go_on(enum unzip_state state)
{
    return state != UNZIP_DAMAGED && state != UNZIP_BOMB;
}

enum unzip_state unzip_read(struct unzip *unzip, void *memory, size_t size, size_t *ret_size)
{
    enum unzip_state state = may_go_on(unzip->ended) ? UNZIP_MORE : unzip->ended;
    uInt room = size > UINT_MAX ? UINT_MAX : (uInt)size;

    unzip->stream.next_out = memory;
    unzip->stream.avail_out = room;
    while (state == UNZIP_MORE && unzip->stream.avail_out > 0)
        state = step(unzip);
    unzip->ended = state;
    *ret_size = room - unzip->stream.avail_out;
    return state;
}

enum unzip_state unzip_seek(struct unzip *unzip, uint64_t offset)
{
    enum unzip_state state = UNZIP_MORE;

    if (offset < unzip->offset)
        begin_anew(unzip);
    if (offset == unzip->offset)
        return UNZIP_MORE;
    _cleanup_free_ unsigned char *skipped = malloc(SKIP_SIZE);
    if (!skipped) {
        unzip->errno_value = ENOMEM;
        return UNZIP_FAILED;
    }
    while (unzip->offset < offset && state == UNZIP_MORE) {
        uint64_t missing = offset - unzip->offset;
        size_t size;
        state = unzip_read(unzip, skipped, missing < SKIP_SIZE ? (size_t)missing : SKIP_SIZE, &size);
    }
    return unzip->offset == offset ? UNZIP_MORE : state;
}

uint64_t unzip_offset(const struct unzip *unzip)
{
    return unzip->offset;
}

uint64_t unzip_compressed_offset(const struct unzip *unzip)
{
    return unzip->read_offset - unzip->stream.avail_in;
}

int unzip_errno(const struct unzip *unzip)
{
    return unzip->errno_value;
}
