#include "liblog/base/cleanup.h"
#include "liblog/base/json.h"
#include "liblog/base/time_text.h"
#include "line.h"
#include "stats_view.h"

#include <limits.h>

enum { FIXED_BYTES_MAX = 1024, TYPE_NUMBER_BYTES_MAX = 32, RECENT_FIXED_BYTES_MAX = 256 };

static void add_counts(struct bytes *b, const ll_stats *stats)
{
    BYTES_LITERAL(b, "{\"error_counts\":{");
    for (unsigned level = LL_LEVEL_OFF; level-- > 0;) {
        json_add_key(b, slice_of(record_level_name(level)));
        json_add_u64(b, stats->counts[level]);
    }
    BYTES_LITERAL(b, "},\"error_types\":{");
    for (uint32_t i = 0; i < stats->type_count; i++) {
        json_add_key(b, slice_of(stats->types[i].name));
        json_add_u64(b, stats->types[i].count);
    }
    BYTES_LITERAL(b, "},\"total_errors\":");
    json_add_u64(b, stats->total_errors);
    BYTES_LITERAL(b, ",\"error_rate_per_minute\":");
    json_add_double(b, stats->error_rate_per_minute);
    BYTES_LITERAL(b, ",\"tracking_duration_minutes\":");
    json_add_double(b, stats->tracking_duration_minutes);
}

/* What a reader must know who takes the numbers for exact. */
static void add_doubts(struct bytes *b, const ll_stats *stats)
{
    uint64_t error = 0;
    for (uint32_t i = 0; i < stats->type_count; i++)
        error = stats->types[i].error > error ? stats->types[i].error : error;
    if (error) {
        BYTES_LITERAL(b, ",\"error_types_error\":");
        json_add_u64(b, error);
    }
    if (stats->other_types_errors) {
        BYTES_LITERAL(b, ",\"other_types_errors\":");
        json_add_u64(b, stats->other_types_errors);
    }
    if (stats->uncounted) {
        BYTES_LITERAL(b, ",\"uncounted\":");
        json_add_u64(b, stats->uncounted);
    }
}

static void add_text(struct bytes *b, const char *key, const char *text)
{
    if (!*text)
        return;
    json_add_key(b, slice_of(key));
    json_add_string(b, slice_of(text));
}

static void add_time(struct bytes *b, int64_t unix_ns)
{
    char text[TIME_TEXT_SIZE];
    time_to_text(text, unix_ns);
    json_add_key(b, SLICE(LL_KEY_TIMESTAMP));
    json_add_string(b, slice_from(text, sizeof text));
}

static void add_place(struct bytes *b, const ll_recent_error *error)
{
    char place[sizeof error->file + 16];
    if (!*error->file)
        return;
    snprintf(place, sizeof place, "%s:%u", error->file, (unsigned)error->line);
    add_text(b, LL_KEY_SOURCE, place);
}

static void add_recent(struct bytes *b, const ll_recent_error *error)
{
    bytes_add_char(b, '{');
    add_time(b, error->time_ns);
    add_text(b, LL_KEY_LEVEL, record_level_name(error->level));
    add_text(b, LL_KEY_LOGGER, error->logger);
    add_text(b, "type", error->type);
    json_add_key(b, SLICE(LL_KEY_MESSAGE));
    json_add_string(b, slice_of(error->message));
    if (error->seq) {
        json_add_key(b, SLICE(LL_KEY_SEQ));
        json_add_u64(b, error->seq);
    }
    add_text(b, LL_KEY_REQUEST_ID, error->request_id);
    add_text(b, LL_KEY_ENDPOINT, error->endpoint);
    add_place(b, error);
    bytes_add_char(b, '}');
}

static void add_recents(struct bytes *b, const ll_recent_error *recent, int count)
{
    BYTES_LITERAL(b, ",\"recent\":[");
    for (int i = 0; i < count; i++) {
        if (i)
            bytes_add_char(b, ',');
        add_recent(b, &recent[i]);
    }
    bytes_add_char(b, ']');
}

static size_t json_bytes_max(const ll_stats *stats, int recent_count)
{
    size_t type = JSON_ESCAPE_GROWTH_MAX * (size_t)LL_ERROR_TYPE_SIZE + TYPE_NUMBER_BYTES_MAX;
    size_t recent = JSON_ESCAPE_GROWTH_MAX * sizeof(ll_recent_error) + RECENT_FIXED_BYTES_MAX;
    return FIXED_BYTES_MAX + stats->type_count * type + (size_t)recent_count * recent;
}

int stats_view_json(const ll_stats *stats, const ll_recent_error *recent, int recent_count, char *buf,
                    size_t size)
{
    struct bytes b;
    size_t capacity = json_bytes_max(stats, recent_count);
    _cleanup_free_ char *memory = malloc(capacity);
    if (!memory)
        return LL_ENOMEM;
    bytes_init(&b, memory, capacity);
    add_counts(&b, stats);
    add_doubts(&b, stats);
    if (recent)
        add_recents(&b, recent, recent_count);
    bytes_add_char(&b, '}');
    if (size)
        buf[0] = '\0';
    if (b.size < size) {
        memcpy(buf, b.data, b.size);
        buf[b.size] = '\0';
    }
    return (int)b.size;
}
