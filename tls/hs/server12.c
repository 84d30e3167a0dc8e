/* hs/server12.c: TLS 1.2, server (RFC 5246 7.3, RFC 8422, RFC 5077).
 *
 *   ClientHello        --------->
 *                      <---------  ServerHello, Certificate*, CertificateStatus*,   S12_SEND_FLIGHT
 *                                  ServerKeyExchange*, CertificateRequest*,         S12_SIGNING,
 * S12_SEND_DONE ServerHelloDone Certificate*       ---------> S12_CERTIFICATE, S12_VERIFYING
 *   ClientKeyExchange  --------->                                                   S12_KEY_EXCHANGE
 *   CertificateVerify* --------->                                                   S12_CERTIFICATE_VERIFY
 *   [CCS]              --------->                                                   S12_CCS
 *   Finished           --------->                                                   S12_FINISHED
 *                      <---------  NewSessionTicket*, [CCS], Finished
 *   data               <-------->  data                                             S12_OPEN
 *
 * Resumed: ClientHello; ServerHello, NewSessionTicket*, [CCS], Finished (S12_SEND_RESUMED); [CCS], Finished.
 * Read keys change only at the CCS, which is accepted in one state alone (T12-08). */
#include "auth.h"
#include "kx12.h"
#include "psk13.h"
#include "server.h"
#include <hb/ct.h>

static void empty_extension(struct hb_bld *b, uint16_t type)
{
    hb_bld_u16(b, type);
    hb_bld_u16(b, 0);
}

static void put_extensions(struct hb_tls *t)
{
    struct hb_hs *hs = t->hs;
    struct hb_bld *b = &t->lane->flight;
    size_t before = b->len;
    struct hb_bld_mark list = hb_bld_open16(b);

    if (hs->answer_renegotiation) {
        hb_bld_u16(b, HB_EXT_RENEGOTIATION_INFO);
        hb_bld_u16(b, 1);
        hb_bld_u8(b, 0);
    }
    if (hs->answer_ems) {
        empty_extension(b, HB_EXT_EXTENDED_MASTER_SECRET);
    }
    if (hs->answer_etm) {
        empty_extension(b, HB_EXT_ENCRYPT_THEN_MAC);
    }
    if (hs->answer_point_formats && !hs->resumed) {
        hb_bld_u16(b, HB_EXT_EC_POINT_FORMATS);
        hb_bld_u16(b, 2);
        hb_bld_u16(b, 0x0100);
    }
    if (hs->answer_ticket) {
        empty_extension(b, HB_EXT_SESSION_TICKET);
    }
    if (hs->answer_status) {
        empty_extension(b, HB_EXT_STATUS_REQUEST);
    }
    hb_server_put_answers(t, b);
    hb_bld_close(b, list);
    if (b->len == list.at && hb_bld_ok(b)) { /* no extension at all: leave the block out (HS-05) */
        b->len = before;
    }
}

static enum hb_code send_hello(struct hb_tls *t)
{
    struct hb_hs *hs = t->hs;
    struct hb_bld *b = &t->lane->flight;
    struct hb_bld_mark message = hb_hs_message(t, HB_MSG_SERVER_HELLO);

    hb_bld_u16(b, t->info.version);
    hb_bld_put(b, hb_span(hs->server_random, 32));
    struct hb_bld_mark id = hb_bld_open8(b); /* echoed if a ticket was taken, else empty (RES-10) */
    hb_bld_put(b, hb_span(hs->session_id, hs->resumed ? hs->session_id_len : 0));
    hb_bld_close(b, id);
    hb_bld_u16(b, hs->choice.suite->id);
    hb_bld_u8(b, 0);
    put_extensions(t);
    return hb_hs_message_end(t, message);
}

static enum hb_code send_status(struct hb_tls *t)
{
    struct hb_bld *b = &t->lane->flight;
    struct hb_bld_mark message = hb_hs_message(t, HB_MSG_CERTIFICATE_STATUS);

    hb_bld_u8(b, 1);
    struct hb_bld_mark response = hb_bld_open24(b);
    hb_bld_put(b, hb_cred_staple(t->hs->choice.cred));
    hb_bld_close(b, response);
    return hb_hs_message_end(t, message);
}

static enum hb_code send_flight(struct hb_tls *t, struct hb_span body, uint8_t *next)
{
    struct hb_hs *hs = t->hs;
    struct hb_bld input = hb_bld(hs->sign_input, sizeof hs->sign_input);

    (void)body;
    HB_TRY(send_hello(t));
    if (hs->choice.suite->auth != HB_AUTH_PSK) {
        HB_TRY(hb_auth_put_chain(t));
    }
    if (hs->answer_status) {
        HB_TRY(send_status(t));
    }
    *next = HB_S12_SEND_DONE;
    if (!hb_kx12_has_params(t)) {
        return HB_OK;
    }
    hb_bld_put(&input, hb_span(hs->client_random, 32));
    hb_bld_put(&input, hb_span(hs->server_random, 32));
    HB_TRY(hb_kx12_put_params(t, &input));
    hs->sign_span = hb_bld_span(&input);
    return hb_kx12_is_signed(t) ? hb_hs_sign(t, HB_S12_SEND_DONE, HB_S12_SIGNING, next) : HB_OK;
}

