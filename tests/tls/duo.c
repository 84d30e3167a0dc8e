#include "duo.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>
#include <cmocka.h>

#define OUT_SIZE (HB_TLS_FLIGHT_MAX + (1u << 20))

struct hb_span duo_file(const char *name, const char *suffix)
{
    const char *folder = getenv("CERTS");
    char path[512];

    assert_non_null(folder);
    (void)snprintf(path, sizeof path, "%s/%s%s", folder, name, suffix);
    FILE *f = fopen(path, "rb");
    if (f == NULL) {
        fail_msg("cannot open %s", path);
    }
    uint8_t *bytes = malloc(65536);
    assert_non_null(bytes);
    size_t len = fread(bytes, 1, 65536, f);
    (void)fclose(f);
    return hb_span(bytes, len);
}

static struct hb_cred_store *store(struct duo *d, const char *certs)
{
    struct hb_cred_store *s = hb_cred_store_new(&d->t.env);
    char names[256];
    char *save = NULL;

    (void)snprintf(names, sizeof names, "%s", certs != NULL ? certs : "");
    for (char *n = strtok_r(names, " ", &save); n != NULL; n = strtok_r(NULL, " ", &save)) {
        struct hb_span chain = duo_file(n, ".crt");
        struct hb_span key = duo_file(n, ".key");
        enum hb_code code = hb_cred_store_add(s, chain, key, NULL);
        if (code != HB_OK) {
            fail_msg("%s: %s", n, hb_err_name(code));
        }
        free((void *)(uintptr_t)chain.p);
        free((void *)(uintptr_t)key.p);
    }
    return s;
}

void duo_start(struct duo *d, const char *server_certs, enum hb_tls_profile server, const char *client_certs,
               enum hb_tls_profile client)
{
    unsigned added;
    unsigned skipped;

    memset(d, 0, sizeof *d);
    testenv_init(&d->t, 7);
    d->t.wall = (uint64_t)time(NULL);
    d->lane = hb_tls_lane_new(&d->t.env);
    d->trust = hb_trust_new(&d->t.env);
    struct hb_span ca = duo_file("ca", ".crt");
    assert_int_equal(hb_trust_add_pem(d->trust, ca, &added, &skipped), HB_OK);
    free((void *)(uintptr_t)ca.p);
    d->server.creds = store(d, server_certs);
    d->client.creds = store(d, client_certs);
    d->server.config = hb_tls_config_new(&d->t.env, server, d->server.creds);
    d->client.config = hb_tls_config_new(&d->t.env, client, d->client.creds);
    hb_tls_config_verify(d->client.config, HB_VERIFY_FULL, d->trust);
    hb_tls_config_verify(d->server.config, HB_VERIFY_CHAIN, d->trust);
    d->client.out_mem = malloc(OUT_SIZE);
    d->server.out_mem = malloc(OUT_SIZE);
}

void duo_connect(struct duo *d, const char *name, struct hb_span session)
{
    d->server.tls = hb_tls_server_new(d->server.config, &d->t.env, d->lane);
    d->client.tls = hb_tls_client_new(d->client.config, &d->t.env, d->lane, name, session);
    assert_non_null(d->server.tls);
    assert_non_null(d->client.tls);
    d->client.out = hb_bld(d->client.out_mem, OUT_SIZE);
    d->server.out = hb_bld(d->server.out_mem, OUT_SIZE);
}

