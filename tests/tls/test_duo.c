/* Both roles of the engine against each other: versions x groups x certificates x client certificates x
 * resumption x PSK, bytes whole, one by one and in random cuts. Rows name the requirements they are for. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <cmocka.h>
#include "duo.h"

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
static const struct row rows[] = {
    {"1.3 default is post-quantum (MLK-01, T13-09)", "ecdsa-p256", NULL, I, I, 0, {0}, HB_AUTH_OFF, false, false, false, "mail.test", "TLSv1.3", "X25519MLKEM768", ""},
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
        assert_int_equal(hb_tls_config_groups(d->server.config, r->groups, r->groups[1] != 0 ? 2 : 1), HB_OK);
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
    if (!resumed && !r->psk) {
        assert_int_equal(c->peer_sigalg, s->sigalg);
    }
    if (r->want_identity != NULL) {
        assert_string_equal(d->server.identity, r->want_identity);
    }
    uint8_t a[32];
    uint8_t b[32];
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
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        const struct row *r = &rows[i];
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

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(both_roles),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
