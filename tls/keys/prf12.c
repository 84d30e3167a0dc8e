/* prf12.c: P_hash on HMAC. */
#include "prf12.h"

#include <hb/ct.h>

void hb_prf12(const struct hb_hash *hash, struct hb_span secret, const char *label, struct hb_span seed1,
              struct hb_span seed2, uint8_t *dst, size_t len)
{
    const struct hb_span seed[] = {hb_span_str(label), seed1, seed2};
    uint8_t a[HB_HASH_MAX]; /* A(i) */
    uint8_t block[HB_HASH_MAX];

    hb_hmac(hash, secret, seed, 3, a);
    while (len > 0) {
        const struct hb_span parts[] = {hb_span(a, hash->len), seed[0], seed[1], seed[2]};
        const struct hb_span last = hb_span(a, hash->len);
        size_t n = len < hash->len ? len : hash->len;
        hb_hmac(hash, secret, parts, 4, block);
        memcpy(dst, block, n);
        dst += n;
        len -= n;
        hb_hmac(hash, secret, &last, 1, a);
    }
    hb_wipe(a, sizeof a);
    hb_wipe(block, sizeof block);
}
