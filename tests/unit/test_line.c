#define _GNU_SOURCE
#include "log_reader.h"

#include <limits.h>
#include <math.h>
#include <sys/syscall.h>

/* --- the record as a whole ------------------------------------------------------------------------------ */

/* The line without what changes from run to run: the time becomes T, ids and numbers R, N, P and I. */
static const char *normal(const char *line)
{
    static char text[LINE_BYTES_MAX + 1];
    char run[64], seq[32], own[32], thread[32];
    snprintf(run, sizeof run, "\"run_id\":\"%s\"", ll_run_id());
    snprintf(seq, sizeof seq, "\"seq\":%llu", (unsigned long long)seq_of(line));
    snprintf(own, sizeof own, "\"pid\":%d", (int)getpid());
    snprintf(thread, sizeof thread, "\"tid\":%d", (int)syscall(SYS_gettid));
    const struct {
        const char *from, *to;
    } changes[] = {{run, "\"run_id\":R"}, {seq, "\"seq\":N"}, {own, "\"pid\":P"}, {thread, "\"tid\":I"}};
    assert_int_equal(strncmp(line, "{\"timestamp\":\"", 14), 0);
    snprintf(text, sizeof text, "{T%s", line + 14 + 31);
    for (size_t i = 0; i < sizeof changes / sizeof changes[0]; i++) {
        char *at = strstr(text, changes[i].from);
        if (!at)
            fail_msg("no %s in %s", changes[i].from, line);
        size_t from = strlen(changes[i].from), to = strlen(changes[i].to);
        memmove(at + to, at + from, strlen(at + from) + 1);
        memcpy(at, changes[i].to, to);
    }
    return text;
}

static void a_record_is_exactly_as_documented_key_by_key(void **state)
{
    ll_config config = plain_config("app.log");
    char wanted[1024];
    (void)state;
    snprintf(config.environment, sizeof config.environment, "production");
    snprintf(config.parent_run_id, sizeof config.parent_run_id, "job-7");
    open_with(&config);
    ll_request_begin(&(ll_request){.request_id = "abc123",
                                   .traceparent = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01",
                                   .endpoint = "/api/glossary",
                                   .user = "u-77"});
    int line = __LINE__ + 1;
    ll_error("Database connection failed", ll_exception_code("OperationalError", "DB_003", "unable to open"),
             ll_kv("attempt", 3), ll_kv("elapsed_ms", 12.5), ll_bool("retry", true));
    ll_request_end();
    ll_info("plain");
    struct lines lines = close_and_read("app.log", 2);

    snprintf(
        wanted, sizeof wanted,
        "{T,\"level\":\"ERROR\",\"service\":\"tested\",\"environment\":\"production\",\"logger\":\"root\","
        "\"message\":\"Database connection failed\",\"run_id\":R,\"parent_run_id\":\"job-7\",\"seq\":N,"
        "\"request_id\":\"abc123\",\"trace_id\":\"4bf92f3577b34da6a3ce929d0e0e4736\","
        "\"span_id\":\"00f067aa0ba902b7\",\"endpoint\":\"/api/glossary\",\"user\":\"u-77\","
        "\"exception\":{\"type\":\"OperationalError\",\"message\":\"unable to open\",\"code\":\"DB_003\"},"
        "\"pid\":P,\"tid\":I,\"source\":{\"file\":\"test_line.c\",\"line\":%d,\"function\":\"%s\"},"
        "\"fields\":{\"attempt\":3,\"elapsed_ms\":12.5,\"retry\":true}}",
        line, __func__);
    assert_string_equal(normal(lines.text[0]), wanted);
    assert_string_equal(normal(lines.text[1]),
                        "{T,\"level\":\"INFO\",\"service\":\"tested\",\"environment\":\"production\","
                        "\"logger\":\"root\",\"message\":\"plain\",\"run_id\":R,\"parent_run_id\":\"job-7\","
                        "\"seq\":N,\"pid\":P,\"tid\":I}");
    free_lines(&lines);
}

