/* nettle_gcm.c: AES-GCM (SP 800-38D), from Nettle's AES and, where the CPU has the instruction, a GHASH of
 * our own.
 *
 * Put together here because Nettle's own is slow where records live: a body stands behind 5 bytes of header,
 * so it hardly ever is aligned, and every block's GHASH waits for the one before it. Invariants: a keyed
 * context is read-only for seal and open; the tag is judged before anything is decrypted, so no plaintext
 * exists before it matched (CT-02). Holds the key stream of a piece of a message at a time, and wipes it. */
#include "crypto.h"
#include "ghash.h"
#include "nettle_compat.h"

#include <hb/ct.h>
#include <nettle/aes.h>
#include <nettle/gcm.h>

/* REC-15: 2^23 records is well below the 2^24.5 of RFC 8446 5.5. */
#define RECORDS    (1u << 23)
#define BLOCK      16u
#define STREAM_LEN 4096u /* it stays in the cache beside what it is made for */

struct keyed {
    union {
        struct aes128_ctx aes128;
        struct aes256_ctx aes256;
    } cipher;
    bool clmul; /* which of the two it is */
    union {
        struct hb_ghash ours;
        struct gcm_key nettles;
    } hash;
};
_Static_assert(sizeof(struct keyed) <= sizeof(union hb_aead_ctx), "hb_aead_ctx is too small");

static const struct keyed *keyed_of(const union hb_aead_ctx *u)
{
    return (const struct keyed *)(const void *)u;
}

static void set_hash_key(struct keyed *k, nettle_cipher_func *aes)
{
    uint8_t h[BLOCK] = {0};

    k->clmul = hb_cpu_has_clmul();
    if (k->clmul) {
        aes(&k->cipher, BLOCK, h, h);
        hb_ghash_init(&k->hash.ours, h);
        hb_wipe(h, sizeof h);
    } else {
        nettle_gcm_set_key(&k->hash.nettles, &k->cipher, aes);
    }
}

static void drop(union hb_aead_ctx *c)
{
    hb_wipe(c, keyed_of(c)->clmul ? offsetof(struct keyed, hash) + sizeof(struct hb_ghash)
                                  : sizeof(struct keyed));
}

/* ---- the cipher: counter mode, SP 800-38D 6.5 ---- */

static uint32_t big_endian(uint32_t v)
{
    const uint8_t bytes[] = {(uint8_t)(v >> 24), (uint8_t)(v >> 16), (uint8_t)(v >> 8), (uint8_t)v};

    memcpy(&v, bytes, sizeof v);
    return v;
}

static void make_counters(uint8_t *stream, const uint8_t nonce[HB_IV_LEN], uint32_t counter, size_t blocks)
{
    uint64_t head; /* of every block: in registers, not read again behind each store */
    uint32_t middle;

    memcpy(&head, nonce, sizeof head);
    memcpy(&middle, nonce + sizeof head, sizeof middle);
    for (; blocks > 0; blocks--, counter++, stream += BLOCK) {
        uint32_t tail = big_endian(counter);
        memcpy(stream, &head, sizeof head);
        memcpy(stream + 8, &middle, sizeof middle);
        memcpy(stream + 12, &tail, sizeof tail);
    }
}

static void xor_stream(uint8_t *dst, const uint8_t *src, const uint8_t *stream, size_t len)
{
    for (; len >= BLOCK; len -= BLOCK, dst += BLOCK, src += BLOCK, stream += BLOCK) {
        uint64_t a[2];
        uint64_t b[2];
        memcpy(a, src, sizeof a);
        memcpy(b, stream, sizeof b);
        a[0] ^= b[0];
        a[1] ^= b[1];
        memcpy(dst, a, sizeof a);
    }
    for (size_t i = 0; i < len; i++) {
        /* NOLINTNEXTLINE(clang-analyzer-core.UndefinedBinaryOperatorResult): AES wrote it */
        dst[i] = src[i] ^ stream[i];
    }
}

/* first: which of the message's blocks src begins with. */
static void crypt(const struct keyed *k, nettle_cipher_func *aes, const uint8_t nonce[HB_IV_LEN],
                  size_t first, uint8_t *dst, const uint8_t *src, size_t len)
{
    uint8_t stream[STREAM_LEN] __attribute__((aligned(64)));
    uint32_t counter = 2 + (uint32_t)first; /* 1 is the tag's */
    size_t used = len < STREAM_LEN ? (len + BLOCK - 1) / BLOCK * BLOCK : STREAM_LEN;

    while (len > 0) {
        size_t n = len < STREAM_LEN ? len : STREAM_LEN;
        size_t blocks = (n + BLOCK - 1) / BLOCK;
        make_counters(stream, nonce, counter, blocks);
        aes(&k->cipher, BLOCK * blocks, stream, stream);
        xor_stream(dst, src, stream, n);
        counter += (uint32_t)blocks;
        dst += n;
        src += n;
        len -= n;
    }
    hb_wipe(stream, used);
}

/* ---- the tag ---- */

/* Nettle hashes ciphertext only as it makes it. Here it is hashed the way associated data is, block by block,
 * and the two lengths are put right before they are hashed themselves. */
