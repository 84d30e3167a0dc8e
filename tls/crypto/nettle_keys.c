/* nettle_keys.c: private and public keys: what is taken for one, and what becomes of it.
 *
 * Invariants: a key that exists can be used: its parts fit together, a scalar lies below the order, a point
 * on its curve, so that nothing below us meets a number it asserts against. Whether a key is long enough is
 * judged by who loads it.
 * Owns every number inside a key; GMP wipes what it frees (hb_gmp_init), env what we allocate. */
#include "nettle_compat.h"
#include "nettle_keys.h"

#include <nettle/bignum.h>

/* n: the modulus of an RSA key. */
static unsigned bits_of(enum hb_key_kind kind, const mpz_t n)
{
    return hb_kind_is_rsa(kind)     ? (unsigned)mpz_sizeinbase(n, 2)
           : kind == HB_KEY_ED25519 ? 256
           : kind == HB_KEY_ED448   ? 456
                                    : nettle_ecc_bit_size(hb_ec_find(kind)->get());
}

/* ---- private keys ---- */

/* For the Valgrind suite: the number's limbs; how many there are is no secret. */
static void mark_secret(const mpz_t z)
{
    HB_CT_SECRET(mpz_limbs_read(z), mpz_size(z) * sizeof(mp_limb_t));
}

void hb_privkey_free(const struct hb_env *env, struct hb_privkey **key)
{
    struct hb_privkey *k = *key;

    *key = NULL;
    if (k == NULL) {
        return;
    }
    if (hb_kind_is_rsa(k->kind)) {
        nettle_rsa_private_key_clear(&k->rsa);
        nettle_rsa_public_key_clear(&k->rsa_pub);
    } else if (!hb_kind_is_eddsa(k->kind)) {
        nettle_ecc_scalar_clear(&k->ec);
    }
    env->release(env->ctx, k, sizeof *k);
}

/* exponent * e = 1 mod (prime - 1), and 0 < exponent < prime; prime > 1. t is scratch. */
static bool exponent_fits(const mpz_t exponent, const mpz_t prime, const mpz_t e, mpz_t t)
{
    mpz_t less;

    if (mpz_sgn(exponent) <= 0 || mpz_cmp(exponent, prime) >= 0) {
        return false;
    }
    mpz_init(less);
    mpz_sub_ui(less, prime, 1);
    mpz_mul(t, exponent, e);
    mpz_mod(t, t, less);
    bool ok = mpz_cmp_ui(t, 1) == 0;
    mpz_clear(less);
    return ok;
}

/* Primes of about the same length (FIPS 186-5 A.1.1 wants the very same). If one fills as many limbs as the
 * modulus, Nettle 3.8 writes beyond its scratch space while signing. */
static bool balanced(const struct hb_privkey *k)
{
    size_t p = mpz_sizeinbase(k->rsa.p, 2);
    size_t q = mpz_sizeinbase(k->rsa.q, 2);

    return (p > q ? p - q : q - p) <= 16 && mpz_size(k->rsa.p) < mpz_size(k->rsa_pub.n) &&
           mpz_size(k->rsa.q) < mpz_size(k->rsa_pub.n);
}

/* Odd and at least 3 (PKI-05); longer ones than 64 bits only cost time. */
static bool public_exponent_ok(const mpz_t e)
{
    return mpz_odd_p(e) && mpz_cmp_ui(e, 3) >= 0 && mpz_sizeinbase(e, 2) <= 64;
}

/* p * q = n, and the CRT exponents belong to e: a key put together wrongly would leak itself by its
 * signatures, and below us a CRT number that is zero or longer than its prime is an assertion that ends the
 * process. */
static bool rsa_parts_fit(const struct hb_privkey *k)
{
    mpz_t t;
    bool ok;

    if (mpz_cmp_ui(k->rsa.p, 2) <= 0 || mpz_cmp_ui(k->rsa.q, 2) <= 0 || mpz_cmp(k->rsa.c, k->rsa.p) >= 0 ||
        !balanced(k) || !public_exponent_ok(k->rsa_pub.e)) {
        return false;
    }
    mpz_init(t);
    mpz_mul(t, k->rsa.p, k->rsa.q);
    ok = mpz_cmp(t, k->rsa_pub.n) == 0 && mpz_odd_p(k->rsa.p) && mpz_odd_p(k->rsa.q);
    ok = ok && exponent_fits(k->rsa.a, k->rsa.p, k->rsa_pub.e, t) &&
         exponent_fits(k->rsa.b, k->rsa.q, k->rsa_pub.e, t);
    mpz_mul(t, k->rsa.c, k->rsa.q); /* c = q^-1 mod p */
    mpz_mod(t, t, k->rsa.p);
    ok = ok && mpz_cmp_ui(t, 1) == 0;
    mpz_clear(t);
    return ok;
}

