/* suite.c: the cipher suites in the server's order (tls.md section 1). A new suite is one row. */
#include "suite.h"

/* clang-format off */
#define M HB_TIER_MODERN
#define I HB_TIER_INTERMEDIATE
#define L HB_TIER_LEGACY
#define A HB_TIER_ANTIQUE
#define AEAD(tier, name, id, version, kx, auth, aead, hash, explicit_nonce) \
    {name, id, version, HB_KX_##kx, HB_AUTH_##auth, tier, &aead, NULL, &hash, explicit_nonce}
const struct hb_suite hb_suites[] = {
    AEAD(M, "TLS_AES_256_GCM_SHA384",                        0x1302, 0x0304, 13,        ANY,   hb_aes256_gcm,        hb_sha384, false),
    AEAD(M, "TLS_CHACHA20_POLY1305_SHA256",                  0x1303, 0x0304, 13,        ANY,   hb_chacha20_poly1305, hb_sha256, false),
    AEAD(M, "TLS_AES_128_GCM_SHA256",                        0x1301, 0x0304, 13,        ANY,   hb_aes128_gcm,        hb_sha256, false),
    AEAD(I, "TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384",       0xc02c, 0x0303, ECDHE,     ECDSA, hb_aes256_gcm,        hb_sha384, true),
    AEAD(I, "TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384",         0xc030, 0x0303, ECDHE,     RSA,   hb_aes256_gcm,        hb_sha384, true),
    AEAD(I, "TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305_SHA256", 0xcca9, 0x0303, ECDHE,     ECDSA, hb_chacha20_poly1305, hb_sha256, false),
    AEAD(I, "TLS_ECDHE_RSA_WITH_CHACHA20_POLY1305_SHA256",   0xcca8, 0x0303, ECDHE,     RSA,   hb_chacha20_poly1305, hb_sha256, false),
    AEAD(I, "TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256",       0xc02b, 0x0303, ECDHE,     ECDSA, hb_aes128_gcm,        hb_sha256, true),
    AEAD(I, "TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256",         0xc02f, 0x0303, ECDHE,     RSA,   hb_aes128_gcm,        hb_sha256, true),
    /* with an external PSK only */
    AEAD(I, "TLS_ECDHE_PSK_WITH_AES_256_GCM_SHA384",         0xd002, 0x0303, ECDHE_PSK, PSK,   hb_aes256_gcm,        hb_sha384, true),
    AEAD(I, "TLS_ECDHE_PSK_WITH_CHACHA20_POLY1305_SHA256",   0xccac, 0x0303, ECDHE_PSK, PSK,   hb_chacha20_poly1305, hb_sha256, false),
    AEAD(I, "TLS_ECDHE_PSK_WITH_AES_128_GCM_SHA256",         0xd001, 0x0303, ECDHE_PSK, PSK,   hb_aes128_gcm,        hb_sha256, true),
    AEAD(I, "TLS_DHE_PSK_WITH_AES_256_GCM_SHA384",           0x00ab, 0x0303, DHE_PSK,   PSK,   hb_aes256_gcm,        hb_sha384, true),
    AEAD(I, "TLS_DHE_PSK_WITH_CHACHA20_POLY1305_SHA256",     0xccad, 0x0303, DHE_PSK,   PSK,   hb_chacha20_poly1305, hb_sha256, false),
    AEAD(I, "TLS_DHE_PSK_WITH_AES_128_GCM_SHA256",           0x00aa, 0x0303, DHE_PSK,   PSK,   hb_aes128_gcm,        hb_sha256, true),
    AEAD(I, "TLS_PSK_WITH_AES_256_GCM_SHA384",               0x00a9, 0x0303, PSK,       PSK,   hb_aes256_gcm,        hb_sha384, true),
    AEAD(I, "TLS_PSK_WITH_CHACHA20_POLY1305_SHA256",         0xccab, 0x0303, PSK,       PSK,   hb_chacha20_poly1305, hb_sha256, false),
    AEAD(I, "TLS_PSK_WITH_AES_128_GCM_SHA256",               0x00a8, 0x0303, PSK,       PSK,   hb_aes128_gcm,        hb_sha256, true),
    AEAD(L, "TLS_RSA_PSK_WITH_AES_256_GCM_SHA384",           0x00ad, 0x0303, RSA_PSK,   RSA,   hb_aes256_gcm,        hb_sha384, true),
    AEAD(L, "TLS_RSA_PSK_WITH_CHACHA20_POLY1305_SHA256",     0xccae, 0x0303, RSA_PSK,   RSA,   hb_chacha20_poly1305, hb_sha256, false),
    AEAD(L, "TLS_RSA_PSK_WITH_AES_128_GCM_SHA256",           0x00ac, 0x0303, RSA_PSK,   RSA,   hb_aes128_gcm,        hb_sha256, true),
    /* legacy */
    AEAD(L, "TLS_DHE_RSA_WITH_AES_256_GCM_SHA384",           0x009f, 0x0303, DHE,       RSA,   hb_aes256_gcm,        hb_sha384, true),
    AEAD(L, "TLS_DHE_RSA_WITH_CHACHA20_POLY1305_SHA256",     0xccaa, 0x0303, DHE,       RSA,   hb_chacha20_poly1305, hb_sha256, false),
    AEAD(L, "TLS_DHE_RSA_WITH_AES_128_GCM_SHA256",           0x009e, 0x0303, DHE,       RSA,   hb_aes128_gcm,        hb_sha256, true),
    AEAD(L, "TLS_RSA_WITH_AES_256_GCM_SHA384",               0x009d, 0x0303, RSA,       RSA,   hb_aes256_gcm,        hb_sha384, true),
    AEAD(L, "TLS_RSA_WITH_AES_128_GCM_SHA256",               0x009c, 0x0303, RSA,       RSA,   hb_aes128_gcm,        hb_sha256, true),
};
/* clang-format on */
const size_t hb_num_suites = sizeof hb_suites / sizeof hb_suites[0];

const struct hb_suite *hb_suite_find(uint16_t id)
{
    for (size_t i = 0; i < hb_num_suites; i++) {
        if (hb_suites[i].id == id) {
            return &hb_suites[i];
        }
    }
    return NULL;
}

bool hb_suite_fits(const struct hb_suite *suite, uint16_t version)
{
    return suite->version == version || (version < 0x0304 && suite->version < version);
}

bool hb_kx_is_psk(enum hb_suite_kx kx)
{
    return kx == HB_KX_PSK || kx == HB_KX_DHE_PSK || kx == HB_KX_ECDHE_PSK || kx == HB_KX_RSA_PSK;
}

bool hb_kx_is_ephemeral(enum hb_suite_kx kx)
{
    return kx == HB_KX_ECDHE || kx == HB_KX_DHE || kx == HB_KX_DHE_PSK || kx == HB_KX_ECDHE_PSK;
}
