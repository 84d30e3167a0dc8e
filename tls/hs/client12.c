/* hs/client12.c: TLS 1.2, client (RFC 5246 7.3, RFC 5077).
 *
 *   ClientHello --->                                                              C_HELLO
 *     <--- ServerHello, Certificate*, CertificateStatus*, ServerKeyExchange*,     C12_CERTIFICATE ...
 * C12_KEY_EXCHANGE CertificateRequest*, ServerHelloDone C12_REQUEST_OR_DONE, C12_DONE Certificate*,
 * ClientKeyExchange, CertificateVerify*, [CCS], Finished --->     C12_SEND_FLIGHT, ..._SIGNING, ..._FINISHED
 *     <--- NewSessionTicket*, [CCS], Finished                                     C12_TICKET, C12_CCS,
 * C12_FINISHED
 *
 * Resumed: behind ServerHello at once NewSessionTicket*, [CCS], Finished, then ours. */
#include "auth.h"
#include "client.h"
#include "kx12.h"

#include <hb/ct.h>

static enum hb_code resume(struct hb_tls *t, const struct hb_answer *a, uint8_t *next)
{
    struct hb_hs *hs = t->hs;
    const struct hb_session *s = &hs->client->session;

    if (s->version != t->info.version || s->suite != a->suite) {
        return HB_E_TLS_SUITE_CHANGED;
    }
    if (!t->info.ems) { /* only sessions with EMS are kept (EMS-02) */
        return HB_E_TLS_EMS_CHANGED;
    }
    hs->resumed = true;
    hs->session = *s;
    t->info.resumed = true;
    t->info.group = s->group;
    t->info.peer_certificate = s->has_peer;
    memcpy(t->secrets.v12.master, s->secret, HB_MASTER_LEN);
    hb_kx12_keys(t);
    *next = hs->client->expects_ticket ? HB_C12_TICKET : HB_C12_CCS;
    return HB_OK;
}

enum hb_code hb_client12_hello(struct hb_tls *t, const struct hb_answer *a, uint8_t *next)
{
    struct hb_hs *hs = t->hs;
    struct hb_hs_client *cl = hs->client;
    const struct hb_suite *suite = hb_client_suite(t, a->suite, t->info.version);

    if (suite == NULL) {
        return HB_E_TLS_SUITE_CHANGED;
    }
    if ((a->has & HB_ASK_RENEGOTIATION) == 0 && !t->config->lax_renegotiation) {
        return HB_E_TLS_NO_SECURE_RENEGOTIATION; /* REN-01 */
    }
    if ((a->has & HB_ASK_ETM) != 0 && suite->aead != NULL) {
        return HB_E_TLS_ILLEGAL;
    }
    hs->choice.suite = suite;
    t->info.suite = suite->id;
    memcpy(hs->server_random, a->random.p, 32);
    hb_transcript_start(&hs->transcript, hb_hs_hash_of(suite, t->info.version));
    hs->keep_messages = t->config->creds != NULL && hb_cred_store_count(t->config->creds) > 0;
    HB_TRY(hb_hs_hash(t, hb_buf_span(&cl->hello)));
    hb_buf_clear(&cl->hello, t->env);
    HB_TRY(hb_client_take_answers(t, a));
    t->info.ems = (a->has & HB_ASK_EMS) != 0;
    if (t->config->require_ems && !t->info.ems) {
        return HB_E_TLS_EMS_MISSING;
    }
    t->info.etm = (a->has & HB_ASK_ETM) != 0;
    cl->expects_ticket = (a->has & HB_ASK_TICKET) != 0;
    cl->expects_status = (a->has & HB_ASK_STATUS) != 0;
    bool echoed =
        a->session_id.len > 0 && hb_span_eq(a->session_id, hb_span(hs->session_id, hs->session_id_len));
    if (echoed && !cl->offered_ticket12) {
        return HB_E_TLS_SESSION_ID; /* the id of compatibility names no session */
    }
    if (echoed) {
        return resume(t, a, next);
    }
    if (suite->auth == HB_AUTH_PSK) {
        *next = hb_kx_is_ephemeral(suite->kx) ? HB_C12_KEY_EXCHANGE : HB_C12_REQUEST_OR_DONE;
        return HB_OK;
    }
    *next = HB_C12_CERTIFICATE;
    return HB_OK;
}

