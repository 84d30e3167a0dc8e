/* session.c: carries out what the protocol asks for, one turn of the loop at a time.
 *
 * A turn: a callback of libuv enters (read, connect, write done, deadline), bytes
 * go through TLS and the protocol to their end, settle() sends what was gathered
 * with one write a side, moves the session on if its phase allows, and starts or
 * stops reading.
 * Invariants: client bytes reach the protocol only in CLEAR and SECURE, and the
 * backend only through the protocol or, in RELAY, as they are; UPGRADING is left
 * for HANDSHAKE only when every plaintext byte has been sent; what was read
 * behind STARTTLS goes to the TLS engine; after `ended` nothing is relayed.
 * Owns both ends, the protocol session and the timer. Knows no mail command. */
#include "turn.h"

#include "admit.h"
#include "dial.h"
#include "session_log.h"
#include "signer.h"
#include "upstream.h"
#include "worker.h"

/* ---- the end ---- */

void gw_turn_end(struct gw_session *s, enum hb_code why)
{
    if (s->ended) {
        return;
    }
    s->ended = true;
    s->stalled = false;
    gw_upstream_fed(s);
    s->code = (uint16_t)why;
    s->last_phase = s->phase;
    s->phase = PH_DRAIN;
    gw_wheel_set(&s->w->wheel, &s->timer, gw_worker_in(s->w, s->snap->conf->timeouts.flush));
}

void gw_turn_free(struct gw_session *s)
{
    struct gw_worker *w = s->w;
    const struct hb_env *env = w->env;

    gw_log_session_end(s);
    gw_stat_session(s);
    gw_admit_leave(s);
    gw_roster_gone(w, s);
    gw_wheel_remove(&w->wheel, &s->timer);
    *s->prev = s->next;
    if (s->next != NULL) {
        s->next->prev = s->prev;
    }
    hb_proto_free(&s->ps);
    gw_signer_forget(w, &s->client);
    gw_signer_forget(w, &s->backend);
    gw_dial_free(s);
    hb_tls_free(&s->client.tls);
    hb_tls_free(&s->backend.tls);
    hb_buf_clear(&s->client.held, env);
    hb_buf_clear(&s->backend.held, env);
    env->release(env->ctx, s->announced, sizeof *s->announced);
    gw_facts_free(s);
    struct gw_snapshot *snap = s->snap;
    env->release(env->ctx, s, sizeof *s);
    gw_worker_session_gone(w, snap);
}

static void client_closed(uv_handle_t *handle)
{
    struct gw_session *s = handle->data;

    s->client.state = END_NONE;
    if (s->backend.state == END_NONE) {
        gw_turn_free(s);
    }
}

void gw_turn_close_client(struct gw_session *s, bool reset)
{
    gw_end_close(&s->client, reset, client_closed);
}

void gw_session_kill(struct gw_session *s, enum hb_code why)
{
    gw_turn_end(s, why);
    gw_upstream_close(s, s->abort_backend);
    gw_turn_close_client(s, false);
}

static void backend_shut(uv_shutdown_t *req, int status)
{
    struct gw_end *e = req->data;
    struct gw_session *s = e->tcp.data;

    (void)status;
    if (s->ended) {
        gw_upstream_close(s, false);
    }
}

static void client_shut(uv_shutdown_t *req, int status)
{
    struct gw_end *e = req->data;
    struct gw_session *s = e->tcp.data;

    if (status != 0 || e->eof || e->broken) {
        gw_turn_close_client(s, false);
        return;
    }
    /* The peer reads our last bytes, an alert perhaps, before it closes; a close now could turn into a reset
     * that takes them from it (ALR-06, GEN-20). */
    gw_wheel_set(&s->w->wheel, &s->timer, gw_worker_in(s->w, s->snap->conf->timeouts.linger));
}

/* Our side of the backend link ends, cleanly: behind close_notify if there is TLS on it. */
static void end_backend(struct gw_session *s)
{
    if (s->backend.tls != NULL) {
        hb_tls_close(s->backend.tls, &s->w->sealed_backend);
        gw_end_flush(&s->backend, s->w, s->w->out_backend);
    }
    gw_end_shutdown(&s->backend, backend_shut);
}

