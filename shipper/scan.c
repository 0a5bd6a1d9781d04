#include "scan_private.h"

#include "scan_format.h"
#include "scan_utf8.h"

#include "liblog/base/cleanup.h"

/* The members of one object, while its marks come in: colon, then comma or end. */
struct member_cursor {
    struct scanner *scanner;
    struct event *event;
    const char *text;
    int node;
    struct scan_guess *guesses; /* the node's */
    unsigned number;            /* of this member, from 0 */
    size_t begin;               /* behind the bracket or comma before this member */
    size_t colon;               /* of this member, when the marks so far end with it; else 0 */
    bool backslash;             /* the text has some, so that keys and values must be looked at for them */
};

const char *reject_reason_name(enum reject_reason reason)
{
    static const char *const names[REJECT_COUNT] = {
        [REJECT_NOT_JSON] = "not_json", [REJECT_NOT_OBJECT] = "not_object",
        [REJECT_TOO_DEEP] = "too_deep", [REJECT_TOO_LONG] = "too_long",
        [REJECT_CUT] = "cut",
    };
    return names[reason];
}

static bool has_backslash(struct slice text)
{
    return text.size && memchr(text.data, '\\', text.size);
}

/* The kind of a value by its first byte; VALUE_ABSENT for white space. */
static inline enum value_kind kind_of(char first)
{
    static const uint8_t kinds[256] = {
        ['"'] = VALUE_STRING, ['{'] = VALUE_OBJECT, ['['] = VALUE_ARRAY,  ['t'] = VALUE_TRUE,
        ['f'] = VALUE_FALSE,  ['n'] = VALUE_NULL,   ['-'] = VALUE_NUMBER, ['0' ... '9'] = VALUE_NUMBER,
    };
    return kinds[(uint8_t)first];
}

/* Outside of strings; there, the grammar has let no other byte so low pass. */
static inline bool is_space(char c)
{
    return (uint8_t)c <= ' ';
}

/* The value between `from` and `to`, white space around it left out. */
static inline struct value value_between(const char *from, const char *to, bool backslash)
{
    while (is_space(*from))
        from++;
    while (is_space(to[-1]))
        to--;
    enum value_kind kind = kind_of(*from);
    int quote = kind == VALUE_STRING;
    struct slice text = slice_from(from + quote, (size_t)(to - from - 2 * quote));
    return (struct value){.data = text.data,
                          .size = (uint32_t)text.size,
                          .kind = kind,
                          .escaped = backslash && quote && has_backslash(text)};
}

static inline void take_name(struct member_cursor *m, const struct scan_name *name, const struct value *value)
{
    struct scanner *scanner = m->scanner;
    if (name->child >= 0) {
        bool object = value->kind == VALUE_OBJECT;
        scanner->pending[name->child] = object ? slice_from(value->data, value->size) : (struct slice){0};
        scanner->any_pending |= object;
    } else if (name->rank <= scanner->rank[name->key]) {
        scanner->rank[name->key] = name->rank;
        m->event->value[name->key] = *value;
    }
}

/* Which of our names the key between its quotes is, or -1; the next line's guess. One with escapes is ours
 * when what it stands for is. */
static int find_name(const struct member_cursor *m, struct scan_guess *guess, const char *key,
                     size_t key_size)
{
    char memory[2 * SCAN_NAME_SIZE_MAX];
    const char *from = (const char *)memchr(key, '"', key_size) + 1;
    const char *to = key + key_size - 1;
    while (*to != '"')
        to--;
    struct slice text = slice_from(from, (size_t)(to - from));
    if (m->backslash && has_backslash(text)) {
        struct value value = {text.data, (uint32_t)text.size, VALUE_STRING, true};
        text = value_text(&value, memory, sizeof(memory));
    }
    int name = scan_names_find(&m->scanner->names, m->node, text);
    scan_guess_set(guess, key, key_size, name);
    return name;
}

static inline void take_member(struct member_cursor *m, size_t colon, size_t end)
{
    const struct scan_names *names = &m->scanner->names;
    struct scan_guess *guess = &m->guesses[m->number++ % SCAN_GUESSES];
    const char *key = m->text + m->begin;
    size_t key_size = colon + 1 - m->begin;
    m->begin = end + 1;
    int name = scan_guess_is(guess, key, key_size) ? guess->name : find_name(m, guess, key, key_size);
    if (name < 0)
        return;
    struct value value = value_between(m->text + colon + 1, m->text + end, m->backslash);
    for (; name >= 0; name = names->name[name].same)
        take_name(m, &names->name[name], &value);
}

