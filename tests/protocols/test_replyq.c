/* replyq.c: order, tags, the maximum, and memory that is gone when it is empty. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <cmocka.h>
#include "replyq.h"
#include "testenv.h"

static void order_and_tags(void **state)
{
    (void)state;
    struct testenv t;
    struct hb_replyq q;
    testenv_init(&t, 1);
    hb_replyq_init(&q);
    assert_int_equal(hb_replyq_front(&q), 0);
    assert_int_equal(hb_replyq_add(&q, &t.env, 1, hb_span_str("a")), HB_OK);
    assert_int_equal(hb_replyq_add(&q, &t.env, 2, hb_span_str("b")), HB_OK);
    assert_int_equal(hb_replyq_add(&q, &t.env, 3, hb_span_str("a")), HB_OK);
    assert_true(hb_replyq_last_is(&q, hb_span_str("a")));
    assert_int_equal(hb_replyq_take(&q, &t.env, hb_span_str("A")), 0); /* tags compare exactly (GEN-24) */
    assert_int_equal(hb_replyq_take(&q, &t.env, hb_span_str("b")), 2);
    assert_int_equal(hb_replyq_take(&q, &t.env, hb_span_str("a")), 1); /* the older one first */
    assert_int_equal(hb_replyq_front(&q), 3);
    hb_replyq_drop_front(&q, &t.env);
    hb_replyq_drop_front(&q, &t.env);
    assert_int_equal(q.num, 0);
    assert_int_equal(t.held, 0);
}

static void no_more_than_64(void **state)
{
    (void)state;
    struct testenv t;
    struct hb_replyq q;
    testenv_init(&t, 1);
    hb_replyq_init(&q);
    for (unsigned i = 0; i < HB_REPLYQ_MAX; i++) {
        assert_false(hb_replyq_full(&q));
        assert_int_equal(hb_replyq_add(&q, &t.env, 1, hb_span("x", 1)), HB_OK);
    }
    assert_true(hb_replyq_full(&q));
    assert_int_equal(hb_replyq_add(&q, &t.env, 1, hb_span("x", 1)), HB_E_OVERFLOW);
    hb_replyq_clear(&q, &t.env);
    assert_int_equal(t.held, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(order_and_tags), cmocka_unit_test(no_more_than_64)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
