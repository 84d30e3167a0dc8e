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
static const uint8_t sha256_empty[] = {
    0xe3, 0xb0, 0xc4, 0x42, 0x98, 0xfc, 0x1c, 0x14, 0x9a, 0xfb, 0xf4, 0xc8, 0x99, 0x6f, 0xb9, 0x24,
    0x27, 0xae, 0x41, 0xe4, 0x64, 0x9b, 0x93, 0x4c, 0xa4, 0x95, 0x99, 0x1b, 0x78, 0x52, 0xb8, 0x55,
};
static const uint8_t sha384_empty[] = {
    0x38, 0xb0, 0x60, 0xa7, 0x51, 0xac, 0x96, 0x38, 0x4c, 0xd9, 0x32, 0x7e, 0xb1, 0xb1, 0xe3, 0x6a,
    0x21, 0xfd, 0xb7, 0x11, 0x14, 0xbe, 0x07, 0x43, 0x4c, 0x0c, 0xc7, 0xbf, 0x63, 0xf6, 0xe1, 0xda,
    0x27, 0x4e, 0xde, 0xbf, 0xe7, 0x6f, 0x65, 0xfb, 0xd5, 0x1a, 0xd2, 0xf1, 0x48, 0x98, 0xb9, 0x5b,
};

const struct hb_hash hb_sha1   = {"SHA-1",   20,  64, NULL,         sha1_start,   sha1_add,   sha1_end};
const struct hb_hash hb_sha256 = {"SHA-256", 32,  64, sha256_empty, sha256_start, sha256_add, sha256_end};
const struct hb_hash hb_sha384 = {"SHA-384", 48, 128, sha384_empty, sha384_start, sha384_add, sha384_end};
const struct hb_hash hb_sha512 = {"SHA-512", 64, 128, NULL,         sha512_start, sha512_add, sha512_end};
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

void hb_hmac_begin(struct hb_hmac *m, const struct hb_hash *hash, struct hb_span key)
{
    uint8_t padded[128] = {0};

    m->hash = hash;
    if (key.len > hash->block) {
        hb_hash_once(hash, key, padded);
    } else if (key.len > 0) {
        memcpy(padded, key.p, key.len);
    }
    start_with_pad(hash, &m->inner, padded, 0x36);
    start_with_pad(hash, &m->outer, padded, 0x5c);
    hb_wipe(padded, sizeof padded);
}

void hb_hmac_of(const struct hb_hmac *m, const struct hb_span *data, size_t n, uint8_t *dst)
{
    const struct hb_hash *hash = m->hash;
    union hb_hash_ctx h = m->inner;
    uint8_t inner[HB_HASH_MAX];

    for (size_t i = 0; i < n; i++) {
        hash->update(&h, data[i]);
    }
    hash->final(&h, inner);
    h = m->outer;
    hash->update(&h, hb_span(inner, hash->len));
    hash->final(&h, dst);
    hb_wipe(&h, sizeof h);
    hb_wipe(inner, sizeof inner);
}

void hb_hmac_end(struct hb_hmac *m)
{
    hb_wipe(m, sizeof *m);
}

void hb_hmac(const struct hb_hash *hash, struct hb_span key, const struct hb_span *data, size_t n,
             uint8_t *dst)
{
    struct hb_hmac m;

    hb_hmac_begin(&m, hash, key);
    hb_hmac_of(&m, data, n, dst);
    hb_hmac_end(&m);
}

void hb_hkdf_extract(const struct hb_hash *hash, struct hb_span salt, struct hb_span ikm, uint8_t *prk)
{
    hb_hmac(hash, salt, &ikm, 1, prk);
}

void hb_hkdf_expand_of(const struct hb_hmac *prk, struct hb_span info, uint8_t *okm, size_t okm_len)
{
    const struct hb_hash *hash = prk->hash;
    uint8_t t[HB_HASH_MAX];
    size_t t_len = 0;

    HB_INVARIANT(okm_len <= 255u * (size_t)hash->len);
    for (uint8_t i = 1; okm_len > 0; i++) {
        const struct hb_span parts[] = {hb_span(t, t_len), info, hb_span(&i, 1)};
        hb_hmac_of(prk, parts, 3, t);
        t_len = hash->len;
        size_t n = okm_len < t_len ? okm_len : t_len;
        memcpy(okm, t, n);
        okm += n;
        okm_len -= n;
    }
    hb_wipe(t, sizeof t);
}

void hb_hkdf_expand(const struct hb_hash *hash, struct hb_span prk, struct hb_span info, uint8_t *okm,
                    size_t okm_len)
{
    struct hb_hmac m;

    hb_hmac_begin(&m, hash, prk);
    hb_hkdf_expand_of(&m, info, okm, okm_len);
    hb_hmac_end(&m);
}