/*
 * Marks come in pairs, colon and end of the member, but for an empty object's end; a step may end between the
 * two.
 */
static void take_marks(struct member_cursor *m, const struct grammar_marks *marks)
{
    size_t i = 0;
    if (m->colon && marks->count)
        take_member(m, m->colon, marks->at[i++]);
    for (; i + 1 < marks->count; i += 2)
        take_member(m, marks->at[i], marks->at[i + 1]);
    if (marks->count)
        m->colon = i < marks->count && m->text[marks->at[i]] == ':' ? marks->at[i] : 0;
}

/* Checks a whole text and takes from it, when it is an object, what `node` names. */
static enum grammar_result scan_text(struct scanner *scanner, struct slice text, int node,
                                     struct event *event, struct grammar *ret_grammar)
{
    struct grammar_marks marks;
    grammar_init(ret_grammar, text, scanner->way->mask);
    struct member_cursor cursor = {
        .scanner = scanner,
        .event = event,
        .text = text.data,
        .node = node,
        .guesses = scanner->names.node[node].guess,
        .begin = ret_grammar->begin + 1,
    };
    enum grammar_result result;
    do {
        result = scanner->way->step(ret_grammar, &marks);
        cursor.backslash = ret_grammar->carry.backslash;
        take_marks(&cursor, &marks);
    } while (result == GRAMMAR_MORE);
    return result;
}

/*
 * Looks into the objects that were found under names of ours; those within them come later, having higher
 * numbers. With `event` NULL they are only forgotten.
 */
static void scan_pending(struct scanner *scanner, struct event *event)
{
    struct grammar grammar;
    for (int node = 1; node < scanner->names.node_count; node++) {
        struct slice text = scanner->pending[node];
        scanner->pending[node] = (struct slice){0};
        if (text.size && event)
            scan_text(scanner, text, node, event, &grammar);
    }
    scanner->any_pending = false;
}

/* Bad UTF-8 is resolved by value_text() as escapes are. */
static void flag_bad_utf8(struct event *event)
{
    event->bad_utf8 = true;
    for (int i = 0; i < EVENT_KEY_COUNT; i++)
        event->value[i].escaped |= event->value[i].kind == VALUE_STRING;
}

/* The general way: the grammar decides. */
static int scan_by_grammar(struct scanner *scanner, struct slice line, struct event *event)
{
    struct grammar grammar;
    scan_clear(event, sizeof(*event));
    memset(scanner->rank, SCAN_RANK_NONE, sizeof(scanner->rank));
    enum grammar_result result = scan_text(scanner, line, 0, event, &grammar);
    bool taken = result == GRAMMAR_DONE && grammar.is_object;
    if (scanner->any_pending)
        scan_pending(scanner, taken ? event : NULL);
    if (!taken)
        return 1 + (result == GRAMMAR_BAD_DEEP ? REJECT_TOO_DEEP
                    : result == GRAMMAR_BAD    ? REJECT_NOT_JSON
                                               : REJECT_NOT_OBJECT);
    if (grammar.carry.high && !scan_utf8_is_valid(line))
        flag_bad_utf8(event);
    return 0;
}

/* Nothing but what JSON calls white space: what is cut off is not looked at again. */
static inline bool is_json_space(char c)
{
    return c == ' ' || c == '\t' || c == '\r' || c == '\n';
}

static inline struct slice without_space_behind(struct slice line)
{
    while (line.size && is_json_space(line.data[line.size - 1]))
        line.size--;
    return line;
}

static int scan_json(struct scanner *scanner, const struct line_map *map, struct slice line, bool odd,
                     struct event *event)
{
    struct slice text = without_space_behind(line);
    if (map && scanner->way->walk(&scanner->shapes, map, text, odd, event))
        return 0;
    int result = scan_by_grammar(scanner, line, event);
    event->taken = EVENT_ALL_KEYS;
    if (map && result == 0)
        scan_shapes_learn(&scanner->shapes, text, event);
    return result;
}

