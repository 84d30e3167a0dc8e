/* replyq.c: order, tags, the limit, and no memory when empty. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "replyq.h"
#include "testenv.h"
#include <stdio.h>

static struct hb_span tag_of(char *mem, size_t cap, unsigned i)
{
    (void)snprintf(mem, cap, "t%u", i);
    return hb_span_str(mem);
}

static void answers_in_order(void **state)
{
    (void)state;
    struct testenv t;
    struct hb_replyq q;
    testenv_init(&t, 1);
    hb_replyq_init(&q);
    assert_int_equal(hb_replyq_front(&q), 0);
    hb_replyq_drop_front(&q, &t.env); /* nothing there: nothing happens */
    for (uint8_t kind = 1; kind <= 5; kind++) {
        assert_int_equal(hb_replyq_add(&q, &t.env, kind, hb_span(NULL, 0)), HB_OK);
    }
    for (uint8_t kind = 1; kind <= 5; kind++) {
        assert_int_equal(hb_replyq_front(&q), kind);
        hb_replyq_drop_front(&q, &t.env);
    }
    assert_int_equal(q.num, 0);
    assert_int_equal(t.held, 0);
}

static void sixty_four_and_no_more(void **state) /* GEN-18 */
{
    (void)state;
    struct testenv t;
    struct hb_replyq q;
    char mem[16];
    testenv_init(&t, 1);
    hb_replyq_init(&q);
    for (unsigned i = 0; i < HB_REPLYQ_MAX; i++) {
        assert_false(hb_replyq_full(&q));
        assert_int_equal(hb_replyq_add(&q, &t.env, 1, tag_of(mem, sizeof mem, i)), HB_OK);
    }
    assert_true(hb_replyq_full(&q));
    assert_int_equal(hb_replyq_add(&q, &t.env, 1, hb_span_str("x")), HB_E_OVERFLOW);
    assert_int_equal(hb_replyq_take(&q, &t.env, hb_span_str("t63")), 1);
    assert_false(hb_replyq_full(&q));
    hb_replyq_clear(&q, &t.env);
    assert_int_equal(t.held, 0);
}

static void longest_tags_fit(void **state)
{
    (void)state;
    struct testenv t;
    struct hb_replyq q;
    uint8_t tag[256];
    memset(tag, 't', sizeof tag);
    testenv_init(&t, 1);
    hb_replyq_init(&q);
    for (unsigned i = 0; i < HB_REPLYQ_MAX; i++) {
        tag[0] = (uint8_t)i;
        assert_int_equal(hb_replyq_add(&q, &t.env, 9, hb_span(tag, 255)), HB_OK);
    }
    assert_true(t.held_bytes <= 32768);
    hb_replyq_drop_front(&q, &t.env);
    assert_int_equal(hb_replyq_add(&q, &t.env, 9, hb_span(tag, 256)), HB_E_OVERFLOW);
    for (unsigned i = 1; i < HB_REPLYQ_MAX; i++) {
        tag[0] = (uint8_t)i;
        assert_int_equal(hb_replyq_take(&q, &t.env, hb_span(tag, 255)), 9);
    }
    assert_int_equal(t.held, 0);
}

static void any_order_by_tag(void **state) /* ACAP-09 GEN-24: tags compare exactly */
{
    (void)state;
    struct testenv t;
    char mem[16];
    for (uint64_t seed = 1; seed <= 50; seed++) {
        struct hb_replyq q;
        unsigned left[40];
        unsigned num = 40;
        testenv_init(&t, seed);
        hb_replyq_init(&q);
        for (unsigned i = 0; i < num; i++) {
            left[i] = i;
            assert_int_equal(hb_replyq_add(&q, &t.env, (uint8_t)(i + 1), tag_of(mem, sizeof mem, i)), HB_OK);
        }
        assert_int_equal(hb_replyq_take(&q, &t.env, hb_span_str("T1")), 0);
        assert_int_equal(hb_replyq_take(&q, &t.env, hb_span_str("t")), 0);
        while (num > 0) {
            unsigned at = testenv_below(&t, num);
            assert_int_equal(hb_replyq_take(&q, &t.env, tag_of(mem, sizeof mem, left[at])), left[at] + 1);
            assert_int_equal(hb_replyq_take(&q, &t.env, tag_of(mem, sizeof mem, left[at])),
                             0); /* only once */
            left[at] = left[--num];
            assert_int_equal(q.num, num);
            if (num > 0) { /* the others still stand in their order */
                unsigned oldest = left[0];
                for (unsigned i = 1; i < num; i++) {
                    oldest = left[i] < oldest ? left[i] : oldest;
                }
                assert_int_equal(hb_replyq_front(&q), oldest + 1);
            }
        }
        assert_int_equal(t.held, 0);
    }
}

static void same_tag_takes_the_oldest(void **state)
{
    (void)state;
    struct testenv t;
    struct hb_replyq q;
    testenv_init(&t, 1);
    hb_replyq_init(&q);
    assert_false(hb_replyq_last_is(&q, hb_span_str("a")));
    assert_int_equal(hb_replyq_add(&q, &t.env, 1, hb_span_str("a")), HB_OK);
    assert_int_equal(hb_replyq_add(&q, &t.env, 2, hb_span_str("b")), HB_OK);
    assert_int_equal(hb_replyq_add(&q, &t.env, 3, hb_span_str("a")), HB_OK);
    assert_true(hb_replyq_last_is(&q, hb_span_str("a")));
    assert_false(hb_replyq_last_is(&q, hb_span_str("b")));
    assert_int_equal(hb_replyq_take(&q, &t.env, hb_span_str("a")), 1);
    assert_int_equal(hb_replyq_take(&q, &t.env, hb_span_str("a")), 3);
    assert_true(hb_replyq_last_is(&q, hb_span_str("b")));
    hb_replyq_clear(&q, &t.env);
    assert_int_equal(t.held, 0);
}

static void without_memory_nothing_is_added(void **state)
{
    (void)state;
    struct testenv t;
    struct hb_replyq q;
    testenv_init(&t, 1);
    t.fail_at = 1;
    hb_replyq_init(&q);
    assert_int_equal(hb_replyq_add(&q, &t.env, 1, hb_span_str("a")), HB_E_NO_MEMORY);
    assert_int_equal(q.num, 0);
    assert_int_equal(hb_replyq_take(&q, &t.env, hb_span_str("a")), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(answers_in_order),          cmocka_unit_test(sixty_four_and_no_more),
        cmocka_unit_test(longest_tags_fit),          cmocka_unit_test(any_order_by_tag),
        cmocka_unit_test(same_tag_takes_the_oldest), cmocka_unit_test(without_memory_nothing_is_added),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
