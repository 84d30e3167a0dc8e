/* Both roles of the engine against each other: versions x groups x certificates x client certificates x
 * resumption x PSK, bytes whole, one by one and in random cuts. Rows name the requirements they are for. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <cmocka.h>
#include "config.h"
#include "duo.h"
#include "legacy/record.h"

struct row {
    const char *name, *certs, *client_certs;
    enum hb_tls_profile server, client;
    uint16_t version;   /* both sides' highest; 0: any */
    uint16_t groups[2]; /* the server's; 0: default */
    enum hb_tls_auth auth;
    bool tickets, psk, psk12;
    const char *host; /* what the client wants */
    const char *want_version, *want_group;
    const char *want_identity;
};

/* clang-format off */
#define I HB_PROFILE_INTERMEDIATE
#define L HB_PROFILE_LEGACY
static const struct row role_rows[] = {
    {"1.3 default is post-quantum (MLK-01, T13-09)", "ecdsa-p256", NULL, I, I, 0, {0}, HB_AUTH_OFF, false, false, false, "mail.test", "TLSv1.3", "X25519MLKEM768", ""},
    {"1.3 P-256 beside ML-KEM (MLK-02)", "ecdsa-p256", NULL, I, I, 0, {0x11eb}, HB_AUTH_OFF, false, false, false, "mail.test", "TLSv1.3", "SecP256r1MLKEM768", ""},
    {"1.3 classical server", "ecdsa-p256", NULL, I, I, 0, {0x001d}, HB_AUTH_OFF, false, false, false, "mail.test", "TLSv1.3", "x25519", ""},
    {"1.3 retry P-384 (T13-05, T13-06)", "rsa2048", NULL, I, I, 0, {0x0018}, HB_AUTH_OFF, false, false, false, "mail.test", "TLSv1.3", "secp384r1", ""},
    {"1.3 retry P-521", "ecdsa-p521", NULL, I, I, 0, {0x0019}, HB_AUTH_OFF, false, false, false, "mail.test", "TLSv1.3", "secp521r1", ""},
    {"1.3 retry x448", "ed25519", NULL, I, I, 0, {0x001e}, HB_AUTH_OFF, false, false, false, "mail.test", "TLSv1.3", "x448", ""},
    {"1.3 Ed448", "ed448", NULL, I, I, 0, {0}, HB_AUTH_OFF, false, false, false, "mail.test", "TLSv1.3", "X25519MLKEM768", ""},
    {"1.3 ffdhe2048 (T13-08)", "ecdsa-p256", NULL, L, L, 0, {0x0100}, HB_AUTH_OFF, false, false, false, "mail.test", "TLSv1.3", "ffdhe2048", ""},
    {"1.3 RSA-PSS key", "rsa-pss", NULL, I, I, 0, {0}, HB_AUTH_OFF, false, false, false, "mail.test", "TLSv1.3", "X25519MLKEM768", ""},
    {"1.3 by address", "ecdsa-p256", NULL, I, I, 0, {0}, HB_AUTH_OFF, false, false, false, "127.0.0.1", "TLSv1.3", "X25519MLKEM768", ""},
    {"1.3 chain (PKI-03)", "chain", NULL, I, I, 0, {0}, HB_AUTH_OFF, false, false, false, "mail.test", "TLSv1.3", "X25519MLKEM768", ""},
    {"1.3 client certificate (T13-12, T13-14)", "ecdsa-p256", "client", I, I, 0, {0}, HB_AUTH_REQUIRE, false, false, false, "mail.test", "TLSv1.3", "X25519MLKEM768", "alice@mail.test"},
    {"1.3 client certificate, retry", "ecdsa-p256", "client", I, I, 0, {0x0018}, HB_AUTH_REQUIRE, false, false, false, "mail.test", "TLSv1.3", "secp384r1", "alice@mail.test"},
    {"1.3 client without one, asked", "ecdsa-p256", NULL, I, I, 0, {0}, HB_AUTH_REQUEST, false, false, false, "mail.test", "TLSv1.3", "X25519MLKEM768", ""},
    {"1.3 tickets (RES-01, RES-02)", "ecdsa-p256", NULL, I, I, 0, {0}, HB_AUTH_OFF, true, false, false, "mail.test", "TLSv1.3", "X25519MLKEM768", ""},
    {"1.3 tickets, retry (RES-02)", "ecdsa-p256", NULL, I, I, 0, {0x0017}, HB_AUTH_OFF, true, false, false, "mail.test", "TLSv1.3", "secp256r1", ""},
    {"1.3 tickets, client certificate (RES-06)", "ecdsa-p256", "client", I, I, 0, {0}, HB_AUTH_REQUIRE, true, false, false, "mail.test", "TLSv1.3", "X25519MLKEM768", "alice@mail.test"},
    {"1.3 external PSK (RES-11, RES-03)", NULL, NULL, I, I, 0, {0}, HB_AUTH_OFF, false, true, false, "mail.test", "TLSv1.3", "X25519MLKEM768", "gateway-1"},
    {"1.2", "ecdsa-p256", NULL, I, I, 0x0303, {0}, HB_AUTH_OFF, false, false, false, "mail.test", "TLSv1.2", "x25519", ""},
    {"1.2 RSA", "rsa2048", NULL, I, I, 0x0303, {0x0017}, HB_AUTH_OFF, false, false, false, "mail.test", "TLSv1.2", "secp256r1", ""},
    {"1.2 P-521 key, x448", "ecdsa-p521", NULL, I, I, 0x0303, {0x001e, 0x0019}, HB_AUTH_OFF, false, false, false, "mail.test", "TLSv1.2", "x448", ""},
    {"1.2 client certificate (T12-07)", "ecdsa-p256", "client", I, I, 0x0303, {0}, HB_AUTH_REQUIRE, false, false, false, "mail.test", "TLSv1.2", "x25519", "alice@mail.test"},
    {"1.2 client RSA certificate", "ecdsa-p256", "client-rsa", I, I, 0x0303, {0}, HB_AUTH_REQUEST, false, false, false, "mail.test", "TLSv1.2", "x25519", NULL},
    {"1.2 client without one, asked", "rsa2048", NULL, I, I, 0x0303, {0}, HB_AUTH_REQUEST, false, false, false, "mail.test", "TLSv1.2", "x25519", ""},
    {"1.2 tickets (RES-10)", "ecdsa-p256", NULL, I, I, 0x0303, {0}, HB_AUTH_OFF, true, false, false, "mail.test", "TLSv1.2", "x25519", ""},
    {"1.2 tickets, client certificate", "ecdsa-p256", "client", I, I, 0x0303, {0}, HB_AUTH_REQUIRE, true, false, false, "mail.test", "TLSv1.2", "x25519", "alice@mail.test"},
    {"1.1 legacy (T12-12, REC-11, T12-01)", "rsa2048", NULL, L, L, 0x0302, {0}, HB_AUTH_OFF, false, false, false, "mail.test", "TLSv1.1", "x25519", ""},
    {"1.0 legacy, split records (REC-14)", "ecdsa-p256", NULL, L, L, 0x0301, {0}, HB_AUTH_OFF, false, false, false, "mail.test", "TLSv1", "x25519", ""},
    {"1.0 client certificate (T12-07)", "rsa2048", "client-rsa", L, L, 0x0301, {0}, HB_AUTH_REQUIRE, false, false, false, "mail.test", "TLSv1", "x25519", "bob@mail.test"},
    {"1.1 client ECDSA certificate", "ecdsa-p256", "client", L, L, 0x0302, {0}, HB_AUTH_REQUIRE, false, false, false, "mail.test", "TLSv1.1", "x25519", "alice@mail.test"},
    {"1.2 ECDHE_PSK (RES-12)", NULL, NULL, I, I, 0x0303, {0}, HB_AUTH_OFF, false, true, true, "mail.test", "TLSv1.2", "x25519", "gateway-1"},
};
#undef I
#undef L
/* clang-format on */

