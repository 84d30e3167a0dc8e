/* hs/client13.c: TLS 1.3, client (RFC 8446 section 2, appendix A.1).
 *
 *   ClientHello                    --------->                             C_HELLO
 *                                  <---------  HelloRetryRequest*         C13_SEND_HELLO_AGAIN,
 * C13_HELLO_AGAIN
 *                                  <---------  ServerHello
 *                                  <---------  {EncryptedExtensions}      C13_EXTENSIONS
 *                                              {CertificateRequest*}      C13_REQUEST_OR_CERTIFICATE
 *                                              {Certificate*}             C13_CERTIFICATE, C13_VERIFYING
 *                                              {CertificateVerify*}       C13_CERTIFICATE_VERIFY
 *                                              {Finished}                 C13_FINISHED
 *   {Certificate*, CertificateVerify*} ----->                             C13_SEND_CERTIFICATE, C13_SIGNING
 *   {Finished}                     --------->                             C13_SEND_FINISHED
 *   [data]                         <-------->  [data, tickets, KeyUpdate] C13_OPEN */
#include "../keys/keylog.h"
#include "auth.h"
#include "client.h"

#include <hb/ct.h>

static bool offered_group(const struct hb_tls *t, uint16_t id)
{
    for (unsigned i = 0; i < t->config->num_groups; i++) {
        if (t->config->groups[i]->id == id) {
            return true;
        }
    }
    return false;
}

/* T13-06: it must ask for something we offered and did not send yet, or bring a cookie. */
static enum hb_code on_retry(struct hb_tls *t, const struct hb_answer *a, uint8_t *next)
{
    struct hb_hs *hs = t->hs;
    struct hb_hs_client *cl = hs->client;

    if ((a->has & (HB_ASK_SHARES | HB_ASK_COOKIE)) == 0) {
        return HB_E_TLS_RETRY_USELESS;
    }
    if ((a->has & HB_ASK_SHARES) != 0) {
        if (!offered_group(t, a->group)) {
            return HB_E_TLS_GROUP_CHANGED;
        }
        for (unsigned i = 0; i < cl->num_shares; i++) {
            if (cl->share_groups[i]->id == a->group) {
                return HB_E_TLS_RETRY_USELESS;
            }
        }
        cl->retry_group = a->group;
        cl->made_shares = false;
        cl->num_shares = 1;
        cl->share_groups[0] = hb_group_find(a->group);
    }
    HB_TRY(hb_buf_add(&cl->cookie, t->env, a->cookie));
    hb_transcript_retry(&hs->transcript);
    hs->retried = true;
    t->info.retried = true;
    if (hs->psk_len > 0 && hs->choice.suite->hash !=
                               (cl->psk != NULL ? cl->psk->hash : hb_suite_find(cl->session.suite)->hash)) {
        hb_wipe(hs->psk, sizeof hs->psk); /* it cannot go with this suite any more (4.1.4) */
        hs->psk_len = 0;
    }
    *next = HB_C13_SEND_HELLO_AGAIN;
    return HB_OK;
}

static enum hb_code take_share(struct hb_tls *t, const struct hb_answer *a, uint8_t *shared, size_t *len)
{
    struct hb_hs *hs = t->hs;
    struct hb_hs_client *cl = hs->client;

    if ((a->has & HB_ASK_SHARES) == 0) {
        return HB_E_TLS_MISSING_EXTENSION;
    }
    for (unsigned i = 0; i < cl->num_shares; i++) {
        const struct hb_kex *k = cl->share_groups[i];
        if (k->id == a->group) {
            hs->choice.group = k;
            t->info.group = k->id;
            *len = k->shared_len;
            return k->derive(cl->priv[i], a->share, shared);
        }
    }
    return HB_E_TLS_GROUP_CHANGED;
}

static enum hb_code take_psk(struct hb_tls *t, const struct hb_answer *a, uint8_t *early)
{
    struct hb_hs *hs = t->hs;
    struct hb_hs_client *cl = hs->client;
    const struct hb_hash *hash = hs->choice.suite->hash;
    uint8_t binder_key[HB_HASH_MAX];

