/* mini_pki.h: a CA, keys and certificates out of a seed, made in memory: the same bytes in every process, so
 * that a fuzzer's input means the same tomorrow. Tests only; ends the process if something does not work. */
#ifndef MINI_PKI_H
#define MINI_PKI_H

#include "crypto/crypto.h"
#include <hb/builder.h>

#define PKI_START UINT64_C(1767225600) /* 2026-01-01, the certificates' first second */
#define PKI_END   UINT64_C(1798761599) /* 2026-12-31 23:59:59 */

struct pki_key {
    struct hb_privkey *key; /* owned */
    uint8_t spki[400];
    size_t spki_len;
    char pem[4096];       /* PRIVATE KEY text */
    uint8_t modulus[256]; /* RSA */
};

/* A certificate still to be signed: everything is DER. */
struct pki_tbs {
    uint8_t p[4096];
    size_t len;
};

enum pki_kind { PKI_CA, PKI_MIDDLE, PKI_SERVER, PKI_CLIENT, PKI_RESPONDER };

/* P-256, or RSA of 2048 bits from two primes behind a number. */
void pki_key_ec(const struct hb_env *env, struct pki_key *k);
void pki_key_rsa(const struct hb_env *env, uint8_t number, struct pki_key *k);
/* RSA's public operation without any padding: out = in^e mod n. */
void pki_rsa_raw(const struct pki_key *k, const uint8_t in[256], uint8_t out[256]);
void pki_key_free(const struct hb_env *env, struct pki_key *k);

/* subject and issuer: CN. */
void pki_tbs(enum pki_kind kind, const char *subject, const char *issuer, const struct pki_key *key,
             uint8_t serial, struct pki_tbs *tbs);
/* SEQUENCE { tbs, ecdsa-with-SHA256, signature }; issuer is a P-256 key. */
void pki_sign(const struct hb_env *env, struct hb_span tbs, const struct pki_key *issuer, struct hb_bld *out);
/* What an OCSP response has signed: good, for the certificate of this serial by this issuer. */
void pki_ocsp_tbs(const char *issuer, const struct pki_key *key, uint8_t serial, struct pki_tbs *tbs);
/* An OCSPResponse around it. */
void pki_ocsp_sign(const struct hb_env *env, struct hb_span tbs, const struct pki_key *key,
                   struct hb_bld *out);
/* PEM behind what is there, and a NUL that does not count. */
void pki_armour(const char *label, struct hb_span der, struct hb_bld *out);
/* Tag, length in its shortest form, contents. */
void pki_tlv(struct hb_bld *out, uint8_t tag, struct hb_span contents);

#endif
