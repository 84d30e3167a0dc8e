/* wolfssl.c: wolfSSL as a peer. */
#include "peer.h"

#include <wolfssl/options.h>
#include <wolfssl/ssl.h>

static WOLFSSL_CTX *ctx;

static int peer_read(void *conn, unsigned char *dst, size_t cap)
{
    int n = wolfSSL_read(conn, dst, (int)cap);

    return n <= 0 && wolfSSL_get_error(conn, n) == WOLFSSL_ERROR_ZERO_RETURN ? 0 : n;
}

static int peer_write(void *conn, const unsigned char *src, size_t len)
{
    return wolfSSL_write(conn, src, (int)len);
}

static void must(int rc, const char *what)
{
    if (rc != WOLFSSL_SUCCESS) {
        die(what, rc);
    }
}

static unsigned psk_client(WOLFSSL *ssl, const char *hint, char *identity, unsigned identity_cap,
                           unsigned char *key, unsigned cap)
{
    (void)ssl;
    (void)hint;
    (void)cap;
    (void)snprintf(identity, identity_cap, "%s", word("identity"));
    return (unsigned)unhex(word("psk"), key);
}

static unsigned psk_server(WOLFSSL *ssl, const char *identity, unsigned char *key, unsigned cap)
{
    (void)ssl;
    (void)cap;
    return strcmp(identity, word("identity")) == 0 ? (unsigned)unhex(word("psk"), key) : 0;
}

static unsigned psk13_client(WOLFSSL *ssl, const char *hint, char *identity, unsigned identity_cap,
                             unsigned char *key, unsigned cap, const char **suite)
{
    *suite = "TLS13-AES128-GCM-SHA256";
    return psk_client(ssl, hint, identity, identity_cap, key, cap);
}

static unsigned psk13_server(WOLFSSL *ssl, const char *identity, unsigned char *key, unsigned cap,
                             const char **suite)
{
    *suite = "TLS13-AES128-GCM-SHA256";
    return psk_server(ssl, identity, key, cap);
}

static WOLFSSL_METHOD *method(bool server)
{
    switch (word("version")[2]) {
    case '3':
        return server ? wolfTLSv1_3_server_method() : wolfTLSv1_3_client_method();
    case '2':
        return server ? wolfTLSv1_2_server_method() : wolfTLSv1_2_client_method();
    default:
        return server ? wolfTLSv1_1_server_method() : wolfTLSv1_1_client_method();
    }
}

static int group_of(const char *name)
{
    static const struct {
        const char *name;
        int id;
    } known[] = {{"x25519", WOLFSSL_ECC_X25519},       {"secp256r1", WOLFSSL_ECC_SECP256R1},
                 {"secp384r1", WOLFSSL_ECC_SECP384R1}, {"secp521r1", WOLFSSL_ECC_SECP521R1},
                 {"x448", WOLFSSL_ECC_X448},           {"ffdhe2048", WOLFSSL_FFDHE_2048}};

    for (size_t i = 0; i < sizeof known / sizeof known[0]; i++) {
        if (strcmp(name, known[i].name) == 0) {
            return known[i].id;
        }
    }
    return 0;
}

/* In TLS 1.2 a server has no list of its own: the client's decides. */
static void set_group(bool server, int group)
{
    if (word("version")[2] == '3') {
        must(wolfSSL_CTX_set_groups(ctx, &group, 1), "group");
    } else if (!server) {
        must(wolfSSL_CTX_UseSupportedCurve(ctx, (word16)group), "group");
    }
}

static void configure(bool server)
{
    ctx = wolfSSL_CTX_new(method(server));
    if (ctx == NULL) {
        die("context", 0);
    }
    must(wolfSSL_CTX_load_verify_locations(ctx, word("ca"), NULL), "ca");
    wolfSSL_CTX_set_verify(ctx,
                           !server || word("clientauth") != NULL
                               ? WOLFSSL_VERIFY_PEER | WOLFSSL_VERIFY_FAIL_IF_NO_PEER_CERT
                               : WOLFSSL_VERIFY_NONE,
                           NULL);
    if (word("cert") != NULL) {
        must(wolfSSL_CTX_use_certificate_chain_file(ctx, word("cert")), "cert");
        must(wolfSSL_CTX_use_PrivateKey_file(ctx, word("key"), WOLFSSL_FILETYPE_PEM), "key");
    }
    if (word("suite") != NULL) {
        must(wolfSSL_CTX_set_cipher_list(ctx, word("suite")), "suite");
    }
    if (word("group") != NULL) {
        set_group(server, group_of(word("group")));
    }
    if (word("psk") != NULL && server) {
        wolfSSL_CTX_set_psk_server_callback(ctx, psk_server);
        wolfSSL_CTX_set_psk_server_tls13_callback(ctx, psk13_server);
    } else if (word("psk") != NULL) {
        wolfSSL_CTX_set_psk_client_callback(ctx, psk_client);
        wolfSSL_CTX_set_psk_client_tls13_callback(ctx, psk13_client);
    }
    if (!server) {
        must(wolfSSL_CTX_UseSNI(ctx, WOLFSSL_SNI_HOST_NAME, word("name"),
                                (unsigned short)strlen(word("name"))),
             "sni");
        must(wolfSSL_CTX_UseSessionTicket(ctx), "ticket");
    }
}

static void connection(int fd, bool server, WOLFSSL_SESSION **session)
{
    WOLFSSL *ssl = wolfSSL_new(ctx);
    char alpn[64];

    must(wolfSSL_set_fd(ssl, fd), "fd");
    if (word("alpn") != NULL) {
        (void)snprintf(alpn, sizeof alpn, "%s", word("alpn"));
        must(wolfSSL_UseALPN(ssl, alpn, (unsigned)strlen(alpn), WOLFSSL_ALPN_FAILED_ON_MISMATCH), "alpn");
    }
    if (!server && word("psk") == NULL) {
        must(wolfSSL_check_domain_name(ssl, word("name")), "name");
    }
    if (*session != NULL) {
        must(wolfSSL_set_session(ssl, *session), "session");
    }
    int rc = server ? wolfSSL_accept(ssl) : wolfSSL_connect(ssl);
    if (rc != WOLFSSL_SUCCESS && !server) {
        die("handshake", wolfSSL_get_error(ssl, rc));
    } else if (rc != WOLFSSL_SUCCESS) {
        (void)printf("handshake: %d\n", wolfSSL_get_error(ssl, rc));
    } else {
        if (word("keyupdate") != NULL) {
            must(wolfSSL_update_keys(ssl), "key update");
        }
        if (server) {
            echo(ssl);
        } else {
            send_and_compare(ssl);
            *session = wolfSSL_get1_session(ssl);
        }
    }
    (void)wolfSSL_shutdown(ssl);
    wolfSSL_free(ssl);
}

int main(int argc, char **argv)
{
    bool server = argc > 2 && strcmp(argv[1], "server") == 0;
    WOLFSSL_SESSION *session = NULL;

    words = argv + 3;
    num_words = argc - 3;
    must(wolfSSL_Init(), "init");
    configure(server);
    int listener = server ? tcp(argv[2], true) : -1;
    for (int i = 0; server || i < (word("resume") != NULL ? 2 : 1); i++) {
        int fd = server ? accept(listener, NULL, NULL) : tcp(argv[2], false);
        connection(fd, server, &session);
        (void)fflush(stdout);
        (void)close(fd);
    }
    return 0;
}