void duo_events(struct duo *d, struct duo_end *end)
{
    struct hb_tls_event e;

    for (;;) {
        switch (hb_tls_next(end->tls, &end->out, &e)) {
        case HB_TLS_NONE:
            return;
        case HB_TLS_READY:
            assert_false(end->ready);
            end->ready = true;
            hb_tls_peer_identity(end->tls, end->identity, sizeof end->identity);
            hb_tls_server_name(end->tls, end->name, sizeof end->name);
            if (hb_tls_server_end_point(end->tls, end->end_point, &end->end_point_len) != HB_OK) {
                end->end_point_len = 0;
            }
            end->stapled = hb_tls_peer_staple(end->tls).len;
            break;
        case HB_TLS_DATA:
            assert_true(end->ready);
            assert_true(end->got_len + e.data.len <= sizeof end->got);
            memcpy(end->got + end->got_len, e.data.p, e.data.len);
            end->got_len += e.data.len;
            break;
        case HB_TLS_VERIFY:
            assert_true(e.data.len > 0);
            end->verify_seen = true;
            hb_tls_verified(end->tls, end->verdict);
            break;
        case HB_TLS_SESSION:
            assert_true(end->ready);
            memcpy(end->session, e.data.p, e.data.len);
            end->session_len = e.data.len;
            break;
        case HB_TLS_SIGN: {
            uint8_t sig[1024];
            size_t len = 0;
            end->sign_later_seen = true;
            assert_int_equal(
                hb_cred_sign(e.sign.cred, &d->t.env, e.sign.scheme, e.sign.input, sig, sizeof sig, &len),
                HB_OK);
            hb_tls_signed(end->tls, hb_span(sig, len));
            break;
        }
        case HB_TLS_DECRYPT: {
            uint8_t premaster[48];
            end->decrypt_later_seen = true;
            assert_int_equal(hb_cred_decrypt(e.sign.cred, &d->t.env, e.sign.scheme, e.sign.input, premaster),
                             HB_OK);
            hb_tls_decrypted(end->tls, hb_span(premaster, sizeof premaster));
            break;
        }
        case HB_TLS_CLOSED:
            end->closed = true;
            break;
        case HB_TLS_FAILED:
            end->failed = true;
            end->failure = e;
            return;
        }
    }
}

static bool move(struct duo *d, struct duo_end *from, struct duo_end *to)
{
    static uint8_t wire[OUT_SIZE + 65536];
    size_t len = from->out.len;

    if (len == 0) {
        return false;
    }
    memcpy(wire, from->out.p, len);
    hb_bld_reset(&from->out);
    if (d->meddle != NULL) {
        len = d->meddle(d, from == &d->client, wire, len, sizeof wire);
    }
    from->wire += len;
    for (size_t at = 0; at < len && !to->failed;) {
        size_t n = d->cut == 0 ? len : d->cut == 65535 ? 1 + testenv_below(&d->t, 2000) : d->cut;
        n = n < len - at ? n : len - at;
        uint8_t *exact = malloc(n); /* its own block: a sanitizer sees every byte too far */
        assert_non_null(exact);
        memcpy(exact, wire + at, n);
        hb_tls_input(to->tls, exact, n);
        duo_events(d, to);
        free(exact);
        at += n;
    }
    return true;
}

void duo_pump(struct duo *d)
{
    duo_events(d, &d->client);
    for (bool moved = true; moved;) {
        moved = move(d, &d->client, &d->server);
        moved = move(d, &d->server, &d->client) || moved;
    }
}

void duo_chat(struct duo *d)
{
    static uint8_t big[40000];
    struct hb_span span = hb_span(big, sizeof big);

    for (size_t i = 0; i < sizeof big; i++) {
        big[i] = (uint8_t)(i * 13 + i / 200);
    }
    d->client.got_len = d->server.got_len = 0;
    assert_int_equal(hb_tls_write(d->server.tls, &span, 1, &d->server.out), HB_OK);
    duo_pump(d);
    assert_int_equal(d->client.got_len, sizeof big);
    assert_memory_equal(d->client.got, big, sizeof big);
    assert_int_equal(hb_tls_write(d->client.tls, &span, 1, &d->client.out), HB_OK);
    duo_pump(d);
    assert_int_equal(d->server.got_len, sizeof big);
    assert_memory_equal(d->server.got, big, sizeof big);
}

static void reset(struct duo_end *e)
{
    hb_tls_free(&e->tls);
    e->ready = e->closed = e->failed = false;
    e->got_len = e->wire = 0;
    e->identity[0] = 0;
}

void duo_hang_up(struct duo *d)
{
    reset(&d->client);
    reset(&d->server);
}

static void stop(struct duo_end *e)
{
    hb_tls_free(&e->tls);
    hb_tls_config_free(&e->config);
    hb_cred_store_free(&e->creds);
    free(e->out_mem);
}

void duo_stop(struct duo *d)
{
    stop(&d->client);
    stop(&d->server);
    hb_trust_free(&d->trust);
    hb_tls_lane_free(&d->lane);
    assert_int_equal(d->t.held, 0);
}