static void configure(struct duo *d, const struct row *r, struct hb_ticket_keys *keys)
{
    struct duo_end *ends[] = {&d->client, &d->server};

    for (unsigned i = 0; i < 2; i++) {
        struct hb_tls_config *c = ends[i]->config;
        if (r->version != 0) {
            assert_int_equal(hb_tls_config_versions(c, 0x0301, r->version), HB_OK);
        }
        if (r->tickets) {
            hb_tls_config_tickets(c, keys, hb_span_str("imap 127.0.0.1:143"), 1, 7200);
        }
        if (r->psk) {
            assert_int_equal(hb_tls_config_add_psk(c, hb_span_str("gateway-1"),
                                                   hb_span_str("0123456789abcdef0123456789abcdef")),
                             HB_OK);
        }
        if (r->psk12) {
            assert_int_equal(hb_tls_config_psk12(c), HB_OK);
        }
        assert_int_equal(hb_tls_config_add_alpn(c, "imap"), HB_OK);
    }
    if (r->groups[0] != 0) {
        unsigned n = r->groups[1] != 0 ? 2 : 1;
        assert_int_equal(hb_tls_config_groups(d->server.config, r->groups, n), HB_OK);
        if (r->groups[0] == 0x11eb) { /* in no profile: both must name it */
            assert_int_equal(hb_tls_config_groups(d->client.config, r->groups, n), HB_OK);
        }
    }
    hb_tls_config_client_auth(d->server.config, r->auth);
}

