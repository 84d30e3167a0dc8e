/* hs/server12.c: TLS 1.2, server, ECDHE suites with AEAD (RFC 5246 7.3, RFC 8422).
 *
 *   ClientHello        --------->
 *                      <---------  ServerHello, Certificate,     S12_SEND_FLIGHT
 *                                  ServerKeyExchange,            S12_SIGNING, S12_SEND_DONE
 *                                  ServerHelloDone
 *   ClientKeyExchange  --------->                                S12_KEY_EXCHANGE
 *   [CCS]              --------->                                S12_CCS
 *   Finished           --------->                                S12_FINISHED
 *                      <---------  [CCS], Finished
 *   data               <-------->  data                          S12_OPEN
 *
 * Read keys change only at the CCS, which is accepted in one state alone (T12-08). */
#include "hs.h"

#include "server.h"
#include <hb/ct.h>

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
    if (hs->choice.name_used) {
        hb_bld_u16(b, HB_EXT_SERVER_NAME);
        hb_bld_u16(b, 0);
    }
    if (hs->answer_ems) {
        hb_bld_u16(b, HB_EXT_EXTENDED_MASTER_SECRET);
        hb_bld_u16(b, 0);
    }
    if (hs->answer_point_formats) {
        hb_bld_u16(b, HB_EXT_EC_POINT_FORMATS);
        hb_bld_u16(b, 2);
        hb_bld_u16(b, 0x0100);
    }
    if (hs->answer_max_fragment > 0) {
        hb_bld_u16(b, HB_EXT_MAX_FRAGMENT_LENGTH);
        hb_bld_u16(b, 1);
        hb_bld_u8(b, hs->answer_max_fragment);
    }
    if (hs->answer_size_limit) {
        hb_bld_u16(b, HB_EXT_RECORD_SIZE_LIMIT);
        hb_bld_u16(b, 2);
        hb_bld_u16(b, HB_REC_PLAIN_MAX);
    }
    if (hs->choice.alpn > 0) {
        unsigned i = hs->choice.alpn - 1u;
        hb_bld_u16(b, HB_EXT_ALPN);
        struct hb_bld_mark ext = hb_bld_open16(b);
        struct hb_bld_mark names = hb_bld_open16(b);
        struct hb_bld_mark name = hb_bld_open8(b);
        hb_bld_put(b, hb_span(t->config->alpn[i].name, t->config->alpn[i].len));
        hb_bld_close(b, name);
        hb_bld_close(b, names);
        hb_bld_close(b, ext);
    }
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

    hb_bld_u16(b, 0x0303);
    hb_bld_put(b, hb_span(hs->server_random, 32));
    hb_bld_u8(b, 0); /* no session to resume: an empty id (RES-10) */
    hb_bld_u16(b, hs->choice.suite->id);
    hb_bld_u8(b, 0);
    put_extensions(t);
    return hb_hs_message_end(t, message);
}

/* RFC 8422 5.4: named_curve, our share; signed together with both randoms. */
static enum hb_code send_flight(struct hb_tls *t, struct hb_span body, uint8_t *next)
{
    struct hb_hs *hs = t->hs;
    const struct hb_kex *group = hs->choice.group;
    struct hb_bld input = hb_bld(hs->sign_input, sizeof hs->sign_input);
    uint8_t share[HB_SHARE_MAX];

    (void)body;
    HB_TRY(send_hello(t));
    struct hb_bld_mark message = hb_hs_message(t, HB_MSG_CERTIFICATE);
    hb_bld_put(&t->lane->flight, hs->choice.cred->msg12);
    HB_TRY(hb_hs_message_end(t, message));

    HB_INVARIANT(group->priv_len <= sizeof hs->kex_priv);
    group->generate(t->env, hs->kex_priv, share);
    hb_bld_put(&input, hb_span(hs->client_random, 32));
    hb_bld_put(&input, hb_span(hs->server_random, 32));
    hb_bld_u8(&input, 3);
    hb_bld_u16(&input, group->id);
    struct hb_bld_mark point = hb_bld_open8(&input);
    hb_bld_put(&input, hb_span(share, group->server_share_len));
    hb_bld_close(&input, point);
    HB_INVARIANT(hb_bld_ok(&input));
    hs->sign_input_len = input.len;
    return hb_hs_sign(t, HB_S12_SEND_DONE, HB_S12_SIGNING, next);
}

