/* openssl_end.c: see openssl_end.h. Contexts are made once, as a server would; X25519, AES-128-GCM, two
 * tickets as OpenSSL has it. */
#include "openssl_end.h"

#include "timing.h"
#include "tls_tape.h"

#include <openssl/err.h>
#include <openssl/ssl.h>
#include <stdio.h>
#include <stdlib.h>

struct openssl_end {
    SSL_CTX *server, *client;
    SSL_SESSION *session;
    bool resumed, is13;
};

static void must(bool ok, const char *what)
{
    if (!ok) {
        (void)fprintf(stderr, "openssl_end: %s\n", what);
        ERR_print_errors_fp(stderr);
        abort();
    }
}

static int keep_session(SSL *ssl, SSL_SESSION *session)
{
    struct openssl_end *e = SSL_get_app_data(ssl);

    if (e->session == NULL) {
        e->session = session;
        return 1;
    }
    return 0;
}

static void use_certificate(SSL_CTX *ctx, struct hb_span der, const struct pki_key *key)
{
    const unsigned char *p = der.p;
    X509 *x = d2i_X509(NULL, &p, (long)der.len);
    BIO *pem = BIO_new_mem_buf(key->pem, -1);
    EVP_PKEY *k = PEM_read_bio_PrivateKey(pem, NULL, NULL, NULL);

    must(x != NULL && k != NULL && SSL_CTX_use_certificate(ctx, x) == 1 &&
             SSL_CTX_use_PrivateKey(ctx, k) == 1,
         "certificate");
    X509_free(x);
    EVP_PKEY_free(k);
    BIO_free(pem);
}

static SSL_CTX *context(const SSL_METHOD *method, bool is13)
{
    SSL_CTX *ctx = SSL_CTX_new(method);
    int version = is13 ? TLS1_3_VERSION : TLS1_2_VERSION;

    must(ctx != NULL && SSL_CTX_set_min_proto_version(ctx, version) == 1 &&
             SSL_CTX_set_max_proto_version(ctx, version) == 1 &&
             SSL_CTX_set1_groups_list(ctx, "X25519:P-256") == 1 &&
             SSL_CTX_set_ciphersuites(ctx, "TLS_AES_128_GCM_SHA256") == 1 &&
             SSL_CTX_set_cipher_list(ctx, "ECDHE-ECDSA-AES128-GCM-SHA256:ECDHE-RSA-AES128-GCM-SHA256") == 1,
         "context");
    return ctx;
}

struct openssl_end *openssl_end_new(bool is13, bool rsa, bool resumed)
{
    const struct tape_pki *pki = tape_pki();
    struct openssl_end *e = calloc(1, sizeof *e);

    must(e != NULL, "memory");
    e->is13 = is13;
    e->server = context(TLS_server_method(), is13);
    e->client = context(TLS_client_method(), is13);
    use_certificate(e->server, rsa ? pki->rsa_der : pki->server_der, rsa ? &pki->rsa : &pki->server);
    must(SSL_CTX_set_session_id_context(e->server, (const unsigned char *)"bench", 5) == 1, "context");
    SSL_CTX_set_session_cache_mode(e->client, SSL_SESS_CACHE_CLIENT | SSL_SESS_CACHE_NO_INTERNAL);
    SSL_CTX_sess_set_new_cb(e->client, keep_session);
    if (resumed) {
        (void)openssl_end_handshake(e);
        must(e->session != NULL, "no session");
        e->resumed = true;
    }
    return e;
}

void openssl_end_free(struct openssl_end **pe)
{
    struct openssl_end *e = *pe;

    *pe = NULL;
    SSL_SESSION_free(e->session);
    SSL_CTX_free(e->server);
    SSL_CTX_free(e->client);
    free(e);
}

double openssl_end_handshake(void *end)
{
    struct openssl_end *e = end;
    BIO *up = BIO_new(BIO_s_mem());
    BIO *down = BIO_new(BIO_s_mem());
    SSL *client = SSL_new(e->client);
    char byte;

    double from = timing_now();
    SSL *server = SSL_new(e->server);
    double took = timing_since(from);
    must(BIO_up_ref(up) == 1 && BIO_up_ref(down) == 1, "references");
    SSL_set_bio(client, down, up);
    SSL_set_bio(server, up, down);
    SSL_set_app_data(client, e);
    SSL_set_connect_state(client);
    SSL_set_accept_state(server);
    if (e->resumed) {
        SSL_SESSION *copy = SSL_SESSION_dup(e->session); /* one that was used counts as used up */
        must(SSL_set_session(client, copy) == 1, "session");
        SSL_SESSION_free(copy);
    }
    while (SSL_in_init(client) || SSL_in_init(server)) {
        (void)SSL_do_handshake(client);
        from = timing_now();
        int rc = SSL_do_handshake(server);
        took += timing_since(from);
        must(rc == 1 || SSL_get_error(server, rc) == SSL_ERROR_WANT_READ, "handshake");
    }
    (void)SSL_read(client, &byte, 1); /* tickets */
    must(!e->resumed || SSL_session_reused(server) == 1, "not resumed");
    /* else freeing spoils the session */
    SSL_set_shutdown(client, SSL_SENT_SHUTDOWN | SSL_RECEIVED_SHUTDOWN);
    SSL_set_shutdown(server, SSL_SENT_SHUTDOWN | SSL_RECEIVED_SHUTDOWN);
    SSL_free(client);
    from = timing_now();
    SSL_free(server);
    return took + timing_since(from);
}