    if ((a->has & HB_ASK_PSK) == 0) {
        memcpy(early, hash->len == 32 ? t->lane->early256 : t->lane->early384, hash->len);
        return HB_OK;
    }
    if (a->psk_index != 0) {
        return HB_E_TLS_PSK_INDEX;
    }
    if (hash != (cl->psk != NULL ? cl->psk->hash : hb_suite_find(cl->session.suite)->hash)) {
        return HB_E_TLS_SUITE_CHANGED; /* RES-03 */
    }
    hs->choice.psk = cl->psk != NULL ? HB_PSK_EXTERNAL : HB_PSK_TICKET;
    t->info.psk = cl->psk != NULL;
    t->info.resumed = cl->psk == NULL;
    hs->resumed = t->info.resumed;
    if (hs->resumed) {
        hs->session = cl->session;
        t->info.peer_certificate = cl->session.has_peer;
    }
    hb_ks13_early_psk(hash, hb_span(hs->psk, hs->psk_len), cl->psk != NULL, early, binder_key);
    hb_wipe(binder_key, sizeof binder_key);
    return HB_OK;
}

/* The messages up to here are hashed by now; the ServerHello itself is added on a copy, the interpreter does
 * it again for good. */
static enum hb_code handshake_keys(struct hb_tls *t, const struct hb_answer *a)
{
    struct hb_hs *hs = t->hs;
    uint8_t shared[HB_SHARED_MAX];
    uint8_t early[HB_HASH_MAX];
    size_t len = 0;

    HB_TRY(take_share(t, a, shared, &len));
    HB_TRY(take_psk(t, a, early));
    memcpy(hs->early, early, sizeof early);
    memcpy(hs->shared, shared, len);
    hs->shared_len = (uint16_t)len;
    hb_wipe(shared, sizeof shared);
    hb_wipe(early, sizeof early);
    return HB_OK;
}

enum hb_code hb_client13_hello(struct hb_tls *t, const struct hb_answer *a, uint8_t *next)
{
    struct hb_hs *hs = t->hs;
    const struct hb_suite *suite = hb_client_suite(t, a->suite, 0x0304);

    if (!hb_span_eq(a->session_id, hb_span(hs->session_id, hs->session_id_len))) {
        return HB_E_TLS_SESSION_ID;
    }
    if (suite == NULL || (hs->choice.suite != NULL && suite != hs->choice.suite)) {
        return HB_E_TLS_SUITE_CHANGED;
    }
    hs->choice.suite = suite;
    t->info.suite = suite->id;
    if (hs->transcript.hash == NULL) {
        hb_transcript_start(&hs->transcript, suite->hash);
        hb_transcript_add(&hs->transcript, hb_buf_span(&hs->client->hello));
        hb_buf_clear(&hs->client->hello, t->env);
    }
    if (a->retry) {
        return hs->retried ? HB_E_TLS_UNEXPECTED_MESSAGE : on_retry(t, a, next);
    }
    memcpy(hs->server_random, a->random.p, 32);
    HB_TRY(handshake_keys(t, a));
    hs->derive_after = true;
    hs->read_keys_changed = true;
    *next = HB_C13_EXTENSIONS;
    return HB_OK;
}

static void emit_ccs_once(struct hb_tls *t)
{
    if (!t->hs->sent_ccs && t->hs->session_id_len > 0) {
        hb_hs_emit_ccs(t);
        t->hs->sent_ccs = true;
    }
}

/* ServerHello is in the transcript now. */
void hb_client13_keys(struct hb_tls *t)
{
    struct hb_hs *hs = t->hs;
    uint8_t digest[HB_HASH_MAX];

    hs->derive_after = false;
    hb_transcript_now(&hs->transcript, digest);
    hb_ks13_to_handshake(hs->transcript.hash, hs->early, hb_span(hs->shared, hs->shared_len), digest,
                         &hs->ks);
    hb_keylog_handshake13(t);
    hb_wipe(hs->early, sizeof hs->early);
    hb_wipe(hs->shared, sizeof hs->shared);
    hb_wipe(hs->client->priv, sizeof hs->client->priv);
    hb_hs_install13(t, &t->rd, hs->ks.server);
    emit_ccs_once(t); /* before anything protected leaves, an alert perhaps (T13-17) */
    hb_hs_install13(t, &t->wr, hs->ks.client);
}

