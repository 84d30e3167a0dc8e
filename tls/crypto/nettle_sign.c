/* nettle_sign.c: private and public keys, signing and verifying.
 * Owns every number inside a key and wipes it when the key is freed. RSA signs only through the blinded,
 * fault-checked functions of Nettle, and the result is verified once more before it leaves (CT-05). */
#include "crypto.h"
#include "legacy.h"
#include "nettle_compat.h"
#include "nettle_ec.h"

#include <hb/builder.h>
#include <hb/ct.h>
#include <hb/cursor.h>
#include <nettle/bignum.h>
#include <nettle/dsa.h>
#include <nettle/ecdsa.h>
#include <nettle/eddsa.h>
#include <nettle/rsa.h>

struct hb_privkey {
    enum hb_key_kind kind;
    struct rsa_private_key rsa;
    struct rsa_public_key rsa_pub; /* private operations are checked against it */
    struct ecc_scalar ec;
    uint8_t ed_seed[ED448_KEY_SIZE], ed_pub[ED448_KEY_SIZE]; /* Ed25519 uses the first 32 bytes */
};

struct hb_pubkey {
    enum hb_key_kind kind;
    struct rsa_public_key rsa;
    struct ecc_point ec;
    uint8_t ed[ED448_KEY_SIZE];
};

static bool is_rsa(enum hb_key_kind kind)
{
    return kind == HB_KEY_RSA || kind == HB_KEY_RSA_PSS;
}

static bool is_eddsa(enum hb_key_kind kind)
{
    return kind == HB_KEY_ED25519 || kind == HB_KEY_ED448;
}

/* ---- private keys ---- */

/* For the Valgrind suite: the number's limbs; how many there are is no secret. */
static void mark_secret(const mpz_t z)
{
    HB_CT_SECRET(mpz_limbs_read(z), mpz_size(z) * sizeof(mp_limb_t));
}

static void mark_public(const mpz_t z)
{
    HB_CT_PUBLIC(mpz_limbs_read(z), mpz_size(z) * sizeof(mp_limb_t));
}

