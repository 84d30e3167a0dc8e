/* prf12.h: the key derivation of TLS 1.2 (RFC 5246 5, RFC 7627 4). */
#ifndef HB_PRF12_H
#define HB_PRF12_H

#include "../crypto/crypto.h"

#define HB_MASTER_LEN   48u
#define HB_VERIFY12_LEN 12u

/* PRF(secret, label, seed1 || seed2) with P_hash of the suite's hash. */
void hb_prf12(const struct hb_hash *hash, struct hb_span secret, const char *label, struct hb_span seed1,
              struct hb_span seed2, uint8_t *dst, size_t len);

#endif
