/* mlkem.c: ML-KEM-768 after FIPS 203.
 *
 *   keygen:  (rho, sigma) = G(d || k);  t = A s + e               ek = t || rho
 *   encaps:  (K, r) = G(m || H(ek));    u = A^T y + e1,  v = t^T y + e2 + m
 *   decaps:  m' = v - s^T u;  encrypt m' again;  K if that gives ct, else J(z || ct)
 *
 * Coefficients are int16 between -q and q; products go through Montgomery's reduction with R = 2^16, sums
 * through Barrett's. Nothing divides (MLK-06); the compiler is given constants it turns into multiplications
 * nowhere, because we write the multiplications ourselves. Everything derived from a secret is wiped. */
#include "mlkem.h"

#include "nettle_keccak.h"
#include <hb/ct.h>
#include <string.h>

#define N  256
#define Q  3329
#define K  3
#define DU 10
#define DV 4

#define POLY_BYTES ((size_t)384) /* 12 bits a coefficient */
#define DKPKE      (K * POLY_BYTES)
#define DU_BYTES   ((size_t)32 * DU)

_Static_assert(K *POLY_BYTES + 32 == HB_MLKEM_EK, "MLK-04");
_Static_assert(2 * K * POLY_BYTES + 96 == HB_MLKEM_DK, "MLK-04");
_Static_assert(32 * (DU * K + DV) == HB_MLKEM_CT, "MLK-04");

struct poly {
    int16_t c[N];
};

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
    return (int16_t)((a - (int32_t)t * Q) >> 16);
}

static inline int16_t mul(int16_t a, int16_t b)
{
    return montgomery((int32_t)a * b);
}

/* The representative between -q/2 and q/2. */
static inline int16_t barrett(int16_t a)
{
    int16_t t = (int16_t)((20159 * (int32_t)a + (1 << 25)) >> 26); /* 20159 = round(2^26 / q) */
    return (int16_t)(a - t * Q);
}

/* The representative from 0 to q - 1 of one between -q and q. */
static inline uint16_t positive(int16_t a)
{
    return (uint16_t)(a + ((a >> 15) & Q));
}

static void reduce(struct poly *p)
{
    for (size_t i = 0; i < N; i++) {
        p->c[i] = barrett(p->c[i]);
    }
}

static void add(struct poly *p, const struct poly *a)
{
    for (size_t i = 0; i < N; i++) {
        p->c[i] = (int16_t)(p->c[i] + a->c[i]);
    }
}

/* ---- number theoretic transform (section 4.3) ---- */

static void ntt(struct poly *p)
{
    unsigned k = 1;

    for (size_t len = 128; len >= 2; len /= 2) {
        for (size_t start = 0; start < N; start += 2 * len) {
            int16_t zeta = zetas[k++];
            for (size_t j = start; j < start + len; j++) {
                int16_t t = mul(zeta, p->c[j + len]);
                p->c[j + len] = (int16_t)(p->c[j] - t);
                p->c[j] = (int16_t)(p->c[j] + t);
            }
        }
    }
    reduce(p);
}

/* The inverse, times 2^16: undoes the factor that multiply() leaves. */
static void inverse_ntt(struct poly *p)
{
    unsigned k = 127;

    for (size_t len = 2; len <= 128; len *= 2) {
        for (size_t start = 0; start < N; start += 2 * len) {
            int16_t zeta = zetas[k--];
            for (size_t j = start; j < start + len; j++) {
                int16_t t = p->c[j];
                p->c[j] = barrett((int16_t)(t + p->c[j + len]));
                p->c[j + len] = mul(zeta, (int16_t)(p->c[j + len] - t));
            }
        }
    }
    for (size_t i = 0; i < N; i++) {
        p->c[i] = mul(p->c[i], 1441); /* 2^32 / 128 mod q */
    }
}

