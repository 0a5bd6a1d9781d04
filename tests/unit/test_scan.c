/*
 * The scanner against an independent parser, slow and recursive, and against json-c, on generated and damaged
 * lines, by every way that this machine has; and by name what a user relies on.
 */
#include "tests/support/json_c.h"

#include "shipper/frame.h"
#include "shipper/scan_private.h"

#include "liblog/base/time_text.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#define NOW_NS INT64_C(1760884200000000000) /* 2025-10-19T14:30:00Z */
#define S_NS   INT64_C(1000000000)

/* ---- a line in memory of its own, with nothing readable behind its padding ---- */

struct held {
    char *memory;
    struct slice line;
};

static struct held hold(struct slice text, char padding)
{
    char *memory = malloc(text.size + SCAN_PADDING);
    assert_non_null(memory);
    if (text.size)
        memcpy(memory, text.data, text.size);
    memset(memory + text.size, padding, SCAN_PADDING);
    return (struct held){memory, slice_from(memory, text.size)};
}

static struct scanner *scanner_with(const struct scan_config *config)
{
    struct problem problem;
    struct scanner *scanner = NULL;
    assert_int_equal(scanner_new(config, &problem, &scanner), 0);
    return scanner;
}

/* ---- the independent parser ---- */

static const char *const key_names[EVENT_KEY_COUNT] = {
    [EVENT_TIMESTAMP] = "timestamp",
    [EVENT_LEVEL] = "level",
    [EVENT_SERVICE] = "service",
    [EVENT_ENVIRONMENT] = "environment",
    [EVENT_LOGGER] = "logger",
    [EVENT_MESSAGE] = "message",
    [EVENT_RUN_ID] = "run_id",
    [EVENT_PARENT_RUN_ID] = "parent_run_id",
    [EVENT_SEQ] = "seq",
    [EVENT_MARK] = "mark",
    [EVENT_DROPPED_COUNT] = "dropped.count",
    [EVENT_DROPPED_REASON] = "dropped.reason",
    [EVENT_DROPPED_LEVEL] = "dropped.level",
    [EVENT_REQUEST_ID] = "request_id",
    [EVENT_TRACE_ID] = "trace_id",
    [EVENT_SPAN_ID] = "span_id",
    [EVENT_ENDPOINT] = "endpoint",
    [EVENT_USER] = "user",
    [EVENT_EXCEPTION_TYPE] = "exception.type",
    [EVENT_EXCEPTION_MESSAGE] = "exception.message",
    [EVENT_EXCEPTION_CODE] = "exception.code",
    [EVENT_EXCEPTION_FINGERPRINT] = "exception.fingerprint",
    [EVENT_EXCEPTION_TRACEBACK] = "(other programs' only)",
    [EVENT_PID] = "pid",
    [EVENT_TID] = "tid",
    [EVENT_TRUNCATED] = "truncated",
    [EVENT_COPY] = "copy",
};

struct model {
    const char *at, *end;
    int deepest;
    bool bad_utf8;
    char path[3][512]; /* the keys that lead here, decoded, of the outer levels */
    struct value value[EVENT_KEY_COUNT];
};

static void model_space(struct model *m)
{
    while (m->at < m->end && (*m->at == ' ' || *m->at == '\t' || *m->at == '\n' || *m->at == '\r'))
        m->at++;
}

static int model_hex(const char *text)
{
    int value = 0;
    for (int i = 0; i < 4; i++) {
        const char *digits = "0123456789abcdef", *found;
        char c = text[i] >= 'A' && text[i] <= 'F' ? (char)(text[i] + 32) : text[i];
        if (c == '\0' || !(found = strchr(digits, c)))
            return -1;
        value = value * 16 + (int)(found - digits);
    }
    return value;
}

/* Decodes into `out` (512 bytes) as far as tests need it: keys of ours are ASCII. */
static bool model_string(struct model *m, char *out)
{
    size_t used = 0;
    if (m->at == m->end || *m->at++ != '"')
        return false;
    for (; m->at < m->end && *m->at != '"'; m->at++) {
        int c = (unsigned char)*m->at;
        if (c < 0x20)
            return false;
        if (c == '\\') {
            if (++m->at == m->end)
                return false;
            const char *from = "\"\\/bfnrt", *to = "\"\\/\b\f\n\r\t";
            const char *found = *m->at ? strchr(from, *m->at) : NULL;
            if (found) {
                c = to[found - from];
            } else {
                if (*m->at != 'u' || m->end - m->at < 5 || (c = model_hex(m->at + 1)) < 0)
                    return false;
                m->at += 4;
                c = c == 0 || c > 127 ? 1 : c;
            }
        }
        if (used < 511)
            out[used++] = (char)c;
    }
    out[used] = '\0';
    return m->at < m->end && *m->at++ == '"';
}

static bool model_digits(struct model *m)
{
    const char *from = m->at;
    while (m->at < m->end && *m->at >= '0' && *m->at <= '9')
        m->at++;
    return m->at > from;
}

static bool model_number(struct model *m)
{
    if (m->at < m->end && *m->at == '-')
        m->at++;
    if (m->at < m->end && *m->at == '0')
        m->at++;
    else if (!model_digits(m))
        return false;
    if (m->at < m->end && *m->at == '.') {
        m->at++;
        if (!model_digits(m))
            return false;
    }
    if (m->at < m->end && (*m->at == 'e' || *m->at == 'E')) {
        m->at++;
        if (m->at < m->end && (*m->at == '+' || *m->at == '-'))
            m->at++;
        return model_digits(m);
    }
    return true;
}

static bool model_value(struct model *m, int depth, struct value *ret_value);

static void model_forget(struct model *m, const char *path)
{
    for (int i = 0; i < EVENT_KEY_COUNT; i++)
        if (strncmp(key_names[i], path, strlen(path)) == 0 && key_names[i][strlen(path)] == '.')
            m->value[i] = (struct value){0};
}

static void model_take(struct model *m, int depth, const char *key, struct value value)
{
    char path[1100];
    if (depth == 1 && (strcmp(key, "exception") == 0 || strcmp(key, "dropped") == 0) &&
        value.kind != VALUE_OBJECT)
        model_forget(m, key);
    if (depth > 2 || strchr(key, '.'))
        return;
    snprintf(path, sizeof(path), "%s%s%s", depth == 2 ? m->path[1] : "", depth == 2 ? "." : "", key);
    for (int i = 0; i < EVENT_KEY_COUNT; i++)
        if (strcmp(path, key_names[i]) == 0)
            m->value[i] = value;
}

static bool model_members(struct model *m, int depth, bool object)
{
    char key[512] = "";
    for (;;) {
        model_space(m);
        if (object) {
            if (!model_string(m, key))
                return false;
            model_space(m);
            if (m->at == m->end || *m->at++ != ':')
                return false;
            if (depth <= 2)
                strcpy(m->path[depth], key);
            model_space(m);
            if (depth == 1 && m->at < m->end && *m->at == '{')
                model_forget(m, key);
        }
        struct value value;
        if (!model_value(m, depth, &value))
            return false;
        if (object && depth <= 2 && m->path[0][0])
            model_take(m, depth, key, value);
        model_space(m);
        if (m->at == m->end)
            return false;
        char c = *m->at++;
        if (c == (object ? '}' : ']'))
            return true;
        if (c != ',')
            return false;
    }
}

