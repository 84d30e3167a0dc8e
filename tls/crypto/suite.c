/* suite.c: the cipher suites in the server's order (tls.md section 1). A new suite is one row. */
#include "suite.h"

#include "../legacy/record.h"

/* clang-format off */
#define M HB_TIER_MODERN
#define I HB_TIER_INTERMEDIATE
#define L HB_TIER_LEGACY
#define A HB_TIER_ANTIQUE
#define AEAD(tier, name, id, version, kx, auth, aead, hash, explicit_nonce) \
    {name, id, version, HB_KX_##kx, HB_AUTH_##auth, tier, &aead, NULL, &hash, explicit_nonce}
#define CBC(tier, name, id, version, kx, auth, kind, hash) \
    {name, id, version, HB_KX_##kx, HB_AUTH_##auth, tier, NULL, &kind, &hash, false}
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
    CBC(L,  "TLS_ECDHE_ECDSA_WITH_AES_256_CBC_SHA",          0xc00a, 0x0301, ECDHE,     ECDSA, hb_legacy_aes256_sha1, hb_sha256),
    CBC(L,  "TLS_ECDHE_RSA_WITH_AES_256_CBC_SHA",            0xc014, 0x0301, ECDHE,     RSA,   hb_legacy_aes256_sha1, hb_sha256),
    CBC(L,  "TLS_ECDHE_ECDSA_WITH_AES_128_CBC_SHA",          0xc009, 0x0301, ECDHE,     ECDSA, hb_legacy_aes128_sha1, hb_sha256),
    CBC(L,  "TLS_ECDHE_RSA_WITH_AES_128_CBC_SHA",            0xc013, 0x0301, ECDHE,     RSA,   hb_legacy_aes128_sha1, hb_sha256),
    CBC(L,  "TLS_ECDHE_ECDSA_WITH_AES_256_CBC_SHA384",       0xc024, 0x0303, ECDHE,     ECDSA, hb_legacy_aes256_sha384, hb_sha384),
    CBC(L,  "TLS_ECDHE_RSA_WITH_AES_256_CBC_SHA384",         0xc028, 0x0303, ECDHE,     RSA,   hb_legacy_aes256_sha384, hb_sha384),
    CBC(L,  "TLS_ECDHE_ECDSA_WITH_AES_128_CBC_SHA256",       0xc023, 0x0303, ECDHE,     ECDSA, hb_legacy_aes128_sha256, hb_sha256),
    CBC(L,  "TLS_ECDHE_RSA_WITH_AES_128_CBC_SHA256",         0xc027, 0x0303, ECDHE,     RSA,   hb_legacy_aes128_sha256, hb_sha256),
    CBC(L,  "TLS_DHE_RSA_WITH_AES_256_CBC_SHA",              0x0039, 0x0301, DHE,       RSA,   hb_legacy_aes256_sha1, hb_sha256),
    CBC(L,  "TLS_DHE_RSA_WITH_AES_128_CBC_SHA",              0x0033, 0x0301, DHE,       RSA,   hb_legacy_aes128_sha1, hb_sha256),
    AEAD(L, "TLS_RSA_WITH_AES_256_GCM_SHA384",               0x009d, 0x0303, RSA,       RSA,   hb_aes256_gcm,        hb_sha384, true),
    AEAD(L, "TLS_RSA_WITH_AES_128_GCM_SHA256",               0x009c, 0x0303, RSA,       RSA,   hb_aes128_gcm,        hb_sha256, true),
    CBC(L,  "TLS_RSA_WITH_AES_256_CBC_SHA",                  0x0035, 0x0301, RSA,       RSA,   hb_legacy_aes256_sha1, hb_sha256),
    CBC(L,  "TLS_RSA_WITH_AES_128_CBC_SHA",                  0x002f, 0x0301, RSA,       RSA,   hb_legacy_aes128_sha1, hb_sha256),
    CBC(L,  "TLS_ECDHE_PSK_WITH_AES_256_CBC_SHA",            0xc036, 0x0301, ECDHE_PSK, PSK,   hb_legacy_aes256_sha1, hb_sha256),
    CBC(L,  "TLS_ECDHE_PSK_WITH_AES_128_CBC_SHA",            0xc035, 0x0301, ECDHE_PSK, PSK,   hb_legacy_aes128_sha1, hb_sha256),
    CBC(L,  "TLS_DHE_PSK_WITH_AES_256_CBC_SHA",              0x0091, 0x0301, DHE_PSK,   PSK,   hb_legacy_aes256_sha1, hb_sha256),
    CBC(L,  "TLS_DHE_PSK_WITH_AES_128_CBC_SHA",              0x0090, 0x0301, DHE_PSK,   PSK,   hb_legacy_aes128_sha1, hb_sha256),
    CBC(L,  "TLS_PSK_WITH_AES_256_CBC_SHA",                  0x008d, 0x0301, PSK,       PSK,   hb_legacy_aes256_sha1, hb_sha256),
    CBC(L,  "TLS_PSK_WITH_AES_128_CBC_SHA",                  0x008c, 0x0301, PSK,       PSK,   hb_legacy_aes128_sha1, hb_sha256),
    /* antique: client role only, for servers that know nothing better */
    CBC(A,  "TLS_ECDHE_RSA_WITH_3DES_EDE_CBC_SHA",           0xc012, 0x0301, ECDHE,     RSA,   hb_legacy_3des_sha1,  hb_sha256),
    CBC(A,  "TLS_RSA_WITH_3DES_EDE_CBC_SHA",                 0x000a, 0x0301, RSA,       RSA,   hb_legacy_3des_sha1,  hb_sha256),
    CBC(A,  "TLS_ECDHE_RSA_WITH_RC4_128_SHA",                0xc011, 0x0301, ECDHE,     RSA,   hb_legacy_rc4_sha1,   hb_sha256),
    CBC(A,  "TLS_RSA_WITH_RC4_128_SHA",                      0x0005, 0x0301, RSA,       RSA,   hb_legacy_rc4_sha1,   hb_sha256),
    CBC(A,  "TLS_RSA_WITH_RC4_128_MD5",                      0x0004, 0x0301, RSA,       RSA,   hb_legacy_rc4_md5,    hb_sha256),
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
