/* Logins that a backend refuses, counted for the gateway's limits: wrong passwords are, a server in trouble,
 * a mechanism it does not have and a client that gives up are not. Never who it was. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "testenv.h"
#include <hb/proto.h>
#include <stdio.h>
#include <string.h>

struct world {
    struct testenv t;
    struct hb_proto_session *s;
    struct hb_proto_sink sink;
};

static void nowhere(void *ctx, struct hb_span bytes)
{
    (void)ctx;
    (void)bytes;
}

/* clang-format off */
static const struct {
    const char *scheme, *greeting;
    const char *said[8]; /* what client and backend say in turn */
    unsigned failed;
    const char *mechanism;
} rows[] = {
    {"imaps", "* OK hi\r\n", {"a LOGIN joe x\r\n", "a NO [AUTHENTICATIONFAILED] no\r\n"}, 1, "LOGIN command"},
    {"imaps", "* OK hi\r\n", {"a LOGIN joe x\r\n", "a NO wrong\r\n", "b LOGIN joe y\r\n", "b NO wrong\r\n"}, 2, "LOGIN command"},
    {"imaps", "* OK hi\r\n", {"a LOGIN joe x\r\n", "a NO wrong\r\n", "b LOGIN joe y\r\n", "b OK in\r\n"}, 1, "LOGIN command"},
    {"imaps", "* OK hi\r\n", {"a LOGIN joe x\r\nb LOGIN joe y\r\n", "a NO wrong\r\nb NO wrong\r\n"}, 2, "LOGIN command"},
    {"imaps", "* OK hi\r\n", {"a LOGIN joe x\r\n", "a NO [UNAVAILABLE] later\r\n"}, 0, "LOGIN command"},
    {"imaps", "* OK hi\r\n", {"a LOGIN joe x\r\n", "a BAD what\r\n"}, 0, "LOGIN command"},
    {"imaps", "* OK hi\r\n", {"a NOOP\r\n", "a NO not now\r\n"}, 0, "other"},
    {"imaps", "* OK hi\r\n", {"a AUTHENTICATE PLAIN\r\n", "+ \r\n", "AGpvZQB4\r\n", "a NO wrong\r\n"}, 1, "PLAIN"},
    {"imaps", "* OK hi\r\n", {"a AUTHENTICATE PLAIN\r\n", "+ \r\n", "*\r\n", "a BAD given up\r\n"}, 0, "PLAIN"},
    {"imaps", "* OK hi\r\n", {"a AUTHENTICATE EXTERNAL cm9vdA==\r\n"}, 1, "EXTERNAL"}, /* as somebody else */
    {"imaps", "* OK hi\r\n", {"a AUTHENTICATE EXTERNAL =\r\n", "+ \r\na NO wrong\r\n"}, 1, "EXTERNAL"},
    {"pop3s", "+OK hi\r\n", {"AUTH EXTERNAL cm9vdA==\r\n"}, 1, "EXTERNAL"},
    {"pop3s", "+OK hi\r\n", {"USER joe\r\n", "+OK\r\n", "PASS x\r\n", "-ERR [AUTH] no\r\n"}, 1, "USER/PASS"},
    {"pop3s", "+OK hi\r\n", {"USER joe\r\n", "-ERR who\r\n"}, 0, "other"},
    {"pop3s", "+OK hi\r\n", {"USER joe\r\n", "+OK\r\n", "PASS x\r\n", "-ERR [SYS/TEMP] later\r\n"}, 0, "USER/PASS"},
    {"pop3s", "+OK hi\r\n", {"USER joe\r\n", "+OK\r\n", "PASS x\r\n", "-ERR [IN-USE] somebody is there\r\n"}, 0, "USER/PASS"},
    {"pop3s", "+OK hi\r\n", {"AUTH PLAIN\r\n", "+ \r\n", "AGpvZQB4\r\n", "-ERR no\r\n"}, 1, "PLAIN"},
    {"submissions", "220 hi\r\n", {"EHLO c\r\n", "250-hi\r\n250 AUTH PLAIN\r\n", "AUTH PLAIN AGpvZQB4\r\n", "535 5.7.8 no\r\n"}, 1, "PLAIN"},
    {"submissions", "220 hi\r\n", {"EHLO c\r\n", "250-hi\r\n250 AUTH PLAIN\r\n", "AUTH PLAIN AGpvZQB4\r\n", "535-5.7.8 no\r\n535 5.7.8 no\r\n"}, 1, "PLAIN"},
    {"submissions", "220 hi\r\n", {"EHLO c\r\n", "250-hi\r\n250 AUTH PLAIN\r\n", "AUTH PLAIN AGpvZQB4\r\n", "454 4.7.0 later\r\n"}, 0, "PLAIN"},
    {"submissions", "220 hi\r\n", {"EHLO c\r\n", "250-hi\r\n250 AUTH PLAIN\r\n", "AUTH X AGpvZQB4\r\n", "504 5.5.4 what\r\n"}, 0, "other"},
    {"submissions", "220 hi\r\n", {"EHLO c\r\n", "250-hi\r\n250 AUTH PLAIN\r\n", "MAIL FROM:<a@b>\r\n", "535 5.7.8 no\r\n"}, 0, "other"},
    {"sieves", "\"SASL\" \"PLAIN\"\r\nOK\r\n", {"AUTHENTICATE \"PLAIN\" \"AGpvZQB4\"\r\n", "NO \"wrong\"\r\n"}, 1, "PLAIN"},
    {"sieves", "\"SASL\" \"PLAIN\"\r\nOK\r\n", {"AUTHENTICATE \"PLAIN\" \"AGpvZQB4\"\r\n", "NO (TRYLATER) \"busy\"\r\n"}, 0, "PLAIN"},
    {"nntps", "200 hi\r\n", {"AUTHINFO USER joe\r\n", "381 and\r\n", "AUTHINFO PASS x\r\n", "481 no\r\n"}, 1, "USER/PASS"},
    {"nntps", "200 hi\r\n", {"AUTHINFO USER joe\r\n", "381 and\r\n", "AUTHINFO PASS x\r\n", "502 no\r\n"}, 0, "USER/PASS"},
    {"acaps", "* ACAP (SASL \"PLAIN\")\r\n", {"a AUTHENTICATE \"PLAIN\" \"AGpvZQB4\"\r\n", "a NO \"wrong\"\r\n"}, 1, "PLAIN"},
};
/* clang-format on */

