/* tls_play.c: see tls_play.h.
 *
 * Kept whatever comes: nothing but the same FAILED behind FAILED; each failure has a code, and its alert is
 * the one that was sent; READY once, DATA and SESSION behind it, CLOSED once; a call writes at most
 * HB_TLS_FLIGHT_MAX bytes; memory has a bound; a peer that is not helped (fix) gets to READY only with the
 * messages of the tape, and one without the private key not with other messages in front of a signature. */
#include "tls_play.h"

#include "alert.h"
#include "hs/auth.h"
#include "hs/kx12.h"
#include "legacy/record.h"
#include <stdio.h>
#include <stdlib.h>

#define MEMORY_MAX                                                                                           \
    (768u * 1024u) /* what one connection may hold with messages of the longest kinds in pieces */
#define WROTE_MAX HB_TLS_FLIGHT_MAX

#define PROMISE(cond) ((cond) ? (void)0 : broken(p, #cond, __LINE__))

static void broken(const struct player *p, const char *what, int line)
{
    (void)fprintf(stderr, "tls_play.c:%d: not kept: %s (%s, item %u, %s)\n", line, what,
                  tape_name(p->w->number), p->at, hb_err_name(p->code));
    abort();
}

/* ---- what the connection says ---- */

static void on_ready(struct player *p)
{
    const struct tape *tape = &p->w->tape;
    uint8_t digest[HB_HASH_MAX];
    uint8_t exported[32];
    bool must_be_same =
        (p->fix & PLAY_FIX_FINISHED) == 0 || (tape->has_signature && (p->fix & PLAY_FIX_SIGNATURES) == 0);

    PROMISE(!p->ready && p->t->hs != NULL);
    p->ready = true;
    hb_transcript_now(&p->t->hs->transcript, digest);
    PROMISE(!must_be_same || memcmp(digest, tape->digest, p->t->hs->transcript.hash->len) == 0);
    enum hb_code code = hb_tls_export(p->t, "EXPORTER-x", hb_span_str("y"), exported, sizeof exported);
    PROMISE(code == HB_OK || (code == HB_E_INTERNAL && !hb_tls_info(p->t)->ems));
    (void)hb_tls_peer_chain(p->t);
    (void)hb_tls_peer_staple(p->t);
}

static void on_failed(struct player *p, const struct hb_tls_event *e, const struct hb_bld *out, size_t before)
{
    const struct hb_tls_info *info = hb_tls_info(p->t);
    enum hb_alert alert = hb_alert_of(e->code);

    PROMISE(e->code > HB_OK && e->code < HB_NUM_CODES && hb_err_sentence(e->code)[0] != 0);
    PROMISE(e->code != HB_E_INTERNAL && e->code != HB_E_NO_MEMORY);
    if (p->failed) {
        PROMISE(e->code == p->code && out->len == before);
        return;
    }
    p->failed = true;
    p->code = e->code;
    p->last_words_len = out->len < sizeof p->last_words ? out->len : sizeof p->last_words;
    memcpy(p->last_words, out->p, p->last_words_len);
    if (alert == HB_ALERT_NONE || info->alert_sent == HB_ALERT_NONE) {
        PROMISE(info->alert_sent == HB_ALERT_NONE);
    } else {
        PROMISE(info->alert_sent == alert && e->alert == alert && out->len > before);
    }
}

static void answer_sign(struct player *p, const struct hb_tls_sign *sign)
{
    uint8_t sig[HB_SIG_MAX];
    size_t len = 0;

    bool ok =
        hb_cred_sign(sign->cred, &p->w->mine.env, sign->scheme, sign->input, sig, sizeof sig, &len) == HB_OK;
    hb_tls_signed(p->t, hb_span(sig, ok ? len : 0));
}

static void answer_decrypt(struct player *p, const struct hb_tls_sign *sign)
{
    uint8_t premaster[48];

    bool ok = hb_cred_decrypt(sign->cred, &p->w->mine.env, sign->scheme, sign->input, premaster) == HB_OK;
    hb_tls_decrypted(p->t, hb_span(premaster, ok ? sizeof premaster : 0));
}

