/* nettle_kex.c: X25519, X448 and the NIST curves as key exchange.
 * Every key pair is for one handshake; the caller wipes the private half. Peer shares are checked for length,
 * curve and an all-zero result (T13-08). */
#include "crypto.h"
#include "nettle_ec.h"

#include <hb/ct.h>
#include <nettle/curve25519.h>
#include <nettle/curve448.h>

/* ---- X25519 and X448 (RFC 7748): clamping and masking are Nettle's ---- */

#define MONTGOMERY_GLUE(name, size, nettle)                                                                  \
    static void name##_generate(const struct hb_env *env, uint8_t *priv, uint8_t *share)                     \
    {                                                                                                        \
        env->random(env->ctx, size, priv);                                                                   \
        nettle##_mul_g(share, priv);                                                                         \
        HB_CT_PUBLIC(share, size);                                                                           \
    }                                                                                                        \
    static enum hb_code name##_derive(const uint8_t *priv, struct hb_span peer_share, uint8_t *shared)       \
    {                                                                                                        \
        if (peer_share.len != (size)) {                                                                      \
            return HB_E_TLS_KEY_SHARE;                                                                       \
        }                                                                                                    \
        nettle##_mul(shared, priv, peer_share.p);                                                            \
        return hb_ct_is_zero(shared, size) ? HB_E_TLS_KEY_SHARE : HB_OK;                                     \
    }                                                                                                        \
    static enum hb_code name##_answer(const struct hb_env *env, struct hb_span peer_share, uint8_t *share,   \
                                      uint8_t *shared)                                                       \
    {                                                                                                        \
        uint8_t priv[size];                                                                                  \
        if (peer_share.len != (size)) {                                                                      \
            return HB_E_TLS_KEY_SHARE;                                                                       \
        }                                                                                                    \
        name##_generate(env, priv, share);                                                                   \
        enum hb_code code = name##_derive(priv, peer_share, shared);                                         \
        hb_wipe(priv, sizeof priv);                                                                          \
        return code;                                                                                         \
    }

MONTGOMERY_GLUE(x25519, CURVE25519_SIZE, nettle_curve25519)
MONTGOMERY_GLUE(x448, CURVE448_SIZE, nettle_curve448)

/* ---- NIST curves ---- */

static void nist_generate(enum hb_key_kind kind, const struct hb_env *env, uint8_t *priv, uint8_t *share)
{
    const struct hb_ec_curve *curve = hb_ec_find(kind);
    struct ecc_scalar k;
    struct ecc_point p;

    hb_gmp_init();
    nettle_ecc_scalar_init(&k, curve->get());
    nettle_ecc_point_init(&p, curve->get());
    nettle_ecc_scalar_random(&k, env->ctx, env->random);
    nettle_ecc_point_mul_g(&p, &k);
    hb_ec_point_write(curve, &p, share);
    hb_ec_scalar_write(curve, &k, priv);
    HB_CT_PUBLIC(share, 1 + 2 * (size_t)curve->coord_len);
    nettle_ecc_scalar_clear(&k);
    nettle_ecc_point_clear(&p);
}

static enum hb_code nist_derive(enum hb_key_kind kind, const uint8_t *priv, struct hb_span peer_share,
                                uint8_t *shared)
{
    const struct hb_ec_curve *curve = hb_ec_find(kind);
    uint8_t sec1[1 + 2 * HB_EC_COORD_MAX];
    struct ecc_scalar k;
    struct ecc_point p;
    enum hb_code code = HB_E_TLS_KEY_SHARE;

    hb_gmp_init();
    nettle_ecc_scalar_init(&k, curve->get());
    nettle_ecc_point_init(&p, curve->get());
    if (hb_ec_point_read(curve, peer_share, &p)) {
        hb_ec_scalar_read(curve, priv, &k); /* in range: nist_generate() made it */
        nettle_ecc_point_mul(&p, &k, &p);
        hb_ec_point_write(curve, &p, sec1);
        memcpy(shared, sec1 + 1, curve->coord_len); /* the X coordinate */
        code = HB_OK;
    }
    nettle_ecc_scalar_clear(&k);
    nettle_ecc_point_clear(&p);
    hb_wipe(sec1, sizeof sec1);
    return code;
}

static enum hb_code nist_answer(enum hb_key_kind kind, const struct hb_env *env, struct hb_span peer_share,
                                uint8_t *share, uint8_t *shared)
{
    uint8_t priv[HB_EC_COORD_MAX];

    if (peer_share.len != 1 + 2 * (size_t)hb_ec_find(kind)->coord_len) {
        return HB_E_TLS_KEY_SHARE; /* cheap checks before the dear ones */
    }
    nist_generate(kind, env, priv, share);
    enum hb_code code = nist_derive(kind, priv, peer_share, shared);
    hb_wipe(priv, sizeof priv);
    return code;
}

#define NIST_GLUE(name, kind)                                                                                \
    static void name##_generate(const struct hb_env *env, uint8_t *priv, uint8_t *share)                     \
    {                                                                                                        \
        nist_generate(kind, env, priv, share);                                                               \
    }                                                                                                        \
    static enum hb_code name##_derive(const uint8_t *priv, struct hb_span peer_share, uint8_t *shared)       \
    {                                                                                                        \
        return nist_derive(kind, priv, peer_share, shared);                                                  \
    }                                                                                                        \
    static enum hb_code name##_answer(const struct hb_env *env, struct hb_span peer_share, uint8_t *share,   \
                                      uint8_t *shared)                                                       \
    {                                                                                                        \
        return nist_answer(kind, env, peer_share, share, shared);                                            \
    }

NIST_GLUE(p256, HB_KEY_P256)
NIST_GLUE(p384, HB_KEY_P384)
NIST_GLUE(p521, HB_KEY_P521)

/* clang-format off */
const struct hb_kex hb_x25519    = {"x25519",    0x001d, HB_GROUP_EC,  32,  32, 32, 32, x25519_generate, x25519_derive, x25519_answer};
const struct hb_kex hb_x448      = {"x448",      0x001e, HB_GROUP_EC,  56,  56, 56, 56, x448_generate,   x448_derive,   x448_answer};
const struct hb_kex hb_secp256r1 = {"secp256r1", 0x0017, HB_GROUP_EC,  65,  65, 32, 32, p256_generate,   p256_derive,   p256_answer};
const struct hb_kex hb_secp384r1 = {"secp384r1", 0x0018, HB_GROUP_EC,  97,  97, 48, 48, p384_generate,   p384_derive,   p384_answer};
const struct hb_kex hb_secp521r1 = {"secp521r1", 0x0019, HB_GROUP_EC, 133, 133, 66, 66, p521_generate,   p521_derive,   p521_answer};
/* clang-format on */
