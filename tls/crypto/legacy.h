/* legacy.h: hashes and ciphers of profiles `legacy` and `antique`, apart from everything else so that nothing
 * else can use them by accident. */
#ifndef HB_CRYPTO_LEGACY_H
#define HB_CRYPTO_LEGACY_H

#include "crypto.h"

extern const struct hb_hash hb_md5;
/* MD5 and SHA-1 over the same bytes, 36 bytes behind one another: transcripts and signatures before
 * TLS 1.2. */
extern const struct hb_hash hb_md5sha1;

/* CBC, or a stream cipher (block is 0). The context is keyed for one direction and keeps a stream's state. */
struct hb_block_cipher {
    const char *name;
    uint8_t key_len, block;
    void (*set_key)(union hb_aead_ctx *c, const uint8_t *key, bool encrypt);
    /* In place; iv (block bytes) is moved on; len is a multiple of the block. */
    void (*encrypt)(union hb_aead_ctx *c, uint8_t *iv, uint8_t *p, size_t len);
    void (*decrypt)(union hb_aead_ctx *c, uint8_t *iv, uint8_t *p, size_t len);
};

extern const struct hb_block_cipher hb_aes128_cbc, hb_aes256_cbc;
extern const struct hb_block_cipher hb_3des_cbc, hb_rc4; /* antique */

/* How TLS before 1.2 signs: RSA over MD5 and SHA-1 without a DigestInfo, ECDSA over SHA-1 (T12-06). NULL:
 * other keys. */
const struct hb_sigalg *hb_sigalg_before12(enum hb_key_kind kind);

#endif
