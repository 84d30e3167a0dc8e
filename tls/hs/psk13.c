/* hs/psk13.c: RFC 8446 4.2.11 and 4.6.1, server.
 * A ticket that does not fit is no error: the handshake is a full one. A binder that does not verify is one.
 */
#include "psk13.h"

#include <hb/ct.h>

#define IDENTITIES_MAX 8u /* looked at; each may cost a decryption */
#define MODE_PSK_DHE   1u

bool hb_session_fits(const struct hb_tls *t, const struct hb_session *s)
{
    const struct hb_tls_config *c = t->config;
    const struct hb_hs *hs = t->hs;
    uint64_t now = t->env->wall(t->env->ctx);
    const struct hb_suite *suite = hb_suite_find(s->suite);

    if (s->version != t->info.version || suite == NULL || !hb_suite_fits(suite, s->version)) {
        return false;
    }
    if (now < s->made || now - s->made >= s->lifetime || now < s->first || now - s->first >= 86400) {
        return false; /* at most a day behind one full handshake */
    }
    if (!hb_span_caseeq(hb_span(s->name, s->name_len), hb_span_str(hs->server_name))) {
        return false;
    }
    if ((c->auth == HB_AUTH_REQUIRE && !s->has_peer) || (c->auth == HB_AUTH_OFF && s->has_peer)) {
        return false;
    }
    return !s->has_peer || now <= s->peer_not_after;
}

static bool find_external(struct hb_tls *t, struct hb_span id)
{
    for (unsigned i = 0; i < t->config->num_psks; i++) {
        const struct hb_psk *psk = &t->config->psks[i];
        if (hb_span_eq(psk->identity, id)) {
            t->hs->choice.psk = HB_PSK_EXTERNAL;
            t->hs->choice.psk_hash = psk->hash;
            memcpy(t->hs->psk, psk->secret.p, psk->secret.len);
            t->hs->psk_len = (uint8_t)psk->secret.len;
            memcpy(t->hs->identity, id.p, id.len);
            t->hs->identity[id.len] = 0;
            return true;
        }
    }
    return false;
}

static bool find_ticket(struct hb_tls *t, struct hb_span id)
{
    struct hb_hs *hs = t->hs;

    if (t->config->tickets == NULL ||
        !hb_ticket_open(t->config->tickets, hb_span(t->config->context, 32), id, &hs->session) ||
        !hb_session_fits(t, &hs->session) || !hb_u16_list_has(hs->offer.suites, hs->session.suite)) {
        return false;
    }
    hs->choice.psk = HB_PSK_TICKET;
    hs->choice.psk_hash = hb_suite_find(hs->session.suite)->hash;
    memcpy(hs->psk, hs->session.secret, hs->session.secret_len);
    hs->psk_len = hs->session.secret_len;
    return true;
}

void hb_psk13_find(struct hb_tls *t)
{
    struct hb_hs *hs = t->hs;
    struct hb_cur ids = hb_cur(hs->offer.psk_identities);

    if (!hs->offer.has_psk || hs->offer.psk_modes.len == 0 ||
        memchr(hs->offer.psk_modes.p, MODE_PSK_DHE, hs->offer.psk_modes.len) == NULL) {
        return;
    }
    for (uint16_t i = 0; i < IDENTITIES_MAX && hb_cur_left(&ids) > 0; i++) {
        struct hb_cur id = hb_cur_vec16(&ids);
        (void)hb_cur_u32(&ids); /* the age: only early data would need it */
        struct hb_span bytes = hb_cur_rest(&id);
        if (find_ticket(t, bytes) || find_external(t, bytes)) {
            hs->psk_index = i;
            return;
        }
    }
}

void hb_psk13_drop(struct hb_tls *t)
{
    struct hb_hs *hs = t->hs;

    hs->choice.psk = HB_PSK_NONE;
    hs->choice.psk_hash = NULL;
    hb_wipe(hs->psk, sizeof hs->psk);
    hb_wipe(&hs->session, sizeof hs->session);
    hs->psk_len = 0;
    hs->identity[0] = 0;
}

enum hb_code hb_psk13_check_binder(struct hb_tls *t, struct hb_span body)
{
    struct hb_hs *hs = t->hs;
    const struct hb_hash *hash = hs->choice.psk_hash;
    struct hb_cur binders = hb_cur(hs->offer.psk_binders);
    struct hb_cur binder = hb_cur(hb_span(NULL, 0));
    struct hb_transcript copy = hs->transcript;
    uint8_t header[4] = {HB_MSG_CLIENT_HELLO, (uint8_t)(body.len >> 16), (uint8_t)(body.len >> 8),
                         (uint8_t)body.len};
    uint8_t key[HB_HASH_MAX];
    uint8_t digest[HB_HASH_MAX];
    uint8_t mac[HB_HASH_MAX];

