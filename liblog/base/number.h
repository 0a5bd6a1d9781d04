/*
 * Numbers to text and back, the same in every locale. Nothing here allocates or takes a lock; all of it may
 * run in a signal handler.
 */
#ifndef LIBLOG_BASE_NUMBER_H
#define LIBLOG_BASE_NUMBER_H

#include "slice.h"

#include <stdint.h>

enum {
    NUMBER_U64_CHARS_MAX = 20,
    NUMBER_I64_CHARS_MAX = 20,
    NUMBER_DOUBLE_CHARS_MAX = 32,
};

/* Each writes decimal digits at `out` and returns the position after the last; no NUL is written. */
char *number_from_u64(char *out, uint64_t value);
char *number_from_i64(char *out, int64_t value);

/*
 * The shortest decimal that reads back as the same value, as a JSON number that also keeps its
 * type: 12.5, 3.0, 1e+21, -0.0. NaN and infinities, which JSON does not have, become `null`.
 */
char *number_from_double(char *out, double value);
char *number_from_float(char *out, float value);

/* Whole unsigned decimal: 0 and the value, or -1 when it is empty, has another character, or is too large. */
int number_to_u64(struct slice text, uint64_t *ret_value);
int number_to_i64(struct slice text, int64_t *ret_value);

/*
 * A size with an optional unit: 512, 64KiB, 5MB, 1GiB (K M G T: decimal as KB, MB, GB, TB; KiB … binary), in
 * upper or lower case. -1 as above.
 */
int number_to_size_bytes(struct slice text, uint64_t *ret_bytes);

/*
 * A span of time: 250ms, 1s, 10m, 2h, 30d, or several of them, longest first (1h30m). d h m s ms us ns; only
 * 0 needs none. Nanoseconds; -1 as above.
 */
int number_to_duration_ns(struct slice text, int64_t *ret_ns);

#endif