/* What stands within an array is nobody's: paths of objects in it must not be taken for the record's. */
static bool model_container(struct model *m, int depth, bool object)
{
    char saved = m->path[0][0];
    if (!object)
        m->path[0][0] = '\0';
    m->deepest = depth > m->deepest ? depth : m->deepest;
    m->at++;
    model_space(m);
    bool good = true;
    if (m->at < m->end && *m->at == (object ? '}' : ']'))
        m->at++;
    else
        good = model_members(m, depth, object);
    m->path[0][0] = saved;
    return good;
}

static bool model_value(struct model *m, int depth, struct value *ret_value)
{
    char ignored[512];
    model_space(m);
    const char *from = m->at;
    bool good;
    enum value_kind kind = VALUE_NUMBER;
    if (m->at == m->end)
        return false;
    size_t left = (size_t)(m->end - m->at);
    if (*m->at == '"') {
        good = model_string(m, ignored);
        kind = VALUE_STRING;
    } else if (*m->at == '{' || *m->at == '[') {
        kind = *m->at == '{' ? VALUE_OBJECT : VALUE_ARRAY;
        good = model_container(m, depth + 1, kind == VALUE_OBJECT);
    } else if (left >= 4 && (memcmp(m->at, "true", 4) == 0 || memcmp(m->at, "null", 4) == 0)) {
        kind = *m->at == 't' ? VALUE_TRUE : VALUE_NULL;
        m->at += 4;
        good = true;
    } else if (left >= 5 && memcmp(m->at, "false", 5) == 0) {
        kind = VALUE_FALSE;
        m->at += 5;
        good = true;
    } else {
        good = model_number(m);
    }
    int quote = kind == VALUE_STRING;
    *ret_value = (struct value){from + quote, (uint32_t)(m->at - from - 2 * quote), (uint16_t)kind, false};
    return good;
}

/* Every scalar value of Unicode has one encoding: decode, encode again, compare. */
static bool model_utf8(struct slice text)
{
    const unsigned char *s = (const unsigned char *)text.data;
    for (size_t i = 0; i < text.size;) {
        size_t n = s[i] < 0x80 ? 1 : s[i] < 0xE0 ? 2 : s[i] < 0xF0 ? 3 : 4;
        if (n > text.size - i)
            return false;
        uint32_t code = n == 1 ? s[i] : s[i] & (0x7Fu >> n);
        for (size_t k = 1; k < n; k++)
            code = code << 6 | (s[i + k] & 0x3F);
        unsigned char again[4] = {(unsigned char)code};
        for (size_t k = n - 1, c = code; n > 1 && k > 0; k--, c >>= 6)
            again[k] = (unsigned char)(0x80 | (c & 0x3F));
        if (n > 1)
            again[0] = (unsigned char)((0xFF00u >> n) | code >> (6 * (n - 1)));
        static const uint32_t least[] = {0, 0, 0x80, 0x800, 0x10000};
        if (memcmp(again, s + i, n) != 0 || code < least[n] || code > 0x10FFFF ||
            (code >= 0xD800 && code < 0xE000))
            return false;
        i += n;
    }
    return true;
}

/* Same return value as scan_line(); -1 where a line is both not JSON and too deep, and either may be said. */
static int model_line(struct slice line, struct model *m)
{
    *m = (struct model){.at = line.data, .end = line.data + line.size, .path[0] = "record"};
    struct value root;
    bool good = model_value(m, 0, &root);
    if (good) {
        model_space(m);
        good = m->at == m->end;
    }
    m->bad_utf8 = !model_utf8(line);
    if (!good)
        return m->deepest > SCAN_DEPTH_MAX ? -1 : 1 + REJECT_NOT_JSON;
    if (m->deepest > SCAN_DEPTH_MAX)
        return 1 + REJECT_TOO_DEEP;
    return root.kind == VALUE_OBJECT ? 0 : 1 + REJECT_NOT_OBJECT;
}

/* ---- generated lines ---- */

static uint64_t chance_state;

static uint32_t chance(uint32_t below)
{
    chance_state ^= chance_state << 13;
    chance_state ^= chance_state >> 7;
    chance_state ^= chance_state << 17;
    return (uint32_t)(chance_state >> 33) % below;
}

struct writer {
    char data[1 << 14];
    size_t size;
};

static void put(struct writer *w, const char *text)
{
    size_t size = strlen(text);
    if (w->size + size <= sizeof(w->data)) {
        memcpy(w->data + w->size, text, size);
        w->size += size;
    }
}

#define PICK(array) (array)[chance(sizeof(array) / sizeof((array)[0]))]

static void put_space(struct writer *w, uint32_t one_in)
{
    static const char *const spaces[] = {
        " ",  "  ", "\t",
        "\r", "\n", "                                                                        "};
    if (chance(one_in) == 0)
        put(w, PICK(spaces));
}

static void put_string(struct writer *w)
{
    static const char *const parts[] = {"a",
                                        "word",
                                        "{",
                                        "}",
                                        "[",
                                        "]",
                                        ":",
                                        ",",
                                        "\\\"",
                                        "\\\\",
                                        "\\n",
                                        "\\u0041",
                                        "\\ud83d\\ude00",
                                        "\\/",
                                        "é",
                                        "日本",
                                        "😀",
                                        "level",
                                        "\"type\\",
                                        "1234567890",
                                        "the quick brown fox jumps over the lazy dog and runs away",
                                        "\x7f",
                                        "ग"};
    put(w, "\"");
    for (uint32_t n = chance(6); n; n--) {
        const char *part = PICK(parts);
        put(w, part[0] == '"' ? "\\\"" : part);
    }
    put(w, "\"");
}

static void put_value(struct writer *w, int depth, uint32_t spaces);

static void put_key(struct writer *w)
{
    static const char *const keys[] = {"\"timestamp\"",
                                       "\"level\"",
                                       "\"lev\\u0065l\"",
                                       "\"service\"",
                                       "\"message\"",
                                       "\"exception\"",
                                       "\"exception\"",
                                       "\"type\"",
                                       "\"code\"",
                                       "\"message\"",
                                       "\"dropped\"",
                                       "\"count\"",
                                       "\"fields\"",
                                       "\"source\"",
                                       "\"seq\"",
                                       "\"pid\"",
                                       "\"exception.type\"",
                                       "\"parent_run_id\"",
                                       "\"run_id\"",
                                       "\"\"",
                                       "\"levels\"",
                                       "\"\\u0065xception\"",
                                       "\"mark\"",
                                       "\"environment\"",
                                       "\"fingerprint\"",
                                       "\"copy\"",
                                       "\"truncated\"",
                                       "\"tid\"",
                                       "\"trace_id\"",
                                       "\"span_id\"",
                                       "\"request_id\"",
                                       "\"endpoint\"",
                                       "\"user\"",
                                       "\"logger\"",
                                       "\"reason\"",
                                       "\"unknown key of some length\""};
    if (chance(8) == 0)
        put_string(w);
    else
        put(w, PICK(keys));
}

static void put_container(struct writer *w, int depth, uint32_t spaces, bool object)
{
    put(w, object ? "{" : "[");
    put_space(w, spaces);
    for (uint32_t n = chance(depth == 0 ? 14 : 5), i = 0; i < n; i++) {
        if (i)
            put(w, ",");
        put_space(w, spaces);
        if (object) {
            put_key(w);
            put_space(w, spaces);
            put(w, ":");
            put_space(w, spaces);
        }
        put_value(w, depth + 1, spaces);
        put_space(w, spaces);
    }
    put(w, object ? "}" : "]");
}

