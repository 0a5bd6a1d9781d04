/*
 * JSON writing. One escaping routine for both programs: what it writes is valid JSON and valid UTF-8 whatever
 * comes in. Invalid UTF-8 becomes U+FFFD (one for each maximal bad part, as Unicode recommends); `"`, `\`,
 * control characters (DEL too), U+2028 and U+2029 are escaped.
 */
#ifndef LIBLOG_BASE_JSON_H
#define LIBLOG_BASE_JSON_H

#include "bytes.h"

/* At most this many bytes come out of one that goes in. */
enum { JSON_ESCAPE_GROWTH_MAX = 6 };

/*
 * Escapes without the quotes. `out` has room for json_escaped_size(text) bytes; JSON_ESCAPE_GROWTH_MAX *
 * text.size is always enough. Returns the end.
 */
char *json_escape(char *out, struct slice text);

/* The size that json_escape() would write. */
size_t json_escaped_size(struct slice text);

/* A string with its quotes, or a sticky overflow. */
void json_add_string(struct bytes *b, struct slice text);
void json_add_u64(struct bytes *b, uint64_t value);
void json_add_i64(struct bytes *b, int64_t value);
void json_add_double(struct bytes *b, double value);

/* `,"key":` or, as the first member of an object, `"key":`. The key is escaped. */
void json_add_key(struct bytes *b, struct slice key);

/*
 * Whether `text` is exactly one JSON value (RFC 8259), nested at most `depth_max` deep, in valid UTF-8. A
 * number alone is 0 deep, [] is 1. More than JSON_DEPTH_MAX is taken as that.
 */
enum { JSON_DEPTH_MAX = 1024 };
bool json_is_valid(struct slice text, int depth_max);

/* The largest length <= size_max at which `text` can be cut without splitting a UTF-8 character. */
size_t utf8_cut(struct slice text, size_t size_max);

#endif
