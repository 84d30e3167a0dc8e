/* hs/server.c: the first ClientHello: parse, decide the version, decide the rest, hand over to a version's
 * rows.
 *
 *   S_HELLO -- ClientHello --> 1.3 (server13.c) or 1.2 (server12.c) */
#include "hs.h"

#include "../legacy/record.h"
#include "psk13.h"
#include "server.h"
#include <hb/ct.h>

static const uint8_t sentinel12[] = {'D', 'O', 'W', 'N', 'G', 'R', 'D', 1}; /* RFC 8446 4.1.3 */

/* What a second ClientHello must repeat. */
static void digest_hello(const struct hb_offer *o, uint8_t dst[32])
{
    union hb_hash_ctx h;

    hb_sha256.init(&h);
    hb_sha256.update(&h, o->random);
    hb_sha256.update(&h, o->session_id);
    hb_sha256.update(&h, o->suites);
    hb_sha256.final(&h, dst);
}

/* A session goes on with the application protocol it had, or not at all. */
static bool alpn_same(const struct hb_tls *t)
{
    const struct hb_session *old = &t->hs->session;
    uint8_t i = t->hs->choice.alpn;

    return i == 0 ? old->alpn_len == 0
                  : hb_span_eq(hb_span(old->alpn, old->alpn_len),
                               hb_span(t->config->alpn[i - 1].name, t->config->alpn[i - 1].len));
}

enum hb_code hb_server_read_hello(struct hb_tls *t, struct hb_span body)
{
    struct hb_hs *hs = t->hs;
    struct hb_offer *o = &hs->offer;
    uint8_t digest[32];
    uint16_t version;

    HB_TRY(hb_hello_parse(body, o));
    if (o->has_server_name) {
        memcpy(hs->server_name, o->server_name.p, o->server_name.len); /* at most 255, checked */
        hs->server_name[o->server_name.len] = 0;
    }
    HB_TRY(hb_negotiate_version(o, t->config, &version));
    if (hs->retried && o->has_psk != hs->first_had_psk) {
        return HB_E_TLS_HELLO_CHANGED;
    }
    hs->first_had_psk = o->has_psk;
    if (hs->retried) {
        digest_hello(o, digest);
        if (version != t->info.version || memcmp(digest, hs->hello_digest, sizeof digest) != 0) {
            return HB_E_TLS_HELLO_CHANGED;
        }
    }
    memset(&hs->choice, 0, sizeof hs->choice);
    hs->choice.version = version;
    t->info.version = version;
    hs->psk_client_modes = o->psk_modes.len > 0 && memchr(o->psk_modes.p, 1, o->psk_modes.len) != NULL;
    if (version == 0x0304) {
        hb_psk13_find(t);
    }
    HB_TRY(hb_negotiate(o, t->config, &hs->choice));
    if (hs->choice.psk == HB_PSK_TICKET && !alpn_same(t)) { /* ATK-27 */
        hb_psk13_drop(t);
        HB_TRY(hb_negotiate(o, t->config, &hs->choice));
    }
    if (hs->choice.retry) {
        digest_hello(o, hs->hello_digest);
    }
    if (hs->choice.psk != HB_PSK_NONE) {
        HB_TRY(hb_psk13_check_binder(t, body));
        hs->resumed = hs->choice.psk == HB_PSK_TICKET;
        t->info.resumed = hs->resumed;
        t->info.psk = hs->choice.psk == HB_PSK_EXTERNAL;
    }
    memcpy(hs->client_random, o->random.p, 32);
    if (o->session_id.len > 0) {
        memcpy(hs->session_id, o->session_id.p, o->session_id.len);
    }
    hs->session_id_len = (uint8_t)o->session_id.len;
    return HB_OK;
}

/* REC-16, REC-17: how large a record the client takes. */
static void take_limits(struct hb_tls *t)
{
    struct hb_hs *hs = t->hs;
    const struct hb_offer *o = &hs->offer;

    if (o->record_size_limit > 0) {
        uint16_t inner = t->info.version == 0x0304 ? 1 : 0; /* 1.3 counts the content type */
        uint16_t limit = (uint16_t)(o->record_size_limit - inner);
        t->max_plain = limit < HB_REC_PLAIN_MAX ? limit : HB_REC_PLAIN_MAX;
        hs->answer_size_limit = true;
    } else if (o->max_fragment > 0) {
        t->max_plain = (uint16_t)(256u << o->max_fragment);
        hs->answer_max_fragment = o->max_fragment;
    }
}

void hb_server_put_answers(struct hb_tls *t, struct hb_bld *b)
{
    const struct hb_hs *hs = t->hs;
    const struct hb_tls_config *config = t->config;

    if (hs->choice.name_used) {
        hb_bld_u16(b, HB_EXT_SERVER_NAME);
        hb_bld_u16(b, 0);
    }
    if (hs->answer_max_fragment > 0) {
        hb_bld_u16(b, HB_EXT_MAX_FRAGMENT_LENGTH);
        hb_bld_u16(b, 1);
        hb_bld_u8(b, hs->answer_max_fragment);
    }
    if (hs->answer_size_limit) {
        hb_bld_u16(b, HB_EXT_RECORD_SIZE_LIMIT);
        hb_bld_u16(b, 2);
        hb_bld_u16(b, (uint16_t)(config->size_limit + (t->info.version == 0x0304 ? 1 : 0)));
    }
    if (hs->choice.alpn > 0) {
        unsigned i = hs->choice.alpn - 1u;
        hb_bld_u16(b, HB_EXT_ALPN);
        struct hb_bld_mark ext = hb_bld_open16(b);
        struct hb_bld_mark names = hb_bld_open16(b);
        struct hb_bld_mark name = hb_bld_open8(b);
        hb_bld_put(b, hb_span(config->alpn[i].name, config->alpn[i].len));
        hb_bld_close(b, name);
        hb_bld_close(b, names);
        hb_bld_close(b, ext);
    }
}

