/* nettle_ec.c: the SEC1 point codec, integers of a fixed length, and GMP's memory.
 * Only public coordinates pass through mpz, whose functions branch on values; scalars and results are taken
 * limb by limb, at the curve's full length, so a leading zero is never dropped (T13-08). */
#include "nettle_ec.h"

#include <hb/ct.h>
#include <malloc.h>
#include <nettle/bignum.h>
#include <stdlib.h>

/* Nettle gives its temporaries back with a number of limbs for the length, so that length is not believed. */
static void wiping_free(void *p, size_t len)
{
    size_t all = malloc_usable_size(p);

    hb_wipe(p, all > len ? all : len);
    free(p);
}

static void *wiping_realloc(void *p, size_t old_len, size_t new_len)
{
    void *q = malloc(new_len);

    if (q == NULL) {
        abort(); /* GMP has no way to hear of it */
    }
    memcpy(q, p, old_len < new_len ? old_len : new_len);
    wiping_free(p, old_len);
    return q;
}

void hb_gmp_init(void)
{
    static bool done;

    if (!done) {
        done = true;
        mp_set_memory_functions(NULL, wiping_realloc, wiping_free);
    }
}

const struct hb_ec_curve *hb_ec_find(enum hb_key_kind kind)
{
    static const struct hb_ec_curve p256 = {nettle_get_secp_256r1, 32};
    static const struct hb_ec_curve p384 = {nettle_get_secp_384r1, 48};
    static const struct hb_ec_curve p521 = {nettle_get_secp_521r1, 66};

    switch (kind) {
    case HB_KEY_P256:
        return &p256;
    case HB_KEY_P384:
        return &p384;
    case HB_KEY_P521:
        return &p521;
    case HB_KEY_RSA:
    case HB_KEY_RSA_PSS:
    case HB_KEY_ED25519:
    case HB_KEY_ED448:
        break;
    }
    return NULL;
}

void hb_mpz_write(const mpz_t z, uint8_t *dst, size_t len)
{
    nettle_mpz_get_str_256(len, dst, z);
}

void hb_mpz_read(mpz_t z, struct hb_span bytes)
{
    nettle_mpz_set_str_256_u(z, bytes.len, bytes.p);
}

bool hb_ec_point_read(const struct hb_ec_curve *curve, struct hb_span sec1, struct ecc_point *p)
{
    size_t n = curve->coord_len;
    mpz_t x;
    mpz_t y;

    if (sec1.len != 1 + 2 * n || sec1.p[0] != 4) {
        return false;
    }
    hb_gmp_init();
    mpz_init(x);
    mpz_init(y);
    hb_mpz_read(x, hb_span(sec1.p + 1, n));
    hb_mpz_read(y, hb_span(sec1.p + 1 + n, n));
    bool ok = nettle_ecc_point_set(p, x, y) == 1; /* checks range and the curve's equation */
    mpz_clear(x);
    mpz_clear(y);
    return ok;
}

/* Numbers of a curve lie in nettle_ecc_size() limbs, the lowest first; bytes stand the other way round. */
static void write_limbs(const mp_limb_t *limbs, uint8_t *dst, size_t len)
{
    for (size_t i = 0; i < len; i++) {
        dst[len - 1 - i] = (uint8_t)(limbs[i / sizeof *limbs] >> (8 * (i % sizeof *limbs)));
    }
}

void hb_ec_point_write(const struct hb_ec_curve *curve, const struct ecc_point *p, uint8_t *dst)
{
    size_t n = curve->coord_len;

    dst[0] = 4;
    write_limbs(p->p, dst + 1, n);
    write_limbs(p->p + nettle_ecc_size(p->ecc), dst + 1 + n, n);
}

void hb_ec_scalar_write(const struct hb_ec_curve *curve, const struct ecc_scalar *k, uint8_t *dst)
{
    write_limbs(k->p, dst, curve->coord_len);
}

void hb_ec_scalar_read(const struct hb_ec_curve *curve, const uint8_t *bytes, struct ecc_scalar *k)
{
    size_t n = curve->coord_len;

    memset(k->p, 0, (size_t)nettle_ecc_size(k->ecc) * sizeof *k->p);
    for (size_t i = 0; i < n; i++) {
        k->p[i / sizeof *k->p] |= (mp_limb_t)bytes[n - 1 - i] << (8 * (i % sizeof *k->p));
    }
}
