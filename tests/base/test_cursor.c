/* cursor.c: reads in order, vectors, and what a failed read leaves behind. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <hb/cursor.h>

static const uint8_t bytes[] = {1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16, 17, 18};

static void reads_integers_big_endian(void **state)
{
    (void)state;
    struct hb_cur c = hb_cur(hb_span(bytes, sizeof bytes));
    assert_int_equal(hb_cur_u8(&c), 1);
    assert_int_equal(hb_cur_u16(&c), 0x0203);
    assert_int_equal(hb_cur_u24(&c), 0x040506);
    assert_int_equal(hb_cur_u32(&c), 0x0708090a);
    assert_true(hb_cur_u64(&c) == 0x0b0c0d0e0f101112u);
    assert_true(hb_cur_end(&c));
}

static void a_short_read_yields_zero_and_sticks(void **state)
{
    (void)state;
    for (size_t have = 0; have < 4; have++) {
        struct hb_cur c = hb_cur(hb_span(bytes, have));
        assert_int_equal(hb_cur_u32(&c), 0);
        assert_false(hb_cur_ok(&c));
        assert_int_equal(hb_cur_u8(&c), 0); /* though there were bytes left */
        assert_int_equal(hb_cur_left(&c), 0);
        assert_false(hb_cur_end(&c));
    }
}

static void trailing_bytes_are_no_end(void **state)
{
    (void)state;
    struct hb_cur c = hb_cur(hb_span(bytes, 2));
    (void)hb_cur_u8(&c);
    assert_true(hb_cur_ok(&c));
    assert_false(hb_cur_end(&c));
    assert_int_equal(hb_cur_rest(&c).len, 1);
    assert_true(hb_cur_end(&c));
}

static void vectors_are_cursors_of_their_own(void **state)
{
    (void)state;
    static const uint8_t wire[] = {2, 'a', 'b', 0, 1, 'c', 0, 0, 0, 9};
    struct hb_cur c = hb_cur(hb_span(wire, sizeof wire));
    struct hb_cur v = hb_cur_vec8(&c);
    assert_int_equal(hb_cur_left(&v), 2);
    v = hb_cur_vec16(&c);
    assert_int_equal(hb_cur_u8(&v), 'c');
    assert_true(hb_cur_end(&v));
    v = hb_cur_vec24(&c);
    assert_true(hb_cur_end(&v));
    assert_int_equal(hb_cur_left(&c), 1);
    v = hb_cur_vec8(&c); /* announces nine, has none: both fail */
    assert_false(hb_cur_ok(&v));
    assert_false(hb_cur_ok(&c));
}

static void null_is_an_empty_span(void **state)
{
    (void)state;
    struct hb_cur c = hb_cur(hb_span(NULL, 0));
    assert_true(hb_cur_end(&c));
    assert_int_equal(hb_cur_take(&c, 0).len, 0);
    assert_true(hb_cur_end(&c));
    assert_int_equal(hb_cur_u8(&c), 0);
    assert_false(hb_cur_ok(&c));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(reads_integers_big_endian), cmocka_unit_test(a_short_read_yields_zero_and_sticks),
        cmocka_unit_test(trailing_bytes_are_no_end), cmocka_unit_test(vectors_are_cursors_of_their_own),
        cmocka_unit_test(null_is_an_empty_span),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
