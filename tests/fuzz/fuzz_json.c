/* Any bytes, escaped and judged like the slow reference. */
#include "fuzz.h"

#include "liblog/base/cleanup.h"
#include "liblog/base/json.h"
#include "tests/support/json_reference.h"

/* Into memory of the exact size, so that a byte too far is found. */
static void check_escape(struct slice text)
{
    _cleanup_free_ char *expected = malloc(JSON_ESCAPE_GROWTH_MAX * text.size + 1);
    fuzz_must(expected);
    size_t size = reference_escape(expected, text);
    fuzz_must(json_escaped_size(text) == size);
    _cleanup_free_ char *memory = malloc(size + 2);
    fuzz_must(memory);
    struct bytes b;
    bytes_init(&b, memory, size + 2);
    json_add_string(&b, text);
    fuzz_must(!b.overflow && b.size == size + 2 && memcmp(memory + 1, expected, size) == 0);
    fuzz_must(json_is_valid(bytes_slice(&b), 0));
}

/* A cut text that was valid is still valid, and one character longer would have been too long. */
static void check_cut(struct slice text, size_t size_max)
{
    size_t cut = utf8_cut(text, size_max);
    fuzz_must(cut <= size_max && cut <= text.size);
    fuzz_must(cut + 3 >= size_max || cut == text.size);
    for (size_t i = 0, size; i < text.size; i += size) {
        int32_t code;
        size = reference_character((const unsigned char *)text.data + i, text.size - i, &code);
        fuzz_must(code < 0 || cut <= i || cut >= i + size);
    }
}

int fuzz_one(const uint8_t *data, size_t size)
{
    struct slice text = slice_from(data, size);
    check_escape(text);
    for (size_t size_max = 0; size_max < 20; size_max++)
        check_cut(text, size_max);
    for (int depth_max = 0; depth_max < 100; depth_max += 33)
        fuzz_must(json_is_valid(text, depth_max) == reference_is_valid(text, depth_max));
    return 0;
}