static void the_time_of_a_record_lies_between_before_and_after_its_call(void **state)
{
    struct timespec before, after;
    (void)state;
    open_log("app.log");
    clock_gettime(CLOCK_REALTIME, &before);
    ll_info("now");
    clock_gettime(CLOCK_REALTIME, &after);
    struct lines lines = close_and_read("app.log", 1);
    struct tm tm = {0};
    const char *rest = strptime(lines.text[0] + 14, "%Y-%m-%dT%H:%M:%S.", &tm);
    assert_non_null(rest);
    assert_string_equal(strndupa(rest + 9, 2), "Z\"");
    int64_t ns = (int64_t)timegm(&tm) * 1000000000 + strtoll(rest, NULL, 10);
    /* the counter is read against the clock to within microseconds */
    assert_true(ns >= (int64_t)before.tv_sec * 1000000000 + before.tv_nsec - 50000);
    assert_true(ns <= (int64_t)after.tv_sec * 1000000000 + after.tv_nsec + 50000);
    free_lines(&lines);
}

static void each_level_has_its_name_and_its_place_from_warning_on(void **state)
{
    static const char *const names[] = {"\"TRACE\"",   "\"DEBUG\"", "\"INFO\"",
                                        "\"WARNING\"", "\"ERROR\"", "\"CRITICAL\""};
    (void)state;
    open_log("app.log");
    ll_trace("x");
    ll_debug("x");
    ll_info("x");
    ll_warning("x");
    ll_error("x");
    ll_critical("x");
    struct lines lines = close_and_read("app.log", 6);
    for (int i = 0; i < 6; i++) {
        expect_member(lines.text[i], "level", names[i]);
        assert_int_equal(member(lines.text[i], "source") != NULL, i >= LL_LEVEL_WARNING);
    }
    free_lines(&lines);
}

static void source_can_be_turned_off_and_on_for_all(void **state)
{
    ll_config config = plain_config("off.log");
    (void)state;
    config.source_level = LL_LEVEL_OFF;
    open_with(&config);
    ll_critical("x");
    struct lines lines = close_and_read("off.log", 1);
    expect_no_member(lines.text[0], "source");
    free_lines(&lines);
    config = plain_config("all.log");
    config.source_level = LL_LEVEL_TRACE;
    open_with(&config);
    ll_trace("x");
    lines = close_and_read("all.log", 1);
    assert_non_null(member(lines.text[0], "source"));
    free_lines(&lines);
}

static void a_clean_end_is_marked_with_the_number_of_records(void **state)
{
    ll_config config = plain_config("app.log");
    (void)state;
    config.marks = 1;
    snprintf(config.level, sizeof config.level, "off");
    open_with(&config);
    struct lines lines = close_and_read("app.log", 1);
    expect_member(lines.text[0], "mark", "\"close\"");
    free_lines(&lines);
}

/* --- values --------------------------------------------------------------------------------------------- */

static void integers_of_every_type_keep_all_their_bits(void **state)
{
    char c = 'c';
    signed char sc = SCHAR_MIN;
    unsigned char uc = UCHAR_MAX;
    short s = SHRT_MIN;
    unsigned short us = USHRT_MAX;
    (void)state;
    open_log("app.log");
    ll_info("ints", ll_kv("c", c), ll_kv("sc", sc), ll_kv("uc", uc), ll_kv("s", s), ll_kv("us", us),
            ll_kv("i", INT_MIN), ll_kv("i2", INT_MAX), ll_kv("u", UINT_MAX), ll_kv("l", LONG_MIN),
            ll_kv("l2", LONG_MAX), ll_kv("ul", ULONG_MAX), ll_kv("ll", LLONG_MIN), ll_kv("ll2", LLONG_MAX),
            ll_kv("ull", ULLONG_MAX), ll_kv("z", (size_t)0), ll_kv("i64", INT64_MIN),
            ll_kv("u64", UINT64_MAX));
    struct lines lines = close_and_read("app.log", 1);
    expect_member(
        lines.text[0], "fields",
        "{\"c\":99,\"sc\":-128,\"uc\":255,\"s\":-32768,\"us\":65535,\"i\":-2147483648,\"i2\":2147483647,"
        "\"u\":4294967295,\"l\":-9223372036854775808,\"l2\":9223372036854775807,"
        "\"ul\":18446744073709551615,\"ll\":-9223372036854775808,\"ll2\":9223372036854775807,"
        "\"ull\":18446744073709551615,\"z\":0,\"i64\":-9223372036854775808,\"u64\":18446744073709551615}");
    free_lines(&lines);
}