static void check(struct duo *d, const struct row *r, bool resumed)
{
    if (!d->client.ready || !d->server.ready) {
        fail_msg("%s: client %s, server %s", r->name, hb_err_name(d->client.failure.code),
                 hb_err_name(d->server.failure.code));
    }
    const struct hb_tls_info *c = hb_tls_info(d->client.tls);
    const struct hb_tls_info *s = hb_tls_info(d->server.tls);
    assert_string_equal(hb_tls_version_name(c->version), r->want_version);
    assert_int_equal(c->version, s->version);
    assert_int_equal(c->suite, s->suite);
    assert_int_equal(c->resumed, resumed);
    assert_int_equal(s->resumed, resumed);
    assert_int_equal(c->psk, r->psk);
    assert_int_equal(c->alpn, 1);
    if (!resumed || c->version == 0x0304) {
        assert_string_equal(hb_tls_group_name(c->group), r->want_group);
        assert_int_equal(c->group, s->group);
    }
    bool shown = !resumed && !r->psk; /* SASL-07: both ends see one certificate */
    assert_int_equal(d->client.end_point_len > 0, shown && d->server.end_point_len > 0);
    assert_int_equal(d->client.end_point_len, d->server.end_point_len);
    assert_memory_equal(d->client.end_point, d->server.end_point, d->client.end_point_len);
    if (!resumed && !r->psk) {
        assert_true(c->peer_sigalg == s->sigalg || c->version < 0x0303);
    }
    if (r->want_identity != NULL) {
        assert_string_equal(d->server.identity, r->want_identity);
    }
    uint8_t a[32];
    uint8_t b[32];
    if (c->version < 0x0303) {
        duo_chat(d);
    }
    assert_int_equal(hb_tls_export(d->client.tls, "EXPORTER-Channel-Binding", hb_span(NULL, 0), a, sizeof a),
                     HB_OK);
    assert_int_equal(hb_tls_export(d->server.tls, "EXPORTER-Channel-Binding", hb_span(NULL, 0), b, sizeof b),
                     HB_OK);
    assert_memory_equal(a, b, sizeof a);
    duo_chat(d);
    if (c->version == 0x0304) { /* T13-18: both ways, asked for and not */
        assert_int_equal(hb_tls_key_update(d->client.tls, true, &d->client.out), HB_OK);
        assert_int_equal(hb_tls_key_update(d->server.tls, false, &d->server.out), HB_OK);
        duo_chat(d);
    }
    hb_tls_close(d->client.tls, &d->client.out);
    duo_pump(d);
    assert_true(d->server.closed);
    hb_tls_close(d->server.tls, &d->server.out);
    duo_pump(d);
    assert_true(d->client.closed);
    assert_int_equal(hb_tls_eof(d->client.tls), HB_OK);
}

static void both_roles(void **state)
{
    (void)state;
    static const unsigned cuts[] = {0, 1, 65535};
    for (size_t i = 0; i < sizeof role_rows / sizeof role_rows[0]; i++) {
        const struct row *r = &role_rows[i];
        for (unsigned cut = 0; cut < 3; cut++) {
            struct duo d;
            struct hb_ticket_keys *keys = NULL;
            duo_start(&d, r->certs, r->server, r->client_certs, r->client);
            assert_int_equal(hb_ticket_keys_new(&d.t.env, hb_span(NULL, 0), &keys), HB_OK);
            d.cut = cuts[cut];
            configure(&d, r, keys);
            duo_connect(&d, r->host, hb_span(NULL, 0));
            duo_pump(&d);
            check(&d, r, false);
            if (r->tickets) {
                for (unsigned again = 0; again < 2; again++) {
                    assert_true(d.client.session_len > 0);
                    uint8_t kept[HB_TLS_SESSION_MAX];
                    size_t len = d.client.session_len;
                    memcpy(kept, d.client.session, len);
                    d.client.session_len = 0;
                    d.t.wall += 60;
                    duo_hang_up(&d);
                    duo_connect(&d, r->host, hb_span(kept, len));
                    duo_pump(&d);
                    check(&d, r, true);
                }
            }
            hb_ticket_keys_free(&keys);
            duo_stop(&d);
        }
        print_message("%s\n", r->name);
    }
}

