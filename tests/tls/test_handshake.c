/* Whole handshakes with OpenSSL as the client: versions x suites x groups x certificates x ALPN x names,
 * bytes whole, one by one and in random cuts; data both ways; key updates; close. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <cmocka.h>
#include "conn/conn.h"
#include "peer.h"

struct row {
    const char *name, *certs;
    enum hb_tls_profile profile;
    int version;                                        /* the client's only one; 0 any */
    const char *suites, *groups, *sigalgs, *sni, *alpn; /* the client's; NULL: its default */
    /* what must come of it */
    const char *want_version, *want_suite, *want_group, *want_sigalg;
    bool want_retry;
};

#define ALL "ecdsa-p256 rsa2048"
/* clang-format off */
static const struct row rows[] = {
    {"1.3 default", "ecdsa-p256", HB_PROFILE_INTERMEDIATE, 0, NULL, NULL, NULL, NULL, NULL,
     "TLSv1.3", "TLS_AES_256_GCM_SHA384", "x25519", "ecdsa_secp256r1_sha256", false},
    {"1.3 modern", "ecdsa-p256", HB_PROFILE_MODERN, 0, NULL, NULL, NULL, "mail.test", NULL,
     "TLSv1.3", "TLS_AES_256_GCM_SHA384", "x25519", "ecdsa_secp256r1_sha256", false},
    {"1.3 aes128", "ecdsa-p256", HB_PROFILE_INTERMEDIATE, 0, "TLS_AES_128_GCM_SHA256", NULL, NULL, NULL, NULL,
     "TLSv1.3", "TLS_AES_128_GCM_SHA256", "x25519", "ecdsa_secp256r1_sha256", false},
    {"1.3 chacha only", "ecdsa-p256", HB_PROFILE_INTERMEDIATE, 0, "TLS_CHACHA20_POLY1305_SHA256", NULL, NULL, NULL, NULL,
     "TLSv1.3", "TLS_CHACHA20_POLY1305_SHA256", "x25519", "ecdsa_secp256r1_sha256", false},
    {"1.3 chacha first (PRO-01)", "ecdsa-p256", HB_PROFILE_INTERMEDIATE, 0, "TLS_CHACHA20_POLY1305_SHA256:TLS_AES_256_GCM_SHA384", NULL, NULL, NULL, NULL,
     "TLSv1.3", "TLS_CHACHA20_POLY1305_SHA256", "x25519", "ecdsa_secp256r1_sha256", false},
    {"1.3 P-256", "ecdsa-p256", HB_PROFILE_INTERMEDIATE, 0, NULL, "P-256", NULL, NULL, NULL,
     "TLSv1.3", "TLS_AES_256_GCM_SHA384", "secp256r1", "ecdsa_secp256r1_sha256", false},
    {"1.3 P-384", "ecdsa-p256", HB_PROFILE_INTERMEDIATE, 0, NULL, "P-384", NULL, NULL, NULL,
     "TLSv1.3", "TLS_AES_256_GCM_SHA384", "secp384r1", "ecdsa_secp256r1_sha256", false},
    {"1.3 retry to x25519 (T13-04, T13-07)", "ecdsa-p256", HB_PROFILE_INTERMEDIATE, 0, NULL, "ffdhe2048:X25519", NULL, NULL, NULL,
     "TLSv1.3", "TLS_AES_256_GCM_SHA384", "x25519", "ecdsa_secp256r1_sha256", true},
    {"1.3 retry to P-384, SHA-256", "rsa2048", HB_PROFILE_INTERMEDIATE, 0, "TLS_AES_128_GCM_SHA256", "ffdhe2048:P-384", NULL, "mail.test", NULL,
     "TLSv1.3", "TLS_AES_128_GCM_SHA256", "secp384r1", "rsa_pss_rsae_sha256", true},
    {"1.3 x448, no retry within a class (T13-04)", "ecdsa-p256", HB_PROFILE_INTERMEDIATE, 0, NULL, "X448:X25519", NULL, NULL, NULL,
     "TLSv1.3", "TLS_AES_256_GCM_SHA384", "x448", "ecdsa_secp256r1_sha256", false},
    {"1.3 P-521", "ecdsa-p521", HB_PROFILE_INTERMEDIATE, 0, NULL, "P-521", NULL, NULL, NULL,
     "TLSv1.3", "TLS_AES_256_GCM_SHA384", "secp521r1", "ecdsa_secp521r1_sha512", false},
    {"1.3 share of ours, not first", "ecdsa-p256", HB_PROFILE_INTERMEDIATE, 0, NULL, "P-384:X25519", NULL, NULL, NULL,
     "TLSv1.3", "TLS_AES_256_GCM_SHA384", "secp384r1", "ecdsa_secp256r1_sha256", false},
    {"1.3 ECDSA P-384", "ecdsa-p384", HB_PROFILE_INTERMEDIATE, 0, NULL, NULL, NULL, NULL, NULL,
     "TLSv1.3", "TLS_AES_256_GCM_SHA384", "x25519", "ecdsa_secp384r1_sha384", false},
    {"1.3 Ed25519", "ed25519", HB_PROFILE_INTERMEDIATE, 0, NULL, NULL, NULL, NULL, NULL,
     "TLSv1.3", "TLS_AES_256_GCM_SHA384", "x25519", "ed25519", false},
    {"1.3 RSA", "rsa2048", HB_PROFILE_INTERMEDIATE, 0, NULL, NULL, NULL, NULL, NULL,
     "TLSv1.3", "TLS_AES_256_GCM_SHA384", "x25519", "rsa_pss_rsae_sha256", false},
    {"1.3 RSA 3072 SHA-512", "rsa3072", HB_PROFILE_INTERMEDIATE, 0, NULL, NULL, "rsa_pss_rsae_sha512", NULL, NULL,
     "TLSv1.3", "TLS_AES_256_GCM_SHA384", "x25519", "rsa_pss_rsae_sha512", false},
    {"1.3 both, EC preferred (SNI-T2)", ALL, HB_PROFILE_INTERMEDIATE, 0, NULL, NULL, NULL, "mail.test", NULL,
     "TLSv1.3", "TLS_AES_256_GCM_SHA384", "x25519", "ecdsa_secp256r1_sha256", false},
    {"1.3 both, loaded the other way", "rsa2048 ecdsa-p256", HB_PROFILE_INTERMEDIATE, 0, NULL, NULL, NULL, NULL, NULL,
     "TLSv1.3", "TLS_AES_256_GCM_SHA384", "x25519", "ecdsa_secp256r1_sha256", false},
    {"1.3 both, client knows RSA only", ALL, HB_PROFILE_INTERMEDIATE, 0, NULL, NULL, "rsa_pss_rsae_sha256:rsa_pkcs1_sha256", NULL, NULL,
     "TLSv1.3", "TLS_AES_256_GCM_SHA384", "x25519", "rsa_pss_rsae_sha256", false},
    {"1.3 chain with intermediate", "chain", HB_PROFILE_INTERMEDIATE, 0, NULL, NULL, NULL, NULL, NULL,
     "TLSv1.3", "TLS_AES_256_GCM_SHA384", "x25519", "ecdsa_secp256r1_sha256", false},
    {"1.3 ALPN imap", "ecdsa-p256", HB_PROFILE_INTERMEDIATE, 0, NULL, NULL, NULL, "mail.test", "\4h2xx\4imap",
     "TLSv1.3", "TLS_AES_256_GCM_SHA384", "x25519", "ecdsa_secp256r1_sha256", false},
    {"1.2 ECDSA", "ecdsa-p256", HB_PROFILE_INTERMEDIATE, TLS1_2_VERSION, NULL, NULL, NULL, "mail.test", NULL,
     "TLSv1.2", "TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384", "x25519", "ecdsa_secp256r1_sha256", false},
    {"1.2 ECDSA AES-128", "ecdsa-p256", HB_PROFILE_LEGACY, TLS1_2_VERSION, "ECDHE-ECDSA-AES128-GCM-SHA256", NULL, NULL, NULL, NULL,
     "TLSv1.2", "TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256", "x25519", "ecdsa_secp256r1_sha256", false},
    {"1.2 ECDSA ChaCha20", "ecdsa-p256", HB_PROFILE_INTERMEDIATE, TLS1_2_VERSION, "ECDHE-ECDSA-CHACHA20-POLY1305", NULL, NULL, NULL, NULL,
     "TLSv1.2", "TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305_SHA256", "x25519", "ecdsa_secp256r1_sha256", false},
    {"1.2 RSA, PSS", "rsa2048", HB_PROFILE_INTERMEDIATE, TLS1_2_VERSION, NULL, NULL, NULL, NULL, NULL,
     "TLSv1.2", "TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384", "x25519", "rsa_pss_rsae_sha256", false},
    {"1.2 RSA, PKCS#1 SHA-384", "rsa2048", HB_PROFILE_INTERMEDIATE, TLS1_2_VERSION, "ECDHE-RSA-AES128-GCM-SHA256", "P-384", "rsa_pkcs1_sha384:rsa_pkcs1_sha256", NULL, "\4imap",
     "TLSv1.2", "TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256", "secp384r1", "rsa_pkcs1_sha256", false},
    {"1.2 RSA ChaCha20", "rsa2048", HB_PROFILE_INTERMEDIATE, TLS1_2_VERSION, "ECDHE-RSA-CHACHA20-POLY1305", "P-256", NULL, NULL, NULL,
     "TLSv1.2", "TLS_ECDHE_RSA_WITH_CHACHA20_POLY1305_SHA256", "secp256r1", "rsa_pss_rsae_sha256", false},
    {"1.2 Ed25519", "ed25519", HB_PROFILE_INTERMEDIATE, TLS1_2_VERSION, NULL, NULL, NULL, NULL, NULL,
     "TLSv1.2", "TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384", "x25519", "ed25519", false},
    {"1.2 ECDSA curve not offered: RSA (T12-09)", "ecdsa-p384 rsa2048", HB_PROFILE_INTERMEDIATE, TLS1_2_VERSION, NULL, "X25519:P-256", NULL, NULL, NULL,
     "TLSv1.2", "TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384", "x25519", "rsa_pss_rsae_sha256", false},
    {"1.2 P-384 key with SHA-256 (T12-06)", "ecdsa-p384", HB_PROFILE_INTERMEDIATE, TLS1_2_VERSION, NULL, NULL, "ECDSA+SHA256:RSA+SHA256", NULL, NULL,
     "TLSv1.2", "TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384", "x25519", "ecdsa_secp256r1_sha256", false},
    {"SNI other", "ecdsa-p256 other wildcard", HB_PROFILE_INTERMEDIATE, 0, NULL, NULL, NULL, "OTHER.test", NULL,
     "TLSv1.3", "TLS_AES_256_GCM_SHA384", "x25519", "ecdsa_secp256r1_sha256", false},
    {"SNI wildcard", "ecdsa-p256 other wildcard", HB_PROFILE_INTERMEDIATE, 0, NULL, NULL, NULL, "a.wild.test", NULL,
     "TLSv1.3", "TLS_AES_256_GCM_SHA384", "x25519", "ecdsa_secp256r1_sha256", false},
};
/* clang-format on */

