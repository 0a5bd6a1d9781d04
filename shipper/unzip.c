#include "unzip.h"

#include "unzip_codec.h"

#include "liblog/base/cleanup.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum {
    INPUT_SIZE = 128 << 10,
    SKIP_SIZE = 64 << 10,
};

enum member {
    MEMBER_NONE,   /* at the file's beginning or behind a whole member */
    MEMBER_INSIDE, /* header or data of one */
};

struct unzip {
    const struct unzip_codec *codec;
    void *state; /* the codec's */
    struct unzip_buffers buffers;
    int fd;
    int errno_value;
    enum member member;
    enum unzip_state ended; /* UNZIP_MORE while it goes on, else the state that stays */
    uint64_t read_offset;   /* of the compressed byte behind the input */
    uint64_t offset;
    unsigned char input[INPUT_SIZE];
};

static const struct unzip_codec *codec_of(const void *head, size_t size)
{
    static const struct unzip_codec *const codecs[] = {&unzip_gzip, &unzip_zstd};

    for (size_t i = 0; i < sizeof(codecs) / sizeof(codecs[0]); i++)
        if (codecs[i]->knows(head, size))
            return codecs[i];
    return NULL;
}

bool unzip_knows(const void *head, size_t size)
{
    return codec_of(head, size) != NULL;
}

struct unzip *unzip_new(int fd, const void *head, size_t size)
{
    _cleanup_free_ struct unzip *unzip = malloc(sizeof(*unzip));

    if (!unzip)
        return NULL;
    memset(unzip, 0, offsetof(struct unzip, input));
    unzip->fd = fd;
    unzip->codec = codec_of(head, size);
    unzip->state = unzip->codec->open();
    return unzip->state ? take_pointer(unzip) : NULL;
}

void unzip_free(struct unzip *unzip)
{
    if (!unzip)
        return;
    unzip->codec->close(unzip->state);
    free(unzip);
}

static void begin_anew(struct unzip *unzip)
{
    unzip->codec->reset(unzip->state);
    unzip->buffers.in_size = 0;
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
    unzip->buffers.in = unzip->input;
    unzip->buffers.in_size = (size_t)size;
    return 1;
}

/* Between members: zeros are padding (tape blocks, preallocated files), anything else begins the next one. */
static void skip_padding(struct unzip_buffers *buffers)
{
    while (buffers->in_size && *buffers->in == 0) {
        buffers->in++;
        buffers->in_size--;
    }
}

static bool is_bomb(const struct unzip *unzip)
{
    return unzip->offset > UNZIP_BOMB_FREE_BYTES &&
           unzip->offset / UNZIP_BOMB_RATIO_MAX > unzip_compressed_offset(unzip);
}

/* One step inside a member. */
static enum unzip_state inflate_some(struct unzip *unzip)
{
    size_t room = unzip->buffers.out_size;
    enum unzip_step step = unzip->codec->step(unzip->state, &unzip->buffers);

    unzip->offset += room - unzip->buffers.out_size;
    switch (step) {
    case STEP_MEMBER_END:
        unzip->member = MEMBER_NONE;
        unzip->codec->reset(unzip->state);
        break;
    case STEP_DAMAGED:
        return UNZIP_DAMAGED;
    case STEP_WINDOW:
        return UNZIP_WINDOW;
    case STEP_MORE:
        break;
    }
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
    if (unzip->buffers.in_size == 0) {
        int filled = fill_input(unzip);
        if (filled < 0)
            return UNZIP_FAILED;
        if (filled == 0)
            return step_at_end(unzip);
    }
    if (unzip->member == MEMBER_NONE)
        skip_padding(&unzip->buffers);
    if (unzip->buffers.in_size == 0)
        return UNZIP_MORE;
    unzip->member = MEMBER_INSIDE;
    return inflate_some(unzip);
}

/* The file may grow behind its end, and a failed read may succeed the next time; the other ends are for good.
 */
static bool may_go_on(enum unzip_state state)
{
    return state != UNZIP_DAMAGED && state != UNZIP_BOMB && state != UNZIP_WINDOW;
}

enum unzip_state unzip_read(struct unzip *unzip, void *memory, size_t size, size_t *ret_size)
{
    enum unzip_state state = may_go_on(unzip->ended) ? UNZIP_MORE : unzip->ended;

    unzip->buffers.out = memory;
    unzip->buffers.out_size = size;
    while (state == UNZIP_MORE && unzip->buffers.out_size > 0)
        state = step(unzip);
    unzip->ended = state;
    *ret_size = size - unzip->buffers.out_size;
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
    return unzip->read_offset - unzip->buffers.in_size;
}

int unzip_errno(const struct unzip *unzip)
{
    return unzip->errno_value;
}