/* ---- suites of TLS 1.2 and before, one by one ---- */

static void every_suite(void **state)
{
    (void)state;
    for (size_t i = 0; i < hb_num_suites; i++) {
        const struct hb_suite *suite = &hb_suites[i];
        for (uint16_t version = 0x0301; version <= 0x0304; version++) {
            struct duo d;
            bool psk = hb_kx_is_psk(suite->kx);
            bool rsa = suite->auth == HB_AUTH_RSA;
            if (!hb_suite_fits(suite, version)) {
                continue;
            }
            /* antique: a server never has it (PRO-02), so it is put into one by hand */
            enum hb_tls_profile profile =
                suite->tier == HB_TIER_ANTIQUE ? HB_PROFILE_ANTIQUE : HB_PROFILE_LEGACY;
            for (unsigned way = 0; way < 4; way++) {
                bool etm = (way & 1) != 0;
                bool later = (way & 2) != 0; /* the server's key is with somebody else */
                duo_start(&d, rsa ? "rsa-kex" : "ecdsa-p256", profile, NULL, profile);
                struct duo_end *ends[] = {&d.client, &d.server};
                for (unsigned k = 0; k < 2; k++) {
                    assert_int_equal(hb_tls_config_versions(ends[k]->config, version, version), HB_OK);
                    if (psk) {
                        assert_int_equal(hb_tls_config_add_psk(ends[k]->config, hb_span_str("me"),
                                                               hb_span_str("0123456789abcdef")),
                                         HB_OK);
                    }
                }
                d.client.config->suites[0] = suite;
                d.client.config->num_suites = 1;
                d.server.config->suites[0] = suite;
                d.server.config->num_suites = 1;
                d.client.config->profile =
                    etm ? HB_PROFILE_LEGACY : HB_PROFILE_INTERMEDIATE; /* which alone asks for EtM */
                d.cut = 65535;
                hb_cred_store_sign_later(d.server.creds, later);
                duo_connect(&d, "mail.test", hb_span(NULL, 0));
                duo_pump(&d);
                if (!d.client.ready || !d.server.ready) {
                    fail_msg("%s %s: client %s, server %s", suite->name, hb_tls_version_name(version),
                             hb_err_name(d.client.failure.code), hb_err_name(d.server.failure.code));
                }
                assert_int_equal(hb_tls_info(d.server.tls)->suite, suite->id);
                bool transport = suite->kx == HB_KX_RSA || suite->kx == HB_KX_RSA_PSK;
                assert_int_equal(d.server.decrypt_later_seen, later && transport); /* CT-03 */
                assert_false(d.server.sign_later_seen && transport);
                bool cbc = suite->legacy != NULL && suite->legacy->cipher->block > 0;
                assert_int_equal(hb_tls_info(d.client.tls)->etm, etm && cbc); /* REC-12 */
                duo_chat(&d);
                duo_chat(&d);
                duo_stop(&d);
            }
        }
    }
}

/* ---- a flipped bit in any record, padding too: one answer (REC-13, CT-04, ALR-03, ATK-32, ATK-T2) ---- */

static size_t flip_at;

static size_t flip(struct duo *d, bool from_client, uint8_t *wire, size_t len, size_t cap)
{
    (void)d;
    (void)cap;
    if (from_client && len > 5 + flip_at) {
        wire[5 + flip_at] ^= 0x01;
    }
    return len;
}

