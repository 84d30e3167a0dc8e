/* hs/machine.c: the interpreter of rows.
 * Rules that hold for every row, here and nowhere else: a pair without a row is an unexpected message; a row
 * leaves only to a state it names; a received message joins the transcript after its handler, so Finished and
 * CertificateVerify see the hash they cover. */
#include "hs.h"

#include "../crypto/legacy.h"

#include <hb/ct.h>

/* States of a role and version stand behind one another (hs.h); each table has the rows of its own. */
struct table {
    const struct hb_hs_row *rows;
    const size_t *num;
    uint8_t last; /* its last state */
};

static const struct table *table_of(unsigned state)
{
    static const struct table tables[] = {
        {hb_server_rows, &hb_num_server_rows, HB_S_HELLO},
        {hb_server13_rows, &hb_num_server13_rows, HB_S13_OPEN},
        {hb_server12_rows, &hb_num_server12_rows, HB_S12_OPEN},
        {hb_client_rows, &hb_num_client_rows, HB_C_HELLO},
        {hb_client13_rows, &hb_num_client13_rows, HB_C13_OPEN},
        {hb_client12_rows, &hb_num_client12_rows, HB_C12_OPEN},
    };
    size_t t = 0;

    while (tables[t].last < state) {
        t++;
    }
    return &tables[t];
}

/* The row of a state and one of these messages, the first there is. Rows stand in the order of states, and a
 * state without one has none behind it: so a state's rows begin no earlier than its number (test_hs_rows.c
 * makes sure). */
static const struct hb_hs_row *find_among(unsigned state, unsigned first, unsigned last)
{
    const struct table *t = table_of(state);

    for (size_t i = state - t->rows[0].in; i < *t->num && t->rows[i].in <= state; i++) {
        if (t->rows[i].in == state && t->rows[i].on >= first && t->rows[i].on <= last) {
            return &t->rows[i];
        }
    }
    return NULL;
}

static const struct hb_hs_row *find(unsigned state, unsigned msg)
{
    return find_among(state, msg, msg);
}

static enum hb_code run(struct hb_tls *t, const struct hb_hs_row *row, struct hb_span body)
{
    uint8_t next = row->in;

    HB_TRY(row->run(t, body, &next));
    HB_INVARIANT((row->may & HB_TO(next)) != 0);
    t->state = next;
    return HB_OK;
}

enum hb_code hb_hs_run(struct hb_tls *t)
{
    const struct hb_hs_row *row;

    while ((row = find(t->state, HB_MSG_NONE)) != NULL) {
        HB_TRY(run(t, row, hb_span(NULL, 0)));
    }
    return HB_OK;
}

enum hb_code hb_hs_deliver(struct hb_tls *t, unsigned msg, struct hb_span message, struct hb_span body)
{
    const struct hb_hs_row *row = find(t->state, msg);

    if (row == NULL) {
        return msg == HB_MSG_CCS ? HB_E_TLS_CCS : HB_E_TLS_UNEXPECTED_MESSAGE;
    }
    HB_TRY(run(t, row, body));
    if (msg < HB_MSG_NONE && t->hs != NULL && t->hs->transcript.hash != NULL && msg != HB_MSG_HELLO_REQUEST) {
        HB_TRY(hb_hs_hash(t, message));
    }
    if (t->hs != NULL && t->hs->derive_after && t->state == HB_C13_EXTENSIONS) {
        hb_client13_keys(t);
    }
    return HB_OK;
}

bool hb_hs_expects(const struct hb_tls *t, unsigned msg)
{
    return find(t->state, msg) != NULL;
}

unsigned hb_hs_waits_for(const struct hb_tls *t)
{
    if (t->hs == NULL || (HB_TO(t->state) & HB_WAITING_STATES) == 0) { /* asked for every event */
        return 0;
    }
    const struct hb_hs_row *row = find_among(t->state, HB_MSG_SIGNED, HB_MSG_DECRYPTED);
    return row != NULL ? row->on : 0;
}

uint32_t hb_hs_body_max(uint8_t type)
{
    switch (type) {
    case HB_MSG_HELLO_REQUEST:
    case HB_MSG_END_OF_EARLY_DATA:
    case HB_MSG_SERVER_HELLO_DONE:
        return 0;
    case HB_MSG_KEY_UPDATE:
        return 1;
    case HB_MSG_FINISHED:
        return 48;
    case HB_MSG_CERTIFICATE:
        return 102400;
    case HB_MSG_CERTIFICATE_STATUS:
        return 65536;
    default:
        return 16384;
    }
}

struct hb_hs *hb_hs_new(const struct hb_env *env, bool client)
{
    struct hb_hs *hs = env->alloc(env->ctx, sizeof *hs);

    if (hs == NULL) {
        return NULL;
    }
    hb_buf_init(&hs->message, 4u + 102400u);
    hb_buf_init(&hs->peer_share, HB_SHARE_MAX);
    hb_buf_init(&hs->chain, 102400u);
    hb_buf_init(&hs->staple, 65536u);
    hb_buf_init(&hs->signed_messages, 262144u); /* HS-01: a whole flight */
    if (!client) {
        return hs;
    }
    hs->client = env->alloc(env->ctx, sizeof *hs->client);
    if (hs->client == NULL) {
        env->release(env->ctx, hs, sizeof *hs);
        return NULL;
    }
    hb_buf_init(&hs->client->hello, 16384u);
    hb_buf_init(&hs->client->cookie, 8192u);
    hb_buf_init(&hs->client->ticket, HB_TICKET_MAX);
    hb_buf_init(&hs->client->request, 16384u);
    return hs;
}