static enum hb_code send_hello_again(struct hb_tls *t, struct hb_span body, uint8_t *next)
{
    (void)body;
    emit_ccs_once(t);
    HB_TRY(hb_client_send_hello(t));
    hb_conn_emit(t);
    *next = HB_C13_HELLO_AGAIN;
    return HB_OK;
}

static enum hb_code on_second_hello(struct hb_tls *t, struct hb_span body, uint8_t *next)
{
    struct hb_answer a;

    HB_TRY(hb_answer_parse(body, hb_client_asked(t), &a));
    if (a.version != 0x0304 || a.compression != 0) {
        return HB_E_TLS_ILLEGAL; /* it must stay what the retry said */
    }
    return hb_client13_hello(t, &a, next);
}

static enum hb_code on_extensions(struct hb_tls *t, struct hb_span body, uint8_t *next)
{
    struct hb_answer a;

    HB_TRY(hb_answer_extensions(body, hb_client_asked(t), &a));
    HB_TRY(hb_client_take_answers(t, &a));
    *next = t->hs->choice.psk != HB_PSK_NONE ? HB_C13_FINISHED : HB_C13_REQUEST_OR_CERTIFICATE;
    return HB_OK;
}

static enum hb_code on_request(struct hb_tls *t, struct hb_span body, uint8_t *next)
{
    struct hb_hs *hs = t->hs;
    struct hb_cur c = hb_cur(body);
    struct hb_cur context = hb_cur_vec8(&c);
    struct hb_cur list = hb_cur_vec16(&c);
    struct hb_span schemes = hb_span(NULL, 0);
    uint16_t seen[32];
    unsigned num = 0;

    if (!hb_cur_end(&c) || hb_cur_left(&context) > 0) {
        return HB_E_TLS_DECODE;
    }
    while (hb_cur_left(&list) > 0) {
        uint16_t type = hb_cur_u16(&list);
        struct hb_cur ext = hb_cur_vec16(&list);
        if (!hb_cur_ok(&list)) {
            return HB_E_TLS_DECODE;
        }
        for (unsigned i = 0; i < num; i++) {
            if (seen[i] == type) {
                return HB_E_TLS_DUPLICATE_EXTENSION;
            }
        }
        if (num < 32) {
            seen[num++] = type;
        }
        if (type == HB_EXT_SIGNATURE_ALGORITHMS) {
            HB_TRY(hb_hello_u16_list(&ext, &schemes));
        } else if (type == HB_EXT_CERTIFICATE_AUTHORITIES) {
            struct hb_cur names = hb_cur_vec16(&ext);
            if (!hb_cur_end(&ext) || hb_cur_left(&names) == 0) {
                return HB_E_TLS_DECODE;
            }
        }
    }
    if (schemes.len == 0) {
        return HB_E_TLS_MISSING_EXTENSION;
    }
    hs->client->asked = true;
    *next = HB_C13_CERTIFICATE;
    return hb_buf_add(&hs->client->request, t->env, schemes);
}

static enum hb_code on_certificate(struct hb_tls *t, struct hb_span body, uint8_t *next)
{
    bool empty;

    HB_TRY(hb_auth_take_chain(t, body, &empty));
    return empty ? HB_E_TLS_CERTIFICATE_EMPTY
                 : hb_auth_judge(t, HB_C13_CERTIFICATE_VERIFY, HB_C13_VERIFYING, next);
}

static enum hb_code on_verdict(struct hb_tls *t, struct hb_span body, uint8_t *next)
{
    (void)body;
    *next = HB_C13_CERTIFICATE_VERIFY;
    return hb_auth_verdict(t);
}

static enum hb_code on_certificate_verify(struct hb_tls *t, struct hb_span body, uint8_t *next)
{
    struct hb_cur c = hb_cur(body);

    hb_auth_input13(t, true);
    *next = HB_C13_FINISHED;
    return hb_auth_check_signature(t, &c, t->hs->sign_span);
}

static enum hb_code on_finished(struct hb_tls *t, struct hb_span body, uint8_t *next)
{
    HB_TRY(hb_hs_check_finished13(t, t->hs->ks.server, body));
    t->hs->read_keys_changed = true;
    t->hs->derive_after = true;
    *next = HB_C13_SEND_CERTIFICATE;
    return HB_OK;
}

