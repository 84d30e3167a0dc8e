/* nettle_end.h: sealing and opening as Nettle does them by itself: what records are measured against. */
#ifndef NETTLE_END_H
#define NETTLE_END_H

#include "crypto/crypto.h"

/* keyed: by aead->set_key, which is Nettle's own; it carries the message's state, too. src (len bytes) to dst
 * (16 more). */
void nettle_seal(const struct hb_aead *aead, union hb_aead_ctx *keyed, uint8_t *dst, const uint8_t *src,
                 size_t len);
/* In place: len bytes and the tag behind them. */
bool nettle_open(const struct hb_aead *aead, union hb_aead_ctx *keyed, uint8_t *p, size_t len);

#endif