static void feed(struct world *w, enum hb_proto_side side, const char *text, size_t at_once)
{
    struct hb_span bytes = hb_span_str(text);

    while (bytes.len > 0) {
        struct hb_span part = hb_span_head(bytes, at_once);
        struct hb_proto_step step = hb_proto_feed(w->s, side, part, &w->sink);
        if (step.used == 0 && (step.want == HB_WANT_CLOSE || step.want == HB_WANT_OPAQUE)) {
            return;
        }
        assert_true(step.used > 0);
        bytes = hb_span_skip(bytes, step.used);
    }
}

static void refused_logins_are_counted(void **state) /* whole, and byte by byte */
{
    (void)state;
    for (size_t i = 0; i < 2 * (sizeof rows / sizeof rows[0]); i++) {
        size_t row = i / 2;
        size_t at_once = i % 2 == 0 ? 4096 : 1;
        struct hb_proto_settings set = {.host = "mail.test",
                                        .implicit = true,
                                        .tls_required = true,
                                        .tls_usable = true,
                                        .external = HB_EXTERNAL_MASTER,
                                        .master_user = "gw",
                                        .master_password = "pw"};
        struct world w = {.sink = {&w, nowhere, nowhere, NULL}};
        bool implicit;

        testenv_init(&w.t, 1);
        w.s = hb_proto_new(hb_proto_find(rows[row].scheme, &implicit), &set, &w.t.env);
        hb_proto_identify(w.s, "joe");
        (void)hb_proto_start(w.s, &w.sink);
        (void)hb_proto_backend_open(w.s, &w.sink);
        feed(&w, HB_FROM_BACKEND, rows[row].greeting, at_once);
        for (size_t k = 0; k < 8 && rows[row].said[k] != NULL; k++) {
            feed(&w, k % 2 == 0 ? HB_FROM_CLIENT : HB_FROM_BACKEND, rows[row].said[k], at_once);
        }
        if (hb_proto_failed_logins(w.s) != rows[row].failed ||
            strcmp(hb_proto_login_mechanism(w.s), rows[row].mechanism) != 0) {
            fail_msg("row %zu (%s): %u failed, %s; want %u, %s", row, rows[row].said[0],
                     hb_proto_failed_logins(w.s), hb_proto_login_mechanism(w.s), rows[row].failed,
                     rows[row].mechanism);
        }
        hb_proto_free(&w.s);
        assert_int_equal(w.t.held, 0);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(refused_logins_are_counted)};

    return cmocka_run_group_tests(tests, NULL, NULL);
}