enum hb_code hb_privkey_rsa(const struct hb_env *env, const struct hb_rsa_parts *parts, enum hb_key_kind kind,
                            struct hb_privkey **key)
{
    *key = NULL;
    if (parts->n.len == 0 || parts->e.len == 0 || parts->p.len == 0 || parts->q.len == 0 ||
        parts->dp.len == 0 || parts->dq.len == 0 || parts->qinv.len == 0) {
        return HB_E_KEY_INVALID;
    }
    struct hb_privkey *k = env->alloc(env->ctx, sizeof *k);
    if (k == NULL) {
        return HB_E_NO_MEMORY;
    }
    hb_gmp_init();
    k->kind = kind;
    nettle_rsa_private_key_init(&k->rsa);
    nettle_rsa_public_key_init(&k->rsa_pub);
    hb_mpz_read(k->rsa_pub.n, parts->n);
    hb_mpz_read(k->rsa_pub.e, parts->e);
    hb_mpz_read(k->rsa.d, parts->d);
    hb_mpz_read(k->rsa.p, parts->p);
    hb_mpz_read(k->rsa.q, parts->q);
    hb_mpz_read(k->rsa.a, parts->dp);
    hb_mpz_read(k->rsa.b, parts->dq);
    hb_mpz_read(k->rsa.c, parts->qinv);
    if (!rsa_parts_fit(k) || !nettle_rsa_public_key_prepare(&k->rsa_pub) ||
        !nettle_rsa_private_key_prepare(&k->rsa)) {
        hb_privkey_free(env, &k);
        return HB_E_KEY_INVALID;
    }
    mark_secret(k->rsa.d);
    mark_secret(k->rsa.p);
    mark_secret(k->rsa.q);
    mark_secret(k->rsa.a);
    mark_secret(k->rsa.b);
    mark_secret(k->rsa.c);
    *key = k;
    return HB_OK;
}

enum hb_code hb_privkey_ec(const struct hb_env *env, enum hb_key_kind curve, struct hb_span scalar,
                           struct hb_privkey **key)
{
    const struct hb_ec_curve *c = hb_ec_find(curve);
    mpz_t z;

    *key = NULL;
    if (c == NULL || scalar.len > c->coord_len) {
        return HB_E_KEY_INVALID;
    }
    struct hb_privkey *k = env->alloc(env->ctx, sizeof *k);
    if (k == NULL) {
        return HB_E_NO_MEMORY;
    }
    hb_gmp_init();
    k->kind = curve;
    nettle_ecc_scalar_init(&k->ec, c->get());
    mpz_init(z);
    hb_mpz_read(z, scalar);
    bool ok = nettle_ecc_scalar_set(&k->ec, z) == 1; /* 0 < z < order */
    mpz_clear(z);
    if (!ok) {
        hb_privkey_free(env, &k);
        return HB_E_KEY_INVALID;
    }
    HB_CT_SECRET(k->ec.p, (size_t)nettle_ecc_size(k->ec.ecc) * sizeof(mp_limb_t));
    *key = k;
    return HB_OK;
}

/* seed: 32 or 57 bytes, as kind wants. */
static enum hb_code privkey_eddsa(const struct hb_env *env, enum hb_key_kind kind, struct hb_span seed,
                                  struct hb_privkey **key)
{
    *key = NULL;
    if (seed.len != (kind == HB_KEY_ED25519 ? ED25519_KEY_SIZE : ED448_KEY_SIZE)) {
        return HB_E_KEY_INVALID;
    }
    struct hb_privkey *k = env->alloc(env->ctx, sizeof *k);
    if (k == NULL) {
        return HB_E_NO_MEMORY;
    }
    hb_gmp_init();
    k->kind = kind;
    memcpy(k->ed_seed, seed.p, seed.len);
    if (kind == HB_KEY_ED25519) {
        nettle_ed25519_sha512_public_key(k->ed_pub, k->ed_seed);
    } else {
        nettle_ed448_shake256_public_key(k->ed_pub, k->ed_seed);
    }
    HB_CT_SECRET(k->ed_seed, seed.len);
    *key = k;
    return HB_OK;
}

