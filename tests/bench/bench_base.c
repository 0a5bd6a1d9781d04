/*
 * What the base costs for each value, beside the C library doing the same in the same run (for JSON: a plain
 * loop over the bytes). The ratio is what travels between machines; the times are this machine's.
 */
#define _GNU_SOURCE /* strptime() */

#include "liblog/base/json.h"
#include "liblog/base/number.h"
#include "liblog/base/time_text.h"
#include "tests/support/chance.h"
#include "tests/support/json_reference.h"

#include <stdio.h>
#include <stdlib.h>
#include <time.h>

enum {
    VALUES = 4096, /* a power of two */
    TEXT_SIZE = 4096,
    SHORT_SIZE = 48,
    TIMES = 7,
    TIME_NS_MIN = 20000000,
};

static struct {
    uint64_t whole[VALUES];
    double any[VALUES];
    double measured[VALUES];
    int64_t moment[VALUES];
    char moment_text[VALUES][TIME_TEXT_SIZE + 1];
    char whole_text[VALUES][NUMBER_U64_CHARS_MAX + 1];
    char ascii[TEXT_SIZE];
    char quotes[TEXT_SIZE];
    char cyrillic[TEXT_SIZE];
} input;

static char output[TEXT_SIZE * JSON_ESCAPE_GROWTH_MAX + 1];

/* Everything computed ends here, so that nothing can be left out. */
static volatile uint64_t sink;

static double any_finite_double(struct chance *c)
{
    double value;
    do {
        uint64_t bits = chance_u64(c);
        memcpy(&value, &bits, sizeof value);
    } while (value - value != 0);
    return value;
}

static void fill_text(char *out, const char *piece)
{
    size_t size = strlen(piece);
    for (size_t i = 0; i < TEXT_SIZE; i++)
        out[i] = i / size * size + size <= TEXT_SIZE ? piece[i % size] : ' ';
}

static void prepare(void)
{
    struct chance c = {1};
    for (int i = 0; i < VALUES; i++) {
        input.whole[i] = chance_u64(&c) >> chance_below(&c, 64);
        input.any[i] = any_finite_double(&c);
        input.measured[i] = (double)chance_below(&c, 10000000) / 1000.0;
        input.moment[i] = INT64_C(1760884200000000000) + (int64_t)(chance_u64(&c) >> 10);
        time_to_text(input.moment_text[i], input.moment[i]);
        *number_from_u64(input.whole_text[i], input.whole[i]) = '\0';
    }
    fill_text(input.ascii, "GET /api/orders/4711 answered 200 after 12.5 ms; ");
    fill_text(input.quotes, "could not open \"C:\\data\\orders.db\": no such file\n");
    fill_text(input.cyrillic, "Заказ не найден; ");
}

/* Each of these does its work for the i-th time. */

static void u64_ours(long i)
{
    sink += (uint64_t)(number_from_u64(output, input.whole[i % VALUES]) - output);
}

static void u64_snprintf(long i)
{
    sink += (uint64_t)snprintf(output, 32, "%llu", (unsigned long long)input.whole[i % VALUES]);
}

static void to_u64_ours(long i)
{
    uint64_t value = 0;
    number_to_u64(slice_of(input.whole_text[i % VALUES]), &value);
    sink += value;
}

static void to_u64_strtoull(long i)
{
    sink += strtoull(input.whole_text[i % VALUES], NULL, 10);
}

static void any_double_ours(long i)
{
    sink += (uint64_t)(number_from_double(output, input.any[i % VALUES]) - output);
}

static void any_double_snprintf(long i)
{
    sink += (uint64_t)snprintf(output, 32, "%.17g", input.any[i % VALUES]);
}

static void measured_ours(long i)
{
    sink += (uint64_t)(number_from_double(output, input.measured[i % VALUES]) - output);
}

/* As others find the shortest: more digits until it reads back. */
static void measured_search(long i)
{
    double value = input.measured[i % VALUES];
    for (int digits = 15; digits <= 17; digits++) {
        sink += (uint64_t)snprintf(output, 32, "%.*g", digits, value);
        if (strtod(output, NULL) == value)
            return;
    }
}

static void time_ours(long i)
{
    time_to_text(output, input.moment[i % VALUES]);
    sink += (unsigned char)output[18];
}

static void time_strftime(long i)
{
    int64_t moment = input.moment[i % VALUES];
    time_t seconds = (time_t)(moment / 1000000000);
    struct tm tm;
    gmtime_r(&seconds, &tm);
    size_t size = strftime(output, 40, "%Y-%m-%dT%H:%M:%S", &tm);
    snprintf(output + size, 20, ".%09dZ", (int)(moment % 1000000000));
    sink += (unsigned char)output[18];
}

static void from_time_ours(long i)
{
    int64_t moment = 0;
    time_from_text(slice_from(input.moment_text[i % VALUES], TIME_TEXT_SIZE), &moment);
    sink += (uint64_t)moment;
}

static void from_time_strptime(long i)
{
    struct tm tm = {0};
    char *rest = strptime(input.moment_text[i % VALUES], "%Y-%m-%dT%H:%M:%S", &tm);
    sink += (uint64_t)timegm(&tm) * 1000000000 + strtoull(rest + 1, NULL, 10);
}

