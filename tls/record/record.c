/* record.c: opening and sealing single records.
 *
 *  TLS 1.3       17 03 03 len | AEAD(content | type | zeros)                 nonce = iv ^ seq, AAD = header
 *  TLS 1.2 GCM   type 03 03 len | explicit nonce 8 | AEAD(content)           nonce = iv4 | explicit
 *  TLS 1.2 CC20  type 03 03 len | AEAD(content)                              nonce = iv ^ seq
 *  1.2 AAD: seq u64 | type | version | content length */
#include "record.h"

#include "../legacy/record.h"

#include <hb/ct.h>

#define EXPLICIT_LEN 8u

enum hb_code hb_rec_parse(const uint8_t *p, size_t limit, struct hb_rec_header *h)
{
    h->type = p[0];
    h->version = (uint16_t)(p[1] << 8 | p[2]);
    h->len = (uint16_t)(p[3] << 8 | p[4]);
    if (h->type < HB_REC_CCS || h->type > HB_REC_DATA) {
        return HB_E_TLS_RECORD_TYPE;
    }
    return h->len > limit ? HB_E_TLS_RECORD_OVERFLOW : HB_OK;
}

void hb_rec_install(struct hb_rec_dir *d, const struct hb_suite *suite, uint64_t generation,
                    const uint8_t *key, const uint8_t *iv)
{
    hb_legacy_free(&d->legacy);
    d->suite = suite;
    d->seq = 0;
    d->generation = generation;
    memcpy(d->key, key, suite->aead->key_len);
    memcpy(d->iv, iv, suite->explicit_nonce ? 4 : HB_IV_LEN);
}

void hb_rec_install_legacy(struct hb_rec_dir *d, const struct hb_suite *suite, struct hb_legacy_dir *legacy)
{
    hb_rec_wipe(d);
    d->suite = suite;
    d->legacy = legacy;
}

void hb_rec_wipe(struct hb_rec_dir *d)
{
    hb_legacy_free(&d->legacy);
    hb_wipe(d, sizeof *d);
}

void hb_rec_cache_drop(struct hb_rec_cache *cache)
{
    if (cache->aead != NULL) {
        cache->aead->drop_key(&cache->ctx);
    }
    cache->aead = NULL;
    cache->generation = 0;
}

static const union hb_aead_ctx *keyed(const struct hb_rec_dir *d, struct hb_rec_cache *cache)
{
    if (cache->generation != d->generation) {
        hb_rec_cache_drop(cache);
        cache->aead = d->suite->aead;
        d->suite->aead->set_key(&cache->ctx, d->key);
        cache->generation = d->generation;
    }
    return &cache->ctx;
}

static void put_u64(uint8_t *dst, uint64_t v)
{
    for (unsigned i = 0; i < 8; i++) {
        dst[i] = (uint8_t)(v >> (56 - 8 * i));
    }
}

static bool is13(const struct hb_rec_dir *d)
{
    return d->suite->version == 0x0304;
}

/* explicit_part: the 8 bytes of a TLS 1.2 GCM record; NULL otherwise. */
static void make_nonce(const struct hb_rec_dir *d, const uint8_t *explicit_part, uint8_t nonce[HB_IV_LEN])
{
    memcpy(nonce, d->iv, HB_IV_LEN);
    if (explicit_part != NULL) {
        memcpy(nonce + 4, explicit_part, EXPLICIT_LEN);
        return;
    }
    for (unsigned i = 0; i < 8; i++) {
        nonce[4 + i] ^= (uint8_t)(d->seq >> (56 - 8 * i));
    }
}

static struct hb_span make_aad12(const struct hb_rec_dir *d, uint8_t type, size_t len, uint8_t aad[13])
{
    put_u64(aad, d->seq);
    aad[8] = type;
    aad[9] = 3;
    aad[10] = 3;
    aad[11] = (uint8_t)(len >> 8);
    aad[12] = (uint8_t)len;
    return hb_span(aad, 13);
}

static enum hb_code open13(struct hb_rec_dir *d, struct hb_rec_cache *cache, uint8_t *p,
                           const struct hb_rec_header *h, uint8_t *type, struct hb_span *plain)
{
    uint8_t nonce[HB_IV_LEN];
    uint8_t *body = p + HB_REC_HEADER;

    if (h->len < HB_TAG_LEN + 1) {
        return HB_E_TLS_BAD_RECORD_MAC;
    }
    size_t len = h->len - HB_TAG_LEN;
    make_nonce(d, NULL, nonce);
    if (!d->suite->aead->open(keyed(d, cache), nonce, hb_span(p, HB_REC_HEADER), body, body, len)) {
        return HB_E_TLS_BAD_RECORD_MAC;
    }
    d->seq++;
    HB_CT_PUBLIC(body, len);          /* what the peer says decides what we do */
    if (len > HB_REC_PLAIN_MAX + 1) { /* padding counts (REC-01) */
        return HB_E_TLS_RECORD_OVERFLOW;
    }
    while (len > 0 && body[len - 1] == 0) { /* padding; its length is no secret once it is decrypted */
        len--;
    }
    if (len == 0) {
        return HB_E_TLS_INNER_TYPE;
    }
    *type = body[len - 1];
    *plain = hb_span(body, len - 1);
    return len - 1 > HB_REC_PLAIN_MAX ? HB_E_TLS_RECORD_OVERFLOW : HB_OK;
}

