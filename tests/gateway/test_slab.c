/* slab.c: blocks are zeroed, apart from each other, and used again. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>
#include "slab.h"

static void blocks(void **state)
{
    (void)state;
    static unsigned char *all[500];
    for (int round = 0; round < 3; round++) {
        for (size_t i = 0; i < 500; i++) {
            size_t len = 1 + i * 5;
            all[i] = gw_slab_alloc(len);
            assert_non_null(all[i]);
            for (size_t k = 0; k < len; k++) {
                assert_int_equal(all[i][k], 0);
            }
            memset(all[i], (int)(i % 255 + 1), len);
        }
        for (size_t i = 0; i < 500; i++) { /* nobody wrote into a neighbour */
            assert_int_equal(all[i][0], i % 255 + 1);
            assert_int_equal(all[i][i * 5], i % 255 + 1);
            gw_slab_free(all[i], 1 + i * 5);
        }
    }
    gw_slab_free(NULL, 10);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(blocks)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
