#include "scan_private.h"

#include "liblog/base/number.h"
#include "liblog/base/time_text.h"

enum {
    NS_PER_S = 1000000000,
    EPOCH_EXPONENT_MAX = 400,
    TIME_TEXT_LONGEST = 64,
};

static bool is_digit(char c)
{
    return c >= '0' && c <= '9';
}

/* digits * 10^exponent */
struct decimal {
    int64_t digits;
    int exponent;
    bool negative;
};

/* Takes the digits at `text`; those beyond what is kept only move the point. */
static const char *take_digits(struct decimal *d, const char *text, const char *end, bool fraction)
{
    for (; text < end && is_digit(*text); text++) {
        bool keep = d->digits <= (INT64_MAX - 9) / 10;
        if (keep)
            d->digits = d->digits * 10 + (*text - '0');
        d->exponent += keep ? (fraction ? -1 : 0) : (fraction ? 0 : 1);
    }
    return text;
}

static const char *take_exponent(struct decimal *d, const char *text, const char *end)
{
    bool negative = text < end && *text == '-';
    text += text < end && (*text == '-' || *text == '+');
    int exponent = 0;
    if (text == end)
        return NULL;
    for (; text < end && is_digit(*text); text++)
        exponent = exponent < EPOCH_EXPONENT_MAX ? exponent * 10 + (*text - '0') : exponent;
    d->exponent += negative ? -exponent : exponent;
    return text;
}

static int decimal_from_text(struct slice text, struct decimal *ret_decimal)
{
    struct decimal d = {0};
    const char *at = text.data;
    const char *end = text.data + text.size;
    d.negative = at < end && *at == '-';
    at += d.negative;
    if (at == end || !is_digit(*at))
        return -1;
    at = take_digits(&d, at, end, false);
    if (at < end && *at == '.')
        at = take_digits(&d, at + 1, end, true);
    if (at < end && (*at == 'e' || *at == 'E'))
        at = take_exponent(&d, at + 1, end);
    if (at != end)
        return -1;
    *ret_decimal = d;
    return 0;
}

/* |value| * 10^shift, cut to a whole number. False when that is more than int64_t holds. */
static bool decimal_scaled(const struct decimal *d, int shift, int64_t *ret_value)
{
    int64_t value = d->digits;
    int exponent = d->exponent + shift;
    for (; exponent < 0 && value; exponent++)
        value /= 10;
    for (; exponent > 0 && value; exponent--)
        if (__builtin_mul_overflow(value, 10, &value))
            return false;
    *ret_value = value;
    return true;
}

/*
 * A count since 1970. Seconds stay below 1e11 until the year 5138; as many milliseconds were over in 1973,
 * and so on upwards, so that the magnitude tells the unit for any time a log can hold.
 */
static int time_from_epoch(struct slice text, int64_t *ret_ns)
{
    static const int64_t limit[] = {INT64_C(100000000000), INT64_C(100000000000000),
                                    INT64_C(100000000000000000)};
    struct decimal d;
    int64_t whole, ns;
    if (decimal_from_text(text, &d) < 0 || !decimal_scaled(&d, 0, &whole))
        return -1;
    int shift = 9;
    for (size_t i = 0; i < sizeof(limit) / sizeof(limit[0]) && whole >= limit[i]; i++)
        shift -= 3;
    if (!decimal_scaled(&d, shift, &ns))
        return -1;
    *ret_ns = d.negative ? -ns : ns;
    return 0;
}

/* Keeps the minute of a time in UTC. Seconds of a minute before 1970 count forward, too. At either end of
 * what can be told in nanoseconds a minute is not whole, and not kept. */
static void remember_minute(struct scan_minute *minute, struct slice text, int64_t ns)
{
    int64_t per_minute = INT64_C(60) * NS_PER_S;
    if (text.size < MINUTE_SECOND_SIZE || text.data[text.size - 1] != 'Z' || ns < INT64_MIN + per_minute ||
        ns > INT64_MAX - per_minute)
        return;
    int64_t into = ns % per_minute;
    minute->known = true;
    memcpy(minute->text, text.data, MINUTE_TEXT_SIZE);
    minute->ns = ns - (into < 0 ? into + per_minute : into);
}

/* +0200, as Go and Java write it, with the colon that RFC 3339 wants. */
static int time_with_short_offset(struct slice text, int64_t *ret_ns)
{
    char full[TIME_TEXT_LONGEST];
    if (text.size < 5 || text.size >= sizeof(full) ||
        (text.data[text.size - 5] != '+' && text.data[text.size - 5] != '-'))
        return -1;
    memcpy(full, text.data, text.size - 2);
    full[text.size - 2] = ':';
    memcpy(full + text.size - 1, text.data + text.size - 2, 2);
    return time_from_text(slice_from(full, text.size + 1), ret_ns);
}

int scan_time(struct scan_minute *minute, struct slice text, int64_t *ret_ns)
{
    if (scan_minute_time(minute, text, ret_ns))
        return 0;
    if (time_from_text(text, ret_ns) == 0) {
        remember_minute(minute, text, *ret_ns);
        return 0;
    }
    if (time_from_epoch(text, ret_ns) == 0)
        return 0;
    return time_with_short_offset(text, ret_ns);
}
