/*
 * The grammar of RFC 8259 over whole blocks of 64 bytes, without a loop over tokens: each rule of the form
 * "what follows a colon is a value" becomes a few operations on 64-bit masks, and only brackets are looked at
 * one by one. It reports where the members of the outermost object lie; deeper ones are checked and passed
 * over.
 *
 * Sequence: grammar_init; grammar_step until it has said GRAMMAR_DONE or GRAMMAR_BAD….
 */
#ifndef SHIPPER_SCAN_GRAMMAR_H
#define SHIPPER_SCAN_GRAMMAR_H

#include "scan_mask.h"

#include "liblog/base/slice.h"

enum grammar_result { GRAMMAR_MORE, GRAMMAR_DONE, GRAMMAR_BAD, GRAMMAR_BAD_DEEP };

enum { GRAMMAR_STEP_BLOCKS = 8, GRAMMAR_MARKS_MAX = GRAMMAR_STEP_BLOCKS * SCAN_BLOCK_SIZE };

/* What one block must know of those before it. Bits that carry over are in bit 0. */
struct grammar_carry {
    uint64_t escaped;    /* the first byte is escaped by a backslash */
    uint64_t inside;     /* all ones: a string goes on here */
    uint64_t inside_key; /* it is a key */
    uint64_t scalar;     /* a number, or a literal name, goes on here (when it is no string) */
    uint64_t want_value; /* the next byte but white space is to begin a value … */
    uint64_t want_key;   /* … a key … */
    uint64_t want_colon; /* … a colon … */
    uint64_t want_next;  /* … or a comma or closing bracket */
    uint64_t high;       /* not zero: some byte so far was not ASCII */
    uint64_t backslash;  /* not zero: some byte so far was a backslash */
};

struct grammar {
    struct slice text;
    size_t begin; /* of the first byte that is no white space */
    size_t at;    /* bytes checked; a multiple of the block size but at the end */
    scan_mask_function *mask;
    bool is_object; /* the text begins with { : marks are reported */
    unsigned depth;
    uint64_t nest[2]; /* the kinds of the open brackets, the innermost in bit 0 of nest[0]; 1: [ */
    struct grammar_carry carry;
};

/*
 * Where the outermost object's colons, commas and end lie, in order: colon, comma, colon, … , closing
 * bracket. An empty object has its closing bracket only.
 */
struct grammar_marks {
    size_t count;
    uint32_t at[GRAMMAR_MARKS_MAX];
};

/* `text` is at most UINT32_MAX bytes, and SCAN_BLOCK_SIZE bytes behind it are readable. */
void grammar_init(struct grammar *grammar, struct slice text, scan_mask_function *mask);

/*
 * Checks up to GRAMMAR_STEP_BLOCKS blocks more and sets ret_marks to what they hold. What was reported is
 * sure to be right as far as it goes: a member that lies before a mistake is a member.
 */
typedef enum grammar_result grammar_step_function(struct grammar *grammar, struct grammar_marks *ret_marks);

grammar_step_function grammar_step;
#if defined(__x86_64__)
grammar_step_function grammar_step_bmi; /* the same with BMI and BMI2, which make light of masks */
#endif

#endif