static void events(struct player *p)
{
    static uint8_t out_mem[WROTE_MAX];
    struct hb_tls_event e;

    for (unsigned n = 0;; n++) {
        struct hb_bld out = hb_bld(out_mem, sizeof out_mem);
        enum hb_tls_ev ev = hb_tls_next(p->t, &out, &e);
        PROMISE(hb_bld_ok(&out) && n < 20000);
        PROMISE(!p->failed || ev == HB_TLS_FAILED);
        switch (ev) {
        case HB_TLS_NONE:
            PROMISE(p->w->mine.held_bytes <= MEMORY_MAX);
            return;
        case HB_TLS_READY:
            on_ready(p);
            break;
        case HB_TLS_DATA:
            PROMISE(p->ready && e.data.len > 0 && e.data.len <= HB_REC_PLAIN_MAX);
            break;
        case HB_TLS_SESSION:
            PROMISE(p->ready && p->client && e.data.len > 0 && e.data.len <= HB_TLS_SESSION_MAX);
            break;
        case HB_TLS_CLOSED:
            PROMISE(!p->told_closed);
            p->told_closed = true;
            break;
        case HB_TLS_SIGN:
            answer_sign(p, &e.sign);
            break;
        case HB_TLS_DECRYPT:
            answer_decrypt(p, &e.sign);
            break;
        case HB_TLS_VERIFY:
            hb_tls_verified(p->t, HB_OK);
            break;
        case HB_TLS_FAILED:
            on_failed(p, &e, &out, 0);
            if (n > 0 && p->failed) {
                out = hb_bld(out_mem, sizeof out_mem);
                PROMISE(hb_tls_next(p->t, &out, &e) == HB_TLS_FAILED && out.len == 0 && e.code == p->code);
            }
            return;
        }
    }
}

void play_begin(struct player *p, struct world *w, bool client)
{
    memset(p, 0, sizeof *p);
    p->w = w;
    p->client = client;
    p->t = tape_begin(w, client);
    events(p); /* a client says hello */
}

/* ---- what it hears ---- */

static void give(struct player *p, const uint8_t *bytes, size_t len)
{
    size_t held = p->reclaim ? hb_tls_held(p->t) : 0;
    uint8_t *exact = malloc(held + len > 0 ? held + len : 1); /* a sanitizer sees one byte too far */

    if (exact == NULL) {
        abort();
    }
    if (held > 0) {
        PROMISE(hb_tls_reclaim(p->t, exact) == held && hb_tls_held(p->t) == 0);
    }
    memcpy(exact + held, bytes, len);
    hb_tls_input(p->t, exact, held + len);
    events(p);
    free(exact);
}

void play_wire(struct player *p, const uint8_t *bytes, size_t len)
{
    size_t cut = p->cut == 0 ? len : p->cut;

    for (size_t at = 0; at < len && !p->failed; at += cut) {
        give(p, bytes + at, cut < len - at ? cut : len - at);
    }
}

/* The peer's half of a CBC or stream suite, made when the connection under test switched its own on. */
static void make_sealer(struct player *p)
{
    struct hb_tls *t = p->t;
    const struct hb_suite *suite = t->rd.suite;

    if (t->rd.legacy == p->sealer_is_for || t->hs == NULL) {
        return;
    }
    size_t mac = suite->legacy->mac->len;
    size_t key = suite->legacy->cipher->key_len;
    size_t iv = suite->legacy->cipher->block;
    const uint8_t *k = t->hs->keys12;
    bool second = p->client; /* the server's keys stand behind the client's */
    hb_legacy_free(&p->sealer);
    p->sealer = hb_legacy_new(&p->w->peer.env, suite->legacy, t->info.version, t->info.etm, true,
                              k + (second ? mac : 0), k + 2 * mac + (second ? key : 0),
                              k + 2 * (mac + key) + (second ? iv : 0));
    p->sealer_is_for = t->rd.legacy;
}

size_t play_seal(struct player *p, uint8_t type, struct hb_span content, uint8_t *dst)
{
    static struct hb_rec_cache cache;
    struct hb_rec_dir d = p->t->rd;
    struct hb_bld out = hb_bld(dst, HB_TLS_RECORD_MAX);
    struct hb_rec_source src = {&content, 0};
    bool is13 = d.suite != NULL && d.suite->version == 0x0304;

    if (d.legacy != NULL) {
        make_sealer(p);
        d.legacy = p->sealer;
    }
    if (is13 && type == HB_REC_CCS) {
        d = (struct hb_rec_dir){0};
    }
    cache.generation = 0;
    d.generation = 1;
    hb_rec_seal(&d, &cache, type,
                p->t->info.version != 0 && p->t->info.version < 0x0303 ? p->t->info.version : 0x0303, &src,
                content.len, &out);
    return out.len;
}

void play_record(struct player *p, uint8_t type, struct hb_span content)
{
    static uint8_t wire[HB_TLS_RECORD_MAX];

    if (p->failed) {
        return;
    }
    play_wire(p, wire, play_seal(p, type, hb_span_head(content, HB_REC_PLAIN_MAX), wire));
}

/* ---- making messages right ---- */

