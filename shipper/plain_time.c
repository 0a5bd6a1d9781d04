#include "plain_time.h"

#include "liblog/base/time_text.h"

#include <stdio.h>
#include <time.h>

enum {
    NS_PER_S = 1000000000,
    QUARTER_S = 900,
    FRACTION_DIGITS_MAX = 9,
    EPOCH_DIGITS_MIN = 10, /* of seconds: from 2001 on, so that no other number is taken for a time */
    EPOCH_DIGITS_MAX = 19,
};

static const int64_t ahead_ns_max = INT64_C(300) * NS_PER_S;

/* The parts of a time, as far as its text has them. */
struct parts {
    int year; /* -1: none */
    int month, day, hour, minute, second;
    int64_t fraction_ns;
    bool has_offset;
    int offset_s;
    bool is_epoch; /* all of it is this: */
    int64_t epoch_ns;
};

/* A reader that stays where it is when it does not find what is asked for. */
struct cursor {
    const char *at, *end;
};

static bool is_digit(char c)
{
    return c >= '0' && c <= '9';
}

static bool take_char(struct cursor *c, const char *set)
{
    if (c->at == c->end || !*c->at || !strchr(set, *c->at))
        return false;
    c->at++;
    return true;
}

/* Exactly `digits` digits. */
static bool take_number(struct cursor *c, int digits, int *ret_value)
{
    int value = 0;
    if (c->end - c->at < digits)
        return false;
    for (int i = 0; i < digits; i++) {
        if (!is_digit(c->at[i]))
            return false;
        value = value * 10 + (c->at[i] - '0');
    }
    c->at += digits;
    *ret_value = value;
    return true;
}

/* The index of one of the three-letter names, or -1. */
static int take_name(struct cursor *c, const char *names, int count)
{
    for (int i = 0; c->end - c->at >= 3 && i < count; i++) {
        if (memcmp(c->at, names + (ptrdiff_t)3 * i, 3) != 0)
            continue;
        c->at += 3;
        return i;
    }
    return -1;
}

static bool take_month(struct cursor *c, int *ret_month)
{
    *ret_month = 1 + take_name(c, "JanFebMarAprMayJunJulAugSepOctNovDec", 12);
    return *ret_month > 0;
}

/* 14:30:00, and .123 or ,123 behind it. */
static bool take_clock(struct cursor *c, struct parts *p)
{
    if (!take_number(c, 2, &p->hour) || !take_char(c, ":") || !take_number(c, 2, &p->minute) ||
        !take_char(c, ":") || !take_number(c, 2, &p->second))
        return false;
    if (c->end - c->at < 2 || (*c->at != '.' && *c->at != ',') || !is_digit(c->at[1]))
        return true;
    c->at++;
    int64_t unit = NS_PER_S / 10;
    for (; c->at < c->end && is_digit(*c->at); c->at++, unit /= 10)
        p->fraction_ns += (*c->at - '0') * unit;
    return true;
}

/* Z, UTC, GMT, +02, +0200 or +02:00, also behind a blank; nothing of it leaves the cursor where it is. */
static void take_offset(struct cursor *c, struct parts *p)
{
    struct cursor try = *c;
    int hours, minutes = 0;
    take_char(&try, " ");
    if (take_char(&try, "Z") || take_name(&try, "UTCGMT", 2) >= 0) {
        p->has_offset = true;
        *c = try;
        return;
    }
    const char *sign = try.at;
    if (!take_char(&try, "+-") || !take_number(&try, 2, &hours))
        return;
    struct cursor longer = try;
    take_char(&longer, ":");
    if (take_number(&longer, 2, &minutes))
        try = longer;
    p->has_offset = true;
    p->offset_s = (hours * 60 + minutes) * 60 * (*sign == '-' ? -1 : 1);
    *c = try;
}