void hb_hs_free(const struct hb_env *env, struct hb_hs **phs)
{
    struct hb_hs *hs = *phs;

    if (hs == NULL) {
        return;
    }
    *phs = NULL;
    hb_buf_clear(&hs->message, env);
    hb_buf_clear(&hs->peer_share, env);
    hb_buf_clear(&hs->chain, env);
    hb_buf_clear(&hs->staple, env);
    hb_buf_clear(&hs->signed_messages, env);
    hb_pubkey_free(env, &hs->peer_key);
    if (hs->client != NULL) {
        hb_buf_clear(&hs->client->hello, env);
        hb_buf_clear(&hs->client->cookie, env);
        hb_buf_clear(&hs->client->ticket, env);
        hb_buf_clear(&hs->client->request, env);
        env->release(env->ctx, hs->client, sizeof *hs->client); /* wipes */
    }
    env->release(env->ctx, hs, sizeof *hs);
}

enum hb_code hb_hs_hash(struct hb_tls *t, struct hb_span message)
{
    struct hb_hs *hs = t->hs;

    hb_transcript_add(&hs->transcript, message);
    return hs->keep_messages ? hb_buf_add(&hs->signed_messages, t->env, message) : HB_OK;
}

struct hb_bld_mark hb_hs_message(struct hb_tls *t, uint8_t type)
{
    hb_bld_u8(&t->lane->flight, type);
    return hb_bld_open24(&t->lane->flight);
}

enum hb_code hb_hs_message_end(struct hb_tls *t, struct hb_bld_mark mark)
{
    struct hb_bld *flight = &t->lane->flight;

    hb_bld_close(flight, mark);
    if (!hb_bld_ok(flight)) {
        return HB_E_OVERFLOW;
    }
    size_t start = mark.at - 4; /* type and length */
    struct hb_span message = hb_span(flight->p + start, flight->len - start);
    HB_CT_PUBLIC(message.p, message.len); /* the peer gets to see it, Finished and binders, too */
    if (t->hs->transcript.hash == NULL) { /* the first ClientHello: the hash is not known yet */
        return hb_buf_add(&t->hs->client->hello, t->env, message);
    }
    return hb_hs_hash(t, message);
}

enum hb_code hb_hs_sign(struct hb_tls *t, uint8_t done, uint8_t wait, uint8_t *next)
{
    struct hb_hs *hs = t->hs;

    t->info.sigalg = hs->choice.sigalg->id;
    if (hb_cred_signs_later(hs->choice.cred)) {
        hb_conn_emit(t); /* what is ready goes out meanwhile: the flight is shared with other connections */
        *next = wait;
        return HB_OK;
    }
    *next = done;
    return hb_cred_sign(hs->choice.cred, t->env, hs->choice.sigalg->id, hs->sign_span, hs->signature,
                        sizeof hs->signature, &hs->signature_len);
}

void hb_hs_done(struct hb_tls *t)
{
    t->is_open = true; /* the scratch goes when READY has been told: until then it has the names */
}

const struct hb_hash *hb_hs_hash_of(const struct hb_suite *suite, uint16_t version)
{
    return version < 0x0303 ? &hb_md5sha1 : suite->hash;
}

const struct hb_hash *hb_hs_prf(const struct hb_tls *t)
{
    return t->hs->transcript.hash;
}

void hb_hs_emit_ccs(struct hb_tls *t)
{
    static const uint8_t one = 1;

    hb_conn_emit_record(t, HB_REC_CCS, hb_span(&one, 1));
}

void hb_hs_install13(struct hb_tls *t, struct hb_rec_dir *d, const uint8_t *traffic)
{
    const struct hb_suite *suite = t->hs->choice.suite;
    uint8_t key[HB_KEY_MAX];
    uint8_t iv[HB_IV_LEN];

    hb_ks13_record_keys(suite->hash, traffic, key, suite->aead->key_len, iv);
    hb_conn_install(t, d, suite, key, iv);
    hb_wipe(key, sizeof key);
    hb_wipe(iv, sizeof iv);
}

enum hb_code hb_hs_put_finished13(struct hb_tls *t, const uint8_t *traffic)
{
    const struct hb_hash *hash = t->hs->transcript.hash;
    uint8_t digest[HB_HASH_MAX];
    uint8_t mac[HB_HASH_MAX];

    hb_transcript_now(&t->hs->transcript, digest);
    hb_ks13_finished(hash, traffic, digest, mac);
    struct hb_bld_mark message = hb_hs_message(t, HB_MSG_FINISHED);
    hb_bld_put(&t->lane->flight, hb_span(mac, hash->len));
    return hb_hs_message_end(t, message);
}

enum hb_code hb_hs_check_finished13(struct hb_tls *t, const uint8_t *traffic, struct hb_span body)
{
    const struct hb_hash *hash = t->hs->transcript.hash;
    uint8_t digest[HB_HASH_MAX];
    uint8_t mac[HB_HASH_MAX];

    if (body.len != hash->len) {
        return HB_E_TLS_DECODE;
    }
    hb_transcript_now(&t->hs->transcript, digest);
    hb_ks13_finished(hash, traffic, digest, mac);
    return hb_ct_eq(mac, body.p, hash->len) ? HB_OK : HB_E_TLS_BAD_FINISHED;
}

/* KeyUpdate, both roles. */
enum hb_code hb_hs_key_update(struct hb_tls *t, struct hb_span body, uint8_t *next)
{
    const struct hb_suite *suite = t->rd.suite;
    uint8_t key[HB_KEY_MAX];
    uint8_t iv[HB_IV_LEN];

    *next = t->state;
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
    return HB_OK;
}