static uint8_t behind_certificate(const struct hb_tls *t)
{
    return hb_kx_is_ephemeral(t->hs->choice.suite->kx) ? HB_C12_KEY_EXCHANGE : HB_C12_REQUEST_OR_DONE;
}

static enum hb_code on_certificate(struct hb_tls *t, struct hb_span body, uint8_t *next)
{
    bool empty;

    HB_TRY(hb_auth_take_chain(t, body, &empty));
    if (empty) {
        return HB_E_TLS_CERTIFICATE_EMPTY;
    }
    if (t->hs->client->expects_status) { /* the staple comes first, if it comes */
        *next = HB_C12_STATUS;
        return HB_OK;
    }
    return hb_auth_judge(t, behind_certificate(t), HB_C12_VERIFYING, next);
}

static enum hb_code on_status(struct hb_tls *t, struct hb_span body, uint8_t *next)
{
    struct hb_cur c = hb_cur(body);
    uint8_t kind = hb_cur_u8(&c);
    struct hb_cur response = hb_cur_vec24(&c);

    if (!hb_cur_end(&c) || kind != 1 || hb_cur_left(&response) == 0) {
        return HB_E_TLS_DECODE;
    }
    HB_TRY(hb_buf_add(&t->hs->staple, t->env, hb_cur_rest(&response)));
    return hb_auth_judge(t, behind_certificate(t), HB_C12_VERIFYING, next);
}

static enum hb_code on_verdict(struct hb_tls *t, struct hb_span body, uint8_t *next)
{
    (void)body;
    *next = behind_certificate(t);
    return hb_auth_verdict(t);
}

static enum hb_code on_key_exchange(struct hb_tls *t, struct hb_span body, uint8_t *next)
{
    struct hb_hs *hs = t->hs;
    struct hb_cur c = hb_cur(body);
    uint8_t mem[64 + 2048];
    struct hb_bld input = hb_bld(mem, sizeof mem);

    HB_TRY(hb_kx12_take_params(t, &c));
    *next = HB_C12_REQUEST_OR_DONE;
    if (!hb_kx12_is_signed(t)) {
        return hb_cur_end(&c) ? HB_OK : HB_E_TLS_DECODE;
    }
    hb_bld_put(&input, hb_span(hs->client_random, 32));
    hb_bld_put(&input, hb_span(hs->server_random, 32));
    hb_bld_put(&input, hb_span_head(body, body.len - hb_cur_left(&c)));
    if (!hb_bld_ok(&input)) {
        return HB_E_TLS_DECODE;
    }
    return hb_auth_check_signature(t, &c, hb_bld_span(&input));
}

/* CertificateStatus was announced but left out, which the server may do (RFC 6066 8): judge without a staple.
 */
static enum hb_code on_no_status(struct hb_tls *t, struct hb_span body, uint8_t *next)
{
    (void)body;
    return hb_auth_judge(t, behind_certificate(t), HB_C12_VERIFYING, next);
}

static enum hb_code on_request(struct hb_tls *t, struct hb_span body, uint8_t *next)
{
    struct hb_cur c = hb_cur(body);
    struct hb_cur types = hb_cur_vec8(&c);
    bool old = t->info.version < 0x0303;
    struct hb_cur schemes = old ? hb_cur(hb_span("\xff\x01", 2)) : hb_cur_vec16(&c);
    struct hb_cur names = hb_cur_vec16(&c);

