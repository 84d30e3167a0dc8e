/* schedule13.c: labels and secrets of TLS 1.3, checked against the traces of RFC 8448. */
#include "schedule13.h"

#include <hb/builder.h>
#include <hb/ct.h>

static void expand(const struct hb_hmac *secret, const char *label, struct hb_span context, uint8_t *dst,
                   size_t len)
{
    uint8_t mem[2 + 1 + 255 + 1 + 255];
    struct hb_bld info = hb_bld(mem, sizeof mem);

    hb_bld_u16(&info, (uint16_t)len);
    struct hb_bld_mark mark = hb_bld_open8(&info);
    hb_bld_str(&info, "tls13 ");
    hb_bld_str(&info, label);
    hb_bld_close(&info, mark);
    mark = hb_bld_open8(&info);
    hb_bld_put(&info, context);
    hb_bld_close(&info, mark);
    HB_INVARIANT(hb_bld_ok(&info));
    hb_hkdf_expand_of(secret, hb_bld_span(&info), dst, len);
}

/* Derive-Secret over a transcript hash; as long as the hash. */
static void derive(const struct hb_hmac *secret, const char *label, const uint8_t *transcript, uint8_t *dst)
{
    expand(secret, label, hb_span(transcript, secret->hash->len), dst, secret->hash->len);
}

static void begin(struct hb_hmac *m, const struct hb_hash *hash, const uint8_t *secret)
{
    hb_hmac_begin(m, hash, hb_span(secret, hash->len));
}

void hb_ks13_expand(const struct hb_hash *hash, const uint8_t *secret, const char *label,
                    struct hb_span context, uint8_t *dst, size_t len)
{
    struct hb_hmac m;

    begin(&m, hash, secret);
    expand(&m, label, context, dst, len);
    hb_hmac_end(&m);
}

/* HKDF-Extract(salt, ikm), ready to expand from. */
static void extract(struct hb_hmac *m, const struct hb_hash *hash, struct hb_span salt, struct hb_span ikm)
{
    uint8_t secret[HB_HASH_MAX];

    hb_hkdf_extract(hash, salt, ikm, secret);
    begin(m, hash, secret);
    hb_wipe(secret, sizeof secret);
}

void hb_ks13_early_derived(const struct hb_hash *hash, uint8_t *dst)
{
    static const uint8_t zeros[HB_HASH_MAX];
    struct hb_hmac early;

    extract(&early, hash, hb_span(zeros, hash->len), hb_span(zeros, hash->len));
    derive(&early, "derived", hash->empty, dst);
    hb_hmac_end(&early);
}

void hb_ks13_early_psk(const struct hb_hash *hash, struct hb_span psk, bool external, uint8_t *dst,
                       uint8_t *binder_key)
{
    static const uint8_t zeros[HB_HASH_MAX];
    struct hb_hmac early;

    extract(&early, hash, hb_span(zeros, hash->len), psk);
    derive(&early, external ? "ext binder" : "res binder", hash->empty, binder_key);
    derive(&early, "derived", hash->empty, dst);
    hb_hmac_end(&early);
}

void hb_ks13_resumption(const struct hb_hash *hash, struct hb_ks13_application *app,
                        const uint8_t *transcript, uint8_t *dst)
{
    hb_ks13_expand(hash, app->master, "res master", hb_span(transcript, hash->len), dst, hash->len);
    hb_wipe(app->master, sizeof app->master);
}

void hb_ks13_ticket_psk(const struct hb_hash *hash, const uint8_t *resumption, struct hb_span nonce,
                        uint8_t *dst)
{
    hb_ks13_expand(hash, resumption, "resumption", nonce, dst, hash->len);
}

void hb_ks13_to_handshake(const struct hb_hash *hash, const uint8_t *early_derived, struct hb_span shared,
                          const uint8_t *transcript, struct hb_ks13_handshake *ks)
{
    struct hb_hmac secret; /* Handshake Secret: gone with this function */

    ks->hash = hash;
    extract(&secret, hash, hb_span(early_derived, hash->len), shared);
    derive(&secret, "c hs traffic", transcript, ks->client);
    derive(&secret, "s hs traffic", transcript, ks->server);
    derive(&secret, "derived", hash->empty, ks->derived);
    hb_hmac_end(&secret);
}

void hb_ks13_to_application(struct hb_ks13_handshake *ks, const uint8_t *transcript,
                            struct hb_ks13_application *app)
{
    static const uint8_t zeros[HB_HASH_MAX];
    const struct hb_hash *hash = ks->hash;
    struct hb_hmac master;

    hb_hkdf_extract(hash, hb_span(ks->derived, hash->len), hb_span(zeros, hash->len), app->master);
    hb_wipe(ks->derived, sizeof ks->derived);
    begin(&master, hash, app->master);
    derive(&master, "c ap traffic", transcript, app->client);
    derive(&master, "s ap traffic", transcript, app->server);
    derive(&master, "exp master", transcript, app->exporter);
    hb_hmac_end(&master);
}

void hb_ks13_finished(const struct hb_hash *hash, const uint8_t *traffic, const uint8_t *transcript,
                      uint8_t *mac)
{
    const struct hb_span data = hb_span(transcript, hash->len);
    uint8_t key[HB_HASH_MAX];

    hb_ks13_expand(hash, traffic, "finished", hb_span(NULL, 0), key, hash->len);
    hb_hmac(hash, hb_span(key, hash->len), &data, 1, mac);
    hb_wipe(key, sizeof key);
}

void hb_ks13_record_keys(const struct hb_hash *hash, const uint8_t *traffic, uint8_t *key, size_t key_len,
                         uint8_t iv[HB_IV_LEN])
{
    struct hb_hmac m;

    begin(&m, hash, traffic);
    expand(&m, "key", hb_span(NULL, 0), key, key_len);
    expand(&m, "iv", hb_span(NULL, 0), iv, HB_IV_LEN);
    hb_hmac_end(&m);
}

void hb_ks13_update(const struct hb_hash *hash, uint8_t *traffic)
{
    uint8_t next[HB_HASH_MAX];

    hb_ks13_expand(hash, traffic, "traffic upd", hb_span(NULL, 0), next, hash->len);
    memcpy(traffic, next, hash->len);
    hb_wipe(next, sizeof next);
}

void hb_ks13_export(const struct hb_hash *hash, const uint8_t *exporter, const char *label,
                    struct hb_span context, uint8_t *dst, size_t len)
{
    uint8_t digest[HB_HASH_MAX];
    uint8_t secret[HB_HASH_MAX];

    hb_ks13_expand(hash, exporter, label, hb_span(hash->empty, hash->len), secret, hash->len);
    hb_hash_once(hash, context, digest);
    hb_ks13_expand(hash, secret, "exporter", hb_span(digest, hash->len), dst, len);
    hb_wipe(secret, sizeof secret);
}
