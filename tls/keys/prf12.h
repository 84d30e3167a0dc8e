/* prf12.h: the key derivation of TLS 1.2 (RFC 5246 5, RFC 7627 4). */
#ifndef HB_PRF12_H
#define HB_PRF12_H

#include "../crypto/crypto.h"

#define HB_MASTER_LEN   48u
#define HB_VERIFY12_LEN 12u

/* A secret ready for its PRF: the master secret has three uses in a handshake. Is a secret itself: what was
 * begun is ended, or lies in memory that is wiped. */
struct hb_prf12 {
    struct hb_hmac first;
    struct hb_hmac second; /* before TLS 1.2: the other half of the secret; hash is NULL otherwise */
};

void hb_prf12_begin(struct hb_prf12 *prf, const struct hb_hash *hash, struct hb_span secret);
/* PRF(secret, label, seed1 || seed2) with P_hash of the suite's hash. */
void hb_prf12_of(const struct hb_prf12 *prf, const char *label, struct hb_span seed1, struct hb_span seed2,
                 uint8_t *dst, size_t len);
void hb_prf12_end(struct hb_prf12 *prf);
/* The three in one: for a secret with one use. */
void hb_prf12(const struct hb_hash *hash, struct hb_span secret, const char *label, struct hb_span seed1,
              struct hb_span seed2, uint8_t *dst, size_t len);

#endif
