/* nettle_legacy.c: MD5, MD5 with SHA-1, AES-CBC, 3DES-CBC, RC4. */
#include "legacy.h"
#include "nettle_compat.h"

#include <nettle/aes.h>
#include <nettle/arcfour.h>
#include <nettle/cbc.h>
#include <nettle/des.h>
#include <nettle/md5.h>
#include <nettle/sha1.h>

/* ---- hashes ---- */

static void md5_start(union hb_hash_ctx *h)
{
    nettle_md5_init((struct md5_ctx *)(void *)h);
}

static void md5_add(union hb_hash_ctx *h, struct hb_span data)
{
    if (data.len > 0) {
        nettle_md5_update((struct md5_ctx *)(void *)h, data.len, data.p);
    }
}

static void md5_end(union hb_hash_ctx *h, uint8_t *dst)
{
    HB_DIGEST(nettle_md5_digest, (struct md5_ctx *)(void *)h, MD5_DIGEST_SIZE, dst);
}

struct both {
    struct md5_ctx md5;
    struct sha1_ctx sha1;
};
_Static_assert(sizeof(struct both) <= sizeof(union hb_hash_ctx), "hb_hash_ctx is too small");

static struct both *both(union hb_hash_ctx *h)
{
    return (struct both *)(void *)h;
}

static void both_start(union hb_hash_ctx *h)
{
    nettle_md5_init(&both(h)->md5);
    nettle_sha1_init(&both(h)->sha1);
}

static void both_add(union hb_hash_ctx *h, struct hb_span data)
{
    if (data.len > 0) {
        nettle_md5_update(&both(h)->md5, data.len, data.p);
        nettle_sha1_update(&both(h)->sha1, data.len, data.p);
    }
}

static void both_end(union hb_hash_ctx *h, uint8_t *dst)
{
    HB_DIGEST(nettle_md5_digest, &both(h)->md5, MD5_DIGEST_SIZE, dst);
    HB_DIGEST(nettle_sha1_digest, &both(h)->sha1, SHA1_DIGEST_SIZE, dst + MD5_DIGEST_SIZE);
}

const struct hb_hash hb_md5 = {"MD5", 16, 64, NULL, md5_start, md5_add, md5_end};
const struct hb_hash hb_md5sha1 = {"MD5+SHA-1", 36, 64, NULL, both_start, both_add, both_end};

/* ---- ciphers ---- */

#define AES_GLUE(bits)                                                                                       \
    static void aes##bits##_key(union hb_aead_ctx *c, const uint8_t *key, bool encrypt)                      \
    {                                                                                                        \
        struct aes##bits##_ctx *a = (struct aes##bits##_ctx *)(void *)c;                                     \
        if (encrypt) {                                                                                       \
            nettle_aes##bits##_set_encrypt_key(a, key);                                                      \
        } else {                                                                                             \
            nettle_aes##bits##_set_decrypt_key(a, key);                                                      \
        }                                                                                                    \
    }                                                                                                        \
    static void aes##bits##_enc(union hb_aead_ctx *c, uint8_t *iv, uint8_t *p, size_t len)                   \
    {                                                                                                        \
        nettle_cbc_encrypt(c, (nettle_cipher_func *)nettle_aes##bits##_encrypt, AES_BLOCK_SIZE, iv, len, p,  \
                           p);                                                                               \
    }                                                                                                        \
    static void aes##bits##_dec(union hb_aead_ctx *c, uint8_t *iv, uint8_t *p, size_t len)                   \
    {                                                                                                        \
        nettle_cbc_decrypt(c, (nettle_cipher_func *)nettle_aes##bits##_decrypt, AES_BLOCK_SIZE, iv, len, p,  \
                           p);                                                                               \
    }

AES_GLUE(128)
AES_GLUE(256)

static void des3_key(union hb_aead_ctx *c, const uint8_t *key, bool encrypt)
{
    (void)encrypt;
    (void)nettle_des3_set_key((struct des3_ctx *)(void *)c, key); /* says "weak key": the peer's misfortune */
}

static void des3_enc(union hb_aead_ctx *c, uint8_t *iv, uint8_t *p, size_t len)
{
    nettle_cbc_encrypt(c, (nettle_cipher_func *)nettle_des3_encrypt, DES3_BLOCK_SIZE, iv, len, p, p);
}

static void des3_dec(union hb_aead_ctx *c, uint8_t *iv, uint8_t *p, size_t len)
{
    nettle_cbc_decrypt(c, (nettle_cipher_func *)nettle_des3_decrypt, DES3_BLOCK_SIZE, iv, len, p, p);
}

static void rc4_key(union hb_aead_ctx *c, const uint8_t *key, bool encrypt)
{
    (void)encrypt;
    nettle_arcfour_set_key((struct arcfour_ctx *)(void *)c, 16, key);
}

static void rc4_crypt(union hb_aead_ctx *c, uint8_t *iv, uint8_t *p, size_t len)
{
    (void)iv;
    nettle_arcfour_crypt((struct arcfour_ctx *)(void *)c, len, p, p);
}

/* clang-format off */
const struct hb_block_cipher hb_aes128_cbc = {"AES-128-CBC", 16, 16, aes128_key, aes128_enc, aes128_dec};
const struct hb_block_cipher hb_aes256_cbc = {"AES-256-CBC", 32, 16, aes256_key, aes256_enc, aes256_dec};
const struct hb_block_cipher hb_3des_cbc   = {"3DES-CBC",    24,  8, des3_key,   des3_enc,   des3_dec};
const struct hb_block_cipher hb_rc4        = {"RC4",         16,  0, rc4_key,    rc4_crypt,  rc4_crypt};
/* clang-format on */

/* ---- signatures ---- */

static const struct hb_sigalg rsa_md5sha1 = {"rsa_pkcs1_md5_sha1", 0xff01,      HB_KEY_RSA,
                                             HB_PAD_PKCS1,         &hb_md5sha1, false};
static const struct hb_sigalg ecdsa_sha1 = {"ecdsa_sha1", 0x0203, HB_KEY_P256, HB_PAD_NONE, &hb_sha1, false};

const struct hb_sigalg *hb_sigalg_before12(enum hb_key_kind kind)
{
    switch (kind) {
    case HB_KEY_RSA:
        return &rsa_md5sha1;
    case HB_KEY_P256:
    case HB_KEY_P384:
    case HB_KEY_P521:
        return &ecdsa_sha1;
    case HB_KEY_RSA_PSS:
    case HB_KEY_ED25519:
    case HB_KEY_ED448:
        break;
    }
    return NULL;
}