void hb_privkey_free(const struct hb_env *env, struct hb_privkey **key)
{
    struct hb_privkey *k = *key;

    *key = NULL;
    if (k == NULL) {
        return;
    }
    if (is_rsa(k->kind)) {
        nettle_rsa_private_key_clear(&k->rsa);
        nettle_rsa_public_key_clear(&k->rsa_pub);
    } else if (!is_eddsa(k->kind)) {
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
    if (is_rsa(key->kind)) {
        return (unsigned)mpz_sizeinbase(key->rsa_pub.n, 2);
    }
    return key->kind == HB_KEY_ED25519 ? 256
           : key->kind == HB_KEY_ED448 ? 456
                                       : nettle_ecc_bit_size(hb_ec_find(key->kind)->get());
}

/* ---- public keys ---- */

void hb_pubkey_free(const struct hb_env *env, struct hb_pubkey **key)
{
    struct hb_pubkey *k = *key;

    *key = NULL;
    if (k == NULL) {
        return;
    }
    if (is_rsa(k->kind)) {
        nettle_rsa_public_key_clear(&k->rsa);
    } else if (!is_eddsa(k->kind)) {
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
    if (is_rsa(key->kind)) {
        return (unsigned)mpz_sizeinbase(key->rsa.n, 2);
    }
    return key->kind == HB_KEY_ED25519 ? 256
           : key->kind == HB_KEY_ED448 ? 456
                                       : nettle_ecc_bit_size(hb_ec_find(key->kind)->get());
}

/* ---- ECDSA: SEQUENCE { r INTEGER, s INTEGER } in DER (RFC 3279 2.2.3) ---- */

static void put_integer(struct hb_bld *b, const mpz_t z, size_t coord_len)
{
    uint8_t bytes[HB_EC_COORD_MAX];
    size_t skip = 0;

    hb_mpz_write(z, bytes, coord_len);
    while (skip + 1 < coord_len && bytes[skip] == 0) {
        skip++;
    }
    bool pad = (bytes[skip] & 0x80) != 0;
    hb_bld_u8(b, 0x02);
    hb_bld_u8(b, (uint8_t)(coord_len - skip + pad));
    if (pad) {
        hb_bld_u8(b, 0);
    }
    hb_bld_put(b, hb_span(bytes + skip, coord_len - skip));
}

static enum hb_code put_ecdsa(const struct dsa_signature *sig, size_t coord_len, struct hb_bld *out)
{
    uint8_t body_mem[2 * (HB_EC_COORD_MAX + 3)];
    struct hb_bld body = hb_bld(body_mem, sizeof body_mem);

    put_integer(&body, sig->r, coord_len);
    put_integer(&body, sig->s, coord_len);
    hb_bld_u8(out, 0x30);
    if (body.len >= 128) {
        hb_bld_u8(out, 0x81);
    }
    hb_bld_u8(out, (uint8_t)body.len);
    hb_bld_put(out, hb_bld_span(&body));
    return hb_bld_ok(out) ? HB_OK : HB_E_OVERFLOW;
}

/* A positive INTEGER in its shortest form, at most coord_len bytes of value. */
static bool get_integer(struct hb_cur *c, mpz_t z, size_t coord_len)
{
    if (hb_cur_u8(c) != 0x02) {
        return false;
    }
    struct hb_cur v = hb_cur_vec8(c); /* no coordinate needs a long-form length */
    struct hb_span s = hb_cur_rest(&v);
    if (s.len == 0 || s.len > coord_len + 1 || (s.p[0] & 0x80) != 0 ||
        (s.p[0] == 0 && (s.len == 1 || (s.p[1] & 0x80) == 0))) {
        return false;
    }
    hb_mpz_read(z, s);
    return true;
}

static bool get_ecdsa(struct hb_span der, struct dsa_signature *sig, size_t coord_len)
{
    struct hb_cur c = hb_cur(der);

    if (hb_cur_u8(&c) != 0x30) {
        return false;
    }
    uint8_t first = hb_cur_u8(&c);
    size_t len = first;
    if (first == 0x81) {
        len = hb_cur_u8(&c);
        if (len < 128) {
            return false;
        }
    } else if (first > 0x81) {
        return false;
    }
    return len == hb_cur_left(&c) && get_integer(&c, sig->r, coord_len) &&
           get_integer(&c, sig->s, coord_len) && hb_cur_end(&c);
}

/* ---- RSA ---- */

/* RFC 8017 9.2 note 1: what precedes the digest in PKCS#1 v1.5 signatures. */
static struct hb_span digest_info(const struct hb_hash *hash)
{
    static const uint8_t sha256[] =
        "\x30\x31\x30\x0d\x06\x09\x60\x86\x48\x01\x65\x03\x04\x02\x01\x05\x00\x04\x20";
    static const uint8_t sha384[] =
        "\x30\x41\x30\x0d\x06\x09\x60\x86\x48\x01\x65\x03\x04\x02\x02\x05\x00\x04\x30";
    static const uint8_t sha512[] =
        "\x30\x51\x30\x0d\x06\x09\x60\x86\x48\x01\x65\x03\x04\x02\x03\x05\x00\x04\x40";

    return hb_span(hash == &hb_sha256 ? sha256 : hash == &hb_sha384 ? sha384 : sha512, 19);
}

static size_t pkcs1_input(const struct hb_hash *hash, const uint8_t *digest, uint8_t *dst)
{
    if (hash == &hb_md5sha1) { /* before TLS 1.2: bare */
        memcpy(dst, digest, hash->len);
        return hash->len;
    }
    memcpy(dst, digest_info(hash).p, 19);
    memcpy(dst + 19, digest, hash->len);
    return 19u + hash->len;
}

static int pss_sign(const struct hb_privkey *key, const struct hb_env *env, const struct hb_hash *hash,
                    const uint8_t *digest, mpz_t s)
{
    uint8_t salt[HB_HASH_MAX];

    env->random(env->ctx, hash->len, salt);
    HB_CT_PUBLIC(salt, hash->len); /* whoever verifies gets to see it */
    if (hash == &hb_sha256) {
        return nettle_rsa_pss_sha256_sign_digest_tr(&key->rsa_pub, &key->rsa, env->ctx, env->random,
                                                    hash->len, salt, digest, s);
    }
    if (hash == &hb_sha384) {
        return nettle_rsa_pss_sha384_sign_digest_tr(&key->rsa_pub, &key->rsa, env->ctx, env->random,
                                                    hash->len, salt, digest, s);
    }
    return nettle_rsa_pss_sha512_sign_digest_tr(&key->rsa_pub, &key->rsa, env->ctx, env->random, hash->len,
                                                salt, digest, s);
}

static int pss_verify(const struct rsa_public_key *pub, const struct hb_hash *hash, const uint8_t *digest,
                      const mpz_t s)
{
    if (hash == &hb_sha256) {
        return nettle_rsa_pss_sha256_verify_digest(pub, hash->len, digest, s);
    }
    if (hash == &hb_sha384) {
        return nettle_rsa_pss_sha384_verify_digest(pub, hash->len, digest, s);
    }
    return nettle_rsa_pss_sha512_verify_digest(pub, hash->len, digest, s);
}

static bool rsa_verify(const struct rsa_public_key *pub, const struct hb_sigalg *alg, const uint8_t *digest,
                       const mpz_t s)
{
    uint8_t info[19 + HB_HASH_MAX];

    if (pub->size < (size_t)alg->hash->len * 2 + 2) {
        return false; /* NET-04: such a modulus cannot hold a PSS signature of this hash */
    }
    if (alg->pad == HB_PAD_PSS) {
        return pss_verify(pub, alg->hash, digest, s) == 1;
    }
    return nettle_rsa_pkcs1_verify(pub, pkcs1_input(alg->hash, digest, info), info, s) == 1;
}

static enum hb_code rsa_sign(const struct hb_privkey *key, const struct hb_env *env,
                             const struct hb_sigalg *alg, const uint8_t *digest, uint8_t *sig, size_t cap,
                             size_t *len)
{
    uint8_t info[19 + HB_HASH_MAX];
    size_t size = key->rsa_pub.size;
    mpz_t s;

    if (size > cap) {
        return HB_E_OVERFLOW;
    }
    if (size < (size_t)alg->hash->len * 2 + 2) {
        return HB_E_TLS_SIGN_FAILED;
    }
    mpz_init(s);
    int ok = alg->pad == HB_PAD_PSS
                 ? pss_sign(key, env, alg->hash, digest, s)
                 : nettle_rsa_pkcs1_sign_tr(&key->rsa_pub, &key->rsa, env->ctx, env->random,
                                            pkcs1_input(alg->hash, digest, info), info, s);
    mark_public(s);
    HB_CT_PUBLIC(&ok, sizeof ok);
    bool good = ok == 1 && rsa_verify(&key->rsa_pub, alg, digest, s);
    if (good) {
        hb_mpz_write(s, sig, size);
        *len = size;
    }
    mpz_clear(s);
    return good ? HB_OK : HB_E_TLS_SIGN_FAILED;
}

/* ---- sign and verify ---- */

static bool fits(enum hb_key_kind key, const struct hb_sigalg *alg)
{
    /* ECDSA in TLS 1.2 goes with any curve and any hash; 1.3's binding of the two is judged when the scheme
     * is chosen (negotiate.c). */
    bool ec_key = hb_ec_find(key) != NULL;
    return ec_key ? hb_ec_find(alg->kind) != NULL : key == alg->kind;
}

static enum hb_code ecdsa_do_sign(const struct hb_privkey *key, const struct hb_env *env,
                                  const struct hb_hash *hash, const uint8_t *digest, uint8_t *sig, size_t cap,
                                  size_t *len)
{
    struct dsa_signature s;
    struct hb_bld out = hb_bld(sig, cap);

    nettle_dsa_signature_init(&s);
    nettle_ecdsa_sign(&key->ec, env->ctx, env->random, hash->len, digest, &s);
    mark_public(s.r);
    mark_public(s.s);
    enum hb_code code = put_ecdsa(&s, hb_ec_find(key->kind)->coord_len, &out);
    nettle_dsa_signature_clear(&s);
    *len = out.len;
    return code;
}

enum hb_code hb_sign(const struct hb_privkey *key, const struct hb_env *env, const struct hb_sigalg *alg,
                     struct hb_span input, uint8_t *sig, size_t cap, size_t *len)
{
    uint8_t digest[HB_HASH_MAX];

    *len = 0;
    if (!fits(key->kind, alg)) {
        return HB_E_TLS_SIGN_FAILED;
    }
    if (is_eddsa(key->kind)) {
        bool ed25519 = key->kind == HB_KEY_ED25519;
        size_t size = ed25519 ? ED25519_SIGNATURE_SIZE : ED448_SIGNATURE_SIZE;
        if (cap < size) {
            return HB_E_OVERFLOW;
        }
        if (ed25519) {
            nettle_ed25519_sha512_sign(key->ed_pub, key->ed_seed, input.len, input.p, sig);
        } else {
            nettle_ed448_shake256_sign(key->ed_pub, key->ed_seed, input.len, input.p, sig);
        }
        HB_CT_PUBLIC(sig, size);
        *len = size;
        return HB_OK;
    }
    hb_hash_once(alg->hash, input, digest);
    if (is_rsa(key->kind)) {
        return rsa_sign(key, env, alg, digest, sig, cap, len);
    }
    return ecdsa_do_sign(key, env, alg->hash, digest, sig, cap, len);
}

static bool ecdsa_do_verify(const struct hb_pubkey *key, const struct hb_hash *hash, const uint8_t *digest,
                            struct hb_span sig)
{
    struct dsa_signature s;

    nettle_dsa_signature_init(&s);
    bool ok = get_ecdsa(sig, &s, hb_ec_find(key->kind)->coord_len) &&
              nettle_ecdsa_verify(&key->ec, hash->len, digest, &s) == 1;
    nettle_dsa_signature_clear(&s);
    return ok;
}

enum hb_code hb_verify(const struct hb_pubkey *key, const struct hb_sigalg *alg, struct hb_span input,
                       struct hb_span sig)
{
    uint8_t digest[HB_HASH_MAX];
    bool ok = false;

    if (!fits(key->kind, alg)) {
        return HB_E_TLS_BAD_SIGNATURE;
    }
    if (key->kind == HB_KEY_ED25519) {
        ok = sig.len == ED25519_SIGNATURE_SIZE &&
             nettle_ed25519_sha512_verify(key->ed, input.len, input.p, sig.p) == 1;
        return ok ? HB_OK : HB_E_TLS_BAD_SIGNATURE;
    }
    if (key->kind == HB_KEY_ED448) {
        ok = sig.len == ED448_SIGNATURE_SIZE &&
             nettle_ed448_shake256_verify(key->ed, input.len, input.p, sig.p) == 1;
        return ok ? HB_OK : HB_E_TLS_BAD_SIGNATURE;
    }
    hb_hash_once(alg->hash, input, digest);
    if (is_rsa(key->kind)) {
        mpz_t s;
        if (sig.len != key->rsa.size) {
            return HB_E_TLS_BAD_SIGNATURE; /* exactly the modulus' length (RFC 8017 8.1.2) */
        }
        mpz_init(s);
        hb_mpz_read(s, sig);
        ok = mpz_cmp(s, key->rsa.n) < 0 && rsa_verify(&key->rsa, alg, digest, s);
        mpz_clear(s);
    } else {
        ok = ecdsa_do_verify(key, alg->hash, digest, sig);
    }
    return ok ? HB_OK : HB_E_TLS_BAD_SIGNATURE;
}

/* ---- RSA key transport ---- */

enum hb_code hb_rsa_decrypt_premaster(const struct hb_privkey *key, const struct hb_env *env,
                                      uint16_t client_version, struct hb_span ciphertext,
                                      uint8_t premaster[48])
{
    uint8_t buf[48];
    mpz_t c;

    /* a random secret stands there first, and stays unless the padding is right; nobody learns which */
    env->random(env->ctx, sizeof buf, buf);
    if (!is_rsa(key->kind)) {
        return HB_E_TLS_SIGN_FAILED;
    }
    if (ciphertext.len == key->rsa_pub.size) {
        mpz_init(c);
        hb_mpz_read(c, ciphertext);
        if (mpz_cmp(c, key->rsa_pub.n) < 0) { /* public */
            (void)nettle_rsa_sec_decrypt(&key->rsa_pub, &key->rsa, env->ctx, env->random, sizeof buf, buf, c);
        }
        mpz_clear(c);
    }
    buf[0] = (uint8_t)(client_version >> 8);
    buf[1] = (uint8_t)client_version;
    memcpy(premaster, buf, sizeof buf);
    hb_wipe(buf, sizeof buf);
    return HB_OK;
}

enum hb_code hb_rsa_encrypt_premaster(const struct hb_pubkey *key, const struct hb_env *env, uint16_t version,
                                      uint8_t premaster[48], uint8_t *dst, size_t cap, size_t *len)
{
    mpz_t c;

    *len = 0;
    if (key->kind != HB_KEY_RSA || key->rsa.size > cap) {
        return HB_E_TLS_CERTIFICATE_KIND;
    }
    env->random(env->ctx, 48, premaster);
    premaster[0] = (uint8_t)(version >> 8);
    premaster[1] = (uint8_t)version;
    mpz_init(c);
    bool ok = nettle_rsa_encrypt(&key->rsa, env->ctx, env->random, 48, premaster, c) == 1;
    if (ok) {
        mark_public(c);
        hb_mpz_write(c, dst, key->rsa.size);
        *len = key->rsa.size;
    }
    mpz_clear(c);
    return ok ? HB_OK : HB_E_INTERNAL;
}
