/* nettle_rsa.c: RSA: signatures with both paddings, and the premaster secrets of TLS 1.2 and before.
 *
 * Invariants: private operations go only through the blinded, fault-checked functions of Nettle, and a
 * signature is verified once more before it leaves (CT-05). Decryption gives 48 bytes in the same time
 * whatever came, and tells nobody which they were (CT-03).
 * Owns nothing; its numbers are wiped when GMP frees them. */
#include "legacy.h"
#include "nettle_compat.h"
#include "nettle_keys.h"

#include <nettle/bignum.h>

/* ---- signatures ---- */

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

static bool number_verifies(const struct rsa_public_key *pub, const struct hb_sigalg *alg,
                            const uint8_t *digest, const mpz_t s)
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

enum hb_code hb_rsa_sign(const struct hb_privkey *key, const struct hb_env *env, const struct hb_sigalg *alg,
                         const uint8_t *digest, uint8_t *sig, size_t cap, size_t *len)
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
    hb_mpz_public(s);
    HB_CT_PUBLIC(&ok, sizeof ok);
    bool good = ok == 1 && number_verifies(&key->rsa_pub, alg, digest, s);
    if (good) {
        hb_mpz_write(s, sig, size);
        *len = size;
    }
    mpz_clear(s);
    return good ? HB_OK : HB_E_TLS_SIGN_FAILED;
}

bool hb_rsa_verify(const struct rsa_public_key *pub, const struct hb_sigalg *alg, const uint8_t *digest,
                   struct hb_span sig)
{
    mpz_t s;

    if (sig.len != pub->size) {
        return false; /* exactly the modulus' length (RFC 8017 8.1.2) */
    }
    mpz_init(s);
    hb_mpz_read(s, sig);
    bool ok = mpz_cmp(s, pub->n) < 0 && number_verifies(pub, alg, digest, s);
    mpz_clear(s);
    return ok;
}

/* ---- key transport (RFC 5246 7.4.7.1) ---- */

enum hb_code hb_rsa_decrypt_premaster(const struct hb_privkey *key, const struct hb_env *env,
                                      uint16_t client_version, struct hb_span ciphertext,
                                      uint8_t premaster[48])
{
    uint8_t buf[48];
    mpz_t c;

    /* a random secret stands there first, and stays unless the padding is right; nobody learns which */
    env->random(env->ctx, sizeof buf, buf);
    if (!hb_kind_is_rsa(key->kind)) {
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
        hb_mpz_public(c);
        hb_mpz_write(c, dst, key->rsa.size);
        *len = key->rsa.size;
    }
    mpz_clear(c);
    return ok ? HB_OK : HB_E_INTERNAL;
}