/* The server's Finished is in the transcript: application keys, then what we were asked for. */
static enum hb_code send_certificate(struct hb_tls *t, struct hb_span body, uint8_t *next)
{
    struct hb_hs *hs = t->hs;
    uint8_t digest[HB_HASH_MAX];

    (void)body;
    hs->derive_after = false;
    hb_transcript_now(&hs->transcript, digest);
    hb_ks13_to_application(&hs->ks, digest, &hs->app);
    hb_keylog_application13(t);
    hb_hs_install13(t, &t->rd, hs->app.server);
    *next = HB_C13_SEND_FINISHED;
    if (!hs->client->asked) {
        return HB_OK;
    }
    hb_auth_choose(t, hb_buf_span(&hs->client->request));
    HB_TRY(hb_auth_put_chain(t));
    if (hs->choice.cred == NULL) {
        return HB_OK;
    }
    hb_auth_input13(t, false);
    return hb_hs_sign(t, HB_C13_SEND_FINISHED, HB_C13_SIGNING, next);
}

static enum hb_code on_signed(struct hb_tls *t, struct hb_span body, uint8_t *next)
{
    (void)body;
    *next = HB_C13_SEND_FINISHED;
    return t->hs->signature_len > 0 ? HB_OK : HB_E_TLS_SIGN_FAILED;
}

/* What a ticket will need: this session, with the resumption secret in the place of a PSK. */
static enum hb_code keep_session(struct hb_tls *t, const uint8_t *digest)
{
    struct hb_session s;
    uint8_t mem[2048];
    struct hb_bld b = hb_bld(mem, sizeof mem);

    if (t->config->tickets == NULL) {
        return HB_OK;
    }
    if (hb_conn_post(t) == NULL) {
        return HB_E_NO_MEMORY;
    }
    hb_client_session(t, &s);
    s.secret_len = t->hs->transcript.hash->len;
    hb_ks13_resumption(t->hs->transcript.hash, &t->hs->app, digest, s.secret);
    hb_session_write(&s, &b);
    enum hb_code code = hb_buf_add(&t->post->kept, t->env, hb_bld_span(&b));
    hb_wipe(&s, sizeof s);
    hb_wipe(mem, sizeof mem);
    return code;
}

static enum hb_code send_finished(struct hb_tls *t, struct hb_span body, uint8_t *next)
{
    struct hb_hs *hs = t->hs;
    const struct hb_hash *hash = hs->transcript.hash;
    uint8_t digest[HB_HASH_MAX];

    (void)body;
    if (hs->choice.cred != NULL) {
        HB_TRY(hb_auth_put_signature(t));
    }
    HB_TRY(hb_hs_put_finished13(t, hs->ks.client));
    hb_conn_emit(t);
    hb_hs_install13(t, &t->wr, hs->app.client);
    memcpy(t->secrets.v13.read, hs->app.server, hash->len);
    memcpy(t->secrets.v13.write, hs->app.client, hash->len);
    memcpy(t->secrets.v13.exporter, hs->app.exporter, hash->len);
    hb_transcript_now(&hs->transcript, digest);
    *next = HB_C13_OPEN;
    HB_TRY(keep_session(t, digest));
    hb_hs_done(t);
    return HB_OK;
}

enum hb_code hb_client13_ticket(struct hb_tls *t, struct hb_span body)
{
    struct hb_cur c = hb_cur(body);
    struct hb_session s;
    const struct hb_suite *suite = hb_suite_find(t->info.suite);

