#include "frame.h"

#include "scan_way.h"

static const struct slice byte_order_mark = {"\xEF\xBB\xBF", 3};

static size_t find_from(struct slice piece, size_t from, int byte)
{
    const char *found = from < piece.size ? memchr(piece.data + from, byte, piece.size - from) : NULL;
    return found ? (size_t)(found - piece.data) : piece.size;
}

void framer_init(struct framer *framer, uint64_t offset, uint64_t line_max)
{
    framer->offset = offset;
    framer->line_max = line_max;
    framer->skipping = false;
    framer->map_blocks = scan_way_best()->map;
    framer_feed(framer, (struct slice){0});
}

void framer_feed(struct framer *framer, struct slice piece)
{
    framer->piece = piece;
    framer->at = 0;
    framer->nul_from = SIZE_MAX;
    framer->map.data = piece.data;
    framer->map.size = 0;
    framer->ends.count = framer->next = 0;
}

static struct slice rest_of(const struct framer *framer)
{
    if (framer->at == framer->piece.size)
        return (struct slice){0};
    return slice_from(framer->piece.data + framer->at, framer->piece.size - framer->at);
}

/* A frame of what lies before index `end`, which becomes the place to go on from. */
static inline struct frame consume(struct framer *framer, enum frame_kind kind, struct slice line, size_t end)
{
    struct frame frame = {.kind = kind, .line = line, .offset = framer->offset, .size = end - framer->at};
    framer->offset += frame.size;
    framer->at = end;
    return frame;
}

static struct frame nothing_left(const struct framer *framer)
{
    return (struct frame){.kind = FRAME_END, .offset = framer->offset};
}

static bool is_blank_byte(char c)
{
    return c == ' ' || c == '\t' || c == '\r';
}

static bool is_blank(struct slice line)
{
    for (size_t i = 0; i < line.size; i++)
        if (!is_blank_byte(line.data[i]))
            return false;
    return true;
}

static struct slice without_mark(struct slice line, uint64_t offset)
{
    if (offset != 0 || !slice_starts_with(line, byte_order_mark))
        return line;
    return slice_from(line.data + byte_order_mark.size, line.size - byte_order_mark.size);
}

static struct slice head_of(struct slice line)
{
    return slice_from(line.data, line.size < FRAME_HEAD_KEPT_MAX ? line.size : FRAME_HEAD_KEPT_MAX);
}

/* The line from here to index `end`; the next one begins at `next`. */
static struct frame take_line(struct framer *framer, size_t end, size_t next)
{
    struct slice line = slice_from(framer->piece.data + framer->at, end - framer->at);
    line = without_mark(line, framer->offset);
    if (line.size > framer->line_max)
        return consume(framer, FRAME_TOO_LONG, head_of(line), next);
    if (is_blank(line))
        return consume(framer, FRAME_BLANK, line, next);
    return consume(framer, FRAME_LINE, line, next);
}

/* A hole of a sparse file may have gigabytes, so zeros are passed over in steps. */
static size_t nul_run_end(struct slice piece, size_t from)
{
    static const char zeros[4096];
    while (piece.size - from >= sizeof(zeros) && memcmp(piece.data + from, zeros, sizeof(zeros)) == 0)
        from += sizeof(zeros);
    while (from < piece.size && piece.data[from] == '\0')
        from++;
    return from;
}

/* The run of NULs that begins here, and a newline right behind it. */
static struct frame take_nuls(struct framer *framer)
{
    struct slice piece = framer->piece;
    size_t end = nul_run_end(piece, framer->at);
    size_t next = end < piece.size && piece.data[end] == '\n' ? end + 1 : end;
    return consume(framer, FRAME_BLANK, slice_from(piece.data + framer->at, end - framer->at), next);
}

/* Nothing ends the line here. Above the limit its head is kept and the rest passed over; otherwise it waits.
 */
