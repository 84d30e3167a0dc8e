/* conn.c: hb_tls: records in, events out; plaintext in, records out.
 *
 *   hb_tls_input -> one record at a time -> type rules -> alert | CCS | handshake (hs/) | data -> event
 *
 * Invariants: the first failure sticks and is the last event; at most one fatal
 * alert leaves; no DATA before READY; after READY no handshake scratch exists
 * once the caller asked for the next event.
 * Owns the scratch and an incomplete record; borrows input and output during
 * calls. Never calls back, never blocks. */
#include "conn.h"

#include "alert.h"
#include "hs/client.h"
#include "hs/hs.h"
#include "legacy/record.h"
#include <hb/ct.h>

#define MAX_EMPTY          32u /* REC-04 */
#define MAX_CCS            32u /* REC-07 */
#define MAX_WARNINGS       4u  /* ALR-02 */
#define SMALL_RECORDS      16u /* REC-18: the first ones fit a packet each */
#define SMALL_PLAIN        1400u
#define HELD_MAX           (1u << 20)
#define MAX_HELLO_REQUESTS 4u /* REN-02 */

_Static_assert(sizeof(struct hb_tls) <= 512, "an open connection stays below 512 bytes");

/* ---- life ---- */

struct hb_tls_lane *hb_tls_lane_new(const struct hb_env *env)
{
    struct hb_tls_lane *lane = env->alloc(env->ctx, sizeof *lane);

    if (lane != NULL) {
        lane->env = env;
        lane->flight = hb_bld(lane->flight_mem, sizeof lane->flight_mem);
        hb_ks13_early_derived(&hb_sha256, lane->early256);
        hb_ks13_early_derived(&hb_sha384, lane->early384);
    }
    return lane;
}

void hb_tls_lane_free(struct hb_tls_lane **lane)
{
    if (lane != NULL && *lane != NULL) {
        const struct hb_env *env = (*lane)->env;
        hb_wipe(*lane, sizeof **lane);
        env->release(env->ctx, *lane, sizeof **lane);
        *lane = NULL;
    }
}

static struct hb_tls *new_conn(struct hb_tls_config *config, const struct hb_env *env,
                               struct hb_tls_lane *lane, bool client)
{
    struct hb_tls *t = env->alloc(env->ctx, sizeof *t);

    if (t == NULL) {
        return NULL;
    }
    t->env = env;
    t->hs = hb_hs_new(env, client);
    if (t->hs == NULL) {
        env->release(env->ctx, t, sizeof *t);
        return NULL;
    }
    t->lane = lane;
    t->config = hb_tls_config_ref(config);
    t->is_client = client;
    t->state = client ? HB_C_SEND_HELLO : HB_S_HELLO;
    t->max_plain = HB_REC_PLAIN_MAX;
    t->info.alert_sent = HB_ALERT_NONE;
    t->info.alert_got = HB_ALERT_NONE;
    hb_buf_init(&t->held, HELD_MAX);
    return t;
}

struct hb_tls *hb_tls_server_new(struct hb_tls_config *config, const struct hb_env *env,
                                 struct hb_tls_lane *lane)
{
    return new_conn(config, env, lane, false);
}

struct hb_tls *hb_tls_client_new(struct hb_tls_config *config, const struct hb_env *env,
                                 struct hb_tls_lane *lane, const char *name, struct hb_span session)
{
    struct hb_tls *t = new_conn(config, env, lane, true);
    struct hb_cur c = hb_cur(session);

    if (t == NULL) {
        return NULL;
    }
    if (name != NULL && strlen(name) < sizeof t->hs->server_name) {
        memcpy(t->hs->server_name, name, strlen(name));
    }
    if (session.len > 0) {
        struct hb_session *s = &t->hs->client->session;
        bool ok = hb_session_read(&c, s);
        struct hb_cur ticket = hb_cur_vec16(&c);
        if (!ok || !hb_cur_end(&c) ||
            hb_buf_add(&t->hs->client->ticket, env, hb_cur_rest(&ticket)) != HB_OK) {
            hb_wipe(s, sizeof *s); /* not one of ours: a full handshake */
        }
    }
    return t;
}

struct hb_post *hb_conn_post(struct hb_tls *t)
{
    if (t->post == NULL) {
        t->post = t->env->alloc(t->env->ctx, sizeof *t->post);
        if (t->post != NULL) {
            hb_buf_init(&t->post->in, 16384u);
            hb_buf_init(&t->post->pending, 16384u);
            hb_buf_init(&t->post->kept, 2048u);
        }
    }
    return t->post;
}

static void free_post(struct hb_tls *t)
{
    if (t->post != NULL) {
        hb_buf_clear(&t->post->in, t->env);
        hb_buf_clear(&t->post->pending, t->env);
        hb_buf_clear(&t->post->kept, t->env);
        t->env->release(t->env->ctx, t->post, sizeof *t->post);
        t->post = NULL;
    }
}

