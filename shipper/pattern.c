#define _GNU_SOURCE /* re_search */
#include "pattern.h"

#include "liblog/base/bytes.h"
#include "liblog/base/cleanup.h"

#include <regex.h>

enum {
    GROUPS_MAX = 32,
    EXPANDED_BYTES_MAX = PATTERN_BYTES_MAX * 12 + 1, /* \s in brackets is the longest: [:space:] */
};

struct pattern {
    regex_t regex;
    uint32_t taken; /* bit g: group g is one that is taken, no (?:…) */
    int group_count;
};

/* From the user's spelling to the one of POSIX; `wrong` stays NULL while all is well. */
struct expansion {
    const char *at;
    struct bytes out;
    uint32_t taken;
    int group_count;
    const char *wrong;
};

static void add_text(struct expansion *e, const char *text)
{
    bytes_add(&e->out, slice_of(text));
}

struct escape {
    char letter;
    const char *outside, *inside; /* of brackets; NULL: cannot stand there */
};

static const struct escape escapes[] = {
    {'d', "[0-9]", "0-9"}, {'D', "[^0-9]", NULL},     {'w', "\\w", "[:alnum:]_"},
    {'W', "\\W", NULL},    {'s', "\\s", "[:space:]"}, {'S', "\\S", NULL},
    {'b', "\\b", NULL},    {'B', "\\B", NULL},        {'t', "\t", "\t"},
    {'n', "\n", "\n"},     {'.', "\\.", "."},         {'/', "/", "/"},
    {'[', "\\[", "["},     {'|', "\\|", "|"},         {'$', "\\$", "$"},
    {'*', "\\*", "*"},     {'+', "\\+", "+"},         {'?', "\\?", "?"},
    {'(', "\\(", "("},     {')', "\\)", ")"},         {'{', "\\{", "{"},
    {'}', "\\}", "}"},     {'\\', "\\\\", "\\"},      {'^', "\\^", NULL},
    {']', "\\]", NULL},    {'-', "-", NULL},          {'"', "\"", "\""},
    {'\'', "'", "'"},      {':', ":", ":"},           {'#', "#", "#"},
    {'<', "<", "<"},       {'>', ">", ">"},           {'=', "=", "="},
    {' ', " ", " "},       {',', ",", ","},           {'%', "%", "%"},
};

static void expand_escape(struct expansion *e, bool inside)
{
    char letter = e->at[1];
    for (size_t i = 0; i < sizeof(escapes) / sizeof(escapes[0]); i++) {
        const char *text = inside ? escapes[i].inside : escapes[i].outside;
        if (escapes[i].letter != letter || !text)
            continue;
        add_text(e, text);
        e->at += 2;
        return;
    }
    e->wrong = !letter                          ? "it ends with a backslash"
               : letter >= '1' && letter <= '9' ? "references back such as \\1 are not known"
               : inside ? "this backslash cannot stand inside [...]: put ] first, - last"
                        : "what follows this backslash is not known";
}

/* [...], where ] may come first, and [:class:] may stand within. */
static void expand_brackets(struct expansion *e)
{
    bytes_add_char(&e->out, *e->at++);
    if (*e->at == '^')
        bytes_add_char(&e->out, *e->at++);
    if (*e->at == ']')
        bytes_add_char(&e->out, *e->at++);
    while (*e->at && *e->at != ']' && !e->wrong) {
        const char *class_end = e->at[0] == '[' && e->at[1] == ':' ? strstr(e->at, ":]") : NULL;
        if (class_end) {
            bytes_add(&e->out, slice_from(e->at, (size_t)(class_end + 2 - e->at)));
            e->at = class_end + 2;
        } else if (*e->at == '\\') {
            expand_escape(e, true);
        } else {
            bytes_add_char(&e->out, *e->at++);
        }
    }
    if (*e->at == ']')
        bytes_add_char(&e->out, *e->at++);
    else if (!e->wrong)
        e->wrong = "a [ has no ]";
}

static void expand_group(struct expansion *e)
{
    bool is_taken = e->at[1] != '?';
    if (!is_taken && e->at[2] != ':') {
        e->wrong = "of groups that begin with (? only (?:...) is known";
        return;
    }
    if (++e->group_count >= GROUPS_MAX) {
        e->wrong = "it has too many groups";
        return;
    }
    e->taken |= (uint32_t)is_taken << e->group_count;
    bytes_add_char(&e->out, '(');
    e->at += is_taken ? 1 : 3;
}

