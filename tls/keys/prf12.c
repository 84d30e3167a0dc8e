/* prf12.c: P_hash on HMAC. */
#include "prf12.h"

#include "../crypto/legacy.h"
#include <hb/ct.h>

static void p_hash(const struct hb_hmac *m, const char *label, struct hb_span seed1, struct hb_span seed2,
                   uint8_t *dst, size_t len)
{
    const struct hb_span seed[] = {hb_span_str(label), seed1, seed2};
    size_t hash_len = m->hash->len;
    uint8_t a[HB_HASH_MAX]; /* A(i) */
    uint8_t block[HB_HASH_MAX];

    hb_hmac_of(m, seed, 3, a);
    for (;;) {
        const struct hb_span parts[] = {hb_span(a, hash_len), seed[0], seed[1], seed[2]};
        size_t n = len < hash_len ? len : hash_len;
        hb_hmac_of(m, parts, 4, block);
        memcpy(dst, block, n);
        dst += n;
        len -= n;
        if (len == 0) {
            break;
        }
        hb_hmac_of(m, parts, 1, a);
    }
    hb_wipe(a, sizeof a);
    hb_wipe(block, sizeof block);
}

void hb_prf12_begin(struct hb_prf12 *prf, const struct hb_hash *hash, struct hb_span secret)
{
    prf->second.hash = NULL;
    if (hash != &hb_md5sha1) {
        hb_hmac_begin(&prf->first, hash, secret);
        return;
    }
    /* before TLS 1.2: two halves, overlapping by a byte if the secret's length is odd (RFC 4346 5) */
    size_t half = (secret.len + 1) / 2;
    hb_hmac_begin(&prf->first, &hb_md5, hb_span_head(secret, half));
    hb_hmac_begin(&prf->second, &hb_sha1, hb_span_skip(secret, secret.len - half));
}

void hb_prf12_of(const struct hb_prf12 *prf, const char *label, struct hb_span seed1, struct hb_span seed2,
                 uint8_t *dst, size_t len)
{
    uint8_t other[256];

    p_hash(&prf->first, label, seed1, seed2, dst, len);
    if (prf->second.hash == NULL) {
        return;
    }
    HB_INVARIANT(len <= sizeof other);
    p_hash(&prf->second, label, seed1, seed2, other, len);
    for (size_t i = 0; i < len; i++) {
        dst[i] ^= other[i];
    }
    hb_wipe(other, sizeof other);
}

void hb_prf12_end(struct hb_prf12 *prf)
{
    hb_hmac_end(&prf->first);
    if (prf->second.hash != NULL) {
        hb_hmac_end(&prf->second);
    }
}

void hb_prf12(const struct hb_hash *hash, struct hb_span secret, const char *label, struct hb_span seed1,
              struct hb_span seed2, uint8_t *dst, size_t len)
{
    struct hb_prf12 prf;

    hb_prf12_begin(&prf, hash, secret);
    hb_prf12_of(&prf, label, seed1, seed2, dst, len);
    hb_prf12_end(&prf);
}
