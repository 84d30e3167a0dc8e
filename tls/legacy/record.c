/* legacy/record.c: MAC-then-encrypt in constant time, encrypt-then-MAC, and stream ciphers.
 *
 *   CBC           [IV 1.1+] | E(content | MAC | padding | padding length)
 *   CBC with EtM  [IV 1.1+] | E(content | padding | padding length) | MAC
 *   stream        E(content | MAC)
 *   MAC input     seq u64 | type | version | length u16 | content
 *   with EtM      seq u64 | type | version | length u16 | IV | ciphertext
 *
 * Constant time (CT-04, Lucky Thirteen): where the content ends is a secret until the MAC has been checked.
 * So the inner hash is finished for every end the padding could mean - at most 256, a number that depends on
 * the record's length alone - and the one that counts is picked with masks, together with the MAC that stands
 * behind it. One error, one time, whatever was wrong. That costs some forty microseconds a record, and only
 * where nothing better was offered. */
#include "record.h"

#include <hb/builder.h>
#include <hb/ct.h>

#define PLAIN_MAX 16384u
#define MAC_MAX   48u
#define BLOCK_MAX 16u

struct hb_legacy_dir {
    const struct hb_env *env; /* borrowed */
    const struct hb_legacy_kind *kind;
    uint16_t version;
    bool etm;
    uint8_t mac_key[MAC_MAX];
    uint8_t iv[BLOCK_MAX]; /* TLS 1.0: the last block of the record before */
    union hb_aead_ctx cipher;
};

const struct hb_legacy_kind hb_legacy_aes128_sha1 = {&hb_aes128_cbc, &hb_sha1};
const struct hb_legacy_kind hb_legacy_aes256_sha1 = {&hb_aes256_cbc, &hb_sha1};
const struct hb_legacy_kind hb_legacy_aes128_sha256 = {&hb_aes128_cbc, &hb_sha256};
const struct hb_legacy_kind hb_legacy_aes256_sha384 = {&hb_aes256_cbc, &hb_sha384};
const struct hb_legacy_kind hb_legacy_3des_sha1 = {&hb_3des_cbc, &hb_sha1};
const struct hb_legacy_kind hb_legacy_rc4_sha1 = {&hb_rc4, &hb_sha1};
const struct hb_legacy_kind hb_legacy_rc4_md5 = {&hb_rc4, &hb_md5};

struct hb_legacy_dir *hb_legacy_new(const struct hb_env *env, const struct hb_legacy_kind *kind,
                                    uint16_t version, bool etm, bool encrypts, const uint8_t *mac_key,
                                    const uint8_t *key, const uint8_t *iv)
{
    struct hb_legacy_dir *d = env->alloc(env->ctx, sizeof *d);

    if (d == NULL) {
        return NULL;
    }
    d->env = env;
    d->kind = kind;
    d->version = version;
    d->etm = etm && kind->cipher->block > 0;
    memcpy(d->mac_key, mac_key, kind->mac->len);
    memcpy(d->iv, iv, kind->cipher->block);
    kind->cipher->set_key(&d->cipher, key, encrypts);
    return d;
}

void hb_legacy_free(struct hb_legacy_dir **pd)
{
    struct hb_legacy_dir *d = *pd;

    if (d != NULL) {
        *pd = NULL;
        d->env->release(d->env->ctx, d, sizeof *d); /* wipes */
    }
}

static bool explicit_iv(const struct hb_legacy_dir *d)
{
    return d->version >= 0x0302 && d->kind->cipher->block > 0;
}

size_t hb_legacy_head(const struct hb_legacy_dir *d)
{
    return explicit_iv(d) ? d->kind->cipher->block : 0;
}

bool hb_legacy_splits(const struct hb_legacy_dir *d)
{
    return d->version == 0x0301 && d->kind->cipher->block > 0;
}

static void mac_header(const struct hb_legacy_dir *d, uint64_t seq, uint8_t type, size_t len, uint8_t dst[13])
{
    struct hb_bld b = hb_bld(dst, 13);

    hb_bld_u64(&b, seq);
    hb_bld_u8(&b, type);
    hb_bld_u16(&b, d->version);
    hb_bld_u16(&b, (uint16_t)len);
}

static void mac_of(const struct hb_legacy_dir *d, uint64_t seq, uint8_t type, struct hb_span bytes,
                   uint8_t *dst)
{
    uint8_t header[13];
    const struct hb_span parts[] = {hb_span(header, sizeof header), bytes};

    mac_header(d, seq, type, bytes.len, header);
    hb_hmac(d->kind->mac, hb_span(d->mac_key, d->kind->mac->len), parts, 2, dst);
}

