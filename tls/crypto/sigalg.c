/* sigalg.c: the signature schemes in the server's order of preference (tls.md section 1). */
#include "crypto.h"

/* clang-format off */
const struct hb_sigalg hb_sigalgs[] = {
    {"ecdsa_secp256r1_sha256", 0x0403, HB_KEY_P256,    HB_PAD_NONE,  &hb_sha256, true},
    {"ed25519",                0x0807, HB_KEY_ED25519, HB_PAD_NONE,  NULL,       true},
    {"ecdsa_secp384r1_sha384", 0x0503, HB_KEY_P384,    HB_PAD_NONE,  &hb_sha384, true},
    {"rsa_pss_rsae_sha256",    0x0804, HB_KEY_RSA,     HB_PAD_PSS,   &hb_sha256, true},
    {"ecdsa_secp521r1_sha512", 0x0603, HB_KEY_P521,    HB_PAD_NONE,  &hb_sha512, true},
    {"rsa_pss_rsae_sha384",    0x0805, HB_KEY_RSA,     HB_PAD_PSS,   &hb_sha384, true},
    {"rsa_pss_rsae_sha512",    0x0806, HB_KEY_RSA,     HB_PAD_PSS,   &hb_sha512, true},
    {"ed448",                  0x0808, HB_KEY_ED448,   HB_PAD_NONE,  NULL,       true},
    {"rsa_pss_pss_sha256",     0x0809, HB_KEY_RSA_PSS, HB_PAD_PSS,   &hb_sha256, true},
    {"rsa_pss_pss_sha384",     0x080a, HB_KEY_RSA_PSS, HB_PAD_PSS,   &hb_sha384, true},
    {"rsa_pss_pss_sha512",     0x080b, HB_KEY_RSA_PSS, HB_PAD_PSS,   &hb_sha512, true},
    {"rsa_pkcs1_sha256",       0x0401, HB_KEY_RSA,     HB_PAD_PKCS1, &hb_sha256, false},
    {"rsa_pkcs1_sha384",       0x0501, HB_KEY_RSA,     HB_PAD_PKCS1, &hb_sha384, false},
    {"rsa_pkcs1_sha512",       0x0601, HB_KEY_RSA,     HB_PAD_PKCS1, &hb_sha512, false},
};
/* clang-format on */
const size_t hb_num_sigalgs = sizeof hb_sigalgs / sizeof hb_sigalgs[0];

const struct hb_sigalg *hb_sigalg_find(uint16_t id)
{
    for (size_t i = 0; i < hb_num_sigalgs; i++) {
        if (hb_sigalgs[i].id == id) {
            return &hb_sigalgs[i];
        }
    }
    return NULL;
}

static bool is_ec(enum hb_key_kind kind)
{
    return kind == HB_KEY_P256 || kind == HB_KEY_P384 || kind == HB_KEY_P521;
}

bool hb_sigalg_fits(const struct hb_sigalg *alg, enum hb_key_kind kind, bool tls13)
{
    return alg->kind == kind || (!tls13 && is_ec(kind) && is_ec(alg->kind));
}
