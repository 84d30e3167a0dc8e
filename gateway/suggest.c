/* suggest.c: the edit distance of two short words, and the nearest of a list. */
#include "suggest.h"

#include <string.h>

#define LONGEST 40u

/* Insertions, deletions and changes that make b of a; both at most LONGEST letters. */
static unsigned distance(const char *a, size_t a_len, const char *b, size_t b_len)
{
    unsigned row[LONGEST + 1];

    for (size_t k = 0; k <= b_len; k++) {
        row[k] = (unsigned)k;
    }
    for (size_t i = 1; i <= a_len; i++) {
        unsigned diagonal = row[0];
        row[0] = (unsigned)i;
        for (size_t k = 1; k <= b_len; k++) {
            unsigned change = diagonal + (a[i - 1] != b[k - 1]);
            unsigned either = (row[k] < row[k - 1] ? row[k] : row[k - 1]) + 1;
            diagonal = row[k];
            row[k] = change < either ? change : either;
        }
    }
    return row[b_len];
}

const char *gw_suggest(const char *word, const char *const *names, size_t num)
{
    size_t len = strlen(word);
    const char *best = NULL;
    unsigned best_distance = len / 3 + 1 < 4 ? (unsigned)(len / 3 + 1) : 4;

    for (size_t i = 0; len > 0 && len <= LONGEST && i < num; i++) {
        size_t n = strlen(names[i]);
        unsigned far = n <= LONGEST ? distance(word, len, names[i], n) : best_distance;
        if (far < best_distance) {
            best = names[i];
            best_distance = far;
        }
    }
    return best;
}