static void put_value(struct writer *w, int depth, uint32_t spaces)
{
    static const char *const scalars[] = {
        "0",    "1",     "-0",   "12.5", "-1e9", "1E+2", "0.001", "123456789012345678901234567890",
        "true", "false", "null", "4711", "10e-5"};
    uint32_t what = chance(depth > 6 ? 6 : 10);
    if (what < 4)
        put_string(w);
    else if (what < 6)
        put(w, PICK(scalars));
    else
        put_container(w, depth, spaces, what < 9);
}

static void damage(struct writer *w)
{
    static const char interesting[] =
        "\"\\{}[]:, \t\r\n\v0123-+.eEtfnu\x01\x1f\x7f\x80\xbf\xc3\xe2\xed\xf0\xf4\xff";
    for (uint32_t n = 1 + chance(3); n && w->size > 1; n--) {
        size_t at = chance((uint32_t)w->size);
        size_t span = 1 + chance(3);
        char c = interesting[chance(sizeof(interesting))]; /* its NUL, too */
        switch (chance(4)) {
        case 0:
            w->data[at] = c;
            break;
        case 1:
            span = span < w->size - at ? span : w->size - at;
            memmove(w->data + at, w->data + at + span, w->size - at - span);
            w->size -= span;
            break;
        case 2:
            if (w->size < sizeof(w->data)) {
                memmove(w->data + at + 1, w->data + at, w->size - at);
                w->data[at] = c;
                w->size++;
            }
            break;
        default:
            w->size = chance(4) ? w->size : at;
        }
    }
}

static void generate(struct writer *w)
{
    w->size = 0;
    uint32_t spaces = chance(2) ? UINT32_MAX : 1 + chance(6);
    put_space(w, chance(2) ? UINT32_MAX : 2);
    if (chance(12) == 0)
        put_value(w, 0, spaces);
    else
        put_container(w, 0, spaces, true);
    put_space(w, spaces);
    if (chance(2))
        damage(w);
}

static void assert_same(struct slice line, int expected, const struct model *m, int result,
                        const struct event *event)
{
    if (expected < 0)
        expected = result == 1 + REJECT_TOO_DEEP ? result : 1 + REJECT_NOT_JSON;
    if (result != expected)
        fail_msg("%d instead of %d: %.*s", result, expected, (int)line.size, line.data);
    if (result != 0)
        return;
    assert_int_equal(event->bad_utf8, m->bad_utf8);
    for (int i = 0; i < EVENT_KEY_COUNT; i++) {
        const struct value *a = &event->value[i], *b = &m->value[i];
        bool same =
            a->kind == b->kind && (a->kind == VALUE_ABSENT || (a->data == b->data && a->size == b->size));
        if (!same)
            fail_msg("%s differs in %.*s", key_names[i], (int)line.size, line.data);
    }
}

static void scan_by_every_way(struct scanner *scanner, struct slice text, char padding)
{
    struct held held = hold(text, padding);
    struct model model;
    int expected = model_line(held.line, &model);
    size_t count;
    const struct scan_way *ways = scan_ways(&count);
    for (size_t i = 0; i < count; i++) {
        struct event event;
        if (!ways[i].usable())
            continue;
        scanner->way = &ways[i];
        scan_shapes_release(
            &scanner->shapes); /* by the grammar, and then as a line of a shape that is known */
        for (int round = 0; round < 2; round++)
            assert_same(held.line, expected, &model, scan_line(scanner, held.line, &event), &event);
        if (expected == 0 && !event.bad_utf8)
            assert_json_c_agrees(held.line, &event, key_names);
    }
    free(held.memory);
}

static void same_answers_as_an_independent_parser_on_generated_and_damaged_lines(void **state)
{
    (void)state;
    static struct writer w;
    static const char paddings[] = {'"', '}', ' ', '\\', '0', '\n'};
    const char *seed = getenv("SCAN_TEST_SEED");
    const char *lines = getenv("SCAN_TEST_LINES");
    chance_state = seed ? strtoull(seed, NULL, 10) | 1 : 0x2545F4914F6CDD1D;
    struct scanner *scanner = scanner_with(&(struct scan_config){.format = "liblog"});
    for (long n = lines ? strtol(lines, NULL, 10) : 20000; n; n--) {
        generate(&w);
        scan_by_every_way(scanner, slice_from(w.data, w.size), PICK(paddings));
    }
    scanner_free(scanner);
}

static void every_byte_alone_and_at_every_place_of_a_block_is_sorted_alike_by_every_way(void **state)
{
    (void)state;
    size_t count;
    const struct scan_way *ways = scan_ways(&count);
    for (int byte = 0; byte < 256; byte++)
        for (int place = 0; place < SCAN_BLOCK_SIZE; place++) {
            char block[SCAN_BLOCK_SIZE];
            memset(block, 'x', sizeof(block));
            block[place] = (char)byte;
            struct scan_mask plain, mask;
            scan_mask_plain(block, 1, &plain);
            for (size_t i = 0; i < count; i++) {
                if (!ways[i].usable())
                    continue;
                ways[i].mask(block, 1, &mask);
                assert_memory_equal(&mask, &plain, sizeof(mask));
            }
        }
}

/* ---- lines of shapes that are known ---- */

/* What the taught scanner says of a line is what one says that has never seen any. */
static void assert_judged_alike(struct scanner *taught, struct scanner *untaught, const char *text,
                                size_t size)
{
    struct held held = hold(slice_from(text, size), '"');
    struct event expected, event;
    scan_shapes_release(&untaught->shapes);
    int answer = scan_line(untaught, held.line, &expected);
    int result = scan_line(taught, held.line, &event);
    if (result != answer)
        fail_msg("%d instead of %d: %.*s", result, answer, (int)size, text);
    for (int i = 0; answer == 0 && i < EVENT_KEY_COUNT; i++) {
        const struct value *a = &event.value[i], *b = &expected.value[i];
        if (a->kind != b->kind || a->data != b->data || a->size != b->size || a->escaped != b->escaped)
            fail_msg("%s differs in %.*s", key_names[i], (int)size, text);
    }
    assert_true(answer != 0 || event.bad_utf8 == expected.bad_utf8);
    free(held.memory);
}

static const char *const shape_lines[] = {
    "{\"timestamp\":\"2025-10-19T14:30:00Z\",\"level\":\"INFO\",\"message\":\"gr\303\274n\",\"seq\":10}",
    "{\"level\":\"ERROR\",\"exception\":{\"type\":\"E\",\"code\":-1.5e3},\"seq\":107,\"copy\":true}",
    "{\"level\": \"INFO\", \"fields\": {\"n\": 0, \"list\": [1, 2, {\"level\": null}], \"no\": {}}}\r",
    "{\"level\":\"INFO\",\"a_key_that_is_longer_than_a_literal\":1,\"level\":\"DEBUG\",\"seq\":\"7\"}",
    "{\"level\":{\"level\":1},\"message\":\"\",\"service\":\"\"}",
};

enum { SHAPE_LINE_SIZE_MAX = 256 };

/* Each byte of the line changed to each other, left out, doubled, and the line cut there. */
static void judge_damaged(struct scanner *taught, struct scanner *untaught, const char *line)
{
    char text[SHAPE_LINE_SIZE_MAX];
    size_t size = strlen(line);
    for (size_t at = 0; at < size; at++) {
        strcpy(text, line);
        for (int byte = 0; byte < 256; byte++) {
            text[at] = (char)byte;
            assert_judged_alike(taught, untaught, text, size);
        }
        strcpy(text + at, line + at + 1);
        assert_judged_alike(taught, untaught, text, size - 1);
        strcpy(text + at, line + at);
        strcpy(text + at + 1, line + at);
        assert_judged_alike(taught, untaught, text, size + 1);
        assert_judged_alike(taught, untaught, line, at);
    }
}