static void flipped_cbc_records(void **state)
{
    (void)state;
    static const uint16_t suites[] = {0xc013, 0x0035, 0xc027, 0x0005};
    for (unsigned i = 0; i < 4; i++) {
        for (unsigned etm = 0; etm < 2; etm++) {
            for (flip_at = 0; flip_at < 320; flip_at += 7) {
                struct duo d;
                static uint8_t text[230];
                struct hb_span span = hb_span(text, sizeof text);
                duo_start(&d, "rsa-kex", HB_PROFILE_ANTIQUE, NULL, HB_PROFILE_ANTIQUE);
                struct duo_end *ends[] = {&d.client, &d.server};
                for (unsigned k = 0; k < 2; k++) {
                    ends[k]->config->suites[0] = hb_suite_find(suites[i]);
                    ends[k]->config->num_suites = 1;
                    assert_int_equal(hb_tls_config_versions(ends[k]->config, 0x0303, 0x0303), HB_OK);
                }
                d.client.config->profile = etm ? HB_PROFILE_LEGACY : HB_PROFILE_INTERMEDIATE;
                duo_connect(&d, "mail.test", hb_span(NULL, 0));
                duo_pump(&d);
                assert_true(d.server.ready);
                d.meddle = flip;
                assert_int_equal(hb_tls_write(d.client.tls, &span, 1, &d.client.out), HB_OK);
                bool reached = d.client.out.len > 5 + flip_at;
                duo_pump(&d);
                assert_int_equal(d.server.failed, reached);
                if (reached) {
                    assert_int_equal(d.server.failure.code, HB_E_TLS_BAD_RECORD_MAC);
                    assert_int_equal(d.server.failure.alert, 20);
                }
                d.meddle = NULL;
                duo_stop(&d);
            }
        }
    }
}

/* ---- tickets that must not be taken (RES-05, RES-06, EMS-02, ATK-27, ATK-39) ---- */

struct ticket_row {
    const char *name;
    uint16_t version;
    uint64_t later;                    /* seconds */
    const char *host, *alpn, *context; /* of the second connection; NULL: the same */
    bool tamper, other_keys, same_secret, needs_certificate;
    bool want;
};

/* clang-format off */
static const struct ticket_row ticket_rows[] = {
    {"taken",                    0x0304, 60,     NULL, NULL, NULL, false, false, false, false, true},
    {"taken 1.2",                0x0303, 60,     NULL, NULL, NULL, false, false, false, false, true},
    {"RES-06 expired",           0x0304, 7201,   NULL, NULL, NULL, false, false, false, false, false},
    {"RES-06 expired 1.2",       0x0303, 7201,   NULL, NULL, NULL, false, false, false, false, false},
    {"RES-05 keys aged out",     0x0304, 200000, NULL, NULL, NULL, false, false, false, false, false},
    {"RES-06 other name",        0x0304, 60,     "localhost", NULL, NULL, false, false, false, false, false},
    {"RES-06 other name 1.2",    0x0303, 60,     "localhost", NULL, NULL, false, false, false, false, false},
    {"ATK-27 other ALPN",        0x0304, 60,     NULL, "pop3", NULL, false, false, false, false, false},
    {"ATK-27 other ALPN 1.2",    0x0303, 60,     NULL, "pop3", NULL, false, false, false, false, false},
    {"ATK-27 other listener",    0x0304, 60,     NULL, NULL, "smtp 25", false, false, false, false, false},
    {"ATK-39 other listener 1.2",0x0303, 60,     NULL, NULL, "smtp 25", false, false, false, false, false},
    {"RES-04 tampered",          0x0304, 60,     NULL, NULL, NULL, true,  false, false, false, false},
    {"RES-04 tampered 1.2",      0x0303, 60,     NULL, NULL, NULL, true,  false, false, false, false},
    {"RES-05 another machine",   0x0304, 60,     NULL, NULL, NULL, false, true,  true,  false, true},
    {"RES-05 another secret",    0x0304, 60,     NULL, NULL, NULL, false, true,  false, false, false},
    {"RES-06 certificate now required", 0x0304, 60, NULL, NULL, NULL, false, false, false, true, false},
};
/* clang-format on */