static void doubles_and_floats_stand_in_their_shortest_form_and_what_is_no_number_is_null(void **state)
{
    (void)state;
    open_log("app.log");
    ll_info("doubles", ll_kv("tenth", 0.1), ll_kv("f", 0.1f), ll_kv("third", 1.0 / 3),
            ll_kv("ft", 16777216.0f), ll_kv("nan", (double)NAN), ll_kv("inf", (double)INFINITY),
            ll_kv("minus", -(double)INFINITY), ll_kv("fnan", NAN), ll_kv("finf", -INFINITY));
    ll_info("extremes", ll_kv("most", 1.7976931348623157e308), ll_kv("least", 5e-324));
    struct lines lines = close_and_read("app.log", 2);
    expect_member(
        lines.text[0], "fields",
        "{\"tenth\":0.1,\"f\":0.1,\"third\":0.3333333333333333,\"ft\":16777216.0,\"nan\":null,\"inf\":null,"
        "\"minus\":null,\"fnan\":null,\"finf\":null}");
    struct json_object *record = parse(lines.text[1], strlen(lines.text[1]));
    struct json_object *fields = json_object_object_get(record, "fields");
    assert_true(json_object_get_double(json_object_object_get(fields, "most")) == 1.7976931348623157e308);
    assert_true(json_object_get_double(json_object_object_get(fields, "least")) == 5e-324);
    json_object_put(record);
    free_lines(&lines);
}

static void booleans_texts_and_null_become_what_they_are(void **state)
{
    bool yes = true;
    char buffer[] = "buffer";
    unsigned char bytes[] = "unsigned";
    const char *nothing = NULL;
    (void)state;
    open_log("app.log");
    ll_info("texts", ll_kv("b", yes), ll_bool("t", true), ll_bool("f", 0), ll_kv("s", "literal"),
            ll_kv("c", buffer), ll_kv("u", bytes), ll_kv("cu", (const unsigned char *)bytes),
            ll_kv("null", nothing), ll_strn("part", "abcdef", 3), ll_strn("nul", "a\0b", 3),
            ll_strn("none", NULL, 5), ll_strn("e", "", 0), ll_kv("", "empty key"),
            ll_kv("true is an int", true));
    struct lines lines = close_and_read("app.log", 1);
    expect_member(
        lines.text[0], "fields",
        "{\"b\":true,\"t\":true,\"f\":false,\"s\":\"literal\",\"c\":\"buffer\",\"u\":\"unsigned\","
        "\"cu\":\"unsigned\",\"null\":null,\"part\":\"abc\",\"nul\":\"a\\u0000b\",\"none\":null,\"e\":\"\","
        "\"\":\"empty key\",\"true is an int\":1}");
    free_lines(&lines);
}

/* One site, called with a text and with NULL: the registered type is one, the value's own another. */
static void one_call_may_give_a_text_once_and_null_another_time(void **state)
{
    const char *values[] = {NULL, "text", NULL, "again"};
    static const char *const wanted[] = {"{\"k\":null,\"n\":0}", "{\"k\":\"text\",\"n\":1}",
                                         "{\"k\":null,\"n\":2}", "{\"k\":\"again\",\"n\":3}"};
    (void)state;
    open_log("app.log");
    for (int i = 0; i < 4; i++)
        ll_info("x", ll_kv("k", values[i]), ll_kv("n", i));
    struct lines lines = close_and_read("app.log", 4);
    for (int i = 0; i < 4; i++)
        expect_member(lines.text[i], "fields", wanted[i]);
    free_lines(&lines);
}

static void bytes_json_times_and_durations_become_what_they_are(void **state)
{
    (void)state;
    open_log("app.log");
    ll_info("kinds", ll_bytes("bytes", "\x00\xab\xff", 3), ll_bytes("no_bytes", "", 0),
            ll_bytes("null", NULL, 4), ll_json("json", "{\"a\":[1,\n2]}"), ll_json("not", "{oops"),
            ll_json("empty", ""), ll_json("null_json", NULL), ll_time("time", INT64_C(1760884200123456789)),
            ll_time("epoch", 0), ll_duration("took", 12500000), ll_duration("back", -1000000000),
            ll_duration("none", 0));
    struct lines lines = close_and_read("app.log", 1);
    expect_member(
        lines.text[0], "fields",
        "{\"bytes\":\"00abff\",\"no_bytes\":\"\",\"null\":null,\"json\":{\"a\":[1, 2]},\"not\":\"{oops\","
        "\"empty\":\"\",\"null_json\":null,\"time\":\"2025-10-19T14:30:00.123456789Z\","
        "\"epoch\":\"1970-01-01T00:00:00.000000000Z\",\"took\":0.0125,\"back\":-1.0,\"none\":0.0}");
    free_lines(&lines);
}

