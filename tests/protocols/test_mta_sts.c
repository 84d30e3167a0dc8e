/* mta_sts.c: records and policies as tables (STS-01, STS-02), and what an MX gets out of one (STS-03). */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include <hb/mta_sts.h>

#define P "version: STSv1\nmode: enforce\nmax_age: 604800\n"

static void records(void **state)
{
    (void)state;
    static const struct {
        const char *txt[3], *id; /* NULL: no policy */
    } rows[] = {
        {{"v=STSv1; id=20160831085700Z;"}, "20160831085700Z"},
        {{"v=STSv1; id=a"}, "a"},
        {{"v=STSv1;id=a;"}, "a"},
        {{"v=STSv1; id=a ; "}, "a"},
        {{"v=STSv1; id=a; x-1.y=z:/!"}, "a"},
        {{"v=STSv1; x=y; id=a"}, "a"},
        {{"v=STSv1; id=a; id=b"}, "a"},
        {{"spf, or what not", "v=STSv1; id=a"}, "a"},
        {{"v=STSv1; id=a", "v=STSv1; id=a"}, NULL}, /* exactly one */
        {{"v=STSv1; id=a", "v=STSv1;"}, NULL},
        {{"v=STSv1"}, NULL},
        {{"v=STSv1 ; id=a"}, NULL},
        {{" v=STSv1; id=a"}, NULL},
        {{"V=STSv1; id=a"}, NULL},
        {{"v=stsv1; id=a"}, NULL},
        {{"v=STSv1;"}, NULL},
        {{"v=STSv1; id="}, NULL},
        {{"v=STSv1; id=2016-08"}, NULL},
        {{"v=STSv1; id=12345678901234567890123456789012"}, "12345678901234567890123456789012"},
        {{"v=STSv1; id=123456789012345678901234567890123"}, NULL},
        {{"v=STSv1; id=a; ; x=y"}, NULL},
        {{"v=STSv1; id=a; x"}, NULL},
        {{"v=STSv1; id=a; -x=y"}, NULL},
        {{"v=STSv1; id=a; x=y z"}, NULL},
        {{"v=STSv2; id=a"}, NULL},
        {{NULL}, NULL},
    };

    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct hb_span txt[3];
        struct hb_span id = hb_span(NULL, 0);
        size_t num = 0;
        while (num < 3 && rows[i].txt[num] != NULL) {
            txt[num] = hb_span_str(rows[i].txt[num]);
            num++;
        }
        bool found = hb_sts_record(txt, num, &id);
        if (found != (rows[i].id != NULL) || (found && !hb_span_eq(id, hb_span_str(rows[i].id)))) {
            fail_msg("record %zu: %s", i, num > 0 ? rows[i].txt[0] : "none");
        }
    }
}