/* acc += a * b in the transformed domain, times 2^-16: 128 products of linear polynomials. */
static void multiply_add(struct poly *acc, const struct poly *a, const struct poly *b)
{
    for (size_t i = 0; i < N / 4; i++) {
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

static void inner_product(struct poly *r, const struct poly a[K], const struct poly b[K])
{
    memset(r, 0, sizeof *r);
    for (size_t i = 0; i < K; i++) {
        multiply_add(r, &a[i], &b[i]);
    }
    reduce(r);
}

static void to_montgomery(struct poly *p)
{
    for (size_t i = 0; i < N; i++) {
        p->c[i] = mul(p->c[i], 1353); /* 2^32 mod q */
    }
}

/* ---- sampling ---- */

/* Algorithm 7: uniform, by rejection; the seed is public. */
static void sample_uniform(struct poly *p, const uint8_t rho[32], uint8_t x, uint8_t y)
{
    struct hb_keccak shake;
    uint8_t tail[2] = {x, y};
    uint8_t block[HB_SHAKE128_RATE];
    unsigned n = 0;

    hb_keccak_init(&shake, HB_SHAKE128_RATE, HB_KECCAK_SHAKE);
    hb_keccak_absorb(&shake, rho, 32);
    hb_keccak_absorb(&shake, tail, sizeof tail);
    hb_keccak_end(&shake);
    while (n < N) {
        hb_keccak_squeeze(&shake, block, sizeof block);
        for (size_t i = 0; i < sizeof block && n < N; i += 3) {
            uint16_t d1 = (uint16_t)(block[i] | (block[i + 1] & 15) << 8);
            uint16_t d2 = (uint16_t)(block[i + 1] >> 4 | block[i + 2] << 4);
            if (d1 < Q) {
                p->c[n++] = (int16_t)d1;
            }
            if (d2 < Q && n < N) {
                p->c[n++] = (int16_t)d2;
            }
        }
    }
}

/* Row i of A, or of its transpose. */
static void matrix_row(struct poly row[K], const uint8_t rho[32], uint8_t i, bool transposed)
{
    for (uint8_t j = 0; j < K; j++) {
        sample_uniform(&row[j], rho, transposed ? i : j, transposed ? j : i);
    }
}

/* Algorithm 8 with eta = 2: PRF(seed, nonce), then differences of two pairs of bits. */
static void sample_noise(struct poly *p, const uint8_t seed[32], uint8_t nonce)
{
    uint8_t bytes[2 * N / 4];

    hb_keccak_once(HB_SHAKE256_RATE, HB_KECCAK_SHAKE, seed, 32, &nonce, 1, bytes, sizeof bytes);
    for (size_t i = 0; i < N / 2; i++) {
        unsigned b = bytes[i];
        unsigned sums = (b & 0x55) + (b >> 1 & 0x55); /* four sums of two bits */
        p->c[2 * i] = (int16_t)((int)(sums & 3) - (int)(sums >> 2 & 3));
        p->c[2 * i + 1] = (int16_t)((int)(sums >> 4 & 3) - (int)(sums >> 6 & 3));
    }
    hb_wipe(bytes, sizeof bytes);
}

/* ---- bytes ---- */

static void encode12(uint8_t dst[POLY_BYTES], const struct poly *p)
{
    for (size_t i = 0; i < N / 2; i++) {
        uint16_t a = positive(p->c[2 * i]);
        uint16_t b = positive(p->c[2 * i + 1]);
        dst[3 * i] = (uint8_t)a;
        dst[3 * i + 1] = (uint8_t)(a >> 8 | b << 4);
        dst[3 * i + 2] = (uint8_t)(b >> 4);
    }
}

static void decode12(struct poly *p, const uint8_t src[POLY_BYTES])
{
    for (size_t i = 0; i < N / 2; i++) {
        p->c[2 * i] = (int16_t)(src[3 * i] | (src[3 * i + 1] & 15) << 8);
        p->c[2 * i + 1] = (int16_t)(src[3 * i + 1] >> 4 | src[3 * i + 2] << 4);
    }
}

/* round(2^d / q * x) mod 2^d for d = 10 and d = 4: the factor is round(2^32 / q), enough for every x below q
 * (the tests try all). */
static inline uint16_t compress(int16_t c, unsigned d)
{
    uint64_t x = (uint64_t)positive(c) << d;
    return (uint16_t)(((x + Q / 2) * 1290168) >> 32 & ((1u << d) - 1));
}

static inline int16_t decompress(uint16_t x, unsigned d)
{
    return (int16_t)(((uint32_t)x * Q + (1u << (d - 1))) >> d);
}

static void encode10(uint8_t dst[320], const struct poly *p)
{
    for (size_t i = 0; i < N / 4; i++, dst += 5) {
        uint16_t t[4];
        for (size_t j = 0; j < 4; j++) {
            t[j] = compress(p->c[4 * i + j], DU);
        }
        dst[0] = (uint8_t)t[0];
        dst[1] = (uint8_t)(t[0] >> 8 | t[1] << 2);
        dst[2] = (uint8_t)(t[1] >> 6 | t[2] << 4);
        dst[3] = (uint8_t)(t[2] >> 4 | t[3] << 6);
        dst[4] = (uint8_t)(t[3] >> 2);
    }
}

static void decode10(struct poly *p, const uint8_t src[320])
{
    for (size_t i = 0; i < N / 4; i++, src += 5) {
        p->c[4 * i] = decompress((uint16_t)((src[0] | src[1] << 8) & 1023), DU);
        p->c[4 * i + 1] = decompress((uint16_t)((src[1] >> 2 | src[2] << 6) & 1023), DU);
        p->c[4 * i + 2] = decompress((uint16_t)((src[2] >> 4 | src[3] << 4) & 1023), DU);
        p->c[4 * i + 3] = decompress((uint16_t)((src[3] >> 6 | src[4] << 2) & 1023), DU);
    }
}

static void encode4(uint8_t dst[128], const struct poly *p)
{
    for (size_t i = 0; i < N / 2; i++) {
        dst[i] = (uint8_t)(compress(p->c[2 * i], DV) | compress(p->c[2 * i + 1], DV) << 4);
    }
}

static void decode4(struct poly *p, const uint8_t src[128])
{
    for (size_t i = 0; i < N / 2; i++) {
        p->c[2 * i] = decompress(src[i] & 15, DV);
        p->c[2 * i + 1] = decompress(src[i] >> 4, DV);
    }
}

/* A bit of the message becomes 0 or (q + 1) / 2. */
static void message_to_poly(struct poly *p, const uint8_t m[32])
{
    for (size_t i = 0; i < N; i++) {
        int16_t bit = (int16_t)(m[i / 8] >> (i % 8) & 1);
        p->c[i] = (int16_t)(-bit & ((Q + 1) / 2));
    }
}

static void poly_to_message(uint8_t m[32], const struct poly *p)
{
    memset(m, 0, 32);
    for (size_t i = 0; i < N; i++) {
        m[i / 8] |= (uint8_t)(compress(p->c[i], 1) << (i % 8));
    }
}

/* ---- K-PKE ---- */

struct secret_work {
    struct poly s[K], e, acc;
    struct poly row[K]; /* public, but here to spare stack */
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
        sample_noise(&w.s[i], sigma, i);
        ntt(&w.s[i]);
        encode12(dk + i * POLY_BYTES, &w.s[i]);
    }
    for (uint8_t i = 0; i < K; i++) {
        matrix_row(w.row, rho, i, false);
        inner_product(&w.acc, w.row, w.s);
        to_montgomery(&w.acc);
        sample_noise(&w.e, sigma, (uint8_t)(K + i));
        ntt(&w.e);
        add(&w.acc, &w.e);
        reduce(&w.acc);
        encode12(ek + i * POLY_BYTES, &w.acc);
    }
    memcpy(ek + K * POLY_BYTES, rho, 32);
    hb_wipe(&w, sizeof w);
}

static void pke_encrypt(const uint8_t *ek, const uint8_t m[32], const uint8_t r[32], uint8_t *ct)
{
    struct secret_work w;
    const uint8_t *rho = ek + K * POLY_BYTES;

    for (uint8_t i = 0; i < K; i++) {
        sample_noise(&w.s[i], r, i);
        ntt(&w.s[i]);
    }
    for (uint8_t i = 0; i < K; i++) {
        matrix_row(w.row, rho, i, true);
        inner_product(&w.acc, w.row, w.s);
        inverse_ntt(&w.acc);
        sample_noise(&w.e, r, (uint8_t)(K + i));
        add(&w.acc, &w.e);
        reduce(&w.acc);
        encode10(ct + i * DU_BYTES, &w.acc);
    }
    for (size_t i = 0; i < K; i++) {
        decode12(&w.row[i], ek + i * POLY_BYTES);
    }
    inner_product(&w.acc, w.row, w.s);
    inverse_ntt(&w.acc);
    sample_noise(&w.e, r, 2 * K);
    add(&w.acc, &w.e);
    message_to_poly(&w.e, m);
    add(&w.acc, &w.e);
    reduce(&w.acc);
    encode4(ct + DU_BYTES * K, &w.acc);
    hb_wipe(&w, sizeof w);
}

static void pke_decrypt(const uint8_t *dk, const uint8_t *ct, uint8_t m[32])
{
    struct secret_work w;

    for (size_t i = 0; i < K; i++) {
        decode10(&w.row[i], ct + i * 32 * DU);
        ntt(&w.row[i]);
        decode12(&w.s[i], dk + i * POLY_BYTES);
    }
    inner_product(&w.acc, w.s, w.row);
    inverse_ntt(&w.acc);
    decode4(&w.e, ct + DU_BYTES * K);
    for (size_t i = 0; i < N; i++) {
        w.e.c[i] = barrett((int16_t)(w.e.c[i] - w.acc.c[i]));
    }
    poly_to_message(m, &w.e);
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
    for (size_t i = 0; i < K * POLY_BYTES; i += 3) {
        unsigned a = ek[i] | (ek[i + 1] & 15u) << 8;
        unsigned b = ek[i + 1] >> 4 | (unsigned)ek[i + 2] << 4;
        if (a >= Q || b >= Q) {
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
