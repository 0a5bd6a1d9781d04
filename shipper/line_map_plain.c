/* Byte by byte, for machines that have nothing better. */
#include "line_map.h"

enum { IS_STOP = 1, IS_NEWLINE = 2, IS_ODD = 4 };

/* clang-format off */
static const uint8_t kinds[256] = {
    [0 ... '\n' - 1] = IS_STOP | IS_ODD, ['\n'] = IS_STOP | IS_NEWLINE, ['\n' + 1 ... 0x1F] = IS_STOP | IS_ODD,
    ['"'] = IS_STOP, ['\\'] = IS_STOP, [0x80 ... 0xFF] = IS_ODD,
};
/* clang-format on */

uint64_t line_map_plain(const char *data, size_t count, uint64_t *ret_stop, uint64_t *ret_newline,
                        uint64_t *ret_odd)
{
    uint64_t any_odd = 0;
    for (size_t i = 0; i < count; i++, data += SCAN_BLOCK_SIZE) {
        uint64_t stop = 0, newline = 0, odd = 0;
        for (unsigned at = 0; at < SCAN_BLOCK_SIZE; at++) {
            uint64_t kind = kinds[(uint8_t)data[at]];
            stop |= (kind & IS_STOP) << at;
            newline |= (kind >> 1 & 1) << at;
            odd |= (kind >> 2) << at;
        }
        ret_stop[i] = htole64(stop);
        ret_newline[i] = newline;
        ret_odd[i] = odd;
        any_odd |= odd;
    }
    return any_odd;
}
