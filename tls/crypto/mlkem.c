/* mlkem.c: ML-KEM-768 after FIPS 203.
 *
 *   keygen:  (rho, sigma) = G(d || k);  t = A s + e               ek = t || rho
 *   encaps:  (K, r) = G(m || H(ek));    u = A^T y + e1,  v = t^T y + e2 + m
 *   decaps:  m' = v - s^T u;  encrypt m' again;  K if that gives ct, else J(z || ct)
 *
 * The ring is in mlkem_poly.c. No branch and no index here depends on a secret (MLK-06), and everything
 * derived from one is wiped. */
#include "mlkem.h"

#include "mlkem_poly.h"
#include "nettle_keccak.h"
#include <hb/ct.h>
#include <string.h>

#define K       3
#define DKPKE   (HB_POLY_BYTES12 * K)
#define U_BYTES HB_POLY_BYTES10 /* d_u = 10, d_v = 4 */

_Static_assert(HB_POLY_BYTES12 *K + 32 == HB_MLKEM_EK, "MLK-04");
_Static_assert(HB_POLY_BYTES12 * 2 * K + 96 == HB_MLKEM_DK, "MLK-04");
_Static_assert(HB_POLY_BYTES10 *K + HB_POLY_BYTES4 == HB_MLKEM_CT, "MLK-04");

/* ---- K-PKE (section 5) ---- */

/* Row i of A, or of its transpose. */
static void matrix_row(struct hb_poly row[K], const uint8_t rho[32], uint8_t i, bool transposed)
{
    for (uint8_t j = 0; j < K; j++) {
        hb_poly_uniform(&row[j], rho, transposed ? i : j, transposed ? j : i);
    }
}

struct secret_work {
    struct hb_poly s[K], e, acc;
    struct hb_poly row[K]; /* public, but here to spare stack */
    uint8_t g[64];
};

static void pke_keygen(const uint8_t d[32], uint8_t *ek, uint8_t *dk)
{
    struct secret_work w;
    static const uint8_t k = K;
    const uint8_t *rho = w.g;
    const uint8_t *sigma = w.g + 32;

    hb_keccak_once(HB_SHA3_512_RATE, HB_KECCAK_SHA3, d, 32, &k, 1, w.g, sizeof w.g);
    HB_CT_PUBLIC(rho, 32); /* sent to the peer in the encapsulation key */
    for (uint8_t i = 0; i < K; i++) {
        hb_poly_noise(&w.s[i], sigma, i);
        hb_poly_ntt(&w.s[i]);
        hb_poly_encode12(dk + i * HB_POLY_BYTES12, &w.s[i]);
    }
    for (uint8_t i = 0; i < K; i++) {
        matrix_row(w.row, rho, i, false);
        hb_poly_inner_product(&w.acc, w.row, w.s, K);
        hb_poly_to_montgomery(&w.acc);
        hb_poly_noise(&w.e, sigma, (uint8_t)(K + i));
        hb_poly_ntt(&w.e);
        hb_poly_add(&w.acc, &w.e);
        hb_poly_reduce(&w.acc);
        hb_poly_encode12(ek + i * HB_POLY_BYTES12, &w.acc);
    }
    memcpy(ek + K * HB_POLY_BYTES12, rho, 32);
    hb_wipe(&w, sizeof w);
}

static void pke_encrypt(const uint8_t *ek, const uint8_t m[32], const uint8_t r[32], uint8_t *ct)
{
    struct secret_work w;
    const uint8_t *rho = ek + K * HB_POLY_BYTES12;

    for (uint8_t i = 0; i < K; i++) {
        hb_poly_noise(&w.s[i], r, i);
        hb_poly_ntt(&w.s[i]);
    }
    for (uint8_t i = 0; i < K; i++) {
        matrix_row(w.row, rho, i, true);
        hb_poly_inner_product(&w.acc, w.row, w.s, K);
        hb_poly_inverse_ntt(&w.acc);
        hb_poly_noise(&w.e, r, (uint8_t)(K + i));
        hb_poly_add(&w.acc, &w.e);
        hb_poly_reduce(&w.acc);
        hb_poly_encode10(ct + i * U_BYTES, &w.acc);
    }
    for (size_t i = 0; i < K; i++) {
        hb_poly_decode12(&w.row[i], ek + i * HB_POLY_BYTES12);
    }
    hb_poly_inner_product(&w.acc, w.row, w.s, K);
    hb_poly_inverse_ntt(&w.acc);
    hb_poly_noise(&w.e, r, 2 * K);
    hb_poly_add(&w.acc, &w.e);
    hb_poly_of_message(&w.e, m);
    hb_poly_add(&w.acc, &w.e);
    hb_poly_reduce(&w.acc);
    hb_poly_encode4(ct + K * U_BYTES, &w.acc);
    hb_wipe(&w, sizeof w);
}

