/* nettle_end.c: one message with 5 bytes of associated data, as a record of TLS 1.3 has. */
#include "nettle_end.h"

#include "crypto/nettle_compat.h"
#include <hb/ct.h>
#include <nettle/chacha-poly1305.h>
#include <nettle/gcm.h>

#define MESSAGE(name, ctx, crypt)                                                                            \
    do {                                                                                                     \
        name##_update(ctx, sizeof header, header);                                                           \
        crypt(ctx, len, dst, src);                                                                           \
        HB_DIGEST(name##_digest, ctx, HB_TAG_LEN, tag);                                                      \
    } while (0)

static const uint8_t nonce[HB_IV_LEN];
static const uint8_t header[5];

_Static_assert(sizeof(struct gcm_aes256_ctx) <= sizeof(union nettle_end), "union nettle_end is too small");

void nettle_key(const struct hb_aead *aead, union nettle_end *keyed, const uint8_t *key)
{
    void *c = keyed;

    if (aead == &hb_aes128_gcm) {
        nettle_gcm_aes128_set_key(c, key);
    } else if (aead == &hb_aes256_gcm) {
        nettle_gcm_aes256_set_key(c, key);
    } else {
        nettle_chacha_poly1305_set_key(c, key);
    }
}

void nettle_seal(const struct hb_aead *aead, union nettle_end *keyed, uint8_t *dst, const uint8_t *src,
                 size_t len)
{
    void *c = keyed;
    uint8_t *tag = dst + len;

    if (aead == &hb_aes128_gcm) {
        nettle_gcm_aes128_set_iv(c, sizeof nonce, nonce);
        MESSAGE(nettle_gcm_aes128, c, nettle_gcm_aes128_encrypt);
    } else if (aead == &hb_aes256_gcm) {
        nettle_gcm_aes256_set_iv(c, sizeof nonce, nonce);
        MESSAGE(nettle_gcm_aes256, c, nettle_gcm_aes256_encrypt);
    } else {
        nettle_chacha_poly1305_set_nonce(c, nonce);
        MESSAGE(nettle_chacha_poly1305, c, nettle_chacha_poly1305_encrypt);
    }
}

bool nettle_open(const struct hb_aead *aead, union nettle_end *keyed, uint8_t *p, size_t len)
{
    void *c = keyed;
    uint8_t tag[HB_TAG_LEN];
    uint8_t *dst = p;
    const uint8_t *src = p;

    if (aead == &hb_aes128_gcm) {
        nettle_gcm_aes128_set_iv(c, sizeof nonce, nonce);
        MESSAGE(nettle_gcm_aes128, c, nettle_gcm_aes128_decrypt);
    } else if (aead == &hb_aes256_gcm) {
        nettle_gcm_aes256_set_iv(c, sizeof nonce, nonce);
        MESSAGE(nettle_gcm_aes256, c, nettle_gcm_aes256_decrypt);
    } else {
        nettle_chacha_poly1305_set_nonce(c, nonce);
        MESSAGE(nettle_chacha_poly1305, c, nettle_chacha_poly1305_decrypt);
    }
    return hb_ct_eq(tag, p + len, sizeof tag);
}
