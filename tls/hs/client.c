/* hs/client.c: the client's first steps: hello, and which version the answer is in.
 *
 *   C_SEND_HELLO -- ClientHello --> C_HELLO -- ServerHello --> 1.3 (client13.c) or 1.2 (client12.c) */
#include "client.h"
#include "psk13.h"

#include <hb/ct.h>

static const uint8_t sentinel[] = {'D', 'O', 'W', 'N', 'G', 'R', 'D'}; /* RFC 8446 4.1.3 */

/* A session of TLS 1.3 is offered as a PSK, one of 1.2 as a ticket with a session id of our choice (RFC
 * 5077 3.4). */
static void choose_session(struct hb_tls *t)
{
    struct hb_hs *hs = t->hs;
    struct hb_hs_client *cl = hs->client;
    struct hb_session *s = &cl->session;
    const struct hb_suite *suite = hb_suite_find(s->suite);
    uint64_t now = t->env->wall(t->env->ctx);
    bool fits = s->version != 0 && suite != NULL && s->version >= t->config->lowest &&
                s->version <= t->config->highest && now >= s->made && now - s->made < s->lifetime &&
                hb_span_caseeq(hb_span(s->name, s->name_len), hb_span_str(hs->server_name));

    if (fits && s->version == 0x0304) {
        memcpy(hs->psk, s->secret, s->secret_len);
        hs->psk_len = s->secret_len;
    } else if (fits && t->config->tickets != NULL) {
        cl->offered_ticket12 = true;
    } else {
        hb_wipe(s, sizeof *s);
    }
    if (hs->psk_len == 0 && t->config->num_psks > 0 && t->config->highest >= 0x0304) {
        cl->psk = &t->config->psks[0];
        memcpy(hs->psk, cl->psk->secret.p, cl->psk->secret.len);
        hs->psk_len = (uint8_t)cl->psk->secret.len;
    }
}

static enum hb_code send_hello(struct hb_tls *t, struct hb_span body, uint8_t *next)
{
    struct hb_hs *hs = t->hs;
    struct hb_hs_client *cl = hs->client;

    (void)body;
    t->env->random(t->env->ctx, 32, hs->client_random);
    HB_CT_PUBLIC(hs->client_random, 32);
    choose_session(t);
    if (t->config->highest >= 0x0304 || cl->offered_ticket12) { /* T13-02 */
        t->env->random(t->env->ctx, 32, hs->session_id);
        HB_CT_PUBLIC(hs->session_id, 32);
        hs->session_id_len = 32;
    }
    t->env->random(t->env->ctx, sizeof cl->grease, cl->grease);
    HB_CT_PUBLIC(cl->grease, sizeof cl->grease);
    if ((cl->grease[1] & 0xf0) == (cl->grease[2] & 0xf0)) {
        cl->grease[2] ^= 0x10;
    }
    cl->num_shares = t->config->num_shares;
    memcpy(cl->share_groups, t->config->shares, sizeof cl->share_groups);
    HB_TRY(hb_client_send_hello(t));
    hb_conn_emit(t);
    *next = HB_C_HELLO;
    return HB_OK;
}

const struct hb_suite *hb_client_suite(const struct hb_tls *t, uint16_t id, uint16_t version)
{
    for (unsigned i = 0; i < t->config->num_suites; i++) {
        const struct hb_suite *s = t->config->suites[i];
        if (s->id == id) {
            bool offered = !(s->auth == HB_AUTH_PSK && t->config->num_psks == 0);
            return offered && hb_suite_fits(s, version) ? s : NULL;
        }
    }
    return NULL;
}