static void wipe_session(struct hb_tls_lane *lane)
{
    if (lane->session_told) {
        hb_wipe(lane->session_mem, sizeof lane->session_mem);
        lane->session_told = false;
    }
}

/* The lane may still hold a cipher keyed for this connection. */
static void drop_keys(struct hb_tls *t)
{
    if (t->rd.suite != NULL && t->lane->read.generation == t->rd.generation) {
        hb_rec_cache_drop(&t->lane->read);
    }
    if (t->wr.suite != NULL && t->lane->write.generation == t->wr.generation) {
        hb_rec_cache_drop(&t->lane->write);
    }
    hb_rec_wipe(&t->rd);
    hb_rec_wipe(&t->wr);
    hb_wipe(&t->secrets, sizeof t->secrets);
}

void hb_tls_free(struct hb_tls **pt)
{
    struct hb_tls *t = pt != NULL ? *pt : NULL;

    if (t == NULL) {
        return;
    }
    *pt = NULL;
    const struct hb_env *env = t->env;
    drop_keys(t);
    wipe_session(t->lane);
    hb_hs_free(env, &t->hs);
    free_post(t);
    hb_buf_clear(&t->held, env);
    hb_tls_config_free(&t->config);
    hb_wipe(t, sizeof *t);
    env->release(env->ctx, t, sizeof *t);
}

/* ---- output ---- */

void hb_conn_emit_record(struct hb_tls *t, uint8_t type, struct hb_span bytes)
{
    struct hb_rec_dir plain = {0};
    struct hb_rec_source src = {&bytes, 0};
    /* A CCS of TLS 1.3 is never protected. */
    struct hb_rec_dir *d = type == HB_REC_CCS && t->info.version == 0x0304 ? &plain : &t->wr;

    /* 0x0301 on the first hello, for servers that know nothing newer (REC-02) */
    uint16_t version = t->is_client && t->info.version == 0               ? 0x0301
                       : t->info.version < 0x0303 && t->info.version != 0 ? t->info.version
                                                                          : 0x0303;

    hb_rec_seal(d, &t->lane->write, type, version, &src, bytes.len, t->out);
}

void hb_conn_emit(struct hb_tls *t)
{
    struct hb_span flight = hb_bld_span(&t->lane->flight);
    size_t limit = t->wr.suite != NULL ? t->max_plain : HB_REC_PLAIN_MAX; /* REC-16: protected records only */

    while (flight.len > 0) {
        struct hb_span part = hb_span_head(flight, limit);
        hb_conn_emit_record(t, HB_REC_HANDSHAKE, part);
        flight = hb_span_skip(flight, part.len);
    }
    hb_bld_reset(&t->lane->flight);
}

void hb_conn_install(struct hb_tls *t, struct hb_rec_dir *d, const struct hb_suite *suite, const uint8_t *key,
                     const uint8_t *iv)
{
    hb_rec_install(d, suite, ++t->lane->next_generation, key, iv);
}

static void send_alert(struct hb_tls *t, uint8_t level, uint8_t alert)
{
    uint8_t bytes[2] = {level, alert};

    hb_conn_emit_record(t, HB_REC_ALERT, hb_span(bytes, sizeof bytes));
}

static void fail(struct hb_tls *t, enum hb_code code)
{
    enum hb_alert alert = hb_alert_of(code);

    if (t->failed) {
        return;
    }
    t->failed = true;
    t->code = (uint16_t)code;
    hb_bld_reset(&t->lane->flight);
    if (alert != HB_ALERT_NONE && !t->closed) {
        send_alert(t, 2, (uint8_t)alert);
        t->info.alert_sent = (uint8_t)alert;
    }
    drop_keys(t); /* ALR-03 */
    hb_buf_clear(&t->held, t->env);
    free_post(t); /* no ticket of a session that failed is told or sent */
    t->in_len = 0;
}

/* The next generation of our own keys, announced under the old ones (T13-18). */
static void send_key_update(struct hb_tls *t, bool request)
{
    const uint8_t message[] = {HB_MSG_KEY_UPDATE, 0, 0, 1, request};
    const struct hb_suite *suite = t->wr.suite;
    uint8_t key[HB_KEY_MAX];
    uint8_t iv[HB_IV_LEN];

    hb_conn_emit_record(t, HB_REC_HANDSHAKE, hb_span(message, sizeof message));
    hb_ks13_update(suite->hash, t->secrets.v13.write);
    hb_ks13_record_keys(suite->hash, t->secrets.v13.write, key, suite->aead->key_len, iv);
    hb_conn_install(t, &t->wr, suite, key, iv);
    hb_wipe(key, sizeof key);
    t->update_due = false;
}

/* ---- handshake messages ---- */

static enum hb_code after_message(struct hb_tls *t, uint8_t type, size_t rest)
{
    /* Keys change behind these; handshake bytes of the same record would be read under the wrong ones
     * (REC-05). */
    bool hello = type == HB_MSG_CLIENT_HELLO || (type == HB_MSG_SERVER_HELLO && t->info.version == 0x0304);
    bool boundary =
        hello || type == HB_MSG_SERVER_HELLO_DONE || type == HB_MSG_FINISHED || t->hs->read_keys_changed;