/* TLS 1.2: a ticket that fits makes a short handshake (RES-10, EMS-02). */
static enum hb_code try_ticket12(struct hb_tls *t)
{
    struct hb_hs *hs = t->hs;
    const struct hb_offer *o = &hs->offer;
    struct hb_session *s = &hs->session;

    if (t->config->tickets == NULL || o->ticket.len == 0 ||
        !hb_ticket_open(t->config->tickets, hb_span(t->config->context, 32), o->ticket, s) ||
        !hb_session_fits(t, s) || !hb_u16_list_has(o->suites, s->suite) || !alpn_same(t) || !s->ems) {
        hb_wipe(s, sizeof *s);
        return HB_OK;
    }
    if (!o->has_ems) {
        return HB_E_TLS_EMS_CHANGED;
    }
    hs->resumed = true;
    hs->choice.suite = hb_suite_find(s->suite);
    memcpy(hs->identity, s->identity, s->identity_len);
    memcpy(t->secrets.v12.master, s->secret, HB_MASTER_LEN);
    t->info.resumed = true;
    t->info.peer_certificate = s->has_peer;
    return HB_OK;
}

static bool wants_client_certificate(const struct hb_tls *t)
{
    return t->config->auth != HB_AUTH_OFF && t->hs->choice.psk == HB_PSK_NONE &&
           !hb_kx_is_psk(t->hs->choice.suite->kx);
}

/* Who the client was when the session began, it still is. */
static void take_session(struct hb_tls *t)
{
    memcpy(t->hs->identity, t->hs->session.identity, t->hs->session.identity_len);
    t->info.peer_certificate = t->hs->session.has_peer;
}

static enum hb_code on_hello(struct hb_tls *t, struct hb_span body, uint8_t *next)
{
    struct hb_hs *hs = t->hs;

    HB_TRY(hb_server_read_hello(t, body));
    const struct hb_choice *choice = &hs->choice;
    hs->client_version = hs->offer.legacy_version;
    t->env->random(t->env->ctx, sizeof hs->server_random, hs->server_random);
    HB_CT_PUBLIC(hs->server_random, sizeof hs->server_random);
    if (choice->version < 0x0304) {
        if (t->config->require_ems && !hs->offer.has_ems) {
            return HB_E_TLS_EMS_MISSING;
        }
        HB_TRY(try_ticket12(t));
    }
    hb_transcript_start(&hs->transcript, hb_hs_hash_of(choice->suite, choice->version));
    t->info.suite = choice->suite->id;
    t->info.group = hs->resumed && choice->version < 0x0304 ? hs->session.group : choice->group->id;
    t->info.alpn = choice->alpn;
    take_limits(t);
    hs->asked_certificate = wants_client_certificate(t);
    hs->answer_status = hs->offer.has_status_request && t->config->staple && choice->cred != NULL &&
                        hb_cred_can_staple(choice->cred, t->env->wall(t->env->ctx)) && !hs->resumed;
    if (choice->version == 0x0304) {
        if (hs->offer.has_early_data) {
            t->early_budget =
                16384 + 1; /* RES-09: skipped, never read; the last byte would be one too many */
            t->early_all = choice->retry;
        }
        if (hs->resumed) {
            take_session(t);
        }
        *next = choice->retry ? HB_S13_SEND_RETRY : HB_S13_SEND_FLIGHT;
        return HB_OK;
    }
    if (t->config->highest >= 0x0304) { /* VER-02 */
        memcpy(hs->server_random + 24, sentinel12, sizeof sentinel12);
    }
    if (choice->version < 0x0303 && t->config->highest >= 0x0303) {
        memcpy(hs->server_random + 24, sentinel12, sizeof sentinel12);
        hs->server_random[31] = 0;
    }
    hs->answer_ems = hs->offer.has_ems;
    hs->answer_etm = hs->offer.has_etm && choice->suite->legacy != NULL &&
                     choice->suite->legacy->cipher->block > 0; /* REC-12 */
    t->info.etm = hs->answer_etm;
    hs->answer_point_formats = hs->offer.has_point_formats;
    hs->answer_renegotiation = hs->offer.has_renegotiation || hb_u16_list_has(hs->offer.suites, 0x00ff);
    hs->answer_ticket =
        hs->offer.has_ticket && hs->offer.has_ems && t->config->tickets != NULL && choice->version == 0x0303;
    hs->keep_messages = hs->asked_certificate && !hs->resumed;
    t->info.ems = hs->offer.has_ems;
    *next = hs->resumed ? HB_S12_SEND_RESUMED : HB_S12_SEND_FLIGHT;
    return HB_OK;
}

/* clang-format off */
const struct hb_hs_row hb_server_rows[] = {
    /* in          on                    do         may leave to */
    { HB_S_HELLO,  HB_MSG_CLIENT_HELLO,  on_hello,  HB_TO(HB_S13_SEND_RETRY) | HB_TO(HB_S13_SEND_FLIGHT) |
                                                    HB_TO(HB_S12_SEND_FLIGHT) | HB_TO(HB_S12_SEND_RESUMED) },
};
/* clang-format on */
const size_t hb_num_server_rows = sizeof hb_server_rows / sizeof hb_server_rows[0];
