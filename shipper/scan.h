/*
 * line -> views into the line. One pass, no allocation, no copy, no recursion; validates as RFC 8259 and
 * UTF-8 do. Only keys at the record's own level (and in its own `exception` and `dropped` objects) are taken,
 * so nothing inside `fields` can be mistaken for them. Of two equal keys the last stands, as in jq.
 */
#ifndef SHIPPER_SCAN_H
#define SHIPPER_SCAN_H

#include "event.h"
#include "line_map.h"
#include "problem.h"

enum { SCAN_DEPTH_MAX = 128, SCAN_MAPPING_MAX = 64, SCAN_LEVEL_RULES_MAX = 32 };

/* Why a line is no record; the names are those of the table `reject`. */
enum reject_reason {
    REJECT_NOT_JSON,
    REJECT_NOT_OBJECT,
    REJECT_TOO_DEEP,
    REJECT_TOO_LONG,
    REJECT_CUT,
    REJECT_COUNT
};
const char *reject_reason_name(enum reject_reason reason); /* "not_json" … */

/* One line of an input's `keys:` table: where a key of the record is found in another program's JSON. */
struct key_mapping {
    enum event_key key;
    char path[256]; /* "err.kind": the nested key, or the flat key of that name; in text, a pattern
                       (pattern.h) */
};

/* `level: { from: status, map: { "500-599": ERROR }, default: INFO }`; `from` is a mapping of EVENT_LEVEL. */
struct level_rule {
    int64_t from, to; /* an inclusive range of whole numbers, used when `text` is empty */
    char text[64];
    enum level level;
};

struct scan_config {
    struct key_mapping mapping[SCAN_MAPPING_MAX]; /* besides the format's own; these go first */
    int mapping_count;
    struct level_rule level_rule[SCAN_LEVEL_RULES_MAX];
    int level_rule_count;
    bool has_level_default;
    enum level level_default; /* of a level that neither the rules nor the usual words know */
    char format[16];          /* "liblog" ecs otel zap zerolog pino structlog logback plain */
};

/* Whether `name` is a format this version reads. */
bool scan_format_known(const char *name);

/* Whether it is "plain": lines of text, `keys` being patterns. */
bool scan_format_is_text(const char *name);

struct scanner;

/* A scanner is used by one thread at a time. 0, or a negative error with ret_problem filled. With format
 * "plain" lines are text, and each is a record (plain.h). */
int scanner_new(const struct scan_config *config, struct problem *ret_problem, struct scanner **ret_scanner);
void scanner_free(struct scanner *scanner);

/*
 * Scans one line (without its newline; a trailing CR is white space). At least SCAN_PADDING bytes behind the
 * line must be readable, whatever they hold. Returns 0 and fills `ret_event` but for what event_interpret()
 * makes, or 1 + enum reject_reason; what `ret_event` holds then means nothing.
 *
 * Where two names give the same key, a mapping's stands before the format's, and of the format's the better
 * one; a name with dots is first looked for as it is ("log.level"), then in objects ("log": {"level": …}),
 * which wins.
 */
enum { SCAN_PADDING = 64 };
int scan_line(struct scanner *scanner, struct slice line, struct event *ret_event);

/*
 * The same, of a line that lies in a map (line_map.h), whose bytes were looked at already: `odd` or not. The
 * event is one that lines were scanned into before, or all zeros; so only what that line left must be
 * cleared. With `map` NULL the line may be longer than one.
 */
int scan_mapped_line(struct scanner *scanner, const struct line_map *map, struct slice line, bool odd,
                     struct event *event);

/*
 * Fills the interpreted half; the line is still there, with its padding. `now_ns` is the wall clock (a
 * timestamp more than five minutes ahead of it is bad); `previous_ns` stands in for a bad time: that of the
 * record before it in the file, or the file's modification time.
 */
void event_interpret(struct scanner *scanner, struct event *event, int64_t now_ns, int64_t previous_ns);

#endif
