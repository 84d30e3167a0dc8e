/* mbedtls.c: Mbed TLS as a peer, 2.28 (TLS 1.2) or 3.6. */
#include "peer.h"

#include <mbedtls/ctr_drbg.h>
#include <mbedtls/entropy.h>
#include <mbedtls/error.h>
#include <mbedtls/net_sockets.h>
#include <mbedtls/ssl.h>
#include <mbedtls/ssl_ciphersuites.h>
#include <mbedtls/ssl_ticket.h>
#include <mbedtls/version.h>
#if MBEDTLS_VERSION_MAJOR >= 3
#include <psa/crypto.h>
#endif

static mbedtls_ssl_config conf;
static mbedtls_ctr_drbg_context rng;
static mbedtls_x509_crt ca, own;
static mbedtls_pk_context key;
static mbedtls_ssl_ticket_context tickets;
static const char *alpn[4];
static int suites[2];

static void must(int rc, const char *what)
{
    if (rc != 0) {
        die(what, rc);
    }
}

#if MBEDTLS_VERSION_MAJOR >= 3
static void start(void)
{
    must((int)psa_crypto_init(), "psa");
    mbedtls_ssl_protocol_version v =
        strcmp(word("version"), "1.3") == 0 ? MBEDTLS_SSL_VERSION_TLS1_3 : MBEDTLS_SSL_VERSION_TLS1_2;
    mbedtls_ssl_conf_min_tls_version(&conf, v);
    mbedtls_ssl_conf_max_tls_version(&conf, v);
#if defined(MBEDTLS_SSL_SESSION_TICKETS) && MBEDTLS_VERSION_NUMBER >= 0x03060100
    mbedtls_ssl_conf_tls13_enable_signal_new_session_tickets(&conf, 1);
#endif
}

static int parse_key(const char *path)
{
    return mbedtls_pk_parse_keyfile(&key, path, NULL, mbedtls_ctr_drbg_random, &rng);
}

static void set_group(const char *name)
{
    static uint16_t list[2];
    static const struct {
        const char *name;
        uint16_t id;
    } known[] = {{"x25519", 0x1d},    {"secp256r1", 0x17}, {"secp384r1", 0x18},
                 {"secp521r1", 0x19}, {"x448", 0x1e},      {"ffdhe2048", 0x100}};

    for (size_t i = 0; i < sizeof known / sizeof known[0]; i++) {
        if (strcmp(name, known[i].name) == 0) {
            list[0] = known[i].id;
        }
    }
    mbedtls_ssl_conf_groups(&conf, list);
}
#else
static void start(void)
{
    int minor = word("version")[2] - '0' + 1;
    mbedtls_ssl_conf_min_version(&conf, 3, minor);
    mbedtls_ssl_conf_max_version(&conf, 3, minor);
}

static int parse_key(const char *path)
{
    return mbedtls_pk_parse_keyfile(&key, path, NULL);
}

static void set_group(const char *name)
{
    static mbedtls_ecp_group_id list[2];
    const mbedtls_ecp_curve_info *curve = mbedtls_ecp_curve_info_from_name(name);

    if (curve == NULL) {
        die("group", 0);
    }
    list[0] = curve->grp_id;
    mbedtls_ssl_conf_curves(&conf, list);
}
#endif

static int peer_read(void *conn, unsigned char *dst, size_t cap)
{
    int n;

    do { /* a ticket read is no data, yet */
        n = mbedtls_ssl_read(conn, dst, cap);
#if MBEDTLS_VERSION_MAJOR >= 3
    } while (n == MBEDTLS_ERR_SSL_RECEIVED_NEW_SESSION_TICKET || n == MBEDTLS_ERR_SSL_WANT_READ);
#else
    } while (n == MBEDTLS_ERR_SSL_WANT_READ);
#endif
    return n == MBEDTLS_ERR_SSL_PEER_CLOSE_NOTIFY ? 0 : n;
}

static int peer_write(void *conn, const unsigned char *src, size_t len)
{
    return mbedtls_ssl_write(conn, src, len);
}

static void set_suite(const char *iana)
{
    char name[80];
    bool tls13 = strstr(iana, "_WITH_") == NULL;

    (void)snprintf(name, sizeof name, tls13 ? "TLS1_3_%s" : "%s", tls13 ? iana + 4 : iana);
    for (char *c = name; *c != 0; c++) {
        *c = *c == '_' ? '-' : *c;
    }
    suites[0] = mbedtls_ssl_get_ciphersuite_id(name);
    if (suites[0] == 0) {
        die(name, 0);
    }
    mbedtls_ssl_conf_ciphersuites(&conf, suites);
}

