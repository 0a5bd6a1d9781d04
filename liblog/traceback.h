/*
 * Call stacks: taken where the program is (also in a signal handler), carried in a frame as addresses with
 * their modules, and named where it is written.
 *
 *   bytes: one entry for each call, innermost first: struct traceback_entry | the module's name
 *
 * Taking walks the unwind tables (libgcc's _Unwind_Backtrace) and locks nothing; naming reads the symbol
 * tables of the modules' files, so it belongs to the writer thread. Whoever finishes a dead process's ring
 * has neither its memory nor a reason to believe its paths: there an entry stays offset and module.
 */
#ifndef LIBLOG_TRACEBACK_H
#define LIBLOG_TRACEBACK_H

#include "liblog/base/slice.h"

#include <stdbool.h>
#include <stdint.h>

enum {
    TRACEBACK_ENTRIES_MAX = 48,
    TRACEBACK_NAME_BYTES_MAX = 60, /* of a module; longer is cut */
    TRACEBACK_TEXT_SIZE = 256,     /* of an entry as text, NUL included */
};

struct traceback_entry {
    uint64_t address; /* within the call */
    uint64_t offset;  /* the same in the module's file; 0: no module is known */
    uint32_t name_size;
} __attribute__((packed));

enum {
    TRACEBACK_BYTES_MAX = TRACEBACK_ENTRIES_MAX * (sizeof(struct traceback_entry) + TRACEBACK_NAME_BYTES_MAX)
};

struct traceback {
    uint32_t size; /* grows entry by entry, so what was taken before a fault stays */
    uint32_t count;
    char bytes[TRACEBACK_BYTES_MAX];
};

/* The stack of the caller, without the innermost `skip` functions. */
void traceback_take(struct traceback *ret_traceback, unsigned skip);

/* The stack that a signal interrupted; `context` is the handler's third argument. */
void traceback_take_interrupted(struct traceback *ret_traceback, const void *context);

/* The first entry of `bytes`, which moves on behind it. False at the end, and where the bytes cannot be
 * believed. */
bool traceback_next(struct slice *bytes, struct traceback_entry *ret_entry, struct slice *ret_name);

/* "function+0x1f (module)", or "0x1139 (module)" where the function is not known. With `is_own` the addresses
 * are this process's, and names are looked for; one thread at a time. Returns the length. */
size_t traceback_text(char ret_text[static TRACEBACK_TEXT_SIZE], const struct traceback_entry *entry,
                      struct slice name, bool is_own);

#endif
