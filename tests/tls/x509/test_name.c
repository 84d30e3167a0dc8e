/* Host names: what server_name may carry (SNI-T1), and what a certificate's name covers (CERT-02, PKI-06). */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <cmocka.h>
#include "x509/name.h"

#define L63 "aaaaaaaaaabbbbbbbbbbccccccccccddddddddddeeeeeeeeeeffffffffffggg"
#define S(text)                                                                                              \
    {                                                                                                        \
        (const uint8_t *)(text), sizeof(text) - 1                                                            \
    }

/* clang-format off */
static const struct {
    struct hb_span host;
    bool ok;
} hosts[] = {
    {S("mail.example"), true},
    {S("localhost"), true},
    {S("MAIL.Example"), true},
    {S("a"), true},
    {S("_imaps._tcp.example"), true},
    {S("xn--bcher-kva.example"), true},
    {S("a-b.c-d"), true},
    {S("1and1.example"), true},
    {S("1.2.3.example"), true},
    {S("4.3.2.1.in-addr.arpa"), true},
    {S(L63 ".example"), true},
    {S(L63 "." L63 "." L63 "." L63), true}, /* 255 */
    {S(""), false},
    {S("a" L63 ".example"), false},
    {S("a." L63 "." L63 "." L63 "." L63), false}, /* 257 */
    {S(L63 "." L63 "." L63 "." "aaaaaaaaaabbbbbbbbbbccccccccccddddddddddeeeeeeeeeeffffffffff.xy"), true}, /* 255 */
    {S(L63 "." L63 "." L63 "." "aaaaaaaaaabbbbbbbbbbccccccccccddddddddddeeeeeeeeeeffffffffff.xyz"), false}, /* 256 */
    {S("mail.example."), false},
    {S("."), false},
    {S(".mail.example"), false},
    {S("mail..example"), false},
    {S("192.0.2.1"), false},
    {S("2130706433"), false},
    {S("mail.1"), false},
    {S("2001:db8::1"), false},
    {S("[2001:db8::1]"), false},
    {S("mail.example\0"), false},
    {S("mail.example\0.attacker.example"), false},
    {S("ma il.example"), false},
    {S(" mail.example"), false},
    {S("mail.example\r\n"), false},
    {S("mail/example"), false},
    {S("*.example.org"), false},
    {S("b\xc3\xbc" "cher.example"), false},
    {S("mail.example:993"), false},
    {S("user@mail.example"), false},
};

enum { NO, EXACT, WILD };
static const struct {
    struct hb_span pattern, host;
    int want;
} matches[] = {
    {S("mail.example.org"),     S("mail.example.org"),     EXACT},
    {S("MAIL.example.ORG"),     S("mail.Example.org"),     EXACT},
    {S("localhost"),            S("localhost"),            EXACT},
    {S("mail.example.org"),     S("mail.example.or"),      NO},
    {S("mail.example.org"),     S("xmail.example.org"),    NO},
    {S("mail.example.org"),     S("x.mail.example.org"),   NO},
    {S("example.org"),          S("mail.example.org"),     NO},
    {S("mail.example.org."),    S("mail.example.org"),     NO}, /* malformed: ignored */
    {S("mail.example.org"),     S("mail.example.org."),    NO},
    {S("mail.example.org\0"),   S("mail.example.org"),     NO},
    {S("mail.example.org\0.attacker.example"), S("mail.example.org"), NO},
    {S("mail.example.org "),    S("mail.example.org"),     NO},
    {S(""),                     S(""),                     NO},
    {S("192.0.2.1"),            S("192.0.2.1"),            NO}, /* addresses are no DNS names */
    {S("*.example.org"),        S("mail.example.org"),     WILD},
    {S("*.EXAMPLE.org"),        S("Mail.example.ORG"),     WILD},
    {S("*.example.org"),        S("_x.example.org"),       WILD},
    {S("*.example.org"),        S("xn--bcher-kva.example.org"), WILD},
    {S("*.example.org"),        S("a.b.example.org"),      NO},
    {S("*.example.org"),        S("example.org"),          NO},
    {S("*.example.org"),        S(".example.org"),         NO},
    {S("*.example.org"),        S("*.example.org"),        NO},
    {S("*.example.org"),        S("mailexample.org"),      NO},
    {S("*.example.org"),        S("mail.example.com"),     NO},
    {S("f*.example.org"),       S("foo.example.org"),      NO},
    {S("*f.example.org"),       S("of.example.org"),       NO},
    {S("mail.*.org"),           S("mail.example.org"),     NO},
    {S("*.*.org"),              S("mail.example.org"),     NO},
    {S("*.example.*"),          S("mail.example.org"),     NO},
    {S("**.example.org"),       S("mail.example.org"),     NO},
    {S("*"),                    S("localhost"),            NO},
    {S("*."),                   S("mail."),                NO},
    {S("*.org"),                S("example.org"),          NO}, /* a whole top-level domain */
    {S("*..org"),               S("a..org"),               NO},
    {S("*.example.org\0"),      S("mail.example.org"),     NO},
    {S("*.0.2.1"),              S("192.0.2.1"),            NO},
};
/* clang-format on */

static void test_hosts(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof hosts / sizeof hosts[0]; i++) {
        print_message("%.*s\n", (int)hosts[i].host.len, (const char *)hosts[i].host.p);
        assert_int_equal(hb_dns_name_ok(hosts[i].host), hosts[i].ok);
    }
    assert_false(hb_dns_name_ok(hb_span(NULL, 0)));
}

/* Of all 256 bytes in the middle of a label exactly these are allowed. */
static void test_characters(void **state)
{
    (void)state;
    for (unsigned c = 0; c < 256; c++) {
        char host[] = "a?a.example";
        host[1] = (char)c;
        bool want =
            c != 0 && strchr("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_.", (int)c);
        assert_int_equal(hb_dns_name_ok(hb_span(host, sizeof host - 1)), want);
    }
}

static void test_matches(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof matches / sizeof matches[0]; i++) {
        bool wildcard = false;
        print_message("%.*s for %.*s\n", (int)matches[i].pattern.len, (const char *)matches[i].pattern.p,
                      (int)matches[i].host.len, (const char *)matches[i].host.p);
        bool covers = hb_dns_name_covers(matches[i].pattern, matches[i].host, &wildcard);
        assert_int_equal(covers, matches[i].want != NO);
        if (covers) {
            assert_int_equal(wildcard, matches[i].want == WILD);
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_hosts),
        cmocka_unit_test(test_characters),
        cmocka_unit_test(test_matches),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