static void configure_client(struct peer *p, const struct row *r)
{
    if (r->version != 0) {
        SSL_CTX_set_min_proto_version(p->ctx, r->version);
        SSL_CTX_set_max_proto_version(p->ctx, r->version);
    }
    if (r->suites != NULL) {
        assert_int_equal(r->version == TLS1_2_VERSION ? SSL_CTX_set_cipher_list(p->ctx, r->suites)
                                                      : SSL_CTX_set_ciphersuites(p->ctx, r->suites),
                         1);
    }
    if (r->groups != NULL) {
        assert_int_equal(SSL_CTX_set1_groups_list(p->ctx, r->groups), 1);
    }
    if (r->sigalgs != NULL) { /* RSA+SHA256 for the certificates: the CA signs with it */
        assert_int_equal(SSL_CTX_set1_sigalgs_list(p->ctx, r->sigalgs), 1);
    }
    if (r->alpn != NULL) {
        assert_int_equal(
            SSL_CTX_set_alpn_protos(p->ctx, (const unsigned char *)r->alpn, (unsigned)strlen(r->alpn)), 0);
        assert_int_equal(hb_tls_config_add_alpn(p->config, "imap"), HB_OK);
    }
}

static void exchange_data(struct peer *p)
{
    static uint8_t big[300000];
    static uint8_t back[300000];
    struct hb_span pieces[3];

    for (size_t i = 0; i < sizeof big; i++) {
        big[i] = (uint8_t)(i * 7 + i / 251);
    }
    for (size_t len = 1; len <= 40000; len = len * 3 + 1) { /* client to us */
        size_t before = p->got_total;
        p->got_len = 0;
        assert_int_equal(SSL_write(p->ssl, big, (int)len), (int)len);
        peer_pump(p);
        assert_int_equal(p->got_total - before, len);
        assert_memory_equal(p->got, big, len);
    }
    pieces[0] = hb_span(big, 10); /* us to client, gathered from pieces */
    pieces[1] = hb_span(big, 0);
    pieces[2] = hb_span(big + 10, sizeof big - 10);
    assert_true(hb_bld_room(&p->out) >= hb_tls_sealed_len(p->tls, sizeof big));
    assert_int_equal(hb_tls_write(p->tls, pieces, 3, &p->out), HB_OK);
    assert_true(p->out.len <= hb_tls_sealed_len(p->tls, sizeof big));
    peer_pump(p);
    size_t got = 0;
    for (int n; (n = SSL_read(p->ssl, back + got, (int)(sizeof back - got))) > 0;) {
        got += (size_t)n;
    }
    assert_int_equal(got, sizeof big);
    assert_memory_equal(back, big, sizeof big);
}

