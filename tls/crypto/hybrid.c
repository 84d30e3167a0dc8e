/* hybrid.c: X25519MLKEM768 (RFC 10024): two key exchanges whose secrets stand side by side, ML-KEM's first,
 * against the order of the name. Breaking one is not enough.
 *
 *   client share: ek 1184 | x25519 32      server share: ct 1088 | x25519 32      secret: ML-KEM 32 | x25519
 * 32 */
#include "crypto.h"
#include "mlkem.h"

#include <hb/ct.h>

#define X 32u

static void generate(const struct hb_env *env, uint8_t *priv, uint8_t *share)
{
    uint8_t seed[HB_MLKEM_SEED];

    env->random(env->ctx, sizeof seed, seed);
    hb_mlkem_keygen(seed, share, priv);
    hb_wipe(seed, sizeof seed);
    hb_x25519.generate(env, priv + HB_MLKEM_DK, share + HB_MLKEM_EK);
}

static enum hb_code derive(const uint8_t *priv, struct hb_span peer_share, uint8_t *shared)
{
    if (peer_share.len != HB_MLKEM_CT + X) {
        return HB_E_TLS_KEY_SHARE;
    }
    hb_mlkem_decaps(priv, peer_share.p, shared);
    return hb_x25519.derive(priv + HB_MLKEM_DK, hb_span_skip(peer_share, HB_MLKEM_CT), shared + HB_MLKEM_SS);
}

static enum hb_code answer(const struct hb_env *env, struct hb_span peer_share, uint8_t *share,
                           uint8_t *shared)
{
    uint8_t m[32];

    if (peer_share.len != HB_MLKEM_EK + X || !hb_mlkem_ek_ok(peer_share.p)) {
        return HB_E_TLS_KEY_SHARE; /* MLK-03 */
    }
    env->random(env->ctx, sizeof m, m);
    hb_mlkem_encaps(peer_share.p, m, share, shared);
    hb_wipe(m, sizeof m);
    return hb_x25519.answer(env, hb_span_skip(peer_share, HB_MLKEM_EK), share + HB_MLKEM_CT,
                            shared + HB_MLKEM_SS);
}

/* clang-format off */
const struct hb_kex hb_x25519mlkem768 = {"X25519MLKEM768", 0x11ec, HB_GROUP_HYBRID,
    HB_MLKEM_EK + X, HB_MLKEM_CT + X, HB_MLKEM_DK + X, HB_MLKEM_SS + X, generate, derive, answer};
/* clang-format on */
