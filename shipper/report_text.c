#include "report_text.h"

#include "liblog/base/bytes.h"
#include "liblog/base/json.h"
#include "liblog/base/number.h"
#include "liblog/base/time_text.h"
#include "liblog/base/utf8.h"

static struct slice rest(struct slice text, size_t taken)
{
    return slice_from(text.data + taken, text.size - taken);
}

/* --- terminal --- */

static unsigned decode(struct slice character)
{
    const unsigned char *s = (const unsigned char *)character.data;
    if (character.size == 1)
        return s[0];
    unsigned code = s[0] & (0x7fu >> character.size);
    for (size_t i = 1; i < character.size; i++)
        code = code << 6 | (s[i] & 0x3fu);
    return code;
}

static bool is_steering(unsigned code)
{
    return code < 0x20 || (code >= 0x7f && code < 0xa0) || (code >= 0x200b && code <= 0x200f) ||
           (code >= 0x2028 && code <= 0x202e) || (code >= 0x2060 && code <= 0x2069) || code == 0xfeff;
}

/* Whether the part at the front may go out as it is. */
static bool may_show(struct slice text, size_t *ret_size)
{
    struct utf8_part part = utf8_first_part(text.data, text.size);
    *ret_size = part.size;
    return part.valid && !is_steering(decode(slice_from(text.data, part.size)));
}

void text_terminal(struct slice text, FILE *out)
{
    for (size_t size; text.size; text = rest(text, size)) {
        if (may_show(text, &size)) {
            fwrite(text.data, 1, size, out);
            continue;
        }
        for (size_t i = 0; i < size; i++)
            fprintf(out, "\\x%02x", (unsigned char)text.data[i]);
    }
}

size_t text_terminal_width(struct slice text)
{
    size_t width = 0;
    for (size_t size; text.size; text = rest(text, size))
        width += may_show(text, &size) ? 1 : 4 * size;
    return width;
}

/* --- files --- */

void text_json(struct slice text, FILE *out)
{
    enum { STEP = 64 };
    char escaped[STEP * JSON_ESCAPE_GROWTH_MAX];
    fputc('"', out);
    while (text.size) {
        size_t size = text.size <= STEP ? text.size : utf8_cut(text, STEP);
        if (size == 0)
            size = STEP;
        char *end = json_escape(escaped, slice_from(text.data, size));
        fwrite(escaped, 1, (size_t)(end - escaped), out);
        text = rest(text, size);
    }
    fputc('"', out);
}

void text_json_double(double value, FILE *out)
{
    char digits[NUMBER_DOUBLE_CHARS_MAX];
    char *end = number_from_double(digits, value);
    fwrite(digits, 1, (size_t)(end - digits), out);
}

void text_csv(struct slice text, FILE *out)
{
    fputc('"', out);
    if (text.size && strchr("=+-@\t\r\n", text.data[0]))
        fputc('\'', out);
    for (size_t i = 0; i < text.size; i++) {
        if (text.data[i] == '"')
            fputc('"', out);
        fputc(text.data[i], out);
    }
    fputc('"', out);
}

static void put_entity(char c, FILE *out)
{
    if ((unsigned char)c < 0x20 || c == 0x7f)
        fprintf(out, "\\x%02x", (unsigned char)c);
    else if (strchr("&<>\"'`", c))
        fprintf(out, "&#%d;", c);
    else
        fputc(c, out);
}

void text_html(struct slice text, FILE *out)
{
    for (size_t i = 0; i < text.size; i++)
        put_entity(text.data[i], out);
}

/* Entities also for what Markdown would take as its own, since a backslash means nothing inside a link or a
 * table. */
void text_markdown(struct slice text, FILE *out)
{
    for (size_t i = 0; i < text.size; i++) {
        char c = text.data[i];
        if (c && strchr("|*_[]()#!\\~:@", c))
            fprintf(out, "&#%d;", c);
        else
            put_entity(c, out);
    }
}

/* --- times and numbers --- */

void text_time_s(int64_t unix_s, FILE *out)
{
    char text[TIME_TEXT_SIZE];
    time_to_text(text, unix_s * INT64_C(1000000000));
    fprintf(out, "%.19sZ", text);
}

void text_time_ns(int64_t unix_ns, FILE *out)
{
    char text[TIME_TEXT_SIZE];
    time_to_text(text, unix_ns);
    fwrite(text, 1, sizeof(text), out);
}

int text_number(uint64_t value, FILE *out)
{
    char digits[NUMBER_U64_CHARS_MAX];
    int size = (int)(number_from_u64(digits, value) - digits);
    for (int i = 0; out && i < size; i++) {
        if (i && (size - i) % 3 == 0)
            fputc(',', out);
        fputc(digits[i], out);
    }
    return size + (size - 1) / 3;
}
