#include "site.h"

static size_t bounded_size(const char *text, size_t size_max)
{
    return text ? strnlen(text, size_max) : 0;
}

static size_t padded(size_t size)
{
    return (size + 7) & ~(size_t)7;
}

static struct site_entry entry_of(const ll_site *site, const char *message, size_t count)
{
    return (struct site_entry){
        .line = (uint32_t)site->line,
        .level = (uint8_t)site->level,
        .has_message = message != NULL,
        .key_count = (uint16_t)count,
        .logger_size = (uint16_t)bounded_size(site->logger, SITE_NAME_BYTES_MAX),
        .file_size = (uint16_t)bounded_size(site->file, SITE_NAME_BYTES_MAX),
        .function_size = (uint16_t)bounded_size(site->function, SITE_NAME_BYTES_MAX),
        .message_size = (uint16_t)bounded_size(message, SITE_MESSAGE_BYTES_MAX),
    };
}

static char *put(char *at, const void *bytes, size_t size)
{
    if (size)
        memcpy(at, bytes, size);
    return at + size;
}

static char *put_names(char *at, const struct site_entry *entry, const ll_site *site, const char *message)
{
    at = put(at, site->logger, entry->logger_size);
    at = put(at, site->file, entry->file_size);
    at = put(at, site->function, entry->function_size);
    return put(at, message, entry->message_size);
}

static size_t names_size(const struct site_entry *entry)
{
    return (size_t)entry->logger_size + entry->file_size + entry->function_size + entry->message_size;
}

size_t site_plain_entry(char *out, const ll_site *site)
{
    struct site_entry entry = entry_of(site, NULL, 0);
    entry.size = (uint32_t)padded(sizeof entry + names_size(&entry));
    char *end = put_names(put(out, &entry, sizeof entry), &entry, site, NULL);
    memset(end, 0, (size_t)(out + entry.size - end));
    return entry.size;
}

/* The size of the whole entry, or 0 when a key may not be registered. */
static size_t entry_size(const struct site_entry *entry, const ll_field *fields, size_t count)
{
    size_t size = sizeof *entry + names_size(entry);
    for (size_t i = 0; i < count; i++) {
        if (!(fields[i].flags & LL_FIELD_KEY_LITERAL))
            return 0;
        size += sizeof(struct site_key) + bounded_size(fields[i].key, SITE_KEY_BYTES_MAX);
    }
    return padded(size);
}

static uint8_t registered_type(const ll_field *field)
{
    return field->type == LL_TYPE_NULL ? (uint8_t)LL_TYPE_STRING : field->type;
}

static void put_entry(char *out, const struct site_entry *entry, const ll_site *site, const char *message,
                      const ll_field *fields, const struct redact *redact)
{
    char *at = put(out, entry, sizeof *entry);
    for (size_t i = 0; i < entry->key_count; i++) {
        bool is_redacted = redact_has_field(redact, &fields[i]);
        struct site_key key = {is_redacted ? (uint8_t)LL_TYPE_SECRET : registered_type(&fields[i]), 0,
                               (uint16_t)bounded_size(fields[i].key, SITE_KEY_BYTES_MAX)};
        at = put(at, &key, sizeof key);
    }
    at = put_names(at, entry, site, message);
    for (size_t i = 0; i < entry->key_count; i++)
        at = put(at, fields[i].key, bounded_size(fields[i].key, SITE_KEY_BYTES_MAX));
}

static size_t shape_size(size_t count)
{
    return sizeof(struct site_shape) + count * sizeof(ll_field);
}

static struct site_shape *arena_shape(struct site_arena *arena, size_t count)
{
    size_t size = shape_size(count);
    if (arena->size - arena->used < size)
        return NULL;
    struct site_shape *shape = (struct site_shape *)(void *)(arena->memory + arena->used);
    arena->used += size;
    return shape;
}

static ll_field shape_key(const ll_field *field, const struct redact *redact)
{
    ll_field key = ll_field_make_(field->key, field->flags, registered_type(field), 0);
    key.value.u64 = redact_has_field(redact, field) ? SITE_FORM_NOTHING : site_form_of(key.type);
    return key;
}

static void shape_fill(struct site_shape *shape, uint32_t at, const struct site_entry *entry,
                       const char *message, const ll_field *fields, const struct redact *redact)
{
    size_t count = entry->key_count;
    shape->entry = at;
    shape->level = entry->level;
    shape->key_count = entry->key_count;
    shape->message = message;
    for (size_t i = 0; i < count; i++)
        shape->key[i] = shape_key(&fields[i], redact);
}