static void a_line_of_a_known_shape_is_judged_like_any_other(void **state)
{
    (void)state;
    size_t count;
    const struct scan_way *ways = scan_ways(&count);
    for (size_t i = 0; i < count; i++) {
        struct scanner *taught = scanner_with(&(struct scan_config){.format = "liblog"});
        struct scanner *untaught = scanner_with(&(struct scan_config){.format = "liblog"});
        for (size_t line = 0; ways[i].usable() && line < sizeof(shape_lines) / sizeof(shape_lines[0]);
             line++) {
            taught->way = untaught->way = &ways[i];
            judge_damaged(taught, untaught, shape_lines[line]);
        }
        scanner_free(taught);
        scanner_free(untaught);
    }
}

static bool knows_shape(const struct scanner *scanner, const char *text)
{
    struct held held = hold(slice_of(text), '"');
    struct event event = {0};
    struct line_map map;
    line_map_make(&map, held.line, scanner->way->map);
    bool known = scanner->way->walk(&scanner->shapes, &map, held.line, false, &event);
    free(held.memory);
    return known;
}

/* Each line has a key of its own, so that none is of a shape that was seen before. */
static void shapes_are_bounded_and_in_time_give_way_to_new_ones(void **state)
{
    (void)state;
    struct scanner *taught = scanner_with(&(struct scan_config){.format = "liblog"});
    struct scanner *untaught = scanner_with(&(struct scan_config){.format = "liblog"});
    char text[SHAPE_LINE_SIZE_MAX];
    static const char first[] = "{\"k0\":1,\"key_0\":0,\"level\":\"INFO\"}";
    int most = 0;
    for (int i = 0; i < 2 * SCAN_SHAPE_MISSES_MAX; i++) {
        int size = snprintf(text, sizeof(text), "{\"k%d\":1,\"key_%d\":%d,\"level\":\"INFO\"}", i % 40, i, i);
        assert_judged_alike(taught, untaught, text, (size_t)size);
        most = taught->shapes.count > most ? taught->shapes.count : most;
        assert_true(i > 0 || knows_shape(taught, first));
    }
    assert_int_equal(most, SCAN_SHAPE_NODES_MAX);
    assert_false(knows_shape(taught, first));
    scanner_free(taught);
    scanner_free(untaught);
}

/* ---- lines that lie in a map ---- */

/* What `event` says, which lines were scanned into before, is what a scan of this line alone says. */
static void assert_as_alone(struct scanner *scanner, struct slice line, int answer, const struct event *event)
{
    struct event alone;
    assert_int_equal(scan_line(scanner, line, &alone), answer);
    for (int i = 0; answer == 0 && i < EVENT_KEY_COUNT; i++) {
        const struct value *a = &event->value[i], *b = &alone.value[i];
        bool same =
            a->kind == b->kind && (a->kind == VALUE_ABSENT ||
                                   (a->data == b->data && a->size == b->size && a->escaped == b->escaped));
        if (!same)
            fail_msg("%s differs in %.*s", key_names[i], (int)line.size, line.data);
    }
    assert_true(answer != 0 || event->bad_utf8 == alone.bad_utf8);
}

/* Lines of several shapes, damaged now and then, one behind the other. Returns how many bytes they are. */
static size_t put_lines(char *out, size_t size)
{
    size_t used = 0;
    while (used + SHAPE_LINE_SIZE_MAX < size) {
        const char *line = PICK(shape_lines);
        size_t length = strlen(line);
        memcpy(out + used, line, length);
        if (chance(8) == 0)
            out[used + chance((unsigned)length)] = (char)chance(256);
        used += length;
        out[used++] = '\n';
    }
    return used;
}

enum { FRAMES_AT_ONCE = 7 };

/* As the pipeline cuts them: as many as lie in one map. */
static int cut_frames(struct framer *framer, struct frame *frames)
{
    int count = 0;
    do {
        frames[count] = framer_next(framer);
        if (frames[count].kind == FRAME_END)
            break;
        count++;
    } while (count < FRAMES_AT_ONCE && framer_keeps_map(framer));
    return count;
}

static void lines_of_a_map_are_judged_as_each_alone_whatever_was_in_the_event(void **state)
{
    (void)state;
    enum { SIZE = 256 * 1024 };
    chance_state = 0x2545F4914F6CDD1D;
    struct scanner *mapped = scanner_with(&(struct scan_config){.format = "liblog"});
    struct scanner *alone = scanner_with(&(struct scan_config){.format = "liblog"});
    char *text = malloc(SIZE + SCAN_PADDING);
    assert_non_null(text);
    size_t size = put_lines(text, SIZE), lines = 0, with_map = 0;
    struct event events[FRAMES_AT_ONCE] = {0};
    struct frame frames[FRAMES_AT_ONCE];
    struct framer framer;
    framer_init(&framer, 0, SIZE);
    framer_feed(&framer, slice_from(text, size));
    for (int count; (count = cut_frames(&framer, frames)) > 0;)
        for (int i = 0; i < count; i++) {
            const struct frame *frame = &frames[i];
            if (frame->kind != FRAME_LINE)
                continue;
            int answer = scan_mapped_line(mapped, frame->map, frame->line, frame->odd, &events[i]);
            assert_as_alone(alone, frame->line, answer, &events[i]);
            lines++;
            with_map += frame->map != NULL;
        }
    assert_true(lines > SIZE / SHAPE_LINE_SIZE_MAX && with_map > lines * 9 / 10);
    free(text);
    scanner_free(mapped);
    scanner_free(alone);
}

/* ---- by name ---- */

struct fixture {
    struct scanner *scanner;
    struct held held;
    struct event event;
};

static struct fixture scan_with(const struct scan_config *config, const char *text)
{
    struct fixture f = {.scanner = scanner_with(config), .held = hold(slice_of(text), '"')};
    assert_int_equal(scan_line(f.scanner, f.held.line, &f.event), 0);
    event_interpret(f.scanner, &f.event, NOW_NS, 77);
    return f;
}

static void done(struct fixture *f)
{
    scanner_free(f->scanner);
    free(f->held.memory);
}

static void assert_text(const struct fixture *f, enum event_key key, const char *expected)
{
    char memory[4096];
    struct slice text = value_text(&f->event.value[key], memory, sizeof(memory));
    assert_int_equal(text.size, strlen(expected));
    if (text.size)
        assert_memory_equal(text.data, expected, text.size);
}

static const struct scan_config liblog_config = {.format = "liblog"};

#define RECORD                                                                                               \
    "{\"timestamp\":\"2025-10-19T14:30:00.123456789Z\",\"level\":\"ERROR\",\"service\":\"checkout\","        \
    "\"environment\":\"production\",\"logger\":\"backend.database\",\"message\":\"Database connection "      \
    "failed\","                                                                                              \
    "\"run_id\":\"019a2b6e-7c1d-7f3a-9a55-3f1c2b7d8e90\",\"seq\":1042,\"request_id\":\"abc123\","            \
    "\"trace_id\":\"4bf92f3577b34da6a3ce929d0e0e4736\",\"span_id\":\"00f067aa0ba902b7\","                    \
    "\"endpoint\":\"/api/glossary\",\"user\":\"u-77\",\"exception\":{\"type\":\"OperationalError\","         \
    "\"message\":\"unable to open database file\",\"code\":\"DB_003\",\"traceback\":[\"open_db "             \
    "(db.c:118)\","                                                                                          \
    "\"main (main.c:40)\"]},\"pid\":4711,\"tid\":4713,\"source\":{\"file\":\"db.c\",\"line\":118,"           \
    "\"function\":\"open_db\"},\"fields\":{\"attempt\":3,\"elapsed_ms\":12.5,\"retry\":true}}"

