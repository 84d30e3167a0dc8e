/* hs/server13.c: TLS 1.3, server (RFC 8446 section 2). With a PSK, no certificates are sent or asked for.
 *
 *   ClientHello  --------->
 *                <---------  [HelloRetryRequest, CCS]         S13_SEND_RETRY
 *   ClientHello  --------->                                   S13_HELLO_AGAIN
 *                <---------  ServerHello, CCS                 S13_SEND_FLIGHT
 *                            {EncryptedExtensions, CertificateRequest*, Certificate,
 *                             CertificateVerify, Finished}    S13_SIGNING, S13_SEND_FINISHED
 *   {Certificate*, CertificateVerify*}                        S13_CERTIFICATE, S13_VERIFYING, ..._VERIFY
 *   {Finished}   --------->                                   S13_FINISHED
 *   [data]       <-------->  [data, KeyUpdate]                S13_OPEN
 *
 * No application data leaves before the client's Finished (T13-16). */
#include "../keys/keylog.h"
#include "auth.h"
#include "psk13.h"
#include "server.h"
#include <hb/ct.h>

static const uint8_t retry_random[32] = {/* SHA-256("HelloRetryRequest") */
                                         0xcf, 0x21, 0xad, 0x74, 0xe5, 0x9a, 0x61, 0x11, 0xbe, 0x1d, 0x8c,
                                         0x02, 0x1e, 0x65, 0xb8, 0x91, 0xc2, 0xa2, 0x11, 0x16, 0x7a, 0xbb,
                                         0x8c, 0x5e, 0x07, 0x9e, 0x09, 0xe2, 0xc8, 0xa8, 0x33, 0x9c};

/* Middlebox compatibility (RFC 8446 D.4): only for clients that sent a session id, and once. */
static void emit_ccs(struct hb_tls *t)
{
    if (t->hs->session_id_len > 0 && !t->hs->retried) {
        hb_hs_emit_ccs(t);
    }
}

static void begin_hello(struct hb_tls *t, const uint8_t *random)
{
    struct hb_hs *hs = t->hs;
    struct hb_bld *b = &t->lane->flight;

    hb_bld_u16(b, 0x0303);
    hb_bld_put(b, hb_span(random, 32));
    struct hb_bld_mark id = hb_bld_open8(b);
    hb_bld_put(b, hb_span(hs->session_id, hs->session_id_len));
    hb_bld_close(b, id);
    hb_bld_u16(b, hs->choice.suite->id);
    hb_bld_u8(b, 0);
}

static void put_version(struct hb_bld *b)
{
    hb_bld_u16(b, HB_EXT_SUPPORTED_VERSIONS);
    hb_bld_u16(b, 2);
    hb_bld_u16(b, 0x0304);
}

static enum hb_code send_retry(struct hb_tls *t, struct hb_span body, uint8_t *next)
{
    struct hb_hs *hs = t->hs;
    struct hb_bld *b = &t->lane->flight;

    (void)body;
    hb_transcript_retry(&hs->transcript);
    struct hb_bld_mark message = hb_hs_message(t, HB_MSG_SERVER_HELLO);
    begin_hello(t, retry_random);
    struct hb_bld_mark ext = hb_bld_open16(b);
    put_version(b);
    hb_bld_u16(b, HB_EXT_KEY_SHARE);
    hb_bld_u16(b, 2);
    hb_bld_u16(b, hs->choice.group->id);
    hb_bld_close(b, ext);
    HB_TRY(hb_hs_message_end(t, message));
    hb_conn_emit(t);
    emit_ccs(t);
    hs->retried = true;
    t->info.retried = true;
    *next = HB_S13_HELLO_AGAIN;
    return HB_OK;
}

static enum hb_code on_second_hello(struct hb_tls *t, struct hb_span body, uint8_t *next)
{
    struct hb_hs *hs = t->hs;
    const struct hb_suite *suite = hs->choice.suite;
    const struct hb_kex *group = hs->choice.group;

    HB_TRY(hb_server_read_hello(t, body));
    if (hs->offer.has_cookie) {
        return HB_E_TLS_HELLO_CHANGED; /* we sent none */
    }
    /* exactly the share we asked for, and nothing that changes our mind */
    size_t entry = 4 + hs->choice.share.len;
    if (hs->choice.retry || hs->choice.group != group || hs->offer.key_shares.len != entry) {
        return HB_E_TLS_KEY_SHARE;
    }
    if (hs->choice.suite != suite || hs->offer.has_early_data) {
        return HB_E_TLS_HELLO_CHANGED;
    }
    t->early_all = false;
    t->early_budget = 0;
    *next = HB_S13_SEND_FLIGHT;
    return HB_OK;
}

/* Key exchange, ServerHello, and the keys that follow from it. */
static enum hb_code send_server_hello(struct hb_tls *t)
{
    struct hb_hs *hs = t->hs;
    struct hb_bld *b = &t->lane->flight;
    const struct hb_kex *group = hs->choice.group;
    const struct hb_hash *hash = hs->choice.suite->hash;
    uint8_t share[HB_SHARE_MAX];
    uint8_t shared[HB_SHARED_MAX];
    uint8_t digest[HB_HASH_MAX];

