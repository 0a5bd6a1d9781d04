/* Numbers and literal names as RFC 8259 has them. Inline, because a call would cost a walk its registers. */
#ifndef SHIPPER_SCAN_SCALAR_H
#define SHIPPER_SCAN_SCALAR_H

#include "liblog/base/slice.h"

static inline const char *scan_skip_digits(const char *text, const char *end)
{
    while (text < end && *text >= '0' && *text <= '9')
        text++;
    return text;
}

/* The end of the number that begins at `text`, or NULL. */
static inline const char *scan_number_end(const char *text, const char *end)
{
    text += text < end && *text == '-';
    const char *whole = text;
    text = scan_skip_digits(text, end);
    if (text == whole || (*whole == '0' && text - whole > 1))
        return NULL;
    if (text < end && *text == '.') {
        const char *fraction = text + 1;
        text = scan_skip_digits(fraction, end);
        if (text == fraction)
            return NULL;
    }
    if (text < end && (*text == 'e' || *text == 'E')) {
        text++;
        text += text < end && (*text == '+' || *text == '-');
        const char *exponent = text;
        text = scan_skip_digits(exponent, end);
        if (text == exponent)
            return NULL;
    }
    return text;
}

/* The end of the number or literal name that begins at `text` and lies before `end`, or NULL. What follows it
 * is not looked at. */
static inline const char *scan_scalar_end(const char *text, const char *end)
{
    static const struct slice literals[] = {{"true", 4}, {"false", 5}, {"null", 4}};
    for (size_t i = 0; i < sizeof(literals) / sizeof(literals[0]); i++)
        if (slice_starts_with(slice_from(text, (size_t)(end - text)), literals[i]))
            return text + literals[i].size;
    return scan_number_end(text, end);
}

#endif
