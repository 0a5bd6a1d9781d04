#define _GNU_SOURCE
#include "liblog/site.h"
#include "log_reader.h"
#include "tests/support/chance.h"

/* --- one place in the program, many kinds of calls ------------------------------------------------------- */

static void one_place_may_log_with_a_key_from_a_changing_buffer(void **state)
{
    char key[16], wanted[32];
    (void)state;
    open_log("app.log");
    for (int i = 0; i < 50; i++) {
        snprintf(key, sizeof key, "key%d", i);
        ll_info("x", ll_kv(key, i));
    }
    struct lines lines = close_and_read("app.log", 50);
    for (int i = 0; i < 50; i++) {
        snprintf(wanted, sizeof wanted, "{\"key%d\":%d}", i, i);
        expect_member(lines.text[i], "fields", wanted);
    }
    free_lines(&lines);
}

static void one_place_may_choose_between_two_fields(void **state)
{
    (void)state;
    open_log("app.log");
    for (int i = 0; i < 6; i++)
        ll_info("x", ll_kv("n", i), i % 2 ? ll_kv("odd", "text") : ll_kv("even", 2.5),
                i % 3 ? ll_kv("same", 1) : ll_kv("same", "one"));
    struct lines lines = close_and_read("app.log", 6);
    static const char *const wanted[] = {
        "{\"n\":0,\"even\":2.5,\"same\":\"one\"}", "{\"n\":1,\"odd\":\"text\",\"same\":1}",
        "{\"n\":2,\"even\":2.5,\"same\":1}",       "{\"n\":3,\"odd\":\"text\",\"same\":\"one\"}",
        "{\"n\":4,\"even\":2.5,\"same\":1}",       "{\"n\":5,\"odd\":\"text\",\"same\":1}"};
    for (int i = 0; i < 6; i++)
        expect_member(lines.text[i], "fields", wanted[i]);
    free_lines(&lines);
}

static void one_place_may_log_other_messages_at_each_call(void **state)
{
    static const char *const messages[] = {"first", "second", "", "third \"quoted\""};
    char buffer[32], wanted[64];
    const char *nothing = NULL;
    (void)state;
    open_log("app.log");
    for (int i = 0; i < 4; i++) {
        snprintf(buffer, sizeof buffer, "%s", messages[i]);
        ll_info(buffer);
        ll_info(messages[i]);
        ll_info(i % 2 ? "odd" : "even");
    }
    ll_info(nothing);
    struct lines lines = close_and_read("app.log", 13);
    for (int i = 0; i < 4; i++) {
        snprintf(wanted, sizeof wanted, "\"%s\"", i == 3 ? "third \\\"quoted\\\"" : messages[i]);
        expect_member(lines.text[3 * i], "message", wanted);
        expect_member(lines.text[3 * i + 1], "message", wanted);
        expect_member(lines.text[3 * i + 2], "message", i % 2 ? "\"odd\"" : "\"even\"");
    }
    expect_member(lines.text[12], "message", "\"\"");
    free_lines(&lines);
}

static void a_long_literal_message_and_long_keys_are_logged(void **state)
{
    static char key[3000];
    (void)state;
    memset(key, 'k', sizeof key - 1);
    open_log("app.log");
#define TEN(text)      text text text text text text text text text text
#define THOUSAND(text) TEN(TEN(TEN(text)))
    for (int i = 0; i < 2; i++)
        ll_info(TEN(THOUSAND("m")), ll_kv(key, i), ll_kv("n", i));
    struct lines lines = close_and_read("app.log", 2);
    for (int i = 0; i < 2; i++) {
        assert_int_equal(strlen(member(lines.text[i], "message")), 10000 + 2);
        assert_int_equal(field_number(lines.text[i], "n"), i);
    }
    free_lines(&lines);
}

/* --- more places than the table holds -------------------------------------------------------------------- */

enum { MANY = 6000 };

static void log_from_many(ll_site *sites, int first)
{
    for (int i = 0; i < MANY; i++)
        ll_write_at(&sites[i], LL_MESSAGE_LITERAL, "one of many places",
                    (const ll_field[]){ll_kv("i", first + i), ll_kv("a key of some length", "text")}, 2);
}

