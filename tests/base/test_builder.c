/* builder.c: bytes in order, nested lengths, and a full builder that changes nothing any more. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <hb/builder.h>

static void writes_integers_big_endian(void **state)
{
    (void)state;
    uint8_t mem[32];
    static const uint8_t want[] = {1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16, 17, 18, 'x'};
    struct hb_bld b = hb_bld(mem, sizeof mem);
    hb_bld_u8(&b, 1);
    hb_bld_u16(&b, 0x0203);
    hb_bld_u24(&b, 0x040506);
    hb_bld_u32(&b, 0x0708090a);
    hb_bld_u64(&b, 0x0b0c0d0e0f101112u);
    hb_bld_str(&b, "x");
    assert_true(hb_bld_ok(&b));
    assert_int_equal(b.len, sizeof want);
    assert_memory_equal(mem, want, sizeof want);
}

static void nested_lengths_are_filled_in(void **state)
{
    (void)state;
    uint8_t mem[32];
    static const uint8_t want[] = {0, 0, 6, 0, 4, 3, 'a', 'b', 'c'};
    struct hb_bld b = hb_bld(mem, sizeof mem);
    struct hb_bld_mark outer = hb_bld_open24(&b);
    struct hb_bld_mark middle = hb_bld_open16(&b);
    struct hb_bld_mark inner = hb_bld_open8(&b);
    hb_bld_str(&b, "abc");
    hb_bld_close(&b, inner);
    hb_bld_close(&b, middle);
    hb_bld_close(&b, outer);
    assert_int_equal(b.len, sizeof want);
    assert_memory_equal(mem, want, sizeof want);
}

static void a_length_too_large_for_its_bytes_fails(void **state)
{
    (void)state;
    uint8_t mem[300];
    struct hb_bld b = hb_bld(mem, sizeof mem);
    struct hb_bld_mark m = hb_bld_open8(&b);
    assert_non_null(hb_bld_claim(&b, 256));
    hb_bld_close(&b, m);
    assert_false(hb_bld_ok(&b));
}

static void what_does_not_fit_changes_nothing(void **state)
{
    (void)state;
    uint8_t mem[4] = {9, 9, 9, 9};
    struct hb_bld b = hb_bld(mem, 3);
    hb_bld_u16(&b, 1);
    hb_bld_u16(&b, 2);
    assert_false(hb_bld_ok(&b));
    assert_int_equal(b.len, 2);
    hb_bld_u8(&b, 7); /* would fit, but it stays failed */
    assert_int_equal(b.len, 2);
    assert_int_equal(hb_bld_room(&b), 0);
    assert_null(hb_bld_claim(&b, 1));
    assert_int_equal(mem[2], 9);
    hb_bld_reset(&b);
    assert_int_equal(hb_bld_room(&b), 3);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(writes_integers_big_endian),
        cmocka_unit_test(nested_lengths_are_filled_in),
        cmocka_unit_test(a_length_too_large_for_its_bytes_fails),
        cmocka_unit_test(what_does_not_fit_changes_nothing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
