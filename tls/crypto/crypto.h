/* crypto.h: the primitives as the engine sees them: const descriptors with sizes beside functions.
 *
 * Only the nettle_*.c files of this folder (and own kernels beside them) know
 * Nettle.  No allocation, no I/O, no global state but what the CPU can do.
 * Contexts live in unions of a known size, so the caller decides where. */
#ifndef HB_CRYPTO_H
#define HB_CRYPTO_H

#include <hb/env.h>
#include <hb/err.h>
#include <hb/span.h>
#include <stdbool.h>

#define HB_HASH_MAX     64u /* longest digest */
#define HB_KEY_MAX      32u /* longest AEAD key */
#define HB_IV_LEN       12u /* every AEAD of TLS 1.3 and 1.2 we speak */
#define HB_TAG_LEN      16u
#define HB_SHARE_MAX    1249u /* longest key share: SecP256r1MLKEM768, client */
#define HB_SHARED_MAX   384u  /* longest shared secret: ffdhe3072 */
#define HB_KEX_PRIV_MAX 2432u /* longest private half: X25519MLKEM768 */
#define HB_SIG_MAX      1024u /* RSA 8192 */

/* ---- hashes ---- */

/* A running hash; plain memory: copying the union clones the hash. 256 bytes, 8-aligned. */
union hb_hash_ctx {
    uint64_t align;
    uint8_t bytes[256];
};

struct hb_hash {
    const char *name;
    uint8_t len, block;
    const uint8_t
        *empty; /* digest of no bytes at all, which TLS 1.3 needs often; NULL: not one of its hashes */
    void (*init)(union hb_hash_ctx *h);
    void (*update)(union hb_hash_ctx *h, struct hb_span data);
    /* Writes len bytes and starts anew. */
    void (*final)(union hb_hash_ctx *h, uint8_t *dst);
};

extern const struct hb_hash hb_sha256, hb_sha384, hb_sha512;
extern const struct hb_hash hb_sha1; /* identifiers of OCSP; never for signatures outside `legacy` */

/* One-shot digest of one span. */
void hb_hash_once(const struct hb_hash *hash, struct hb_span data, uint8_t *dst);

/* A key hashed into both of HMAC's pads, for many messages under it: half of what a short one costs. A
 * secret: what was begun is ended, which wipes it. */
struct hb_hmac {
    const struct hb_hash *hash;
    union hb_hash_ctx inner, outer;
};
void hb_hmac_begin(struct hb_hmac *m, const struct hb_hash *hash, struct hb_span key);
/* The MAC of n spans behind one another; dst gets hash->len bytes. */
void hb_hmac_of(const struct hb_hmac *m, const struct hb_span *data, size_t n, uint8_t *dst);
void hb_hmac_end(struct hb_hmac *m);
/* HMAC over n spans; key of any length; dst gets hash->len bytes. */
void hb_hmac(const struct hb_hash *hash, struct hb_span key, const struct hb_span *data, size_t n,
             uint8_t *dst);
/* RFC 5869. okm_len <= 255 * hash->len (checked by invariant: ours to keep). */
void hb_hkdf_extract(const struct hb_hash *hash, struct hb_span salt, struct hb_span ikm, uint8_t *prk);
void hb_hkdf_expand(const struct hb_hash *hash, struct hb_span prk, struct hb_span info, uint8_t *okm,
                    size_t okm_len);
void hb_hkdf_expand_of(const struct hb_hmac *prk, struct hb_span info, uint8_t *okm, size_t okm_len);

/* ---- AEAD ---- */

/* A keyed cipher, large enough for every AEAD here (GHASH's table is most of it). */
union hb_aead_ctx {
    uint64_t align;
    uint8_t bytes[4608] __attribute__((aligned(16)));
};

