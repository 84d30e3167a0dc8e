/* nettle_ec.h: NIST curves in Nettle's terms, shared by key exchange and signatures (private to this folder).
 */
#ifndef HB_NETTLE_EC_H
#define HB_NETTLE_EC_H

#include "crypto.h"
#include <gmp.h>
#include <nettle/ecc-curve.h>
#include <nettle/ecc.h>

#define HB_EC_COORD_MAX 66u

struct hb_ec_curve {
    const struct ecc_curve *(*get)(void);
    uint8_t coord_len; /* bytes of a coordinate and of a scalar */
};

/* P-256, P-384, P-521; NULL for other kinds. */
const struct hb_ec_curve *hb_ec_find(enum hb_key_kind kind);
/* SEC1 uncompressed point into p (initialised). false: wrong length or form, or not on the curve. */
bool hb_ec_point_read(const struct hb_ec_curve *curve, struct hb_span sec1, struct ecc_point *p);
/* Writes 04||X||Y, 1 + 2 * coord_len bytes. */
void hb_ec_point_write(const struct hb_ec_curve *curve, const struct ecc_point *p, uint8_t *dst);
/* Writes the low len bytes of z (which fits), big-endian with leading zeros. */
void hb_mpz_write(const mpz_t z, uint8_t *dst, size_t len);
void hb_mpz_read(mpz_t z, struct hb_span bytes);
/* A scalar as coord_len bytes, big-endian, and back, without a branch on its value: mpz drops leading zeros.
 * The caller has made sure that what is read lies between 0 and the order. */
void hb_ec_scalar_write(const struct hb_ec_curve *curve, const struct ecc_scalar *k, uint8_t *dst);
void hb_ec_scalar_read(const struct hb_ec_curve *curve, const uint8_t *bytes, struct ecc_scalar *k);
/* Makes GMP wipe what it frees: once, before any secret reaches it (CT-06). */
void hb_gmp_init(void);

#endif
