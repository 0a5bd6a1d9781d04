/*
 * Names of functions, from the symbol tables of the files that this process has loaded. Files are mapped as
 * long as one look takes; what was found is remembered. One thread at a time; not in a signal handler.
 */
#ifndef LIBLOG_SYMBOLS_H
#define LIBLOG_SYMBOLS_H

#include <stdbool.h>
#include <stdint.h>

enum { SYMBOL_NAME_SIZE = 128 }; /* longer names are cut */

struct symbol {
    char name[SYMBOL_NAME_SIZE];
    uint64_t distance; /* of the address from the function's beginning */
};

/* The function that holds `address`, which is at `offset` in its module. False when the module is there no
 * longer, or has no name for it. */
bool symbols_find(uintptr_t address, uint64_t offset, struct symbol *ret_symbol);

#endif