/* One step of DRAIN: everything said is on its way, then both sides close behind it. */
static void drain(struct gw_session *s)
{
    hb_buf_clear(&s->client.held, s->w->env); /* nobody takes it any more, and it would stop the reading */
    hb_buf_clear(&s->backend.held, s->w->env);
    if (s->client.state == END_OPEN) {
        if (s->client.tls != NULL && !s->abort_client) {
            hb_tls_close(s->client.tls, &s->w->sealed);
            gw_end_flush(&s->client, s->w, s->w->out_client);
        }
        if (s->client.broken) {
            gw_turn_close_client(s, false);
        } else {
            gw_end_shutdown(&s->client, client_shut);
        }
    }
    if (s->backend.state == END_CONNECTING || s->abort_backend || s->backend.broken) {
        gw_upstream_close(s, s->abort_backend);
    } else if (s->backend.state == END_OPEN) {
        end_backend(s);
    } else if (s->backend.state == END_SHUT && gw_end_queued(&s->backend) == 0) {
        gw_upstream_close(s, false);
    }
}

/* ---- the end of a turn ---- */

/* The link is open and its greeting is not complete. */
static bool awaits_greeting(const struct gw_session *s)
{
    return s->await_greeting && s->backend.state == END_OPEN && !hb_proto_backend_up(s->ps);
}

static void set_deadline(struct gw_session *s)
{
    const struct gw_timeouts *t = &s->snap->conf->timeouts;
    uint32_t now = gw_worker_in(s->w, 0);

    if (s->phase == PH_HEADER || s->phase == PH_HANDSHAKE || s->phase == PH_DRAIN || s->stalled) {
        return; /* one deadline from their beginning (ATK-29) */
    }
    uint32_t second = now + (s->ps != NULL ? hb_proto_idle_seconds(s->ps) : t->greeting);
    if ((s->backend_handshake && s->backend.state == END_OPEN) ||
        (!s->connect_wanted && awaits_greeting(s))) {
        return; /* its deadline was set at its beginning, however the bytes trickle in */
    }
    if (s->connect_wanted || s->backend.state == END_CONNECTING) {
        second = now + t->connect;
    } else if (s->client_done) {
        second = now + t->flush;
    } else if (s->phase == PH_CLEAR && !hb_proto_authenticated(s->ps)) {
        uint32_t age = gw_session_age(s) / 1000;
        uint32_t last = now + (age < t->clear_total ? t->clear_total - age : 0);
        second = second < last ? second : last; /* a byte a minute does not hold a session for ever */
    }
    gw_wheel_set(&s->w->wheel, &s->timer, second);
}

static void set_reading(struct gw_session *s)
{
    const struct gw_phase_row *row = &gw_phases[s->phase];
    bool client = row->client != RD_HOLD && !s->stalled && s->client.ask == NULL &&
                  (hb_buf_len(&s->client.held) == 0 || row->client == RD_HEADER) &&
                  gw_end_queued(&s->backend) < GW_HIGH_WATER &&
                  gw_end_queued(&s->client) < (size_t)4 * GW_HIGH_WATER;
    bool backend = row->backend != RD_HOLD && s->backend.ask == NULL && hb_buf_len(&s->backend.held) == 0 &&
                   gw_end_queued(&s->client) < GW_HIGH_WATER;

    gw_end_read(&s->client, client, gw_turn_alloc_client, gw_turn_client_read);
    gw_end_read(&s->backend, backend, gw_turn_alloc_backend, gw_turn_backend_read);
}

/* Closes what is past saving, and frees the session through its close callbacks. */
void gw_turn_settle(struct gw_session *s)
{
    struct gw_worker *w = s->w;
    bool more;

    do {
        more = gw_turn_feed_held(s, HB_FROM_CLIENT);
        more = gw_turn_feed_held(s, HB_FROM_BACKEND) || more;
        gw_end_flush(&s->client, w, w->out_client);
        gw_end_flush(&s->backend, w, w->out_backend);
        if (s->phase == PH_UPGRADING && gw_end_queued(&s->client) == 0 && !s->client.broken) {
            gw_turn_begin_tls(s);
            more = true;
        }
        if (s->connect_wanted && !s->starved && s->backend.state == END_NONE && !s->ended) {
            gw_turn_connect(s);
        }
    } while (more && !s->ended);

    if (!s->ended && s->client.broken) {
        s->abort_backend = s->phase == PH_RELAY || s->phase == PH_SECURE;
        gw_turn_end(s, HB_E_GW_CLIENT_RESET);
    }
    if (!s->ended && (s->client.lost || s->backend.lost)) {
        s->abort_backend = true;
        s->abort_client = true;
        gw_turn_end(s, HB_E_NO_MEMORY);
    }
    if (!s->ended && s->client_done) {
        if (s->backend.state == END_NONE && !s->connect_wanted) {
            gw_turn_end(s, HB_E_GW_CLIENT_GONE);
        } else if (s->backend.state == END_OPEN && !s->backend_handshake &&
                   hb_buf_len(&s->client.held) == 0) {
            end_backend(s); /* the client's end, behind its last bytes */
        }
    }
    gw_end_flush(&s->client, w, w->out_client);
    gw_end_flush(&s->backend, w, w->out_backend);
    if (s->ended) {
        drain(s);
    } else {
        set_deadline(s);
    }
    set_reading(s);
}