static void every_key_of_the_record_is_taken(void **state)
{
    (void)state;
    struct fixture f = scan_with(&liblog_config, RECORD);
    assert_text(&f, EVENT_TIMESTAMP, "2025-10-19T14:30:00.123456789Z");
    assert_text(&f, EVENT_LEVEL, "ERROR");
    assert_text(&f, EVENT_SERVICE, "checkout");
    assert_text(&f, EVENT_ENVIRONMENT, "production");
    assert_text(&f, EVENT_LOGGER, "backend.database");
    assert_text(&f, EVENT_MESSAGE, "Database connection failed");
    assert_text(&f, EVENT_RUN_ID, "019a2b6e-7c1d-7f3a-9a55-3f1c2b7d8e90");
    assert_text(&f, EVENT_REQUEST_ID, "abc123");
    assert_text(&f, EVENT_TRACE_ID, "4bf92f3577b34da6a3ce929d0e0e4736");
    assert_text(&f, EVENT_SPAN_ID, "00f067aa0ba902b7");
    assert_text(&f, EVENT_ENDPOINT, "/api/glossary");
    assert_text(&f, EVENT_USER, "u-77");
    assert_text(&f, EVENT_EXCEPTION_TYPE, "OperationalError");
    assert_text(&f, EVENT_EXCEPTION_MESSAGE, "unable to open database file");
    assert_text(&f, EVENT_EXCEPTION_CODE, "DB_003");
    assert_text(&f, EVENT_PID, "4711");
    assert_text(&f, EVENT_TID, "4713");
    assert_int_equal(f.event.seq, 1042);
    assert_int_equal(f.event.level, LEVEL_ERROR);
    assert_true(f.event.time_ns == NOW_NS + 123456789);
    assert_false(f.event.bad_time);
    assert_false(f.event.is_copy || f.event.is_mark || f.event.bad_utf8);
    done(&f);
}

static void keys_inside_fields_source_and_arrays_are_never_the_records(void **state)
{
    (void)state;
    struct fixture f = scan_with(
        &liblog_config, "{\"fields\":{\"level\":\"ERROR\",\"exception\":{\"type\":\"Forged\"},\"seq\":9},"
                        "\"source\":{\"copy\":true,\"mark\":\"crash\"},\"list\":[{\"level\":\"ERROR\"}],"
                        "\"x\":{\"exception\":{\"type\":\"Forged\"}},\"exception.type\":\"Forged\"}");
    for (int i = 0; i < EVENT_KEY_COUNT; i++)
        assert_int_equal(f.event.value[i].kind, VALUE_ABSENT);
    assert_int_equal(f.event.level, LEVEL_UNKNOWN);
    assert_false(f.event.is_copy || f.event.is_mark);
    done(&f);
}

static void of_two_equal_keys_the_last_stands(void **state)
{
    (void)state;
    struct fixture f = scan_with(
        &liblog_config,
        "{\"level\":\"INFO\",\"exception\":{\"type\":\"A\",\"code\":\"1\"},\"lev\\u0065l\":\"ERROR\","
        "\"exception\":{\"type\":\"B\"}}");
    assert_int_equal(f.event.level, LEVEL_ERROR);
    assert_text(&f, EVENT_EXCEPTION_TYPE, "B");
    assert_int_equal(f.event.value[EVENT_EXCEPTION_CODE].kind, VALUE_ABSENT);
    done(&f);
    f = scan_with(&liblog_config, "{\"exception\":{\"type\":\"A\"},\"exception\":null}");
    assert_int_equal(f.event.value[EVENT_EXCEPTION_TYPE].kind, VALUE_ABSENT);
    done(&f);
}

static void an_escaped_value_reads_as_meant(void **state)
{
    (void)state;
    struct fixture f =
        scan_with(&liblog_config, "{\"message\":\"a\\\"b\\\\c\\/\\n\\u00e9\\ud83d\\ude00\\ud800x\"}");
    assert_text(&f, EVENT_MESSAGE, "a\"b\\c/\n\xC3\xA9\xF0\x9F\x98\x80\xEF\xBF\xBDx");
    done(&f);
}

static void bad_utf8_in_a_string_is_still_a_record_and_flagged(void **state)
{
    (void)state;
    struct fixture f = scan_with(&liblog_config, "{\"message\":\"a\xC3(\",\"service\":\"ok\"}");
    assert_true(f.event.bad_utf8);
    assert_text(&f, EVENT_MESSAGE, "a\xEF\xBF\xBD(");
    assert_text(&f, EVENT_SERVICE, "ok");
    done(&f);
}

static int reason_of(struct slice text)
{
    struct scanner *scanner = scanner_with(&liblog_config);
    struct held held = hold(text, '}');
    struct event event;
    int reason = scan_line(scanner, held.line, &event) - 1;
    free(held.memory);
    scanner_free(scanner);
    return reason;
}

static void what_is_no_record_is_refused_with_its_reason(void **state)
{
    (void)state;
    static const char *const not_json[] = {"",
                                           " ",
                                           "x",
                                           "{",
                                           "{\"a\":1",
                                           "{\"a\":1}}",
                                           "{\"a\":1}{",
                                           "{\"a\":01}",
                                           "{\"a\":+1}",
                                           "{\"a\":1.}",
                                           "{\"a\":.5}",
                                           "{\"a\":1e}",
                                           "{\"a\":tru}",
                                           "{\"a\":truex}",
                                           "{\"a\":nulll}",
                                           "{\"a\" 1}",
                                           "{\"a\":1,}",
                                           "{,}",
                                           "{\"a\":}",
                                           "{a:1}",
                                           "{\"a\":'b'}",
                                           "{\"a\":\"b}",
                                           "{\"a\":\"\t\"}",
                                           "{\"a\":\"\\x\"}",
                                           "{\"a\":\"\\u12G4\"}",
                                           "{\"a\":[1}",
                                           "{\"a\":[1,]}",
                                           "{\"a\":1]",
                                           "[1 2]",
                                           "{\"a\":1 \"b\":2}",
                                           "{\"a\":\"b\" \"c\":1}",
                                           "{\"a\"\"b\":1}",
                                           "\xEF\xBB\xBF{}",
                                           "{\"a\":NaN}",
                                           "{\"a\":-}",
                                           "{\"a\":\xC3\xA9}",
                                           "{\"a\":\"b\"\\}",
                                           "]",
                                           "{]",
                                           "[}",
                                           "{\"a\":\"\x7f\x01\"}",
                                           "{\"a\":1}\v",
                                           "{:1}",
                                           "{\"a\"}",
                                           "{\"a\",\"b\"}",
                                           "{\"a\":1:2}",
                                           "{[]}",
                                           "{{}}"};
    static const char *const not_object[] = {"1",      "\"x\"", "null", "[1,{\"level\":\"ERROR\"}]",
                                             " true ", "[]"};
    for (size_t i = 0; i < sizeof(not_json) / sizeof(not_json[0]); i++)
        if (reason_of(slice_of(not_json[i])) != REJECT_NOT_JSON)
            fail_msg("taken: %s", not_json[i]);
    for (size_t i = 0; i < sizeof(not_object) / sizeof(not_object[0]); i++)
        assert_int_equal(reason_of(slice_of(not_object[i])), REJECT_NOT_OBJECT);
    assert_int_equal(reason_of(SLICE("{\"a\":\"b\0c\"}")), REJECT_NOT_JSON);
    assert_int_equal(reason_of(SLICE("{}\r")), -1);
}