enum hb_code hb_client_take_answers(struct hb_tls *t, const struct hb_answer *a)
{
    if ((a->has & HB_ASK_ALPN) != 0) {
        for (unsigned i = 0; i < t->config->num_alpn; i++) {
            if (hb_span_eq(a->alpn, hb_span(t->config->alpn[i].name, t->config->alpn[i].len))) {
                t->info.alpn = (uint8_t)(i + 1);
            }
        }
        if (t->info.alpn == 0) {
            return HB_E_TLS_ALPN_CHANGED;
        }
        t->hs->choice.alpn = t->info.alpn;
    }
    if ((a->has & HB_ASK_SIZE_LIMIT) != 0) { /* REC-16 */
        uint16_t inner = t->info.version == 0x0304 ? 1 : 0;
        uint16_t limit = (uint16_t)(a->size_limit - inner);
        if (a->size_limit > HB_REC_PLAIN_MAX + inner) {
            return HB_E_TLS_ILLEGAL;
        }
        t->max_plain = limit;
    }
    return HB_OK;
}

static bool says_downgrade(const struct hb_tls *t, const struct hb_answer *a, uint16_t version)
{
    const uint8_t *tail = a->random.p + 24;

    if (memcmp(tail, sentinel, sizeof sentinel) != 0 || tail[7] > 1) {
        return false;
    }
    return t->config->highest >= 0x0304 || (version < 0x0303 && t->config->highest >= 0x0303 && tail[7] == 0);
}

static enum hb_code on_hello(struct hb_tls *t, struct hb_span body, uint8_t *next)
{
    struct hb_answer a;

    HB_TRY(hb_answer_parse(body, hb_client_asked(t), &a));
    uint16_t version = a.version != 0 ? a.version : a.legacy_version;
    if (a.version != 0 && a.version < 0x0304) {
        return HB_E_TLS_ILLEGAL; /* VER-04 */
    }
    if (a.version == 0 && a.legacy_version > 0x0303) {
        return HB_E_TLS_VERSION_CHANGED;
    }
    if (version < t->config->lowest || version > t->config->highest) {
        return HB_E_TLS_VERSION_CHANGED;
    }
    if (a.compression != 0) {
        return HB_E_TLS_COMPRESSION;
    }
    t->info.version = version;
    t->hs->choice.version = version;
    if (version == 0x0304) {
        return hb_client13_hello(t, &a, next);
    }
    if (says_downgrade(t, &a, version)) { /* VER-02 */
        return HB_E_TLS_DOWNGRADE;
    }
    return hb_client12_hello(t, &a, next);
}

void hb_client_session(const struct hb_tls *t, struct hb_session *s)
{
    hb_session_of(t, s);
}

void hb_client_keep(struct hb_tls *t, struct hb_session *s, struct hb_span ticket)
{
    uint8_t mem[HB_TLS_SESSION_MAX];
    struct hb_bld b = hb_bld(mem, sizeof mem);

    if (ticket.len == 0 || ticket.len > HB_TICKET_MAX || hb_conn_post(t) == NULL) {
        return; /* nothing kept is nothing lost: the next handshake is a full one */
    }
    hb_session_write(s, &b);
    hb_bld_u16(&b, (uint16_t)ticket.len);
    hb_bld_put(&b, ticket);
    if (hb_bld_ok(&b)) {
        hb_buf_clear(&t->post->pending, t->env);
        if (hb_buf_add(&t->post->pending, t->env, hb_bld_span(&b)) != HB_OK) {
            hb_buf_clear(&t->post->pending, t->env); /* no memory: no session */
        }
    }
    hb_wipe(mem, sizeof mem);
}

/* clang-format off */
const struct hb_hs_row hb_client_rows[] = {
    /* in               on                    do           may leave to */
    { HB_C_SEND_HELLO,  HB_MSG_NONE,          send_hello,  HB_TO(HB_C_HELLO) },
    { HB_C_HELLO,       HB_MSG_SERVER_HELLO,  on_hello,    HB_TO(HB_C13_SEND_HELLO_AGAIN) | HB_TO(HB_C13_EXTENSIONS) |
                                                           HB_TO(HB_C12_CERTIFICATE) | HB_TO(HB_C12_KEY_EXCHANGE) |
                                                           HB_TO(HB_C12_REQUEST_OR_DONE) | HB_TO(HB_C12_TICKET) |
                                                           HB_TO(HB_C12_CCS) },
};
/* clang-format on */
const size_t hb_num_client_rows = sizeof hb_client_rows / sizeof hb_client_rows[0];