static void configure(bool server)
{
    static mbedtls_entropy_context entropy;
    unsigned char psk[64];

    mbedtls_entropy_init(&entropy);
    mbedtls_ctr_drbg_init(&rng);
    must(mbedtls_ctr_drbg_seed(&rng, mbedtls_entropy_func, &entropy, NULL, 0), "seed");
    mbedtls_ssl_config_init(&conf);
    must(mbedtls_ssl_config_defaults(&conf, server ? MBEDTLS_SSL_IS_SERVER : MBEDTLS_SSL_IS_CLIENT,
                                     MBEDTLS_SSL_TRANSPORT_STREAM, MBEDTLS_SSL_PRESET_DEFAULT),
         "defaults");
    mbedtls_ssl_conf_rng(&conf, mbedtls_ctr_drbg_random, &rng);
    start();
    must(mbedtls_x509_crt_parse_file(&ca, word("ca")), "ca");
    mbedtls_ssl_conf_ca_chain(&conf, &ca, NULL);
    mbedtls_ssl_conf_authmode(&conf, !server || word("clientauth") ? MBEDTLS_SSL_VERIFY_REQUIRED
                                                                   : MBEDTLS_SSL_VERIFY_NONE);
    if (word("cert") != NULL) {
        must(mbedtls_x509_crt_parse_file(&own, word("cert")), "cert");
        must(parse_key(word("key")), "key");
        must(mbedtls_ssl_conf_own_cert(&conf, &own, &key), "own cert");
    }
    if (word("group") != NULL) {
        set_group(word("group"));
    }
    if (word("suite") != NULL) {
        set_suite(word("suite"));
    }
    if (word("alpn") != NULL) {
        alpn[0] = word("alpn");
        must(mbedtls_ssl_conf_alpn_protocols(&conf, alpn), "alpn");
    }
    if (word("psk") != NULL) {
        size_t len = unhex(word("psk"), psk);
        must(mbedtls_ssl_conf_psk(&conf, psk, len, (const unsigned char *)word("identity"),
                                  strlen(word("identity"))),
             "psk");
    }
    if (server) {
        static const unsigned char p[] = MBEDTLS_DHM_RFC7919_FFDHE2048_P_BIN;
        static const unsigned char g[] = MBEDTLS_DHM_RFC7919_FFDHE2048_G_BIN;

        must(mbedtls_ssl_conf_dh_param_bin(&conf, p, sizeof p, g, sizeof g),
             "dh"); /* its own is none of RFC 7919 */
        mbedtls_ssl_ticket_init(&tickets);
        must(mbedtls_ssl_ticket_setup(&tickets, mbedtls_ctr_drbg_random, &rng, MBEDTLS_CIPHER_AES_256_GCM,
                                      86400),
             "tickets");
        mbedtls_ssl_conf_session_tickets_cb(&conf, mbedtls_ssl_ticket_write, mbedtls_ssl_ticket_parse,
                                            &tickets);
    }
}

/* One connection; session is kept from, or offered on it. Returns false where a handshake failed. */
static bool connection(mbedtls_net_context *net, bool server, mbedtls_ssl_session *session, bool offer)
{
    mbedtls_ssl_context ssl;
    int rc;

    mbedtls_ssl_init(&ssl);
    must(mbedtls_ssl_setup(&ssl, &conf), "setup");
    mbedtls_ssl_set_bio(&ssl, net, mbedtls_net_send, mbedtls_net_recv, NULL);
    if (!server) {
        must(mbedtls_ssl_set_hostname(&ssl, word("name")), "name");
    }
    if (offer) {
        must(mbedtls_ssl_set_session(&ssl, session), "session");
    }
    while ((rc = mbedtls_ssl_handshake(&ssl)) == MBEDTLS_ERR_SSL_WANT_READ) {
    }
    if (rc != 0 && server) {
        (void)printf("handshake: -0x%x\n", (unsigned)-rc);
    } else if (rc != 0) {
        die("handshake", rc);
    } else if (server) {
        echo(&ssl);
    } else {
        send_and_compare(&ssl);
    }
    if (rc == 0 && session != NULL && !offer) {
        must(mbedtls_ssl_get_session(&ssl, session), "get session");
    }
    (void)mbedtls_ssl_close_notify(&ssl);
    mbedtls_ssl_free(&ssl);
    return rc == 0;
}

int main(int argc, char **argv)
{
    bool server = argc > 2 && strcmp(argv[1], "server") == 0;
    mbedtls_ssl_session session;

    words = argv + 3;
    num_words = argc - 3;
    configure(server);
    mbedtls_ssl_session_init(&session);
    int listener = server ? tcp(argv[2], true) : -1;
    for (int i = 0; server || i < (word("resume") != NULL ? 2 : 1); i++) {
        mbedtls_net_context net = {.fd = server ? accept(listener, NULL, NULL) : tcp(argv[2], false)};
        (void)connection(&net, server, word("resume") != NULL && !server ? &session : NULL, i > 0 && !server);
        (void)fflush(stdout);
        mbedtls_net_free(&net);
    }
    return 0;
}
