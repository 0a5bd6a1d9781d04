/*
 * Days are counted in a calendar whose year begins in March: the leap day is then the last of its year, and
 * months have the regular lengths 31 30 31 30 31, which (153 * month + 2) / 5 adds up. An era is the 400
 * years (146097 days) after which the calendar repeats.
 */
#include "time_text.h"

#include "digits.h"

enum {
    NS_PER_S = 1000000000,
    S_PER_DAY = 86400,
    DAYS_PER_ERA = 146097,
    DAYS_0000_03_01_TO_1970 = 719468,
};

struct civil {
    int year, month, day;
};

static int64_t floor_divide(int64_t a, int64_t b)
{
    return a / b - (a % b < 0);
}

static int64_t days_from_civil(struct civil c)
{
    int year = c.year - (c.month <= 2);
    int era = (int)floor_divide(year, 400);
    int year_of_era = year - era * 400;
    int month = (c.month + 9) % 12;
    int day_of_year = (153 * month + 2) / 5 + c.day - 1;
    int day_of_era = year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year;
    return (int64_t)era * DAYS_PER_ERA + day_of_era - DAYS_0000_03_01_TO_1970;
}

static struct civil civil_from_days(int64_t days)
{
    days += DAYS_0000_03_01_TO_1970;
    int era = (int)floor_divide(days, DAYS_PER_ERA);
    unsigned day_of_era = (unsigned)(days - (int64_t)era * DAYS_PER_ERA);
    /* Without the leap days before it, every year has 365. */
    unsigned leap_days = day_of_era / 1460 - day_of_era / 36524 + day_of_era / 146096;
    unsigned year_of_era = (day_of_era - leap_days) / 365;
    unsigned day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    unsigned month = (5 * day_of_year + 2) / 153;
    return (struct civil){
        .year = era * 400 + (int)year_of_era + (month >= 10),
        .month = (int)(month < 10 ? month + 3 : month - 9),
        .day = (int)(day_of_year - (153 * month + 2) / 5 + 1),
    };
}

static void put_date(char *out, struct civil c)
{
    digits_put_pair(out, (unsigned)c.year / 100);
    digits_put_pair(out + 2, (unsigned)c.year % 100);
    out[4] = '-';
    digits_put_pair(out + 5, (unsigned)c.month);
    out[7] = '-';
    digits_put_pair(out + 8, (unsigned)c.day);
}

static void put_clock(char *out, unsigned second_of_day)
{
    digits_put_pair(out, second_of_day / 3600);
    out[2] = ':';
    digits_put_pair(out + 3, second_of_day / 60 % 60);
    out[5] = ':';
    digits_put_pair(out + 6, second_of_day % 60);
}

void time_to_text(char out[static TIME_TEXT_SIZE], int64_t unix_ns)
{
    int64_t seconds = floor_divide(unix_ns, NS_PER_S);
    /* In unsigned arithmetic: seconds * NS_PER_S can lie just below what int64_t holds. */
    uint64_t fraction_ns = (uint64_t)unix_ns - (uint64_t)seconds * NS_PER_S;
    int64_t days = floor_divide(seconds, S_PER_DAY);

    put_date(out, civil_from_days(days));
    out[10] = 'T';
    put_clock(out + 11, (unsigned)(seconds - days * S_PER_DAY));
    out[19] = '.';
    digits_put(out + 20, fraction_ns, 9);
    out[29] = 'Z';
}

/* The text not read yet; `bad` sticks, and is looked at once at the end. */
struct reader {
    const char *at, *end;
    bool bad;
};

static bool next_is_digit(const struct reader *r)
{
    return r->at < r->end && *r->at >= '0' && *r->at <= '9';
}

/* Exactly `digits` digits, with a value from `min` to `max`. */
static int take_number(struct reader *r, int digits, int min, int max)
{
    int value = 0;
    for (int i = 0; i < digits; i++) {
        if (!next_is_digit(r)) {
            r->bad = true;
            return 0;
        }
        value = value * 10 + (*r->at++ - '0');
    }
    r->bad |= value < min || value > max;
    return value;
}

/* The next character when it is one of `set`; NUL and bad otherwise. */
static char take_one_of(struct reader *r, const char *set)
{
    if (r->at < r->end && *r->at && strchr(set, *r->at))
        return *r->at++;
    r->bad = true;
    return '\0';
}

static int days_in_month(int year, int month)
{
    static const int8_t days[] = {31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
    bool leap = year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
    return month == 2 && leap ? 29 : days[month - 1];
}

static int64_t take_date_as_days(struct reader *r)
{
    struct civil c;
    c.year = take_number(r, 4, 0, 9999);
    take_one_of(r, "-");
    c.month = take_number(r, 2, 1, 12);
    take_one_of(r, "-");
    c.day = take_number(r, 2, 1, 31);
    if (r->bad || c.day > days_in_month(c.year, c.month)) {
        r->bad = true;
        return 0;
    }
    return days_from_civil(c);
}

static int64_t take_fraction_as_ns(struct reader *r)
{
    if (r->at == r->end || *r->at != '.')
        return 0;
    r->at++;
    r->bad |= !next_is_digit(r);
    int64_t ns = 0;
    for (int unit = NS_PER_S / 10; next_is_digit(r); unit /= 10)
        ns += (*r->at++ - '0') * unit;
    return ns;
}

/* Seconds east of UTC. */
static int take_offset(struct reader *r)
{
    char sign = take_one_of(r, "Zz+-");
    if (sign != '+' && sign != '-')
        return 0;
    int seconds = take_number(r, 2, 0, 23) * 3600;
    take_one_of(r, ":");
    seconds += take_number(r, 2, 0, 59) * 60;
    return sign == '-' ? -seconds : seconds;
}

/* Seconds since 1970, and what is beyond them in ns. */
static int64_t take_time(struct reader *r, int64_t *ret_fraction_ns)
{
    int64_t days = take_date_as_days(r);
    take_one_of(r, "Tt ");
    int hour = take_number(r, 2, 0, 23);
    take_one_of(r, ":");
    int minute = take_number(r, 2, 0, 59);
    take_one_of(r, ":");
    int second = take_number(r, 2, 0, 60);
    bool leap_second = second == 60;
    *ret_fraction_ns = take_fraction_as_ns(r);
    int64_t seconds = days * S_PER_DAY + hour * 3600 + minute * 60 + second - leap_second - take_offset(r);
    /* A leap second ends a UTC day; anywhere else 60 is a mistake. */
    r->bad |= leap_second && seconds - floor_divide(seconds, S_PER_DAY) * S_PER_DAY != S_PER_DAY - 1;
    return seconds;
}

int time_from_text(struct slice text, int64_t *ret_unix_ns)
{
    if (text.size == 0)
        return -1;
    struct reader r = {text.data, text.data + text.size, false};
    int64_t fraction_ns;
    __int128 unix_ns = take_time(&r, &fraction_ns);
    unix_ns = unix_ns * NS_PER_S + fraction_ns;
    if (r.bad || r.at != r.end || unix_ns < INT64_MIN || unix_ns > INT64_MAX)
        return -1;
    *ret_unix_ns = (int64_t)unix_ns;
    return 0;
}