static void fix_finished(struct player *p, struct hb_bld *m)
{
    struct hb_hs *hs = p->t->hs;
    const struct hb_hash *hash = hs->transcript.hash;
    uint8_t digest[HB_HASH_MAX];
    uint8_t mac[HB_HASH_MAX];

    if (hash == NULL) {
        return;
    }
    if (p->t->info.version == 0x0304) {
        hb_transcript_now(&hs->transcript, digest);
        hb_ks13_finished(hash, p->client ? hs->ks.server : hs->ks.client, digest, mac);
    } else if (hs->master12.first.hash == NULL) {
        return; /* too early: there is no key to make it with */
    } else {
        hb_kx12_verify_data(p->t, p->client, mac);
    }
    m->len = 4;
    hb_bld_put(m, hb_span(mac, p->t->info.version == 0x0304 ? hash->len : HB_VERIFY12_LEN));
}

/* Puts a new signature over input in the place of the one behind the scheme that stands at `at`. */
static void sign_again(struct player *p, struct hb_bld *m, size_t at, struct hb_span input)
{
    const struct hb_cred_store *store = p->client ? p->w->server_creds : p->w->client_creds;
    uint8_t sig[HB_SIG_MAX];
    size_t len;

    if (m->len < at + 2 || p->t->info.version < 0x0303) {
        return;
    }
    uint16_t scheme = (uint16_t)(m->p[at] << 8 | m->p[at + 1]);
    for (size_t i = 0; i < hb_cred_store_count(store); i++) {
        if (hb_sigalg_find(scheme) != NULL && hb_cred_sign(hb_cred_at(store, i), &p->w->peer.env, scheme,
                                                           input, sig, sizeof sig, &len) == HB_OK) {
            m->len = at + 2;
            hb_bld_u16(m, (uint16_t)len);
            hb_bld_put(m, hb_span(sig, len));
            p->changed = p->changed ||
                         (p->fix & PLAY_FIX_FINISHED) == 0; /* another signature, the old MAC behind it */
            return;
        }
    }
}

static void fix_certificate_verify(struct player *p, struct hb_bld *m)
{
    struct hb_hs *hs = p->t->hs;
    uint8_t kept[sizeof hs->sign_input];
    struct hb_span span = hs->sign_span;

    if (hs->transcript.hash == NULL) {
        return;
    }
    if (p->t->info.version != 0x0304) {
        sign_again(p, m, 4, hb_buf_span(&hs->signed_messages));
        return;
    }
    memcpy(kept, hs->sign_input, sizeof kept);
    hb_auth_input13(p->t, p->client);
    sign_again(p, m, 4, hs->sign_span);
    memcpy(hs->sign_input, kept, sizeof kept);
    hs->sign_span = span;
}

static void fix_key_exchange(struct player *p, struct hb_bld *m)
{
    struct hb_hs *hs = p->t->hs;
    struct hb_cur c = hb_cur(hb_span_skip(hb_bld_span(m), 4));
    uint8_t mem[64 + 2048];
    struct hb_bld input = hb_bld(mem, sizeof mem);
    enum hb_suite_kx kx = hs->choice.suite != NULL ? hs->choice.suite->kx : HB_KX_13;

    if (kx == HB_KX_ECDHE) {
        (void)hb_cur_take(&c, 3);
        (void)hb_cur_vec8(&c);
    } else if (kx == HB_KX_DHE) {
        for (unsigned i = 0; i < 3; i++) {
            (void)hb_cur_vec16(&c);
        }
    } else {
        return;
    }
    size_t params = m->len - 4 - hb_cur_left(&c);
    hb_bld_put(&input, hb_span(hs->client_random, 32));
    hb_bld_put(&input, hb_span(hs->server_random, 32));
    hb_bld_put(&input, hb_span(m->p + 4, params));
    if (hb_cur_ok(&c) && hb_bld_ok(&input)) {
        sign_again(p, m, 4 + params, hb_bld_span(&input));
    }
}

static void fix_binder(struct player *p, struct hb_bld *m)
{
    struct hb_offer o;
    struct hb_session s;
    struct hb_cur c = hb_cur(hb_span(p->w->session, p->w->session_len));
    struct hb_transcript copy = p->t->hs->transcript;
    uint8_t derived[HB_HASH_MAX];
    uint8_t key[HB_HASH_MAX];
    uint8_t digest[HB_HASH_MAX];

    if (m->len < 4 || hb_hello_parse(hb_span(m->p + 4, m->len - 4), &o) != HB_OK || !o.has_psk) {
        return;
    }
    bool ticket = p->w->session_len > 0 && hb_session_read(&c, &s);
    const struct hb_hash *hash = ticket ? hb_suite_find(s.suite)->hash : &hb_sha256;
    struct hb_span psk =
        ticket ? hb_span(s.secret, s.secret_len) : hb_span_str("0123456789abcdef0123456789abcdef");
    if (!p->t->hs->retried || copy.hash == NULL) {
        hb_transcript_start(&copy, hash);
    }
    if (copy.hash != hash || o.psk_binders.len < 1u + hash->len || o.psk_binders.p[0] != hash->len) {
        return;
    }
    hb_transcript_add(&copy, hb_span(m->p, 4 + o.binders_at));
    hb_transcript_now(&copy, digest);
    hb_ks13_early_psk(hash, psk, !ticket, derived, key);
    hb_ks13_finished(hash, key, digest, m->p + (o.psk_binders.p + 1 - m->p));
}

