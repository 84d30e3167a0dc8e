/* mlkem_poly.c: the ring of ML-KEM, polynomials of 256 coefficients mod 3329: FIPS 203, sections 4.2 and 4.3.
 *
 * Coefficients are int16 between -q and q; products go through Montgomery's reduction with R = 2^16, sums
 * through Barrett's. Nothing divides (MLK-06); the compiler is given constants it turns into multiplications
 * nowhere, because we write the multiplications ourselves. No branch and no index depends on a coefficient;
 * what is made by rejection is made of a public seed. */
#include "mlkem_poly.h"

#include "nettle_keccak.h"
#include <hb/ct.h>
#include <string.h>

/* 17^bitrev(i) * 2^16 mod q, centred: roots of unity in Montgomery form. */
static const int16_t zetas[128] = {
    -1044, -758,  -359,  -1517, 1493,  1422,  287,   202,   -171,  622,   1577, 182,   962,   -1202, -1474,
    1468,  573,   -1325, 264,   383,   -829,  1458,  -1602, -130,  -681,  1017, 732,   608,   -1542, 411,
    -205,  -1571, 1223,  652,   -552,  1015,  -1293, 1491,  -282,  -1544, 516,  -8,    -320,  -666,  -1618,
    -1162, 126,   1469,  -853,  -90,   -271,  830,   107,   -1421, -247,  -951, -398,  961,   -1508, -725,
    448,   -1065, 677,   -1275, -1103, 430,   555,   843,   -1251, 871,   1550, 105,   422,   587,   177,
    -235,  -291,  -460,  1574,  1653,  -246,  778,   1159,  -147,  -777,  1483, -602,  1119,  -1590, 644,
    -872,  349,   418,   329,   -156,  -75,   817,   1097,  603,   610,   1322, -1285, -1465, 384,   -1215,
    -136,  1218,  -1335, -874,  220,   -1187, -1659, -1185, -1530, -1278, 794,  -1510, -854,  -870,  478,
    -108,  -308,  996,   991,   958,   -1460, 1522,  1628,
};

/* ---- arithmetic mod q ---- */

/* a * 2^-16 mod q for |a| < q * 2^15; the result is between -q and q. */
static inline int16_t montgomery(int32_t a)
{
    int16_t t = (int16_t)((uint32_t)a * 62209u); /* q^-1 mod 2^16 */
    return (int16_t)((a - (int32_t)t * HB_POLY_Q) >> 16);
}

static inline int16_t mul(int16_t a, int16_t b)
{
    return montgomery((int32_t)a * b);
}

/* The representative between -q/2 and q/2. */
static inline int16_t barrett(int16_t a)
{
    int16_t t = (int16_t)((20159 * (int32_t)a + (1 << 25)) >> 26); /* 20159 = round(2^26 / q) */
    return (int16_t)(a - t * HB_POLY_Q);
}

/* The representative from 0 to q - 1 of one between -q and q. */
static inline uint16_t positive(int16_t a)
{
    return (uint16_t)(a + ((a >> 15) & HB_POLY_Q));
}

void hb_poly_reduce(struct hb_poly *p)
{
    for (size_t i = 0; i < HB_POLY_N; i++) {
        p->c[i] = barrett(p->c[i]);
    }
}

void hb_poly_add(struct hb_poly *p, const struct hb_poly *a)
{
    for (size_t i = 0; i < HB_POLY_N; i++) {
        p->c[i] = (int16_t)(p->c[i] + a->c[i]);
    }
}

/* p = a - p. */
void hb_poly_sub_from(struct hb_poly *p, const struct hb_poly *a)
{
    for (size_t i = 0; i < HB_POLY_N; i++) {
        p->c[i] = barrett((int16_t)(a->c[i] - p->c[i]));
    }
}

/* ---- number theoretic transform (section 4.3) ---- */

void hb_poly_ntt(struct hb_poly *p)
{
    unsigned k = 1;

    for (size_t len = 128; len >= 2; len /= 2) {
        for (size_t start = 0; start < HB_POLY_N; start += 2 * len) {
            int16_t zeta = zetas[k++];
            for (size_t j = start; j < start + len; j++) {
                int16_t t = mul(zeta, p->c[j + len]);
                p->c[j + len] = (int16_t)(p->c[j] - t);
                p->c[j] = (int16_t)(p->c[j] + t);
            }
        }
    }
    hb_poly_reduce(p);
}

