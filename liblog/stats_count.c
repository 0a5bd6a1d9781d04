#include "stats_count.h"

#include "liblog/base/json.h"
#include "liblog/base/utf8.h"

#include <string.h>

enum { HASH_CHARS = 1 + 16, NAME_CUT_BYTES_MAX = STATS_NAME_BYTES_MAX - HASH_CHARS };

/* --- beginning ------------------------------------------------------------------------------------------ */

uint32_t stats_choose(const struct stats_open open[static 2], uint64_t next_seq)
{
    for (uint32_t i = 0; i < 2; i++)
        if (open[i].next_seq == next_seq)
            return i;
    bool first = open[0].next_seq <= next_seq, second = open[1].next_seq <= next_seq;
    if (first != second)
        return second;
    return first ? open[1].next_seq > open[0].next_seq : open[1].next_seq < open[0].next_seq;
}

struct slice stats_row_name(const struct stats *stats, uint32_t row)
{
    const struct stats_name *name = &stats->file->at->names[stats->row[row].name_copy][row];
    return slice_from(name->text, name->size < STATS_NAME_BYTES_MAX ? name->size : STATS_NAME_BYTES_MAX);
}

/* The slot of a name, or the free one where it would stand. */
static uint16_t *slot_of(struct stats *stats, uint64_t hash, struct slice name)
{
    uint32_t i = (uint32_t)(hash % STATS_SLOTS);
    for (; stats->slot[i]; i = (i + 1) % STATS_SLOTS) {
        uint32_t row = stats->slot[i] - 1u;
        if (stats->row[row].hash == hash && slice_equal(stats_row_name(stats, row), name))
            break;
    }
    return &stats->slot[i];
}

static void index_rows(struct stats *stats)
{
    memset(stats->slot, 0, sizeof stats->slot);
    for (uint32_t i = 0; i < stats->open.row_count; i++)
        *slot_of(stats, stats->row[i].hash, stats_row_name(stats, i)) = (uint16_t)(i + 1);
}

static void hold_rows(struct stats *stats)
{
    stats->held_rows_copy = stats->open.rows_copy;
    for (uint32_t i = 0; i < stats->open.row_count; i++)
        stats->held_name_copy[i] = (uint8_t)stats->row[i].name_copy;
    stats->rows_changed = false;
}

static void hold(struct stats *stats)
{
    memcpy(stats->held_end, stats->open.end, sizeof stats->held_end);
    stats->errors_in_block = 0;
    if (stats->rows_changed)
        hold_rows(stats);
}

/* Whatever the file says is within bounds afterwards. */
static void make_sound(struct stats *stats)
{
    struct stats_open *open = &stats->open;
    open->rows_copy &= 1;
    if (open->row_count > STATS_TYPES_MAX)
        open->row_count = STATS_TYPES_MAX;
    for (uint32_t i = 0; i < open->row_count; i++)
        stats->row[i].name_copy &= 1;
}

void stats_again(struct stats *stats)
{
    const struct stats_layout *at = stats->file->at;
    memset(stats->count, 0, sizeof stats->count);
    stats->open = at->open[stats->current];
    memcpy(stats->row, at->rows[stats->open.rows_copy & 1], sizeof stats->row);
    make_sound(stats);
    stats->second_ns = (int64_t)stats->open.second.time * STATS_SECOND_NS;
    index_rows(stats);
    hold_rows(stats);
    hold(stats);
}

void stats_begin(struct stats *stats, struct stats_file *file, uint64_t next_seq)
{
    *stats = (struct stats){.file = file, .current = stats_choose(file->at->open, next_seq)};
    pthread_mutex_init(&stats->mutex, NULL);
    stats_again(stats);
    if (next_seq > stats->open.next_seq && stats->open.next_seq)
        stats->open.uncounted += next_seq - stats->open.next_seq;
}

void stats_end(struct stats *stats)
{
    if (stats->file)
        pthread_mutex_destroy(&stats->mutex);
    stats->file = NULL;
}

/* --- rings ---------------------------------------------------------------------------------------------- */

