/*
 * The table of call sites in the ring file: what of a record is the same at every call of one place. A site
 * is entered once, by the first call; the frames then hold only its offset and the values.
 *
 *   entry:  struct site_entry | key_count * struct site_key | logger | file | function | message | keys…
 * (padded to 8)
 *
 * Entries are only ever appended, and `sites_used` moves over whole ones. An entry that is read is not
 * trusted.
 */
#ifndef LIBLOG_SITE_H
#define LIBLOG_SITE_H

#include "liblog/base/slice.h"
#include "redact.h"
#include "ring_file.h"

#include <liblog/log.h>

enum {
    SITE_KEYS_MAX = 256,
    SITE_KEY_BYTES_MAX = 1024,     /* longer keys are cut */
    SITE_NAME_BYTES_MAX = 1024,    /* of logger, file and function each */
    SITE_MESSAGE_BYTES_MAX = 8192, /* longer messages are copied at each call */
};

struct site_entry {
    uint32_t size; /* of the whole entry, a multiple of 8 */
    uint32_t line;
    uint8_t level;
    uint8_t has_message;
    uint16_t key_count;
    uint16_t logger_size;
    uint16_t file_size;
    uint16_t function_size;
    uint16_t message_size;
    uint32_t reserved;
};

struct site_key {
    uint8_t type;
    uint8_t reserved;
    uint16_t size;
};

enum {
    SITE_TEXT_TYPES = 1 << LL_TYPE_STRING | 1 << LL_TYPE_BYTES | 1 << LL_TYPE_JSON |
                      1 << LL_TYPE_EXCEPTION_TYPE | 1 << LL_TYPE_EXCEPTION_CODE |
                      1 << LL_TYPE_EXCEPTION_MESSAGE | 1 << LL_TYPE_TRACEBACK,
    SITE_WORD_TYPES = 1 << LL_TYPE_BOOL | 1 << LL_TYPE_I64 | 1 << LL_TYPE_U64 | 1 << LL_TYPE_DOUBLE |
                      1 << LL_TYPE_FLOAT | 1 << LL_TYPE_TIME | 1 << LL_TYPE_DURATION,
};

static inline bool site_is_one_of(unsigned types, unsigned type)
{
    return type < 32 && types >> type & 1;
}

/* How a value stands in a frame. That of a redacted key does not, whatever its type. */
enum site_form { SITE_FORM_WORD, SITE_FORM_TEXT, SITE_FORM_NOTHING };

static inline enum site_form site_form_of(unsigned type)
{
    if (site_is_one_of(SITE_WORD_TYPES, type))
        return SITE_FORM_WORD;
    return site_is_one_of(SITE_TEXT_TYPES, type) ? SITE_FORM_TEXT : SITE_FORM_NOTHING;
}

/*
 * What a process remembers of an entry, to see quickly whether a call has the same keys and types. Never
 * freed while it lives. The keys are kept as fields, so that they lie beside those of a call; their values
 * are enum site_form.
 */
struct site_shape {
    uint32_t entry; /* offset in the table */
    uint16_t key_count;
    uint8_t level;
    const char *message; /* the literal, or NULL: copied at each call */
    ll_field key[];
};

/* Memory for shapes, given out and never taken back; and whose values are never copied (or NULL). */
struct site_arena {
    char *memory;
    size_t size, used;
    const struct redact *redact;
};

/*
 * Enters a site with the keys of this call. Under the caller's lock. Returns its shape, or NULL when the
 * table or arena is full or a key is no literal: such calls are written out in full.
 */
const struct site_shape *site_register(struct ring_file *file, struct site_arena *arena, const ll_site *site,
                                       const char *message, const ll_field *fields, size_t count);

/* Writes an entry without keys and message at `out` (of SITE_PLAIN_BYTES_MAX bytes) and returns its size: the
 * place of a call whose site could not be entered. */
enum { SITE_PLAIN_BYTES_MAX = sizeof(struct site_entry) + 3 * SITE_NAME_BYTES_MAX + 8 };
size_t site_plain_entry(char *out, const ll_site *site);

/* An entry as read: views into it. */
struct site_view {
    struct slice logger, file, function, message;
    uint32_t size; /* of the whole entry */
    uint32_t line;
    uint8_t level;
    bool has_message;
    uint32_t key_count;
    const struct site_key *key; /* may be unaligned to nothing worse than 4 */
    const char *key_text;       /* the keys, one after the other */
};

/* Checks and reads the entry that begins at `bytes`, of which `available` are there. */
bool site_read(const char *bytes, size_t available, struct site_view *ret_view);

#endif