static enum hb_code on_signed(struct hb_tls *t, struct hb_span body, uint8_t *next)
{
    (void)body;
    *next = HB_S12_SEND_DONE;
    return t->hs->signature_len > 0 ? HB_OK : HB_E_TLS_SIGN_FAILED;
}

static enum hb_code send_params(struct hb_tls *t)
{
    struct hb_hs *hs = t->hs;
    struct hb_bld *b = &t->lane->flight;
    struct hb_bld_mark message = hb_hs_message(t, HB_MSG_SERVER_KEY_EXCHANGE);

    hb_bld_put(b, hb_span_skip(hs->sign_span, 64)); /* the parameters, as signed */
    if (hb_kx12_is_signed(t)) {
        if (t->info.version >= 0x0303) {
            hb_bld_u16(b, hs->choice.sigalg->id);
        }
        struct hb_bld_mark sig = hb_bld_open16(b);
        hb_bld_put(b, hb_span(hs->signature, hs->signature_len));
        hb_bld_close(b, sig);
    }
    return hb_hs_message_end(t, message);
}

static enum hb_code send_request(struct hb_tls *t)
{
    struct hb_bld *b = &t->lane->flight;
    struct hb_bld_mark message = hb_hs_message(t, HB_MSG_CERTIFICATE_REQUEST);

    hb_bld_u8(b, 2);
    hb_bld_u16(b, 0x0140); /* rsa_sign, ecdsa_sign: EdDSA counts among the latter (RFC 8422 5.5) */
    if (t->info.version >= 0x0303) {
        hb_auth_put_schemes(t->config, b);
    }
    struct hb_bld_mark names = hb_bld_open16(b);
    hb_bld_put(b, t->config->ca_names);
    hb_bld_close(b, names);
    return hb_hs_message_end(t, message);
}

static enum hb_code send_done(struct hb_tls *t, struct hb_span body, uint8_t *next)
{
    (void)body;
    if (hb_kx12_has_params(t)) {
        HB_TRY(send_params(t));
    }
    if (t->hs->asked_certificate) {
        HB_TRY(send_request(t));
    }
    struct hb_bld_mark message = hb_hs_message(t, HB_MSG_SERVER_HELLO_DONE);
    HB_TRY(hb_hs_message_end(t, message));
    hb_conn_emit(t);
    *next = t->hs->asked_certificate ? HB_S12_CERTIFICATE : HB_S12_KEY_EXCHANGE;
    return HB_OK;
}

static enum hb_code on_certificate(struct hb_tls *t, struct hb_span body, uint8_t *next)
{
    bool empty;

    HB_TRY(hb_auth_take_chain(t, body, &empty));
    if (!empty) {
        return hb_auth_judge(t, HB_S12_KEY_EXCHANGE, HB_S12_VERIFYING, next);
    }
    *next = HB_S12_KEY_EXCHANGE;
    return t->config->auth == HB_AUTH_REQUIRE ? HB_E_TLS_CERTIFICATE_MISSING12 : HB_OK;
}

static enum hb_code on_verdict(struct hb_tls *t, struct hb_span body, uint8_t *next)
{
    (void)body;
    *next = HB_S12_KEY_EXCHANGE;
    return hb_auth_verdict(t);
}

static enum hb_code on_key_exchange(struct hb_tls *t, struct hb_span body, uint8_t *next)
{
    bool later;

    HB_TRY(hb_kx12_take_client(t, body, &later));
    *next = later ? HB_S12_DECRYPTING : t->hs->got_certificate ? HB_S12_CERTIFICATE_VERIFY : HB_S12_CCS;
    return HB_OK;
}

static enum hb_code on_premaster(struct hb_tls *t, struct hb_span body, uint8_t *next)
{
    (void)body;
    *next = t->hs->got_certificate ? HB_S12_CERTIFICATE_VERIFY : HB_S12_CCS;
    return hb_kx12_take_premaster(t);
}

/* T12-07: over all messages so far, as they stand. */
static enum hb_code on_certificate_verify(struct hb_tls *t, struct hb_span body, uint8_t *next)
{
    struct hb_cur c = hb_cur(body);

    *next = HB_S12_CCS;
    return hb_auth_check_signature(t, &c, hb_buf_span(&t->hs->signed_messages));
}

static enum hb_code on_ccs(struct hb_tls *t, struct hb_span body, uint8_t *next)
{
    (void)body;
    *next = HB_S12_FINISHED;
    return hb_kx12_install(t, &t->rd, false);
}

static enum hb_code send_ticket(struct hb_tls *t)
{
    struct hb_session s;
    struct hb_bld *b = &t->lane->flight;
    struct hb_bld_mark message = hb_hs_message(t, HB_MSG_NEW_SESSION_TICKET);

