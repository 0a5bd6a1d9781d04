#include "scan_utf8.h"

#include "liblog/base/utf8.h"

#include <stdint.h>

static const char *skip_ascii(const char *text, const char *end)
{
    for (; end - text >= (ptrdiff_t)sizeof(uint64_t); text += sizeof(uint64_t)) {
        uint64_t word;
        memcpy(&word, text, sizeof(word));
        if (word & UINT64_C(0x8080808080808080))
            break;
    }
    while (text < end && !(*text & 0x80))
        text++;
    return text;
}

bool scan_utf8_is_valid(struct slice text)
{
    const char *end = text.data + text.size;
    for (const char *at = skip_ascii(text.data, end); at < end;) {
        struct utf8_part part = utf8_first_part(at, (size_t)(end - at));
        if (!part.valid)
            return false;
        at += part.size;
        if (at < end && !(*at & 0x80))
            at = skip_ascii(at, end);
    }
    return true;
}
