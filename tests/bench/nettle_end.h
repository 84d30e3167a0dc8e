/* nettle_end.h: sealing and opening as Nettle does them by itself: what records are measured against. */
#ifndef NETTLE_END_H
#define NETTLE_END_H

#include "crypto/crypto.h"

/* Room for any of Nettle's contexts, which hold the key and the message's state. */
union nettle_end {
    uint64_t align;
    uint8_t bytes[4608];
};

void nettle_key(const struct hb_aead *aead, union nettle_end *keyed, const uint8_t *key);
/* src (len bytes) to dst (16 more), under a nonce of zeros. */
void nettle_seal(const struct hb_aead *aead, union nettle_end *keyed, uint8_t *dst, const uint8_t *src,
                 size_t len);
/* In place: len bytes and the tag behind them. */
bool nettle_open(const struct hb_aead *aead, union nettle_end *keyed, uint8_t *p, size_t len);

#endif
