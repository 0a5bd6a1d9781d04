/* "Did you mean …?": the known word nearest to one that is not known. */
#ifndef SHIPPER_SUGGEST_H
#define SHIPPER_SUGGEST_H

#include "liblog/base/slice.h"

enum { SUGGEST_WORD_MAX = 64 }; /* longer words have no neighbour */

/* The search so far; begins as zeros. Words are borrowed. */
struct suggestion {
    const char *word; /* NULL: none is near enough */
    int distance;
};

/* Considers one known word for what was found; of equally near ones the first stays. */
void suggest(struct suggestion *suggestion, struct slice found, const char *known);

/* How many single letters have to be put in, left out, changed or swapped with a neighbour; letter case is
 * ignored. */
int suggest_distance(struct slice a, struct slice b);

#endif