static uint32_t running_time(const struct stats *stats, enum stats_ring ring)
{
    bool seconds = ring == STATS_SECONDS || ring == STATS_TYPE_SECONDS;
    return seconds ? stats->open.second.time : stats->open.minute.time;
}

/* An entry of that time is gone. One ahead of the clock is of a time that was wrong, and says nothing. */
static void lose(struct stats *stats, enum stats_ring ring, uint32_t time)
{
    uint32_t *lost = &stats->open.lost[ring], now = running_time(stats, ring);
    if (time <= now && (*lost > now || *lost < time))
        *lost = time;
}

/* The place of one entry more, or NULL when this block may make no more of them. */
static void *append(struct stats *stats, enum stats_ring ring, uint32_t time)
{
    const struct stats_ring_place *place = &stats_ring_places[ring];
    uint64_t *end = &stats->open.end[ring];
    if (*end - stats->held_end[ring] >= place->block_max) {
        lose(stats, ring, time);
        return NULL;
    }
    if (*end >= place->keep) {
        uint32_t leaving; /* a span and a cell begin with their time */
        memcpy(&leaving, stats_ring_entry(stats->file, ring, *end - place->keep), sizeof leaving);
        lose(stats, ring, leaving);
    }
    return stats_ring_entry(stats->file, ring, (*end)++);
}

static void close_span(struct stats *stats, enum stats_ring ring, struct stats_span *span, uint32_t time)
{
    uint32_t any = 0;
    for (int i = 0; i < STATS_LEVELS; i++)
        any |= span->count[i];
    struct stats_span *entry = any ? append(stats, ring, span->time) : NULL;
    if (entry) {
        *entry = *span;
        stats_file_put(stats->file, entry, sizeof *entry);
    }
    *span = (struct stats_span){.time = time};
}

static void close_cell(struct stats *stats, enum stats_ring ring, struct stats_cell *cell, uint32_t time)
{
    struct stats_cell *entry = cell->count ? append(stats, ring, cell->time) : NULL;
    if (entry) {
        *entry = *cell;
        stats_file_put(stats->file, entry, sizeof *entry);
    }
    *cell = (struct stats_cell){.time = time, .id = cell->id};
}

/* --- levels --------------------------------------------------------------------------------------------- */

void stats_fold(struct stats *stats)
{
    for (int i = 0; i < STATS_LEVELS; i++) {
        stats->open.total[i] += stats->count[i];
        stats->open.second.count[i] += stats->count[i];
        stats->open.minute.count[i] += stats->count[i];
        stats->count[i] = 0;
    }
}

void stats_next_second(struct stats *stats, int64_t unix_ns)
{
    int64_t second = unix_ns / STATS_SECOND_NS - (unix_ns % STATS_SECOND_NS < 0);
    uint32_t time = second < 0 ? 0 : second > UINT32_MAX ? UINT32_MAX : (uint32_t)second;
    uint32_t minute = time / STATS_MINUTE_SECONDS;
    stats_fold(stats);
    stats->second_ns =
        (int64_t)((uint64_t)second * STATS_SECOND_NS); /* the first there is may begin before 64 bits do */
    if (time != stats->open.second.time)
        close_span(stats, STATS_SECONDS, &stats->open.second, time);
    if (minute != stats->open.minute.time)
        close_span(stats, STATS_MINUTES, &stats->open.minute, minute);
}

/* --- texts ---------------------------------------------------------------------------------------------- */

uint64_t stats_name_hash(struct slice text)
{
    uint64_t hash = UINT64_C(0xcbf29ce484222325); /* FNV-1a */
    for (size_t i = 0; i < text.size; i++)
        hash = (hash ^ (unsigned char)text.data[i]) * UINT64_C(0x100000001b3);
    return hash;
}