static void expand_next(struct expansion *e)
{
    static const char repeats[] = "*+?}";
    switch (*e->at) {
    case '\\':
        expand_escape(e, false);
        break;
    case '[':
        expand_brackets(e);
        break;
    case '(':
        expand_group(e);
        break;
    default:
        if (strchr(repeats, e->at[0]) && (e->at[1] == '?' || e->at[1] == '+'))
            e->wrong = "lazy and possessive repetition (*?, *+) are not known";
        bytes_add_char(&e->out, *e->at++);
    }
}

static int refuse(const char *text, const char *why, struct problem *ret_problem)
{
    return problem_set(ret_problem, ERR_CFG_004, "the pattern \"%s\" cannot be: %s", text, why);
}

static int compile(struct pattern *pattern, const char *text, const char *expanded, bool lines,
                   struct problem *ret_problem)
{
    int result = regcomp(&pattern->regex, expanded, REG_EXTENDED | (lines ? REG_NEWLINE : 0));
    if (result == REG_ESPACE)
        return problem_set(ret_problem, ERR_INT_002, "no memory is left for the pattern \"%s\"", text);
    pattern->regex.regs_allocated = REGS_FIXED; /* what is found goes into memory of the caller's */
    if (result == 0)
        return 0;
    char why[128];
    regerror(result, &pattern->regex, why, sizeof(why));
    return refuse(text, why, ret_problem);
}

int pattern_new(const char *text, bool lines, struct problem *ret_problem, struct pattern **ret_pattern)
{
    char memory[EXPANDED_BYTES_MAX];
    struct expansion expansion = {.at = text};
    if (!text[0] || strlen(text) > PATTERN_BYTES_MAX)
        return problem_set(ret_problem, ERR_CFG_004, "a pattern has 1 to %d bytes", PATTERN_BYTES_MAX);
    bytes_init(&expansion.out, memory, sizeof(memory) - 1);
    while (*expansion.at && !expansion.wrong)
        expand_next(&expansion);
    if (expansion.wrong)
        return refuse(text, expansion.wrong, ret_problem);
    memory[expansion.out.size] = '\0';

    _cleanup_free_ struct pattern *pattern = calloc(1, sizeof(*pattern));
    if (!pattern)
        return problem_set(ret_problem, ERR_INT_002, "no memory is left for the pattern \"%s\"", text);
    pattern->taken = expansion.taken;
    pattern->group_count = expansion.group_count;
    int result = compile(pattern, text, memory, lines, ret_problem);
    if (result == 0)
        *ret_pattern = take_pointer(pattern);
    return result;
}

void pattern_free(struct pattern *pattern)
{
    if (!pattern)
        return;
    regfree(&pattern->regex);
    free(pattern);
}

/*
 * The GNU call takes a text with its size; regexec() does so only with an extension that checkers do not
 * know. *ret_registers (may be NULL) has room for GROUPS_MAX.
 */
static bool execute(const struct pattern *pattern, struct slice text, struct re_registers *ret_registers)
{
    regoff_t size = (regoff_t)text.size;
    regex_t *regex = (regex_t *)&pattern->regex; /* it has a lock within */
    return re_search(regex, text.size ? text.data : "", size, 0, size, ret_registers) >= 0;
}

bool pattern_matches(const struct pattern *pattern, struct slice text)
{
    return execute(pattern, text, NULL);
}

bool pattern_find(const struct pattern *pattern, struct slice text, struct slice *ret_found)
{
    regoff_t start[GROUPS_MAX], end[GROUPS_MAX];
    struct re_registers registers = {.num_regs = GROUPS_MAX, .start = start, .end = end};
    if (!execute(pattern, text, &registers))
        return false;
    int found = pattern->taken ? -1 : 0;
    for (int group = 1; group <= pattern->group_count && found < 0; group++)
        if (pattern->taken >> group & 1 && start[group] >= 0)
            found = group;
    if (found < 0)
        return false;
    *ret_found = slice_from(text.data + start[found], (size_t)(end[found] - start[found]));
    return true;
}
