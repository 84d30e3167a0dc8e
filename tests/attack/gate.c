/* gate.c: the gateway of a run: hb_proto toward the client, hb_peer toward the backend, TLS on both legs.
 * Mirrors gateway/session*.c and dial.c: who is fed when, what is held, what is dropped at the upgrade, which
 * code an attack ends with. What it must never do it reports itself (world_broken). */
#include "world.h"

#include <stdlib.h>
#include <string.h>

bool gate_faulty;

static void end(struct world *w, enum hb_code why)
{
    if (!w->ended) {
        w->ended = true;
        w->code = why;
    }
}

/* ---- what goes out ---- */

static void to_client(void *ctx, struct hb_span bytes)
{
    struct world *w = ctx;

    if (w->phase == AT_UPGRADING || w->phase == AT_HANDSHAKE) {
        world_broken(w, "something was said to the client between the go-ahead and TLS (GEN-05)");
    }
    if (w->gate_tls != NULL) {
        tls_say(w->gate_tls, bytes, &w->to_client.t);
    } else {
        text_add(&w->to_client.t, bytes.p, bytes.len);
    }
}

static void to_server(void *ctx, struct hb_span bytes)
{
    struct world *w = ctx;

    if (w->link.tls != NULL) {
        tls_say(w->link.tls, bytes, &w->link.to_server.t);
    } else {
        text_add(&w->link.to_server.t, bytes.p, bytes.len);
    }
}

static void to_backend(void *ctx, struct hb_span bytes)
{
    struct world *w = ctx;

    if (!w->link.open || w->link.peer != NULL || w->link.handshake) {
        world_broken(w, "the client's bytes went to a link that is not ready");
        return;
    }
    text_add(&w->out->b_session, bytes.p, bytes.len);
    to_server(w, bytes);
}

static const struct hb_proto_sink *sink(struct world *w, struct hb_proto_sink *mem)
{
    *mem = (struct hb_proto_sink){w, to_client, to_backend, NULL};
    return mem;
}

/* ---- the link ---- */

static void link_close(struct world *w)
{
    struct link *l = &w->link;

    hb_peer_free(&l->peer);
    hb_tls_free(&l->tls);
    hb_tls_free(&l->server_tls);
    w->wire_said += w->first_link_over ? 0 : l->from_server.t.len;
    free(l->to_server.t.p);
    free(l->from_server.t.p);
    free(l->in.p);
    free(l->tag.p);
    w->first_link_over = w->first_link_over || l->open;
    memset(l, 0, sizeof *l);
}

static void feed(struct world *w, enum hb_proto_side from, struct hb_span bytes);
static void carry(struct world *w, enum hb_proto_side from, struct hb_proto_step step, struct hb_span rest);

static void lost(struct world *w, enum hb_code why)
{
    struct hb_proto_sink mem;

    (void)hb_proto_backend_lost(w->ps, false, sink(w, &mem));
    end(w, why);
}

static void take_peer(struct world *w, struct hb_peer_step step, struct hb_span rest)
{
    struct hb_proto_sink mem;
    struct hb_tls_event event;
    struct text nothing = {0};

    if (step.want == HB_PEER_UPGRADE) {
        w->link.handshake = true;
        w->link.tls = tls_new(END_DIAL);
        (void)tls_run(w->link.tls, hb_span(NULL, 0), &w->link.to_server.t, &nothing, &event);
    } else if (step.want == HB_PEER_FAIL) {
        lost(w, step.why);
    } else if (step.want == HB_PEER_READY) {
        struct hb_peer *peer = w->link.peer;
        w->link.peer = NULL;
        free(w->out->b_session.p);
        w->out->b_session = (struct text){0};
        carry(w, HB_FROM_BACKEND, hb_proto_backend_open(w->ps, sink(w, &mem)), hb_span(NULL, 0));
        feed(w, HB_FROM_BACKEND, hb_peer_greeting(peer));
        feed(w, HB_FROM_BACKEND, rest);
        hb_peer_free(&peer);
    }
}

/* The link is the session's, with nothing to be asked before. */
static void link_ready(struct world *w)
{
    struct hb_proto_sink mem;

    free(w->out->b_session.p);
    w->out->b_session = (struct text){0};
    carry(w, HB_FROM_BACKEND, hb_proto_backend_open(w->ps, sink(w, &mem)), hb_span(NULL, 0));
}