    hb_session_of(t, &s);
    memcpy(s.secret, t->secrets.v12.master, HB_MASTER_LEN);
    s.secret_len = HB_MASTER_LEN;
    hb_bld_u32(b, s.lifetime);
    struct hb_bld_mark ticket = hb_bld_open16(b);
    hb_ticket_seal(t->config->tickets, hb_span(t->config->context, 32), &s, b);
    hb_bld_close(b, ticket);
    hb_wipe(&s, sizeof s);
    return hb_hs_message_end(t, message);
}

/* NewSessionTicket*, CCS, Finished. received: the client's Finished, which our own covers in a full
 * handshake. */
static enum hb_code send_finished(struct hb_tls *t, struct hb_span received)
{
    struct hb_bld *b = &t->lane->flight;
    uint8_t data[HB_VERIFY12_LEN];

    if (received.len > 0) {
        HB_TRY(hb_hs_hash(t, received));
    }
    if (t->hs->answer_ticket) {
        HB_TRY(send_ticket(t));
        hb_conn_emit(t);
    }
    hb_kx12_verify_data(t, true, data);
    hb_hs_emit_ccs(t);
    HB_TRY(hb_kx12_install(t, &t->wr, true));
    struct hb_bld_mark message = hb_hs_message(t, HB_MSG_FINISHED);
    hb_bld_put(b, hb_span(data, sizeof data));
    HB_TRY(hb_hs_message_end(t, message));
    hb_conn_emit(t);
    return HB_OK;
}

static enum hb_code send_resumed(struct hb_tls *t, struct hb_span body, uint8_t *next)
{
    (void)body;
    HB_TRY(send_hello(t));
    hb_conn_emit(t);
    hb_kx12_keys(t);
    *next = HB_S12_CCS;
    return send_finished(t, hb_span(NULL, 0));
}

static enum hb_code on_finished(struct hb_tls *t, struct hb_span body, uint8_t *next)
{
    struct hb_hs *hs = t->hs;
    uint8_t data[HB_VERIFY12_LEN];
    uint8_t received[4 + HB_VERIFY12_LEN] = {HB_MSG_FINISHED, 0, 0, HB_VERIFY12_LEN};

    if (body.len != HB_VERIFY12_LEN) {
        return HB_E_TLS_DECODE;
    }
    hb_kx12_verify_data(t, false, data);
    if (!hb_ct_eq(data, body.p, sizeof data)) {
        return t->info.psk ? HB_E_TLS_PSK_IDENTITY : HB_E_TLS_BAD_FINISHED;
    }
    if (!hs->resumed) {
        memcpy(received + 4, body.p, HB_VERIFY12_LEN);
        HB_TRY(send_finished(t, hb_span(received, sizeof received)));
    }
    memcpy(t->secrets.v12.client_random, hs->client_random, 32);
    memcpy(t->secrets.v12.server_random, hs->server_random, 32);
    hb_hs_done(t);
    *next = HB_S12_OPEN;
    return HB_OK;
}

/* clang-format off */
const struct hb_hs_row hb_server12_rows[] = {
    /* in                        on                           do                     may leave to */
    { HB_S12_SEND_FLIGHT,        HB_MSG_NONE,                 send_flight,           HB_TO(HB_S12_SIGNING) | HB_TO(HB_S12_SEND_DONE) },
    { HB_S12_SIGNING,            HB_MSG_SIGNED,               on_signed,             HB_TO(HB_S12_SEND_DONE) },
    { HB_S12_SEND_DONE,          HB_MSG_NONE,                 send_done,             HB_TO(HB_S12_CERTIFICATE) | HB_TO(HB_S12_KEY_EXCHANGE) },
    { HB_S12_CERTIFICATE,        HB_MSG_CERTIFICATE,          on_certificate,        HB_TO(HB_S12_VERIFYING) | HB_TO(HB_S12_KEY_EXCHANGE) },
    { HB_S12_VERIFYING,          HB_MSG_VERIFIED,             on_verdict,            HB_TO(HB_S12_KEY_EXCHANGE) },
    { HB_S12_KEY_EXCHANGE,       HB_MSG_CLIENT_KEY_EXCHANGE,  on_key_exchange,       HB_TO(HB_S12_DECRYPTING) | HB_TO(HB_S12_CERTIFICATE_VERIFY) | HB_TO(HB_S12_CCS) },
    { HB_S12_DECRYPTING,         HB_MSG_DECRYPTED,            on_premaster,          HB_TO(HB_S12_CERTIFICATE_VERIFY) | HB_TO(HB_S12_CCS) },
    { HB_S12_CERTIFICATE_VERIFY, HB_MSG_CERTIFICATE_VERIFY,   on_certificate_verify, HB_TO(HB_S12_CCS) },
    { HB_S12_CCS,                HB_MSG_CCS,                  on_ccs,                HB_TO(HB_S12_FINISHED) },
    { HB_S12_FINISHED,           HB_MSG_FINISHED,             on_finished,           HB_TO(HB_S12_OPEN) },
    { HB_S12_SEND_RESUMED,       HB_MSG_NONE,                 send_resumed,          HB_TO(HB_S12_CCS) },
};
/* clang-format on */
const size_t hb_num_server12_rows = sizeof hb_server12_rows / sizeof hb_server12_rows[0];