static void export_alike(struct peer *p)
{
    uint8_t ours[32];
    uint8_t theirs[32];

    assert_int_equal(hb_tls_exporter_binding(p->tls, ours), HB_OK); /* SASL-07 */
    assert_int_equal(
        SSL_export_keying_material(p->ssl, theirs, 32, "EXPORTER-Channel-Binding", 24, NULL, 0, 1), 1);
    assert_memory_equal(ours, theirs, 32);
    assert_int_equal(hb_tls_export(p->tls, "EXPORTER-Channel-Binding", hb_span(NULL, 0), ours, 32), HB_OK);
    assert_int_equal(
        SSL_export_keying_material(p->ssl, theirs, 32, "EXPORTER-Channel-Binding", 24, NULL, 0, 1), 1);
    assert_memory_equal(ours, theirs, 32);
}

/* SASL-07: tls-server-end-point as OpenSSL sees the certificate; none for EdDSA (RFC 5929 4.1). */
static void same_end_point(struct peer *p)
{
    X509 *cert = SSL_get1_peer_certificate(p->ssl);
    uint8_t theirs[EVP_MAX_MD_SIZE];
    unsigned len = 0;
    int md = NID_undef;

    assert_non_null(cert);
    assert_int_equal(X509_get_signature_info(cert, &md, NULL, NULL, NULL), 1);
    if (md == NID_undef) {
        assert_int_equal(p->end_point_code, HB_E_X509_ALGORITHM);
    } else {
        assert_int_equal(p->end_point_code, HB_OK);
        assert_int_equal(X509_digest(cert, EVP_get_digestbynid(md), theirs, &len), 1);
        assert_int_equal(p->end_point_len, len);
        assert_memory_equal(p->end_point, theirs, len);
    }
    X509_free(cert);
    uint8_t none[HB_TLS_END_POINT_MAX];
    size_t none_len;
    assert_int_equal(hb_tls_server_end_point(p->tls, none, &none_len), HB_E_INTERNAL); /* READY was told */
}

