/*
 * The shortest decimal of a binary floating-point number, after Raffaello Giulietti, "The Schubfach way to
 * render doubles" (2020).
 *
 * A value c * 2^q is read back from every decimal in its rounding interval, which reaches halfway to both
 * neighbours. There is one power of ten, 10^k, no longer than that interval of which ten times is longer. So
 * of the multiples of 10^(k+1) at most one lies inside: if there is one, it is the shortest (with its zeros
 * taken off). If there is none, one of the two multiples of 10^k around the value does, and the nearer is
 * taken.
 *
 * Scaled by 10^-k the value and its two bounds are computed to two bits behind the point. 128 bits of the
 * power are enough for all comparisons to be exact, because what is cut off is kept as one sticky lowest bit
 * (round to odd).
 */
#include "number.h"

#include "digits.h"
#include "pow10_table.h"

/* As JavaScript does: a plain number from 1e-6 to below 1e21, an exponent outside. */
enum { PLAIN_POINT_MIN = -5, PLAIN_POINT_MAX = 21 };

/* c * 2^q; the gap below is half the gap above when the significand is the least of its binade. */
struct binary {
    uint64_t c;
    int q;
    bool uneven;
};

/* digits * 10^exponent */
struct decimal {
    uint64_t digits;
    int exponent;
};

/* floor(log10(2^q)), or of 3/4 * 2^q, which is the interval's length when it is uneven. */
static int floor_log10_of_pow2(int q, bool uneven)
{
    return (q * 1262611 - (uneven ? 524031 : 0)) >> 22;
}

static int floor_log2_of_pow10(int e)
{
    return (e * 1741647) >> 19;
}

/* power * factor / 2^128, the lowest bit set when anything was cut off. */
static uint64_t multiply_round_to_odd(const uint64_t power[2], uint64_t factor)
{
    unsigned __int128 low = (unsigned __int128)power[1] * factor;
    unsigned __int128 high = (unsigned __int128)power[0] * factor + (uint64_t)(low >> 64);
    return (uint64_t)(high >> 64) | ((uint64_t)high > 1);
}

/* At most 15 zeros: shortest() gives less than 10^16, as c < 2^53 and the interval is below 10^(k+1). */
static uint64_t without_trailing_zeros(uint64_t digits, int *exponent)
{
    static const struct {
        uint64_t power;
        int zeros;
    } steps[] = {{100000000, 8}, {10000, 4}, {100, 2}, {10, 1}};
    for (size_t i = 0; i < sizeof steps / sizeof *steps; i++) {
        if (digits % steps[i].power == 0) {
            digits /= steps[i].power;
            *exponent += steps[i].zeros;
        }
    }
    return digits;
}

static struct decimal shortest(struct binary v)
{
    int k = floor_log10_of_pow2(v.q, v.uneven);
    int shift = v.q + floor_log2_of_pow10(-k) + 1;
    const uint64_t *power = pow10_table[-k - POW10_FIRST];

    /* Four times the scaled value and its bounds; a bound belongs to the interval when ties go to this value.
     */
    uint64_t odd = v.c & 1;
    uint64_t value = multiply_round_to_odd(power, (4 * v.c) << shift);
    uint64_t lower = multiply_round_to_odd(power, (4 * v.c - 2 + v.uneven) << shift) + odd;
    uint64_t upper = multiply_round_to_odd(power, (4 * v.c + 2) << shift) - odd;

    uint64_t fine = value / 4, coarse = fine / 10;
    bool below_inside = fine >= 10 && lower <= 40 * coarse;
    bool above_inside = fine >= 10 && 40 * coarse + 40 <= upper;
    if (below_inside != above_inside) {
        struct decimal d = {coarse + above_inside, k + 1};
        d.digits = without_trailing_zeros(d.digits, &d.exponent);
        return d;
    }
    below_inside = lower <= 4 * fine;
    above_inside = 4 * fine + 4 <= upper;
    if (below_inside != above_inside)
        return (struct decimal){fine + above_inside, k};
    uint64_t middle = 4 * fine + 2;
    bool up = value > middle || (value == middle && (fine & 1));
    return (struct decimal){fine + up, k};
}

static char *put_text(char *out, const char *text, size_t size)
{
    memcpy(out, text, size);
    return out + size;
}