    return boundary && rest > 0 ? HB_E_TLS_KEY_CHANGE_RESIDUE : HB_OK;
}

/* Delivers the complete messages of `bytes`; *used tells how many bytes those were. */
static enum hb_code deliver_messages(struct hb_tls *t, struct hb_span bytes, size_t *used)
{
    *used = 0;
    while (bytes.len >= 1) {
        uint8_t type = bytes.p[0];
        bool stray = t->is_client && type == HB_MSG_HELLO_REQUEST && t->info.version != 0x0304 &&
                     t->config->lowest != 0x0304;
        if (!stray && !hb_hs_expects(t, type) && hb_hs_expects(t, HB_MSG_NO_STATUS)) {
            HB_TRY(hb_hs_deliver(t, HB_MSG_NO_STATUS, hb_span(NULL, 0), hb_span(NULL, 0)));
            if (hb_hs_waits_for(t) != 0) {
                return HB_OK; /* the message itself waits for the caller's verdict */
            }
        }
        if (!stray && !hb_hs_expects(t, type)) { /* before its body is waited for */
            return HB_E_TLS_UNEXPECTED_MESSAGE;
        }
        if (bytes.len < 4) {
            return HB_OK;
        }
        size_t len = (size_t)bytes.p[1] << 16 | (size_t)bytes.p[2] << 8 | bytes.p[3];
        if (len > hb_hs_body_max(type)) {
            return HB_E_TLS_MESSAGE_TOO_LONG;
        }
        if (bytes.len < 4 + len) {
            return HB_OK;
        }
        if (stray) { /* RFC 5246 7.4.1.1: of no interest to a client that is negotiating, and not hashed */
            if (++t->num_renegotiations > MAX_HELLO_REQUESTS) {
                return HB_E_TLS_HELLO_REQUEST_FLOOD;
            }
            bytes = hb_span_skip(bytes, 4);
            *used += 4;
            continue;
        }
        t->hs->read_keys_changed = false;
        struct hb_span message = hb_span(bytes.p, 4 + len);
        HB_TRY(hb_hs_deliver(t, type, message, hb_span(bytes.p + 4, len)));
        bytes = hb_span_skip(bytes, 4 + len);
        *used += 4 + len;
        HB_TRY(after_message(t, type, bytes.len));
        HB_TRY(hb_hs_run(t));
        if (hb_hs_waits_for(t) != 0) {
            return HB_OK; /* what is behind it waits, too */
        }
        if (t->is_open && bytes.len > 0) {
            return HB_E_TLS_KEY_CHANGE_RESIDUE;
        }
    }
    return HB_OK;
}

static enum hb_code on_handshake(struct hb_tls *t, struct hb_span bytes)
{
    struct hb_buf *pieces = &t->hs->message;
    size_t used;

    if (hb_buf_len(pieces) == 0) { /* the ordinary case: whole messages, no copy */
        HB_TRY(deliver_messages(t, bytes, &used));
        return hb_buf_add(pieces, t->env, hb_span_skip(bytes, used));
    }
    HB_TRY(hb_buf_add(pieces, t->env, bytes));
    HB_TRY(deliver_messages(t, hb_buf_span(pieces), &used));
    hb_buf_drop(pieces, t->env, used);
    return HB_OK;
}

/* REN-02: a server refuses once and goes on; a client, four times. */
static enum hb_code refuse_renegotiation(struct hb_tls *t)
{
    if (t->is_client && t->config->ignore_hello_request) {
        return HB_OK;
    }
    if (++t->num_renegotiations > (t->is_client ? MAX_HELLO_REQUESTS : 1)) {
        return t->is_client ? HB_E_TLS_HELLO_REQUEST_FLOOD : HB_E_TLS_RENEGOTIATION;
    }
    send_alert(t, 1, HB_ALERT_NO_RENEGOTIATION);
    return HB_OK;
}

static bool post_allowed(const struct hb_tls *t, uint8_t type)
{
    if (t->info.version != 0x0304) {
        return type == (t->is_client ? HB_MSG_HELLO_REQUEST : HB_MSG_CLIENT_HELLO);
    }
    return type == HB_MSG_KEY_UPDATE || (t->is_client && type == HB_MSG_NEW_SESSION_TICKET);
}

static enum hb_code on_post_message(struct hb_tls *t, uint8_t type, struct hb_span body, size_t behind)
{
    if (type == HB_MSG_NEW_SESSION_TICKET) {
        return hb_client13_ticket(t, body);
    }
    if (body.len == 0) {
        return HB_E_TLS_DECODE;
    }
    HB_TRY(hb_hs_deliver(t, HB_MSG_KEY_UPDATE, hb_span(NULL, 0), body));
    return behind > 0 ? HB_E_TLS_KEY_CHANGE_RESIDUE : HB_OK;
}