    HB_TRY(group->answer(t->env, hs->choice.share, share, shared));
    struct hb_bld_mark message = hb_hs_message(t, HB_MSG_SERVER_HELLO);
    begin_hello(t, hs->server_random);
    struct hb_bld_mark ext = hb_bld_open16(b);
    put_version(b);
    hb_bld_u16(b, HB_EXT_KEY_SHARE);
    struct hb_bld_mark one = hb_bld_open16(b);
    hb_bld_u16(b, group->id);
    struct hb_bld_mark key = hb_bld_open16(b);
    hb_bld_put(b, hb_span(share, group->server_share_len));
    hb_bld_close(b, key);
    hb_bld_close(b, one);
    if (hs->choice.psk != HB_PSK_NONE) {
        hb_bld_u16(b, HB_EXT_PRE_SHARED_KEY);
        hb_bld_u16(b, 2);
        hb_bld_u16(b, hs->psk_index);
    }
    hb_bld_close(b, ext);
    enum hb_code code = hb_hs_message_end(t, message);
    if (code == HB_OK) {
        hb_conn_emit(t);
        emit_ccs(t);
        hb_transcript_now(&hs->transcript, digest);
        const uint8_t *early = hash->len == 32 ? t->lane->early256 : t->lane->early384;
        if (hs->choice.psk != HB_PSK_NONE) { /* as the binder's check left it */
            early = hs->early;
        }
        hb_ks13_to_handshake(hash, early, hb_span(shared, group->shared_len), digest, &hs->ks);
        hb_wipe(hs->early, sizeof hs->early);
        hb_keylog_handshake13(t);
        hb_hs_install13(t, &t->wr, hs->ks.server);
        hb_hs_install13(t, &t->rd, hs->ks.client);
        hs->read_keys_changed = true;
    }
    hb_wipe(shared, sizeof shared);
    return code;
}

static enum hb_code send_encrypted_extensions(struct hb_tls *t)
{
    struct hb_bld *b = &t->lane->flight;
    struct hb_bld_mark message = hb_hs_message(t, HB_MSG_ENCRYPTED_EXTENSIONS);
    struct hb_bld_mark list = hb_bld_open16(b);

    hb_server_put_answers(t, b);
    hb_bld_close(b, list);
    return hb_hs_message_end(t, message);
}

static enum hb_code send_request(struct hb_tls *t)
{
    struct hb_bld *b = &t->lane->flight;
    struct hb_bld_mark message = hb_hs_message(t, HB_MSG_CERTIFICATE_REQUEST);

    hb_bld_u8(b, 0); /* no context during a handshake */
    struct hb_bld_mark list = hb_bld_open16(b);
    hb_bld_u16(b, HB_EXT_SIGNATURE_ALGORITHMS);
    struct hb_bld_mark ext = hb_bld_open16(b);
    hb_auth_put_schemes(t->config, b);
    hb_bld_close(b, ext);
    if (t->config->ca_names.len > 0) {
        hb_bld_u16(b, HB_EXT_CERTIFICATE_AUTHORITIES);
        ext = hb_bld_open16(b);
        struct hb_bld_mark names = hb_bld_open16(b);
        hb_bld_put(b, t->config->ca_names);
        hb_bld_close(b, names);
        hb_bld_close(b, ext);
    }
    hb_bld_close(b, list);
    return hb_hs_message_end(t, message);
}

static enum hb_code send_flight(struct hb_tls *t, struct hb_span body, uint8_t *next)
{
    struct hb_hs *hs = t->hs;

    (void)body;
    HB_TRY(send_server_hello(t));
    HB_TRY(send_encrypted_extensions(t));
    if (hs->choice.psk != HB_PSK_NONE) {
        *next = HB_S13_SEND_FINISHED;
        return HB_OK;
    }
    if (hs->asked_certificate) {
        HB_TRY(send_request(t));
    }
    HB_TRY(hb_auth_put_chain(t));
    hb_auth_input13(t, true);
    return hb_hs_sign(t, HB_S13_SEND_FINISHED, HB_S13_SIGNING, next);
}

static enum hb_code on_signed(struct hb_tls *t, struct hb_span body, uint8_t *next)
{
    (void)body;
    *next = HB_S13_SEND_FINISHED;
    return t->hs->signature_len > 0 ? HB_OK : HB_E_TLS_SIGN_FAILED;
}

static enum hb_code send_finished(struct hb_tls *t, struct hb_span body, uint8_t *next)
{
    struct hb_hs *hs = t->hs;
    uint8_t digest[HB_HASH_MAX];

