/*
 * Whether text is JSON: one pass, no recursion, one bit of memory for each open bracket.
 *
 *               +-------- , --------+
 *               v                   |
 *     --> WANT_VALUE ---------> WANT_NEXT --> end of text, when no bracket is open
 *          | [ {  ^ :             ^  | ] }
 *          v      |               |  +--> WANT_NEXT of the bracket around
 *     WANT_FIRST  WANT_KEY        |
 *          +------------ ] } -----+
 */
#include "json.h"

#include "lanes.h"
#include "utf8.h"

#include <stdint.h>

enum want {
    WANT_VALUE,
    WANT_FIRST, /* after [ or {: a first member, or the end of an empty one */
    WANT_KEY,   /* after , in an object */
    WANT_NEXT,  /* after a value: , or the bracket's end */
};

struct checker {
    const char *at, *end;
    enum want want;
    int depth, depth_max;
    uint64_t is_object[JSON_DEPTH_MAX / 64]; /* bit n: what was opened n-th is an object */
};

static bool in_object(const struct checker *c)
{
    unsigned top = (unsigned)c->depth - 1;
    return c->depth > 0 && (c->is_object[top / 64] >> (top % 64) & 1);
}

static bool open_bracket(struct checker *c, bool object)
{
    if (c->depth == c->depth_max)
        return false;
    unsigned top = (unsigned)c->depth++;
    uint64_t bit = UINT64_C(1) << (top % 64);
    c->is_object[top / 64] = (c->is_object[top / 64] & ~bit) | (object ? bit : 0);
    c->at++;
    c->want = WANT_FIRST;
    return true;
}

static bool close_bracket(struct checker *c)
{
    if (c->depth == 0 || *c->at != (in_object(c) ? '}' : ']'))
        return false;
    c->depth--;
    c->at++;
    c->want = WANT_NEXT;
    return true;
}

static bool is_one_of(const struct checker *c, const char *set)
{
    return c->at < c->end && *c->at && strchr(set, *c->at);
}

static void skip_blanks(struct checker *c)
{
    while (is_one_of(c, " \t\n\r"))
        c->at++;
}

static bool skip_digits(struct checker *c)
{
    const char *start = c->at;
    while (is_one_of(c, "0123456789"))
        c->at++;
    return c->at > start;
}

static bool skip_number(struct checker *c)
{
    if (*c->at == '-')
        c->at++;
    if (is_one_of(c, "0"))
        c->at++;
    else if (!skip_digits(c))
        return false;
    if (is_one_of(c, ".")) {
        c->at++;
        if (!skip_digits(c))
            return false;
    }
    if (!is_one_of(c, "eE"))
        return true;
    c->at++;
    if (is_one_of(c, "+-"))
        c->at++;
    return skip_digits(c);
}

static bool skip_word(struct checker *c, struct slice word)
{
    if (!slice_starts_with(slice_from(c->at, (size_t)(c->end - c->at)), word))
        return false;
    c->at += word.size;
    return true;
}

/* After the backslash. */
static bool skip_escape(struct checker *c)
{
    if (!is_one_of(c, "\"\\/bfnrtu"))
        return false;
    if (*c->at++ != 'u')
        return true;
    for (int i = 0; i < 4; i++, c->at++) {
        if (!is_one_of(c, "0123456789abcdefABCDEF"))
            return false;
    }
    return true;
}

/* One or more characters of a string, up to something that is special again. */
static bool skip_special(struct checker *c)
{
    unsigned char first = (unsigned char)*c->at;
    if (first == '\\') {
        c->at++;
        return skip_escape(c);
    }
    struct utf8_part part = utf8_first_part(c->at, (size_t)(c->end - c->at));
    c->at += part.size;
    return part.valid && first >= 0x20;
}

/* At the opening quote. */
static bool skip_string(struct checker *c)
{
    c->at++;
    for (;;) {
        c->at += lanes_plain_size(c->at, (size_t)(c->end - c->at));
        if (c->at == c->end)
            return false;
        if (*c->at == '"') {
            c->at++;
            return true;
        }
        if (!skip_special(c))
            return false;
    }
}

static bool skip_value(struct checker *c)
{
    c->want = WANT_NEXT;
    switch (*c->at) {
    case '{':
        return open_bracket(c, true);
    case '[':
        return open_bracket(c, false);
    case '"':
        return skip_string(c);
    case 't':
        return skip_word(c, SLICE("true"));
    case 'f':
        return skip_word(c, SLICE("false"));
    case 'n':
        return skip_word(c, SLICE("null"));
    default:
        return skip_number(c);
    }
}

static bool skip_key(struct checker *c)
{
    if (*c->at != '"' || !skip_string(c))
        return false;
    skip_blanks(c);
    c->want = WANT_VALUE;
    return skip_word(c, SLICE(":"));
}

static bool skip_first(struct checker *c)
{
    if (is_one_of(c, "]}"))
        return close_bracket(c);
    return in_object(c) ? skip_key(c) : skip_value(c);
}

static bool skip_next(struct checker *c)
{
    if (c->depth == 0 || *c->at != ',')
        return close_bracket(c);
    c->at++;
    c->want = in_object(c) ? WANT_KEY : WANT_VALUE;
    return true;
}

static bool step(struct checker *c)
{
    switch (c->want) {
    case WANT_VALUE:
        return skip_value(c);
    case WANT_FIRST:
        return skip_first(c);
    case WANT_KEY:
        return skip_key(c);
    case WANT_NEXT:
        return skip_next(c);
    }
    return false;
}

bool json_is_valid(struct slice text, int depth_max)
{
    if (text.size == 0)
        return false;
    struct checker c = {.at = text.data, .end = text.data + text.size, .want = WANT_VALUE};
    c.depth_max = depth_max < JSON_DEPTH_MAX ? depth_max : JSON_DEPTH_MAX;
    for (;;) {
        skip_blanks(&c);
        if (c.at == c.end)
            return c.want == WANT_NEXT && c.depth == 0;
        if (!step(&c))
            return false;
    }
}
