/* The way that needs nothing of the machine: a table look-up for each byte. */
#include "scan_mask.h"

enum byte_class {
    CLASS_OTHER,
    CLASS_QUOTE,
    CLASS_BACKSLASH,
    CLASS_BLANK,
    CLASS_SPACE_CONTROL,
    CLASS_OPEN,
    CLASS_CLOSE,
    CLASS_COLON,
    CLASS_COMMA,
    CLASS_CONTROL,
    CLASS_DIGIT,
    CLASS_ZERO,
    CLASS_HIGH,
    CLASS_COUNT
};

/* clang-format off */
static const uint8_t class_of[256] = {
    [0x00 ... 0x08] = CLASS_CONTROL, ['\t'] = CLASS_SPACE_CONTROL, ['\n'] = CLASS_SPACE_CONTROL,
    [0x0B ... 0x0C] = CLASS_CONTROL, ['\r'] = CLASS_SPACE_CONTROL, [0x0E ... 0x1F] = CLASS_CONTROL,
    [' '] = CLASS_BLANK, ['"'] = CLASS_QUOTE, ['\\'] = CLASS_BACKSLASH, [':'] = CLASS_COLON, [','] = CLASS_COMMA,
    ['{'] = CLASS_OPEN, ['['] = CLASS_OPEN, ['}'] = CLASS_CLOSE, [']'] = CLASS_CLOSE,
    ['0'] = CLASS_ZERO, ['1' ... '9'] = CLASS_DIGIT, [0x80 ... 0xFF] = CLASS_HIGH,
};
/* clang-format on */

static void mask_block(const char *data, struct scan_mask *ret_mask)
{
    uint64_t of[CLASS_COUNT] = {0};
    for (int i = 0; i < SCAN_BLOCK_SIZE; i++)
        of[class_of[(uint8_t)data[i]]] |= UINT64_C(1) << i;
    *ret_mask = (struct scan_mask){
        .quote = of[CLASS_QUOTE],
        .backslash = of[CLASS_BACKSLASH],
        .space = of[CLASS_BLANK] | of[CLASS_SPACE_CONTROL],
        .open = of[CLASS_OPEN],
        .close = of[CLASS_CLOSE],
        .colon = of[CLASS_COLON],
        .comma = of[CLASS_COMMA],
        .control = of[CLASS_CONTROL] | of[CLASS_SPACE_CONTROL],
        .digit = of[CLASS_DIGIT] | of[CLASS_ZERO],
        .zero = of[CLASS_ZERO],
        .high = of[CLASS_HIGH],
    };
}

void scan_mask_plain(const char *data, size_t count, struct scan_mask *ret_masks)
{
    for (size_t i = 0; i < count; i++)
        mask_block(data + i * SCAN_BLOCK_SIZE, &ret_masks[i]);
}
