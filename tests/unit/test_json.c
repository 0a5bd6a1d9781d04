#include "liblog/base/json.h"
#include "tests/support/chance.h"
#include "tests/support/json_reference.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>

#include <cmocka.h>

enum { TEXT_MAX = 400, CANARY = 0x5a };

/* Escapes from and into memory that is exactly large enough: a byte too far is seen by ASan. */
static void assert_escapes_like_reference(struct slice text)
{
    char expected[TEXT_MAX * JSON_ESCAPE_GROWTH_MAX + 1];
    size_t size = reference_escape(expected, text);
    char *in = malloc(text.size ? text.size : 1), *out = malloc(size ? size : 1);
    assert_true(in && out);
    memcpy(in, text.data, text.size);

    assert_int_equal(json_escaped_size(slice_from(in, text.size)), size);
    assert_int_equal(json_escape(out, slice_from(in, text.size)) - out, size);
    assert_memory_equal(out, expected, size);
    free(out);
    free(in);
}

static void assert_escaped(struct slice text, const char *expected)
{
    char out[TEXT_MAX * JSON_ESCAPE_GROWTH_MAX];
    size_t size = (size_t)(json_escape(out, text) - out);
    assert_true(slice_equal(slice_from(out, size), slice_of(expected)));
    assert_int_equal(json_escaped_size(text), size);
}

static void test_plain_text_stays_as_it_is(void **state)
{
    (void)state;
    assert_escaped(SLICE(""), "");
    assert_escaped((struct slice){NULL, 0}, "");
    assert_escaped(SLICE("a plain line, longer than a vector: 0123456789 ~!@#$%^&*()/"),
                   "a plain line, longer than a vector: 0123456789 ~!@#$%^&*()/");
    assert_escaped(SLICE("Grüße, мир, 世界, 😀"), "Grüße, мир, 世界, 😀");
}

static void test_what_json_forbids_is_escaped(void **state)
{
    (void)state;
    assert_escaped(SLICE("say \"hi\" \\ bye"), "say \\\"hi\\\" \\\\ bye");
    assert_escaped(SLICE("\b\f\n\r\t"), "\\b\\f\\n\\r\\t");
    assert_escaped(SLICE("\0\x01\x1b[31m\x1f\x7f"), "\\u0000\\u0001\\u001b[31m\\u001f\\u007f");
    assert_escaped(SLICE("a\u2028b\u2029c\u2027\u202a"), "a\\u2028b\\u2029c\u2027\u202a");
}

static void test_invalid_utf8_becomes_one_replacement_for_each_maximal_part(void **state)
{
    (void)state;
    assert_escaped(SLICE("\x80"), "\ufffd");
    assert_escaped(SLICE("\xff\xfe"), "\ufffd\ufffd");
    assert_escaped(SLICE("\xc0\xaf"), "\ufffd\ufffd");
    assert_escaped(SLICE("\xe0\x80\xaf"), "\ufffd\ufffd\ufffd");
    assert_escaped(SLICE("\xed\xa0\x80"), "\ufffd\ufffd\ufffd");
    assert_escaped(SLICE("\xf4\x90\x80\x80"), "\ufffd\ufffd\ufffd\ufffd");
    assert_escaped(SLICE("\xe2\x82"), "\ufffd");
    assert_escaped(SLICE("\xf0\x9f\x98"), "\ufffd");
    assert_escaped(SLICE("\xf0\x9f\x98!"), "\ufffd!");
    /* The example of the Unicode Standard, section 3.9, table 3-8 and following. */
    assert_escaped(SLICE("a\xf1\x80\x80\xe1\x80\xc2"
                         "b\x80"
                         "c\x80\xbf"
                         "d"),
                   "a\ufffd\ufffd\ufffdb\ufffdc\ufffd\ufffdd");
}

static void test_every_short_byte_sequence_is_escaped_like_the_reference(void **state)
{
    (void)state;
    static const char edges[] =
        "\x00\x1f\"\\a\x7f\x80\x8f\x90\x9f\xa0\xa8\xa9\xbf\xc0\xc1\xc2\xdf\xe0\xe1\xe2\xec\xed\xee\xef"
        "\xf0\xf1\xf3\xf4\xf5\xff";
    enum { EDGES = sizeof edges - 1 };
    for (unsigned two = 0; two < 0x10000; two++) {
        char text[] = {(char)(two >> 8), (char)two};
        assert_escapes_like_reference(slice_from(text, 2));
    }
    for (size_t i = 0; i < (size_t)EDGES * EDGES * EDGES; i++) {
        char text[] = {edges[i / EDGES / EDGES], edges[i / EDGES % EDGES], edges[i % EDGES], '\x80', 'z'};
        assert_escapes_like_reference(slice_from(text, 3));
        assert_escapes_like_reference(slice_from(text, 5));
    }
}

