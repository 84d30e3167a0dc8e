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
#include "session.h"

#include "admit.h"
#include "announce.h"
#include "dial.h"
#include "log.h"
#include "session_log.h"
#include "signer.h"
#include "upstream.h"
#include "upstream_tls.h"
#include "worker.h"

#define EARLY_MAX (1u << 20) /* bytes that are discarded behind STARTTLS; more go to the TLS engine */

static void settle(struct gw_session *s);
static void carry(struct gw_session *s, enum hb_proto_side from, struct hb_proto_step step,
                  struct hb_span rest);

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

/* ---- the end ---- */

static void end_session(struct gw_session *s, enum hb_code why)
{
    if (s->ended) {
        return;
    }
    s->ended = true;
    s->code = (uint16_t)why;
    s->last_phase = s->phase;
    s->phase = PH_DRAIN;
    gw_wheel_set(&s->w->wheel, &s->timer, gw_worker_now(s->w) + s->snap->conf->timeouts.flush);
}

static void free_session(struct gw_session *s)
{
    struct gw_worker *w = s->w;
    const struct hb_env *env = w->env;

    gw_log_session_end(s);
    gw_stat_session(s);
    gw_admit_leave(s);
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
    env->release(env->ctx, s->sni, s->sni != NULL ? strlen(s->sni) + 1 : 0);
    env->release(env->ctx, s->identity, s->identity != NULL ? strlen(s->identity) + 1 : 0);
    struct gw_snapshot *snap = s->snap;
    env->release(env->ctx, s, sizeof *s);
    gw_worker_session_gone(w, snap);
}

static void client_closed(uv_handle_t *handle)
{
    struct gw_session *s = handle->data;

    s->client.state = END_NONE;
    if (s->backend.state == END_NONE) {
        free_session(s);
    }
}

static void close_client(struct gw_session *s, bool reset)
{
    gw_end_close(&s->client, reset, client_closed);
}

void gw_session_kill(struct gw_session *s, enum hb_code why)
{
    end_session(s, why);
    gw_upstream_close(s, s->abort_backend);
    close_client(s, false);
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
        close_client(s, false);
        return;
    }
    /* The peer reads our last bytes, an alert perhaps, before it closes; a close now could turn into a reset
     * that takes them from it (ALR-06, GEN-20). */
    gw_wheel_set(&s->w->wheel, &s->timer, gw_worker_now(s->w) + s->snap->conf->timeouts.linger);
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
            close_client(s, false);
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

/* ---- bytes through the protocol ---- */

static const struct hb_proto_sink *sink(struct gw_session *s, struct hb_proto_sink *mem)
{
    *mem = (struct hb_proto_sink){s, to_client, to_backend, s->lc->watch_logins ? clear_login : NULL};
    return mem;
}

