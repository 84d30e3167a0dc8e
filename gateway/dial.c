/* dial.c: one client face (hb/peer.h) on a session's backend link.
 * Owns the dialogue and the texts it borrows. Invariants: a deadline runs from each thing we said, however
 * many bytes trickle in; nothing of the client's is on the link before READY. */
#include "dial.h"

#include "session_log.h"
#include "upstream.h"
#include "upstream_tls.h"
#include "worker.h"
#include <hb/peer.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

/* Proxies that may still follow (ADDR-22). */
#define TTL 5u

struct gw_dial {
    struct hb_peer *peer; /* owned */
    struct hb_peer_settings set;
    struct hb_peer_client client;
    char addr[GW_ADDR_TEXT], dest[GW_ADDR_TEXT], id[24];
    bool handshake;
};

bool gw_dial_needed(const struct gw_listener_conf *lc)
{
    /* With several servers the greeting is read first: one that greets with a refusal is not the last. */
    return lc->backend_peer != NULL && (lc->backend_link == HB_PEER_STARTTLS ||
                                        lc->client_address == GW_TELL_COMMAND || lc->pool->num > 1);
}

bool gw_dial_in_handshake(const struct gw_session *s)
{
    return s->dial == NULL || s->dial->handshake;
}

static void to_server(void *ctx, struct hb_span bytes)
{
    struct gw_session *s = ctx;

    gw_end_put(&s->backend, s->w, s->w->out_backend, bytes);
}

static const struct hb_peer_sink *sink(struct gw_session *s, struct hb_peer_sink *mem)
{
    *mem = (struct hb_peer_sink){s, to_server};
    return mem;
}

static void wait(struct gw_session *s)
{
    unsigned patience = hb_peer_patience(s->dial->peer);
    unsigned greeting = s->w->conf->timeouts.greeting;

    patience = hb_peer_facts(s->dial->peer)->greeted || patience < greeting ? patience : greeting;
    gw_wheel_set(&s->w->wheel, &s->timer, gw_worker_in(s->w, patience));
}

static void introduce(struct gw_session *s, struct gw_dial *d)
{
    struct hb_peer_client *c = &d->client;

    struct sockaddr_storage addr;
    struct sockaddr_storage dest;

    gw_session_addresses(s, &addr, &dest);
    c->port = gw_addr_text((const struct sockaddr *)&addr, d->addr);
    c->dest_port = gw_addr_text((const struct sockaddr *)&dest, d->dest);
    c->ipv6 = strchr(d->addr, ':') != NULL;
    c->dest_ipv6 = strchr(d->dest, ':') != NULL;
    (void)snprintf(d->id, sizeof d->id, "%" PRIu64, s->id);
    c->addr = d->addr[0] != 0 ? d->addr : NULL;
    c->dest_addr = d->dest[0] != 0 ? d->dest : NULL;
    c->tls = s->client.tls != NULL;
    c->session = d->id;
    c->sni = gw_facts_sni(s);
    c->ttl = TTL;
    d->set.client = c;
}

/* The session gets the link: the greeting it begins with, and what already stands behind it. */
static void hand_over(struct gw_session *s, struct hb_span rest)
{
    struct gw_dial *d = s->dial;

    s->dial = NULL;
    gw_upstream_had_starttls(s, d->set.tls == HB_PEER_STARTTLS);
    gw_session_backend_ready(s, hb_peer_greeting(d->peer), rest);
    hb_peer_free(&d->peer);
    s->w->env->release(s->w->env->ctx, d, sizeof *d);
}

static void take(struct gw_session *s, struct hb_peer_step step, struct hb_span rest)
{
    switch (step.want) {
    case HB_PEER_MORE:
        break;
    case HB_PEER_UPGRADE:
        gw_end_flush(&s->backend, s->w, s->w->out_backend); /* what was said in clear leaves in clear */
        s->dial->handshake = true;
        gw_wheel_set(&s->w->wheel, &s->timer, gw_worker_in(s->w, s->w->conf->timeouts.handshake));
        gw_upstream_tls_begin(s);
        break;
    case HB_PEER_READY:
        hand_over(s, rest);
        break;
    case HB_PEER_FAIL:
        gw_log_backend_dialogue(s, step.why, hb_peer_said(s->dial->peer),
                                hb_peer_facts(s->dial->peer)->secured);
        gw_session_backend_failed(s, step.why);
        break;
    }
}

void gw_dial_begin(struct gw_session *s)
{
    const struct hb_env *env = s->w->env;
    const struct gw_listener_conf *lc = s->lc;
    struct gw_dial *d = env->alloc(env->ctx, sizeof *d);
    struct hb_peer_sink mem;

    if (d == NULL) {
        gw_session_backend_failed(s, HB_E_NO_MEMORY);
        return;
    }
    s->dial = d;
    const char *host = gw_upstream_server(s)->host;
    d->set = (struct hb_peer_settings){
        .host = lc->host, .server = host[0] != 0 ? host : NULL, .tls = lc->backend_link};
    if (lc->client_address == GW_TELL_COMMAND) {
        introduce(s, d);
    }
    d->peer = hb_peer_new(lc->backend_peer, &d->set, env);
    if (d->peer == NULL) {
        gw_session_backend_failed(s, HB_E_NO_MEMORY);
        return;
    }
    s->backend_handshake = true;
    struct hb_peer_step step = hb_peer_start(d->peer, sink(s, &mem));
    wait(s);
    take(s, step, hb_span(NULL, 0));
}

/* A deadline begins where we have spoken; while the server speaks it goes on. */
static struct hb_peer_step timed(struct gw_session *s, struct hb_peer_step step, uint64_t said)
{
    if (step.want == HB_PEER_MORE && s->w->out_backend->total > said) {
        wait(s);
    }
    return step;
}

void gw_dial_data(struct gw_session *s, struct hb_span bytes)
{
    struct hb_peer_sink mem;
    uint64_t said = s->w->out_backend->total;
    struct hb_peer_step step = timed(s, hb_peer_feed(s->dial->peer, bytes, sink(s, &mem)), said);

    take(s, step, hb_span_skip(bytes, step.used));
}

void gw_dial_secured(struct gw_session *s)
{
    struct hb_peer_sink mem;

    s->dial->handshake = false;
    struct hb_peer_step step = hb_peer_secured(s->dial->peer, sink(s, &mem));
    wait(s);
    take(s, step, hb_span(NULL, 0));
}

void gw_dial_injected(struct gw_session *s)
{
    gw_log_backend_dialogue(s, HB_E_PEER_INJECTION, hb_peer_said(s->dial->peer), false);
    gw_session_backend_failed(s, HB_E_PEER_INJECTION);
}

void gw_dial_silent(struct gw_session *s)
{
    struct hb_peer_sink mem;
    struct hb_peer_step step = hb_peer_silent(s->dial->peer, sink(s, &mem));

    wait(s);
    take(s, step, hb_span(NULL, 0));
}

enum hb_code gw_dial_lost(const struct gw_session *s)
{
    return hb_peer_lost(s->dial->peer);
}

void gw_dial_free(struct gw_session *s)
{
    if (s->dial != NULL) {
        hb_peer_free(&s->dial->peer);
        s->w->env->release(s->w->env->ctx, s->dial, sizeof *s->dial);
        s->dial = NULL;
    }
}
