/* upstream_tls.c: the client role of the engine on the backend's end of a session.
 * Nothing of the client's reaches the backend before the handshake is done and its certificate judged (fail
 * closed). */
#include "upstream_tls.h"

#include "dial.h"
#include "log.h"
#include "session_log.h"
#include "signer.h"
#include "upstream.h"
#include "worker.h"

void gw_upstream_cache_init(struct gw_upstream_cache *cache)
{
    memset(cache, 0, sizeof *cache);
    for (unsigned i = 0; i < GW_MAX_LISTENERS; i++) {
        hb_buf_init(&cache->last[i], HB_TLS_SESSION_MAX);
    }
}

void gw_upstream_cache_clear(struct gw_upstream_cache *cache, const struct hb_env *env)
{
    for (unsigned i = 0; i < GW_MAX_LISTENERS; i++) {
        hb_buf_clear(&cache->last[i], env);
        cache->told_scram[i] = false;
    }
}

void gw_upstream_had_starttls(struct gw_session *s, bool had)
{
    bool *mem = &s->w->upstream_sessions->had_starttls[s->lc->index];

    *mem = *mem || (had && s->snap == s->w->snap);
}

bool gw_upstream_tell_scram(struct gw_session *s)
{
    bool *told = &s->w->upstream_sessions->told_scram[s->lc->index];
    bool first = hb_proto_scram_hidden(s->ps) && s->snap == s->w->snap && !*told;

    *told = *told || first;
    return first;
}

bool gw_upstream_has_had(const struct gw_session *s)
{
    return s->w->upstream_sessions->had_starttls[s->lc->index];
}

/* NULL: s is older than the configuration, and another backend may have its place by now. */
static struct hb_buf *kept(struct gw_session *s)
{
    return s->snap != s->w->snap ? NULL : &s->w->upstream_sessions->last[s->lc->index];
}

static void keep(struct gw_session *s, struct hb_span session)
{
    struct hb_buf *b = kept(s);

    if (b == NULL) {
        return;
    }
    hb_buf_clear(b, s->w->env);
    s->w->upstream_sessions->server[s->lc->index] = s->server;
    if (hb_buf_add(b, s->w->env, session) != HB_OK) {
        hb_buf_clear(b, s->w->env); /* no memory: the next handshake is a full one */
    }
}

/* Something else than TLS. Behind a go-ahead that is an attack, in its segment or the next (CLI-01, ATK-05).
 */
static void failed(struct gw_session *s, struct hb_tls_event event)
{
    bool not_tls = event.code == HB_E_TLS_NOT_TLS;

    if (not_tls && s->dial != NULL) {
        gw_dial_injected(s);
        return;
    }
    event.code = not_tls ? HB_E_PEER_PLAINTEXT : event.code; /* CLI-12 */
    gw_log_backend_tls(s, &event);
    gw_session_backend_failed(s, event.code);
}

void gw_upstream_tls_events(struct gw_session *s)
{
    struct gw_worker *w = s->w;
    struct hb_tls_event event;
    enum hb_tls_ev ev;

    for (;;) {
        if (hb_bld_room(&w->sealed_backend) < HB_TLS_FLIGHT_MAX) {
            gw_end_flush(&s->backend, w, w->out_backend);
        }
        ev = hb_tls_next(s->backend.tls, &w->sealed_backend, &event);
        switch (ev) {
        case HB_TLS_NONE:
            return;
        case HB_TLS_READY:
            gw_session_backend_secured(s);
            break;
        case HB_TLS_DATA:
            gw_session_backend_data(s, event.data);
            break;
        case HB_TLS_SESSION:
            keep(s, event.data);
            break;
        case HB_TLS_VERIFY:
            hb_tls_verified(s->backend.tls, HB_OK);
            break;
        case HB_TLS_SIGN:
        case HB_TLS_DECRYPT:
            gw_signer_ask(s, &s->backend, ev, &event.sign);
            break;
        case HB_TLS_CLOSED:
            gw_session_backend_said_bye(s);
            break;
        case HB_TLS_FAILED:
            failed(s, event);
            return;
        }
    }
}

void gw_upstream_tls_begin(struct gw_session *s)
{
    struct hb_buf *session = kept(s);

    if (session != NULL && s->w->upstream_sessions->server[s->lc->index] != s->server) {
        hb_buf_clear(session, s->w->env); /* another server's */
    }
    s->backend.tls = hb_tls_client_new(s->lc->backend_tls, s->w->env, s->w->lane, gw_upstream_server(s)->name,
                                       session != NULL ? hb_buf_span(session) : hb_span(NULL, 0));
    if (session != NULL) {
        hb_buf_clear(session, s->w->env); /* once each (RES-08) */
    }
    if (s->backend.tls == NULL) {
        gw_session_backend_failed(s, HB_E_NO_MEMORY);
        return;
    }
    gw_upstream_tls_events(s);
}

void gw_upstream_tls_input(struct gw_session *s, uint8_t *wire, size_t len)
{
    hb_tls_input(s->backend.tls, wire, len);
    gw_upstream_tls_events(s);
}
