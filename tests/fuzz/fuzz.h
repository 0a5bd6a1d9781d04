/*
 * What a fuzz target and its drivers (libFuzzer, or replay_main.c) agree on.
 *
 * A target is one file, fuzz_NAME.c, that defines fuzz_one() for any bytes, says with fuzz_must() what has to
 * hold, and keeps nothing from one call to the next. Seeds are the files in seeds/NAME/.
 */
#ifndef TESTS_FUZZ_FUZZ_H
#define TESTS_FUZZ_FUZZ_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

/* The name that libFuzzer calls; `data` is exactly `size` bytes, so a read behind it is found by ASan. */
#define fuzz_one LLVMFuzzerTestOneInput

int fuzz_one(const uint8_t *data, size_t size);

/* Not assert(): it holds in release builds too. */
static inline void fuzz_must(bool holds)
{
    if (!holds)
        abort();
}

#endif