static void key_updates(struct peer *p)
{
    char text[8];

    if (SSL_version(p->ssl) != TLS1_3_VERSION) {
        return;
    }
    for (int i = 0; i < 3; i++) { /* T13-18 */
        assert_int_equal(
            SSL_key_update(p->ssl, i == 1 ? SSL_KEY_UPDATE_NOT_REQUESTED : SSL_KEY_UPDATE_REQUESTED), 1);
        size_t before = p->got_total;
        assert_int_equal(SSL_write(p->ssl, "x", 1), 1);
        peer_pump(p);
        assert_int_equal(p->got_total - before, 1);
        struct hb_span ping = hb_span_str("ping");
        assert_int_equal(hb_tls_write(p->tls, &ping, 1, &p->out), HB_OK);
        peer_pump(p);
        assert_int_equal(SSL_read(p->ssl, text, sizeof text), 4);
    }
}

static void close_both(struct peer *p)
{
    char byte;
    struct hb_span late = hb_span_str("late");

    assert_int_equal(hb_tls_eof(p->tls), HB_E_TLS_TRUNCATED); /* ALR-05 */
    hb_tls_close(p->tls, &p->out);
    assert_int_equal(hb_tls_write(p->tls, &late, 1, &p->out), HB_E_TLS_CLOSED);
    peer_pump(p);
    assert_true(SSL_read(p->ssl, &byte, 1) <= 0);
    assert_int_equal(SSL_get_shutdown(p->ssl) & SSL_RECEIVED_SHUTDOWN, SSL_RECEIVED_SHUTDOWN);
    (void)SSL_shutdown(p->ssl);
    peer_pump(p);
    assert_true(p->closed);
    assert_int_equal(hb_tls_eof(p->tls), HB_OK);
}