static void raw_json_has_its_line_separators_escaped_like_every_text(void **state)
{
    (void)state;
    open_log("app.log");
    ll_info("x", ll_json("j", "{\"k\xe2\x80\xa8\":\"a\xe2\x80\xa9z\"}"));
    struct lines lines = close_and_read("app.log", 1);
    expect_member(lines.text[0], "fields", "{\"j\":{\"k\\u2028\":\"a\\u2029z\"}}");
    free_lines(&lines);
}

static void of_two_fields_with_one_key_the_last_stands(void **state)
{
    char key[] = "k";
    ll_field list[] = {ll_kv(key, 1), ll_kv("x", 2), ll_kv("k", 3)};
    static ll_site site = LL_SITE(LL_LEVEL_INFO);
    (void)state;
    open_log("app.log");
    ll_info("registered", ll_kv("k", 1), ll_kv("x", 2), ll_kv("k", "last"));
    ll_info("dynamic", ll_kv(key, 1), ll_kv("x", 2), ll_kv(key, "last"));
    ll_write(&site, "list", list, 3);
    struct lines lines = close_and_read("app.log", 3);
    expect_member(lines.text[0], "fields", "{\"x\":2,\"k\":\"last\"}");
    expect_member(lines.text[1], "fields", "{\"x\":2,\"k\":\"last\"}");
    expect_member(lines.text[2], "fields", "{\"x\":2,\"k\":3}");
    free_lines(&lines);
}

static void an_exception_is_an_object_of_type_message_and_code(void **state)
{
    const char *nothing = NULL;
    (void)state;
    open_log("app.log");
    ll_error("x", ll_exception("TimeoutError", "no answer"), ll_kv("n", 1));
    ll_error("x", ll_kv("n", 1), ll_exception_code("OperationalError", "DB_003", "locked"));
    ll_error("x", ll_exception("", nothing));
    ll_error("x", ll_exception("First", "1"), ll_exception("Last", "2"));
    ll_error("x", ll_kv("", "the key of an exception's part is no key"), ll_exception("T", "m"));
    struct lines lines = close_and_read("app.log", 5);
    expect_member(lines.text[0], "exception", "{\"type\":\"TimeoutError\",\"message\":\"no answer\"}");
    expect_member(lines.text[0], "fields", "{\"n\":1}");
    expect_member(lines.text[1], "exception",
                  "{\"type\":\"OperationalError\",\"message\":\"locked\",\"code\":\"DB_003\"}");
    expect_member(lines.text[2], "exception", "{\"type\":\"\",\"message\":\"\"}");
    expect_no_member(lines.text[2], "fields");
    expect_member(lines.text[3], "exception", "{\"type\":\"Last\",\"message\":\"2\"}");
    expect_member(lines.text[4], "fields", "{\"\":\"the key of an exception's part is no key\"}");
    free_lines(&lines);
}

static int find_secret(const char *path, const struct stat *st, int type, struct FTW *walk)
{
    (void)walk;
    return type == FTW_F && st->st_size > 0 && file_contains(path, "hunter2-of-the-test");
}

static void a_secret_reaches_neither_the_log_nor_the_ring_file(void **state)
{
    char secret[] = "hunter2-of-the-test", key[] = "dynamic";
    char ring[512];
    (void)state;
    open_log("app.log");
    for (int i = 0; i < 3; i++)
        ll_info("login", ll_secret("password", secret), ll_kv("n", i));
    ll_info("login", ll_secret(key, secret));
    assert_int_equal(ll_flush(FLUSH_MS_MAX), LL_OK);
    assert_int_equal(count_files(".app.log.ll", ".ring", ring), 1);
    assert_true(file_contains(ring, "login")); /* the search itself works */
    assert_int_equal(nftw(".", find_secret, 8, FTW_PHYS), 0);
    struct lines lines = close_and_read("app.log", 4);
    expect_member(lines.text[2], "fields", "{\"password\":\"[redacted]\",\"n\":2}");
    expect_member(lines.text[3], "fields", "{\"dynamic\":\"[redacted]\"}");
    free_lines(&lines);
}

