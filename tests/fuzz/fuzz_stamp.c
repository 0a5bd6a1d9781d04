/* Any text as the time of a record, in JSON and at the head of a line of text: what is found lies within the
 * text, and what was read once reads the same again, whatever was read in between. */
#include "fuzz.h"

#include "liblog/base/cleanup.h"
#include "liblog/base/time_text.h"
#include "shipper/plain.h"
#include "shipper/scan_private.h"
#include "shipper/trace.h"

#define NOW_NS INT64_C(1760884200000000000)

static bool is_within(struct slice part, struct slice text)
{
    return part.data >= text.data && part.data + part.size <= text.data + text.size;
}

/* With what was remembered of other times, and without. Behind the text stand digits, which belong to no
 * time. */
static void check_json(struct slice line)
{
    _cleanup_free_ char *memory = malloc(line.size + SCAN_PADDING);
    fuzz_must(memory);
    memcpy(memory, line.data, line.size);
    memset(memory + line.size, '1', SCAN_PADDING);
    struct slice text = slice_from(memory, line.size);
    struct scan_minute fresh = {0}, used = {0};
    int64_t first = 0, second = 0;
    scan_time(&used, SLICE("2025-10-19T14:30:00Z"), &first);
    scan_time(&used, text, &first);
    bool is_time = scan_time(&fresh, text, &first) == 0;
    fuzz_must((scan_time(&used, text, &second) == 0) == is_time);
    fuzz_must(!is_time || first == second);
}

static void check_plain(struct slice text)
{
    struct slice time;
    struct local_offset fresh = {0}, used = {0};
    int64_t first = 0, second = 0;
    plain_time_read(&used, SLICE("2025-03-30 03:00:00"), NOW_NS, &first);
    if (!plain_time_find(text, &time))
        return;
    fuzz_must(time.size > 0 && is_within(time, text));
    bool is_time = plain_time_read(&fresh, time, NOW_NS, &first);
    fuzz_must(plain_time_read(&used, time, NOW_NS, &second) == is_time);
    fuzz_must(!is_time || first == second);
}

int fuzz_one(const uint8_t *data, size_t size)
{
    _cleanup_free_ char *memory = malloc(size + 1); /* of its own size, so that a byte too far is found */
    fuzz_must(memory);
    if (size)
        memcpy(memory, data, size);
    struct slice text = slice_from(memory, size), level = plain_level_find(text);
    fuzz_must(level.size == 0 || is_within(level, text));
    for (int is_sure = 0; is_sure < 2; is_sure++) {
        struct slice type = trace_type(text, is_sure);
        fuzz_must(type.size == 0 || is_within(type, text));
    }
    if (size)
        check_json(text);
    check_plain(text);
    return 0;
}