static void hold(struct gw_session *s, struct gw_end *e, struct hb_span rest)
{
    enum hb_code code = hb_buf_add(&e->held, s->w->env, rest);

    if (code != HB_OK) {
        s->abort_backend = true;
        end_session(s, code);
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

static void feed(struct gw_session *s, enum hb_proto_side from, struct hb_span bytes)
{
    struct hb_proto_sink mem;

    while (!s->ended && bytes.len > 0) {
        if (s->phase == PH_RELAY) {
            relay(s, from, bytes);
            return;
        }
        if (gw_phases[s->phase].client != RD_PROTO || hb_buf_len(&end_of(s, from)->held) > 0) {
            hold(s, end_of(s, from), bytes);
            return;
        }
        struct hb_proto_step step = hb_proto_feed(s->ps, from, bytes, sink(s, &mem));
        bytes = hb_span_skip(bytes, step.used);
        if (step.want == HB_WANT_MORE && step.used > 0) {
            continue;
        }
        carry(s, from, step, bytes);
        return;
    }
}

/* Offers a side's held bytes again; true if that moved anything. */
static bool feed_held(struct gw_session *s, enum hb_proto_side from)
{
    struct gw_end *e = end_of(s, from);
    struct hb_proto_sink mem;

    if (s->ended || hb_buf_len(&e->held) == 0) {
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
    struct hb_proto_step step = hb_proto_feed(s->ps, from, hb_buf_span(&e->held), sink(s, &mem));
    hb_buf_drop(&e->held, s->w->env, step.used);
    if (step.want == HB_WANT_WAIT || (step.want == HB_WANT_MORE && step.used == 0)) {
        return step.used > 0;
    }
    carry(s, from, step, hb_span(NULL, 0));
    return true;
}

static void connect_backend(struct gw_session *s)
{
    s->connect_wanted = false;
    s->await_greeting = true;
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

static void carry(struct gw_session *s, enum hb_proto_side from, struct hb_proto_step step,
                  struct hb_span rest)
{
    switch (step.want) {
    case HB_WANT_MORE:
    case HB_WANT_WAIT:
        hold(s, end_of(s, from), rest);
        break;
    case HB_WANT_CONNECT:
        hold(s, end_of(s, from), rest);
        gw_upstream_choose(s);
        s->connect_wanted = true; /* settle() connects once the old link, if any, is closed */
        gw_upstream_close(s, false);
        break;
    case HB_WANT_UPGRADE:
        if (s->lc->discard_residue) {
            discard_early(s, from == HB_FROM_CLIENT ? rest.len : 0);
        } else if (from == HB_FROM_CLIENT) {
            hold(s, &s->client, rest); /* the residue: for the TLS engine, never for the protocol */
        }
        s->residue = hb_buf_len(&s->client.held) > 0;
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
        end_session(s, step.why);
        break;
    }
}

/* ---- TLS ---- */

static void note_server_name(struct gw_session *s)
{
    char name[256];

    hb_tls_server_name(s->client.tls, name, sizeof name);
    size_t len = strlen(name);
    if (len > 0 && len < 255 && s->sni == NULL) {
        s->sni = s->w->env->alloc(s->w->env->ctx, len + 1);
        if (s->sni != NULL) { /* without memory the log line has no name: no reason to end a session */
            memcpy(s->sni, name, len + 1);
        }
    }
}

static void note_identity(struct gw_session *s)
{
    char name[256];

    hb_tls_peer_identity(s->client.tls, name, sizeof name);
    size_t len = strlen(name);
    if (len > 0 && s->identity == NULL) {
        s->identity = s->w->env->alloc(s->w->env->ctx, len + 1);
        if (s->identity != NULL) {
            memcpy(s->identity, name, len + 1);
        }
    }
}

static void secured(struct gw_session *s)
{
    struct hb_proto_sink mem;
    struct hb_proto_step step;

    note_server_name(s);
    note_identity(s);
    s->phase = PH_SECURE;
    gw_admit_handshake_over(s);
    gw_stat_handshake(s);
    if (s->ps == NULL) { /* implicit TLS: the mail protocol begins only now */
        s->ps = hb_proto_new(s->lc->proto, &s->lc->proto_settings, s->w->env);
        if (s->ps == NULL) {
            end_session(s, HB_E_NO_MEMORY);
            return;
        }
        step = hb_proto_start(s->ps, sink(s, &mem));
    } else {
        step = hb_proto_secured(s->ps, sink(s, &mem));
    }
    carry(s, HB_FROM_CLIENT, step, hb_span(NULL, 0));
}

static void tls_failed(struct gw_session *s, const struct hb_tls_event *event)
{
    enum hb_code why = event->code;

    note_server_name(s);
    if (why == HB_E_TLS_NOT_TLS && s->residue) {
        why = HB_E_PROTO_INJECTION;
        gw_log_injection(s, 0);
    }
    s->abort_backend = s->phase == PH_RELAY || s->phase == PH_SECURE;
    end_session(s, why);
}

/* The client said close_notify: a clean end of its side. The backend may still have something to say. */
static void client_finished(struct gw_session *s)
{
    s->client_done = true; /* settle() passes it on behind what is still held */
}

static void tls_events(struct gw_session *s)
{
    struct gw_worker *w = s->w;
    struct hb_tls_event event;
    enum hb_tls_ev ev;

    for (;;) {
        if (hb_bld_room(&w->sealed) < HB_TLS_FLIGHT_MAX) {
            gw_end_flush(&s->client, w, w->out_client);
        }
        ev = hb_tls_next(s->client.tls, &w->sealed, &event);
        switch (ev) {
        case HB_TLS_NONE:
            return;
        case HB_TLS_READY:
            secured(s);
            break;
        case HB_TLS_DATA:
            if (!s->ended) {
                s->client.taken += event.data.len;
                feed(s, HB_FROM_CLIENT, event.data);
            }
            break;
        case HB_TLS_VERIFY:
        case HB_TLS_SESSION:
            break; /* not asked for by a listener */
        case HB_TLS_SIGN:
        case HB_TLS_DECRYPT:
            gw_signer_ask(s, &s->client, ev, &event.sign);
            break;
        case HB_TLS_CLOSED:
            if (!s->ended) {
                client_finished(s);
            }
            break;
        case HB_TLS_FAILED:
            tls_failed(s, &event);
            return;
        }
    }
}

static void tls_input(struct gw_session *s, uint8_t *wire, size_t len)
{
    hb_tls_input(s->client.tls, wire, len);
    tls_events(s);
}

void gw_session_answered(struct gw_session *s, struct gw_end *e)
{
    s->w->out_client->stable = hb_span(NULL, 0);
    s->w->out_backend->stable = hb_span(NULL, 0);
    if (s->ended || e->tls == NULL) {
        return;
    }
    if (e == &s->client) {
        tls_events(s);
    } else {
        gw_upstream_tls_events(s);
    }
    settle(s);
}

/* UPGRADING, and every plaintext byte is with the kernel: TLS begins, with the residue if there is one. */
static void begin_tls(struct gw_session *s)
{
    const struct hb_env *env = s->w->env;
    enum hb_code why = gw_admit_handshake(s);

    if (why != HB_OK) {
        end_session(s, why);
        return;
    }
    s->client.tls = hb_tls_server_new(s->lc->tls, env, s->w->lane);
    if (s->client.tls == NULL) {
        end_session(s, HB_E_NO_MEMORY);
        return;
    }
    s->phase = PH_HANDSHAKE;
    s->shook = gw_session_age(s);
    gw_wheel_set(&s->w->wheel, &s->timer, gw_worker_now(s->w) + s->snap->conf->timeouts.handshake);
    if (hb_buf_len(&s->client.held) > 0) {
        struct hb_buf residue = s->client.held;
        hb_buf_init(&s->client.held, GW_HELD_MAX);
        tls_input(s, hb_buf_bytes(&residue), hb_buf_len(&residue));
        gw_end_flush(&s->client, s->w, s->w->out_client);
        gw_end_flush(&s->backend, s->w, s->w->out_backend);
        hb_buf_clear(&residue, env);
    }
}

/* ---- the end of a turn ---- */

static void set_deadline(struct gw_session *s)
{
    const struct gw_timeouts *t = &s->snap->conf->timeouts;
    uint32_t now = gw_worker_now(s->w);

    if (s->phase == PH_HEADER || s->phase == PH_HANDSHAKE || s->phase == PH_DRAIN) {
        return; /* one deadline from their beginning (ATK-29) */
    }
    uint32_t second = now + (s->ps != NULL ? hb_proto_idle_seconds(s->ps) : t->greeting);
    if (s->backend_handshake && s->backend.state == END_OPEN) {
        return; /* its deadline was set at its beginning */
    }
    if (s->connect_wanted || s->backend.state == END_CONNECTING) {
        second = now + t->connect;
    } else if (s->await_greeting && s->backend.state == END_OPEN) {
        second = now + t->greeting;
    } else if (s->client_done) {
        second = now + t->flush;
    } else if (s->phase == PH_CLEAR && !hb_proto_authenticated(s->ps)) {
        uint32_t age = gw_session_age(s) / 1000;
        uint32_t last = now + (age < t->clear_total ? t->clear_total - age : 0);
        second = second < last ? second : last; /* a byte a minute does not hold a session for ever */
    }
    gw_wheel_set(&s->w->wheel, &s->timer, second);
}

static void alloc_client(uv_handle_t *handle, size_t suggested, uv_buf_t *buf)
{
    struct gw_session *s = handle->data;
    struct gw_worker *w = s->w;
    size_t size = gw_phases[s->phase].large ? GW_READ_LARGE : GW_READ_SMALL;

    (void)suggested;
    w->prefix = s->client.tls != NULL ? hb_tls_reclaim(s->client.tls, w->rbuf) : 0;
    *buf = uv_buf_init((char *)w->rbuf + w->prefix, (unsigned)size);
}

static void alloc_backend(uv_handle_t *handle, size_t suggested, uv_buf_t *buf)
{
    struct gw_session *s = handle->data;
    struct gw_worker *w = s->w;

    (void)suggested;
    w->prefix = s->backend.tls != NULL ? hb_tls_reclaim(s->backend.tls, w->rbuf) : 0;
    *buf = uv_buf_init((char *)w->rbuf + w->prefix, GW_READ_LARGE);
}

static void client_read(uv_stream_t *stream, ssize_t n, const uv_buf_t *buf);
static void backend_read(uv_stream_t *stream, ssize_t n, const uv_buf_t *buf);

static void set_reading(struct gw_session *s)
{
    const struct gw_phase_row *row = &gw_phases[s->phase];
    bool client = row->client != RD_HOLD && s->client.ask == NULL &&
                  (hb_buf_len(&s->client.held) == 0 || row->client == RD_HEADER) &&
                  gw_end_queued(&s->backend) < GW_HIGH_WATER &&
                  gw_end_queued(&s->client) < (size_t)4 * GW_HIGH_WATER;
    bool backend = row->backend != RD_HOLD && s->backend.ask == NULL && hb_buf_len(&s->backend.held) == 0 &&
                   gw_end_queued(&s->client) < GW_HIGH_WATER;

    gw_end_read(&s->client, client, alloc_client, client_read);
    gw_end_read(&s->backend, backend, alloc_backend, backend_read);
}

/* Closes what is past saving, and frees the session through its close callbacks. */
static void settle(struct gw_session *s)
{
    struct gw_worker *w = s->w;
    bool more;

    do {
        more = feed_held(s, HB_FROM_CLIENT);
        more = feed_held(s, HB_FROM_BACKEND) || more;
        gw_end_flush(&s->client, w, w->out_client);
        gw_end_flush(&s->backend, w, w->out_backend);
        if (s->phase == PH_UPGRADING && gw_end_queued(&s->client) == 0 && !s->client.broken) {
            begin_tls(s);
            more = true;
        }
        if (s->connect_wanted && s->backend.state == END_NONE && !s->ended) {
            connect_backend(s);
        }
    } while (more && !s->ended);

    if (!s->ended && s->client.broken) {
        s->abort_backend = s->phase == PH_RELAY || s->phase == PH_SECURE;
        end_session(s, HB_E_GW_CLIENT_RESET);
    }
    if (!s->ended && (s->client.lost || s->backend.lost)) {
        s->abort_backend = true;
        s->abort_client = true;
        end_session(s, HB_E_NO_MEMORY);
    }
    if (!s->ended && s->client_done) {
        if (s->backend.state == END_NONE && !s->connect_wanted) {
            end_session(s, HB_E_GW_CLIENT_GONE);
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

/* ---- what libuv reports ---- */

static void client_stream_ended(struct gw_session *s, bool clean)
{
    s->client.eof = true;
    if (s->ended) { /* it has read our goodbye */
        if (s->client.state == END_SHUT && gw_end_queued(&s->client) == 0) {
            close_client(s, false);
        }
        return;
    }
    if (!clean) {
        s->client.broken = true;
        s->abort_backend = true;
        end_session(s, HB_E_GW_CLIENT_RESET);
    } else if (s->client.tls != NULL && hb_tls_eof(s->client.tls) != HB_OK) {
        /* An end without close_notify may be an attacker's: the backend sees an abort, never a clean end
         * (ATK-43). */
        s->abort_backend = s->phase != PH_HANDSHAKE;
        end_session(s, s->phase == PH_HANDSHAKE ? HB_E_GW_CLIENT_GONE : HB_E_TLS_TRUNCATED);
    } else if (!s->client_done) {
        client_finished(s);
    }
}

static void begin(struct gw_session *s);

/* ADDR-04: nothing is said to anybody before the whole header is there. */
static void read_header(struct gw_session *s, struct hb_span bytes)
{
    hold(s, &s->client, bytes);
    if (s->ended) {
        return;
    }
    switch (gw_announce_read(s)) {
    case GW_PROXY_MORE:
        break;
    case GW_PROXY_BAD:
        end_session(s, HB_E_GW_PROXY_HEADER);
        break;
    case GW_PROXY_OK:
    case GW_PROXY_OWN:
        gw_log_session_start(s);
        begin(s);
        break;
    }
}

static void client_read(uv_stream_t *stream, ssize_t n, const uv_buf_t *buf)
{
    struct gw_session *s = stream->data;
    struct gw_worker *w = s->w;
    size_t prefix = w->prefix;

    (void)buf;
    w->prefix = 0;
    if (n < 0) {
        s->client.reading = false;
        (void)uv_read_stop(stream);
        client_stream_ended(s, n == UV_EOF);
        settle(s);
        return;
    }
    if (n == 0 && prefix == 0) {
        return;
    }
    size_t len = prefix + (size_t)n;
    w->out_backend->stable = hb_span(w->rbuf, len);
    w->out_client->stable = hb_span(NULL, 0);
    if (s->phase == PH_DRAIN) {
        return;
    }
    if (s->client.tls != NULL) {
        tls_input(s, w->rbuf, len);
    } else if (s->phase == PH_HEADER) {
        read_header(s, hb_span(w->rbuf, len));
    } else {
        s->client.taken += len;
        feed(s, HB_FROM_CLIENT, hb_span(w->rbuf, len));
    }
    settle(s);
}

static void backend_stream_ended(struct gw_session *s, bool clean)
{
    struct hb_proto_sink mem;

    s->backend.eof = true;
    if (s->ended || s->connect_wanted) {
        gw_upstream_close(s, false);
        return;
    }
    if (s->dial != NULL && !gw_dial_in_handshake(s)) {
        s->backend.broken = !clean;
        gw_session_backend_failed(s, gw_dial_lost(s));
        return;
    }
    if (gw_upstream_next(s, clean ? HB_E_GW_BACKEND_CLOSED : HB_E_GW_BACKEND_RESET)) {
        return;
    }
    if (clean && s->backend.tls != NULL && hb_tls_eof(s->backend.tls) != HB_OK) {
        clean = false; /* an end without close_notify may be an attacker's (ATK-43) */
    }
    if (!clean) {
        s->backend.broken = true;
    }
    struct hb_proto_step step = hb_proto_backend_lost(s->ps, clean, sink(s, &mem));
    s->abort_client = !clean && s->phase == PH_RELAY;
    enum hb_code why = step.why != HB_OK ? step.why : clean ? HB_E_GW_BACKEND_CLOSED : HB_E_GW_BACKEND_RESET;
    end_session(s, s->client_done ? HB_E_GW_CLIENT_GONE : why);
}

static void backend_read(uv_stream_t *stream, ssize_t n, const uv_buf_t *buf)
{
    struct gw_session *s = stream->data;
    struct gw_worker *w = s->w;
    size_t prefix = w->prefix;

    (void)buf;
    w->prefix = 0;
    if (n == 0 && prefix == 0) {
        return;
    }
    if (n < 0) {
        s->backend.reading = false;
        (void)uv_read_stop(stream);
        backend_stream_ended(s, n == UV_EOF);
        settle(s);
        return;
    }
    if (s->phase == PH_DRAIN) {
        return;
    }
    size_t len = prefix + (size_t)n;
    w->out_client->stable = hb_span(w->rbuf, len);
    w->out_backend->stable = hb_span(NULL, 0);
    if (s->backend.tls != NULL) {
        gw_upstream_tls_input(s, w->rbuf, len);
    } else {
        gw_session_backend_data(s, hb_span(w->rbuf, len));
    }
    settle(s);
}

void gw_session_backend_data(struct gw_session *s, struct hb_span bytes)
{
    if (s->connect_wanted) {
        return; /* of a server that was given up */
    }
    s->await_greeting = false;
    s->backend.taken += bytes.len;
    if (s->dial != NULL) {
        gw_dial_data(s, bytes);
    } else {
        feed(s, HB_FROM_BACKEND, bytes);
    }
}

void gw_session_backend_said_bye(struct gw_session *s)
{
    if (!s->ended) {
        s->backend.eof = true; /* nothing counts that comes behind it */
        backend_stream_ended(s, true);
    }
}

void gw_session_backend_failed(struct gw_session *s, enum hb_code why)
{
    struct hb_proto_sink mem;

    if (s->ended || s->connect_wanted || gw_upstream_next(s, why)) {
        return;
    }
    struct hb_proto_step step = hb_proto_backend_lost(s->ps, false, sink(s, &mem));
    (void)step; /* always WANT_CLOSE; the reason is ours */
    s->abort_client = s->phase == PH_RELAY;
    end_session(s, why);
}

void gw_session_backend_secured(struct gw_session *s)
{
    s->backend_secured = true;
    if (s->dial != NULL) {
        gw_dial_secured(s);
    } else if (gw_dial_needed(s->lc)) {
        gw_dial_begin(s);
    } else {
        gw_session_backend_ready(s, hb_span(NULL, 0), hb_span(NULL, 0));
    }
}

void gw_session_backend_ready(struct gw_session *s, struct hb_span greeting, struct hb_span rest)
{
    struct hb_proto_sink mem;

    s->backend_handshake = false;
    gw_upstream_good(s);
    carry(s, HB_FROM_BACKEND, hb_proto_backend_open(s->ps, sink(s, &mem)), hb_span(NULL, 0));
    feed(s, HB_FROM_BACKEND, greeting);
    feed(s, HB_FROM_BACKEND, rest);
}

void gw_session_drained(struct gw_session *s, struct gw_end *e)
{
    if (s->ended && e == &s->client && e->broken) {
        close_client(s, false);
        return;
    }
    settle(s);
}

void gw_session_connected(struct gw_session *s, int status)
{
    struct hb_proto_sink mem;

    if (status == 0) {
        s->backend.state = END_OPEN;
        if (!gw_announce_write(s)) {
            gw_session_backend_failed(s, HB_E_GW_NO_ADDRESS);
            settle(s);
            return;
        }
        if (s->lc->backend_link == HB_PEER_IMPLICIT) {
            s->backend_handshake = true;
            gw_wheel_set(&s->w->wheel, &s->timer, gw_worker_now(s->w) + s->snap->conf->timeouts.handshake);
            gw_upstream_tls_begin(s);
        } else if (gw_dial_needed(s->lc)) {
            gw_dial_begin(s);
        } else {
            gw_session_backend_ready(s, hb_span(NULL, 0), hb_span(NULL, 0));
        }
        settle(s);
        return;
    }
    gw_log_backend_unreachable(s, status);
    if (gw_upstream_next(s, status == UV_ETIMEDOUT ? HB_E_GW_BACKEND_TIMEOUT : HB_E_GW_BACKEND_REFUSED)) {
        settle(s);
        return;
    }
    struct hb_proto_step step = hb_proto_backend_lost(s->ps, false, sink(s, &mem));
    (void)step; /* always WANT_CLOSE; the reason is ours */
    end_session(s, status == UV_ETIMEDOUT ? HB_E_GW_BACKEND_TIMEOUT : HB_E_GW_BACKEND_REFUSED);
    settle(s);
}

void gw_session_backend_closed(struct gw_session *s)
{
    gw_signer_forget(s->w, &s->backend);
    gw_dial_free(s);
    s->backend_handshake = false;
    if (s->client.state == END_NONE) {
        free_session(s);
        return;
    }
    settle(s);
}

void gw_session_deadline(struct gw_session *s)
{
    struct hb_proto_sink mem;
    struct hb_proto_step step;

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
        settle(s);
        return;
    }
    if (s->connect_wanted || s->backend.state == END_CONNECTING || s->await_greeting ||
        s->backend_handshake) {
        gw_log_backend_unreachable(s, UV_ETIMEDOUT);
        if (gw_upstream_next(s, HB_E_GW_BACKEND_TIMEOUT)) {
            settle(s);
            return;
        }
        step = hb_proto_backend_lost(s->ps, false, sink(s, &mem));
        end_session(s, HB_E_GW_BACKEND_TIMEOUT);
    } else if (gw_end_queued(&s->client) > 0) {
        gw_session_kill(s, HB_E_GW_STALLED);
        return;
    } else {
        step = hb_proto_bye(s->ps, HB_E_GW_IDLE, s->at_line, sink(s, &mem));
        end_session(s, HB_E_GW_IDLE);
    }
    (void)step; /* whatever it says next: the time is over */
    settle(s);
}

void gw_session_bye(struct gw_session *s)
{
    struct hb_proto_sink mem;

    if (s->ended || s->goodbye_due) {
        return;
    }
    if (s->ps == NULL || gw_phases[s->phase].client == RD_TLS || gw_phases[s->phase].client == RD_HOLD) {
        end_session(s, HB_E_GW_SHUTDOWN); /* in the middle of a handshake nothing can be said */
        settle(s);
        return;
    }
    struct hb_proto_step step = hb_proto_bye(s->ps, HB_E_GW_SHUTDOWN, s->at_line, sink(s, &mem));
    if (step.want == HB_WANT_CLOSE) {
        end_session(s, HB_E_GW_SHUTDOWN);
    } else {
        s->goodbye_due = true;
    }
    settle(s);
}

/* ---- the beginning ---- */

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

/* It is known who is there: the first word of the session, or its handshake. settle() follows. */
static void begin(struct gw_session *s)
{
    const struct gw_listener_conf *lc = s->lc;
    struct hb_proto_sink mem;
    enum hb_code why = gw_admit(s);

    if (why != HB_OK && (why == HB_E_GW_DENIED || lc->implicit)) {
        end_session(s, why); /* nothing can be said before TLS, and a handshake is what we save */
        return;
    }
    if (lc->implicit && !lc->plain) {
        s->phase = PH_UPGRADING; /* nothing to flush: settle() begins TLS at once */
        return;
    }
    s->phase =
        lc->plain ? PH_SECURE : PH_CLEAR; /* plain in: nothing will be secured, and nothing has to be */
    s->ps = hb_proto_new(lc->proto, &lc->proto_settings, s->w->env);
    if (s->ps == NULL) {
        end_session(s, HB_E_NO_MEMORY);
        return;
    }
    if (why != HB_OK) { /* a refusal in the place of the greeting (R15) */
        (void)hb_proto_backend_lost(s->ps, false, sink(s, &mem));
        end_session(s, why);
        return;
    }
    carry(s, HB_FROM_CLIENT, hb_proto_start(s->ps, sink(s, &mem)), hb_span(NULL, 0));
}

bool gw_session_accept(struct gw_worker *w, const struct gw_listener_conf *lc, uv_stream_t *server)
{
    const struct hb_env *env = w->env;
    struct gw_session *s = env->alloc(env->ctx, sizeof *s);
    struct sockaddr_storage peer;
    int len = sizeof s->peer;

    if (s == NULL) {
        return false;
    }
    gw_end_init(&s->client, false);
    gw_end_init(&s->backend, true);
    s->w = w;
    s->snap = gw_snapshot_ref(w->snap);
    s->lc = lc;
    s->at_line = true;
    s->id = ++w->next_id;
    s->started = (uint32_t)uv_now(&w->loop);
    if (uv_tcp_init(&w->loop, &s->client.tcp) != 0) {
        (void)gw_snapshot_drop(&s->snap); /* the worker has it, too */
        env->release(env->ctx, s, sizeof *s);
        return false;
    }
    s->client.tcp.data = s;
    s->client.state = END_OPEN;
    s->next = w->sessions;
    s->prev = &w->sessions;
    if (s->next != NULL) {
        s->next->prev = &s->next;
    }
    w->sessions = s;
    w->num_sessions++;
    w->stat->sessions++;
    w->stat->sessions_now = w->num_sessions;
    if (uv_accept(server, (uv_stream_t *)&s->client.tcp) != 0) {
        gw_session_kill(s, HB_E_GW_CLIENT_RESET);
        return true;
    }
    if (uv_tcp_getpeername(&s->client.tcp, &s->peer.sa, &len) != 0) {
        s->peer.sa.sa_family = AF_UNSPEC;
    }
    memset(&peer, 0, sizeof peer);
    memcpy(&peer, &s->peer, sizeof s->peer);
    if (gw_nets_hold(&lc->proxies, &peer)) {
        s->phase = PH_HEADER;
        gw_wheel_set(&w->wheel, &s->timer, gw_worker_now(w) + w->conf->timeouts.handshake);
        gw_log_session_start(s);
    } else {
        gw_log_session_start(s);
        begin(s);
    }
    settle(s);
    return true;
}