static void link_open(struct world *w)
{
    struct hb_tls_event event;
    struct text nothing = {0};
    struct hb_peer_sink mem;

    if (!w->upgraded && (w->row->flags & OPTIONAL) == 0) {
        world_broken(w, "a backend was asked before TLS was up");
    }
    w->connect_wanted = false;
    w->link.open = true;
    w->out->num_links++;
    server_greets(w);
    if ((w->row->flags & B_IMPLICIT) != 0) {
        w->link.handshake = true;
        w->link.tls = tls_new(END_DIAL);
        (void)tls_run(w->link.tls, hb_span(NULL, 0), &w->link.to_server.t, &nothing, &event);
        return;
    }
    if ((w->row->flags & B_STARTTLS) == 0) {
        link_ready(w);
        return;
    }
    w->peer_set = (struct hb_peer_settings){.host = "mail.test", .tls = HB_PEER_STARTTLS};
    w->link.peer = hb_peer_new(hb_peer_find(w->words->scheme), &w->peer_set, &w->t.env);
    mem = (struct hb_peer_sink){w, to_server};
    take_peer(w, hb_peer_start(w->link.peer, &mem), hb_span(NULL, 0));
}

/* ---- the session ---- */

static void hold(struct world *w, enum hb_proto_side from, struct hb_span rest)
{
    text_add(&w->held[from], rest.p, rest.len);
}

static void carry(struct world *w, enum hb_proto_side from, struct hb_proto_step step, struct hb_span rest)
{
    switch (step.want) {
    case HB_WANT_MORE:
    case HB_WANT_WAIT:
        hold(w, from, rest);
        break;
    case HB_WANT_CONNECT:
        hold(w, from, rest);
        link_close(w);
        w->connect_wanted = true;
        break;
    case HB_WANT_UPGRADE:
        if (from == HB_FROM_CLIENT) {
            hold(w, from, rest);
        }
        w->phase = AT_UPGRADING;
        w->held[HB_FROM_BACKEND].len = 0;
        link_close(w);
        break;
    case HB_WANT_OPAQUE:
        w->phase = AT_RELAY;
        feed(w, from, rest);
        break;
    case HB_WANT_CLOSE:
        end(w, step.why);
        break;
    }
}

static void feed(struct world *w, enum hb_proto_side from, struct hb_span bytes)
{
    struct hb_proto_sink mem;

    while (!w->ended && bytes.len > 0) {
        if (w->phase == AT_RELAY) {
            if (from == HB_FROM_CLIENT) {
                to_backend(w, bytes);
            } else {
                to_client(w, bytes);
            }
            return;
        }
        if ((w->phase != AT_CLEAR && w->phase != AT_SECURE) || w->held[from].len > 0) {
            hold(w, from, bytes);
            return;
        }
        struct hb_proto_step step = hb_proto_feed(w->ps, from, bytes, sink(w, &mem));
        bytes = hb_span_skip(bytes, step.used);
        if (step.want == HB_WANT_MORE && step.used > 0) {
            continue;
        }
        carry(w, from, step, bytes);
        return;
    }
}

static bool feed_held(struct world *w, enum hb_proto_side from)
{
    struct hb_proto_sink mem;
    struct text mine = w->held[from];

    if (w->ended || mine.len == 0 || w->phase == AT_UPGRADING || w->phase == AT_HANDSHAKE) {
        return false;
    }
    w->held[from] = (struct text){0};
    if (w->phase == AT_RELAY) {
        feed(w, from, hb_span(mine.p, mine.len));
        free(mine.p);
        return true;
    }
    struct hb_proto_step step = hb_proto_feed(w->ps, from, hb_span(mine.p, mine.len), sink(w, &mem));
    struct hb_span rest = hb_span_skip(hb_span(mine.p, mine.len), step.used);
    bool more = step.used > 0 || (step.want != HB_WANT_WAIT && step.want != HB_WANT_MORE);
    carry(w, from, step, rest);
    free(mine.p);
    return more;
}

/* ---- the client's TLS ---- */

static void client_tls(struct world *w, struct hb_span in)
{
    struct hb_tls_event event;
    struct hb_proto_sink mem;
    struct text plain = {0};
    enum tls_result r = tls_run(w->gate_tls, in, &w->to_client.t, &plain, &event);

    if (r == TLS_READY) {
        w->phase = AT_SECURE;
        carry(w, HB_FROM_CLIENT, hb_proto_secured(w->ps, sink(w, &mem)), hb_span(NULL, 0));
    }
    if (plain.len > 0 && w->phase != AT_SECURE && w->phase != AT_RELAY) {
        world_broken(w, "plaintext came out of a handshake");
    }
    feed(w, HB_FROM_CLIENT, hb_span(plain.p, plain.len));
    free(plain.p);
    if (r == TLS_FAILED) {
        w->out->alert = event.alert;
        end(w, event.code == HB_E_TLS_NOT_TLS ? HB_E_PROTO_INJECTION : event.code);
    }
}