/* Runs of plain text around every kind of special byte, sometimes damaged. */
static size_t make_text(struct chance *c, char *out)
{
    static const char *const pieces[] = {"\"",   "\\",   "\n",       "\t",           "\x01",
                                         "\x7f", "é",    "\u2028",   "\u2029",       "世",
                                         "😀",    "\xff", "\xe2\x80", "\xf0\x9f\x98", "\xed\xa0\x80"};
    size_t size = 0;
    for (uint64_t n = chance_below(c, 12); n; n--) {
        for (uint64_t run = chance_below(c, 3) ? chance_below(c, 24) : 0; run; run--)
            out[size++] = (char)('a' + chance_below(c, 26));
        struct slice piece = slice_of(pieces[chance_below(c, sizeof pieces / sizeof *pieces)]);
        memcpy(out + size, piece.data, piece.size);
        size += piece.size;
    }
    for (uint64_t damage = chance_below(c, 3); damage && size; damage--)
        out[chance_below(c, size)] = (char)chance_u64(c);
    return size;
}

static void test_generated_text_is_escaped_like_the_reference(void **state)
{
    (void)state;
    struct chance c = {20251019};
    char text[TEXT_MAX];
    for (long i = chance_rounds(100000); i; i--)
        assert_escapes_like_reference(slice_from(text, make_text(&c, text)));
}

static void test_an_escaped_string_is_always_valid_json(void **state)
{
    (void)state;
    struct chance c = {77};
    char text[TEXT_MAX], memory[TEXT_MAX * JSON_ESCAPE_GROWTH_MAX + 2];
    for (long i = chance_rounds(50000); i; i--) {
        struct bytes b;
        bytes_init(&b, memory, sizeof memory);
        json_add_string(&b, slice_from(text, make_text(&c, text)));
        assert_false(b.overflow);
        assert_true(json_is_valid(bytes_slice(&b), 0));
    }
}

static void test_a_string_is_added_whole_or_not_at_all(void **state)
{
    (void)state;
    struct slice text = SLICE("plain text and \"quotes\"\n, then \xff and plain text again");
    char expected[TEXT_MAX];
    size_t size = reference_escape(expected, text) + 2;
    for (size_t capacity = 0; capacity < size + 200; capacity++) {
        char memory[TEXT_MAX];
        memset(memory, CANARY, sizeof memory);
        struct bytes b;
        bytes_init(&b, memory, capacity);
        json_add_string(&b, text);
        assert_int_equal(b.overflow, capacity < size);
        assert_int_equal(b.size, capacity < size ? 0 : size);
        for (size_t i = capacity < size ? 0 : capacity; i < sizeof memory; i++)
            assert_int_equal(memory[i], CANARY);
    }
}

static void test_an_object_is_built_member_by_member(void **state)
{
    (void)state;
    char memory[200];
    struct bytes b;
    bytes_init(&b, memory, sizeof memory);
    BYTES_LITERAL(&b, "{");
    json_add_key(&b, SLICE("text"));
    json_add_string(&b, SLICE("a\"b"));
    json_add_key(&b, SLICE("k\n"));
    json_add_u64(&b, UINT64_MAX);
    json_add_key(&b, SLICE("i"));
    json_add_i64(&b, INT64_MIN);
    json_add_key(&b, SLICE("d"));
    json_add_double(&b, 12.5);
    BYTES_LITERAL(&b, "}");
    assert_true(slice_is(bytes_slice(&b), "{\"text\":\"a\\\"b\",\"k\\n\":18446744073709551615,"
                                          "\"i\":-9223372036854775808,\"d\":12.5}"));
}

