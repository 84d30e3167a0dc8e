/* nettle_aead.c: AES-GCM and ChaCha20-Poly1305.
 * A keyed context is read-only for seal and open: what a message changes (counter, hash) is a small struct on
 * the stack, the 4 KiB table of GHASH is shared. No plaintext leaves open() before the tag matched. */
#include "crypto.h"
#include "nettle_compat.h"

#include <hb/ct.h>
#include <nettle/aes.h>
#include <nettle/chacha-poly1305.h>
#include <nettle/gcm.h>

_Static_assert(sizeof(struct gcm_aes256_ctx) <= sizeof(union hb_aead_ctx), "hb_aead_ctx is too small");

/* REC-15: 2^23 records is well below the 2^24.5 of RFC 8446 5.5. ChaCha20 has no such limit. */
#define GCM_RECORDS    (1u << 23)
#define CHACHA_RECORDS (UINT64_C(1) << 60)

static bool finish_open(const uint8_t *tag, const uint8_t *want, uint8_t *dst, size_t len)
{
    if (hb_ct_eq(tag, want, HB_TAG_LEN)) {
        return true;
    }
    hb_wipe(dst, len);
    return false;
}

#define GCM_GLUE(bits, ctx_type)                                                                             \
    static void gcm##bits##_key(union hb_aead_ctx *c, const uint8_t *key)                                    \
    {                                                                                                        \
        nettle_gcm_aes##bits##_set_key((struct ctx_type *)(void *)c, key);                                   \
    }                                                                                                        \
    static void gcm##bits##_start(const struct ctx_type *c, struct gcm_ctx *m, const uint8_t *nonce,         \
                                  struct hb_span aad)                                                        \
    {                                                                                                        \
        nettle_gcm_set_iv(m, &c->key, HB_IV_LEN, nonce);                                                     \
        nettle_gcm_update(m, &c->key, aad.len, aad.p);                                                       \
    }                                                                                                        \
    static void gcm##bits##_seal_from(const union hb_aead_ctx *u, const uint8_t nonce[12], struct hb_span aad,\
                                      uint8_t *dst, const uint8_t *src, size_t direct, size_t len)           \
    {                                                                                                        \
        const struct ctx_type *c = (const struct ctx_type *)(const void *)u;                                 \
        nettle_cipher_func *f = (nettle_cipher_func *)nettle_aes##bits##_encrypt;                            \
        struct gcm_ctx m;                                                                                    \
        gcm##bits##_start(c, &m, nonce, aad);                                                                \
        nettle_gcm_encrypt(&m, &c->key, &c->cipher, f, direct, dst, src);                                    \
        nettle_gcm_encrypt(&m, &c->key, &c->cipher, f, len - direct, dst + direct, dst + direct);            \
        HB_GCM_DIGEST(&m, &c->key, &c->cipher, f, HB_TAG_LEN, dst + len);                                    \
    }                                                                                                        \
    static void gcm##bits##_seal(const union hb_aead_ctx *u, const uint8_t nonce[12], struct hb_span aad,    \
                                 uint8_t *dst, const uint8_t *src, size_t len)                               \
    {                                                                                                        \
        size_t direct = len & ~(size_t)63;                                                                   \
        if (dst != src && len > direct) {                                                                    \
            memcpy(dst + direct, src + direct, len - direct);                                                \
        }                                                                                                    \
        gcm##bits##_seal_from(u, nonce, aad, dst, src, direct, len);                                         \
    }                                                                                                        \
    static bool gcm##bits##_open(const union hb_aead_ctx *u, const uint8_t nonce[12], struct hb_span aad,    \
                                 uint8_t *dst, const uint8_t *src, size_t len)                               \
    {                                                                                                        \
        const struct ctx_type *c = (const struct ctx_type *)(const void *)u;                                 \
        nettle_cipher_func *f = (nettle_cipher_func *)nettle_aes##bits##_encrypt;                            \
        struct gcm_ctx m;                                                                                    \
        uint8_t tag[HB_TAG_LEN];                                                                             \
        uint8_t want[HB_TAG_LEN];                                                                            \
        memcpy(want, src + len, sizeof want);                                                                \
        gcm##bits##_start(c, &m, nonce, aad);                                                                \
        nettle_gcm_decrypt(&m, &c->key, &c->cipher, f, len, dst, src);                                       \
        HB_GCM_DIGEST(&m, &c->key, &c->cipher, f, HB_TAG_LEN, tag);                                          \
        return finish_open(tag, want, dst, len);                                                             \
    }

GCM_GLUE(128, gcm_aes128_ctx)
GCM_GLUE(256, gcm_aes256_ctx)

static void chacha_key(union hb_aead_ctx *c, const uint8_t *key)
{
    nettle_chacha_poly1305_set_key((struct chacha_poly1305_ctx *)(void *)c, key);
}

static void chacha_start(const union hb_aead_ctx *u, struct chacha_poly1305_ctx *m, const uint8_t *nonce,
                         struct hb_span aad)
{
    memcpy(m, u, sizeof *m); /* 176 bytes: everything of it changes with a message */
    nettle_chacha_poly1305_set_nonce(m, nonce);
    nettle_chacha_poly1305_update(m, aad.len, aad.p);
}

static void chacha_seal_from(const union hb_aead_ctx *u, const uint8_t nonce[12], struct hb_span aad, uint8_t *dst,
                             const uint8_t *src, size_t direct, size_t len)
{
    struct chacha_poly1305_ctx m;

    chacha_start(u, &m, nonce, aad);
    nettle_chacha_poly1305_encrypt(&m, direct, dst, src);
    nettle_chacha_poly1305_encrypt(&m, len - direct, dst + direct, dst + direct);
    HB_DIGEST(nettle_chacha_poly1305_digest, &m, HB_TAG_LEN, dst + len);
    hb_wipe(&m, sizeof m);
}

static void chacha_seal(const union hb_aead_ctx *u, const uint8_t nonce[12], struct hb_span aad, uint8_t *dst,
                        const uint8_t *src, size_t len)
{
    size_t direct = len & ~(size_t)63;

    if (dst != src && len > direct) {
        memcpy(dst + direct, src + direct, len - direct);
    }
    chacha_seal_from(u, nonce, aad, dst, src, direct, len);
}

static bool chacha_open(const union hb_aead_ctx *u, const uint8_t nonce[12], struct hb_span aad, uint8_t *dst,
                        const uint8_t *src, size_t len)
{
    struct chacha_poly1305_ctx m;
    uint8_t tag[HB_TAG_LEN];
    uint8_t want[HB_TAG_LEN];

    memcpy(want, src + len, sizeof want);
    chacha_start(u, &m, nonce, aad);
    nettle_chacha_poly1305_decrypt(&m, len, dst, src);
    HB_DIGEST(nettle_chacha_poly1305_digest, &m, HB_TAG_LEN, tag);
    hb_wipe(&m, sizeof m);
    return finish_open(tag, want, dst, len);
}

/* clang-format off */
const struct hb_aead hb_aes128_gcm = {"AES-128-GCM", 16, GCM_RECORDS, gcm128_key, gcm128_seal, gcm128_seal_from, gcm128_open};
const struct hb_aead hb_aes256_gcm = {"AES-256-GCM", 32, GCM_RECORDS, gcm256_key, gcm256_seal, gcm256_seal_from, gcm256_open};
const struct hb_aead hb_chacha20_poly1305 = {"ChaCha20-Poly1305", 32, CHACHA_RECORDS, chacha_key, chacha_seal, chacha_seal_from, chacha_open};
/* clang-format on */