static void tickets(void **state)
{
    (void)state;
    struct hb_span secret = hb_span_str("a secret of thirty-two bytes or more");
    for (size_t i = 0; i < sizeof ticket_rows / sizeof ticket_rows[0]; i++) {
        const struct ticket_row *r = &ticket_rows[i];
        struct duo d;
        struct hb_ticket_keys *keys = NULL;
        duo_start(&d, "ecdsa-p256", HB_PROFILE_INTERMEDIATE, "client", HB_PROFILE_INTERMEDIATE);
        d.t.wall -= d.t.wall % HB_TICKET_EPOCH;
        d.t.wall += 600;
        assert_int_equal(hb_ticket_keys_new(&d.t.env, secret, &keys), HB_OK);
        for (unsigned k = 0; k < 2; k++) {
            struct hb_tls_config *c = k == 0 ? d.client.config : d.server.config;
            assert_int_equal(hb_tls_config_versions(c, r->version, r->version), HB_OK);
            hb_tls_config_tickets(c, keys, hb_span_str("imap 143"), 1, 7200);
            assert_int_equal(hb_tls_config_add_alpn(c, "imap"), HB_OK);
            assert_int_equal(hb_tls_config_add_alpn(c, "pop3"), HB_OK);
            hb_tls_config_verify(c, k == 0 ? HB_VERIFY_FULL : HB_VERIFY_NONE, k == 0 ? d.trust : NULL);
        }
        duo_connect(&d, "mail.test", hb_span(NULL, 0));
        duo_pump(&d);
        assert_true(d.client.ready);
        duo_chat(&d);
        assert_true(d.client.session_len > 0);
        uint8_t kept[HB_TLS_SESSION_MAX];
        size_t len = d.client.session_len;
        memcpy(kept, d.client.session, len);
        duo_hang_up(&d);
        d.t.wall += r->later;
        if (r->tamper) {
            kept[len - 20] ^= 1;
        }
        if (r->host != NULL) { /* the client keeps sessions by name; one that did not would be refused */
            for (size_t at = 0; at + 9 < len; at++) {
                if (memcmp(kept + at, "mail.test", 9) == 0) {
                    memcpy(kept + at, "localhost", 9);
                }
            }
        }
        if (r->alpn != NULL) {
            memcpy(d.server.config->alpn[0].name, r->alpn, 5);
        }
        hb_tls_config_client_auth(d.server.config, r->needs_certificate ? HB_AUTH_REQUIRE : HB_AUTH_OFF);
        if (r->other_keys) {
            hb_ticket_keys_free(&keys);
            assert_int_equal(hb_ticket_keys_new(&d.t.env, r->same_secret ? secret : hb_span(NULL, 0), &keys),
                             HB_OK);
        }
        hb_tls_config_tickets(d.server.config, keys,
                              hb_span_str(r->context != NULL ? r->context : "imap 143"), 1, 7200);
        duo_connect(&d, r->host != NULL ? r->host : "mail.test", hb_span(kept, len));
        duo_pump(&d);
        if (!d.client.ready || !d.server.ready || hb_tls_info(d.server.tls)->resumed != r->want) {
            fail_msg("%s: client %s, server %s", r->name, hb_err_name(d.client.failure.code),
                     hb_err_name(d.server.failure.code));
        }
        duo_chat(&d);
        hb_ticket_keys_free(&keys);
        duo_stop(&d);
    }
}

/* ---- certificates a client refuses (PKI-02, PKI-03, PKI-04, PKI-06, PKI-09, CERT-01, ATK-24) ---- */