void gw_session_drained(struct gw_session *s, struct gw_end *e)
{
    if (s->ended && e == &s->client && e->broken) {
        gw_turn_close_client(s, false);
        return;
    }
    gw_turn_settle(s);
}

void gw_session_deadline(struct gw_session *s)
{
    struct hb_proto_sink mem;
    struct hb_proto_step step;

    if (s->stalled) {
        gw_turn_stall_over(s);
        return;
    }
    if (s->phase == PH_HEADER) {
        gw_session_kill(s, HB_E_GW_PROXY_HEADER);
        return;
    }
    if (s->phase == PH_DRAIN || s->phase == PH_HANDSHAKE || s->phase == PH_UPGRADING) {
        gw_session_kill(s, s->phase == PH_HANDSHAKE ? HB_E_GW_HANDSHAKE_TIMEOUT : HB_E_GW_STALLED);
        return;
    }
    if (s->backend.state == END_OPEN && !gw_dial_in_handshake(s)) {
        gw_dial_silent(s);
        gw_turn_settle(s);
        return;
    }
    if (s->connect_wanted || s->backend.state == END_CONNECTING || awaits_greeting(s) ||
        s->backend_handshake) {
        gw_log_backend_unreachable(s, s->starved ? UV_EMFILE : UV_ETIMEDOUT);
        if (gw_upstream_next(s, HB_E_GW_BACKEND_TIMEOUT)) {
            gw_turn_settle(s);
            return;
        }
        step = hb_proto_backend_lost(s->ps, false, gw_turn_sink(s, &mem));
        gw_turn_end(s, HB_E_GW_BACKEND_TIMEOUT);
    } else if (gw_end_queued(&s->client) > 0) {
        gw_session_kill(s, HB_E_GW_STALLED);
        return;
    } else {
        step = hb_proto_bye(s->ps, HB_E_GW_IDLE, s->at_line, gw_turn_sink(s, &mem));
        gw_turn_end(s, HB_E_GW_IDLE);
    }
    (void)step; /* whatever it says next: the time is over */
    gw_turn_settle(s);
}

void gw_session_bye(struct gw_session *s)
{
    struct hb_proto_sink mem;

    if (s->ended || s->goodbye_due) {
        return;
    }
    if (s->ps == NULL || gw_phases[s->phase].client == RD_TLS || gw_phases[s->phase].client == RD_HOLD) {
        gw_turn_end(s, HB_E_GW_SHUTDOWN); /* in the middle of a handshake nothing can be said */
        gw_turn_settle(s);
        return;
    }
    struct hb_proto_step step = hb_proto_bye(s->ps, HB_E_GW_SHUTDOWN, s->at_line, gw_turn_sink(s, &mem));
    if (step.want == HB_WANT_CLOSE) {
        gw_turn_end(s, HB_E_GW_SHUTDOWN);
    } else {
        s->goodbye_due = true;
    }
    gw_turn_settle(s);
}

void gw_session_dismiss(struct gw_session *s)
{
    struct hb_proto_sink mem;

    if (s->ended) {
        gw_session_kill(s, HB_E_GW_KILLED);
        return;
    }
    s->abort_backend = s->phase == PH_RELAY || s->phase == PH_SECURE; /* it was no goodbye of the client's */
    if (s->ps != NULL && gw_phases[s->phase].client != RD_TLS && gw_phases[s->phase].client != RD_HOLD) {
        (void)hb_proto_bye(s->ps, HB_E_GW_SHUTDOWN, s->at_line, gw_turn_sink(s, &mem));
    }
    gw_turn_end(s, HB_E_GW_KILLED);
    gw_turn_settle(s);
}

/* ---- questions ---- */

uint32_t gw_session_age(const struct gw_session *s)
{
    return (uint32_t)uv_now(&s->w->loop) - s->started;
}

void gw_session_addresses(const struct gw_session *s, struct sockaddr_storage *peer,
                          struct sockaddr_storage *own)
{
    int len = sizeof *own;

    memset(peer, 0, sizeof *peer);
    memset(own, 0, sizeof *own);
    memcpy(peer, &s->peer, sizeof s->peer);
    if (s->announced != NULL) {
        *own = s->announced->dst;
        return;
    }
    if (uv_tcp_getsockname(&s->client.tcp, (struct sockaddr *)own, &len) != 0) {
        own->ss_family = AF_UNSPEC;
    }
}
