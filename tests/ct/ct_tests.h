/* ct_tests.h: the tests of ct.c, in groups. */
#ifndef CT_TESTS_H
#define CT_TESTS_H

#include <stdbool.h>
#include <stddef.h>

struct ct_group {
    const char *name;
    bool reported; /* memcheck must say something in each of these */
    size_t (*num)(void);
    /* Runs test i and writes its name. */
    void (*run)(size_t i, char *name, size_t cap);
};

extern const struct ct_group ct_groups[];
extern const size_t ct_num_groups;

#endif