static void handshakes(enum peer_cut cut, bool reclaim)
{
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        const struct row *r = &rows[i];
        struct peer *p = calloc(1, sizeof *p);
        assert_non_null(p);
        peer_start(p, r->certs, r->profile);
        p->cut = cut;
        p->reclaim = reclaim;
        configure_client(p, r);
        peer_client(p);
        if (r->sni != NULL) {
            assert_int_equal(SSL_set_tlsext_host_name(p->ssl, r->sni), 1);
            assert_int_equal(SSL_set1_host(p->ssl, r->sni), 1);
        }
        peer_pump(p);
        if (!p->ready || !SSL_is_init_finished(p->ssl)) {
            fail_msg("%s: no handshake: %s, %ld", r->name, hb_err_name(p->failure.code),
                     SSL_get_verify_result(p->ssl));
        }
        const struct hb_tls_info *info = hb_tls_info(p->tls);
        assert_string_equal(hb_tls_version_name(info->version), r->want_version);
        assert_string_equal(hb_tls_suite_name(info->suite), r->want_suite);
        assert_string_equal(hb_tls_group_name(info->group), r->want_group);
        assert_string_equal(hb_tls_sigalg_name(info->sigalg), r->want_sigalg);
        assert_int_equal(info->retried, r->want_retry);
        assert_int_equal(info->alpn, r->alpn != NULL ? 1 : 0);
        assert_string_equal(p->sni, r->sni != NULL ? r->sni : "");
        export_alike(p);
        same_end_point(p);
        exchange_data(p);
        key_updates(p);
        close_both(p);
        assert_false(p->failed);
        peer_stop(p);
        free(p);
    }
}

static void whole(void **state)
{
    (void)state;
    handshakes(PEER_WHOLE, true);
}

static void byte_by_byte(void **state)
{
    (void)state;
    handshakes(PEER_BYTES, true); /* HS-07, ENG-02 */
}

static void random_cuts_joined_by_the_engine(void **state)
{
    (void)state;
    handshakes(PEER_RANDOM, false);
}

/* T12-02, EMS-01, ATK-T3: the master secret is OpenSSL's, with EMS and without; without it nothing is
 * exported. */
