/* Stapled OCSP responses, both versions, both ends (OCSP-01): what a client believes, and that no way around
 * the staple goes around its judgement, or around the caller's. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <cmocka.h>
#include "drive.h"

#define DAYS 86400u

static void start(struct duo *d, const char *certs, const char *response, uint16_t version)
{
    duo_start(d, certs, HB_PROFILE_LEGACY, NULL, HB_PROFILE_LEGACY);
    for (unsigned i = 0; i < 2; i++) {
        assert_int_equal(
            hb_tls_config_versions(i == 0 ? d->client.config : d->server.config, version, version), HB_OK);
    }
    if (response != NULL) {
        struct hb_span der = duo_file(response, ".ocsp");
        hb_cred_store_any_staple(d->server.creds); /* a server of ours would not show the bad ones */
        assert_int_equal(hb_cred_store_staple(d->server.creds, der, NULL), HB_OK);
        free((void *)(uintptr_t)der.p);
    }
}

static const struct {
    const char *name, *certs, *response;
    uint32_t later;
    bool unasked;
    enum hb_code code;
    uint8_t alert;
} rows[] = {
    {"good", "ecdsa-p256", "ecdsa-p256.good", 0, false, HB_OK, 255},
    {"none", "ecdsa-p256", NULL, 0, false, HB_OK, 255},
    {"revoked", "ecdsa-p256", "ecdsa-p256.revoked", 0, false, HB_E_X509_REVOKED, 44},
    {"too old", "ecdsa-p256", "ecdsa-p256.good", 31 * DAYS, false, HB_E_X509_STAPLE_STALE, 113},
    {"another certificate's", "ecdsa-p256", "rsa-kex.good", 0, false, HB_E_X509_STAPLE_OTHER, 113},
    {"not asked for", "ecdsa-p256", "ecdsa-p256.revoked", 0, true, HB_OK, 255},
    {"must-staple", "must-staple", "must-staple.good", 0, false, HB_OK, 255},
    {"must-staple, none", "must-staple", NULL, 0, false, HB_E_X509_STAPLE_MISSING, 113},
    {"must-staple, revoked", "must-staple", "must-staple.revoked", 0, false, HB_E_X509_REVOKED, 44},
};

static void staples(void **state)
{
    static struct duo d;

    (void)state;
    for (size_t i = 0; i < 2 * sizeof rows / sizeof rows[0]; i++) {
        uint16_t version = i % 2 == 0 ? 0x0304 : 0x0303;
        start(&d, rows[i / 2].certs, rows[i / 2].response, version);
        hb_tls_config_staple(d.client.config, !rows[i / 2].unasked);
        d.t.wall += rows[i / 2].later;
        duo_connect(&d, "mail.test", hb_span(NULL, 0));
        duo_pump(&d);
        if (d.client.failure.code != rows[i / 2].code) {
            fail_msg("%s: %s", rows[i / 2].name, hb_err_name(d.client.failure.code));
        }
        assert_int_equal(d.client.ready, rows[i / 2].code == HB_OK);
        if (rows[i / 2].code != HB_OK) {
            assert_int_equal(d.client.failure.alert, rows[i / 2].alert);
            assert_int_equal(d.server.failure.alert, rows[i / 2].alert);
        } else {
            bool stapled = rows[i / 2].response != NULL && !rows[i / 2].unasked;
            assert_int_equal(d.client.stapled > 0, stapled);
            assert_int_equal(hb_tls_info(d.client.tls)->stapled, stapled);
        }
        duo_stop(&d);
    }
}

/* TLS 1.2: CertificateStatus announced and left out (RFC 6066 8 allows it). What comes next waits for the
 * caller's verdict all the same; a must-staple certificate is refused. */
static void left_out(const char *certs, const char *response, uint16_t suite, enum hb_code verdict,
                     enum hb_code code)
{
    static struct duo d;
    static struct tap tap;
    static struct tap_item item;
    bool dropped = false;

    start(&d, certs, response, 0x0303);
    d.client.config->suites[0] = hb_suite_find(suite);
    d.client.config->num_suites = 1;
    hb_tls_config_verify_later(d.client.config, true);
    d.client.verdict = verdict;
    duo_connect(&d, "mail.test", hb_span(NULL, 0));
    tap_start(&tap, &d, true);
    while (!d.client.failed && tap_next(&tap, &item)) {
        if (item.bytes[0] == HB_MSG_CERTIFICATE_STATUS) {
            dropped = true;
        } else {
            tap_put(&tap, item.type, item.bytes, item.len);
        }
    }
    assert_true(dropped);
    assert_int_equal(d.client.failure.code, code);
    assert_int_equal(d.client.verify_seen, code != HB_E_X509_STAPLE_MISSING);
    assert_false(d.client.ready); /* the two ends saw different handshakes */
    duo_stop(&d);
}