static void nettles_tag(const struct keyed *k, nettle_cipher_func *aes, const uint8_t nonce[HB_IV_LEN],
                        struct hb_span aad, struct hb_span sealed, uint8_t tag[HB_TAG_LEN])
{
    const struct gcm_key *key = &k->hash.nettles;
    struct gcm_ctx m;

    nettle_gcm_set_iv(&m, key, HB_IV_LEN, nonce);
    nettle_gcm_update(&m, key, aad.len, aad.p);
    m.auth_size = 0;
    nettle_gcm_update(&m, key, sealed.len, sealed.p);
    m.auth_size = aad.len;
    m.data_size = sealed.len;
    HB_GCM_DIGEST(&m, key, &k->cipher, aes, HB_TAG_LEN, tag);
}

static void make_tag(const struct keyed *k, nettle_cipher_func *aes, const uint8_t nonce[HB_IV_LEN],
                     struct hb_span aad, struct hb_span sealed, uint8_t tag[HB_TAG_LEN])
{
    uint8_t x[BLOCK] = {0};
    uint8_t mask[BLOCK] = {0};
    uint8_t lens[BLOCK];

    if (!k->clmul) {
        nettles_tag(k, aes, nonce, aad, sealed, tag);
        return;
    }
    for (unsigned i = 0; i < 8; i++) { /* both in bits */
        lens[i] = (uint8_t)((uint64_t)aad.len * 8 >> (56 - 8 * i));
        lens[8 + i] = (uint8_t)((uint64_t)sealed.len * 8 >> (56 - 8 * i));
    }
    hb_ghash_add(&k->hash.ours, x, aad.p, aad.len);
    hb_ghash_add(&k->hash.ours, x, sealed.p, sealed.len);
    hb_ghash_add(&k->hash.ours, x, lens, sizeof lens);
    make_counters(mask, nonce, 1, 1);
    aes(&k->cipher, BLOCK, mask, mask);
    xor_stream(tag, x, mask, BLOCK);
    hb_wipe(mask, sizeof mask);
}

/* ---- both together ---- */

static void seal_from(const struct keyed *k, nettle_cipher_func *aes, const uint8_t nonce[HB_IV_LEN],
                      struct hb_span aad, uint8_t *dst, const uint8_t *src, size_t direct, size_t len)
{
    crypt(k, aes, nonce, 0, dst, src, direct);
    crypt(k, aes, nonce, direct / BLOCK, dst + direct, dst + direct, len - direct);
    make_tag(k, aes, nonce, aad, hb_span(dst, len), dst + len);
}

static bool unseal(const struct keyed *k, nettle_cipher_func *aes, const uint8_t nonce[HB_IV_LEN],
                   struct hb_span aad, uint8_t *dst, const uint8_t *src, size_t len)
{
    uint8_t tag[HB_TAG_LEN];

    make_tag(k, aes, nonce, aad, hb_span(src, len), tag);
    if (!hb_ct_eq(tag, src + len, HB_TAG_LEN)) {
        hb_wipe(dst, len);
        return false;
    }
    crypt(k, aes, nonce, 0, dst, src, len);
    return true;
}

#define GCM_GLUE(bits)                                                                                       \
    static void key##bits(union hb_aead_ctx *c, const uint8_t *key)                                          \
    {                                                                                                        \
        struct keyed *k = (struct keyed *)(void *)c;                                                         \
        nettle_aes##bits##_set_encrypt_key(&k->cipher.aes##bits, key);                                       \
        set_hash_key(k, (nettle_cipher_func *)nettle_aes##bits##_encrypt);                                   \
    }                                                                                                        \
    static void seal_from##bits(const union hb_aead_ctx *c, const uint8_t nonce[12], struct hb_span aad,     \
                                uint8_t *dst, const uint8_t *src, size_t direct, size_t len)                 \
    {                                                                                                        \
        seal_from(keyed_of(c), (nettle_cipher_func *)nettle_aes##bits##_encrypt, nonce, aad, dst, src,       \
                  direct, len);                                                                              \
    }                                                                                                        \
    static void seal##bits(const union hb_aead_ctx *c, const uint8_t nonce[12], struct hb_span aad,          \
                           uint8_t *dst, const uint8_t *src, size_t len)                                     \
    {                                                                                                        \
        seal_from##bits(c, nonce, aad, dst, src, len, len);                                                  \
    }                                                                                                        \
    static bool open##bits(const union hb_aead_ctx *c, const uint8_t nonce[12], struct hb_span aad,          \
                           uint8_t *dst, const uint8_t *src, size_t len)                                     \
    {                                                                                                        \
        return unseal(keyed_of(c), (nettle_cipher_func *)nettle_aes##bits##_encrypt, nonce, aad, dst, src,   \
                      len);                                                                                  \
    }

GCM_GLUE(128)
GCM_GLUE(256)

/* clang-format off */
const struct hb_aead hb_aes128_gcm = {"AES-128-GCM", 16, RECORDS, key128, drop, seal128, seal_from128, open128};
const struct hb_aead hb_aes256_gcm = {"AES-256-GCM", 32, RECORDS, key256, drop, seal256, seal_from256, open256};
/* clang-format on */