static void test_valid_json_is_accepted(void **state)
{
    (void)state;
    static const char *const cases[] = {
        "0",
        "-0",
        "-1",
        "10",
        "0.5",
        "1e5",
        "1E+5",
        "1e-05",
        "-0.0e0",
        "123456789012345678901234567890",
        "true",
        "false",
        "null",
        "\"\"",
        "\"a\"",
        " 1",
        "1 ",
        "\t\r\n 1 \t\r\n",
        "[]",
        "[ ]",
        "{}",
        "{ }",
        "[1]",
        "[1,2]",
        "[ 1 , 2 ]",
        "[[]]",
        "[[],[]]",
        "[{}]",
        "{\"a\":1}",
        "{\"\":0}",
        "{\"a\":{\"b\":[]},\"c\":[{}]}",
        "{ \"a\" : 1 , \"b\" : 2 }",
        "{\"a\":1,\"a\":2}",
        "\"\\\"\\\\\\/\\b\\f\\n\\r\\t\"",
        "\"\\u0000\\uD83D\\ude00\"",
        "\"\\ud800\"",
        "\"\x7f\"",
        "\"é世😀\"",
        "\"\u2028\"",
        "[\"a long string, to be seen by more than one vector\"]",
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        if (!json_is_valid(slice_of(cases[i]), 10))
            fail_msg("refused: %s", cases[i]);
    }
}

static void test_invalid_json_is_refused(void **state)
{
    (void)state;
    static const char *const cases[] = {
        "",
        " ",
        "+1",
        "01",
        "-",
        "-a",
        "1.",
        ".5",
        "1.e5",
        "1e",
        "1e+",
        "0x1",
        "1_0",
        "NaN",
        "Infinity",
        "-Infinity",
        "1 2",
        "1,",
        ",1",
        "tru",
        "truee",
        "True",
        "nul",
        "nulll",
        "fals",
        "undefined",
        "'a'",
        "a",
        "\"",
        "\"a",
        "a\"",
        "\"\\\"",
        "\"\\x\"",
        "\"\\u12\"",
        "\"\\u123g\"",
        "\"\\U0041\"",
        "\"\\",
        "\"\\u",
        "\"a\nb\"",
        "\"\t\"",
        "\"\x1f\"",
        "\"\xff\"",
        "\"\xc0\x80\"",
        "\"\xed\xa0\x80\"",
        "\"\xe2\x82\"",
        "\"\xf4\x90\x80\x80\"",
        "[",
        "]",
        "[1",
        "[1,",
        "[1,]",
        "[,1]",
        "[,]",
        "[1 2]",
        "[1,,2]",
        "[1}",
        "[}",
        "[\"a\":1]",
        "{",
        "}",
        "{]",
        "{1:2}",
        "{a:1}",
        "{\"a\"}",
        "{\"a\":}",
        "{\"a\":1",
        "{\"a\":1,}",
        "{,}",
        "{\"a\",1}",
        "{\"a\" 1}",
        "{\"a\"::1}",
        "{\"a\":1 \"b\":2}",
        "{\"a\":1]",
        "[]]",
        "{}}",
        "[][]",
        "{}{}",
        "[1]x",
        "\xef\xbb\xbf{}",
        "// c\n1",
        "/**/1",
        "\f1",
        "\v1",
        "1\xc2\xa0",
        "[1]\x01",
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        if (json_is_valid(slice_of(cases[i]), 10))
            fail_msg("accepted: %s", cases[i]);
    }
    assert_false(json_is_valid((struct slice){NULL, 0}, 10));
    assert_false(json_is_valid(SLICE("1\0"), 10));
    assert_false(json_is_valid(SLICE("\0"), 10));
    assert_false(json_is_valid(SLICE("[\0]"), 10));
    assert_false(json_is_valid(SLICE("\"\0\""), 10));
}

static void test_nesting_has_a_limit(void **state)
{
    (void)state;
    assert_true(json_is_valid(SLICE("1"), 0));
    assert_false(json_is_valid(SLICE("[]"), 0));
    assert_true(json_is_valid(SLICE("[]"), 1));
    assert_false(json_is_valid(SLICE("[{}]"), 1));
    assert_true(json_is_valid(SLICE("[[[],[]],[[]]]"), 3));

    static char deep[2 * 100000];
    memset(deep, '[', sizeof deep / 2);
    memset(deep + sizeof deep / 2, ']', sizeof deep / 2);
    assert_false(json_is_valid(slice_from(deep, sizeof deep), 1 << 30));
    struct slice deepest = slice_from(deep + sizeof deep / 2 - JSON_DEPTH_MAX, (size_t)2 * JSON_DEPTH_MAX);
    assert_true(json_is_valid(deepest, JSON_DEPTH_MAX));
    assert_true(json_is_valid(deepest, JSON_DEPTH_MAX + 1));
    assert_false(json_is_valid(deepest, JSON_DEPTH_MAX - 1));
}

