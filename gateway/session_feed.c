/* session_feed.c: bytes through the protocol, and what it asks for carried out.
 * Invariants: client bytes reach the protocol only in CLEAR and SECURE, and the backend only through the
 * protocol or, in RELAY, as they are; what was read behind STARTTLS is held for the TLS engine, never fed. */
#include "turn.h"

#include "log.h"
#include "session_log.h"
#include "upstream.h"
#include "upstream_tls.h"
#include "worker.h"

#define EARLY_MAX (1u << 20) /* bytes that are discarded behind STARTTLS; more go to the TLS engine */

static struct gw_end *end_of(struct gw_session *s, enum hb_proto_side side)
{
    return side == HB_FROM_CLIENT ? &s->client : &s->backend;
}

/* ---- what goes out ---- */

static void to_client(void *ctx, struct hb_span bytes)
{
    struct gw_session *s = ctx;

    if (bytes.len > 0 && s->client.state == END_OPEN) {
        s->at_line = bytes.p[bytes.len - 1] == '\n';
        gw_end_put(&s->client, s->w, s->w->out_client, bytes);
    }
}

static void to_backend(void *ctx, struct hb_span bytes)
{
    struct gw_session *s = ctx;

    if (s->backend.state == END_OPEN && !s->backend_handshake) {
        gw_end_put(&s->backend, s->w, s->w->out_backend, bytes);
    }
}

static void clear_login(void *ctx, const struct hb_proto_login *login)
{
    gw_log_clear_login(ctx, login);
}

const struct hb_proto_sink *gw_turn_sink(struct gw_session *s, struct hb_proto_sink *mem)
{
    *mem = (struct hb_proto_sink){s, to_client, to_backend, s->lc->watch_logins ? clear_login : NULL};
    return mem;
}

/* ---- what comes in ---- */

void gw_turn_hold(struct gw_session *s, struct gw_end *e, struct hb_span rest)
{
    enum hb_code code = hb_buf_add(&e->held, s->w->env, rest);

    if (code != HB_OK) {
        s->abort_backend = true;
        gw_turn_end(s, code);
    }
}

static void relay(struct gw_session *s, enum hb_proto_side from, struct hb_span bytes)
{
    if (from == HB_FROM_CLIENT) {
        to_backend(s, bytes);
    } else {
        to_client(s, bytes);
    }
}

static struct hb_proto_step feed(struct gw_session *s, enum hb_proto_side from, struct hb_span bytes)
{
    struct hb_proto_sink mem;
    unsigned before = hb_proto_failed_logins(s->ps);
    bool outside = !hb_proto_authenticated(s->ps);
    struct hb_proto_step step = hb_proto_feed(s->ps, from, bytes, gw_turn_sink(s, &mem));
    unsigned failed = hb_proto_failed_logins(s->ps) - before;

    if (outside && hb_proto_authenticated(s->ps)) {
        gw_facts_stage(s, GW_STAGE_LOGIN);
    }
    if (failed > 0) {
        gw_turn_logins_failed(s, failed);
    }
    if (from == HB_FROM_BACKEND && gw_upstream_tell_scram(s)) {
        gw_log_scram_hidden(s);
    }
    return step;
}

void gw_turn_feed(struct gw_session *s, enum hb_proto_side from, struct hb_span bytes)
{
    while (!s->ended && bytes.len > 0) {
        if (s->phase == PH_RELAY) {
            relay(s, from, bytes);
            return;
        }
        bool stalled = s->stalled && from == HB_FROM_CLIENT;
        if (stalled || gw_phases[s->phase].client != RD_PROTO || hb_buf_len(&end_of(s, from)->held) > 0) {
            gw_turn_hold(s, end_of(s, from), bytes);
            return;
        }
        struct hb_proto_step step = feed(s, from, bytes);
        bytes = hb_span_skip(bytes, step.used);
        if (step.want == HB_WANT_MORE && step.used > 0) {
            continue;
        }
        gw_turn_carry(s, from, step, bytes);
        return;
    }
}

/* Offers a side's held bytes again; true if that moved anything. */
bool gw_turn_feed_held(struct gw_session *s, enum hb_proto_side from)
{
    struct gw_end *e = end_of(s, from);

    if (s->ended || (s->stalled && from == HB_FROM_CLIENT) || hb_buf_len(&e->held) == 0) {
        return false;
    }
    if (s->phase == PH_RELAY) {
        relay(s, from, hb_buf_span(&e->held));
        hb_buf_clear(&e->held, s->w->env);
        return true;
    }
    if (gw_phases[s->phase].client != RD_PROTO) {
        return false;
    }
    struct hb_proto_step step = feed(s, from, hb_buf_span(&e->held));
    hb_buf_drop(&e->held, s->w->env, step.used);
    if (step.want == HB_WANT_WAIT || (step.want == HB_WANT_MORE && step.used == 0)) {
        return step.used > 0;
    }
    gw_turn_carry(s, from, step, hb_span(NULL, 0));
    return true;
}

void gw_turn_connect(struct gw_session *s)
{
    s->connect_wanted = false;
    s->await_greeting = hb_proto_greets(s->lc->proto);
    gw_upstream_connect(s);
}

/* starttls-residue = discard (GEN-04): what is here before our OK is not sent yet cannot be an answer to it.
 * What was read, and what lies in the socket's buffer. */
static void discard_early(struct gw_session *s, size_t len)
{
    uint8_t early[4096];
    uv_os_fd_t fd;
    size_t most = EARLY_MAX;

    len += hb_buf_len(&s->client.held);
    hb_buf_clear(&s->client.held, s->w->env);
    if (uv_fileno((const uv_handle_t *)&s->client.tcp, &fd) == 0) {
        for (ssize_t n = 1; n > 0 && most > 0; most -= n > 0 ? (size_t)n : 0) {
            n = recv(fd, early, sizeof early < most ? sizeof early : most, MSG_DONTWAIT);
            len += n > 0 ? (size_t)n : 0;
        }
    }
    if (len > 0) {
        gw_log_injection(s, len);
    }
}

void gw_turn_carry(struct gw_session *s, enum hb_proto_side from, struct hb_proto_step step,
                   struct hb_span rest)
{
    switch (step.want) {
    case HB_WANT_MORE:
    case HB_WANT_WAIT:
        gw_turn_hold(s, end_of(s, from), rest);
        break;
    case HB_WANT_CONNECT:
        gw_turn_hold(s, end_of(s, from), rest);
        gw_upstream_choose(s);
        s->connect_wanted = true; /* gw_turn_settle() connects once the old link, if any, is closed */
        gw_upstream_close(s, false);
        break;
    case HB_WANT_UPGRADE:
        if (s->lc->discard_residue) {
            discard_early(s, from == HB_FROM_CLIENT ? rest.len : 0);
        } else if (from == HB_FROM_CLIENT) {
            gw_turn_hold(s, &s->client, rest); /* the residue: for the TLS engine, never for the protocol */
        }
        s->await_greeting = false;
        s->phase = PH_UPGRADING;
        hb_buf_clear(&s->backend.held, s->w->env); /* said in clear: worth nothing now (GEN-05, GEN-08) */
        gw_upstream_close(s, false);
        break;
    case HB_WANT_OPAQUE:
        s->phase = PH_RELAY;
        relay(s, from, rest);
        break;
    case HB_WANT_CLOSE:
        gw_turn_end(s, step.why);
        break;
    }
}
