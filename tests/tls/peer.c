#include "peer.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <cmocka.h>
#include <openssl/err.h>

#define OUT_SIZE (HB_TLS_FLIGHT_MAX + (1u << 20))
#define IN_SIZE  ((1u << 20) + HB_TLS_RECORD_MAX)

static struct hb_span read_file(const char *name, const char *suffix)
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

static void add_cert(struct peer *p, const char *name)
{
    struct hb_span chain = read_file(name, ".crt");
    struct hb_span key = read_file(name, ".key");

    enum hb_code code = hb_cred_store_add(p->creds, chain, key, NULL);
    if (code != HB_OK) {
        fail_msg("%s: %s", name, hb_err_name(code));
    }
    free((void *)(uintptr_t)chain.p);
    free((void *)(uintptr_t)key.p);
}

void peer_start(struct peer *p, const char *certs, enum hb_tls_profile profile)
{
    char names[256];
    char *save = NULL;

    memset(p, 0, sizeof *p);
    testenv_init(&p->t, 42);
    p->t.wall = (uint64_t)time(NULL); /* the certificates were just made */
    p->reclaim = true;
    p->creds = hb_cred_store_new(&p->t.env);
    (void)snprintf(names, sizeof names, "%s", certs);
    for (char *n = strtok_r(names, " ", &save); n != NULL; n = strtok_r(NULL, " ", &save)) {
        add_cert(p, n);
    }
    p->config = hb_tls_config_new(&p->t.env, profile, p->creds);
    p->lane = hb_tls_lane_new(&p->t.env);
    p->tls = hb_tls_server_new(p->config, &p->t.env, p->lane);
    assert_non_null(p->tls);
    p->out_mem = malloc(OUT_SIZE);
    p->in_mem = malloc(IN_SIZE);
    assert_non_null(p->out_mem);
    assert_non_null(p->in_mem);
    p->out = hb_bld(p->out_mem, OUT_SIZE);
    p->ctx = SSL_CTX_new(TLS_client_method());
    assert_non_null(p->ctx);
    SSL_CTX_set_min_proto_version(p->ctx, TLS1_2_VERSION);
    char ca[512];
    (void)snprintf(ca, sizeof ca, "%s/ca.crt", getenv("CERTS"));
    assert_int_equal(SSL_CTX_load_verify_locations(p->ctx, ca, NULL), 1);
    SSL_CTX_set_verify(p->ctx, SSL_VERIFY_PEER, NULL);
}

void peer_client(struct peer *p)
{
    p->ssl = SSL_new(p->ctx);
    assert_non_null(p->ssl);
    p->to_peer = BIO_new(BIO_s_mem());
    p->from_peer = BIO_new(BIO_s_mem());
    SSL_set_bio(p->ssl, p->to_peer, p->from_peer);
    SSL_set_connect_state(p->ssl);
}

static void take_events(struct peer *p)
{
    struct hb_tls_event e;

    for (;;) {
        switch (hb_tls_next(p->tls, &p->out, &e)) {
        case HB_TLS_NONE:
            return;
        case HB_TLS_READY:
            assert_false(p->ready);
            p->ready = true;
            hb_tls_server_name(p->tls, p->sni, sizeof p->sni);
            p->end_point_code = hb_tls_server_end_point(p->tls, p->end_point, &p->end_point_len);
            break;
        case HB_TLS_DATA:
            assert_true(p->ready);
            assert_false(p->failed);
            for (size_t i = 0; i < e.data.len; i++) {
                if (p->got_len < sizeof p->got) {
                    p->got[p->got_len++] = e.data.p[i];
                }
            }
            p->got_total += e.data.len;
            break;
        case HB_TLS_VERIFY:
        case HB_TLS_SESSION:
            fail_msg("not asked for");
            break;
        case HB_TLS_SIGN: {
            uint8_t sig[1024];
            size_t len = 0;
            assert_int_equal(
                hb_cred_sign(e.sign.cred, &p->t.env, e.sign.scheme, e.sign.input, sig, sizeof sig, &len),
                HB_OK);
            hb_tls_signed(p->tls, hb_span(sig, len));
            break;
        }
        case HB_TLS_DECRYPT: {
            uint8_t premaster[48];
            assert_int_equal(hb_cred_decrypt(e.sign.cred, &p->t.env, e.sign.scheme, e.sign.input, premaster),
                             HB_OK);
            hb_tls_decrypted(p->tls, hb_span(premaster, sizeof premaster));
            break;
        }
        case HB_TLS_CLOSED:
            p->closed = true;
            break;
        case HB_TLS_FAILED:
            p->failed = true;
            p->failure = e;
            return;
        }
    }
}

void peer_feed(struct peer *p, const uint8_t *wire, size_t len)
{
    p->wire_in += len;
    while (len > 0 && !p->failed) {
        size_t n = p->cut == PEER_WHOLE ? len : p->cut == PEER_BYTES ? 1 : 1 + testenv_below(&p->t, 3000);
        n = n < len ? n : len;
        size_t held = p->reclaim ? hb_tls_reclaim(p->tls, p->in_mem) : 0;
        assert_true(held + n <= IN_SIZE);
        uint8_t *exact = malloc(held + n); /* its own block: a sanitizer sees every byte too far */
        assert_non_null(exact);
        memcpy(exact, p->in_mem, held);
        memcpy(exact + held, wire, n);
        hb_tls_input(p->tls, exact, held + n);
        take_events(p);
        free(exact);
        wire += n;
        len -= n;
    }
}

void peer_pump(struct peer *p)
{
    static uint8_t wire[1 << 20];

    for (bool moved = true; moved;) {
        moved = false;
        if (!SSL_is_init_finished(p->ssl)) {
            (void)SSL_do_handshake(p->ssl);
        }
        int n = BIO_read(p->from_peer, wire, sizeof wire);
        if (n > 0 && !p->failed) {
            peer_feed(p, wire, (size_t)n);
            moved = true;
        }
        if (p->out.len > 0) {
            p->wire_out += p->out.len;
            assert_int_equal(BIO_write(p->to_peer, p->out.p, (int)p->out.len), (int)p->out.len);
            hb_bld_reset(&p->out);
            moved = true;
        }
    }
    ERR_clear_error();
}

void peer_stop(struct peer *p)
{
    SSL_free(p->ssl);
    SSL_CTX_free(p->ctx);
    hb_tls_free(&p->tls);
    hb_tls_config_free(&p->config);
    hb_tls_lane_free(&p->lane);
    hb_cred_store_free(&p->creds);
    free(p->out_mem);
    free(p->in_mem);
    assert_int_equal(p->t.held, 0);
}