static struct frame take_unended(struct framer *framer)
{
    struct slice line = without_mark(rest_of(framer), framer->offset);
    if (line.size <= framer->line_max)
        return (struct frame){.kind = FRAME_PARTIAL,
                              .line = rest_of(framer),
                              .offset = framer->offset,
                              .size = rest_of(framer).size};
    struct slice head = head_of(line);
    framer->skipping = true;
    framer->skip_offset = framer->offset;
    framer->head_size = (uint32_t)head.size;
    memcpy(framer->head, head.data, head.size);
    consume(framer, FRAME_END, head, framer->piece.size);
    return nothing_left(framer);
}

static struct frame end_skipping(struct framer *framer)
{
    framer->skipping = false;
    return (struct frame){.kind = FRAME_TOO_LONG,
                          .line = slice_from(framer->head, framer->head_size),
                          .offset = framer->skip_offset,
                          .size = framer->offset - framer->skip_offset};
}

/* ---- where the line that goes on here ends ---- */

static size_t map_begin(const struct framer *framer)
{
    return (size_t)(framer->map.data - framer->piece.data);
}

static bool ends_are_left(const struct framer *framer)
{
    return framer->next < framer->ends.count;
}

/* Maps `size` bytes of what follows at most. Whether a line ends there. */
static bool map_next(struct framer *framer, size_t size)
{
    struct slice rest = rest_of(framer);
    line_map_make(&framer->map, slice_from(rest.data, rest.size < size ? rest.size : size),
                  framer->map_blocks);
    line_map_find_lines(&framer->map, &framer->ends);
    framer->next = 0;
    return ends_are_left(framer);
}

/* Whether a line is known to end near, here or behind. What follows is mapped, unless none was found there
 * before. */
static bool look_ahead(struct framer *framer)
{
    if (ends_are_left(framer))
        return true;
    bool in_vain = framer->ends.count == 0 && framer->at < map_begin(framer) + framer->map.size;
    return !in_vain && (map_next(framer, LINE_MAP_BYTES_USUAL) || map_next(framer, LINE_MAP_BYTES_MAX));
}

static void pass_over_ends(struct framer *framer)
{
    while (ends_are_left(framer) && framer_line_end(framer) < framer->at)
        framer->next++;
}

/* The first NUL from here on. It is not looked for where the map says that there is none. */
static size_t find_nul(struct framer *framer)
{
    if (framer->at < framer->nul_from || framer->at > framer->nul_at) {
        framer->nul_from = framer->at;
        framer->nul_at = find_from(framer->piece, framer->at, '\0');
    }
    return framer->nul_at;
}

/* The index of the newline or NUL that ends the line which goes on here; the piece's size when there is none.
 */
static size_t find_end(struct framer *framer)
{
    size_t nul_at = find_nul(framer);
    if (!ends_are_left(framer))
        return find_from(slice_from(framer->piece.data, nul_at), framer->at, '\n');
    return framer_line_end(framer) < nul_at ? framer_line_end(framer) : nul_at;
}

static struct frame take_any(struct framer *framer)
{
    size_t size = framer->piece.size, end = find_end(framer);
    bool at_nul = end < size && end == framer->nul_at;
    size_t next = end < size && !at_nul ? end + 1 : end;
    if (framer->skipping) {
        consume(framer, FRAME_TOO_LONG, (struct slice){0}, next);
        return end < size ? end_skipping(framer) : nothing_left(framer);
    }
    if (end == size)
        return take_unended(framer);
    if (end == framer->at && at_nul)
        return take_nuls(framer);
    return take_line(framer, end, next);
}

struct frame framer_next(struct framer *framer)
{
    if (framer->at == framer->piece.size)
        return nothing_left(framer);
    if (!look_ahead(framer))
        return take_any(framer);
    struct frame frame;
    bool odd = framer_line_is_odd(framer);
    if (framer_take_usual_line(framer, &frame))
        return frame;
    frame = take_any(framer);
    if (frame.kind == FRAME_LINE) {
        frame.map = &framer->map;
        frame.odd = odd;
    }
    pass_over_ends(framer);
    return frame;
}

struct frame framer_last(struct framer *framer)
{
    if (framer->skipping)
        return end_skipping(framer);
    if (framer->at == framer->piece.size)
        return nothing_left(framer);
    return take_line(framer, framer->piece.size, framer->piece.size);
}