static void pke_decrypt(const uint8_t *dk, const uint8_t *ct, uint8_t m[32])
{
    struct secret_work w;

    for (size_t i = 0; i < K; i++) {
        hb_poly_decode10(&w.row[i], ct + i * U_BYTES);
        hb_poly_ntt(&w.row[i]);
        hb_poly_decode12(&w.s[i], dk + i * HB_POLY_BYTES12);
    }
    hb_poly_inner_product(&w.acc, w.s, w.row, K);
    hb_poly_inverse_ntt(&w.acc);
    hb_poly_decode4(&w.e, ct + K * U_BYTES);
    hb_poly_sub_from(&w.acc, &w.e);
    hb_poly_to_message(m, &w.acc);
    hb_wipe(&w, sizeof w);
}

/* ---- ML-KEM ---- */

void hb_mlkem_keygen(const uint8_t seed[HB_MLKEM_SEED], uint8_t ek[HB_MLKEM_EK], uint8_t dk[HB_MLKEM_DK])
{
    uint8_t *tail = dk + DKPKE;

    pke_keygen(seed, ek, dk);
    HB_CT_PUBLIC(ek, HB_MLKEM_EK);
    memcpy(tail, ek, HB_MLKEM_EK);
    hb_keccak_once(HB_SHA3_256_RATE, HB_KECCAK_SHA3, ek, HB_MLKEM_EK, NULL, 0, tail + HB_MLKEM_EK, 32);
    memcpy(tail + HB_MLKEM_EK + 32, seed + 32, 32);
}

bool hb_mlkem_ek_ok(const uint8_t ek[HB_MLKEM_EK])
{
    for (size_t i = 0; i < K * HB_POLY_BYTES12; i += 3) {
        unsigned a = ek[i] | (ek[i + 1] & 15u) << 8;
        unsigned b = ek[i + 1] >> 4 | (unsigned)ek[i + 2] << 4;
        if (a >= HB_POLY_Q || b >= HB_POLY_Q) {
            return false;
        }
    }
    return true;
}

/* (K, r) = G(m || H(ek)), and the ciphertext that r makes of m. */
static void encaps_with(const uint8_t *ek, const uint8_t m[32], const uint8_t hash[32], uint8_t *ct,
                        uint8_t kr[64])
{
    hb_keccak_once(HB_SHA3_512_RATE, HB_KECCAK_SHA3, m, 32, hash, 32, kr, 64);
    pke_encrypt(ek, m, kr + 32, ct);
}

void hb_mlkem_encaps(const uint8_t ek[HB_MLKEM_EK], const uint8_t m[32], uint8_t ct[HB_MLKEM_CT],
                     uint8_t ss[HB_MLKEM_SS])
{
    uint8_t hash[32];
    uint8_t kr[64];

    hb_keccak_once(HB_SHA3_256_RATE, HB_KECCAK_SHA3, ek, HB_MLKEM_EK, NULL, 0, hash, sizeof hash);
    encaps_with(ek, m, hash, ct, kr);
    memcpy(ss, kr, HB_MLKEM_SS);
    hb_wipe(kr, sizeof kr);
    HB_CT_PUBLIC(ct, HB_MLKEM_CT);
}

void hb_mlkem_decaps(const uint8_t dk[HB_MLKEM_DK], const uint8_t ct[HB_MLKEM_CT], uint8_t ss[HB_MLKEM_SS])
{
    const uint8_t *ek = dk + DKPKE;
    const uint8_t *hash = ek + HB_MLKEM_EK;
    const uint8_t *z = hash + 32;
    uint8_t m[32];
    uint8_t kr[64];
    uint8_t again[HB_MLKEM_CT];
    uint8_t rejected[32];
    uint32_t differ = 0;

    pke_decrypt(dk, ct, m);
    encaps_with(ek, m, hash, again, kr);
    hb_keccak_once(HB_SHAKE256_RATE, HB_KECCAK_SHAKE, z, 32, ct, HB_MLKEM_CT, rejected, sizeof rejected);
    for (size_t i = 0; i < HB_MLKEM_CT; i++) {
        differ |= (uint32_t)(again[i] ^ ct[i]);
    }
    uint8_t keep = (uint8_t)((differ - 1) >> 24); /* all ones if nothing differs */
    for (size_t i = 0; i < HB_MLKEM_SS; i++) {
        ss[i] = (uint8_t)((kr[i] & keep) | (rejected[i] & ~keep));
    }
    hb_wipe(m, sizeof m);
    hb_wipe(kr, sizeof kr);
    hb_wipe(again, sizeof again);
    hb_wipe(rejected, sizeof rejected);
}