/* The inverse, times 2^16: undoes the factor that multiply() leaves. */
void hb_poly_inverse_ntt(struct hb_poly *p)
{
    unsigned k = 127;

    for (size_t len = 2; len <= 128; len *= 2) {
        for (size_t start = 0; start < HB_POLY_N; start += 2 * len) {
            int16_t zeta = zetas[k--];
            for (size_t j = start; j < start + len; j++) {
                int16_t t = p->c[j];
                p->c[j] = barrett((int16_t)(t + p->c[j + len]));
                p->c[j + len] = mul(zeta, (int16_t)(p->c[j + len] - t));
            }
        }
    }
    for (size_t i = 0; i < HB_POLY_N; i++) {
        p->c[i] = mul(p->c[i], 1441); /* 2^32 / 128 mod q */
    }
}

/* acc += a * b in the transformed domain, times 2^-16: 128 products of linear polynomials. */
static void multiply_add(struct hb_poly *acc, const struct hb_poly *a, const struct hb_poly *b)
{
    for (size_t i = 0; i < HB_POLY_N / 4; i++) {
        for (size_t half = 0; half < 2; half++) {
            int16_t zeta = half == 0 ? zetas[64 + i] : (int16_t)-zetas[64 + i];
            const int16_t *x = a->c + 4 * i + 2 * half;
            const int16_t *y = b->c + 4 * i + 2 * half;
            int16_t *r = acc->c + 4 * i + 2 * half;
            r[0] = (int16_t)(r[0] + mul(mul(x[1], y[1]), zeta) + mul(x[0], y[0]));
            r[1] = (int16_t)(r[1] + mul(x[0], y[1]) + mul(x[1], y[0]));
        }
    }
}

void hb_poly_inner_product(struct hb_poly *r, const struct hb_poly *a, const struct hb_poly *b, size_t k)
{
    memset(r, 0, sizeof *r);
    for (size_t i = 0; i < k; i++) {
        multiply_add(r, &a[i], &b[i]);
    }
    hb_poly_reduce(r);
}

void hb_poly_to_montgomery(struct hb_poly *p)
{
    for (size_t i = 0; i < HB_POLY_N; i++) {
        p->c[i] = mul(p->c[i], 1353); /* 2^32 mod q */
    }
}

/* ---- sampling ---- */

/* Algorithm 7: uniform, by rejection; the seed is public. */
void hb_poly_uniform(struct hb_poly *p, const uint8_t rho[32], uint8_t x, uint8_t y)
{
    struct hb_keccak shake;
    uint8_t tail[2] = {x, y};
    uint8_t block[HB_SHAKE128_RATE];
    unsigned n = 0;

    hb_keccak_init(&shake, HB_SHAKE128_RATE, HB_KECCAK_SHAKE);
    hb_keccak_absorb(&shake, rho, 32);
    hb_keccak_absorb(&shake, tail, sizeof tail);
    hb_keccak_end(&shake);
    while (n < HB_POLY_N) {
        hb_keccak_squeeze(&shake, block, sizeof block);
        for (size_t i = 0; i < sizeof block && n < HB_POLY_N; i += 3) {
            uint16_t d1 = (uint16_t)(block[i] | (block[i + 1] & 15) << 8);
            uint16_t d2 = (uint16_t)(block[i + 1] >> 4 | block[i + 2] << 4);
            if (d1 < HB_POLY_Q) {
                p->c[n++] = (int16_t)d1;
            }
            if (d2 < HB_POLY_Q && n < HB_POLY_N) {
                p->c[n++] = (int16_t)d2;
            }
        }
    }
}

/* Algorithm 8 with eta = 2: PRF(seed, nonce), then differences of two pairs of bits. */
void hb_poly_noise(struct hb_poly *p, const uint8_t seed[32], uint8_t nonce)
{
    uint8_t bytes[2 * HB_POLY_N / 4];

    hb_keccak_once(HB_SHAKE256_RATE, HB_KECCAK_SHAKE, seed, 32, &nonce, 1, bytes, sizeof bytes);
    for (size_t i = 0; i < HB_POLY_N / 2; i++) {
        unsigned b = bytes[i];
        unsigned sums = (b & 0x55) + (b >> 1 & 0x55); /* four sums of two bits */
        p->c[2 * i] = (int16_t)((int)(sums & 3) - (int)(sums >> 2 & 3));
        p->c[2 * i + 1] = (int16_t)((int)(sums >> 4 & 3) - (int)(sums >> 6 & 3));
    }
    hb_wipe(bytes, sizeof bytes);
}