/* ---- opening ---- */

/* All ones if a < b, else 0; both below 2^31. */
static uint32_t less(uint32_t a, uint32_t b)
{
    return 0u - ((a - b) >> 31);
}

static uint32_t equal(uint32_t a, uint32_t b)
{
    uint32_t x = a ^ b;
    return 0u - (((x | (0u - x)) >> 31) ^ 1);
}

/* The padding of p[0..len): *padding gets its length without the length byte, or 0 with a zero mask as the
 * result. */
static uint32_t check_padding(const uint8_t *p, size_t len, size_t mac_len, uint32_t *padding)
{
    uint32_t pad = p[len - 1];
    uint32_t good = less(pad + (uint32_t)mac_len, (uint32_t)len); /* pad + 1 + mac <= len */
    size_t most = len < 256 ? len : 256;

    for (uint32_t i = 1; i < most; i++) { /* every byte of it (ATK-T2, POODLE) */
        uint32_t inside = less(i, pad + 1);
        good &= ~(inside & ~equal(p[len - 1 - i], pad));
    }
    *padding = pad & good;
    return good;
}

/* The inner hash of HMAC over header and content, for the one content length that padding means; and the MAC
 * that stands behind that content. len: of the decrypted fragment. */
static void pick(const struct hb_legacy_dir *d, uint64_t seq, uint8_t type, const uint8_t *p, size_t len,
                 uint32_t padding, uint8_t *inner, uint8_t *received)
{
    const struct hb_hash *hash = d->kind->mac;
    size_t mac_len = hash->len;
    size_t longest = len - mac_len - 1;
    size_t shortest = longest > 255 ? longest - 255 : 0;
    uint8_t pad_block[128] = {0};

    memcpy(pad_block, d->mac_key, mac_len);
    for (size_t i = 0; i < hash->block; i++) {
        pad_block[i] ^= 0x36;
    }
    memset(inner, 0, mac_len);
    memset(received, 0, mac_len);
    for (size_t content = shortest; content <= longest; content++) {
        uint8_t header[13];
        uint8_t digest[HB_HASH_MAX];
        union hb_hash_ctx h;
        uint32_t mask = equal((uint32_t)(longest - content), padding);
        /* the length stands in front of the content, so nothing of one candidate's hash helps the next */
        mac_header(d, seq, type, content, header);
        hash->init(&h);
        hash->update(&h, hb_span(pad_block, hash->block));
        hash->update(&h, hb_span(header, sizeof header));
        hash->update(&h, hb_span(p, content));
        hash->final(&h, digest);
        for (size_t i = 0; i < mac_len; i++) {
            inner[i] |= (uint8_t)(digest[i] & mask);
            received[i] |= (uint8_t)(p[content + i] & mask);
        }
    }
    hb_wipe(pad_block, sizeof pad_block);
}

static void outer_hash(const struct hb_legacy_dir *d, const uint8_t *inner, uint8_t *mac)
{
    const struct hb_hash *hash = d->kind->mac;
    uint8_t pad_block[128] = {0};
    union hb_hash_ctx h;

    memcpy(pad_block, d->mac_key, hash->len);
    for (size_t i = 0; i < hash->block; i++) {
        pad_block[i] ^= 0x5c;
    }
    hash->init(&h);
    hash->update(&h, hb_span(pad_block, hash->block));
    hash->update(&h, hb_span(inner, hash->len));
    hash->final(&h, mac);
    hb_wipe(pad_block, sizeof pad_block);
}

static enum hb_code open_mte(struct hb_legacy_dir *d, uint64_t seq, uint8_t type, uint8_t *p, size_t len,
                             struct hb_span *plain)
{
    size_t mac_len = d->kind->mac->len;
    uint32_t padding;
    uint8_t inner[HB_HASH_MAX];
    uint8_t received[HB_HASH_MAX];
    uint8_t mac[HB_HASH_MAX];

    uint32_t good = check_padding(p, len, mac_len, &padding);
    pick(d, seq, type, p, len, padding, inner, received);
    outer_hash(d, inner, mac);
    good &= 0u - (uint32_t)hb_ct_eq(mac, received, mac_len);
    HB_CT_PUBLIC(&good, sizeof good);
    if (good == 0) {
        return HB_E_TLS_BAD_RECORD_MAC;
    }
    HB_CT_PUBLIC(&padding, sizeof padding);
    *plain = hb_span(p, len - mac_len - 1 - padding);
    return plain->len > PLAIN_MAX ? HB_E_TLS_RECORD_OVERFLOW : HB_OK;
}