/* --- hostile text --------------------------------------------------------------------------------------- */

static void hostile_text_stays_text(void **state)
{
    const char *format = "%n%s%x ${jndi:ldap://127.0.0.1/a}";
    (void)state;
    open_log("app.log");
    ll_info(format, ll_kv("%n", "%s"));
    ll_info("quote \" slash \\ \n\t\r\b\f\a\x1b[31m\x7f");
    ll_info("line \xe2\x80\xa8 paragraph \xe2\x80\xa9 end");
    ll_info("forged\",\"level\":\"CRITICAL\",\"x\":\"", ll_kv("level", "CRITICAL"), ll_kv("seq\":1,\"a", 1));
    ll_info("");
    ll_infof("%d ms, \"%s\"", 12, "quoted\n");
    struct lines lines = close_and_read("app.log", 6);
    expect_member(lines.text[0], "message", "\"%n%s%x ${jndi:ldap://127.0.0.1/a}\"");
    expect_member(lines.text[0], "fields", "{\"%n\":\"%s\"}");
    struct json_object *record = parse(lines.text[1], strlen(lines.text[1]));
    assert_string_equal(json_object_get_string(json_object_object_get(record, "message")),
                        "quote \" slash \\ \n\t\r\b\f\a\x1b[31m\x7f");
    json_object_put(record);
    expect_member(lines.text[2], "message", "\"line \\u2028 paragraph \\u2029 end\"");
    expect_member(lines.text[3], "level", "\"INFO\"");
    expect_member(lines.text[3], "fields", "{\"level\":\"CRITICAL\",\"seq\\\":1,\\\"a\":1}");
    expect_member(lines.text[4], "message", "\"\"");
    expect_member(lines.text[5], "message", "\"12 ms, \\\"quoted\\n\\\"\"");
    free_lines(&lines);
}

static void bytes_that_are_no_utf8_are_replaced_and_the_rest_stays(void **state)
{
    static const char *const texts[] = {"a\xff z",
                                        "\xc3(",
                                        "\xed\xa0\x80 surrogate",
                                        "\xc0\xaf overlong",
                                        "cut \xe2\x82",
                                        "\xf4\x90\x80\x80",
                                        "\xf0\x9f\x8e\x89 party"};
    (void)state;
    open_log("app.log");
    for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++)
        ll_info(texts[i], ll_kv("t", texts[i]));
    struct lines lines = close_and_read("app.log", sizeof texts / sizeof texts[0]);
    for (size_t i = 0; i + 1 < lines.count; i++) {
        char plain[LINE_BYTES_MAX], field[LINE_BYTES_MAX + 8];
        assert_true(snprintf(plain, sizeof plain, "%s", member(lines.text[i], "message")) <
                    (int)sizeof plain);
        assert_non_null(strstr(plain, "\xef\xbf\xbd"));
        assert_true(snprintf(field, sizeof field, "{\"t\":%s}", plain) < (int)sizeof field);
        expect_member(lines.text[i], "fields", field);
    }
    expect_member(lines.text[0], "message", "\"a\xef\xbf\xbd z\"");
    expect_member(lines.text[6], "message", "\"\xf0\x9f\x8e\x89 party\"");
    free_lines(&lines);
}

static void every_byte_and_pair_of_bytes_in_a_text_gives_valid_json(void **state)
{
    unsigned char text[2];
    ll_config config = plain_config("app.log");
    (void)state;
    config.block_max_ns = INT64_C(60000000000);
    open_with(&config);
    for (int i = 0; i < 256; i++)
        for (int k = 0; k < 256; k += 17) {
            text[0] = (unsigned char)i;
            text[1] = (unsigned char)k;
            ll_info("pair", ll_strn("t", text, 2));
        }
    struct lines lines = close_and_read("app.log", 256 * 16);
    free_lines(&lines);
}

/* --- too large ------------------------------------------------------------------------------------------ */

