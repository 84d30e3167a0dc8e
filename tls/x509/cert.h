/* cert.h: a certificate as views into its DER. Parsing judges form only; trust, time and names are judged by
 * whoever uses it. */
#ifndef HB_CERT_H
#define HB_CERT_H

#include "../crypto/crypto.h"
#include <hb/cursor.h>
#include <hb/tls_config.h>

#define HB_CERT_MAX 65535u

enum {
    HB_KU_DIGITAL_SIGNATURE = 0x80,
    HB_KU_KEY_ENCIPHERMENT = 0x20,
    HB_KU_CERT_SIGN = 0x04
}; /* first byte of keyUsage */

struct hb_cert {
    struct hb_span der, tbs, serial, issuer, subject, spki; /* all borrowed from the DER */
    struct hb_span sig_oid, signature;
    struct hb_span san; /* contents of the SubjectAltName sequence; empty without one */
    uint64_t not_before, not_after;
    enum hb_key_kind key_kind;
    struct hb_span rsa_n, rsa_e, point; /* by kind; point: SEC1, or the raw Ed25519 key */
    struct hb_span name_constraints;    /* contents of the sequence */
    const struct hb_sigalg *sig;        /* how the issuer signed; NULL: a way we do not accept */
    uint8_t key_usage;
    uint8_t path_len; /* 255: no limit */
    bool has_key_usage, has_san, has_eku, eku_server_auth, eku_client_auth, eku_ocsp_signing, is_ca;
    bool has_name_constraints, must_staple;
    bool critical_unknown; /* a critical extension that we do not know (PKI-03) */
};

/* Parses der; views stay good as long as der does. HB_E_DER, HB_E_X509_VERSION, HB_E_X509_ALGORITHM. */
HB_MUST_USE enum hb_code hb_cert_parse(struct hb_span der, struct hb_cert *cert);
/* Who a client certificate names, for SASL EXTERNAL; printable UTF-8 or nothing. NUL-terminated into dst (cap
 * bytes); returns its length. */
size_t hb_cert_identity(const struct hb_cert *cert, enum hb_tls_identity which, char *dst, size_t cap);
/* The public key as an object. */
HB_MUST_USE enum hb_code hb_cert_pubkey(const struct hb_cert *cert, const struct hb_env *env,
                                        struct hb_pubkey **key);
/* The certificate's DNS names one after another: those of the SAN that are not empty, or, only if there is no
 * SAN at all, the subject's last CN. They stand as the certificate has them: hb_dns_name_covers() judges
 * them. */
struct hb_cert_names {
    struct hb_cur san;
    struct hb_span common_name;
};
struct hb_cert_names hb_cert_names(const struct hb_cert *cert);
/* The next name, borrowed from the certificate; empty at the end. */
struct hb_span hb_cert_next_name(struct hb_cert_names *names);

#endif
