/* What the values of a record mean: its time, level, number and mark. */
#include "scan_private.h"
#include "trace.h"

#include "scan_digits.h"

#include "liblog/base/number.h"
#include "liblog/record.h"

enum { WORD_SIZE_MAX = 64 }; /* a level, a mark, or a time as text; anything longer is none */

static const int64_t time_ahead_ns_max = INT64_C(5) * 60 * 1000000000;

/* Text has times in more forms than JSON, and no offset means local time there. */
static bool read_time(struct scanner *scanner, struct slice text, int64_t now_ns, int64_t *ret_ns)
{
    if (scanner->plain && plain_time_read(&scanner->local, text, now_ns, ret_ns))
        return true;
    return scan_time(&scanner->minute, text, ret_ns) == 0;
}

static bool time_is_good(struct scanner *scanner, const struct value *value, int64_t now_ns, int64_t *ret_ns)
{
    char memory[WORD_SIZE_MAX + SCAN_PADDING];
    if (value->kind != VALUE_STRING && value->kind != VALUE_NUMBER)
        return false;
    int64_t ns;
    struct slice text =
        value->escaped ? value_text(value, memory, WORD_SIZE_MAX) : slice_from(value->data, value->size);
    if (!read_time(scanner, text, now_ns, &ns) || ns > now_ns + time_ahead_ns_max)
        return false;
    *ret_ns = ns;
    return true;
}

static bool rule_fits(const struct level_rule *rule, struct slice text, bool is_number, int64_t number)
{
    if (rule->text[0])
        return slice_is(text, rule->text);
    return is_number && number >= rule->from && number <= rule->to;
}

/* By an input's own table. A word that every program means alike is understood without being in it; a number
 * is not. */
static enum level level_by_rules(const struct scanner *scanner, struct slice text)
{
    int64_t number = 0;
    bool is_number = number_to_i64(text, &number) == 0;
    for (int i = 0; i < scanner->level_rule_count; i++)
        if (rule_fits(&scanner->level_rule[i], text, is_number, number))
            return scanner->level_rule[i].level;
    return is_number ? LEVEL_UNKNOWN : level_from_text(text);
}

/* OpenTelemetry's severities: four of each, 1 to 24. */
static enum level level_from_severity(struct slice text)
{
    uint64_t number;
    if (number_to_u64(text, &number) < 0)
        return level_from_text(text);
    return number < 1 || number > 24 ? LEVEL_UNKNOWN : (enum level)(LEVEL_TRACE + (number - 1) / 4);
}

static enum level read_level(const struct scanner *scanner, const struct value *value)
{
    char memory[WORD_SIZE_MAX];
    bool is_word = value->kind == VALUE_STRING || value->kind == VALUE_NUMBER;
    struct slice text = is_word ? value_text(value, memory, sizeof(memory)) : (struct slice){0};
    enum level level = scanner->level_rule_count ? level_by_rules(scanner, text)
                       : scanner->otel_levels    ? level_from_severity(text)
                                                 : level_from_text(text);
    return level == LEVEL_UNKNOWN && scanner->has_level_default ? scanner->level_default : level;
}

/* The eight bytes at `text`, of which the line's padding lets all be read, with zeros for those from `size`
 * on. */
static inline uint64_t short_word(const char *text, size_t size)
{
    uint64_t word;
    memcpy(&word, text, sizeof(word));
    return le64toh(word) & (UINT64_MAX >> (64 - 8 * size));
}

/* Where a level is remembered: a program has few, and the same text always means the same. NULL for what is
 * no short word. */
static inline struct scan_level *level_place(struct scanner *scanner, const struct value *value,
                                             uint64_t *ret_word)
{
    bool is_word = value->kind == VALUE_STRING || value->kind == VALUE_NUMBER;
    if (!is_word || value->escaped || value->size == 0 || value->size > sizeof(uint64_t))
        return NULL;
    *ret_word = short_word(value->data, value->size);
    return &scanner->levels[(*ret_word * UINT64_C(0x9E3779B97F4A7C15)) >> (64 - SCAN_LEVELS_BITS)];
}

static inline bool level_is(const struct scan_level *seen, uint64_t word, const struct value *value)
{
    return seen->word == word && seen->size == value->size;
}