    (void)body;
    if (hs->choice.psk == HB_PSK_NONE) {
        HB_TRY(hb_auth_put_signature(t));
    }
    HB_TRY(hb_hs_put_finished13(t, hs->ks.server));
    hb_conn_emit(t);
    hb_transcript_now(&hs->transcript, digest);
    hb_ks13_to_application(&hs->ks, digest, &hs->app);
    hb_keylog_application13(t);
    hb_hs_install13(t, &t->wr, hs->app.server);
    *next = hs->asked_certificate ? HB_S13_CERTIFICATE : HB_S13_FINISHED;
    return HB_OK;
}

static enum hb_code on_certificate(struct hb_tls *t, struct hb_span body, uint8_t *next)
{
    bool empty;

    HB_TRY(hb_auth_take_chain(t, body, &empty));
    if (!empty) {
        return hb_auth_judge(t, HB_S13_CERTIFICATE_VERIFY, HB_S13_VERIFYING, next);
    }
    *next = HB_S13_FINISHED;
    return t->config->auth == HB_AUTH_REQUIRE ? HB_E_TLS_CERTIFICATE_MISSING13 : HB_OK;
}

static enum hb_code on_verdict(struct hb_tls *t, struct hb_span body, uint8_t *next)
{
    (void)body;
    *next = HB_S13_CERTIFICATE_VERIFY;
    return hb_auth_verdict(t);
}

static enum hb_code on_certificate_verify(struct hb_tls *t, struct hb_span body, uint8_t *next)
{
    struct hb_cur c = hb_cur(body);

    hb_auth_input13(t, false);
    *next = HB_S13_FINISHED;
    return hb_auth_check_signature(t, &c, t->hs->sign_span);
}

static enum hb_code on_finished(struct hb_tls *t, struct hb_span body, uint8_t *next)
{
    struct hb_hs *hs = t->hs;
    const struct hb_hash *hash = hs->transcript.hash;
    uint8_t header[4] = {HB_MSG_FINISHED, 0, 0, hash->len};
    uint8_t digest[HB_HASH_MAX];
    uint8_t resumption[HB_HASH_MAX];

    HB_TRY(hb_hs_check_finished13(t, hs->ks.client, body));
    hb_hs_install13(t, &t->rd, hs->app.client);
    hs->read_keys_changed = true;
    memcpy(t->secrets.v13.read, hs->app.client, hash->len);
    memcpy(t->secrets.v13.write, hs->app.server, hash->len);
    memcpy(t->secrets.v13.exporter, hs->app.exporter, hash->len);
    struct hb_transcript copy = hs->transcript;
    hb_transcript_add(&copy, hb_span(header, sizeof header));
    hb_transcript_add(&copy, body);
    hb_transcript_now(&copy, digest);
    hb_ks13_resumption(hash, &hs->app, digest, resumption);
    enum hb_code code = hb_psk13_tickets(t, resumption);
    hb_wipe(resumption, sizeof resumption);
    hb_hs_done(t);
    *next = HB_S13_OPEN;
    return code;
}

/* clang-format off */
const struct hb_hs_row hb_server13_rows[] = {
    /* in                     on                    do                may leave to */
    { HB_S13_SEND_RETRY,      HB_MSG_NONE,          send_retry,       HB_TO(HB_S13_HELLO_AGAIN) },
    { HB_S13_HELLO_AGAIN,     HB_MSG_CLIENT_HELLO,  on_second_hello,  HB_TO(HB_S13_SEND_FLIGHT) },
    { HB_S13_SEND_FLIGHT,     HB_MSG_NONE,          send_flight,      HB_TO(HB_S13_SIGNING) | HB_TO(HB_S13_SEND_FINISHED) },
    { HB_S13_SIGNING,         HB_MSG_SIGNED,        on_signed,        HB_TO(HB_S13_SEND_FINISHED) },
    { HB_S13_SEND_FINISHED,   HB_MSG_NONE,          send_finished,    HB_TO(HB_S13_CERTIFICATE) | HB_TO(HB_S13_FINISHED) },
    { HB_S13_CERTIFICATE,     HB_MSG_CERTIFICATE,   on_certificate,   HB_TO(HB_S13_CERTIFICATE_VERIFY) | HB_TO(HB_S13_VERIFYING) |
                                                                      HB_TO(HB_S13_FINISHED) },
    { HB_S13_VERIFYING,       HB_MSG_VERIFIED,      on_verdict,       HB_TO(HB_S13_CERTIFICATE_VERIFY) },
    { HB_S13_CERTIFICATE_VERIFY, HB_MSG_CERTIFICATE_VERIFY, on_certificate_verify, HB_TO(HB_S13_FINISHED) },
    { HB_S13_FINISHED,        HB_MSG_FINISHED,      on_finished,      HB_TO(HB_S13_OPEN) },
    { HB_S13_OPEN,            HB_MSG_KEY_UPDATE,    hb_hs_key_update, HB_TO(HB_S13_OPEN) },
};
/* clang-format on */
const size_t hb_num_server13_rows = sizeof hb_server13_rows / sizeof hb_server13_rows[0];
