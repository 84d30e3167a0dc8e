/* session_backend.c: the backend's end: connected, made ready, heard, lost.
 * Invariant: until it is ready (TLS up and judged, the dial done) nothing of the client's goes there. */
#include "turn.h"

#include "announce.h"
#include "dial.h"
#include "session_log.h"
#include "signer.h"
#include "upstream.h"
#include "upstream_tls.h"
#include "worker.h"

void gw_turn_alloc_backend(uv_handle_t *handle, size_t suggested, uv_buf_t *buf)
{
    struct gw_session *s = handle->data;
    struct gw_worker *w = s->w;

    (void)suggested;
    w->prefix = s->backend.tls != NULL ? hb_tls_reclaim(s->backend.tls, w->rbuf) : 0;
    *buf = uv_buf_init((char *)w->rbuf + w->prefix, GW_READ_LARGE);
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
    struct hb_proto_step step = hb_proto_backend_lost(s->ps, clean, gw_turn_sink(s, &mem));
    s->abort_client = !clean && s->phase == PH_RELAY;
    enum hb_code why = step.why != HB_OK ? step.why : clean ? HB_E_GW_BACKEND_CLOSED : HB_E_GW_BACKEND_RESET;
    gw_turn_end(s, s->client_done ? HB_E_GW_CLIENT_GONE : why);
}

void gw_turn_backend_read(uv_stream_t *stream, ssize_t n, const uv_buf_t *buf)
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
        gw_turn_settle(s);
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
    gw_turn_settle(s);
}

void gw_session_backend_data(struct gw_session *s, struct hb_span bytes)
{
    if (s->connect_wanted) {
        return; /* of a server that was given up */
    }
    s->backend.taken += bytes.len;
    if (s->dial != NULL) {
        gw_dial_data(s, bytes);
    } else {
        gw_turn_feed(s, HB_FROM_BACKEND, bytes);
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
    struct hb_proto_step step = hb_proto_backend_lost(s->ps, false, gw_turn_sink(s, &mem));
    (void)step; /* always WANT_CLOSE; the reason is ours */
    s->abort_client = s->phase == PH_RELAY;
    gw_turn_end(s, why);
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
    gw_facts_stage(s, GW_STAGE_BACKEND);
    gw_wheel_set(&s->w->wheel, &s->timer, gw_worker_in(s->w, s->snap->conf->timeouts.greeting));
    gw_upstream_good(s);
    gw_turn_carry(s, HB_FROM_BACKEND, hb_proto_backend_open(s->ps, gw_turn_sink(s, &mem)), hb_span(NULL, 0));
    gw_turn_feed(s, HB_FROM_BACKEND, greeting);
    gw_turn_feed(s, HB_FROM_BACKEND, rest);
}

void gw_session_connected(struct gw_session *s, int status)
{
    struct hb_proto_sink mem;

    if (status == 0) {
        s->backend.state = END_OPEN;
        if (!gw_announce_write(s)) {
            gw_session_backend_failed(s, HB_E_GW_NO_ADDRESS);
            gw_turn_settle(s);
            return;
        }
        if (s->lc->backend_link == HB_PEER_IMPLICIT) {
            s->backend_handshake = true;
            gw_wheel_set(&s->w->wheel, &s->timer, gw_worker_in(s->w, s->snap->conf->timeouts.handshake));
            gw_upstream_tls_begin(s);
        } else if (gw_dial_needed(s->lc)) {
            gw_dial_begin(s);
        } else {
            gw_session_backend_ready(s, hb_span(NULL, 0), hb_span(NULL, 0));
        }
        gw_turn_settle(s);
        return;
    }
    gw_log_backend_unreachable(s, status);
    if (gw_upstream_next(s, status == UV_ETIMEDOUT ? HB_E_GW_BACKEND_TIMEOUT : HB_E_GW_BACKEND_REFUSED)) {
        gw_turn_settle(s);
        return;
    }
    struct hb_proto_step step = hb_proto_backend_lost(s->ps, false, gw_turn_sink(s, &mem));
    (void)step; /* always WANT_CLOSE; the reason is ours */
    gw_turn_end(s, status == UV_ETIMEDOUT ? HB_E_GW_BACKEND_TIMEOUT : HB_E_GW_BACKEND_REFUSED);
    gw_turn_settle(s);
}

void gw_session_backend_closed(struct gw_session *s)
{
    gw_signer_forget(s->w, &s->backend);
    gw_dial_free(s);
    s->backend_handshake = false;
    if (s->client.state == END_NONE) {
        gw_turn_free(s);
        return;
    }
    gw_turn_settle(s);
}