/* The body of the message whose header is complete: as much of bytes as belongs to it. *used: so many. */
static enum hb_code take_post_body(struct hb_tls *t, struct hb_span bytes, uint32_t len, size_t *used)
{
    struct hb_buf *in = t->post != NULL ? &t->post->in : NULL;
    size_t have = in != NULL ? hb_buf_len(in) : 0;
    size_t n = bytes.len < len - have ? bytes.len : len - have;

    *used = n;
    if (have == 0 && n == len) { /* the ordinary case: whole, no copy */
        t->head_len = 0;
        return on_post_message(t, t->head[0], hb_span_head(bytes, len), bytes.len - n);
    }
    if (hb_conn_post(t) == NULL) {
        return HB_E_NO_MEMORY;
    }
    in = &t->post->in;
    HB_TRY(hb_buf_add(in, t->env, hb_span_head(bytes, n)));
    if (hb_buf_len(in) < len) {
        return HB_OK;
    }
    t->head_len = 0;
    enum hb_code code = on_post_message(t, t->head[0], hb_buf_span(in), bytes.len - n);
    hb_buf_clear(in, t->env);
    return code;
}

/* Handshake messages on an open connection: KeyUpdate and tickets in 1.3; in 1.2 a renegotiation, refused and
 * skipped. */
static enum hb_code on_post_handshake(struct hb_tls *t, struct hb_span bytes)
{
    while (bytes.len > 0 || (t->head_len == 4 && t->skip == 0)) {
        size_t n = 1;
        if (t->skip > 0) {
            n = bytes.len < t->skip ? bytes.len : t->skip;
            t->skip -= (uint32_t)n;
            bytes = hb_span_skip(bytes, n);
            continue;
        }
        if (t->head_len < 4) {
            t->head[t->head_len++] = bytes.p[0];
            bytes = hb_span_skip(bytes, 1);
            if (!post_allowed(t, t->head[0])) {
                return HB_E_TLS_UNEXPECTED_MESSAGE;
            }
            if (t->head_len < 4) {
                continue;
            }
        }
        uint32_t len = (uint32_t)t->head[1] << 16 | (uint32_t)t->head[2] << 8 | t->head[3];
        if (len > hb_hs_body_max(t->head[0])) {
            return HB_E_TLS_MESSAGE_TOO_LONG;
        }
        if (t->info.version != 0x0304) {
            t->head_len = 0;
            t->skip = len;
            HB_TRY(refuse_renegotiation(t));
            continue;
        }
        if (bytes.len == 0 && len > 0) {
            break;
        }
        HB_TRY(take_post_body(t, bytes, len, &n));
        bytes = hb_span_skip(bytes, n);
    }
    return HB_OK;
}

/* ---- alerts ---- */

static enum hb_code on_alert(struct hb_tls *t, struct hb_span bytes)
{
    if (bytes.len != 2) {
        return HB_E_TLS_ALERT_FORMAT;
    }
    uint8_t level = bytes.p[0];
    uint8_t alert = bytes.p[1];
    if (level != 1 && level != 2) {
        return HB_E_TLS_ILLEGAL;
    }
    if (alert == HB_ALERT_CLOSE_NOTIFY) {
        t->peer_closed = true;
        t->info.got_close = true;
        return HB_OK;
    }
    bool harmless = alert == HB_ALERT_USER_CANCELED || (t->info.version != 0x0304 && level == 1);
    if (harmless) {
        return ++t->num_warnings > MAX_WARNINGS ? HB_E_TLS_ALERT_FLOOD : HB_OK;
    }
    t->info.alert_got = alert;
    return HB_E_TLS_PEER_ALERT;
}

/* ---- records ---- */

static bool in_pieces(const struct hb_tls *t)
{
    return (t->hs != NULL && hb_buf_len(&t->hs->message) > 0) || t->head_len > 0 || t->skip > 0;
}

static enum hb_code on_plain_ccs(struct hb_tls *t, const uint8_t *p, const struct hb_rec_header *h)
{
    /* From its first hello on a client that offers TLS 1.3 passes over them, even before it knows the version
     * (RFC 8446 5). */
    bool early = t->info.version == 0 && t->is_client && t->config->highest == 0x0304;

    if ((t->info.version == 0 && !early) || h->len != 1 || p[HB_REC_HEADER] != 1) {
        return HB_E_TLS_CCS;
    }
    if (in_pieces(t)) {
        return HB_E_TLS_INTERLEAVED;
    }
    if (t->info.version != 0x0304 && !early) {
        return t->hs != NULL ? hb_hs_deliver(t, HB_MSG_CCS, hb_span(NULL, 0), hb_span(NULL, 0))
                             : HB_E_TLS_CCS;
    }
    if (t->is_open) { /* REC-07: only before the peer's Finished */
        return HB_E_TLS_CCS;
    }
    return ++t->num_ccs > MAX_CCS ? HB_E_TLS_RECORD_FLOOD : HB_OK;
}

