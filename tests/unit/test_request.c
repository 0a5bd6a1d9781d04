#define _GNU_SOURCE
#include "liblog/base/slice.h"
#include "liblog/base/uuid.h"
#include "log_reader.h"

#include <pthread.h>

static const char good[] = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";

static void expect_text(const char *line, const char *key, const char *text)
{
    char quoted[1024];
    snprintf(quoted, sizeof quoted, "\"%s\"", text);
    expect_member(line, key, quoted);
}

static void all_records_of_a_request_carry_its_context_and_none_after_it(void **state)
{
    (void)state;
    open_log("app.log");
    ll_info("before");
    ll_request_begin(
        &(ll_request){.request_id = "r1", .traceparent = good, .endpoint = "/cart", .user = "u \"7\""});
    assert_string_equal(ll_request_id(), "r1");
    ll_info("in");
    ll_error("in", ll_exception("T", "m"), ll_kv("k", 1));
    ll_request_end();
    assert_string_equal(ll_request_id(), "");
    ll_info("after");
    struct lines lines = close_and_read("app.log", 4);
    for (int i = 1; i < 3; i++) {
        expect_text(lines.text[i], "request_id", "r1");
        expect_text(lines.text[i], "trace_id", "4bf92f3577b34da6a3ce929d0e0e4736");
        expect_text(lines.text[i], "span_id", "00f067aa0ba902b7");
        expect_text(lines.text[i], "endpoint", "/cart");
        expect_text(lines.text[i], "user", "u \\\"7\\\"");
    }
    for (int i = 0; i < 4; i += 3) {
        expect_no_member(lines.text[i], "request_id");
        expect_no_member(lines.text[i], "trace_id");
        expect_no_member(lines.text[i], "endpoint");
    }
    free_lines(&lines);
}

static void a_request_without_an_id_gets_one_of_its_own(void **state)
{
    uint8_t uuid[UUID_SIZE];
    char first[64];
    (void)state;
    ll_request_begin(NULL);
    snprintf(first, sizeof first, "%s", ll_request_id());
    assert_int_equal(uuid_from_text(slice_of(first), uuid), 0);
    ll_request_end();
    ll_request_begin(&(ll_request){.request_id = ""});
    assert_int_equal(uuid_from_text(slice_of(ll_request_id()), uuid), 0);
    assert_string_not_equal(ll_request_id(), first);
    ll_request_end();
    ll_request_end(); /* one too many does no harm */
    assert_string_equal(ll_request_id(), "");
}

static void a_nested_request_takes_what_it_does_not_say_from_the_one_around(void **state)
{
    (void)state;
    open_log("app.log");
    ll_request_begin(
        &(ll_request){.request_id = "outer", .traceparent = good, .endpoint = "/cart", .user = "u1"});
    ll_request_begin(&(ll_request){.request_id = "inner", .user = "u2"});
    ll_info("inner");
    ll_request_end();
    ll_request_begin(&(ll_request){.endpoint = "/other"});
    ll_info("same id");
    ll_request_end();
    ll_info("outer");
    ll_request_end();
    struct lines lines = close_and_read("app.log", 3);
    static const char *const wanted[3][3] = {
        {"inner", "/cart", "u2"}, {"outer", "/other", "u1"}, {"outer", "/cart", "u1"}};
    for (int i = 0; i < 3; i++) {
        expect_text(lines.text[i], "request_id", wanted[i][0]);
        expect_text(lines.text[i], "endpoint", wanted[i][1]);
        expect_text(lines.text[i], "user", wanted[i][2]);
        expect_text(lines.text[i], "trace_id", "4bf92f3577b34da6a3ce929d0e0e4736");
    }
    free_lines(&lines);
}

static void requests_deeper_than_sixteen_keep_the_context_of_the_sixteenth(void **state)
{
    char id[16], wanted[16];
    (void)state;
    for (int i = 1; i <= 40; i++) {
        snprintf(id, sizeof id, "r%d", i);
        ll_request_begin(&(ll_request){.request_id = id});
        snprintf(wanted, sizeof wanted, "r%d", i < 16 ? i : 16);
        assert_string_equal(ll_request_id(), wanted);
    }
    for (int i = 39; i >= 0; i--) {
        ll_request_end();
        snprintf(wanted, sizeof wanted, "r%d", i < 16 ? i : 16);
        assert_string_equal(ll_request_id(), i ? wanted : "");
    }
}