static void refused_servers(void **state)
{
    (void)state;
    static const struct {
        const char *certs, *name;
        enum hb_tls_verify verify;
        uint64_t later;
        bool no_trust, right_pin;
        enum hb_code want;
        uint8_t alert;
    } rows[] = {
        {"ecdsa-p256", "mail.test", HB_VERIFY_FULL, 0, false, false, HB_OK, 255},
        {"chain", "mail.test", HB_VERIFY_FULL, 0, false, false, HB_OK, 255},
        {"wildcard", "a.wild.test", HB_VERIFY_FULL, 0, false, false, HB_OK, 255},
        {"wildcard", "wild.test", HB_VERIFY_FULL, 0, false, false, HB_E_X509_NAME_MISMATCH, 42},
        {"wildcard", "a.b.wild.test", HB_VERIFY_FULL, 0, false, false, HB_E_X509_NAME_MISMATCH, 42},
        {"ecdsa-p256", "other.test", HB_VERIFY_FULL, 0, false, false, HB_E_X509_NAME_MISMATCH, 42},
        {"ecdsa-p256", "127.0.0.1", HB_VERIFY_FULL, 0, false, false, HB_OK, 255},
        {"ecdsa-p256", "127.0.0.2", HB_VERIFY_FULL, 0, false, false, HB_E_X509_NAME_MISMATCH, 42},
        {"ecdsa-p256", "::1", HB_VERIFY_FULL, 0, false, false, HB_E_X509_NAME_MISMATCH, 42},
        {"ecdsa-p256", "other.test", HB_VERIFY_CHAIN, 0, false, false, HB_OK, 255},
        {"ecdsa-p256", "mail.test", HB_VERIFY_FULL, 100 * 86400, false, false, HB_E_CERT_EXPIRED, 45},
        {"ecdsa-p256", "mail.test", HB_VERIFY_FULL, 0, true, false, HB_E_X509_UNKNOWN_CA, 48},
        {"chain", "mail.test", HB_VERIFY_CHAIN, 0, true, false, HB_E_X509_UNKNOWN_CA, 48},
        {"client", "mail.test", HB_VERIFY_CHAIN, 0, false, false, HB_E_X509_USAGE, 43},
        {"ecdsa-p256", "mail.test", HB_VERIFY_NONE, 0, true, false, HB_OK, 255},
        {"ecdsa-p256", "mail.test", HB_VERIFY_PIN, 0, true, false, HB_E_TLS_PIN, 46},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        for (uint16_t version = 0x0303; version <= 0x0304; version++) {
            struct duo d;
            duo_start(&d, rows[i].certs, HB_PROFILE_INTERMEDIATE, NULL, HB_PROFILE_INTERMEDIATE);
            hb_tls_config_verify(d.client.config, rows[i].verify, rows[i].no_trust ? NULL : d.trust);
            assert_int_equal(hb_tls_config_versions(d.client.config, version, version), HB_OK);
            d.t.wall += rows[i].later;
            duo_connect(&d, rows[i].name, hb_span(NULL, 0));
            duo_pump(&d);
            if (d.client.failure.code != rows[i].want) {
                fail_msg("row %zu, %s as %s: %s", i, rows[i].certs, rows[i].name,
                         hb_err_name(d.client.failure.code));
            }
            assert_int_equal(d.client.ready, rows[i].want == HB_OK);
            if (rows[i].want != HB_OK) { /* nothing goes on behind it: the server hears why */
                assert_int_equal(d.client.failure.alert, rows[i].alert);
                assert_int_equal(d.server.failure.code, HB_E_TLS_PEER_ALERT);
                assert_int_equal(d.server.failure.alert, rows[i].alert);
            }
            duo_stop(&d);
        }
    }
}

/* ---- client certificates a server refuses ---- */

static void refused_clients(void **state)
{
    (void)state;
    static const struct {
        const char *certs;
        enum hb_tls_auth auth;
        enum hb_tls_verify verify;
        bool no_trust, caller_says_no;
        enum hb_code want13, want12;
        uint8_t alert13, alert12;
    } rows[] = {
        {NULL, HB_AUTH_REQUIRE, HB_VERIFY_CHAIN, false, false, HB_E_TLS_CERTIFICATE_MISSING13,
         HB_E_TLS_CERTIFICATE_MISSING12, 116, 40},
        {"other", HB_AUTH_REQUEST, HB_VERIFY_CHAIN, false, false, HB_E_X509_USAGE, HB_E_X509_USAGE, 43, 43},
        {"client", HB_AUTH_REQUEST, HB_VERIFY_CHAIN, true, false, HB_E_X509_UNKNOWN_CA, HB_E_X509_UNKNOWN_CA,
         48, 48},
        {"client", HB_AUTH_REQUEST, HB_VERIFY_NONE, true, true, HB_E_TLS_VERIFY_REFUSED,
         HB_E_TLS_VERIFY_REFUSED, 46, 46},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        for (uint16_t version = 0x0303; version <= 0x0304; version++) {
            struct duo d;
            duo_start(&d, "ecdsa-p256", HB_PROFILE_INTERMEDIATE, rows[i].certs, HB_PROFILE_INTERMEDIATE);
            hb_tls_config_client_auth(d.server.config, rows[i].auth);
            hb_tls_config_verify(d.server.config, rows[i].verify, rows[i].no_trust ? NULL : d.trust);
            hb_tls_config_verify_later(d.server.config, rows[i].caller_says_no);
            d.server.verdict = HB_E_TLS_VERIFY_REFUSED;
            assert_int_equal(hb_tls_config_versions(d.client.config, version, version), HB_OK);
            duo_connect(&d, "mail.test", hb_span(NULL, 0));
            duo_pump(&d);
            assert_false(d.server.ready);
            assert_int_equal(d.server.failure.code, version == 0x0304 ? rows[i].want13 : rows[i].want12);
            assert_int_equal(d.server.failure.alert, version == 0x0304 ? rows[i].alert13 : rows[i].alert12);
            duo_stop(&d);
        }
    }
}

