/* mlkem_poly.h: polynomials of ML-KEM (FIPS 203). What they hold is the secret of whoever asked, who wipes
 * it. */
#ifndef HB_MLKEM_POLY_H
#define HB_MLKEM_POLY_H

#include <stddef.h>
#include <stdint.h>

#define HB_POLY_N       256
#define HB_POLY_Q       3329
#define HB_POLY_BYTES12 ((size_t)12 * HB_POLY_N / 8) /* as encoded with so many bits a coefficient */
#define HB_POLY_BYTES10 ((size_t)10 * HB_POLY_N / 8)
#define HB_POLY_BYTES4  ((size_t)4 * HB_POLY_N / 8)

struct hb_poly {
    int16_t c[HB_POLY_N];
};

/* Every coefficient between -q/2 and q/2. add() leaves the sum as it is: reduce before the third. */
void hb_poly_reduce(struct hb_poly *p);
void hb_poly_add(struct hb_poly *p, const struct hb_poly *a);
/* p = a - p, reduced. */
void hb_poly_sub_from(struct hb_poly *p, const struct hb_poly *a);

/* Algorithm 9 and, times 2^16, algorithm 10: that undoes the factor 2^-16 of inner_product(), which
 * multiplies in the transformed domain (algorithm 11) and adds up k products. to_montgomery() undoes it
 * without the inverse. */
void hb_poly_ntt(struct hb_poly *p);
void hb_poly_inverse_ntt(struct hb_poly *p);
void hb_poly_inner_product(struct hb_poly *r, const struct hb_poly *a, const struct hb_poly *b, size_t k);
void hb_poly_to_montgomery(struct hb_poly *p);

/* Algorithm 7, in a time that tells of the seed: rho is public. */
void hb_poly_uniform(struct hb_poly *p, const uint8_t rho[32], uint8_t x, uint8_t y);
/* Algorithm 8 with eta = 2. */
void hb_poly_noise(struct hb_poly *p, const uint8_t seed[32], uint8_t nonce);

/* Algorithms 5 and 6; those with 10 and 4 bits compress and decompress on the way (4.2.1). encode: p between
 * -q and q. decode12 takes what it finds: see hb_mlkem_ek_ok(). */
void hb_poly_encode12(uint8_t dst[HB_POLY_BYTES12], const struct hb_poly *p);
void hb_poly_decode12(struct hb_poly *p, const uint8_t src[HB_POLY_BYTES12]);
void hb_poly_encode10(uint8_t dst[HB_POLY_BYTES10], const struct hb_poly *p);
void hb_poly_decode10(struct hb_poly *p, const uint8_t src[HB_POLY_BYTES10]);
void hb_poly_encode4(uint8_t dst[HB_POLY_BYTES4], const struct hb_poly *p);
void hb_poly_decode4(struct hb_poly *p, const uint8_t src[HB_POLY_BYTES4]);
/* A bit of a message is 0 or (q + 1) / 2; the way back takes what is nearer. */
void hb_poly_of_message(struct hb_poly *p, const uint8_t m[32]);
void hb_poly_to_message(uint8_t m[32], const struct hb_poly *p);

#endif
