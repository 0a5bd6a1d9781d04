/*
 * Sixty-four bytes at a time, sorted by what they are to JSON: bit i of a mask speaks of byte i. Each
 * instruction set has a function of its own; all give the same answers.
 */
#ifndef SHIPPER_SCAN_MASK_H
#define SHIPPER_SCAN_MASK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

enum { SCAN_BLOCK_SIZE = 64 };

struct scan_mask {
    uint64_t quote;
    uint64_t backslash;
    uint64_t space; /* white space as JSON has it: blank, tab, CR, LF */
    uint64_t open;  /* { [ */
    uint64_t close; /* } ] */
    uint64_t colon;
    uint64_t comma;
    uint64_t control; /* below 0x20: tab, CR and LF too */
    uint64_t digit;
    uint64_t zero; /* the digit 0 */
    uint64_t high; /* 0x80 and above */
};

/* Fills `count` masks from count * SCAN_BLOCK_SIZE bytes, which need no alignment. */
typedef void scan_mask_function(const char *data, size_t count, struct scan_mask *ret_masks);

scan_mask_function scan_mask_plain;
#if defined(__x86_64__)
scan_mask_function scan_mask_avx512;
scan_mask_function scan_mask_avx2;
scan_mask_function scan_mask_sse2;
#elif defined(__aarch64__)
scan_mask_function scan_mask_neon;
#endif

/*
 * memset() to 0 by the C library. Given a size that it knows, the compiler writes `rep stos` here, whose
 * start alone takes as long as checking a block.
 */
static inline void scan_clear(void *memory, size_t size)
{
    __asm__("" : "+r"(size));
    memset(memory, 0, size);
}

#endif