static int reason_of_depth(int depth, int unclosed)
{
    struct writer w = {.size = 0};
    put(&w, "{\"a\":");
    for (int i = 1; i < depth; i++)
        put(&w, "[");
    for (int i = 1; i < depth - unclosed; i++)
        put(&w, "]");
    put(&w, "}");
    return reason_of(slice_from(w.data, w.size));
}

static void depth_128_is_a_record_and_deeper_is_too_deep(void **state)
{
    (void)state;
    assert_int_equal(reason_of_depth(128, 0), -1);
    assert_int_equal(reason_of_depth(129, 0), REJECT_TOO_DEEP);
    assert_int_equal(reason_of_depth(8000, 0), REJECT_TOO_DEEP);
    assert_int_equal(reason_of_depth(100, 1), REJECT_NOT_JSON);
}

static void a_refused_line_leaves_nothing_behind_for_the_next(void **state)
{
    (void)state;
    struct scanner *scanner = scanner_with(&liblog_config);
    struct held bad = hold(SLICE("{\"level\":\"ERROR\",\"exception\":{\"type\":\"Old\"},\"x\":}"), ' ');
    struct held good = hold(SLICE("{\"service\":\"s\",\"exception\":null}"), ' ');
    struct event event;
    assert_int_equal(scan_line(scanner, bad.line, &event), 1 + REJECT_NOT_JSON);
    assert_int_equal(scan_line(scanner, good.line, &event), 0);
    assert_int_equal(event.value[EVENT_LEVEL].kind, VALUE_ABSENT);
    assert_int_equal(event.value[EVENT_EXCEPTION_TYPE].kind, VALUE_ABSENT);
    free(bad.memory);
    free(good.memory);
    scanner_free(scanner);
}

static void a_line_of_a_million_keys_is_a_record(void **state)
{
    (void)state;
    size_t capacity = 20 << 20, size = 0;
    char *text = malloc(capacity);
    assert_non_null(text);
    text[size++] = '{';
    for (int i = 0; i < 1000000; i++)
        size += (size_t)sprintf(text + size, "\"k%d\":%d,", i, i);
    size += (size_t)sprintf(text + size, "\"level\":\"ERROR\"}");
    assert_int_equal(reason_of(slice_from(text, size)), -1);
    free(text);
}

static void marks_copies_and_numbers_are_told_from_look_alikes(void **state)
{
    (void)state;
    struct fixture f =
        scan_with(&liblog_config, "{\"mark\":\"crash\",\"copy\":true,\"seq\":18446744073709551615}");
    assert_true(f.event.is_mark && f.event.is_crash && f.event.is_copy);
    assert_true(f.event.seq == UINT64_MAX);
    done(&f);
    f = scan_with(
        &liblog_config,
        "{\"mark\":\"dropped\",\"dropped\":{\"count\":7,\"reason\":\"rate\"},\"copy\":\"true\",\"seq\":1.5}");
    assert_true(f.event.is_mark && !f.event.is_crash && !f.event.is_copy);
    assert_int_equal(f.event.dropped, 7);
    assert_int_equal(f.event.seq, 0);
    assert_text(&f, EVENT_DROPPED_REASON, "rate");
    done(&f);
    static const char *const no_seq[] = {"{\"seq\":\"5\"}",
                                         "{\"seq\":-5}",
                                         "{\"seq\":0}",
                                         "{\"seq\":1e3}",
                                         "{\"seq\":18446744073709551616}",
                                         "{\"dropped\":{\"count\":3}}"};
    for (size_t i = 0; i < sizeof(no_seq) / sizeof(no_seq[0]); i++) {
        f = scan_with(&liblog_config, no_seq[i]);
        assert_true(f.event.seq == 0 && f.event.dropped == 0 && !f.event.is_mark);
        done(&f);
    }
}

static void assert_time(const char *json, int64_t expected_ns)
{
    char line[256];
    snprintf(line, sizeof(line), "{\"timestamp\":%s}", json);
    struct fixture f = scan_with(&liblog_config, line);
    if (f.event.bad_time || f.event.time_ns != expected_ns)
        fail_msg("%s: %lld, bad %d", json, (long long)f.event.time_ns, f.event.bad_time);
    done(&f);
}

static void times_are_read_in_every_spelling(void **state)
{
    (void)state;
    assert_time("\"2025-10-19T14:30:00Z\"", NOW_NS);
    assert_time("\"2025-10-19T16:30:00.5+02:00\"", NOW_NS + S_NS / 2);
    assert_time("\"2025-10-19T16:30:00.250+0200\"", NOW_NS + S_NS / 4);
    assert_time("\"2025-10-19T09:30:00-05:00\"", NOW_NS);
    assert_time("\"2025-10-19T14:30:00.1234567891Z\"", NOW_NS + 123456789);
    assert_time("1760884200", NOW_NS);
    assert_time("1760884200123", NOW_NS + 123 * 1000000);
    assert_time("1760884200123456", NOW_NS + 123456 * 1000);
    assert_time("1760884200123456789", NOW_NS + 123456789);
    assert_time("1760884200.25", NOW_NS + S_NS / 4);
    assert_time("1760884200123.5", NOW_NS + 123500000);
    assert_time("1.76088420025e9", NOW_NS + S_NS / 4);
    assert_time("\"1760884200.5\"", NOW_NS + S_NS / 2);
    assert_time("1760884200.12345678901234567890", NOW_NS + 123456789);
    assert_time("\"\\u0032025-10-19T14:30:00Z\"", NOW_NS);
}

/* The scanner remembers the minute of the record before; that must never show. */
static void times_one_after_the_other_are_each_read_right(void **state)
{
    (void)state;
    struct scanner *scanner = scanner_with(&liblog_config);
    for (int i = 0; i < 400; i++) {
        int64_t ns = (int64_t)(i % 3 - 1) * 61 * S_NS * i + i * INT64_C(123456789);
        char line[64] = "{\"timestamp\":\"";
        time_to_text(line + 14, ns);
        size_t digits = (size_t)i % 10;
        memcpy(line + 14 + (digits ? 20 + digits : 19), "Z\"}", 3);
        size_t size = 14 + (digits ? 20 + digits : 19) + 3;
        struct held held = hold(slice_from(line, size), '"');
        struct event event;
        int64_t expected;
        assert_int_equal(scan_line(scanner, held.line, &event), 0);
        event_interpret(scanner, &event, NOW_NS, 77);
        assert_int_equal(time_from_text(slice_from(line + 14, size - 16), &expected), 0);
        assert_false(event.bad_time);
        assert_true(event.time_ns == expected);
        free(held.memory);
    }
    scanner_free(scanner);
}

/* ---- what is remembered of records before must never show ---- */

