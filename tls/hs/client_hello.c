/* hs/client_hello.c: our ClientHello.
 * Both hellos of a handshake are written by the same code from the same scratch, so the second repeats the
 * first in everything but what a HelloRetryRequest changes (RFC 8446 4.1.2). Extensions come in a fixed
 * order; GREASE values (RFC 8701) stand where servers must ignore what they do not know. */
#include "../x509/name.h"
#include "client.h"

#include <hb/ct.h>

#define PSK_DHE 1u

static bool offers13(const struct hb_tls *t)
{
    return t->config->highest >= 0x0304;
}

static bool offers12(const struct hb_tls *t)
{
    return t->config->lowest <= 0x0303;
}

unsigned hb_client_asked(const struct hb_tls *t)
{
    const struct hb_tls_config *c = t->config;
    unsigned asked = HB_ASK_SIZE_LIMIT | HB_ASK_GROUPS;

    asked |= hb_dns_name_ok(hb_span_str(t->hs->server_name)) ? HB_ASK_NAME : 0; /* SNI-02 */
    asked |= c->staple ? HB_ASK_STATUS : 0;
    asked |= c->num_alpn > 0 ? HB_ASK_ALPN : 0;
    asked |= offers13(t) ? HB_ASK_VERSIONS | HB_ASK_SHARES | HB_ASK_COOKIE : 0;
    asked |= offers12(t) ? HB_ASK_EMS | HB_ASK_RENEGOTIATION | HB_ASK_POINT_FORMATS : 0;
    asked |= offers12(t) && c->profile >= HB_PROFILE_LEGACY ? HB_ASK_ETM : 0;
    asked |= offers12(t) && c->tickets != NULL ? HB_ASK_TICKET : 0;
    asked |= t->hs->psk_len > 0 ? HB_ASK_PSK : 0;
    return asked;
}

/* One of the sixteen values 0x?a?a, by a byte of randomness. */
static uint16_t grease(const struct hb_tls *t, unsigned which)
{
    uint16_t half = (uint16_t)((t->hs->client->grease[which] & 0xf0) | 0x0a);
    return (uint16_t)(half << 8 | half);
}

static void put_suites(const struct hb_tls *t, struct hb_bld *b)
{
    const struct hb_tls_config *c = t->config;
    struct hb_bld_mark list = hb_bld_open16(b);
    uint16_t top = c->highest;

    if (!c->no_grease) {
        hb_bld_u16(b, grease(t, 0));
    }
    for (unsigned pass = c->prefer_chacha ? 0 : 1; pass < 2; pass++) {
        for (unsigned i = 0; i < c->num_suites; i++) {
            const struct hb_suite *s = c->suites[i];
            bool chacha = s->aead == &hb_chacha20_poly1305;
            bool fits = s->version == 0x0304 ? top >= 0x0304 : offers12(t) && s->version <= top;
            if (fits && !(s->auth == HB_AUTH_PSK && c->num_psks == 0) &&
                (pass == 0 ? chacha : !(c->prefer_chacha && chacha))) {
                hb_bld_u16(b, s->id);
            }
        }
    }
    hb_bld_close(b, list);
}

static void put_name(const struct hb_tls *t, struct hb_bld *b)
{
    hb_bld_u16(b, HB_EXT_SERVER_NAME);
    struct hb_bld_mark ext = hb_bld_open16(b);
    struct hb_bld_mark list = hb_bld_open16(b);
    hb_bld_u8(b, 0);
    struct hb_bld_mark name = hb_bld_open16(b);
    hb_bld_str(b, t->hs->server_name);
    hb_bld_close(b, name);
    hb_bld_close(b, list);
    hb_bld_close(b, ext);
}

static void put_versions(const struct hb_tls *t, struct hb_bld *b)
{
    hb_bld_u16(b, HB_EXT_SUPPORTED_VERSIONS);
    struct hb_bld_mark ext = hb_bld_open16(b);
    struct hb_bld_mark list = hb_bld_open8(b);
    if (!t->config->no_grease) {
        hb_bld_u16(b, grease(t, 1));
    }
    for (uint16_t v = t->config->highest; v >= t->config->lowest; v--) {
        hb_bld_u16(b, v);
    }
    hb_bld_close(b, list);
    hb_bld_close(b, ext);
}

static void put_groups(const struct hb_tls *t, struct hb_bld *b)
{
    hb_bld_u16(b, HB_EXT_SUPPORTED_GROUPS);
    struct hb_bld_mark ext = hb_bld_open16(b);
    struct hb_bld_mark list = hb_bld_open16(b);
    if (!t->config->no_grease) {
        hb_bld_u16(b, grease(t, 2));
    }
    for (unsigned i = 0; i < t->config->num_groups; i++) {
        const struct hb_kex *k = t->config->groups[i];
        if (k->class != HB_GROUP_HYBRID || offers13(t)) {
            hb_bld_u16(b, k->id);
        }
    }
    hb_bld_close(b, list);
    hb_bld_close(b, ext);
}