static char *text_of(const char *unit, size_t bytes)
{
    char *text = malloc(bytes + 1);
    for (size_t i = 0, size = strlen(unit); i < bytes; i++)
        text[i] = unit[i % size];
    text[bytes] = '\0';
    return text;
}

static void a_message_of_ten_megabytes_is_cut_to_a_line_of_64_kib_that_says_so(void **state)
{
    static const char *const units[] = {"m", "\x01", "\xe2\x82\xac", "\xff", "\"", "\xf0\x9f\x8e\x89"};
    (void)state;
    open_log("app.log");
    for (size_t i = 0; i < sizeof units / sizeof units[0]; i++) {
        char *text = text_of(units[i], 10 << 20);
        ll_info(text, ll_kv("kept", 7), ll_exception("T", "stays"));
        ll_info("short", ll_kv("large", text), ll_kv("kept", 7));
        free(text);
    }
    struct lines lines = close_and_read("app.log", 12); /* read_lines checks size and validity of each */
    for (size_t i = 0; i < lines.count; i++) {
        expect_member(lines.text[i], "truncated", "true");
        assert_int_equal(field_number(lines.text[i], "kept"), 7);
        assert_string_equal(lines.text[i] + strlen(lines.text[i]) - 18, ",\"truncated\":true}");
        assert_true(strlen(lines.text[i]) > LINE_BYTES_MAX / 2);
        if (i % 2)
            expect_member(lines.text[i], "message", "\"short\"");
    }
    /* a character is never cut in two */
    for (int i = 4; i < 12; i += i == 5 ? 5 : 1)
        assert_null(strstr(lines.text[i], "\xef\xbf\xbd"));
    free_lines(&lines);
}

/* Sizes around the one that just fits, which a record without text tells. Of two bytes a character. */
static void texts_of_every_length_around_the_limit_stay_valid_lines(void **state)
{
    enum { AROUND = 20, COPY_BYTES = 16 };
    ll_config config = plain_config("app.log");
    char *text = text_of("\xc3\xa9", 70000);
    (void)state;
    config.block_max_ns = INT64_C(60000000000);
    open_with(&config);
    ll_info("limit", ll_strn("t", text, 0), ll_bool("kept", true));
    assert_int_equal(ll_flush(FLUSH_MS_MAX), LL_OK);
    struct lines lines = read_lines("app.log");
    size_t smallest = LINE_BYTES_MAX - COPY_BYTES - (strlen(lines.text[0]) + 1) - AROUND;
    free_lines(&lines);
    for (size_t i = 0; i < 2 * AROUND; i++)
        ll_info("limit", ll_strn("t", text, smallest + i), ll_bool("kept", true));
    lines = close_and_read("app.log", 1 + 2 * AROUND);
    size_t cut = 0;
    for (size_t i = 0; i < 2 * AROUND; i++) {
        size_t logged = smallest + i;
        struct json_object *record = parse(lines.text[i + 1], strlen(lines.text[i + 1]));
        struct json_object *fields = json_object_object_get(record, "fields");
        size_t size = (size_t)json_object_get_string_len(json_object_object_get(fields, "t"));
        assert_true(json_object_get_boolean(json_object_object_get(fields, "kept")));
        bool truncated = json_object_object_get(record, "truncated") != NULL;
        /* an odd size ends within a character, of which U+FFFD (three bytes) remains */
        assert_int_equal(truncated, size != logged + (logged % 2 ? 2 : 0));
        cut += truncated;
        json_object_put(record);
    }
    assert_in_range(cut, AROUND - 5, AROUND + 5);
    free(text);
    free_lines(&lines);
}

static void a_line_cut_to_the_limit_has_room_to_become_a_copy(void **state)
{
    ll_config config = plain_config("app.log");
    char *text = text_of("e", 100000);
    (void)state;
    snprintf(config.error_file, sizeof config.error_file, "errors.log");
    open_with(&config);
    ll_error("large", ll_kv("a", text), ll_kv("b", text));
    struct lines lines = close_and_read("app.log", 1);
    struct lines copies = read_lines("errors.log");
    assert_int_equal(copies.count, 1);
    size_t size = strlen(lines.text[0]);
    assert_memory_equal(copies.text[0], lines.text[0], size - 1);
    assert_string_equal(copies.text[0] + size - 1, ",\"copy\":true}");
    free(text);
    free_lines(&lines);
    free_lines(&copies);
}