static const char *const time_spellings[] = {
    "",
    "\"2025-10-19T14:30:00Z\"",
    "\"2025-10-19T14:30:59.5Z\"",
    "\"2025-10-19T14:30:09.123456789Z\"",
    "\"2025-10-19T14:30:10.12345678Z\"",
    "\"2025-10-19T14:30:10.1234567891Z\"",
    "\"2025-10-19T14:30:60Z\"",
    "\"2025-10-19T14:30:5:Z\"",
    "\"2025-10-19T14:30::5Z\"",
    "\"2025-10-19T14:30:00.Z\"",
    "\"2025-10-19T14:30:00,5Z\"",
    "\"2025-10-19T14:30:00.1x3Z\"",
    "\"2025-10-19T14:30:00.12345678xZ\"",
    "\"2025-10-19T14:30:00.5+00:00\"",
    "\"2025-10-19T14:30.00Z\"",
    "\"2025-10-19T14:30:0\\u0031Z\"",
    "\"2025-10-19T14:35:00.5Z\"",
    "\"1969-12-31T23:59:59.999999999Z\"",
    "\"2262-04-11T23:47:59Z\"",
    "1760884200",
    "null",
};
static const char *const level_spellings[] = {"",
                                              "\"INFO\"",
                                              "\"CRITICAL\"",
                                              "\"EXCEPTION\"",
                                              "\"\"",
                                              "\"ERR\\u004fR\"",
                                              "\"informational\"",
                                              "\"error\"",
                                              "30",
                                              "3",
                                              "3.0",
                                              "true"};
static const char *const seq_spellings[] = {
    "",   "1",   "0",   "17",     "99999999", "100000000", "18446744073709551615",
    "-1", "1.5", "1e3", "\"17\"", "null"};
static const char *const mark_spellings[] = {"", "", "\"crash\"", "\"close\"", "\"\"", "null"};
static const char *const copy_spellings[] = {"", "", "true", "false"};

#define ANY_OF(list) (list)[(size_t)rand() % (sizeof(list) / sizeof((list)[0]))]

static void add_member(char line[static 512], const char *key, const char *value)
{
    size_t size = strlen(line);
    if (*value)
        snprintf(line + size, 512 - size, "%s\"%s\":%s", size > 1 ? "," : "", key, value);
}

static struct event interpreted(struct scanner *scanner, struct slice line)
{
    struct event event;
    assert_int_equal(scan_line(scanner, line, &event), 0);
    event_interpret(scanner, &event, NOW_NS, 77);
    return event;
}

/* Truth: a scanner that has seen no other record. */
static void a_record_means_the_same_whatever_came_before_it(void **state)
{
    (void)state;
    struct scanner *used = scanner_with(&liblog_config);
    srand(20251019);
    for (int i = 0; i < 5000; i++) {
        char line[512] = "{";
        add_member(line, "timestamp", ANY_OF(time_spellings));
        add_member(line, "level", ANY_OF(level_spellings));
        add_member(line, "seq", ANY_OF(seq_spellings));
        add_member(line, "mark", ANY_OF(mark_spellings));
        add_member(line, "copy", ANY_OF(copy_spellings));
        strcat(line, "}");
        struct held held = hold(slice_of(line), '0');
        struct scanner *fresh = scanner_with(&liblog_config);
        struct event expected = interpreted(fresh, held.line), event = interpreted(used, held.line);
        if (event.time_ns != expected.time_ns || event.bad_time != expected.bad_time ||
            event.level != expected.level || event.seq != expected.seq || event.is_mark != expected.is_mark ||
            event.is_crash != expected.is_crash || event.is_copy != expected.is_copy)
            fail_msg("after others it means something else: %s", line);
        scanner_free(fresh);
        free(held.memory);
    }
    scanner_free(used);
}

static void a_missing_unreadable_or_future_time_is_bad_and_stood_in_for(void **state)
{
    (void)state;
    static const char *const bad[] = {
        "{}",
        "{\"timestamp\":\"yesterday\"}",
        "{\"timestamp\":null}",
        "{\"timestamp\":true}",
        "{\"timestamp\":{}}",
        "{\"timestamp\":\"2025-13-19T14:30:00Z\"}",
        "{\"timestamp\":\"2025-10-19T14:35:00.000000001Z\"}",
        "{\"timestamp\":\"9999-10-19T14:35:00Z\"}",
        "{\"timestamp\":1e300}",
        "{\"timestamp\":\"\"}",
        "{\"timestamp\":\"2025-10-19T14:30:00\"}",
        "{\"timestamp\":\"2025-10-19T14:30:0xZ\"}",
        "{\"timestamp\":"
        "\"\\u0000\\u0000\\u0000\\u0000\\u0000\\u0000\\u0000\\u0000\\u0000\\u0000\\u0000\\u0000\\u0000"
        "\\u0000\\u0000\\u0000:00Z\"}"};
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        struct fixture f = scan_with(&liblog_config, bad[i]);
        if (!f.event.bad_time || f.event.time_ns != 77)
            fail_msg("good: %s", bad[i]);
        done(&f);
    }
    assert_time("\"2025-10-19T14:35:00Z\"", NOW_NS + 300 * S_NS);
}

static void another_programs_keys_are_mapped_nested_and_dotted(void **state)
{
    (void)state;
    const struct scan_config config = {.format = "liblog",
                                       .mapping = {{EVENT_TIMESTAMP, "ts"},
                                                   {EVENT_LEVEL, "log.level"},
                                                   {EVENT_MESSAGE, "msg"},
                                                   {EVENT_EXCEPTION_TYPE, "err.kind"},
                                                   {EVENT_EXCEPTION_CODE, "err.detail.code"},
                                                   {EVENT_ENDPOINT, "msg"}},
                                       .mapping_count = 6};
    struct fixture f =
        scan_with(&config, "{\"ts\":1760884200,\"log\":{\"level\":\"warn\"},\"msg\":\"m\",\"message\":\"no\","
                           "\"err\":{\"kind\":\"E\",\"detail\":{\"code\":\"C\"}},\"service\":\"s\"}");
    assert_true(f.event.time_ns == NOW_NS);
    assert_int_equal(f.event.level, LEVEL_WARNING);
    assert_text(&f, EVENT_MESSAGE, "m");
    assert_text(&f, EVENT_ENDPOINT, "m");
    assert_text(&f, EVENT_EXCEPTION_TYPE, "E");
    assert_text(&f, EVENT_EXCEPTION_CODE, "C");
    assert_text(&f, EVENT_SERVICE, "s");
    done(&f);
    f = scan_with(
        &config,
        "{\"message\":\"m\",\"log.level\":\"fatal\",\"err.kind\":\"E\",\"err\":{\"detail.code\":\"C\"},"
        "\"x\":{\"ts\":1}}");
    assert_text(&f, EVENT_MESSAGE, "m");
    assert_int_equal(f.event.level, LEVEL_CRITICAL);
    assert_text(&f, EVENT_EXCEPTION_TYPE, "E");
    assert_text(&f, EVENT_EXCEPTION_CODE, "C");
    assert_true(f.event.bad_time);
    done(&f);
}

static void levels_come_from_a_table_of_ranges_and_words(void **state)
{
    (void)state;
    const struct scan_config config = {.format = "liblog",
                                       .mapping = {{EVENT_LEVEL, "status"}},
                                       .mapping_count = 1,
                                       .level_rule = {{.from = 500, .to = 599, .level = LEVEL_ERROR},
                                                      {.from = 400, .to = 499, .level = LEVEL_WARNING},
                                                      {.text = "kaputt", .level = LEVEL_CRITICAL}},
                                       .level_rule_count = 3,
                                       .has_level_default = true,
                                       .level_default = LEVEL_INFO};
    static const struct {
        const char *line;
        enum level level;
    } cases[] = {{"{\"status\":500}", LEVEL_ERROR},           {"{\"status\":\"599\"}", LEVEL_ERROR},
                 {"{\"status\":404}", LEVEL_WARNING},         {"{\"status\":200}", LEVEL_INFO},
                 {"{\"status\":\"30\"}", LEVEL_INFO},         {"{\"status\":600}", LEVEL_INFO},
                 {"{\"status\":\"kaputt\"}", LEVEL_CRITICAL}, {"{}", LEVEL_INFO},
                 {"{\"status\":\"error\"}", LEVEL_ERROR},     {"{\"status\":null}", LEVEL_INFO}};
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct fixture f = scan_with(&config, cases[i].line);
        if (f.event.level != cases[i].level)
            fail_msg("%s: %s", cases[i].line, level_name(f.event.level));
        done(&f);
    }
}

