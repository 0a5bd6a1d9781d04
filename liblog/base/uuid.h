/* UUIDs as RFC 9562 has them. */
#ifndef LIBLOG_BASE_UUID_H
#define LIBLOG_BASE_UUID_H

#include "slice.h"

#include <stdint.h>

enum { UUID_SIZE = 16, UUID_TEXT_SIZE = 36 };

/* Version 7: milliseconds since 1970, then 74 random bits taken from `random`. Pure; time and chance come in.
 */
void uuid7_make(uint8_t ret_uuid[static UUID_SIZE], int64_t unix_ns, const uint8_t random[static 10]);

/* Version 7 from the system's clock and random source. 0, or -1 when the kernel gives no random bytes. */
int uuid7_now(uint8_t ret_uuid[static UUID_SIZE]);

/* Lower-case hex with hyphens, exactly UUID_TEXT_SIZE bytes, no NUL. */
void uuid_to_text(char out[static UUID_TEXT_SIZE], const uint8_t uuid[static UUID_SIZE]);

/* 0, or -1 when it is not a UUID. */
int uuid_from_text(struct slice text, uint8_t ret_uuid[static UUID_SIZE]);

#endif