/* One random value of at most `depth` levels, about 30 bytes a level. */
static void make_value(struct chance *c, struct bytes *b, int depth)
{
    static const char *const scalars[] = {"0",    "-12.5e+3",        "true",    "false", "null",
                                          "\"\"", "\"a\\u00e9\\n\"", "\"é世\"", "1e9",   " 7 "};
    bool object = chance_below(c, 2);
    if (depth == 0 || chance_below(c, 4) == 0) {
        bytes_add(b, slice_of(scalars[chance_below(c, sizeof scalars / sizeof *scalars)]));
        return;
    }
    bytes_add_char(b, object ? '{' : '[');
    for (uint64_t n = chance_below(c, 4), i = 0; i < n; i++) {
        bytes_add(b, slice_of(i ? ", " : ""));
        bytes_add(b, slice_of(object ? "\"key\" :" : ""));
        make_value(c, b, depth - 1);
    }
    bytes_add_char(b, object ? '}' : ']');
}

static void damage(struct chance *c, struct bytes *b)
{
    static const char likely[] = "[]{},:\"\\0-.eE tn\x80\xe2\n";
    if (b->size == 0)
        return;
    size_t at = chance_below(c, b->size);
    switch (chance_below(c, 3)) {
    case 0:
        b->data[at] = likely[chance_below(c, sizeof likely - 1)];
        break;
    case 1:
        memmove(b->data + at, b->data + at + 1, b->size - at - 1);
        b->size--;
        break;
    default:
        b->size = at;
    }
}

static void test_generated_json_is_judged_like_the_reference(void **state)
{
    (void)state;
    struct chance c = {4711};
    char memory[8000];
    long valid = 0, rounds = chance_rounds(200000);
    for (long i = 0; i < rounds; i++) {
        struct bytes b;
        bytes_init(&b, memory, sizeof memory);
        make_value(&c, &b, 4);
        assert_false(b.overflow);
        assert_true(json_is_valid(bytes_slice(&b), 4));
        for (uint64_t n = chance_below(&c, 3); n; n--)
            damage(&c, &b);
        int depth_max = (int)chance_below(&c, 6);
        bool expected = reference_is_valid(bytes_slice(&b), depth_max);
        valid += expected;
        if (json_is_valid(bytes_slice(&b), depth_max) != expected)
            fail_msg("should be %s: %.*s", expected ? "valid" : "invalid", (int)b.size, b.data);
    }
    /* The comparison is worth something only when both answers are common. */
    assert_in_range(valid, rounds / 10, rounds - rounds / 10);
}

static void test_a_cut_never_splits_a_character(void **state)
{
    (void)state;
    struct slice text = SLICE("aé世😀z😀世éa");
    size_t boundary = 0;
    for (size_t size_max = 0; size_max <= text.size + 3; size_max++) {
        if (size_max >= text.size || ((unsigned char)text.data[size_max] & 0xc0) != 0x80)
            boundary = size_max < text.size ? size_max : text.size;
        assert_int_equal(utf8_cut(text, size_max), boundary);
    }
    assert_int_equal(utf8_cut((struct slice){NULL, 0}, 5), 0);
}

static void test_a_cut_of_bad_utf8_keeps_as_much_as_it_may(void **state)
{
    (void)state;
    struct slice stray = SLICE("\x80\x80\x80\x80\x80\x80"), torn = SLICE("ab\xe2\x82"),
                 wrong = SLICE("\xf0\x9f\x98!");
    for (size_t size_max = 0; size_max <= 6; size_max++)
        assert_int_equal(utf8_cut(stray, size_max), size_max);
    assert_int_equal(utf8_cut(torn, 3), 3);
    assert_int_equal(utf8_cut(wrong, 2), 2);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_plain_text_stays_as_it_is),
        cmocka_unit_test(test_what_json_forbids_is_escaped),
        cmocka_unit_test(test_invalid_utf8_becomes_one_replacement_for_each_maximal_part),
        cmocka_unit_test(test_every_short_byte_sequence_is_escaped_like_the_reference),
        cmocka_unit_test(test_generated_text_is_escaped_like_the_reference),
        cmocka_unit_test(test_an_escaped_string_is_always_valid_json),
        cmocka_unit_test(test_a_string_is_added_whole_or_not_at_all),
        cmocka_unit_test(test_an_object_is_built_member_by_member),
        cmocka_unit_test(test_valid_json_is_accepted),
        cmocka_unit_test(test_invalid_json_is_refused),
        cmocka_unit_test(test_nesting_has_a_limit),
        cmocka_unit_test(test_generated_json_is_judged_like_the_reference),
        cmocka_unit_test(test_a_cut_never_splits_a_character),
        cmocka_unit_test(test_a_cut_of_bad_utf8_keeps_as_much_as_it_may),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
