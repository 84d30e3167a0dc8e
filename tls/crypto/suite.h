/* suite.h: the cipher suites as a table: number, name, version, AEAD, hash, key type. */
#ifndef HB_SUITE_H
#define HB_SUITE_H

#include "crypto.h"

enum hb_suite_auth { HB_AUTH_ANY, HB_AUTH_ECDSA, HB_AUTH_RSA }; /* ANY: TLS 1.3; ECDSA covers EdDSA (RFC 8422) */

struct hb_suite {
    const char *name;
    uint16_t id;
    uint16_t version; /* 0x0304 or 0x0303: the one version it belongs to */
    enum hb_suite_auth auth;
    const struct hb_aead *aead;
    const struct hb_hash *hash; /* transcript, HKDF or PRF */
    bool explicit_nonce;        /* TLS 1.2 GCM: 4 bytes of salt, 8 in the record (REC-10) */
};

/* In the server's order of the intermediate profile (tls.md section 1). */
extern const struct hb_suite hb_suites[];
extern const size_t hb_num_suites;
const struct hb_suite *hb_suite_find(uint16_t id);

#endif
