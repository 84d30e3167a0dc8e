/* cred.h: certificates with their private keys, and which of them a client gets to see.
 *
 * A store is filled from PEM text (never from files: the caller reads those),
 * checked while it is filled, and immutable afterwards; shared by reference
 * count.  Every certificate message is encoded once, here, and not for each
 * connection. */
#ifndef HB_CRED_H
#define HB_CRED_H

#include <hb/env.h>
#include <hb/err.h>
#include <hb/span.h>
#include <stdbool.h>

struct hb_cred;       /* one chain and its key */
struct hb_privkey;    /* a key by itself; wiped when freed */
struct hb_cred_store; /* all of a listener's */

struct hb_cred_store *hb_cred_store_new(const struct hb_env *env);
struct hb_cred_store *hb_cred_store_ref(struct hb_cred_store *store);
void hb_cred_store_free(struct hb_cred_store **store);

/* Facts about a certificate that was just added, for the operator. */
struct hb_cred_facts {
    uint64_t not_before, not_after; /* seconds since 1970 */
    char key[24];                   /* "ECDSA P-256", "RSA 2048", "Ed25519" */
    char names[256];                /* DNS names, comma separated, cut with "..." */
    unsigned num_names;
    bool must_staple; /* it says that it is good only with an OCSP response (RFC 7633) */
};

/* Adds one pair: chain_pem holds one or more CERTIFICATE blocks, leaf first (other text between them is
 * skipped); key_pem one PRIVATE KEY, EC PRIVATE KEY or RSA PRIVATE KEY block (chain and key may be the same
 * text). Either may be in DER instead, the whole of it: one certificate; a key in PKCS#8, SEC1 or PKCS#1.
 * Checks that the key belongs to the leaf by signing and verifying, RSA 2048..8192 bits, P-256/384/521,
 * Ed25519, Ed448. An expired leaf is HB_E_CERT_EXPIRED, one that is not valid yet HB_E_CERT_NOT_YET. facts
 * may be NULL; it is filled as far as the certificate could be read. */
HB_MUST_USE enum hb_code hb_cred_store_add(struct hb_cred_store *store, struct hb_span chain_pem,
                                           struct hb_span key_pem, struct hb_cred_facts *facts);
/* Adds a chain whose key is held elsewhere, in a process of its own: signatures and decryptions are asked for
 * with HB_TLS_SIGN and HB_TLS_DECRYPT, and handle (any number but 0) says with which key. That they belong
 * together is for the key's holder to have checked (hb_cred_store_add()). */
HB_MUST_USE enum hb_code hb_cred_store_add_remote(struct hb_cred_store *store, struct hb_span chain_pem,
                                                  uint64_t handle, struct hb_cred_facts *facts);
/* That number; 0 if the key is here. */
uint64_t hb_cred_handle(const struct hb_cred *cred);
/* Gives the pair added last an OCSP response (DER, copied) to be stapled, if it says "good" of that very
 * leaf, is of now, and is signed by the issuer or whom that appointed (as far as the chain has the issuer's
 * certificate). *until: when it stops to be shown, seconds since 1970; until may be NULL. HB_E_X509_REVOKED,
 * HB_E_X509_STAPLE, _OTHER, _SIGNATURE, _STALE, _UNKNOWN: it is not taken. */
HB_MUST_USE enum hb_code hb_cred_store_staple(struct hb_cred_store *store, struct hb_span response,
                                              uint64_t *until);
/* Staples are taken unseen and shown for ever: for tests of what peers make of bad ones. */
void hb_cred_store_any_staple(struct hb_cred_store *store);
size_t hb_cred_store_count(const struct hb_cred_store *store);
/* Whether one of them has a DNS name that covers host, in any case of letters, wildcards counted. */
bool hb_cred_store_covers(const struct hb_cred_store *store, struct hb_span host);

/* Signs input (not hashed) for TLS scheme `scheme`; the signature (DER for ECDSA) goes to sig, at most cap
 * bytes (1024 is always enough). For key holders and for the inline signer. */
HB_MUST_USE enum hb_code hb_cred_sign(const struct hb_cred *cred, const struct hb_env *env, uint16_t scheme,
                                      struct hb_span input, uint8_t *sig, size_t cap, size_t *len);
/* Decrypts the premaster secret of RSA key transport; see hb_key_decrypt(). */
HB_MUST_USE enum hb_code hb_cred_decrypt(const struct hb_cred *cred, const struct hb_env *env,
                                         uint16_t client_version, struct hb_span ciphertext,
                                         uint8_t premaster[48]);
/* Certificates and staples are taken whatever the time (a stale one is not shown): for a process that takes
 * over from one that has judged them. */
void hb_cred_store_any_time(struct hb_cred_store *store);
/* true: signatures with this store's keys come from outside, through HB_TLS_SIGN. Default false: inline. */
void hb_cred_store_sign_later(struct hb_cred_store *store, bool later);

/* ---- for whoever holds keys for others ---- */

/* The first private key of a PEM text; *key is the caller's. */
HB_MUST_USE enum hb_code hb_key_load(const struct hb_env *env, struct hb_span pem, struct hb_privkey **key);
/* Wipes and frees; *key becomes NULL. */
void hb_key_free(const struct hb_env *env, struct hb_privkey **key);
/* As hb_cred_sign(). */
HB_MUST_USE enum hb_code hb_key_sign(const struct hb_privkey *key, const struct hb_env *env, uint16_t scheme,
                                     struct hb_span input, uint8_t *sig, size_t cap, size_t *len);
/* RSA key transport: 48 bytes whatever comes, in the same time: random ones if the ciphertext is bad (CT-03).
 * client_version: what the ClientHello said. HB_E_TLS_SIGN_FAILED: not an RSA key. */
HB_MUST_USE enum hb_code hb_key_decrypt(const struct hb_privkey *key, const struct hb_env *env,
                                        uint16_t client_version, struct hb_span ciphertext,
                                        uint8_t premaster[48]);

#endif
