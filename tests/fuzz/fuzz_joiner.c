/* Any bytes as lines of text, in pieces whose sizes the first byte chooses: events lie end to end, cover
 * every byte, and keep their limits. */
#include "fuzz.h"

#include "liblog/base/cleanup.h"
#include "shipper/joiner.h"

enum { LINE_MAX = 64, EVENT_BYTES_MAX = 100, EVENT_LINES_MAX = 5 };

static uint64_t lines_in(struct slice text)
{
    uint64_t lines = 1;
    for (size_t i = 0; i < text.size; i++)
        lines += text.data[i] == '\n';
    return lines;
}

static void check_event(const struct frame *frame, uint64_t *position)
{
    fuzz_must(frame->offset == *position && frame->size > 0 && frame->line.size <= frame->size);
    if (frame->kind == FRAME_LINE) {
        fuzz_must(lines_in(frame->line) <= EVENT_LINES_MAX);
        fuzz_must(frame->size <= EVENT_BYTES_MAX || lines_in(frame->line) == 1);
    }
    *position += frame->size;
}

/* One piece from `position` on, as a pipeline reads it. Whether it got further, or waits for more. */
static bool read_piece(const struct pattern *start, struct slice piece, bool is_last, uint64_t *position)
{
    const struct joiner_limits limits = {EVENT_LINES_MAX, EVENT_BYTES_MAX};
    struct framer framer;
    struct joiner joiner;
    struct frame frame;
    uint64_t begin = *position;
    framer_init(&framer, *position, LINE_MAX);
    joiner_init(&joiner, start, limits);
    framer_feed(&framer, piece);
    while ((frame = joiner_next(&joiner, &framer)).kind != FRAME_END && frame.kind != FRAME_PARTIAL)
        check_event(&frame, position);
    fuzz_must(frame.kind != FRAME_PARTIAL || frame.offset == *position);
    while (is_last && (frame = joiner_last(&joiner, &framer, true)).kind != FRAME_END)
        check_event(&frame, position);
    return *position > begin;
}

int fuzz_one(const uint8_t *data, size_t size)
{
    struct pattern *start = NULL;
    size_t step = size ? 1 + data[0] : 1;
    uint64_t position = 0;
    fuzz_must(pattern_new("^[#A]|B$", false, NULL, &start) == 0);
    for (size_t end = step; position < size; end += step) {
        bool is_last = end >= size;
        struct slice piece = slice_from(data + position, (is_last ? size : end) - position);
        _cleanup_free_ char *copy = malloc(piece.size + 1);
        fuzz_must(copy);
        memcpy(copy, piece.data, piece.size);
        bool moved = read_piece(start, slice_from(copy, piece.size), is_last, &position);
        fuzz_must(moved || !is_last);
    }
    fuzz_must(position == size);
    pattern_free(start);
    return 0;
}
