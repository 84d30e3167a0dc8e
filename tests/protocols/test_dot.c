/* dot.c against the plainest way to say it: the content ends behind the first CRLF.CRLF (or .CRLF at once),
 * and a bare CR or LF is one without its partner; over all strings of six bytes from the alphabet that
 * matters, in every cut (SMTP-05, SMTP-06, ATK-46). */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <cmocka.h>
#include "dot.h"

/* What a scanner that sees everything at once says. */
static struct hb_dot_result oracle(const char *s, size_t len, bool strict)
{
    for (size_t i = 0; i < len; i++) {
        bool lf = s[i] == '\n';
        bool after_cr = i > 0 && s[i - 1] == '\r';
        if (strict && lf != after_cr) {
            return (struct hb_dot_result){i, false, true};
        }
        if (lf && after_cr && i >= 2 && s[i - 2] == '.' &&
            (i == 2 || (i >= 4 && s[i - 3] == '\n' && s[i - 4] == '\r'))) {
            return (struct hb_dot_result){i + 1, true, false};
        }
    }
    return (struct hb_dot_result){len, false, false};
}

static void all_short_strings(void **state)
{
    (void)state;
    static const char alphabet[] = {'\r', '\n', '.', 'x'};
    for (unsigned n = 0; n < 4096; n++) {
        char s[6];
        for (unsigned i = 0; i < 6; i++) {
            s[i] = alphabet[n >> (2 * i) & 3];
        }
        for (int strict = 0; strict < 2; strict++) {
            struct hb_dot_result want = oracle(s, 6, strict == 1);
            for (size_t cut = 0; cut <= 6; cut++) {
                uint8_t st = HB_DOT_LINE_START;
                struct hb_dot_result got = hb_dot_scan(&st, hb_span(s, cut), strict == 1);
                if (!got.end && !got.bare) {
                    struct hb_dot_result more = hb_dot_scan(&st, hb_span(s + cut, 6 - cut), strict == 1);
                    got = (struct hb_dot_result){got.used + more.used, more.end, more.bare};
                }
                assert_int_equal(got.used, want.used);
                assert_int_equal(got.end, want.end);
                assert_int_equal(got.bare, want.bare);
            }
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(all_short_strings)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