static void thousands_of_fields_are_cut_to_what_fits_and_say_so(void **state)
{
    enum { COUNT = 5000 };
    static ll_site site = LL_SITE(LL_LEVEL_INFO);
    static char keys[COUNT][8];
    static ll_field fields[COUNT];
    (void)state;
    for (int i = 0; i < COUNT; i++) {
        snprintf(keys[i], sizeof keys[i], "k%d", i);
        fields[i] = ll_kv(keys[i], i);
    }
    open_log("app.log");
    ll_write(&site, "all that fit", fields, 1024);
    ll_write(&site, "too many", fields, COUNT);
    ll_write(&site, "none", NULL, 0);
    struct lines lines = close_and_read("app.log", 3);
    expect_no_member(lines.text[0], "truncated");
    expect_member(lines.text[1], "truncated", "true");
    for (int i = 0; i < 2; i++) {
        struct json_object *record = parse(lines.text[i], strlen(lines.text[i]));
        int index = 0;
        json_object_object_foreach(json_object_object_get(record, "fields"), key, value)
        {
            assert_string_equal(key, keys[index]);
            assert_int_equal(json_object_get_int(value), index++);
        }
        assert_int_equal(index, 1024);
        json_object_put(record);
    }
    expect_no_member(lines.text[2], "fields");
    free_lines(&lines);
}

static void many_large_fields_are_all_cut_and_none_is_left_out(void **state)
{
    enum { COUNT = 200 };
    static ll_site site = LL_SITE(LL_LEVEL_INFO);
    char *text = text_of("t", 20000);
    ll_field fields[COUNT];
    (void)state;
    for (int i = 0; i < COUNT; i++)
        fields[i] = i == 100 ? ll_kv("n", 12345) : ll_kv("t", text);
    char keys[COUNT][8];
    for (int i = 0; i < COUNT; i++) {
        snprintf(keys[i], sizeof keys[i], "t%d", i);
        fields[i].key = i == 100 ? "n" : keys[i];
    }
    open_log("app.log");
    ll_write(&site, "large", fields, COUNT);
    struct lines lines = close_and_read("app.log", 1);
    expect_member(lines.text[0], "truncated", "true");
    assert_int_equal(field_number(lines.text[0], "n"), 12345);
    assert_int_equal(field_number(lines.text[0], "t199"), 0);
    free(text);
    free_lines(&lines);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        in_folder(a_record_is_exactly_as_documented_key_by_key),
        in_folder(the_time_of_a_record_lies_between_before_and_after_its_call),
        in_folder(each_level_has_its_name_and_its_place_from_warning_on),
        in_folder(source_can_be_turned_off_and_on_for_all),
        in_folder(a_clean_end_is_marked_with_the_number_of_records),
        in_folder(integers_of_every_type_keep_all_their_bits),
        in_folder(doubles_and_floats_stand_in_their_shortest_form_and_what_is_no_number_is_null),
        in_folder(booleans_texts_and_null_become_what_they_are),
        in_folder(one_call_may_give_a_text_once_and_null_another_time),
        in_folder(bytes_json_times_and_durations_become_what_they_are),
        in_folder(raw_json_has_its_line_separators_escaped_like_every_text),
        in_folder(of_two_fields_with_one_key_the_last_stands),
        in_folder(an_exception_is_an_object_of_type_message_and_code),
        in_folder(a_secret_reaches_neither_the_log_nor_the_ring_file),
        in_folder(hostile_text_stays_text),
        in_folder(bytes_that_are_no_utf8_are_replaced_and_the_rest_stays),
        in_folder(every_byte_and_pair_of_bytes_in_a_text_gives_valid_json),
        in_folder(a_message_of_ten_megabytes_is_cut_to_a_line_of_64_kib_that_says_so),
        in_folder(texts_of_every_length_around_the_limit_stay_valid_lines),
        in_folder(a_line_cut_to_the_limit_has_room_to_become_a_copy),
        in_folder(thousands_of_fields_are_cut_to_what_fits_and_say_so),
        in_folder(many_large_fields_are_all_cut_and_none_is_left_out),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