static void naive_escape(const char *text, size_t size)
{
    char *out = output;
    for (size_t i = 0; i < size; i++) {
        unsigned char c = (unsigned char)text[i];
        if (c == '"' || c == '\\') {
            *out++ = '\\';
            *out++ = (char)c;
        } else if (c < 0x20) {
            out += sprintf(out, "\\u%04x", c);
        } else {
            *out++ = (char)c;
        }
    }
    sink += (uint64_t)(out - output);
}

static void escape(const char *text, size_t size)
{
    sink += (uint64_t)(json_escape(output, slice_from(text, size)) - output);
}

static void ascii_ours(long i)
{
    (void)i;
    escape(input.ascii, TEXT_SIZE);
}

static void ascii_naive(long i)
{
    (void)i;
    naive_escape(input.ascii, TEXT_SIZE);
}

static void short_ours(long i)
{
    escape(input.ascii + i % 1024, SHORT_SIZE);
}

static void short_naive(long i)
{
    naive_escape(input.ascii + i % 1024, SHORT_SIZE);
}

static void quotes_ours(long i)
{
    (void)i;
    escape(input.quotes, TEXT_SIZE);
}

static void quotes_naive(long i)
{
    (void)i;
    naive_escape(input.quotes, TEXT_SIZE);
}

static void cyrillic_ours(long i)
{
    (void)i;
    escape(input.cyrillic, TEXT_SIZE);
}

static void cyrillic_naive(long i)
{
    (void)i;
    naive_escape(input.cyrillic, TEXT_SIZE);
}

#define RECORD                                                                                               \
    "{\"timestamp\":\"2025-10-19T14:30:00.123456789Z\",\"level\":\"ERROR\",\"service\":\"checkout\","        \
    "\"logger\":\"backend.database\",\"message\":\"Database connection failed\","                            \
    "\"run_id\":\"019a2b6e-7c1d-7f3a-9a55-3f1c2b7d8e90\",\"seq\":1042,\"exception\":{\"type\":"              \
    "\"OperationalError\",\"message\":\"unable to open database file\",\"traceback\":[\"open_db "            \
    "(db.c:118)\",\"main (main.c:40)\"]},\"pid\":4711,\"tid\":4713,\"fields\":{\"attempt\":3,"               \
    "\"elapsed_ms\":12.5,\"retry\":true}}"

static void valid_ours(long i)
{
    (void)i;
    sink += json_is_valid(SLICE(RECORD), 16);
}

static void valid_recursive(long i)
{
    (void)i;
    sink += reference_is_valid(SLICE(RECORD), 16);
}

typedef void work(long i);

static const struct {
    const char *name;
    work *ours;
    const char *peer_name;
    work *peer;
    size_t text_size; /* bytes taken each time, when the speed is of interest */
} benches[] = {
    {"number_from_u64", u64_ours, "snprintf %llu", u64_snprintf, 0},
    {"number_to_u64", to_u64_ours, "strtoull", to_u64_strtoull, 0},
    {"number_from_double, any", any_double_ours, "snprintf %.17g", any_double_snprintf, 0},
    {"number_from_double, measured", measured_ours, "snprintf and strtod", measured_search, 0},
    {"time_to_text", time_ours, "gmtime_r, strftime", time_strftime, 0},
    {"time_from_text", from_time_ours, "strptime, timegm", from_time_strptime, 0},
    {"json_escape, ASCII", ascii_ours, "byte by byte", ascii_naive, TEXT_SIZE},
    {"json_escape, 48 bytes of it", short_ours, "byte by byte", short_naive, SHORT_SIZE},
    {"json_escape, quoted paths", quotes_ours, "byte by byte", quotes_naive, TEXT_SIZE},
    {"json_escape, Cyrillic", cyrillic_ours, "no check of UTF-8", cyrillic_naive, TEXT_SIZE},
    {"json_is_valid, a record", valid_ours, "recursive, by bytes", valid_recursive, sizeof RECORD - 1},
};

static int64_t now_ns(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (int64_t)now.tv_sec * 1000000000 + now.tv_nsec;
}

static int64_t time_of(work *run, long count)
{
    int64_t start = now_ns();
    for (long i = 0; i < count; i++)
        run(i);
    return now_ns() - start;
}

/* The best of several times: others on the machine can only make it slower. */
static double ns_each(work *run)
{
    long count = 1;
    while (time_of(run, count) < TIME_NS_MIN)
        count *= 2;
    int64_t best = INT64_MAX;
    for (int i = 0; i < TIMES; i++) {
        int64_t ns = time_of(run, count);
        best = ns < best ? ns : best;
    }
    return (double)best / (double)count;
}

int main(void)
{
    prepare();
    printf("%-30s %10s %10s %8s   %s\n", "", "ns", "MB/s", "ratio", "peer (ns)");
    for (size_t i = 0; i < sizeof benches / sizeof *benches; i++) {
        double ours = ns_each(benches[i].ours), peer = ns_each(benches[i].peer);
        char speed[32] = "";
        if (benches[i].text_size)
            snprintf(speed, sizeof speed, "%.0f", (double)benches[i].text_size * 1000 / ours);
        printf("%-30s %10.1f %10s %7.1fx   %s (%.1f)\n", benches[i].name, ours, speed, peer / ours,
               benches[i].peer_name, peer);
    }
    return 0;
}