/* d.ddde±x */
static char *put_with_exponent(char *out, uint64_t digits, int count, int exponent)
{
    digits_put(out + 1, digits, count);
    out[0] = out[1];
    out[1] = '.';
    out += count > 1 ? count + 1 : 1;
    *out++ = 'e';
    *out++ = exponent < 0 ? '-' : '+';
    return number_from_u64(out, (uint64_t)(exponent < 0 ? -exponent : exponent));
}

static char *put_decimal(char *out, struct decimal d)
{
    int count = digits_count(d.digits);
    int point = count + d.exponent; /* the value is 0.digits * 10^point */
    if (point < PLAIN_POINT_MIN || point > PLAIN_POINT_MAX)
        return put_with_exponent(out, d.digits, count, point - 1);
    if (point <= 0) {
        out = put_text(out, "0.00000", (size_t)(2 - point));
        digits_put(out, d.digits, count);
        return out + count;
    }
    if (d.exponent >= 0) {
        digits_put(out, d.digits, count);
        memset(out + count, '0', (size_t)d.exponent);
        return put_text(out + point, ".0", 2);
    }
    digits_put(out + 1, d.digits, count);
    memmove(out, out + 1, (size_t)point);
    out[point] = '.';
    return out + count + 1;
}

/* Its fraction bits, its biased exponent, and how many bits and which bias there are: for any IEEE 754
 * format. */
static char *put_finite(char *out, uint64_t fraction, int exponent, int fraction_bits, int bias)
{
    if (fraction == 0 && exponent == 0)
        return put_text(out, "0.0", 3);
    uint64_t hidden = UINT64_C(1) << fraction_bits;
    struct binary v = {fraction, 1 - bias - fraction_bits, false};
    if (exponent > 0)
        v = (struct binary){hidden | fraction, exponent - bias - fraction_bits,
                            fraction == 0 && exponent > 1};

    /* A whole number that has all its digits: no shorter decimal can be nearer to it than to its neighbours.
     */
    if (v.q <= 0 && v.q >= -fraction_bits && (v.c & ((UINT64_C(1) << -v.q) - 1)) == 0)
        return put_text(number_from_u64(out, v.c >> -v.q), ".0", 2);
    return put_decimal(out, shortest(v));
}

/*
 * Most values that programs log have three digits behind the point or less. A decimal of at most 15 digits
 * that is read back as `value` is the only one of that size, so it is the shortest; and a quotient of two
 * whole numbers is rounded as reading the decimal would. NULL when it is another value.
 */
static char *put_thousandths(char *out, double value)
{
    if (!(value < 1e12))
        return NULL;
    uint64_t thousandths = (uint64_t)(value * 1000 + 0.5);
    if ((double)thousandths / 1000 != value)
        return NULL;
    out = number_from_u64(out, thousandths / 1000);
    digits_put(out, 1000 + thousandths % 1000, 4);
    *out = '.';
    out += 4;
    for (int i = 0; i < 2 && out[-1] == '0'; i++)
        out--;
    return out;
}

char *number_from_double(char *out, double value)
{
    enum { FRACTION_BITS = 52, BIAS = 1023, EXPONENT_MAX = 2047 };
    uint64_t bits;
    memcpy(&bits, &value, sizeof bits);
    int exponent = (int)(bits >> FRACTION_BITS) & EXPONENT_MAX;
    if (exponent == EXPONENT_MAX)
        return put_text(out, "null", 4);
    if (bits >> 63)
        *out++ = '-';
    char *end = put_thousandths(out, bits >> 63 ? -value : value);
    return end ? end
               : put_finite(out, bits & ((UINT64_C(1) << FRACTION_BITS) - 1), exponent, FRACTION_BITS, BIAS);
}

char *number_from_float(char *out, float value)
{
    enum { FRACTION_BITS = 23, BIAS = 127, EXPONENT_MAX = 255 };
    uint32_t bits;
    memcpy(&bits, &value, sizeof bits);
    int exponent = (int)(bits >> FRACTION_BITS) & EXPONENT_MAX;
    if (exponent == EXPONENT_MAX)
        return put_text(out, "null", 4);
    if (bits >> 31)
        *out++ = '-';
    return put_finite(out, bits & ((UINT32_C(1) << FRACTION_BITS) - 1), exponent, FRACTION_BITS, BIAS);
}
