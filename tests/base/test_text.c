/* hex.c, utf8.c and ct.c as tables. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <hb/ct.h>
#include <hb/hex.h>
#include <hb/utf8.h>

static void hex_both_ways(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        enum hb_code code;
        size_t len;
    } rows[] = {
        {"", HB_OK, 0},       {"00ff", HB_OK, 2},  {"0A fe\n17", HB_OK, 3},          {"0", HB_E_HEX, 0},
        {"0 0", HB_E_HEX, 0}, {"gg", HB_E_HEX, 0}, {"0011223344", HB_E_OVERFLOW, 0},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        uint8_t dst[4];
        size_t len = 0;
        assert_int_equal(hb_hex_decode(hb_span_str(rows[i].text), dst, sizeof dst, &len), rows[i].code);
        assert_int_equal(len, rows[i].len);
    }
    char text[9];
    hb_hex_encode(hb_span("\x00\xff\x1a\x07", 4), text);
    assert_string_equal(text, "00ff1a07");
}

static void utf8_well_formed_or_not(void **state)
{
    (void)state;
    static const struct {
        const char *s;
        bool ok;
    } rows[] = {
        {"", true},
        {"abc", true},
        {"\xc3\xa4", true},
        {"\xe2\x82\xac", true},
        {"\xf0\x9f\x93\xa7", true},
        {"\xc3", false},
        {"\xc0\x80", false},
        {"\xed\xa0\x80", false},
        {"\xe0\x80\x80", false},
        {"\xff", false},
        {"\xf4\x90\x80\x80", false},
        {"a\x80", false},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        assert_int_equal(hb_utf8_ok(hb_span_str(rows[i].s)), rows[i].ok);
    }
}

static void log_text_is_harmless_and_short(void **state)
{
    (void)state;
    char dst[64];
    assert_int_equal(hb_log_escape(hb_span_str("a\r\n\"\\z\x7f"), 160, dst, sizeof dst), 22);
    assert_string_equal(dst, "a\\x0d\\x0a\\x22\\x5cz\\x7f");
    (void)hb_log_escape(hb_span_str("abcdef"), 3, dst, sizeof dst);
    assert_string_equal(dst, "abc...");
    (void)hb_log_escape(hb_span_str("\n\n\n\n\n\n\n\n\n\n\n\n\n\n\n\n\n\n\n\n"), 160, dst, 20);
    assert_string_equal(dst, "\\x0a\\x0a\\x0a\\x0a...");
}

static void constant_time_compare(void **state)
{
    (void)state;
    uint8_t a[16] = {1, 2, 3};
    uint8_t b[16] = {1, 2, 3};
    assert_true(hb_ct_eq(a, b, 16));
    b[15] = 0x80;
    assert_false(hb_ct_eq(a, b, 16));
    assert_true(hb_ct_eq(a, b, 15));
    assert_false(hb_ct_is_zero(a, 16));
    hb_wipe(a, 16);
    assert_true(hb_ct_is_zero(a, 16));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(hex_both_ways), cmocka_unit_test(utf8_well_formed_or_not),
        cmocka_unit_test(log_text_is_harmless_and_short), cmocka_unit_test(constant_time_compare)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
