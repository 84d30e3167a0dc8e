#include "drive.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <cmocka.h>

/* clang-format off */
const struct course courses[NUM_COURSES] = {
    [C13]         = {"1.3",                      "ecdsa-p256", 0x0304, HB_AUTH_OFF,     false, false, false, false, false, false, false},
    [C13_RETRY]   = {"1.3 retry",                "ecdsa-p256", 0x0304, HB_AUTH_OFF,     false, false, false, true,  false, false, false},
    [C13_AUTH]    = {"1.3 client certificate",   "ecdsa-p256", 0x0304, HB_AUTH_REQUEST, true,  false, false, false, false, false, false},
    [C13_NO_CERT] = {"1.3 client without one",   "ecdsa-p256", 0x0304, HB_AUTH_REQUEST, false, false, false, false, false, false, false},
    [C13_PSK]     = {"1.3 PSK",                  NULL,         0x0304, HB_AUTH_OFF,     false, false, false, false, true,  false, false},
    [C13_RESUMED] = {"1.3 resumed",              "ecdsa-p256", 0x0304, HB_AUTH_OFF,     false, true,  true,  false, false, false, false},
    [C12]         = {"1.2",                      "ecdsa-p256", 0x0303, HB_AUTH_OFF,     false, false, false, false, false, false, false},
    [C12_TICKET]  = {"1.2 ticket",               "ecdsa-p256", 0x0303, HB_AUTH_OFF,     false, true,  false, false, false, false, false},
    [C12_RESUMED] = {"1.2 resumed",              "ecdsa-p256", 0x0303, HB_AUTH_OFF,     false, true,  true,  false, false, false, false},
    [C12_AUTH]    = {"1.2 client certificate",   "ecdsa-p256", 0x0303, HB_AUTH_REQUEST, true,  false, false, false, false, false, false},
    [C12_NO_CERT] = {"1.2 client without one",   "ecdsa-p256", 0x0303, HB_AUTH_REQUEST, false, false, false, false, false, false, false},
    [C12_RSA]     = {"1.2 RSA key transport (T12-05, FREAK)", "rsa-kex", 0x0303, HB_AUTH_OFF, false, false, false, false, false, true, false},
    [C13_STAPLE]  = {"1.3 staple",               "ecdsa-p256", 0x0304, HB_AUTH_OFF,     false, false, false, false, false, false, true},
    [C12_STAPLE]  = {"1.2 staple",               "ecdsa-p256", 0x0303, HB_AUTH_OFF,     false, false, false, false, false, false, true},
};
/* clang-format on */

static void connect_ends(struct drive *v)
{
    duo_hang_up(&v->d);
    duo_connect(&v->d, "mail.test", hb_span(v->kept, v->kept_len));
    tap_start(&v->tap, &v->d, v->test_client);
}

void drive_put(struct drive *v, const struct tap_item *item)
{
    /* the CCS of TLS 1.3 is never protected; that of 1.2 is, where there are keys already */
    if (item->type == HB_REC_CCS && v->course->version == 0x0304) {
        tap_put_plain(&v->tap, item->type, item->bytes, item->len);
    } else {
        tap_put(&v->tap, item->type, item->bytes, item->len);
    }
}

void drive_to(struct drive *v, unsigned n)
{
    static struct tap_item item;

    connect_ends(v);
    for (unsigned i = 0; i < n; i++) {
        assert_true(tap_next(&v->tap, &item));
        drive_put(v, &item);
        assert_false(v->tap.tested->failed);
    }
}

void drive_start(struct drive *v, const struct course *c, bool test_client)
{
    static const uint16_t classical[] = {0x001d, 0x0017, 0x0018};
    struct duo *d = &v->d;

    memset(v, 0, sizeof *v);
    v->course = c;
    v->test_client = test_client;
    duo_start(d, c->certs, c->rsa ? HB_PROFILE_LEGACY : HB_PROFILE_INTERMEDIATE,
              c->client_cert ? "client" : NULL, c->rsa ? HB_PROFILE_LEGACY : HB_PROFILE_INTERMEDIATE);
    assert_int_equal(hb_ticket_keys_new(&d->t.env, hb_span(NULL, 0), &v->keys), HB_OK);
    for (unsigned i = 0; i < 2; i++) {
        struct hb_tls_config *config = i == 0 ? d->client.config : d->server.config;
        assert_int_equal(hb_tls_config_versions(config, c->version, c->version), HB_OK);
        bool only = i == 1 && c->retry;
        assert_int_equal(hb_tls_config_groups(config, classical + (only ? 2 : 0), only ? 1 : 3), HB_OK);
        if (c->tickets) {
            hb_tls_config_tickets(config, v->keys, hb_span_str("imap"), 1, 7200);
        }
        if (c->psk) {
            assert_int_equal(
                hb_tls_config_add_psk(config, hb_span_str("me"), hb_span_str("0123456789abcdef")), HB_OK);
        }
        if (c->rsa) {
            config->suites[0] = hb_suite_find(0x009d);
            config->num_suites = 1;
        }
    }
    if (c->staple) {
        struct hb_span der = duo_file(c->certs, ".good.ocsp");
        assert_int_equal(hb_cred_store_staple(d->server.creds, der, NULL), HB_OK);
        free((void *)(uintptr_t)der.p);
    }
    hb_tls_config_client_auth(d->server.config, c->auth);
    duo_connect(d, "mail.test", hb_span(NULL, 0));
    if (c->resumed) {
        duo_pump(d);
        duo_chat(d);
        assert_true(d->client.session_len > 0);
        memcpy(v->kept, d->client.session, d->client.session_len);
        v->kept_len = d->client.session_len;
    }
    connect_ends(v);
    while (tap_next(&v->tap, &v->items[v->num])) {
        assert_true(v->num + 1 < sizeof v->items / sizeof v->items[0]);
        drive_put(v, &v->items[v->num++]);
    }
    if (!d->client.ready || !d->server.ready) {
        fail_msg("%s: client %s, server %s", c->name, hb_err_name(d->client.failure.code),
                 hb_err_name(d->server.failure.code));
    }
    assert_int_equal(hb_tls_info(d->server.tls)->resumed, c->resumed);
}

void drive_stop(struct drive *v)
{
    hb_ticket_keys_free(&v->keys);
    duo_stop(&v->d);
}

void drive_expect(struct drive *v, const char *what, unsigned msg, enum hb_code code, unsigned alert)
{
    struct duo_end *e = v->tap.tested;

    if (!e->failed || e->failure.code != code || e->failure.alert != alert) {
        fail_msg("%s, %s, state %u, %s %u: %s, alert %u", v->course->name,
                 v->test_client ? "client" : "server", e->tls->state, what, msg,
                 e->failed ? hb_err_name(e->failure.code) : "went through", e->failure.alert);
    }
    tap_answer(&v->tap);
    if (alert != 255) {
        assert_int_equal(v->tap.other->failure.code, HB_E_TLS_PEER_ALERT);
        assert_int_equal(v->tap.other->failure.alert, alert);
    }
}
