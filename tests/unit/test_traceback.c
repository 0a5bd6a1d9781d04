#define _GNU_SOURCE
#include "log_reader.h"

#include "liblog/traceback.h"
#include "tests/support/chance.h"

/* Call stacks of ordinary records: liblog/traceback.h. Those of crashes are tested end to end. */

static volatile int after; /* so that a call is no jump */

__attribute__((noinline)) static void fail_at_the_bottom(bool with_exception)
{
    if (with_exception)
        ll_error("failed", ll_exception("OperationalError", "no such file"), ll_traceback(), ll_kv("i", 1));
    else
        ll_error("failed", ll_kv("i", 1), ll_traceback());
    after++;
}

__attribute__((noinline)) static void call_from_the_middle(bool with_exception)
{
    fail_at_the_bottom(with_exception);
    after++;
}

/* The names of the first `count` functions of a call stack, as JSON text. */
static void expect_stack(const char *text)
{
    const char *bottom = strstr(text, "[\"fail_at_the_bottom+0x");
    const char *middle = strstr(text, "\",\"call_from_the_middle+0x");
    const char *main_function = strstr(text, "\",\"main+0x");
    assert_true(bottom && middle && main_function);
    assert_true(bottom < middle && middle < main_function);
    assert_non_null(strstr(text, " (test_traceback)\""));
    assert_null(strstr(text, "ll_traceback"));
}

static void a_stack_stands_in_the_exception_when_there_is_one(void **state)
{
    (void)state;
    open_log("app.log");
    call_from_the_middle(true);
    struct lines lines = close_and_read("app.log", 1);
    const char *exception = member(lines.text[0], "exception");
    assert_non_null(
        strstr(exception, "{\"type\":\"OperationalError\",\"message\":\"no such file\",\"traceback\":["));
    expect_stack(exception);
    expect_member(lines.text[0], "fields", "{\"i\":1}");
    free_lines(&lines);
}

static void alone_it_is_a_field(void **state)
{
    (void)state;
    open_log("app.log");
    for (int i = 0; i < 10; i++)
        call_from_the_middle(false);
    struct lines lines = close_and_read("app.log", 10);
    for (int i = 0; i < 10; i++) {
        expect_no_member(lines.text[i], "exception");
        const char *fields = member(lines.text[i], "fields");
        assert_non_null(strstr(fields, "{\"i\":1,\"traceback\":["));
        expect_stack(fields);
    }
    free_lines(&lines);
}

static int fail_deep_down(int depth);
static int (*volatile deeper)(int) = fail_deep_down; /* else the compiler makes a loop of it */

static int fail_deep_down(int depth)
{
    if (depth == 0)
        ll_error("deep", ll_traceback());
    else
        deeper(depth - 1);
    return after++;
}

static void a_deep_stack_is_bounded(void **state)
{
    (void)state;
    open_log("app.log");
    fail_deep_down(1000);
    struct lines lines = close_and_read("app.log", 1);
    size_t entries = 0;
    for (const char *at = lines.text[0]; (at = strstr(at, "fail_deep_down+0x")); at++)
        entries++;
    assert_int_equal(entries, TRACEBACK_ENTRIES_MAX);
    free_lines(&lines);
}

static void who_is_not_the_process_itself_names_offset_and_module(void **state)
{
    static struct traceback traceback;
    struct traceback_entry entry;
    struct slice name;
    char text[TRACEBACK_TEXT_SIZE], wanted[64];
    (void)state;
    traceback_take(&traceback, 0);
    assert_true(traceback.count > 3);
    struct slice bytes = slice_from(traceback.bytes, traceback.size);
    assert_true(traceback_next(&bytes, &entry, &name));
    assert_true(slice_is(name, "test_traceback"));
    size_t size = traceback_text(text, &entry, name, false);
    assert_int_equal(size, strlen(text));
    snprintf(wanted, sizeof wanted, "0x%llx (test_traceback)", (unsigned long long)entry.offset);
    assert_string_equal(text, wanted);
    traceback_text(text, &entry, name, true);
    assert_int_equal(strncmp(text, "who_is_not_the_process_itself_names_offset_and_module+0x", 56), 0);
}

/* A module that is gone, or another in its place: the name would be a wrong one. */
static void an_address_that_is_not_where_it_was_has_no_name(void **state)
{
    static struct traceback traceback;
    struct traceback_entry entry;
    struct slice name;
    char text[TRACEBACK_TEXT_SIZE];
    (void)state;
    traceback_take(&traceback, 0);
    struct slice bytes = slice_from(traceback.bytes, traceback.size);
    assert_true(traceback_next(&bytes, &entry, &name));
    entry.offset += 4096;
    traceback_text(text, &entry, name, true);
    assert_int_equal(strncmp(text, "0x", 2), 0);
}

/* Memory of the exact size, so that a sanitizer finds a read behind it. */
static void damaged_bytes_are_read_no_further_than_they_go(void **state)
{
    static struct traceback traceback;
    struct chance chance = {7};
    (void)state;
    traceback_take(&traceback, 0);
    for (int i = 0; i < 5000; i++) {
        size_t size = chance_below(&chance, traceback.size + 1);
        char *part = malloc(size ? size : 1);
        memcpy(part, traceback.bytes, size);
        for (int k = 0; k < 3 && size; k++)
            part[chance_below(&chance, (uint32_t)size)] = (char)chance_below(&chance, 256);
        struct slice bytes = slice_from(part, size), name;
        struct traceback_entry entry;
        char text[TRACEBACK_TEXT_SIZE];
        while (traceback_next(&bytes, &entry, &name))
            assert_true(traceback_text(text, &entry, name, false) < TRACEBACK_TEXT_SIZE);
        free(part);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        in_folder(a_stack_stands_in_the_exception_when_there_is_one),
        in_folder(alone_it_is_a_field),
        in_folder(a_deep_stack_is_bounded),
        cmocka_unit_test(who_is_not_the_process_itself_names_offset_and_module),
        cmocka_unit_test(an_address_that_is_not_where_it_was_has_no_name),
        cmocka_unit_test(damaged_bytes_are_read_no_further_than_they_go),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
