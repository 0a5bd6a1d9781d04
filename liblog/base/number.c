#include "number.h"

#include "digits.h"

const char digits_pairs[] =
    "00010203040506070809101112131415161718192021222324252627282930313233343536373839404142434445464748495051"
    "525354"
    "555657585960616263646566676869707172737475767778798081828384858687888990919293949596979899";

int digits_count(uint64_t value)
{
    static const uint64_t powers[20] = {
        0,
        10,
        100,
        1000,
        10000,
        100000,
        1000000,
        10000000,
        100000000,
        1000000000,
        10000000000,
        100000000000,
        1000000000000,
        10000000000000,
        100000000000000,
        1000000000000000,
        10000000000000000,
        100000000000000000,
        1000000000000000000,
        10000000000000000000u,
    };
    /* 1233/4096 is log10(2) well enough for 64 bits: the guess is the count, or one too few. */
    int bits = 64 - __builtin_clzll(value | 1);
    int guess = bits * 1233 >> 12;
    return guess + (value >= powers[guess]);
}

void digits_put(char *out, uint64_t value, int count)
{
    for (; count >= 8; count -= 8, value /= 100000000)
        digits_put_eight(out + count - 8, (uint32_t)(value % 100000000));
    uint32_t rest = (uint32_t)value;
    for (; count >= 2; count -= 2, rest /= 100)
        digits_put_pair(out + count - 2, rest % 100);
    if (count)
        *out = (char)('0' + rest);
}

/* `value` < 100 in one digit or two. */
static inline char *put_one_or_two(char *out, unsigned value)
{
    if (value < 10) {
        *out = (char)('0' + value);
        return out + 1;
    }
    digits_put_pair(out, value);
    return out + 2;
}

static inline char *put_up_to_four(char *out, unsigned value)
{
    if (value < 100)
        return put_one_or_two(out, value);
    out = put_one_or_two(out, value / 100);
    digits_put_pair(out, value % 100);
    return out + 2;
}

static inline char *put_up_to_eight(char *out, uint32_t value)
{
    if (value < 10000)
        return put_up_to_four(out, value);
    uint32_t low = value % 10000;
    out = put_up_to_four(out, value / 10000);
    digits_put_pair(out, low / 100);
    digits_put_pair(out + 2, low % 100);
    return out + 4;
}

/* Most numbers are small, so their size is asked first. */
char *number_from_u64(char *out, uint64_t value)
{
    if (value < 100000000)
        return put_up_to_eight(out, (uint32_t)value);
    out = number_from_u64(out, value / 100000000);
    digits_put_eight(out, (uint32_t)(value % 100000000));
    return out + 8;
}

char *number_from_i64(char *out, int64_t value)
{
    if (value >= 0)
        return number_from_u64(out, (uint64_t)value);
    *out = '-';
    return number_from_u64(out + 1, -(uint64_t)value);
}

/* Takes the digits at the front of `*text`: their value, or -1 when there are none or they do not fit. */
static int take_u64(struct slice *text, uint64_t *ret_value)
{
    uint64_t value = 0;
    size_t i = 0;
    for (; i < text->size && text->data[i] >= '0' && text->data[i] <= '9'; i++) {
        uint64_t digit = (uint64_t)(text->data[i] - '0');
        if (__builtin_mul_overflow(value, 10, &value) || __builtin_add_overflow(value, digit, &value))
            return -1;
    }
    if (i == 0)
        return -1;
    *text = slice_from(text->data + i, text->size - i);
    *ret_value = value;
    return 0;
}

int number_to_u64(struct slice text, uint64_t *ret_value)
{
    uint64_t value;
    if (take_u64(&text, &value) < 0 || text.size)
        return -1;
    *ret_value = value;
    return 0;
}

int number_to_i64(struct slice text, int64_t *ret_value)
{
    bool negative = slice_starts_with(text, SLICE("-"));
    if (negative)
        text = slice_from(text.data + 1, text.size - 1);
    uint64_t magnitude;
    if (number_to_u64(text, &magnitude) < 0 || magnitude > (uint64_t)INT64_MAX + negative)
        return -1;
    *ret_value = (int64_t)(negative ? -magnitude : magnitude);
    return 0;
}

/* ASCII only: the C library's tolower() follows the locale. */
static bool equal_but_for_case(struct slice text, const char *lower)
{
    size_t i = 0;
    for (; i < text.size && lower[i]; i++) {
        char c = text.data[i];
        if ((c >= 'A' && c <= 'Z' ? c | 0x20 : c) != lower[i])
            return false;
    }
    return i == text.size && lower[i] == '\0';
}

int number_to_size_bytes(struct slice text, uint64_t *ret_bytes)
{
    static const struct {
        const char *name;
        uint64_t bytes;
    } units[] = {
        {"", 1},
        {"b", 1},
        {"k", 1000},
        {"kb", 1000},
        {"kib", UINT64_C(1) << 10},
        {"m", 1000000},
        {"mb", 1000000},
        {"mib", UINT64_C(1) << 20},
        {"g", 1000000000},
        {"gb", 1000000000},
        {"gib", UINT64_C(1) << 30},
        {"t", 1000000000000},
        {"tb", 1000000000000},
        {"tib", UINT64_C(1) << 40},
    };
    uint64_t count, bytes;
    if (take_u64(&text, &count) < 0)
        return -1;
    for (size_t i = 0; i < sizeof units / sizeof *units; i++) {
        if (!equal_but_for_case(text, units[i].name))
            continue;
        if (__builtin_mul_overflow(count, units[i].bytes, &bytes))
            return -1;
        *ret_bytes = bytes;
        return 0;
    }
    return -1;
}

/* Longest first: a span names its units in falling order, each at most once. */
static const struct {
    struct slice name;
    int64_t ns;
} duration_units[] = {
    {{"d", 1}, INT64_C(86400000000000)},
    {{"h", 1}, INT64_C(3600000000000)},
    {{"m", 1}, INT64_C(60000000000)},
    {{"s", 1}, INT64_C(1000000000)},
    {{"ms", 2}, 1000000},
    {{"us", 2}, 1000},
    {{"ns", 2}, 1},
};
enum { DURATION_UNITS = sizeof duration_units / sizeof *duration_units };

/* Takes the letters at the front of `*text` as a unit at `first` or later: its index, or -1. */
static int take_duration_unit(struct slice *text, int first)
{
    size_t size = 0;
    while (size < text->size && text->data[size] >= 'a' && text->data[size] <= 'z')
        size++;
    for (int i = first; i < DURATION_UNITS; i++) {
        if (!slice_equal(slice_from(text->data, size), duration_units[i].name))
            continue;
        *text = slice_from(text->data + size, text->size - size);
        return i;
    }
    return -1;
}

int number_to_duration_ns(struct slice text, int64_t *ret_ns)
{
    if (slice_is(text, "0")) {
        *ret_ns = 0;
        return 0;
    }
    int64_t sum = 0;
    int unit = -1;
    do {
        uint64_t count;
        int64_t part;
        if (take_u64(&text, &count) < 0)
            return -1;
        unit = take_duration_unit(&text, unit + 1);
        if (unit < 0 || __builtin_mul_overflow(count, duration_units[unit].ns, &part) ||
            __builtin_add_overflow(sum, part, &sum))
            return -1;
    } while (text.size);
    *ret_ns = sum;
    return 0;
}