/* Early data is never read (RES-09): a data record that cannot be ours is dropped, within a budget. */
static enum hb_code skip_early(struct hb_tls *t, size_t len)
{
    if (len >= t->early_budget) { /* it was one more than what is passed over */
        return HB_E_TLS_EARLY_DATA_FLOOD;
    }
    t->early_budget -= (uint32_t)len;
    return HB_OK;
}

static enum hb_code on_content(struct hb_tls *t, uint8_t type, struct hb_span plain, struct hb_span *data)
{
    if (type != HB_REC_HANDSHAKE && in_pieces(t)) {
        return HB_E_TLS_INTERLEAVED;
    }
    if (plain.len == 0) {
        if (type != HB_REC_DATA || !t->is_open) {
            return HB_E_TLS_RECORD_EMPTY;
        }
        return ++t->num_empty > MAX_EMPTY ? HB_E_TLS_RECORD_FLOOD : HB_OK;
    }
    t->num_empty = 0;
    switch (type) {
    case HB_REC_ALERT:
        return on_alert(t, plain);
    case HB_REC_HANDSHAKE:
        return t->is_open ? on_post_handshake(t, plain) : on_handshake(t, plain);
    case HB_REC_DATA:
        if (!t->is_open) {
            return HB_E_TLS_RECORD_TYPE;
        }
        t->num_updates = 0;
        t->num_warnings = 0;
        *data = plain;
        return HB_OK;
    default:
        return t->rd.suite != NULL ? HB_E_TLS_INNER_TYPE : HB_E_TLS_RECORD_TYPE;
    }
}

static enum hb_code on_record(struct hb_tls *t, uint8_t *p, const struct hb_rec_header *h,
                              struct hb_span *data)
{
    bool tls13_keys = t->rd.suite != NULL && t->info.version == 0x0304;
    uint8_t type = h->type;
    struct hb_span plain;

    if (h->type == HB_REC_CCS && (t->rd.suite == NULL || tls13_keys)) {
        return on_plain_ccs(t, p, h);
    }
    if (h->type == HB_REC_DATA && t->rd.suite == NULL && t->early_all) {
        return skip_early(t, h->len);
    }
    /* A client that could not read our ServerHello has no keys to tell us so. */
    bool plain_alert = tls13_keys && !t->is_open && t->rd.seq == 0 && h->type == HB_REC_ALERT && h->len == 2;
    if (plain_alert) {
        return on_alert(t, hb_span(p + HB_REC_HEADER, h->len));
    }
    if (tls13_keys && h->type != HB_REC_DATA) {
        return HB_E_TLS_RECORD_TYPE;
    }
    enum hb_code code = hb_rec_open(&t->rd, &t->lane->read, p, h, &type, &plain);
    if (code == HB_E_TLS_BAD_RECORD_MAC && t->early_budget > 0 && t->rd.seq == 0 && !t->is_open) {
        return skip_early(t, h->len);
    }
    HB_TRY(code);
    t->early_budget = 0;
    return on_content(t, type, plain, data);
}

static size_t record_limit(const struct hb_tls *t)
{
    if (t->rd.suite == NULL && !t->early_all) {
        return HB_REC_PLAIN_MAX;
    }
    return t->info.version == 0x0304 ? HB_REC_CIPHER13_MAX : HB_REC_CIPHER12_MAX;
}

/* Takes one record from the input. *more: one was there. */
static enum hb_code take_record(struct hb_tls *t, struct hb_span *data, bool *more)
{
    struct hb_rec_header h;

    *more = false;
    if (t->peer_closed) { /* ALR-04: whatever comes behind close_notify is ignored, were it records or not */
        t->in_len = 0;
        return HB_OK;
    }
    if (!t->first_seen && t->in_len > 0) {
        bool to_client = t->is_client && (t->in[0] == HB_REC_ALERT || t->in[0] == HB_REC_CCS);
        if (t->in[0] != HB_REC_HANDSHAKE &&
            !to_client) { /* REC-03: plaintext, SSLv2: said at the first byte */
            return HB_E_TLS_NOT_TLS;
        }
        if (t->in_len > 1 && t->in[1] != 3) {
            return HB_E_TLS_RECORD_VERSION;
        }
        t->first_seen = t->in_len > 1;
    }
    if (t->in_len < HB_REC_HEADER) {
        return HB_OK;
    }
    HB_TRY(hb_rec_parse(t->in, record_limit(t), &h));
    size_t total = HB_REC_HEADER + (size_t)h.len;
    if (t->in_len < total) {
        return HB_OK;
    }
    uint8_t *p = t->in;
    t->in += total;
    t->in_len -= total;
    *more = true;
    return on_record(t, p, &h, data);
}

/* ---- input ---- */

size_t hb_tls_held(const struct hb_tls *t)
{
    return hb_buf_len(&t->held);
}