static enum hb_code on_signed(struct hb_tls *t, struct hb_span body, uint8_t *next)
{
    (void)body;
    *next = HB_S12_SEND_DONE;
    return t->hs->signature_len > 0 ? HB_OK : HB_E_TLS_SIGN_FAILED;
}

static enum hb_code send_done(struct hb_tls *t, struct hb_span body, uint8_t *next)
{
    struct hb_hs *hs = t->hs;
    struct hb_bld *b = &t->lane->flight;

    (void)body;
    struct hb_bld_mark message = hb_hs_message(t, HB_MSG_SERVER_KEY_EXCHANGE);
    hb_bld_put(b, hb_span_skip(hb_span(hs->sign_input, hs->sign_input_len), 64)); /* the params, as signed */
    hb_bld_u16(b, hs->choice.sigalg->id);
    struct hb_bld_mark sig = hb_bld_open16(b);
    hb_bld_put(b, hb_span(hs->signature, hs->signature_len));
    hb_bld_close(b, sig);
    HB_TRY(hb_hs_message_end(t, message));
    message = hb_hs_message(t, HB_MSG_SERVER_HELLO_DONE);
    HB_TRY(hb_hs_message_end(t, message));
    hb_conn_emit(t);
    *next = HB_S12_KEY_EXCHANGE;
    return HB_OK;
}

/* The master secret needs the transcript with this message in it (RFC 7627 4), so it is hashed here ahead of
 * the interpreter, on a copy. */
static void derive_master(struct hb_tls *t, struct hb_span body, struct hb_span premaster)
{
    struct hb_hs *hs = t->hs;
    const struct hb_hash *hash = hs->transcript.hash;
    struct hb_span none = hb_span(NULL, 0);

    if (!t->info.ems) {
        hb_prf12(hash, premaster, "master secret", hb_span(hs->client_random, 32), hb_span(hs->server_random, 32),
                 t->secrets.v12.master, HB_MASTER_LEN);
        return;
    }
    struct hb_transcript copy = hs->transcript;
    uint8_t header[4] = {HB_MSG_CLIENT_KEY_EXCHANGE, 0, (uint8_t)(body.len >> 8), (uint8_t)body.len};
    uint8_t digest[HB_HASH_MAX];
    hb_transcript_add(&copy, hb_span(header, sizeof header));
    hb_transcript_add(&copy, body);
    hb_transcript_now(&copy, digest);
    hb_prf12(hash, premaster, "extended master secret", hb_span(digest, hash->len), none, t->secrets.v12.master,
             HB_MASTER_LEN);
}

static enum hb_code on_key_exchange(struct hb_tls *t, struct hb_span body, uint8_t *next)
{
    struct hb_hs *hs = t->hs;
    const struct hb_suite *suite = hs->choice.suite;
    struct hb_cur c = hb_cur(body);
    struct hb_cur point = hb_cur_vec8(&c);
    uint8_t premaster[HB_SHARED_MAX];

    if (!hb_cur_end(&c)) {
        return HB_E_TLS_DECODE;
    }
    HB_TRY(hs->choice.group->derive(hs->kex_priv, hb_cur_rest(&point), premaster));
    hb_wipe(hs->kex_priv, sizeof hs->kex_priv);
    derive_master(t, body, hb_span(premaster, hs->choice.group->shared_len));
    hb_wipe(premaster, sizeof premaster);
    size_t iv_len = suite->explicit_nonce ? 4 : HB_IV_LEN;
    hb_prf12(hs->transcript.hash, hb_span(t->secrets.v12.master, HB_MASTER_LEN), "key expansion",
             hb_span(hs->server_random, 32), hb_span(hs->client_random, 32), hs->keys12,
             2 * (suite->aead->key_len + iv_len));
    *next = HB_S12_CCS;
    return HB_OK;
}

