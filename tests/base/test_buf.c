/* buf.c: a queue compared with a plain array over thousands of random steps, its maximum, and memory that is
 * gone when it is empty. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <hb/buf.h>
#include "testenv.h"

static void behaves_as_a_queue(void **state)
{
    (void)state;
    struct testenv t;
    struct hb_buf b;
    uint8_t in[700];
    uint64_t added = 0;
    uint64_t dropped = 0;
    testenv_init(&t, 7);
    hb_buf_init(&b, 4000);
    for (int step = 0; step < 20000; step++) {
        size_t n = testenv_below(&t, sizeof in);
        if (testenv_below(&t, 2) == 0) {
            for (size_t i = 0; i < n; i++) {
                in[i] = (uint8_t)((added + i) * 31);
            }
            enum hb_code code = hb_buf_add(&b, &t.env, hb_span(in, n));
            assert_int_equal(code, n > 4000 - (added - dropped) ? HB_E_OVERFLOW : HB_OK);
            added += code == HB_OK ? n : 0;
        } else {
            n = n < hb_buf_len(&b) ? n : hb_buf_len(&b);
            hb_buf_drop(&b, &t.env, n);
            dropped += n;
        }
        struct hb_span s = hb_buf_span(&b);
        assert_int_equal(s.len, added - dropped);
        for (size_t i = 0; i < s.len; i++) {
            assert_int_equal(s.p[i], (uint8_t)((dropped + i) * 31));
        }
        assert_int_equal(t.held, s.len > 0 ? 1 : 0);
    }
    hb_buf_clear(&b, &t.env);
    assert_int_equal(t.held_bytes, 0);
}

static void out_of_memory_adds_nothing(void **state)
{
    (void)state;
    struct testenv t;
    struct hb_buf b;
    testenv_init(&t, 1);
    t.fail_at = 2;
    hb_buf_init(&b, 4096);
    assert_int_equal(hb_buf_add(&b, &t.env, hb_span_str("abc")), HB_OK);
    static const uint8_t more[1000];
    assert_int_equal(hb_buf_add(&b, &t.env, hb_span(more, sizeof more)), HB_E_NO_MEMORY);
    assert_int_equal(hb_buf_len(&b), 3);
    assert_memory_equal(hb_buf_span(&b).p, "abc", 3);
    hb_buf_clear(&b, &t.env);
    assert_int_equal(t.held, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(behaves_as_a_queue),
                                       cmocka_unit_test(out_of_memory_adds_nothing)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
