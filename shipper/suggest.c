#include "suggest.h"

#include <limits.h>
#include <stdint.h>

static char lower(char c)
{
    return c >= 'A' && c <= 'Z' ? (char)(c + 32) : c;
}

static int least(int a, int b)
{
    return a < b ? a : b;
}

/* One cell of the optimal string alignment table: `two_up` … are the rows above it. */
static int step(const int *two_up, const int *up, const int *row, struct slice a, struct slice b, size_t i,
                size_t j)
{
    bool equal = lower(a.data[i - 1]) == lower(b.data[j - 1]);
    int cost = least(least(up[j], row[j - 1]) + 1, up[j - 1] + !equal);
    if (i > 1 && j > 1 && lower(a.data[i - 1]) == lower(b.data[j - 2]) &&
        lower(a.data[i - 2]) == lower(b.data[j - 1]))
        cost = least(cost, two_up[j - 2] + 1);
    return cost;
}

int suggest_distance(struct slice a, struct slice b)
{
    if (a.size > SUGGEST_WORD_MAX || b.size > SUGGEST_WORD_MAX)
        return INT_MAX;
    int rows[3][SUGGEST_WORD_MAX + 1];
    for (size_t j = 0; j <= b.size; j++)
        rows[0][j] = (int)j;
    for (size_t i = 1; i <= a.size; i++) {
        int *row = rows[i % 3];
        row[0] = (int)i;
        for (size_t j = 1; j <= b.size; j++)
            row[j] = step(rows[(i + 1) % 3], rows[(i + 2) % 3], row, a, b, i, j);
    }
    return rows[a.size % 3][b.size];
}

void suggest(struct suggestion *suggestion, struct slice found, const char *known)
{
    int distance = suggest_distance(found, slice_of(known));
    /* A third of the letters may be wrong: beyond that a suggestion is a guess that misleads. */
    int limit = found.size < 4 ? 1 : (int)(found.size / 3);
    if (distance > limit || (suggestion->word && distance >= suggestion->distance))
        return;
    *suggestion = (struct suggestion){.word = known, .distance = distance};
}