static void more_places_than_the_table_holds_are_all_logged_in_full(void **state)
{
    static ll_site sites[MANY];
    ll_config config = plain_config("app.log");
    char wanted[128];
    (void)state;
    config.block_max_ns = INT64_C(60000000000);
    for (int i = 0; i < MANY; i++) {
        ll_site site = {"many.places", "/somewhere/generated.c", "a_function", i, LL_LEVEL_ERROR, 0, 0, 0, 0};
        sites[i] = site;
    }
    assert_true(MANY * (sizeof(struct site_entry) + 64) > RING_FILE_SITES_BYTES);
    open_with(&config);
    log_from_many(sites, 0);
    log_from_many(sites, MANY);
    struct lines lines = close_and_read("app.log", 2 * MANY);
    for (int i = 0; i < 2 * MANY; i++) {
        snprintf(wanted, sizeof wanted, "{\"i\":%d,\"a key of some length\":\"text\"}", i);
        expect_member(lines.text[i], "fields", wanted);
        snprintf(wanted, sizeof wanted, "{\"file\":\"generated.c\",\"line\":%d,\"function\":\"a_function\"}",
                 i % MANY);
        expect_member(lines.text[i], "source", wanted);
        expect_member(lines.text[i], "message", "\"one of many places\"");
        expect_member(lines.text[i], "logger", "\"many.places\"");
    }
    free_lines(&lines);
}

/* --- an entry as bytes ----------------------------------------------------------------------------------- */

static size_t some_entry(char *memory)
{
    static ll_site site = {"a.logger", "dir/file.c", "function", 118, LL_LEVEL_WARNING, 0, 0, 0, 0};
    return site_plain_entry(memory, &site);
}

static void an_entry_is_read_as_it_was_written(void **state)
{
    _Alignas(8) char memory[SITE_PLAIN_BYTES_MAX];
    struct site_view view;
    size_t size = some_entry(memory);
    (void)state;
    assert_int_equal(size % 8, 0);
    assert_true(site_read(memory, size, &view));
    assert_true(slice_is(view.logger, "a.logger"));
    assert_true(slice_is(view.file, "dir/file.c"));
    assert_true(slice_is(view.function, "function"));
    assert_int_equal(view.message.size, 0);
    assert_int_equal(view.line, 118);
    assert_int_equal(view.level, LL_LEVEL_WARNING);
    assert_false(view.has_message);
    assert_int_equal(view.key_count, 0);
}

/* Memory of the exact size, so that a sanitizer finds a read behind it. */
static void a_damaged_entry_is_refused_or_stays_within_its_bytes(void **state)
{
    _Alignas(8) char whole[SITE_PLAIN_BYTES_MAX];
    struct chance chance = {1};
    struct site_view view;
    size_t size = some_entry(whole);
    (void)state;
    for (size_t cut = 0; cut < size; cut++) {
        char *part = malloc(cut + 1);
        memcpy(part, whole, cut);
        assert_false(site_read(part, cut, &view));
        free(part);
    }
    for (int i = 0; i < 20000; i++) {
        char *part = malloc(size);
        memcpy(part, whole, size);
        for (int k = 0; k < 3; k++)
            part[chance_below(&chance, sizeof(struct site_entry))] = (char)chance_below(&chance, 256);
        if (site_read(part, size, &view)) {
            const struct slice slices[] = {view.logger, view.file, view.function, view.message};
            for (int k = 0; k < 4; k++)
                assert_true(slices[k].data >= part && slices[k].data + slices[k].size <= part + size);
            assert_true(view.key_count <= SITE_KEYS_MAX && view.level < LL_LEVEL_OFF);
        }
        free(part);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        in_folder(one_place_may_log_with_a_key_from_a_changing_buffer),
        in_folder(one_place_may_choose_between_two_fields),
        in_folder(one_place_may_log_other_messages_at_each_call),
        in_folder(a_long_literal_message_and_long_keys_are_logged),
        in_folder(more_places_than_the_table_holds_are_all_logged_in_full),
        cmocka_unit_test(an_entry_is_read_as_it_was_written),
        cmocka_unit_test(a_damaged_entry_is_refused_or_stays_within_its_bytes),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
