/* session_client.c: the client's end: its PROXY header, its TLS, its bytes, its leaving.
 * Invariant: what follows STARTTLS goes to the engine, whatever it is; a stream that ends without
 * close_notify is passed on as an abort (ATK-43). */
#include "turn.h"

#include "admit.h"
#include "announce.h"
#include "log.h"
#include "session_log.h"
#include "signer.h"
#include "upstream.h"
#include "upstream_tls.h"
#include "worker.h"

/* ---- TLS ---- */

static void note_names(struct gw_session *s, bool secured)
{
    char sni[256];
    char identity[256] = "";

    hb_tls_server_name(s->client.tls, sni, sizeof sni);
    if (secured) {
        hb_tls_peer_identity(s->client.tls, identity, sizeof identity);
    }
    gw_facts_names(s, sni, identity);
}

/* Only a certificate that was checked says who somebody is (SASL-02); not a pre-shared key's name. */
static void identify(struct gw_session *s)
{
    bool verified = hb_tls_info(s->client.tls)->peer_certificate && s->lc->client_verified;

    if (verified && gw_facts_identity(s) != NULL) {
        hb_proto_identify(s->ps, gw_facts_identity(s));
    }
}

static void secured(struct gw_session *s)
{
    struct hb_proto_sink mem;
    struct hb_proto_step step;

    note_names(s, true);
    gw_facts_stage(s, GW_STAGE_SECURED);
    s->phase = PH_SECURE;
    gw_admit_handshake_over(s);
    gw_stat_handshake(s);
    if (s->ps == NULL) { /* implicit TLS: the mail protocol begins only now */
        s->ps = hb_proto_new(s->lc->proto, &s->lc->proto_settings, s->w->env);
        if (s->ps == NULL) {
            gw_turn_end(s, HB_E_NO_MEMORY);
            return;
        }
        identify(s);
        step = hb_proto_start(s->ps, gw_turn_sink(s, &mem));
    } else {
        identify(s);
        step = hb_proto_secured(s->ps, gw_turn_sink(s, &mem));
    }
    gw_turn_carry(s, HB_FROM_CLIENT, step, hb_span(NULL, 0));
}

static void tls_failed(struct gw_session *s, const struct hb_tls_event *event)
{
    enum hb_code why = event->code;

    note_names(s, false);
    if (why == HB_E_TLS_NOT_TLS && !s->lc->implicit) {
        why = HB_E_PROTO_INJECTION; /* behind STARTTLS, in its segment or the next (ATK-01) */
        gw_log_injection(s, 0);
    }
    s->abort_backend = s->phase == PH_RELAY || s->phase == PH_SECURE;
    gw_turn_end(s, why);
}

/* The client said close_notify: a clean end of its side. The backend may still have something to say. */
static void client_finished(struct gw_session *s)
{
    s->client_done = true; /* gw_turn_settle() passes it on behind what is still held */
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
                gw_turn_feed(s, HB_FROM_CLIENT, event.data);
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
    gw_turn_settle(s);
}

/* UPGRADING, and every plaintext byte is with the kernel: TLS begins, with the residue if there is one. */
void gw_turn_begin_tls(struct gw_session *s)
{
    const struct hb_env *env = s->w->env;
    enum hb_code why = gw_admit_handshake(s);

    if (why != HB_OK) {
        gw_turn_end(s, why);
        return;
    }
    s->client.tls = hb_tls_server_new(s->lc->tls, env, s->w->lane);
    if (s->client.tls == NULL) {
        gw_turn_end(s, HB_E_NO_MEMORY);
        return;
    }
    s->phase = PH_HANDSHAKE;
    s->shook = gw_session_age(s);
    gw_wheel_set(&s->w->wheel, &s->timer, gw_worker_in(s->w, s->snap->conf->timeouts.handshake));
    if (hb_buf_len(&s->client.held) > 0) {
        struct hb_buf residue = s->client.held;
        hb_buf_init(&s->client.held, GW_HELD_MAX);
        tls_input(s, hb_buf_bytes(&residue), hb_buf_len(&residue));
        gw_end_flush(&s->client, s->w, s->w->out_client);
        gw_end_flush(&s->backend, s->w, s->w->out_backend);
        hb_buf_clear(&residue, env);
    }
}

/* ---- what libuv reports ---- */

void gw_turn_alloc_client(uv_handle_t *handle, size_t suggested, uv_buf_t *buf)
{
    struct gw_session *s = handle->data;
    struct gw_worker *w = s->w;
    size_t size = gw_phases[s->phase].large ? GW_READ_LARGE : GW_READ_SMALL;

    (void)suggested;
    w->prefix = s->client.tls != NULL ? hb_tls_reclaim(s->client.tls, w->rbuf) : 0;
    *buf = uv_buf_init((char *)w->rbuf + w->prefix, (unsigned)size);
}

static void client_stream_ended(struct gw_session *s, bool clean)
{
    s->client.eof = true;
    if (s->ended) { /* it has read our goodbye */
        if (s->client.state == END_SHUT && gw_end_queued(&s->client) == 0) {
            gw_turn_close_client(s, false);
        }
        return;
    }
    if (!clean) {
        s->client.broken = true;
        s->abort_backend = true;
        gw_turn_end(s, HB_E_GW_CLIENT_RESET);
    } else if (s->client.tls != NULL && hb_tls_eof(s->client.tls) != HB_OK) {
        /* An end without close_notify may be an attacker's: the backend sees an abort, never a clean end
         * (ATK-43). */
        s->abort_backend = s->phase != PH_HANDSHAKE;
        gw_turn_end(s, s->phase == PH_HANDSHAKE ? HB_E_GW_CLIENT_GONE : HB_E_TLS_TRUNCATED);
    } else if (!s->client_done) {
        client_finished(s);
    }
}

/* ADDR-04: nothing is said to anybody before the whole header is there. */
static void read_header(struct gw_session *s, struct hb_span bytes)
{
    gw_turn_hold(s, &s->client, bytes);
    if (s->ended) {
        return;
    }
    switch (gw_announce_read(s)) {
    case GW_PROXY_MORE:
        break;
    case GW_PROXY_BAD:
        gw_turn_end(s, HB_E_GW_PROXY_HEADER);
        break;
    case GW_PROXY_OK:
    case GW_PROXY_OWN:
        gw_log_session_start(s);
        gw_turn_begin(s);
        break;
    }
}

void gw_turn_client_read(uv_stream_t *stream, ssize_t n, const uv_buf_t *buf)
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
        gw_turn_settle(s);
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
        gw_turn_feed(s, HB_FROM_CLIENT, hb_span(w->rbuf, len));
    }
    gw_turn_settle(s);
}