/* key_block: client key, server key, client IV, server IV (AEAD suites have no MAC keys). */
static void install12(struct hb_tls *t, struct hb_rec_dir *d, bool server)
{
    const struct hb_suite *suite = t->hs->choice.suite;
    size_t key_len = suite->aead->key_len;
    size_t iv_len = suite->explicit_nonce ? 4 : HB_IV_LEN;
    const uint8_t *key = t->hs->keys12 + (server ? key_len : 0);
    const uint8_t *iv = t->hs->keys12 + 2 * key_len + (server ? iv_len : 0);

    hb_conn_install(t, d, suite, key, iv);
}

static enum hb_code on_ccs(struct hb_tls *t, struct hb_span body, uint8_t *next)
{
    (void)body;
    install12(t, &t->rd, false);
    *next = HB_S12_FINISHED;
    return HB_OK;
}

static void verify_data(struct hb_tls *t, const char *label, struct hb_span more, uint8_t dst[HB_VERIFY12_LEN])
{
    const struct hb_hash *hash = t->hs->transcript.hash;
    struct hb_transcript copy = t->hs->transcript;
    uint8_t digest[HB_HASH_MAX];

    hb_transcript_add(&copy, more);
    hb_transcript_now(&copy, digest);
    hb_prf12(hash, hb_span(t->secrets.v12.master, HB_MASTER_LEN), label, hb_span(digest, hash->len),
             hb_span(NULL, 0), dst, HB_VERIFY12_LEN);
}

static enum hb_code on_finished(struct hb_tls *t, struct hb_span body, uint8_t *next)
{
    static const uint8_t one = 1;
    struct hb_hs *hs = t->hs;
    struct hb_bld *b = &t->lane->flight;
    uint8_t data[HB_VERIFY12_LEN];
    uint8_t received[4 + HB_VERIFY12_LEN] = {HB_MSG_FINISHED, 0, 0, HB_VERIFY12_LEN};

    if (body.len != HB_VERIFY12_LEN) {
        return HB_E_TLS_DECODE;
    }
    verify_data(t, "client finished", hb_span(NULL, 0), data);
    if (!hb_ct_eq(data, body.p, sizeof data)) {
        return HB_E_TLS_BAD_FINISHED;
    }
    memcpy(received + 4, body.p, HB_VERIFY12_LEN);
    verify_data(t, "server finished", hb_span(received, sizeof received), data);
    hb_conn_emit_record(t, HB_REC_CCS, hb_span(&one, 1));
    install12(t, &t->wr, true);
    struct hb_bld_mark message = hb_hs_message(t, HB_MSG_FINISHED);
    hb_bld_put(b, hb_span(data, sizeof data));
    HB_TRY(hb_hs_message_end(t, message));
    hb_conn_emit(t);
    memcpy(t->secrets.v12.client_random, hs->client_random, 32);
    memcpy(t->secrets.v12.server_random, hs->server_random, 32);
    hb_hs_done(t);
    *next = HB_S12_OPEN;
    return HB_OK;
}

/* clang-format off */
const struct hb_hs_row hb_server12_rows[] = {
    /* in                    on                           do                may leave to */
    { HB_S12_SEND_FLIGHT,    HB_MSG_NONE,                 send_flight,      HB_TO(HB_S12_SIGNING) | HB_TO(HB_S12_SEND_DONE) },
    { HB_S12_SIGNING,        HB_MSG_SIGNED,               on_signed,        HB_TO(HB_S12_SEND_DONE) },
    { HB_S12_SEND_DONE,      HB_MSG_NONE,                 send_done,        HB_TO(HB_S12_KEY_EXCHANGE) },
    { HB_S12_KEY_EXCHANGE,   HB_MSG_CLIENT_KEY_EXCHANGE,  on_key_exchange,  HB_TO(HB_S12_CCS) },
    { HB_S12_CCS,            HB_MSG_CCS,                  on_ccs,           HB_TO(HB_S12_FINISHED) },
    { HB_S12_FINISHED,       HB_MSG_FINISHED,             on_finished,      HB_TO(HB_S12_OPEN) },
};
/* clang-format on */
const size_t hb_num_server12_rows = sizeof hb_server12_rows / sizeof hb_server12_rows[0];
