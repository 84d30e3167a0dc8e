/* hs/server13.c: TLS 1.3, server (RFC 8446 section 2).
 *
 *   ClientHello  --------->
 *                <---------  [HelloRetryRequest, CCS]         S13_SEND_RETRY
 *   ClientHello  --------->                                   S13_HELLO_AGAIN
 *                <---------  ServerHello, CCS                 S13_SEND_FLIGHT
 *                            {EncryptedExtensions, Certificate,
 *                             CertificateVerify, Finished}    S13_SIGNING, S13_SEND_FINISHED
 *   {Finished}   --------->                                   S13_FINISHED
 *   [data]       <-------->  [data, KeyUpdate]                S13_OPEN
 *
 * No application data leaves before the client's Finished (T13-16). */
#include "hs.h"

#include "server.h"
#include <hb/ct.h>

static const uint8_t retry_random[32] = {/* SHA-256("HelloRetryRequest") */
                                         0xcf, 0x21, 0xad, 0x74, 0xe5, 0x9a, 0x61, 0x11, 0xbe, 0x1d, 0x8c,
                                         0x02, 0x1e, 0x65, 0xb8, 0x91, 0xc2, 0xa2, 0x11, 0x16, 0x7a, 0xbb,
                                         0x8c, 0x5e, 0x07, 0x9e, 0x09, 0xe2, 0xc8, 0xa8, 0x33, 0x9c};