static void policies(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        bool good;
        unsigned line;
        enum hb_sts_mode mode;
        uint32_t age;
        unsigned mx;
    } rows[] = {
        {P "mx: mail.example.com\nmx: *.example.net\nmx: backup.example.com\n", true, 0, HB_STS_ENFORCE,
         604800, 3},
        {"version: STSv1\r\nmode: testing\r\nmx: a.b\r\nmax_age: 0\r\n", true, 0, HB_STS_TESTING, 0, 1},
        {"version: STSv1\nmode: none\nmax_age: 31557600", true, 0, HB_STS_NONE, 31557600, 0},
        {"mode:none \nmax_age:\t5\t\nversion:STSv1\n\n", true, 0, HB_STS_NONE, 5, 0},
        {P "mx: a.b\nmode: none\nmax_age: 1\nversion: STSv9\n", true, 0, HB_STS_ENFORCE, 604800,
         1}, /* the first */
        {P "mx: a.b\nsomething_new: we know not what\n", true, 0, HB_STS_ENFORCE, 604800, 1},
        {P, false, 0, 0, 0, 0}, /* no mx */
        {"mode: none\nmax_age: 1\n", false, 0, 0, 0, 0},
        {"version: STSv1\nmax_age: 1\nmx: a\n", false, 0, 0, 0, 0},
        {"version: STSv1\nmode: none\n", false, 0, 0, 0, 0},
        {"version: STSv2\nmode: none\nmax_age: 1\n", false, 1, 0, 0, 0},
        {"version: STSv1\nmode: Enforce\nmax_age: 1\n", false, 2, 0, 0, 0},
        {"version: STSv1\nmode: none\nmax_age: 31557601\n", false, 3, 0, 0, 0},
        {"version: STSv1\nmode: none\nmax_age: -1\n", false, 3, 0, 0, 0},
        {"version: STSv1\nmode: none\nmax_age:\n", false, 3, 0, 0, 0},
        {"version: STSv1\nmode: none\nmax_age: 00000000001\n", false, 3, 0, 0, 0},
        {P "mx: .example.com\n", false, 4, 0, 0, 0},
        {P "mx: a b\n", false, 4, 0, 0, 0},
        {P "mx: a.*.b\n", false, 4, 0, 0, 0},
        {P "mx:\n", false, 4, 0, 0, 0},
        {P "\nmx: a.b\n", false, 4, 0, 0, 0},
        {P "mx: a.b\n<html>\n", false, 5, 0, 0, 0},
        {"", false, 0, 0, 0, 0},
    };

    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct hb_sts_policy p;
        unsigned line;
        enum hb_code code = hb_sts_parse(hb_span_str(rows[i].text), &p, &line);
        if (code != (rows[i].good ? HB_OK : HB_E_STS_POLICY) || line != rows[i].line) {
            fail_msg("policy %zu: %s in line %u", i, hb_err_name(code), line);
        }
        if (rows[i].good && (p.mode != rows[i].mode || p.max_age != rows[i].age || p.num_mx != rows[i].mx)) {
            fail_msg("policy %zu: mode %d, age %u, %u names", i, (int)p.mode, p.max_age, p.num_mx);
        }
    }
    char *long_one = calloc(1, HB_STS_POLICY_MAX + 2); /* one byte too much, and one that just fits */
    assert_non_null(long_one);
    memset(long_one, 'x', HB_STS_POLICY_MAX + 1);
    memcpy(long_one, P "mx: a.b\nx: ", strlen(P "mx: a.b\nx: "));
    struct hb_sts_policy p;
    assert_int_equal(hb_sts_parse(hb_span(long_one, HB_STS_POLICY_MAX), &p, NULL), HB_OK);
    assert_int_equal(hb_sts_parse(hb_span(long_one, HB_STS_POLICY_MAX + 1), &p, NULL), HB_E_STS_POLICY);
    free(long_one);
}

static void verdicts(void **state)
{
    (void)state;
    static const struct {
        const char *mx, *host;
        enum hb_code tls;
        enum hb_sts_verdict enforced;
    } rows[] = {
        {"mx: mail.example.com\n", "mail.example.com", HB_OK, HB_STS_DELIVER},
        {"mx: mail.example.com\n", "MAIL.example.COM.", HB_OK, HB_STS_DELIVER},
        {"mx: mail.example.com\n", "a.mail.example.com", HB_OK, HB_STS_REFUSE},
        {"mx: mail.example.com\n", "example.com", HB_OK, HB_STS_REFUSE},
        {"mx: *.example.com\n", "mail.example.com", HB_OK, HB_STS_DELIVER},
        {"mx: *.example.com\n", "a.mail.example.com", HB_OK, HB_STS_REFUSE}, /* one label */
        {"mx: *.example.com\n", "example.com", HB_OK, HB_STS_REFUSE},
        {"mx: *.example.com\n", ".example.com", HB_OK, HB_STS_REFUSE},
        {"mx: a.b\nmx: c.d\n", "c.d", HB_OK, HB_STS_DELIVER},
        {"mx: a.b\n", "a.b", HB_E_X509_NAME_MISMATCH, HB_STS_REFUSE},
        {"mx: a.b\n", "a.b", HB_E_PROTO_BACKEND_LOST, HB_STS_REFUSE},
        {"mx: a.b\n", "", HB_OK, HB_STS_REFUSE},
    };
    static const char *const modes[] = {"none", "testing", "enforce"};

    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        for (unsigned mode = 0; mode < 3; mode++) {
            char text[200];
            struct hb_sts_policy p;
            (void)snprintf(text, sizeof text, "version: STSv1\nmode: %s\nmax_age: 1\n%s", modes[mode],
                           rows[i].mx);
            assert_int_equal(hb_sts_parse(hb_span_str(text), &p, NULL), HB_OK);
            enum hb_sts_verdict want = mode == HB_STS_NONE ? HB_STS_DELIVER
                                       : mode == HB_STS_TESTING && rows[i].enforced == HB_STS_REFUSE
                                           ? HB_STS_REPORT
                                           : rows[i].enforced;
            if (hb_sts_judge(&p, hb_span_str(rows[i].host), rows[i].tls) != want) {
                fail_msg("row %zu, mode %s", i, modes[mode]);
            }
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(records),
        cmocka_unit_test(policies),
        cmocka_unit_test(verdicts),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