enum hb_code hb_privkey_ed25519(const struct hb_env *env, struct hb_span seed, struct hb_privkey **key)
{
    return privkey_eddsa(env, HB_KEY_ED25519, seed, key);
}

enum hb_code hb_privkey_ed448(const struct hb_env *env, struct hb_span seed, struct hb_privkey **key)
{
    return privkey_eddsa(env, HB_KEY_ED448, seed, key);
}

enum hb_key_kind hb_privkey_kind(const struct hb_privkey *key)
{
    return key->kind;
}

unsigned hb_privkey_bits(const struct hb_privkey *key)
{
    return bits_of(key->kind, key->rsa_pub.n);
}

/* ---- public keys ---- */

void hb_pubkey_free(const struct hb_env *env, struct hb_pubkey **key)
{
    struct hb_pubkey *k = *key;

    *key = NULL;
    if (k == NULL) {
        return;
    }
    if (hb_kind_is_rsa(k->kind)) {
        nettle_rsa_public_key_clear(&k->rsa);
    } else if (!hb_kind_is_eddsa(k->kind)) {
        nettle_ecc_point_clear(&k->ec);
    }
    env->release(env->ctx, k, sizeof *k);
}

enum hb_code hb_pubkey_rsa(const struct hb_env *env, struct hb_span n, struct hb_span e,
                           enum hb_key_kind kind, struct hb_pubkey **key)
{
    *key = NULL;
    if (n.len == 0 || e.len == 0) {
        return HB_E_KEY_INVALID;
    }
    struct hb_pubkey *k = env->alloc(env->ctx, sizeof *k);
    if (k == NULL) {
        return HB_E_NO_MEMORY;
    }
    hb_gmp_init();
    k->kind = kind;
    nettle_rsa_public_key_init(&k->rsa);
    hb_mpz_read(k->rsa.n, n);
    hb_mpz_read(k->rsa.e, e);
    if (!mpz_odd_p(k->rsa.n) || !public_exponent_ok(k->rsa.e) || !nettle_rsa_public_key_prepare(&k->rsa)) {
        hb_pubkey_free(env, &k);
        return HB_E_KEY_INVALID;
    }
    *key = k;
    return HB_OK;
}

enum hb_code hb_pubkey_ec(const struct hb_env *env, enum hb_key_kind curve, struct hb_span point,
                          struct hb_pubkey **key)
{
    const struct hb_ec_curve *c = hb_ec_find(curve);

    *key = NULL;
    if (c == NULL) {
        return HB_E_KEY_INVALID;
    }
    struct hb_pubkey *k = env->alloc(env->ctx, sizeof *k);
    if (k == NULL) {
        return HB_E_NO_MEMORY;
    }
    hb_gmp_init();
    k->kind = curve;
    nettle_ecc_point_init(&k->ec, c->get());
    if (!hb_ec_point_read(c, point, &k->ec)) {
        hb_pubkey_free(env, &k);
        return HB_E_KEY_INVALID;
    }
    *key = k;
    return HB_OK;
}

static enum hb_code pubkey_eddsa(const struct hb_env *env, enum hb_key_kind kind, struct hb_span raw,
                                 struct hb_pubkey **key)
{
    *key = NULL;
    if (raw.len != (kind == HB_KEY_ED25519 ? ED25519_KEY_SIZE : ED448_KEY_SIZE)) {
        return HB_E_KEY_INVALID;
    }
    struct hb_pubkey *k = env->alloc(env->ctx, sizeof *k);
    if (k == NULL) {
        return HB_E_NO_MEMORY;
    }
    k->kind = kind;
    memcpy(k->ed, raw.p, raw.len);
    *key = k;
    return HB_OK;
}

enum hb_code hb_pubkey_ed25519(const struct hb_env *env, struct hb_span raw, struct hb_pubkey **key)
{
    return pubkey_eddsa(env, HB_KEY_ED25519, raw, key);
}

enum hb_code hb_pubkey_ed448(const struct hb_env *env, struct hb_span raw, struct hb_pubkey **key)
{
    return pubkey_eddsa(env, HB_KEY_ED448, raw, key);
}

enum hb_key_kind hb_pubkey_kind(const struct hb_pubkey *key)
{
    return key->kind;
}

unsigned hb_pubkey_bits(const struct hb_pubkey *key)
{
    return bits_of(key->kind, key->rsa.n);
}