/* Middlebox compatibility (RFC 8446 D.4): only for clients that sent a session id, and once. */
static void emit_ccs(struct hb_tls *t)
{
    static const uint8_t one = 1;

    if (t->hs->session_id_len > 0 && !t->hs->retried) {
        hb_conn_emit_record(t, HB_REC_CCS, hb_span(&one, 1));
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

static void install13(struct hb_tls *t, struct hb_rec_dir *d, const uint8_t *traffic)
{
    const struct hb_suite *suite = t->hs->choice.suite;
    uint8_t key[HB_KEY_MAX];
    uint8_t iv[HB_IV_LEN];

    hb_ks13_record_keys(suite->hash, traffic, key, suite->aead->key_len, iv);
    hb_conn_install(t, d, suite, key, iv);
    hb_wipe(key, sizeof key);
    hb_wipe(iv, sizeof iv);
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
    hb_bld_close(b, ext);
    enum hb_code code = hb_hs_message_end(t, message);
    if (code == HB_OK) {
        hb_conn_emit(t);
        emit_ccs(t);
        hb_transcript_now(&hs->transcript, digest);
        hb_ks13_to_handshake(hash, hash->len == 32 ? t->lane->early256 : t->lane->early384,
                             hb_span(shared, group->shared_len), digest, &hs->ks);
        install13(t, &t->wr, hs->ks.server);
        install13(t, &t->rd, hs->ks.client);
        hs->read_keys_changed = true;
    }
    hb_wipe(shared, sizeof shared);
    return code;
}

static enum hb_code send_encrypted_extensions(struct hb_tls *t)
{
    struct hb_hs *hs = t->hs;
    struct hb_bld *b = &t->lane->flight;
    struct hb_bld_mark message = hb_hs_message(t, HB_MSG_ENCRYPTED_EXTENSIONS);
    struct hb_bld_mark list = hb_bld_open16(b);

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
        hb_bld_u16(b, HB_REC_PLAIN_MAX + 1);
    }
    if (hs->choice.alpn > 0) {
        const struct hb_tls_config *c = t->config;
        unsigned i = hs->choice.alpn - 1u;
        hb_bld_u16(b, HB_EXT_ALPN);
        struct hb_bld_mark ext = hb_bld_open16(b);
        struct hb_bld_mark names = hb_bld_open16(b);
        struct hb_bld_mark name = hb_bld_open8(b);
        hb_bld_put(b, hb_span(c->alpn[i].name, c->alpn[i].len));
        hb_bld_close(b, name);
        hb_bld_close(b, names);
        hb_bld_close(b, ext);
    }
    hb_bld_close(b, list);
    return hb_hs_message_end(t, message);
}

/* RFC 8446 4.4.3: 64 spaces, the context, a zero, the hash. */
static void make_sign_input(struct hb_hs *hs)
{
    struct hb_bld b = hb_bld(hs->sign_input, sizeof hs->sign_input);
    uint8_t digest[HB_HASH_MAX];

    for (int i = 0; i < 64; i++) {
        hb_bld_u8(&b, 0x20);
    }
    hb_bld_str(&b, "TLS 1.3, server CertificateVerify");
    hb_bld_u8(&b, 0);
    hb_transcript_now(&hs->transcript, digest);
    hb_bld_put(&b, hb_span(digest, hs->transcript.hash->len));
    HB_INVARIANT(hb_bld_ok(&b));
    hs->sign_input_len = b.len;
}

static enum hb_code send_flight(struct hb_tls *t, struct hb_span body, uint8_t *next)
{
    struct hb_hs *hs = t->hs;

    (void)body;
    HB_TRY(send_server_hello(t));
    HB_TRY(send_encrypted_extensions(t));
    struct hb_bld_mark message = hb_hs_message(t, HB_MSG_CERTIFICATE);
    hb_bld_put(&t->lane->flight, hs->choice.cred->msg13);
    HB_TRY(hb_hs_message_end(t, message));
    make_sign_input(hs);
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
    struct hb_bld *b = &t->lane->flight;
    const struct hb_hash *hash = hs->transcript.hash;
    uint8_t digest[HB_HASH_MAX];
    uint8_t mac[HB_HASH_MAX];

    (void)body;
    struct hb_bld_mark message = hb_hs_message(t, HB_MSG_CERTIFICATE_VERIFY);
    hb_bld_u16(b, hs->choice.sigalg->id);
    struct hb_bld_mark sig = hb_bld_open16(b);
    hb_bld_put(b, hb_span(hs->signature, hs->signature_len));
    hb_bld_close(b, sig);
    HB_TRY(hb_hs_message_end(t, message));

    hb_transcript_now(&hs->transcript, digest);
    hb_ks13_finished(hash, hs->ks.server, digest, mac);
    message = hb_hs_message(t, HB_MSG_FINISHED);
    hb_bld_put(b, hb_span(mac, hash->len));
    HB_TRY(hb_hs_message_end(t, message));
    hb_conn_emit(t);

    hb_transcript_now(&hs->transcript, digest);
    hb_ks13_to_application(&hs->ks, digest, &hs->app);
    install13(t, &t->wr, hs->app.server);
    *next = HB_S13_FINISHED;
    return HB_OK;
}

static enum hb_code on_finished(struct hb_tls *t, struct hb_span body, uint8_t *next)
{
    struct hb_hs *hs = t->hs;
    const struct hb_hash *hash = hs->transcript.hash;
    uint8_t digest[HB_HASH_MAX];
    uint8_t mac[HB_HASH_MAX];

    if (body.len != hash->len) {
        return HB_E_TLS_DECODE;
    }
    hb_transcript_now(&hs->transcript, digest);
    hb_ks13_finished(hash, hs->ks.client, digest, mac);
    if (!hb_ct_eq(mac, body.p, hash->len)) {
        return HB_E_TLS_BAD_FINISHED;
    }
    install13(t, &t->rd, hs->app.client);
    hs->read_keys_changed = true;
    memcpy(t->secrets.v13.read, hs->app.client, hash->len);
    memcpy(t->secrets.v13.write, hs->app.server, hash->len);
    memcpy(t->secrets.v13.exporter, hs->app.exporter, hash->len);
    hb_hs_done(t);
    *next = HB_S13_OPEN;
    return HB_OK;
}

/* The body was checked to be one byte by hb_hs_body_max() and its sender (conn.c). */
static enum hb_code on_key_update(struct hb_tls *t, struct hb_span body, uint8_t *next)
{
    const struct hb_suite *suite = t->rd.suite;
    uint8_t key[HB_KEY_MAX];
    uint8_t iv[HB_IV_LEN];

    if (body.len != 1) {
        return HB_E_TLS_DECODE;
    }
    if (body.p[0] > 1) {
        return HB_E_TLS_ILLEGAL;
    }
    if (++t->num_updates > 32) { /* T13-18 */
        return HB_E_TLS_KEY_UPDATE_FLOOD;
    }
    hb_ks13_update(suite->hash, t->secrets.v13.read);
    hb_ks13_record_keys(suite->hash, t->secrets.v13.read, key, suite->aead->key_len, iv);
    hb_conn_install(t, &t->rd, suite, key, iv);
    hb_wipe(key, sizeof key);
    t->update_due = t->update_due || body.p[0] == 1; /* one answer for many */
    *next = HB_S13_OPEN;
    return HB_OK;
}

/* clang-format off */
const struct hb_hs_row hb_server13_rows[] = {
    /* in                     on                    do                may leave to */
    { HB_S13_SEND_RETRY,      HB_MSG_NONE,          send_retry,       HB_TO(HB_S13_HELLO_AGAIN) },
    { HB_S13_HELLO_AGAIN,     HB_MSG_CLIENT_HELLO,  on_second_hello,  HB_TO(HB_S13_SEND_FLIGHT) },
    { HB_S13_SEND_FLIGHT,     HB_MSG_NONE,          send_flight,      HB_TO(HB_S13_SIGNING) | HB_TO(HB_S13_SEND_FINISHED) },
    { HB_S13_SIGNING,         HB_MSG_SIGNED,        on_signed,        HB_TO(HB_S13_SEND_FINISHED) },
    { HB_S13_SEND_FINISHED,   HB_MSG_NONE,          send_finished,    HB_TO(HB_S13_FINISHED) },
    { HB_S13_FINISHED,        HB_MSG_FINISHED,      on_finished,      HB_TO(HB_S13_OPEN) },
    { HB_S13_OPEN,            HB_MSG_KEY_UPDATE,    on_key_update,    HB_TO(HB_S13_OPEN) },
};
/* clang-format on */
const size_t hb_num_server13_rows = sizeof hb_server13_rows / sizeof hb_server13_rows[0];