    for (unsigned i = 0; i <= hs->psk_index; i++) {
        binder = hb_cur_vec8(&binders);
    }
    if (!hs->retried) {
        hb_transcript_start(&copy, hash);
    }
    hb_transcript_add(&copy, hb_span(header, sizeof header));
    hb_transcript_add(&copy, hb_span_head(body, hs->offer.binders_at));
    hb_transcript_now(&copy, digest);
    hb_ks13_early_psk(hash, hb_span(hs->psk, hs->psk_len), hs->choice.psk == HB_PSK_EXTERNAL, hs->early, key);
    hb_ks13_finished(hash, key, digest, mac);
    struct hb_span got = hb_cur_rest(&binder);
    bool ok = got.len == hash->len && hb_ct_eq(got.p, mac, hash->len);
    hb_wipe(key, sizeof key);
    return ok ? HB_OK : HB_E_TLS_BAD_BINDER;
}

void hb_session_of(const struct hb_tls *t, struct hb_session *s)
{
    const struct hb_hs *hs = t->hs;
    uint64_t now = t->env->wall(t->env->ctx);

    if (hs->resumed) { /* who it was, and since when, goes on */
        *s = hs->session;
    } else {
        memset(s, 0, sizeof *s);
        s->first = now;
        s->has_peer = hs->session.has_peer;
        s->peer_not_after = hs->session.peer_not_after;
        memcpy(s->peer_digest, hs->session.peer_digest, sizeof s->peer_digest);
        s->identity_len = hs->session.identity_len;
        memcpy(s->identity, hs->session.identity, s->identity_len);
    }
    s->version = t->info.version;
    s->suite = hs->choice.suite->id;
    s->group = t->info.group;
    s->ems = t->info.ems;
    s->made = now;
    s->lifetime = t->config->ticket_life;
    size_t name = strlen(hs->server_name);
    s->name_len = (uint8_t)name;
    memcpy(s->name, hs->server_name, name);
    s->alpn_len = 0;
    if (hs->choice.alpn > 0) {
        s->alpn_len = t->config->alpn[hs->choice.alpn - 1].len;
        memcpy(s->alpn, t->config->alpn[hs->choice.alpn - 1].name, s->alpn_len);
    }
}

enum hb_code hb_psk13_tickets(struct hb_tls *t, const uint8_t *resumption)
{
    struct hb_hs *hs = t->hs;
    const struct hb_hash *hash = hs->transcript.hash;
    unsigned num = t->config->tickets != NULL ? t->config->num_tickets : 0;
    struct hb_session s;
    enum hb_code code = HB_OK;

    if (!hs->psk_client_modes || hs->choice.psk == HB_PSK_EXTERNAL) {
        return HB_OK; /* RES-01: none for a client that could not use it */
    }
    if (hs->resumed && num > 1) {
        num = 1; /* one for the one that was used up */
    }
    hb_session_of(t, &s);
    for (uint8_t i = 0; i < num && code == HB_OK; i++) {
        uint8_t mem[2048];
        struct hb_bld b = hb_bld(mem, sizeof mem);
        s.secret_len = hash->len;
        t->env->random(t->env->ctx, sizeof s.age_add, (uint8_t *)&s.age_add);
        HB_CT_PUBLIC(&s.age_add, sizeof s.age_add);
        hb_ks13_ticket_psk(hash, resumption, hb_span(&i, 1), s.secret);
        hb_bld_u8(&b, HB_MSG_NEW_SESSION_TICKET);
        struct hb_bld_mark message = hb_bld_open24(&b);
        hb_bld_u32(&b, s.lifetime);
        hb_bld_u32(&b, s.age_add);
        hb_bld_u8(&b, 1);
        hb_bld_u8(&b, i);
        struct hb_bld_mark ticket = hb_bld_open16(&b);
        hb_ticket_seal(t->config->tickets, hb_span(t->config->context, 32), &s, &b);
        hb_bld_close(&b, ticket);
        hb_bld_u16(&b, 0);
        hb_bld_close(&b, message);
        HB_INVARIANT(hb_bld_ok(&b));
        struct hb_post *post = hb_conn_post(t);
        code = post == NULL ? HB_E_NO_MEMORY : hb_buf_add(&post->pending, t->env, hb_bld_span(&b));
    }
    hb_wipe(&s, sizeof s);
    return code;
}
