/* mlkem.h: ML-KEM-768 (FIPS 203), our own, on Nettle's SHA-3 permutation.
 *
 * Deterministic functions: seeds and messages come from outside, so vectors test
 * every byte. Constant time in all secrets: no branch, index or division depends
 * on one (MLK-06); only the public matrix is sampled by rejection. */
#ifndef HB_MLKEM_H
#define HB_MLKEM_H

#include <stdbool.h>
#include <stdint.h>

#define HB_MLKEM_EK   1184u /* encapsulation key */
#define HB_MLKEM_DK   2400u /* decapsulation key: dkPKE, ek, H(ek), z */
#define HB_MLKEM_CT   1088u
#define HB_MLKEM_SS   32u
#define HB_MLKEM_SEED 64u /* d, z */

/* Algorithm 16. */
void hb_mlkem_keygen(const uint8_t seed[HB_MLKEM_SEED], uint8_t ek[HB_MLKEM_EK], uint8_t dk[HB_MLKEM_DK]);
/* The modulus check of 7.2: every coefficient of ek is below q. */
bool hb_mlkem_ek_ok(const uint8_t ek[HB_MLKEM_EK]);
/* Algorithm 17 with message m; ek must have passed hb_mlkem_ek_ok(). */
void hb_mlkem_encaps(const uint8_t ek[HB_MLKEM_EK], const uint8_t m[32], uint8_t ct[HB_MLKEM_CT],
                     uint8_t ss[HB_MLKEM_SS]);
/* Algorithm 18. A ciphertext that was tampered with gives another secret, in the same time (implicit
 * rejection). */
void hb_mlkem_decaps(const uint8_t dk[HB_MLKEM_DK], const uint8_t ct[HB_MLKEM_CT], uint8_t ss[HB_MLKEM_SS]);

#endif