size_t hb_tls_reclaim(struct hb_tls *t, uint8_t *dst)
{
    size_t len = hb_buf_len(&t->held);

    if (len > 0) {
        memcpy(dst, hb_buf_span(&t->held).p, len);
        hb_buf_clear(&t->held, t->env);
    }
    return len;
}

void hb_tls_input(struct hb_tls *t, uint8_t *wire, size_t len)
{
    if (t->failed || len == 0) {
        return;
    }
    HB_INVARIANT(t->in_len == 0);
    if (hb_buf_len(&t->held) == 0) {
        t->in = wire;
        t->in_len = len;
        return;
    }
    enum hb_code code = hb_buf_add(&t->held, t->env, hb_span(wire, len));
    if (code != HB_OK) {
        t->code =
            (uint16_t)code; /* told by the next hb_tls_next(), which has an output to put the alert into */
        return;
    }
    t->use_join = true;
    t->in = hb_buf_bytes(&t->held);
    t->in_len = hb_buf_len(&t->held);
}

/* Nothing more to be had from this input: what is left of it is kept. */
static enum hb_code keep_rest(struct hb_tls *t)
{
    size_t rest = t->in_len;

    t->in_len = 0;
    if (t->use_join) {
        t->use_join = false;
        hb_buf_drop(&t->held, t->env, hb_buf_len(&t->held) - rest);
        return HB_OK;
    }
    return hb_buf_add(&t->held, t->env, hb_span(t->in, rest));
}

/* ---- events ---- */

static enum hb_tls_ev report_failure(struct hb_tls *t, struct hb_tls_event *event)
{
    event->code = (enum hb_code)t->code;
    event->alert = t->code == HB_E_TLS_PEER_ALERT ? t->info.alert_got : t->info.alert_sent;
    return HB_TLS_FAILED;
}

/* An event that waits to be told, or NONE. */
static enum hb_tls_ev pending_event(struct hb_tls *t, struct hb_tls_event *event)
{
    if (t->failed) {
        return report_failure(t, event);
    }
    if (t->is_open && !t->told_ready) {
        t->told_ready = true;
        return HB_TLS_READY;
    }
    if (t->is_open) {
        hb_hs_free(t->env, &t->hs);
        if (t->is_client && t->post != NULL && hb_buf_len(&t->post->pending) > 0) {
            struct hb_bld mem = hb_bld(t->lane->session_mem, sizeof t->lane->session_mem);
            hb_bld_put(&mem, hb_buf_span(&t->post->pending));
            hb_buf_clear(&t->post->pending, t->env);
            t->lane->session_told = true;
            event->data = hb_bld_span(&mem);
            return HB_TLS_SESSION;
        }
    }
    if (t->peer_closed && !t->told_closed) {
        t->told_closed = true;
        return HB_TLS_CLOSED;
    }
    unsigned waits = hb_hs_waits_for(t);
    if (waits == HB_MSG_SIGNED && !t->hs->signature_here && !t->told_sign) {
        t->told_sign = true;
        event->sign = (struct hb_tls_sign){t->hs->choice.cred, t->hs->choice.sigalg->id, t->hs->sign_span};
        return HB_TLS_SIGN;
    }
    if (waits == HB_MSG_DECRYPTED && !t->hs->premaster_here && !t->hs->told_decrypt) {
        t->hs->told_decrypt = true;
        event->sign =
            (struct hb_tls_sign){t->hs->choice.cred, t->hs->client_version, hb_buf_span(&t->hs->peer_share)};
        return HB_TLS_DECRYPT;
    }
    if (waits == HB_MSG_VERIFIED && !t->hs->verdict_here && !t->told_verify) {
        t->told_verify = true;
        event->data = hb_buf_span(&t->hs->chain);
        return HB_TLS_VERIFY;
    }
    return HB_TLS_NONE;
}

/* Something from outside the machine waits for: a signature, a verdict, a premaster secret. *more: it came,
 * and was delivered. */
static enum hb_code take_answer(struct hb_tls *t, bool *more)
{
    unsigned msg = hb_hs_waits_for(t);

    HB_INVARIANT(msg != 0 && t->hs != NULL);
    *more = false;
    if (t->hs == NULL) {
        return HB_OK; /* cannot be: msg is not 0 */
    }
    *more = msg == HB_MSG_SIGNED     ? t->hs->signature_here
            : msg == HB_MSG_VERIFIED ? t->hs->verdict_here
                                     : t->hs->premaster_here;
    if (!*more) {
        return HB_OK;
    }
    HB_TRY(hb_hs_deliver(t, msg, hb_span(NULL, 0), hb_span(NULL, 0)));
    HB_TRY(hb_hs_run(t));
    struct hb_buf *pieces = &t->hs->message; /* messages that came in one record with the one waited on */
    size_t used;
    HB_TRY(deliver_messages(t, hb_buf_span(pieces), &used));
    hb_buf_drop(pieces, t->env, used);
    return HB_OK;
}

