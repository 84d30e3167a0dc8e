/* nettle_sign.c: signing and verifying: which key fits which scheme, ECDSA's DER, EdDSA; RSA is in
 * nettle_rsa.c.
 *
 * Invariants: a scheme signs only with a key of its kind; a signature is DER in its one shortest form or it
 * is none; no signature of a wrong length reaches Nettle.
 * Owns nothing; its numbers are wiped when GMP frees them. */
#include "nettle_compat.h"
#include "nettle_keys.h"

#include <hb/builder.h>
#include <hb/cursor.h>
#include <nettle/bignum.h>
#include <nettle/dsa.h>
#include <nettle/ecdsa.h>

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
    hb_mpz_public(s.r);
    hb_mpz_public(s.s);
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
    if (hb_kind_is_eddsa(key->kind)) {
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
    if (hb_kind_is_rsa(key->kind)) {
        return hb_rsa_sign(key, env, alg, digest, sig, cap, len);
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
    ok = hb_kind_is_rsa(key->kind) ? hb_rsa_verify(&key->rsa, alg, digest, sig)
                                   : ecdsa_do_verify(key, alg->hash, digest, sig);
    return ok ? HB_OK : HB_E_TLS_BAD_SIGNATURE;
}