/* 2025-10-19 14:30:00 and 2025/10/19 14:30:00 */
static bool take_iso(struct cursor *c, struct parts *p)
{
    if (!take_number(c, 4, &p->year) || c->at == c->end)
        return false;
    const char between[] = {*c->at, '\0'};
    if (!take_char(c, "-/.") || !take_number(c, 2, &p->month) || !take_char(c, between) ||
        !take_number(c, 2, &p->day) || !take_char(c, "Tt _") || !take_clock(c, p))
        return false;
    take_offset(c, p);
    return true;
}

/* 19/Oct/2025:14:30:00 +0200 */
static bool take_web(struct cursor *c, struct parts *p)
{
    if (!take_number(c, 2, &p->day) || !take_char(c, "/-") || !take_month(c, &p->month) ||
        !take_char(c, "/-") || !take_number(c, 4, &p->year) || !take_char(c, ": ") || !take_clock(c, p))
        return false;
    take_offset(c, p);
    return true;
}

/* Oct 19 14:30:00, and with a year behind it when it began with the day's name. */
static bool take_month_first(struct cursor *c, struct parts *p)
{
    bool has_day = take_name(c, "MonTueWedThuFriSatSun", 7) >= 0;
    int year;
    if (has_day && !take_char(c, " "))
        return false;
    if (!take_month(c, &p->month) || !take_char(c, " "))
        return false;
    bool is_short = take_char(c, " "); /* "Oct  9" */
    if (!(is_short ? take_number(c, 1, &p->day) : take_number(c, 2, &p->day) || take_number(c, 1, &p->day)) ||
        !take_char(c, " ") || !take_clock(c, p))
        return false;
    struct cursor behind = *c;
    if (take_char(&behind, " ") && take_number(&behind, 4, &year) &&
        (behind.at == behind.end || !(is_digit(*behind.at) || *behind.at == ':'))) {
        p->year = year;
        *c = behind;
    }
    return true;
}

/* 1760884200, 1760884200.123 and as milliseconds, micro- and nanoseconds: the number of digits tells. */
static bool take_epoch(struct cursor *c, struct parts *p)
{
    uint64_t value = 0;
    int64_t unit = NS_PER_S;
    const char *begin = c->at;
    for (; c->at < c->end && is_digit(*c->at) && c->at - begin < EPOCH_DIGITS_MAX; c->at++)
        value = value * 10 + (uint64_t)(*c->at - '0');
    ptrdiff_t digits = c->at - begin;
    if (digits < EPOCH_DIGITS_MIN || *begin == '0' || (c->at < c->end && is_digit(*c->at)))
        return false;
    for (ptrdiff_t more = digits - EPOCH_DIGITS_MIN - 2; more > 0 && unit > 1; more -= 3)
        unit /= 1000;
    if (__builtin_mul_overflow(value, unit, &p->epoch_ns) || p->epoch_ns > INT64_MAX - NS_PER_S)
        return false;
    if (c->end - c->at >= 2 && *c->at == '.' && is_digit(c->at[1]))
        for (c->at++; c->at < c->end && is_digit(*c->at); c->at++)
            p->epoch_ns += (*c->at - '0') * (unit /= 10);
    return p->is_epoch = true;
}

static bool is_possible(const struct parts *p)
{
    return p->is_epoch || (p->month >= 1 && p->month <= 12 && p->day >= 1 && p->day <= 31 && p->hour <= 23 &&
                           p->minute <= 59 && p->second <= 60);
}

/* The time that begins at the cursor. */
static bool take_time(struct cursor *c, struct parts *ret_parts)
{
    static bool (*const forms[])(struct cursor *, struct parts *) = {take_iso, take_web, take_month_first,
                                                                     take_epoch};
    for (size_t i = 0; i < sizeof(forms) / sizeof(forms[0]); i++) {
        struct cursor try = *c;
        *ret_parts = (struct parts){.year = -1};
        if (!forms[i](&try, ret_parts) || !is_possible(ret_parts))
            continue;
        *c = try;
        return true;
    }
    return false;
}

static bool goes_on_a_word(const char *at)
{
    return is_digit(at[-1]) || (at[-1] >= 'A' && at[-1] <= 'Z') || (at[-1] >= 'a' && at[-1] <= 'z') ||
           at[-1] == '.' || at[-1] == '-';
}

