/* suite.c: the cipher suites in the server's order (tls.md section 1). A new suite is one row. */
#include "suite.h"

/* clang-format off */
const struct hb_suite hb_suites[] = {
    {"TLS_AES_256_GCM_SHA384",                        0x1302, 0x0304, HB_AUTH_ANY,   &hb_aes256_gcm,        &hb_sha384, false},
    {"TLS_CHACHA20_POLY1305_SHA256",                  0x1303, 0x0304, HB_AUTH_ANY,   &hb_chacha20_poly1305, &hb_sha256, false},
    {"TLS_AES_128_GCM_SHA256",                        0x1301, 0x0304, HB_AUTH_ANY,   &hb_aes128_gcm,        &hb_sha256, false},
    {"TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384",       0xc02c, 0x0303, HB_AUTH_ECDSA, &hb_aes256_gcm,        &hb_sha384, true},
    {"TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384",         0xc030, 0x0303, HB_AUTH_RSA,   &hb_aes256_gcm,        &hb_sha384, true},
    {"TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305_SHA256", 0xcca9, 0x0303, HB_AUTH_ECDSA, &hb_chacha20_poly1305, &hb_sha256, false},
    {"TLS_ECDHE_RSA_WITH_CHACHA20_POLY1305_SHA256",   0xcca8, 0x0303, HB_AUTH_RSA,   &hb_chacha20_poly1305, &hb_sha256, false},
    {"TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256",       0xc02b, 0x0303, HB_AUTH_ECDSA, &hb_aes128_gcm,        &hb_sha256, true},
    {"TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256",         0xc02f, 0x0303, HB_AUTH_RSA,   &hb_aes128_gcm,        &hb_sha256, true},
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