static enum hb_code open_stream(struct hb_legacy_dir *d, uint64_t seq, uint8_t type, uint8_t *p, size_t len,
                                struct hb_span *plain)
{
    size_t mac_len = d->kind->mac->len;
    uint8_t mac[HB_HASH_MAX];

    d->kind->cipher->decrypt(&d->cipher, NULL, p, len);
    *plain = hb_span(p, len - mac_len);
    mac_of(d, seq, type, *plain, mac);
    if (!hb_ct_eq(mac, p + plain->len, mac_len)) {
        return HB_E_TLS_BAD_RECORD_MAC;
    }
    return plain->len > PLAIN_MAX ? HB_E_TLS_RECORD_OVERFLOW : HB_OK;
}

/* The MAC was right, so the padding is no secret any more. */
static enum hb_code strip(const uint8_t *p, size_t len, struct hb_span *plain)
{
    uint32_t padding;

    HB_CT_PUBLIC(p, len);
    if (check_padding(p, len, 0, &padding) == 0) {
        return HB_E_TLS_BAD_RECORD_MAC;
    }
    *plain = hb_span(p, len - 1 - padding);
    return plain->len > PLAIN_MAX ? HB_E_TLS_RECORD_OVERFLOW : HB_OK;
}

enum hb_code hb_legacy_open(struct hb_legacy_dir *d, uint64_t seq, uint8_t type, uint8_t *body, size_t len,
                            struct hb_span *plain)
{
    const struct hb_block_cipher *cipher = d->kind->cipher;
    size_t mac_len = d->kind->mac->len;
    size_t head = hb_legacy_head(d);
    uint8_t iv[BLOCK_MAX];
    uint8_t mac[HB_HASH_MAX];

    /* lengths are public */
    if (cipher->block == 0) {
        return len < mac_len ? HB_E_TLS_BAD_RECORD_MAC : open_stream(d, seq, type, body, len, plain);
    }
    size_t encrypted = d->etm ? len - mac_len : len;
    if (len < head + mac_len + 1 || (encrypted - head) % cipher->block != 0 ||
        encrypted < head + cipher->block) {
        return HB_E_TLS_BAD_RECORD_MAC;
    }
    if (d->etm) {
        mac_of(d, seq, type, hb_span(body, encrypted), mac);
        if (!hb_ct_eq(mac, body + encrypted, mac_len)) {
            return HB_E_TLS_BAD_RECORD_MAC;
        }
    }
    memcpy(iv, head > 0 ? body : d->iv, cipher->block);
    uint8_t *p = body + head;
    size_t n = encrypted - head;
    memcpy(d->iv, p + n - cipher->block, cipher->block); /* TLS 1.0: the next record's */
    cipher->decrypt(&d->cipher, iv, p, n);
    if (d->etm) {
        return strip(p, n, plain);
    }
    return n < mac_len + 1 ? HB_E_TLS_BAD_RECORD_MAC : open_mte(d, seq, type, p, n, plain);
}

/* ---- sealing ---- */

static size_t padded(const struct hb_legacy_dir *d, size_t len)
{
    size_t block = d->kind->cipher->block;

    return block == 0 ? len : (len / block + 1) * block;
}

size_t hb_legacy_sealed_len(const struct hb_legacy_dir *d, size_t plain_len)
{
    size_t mac_len = d->kind->mac->len;

    return hb_legacy_head(d) + (d->etm ? padded(d, plain_len) + mac_len : padded(d, plain_len + mac_len));
}

void hb_legacy_seal(struct hb_legacy_dir *d, uint64_t seq, uint8_t type, uint8_t *body, size_t plain_len)
{
    const struct hb_block_cipher *cipher = d->kind->cipher;
    size_t mac_len = d->kind->mac->len;
    size_t head = hb_legacy_head(d);
    uint8_t *p = body + head;
    size_t len = plain_len;
    uint8_t iv[BLOCK_MAX];

    if (!d->etm) {
        mac_of(d, seq, type, hb_span(p, plain_len), p + plain_len);
        len += mac_len;
    }
    if (cipher->block == 0) {
        cipher->encrypt(&d->cipher, NULL, p, len);
        return;
    }
    size_t total = padded(d, len);
    memset(p + len, (uint8_t)(total - len - 1), total - len);
    if (head > 0) {
        d->env->random(d->env->ctx, head, body);
        memcpy(iv, body, head);
    } else {
        memcpy(iv, d->iv, cipher->block);
    }
    cipher->encrypt(&d->cipher, iv, p, total);
    memcpy(d->iv, p + total - cipher->block, cipher->block);
    if (d->etm) {
        mac_of(d, seq, type, hb_span(body, head + total), body + head + total);
    }
}
