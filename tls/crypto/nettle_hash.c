/* nettle_hash.c: SHA-2, HMAC and HKDF.
 * HMAC and HKDF are built on struct hb_hash, so that one code serves every hash; contexts live on the stack
 * and are wiped, since they have seen keys. */
#include "crypto.h"
#include "nettle_compat.h"

#include <hb/ct.h>
#include <nettle/sha1.h>
#include <nettle/sha2.h>

#define HASH_GLUE(bits, ctx_type)                                                                            \
    _Static_assert(sizeof(struct ctx_type) <= sizeof(union hb_hash_ctx), "hb_hash_ctx is too small");        \
    static void sha##bits##_start(union hb_hash_ctx *h)                                                      \
    {                                                                                                        \
        nettle_sha##bits##_init((struct ctx_type *)(void *)h);                                               \
    }                                                                                                        \
    static void sha##bits##_add(union hb_hash_ctx *h, struct hb_span data)                                   \
    {                                                                                                        \
        if (data.len > 0) {                                                                                  \
            nettle_sha##bits##_update((struct ctx_type *)(void *)h, data.len, data.p);                       \
        }                                                                                                    \
    }                                                                                                        \
    static void sha##bits##_end(union hb_hash_ctx *h, uint8_t *dst)                                          \
    {                                                                                                        \
        HB_DIGEST(nettle_sha##bits##_digest, (struct ctx_type *)(void *)h, bits / 8, dst);                   \
    }

#define nettle_sha384_update nettle_sha512_update /* the same function in Nettle */
HASH_GLUE(256, sha256_ctx)
HASH_GLUE(384, sha512_ctx)
HASH_GLUE(512, sha512_ctx)

static void sha1_start(union hb_hash_ctx *h)
{
    nettle_sha1_init((struct sha1_ctx *)(void *)h);
}

static void sha1_add(union hb_hash_ctx *h, struct hb_span data)
{
    if (data.len > 0) {
        nettle_sha1_update((struct sha1_ctx *)(void *)h, data.len, data.p);
    }
}

static void sha1_end(union hb_hash_ctx *h, uint8_t *dst)
{
    HB_DIGEST(nettle_sha1_digest, (struct sha1_ctx *)(void *)h, 20, dst);
}

/* clang-format off */
const struct hb_hash hb_sha1   = {"SHA-1",   20,  64, sha1_start,   sha1_add,   sha1_end};
const struct hb_hash hb_sha256 = {"SHA-256", 32,  64, sha256_start, sha256_add, sha256_end};
const struct hb_hash hb_sha384 = {"SHA-384", 48, 128, sha384_start, sha384_add, sha384_end};
const struct hb_hash hb_sha512 = {"SHA-512", 64, 128, sha512_start, sha512_add, sha512_end};
/* clang-format on */

void hb_hash_once(const struct hb_hash *hash, struct hb_span data, uint8_t *dst)
{
    union hb_hash_ctx h;

    hash->init(&h);
    hash->update(&h, data);
    hash->final(&h, dst);
}

/* RFC 2104: the padded key XOR a byte, hashed. */
static void start_with_pad(const struct hb_hash *hash, union hb_hash_ctx *h, const uint8_t *key, uint8_t pad)
{
    uint8_t block[128];

    for (size_t i = 0; i < hash->block; i++) {
        block[i] = key[i] ^ pad;
    }
    hash->init(h);
    hash->update(h, hb_span(block, hash->block));
    hb_wipe(block, sizeof block);
}

void hb_hmac(const struct hb_hash *hash, struct hb_span key, const struct hb_span *data, size_t n,
             uint8_t *dst)
{
    union hb_hash_ctx h;
    uint8_t padded[128] = {0};
    uint8_t inner[HB_HASH_MAX];

    if (key.len > hash->block) {
        hb_hash_once(hash, key, padded);
    } else if (key.len > 0) {
        memcpy(padded, key.p, key.len);
    }
    start_with_pad(hash, &h, padded, 0x36);
    for (size_t i = 0; i < n; i++) {
        hash->update(&h, data[i]);
    }
    hash->final(&h, inner);
    start_with_pad(hash, &h, padded, 0x5c);
    hash->update(&h, hb_span(inner, hash->len));
    hash->final(&h, dst);
    hb_wipe(&h, sizeof h);
    hb_wipe(padded, sizeof padded);
    hb_wipe(inner, sizeof inner);
}

void hb_hkdf_extract(const struct hb_hash *hash, struct hb_span salt, struct hb_span ikm, uint8_t *prk)
{
    hb_hmac(hash, salt, &ikm, 1, prk);
}

void hb_hkdf_expand(const struct hb_hash *hash, struct hb_span prk, struct hb_span info, uint8_t *okm,
                    size_t okm_len)
{
    uint8_t t[HB_HASH_MAX];
    size_t t_len = 0;

    HB_INVARIANT(okm_len <= 255u * (size_t)hash->len);
    for (uint8_t i = 1; okm_len > 0; i++) {
        const struct hb_span parts[] = {hb_span(t, t_len), info, hb_span(&i, 1)};
        hb_hmac(hash, prk, parts, 3, t);
        t_len = hash->len;
        size_t n = okm_len < t_len ? okm_len : t_len;
        memcpy(okm, t, n);
        okm += n;
        okm_len -= n;
    }
    hb_wipe(t, sizeof t);
}