static void masters_alike(void **state)
{
    (void)state;
    for (unsigned ems = 0; ems < 2; ems++) {
        for (unsigned i = 0; i < 2; i++) { /* SHA-384 and SHA-256 */
            struct peer *p = calloc(1, sizeof *p);
            uint8_t master[64];
            uint8_t key[16];
            assert_non_null(p);
            peer_start(p, "ecdsa-p256", HB_PROFILE_INTERMEDIATE);
            assert_int_equal(SSL_CTX_set_max_proto_version(p->ctx, TLS1_2_VERSION), 1);
            assert_int_equal(SSL_CTX_set_cipher_list(p->ctx, i == 0 ? "ECDHE-ECDSA-AES256-GCM-SHA384"
                                                                    : "ECDHE-ECDSA-AES128-GCM-SHA256"),
                             1);
            if (!ems) {
                SSL_CTX_set_options(p->ctx, SSL_OP_NO_EXTENDED_MASTER_SECRET);
            }
            peer_client(p);
            peer_pump(p);
            assert_true(p->ready);
            assert_int_equal(hb_tls_info(p->tls)->ems, ems);
            assert_int_equal(SSL_SESSION_get_master_key(SSL_get_session(p->ssl), master, sizeof master), 48);
            assert_memory_equal(master, p->tls->secrets.v12.master, 48);
            assert_int_equal(hb_tls_export(p->tls, "EXPORTER-x", hb_span(NULL, 0), key, sizeof key),
                             ems ? HB_OK : HB_E_INTERNAL);
            peer_stop(p);
            free(p);
        }
    }
}

static void an_idle_connection_owns_one_small_block(void **state)
{
    (void)state;
    struct peer *p = calloc(1, sizeof *p);
    assert_non_null(p);
    peer_start(p, "ecdsa-p256", HB_PROFILE_INTERMEDIATE);
    hb_tls_free(&p->tls);
    size_t blocks = p->t.held;
    size_t bytes = p->t.held_bytes;
    p->tls = hb_tls_server_new(p->config, &p->t.env, p->lane);
    peer_client(p);
    peer_pump(p);
    assert_true(p->ready);
    assert_int_equal(p->t.held - blocks, 1); /* the connection itself and nothing else */
    assert_true(p->t.held_bytes - bytes <= 512);
    print_message("an open connection: %zu bytes\n", p->t.held_bytes - bytes);
    size_t allocs = p->t.num_allocs;
    exchange_data(p);
    assert_int_equal(p->t.num_allocs, allocs); /* no allocation per record */
    peer_stop(p);
    free(p);
}

static void a_signature_may_come_later(void **state)
{
    (void)state;
    for (int version = TLS1_2_VERSION; version <= TLS1_3_VERSION; version++) {
        struct peer *p = calloc(1, sizeof *p);
        assert_non_null(p);
        peer_start(p, "ecdsa-p256", HB_PROFILE_INTERMEDIATE);
        hb_cred_store_sign_later(p->creds, true);
        SSL_CTX_set_max_proto_version(p->ctx, version);
        peer_client(p);
        peer_pump(p);
        assert_true(p->ready);
        peer_stop(p);
        free(p);
    }
}

static void out_of_memory_anywhere_is_an_error(void **state)
{
    (void)state;
    for (size_t n = 1;; n++) {
        struct peer *p = calloc(1, sizeof *p);
        assert_non_null(p);
        peer_start(p, "ecdsa-p256", HB_PROFILE_INTERMEDIATE);
        hb_tls_free(&p->tls);
        p->t.fail_at = p->t.num_allocs + n;
        p->tls = hb_tls_server_new(p->config, &p->t.env, p->lane);
        bool failed = p->tls == NULL;
        if (!failed) {
            p->cut = PEER_BYTES;
            p->reclaim = false;
            peer_client(p);
            peer_pump(p);
            failed = p->failed;
            assert_true(failed ? p->failure.code == HB_E_NO_MEMORY : p->ready);
        }
        peer_stop(p);
        free(p);
        if (!failed) {
            assert_true(n > 2);
            return;
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(whole),
        cmocka_unit_test(byte_by_byte),
        cmocka_unit_test(random_cuts_joined_by_the_engine),
        cmocka_unit_test(masters_alike),
        cmocka_unit_test(an_idle_connection_owns_one_small_block),
        cmocka_unit_test(a_signature_may_come_later),
        cmocka_unit_test(out_of_memory_anywhere_is_an_error),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