/* W3C Trace Context, section 3.2, case by case. */
static void a_traceparent_that_is_not_valid_is_ignored(void **state)
{
    static const char *const bad[] = {
        "",
        "00",
        "garbage",
        "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7",     /* no flags */
        "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-1",   /* flags too short */
        "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01-", /* version 00 ends there */
        "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01-x",
        "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-0x",
        "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-0A",
        "00-4BF92F3577B34DA6A3CE929D0E0E4736-00f067aa0ba902b7-01", /* upper case */
        "00-00000000000000000000000000000000-00f067aa0ba902b7-01", /* no trace */
        "00-4bf92f3577b34da6a3ce929d0e0e4736-0000000000000000-01", /* no span */
        "00-4bf92f3577b34da6a3ce929d0e0e473-00f067aa0ba902b70-01", /* lengths */
        "00_4bf92f3577b34da6a3ce929d0e0e4736_00f067aa0ba902b7_01",
        "ff-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01", /* no version */
        "0g-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01",
        "01-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01x", /* later versions go on with a hyphen */
        " 00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01",
        "00-4bf92f3577b34da6a3ce929d0e0e47\x01"
        "6-00f067aa0ba902b7-01",
    };
    char header[LL_TRACEPARENT_SIZE];
    (void)state;
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        ll_request_begin(&(ll_request){.request_id = "r", .traceparent = bad[i]});
        memset(header, 'x', sizeof header);
        assert_int_equal(ll_traceparent(header), LL_ECLOSED);
        assert_string_equal(header, "");
        assert_string_equal(ll_request_id(), "r");
        ll_request_end();
    }
    ll_request_begin(&(ll_request){.traceparent = good});
    ll_request_begin(&(ll_request){.traceparent = bad[2]}); /* that of the request around stays */
    assert_int_equal(ll_traceparent(header), LL_OK);
    assert_string_equal(header, good);
    ll_request_end();
    ll_request_end();
}

static void a_traceparent_of_a_later_version_is_read_as_far_as_it_is_known(void **state)
{
    char header[LL_TRACEPARENT_SIZE];
    (void)state;
    ll_request_begin(
        &(ll_request){.traceparent = "cc-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01-what-comes"});
    assert_int_equal(ll_traceparent(header), LL_OK);
    assert_string_equal(header, "cc-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01");
    ll_request_end();
    ll_request_begin(&(ll_request){.traceparent = "cc-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-00"});
    assert_int_equal(ll_traceparent(header), LL_OK);
    ll_request_end();
    assert_int_equal(ll_traceparent(header), LL_ECLOSED);
    assert_string_equal(header, "");
}

static void long_texts_are_cut_at_a_character_and_the_callers_buffers_may_change(void **state)
{
    char id[500], wanted[500];
    (void)state;
    open_log("app.log");
    for (size_t i = 0; i < sizeof id; i++)
        id[i] = "\xe2\x82\xac"[i % 3];
    id[sizeof id - 1] = '\0';
    snprintf(wanted, sizeof wanted, "%.198s", id); /* 66 characters; 200 would be within the next */
    ll_request_begin(&(ll_request){.request_id = id, .endpoint = id, .user = id});
    memset(id, 'x', sizeof id - 1);
    ll_info("x");
    ll_request_end();
    struct lines lines = close_and_read("app.log", 1);
    expect_text(lines.text[0], "request_id", wanted);
    expect_text(lines.text[0], "endpoint", wanted);
    expect_text(lines.text[0], "user", wanted);
    free_lines(&lines);
}

static void *log_elsewhere(void *argument)
{
    (void)argument;
    ll_info("elsewhere");
    ll_request_begin(&(ll_request){.request_id = "theirs"});
    ll_info("elsewhere");
    return NULL; /* a thread may end within its request */
}

static void a_request_is_its_threads_own(void **state)
{
    pthread_t thread;
    (void)state;
    open_log("app.log");
    ll_request_begin(&(ll_request){.request_id = "ours"});
    for (int i = 0; i < 2; i++) {
        pthread_create(&thread, NULL, log_elsewhere, NULL);
        pthread_join(thread, NULL);
    }
    ll_info("here");
    ll_request_end();
    struct lines lines = close_and_read("app.log", 5);
    for (int i = 0; i < 4; i += 2) {
        expect_no_member(lines.text[i], "request_id");
        expect_text(lines.text[i + 1], "request_id", "theirs");
    }
    expect_text(lines.text[4], "request_id", "ours");
    free_lines(&lines);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        in_folder(all_records_of_a_request_carry_its_context_and_none_after_it),
        in_folder(a_request_without_an_id_gets_one_of_its_own),
        in_folder(a_nested_request_takes_what_it_does_not_say_from_the_one_around),
        in_folder(requests_deeper_than_sixteen_keep_the_context_of_the_sixteenth),
        in_folder(a_traceparent_that_is_not_valid_is_ignored),
        in_folder(a_traceparent_of_a_later_version_is_read_as_far_as_it_is_known),
        in_folder(long_texts_are_cut_at_a_character_and_the_callers_buffers_may_change),
        in_folder(a_request_is_its_threads_own),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