static void make_right(struct player *p, struct hb_bld *m)
{
    if (p->t->hs == NULL || m->len < 4) {
        return;
    }
    size_t before = m->len;
    if (m->p[0] == HB_MSG_FINISHED && (p->fix & PLAY_FIX_FINISHED) != 0) {
        fix_finished(p, m);
    } else if (m->p[0] == HB_MSG_CERTIFICATE_VERIFY && (p->fix & PLAY_FIX_SIGNATURES) != 0) {
        fix_certificate_verify(p, m);
    } else if (m->p[0] == HB_MSG_SERVER_KEY_EXCHANGE && p->client && (p->fix & PLAY_FIX_SIGNATURES) != 0) {
        fix_key_exchange(p, m);
    } else if (m->p[0] == HB_MSG_CLIENT_HELLO && !p->client && (p->fix & PLAY_FIX_BINDERS) != 0) {
        fix_binder(p, m);
    }
    if (m->len != before) {
        m->p[1] = 0;
        m->p[2] = (uint8_t)((m->len - 4) >> 8);
        m->p[3] = (uint8_t)(m->len - 4);
    }
}

void play_message(struct player *p, struct hb_span message)
{
    static uint8_t mem[65536 + 2048];
    struct hb_bld m = hb_bld(mem, sizeof mem);

    hb_bld_put(&m, hb_span_head(message, 65536));
    make_right(p, &m);
    for (struct hb_span rest = hb_bld_span(&m); rest.len > 0; rest = hb_span_skip(rest, HB_REC_PLAIN_MAX)) {
        play_record(p, HB_REC_HANDSHAKE, rest);
    }
}

void play_item(struct player *p, unsigned i)
{
    const struct tape_item *item = &p->w->tape.item[i];

    if (item->type == HB_REC_HANDSHAKE && !p->ready) {
        play_message(p, item->bytes);
    } else {
        play_record(p, item->type, item->bytes);
    }
}

void play_rest(struct player *p)
{
    while (p->at < p->w->tape.num && !p->failed) {
        play_item(p, p->at++);
    }
}

/* ---- the connection's own side, and the end ---- */

void play_own(struct player *p, uint8_t what)
{
    static uint8_t out_mem[WROTE_MAX];
    static const uint8_t text[3000];
    struct hb_bld out = hb_bld(out_mem, sizeof out_mem);
    struct hb_span spans[2] = {hb_span(text, what * 5u), hb_span(text, sizeof text)};
    size_t promised = hb_tls_sealed_len(p->t, spans[0].len + spans[1].len);
    uint8_t secret[16];

    switch (what % 4) {
    case 0: {
        enum hb_code code = hb_tls_write(p->t, spans, 2, &out);
        PROMISE(hb_bld_ok(&out) && out.len <= promised);
        PROMISE((code == HB_OK) ==
                (p->ready && !p->failed && code != HB_E_TLS_CLOSED && code != HB_E_TLS_KEY_LIMIT));
        break;
    }
    case 1:
        PROMISE(hb_tls_key_update(p->t, (what & 4) != 0, &out) == HB_OK || out.len == 0);
        break;
    case 2:
        hb_tls_close(p->t, &out);
        PROMISE(hb_tls_write(p->t, spans, 1, &out) != HB_OK);
        break;
    default:
        PROMISE(hb_tls_export_plain(p->t, "EXPORTER-x", secret, sizeof secret) == HB_OK
                    ? p->ready && !p->failed
                    : true);
        PROMISE(hb_tls_eof(p->t) == HB_OK ? p->told_closed : true);
        break;
    }
    PROMISE(hb_bld_ok(&out));
}

void play_end(struct player *p)
{
    PROMISE(p->changed || (p->ready && !p->failed && p->told_closed)); /* what is honest gets through */
    PROMISE(p->w->mine.peak_bytes <= MEMORY_MAX);
    hb_legacy_free(&p->sealer);
    hb_tls_free(&p->t);
    PROMISE(p->w->mine.held == 0);
}