static void settle(struct world *w)
{
    for (bool more = true; more && !w->ended;) {
        more = feed_held(w, HB_FROM_CLIENT);
        more = feed_held(w, HB_FROM_BACKEND) || more;
        if (w->phase == AT_UPGRADING) { /* what was said is sent: TLS begins, with the residue */
            struct text residue = w->held[HB_FROM_CLIENT];
            w->held[HB_FROM_CLIENT] = (struct text){0};
            if (gate_faulty) {
                w->held[HB_FROM_CLIENT] = residue;
                residue = (struct text){0};
            }
            w->upgraded = true;
            w->mark = w->to_client.done = w->to_client.t.len;
            w->phase = AT_HANDSHAKE;
            w->gate_tls = tls_new(END_GATE);
            if (residue.len > 0) {
                client_tls(w, hb_span(residue.p, residue.len));
            }
            free(residue.p);
            more = true;
        }
        if (w->connect_wanted && !w->ended) {
            link_open(w);
            more = true;
        }
    }
    if (w->ended && w->link.open) {
        w->link.from_server.done = w->link.from_server.t.len; /* nobody reads any more */
    }
}

void gate_client_reads(struct world *w, struct hb_span bytes)
{
    if (w->ended) {
        return;
    }
    if (w->gate_tls != NULL) {
        client_tls(w, bytes);
    } else {
        feed(w, HB_FROM_CLIENT, bytes);
    }
    settle(w);
}

void gate_backend_reads(struct world *w, struct hb_span bytes)
{
    struct hb_peer_sink mem = {w, to_server};
    struct hb_tls_event event;
    struct text plain = {0};
    enum tls_result r = TLS_GOES_ON;

    if (w->ended) {
        return;
    }
    if (w->link.tls != NULL) {
        r = tls_run(w->link.tls, bytes, &w->link.to_server.t, &plain, &event);
        bytes = hb_span(plain.p, plain.len);
    }
    if (r == TLS_READY) {
        w->link.handshake = false;
        if (w->link.peer != NULL) {
            take_peer(w, hb_peer_secured(w->link.peer, &mem), hb_span(NULL, 0));
        } else {
            link_ready(w);
        }
    }
    if (w->link.peer != NULL && bytes.len > 0) {
        struct hb_peer_step step = hb_peer_feed(w->link.peer, bytes, &mem);
        take_peer(w, step, hb_span_skip(bytes, step.used));
    } else if (bytes.len > 0) {
        feed(w, HB_FROM_BACKEND, bytes);
    }
    free(plain.p);
    if (r == TLS_FAILED) {
        enum hb_code clear = w->link.peer != NULL ? HB_E_PEER_INJECTION : HB_E_PEER_PLAINTEXT;
        lost(w, event.code == HB_E_TLS_NOT_TLS ? clear : event.code);
    }
    settle(w);
}

/* TCP's end on the backend's leg: without TLS it is a clean one. */
void gate_backend_gone(struct world *w)
{
    struct hb_proto_sink mem;
    bool clean = w->link.tls == NULL || hb_tls_eof(w->link.tls) == HB_OK;

    w->link.ends = false;
    if (w->link.peer != NULL && !w->link.handshake) {
        lost(w, hb_peer_lost(w->link.peer));
        return;
    }
    struct hb_proto_step step = hb_proto_backend_lost(w->ps, clean, sink(w, &mem));
    end(w, step.why != HB_OK ? step.why : clean ? HB_E_GW_BACKEND_CLOSED : HB_E_GW_BACKEND_RESET);
}

void gate_begin(struct world *w)
{
    struct hb_proto_sink mem;
    bool implicit;
    const struct hb_proto *proto = hb_proto_find(w->words->scheme, &implicit);

    w->set = (struct hb_proto_settings){.host = "mail.test",
                                        .tls_required = (w->row->flags & OPTIONAL) == 0,
                                        .tls_usable = true,
                                        .starttls_offered = true,
                                        .needs_ehlo = true,
                                        .plaintext_auth = (w->row->flags & PLAIN_AUTH) != 0};
    w->ps = hb_proto_new(proto, &w->set, &w->t.env);
    carry(w, HB_FROM_CLIENT, hb_proto_start(w->ps, sink(w, &mem)), hb_span(NULL, 0));
    settle(w);
}

void gate_end(struct world *w)
{
    link_close(w);
    hb_proto_free(&w->ps);
    hb_tls_free(&w->gate_tls);
    free(w->held[0].p);
    free(w->held[1].p);
}