enum hb_tls_ev hb_tls_next(struct hb_tls *t, struct hb_bld *out, struct hb_tls_event *event)
{
    t->out = out;
    wipe_session(t->lane);
    memset(event, 0, sizeof *event);
    event->alert = HB_ALERT_NONE;
    if (t->code != HB_OK && !t->failed) {
        fail(t, (enum hb_code)t->code);
    }
    for (;;) {
        enum hb_tls_ev ev = pending_event(t, event);
        if (ev != HB_TLS_NONE) {
            return ev;
        }
        enum hb_code code = HB_OK;
        bool more = false;
        struct hb_span data = hb_span(NULL, 0);
        if (t->hs != NULL && t->state == HB_C_SEND_HELLO) {
            code = hb_hs_run(t);
            more = true;
        } else if (hb_hs_waits_for(t) != 0) {
            code = take_answer(t, &more);
        } else {
            code = take_record(t, &data, &more);
        }
        if (code == HB_OK && !more) {
            code = keep_rest(t);
            if (code == HB_OK) {
                return HB_TLS_NONE;
            }
        }
        if (code != HB_OK) {
            fail(t, code);
        } else if (data.len > 0) {
            event->data = data;
            return HB_TLS_DATA;
        }
    }
}

/* Input that came while the machine waited. */
static void take_held(struct hb_tls *t)
{
    if (hb_buf_len(&t->held) > 0 && t->in_len == 0 && !t->use_join) { /* else it is being read already */
        t->use_join = true;
        t->in = hb_buf_bytes(&t->held);
        t->in_len = hb_buf_len(&t->held);
    }
}

void hb_tls_signed(struct hb_tls *t, struct hb_span signature)
{
    if (t->hs == NULL || !t->told_sign || t->hs->signature_here) {
        return;
    }
    t->hs->signature_here = true;
    if (signature.len > 0 && signature.len <= sizeof t->hs->signature) {
        memcpy(t->hs->signature, signature.p, signature.len);
        t->hs->signature_len = signature.len;
    }
    take_held(t);
}

void hb_tls_decrypted(struct hb_tls *t, struct hb_span premaster)
{
    if (t->hs == NULL || !t->hs->told_decrypt || t->hs->premaster_here) {
        return;
    }
    t->hs->premaster_here = true;
    t->hs->premaster_failed = premaster.len != sizeof t->hs->premaster;
    if (!t->hs->premaster_failed) {
        memcpy(t->hs->premaster, premaster.p, premaster.len);
    }
    take_held(t);
}

void hb_tls_verified(struct hb_tls *t, enum hb_code verdict)
{
    if (t->hs == NULL || !t->told_verify || t->hs->verdict_here) {
        return;
    }
    t->hs->verdict_here = true;
    t->hs->verdict = verdict;
    take_held(t);
}

/* ---- plaintext out ---- */

static size_t data_limit(const struct hb_tls *t)
{
    return t->num_sent < SMALL_RECORDS && t->max_plain > SMALL_PLAIN ? SMALL_PLAIN : t->max_plain;
}

size_t hb_tls_sealed_len(const struct hb_tls *t, size_t plain_len)
{
    size_t overhead = t->wr.legacy != NULL ? 2u * (HB_REC_HEADER + 96u) : HB_REC_HEADER + HB_TAG_LEN + 9;
    size_t records = SMALL_RECORDS + plain_len / t->max_plain + 3; /* a key update among them */
    size_t pending = t->post != NULL ? hb_buf_len(&t->post->pending) : 0;

    return plain_len + records * overhead + pending + (pending / t->max_plain + 1) * overhead;
}

/* Tickets leave in the same write as the first reply: no system call, no packet of their own. */
static void send_pending(struct hb_tls *t)
{
    if (t->is_client || t->post == NULL || hb_buf_len(&t->post->pending) == 0) {
        return;
    }
    hb_bld_put(&t->lane->flight, hb_buf_span(&t->post->pending));
    hb_conn_emit(t);
    free_post(t);
}

enum hb_code hb_tls_key_update(struct hb_tls *t, bool request, struct hb_bld *out)
{
    if (!t->is_open || t->failed || t->closed || t->info.version != 0x0304) {
        return HB_E_INTERNAL;
    }
    t->out = out;
    send_pending(t);
    send_key_update(t, request);
    return HB_OK;
}

enum hb_code hb_tls_write(struct hb_tls *t, const struct hb_span *plain, size_t n, struct hb_bld *out)
{
    struct hb_rec_source src = {plain, 0};
    size_t left = 0;
    bool split = false; /* REC-14: every other record is the short one */