static enum hb_code open12(struct hb_rec_dir *d, struct hb_rec_cache *cache, uint8_t *p,
                           const struct hb_rec_header *h, uint8_t *type, struct hb_span *plain)
{
    uint8_t nonce[HB_IV_LEN];
    uint8_t aad[13];
    size_t head = d->suite->explicit_nonce ? EXPLICIT_LEN : 0;
    uint8_t *body = p + HB_REC_HEADER + head;

    if (h->len < head + HB_TAG_LEN) {
        return HB_E_TLS_BAD_RECORD_MAC;
    }
    size_t len = h->len - head - HB_TAG_LEN;
    if (len > HB_REC_PLAIN_MAX) {
        return HB_E_TLS_RECORD_OVERFLOW;
    }
    make_nonce(d, head > 0 ? p + HB_REC_HEADER : NULL, nonce);
    if (!d->suite->aead->open(keyed(d, cache), nonce, make_aad12(d, h->type, len, aad), body, body, len)) {
        return HB_E_TLS_BAD_RECORD_MAC;
    }
    d->seq++;
    HB_CT_PUBLIC(body, len);
    *type = h->type;
    *plain = hb_span(body, len);
    return HB_OK;
}

enum hb_code hb_rec_open(struct hb_rec_dir *d, struct hb_rec_cache *cache, uint8_t *p,
                         const struct hb_rec_header *h, uint8_t *type, struct hb_span *plain)
{
    if (d->suite == NULL) {
        *type = h->type;
        *plain = hb_span(p + HB_REC_HEADER, h->len);
        return HB_OK;
    }
    if (d->seq == UINT64_MAX) {
        return HB_E_TLS_KEY_LIMIT;
    }
    if (d->legacy != NULL) {
        *type = h->type;
        enum hb_code code = hb_legacy_open(d->legacy, d->seq, h->type, p + HB_REC_HEADER, h->len, plain);
        d->seq += code == HB_OK;
        HB_CT_PUBLIC(plain->p, code == HB_OK ? plain->len : 0);
        return code;
    }
    return is13(d) ? open13(d, cache, p, h, type, plain) : open12(d, cache, p, h, type, plain);
}

size_t hb_rec_sealed_len(const struct hb_rec_dir *d, size_t plain_len)
{
    if (d->suite == NULL) {
        return HB_REC_HEADER + plain_len;
    }
    if (d->legacy != NULL) {
        return HB_REC_HEADER + hb_legacy_sealed_len(d->legacy, plain_len);
    }
    return HB_REC_HEADER + plain_len + HB_TAG_LEN +
           (is13(d)                    ? 1
            : d->suite->explicit_nonce ? EXPLICIT_LEN
                                       : 0);
}

static void gather(uint8_t *dst, struct hb_rec_source *src, size_t len)
{
    while (len > 0) {
        size_t left = src->v->len - src->off;
        size_t n = left < len ? left : len;
        if (n > 0) {
            memcpy(dst, src->v->p + src->off, n);
            src->off += n;
            dst += n;
            len -= n;
        } else {
            src->v++;
            src->off = 0;
        }
    }
}

/* Seals len bytes of content and in TLS 1.3 their type behind them. Content that lies in one piece is read
 * where it lies, in whole blocks of every cipher; only the rest of it is copied. */
static void seal_body(const struct hb_rec_dir *d, struct hb_rec_cache *cache, const uint8_t *nonce,
                      struct hb_span aad, uint8_t *body, struct hb_rec_source *src, size_t len,
                      const uint8_t *inner_type)
{
    size_t direct = len & ~(size_t)63;
    const uint8_t *from = body;

    while (len > 0 && src->off == src->v->len) {
        src->v++;
        src->off = 0;
    }
    if (direct > 0 && src->v->len - src->off >= len) {
        from = src->v->p + src->off;
        src->off += direct;
    } else {
        gather(body, src, direct);
    }
    gather(body + direct, src, len - direct);
    if (inner_type != NULL) {
        body[len++] = *inner_type;
    }
    d->suite->aead->seal_from(keyed(d, cache), nonce, aad, body, from, direct, len);
}

void hb_rec_seal(struct hb_rec_dir *d, struct hb_rec_cache *cache, uint8_t type, uint16_t record_version,
                 struct hb_rec_source *src, size_t len, struct hb_bld *out)
{
    size_t total = hb_rec_sealed_len(d, len);
    uint8_t *p = hb_bld_claim(out, total);
    uint8_t nonce[HB_IV_LEN];
    uint8_t aad[13];

    HB_INVARIANT(p != NULL && d->seq < UINT64_MAX);
    size_t body_len = total - HB_REC_HEADER;
    uint8_t *body = p + HB_REC_HEADER;
    p[0] = d->suite != NULL && is13(d) ? HB_REC_DATA : type;
    p[1] = (uint8_t)(record_version >> 8);
    p[2] = (uint8_t)record_version;
    p[3] = (uint8_t)(body_len >> 8);
    p[4] = (uint8_t)body_len;
    if (d->suite == NULL) {
        gather(body, src, len);
        HB_CT_PUBLIC(p, total);
        return;
    }
    if (d->legacy != NULL) {
        gather(body + hb_legacy_head(d->legacy), src, len);
        hb_legacy_seal(d->legacy, d->seq, type, body, len);
    } else if (is13(d)) {
        make_nonce(d, NULL, nonce);
        seal_body(d, cache, nonce, hb_span(p, HB_REC_HEADER), body, src, len, &type);
    } else {
        const uint8_t *explicit_part = NULL;
        if (d->suite->explicit_nonce) { /* the sequence number: unique by construction (REC-10) */
            put_u64(body, d->seq);
            explicit_part = body;
            body += EXPLICIT_LEN;
        }
        make_nonce(d, explicit_part, nonce);
        seal_body(d, cache, nonce, make_aad12(d, type, len, aad), body, src, len, NULL);
    }
    HB_CT_PUBLIC(p, total); /* on its way out */
    d->seq++;
}
