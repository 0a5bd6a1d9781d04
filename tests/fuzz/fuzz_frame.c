/* Any bytes as a source, in pieces whose sizes the first byte chooses: frames lie end to end and cover every
 * byte. */
#include "fuzz.h"

#include "shipper/frame.h"

enum { LINE_MAX = 64 };

static void check_frame(const struct frame *frame, uint64_t *position)
{
    fuzz_must(frame->offset == *position && frame->size > 0 && frame->line.size <= frame->size);
    fuzz_must(frame->kind != FRAME_LINE || frame->line.size <= LINE_MAX);
    fuzz_must(frame->line.size == 0 || frame->kind == FRAME_BLANK ||
              (!memchr(frame->line.data, '\n', frame->line.size) &&
               !memchr(frame->line.data, '\0', frame->line.size)));
    *position += frame->size;
}

int fuzz_one(const uint8_t *data, size_t size)
{
    struct framer framer;
    struct frame frame;
    uint64_t position = 0;
    size_t step = size ? 1 + data[0] : 1;
    framer_init(&framer, 0, LINE_MAX);
    for (size_t end = 0; end < size;) {
        end = size - end > step ? end + step : size;
        framer_feed(&framer, slice_from(data + framer.offset, end - framer.offset));
        while ((frame = framer_next(&framer)).kind != FRAME_END && frame.kind != FRAME_PARTIAL)
            check_frame(&frame, &position);
    }
    while ((frame = framer_last(&framer)).kind != FRAME_END)
        check_frame(&frame, &position);
    fuzz_must(position == size);
    return 0;
}
