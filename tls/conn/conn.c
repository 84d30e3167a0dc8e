/* conn.c: hb_tls from its first byte to its last: life, input, events.
 *
 *   hb_tls_input -> receive.c: a record -> messages.c: handshake messages -> hs/: what they mean
 *                                       -> data, alerts                    -> send.c: what leaves
 *
 * Invariants: the first failure sticks and is the last event; no DATA before
 * READY; after READY no handshake scratch exists once the caller asked for the
 * next event.
 * Owns the scratch and an incomplete record; borrows input and output during
 * calls. Never calls back, never blocks, never looks into a record. */
#include "conn.h"

#include "../alert.h"
#include "../hs/client.h"
#include "../hs/hs.h"
#include "parts.h"
#include <hb/ct.h>

#define HELD_MAX (1u << 20)

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
    size_t name_len = name != NULL ? strlen(name) : 0;
    name_len -= name_len > 0 && name[name_len - 1] == '.'; /* the root is no part of it (RFC 6066 3) */
    if (name_len > 0 && name_len < sizeof t->hs->server_name) {
        memcpy(t->hs->server_name, name, name_len);
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

void hb_conn_free_post(struct hb_tls *t)
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
void hb_conn_drop_keys(struct hb_tls *t)
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
    hb_conn_drop_keys(t);
    wipe_session(t->lane);
    hb_hs_free(env, &t->hs);
    hb_conn_free_post(t);
    hb_buf_clear(&t->held, env);
    hb_tls_config_free(&t->config);
    hb_wipe(t, sizeof *t);
    env->release(env->ctx, t, sizeof *t);
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
    HB_TRY(hb_conn_deliver(t, hb_buf_span(pieces), &used));
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
        hb_conn_fail(t, (enum hb_code)t->code);
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
            code = hb_conn_take_record(t, &data, &more);
        }
        if (code == HB_OK && !more) {
            code = keep_rest(t);
            if (code == HB_OK) {
                return HB_TLS_NONE;
            }
        }
        if (code != HB_OK) {
            hb_conn_fail(t, code);
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