struct hb_aead {
    const char *name;
    uint8_t key_len;
    uint64_t record_limit; /* records under one key before rekeying or closing (REC-15) */
    void (*set_key)(union hb_aead_ctx *c, const uint8_t *key);
    /* Wipes what set_key wrote, which may be much less than the union. */
    void (*drop_key)(union hb_aead_ctx *c);
    /* Writes len + 16 bytes to dst (dst == src is fine, other overlap is not). */
    void (*seal)(const union hb_aead_ctx *c, const uint8_t nonce[12], struct hb_span aad, uint8_t *dst,
                 const uint8_t *src, size_t len);
    /* The same, with the first `direct` bytes (a multiple of 64) taken from src; those behind them stand in
     * dst already. */
    void (*seal_from)(const union hb_aead_ctx *c, const uint8_t nonce[12], struct hb_span aad, uint8_t *dst,
                      const uint8_t *src, size_t direct, size_t len);
    /* src holds len bytes of ciphertext and 16 of tag; dst == src is fine. false: nothing of it may be used,
     * and dst is zeroed (CT-02). */
    bool (*open)(const union hb_aead_ctx *c, const uint8_t nonce[12], struct hb_span aad, uint8_t *dst,
                 const uint8_t *src, size_t len);
};

extern const struct hb_aead hb_aes128_gcm, hb_aes256_gcm, hb_chacha20_poly1305;

/* True if the CPU has instructions for AES and carry-less multiplication (NET-02). */
bool hb_cpu_has_aes(void);
/* True if ghash.c has a kernel that runs here. */
bool hb_cpu_has_clmul(void);

/* ---- key exchange ---- */

enum hb_group_class {
    HB_GROUP_HYBRID, /* post-quantum and classical side by side; TLS 1.3 only */
    HB_GROUP_EC,
    HB_GROUP_FFDHE /* finite field, legacy */
};

struct hb_kex {
    const char *name;
    uint16_t id; /* NamedGroup */
    enum hb_group_class class;
    uint16_t client_share_len, server_share_len, priv_len, shared_len;
    /* Makes a key pair: client_share_len bytes of share, priv_len of private half. */
    void (*generate)(const struct hb_env *env, uint8_t *priv, uint8_t *share);
    /* Our private half with the peer's share (any length: checked here). Writes shared_len bytes.
     * HB_E_TLS_KEY_SHARE: wrong length, not on the curve, all-zero result. */
    enum hb_code (*derive)(const uint8_t *priv, struct hb_span peer_share, uint8_t *shared);
    /* Server side at once: answers the client's share with our own and the secret (for KEMs the only way; for
     * Diffie-Hellman groups generate + derive). */
    enum hb_code (*answer)(const struct hb_env *env, struct hb_span peer_share, uint8_t *share,
                           uint8_t *shared);
};

extern const struct hb_kex hb_x25519mlkem768, hb_secp256r1mlkem768;
extern const struct hb_kex hb_x25519, hb_secp256r1, hb_secp384r1, hb_x448, hb_secp521r1;
extern const struct hb_kex hb_ffdhe2048, hb_ffdhe3072;
/* The prime of a finite field group, big-endian: TLS 1.2 sends it (g is 2). */
struct hb_span hb_ffdhe_prime(const struct hb_kex *group);

/* ---- signatures ---- */

enum hb_key_kind {
    HB_KEY_RSA,
    HB_KEY_RSA_PSS,
    HB_KEY_P256,
    HB_KEY_P384,
    HB_KEY_P521,
    HB_KEY_ED25519,
    HB_KEY_ED448
};

struct hb_privkey; /* opaque; wiped when freed */
struct hb_pubkey;

/* Big-endian unsigned integers as in PKCS#1; all eight must be there. HB_E_KEY_INVALID if they do not fit
 * together. Sizes are not judged here (RFC 8448 uses 1024 bits), loading a credential judges them. */
struct hb_rsa_parts {
    struct hb_span n, e, d, p, q, dp, dq, qinv;
};
HB_MUST_USE enum hb_code hb_privkey_rsa(const struct hb_env *env, const struct hb_rsa_parts *parts,
                                        enum hb_key_kind kind, struct hb_privkey **key);
/* Scalar, big-endian, at most the curve's length. HB_E_KEY_INVALID if zero or not below the order. */
HB_MUST_USE enum hb_code hb_privkey_ec(const struct hb_env *env, enum hb_key_kind curve,
                                       struct hb_span scalar, struct hb_privkey **key);
