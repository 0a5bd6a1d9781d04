#include "uuid.h"

#include <errno.h>
#include <sys/random.h>
#include <time.h>

void uuid7_make(uint8_t ret_uuid[static UUID_SIZE], int64_t unix_ns, const uint8_t random[static 10])
{
    /* A clock before 1970 has no milliseconds to give; the random bits still keep the value apart from
     * others. */
    uint64_t unix_ms = unix_ns > 0 ? (uint64_t)unix_ns / 1000000 : 0;
    for (int i = 0; i < 6; i++)
        ret_uuid[i] = (uint8_t)(unix_ms >> (40 - 8 * i));
    memcpy(ret_uuid + 6, random, 10);
    ret_uuid[6] = 0x70 | (ret_uuid[6] & 0x0f);
    ret_uuid[8] = 0x80 | (ret_uuid[8] & 0x3f);
}

int uuid7_now(uint8_t ret_uuid[static UUID_SIZE])
{
    uint8_t random[10];
    ssize_t size;
    do {
        size = getrandom(random, sizeof random, 0);
    } while (size < 0 && errno == EINTR);
    if (size != (ssize_t)sizeof random)
        return -1;
    struct timespec now;
    clock_gettime(CLOCK_REALTIME, &now);
    uuid7_make(ret_uuid, (int64_t)now.tv_sec * 1000000000 + now.tv_nsec, random);
    return 0;
}

/* Whether a hyphen stands before the byte at `index`. */
static bool hyphen_before(int index)
{
    return index == 4 || index == 6 || index == 8 || index == 10;
}

void uuid_to_text(char out[static UUID_TEXT_SIZE], const uint8_t uuid[static UUID_SIZE])
{
    static const char hex[] = "0123456789abcdef";
    for (int i = 0; i < UUID_SIZE; i++) {
        if (hyphen_before(i))
            *out++ = '-';
        *out++ = hex[uuid[i] >> 4];
        *out++ = hex[uuid[i] & 15];
    }
}

static int hex_value(char c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    if (c >= 'a' && c <= 'f')
        return c - 'a' + 10;
    return c >= 'A' && c <= 'F' ? c - 'A' + 10 : -1;
}

int uuid_from_text(struct slice text, uint8_t ret_uuid[static UUID_SIZE])
{
    if (text.size != UUID_TEXT_SIZE)
        return -1;
    uint8_t uuid[UUID_SIZE];
    const char *at = text.data;
    for (int i = 0; i < UUID_SIZE; i++, at += 2) {
        if (hyphen_before(i) && *at++ != '-')
            return -1;
        int high = hex_value(at[0]), low = hex_value(at[1]);
        if (high < 0 || low < 0)
            return -1;
        uuid[i] = (uint8_t)(high << 4 | low);
    }
    memcpy(ret_uuid, uuid, UUID_SIZE);
    return 0;
}