/* ASCII without NUL: eight bytes at once, of which none has its high bit or is 0. */
static bool is_plain(struct slice text)
{
    const uint64_t ones = UINT64_C(0x0101010101010101), highs = ones << 7;
    for (; text.size >= sizeof ones; text = slice_from(text.data + sizeof ones, text.size - sizeof ones)) {
        uint64_t word;
        memcpy(&word, text.data, sizeof word);
        if ((word | (word - ones)) & highs)
            return false;
    }
    for (size_t i = 0; i < text.size; i++)
        if ((unsigned char)text.data[i] - 1u >= 0x7f)
            return false;
    return true;
}

/* The text as a reader of the log gets it: U+FFFD for what is no character, and for NUL. Up to `size` bytes;
 * *ret_whole says whether that was all. */
static size_t decode(char *out, size_t size, struct slice text, bool *ret_whole)
{
    size_t used = 0;
    while (text.size > 0) {
        struct utf8_part part = utf8_first_part(text.data, text.size);
        bool good = part.valid && *text.data != '\0';
        struct slice character = good ? slice_from(text.data, part.size) : SLICE("\xef\xbf\xbd");
        if (used + character.size > size)
            break;
        memcpy(out + used, character.data, character.size);
        used += character.size;
        text = slice_from(text.data + part.size, text.size - part.size);
    }
    *ret_whole = text.size == 0;
    return used;
}

/* A name that is too long ends in a hash of all of it, so that two that begin alike stay apart. */
static struct slice name_of(struct slice type, char memory[static STATS_NAME_BYTES_MAX])
{
    static const char digits[] = "0123456789abcdef";
    bool whole;
    if (type.size <= STATS_NAME_BYTES_MAX && is_plain(type))
        return type;
    size_t size = decode(memory, STATS_NAME_BYTES_MAX, type, &whole);
    if (whole)
        return slice_from(memory, size);
    uint64_t hash = stats_name_hash(type);
    size = decode(memory, NAME_CUT_BYTES_MAX, type, &whole);
    memory[size++] = '#';
    for (int shift = 60; shift >= 0; shift -= 4)
        memory[size++] = digits[hash >> shift & 15];
    return slice_from(memory, size);
}

static size_t copy_text(char *out, size_t size, struct slice text)
{
    bool whole;
    if (!is_plain(text))
        return decode(out, size, text, &whole);
    size = text.size < size ? text.size : size;
    if (size)
        memcpy(out, text.data, size);
    return size;
}

/* --- types ---------------------------------------------------------------------------------------------- */

/* The name goes where the copy that holds does not look for it. */
static void set_name(struct stats *stats, uint32_t row, struct slice name)
{
    uint32_t copy = stats->held_name_copy[row] ^ 1;
    struct stats_name *place = &stats->file->at->names[copy][row];
    place->size = (uint32_t)name.size;
    memcpy(place->text, name.data, name.size);
    stats->row[row].name_copy = copy;
    stats_file_put(stats->file, place, sizeof *place);
}

static void set_row(struct stats *stats, uint32_t i, uint64_t hash, struct slice name, uint64_t taken_over)
{
    uint32_t id = stats->open.next_id++;
    stats->row[i] = (struct stats_row){
        .hash = hash, .count = taken_over, .error = taken_over, .id = id, .second.id = id, .minute.id = id};
    set_name(stats, i, name);
}

/* Space-Saving: the rarest type gives way, and its count, which the new one may have had unseen, is the new
 * one's error. */
static uint32_t replace_rarest(struct stats *stats, uint64_t hash, struct slice name)
{
    uint32_t rarest = 0;
    for (uint32_t i = 1; i < STATS_TYPES_MAX; i++)
        if (stats->row[i].count < stats->row[rarest].count)
            rarest = i;
    struct stats_row *row = &stats->row[rarest];
    close_cell(stats, STATS_TYPE_SECONDS, &row->second, 0);
    close_cell(stats, STATS_TYPE_MINUTES, &row->minute, 0);
    set_row(stats, rarest, hash, name, row->count);
    stats->open.replaced++;
    index_rows(stats);
    return rarest;
}