    *next = HB_C12_DONE;
    if (t->hs->choice.suite->auth == HB_AUTH_PSK) {
        return HB_E_TLS_UNEXPECTED_MESSAGE; /* RFC 4279 2 */
    }
    (void)hb_cur_rest(&names);
    if (!hb_cur_end(&c) || hb_cur_left(&types) == 0 || hb_cur_left(&schemes) == 0 ||
        hb_cur_left(&schemes) % 2 != 0) {
        return HB_E_TLS_DECODE;
    }
    t->hs->client->asked = true;
    return hb_buf_add(&t->hs->client->request, t->env, hb_cur_rest(&schemes));
}

static enum hb_code on_done(struct hb_tls *t, struct hb_span body, uint8_t *next)
{
    (void)t;
    *next = HB_C12_SEND_FLIGHT;
    return body.len == 0 ? HB_OK : HB_E_TLS_DECODE;
}

static enum hb_code send_flight(struct hb_tls *t, struct hb_span body, uint8_t *next)
{
    struct hb_hs *hs = t->hs;

    (void)body;
    if (hs->client->asked) {
        hb_auth_choose(t, hb_buf_span(&hs->client->request));
        HB_TRY(hb_auth_put_chain(t));
    }
    HB_TRY(hb_kx12_put_client(t));
    *next = HB_C12_SEND_FINISHED;
    if (!hs->client->asked || hs->choice.cred == NULL) {
        return HB_OK;
    }
    hs->sign_span = hb_buf_span(&hs->signed_messages);
    return hb_hs_sign(t, HB_C12_SEND_FINISHED, HB_C12_SIGNING, next);
}

static enum hb_code on_signed(struct hb_tls *t, struct hb_span body, uint8_t *next)
{
    (void)body;
    *next = HB_C12_SEND_FINISHED;
    return t->hs->signature_len > 0 ? HB_OK : HB_E_TLS_SIGN_FAILED;
}

static enum hb_code send_finished(struct hb_tls *t, struct hb_span body, uint8_t *next)
{
    struct hb_hs *hs = t->hs;
    uint8_t data[HB_VERIFY12_LEN];

    (void)body;
    if (hs->choice.cred != NULL) {
        HB_TRY(hb_auth_put_signature(t));
    }
    hb_conn_emit(t);
    hb_kx12_verify_data(t, false, data);
    hb_hs_emit_ccs(t);
    HB_TRY(hb_kx12_install(t, &t->wr, false));
    struct hb_bld_mark message = hb_hs_message(t, HB_MSG_FINISHED);
    hb_bld_put(&t->lane->flight, hb_span(data, sizeof data));
    HB_TRY(hb_hs_message_end(t, message));
    hb_conn_emit(t);
    if (hs->resumed) {
        memcpy(t->secrets.v12.client_random, hs->client_random, 32);
        memcpy(t->secrets.v12.server_random, hs->server_random, 32);
        hb_hs_done(t);
        *next = HB_C12_OPEN;
        return HB_OK;
    }
    *next = hs->client->expects_ticket ? HB_C12_TICKET : HB_C12_CCS;
    return HB_OK;
}

static enum hb_code on_ticket(struct hb_tls *t, struct hb_span body, uint8_t *next)
{
    struct hb_cur c = hb_cur(body);
    struct hb_session s;
    uint32_t hint = hb_cur_u32(&c);
    struct hb_cur ticket = hb_cur_vec16(&c);

    *next = HB_C12_CCS;
    if (!hb_cur_end(&c)) {
        return HB_E_TLS_DECODE;
    }
    if (t->config->tickets == NULL || !t->info.ems) {
        return HB_OK;
    }
    hb_client_session(t, &s);
    s.lifetime = hint == 0 || hint > 604800 ? 604800 : hint;
    memcpy(s.secret, t->secrets.v12.master, HB_MASTER_LEN);
    s.secret_len = HB_MASTER_LEN;
    hb_client_keep(t, &s,
                   hb_cur_rest(&ticket)); /* told at READY: only a finished handshake is worth keeping */
    hb_wipe(&s, sizeof s);
    return HB_OK;
}

