/* Any bytes as a pattern (up to the first NUL) and a text behind it: it is refused with words or finds what
 * lies within the text. */
#include "fuzz.h"

#include "liblog/base/cleanup.h"
#include "shipper/pattern.h"

#include <stdio.h>

/* Repetitions of repetitions cost memory when they are compiled; who writes them has them. */
enum { PATTERN_SIZE_MAX = 40, TEXT_SIZE_MAX = 200 };

static bool is_costly(const char *pattern)
{
    return strchr(pattern, '{') != NULL;
}

static void check_find(const struct pattern *pattern, struct slice text)
{
    struct slice found;
    if (!pattern_find(pattern, text, &found))
        return;
    fuzz_must(found.data >= text.data && found.data + found.size <= text.data + text.size);
    fuzz_must(pattern_matches(pattern, text));
}

int fuzz_one(const uint8_t *data, size_t size)
{
    char pattern_text[PATTERN_SIZE_MAX + 1] = "";
    const uint8_t *nul = size ? memchr(data, 0, size) : NULL;
    size_t pattern_size = nul ? (size_t)(nul - data) : size, text_size = nul ? size - pattern_size - 1 : 0;
    if (pattern_size > PATTERN_SIZE_MAX || text_size > TEXT_SIZE_MAX)
        return 0;
    memcpy(pattern_text, data, pattern_size);
    _cleanup_free_ char *text = malloc(text_size + 1);
    fuzz_must(text);
    if (text_size)
        memcpy(text, nul + 1, text_size);
    for (int lines = 0; lines < 2 && !is_costly(pattern_text); lines++) {
        struct problem problem = {0};
        struct pattern *pattern = NULL;
        int result = pattern_new(pattern_text, lines, &problem, &pattern);
        fuzz_must(result == 0 ? pattern != NULL : problem.text[0] != '\0' && !pattern);
        if (result == 0)
            check_find(pattern, slice_from(text, text_size));
        pattern_free(pattern);
    }
    return 0;
}
