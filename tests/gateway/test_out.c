/* out.c: pieces come out in order, whatever is copied and whatever is only pointed at. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>
#include "out.h"
#include "testenv.h"

static void order_is_kept(void **state)
{
    (void)state;
    static uint8_t stable[200000];
    static uint8_t other[5000];
    static uint8_t want[400000];
    static uint8_t got[400000];
    struct gw_out *o = calloc(1, sizeof *o);
    struct testenv t;
    assert_non_null(o);
    testenv_init(&t, 3);
    t.env.random(t.env.ctx, sizeof stable, stable);
    o->stable = hb_span(stable, sizeof stable);
    for (int round = 0; round < 300; round++) {
        size_t want_len = 0;
        for (;;) {
            bool in_stable = testenv_below(&t, 2) == 0;
            size_t len = testenv_below(&t, in_stable ? 9000 : 3000);
            uint8_t *from = in_stable ? stable + testenv_below(&t, 190000) : other;
            if (!in_stable) {
                t.env.random(t.env.ctx, len, other);
            }
            size_t taken = gw_out_put(o, hb_span(from, len));
            assert_true(taken <= len);
            memcpy(want + want_len, from, taken);
            want_len += taken;
            memset(other, 0, sizeof other); /* what was copied is ours by now */
            if (taken < len || want_len > 300000) {
                break;
            }
        }
        size_t got_len = 0;
        for (unsigned i = 0; i < o->num; i++) {
            memcpy(got + got_len, o->pieces[i].p, o->pieces[i].len);
            got_len += o->pieces[i].len;
        }
        assert_int_equal(got_len, want_len);
        assert_int_equal(o->total, want_len);
        assert_memory_equal(got, want, want_len);
        gw_out_reset(o);
    }
    free(o);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(order_is_kept)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