static enum level level_of(struct scanner *scanner, const struct value *value)
{
    uint64_t word;
    struct scan_level *seen = level_place(scanner, value, &word);
    if (!seen)
        return read_level(scanner, value);
    if (!level_is(seen, word, value))
        *seen = (struct scan_level){word, (uint8_t)value->size, (uint8_t)read_level(scanner, value)};
    return (enum level)seen->level;
}

/* A whole number of at most eight digits; 0 when there is none. */
static inline bool short_count(const struct value *value, uint64_t *ret_number)
{
    *ret_number = 0;
    if (value->kind != VALUE_NUMBER || value->size > sizeof(uint64_t))
        return value->kind == VALUE_ABSENT;
    uint64_t digits = digits_load(value->data) << (64 - 8 * value->size);
    *ret_number = digits_value(digits);
    return !digits_others(digits);
}

/* A positive whole number, or 0. */
static uint64_t count_of(const struct value *value)
{
    uint64_t number;
    if (value->kind != VALUE_NUMBER)
        return 0;
    return number_to_u64(slice_from(value->data, value->size), &number) < 0 ? 0 : number;
}

static void interpret_mark(struct event *event)
{
    char memory[WORD_SIZE_MAX];
    const struct value *mark = &event->value[EVENT_MARK];
    event->is_mark = mark->kind == VALUE_STRING && mark->size > 0;
    event->is_crash = false;
    event->dropped = 0;
    if (!event->is_mark)
        return;
    struct slice text = value_text(mark, memory, sizeof(memory));
    event->is_crash = slice_is(text, LL_MARK_CRASH);
    if (slice_is(text, LL_MARK_DROPPED))
        event->dropped = count_of(&event->value[EVENT_DROPPED_COUNT]);
}

/* Many loggers give the trace only. */
static void take_type_from_trace(struct event *event)
{
    const struct value *trace = &event->value[EVENT_EXCEPTION_TRACEBACK];
    if (trace->kind != VALUE_STRING || event->value[EVENT_EXCEPTION_TYPE].kind != VALUE_ABSENT)
        return;
    struct slice type = trace_type(slice_from(trace->data, trace->size), true);
    if (!type.size)
        return;
    value_set(&event->value[EVENT_EXCEPTION_TYPE], type.data, type.size, VALUE_STRING);
    event->taken |= UINT32_C(1) << EVENT_EXCEPTION_TYPE;
}

/* What nearly every record has: a time in the minute of the one before, a level that was seen, a short
 * number, no mark and no trace. Nothing here is called, so that one record's values are read while the one
 * before still waits for its own. */
static inline bool interpret_usual(struct scanner *scanner, struct event *event, int64_t now_ns)
{
    const struct value *time = &event->value[EVENT_TIMESTAMP], *level = &event->value[EVENT_LEVEL];
    uint64_t word;
    if (value_nature(time) >> 32 != VALUE_STRING || scanner->plain ||
        event->value[EVENT_MARK].kind != VALUE_ABSENT ||
        event->value[EVENT_EXCEPTION_TRACEBACK].kind != VALUE_ABSENT ||
        !scan_minute_time(&scanner->minute, slice_from(time->data, time->size), &event->time_ns) ||
        event->time_ns > now_ns + time_ahead_ns_max || !short_count(&event->value[EVENT_SEQ], &event->seq))
        return false;
    const struct scan_level *seen = level_place(scanner, level, &word);
    if (!seen || !level_is(seen, word, level))
        return false;
    event->level = (enum level)seen->level;
    event->dropped = 0;
    event->bad_time = event->is_mark = event->is_crash = false;
    event->is_copy = event->value[EVENT_COPY].kind == VALUE_TRUE;
    return true;
}

__attribute__((noinline)) static void interpret_any(struct scanner *scanner, struct event *event,
                                                    int64_t now_ns, int64_t previous_ns)
{
    event->bad_time = !time_is_good(scanner, &event->value[EVENT_TIMESTAMP], now_ns, &event->time_ns);
    if (event->bad_time)
        event->time_ns = previous_ns;
    event->level = level_of(scanner, &event->value[EVENT_LEVEL]);
    event->seq = count_of(&event->value[EVENT_SEQ]);
    event->is_copy = event->value[EVENT_COPY].kind == VALUE_TRUE;
    interpret_mark(event);
    take_type_from_trace(event);
}

void event_interpret(struct scanner *scanner, struct event *event, int64_t now_ns, int64_t previous_ns)
{
    if (!interpret_usual(scanner, event, now_ns))
        interpret_any(scanner, event, now_ns, previous_ns);
}