    uint32_t lifetime = hb_cur_u32(&c);
    uint32_t age_add = hb_cur_u32(&c);
    struct hb_cur nonce = hb_cur_vec8(&c);
    struct hb_cur ticket = hb_cur_vec16(&c);
    struct hb_cur extensions = hb_cur_vec16(&c);
    if (!hb_cur_end(&c) || hb_cur_left(&ticket) == 0) {
        return HB_E_TLS_DECODE;
    }
    uint16_t seen[16];
    unsigned num = 0;
    while (hb_cur_left(&extensions) > 0) {
        uint16_t type = hb_cur_u16(&extensions);
        struct hb_cur ext = hb_cur_vec16(&extensions);
        if (!hb_cur_ok(&extensions)) {
            return HB_E_TLS_DECODE;
        }
        for (unsigned i = 0; i < num; i++) {
            if (seen[i] == type) {
                return HB_E_TLS_DUPLICATE_EXTENSION;
            }
        }
        if (num < 16) {
            seen[num++] = type;
        }
        if (type == HB_EXT_EARLY_DATA && hb_cur_left(&ext) != 4) {
            return HB_E_TLS_DECODE;
        }
    }
    struct hb_cur kept = hb_cur(t->post != NULL ? hb_buf_span(&t->post->kept) : hb_span(NULL, 0));
    if (t->config->tickets == NULL || lifetime == 0 || !hb_session_read(&kept, &s)) {
        return HB_OK;
    }
    s.lifetime = lifetime < 604800 ? lifetime : 604800;
    s.age_add = age_add;
    s.version = 0x0304;
    s.suite = suite->id;
    s.made = t->env->wall(t->env->ctx);
    uint8_t psk[HB_HASH_MAX];
    hb_ks13_ticket_psk(suite->hash, s.secret, hb_cur_rest(&nonce), psk);
    memcpy(s.secret, psk, suite->hash->len);
    hb_wipe(psk, sizeof psk);
    hb_client_keep(t, &s, hb_cur_rest(&ticket));
    hb_wipe(&s, sizeof s);
    return HB_OK;
}

/* clang-format off */
const struct hb_hs_row hb_client13_rows[] = {
    /* in                            on                            do                     may leave to */
    { HB_C13_SEND_HELLO_AGAIN,       HB_MSG_NONE,                  send_hello_again,      HB_TO(HB_C13_HELLO_AGAIN) },
    { HB_C13_HELLO_AGAIN,            HB_MSG_SERVER_HELLO,          on_second_hello,       HB_TO(HB_C13_EXTENSIONS) },
    { HB_C13_EXTENSIONS,             HB_MSG_ENCRYPTED_EXTENSIONS,  on_extensions,         HB_TO(HB_C13_FINISHED) | HB_TO(HB_C13_REQUEST_OR_CERTIFICATE) },
    { HB_C13_REQUEST_OR_CERTIFICATE, HB_MSG_CERTIFICATE_REQUEST,   on_request,            HB_TO(HB_C13_CERTIFICATE) },
    { HB_C13_REQUEST_OR_CERTIFICATE, HB_MSG_CERTIFICATE,           on_certificate,        HB_TO(HB_C13_CERTIFICATE_VERIFY) | HB_TO(HB_C13_VERIFYING) },
    { HB_C13_CERTIFICATE,            HB_MSG_CERTIFICATE,           on_certificate,        HB_TO(HB_C13_CERTIFICATE_VERIFY) | HB_TO(HB_C13_VERIFYING) },
    { HB_C13_VERIFYING,              HB_MSG_VERIFIED,              on_verdict,            HB_TO(HB_C13_CERTIFICATE_VERIFY) },
    { HB_C13_CERTIFICATE_VERIFY,     HB_MSG_CERTIFICATE_VERIFY,    on_certificate_verify, HB_TO(HB_C13_FINISHED) },
    { HB_C13_FINISHED,               HB_MSG_FINISHED,              on_finished,           HB_TO(HB_C13_SEND_CERTIFICATE) },
    { HB_C13_SEND_CERTIFICATE,       HB_MSG_NONE,                  send_certificate,      HB_TO(HB_C13_SIGNING) | HB_TO(HB_C13_SEND_FINISHED) },
    { HB_C13_SIGNING,                HB_MSG_SIGNED,                on_signed,             HB_TO(HB_C13_SEND_FINISHED) },
    { HB_C13_SEND_FINISHED,          HB_MSG_NONE,                  send_finished,         HB_TO(HB_C13_OPEN) },
    { HB_C13_OPEN,                   HB_MSG_KEY_UPDATE,            hb_hs_key_update,      HB_TO(HB_C13_OPEN) },
};
/* clang-format on */
const size_t hb_num_client13_rows = sizeof hb_client13_rows / sizeof hb_client13_rows[0];
