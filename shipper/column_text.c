#include "column_text.h"

#include "hash.h"
#include "liblog/base/utf8.h"

enum {
    HASH_CHARS = 1 + 16, /* # and the hash in hex */
    CUT_BYTES_MAX = COLUMN_TEXT_BYTES_MAX - HASH_CHARS,
    /* Never fewer bytes leave the cleaning than enter it, so this much of a text shows whether it is too
       long. */
    DECODED_BYTES_MAX = 2 * COLUMN_TEXT_BYTES_MAX,
};

static struct slice first_character(struct slice text, size_t *ret_taken)
{
    struct utf8_part part = utf8_first_part(text.data, text.size);
    *ret_taken = part.size;
    return part.valid && text.data[0] != '\0' ? slice_from(text.data, part.size) : SLICE("\xef\xbf\xbd");
}

/* The hash is of the text as the line spells it: the whole of it need not be decoded for that. */
static struct slice finish_cut(char *memory, size_t size, const struct value *value)
{
    static const char digits[] = "0123456789abcdef";
    uint64_t hash = hash_text(0, slice_from(value->data, value->size));
    char *out = memory + size;
    *out++ = '#';
    for (int shift = 60; shift >= 0; shift -= 4)
        *out++ = digits[hash >> shift & 0xf];
    return slice_from(memory, (size_t)(out - memory));
}

struct slice column_text_make(const struct value *value, char memory[static COLUMN_TEXT_BYTES_MAX])
{
    char decoded[DECODED_BYTES_MAX];
    struct slice left = value_text(value, decoded, sizeof(decoded));
    size_t size = 0;
    size_t cut_size = 0;
    while (left.size) {
        size_t taken;
        struct slice character = first_character(left, &taken);
        if (size + character.size > COLUMN_TEXT_BYTES_MAX)
            return finish_cut(memory, cut_size, value);
        memcpy(memory + size, character.data, character.size);
        size += character.size;
        if (size <= CUT_BYTES_MAX)
            cut_size = size;
        left = slice_from(left.data + taken, left.size - taken);
    }
    return slice_from(memory, size);
}