/* ---- version tolerance, one case per known intolerance (VER-01, HS-05, HS-07, REC-02) ---- */

static void no_common_version(void **state)
{
    (void)state;
    struct duo d;
    duo_start(&d, "ecdsa-p256", HB_PROFILE_MODERN, NULL, HB_PROFILE_INTERMEDIATE);
    assert_int_equal(hb_tls_config_versions(d.client.config, 0x0303, 0x0303), HB_OK);
    duo_connect(&d, "mail.test", hb_span(NULL, 0));
    duo_pump(&d);
    assert_int_equal(d.server.failure.code, HB_E_TLS_VERSION); /* T13-10 */
    assert_int_equal(d.server.failure.alert, 70);
    assert_int_equal(d.client.failure.code, HB_E_TLS_PEER_ALERT);
    duo_stop(&d);
}

/* A man in the middle who takes 1.3 out of the client's offer is seen by the sentinel (VER-02, ATK-42). */
static size_t take_13_out(struct duo *d, bool from_client, uint8_t *wire, size_t len, size_t cap)
{
    (void)d;
    (void)cap;
    for (size_t i = 0; from_client && i + 4 < len; i++) {
        if (wire[i] == 0x03 && wire[i + 1] == 0x04 && wire[i + 2] == 0x03 && wire[i + 3] == 0x03) {
            wire[i] = 0x7a; /* an unknown version instead */
            wire[i + 1] = 0x7a;
        }
    }
    return len;
}

static void downgrade_is_seen(void **state)
{
    (void)state;
    struct duo d;
    duo_start(&d, "ecdsa-p256", HB_PROFILE_INTERMEDIATE, NULL, HB_PROFILE_INTERMEDIATE);
    d.meddle = take_13_out;
    duo_connect(&d, "mail.test", hb_span(NULL, 0));
    duo_pump(&d);
    assert_int_equal(d.client.failure.code, HB_E_TLS_DOWNGRADE);
    assert_int_equal(d.client.failure.alert, 47);
    assert_false(d.server.ready);
    duo_stop(&d);
}

static void wrong_psk(void **state)
{
    (void)state;
    for (uint16_t version = 0x0303; version <= 0x0304; version++) {
        struct duo d;
        duo_start(&d, "ecdsa-p256", HB_PROFILE_INTERMEDIATE, NULL, HB_PROFILE_INTERMEDIATE);
        assert_int_equal(
            hb_tls_config_add_psk(d.client.config, hb_span_str("me"), hb_span_str("0123456789abcdef")),
            HB_OK);
        assert_int_equal(
            hb_tls_config_add_psk(d.server.config, hb_span_str("me"), hb_span_str("0123456789abcdeX")),
            HB_OK);
        assert_int_equal(hb_tls_config_psk12(d.client.config), HB_OK);
        assert_int_equal(hb_tls_config_psk12(d.server.config), HB_OK);
        assert_int_equal(hb_tls_config_versions(d.client.config, version, version), HB_OK);
        duo_connect(&d, "mail.test", hb_span(NULL, 0));
        duo_pump(&d);
        assert_false(d.server.ready);
        /* RES-02: a bad binder. RES-12: other keys, so the record that holds Finished opens for nobody */
        assert_int_equal(d.server.failure.code,
                         version == 0x0304 ? HB_E_TLS_BAD_BINDER : HB_E_TLS_BAD_RECORD_MAC);
        assert_int_equal(d.server.failure.alert, version == 0x0304 ? 51 : 20);
        duo_stop(&d);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(both_roles),          cmocka_unit_test(every_suite),
        cmocka_unit_test(flipped_cbc_records), cmocka_unit_test(tickets),
        cmocka_unit_test(refused_servers),     cmocka_unit_test(refused_clients),
        cmocka_unit_test(no_common_version),   cmocka_unit_test(downgrade_is_seen),
        cmocka_unit_test(wrong_psk),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
