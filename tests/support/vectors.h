/* vectors.h: reads test vectors: lines of hex fields, and "Name = hex" files. Tests only. */
#ifndef VECTORS_H
#define VECTORS_H

#include <hb/span.h>
#include <stdio.h>

#define VECTOR_FIELDS 8u

struct vector {
    char result; /* v, i, a */
    struct hb_span field[VECTOR_FIELDS];
    unsigned num;
    char id[16];
};

/* Opens fixtures/vectors/NAME (environment FIXTURES); ends the process if it is not there. */
FILE *vectors_open(const char *name);
/* The next case; spans are good until the next call. */
bool vectors_next(FILE *f, struct vector *v);
/* The value of "name = hex" in [section] of a .vec file; ends the process if it is not there. The memory
 * stays to the end of the process. */
struct hb_span vec_value(const char *file, const char *section, const char *name);

/* len bytes that stay to the end of the process; ends it if there are no more. */
uint8_t *vectors_memory(size_t len);

#endif