int scan_mapped_line(struct scanner *scanner, const struct line_map *map, struct slice line, bool odd,
                     struct event *event)
{
    if (!scanner->plain)
        return scan_json(scanner, map, line, odd, event);
    plain_scan(scanner->plain, line, event);
    event->taken = EVENT_ALL_KEYS;
    return 0;
}

int scan_line(struct scanner *scanner, struct slice line, struct event *ret_event)
{
    struct line_map map;
    if (line.size > UINT32_MAX)
        return 1 + REJECT_TOO_LONG;
    ret_event->taken = EVENT_ALL_KEYS;
    if (scanner->plain || line.size > LINE_MAP_BYTES_MAX)
        return scan_mapped_line(scanner, NULL, line, true, ret_event);
    line_map_make(&map, line, scanner->way->map);
    return scan_mapped_line(scanner, &map, line, map.is_odd, ret_event);
}

static int add_format(struct scanner *scanner, const struct scan_format *format)
{
    scanner->otel_levels = format->otel_levels;
    for (int i = 0; i < format->key_count; i++) {
        const struct scan_format_key *key = &format->keys[i];
        int rc = scan_names_add(&scanner->names, key->path, key->key, (uint8_t)(1 + i), format->flat);
        if (rc < 0)
            return rc;
    }
    return 0;
}

static int add_mappings(struct scanner *scanner, const struct scan_config *config,
                        struct problem *ret_problem)
{
    for (int i = 0; i < config->mapping_count; i++) {
        const struct key_mapping *mapping = &config->mapping[i];
        int rc = scan_names_add(&scanner->names, mapping->path, mapping->key, 0, true);
        if (rc == -ERR_CFG_004)
            return problem_set(
                ret_problem, ERR_CFG_004,
                "`keys:` maps a key from \"%s\", which cannot be: give the key's name, or names joined "
                "by single dots, at most %d bytes in all.",
                mapping->path, SCAN_NAME_SIZE_MAX);
        if (rc < 0)
            return problem_set(ret_problem, (enum error) - rc,
                               "There is no memory for the `keys:` of an input.");
    }
    return 0;
}

static void take_levels(struct scanner *scanner, const struct scan_config *config)
{
    memcpy(scanner->level_rule, config->level_rule, sizeof(scanner->level_rule));
    scanner->level_rule_count = config->level_rule_count;
    scanner->has_level_default = config->has_level_default;
    scanner->level_default = config->level_default;
}

static int fill(struct scanner *scanner, const struct scan_config *config, struct problem *ret_problem)
{
    take_levels(scanner, config);
    if (scan_format_is_text(config->format))
        return plain_new(config, ret_problem, &scanner->plain);
    const struct scan_format *format = scan_format_find(config->format);
    if (!format)
        return problem_set(ret_problem, ERR_CFG_004, "The format \"%s\" is not known.", config->format);
    scanner->way = scan_way_best();
    scan_shapes_init(&scanner->shapes);
    if (scan_names_init(&scanner->names) < 0 || add_format(scanner, format) < 0)
        return problem_set(ret_problem, ERR_INT_002, "There is no memory for the keys of a format.");
    int rc = add_mappings(scanner, config, ret_problem);
    if (rc < 0)
        return rc;
    scanner->pending = calloc((size_t)scanner->names.node_count, sizeof(*scanner->pending));
    return scanner->pending ? 0 : problem_set(ret_problem, ERR_INT_002, "There is no memory for a scanner.");
}

static void cleanup_scanner(struct scanner **scanner)
{
    scanner_free(*scanner);
}

int scanner_new(const struct scan_config *config, struct problem *ret_problem, struct scanner **ret_scanner)
{
    _cleanup_(cleanup_scanner) struct scanner *scanner = calloc(1, sizeof(*scanner));
    if (!scanner)
        return problem_set(ret_problem, ERR_INT_002, "There is no memory for a scanner.");
    int rc = fill(scanner, config, ret_problem);
    if (rc < 0)
        return rc;
    *ret_scanner = take_pointer(scanner);
    return 0;
}

void scanner_free(struct scanner *scanner)
{
    if (!scanner)
        return;
    scan_names_release(&scanner->names);
    scan_shapes_release(&scanner->shapes);
    plain_free(scanner->plain);
    free(scanner->pending);
    free(scanner);
}