static void status_left_out(void **state)
{
    (void)state;
    left_out("ecdsa-p256", "ecdsa-p256.revoked", 0xc02b, HB_E_TLS_VERIFY_REFUSED, HB_E_TLS_VERIFY_REFUSED);
    left_out("rsa-kex", "rsa-kex.revoked", 0x009c, HB_E_TLS_VERIFY_REFUSED, HB_E_TLS_VERIFY_REFUSED);
    left_out("must-staple", "must-staple.good", 0xc02b, HB_OK, HB_E_X509_STAPLE_MISSING);
    /* taken: only the server, whose transcript has the staple, can tell now */
    left_out("ecdsa-p256", "ecdsa-p256.good", 0xc02b, HB_OK, HB_E_TLS_PEER_ALERT);
    left_out("rsa-kex", "rsa-kex.good", 0x009c, HB_OK, HB_E_TLS_PEER_ALERT);
}

/* What our own server takes to show (OCSP-01), and until when. */
static const struct {
    const char *name, *certs, *response;
    int32_t later; /* the clock when it is loaded */
    enum hb_code code;
} own[] = {
    {"good", "ecdsa-p256", "ecdsa-p256.good", 0, HB_OK},
    {"revoked", "ecdsa-p256", "ecdsa-p256.revoked", 0, HB_E_X509_REVOKED},
    {"another certificate's", "ecdsa-p256", "rsa-kex.good", 0, HB_E_X509_STAPLE_OTHER},
    {"too old", "ecdsa-p256", "ecdsa-p256.good", 31 * (int32_t)DAYS, HB_E_X509_STAPLE_STALE},
    {"of a time to come", "ecdsa-p256", "ecdsa-p256.good", -1 * (int32_t)DAYS / 2, HB_E_X509_STAPLE_STALE},
    {"must-staple", "must-staple", "must-staple.good", 0, HB_OK},
    {"signed, and by the chain's issuer", "chain", "chain.good", 0, HB_OK},
    {"changed", "chain", "chain.changed", 0, HB_E_X509_STAPLE_SIGNATURE},
};

static struct hb_span response_of(const char *name)
{
    char file[64];
    const char *changed = strstr(name, ".changed");

    (void)snprintf(file, sizeof file, "%.*s", changed != NULL ? (int)(changed - name) : 60, name);
    struct hb_span der = duo_file(changed != NULL ? strcat(file, ".good") : file, ".ocsp");
    if (changed != NULL) { /* another second of producedAt, the first GeneralizedTime there is */
        uint8_t *at = memmem(der.p, der.len, "\x18\x0f", 2);
        assert_non_null(at);
        at[15] ^= 1;
    }
    return der;
}

static void own_staples(void **state)
{
    static struct duo d;

    (void)state;
    for (size_t i = 0; i < sizeof own / sizeof own[0]; i++) {
        uint64_t until;
        start(&d, own[i].certs, NULL, 0x0304);
        d.t.wall += (uint64_t)(int64_t)own[i].later;
        struct hb_span der = response_of(own[i].response);
        enum hb_code code = hb_cred_store_staple(d.server.creds, der, &until);
        if (code != own[i].code) {
            fail_msg("%s: %s", own[i].name, hb_err_name(code));
        }
        assert_int_equal(until > d.t.wall, code == HB_OK);
        /* malformed: every cut of it, and each kind of nothing */
        for (size_t cut = 0; i == 0 && cut < der.len; cut++) {
            assert_int_equal(hb_cred_store_staple(d.server.creds, hb_span(der.p, cut), NULL),
                             HB_E_X509_STAPLE);
        }
        free((void *)(uintptr_t)der.p);
        duo_stop(&d);
    }
}

/* It is shown to the last second of its time and not a second longer; nothing else of the handshake changes,
 * but for a certificate that must be stapled. */
static void grows_stale(void **state)
{
    static const struct {
        const char *certs, *response;
        enum hb_code code;
    } certs[] = {
        {"ecdsa-p256", "ecdsa-p256.good", HB_OK},
        {"must-staple", "must-staple.good", HB_E_X509_STAPLE_MISSING},
    };
    static struct duo d;

    (void)state;
    for (unsigned i = 0; i < 8; i++) {
        bool late = i % 2 != 0;
        unsigned which = i / 2 % 2;
        uint64_t until;
        start(&d, certs[which].certs, NULL, i < 4 ? 0x0304 : 0x0303);
        struct hb_span der = duo_file(certs[which].response, ".ocsp");
        assert_int_equal(hb_cred_store_staple(d.server.creds, der, &until), HB_OK);
        free((void *)(uintptr_t)der.p);
        d.t.wall = until + late;
        duo_connect(&d, "mail.test", hb_span(NULL, 0));
        duo_pump(&d);
        assert_int_equal(d.client.failure.code, late ? certs[which].code : HB_OK);
        assert_int_equal(d.client.stapled > 0, !late);
        duo_stop(&d);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(staples),
        cmocka_unit_test(status_left_out),
        cmocka_unit_test(own_staples),
        cmocka_unit_test(grows_stale),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
