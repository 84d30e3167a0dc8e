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

/* Counter mode as in SP 800-38D 6.5, from wherever src lies to wherever dst does. Nettle's own takes a fifth
 * longer when dst is not aligned, and the body of a record, behind 5 bytes of header, hardly ever is: here
 * only the key stream, which is ours, is. Short enough to stay in the cache beside what it is made for. */
#define STREAM_LEN 4096u

static uint32_t big_endian(uint32_t v)
{
    const uint8_t bytes[] = {(uint8_t)(v >> 24), (uint8_t)(v >> 16), (uint8_t)(v >> 8), (uint8_t)v};

    memcpy(&v, bytes, sizeof v);
    return v;
}

static void make_counters(uint8_t *stream, const uint8_t nonce[12], uint32_t counter, size_t blocks)
{
    uint64_t head; /* of every block: in registers, not read again behind each store */
    uint32_t middle;

    memcpy(&head, nonce, sizeof head);
    memcpy(&middle, nonce + sizeof head, sizeof middle);
    for (; blocks > 0; blocks--, counter++, stream += 16) {
        uint32_t tail = big_endian(counter);
        memcpy(stream, &head, sizeof head);
        memcpy(stream + 8, &middle, sizeof middle);
        memcpy(stream + 12, &tail, sizeof tail);
    }
}

static void xor_stream(uint8_t *dst, const uint8_t *src, const uint8_t *stream, size_t len)
{
    for (; len >= 16; len -= 16, dst += 16, src += 16, stream += 16) {
        uint64_t a[2];
        uint64_t b[2];
        memcpy(a, src, sizeof a);
        memcpy(b, stream, sizeof b);
        a[0] ^= b[0];
        a[1] ^= b[1];
        memcpy(dst, a, sizeof a);
    }
    for (size_t i = 0; i < len; i++) {
        dst[i] = src[i] ^ stream[i];
    }
}

/* first: the number of the message's block that src begins with. */
static void gcm_crypt(const void *cipher, nettle_cipher_func *f, const uint8_t nonce[12], size_t first,
                      uint8_t *dst, const uint8_t *src, size_t len)
{
    uint8_t stream[STREAM_LEN] __attribute__((aligned(64)));
    uint32_t counter = 2 + (uint32_t)first; /* 1 is the tag's */
    size_t used = len < STREAM_LEN ? (len + 15) / 16 * 16 : STREAM_LEN;

    while (len > 0) {
        size_t n = len < STREAM_LEN ? len : STREAM_LEN;
        size_t blocks = (n + 15) / 16;
        make_counters(stream, nonce, counter, blocks);
        f(cipher, 16 * blocks, stream, stream);
        xor_stream(dst, src, stream, n);
        counter += (uint32_t)blocks;
        dst += n;
        src += n;
        len -= n;
    }
    hb_wipe(stream, used);
}

/* The tag of ciphertext that was not made by nettle_gcm_encrypt: hashed as Nettle hashes associated data,
 * block by block, and the two lengths put right before they are hashed themselves. */
static void gcm_tag(struct gcm_ctx *m, const struct gcm_key *key, const void *cipher, nettle_cipher_func *f,
                    struct hb_span aad, const uint8_t *sealed, size_t len, uint8_t *tag)
{
    nettle_gcm_update(m, key, aad.len, aad.p);
    m->auth_size = 0;
    nettle_gcm_update(m, key, len, sealed);
    m->auth_size = aad.len;
    m->data_size = len;
    HB_GCM_DIGEST(m, key, cipher, f, HB_TAG_LEN, tag);
}

#define GCM_GLUE(bits, ctx_type)                                                                             \
    static void gcm##bits##_key(union hb_aead_ctx *c, const uint8_t *key)                                    \
    {                                                                                                        \
        nettle_gcm_aes##bits##_set_key((struct ctx_type *)(void *)c, key);                                   \
    }                                                                                                        \
    static void gcm##bits##_seal_from(const union hb_aead_ctx *u, const uint8_t nonce[12],                   \
                                      struct hb_span aad, uint8_t *dst, const uint8_t *src, size_t direct,   \
                                      size_t len)                                                            \
    {                                                                                                        \
        const struct ctx_type *c = (const struct ctx_type *)(const void *)u;                                 \
        nettle_cipher_func *f = (nettle_cipher_func *)nettle_aes##bits##_encrypt;                            \
        struct gcm_ctx m;                                                                                    \
        nettle_gcm_set_iv(&m, &c->key, HB_IV_LEN, nonce);                                                    \
        gcm_crypt(&c->cipher, f, nonce, 0, dst, src, direct);                                                \
        gcm_crypt(&c->cipher, f, nonce, direct / 16, dst + direct, dst + direct, len - direct);              \
        gcm_tag(&m, &c->key, &c->cipher, f, aad, dst, len, dst + len);                                       \
    }                                                                                                        \
    static void gcm##bits##_seal(const union hb_aead_ctx *u, const uint8_t nonce[12], struct hb_span aad,    \
                                 uint8_t *dst, const uint8_t *src, size_t len)                               \
    {                                                                                                        \
        const struct ctx_type *c = (const struct ctx_type *)(const void *)u;                                 \
        nettle_cipher_func *f = (nettle_cipher_func *)nettle_aes##bits##_encrypt;                            \
        struct gcm_ctx m;                                                                                    \
        nettle_gcm_set_iv(&m, &c->key, HB_IV_LEN, nonce);                                                    \
        gcm_crypt(&c->cipher, f, nonce, 0, dst, src, len);                                                   \
        gcm_tag(&m, &c->key, &c->cipher, f, aad, dst, len, dst + len);                                       \
    }                                                                                                        \
    static bool gcm##bits##_open(const union hb_aead_ctx *u, const uint8_t nonce[12], struct hb_span aad,    \
                                 uint8_t *dst, const uint8_t *src, size_t len)                               \
    {                                                                                                        \
        const struct ctx_type *c = (const struct ctx_type *)(const void *)u;                                 \
        nettle_cipher_func *f = (nettle_cipher_func *)nettle_aes##bits##_encrypt;                            \
        struct gcm_ctx m;                                                                                    \
        uint8_t tag[HB_TAG_LEN];                                                                             \
        nettle_gcm_set_iv(&m, &c->key, HB_IV_LEN, nonce);                                                    \
        gcm_tag(&m, &c->key, &c->cipher, f, aad, src, len, tag);                                             \
        if (!hb_ct_eq(tag, src + len, HB_TAG_LEN)) {                                                         \
            hb_wipe(dst, len);                                                                               \
            return false;                                                                                    \
        }                                                                                                    \
        gcm_crypt(&c->cipher, f, nonce, 0, dst, src, len);                                                   \
        return true;                                                                                         \
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

static void chacha_seal_from(const union hb_aead_ctx *u, const uint8_t nonce[12], struct hb_span aad,
                             uint8_t *dst, const uint8_t *src, size_t direct, size_t len)
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