static void each_format_is_read_as_its_programs_write_it(void **state)
{
    (void)state;
    static const struct {
        const char *format, *line, *message, *type, *service, *logger;
        enum level level;
    } cases[] = {
        {"ecs",
         "{\"@timestamp\":\"2025-10-19T14:30:00.000Z\",\"log.level\":\"ERROR\",\"message\":\"m\",\"ecs."
         "version\":\"8.11\","
         "\"service.name\":\"s\",\"log\":{\"logger\":\"l\"},\"error\":{\"type\":\"T\",\"message\":\"e\"}}",
         "m", "T", "s", "l", LEVEL_ERROR},
        {"otel",
         "{\"timeUnixNano\":\"1760884200000000000\",\"severityNumber\":17,\"severityText\":\"Fehler\","
         "\"body\":"
         "{\"stringValue\":\"m\"},\"attributes\":{\"exception.type\":\"T\"},\"resource\":{\"service.name\":"
         "\"s\"}}",
         "m", "T", "s", "", LEVEL_ERROR},
        {"zap",
         "{\"level\":\"warn\",\"ts\":1760884200.0,\"logger\":\"l\",\"caller\":\"x.go:1\",\"msg\":\"m\"}", "m",
         "", "", "l", LEVEL_WARNING},
        {"zerolog", "{\"level\":\"fatal\",\"time\":\"2025-10-19T14:30:00Z\",\"message\":\"m\"}", "m", "", "",
         "", LEVEL_CRITICAL},
        {"pino",
         "{\"level\":50,\"time\":1760884200000,\"pid\":1,\"hostname\":\"h\",\"name\":\"l\",\"err\":{\"type\":"
         "\"T\","
         "\"message\":\"e\",\"stack\":\"…\"},\"msg\":\"m\"}",
         "m", "T", "", "l", LEVEL_ERROR},
        {"structlog",
         "{\"event\": \"m\", \"logger\": \"l\", \"level\": \"info\", \"timestamp\": "
         "\"2025-10-19T14:30:00.000000Z\"}",
         "m", "", "", "l", LEVEL_INFO},
        {"logback",
         "{\"@timestamp\":\"2025-10-19T14:30:00.000+00:00\",\"@version\":\"1\",\"message\":\"m\",\"logger_"
         "name\":"
         "\"l\",\"thread_name\":\"main\",\"level\":\"INFO\",\"level_value\":20000}",
         "m", "", "", "l", LEVEL_INFO},
        {"logback",
         "{\"sequenceNumber\":0,\"timestamp\":1760884200000,\"level\":\"ERROR\",\"loggerName\":\"l\","
         "\"message\":"
         "\"{} m\",\"formattedMessage\":\"m\",\"throwable\":{\"className\":\"T\",\"message\":\"e\"}}",
         "m", "T", "", "l", LEVEL_ERROR},
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct scan_config config = {0};
        strcpy(config.format, cases[i].format);
        assert_true(scan_format_known(cases[i].format));
        struct fixture f = scan_with(&config, cases[i].line);
        assert_false(f.event.bad_time);
        assert_true(f.event.time_ns == NOW_NS);
        assert_int_equal(f.event.level, cases[i].level);
        assert_text(&f, EVENT_MESSAGE, cases[i].message);
        assert_text(&f, EVENT_EXCEPTION_TYPE, cases[i].type);
        assert_text(&f, EVENT_SERVICE, cases[i].service);
        assert_text(&f, EVENT_LOGGER, cases[i].logger);
        done(&f);
    }
    assert_false(scan_format_known("") || scan_format_known("json"));
}

static void a_format_or_mapping_that_cannot_be_is_refused_with_words(void **state)
{
    (void)state;
    static const char *const paths[] = {"", ".", "a.", ".a", "a..b"};
    struct problem problem = {0};
    struct scanner *scanner = NULL;
    assert_int_equal(scanner_new(&(struct scan_config){.format = "morse"}, &problem, &scanner), -ERR_CFG_004);
    assert_non_null(strstr(problem.text, "morse"));
    for (size_t i = 0; i < sizeof(paths) / sizeof(paths[0]); i++) {
        struct scan_config config = {.format = "liblog", .mapping_count = 1};
        config.mapping[0].key = EVENT_LEVEL;
        strcpy(config.mapping[0].path, paths[i]);
        assert_int_equal(scanner_new(&config, &problem, &scanner), -ERR_CFG_004);
    }
    assert_null(scanner);
}

static void every_reason_has_the_name_of_the_table(void **state)
{
    (void)state;
    static const char *const names[] = {"not_json", "not_object", "too_deep", "too_long", "cut"};
    for (int i = 0; i < REJECT_COUNT; i++)
        assert_string_equal(reject_reason_name((enum reject_reason)i), names[i]);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_byte_alone_and_at_every_place_of_a_block_is_sorted_alike_by_every_way),
        cmocka_unit_test(same_answers_as_an_independent_parser_on_generated_and_damaged_lines),
        cmocka_unit_test(a_line_of_a_known_shape_is_judged_like_any_other),
        cmocka_unit_test(shapes_are_bounded_and_in_time_give_way_to_new_ones),
        cmocka_unit_test(lines_of_a_map_are_judged_as_each_alone_whatever_was_in_the_event),
        cmocka_unit_test(every_key_of_the_record_is_taken),
        cmocka_unit_test(keys_inside_fields_source_and_arrays_are_never_the_records),
        cmocka_unit_test(of_two_equal_keys_the_last_stands),
        cmocka_unit_test(an_escaped_value_reads_as_meant),
        cmocka_unit_test(bad_utf8_in_a_string_is_still_a_record_and_flagged),
        cmocka_unit_test(what_is_no_record_is_refused_with_its_reason),
        cmocka_unit_test(depth_128_is_a_record_and_deeper_is_too_deep),
        cmocka_unit_test(a_refused_line_leaves_nothing_behind_for_the_next),
        cmocka_unit_test(a_line_of_a_million_keys_is_a_record),
        cmocka_unit_test(marks_copies_and_numbers_are_told_from_look_alikes),
        cmocka_unit_test(times_are_read_in_every_spelling),
        cmocka_unit_test(times_one_after_the_other_are_each_read_right),
        cmocka_unit_test(a_record_means_the_same_whatever_came_before_it),
        cmocka_unit_test(a_missing_unreadable_or_future_time_is_bad_and_stood_in_for),
        cmocka_unit_test(another_programs_keys_are_mapped_nested_and_dotted),
        cmocka_unit_test(levels_come_from_a_table_of_ranges_and_words),
        cmocka_unit_test(each_format_is_read_as_its_programs_write_it),
        cmocka_unit_test(a_format_or_mapping_that_cannot_be_is_refused_with_words),
        cmocka_unit_test(every_reason_has_the_name_of_the_table),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
