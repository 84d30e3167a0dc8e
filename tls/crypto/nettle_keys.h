/* nettle_keys.h: keys in Nettle's terms, shared by the files that sign, verify and decrypt with them (private
 * to this folder). */
#ifndef HB_NETTLE_KEYS_H
#define HB_NETTLE_KEYS_H

#include "crypto.h"
#include "nettle_ec.h"
#include <hb/ct.h>
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

static inline bool hb_kind_is_rsa(enum hb_key_kind kind)
{
    return kind == HB_KEY_RSA || kind == HB_KEY_RSA_PSS;
}

static inline bool hb_kind_is_eddsa(enum hb_key_kind kind)
{
    return kind == HB_KEY_ED25519 || kind == HB_KEY_ED448;
}

/* For the Valgrind suite: a result that leaves. How many limbs it has is no secret. */
static inline void hb_mpz_public(const mpz_t z)
{
    HB_CT_PUBLIC(mpz_limbs_read(z), mpz_size(z) * sizeof(mp_limb_t));
}

/* nettle_rsa.c */

/* A signature of the modulus' length over digest, verified once more before it leaves (CT-05). */
HB_MUST_USE enum hb_code hb_rsa_sign(const struct hb_privkey *key, const struct hb_env *env,
                                     const struct hb_sigalg *alg, const uint8_t *digest, uint8_t *sig,
                                     size_t cap, size_t *len);
bool hb_rsa_verify(const struct rsa_public_key *pub, const struct hb_sigalg *alg, const uint8_t *digest,
                   struct hb_span sig);

#endif
