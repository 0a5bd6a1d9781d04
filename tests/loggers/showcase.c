/*
 * Logs one of everything, so that a test can compare the record with what docs/record.md says.
 *
 *     showcase CASE
 *
 * The log is set up by LOG_*.
 */
#include <liblog/liblog.h>

#include <float.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static void log_levels(void)
{
    ll_trace("a trace");
    ll_debug("a debug");
    ll_info("an info");
    ll_warning("a warning");
    ll_error("an error");
    ll_critical("a critical");
}

static void log_integers(void)
{
    signed char least = INT8_MIN;
    unsigned char byte = UINT8_MAX;
    short small = INT16_MIN;
    unsigned short port = UINT16_MAX;

    ll_info("integers", ll_kv("i8", least), ll_kv("u8", byte), ll_kv("i16", small), ll_kv("u16", port),
            ll_kv("i32", INT32_MIN), ll_kv("u32", UINT32_MAX), ll_kv("i64", INT64_MIN),
            ll_kv("u64", UINT64_MAX), ll_kv("long", 1L), ll_kv("ulong", 2UL), ll_kv("llong", -3LL),
            ll_kv("ullong", 4ULL), ll_kv("over_2_53", INT64_C(9007199254740993)));
}

static void log_doubles(void)
{
    volatile double zero = 0.0;

    ll_info("doubles", ll_kv("tenth", 0.1), ll_kv("sum", 0.1 + 0.2), ll_kv("third", 1.0 / 3.0),
            ll_kv("most", DBL_MAX), ll_kv("least", 5e-324), ll_kv("whole", 12.0), ll_kv("minus_zero", -zero),
            ll_kv("large", 1e21), ll_kv("float_tenth", 0.1f), ll_kv("nan", zero / zero),
            ll_kv("infinity", 1.0 / zero), ll_kv("minus_infinity", -1.0 / zero));
}

static void log_texts(void)
{
    bool yes = true;
    char mutable_text[] = "mutable";
    const char *none = NULL;
    const unsigned char bytes[] = "unsigned";

    ll_info("texts", ll_kv("bool", yes), ll_bool("literal", false), ll_kv("text", "plain"),
            ll_kv("mutable", mutable_text), ll_kv("null", none), ll_kv("unsigned", bytes),
            ll_strn("part", "abcdef", 3), ll_strn("nul", "a\0b", 3), ll_bytes("bytes", "\x00\xab\xff", 3),
            ll_json("json", "{\"a\":[1,2]}"), ll_json("not_json", "{oops"),
            ll_time("time", INT64_C(1760884200123456789)), ll_secret("shown_to_nobody", "hunter2"),
            ll_kv("", "empty key"));
    ll_info("twice", ll_kv("key", 1), ll_kv("other", 2), ll_kv("key", "last"));
}

static void log_hostile(void)
{
    ll_info("%n%s%x ${jndi:ldap://127.0.0.1/a}");
    ll_info("quote \" backslash \\ newline \n tab \t return \r bell \a escape \x1b[31m delete \x7f");
    ll_info("line \xe2\x80\xa8 paragraph \xe2\x80\xa9 end");
    ll_info("invalid \xff two \xc3( surrogate \xed\xa0\x80 overlong \xc0\xaf cut \xf0\x9f\x8e");
    ll_info("\xe6\x97\xa5\xe6\x9c\xac\xe8\xaa\x9e \xf0\x9f\x8e\x89");
    ll_info("forged\",\"level\":\"CRITICAL\",\"x\":\"", ll_kv("level", "CRITICAL"), ll_kv("seq", 1),
            ll_kv("copy", "true"), ll_kv("a\"b\nc", "key"));
    ll_infof("took %d ms, %s", 12, "\"quoted\"");
    ll_info("");
}

static void log_exceptions(void)
{
    ll_error("failed", ll_exception("TimeoutError", "upstream did not answer"), ll_kv("attempt", 3));
    ll_error("failed", ll_exception_code("OperationalError", "DB_003", "unable to open database file"));
    ll_info("also fine", ll_exception("Odd\"Type", ""));
}

static void log_requests(void)
{
    ll_request_begin(&(ll_request){.request_id = "abc123",
                                   .traceparent = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01",
                                   .endpoint = "/api/glossary",
                                   .user = "u-77"});
    ll_info("in the request");
    ll_request_begin(&(ll_request){.request_id = "inner"});
    ll_info("in the inner one");
    ll_request_end();
    ll_info("in the outer one again");
    ll_request_end();
    ll_request_begin(&(ll_request){.traceparent = "00-00000000000000000000000000000000-00f067aa0ba902b7-01"});
    ll_info("made an id, ignored a bad traceparent");
    ll_request_end();
    ll_info("outside");
}

/* Larger than a record may be, in the message, in a field, and in many fields. */
static void log_large(void)
{
    enum { SIZE = 10 * 1024 * 1024 };
    char *text = malloc(SIZE + 1);

    if (!text)
        exit(71);
    memset(text, 'm', SIZE);
    text[SIZE] = '\0';
    ll_info(text, ll_kv("kept", "yes"));
    ll_info("a large field", ll_kv("large", text), ll_kv("kept", "yes"));
    for (size_t i = 0; i < SIZE; i += 3)
        memcpy(text + i, "\xe2\x82\xac", SIZE - i < 3 ? SIZE - i : 3);
    ll_info("cut at a character", ll_kv("euros", text), ll_kv("kept", "yes"));
    memset(text, '\x01', SIZE);
    ll_info("every byte grows to six", ll_kv("large", text), ll_kv("kept", "yes"));
    ll_info("small again");
    free(text);
}

#undef LL_LOGGER
#define LL_LOGGER "backend.database"

static void log_loggers(void)
{
    ll_debug("hidden below the logger's level or shown");
    ll_info("from a named logger");
}

static void log_mixed(void)
{
    for (int i = 0; i < 100; i++) {
        ll_request_begin(&(ll_request){.request_id = i % 10 == 0 ? "abc123" : NULL, .endpoint = "/api/cart"});
        if (i % 4 == 0)
            ll_error("cannot", ll_exception(i % 8 == 0 ? "TimeoutError" : "OperationalError", "no answer"),
                     ll_kv("i", i));
        else
            ll_info("served", ll_kv("i", i));
        ll_request_end();
    }
}

static const struct {
    const char *name;
    void (*log)(void);
} cases[] = {
    {"levels", log_levels},     {"integers", log_integers}, {"doubles", log_doubles},
    {"texts", log_texts},       {"hostile", log_hostile},   {"exceptions", log_exceptions},
    {"requests", log_requests}, {"large", log_large},       {"loggers", log_loggers},
    {"mixed", log_mixed},
};

static int log_case(const char *name)
{
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        if (strcmp(cases[i].name, name) != 0)
            continue;
        cases[i].log();
        return 0;
    }
    fprintf(stderr, "no case %s\n", name);
    return 64;
}

int main(int argc, char **argv)
{
    ll_config config;
    ll_problem problem;
    int code;

    if (argc != 2) {
        fprintf(stderr, "usage: %s CASE\n", argv[0]);
        return 64;
    }
    if (ll_config_from_env(&config, &problem) != LL_OK || ll_open(&config, &problem) != LL_OK) {
        fprintf(stderr, "%s\n", problem.text);
        return 78;
    }
    code = log_case(argv[1]);
    ll_close();
    return code;
}