HB_MUST_USE enum hb_code hb_privkey_ed25519(const struct hb_env *env, struct hb_span seed,
                                            struct hb_privkey **key);
HB_MUST_USE enum hb_code hb_privkey_ed448(const struct hb_env *env, struct hb_span seed,
                                          struct hb_privkey **key);
void hb_privkey_free(const struct hb_env *env, struct hb_privkey **key);
enum hb_key_kind hb_privkey_kind(const struct hb_privkey *key);
/* Signature size limit: bytes of modulus for RSA. */
unsigned hb_privkey_bits(const struct hb_privkey *key);

/* point: SEC1 uncompressed 04||X||Y. */
HB_MUST_USE enum hb_code hb_pubkey_rsa(const struct hb_env *env, struct hb_span n, struct hb_span e,
                                       enum hb_key_kind kind, struct hb_pubkey **key);
HB_MUST_USE enum hb_code hb_pubkey_ec(const struct hb_env *env, enum hb_key_kind curve, struct hb_span point,
                                      struct hb_pubkey **key);
HB_MUST_USE enum hb_code hb_pubkey_ed25519(const struct hb_env *env, struct hb_span raw,
                                           struct hb_pubkey **key);
HB_MUST_USE enum hb_code hb_pubkey_ed448(const struct hb_env *env, struct hb_span raw,
                                         struct hb_pubkey **key);
void hb_pubkey_free(const struct hb_env *env, struct hb_pubkey **key);
enum hb_key_kind hb_pubkey_kind(const struct hb_pubkey *key);
unsigned hb_pubkey_bits(const struct hb_pubkey *key);

enum hb_sig_pad { HB_PAD_NONE, HB_PAD_PKCS1, HB_PAD_PSS };

struct hb_sigalg {
    const char *name;
    uint16_t id;           /* SignatureScheme */
    enum hb_key_kind kind; /* the key it needs; in TLS 1.2 ECDSA goes with any curve */
    enum hb_sig_pad pad;
    const struct hb_hash *hash; /* NULL: EdDSA hashes inside */
    bool tls13;                 /* may sign a TLS 1.3 handshake (PKCS#1 may not) */
};

/* All schemes we know, in the server's order of preference; NULL if the id is unknown. */
extern const struct hb_sigalg hb_sigalgs[];
extern const size_t hb_num_sigalgs;
const struct hb_sigalg *hb_sigalg_find(uint16_t id);

/* True if a key of this kind can make the scheme's signatures; in TLS 1.2 ECDSA's curve is free. */
bool hb_sigalg_fits(const struct hb_sigalg *alg, enum hb_key_kind kind, bool tls13);

/* RSA key transport (RFC 5246 7.4.7.1). Decryption gives 48 bytes whatever comes: random ones if the
 * ciphertext is bad, in the same time (CT-03). */
HB_MUST_USE enum hb_code hb_rsa_decrypt_premaster(const struct hb_privkey *key, const struct hb_env *env,
                                                  uint16_t client_version, struct hb_span ciphertext,
                                                  uint8_t premaster[48]);
/* Makes a premaster secret and encrypts it; at most HB_SIG_MAX bytes. */
HB_MUST_USE enum hb_code hb_rsa_encrypt_premaster(const struct hb_pubkey *key, const struct hb_env *env,
                                                  uint16_t version, uint8_t premaster[48], uint8_t *dst,
                                                  size_t cap, size_t *len);

/* Signs input (unhashed). ECDSA gives DER. RSA only through blinded, fault-checked functions (CT-05). */
HB_MUST_USE enum hb_code hb_sign(const struct hb_privkey *key, const struct hb_env *env,
                                 const struct hb_sigalg *alg, struct hb_span input, uint8_t *sig, size_t cap,
                                 size_t *len);
/* HB_E_TLS_BAD_SIGNATURE if it does not verify (also: wrong kind of key, bad DER). */
HB_MUST_USE enum hb_code hb_verify(const struct hb_pubkey *key, const struct hb_sigalg *alg,
                                   struct hb_span input, struct hb_span sig);

#endif