static enum hb_code on_ccs(struct hb_tls *t, struct hb_span body, uint8_t *next)
{
    (void)body;
    *next = HB_C12_FINISHED;
    return hb_kx12_install(t, &t->rd, true);
}

static enum hb_code on_finished(struct hb_tls *t, struct hb_span body, uint8_t *next)
{
    struct hb_hs *hs = t->hs;
    uint8_t data[HB_VERIFY12_LEN];

    if (body.len != HB_VERIFY12_LEN) {
        return HB_E_TLS_DECODE;
    }
    hb_kx12_verify_data(t, true, data);
    if (!hb_ct_eq(data, body.p, sizeof data)) {
        return HB_E_TLS_BAD_FINISHED;
    }
    if (hs->resumed) {
        *next = HB_C12_SEND_FINISHED;
        return HB_OK;
    }
    memcpy(t->secrets.v12.client_random, hs->client_random, 32);
    memcpy(t->secrets.v12.server_random, hs->server_random, 32);
    hb_hs_done(t);
    *next = HB_C12_OPEN;
    return HB_OK;
}

/* clang-format off */
#define BEHIND_CERTIFICATE (HB_TO(HB_C12_VERIFYING) | HB_TO(HB_C12_KEY_EXCHANGE) | HB_TO(HB_C12_REQUEST_OR_DONE))
const struct hb_hs_row hb_client12_rows[] = {
    /* in                      on                           do                         may leave to */
    { HB_C12_CERTIFICATE,      HB_MSG_CERTIFICATE,          on_certificate,            HB_TO(HB_C12_STATUS) | BEHIND_CERTIFICATE },
    { HB_C12_STATUS,           HB_MSG_CERTIFICATE_STATUS,   on_status,                 BEHIND_CERTIFICATE },
    { HB_C12_STATUS,           HB_MSG_NO_STATUS,            on_no_status,              BEHIND_CERTIFICATE },
    { HB_C12_VERIFYING,        HB_MSG_VERIFIED,             on_verdict,                HB_TO(HB_C12_KEY_EXCHANGE) | HB_TO(HB_C12_REQUEST_OR_DONE) },
    { HB_C12_KEY_EXCHANGE,     HB_MSG_SERVER_KEY_EXCHANGE,  on_key_exchange,           HB_TO(HB_C12_REQUEST_OR_DONE) },
    { HB_C12_REQUEST_OR_DONE,  HB_MSG_CERTIFICATE_REQUEST,  on_request,                HB_TO(HB_C12_DONE) },
    { HB_C12_REQUEST_OR_DONE,  HB_MSG_SERVER_HELLO_DONE,    on_done,                   HB_TO(HB_C12_SEND_FLIGHT) },
    { HB_C12_DONE,             HB_MSG_SERVER_HELLO_DONE,    on_done,                   HB_TO(HB_C12_SEND_FLIGHT) },
    { HB_C12_SEND_FLIGHT,      HB_MSG_NONE,                 send_flight,               HB_TO(HB_C12_SIGNING) | HB_TO(HB_C12_SEND_FINISHED) },
    { HB_C12_SIGNING,          HB_MSG_SIGNED,               on_signed,                 HB_TO(HB_C12_SEND_FINISHED) },
    { HB_C12_SEND_FINISHED,    HB_MSG_NONE,                 send_finished,             HB_TO(HB_C12_TICKET) | HB_TO(HB_C12_CCS) | HB_TO(HB_C12_OPEN) },
    { HB_C12_TICKET,           HB_MSG_NEW_SESSION_TICKET,   on_ticket,                 HB_TO(HB_C12_CCS) },
    { HB_C12_CCS,              HB_MSG_CCS,                  on_ccs,                    HB_TO(HB_C12_FINISHED) },
    { HB_C12_FINISHED,         HB_MSG_FINISHED,             on_finished,               HB_TO(HB_C12_SEND_FINISHED) | HB_TO(HB_C12_OPEN) },
};
/* clang-format on */
const size_t hb_num_client12_rows = sizeof hb_client12_rows / sizeof hb_client12_rows[0];