/* Makes the shares of this hello: those of the config, or the one a HelloRetryRequest asked for. */
static void put_shares(struct hb_tls *t, struct hb_bld *b)
{
    struct hb_hs_client *cl = t->hs->client;

    hb_bld_u16(b, HB_EXT_KEY_SHARE);
    struct hb_bld_mark ext = hb_bld_open16(b);
    struct hb_bld_mark list = hb_bld_open16(b);
    if (!t->config->no_grease && cl->retry_group == 0) {
        hb_bld_u16(b, grease(t, 2));
        hb_bld_u16(b, 1);
        hb_bld_u8(b, 0);
    }
    for (unsigned i = 0; i < cl->num_shares; i++) {
        const struct hb_kex *k = cl->share_groups[i];
        if (!cl->made_shares) {
            k->generate(t->env, cl->priv[i], cl->share[i]);
        }
        hb_bld_u16(b, k->id);
        struct hb_bld_mark key = hb_bld_open16(b);
        hb_bld_put(b, hb_span(cl->share[i], k->client_share_len));
        hb_bld_close(b, key);
    }
    cl->made_shares = true;
    hb_bld_close(b, list);
    hb_bld_close(b, ext);
}

static void put_alpn(const struct hb_tls *t, struct hb_bld *b)
{
    hb_bld_u16(b, HB_EXT_ALPN);
    struct hb_bld_mark ext = hb_bld_open16(b);
    struct hb_bld_mark list = hb_bld_open16(b);
    for (unsigned i = 0; i < t->config->num_alpn; i++) {
        struct hb_bld_mark name = hb_bld_open8(b);
        hb_bld_put(b, hb_span(t->config->alpn[i].name, t->config->alpn[i].len));
        hb_bld_close(b, name);
    }
    hb_bld_close(b, list);
    hb_bld_close(b, ext);
}

static void put_bytes(struct hb_bld *b, uint16_t type, struct hb_span bytes)
{
    hb_bld_u16(b, type);
    hb_bld_u16(b, (uint16_t)bytes.len);
    hb_bld_put(b, bytes);
}

/* The PSK's hash, and its identity with the age a ticket has by now. */
static const struct hb_hash *psk_hash(const struct hb_tls *t)
{
    const struct hb_hs_client *cl = t->hs->client;

    return cl->psk != NULL ? cl->psk->hash : hb_suite_find(cl->session.suite)->hash;
}

/* Writes pre_shared_key with zeros for a binder; returns where the binders' list begins. */
static size_t put_psk(struct hb_tls *t, struct hb_bld *b)
{
    const struct hb_hs_client *cl = t->hs->client;
    struct hb_span id = cl->psk != NULL ? cl->psk->identity : hb_buf_span(&cl->ticket);
    uint32_t age = 0;

    if (cl->psk == NULL) {
        uint64_t seconds = t->env->wall(t->env->ctx) - cl->session.made;
        age = (uint32_t)(seconds * 1000) + cl->session.age_add;
    }
    hb_bld_u16(b, HB_EXT_PRE_SHARED_KEY);
    struct hb_bld_mark ext = hb_bld_open16(b);
    struct hb_bld_mark ids = hb_bld_open16(b);
    struct hb_bld_mark one = hb_bld_open16(b);
    hb_bld_put(b, id);
    hb_bld_close(b, one);
    hb_bld_u32(b, age);
    hb_bld_close(b, ids);
    size_t at = b->len;
    uint8_t len = psk_hash(t)->len;
    hb_bld_u16(b, (uint16_t)(len + 1));
    hb_bld_u8(b, len);
    uint8_t *zeros = hb_bld_claim(b, len);
    if (zeros != NULL) {
        memset(zeros, 0, len);
    }
    hb_bld_close(b, ext);
    return at;
}

/* Fills the binder in: it covers the hello up to the binders' list (RFC 8446 4.2.11.2). */
static void bind_psk(struct hb_tls *t, struct hb_bld *b, size_t start, size_t at)
{
    struct hb_hs *hs = t->hs;
    const struct hb_hash *hash = psk_hash(t);
    struct hb_transcript copy = hs->transcript;
    uint8_t derived[HB_HASH_MAX];
    uint8_t key[HB_HASH_MAX];
    uint8_t digest[HB_HASH_MAX];

    if (copy.hash == NULL) {
        hb_transcript_start(&copy, hash);
    }
    hb_transcript_add(&copy, hb_span(b->p + start, at - start));
    hb_transcript_now(&copy, digest);
    hb_ks13_early_psk(hash, hb_span(hs->psk, hs->psk_len), hs->client->psk != NULL, derived, key);
    hb_ks13_finished(hash, key, digest, b->p + at + 3);
    hb_wipe(derived, sizeof derived);
    hb_wipe(key, sizeof key);
}