    if (t->failed) {
        return (enum hb_code)t->code;
    }
    if (!t->is_open) {
        return HB_E_INTERNAL;
    }
    if (t->closed) {
        return HB_E_TLS_CLOSED;
    }
    t->out = out;
    for (size_t i = 0; i < n; i++) {
        left += plain[i].len;
    }
    send_pending(t);
    if (t->update_due) {
        send_key_update(t, false);
    }
    while (left > 0) {
        if (t->wr.legacy == NULL && t->wr.seq >= t->wr.suite->aead->record_limit) { /* REC-15 */
            if (t->info.version != 0x0304) {
                return HB_E_TLS_KEY_LIMIT;
            }
            send_key_update(t, false);
        }
        size_t limit = data_limit(t);
        size_t len = left < limit ? left : limit;
        if (t->wr.legacy != NULL && hb_legacy_splits(t->wr.legacy) && !split) {
            len = 1;
        }
        split = !split;
        hb_rec_seal(&t->wr, &t->lane->write, HB_REC_DATA, t->info.version < 0x0303 ? t->info.version : 0x0303,
                    &src, len, out);
        left -= len;
        t->num_sent = t->num_sent < 255 ? (uint8_t)(t->num_sent + 1) : 255;
    }
    return HB_OK;
}

void hb_tls_close(struct hb_tls *t, struct hb_bld *out)
{
    if (t->failed || t->closed) {
        return;
    }
    t->out = out;
    if (t->is_open) {
        send_pending(t);
    }
    t->closed = true;
    send_alert(t, 1, HB_ALERT_CLOSE_NOTIFY);
}

enum hb_code hb_tls_eof(const struct hb_tls *t)
{
    if (t->peer_closed) {
        return HB_OK;
    }
    return t->failed ? (enum hb_code)t->code : HB_E_TLS_TRUNCATED;
}

/* ---- facts ---- */

const struct hb_tls_info *hb_tls_info(const struct hb_tls *t)
{
    return &t->info;
}

void hb_tls_server_name(const struct hb_tls *t, char *dst, size_t cap)
{
    size_t len = t->hs != NULL ? strlen(t->hs->server_name) : 0;

    if (cap == 0) {
        return;
    }
    len = len < cap ? len : cap - 1;
    if (len > 0) {
        memcpy(dst, t->hs->server_name, len);
    }
    dst[len] = 0;
}

void hb_tls_peer_identity(const struct hb_tls *t, char *dst, size_t cap)
{
    size_t len = t->hs != NULL ? strlen(t->hs->identity) : 0;

    if (cap == 0) {
        return;
    }
    len = len < cap ? len : cap - 1;
    if (len > 0) {
        memcpy(dst, t->hs->identity, len);
    }
    dst[len] = 0;
}

uint64_t hb_tls_peer_not_after(const struct hb_tls *t)
{
    return t->hs != NULL && t->hs->session.has_peer ? t->hs->session.peer_not_after : UINT64_MAX;
}

struct hb_span hb_tls_peer_chain(const struct hb_tls *t)
{
    return t->hs != NULL ? hb_buf_span(&t->hs->chain) : hb_span(NULL, 0);
}

struct hb_span hb_tls_peer_staple(const struct hb_tls *t)
{
    return t->hs != NULL ? hb_buf_span(&t->hs->staple) : hb_span(NULL, 0);
}

/* RFC 5705 4: randoms, then, if there is a context, its length and itself. */
static enum hb_code export12(struct hb_tls *t, const char *label, const struct hb_span *context, uint8_t *dst,
                             size_t len)
{
    uint8_t mem[64 + 2 + 1024];
    struct hb_bld seed = hb_bld(mem, sizeof mem);

    hb_bld_put(&seed, hb_span(t->secrets.v12.client_random, 32));
    hb_bld_put(&seed, hb_span(t->secrets.v12.server_random, 32));
    if (context != NULL) {
        hb_bld_u16(&seed, (uint16_t)context->len);
        hb_bld_put(&seed, *context);
    }
    if (!hb_bld_ok(&seed)) {
        return HB_E_OVERFLOW;
    }
    hb_prf12(t->wr.suite->hash, hb_span(t->secrets.v12.master, HB_MASTER_LEN), label, hb_bld_span(&seed),
             hb_span(NULL, 0), dst, len);
    return HB_OK;
}

enum hb_code hb_tls_export(struct hb_tls *t, const char *label, struct hb_span context, uint8_t *dst,
                           size_t len)
{
    if (!t->is_open || t->failed || context.len > 65535) {
        return HB_E_INTERNAL;
    }
    const struct hb_hash *hash = t->wr.suite->hash;
    if (t->info.version == 0x0304) {
        hb_ks13_export(hash, t->secrets.v13.exporter, label, context, dst, len);
        return HB_OK;
    }
    if (!t->info.ems) { /* EMS-01 */
        return HB_E_INTERNAL;
    }
    return export12(t, label, &context, dst, len);
}

enum hb_code hb_tls_export_plain(struct hb_tls *t, const char *label, uint8_t *dst, size_t len)
{
    if (!t->is_open || t->failed || !t->info.ems || t->info.version == 0x0304) {
        return HB_E_INTERNAL;
    }
    return export12(t, label, NULL, dst, len);
}