bool plain_time_find(struct slice text, struct slice *ret_time)
{
    size_t size = text.size < PLAIN_TIME_SEARCHED_BYTES ? text.size : PLAIN_TIME_SEARCHED_BYTES;
    const char *end = text.data + size;
    for (const char *at = text.data; at < end; at++) {
        struct cursor cursor = {at, end};
        struct parts parts;
        if ((at > text.data && goes_on_a_word(at)) || !take_time(&cursor, &parts))
            continue;
        if (parts.is_epoch && at > text.data && at[-1] != '[')
            continue; /* any other long number */
        *ret_time = slice_from(at, (size_t)(cursor.at - at));
        return true;
    }
    return false;
}

/* Seconds since 1970 of the parts as if they were in UTC. time_text knows the calendar, and what is no day.
 */
static bool civil_s(const struct parts *p, int year, int64_t *ret_s)
{
    char text[sizeof "2025-10-19T14:30:00Z"];
    if (year < 0 || year > 9999)
        return false;
    int second = p->second == 60 ? 59 : p->second; /* a leap second, wherever the offset puts it */
    snprintf(text, sizeof text, "%04u-%02u-%02uT%02u:%02u:%02uZ", (unsigned)year % 10000,
             (unsigned)p->month % 100, (unsigned)p->day % 100, (unsigned)p->hour % 100,
             (unsigned)p->minute % 100, (unsigned)second % 100);
    int64_t ns;
    if (time_from_text(slice_of(text), &ns) < 0)
        return false;
    *ret_s = ns / NS_PER_S;
    return true;
}

/* How far local time was ahead of UTC when the clocks here showed this. */
static int64_t local_offset_s(struct local_offset *local, int64_t shown_s)
{
    int64_t quarter = shown_s / QUARTER_S;
    if (local->known && local->quarter == quarter)
        return local->offset_s;
    struct tm tm;
    time_t shown = (time_t)shown_s;
    if (!gmtime_r(&shown, &tm))
        return 0;
    tm.tm_isdst = -1;
    time_t utc = mktime(&tm);
    *local = (struct local_offset){quarter, shown_s - (int64_t)utc, true};
    return local->offset_s;
}

static bool time_in_year(struct local_offset *local, const struct parts *p, int year, int64_t *ret_ns)
{
    int64_t shown_s, ns;
    if (!civil_s(p, year, &shown_s))
        return false;
    int64_t offset_s = p->has_offset ? p->offset_s : local_offset_s(local, shown_s);
    if (__builtin_mul_overflow(shown_s - offset_s, (int64_t)NS_PER_S, &ns) ||
        __builtin_add_overflow(ns, p->fraction_ns, &ns))
        return false;
    *ret_ns = ns;
    return true;
}

static int year_of(int64_t unix_ns)
{
    time_t seconds = (time_t)(unix_ns / NS_PER_S);
    struct tm tm;
    return gmtime_r(&seconds, &tm) ? tm.tm_year + 1900 : 1970;
}

/* The 29th of February may be that of some years ago. */
static bool time_of_latest_year(struct local_offset *local, const struct parts *p, int64_t now_ns,
                                int64_t *ret_ns)
{
    int this_year = year_of(now_ns);
    for (int year = this_year + 1; year > this_year - 8; year--) {
        int64_t ns;
        if (!time_in_year(local, p, year, &ns) || ns > now_ns + ahead_ns_max)
            continue;
        *ret_ns = ns;
        return true;
    }
    return false;
}

bool plain_time_read(struct local_offset *local, struct slice text, int64_t now_ns, int64_t *ret_ns)
{
    struct cursor cursor = {text.data, text.data + text.size};
    struct parts parts;
    if (text.size == 0 || !take_time(&cursor, &parts) || cursor.at != cursor.end)
        return false;
    if (parts.is_epoch) {
        *ret_ns = parts.epoch_ns;
        return true;
    }
    return parts.year >= 0 ? time_in_year(local, &parts, parts.year, ret_ns)
                           : time_of_latest_year(local, &parts, now_ns, ret_ns);
}