static size_t put_extensions(struct hb_tls *t, struct hb_bld *b)
{
    static const uint8_t no[1] = {0};
    const struct hb_tls_config *c = t->config;
    struct hb_hs *hs = t->hs;
    unsigned asked = hb_client_asked(t);

    if (!c->no_grease) {
        put_bytes(b, grease(t, 3), hb_span(NULL, 0));
    }
    if ((asked & HB_ASK_NAME) != 0) {
        put_name(t, b);
    }
    if ((asked & HB_ASK_EMS) != 0) {
        put_bytes(b, HB_EXT_EXTENDED_MASTER_SECRET, hb_span(NULL, 0));
        put_bytes(b, HB_EXT_RENEGOTIATION_INFO, hb_span(no, 1));
        put_bytes(b, HB_EXT_EC_POINT_FORMATS, hb_span("\x01\x00", 2));
    }
    if ((asked & HB_ASK_ETM) != 0) {
        put_bytes(b, HB_EXT_ENCRYPT_THEN_MAC, hb_span(NULL, 0));
    }
    put_groups(t, b);
    if ((asked & HB_ASK_TICKET) != 0) {
        put_bytes(b, HB_EXT_SESSION_TICKET,
                  hs->client->offered_ticket12 ? hb_buf_span(&hs->client->ticket) : hb_span(NULL, 0));
    }
    if ((asked & HB_ASK_ALPN) != 0) {
        put_alpn(t, b);
    }
    if ((asked & HB_ASK_STATUS) != 0) {
        put_bytes(b, HB_EXT_STATUS_REQUEST, hb_span("\x01\x00\x00\x00\x00", 5));
    }
    hb_bld_u16(b, HB_EXT_SIGNATURE_ALGORITHMS);
    struct hb_bld_mark schemes = hb_bld_open16(b);
    struct hb_bld_mark list = hb_bld_open16(b);
    for (unsigned i = 0; i < c->num_accept; i++) {
        hb_bld_u16(b, c->accept[i]->id);
    }
    hb_bld_close(b, list);
    hb_bld_close(b, schemes);
    hb_bld_u16(b, HB_EXT_RECORD_SIZE_LIMIT);
    hb_bld_u16(b, 2);
    hb_bld_u16(b, (uint16_t)(c->size_limit + (offers13(t) ? 1 : 0)));
    if (!offers13(t)) {
        return 0;
    }
    put_versions(t, b);
    if (hb_buf_len(&hs->client->cookie) > 0) {
        struct hb_span cookie = hb_buf_span(&hs->client->cookie);
        hb_bld_u16(b, HB_EXT_COOKIE);
        hb_bld_u16(b, (uint16_t)(cookie.len + 2));
        hb_bld_u16(b, (uint16_t)cookie.len);
        hb_bld_put(b, cookie);
    }
    put_bytes(b, HB_EXT_PSK_MODES, hb_span("\x01\x01", 2)); /* psk_dhe_ke */
    put_shares(t, b);
    return hs->psk_len > 0 ? put_psk(t, b) : 0;
}

enum hb_code hb_client_send_hello(struct hb_tls *t)
{
    struct hb_hs *hs = t->hs;
    struct hb_bld *b = &t->lane->flight;
    size_t start = b->len;
    struct hb_bld_mark message = hb_hs_message(t, HB_MSG_CLIENT_HELLO);

    hs->client_version = t->config->highest < 0x0303 ? t->config->highest : 0x0303;
    hb_bld_u16(b, hs->client_version);
    hb_bld_put(b, hb_span(hs->client_random, 32));
    struct hb_bld_mark id = hb_bld_open8(b);
    hb_bld_put(b, hb_span(hs->session_id, hs->session_id_len));
    hb_bld_close(b, id);
    put_suites(t, b);
    hb_bld_u16(b, 0x0100); /* no compression */
    struct hb_bld_mark extensions = hb_bld_open16(b);
    size_t binders = put_extensions(t, b);
    hb_bld_close(b, extensions);
    hb_bld_close(b, message);
    if (!hb_bld_ok(b)) {
        return HB_E_OVERFLOW;
    }
    if (binders > 0) {
        bind_psk(t, b, start, binders);
    }
    return hb_hs_message_end(t, message);
}
