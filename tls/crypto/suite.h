/* suite.h: the cipher suites as a table: number, name, versions, key exchange, certificate, protection, hash.
 */
#ifndef HB_SUITE_H
#define HB_SUITE_H

#include "crypto.h"

enum hb_suite_auth {
    HB_AUTH_ANY,
    HB_AUTH_ECDSA,
    HB_AUTH_RSA,
    HB_AUTH_PSK
}; /* ANY: TLS 1.3; ECDSA covers EdDSA (RFC 8422) */
enum hb_suite_kx {
    HB_KX_13, /* not the suite's business */
    HB_KX_ECDHE,
    HB_KX_DHE,
    HB_KX_RSA,
    HB_KX_PSK,
    HB_KX_DHE_PSK,
    HB_KX_ECDHE_PSK,
    HB_KX_RSA_PSK
};
/* The least modern profile's suites are in the others' lists, too: the order of enum hb_tls_profile. */
enum hb_suite_tier { HB_TIER_MODERN, HB_TIER_INTERMEDIATE, HB_TIER_LEGACY, HB_TIER_ANTIQUE };

struct hb_legacy_kind;

struct hb_suite {
    const char *name;
    uint16_t id;
    uint16_t version; /* 0x0304, 0x0303, or 0x0301: this one and later ones up to 1.2 */
    enum hb_suite_kx kx;
    enum hb_suite_auth auth;
    enum hb_suite_tier tier;
    const struct hb_aead *aead;          /* NULL: CBC or a stream cipher */
    const struct hb_legacy_kind *legacy; /* NULL: AEAD */
    const struct hb_hash *hash;          /* transcript, HKDF or PRF (in TLS 1.2; before that MD5 and SHA-1) */
    bool explicit_nonce;                 /* TLS 1.2 GCM: 4 bytes of salt, 8 in the record (REC-10) */
};

/* In the server's order (tls.md section 1). */
extern const struct hb_suite hb_suites[];
extern const size_t hb_num_suites;
const struct hb_suite *hb_suite_find(uint16_t id);
/* True if the suite can be used with this version of TLS. */
bool hb_suite_fits(const struct hb_suite *suite, uint16_t version);
bool hb_kx_is_psk(enum hb_suite_kx kx);
/* True for (EC)DHE with a certificate or a PSK. */
bool hb_kx_is_ephemeral(enum hb_suite_kx kx);

#endif