/* --- sites that were here before ------------------------------------------------------------------------- */

/* A plugin that is unloaded and loaded again brings its sites anew, with the same contents and perhaps at
 * other addresses. What is alike is used again, so that loading it a thousand times does not fill the table.
 */

/* The offset of an entry with the bytes of the one that stands behind the last, or 0. */
static uint32_t find_entry(const struct ring_file *file, uint32_t used)
{
    const char *made = file->sites + used;
    struct site_entry wanted, entry;
    memcpy(&wanted, made, sizeof wanted);
    for (uint32_t at = 8; at < used; at += entry.size) {
        memcpy(&entry, file->sites + at, sizeof entry);
        if (entry.size < sizeof entry)
            return 0;
        if (entry.size == wanted.size && memcmp(file->sites + at, made, wanted.size) == 0)
            return at;
    }
    return 0;
}

static bool is_shape_of(const struct site_shape *shape, uint32_t entry, const char *message,
                        const ll_field *fields, size_t count)
{
    if (shape->entry != entry || shape->message != message || shape->key_count != count)
        return false;
    for (size_t i = 0; i < count; i++)
        if (shape->key[i].key != fields[i].key || shape->key[i].flags != fields[i].flags)
            return false;
    return true;
}

static const struct site_shape *find_shape(const struct site_arena *arena, uint32_t entry,
                                           const char *message, const ll_field *fields, size_t count)
{
    const struct site_shape *shape;
    for (size_t at = 0; at < arena->used; at += shape_size(shape->key_count)) {
        shape = (const struct site_shape *)(const void *)(arena->memory + at);
        if (is_shape_of(shape, entry, message, fields, count))
            return shape;
    }
    return NULL;
}

const struct site_shape *site_register(struct ring_file *file, struct site_arena *arena, const ll_site *site,
                                       const char *message, const ll_field *fields, size_t count)
{
    if (count > SITE_KEYS_MAX || bounded_size(message, SITE_MESSAGE_BYTES_MAX + 1) > SITE_MESSAGE_BYTES_MAX)
        return NULL;
    struct site_entry entry = entry_of(site, message, count);
    entry.size = (uint32_t)entry_size(&entry, fields, count);
    uint32_t used = file->growth->sites_used;
    if (entry.size == 0 || RING_FILE_SITES_BYTES - used < entry.size)
        return NULL;
    put_entry(file->sites + used, &entry, site, message, fields, arena->redact);
    uint32_t at = find_entry(file, used);
    const struct site_shape *known = at ? find_shape(arena, at, message, fields, count) : NULL;
    struct site_shape *shape = known ? NULL : arena_shape(arena, count);
    if (!shape)
        return known;
    if (!at)
        __atomic_store_n(&file->growth->sites_used, used + entry.size, __ATOMIC_RELEASE);
    shape_fill(shape, at ? at : used, &entry, message, fields, arena->redact);
    return shape;
}

/* --- reading -------------------------------------------------------------------------------------------- */

static struct slice take(const char **at, size_t size)
{
    struct slice taken = slice_from(*at, size);
    *at += size;
    return taken;
}

static bool keys_fit(const struct site_key *keys, uint32_t count, size_t available)
{
    size_t size = 0;
    for (uint32_t i = 0; i < count; i++)
        size += keys[i].size;
    return size <= available;
}

bool site_read(const char *bytes, size_t available, struct site_view *ret_view)
{
    struct site_entry entry;
    if (available < sizeof entry)
        return false;
    memcpy(&entry, bytes, sizeof entry);
    size_t keys = (size_t)entry.key_count * sizeof(struct site_key);
    size_t fixed = sizeof entry + keys + names_size(&entry);
    if (entry.size > available || entry.size % 8 || fixed > entry.size || entry.level >= LL_LEVEL_OFF ||
        entry.key_count > SITE_KEYS_MAX)
        return false;
    const struct site_key *key = (const struct site_key *)(const void *)(bytes + sizeof entry);
    if (!keys_fit(key, entry.key_count, entry.size - fixed))
        return false;
    const char *at = bytes + sizeof entry + keys;
    ret_view->logger = take(&at, entry.logger_size);
    ret_view->file = take(&at, entry.file_size);
    ret_view->function = take(&at, entry.function_size);
    ret_view->message = take(&at, entry.message_size);
    ret_view->size = entry.size;
    ret_view->line = entry.line;
    ret_view->level = entry.level;
    ret_view->has_message = entry.has_message;
    ret_view->key_count = entry.key_count;
    ret_view->key = key;
    ret_view->key_text = at;
    return true;
}