/* ---- bytes ---- */

void hb_poly_encode12(uint8_t dst[HB_POLY_BYTES12], const struct hb_poly *p)
{
    for (size_t i = 0; i < HB_POLY_N / 2; i++) {
        uint16_t a = positive(p->c[2 * i]);
        uint16_t b = positive(p->c[2 * i + 1]);
        dst[3 * i] = (uint8_t)a;
        dst[3 * i + 1] = (uint8_t)(a >> 8 | b << 4);
        dst[3 * i + 2] = (uint8_t)(b >> 4);
    }
}

void hb_poly_decode12(struct hb_poly *p, const uint8_t src[HB_POLY_BYTES12])
{
    for (size_t i = 0; i < HB_POLY_N / 2; i++) {
        p->c[2 * i] = (int16_t)(src[3 * i] | (src[3 * i + 1] & 15) << 8);
        p->c[2 * i + 1] = (int16_t)(src[3 * i + 1] >> 4 | src[3 * i + 2] << 4);
    }
}

/* round(2^d / q * x) mod 2^d for d = 10 and d = 4: the factor is round(2^32 / q), enough for every x below q
 * (the tests try all). */
static inline uint16_t compress(int16_t c, unsigned d)
{
    uint64_t x = (uint64_t)positive(c) << d;
    return (uint16_t)(((x + HB_POLY_Q / 2) * 1290168) >> 32 & ((1u << d) - 1));
}

static inline int16_t decompress(uint16_t x, unsigned d)
{
    return (int16_t)(((uint32_t)x * HB_POLY_Q + (1u << (d - 1))) >> d);
}

void hb_poly_encode10(uint8_t dst[HB_POLY_BYTES10], const struct hb_poly *p)
{
    for (size_t i = 0; i < HB_POLY_N / 4; i++, dst += 5) {
        uint16_t t[4];
        for (size_t j = 0; j < 4; j++) {
            t[j] = compress(p->c[4 * i + j], 10);
        }
        dst[0] = (uint8_t)t[0];
        dst[1] = (uint8_t)(t[0] >> 8 | t[1] << 2);
        dst[2] = (uint8_t)(t[1] >> 6 | t[2] << 4);
        dst[3] = (uint8_t)(t[2] >> 4 | t[3] << 6);
        dst[4] = (uint8_t)(t[3] >> 2);
    }
}

void hb_poly_decode10(struct hb_poly *p, const uint8_t src[HB_POLY_BYTES10])
{
    for (size_t i = 0; i < HB_POLY_N / 4; i++, src += 5) {
        p->c[4 * i] = decompress((uint16_t)((src[0] | src[1] << 8) & 1023), 10);
        p->c[4 * i + 1] = decompress((uint16_t)((src[1] >> 2 | src[2] << 6) & 1023), 10);
        p->c[4 * i + 2] = decompress((uint16_t)((src[2] >> 4 | src[3] << 4) & 1023), 10);
        p->c[4 * i + 3] = decompress((uint16_t)((src[3] >> 6 | src[4] << 2) & 1023), 10);
    }
}

void hb_poly_encode4(uint8_t dst[HB_POLY_BYTES4], const struct hb_poly *p)
{
    for (size_t i = 0; i < HB_POLY_N / 2; i++) {
        dst[i] = (uint8_t)(compress(p->c[2 * i], 4) | compress(p->c[2 * i + 1], 4) << 4);
    }
}

void hb_poly_decode4(struct hb_poly *p, const uint8_t src[HB_POLY_BYTES4])
{
    for (size_t i = 0; i < HB_POLY_N / 2; i++) {
        p->c[2 * i] = decompress(src[i] & 15, 4);
        p->c[2 * i + 1] = decompress(src[i] >> 4, 4);
    }
}

/* A bit of the message becomes 0 or (q + 1) / 2. */
void hb_poly_of_message(struct hb_poly *p, const uint8_t m[32])
{
    for (size_t i = 0; i < HB_POLY_N; i++) {
        int16_t bit = (int16_t)(m[i / 8] >> (i % 8) & 1);
        p->c[i] = (int16_t)(-bit & ((HB_POLY_Q + 1) / 2));
    }
}

void hb_poly_to_message(uint8_t m[32], const struct hb_poly *p)
{
    memset(m, 0, 32);
    for (size_t i = 0; i < HB_POLY_N; i++) {
        m[i / 8] |= (uint8_t)(compress(p->c[i], 1) << (i % 8));
    }
}
