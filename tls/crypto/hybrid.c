/* hybrid.c: X25519MLKEM768 and SecP256r1MLKEM768 (RFC 10024): two key exchanges whose secrets stand side by
 * side. Breaking one is not enough.
 *
 *                        client share                server share                secret
 *   X25519MLKEM768       ek 1184 | x25519 32         ct 1088 | x25519 32         ML-KEM 32 | x25519 32
 *   SecP256r1MLKEM768    P-256 65 | ek 1184          P-256 65 | ct 1088          P-256 32 | ML-KEM 32
 *
 * ML-KEM's part stands first in the former, against the order of the name. */
#include "crypto.h"
#include "mlkem.h"

#include <hb/ct.h>

/* How the parts of one hybrid lie in its shares and its secret. The private half is dk and the curve's,
 * always. */
struct layout {
    const struct hb_kex *curve;
    bool curve_first;
};

static const struct layout with_x25519 = {&hb_x25519, false};
static const struct layout with_p256 = {&hb_secp256r1, true};

/* Where the two parts of something begin: the curve's is curve_len bytes long, ML-KEM's kem_len. */
static size_t kem_at(const struct layout *l, size_t curve_len)
{
    return l->curve_first ? curve_len : 0;
}

static size_t curve_at(const struct layout *l, size_t kem_len)
{
    return l->curve_first ? 0 : kem_len;
}

static void generate(const struct layout *l, const struct hb_env *env, uint8_t *priv, uint8_t *share)
{
    uint8_t seed[HB_MLKEM_SEED];

    env->random(env->ctx, sizeof seed, seed);
    hb_mlkem_keygen(seed, share + kem_at(l, l->curve->client_share_len), priv);
    hb_wipe(seed, sizeof seed);
    l->curve->generate(env, priv + HB_MLKEM_DK, share + curve_at(l, HB_MLKEM_EK));
}

static enum hb_code derive(const struct layout *l, const uint8_t *priv, struct hb_span peer_share,
                           uint8_t *shared)
{
    size_t curve_len = l->curve->server_share_len;

    if (peer_share.len != HB_MLKEM_CT + curve_len) {
        return HB_E_TLS_KEY_SHARE;
    }
    hb_mlkem_decaps(priv, peer_share.p + kem_at(l, curve_len), shared + kem_at(l, l->curve->shared_len));
    return l->curve->derive(priv + HB_MLKEM_DK, hb_span(peer_share.p + curve_at(l, HB_MLKEM_CT), curve_len),
                            shared + curve_at(l, HB_MLKEM_SS));
}

static enum hb_code answer(const struct layout *l, const struct hb_env *env, struct hb_span peer_share,
                           uint8_t *share, uint8_t *shared)
{
    size_t curve_len = l->curve->client_share_len;
    uint8_t m[32];

    if (peer_share.len != HB_MLKEM_EK + curve_len || !hb_mlkem_ek_ok(peer_share.p + kem_at(l, curve_len))) {
        return HB_E_TLS_KEY_SHARE; /* MLK-03 */
    }
    env->random(env->ctx, sizeof m, m);
    hb_mlkem_encaps(peer_share.p + kem_at(l, curve_len), m, share + kem_at(l, curve_len),
                    shared + kem_at(l, l->curve->shared_len));
    hb_wipe(m, sizeof m);
    return l->curve->answer(env, hb_span(peer_share.p + curve_at(l, HB_MLKEM_EK), curve_len),
                            share + curve_at(l, HB_MLKEM_CT), shared + curve_at(l, HB_MLKEM_SS));
}

#define HYBRID(name)                                                                                         \
    static void name##_generate(const struct hb_env *env, uint8_t *priv, uint8_t *share)                     \
    {                                                                                                        \
        generate(&with_##name, env, priv, share);                                                            \
    }                                                                                                        \
    static enum hb_code name##_derive(const uint8_t *priv, struct hb_span peer_share, uint8_t *shared)       \
    {                                                                                                        \
        return derive(&with_##name, priv, peer_share, shared);                                               \
    }                                                                                                        \
    static enum hb_code name##_answer(const struct hb_env *env, struct hb_span peer_share, uint8_t *share,   \
                                      uint8_t *shared)                                                       \
    {                                                                                                        \
        return answer(&with_##name, env, peer_share, share, shared);                                         \
    }

HYBRID(x25519)
HYBRID(p256)

/* clang-format off */
const struct hb_kex hb_x25519mlkem768 = {"X25519MLKEM768", 0x11ec, HB_GROUP_HYBRID,
    HB_MLKEM_EK + 32, HB_MLKEM_CT + 32, HB_MLKEM_DK + 32, HB_MLKEM_SS + 32, x25519_generate, x25519_derive, x25519_answer};
const struct hb_kex hb_secp256r1mlkem768 = {"SecP256r1MLKEM768", 0x11eb, HB_GROUP_HYBRID,
    HB_MLKEM_EK + 65, HB_MLKEM_CT + 65, HB_MLKEM_DK + 32, HB_MLKEM_SS + 32, p256_generate, p256_derive, p256_answer};
/* clang-format on */