static uint32_t take_row(struct stats *stats, struct slice name)
{
    uint64_t hash = stats_name_hash(name);
    uint16_t *slot = slot_of(stats, hash, name);
    if (*slot)
        return *slot - 1u;
    if (stats->open.row_count == STATS_TYPES_MAX)
        return replace_rarest(stats, hash, name);
    uint32_t i = stats->open.row_count++;
    *slot = (uint16_t)(i + 1);
    set_row(stats, i, hash, name, 0);
    return i;
}

static void count_type(struct stats *stats, struct slice name)
{
    uint32_t second = stats->open.second.time, minute = stats->open.minute.time;
    struct stats_row *row = &stats->row[take_row(stats, name)];
    if (row->second.time != second)
        close_cell(stats, STATS_TYPE_SECONDS, &row->second, second);
    if (row->minute.time != minute)
        close_cell(stats, STATS_TYPE_MINUTES, &row->minute, minute);
    row->count++;
    row->second.count++;
    row->minute.count++;
    stats->rows_changed = true;
}

/* --- the latest errors ---------------------------------------------------------------------------------- */

static struct slice base_name(struct slice path)
{
    size_t skip = path.size;
    while (skip > 0 && path.data[skip - 1] != '/')
        skip--;
    return skip ? slice_from(path.data + skip, path.size - skip) : path;
}

/* Of a block that has more than are kept the latest, in each other's places: `order` tells which came when.
 * So the latest of all are among the last 2 * LL_RECENT_ERRORS_MAX. */
static struct stats_recent *take_recent(struct stats *stats)
{
    uint64_t held = stats->held_end[STATS_RECENT], n = stats->errors_in_block++;
    if (n < STATS_RECENT_BLOCK_MAX)
        stats->open.end[STATS_RECENT] = held + n + 1;
    return stats_ring_entry(stats->file, STATS_RECENT, held + n % STATS_RECENT_BLOCK_MAX);
}

static void keep_recent(struct stats *stats, const struct stats_error *error, struct slice name)
{
    struct stats_recent *r = take_recent(stats);
    r->order = ++stats->open.errors;
    r->time_ns = error->time_ns;
    r->seq = error->seq;
    r->line = error->line;
    r->level = (uint16_t)error->level;
    r->type_size = (uint8_t)name.size;
    if (name.size)
        memcpy(r->type, name.data, name.size);
    r->message_size = (uint16_t)copy_text(r->message, sizeof r->message, error->message);
    r->request_id_size = (uint8_t)copy_text(r->request_id, sizeof r->request_id, error->request_id);
    r->endpoint_size = (uint8_t)copy_text(r->endpoint, sizeof r->endpoint, error->endpoint);
    r->logger_size = (uint8_t)copy_text(r->logger, sizeof r->logger, error->logger);
    r->file_size = (uint8_t)copy_text(r->file, sizeof r->file, base_name(error->file));
    stats_file_put(stats->file, r, sizeof *r);
}

void stats_error(struct stats *stats, const struct stats_error *error)
{
    char memory[STATS_NAME_BYTES_MAX];
    struct slice name = name_of(error->type, memory);
    if (name.size)
        count_type(stats, name);
    keep_recent(stats, error, name);
}

/* --- block by block ------------------------------------------------------------------------------------- */

static void stage_rows(struct stats *stats)
{
    uint32_t copy = stats->held_rows_copy ^ 1;
    size_t size = stats->open.row_count * sizeof stats->row[0];
    memcpy(stats->file->at->rows[copy], stats->row, size);
    stats_file_put(stats->file, stats->file->at->rows[copy], size);
    stats->open.rows_copy = copy;
}

void stats_stage(struct stats *stats, uint64_t next_seq, int64_t last_ns)
{
    struct stats_open *place = &stats->file->at->open[stats->current ^ 1];
    stats_fold(stats);
    if (stats->rows_changed)
        stage_rows(stats);
    stats->open.next_seq = next_seq;
    if (last_ns)
        stats->open.last_ns = last_ns;
    *place = stats->open;
    stats_file_put(stats->file, place, sizeof *place);
}

void stats_commit(struct stats *stats)
{
    stats->current ^= 1;
    hold(stats);
}
