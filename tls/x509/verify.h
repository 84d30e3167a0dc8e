/* verify.h: the whole judgement of a peer's certificate: path, name, pin, staple (PKI-03 to PKI-09). */
#ifndef HB_VERIFY_H
#define HB_VERIFY_H

#include "path.h"
#include "trust.h"
#include <hb/tls_config.h>

struct hb_verify_request {
    enum hb_tls_verify verify;
    bool server;                  /* the certificate is a server's (EKU, name); false: a client's */
    bool signs;                   /* its key signs; false: it decrypts (RSA key transport) */
    const struct hb_trust *trust; /* may be NULL */
    const uint8_t (*pins)[32];
    unsigned num_pins;
    struct hb_span name;   /* DNS name or IP address as text it must be for; empty: any (only if not FULL) */
    struct hb_span staple; /* OCSP response; empty: none came */
    uint64_t now;
};

/* chain: DER, leaf first, the rest in any order. HB_OK, or the reason (HB_E_X509_*, HB_E_CERT_*,
 * HB_E_DER...). */
HB_MUST_USE enum hb_code hb_verify_chain(const struct hb_env *env, const struct hb_verify_request *request,
                                         const struct hb_span *chain, size_t num);

/* HB_OK if leaf is for this DNS name or IP address (text), else HB_E_X509_NAME_MISMATCH. */
HB_MUST_USE enum hb_code hb_verify_name(const struct hb_cert *leaf, struct hb_span name);

/* Views of the certificates in bytes (DER, u24 length before each). Returns their number, HB_CHAIN_MAX + 1
 * for any more than HB_CHAIN_MAX, 0 if the bytes do not end where a certificate does. */
size_t hb_chain_split(struct hb_span bytes, struct hb_span out[HB_CHAIN_MAX + 1]);

#endif
