/* nettle_chacha.c: ChaCha20-Poly1305 (RFC 8439).
 * A keyed context is read-only for seal and open. No plaintext leaves open() before the tag matched. */
#include "crypto.h"
#include "nettle_compat.h"

#include <hb/ct.h>
#include <nettle/chacha-poly1305.h>

_Static_assert(sizeof(struct chacha_poly1305_ctx) <= sizeof(union hb_aead_ctx), "hb_aead_ctx is too small");

/* REC-15: there is no such limit as GCM's. */
#define CHACHA_RECORDS (UINT64_C(1) << 60)

static void chacha_key(union hb_aead_ctx *c, const uint8_t *key)
{
    nettle_chacha_poly1305_set_key((struct chacha_poly1305_ctx *)(void *)c, key);
}

static void chacha_drop(union hb_aead_ctx *c)
{
    hb_wipe(c, sizeof(struct chacha_poly1305_ctx));
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
    if (!hb_ct_eq(tag, want, HB_TAG_LEN)) {
        hb_wipe(dst, len);
        return false;
    }
    return true;
}

/* clang-format off */
const struct hb_aead hb_chacha20_poly1305 = {"ChaCha20-Poly1305", 32, CHACHA_RECORDS, chacha_key, chacha_drop, chacha_seal, chacha_seal_from, chacha_open};
/* clang-format on */
