/* err.def: every code has a name of its own and a sentence that reads as one. */
#include <ctype.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <cmocka.h>
#include <hb/err.h>

static void every_code_has_a_sentence(void **state)
{
    (void)state;
    for (unsigned i = 0; i < HB_NUM_CODES; i++) {
        const char *s = hb_err_sentence((enum hb_code)i);
        assert_true(strlen(s) > 5);
        assert_true(s[strlen(s) - 1] != '.');
        for (unsigned k = i + 1; k < HB_NUM_CODES; k++) {
            assert_string_not_equal(hb_err_name((enum hb_code)i), hb_err_name((enum hb_code)k));
        }
    }
    assert_string_equal(hb_err_name((enum hb_code)9999), "UNKNOWN");
    assert_string_equal(hb_err_name(HB_E_TLS_NO_SUITE), "TLS_NO_SUITE");
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(every_code_has_a_sentence)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
