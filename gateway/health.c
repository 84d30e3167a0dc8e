/* health.c: one check of one server, from connect to goodbye: what a session would do, without a client.
 *
 *   connect -> [TLS] -> greeting -> [STARTTLS, TLS] -> verdict -> goodbye -> the server's end, or three
 * seconds
 *
 * A check is good when a session could begin: the client face (hb/peer.h) is READY, or, for servers of no
 * known protocol, the link (and its TLS) is up. It never logs in and keeps no TLS session: the certificate is
 * judged each time.
 * Owns itself: the memory goes in the handle's close callback and nowhere else. Keeps the configuration it
 * began with; its verdict stands in the next one, too, if the server does (pool.h). One deadline for the
 * whole: the connect timeout. */
#include "health.h"

#include "log.h"
#include "proxyhdr.h"
#include "session_log.h"
#include "unixlink.h"
#include "upstream.h"
#include "worker.h"
#include <hb/peer.h>
#include <stdlib.h>
#include <unistd.h>

#define GOODBYE_SECONDS 3u
#define DAY             UINT64_C(86400)
#define SOON            (21 * DAY) /* an end of a certificate that is worth a warning */

struct gw_check {
    uv_tcp_t tcp;                      /* data: the check */
    uv_connect_t connect;              /* data: the check */
    struct gw_worker *w;               /* borrowed */
    struct gw_snapshot *snap;          /* owned reference */
    const struct gw_listener_conf *lc; /* borrowed from it */
    unsigned server;
    uint32_t dialed;      /* the supervisor's number for the link it makes; 0: none */
    struct hb_peer *peer; /* owned; NULL: not begun, or a protocol we do not know */
    struct hb_peer_settings set;
    struct hb_tls *tls; /* owned; NULL: plaintext, so far */
    uint32_t deadline, silent_at;
    bool handshake, judged, closing;
    struct gw_check *next, **prev; /* the worker's list */
};

static void closed(uv_handle_t *handle)
{
    struct gw_check *c = handle->data;

    *c->prev = c->next;
    if (c->next != NULL) {
        c->next->prev = c->prev;
    }
    hb_peer_free(&c->peer);
    hb_tls_free(&c->tls);
    gw_worker_let_go(c->w, c->snap);
    free(c);
}

static void end(struct gw_check *c)
{
    c->judged = true;
    if (!c->closing) {
        c->closing = true;
        uv_close((uv_handle_t *)&c->tcp, closed);
    }
}

/* The verdict, once. */
static void judge(struct gw_check *c, enum hb_code why)
{
    struct gw_pool *pool = c->lc->pool;

    if (c->judged) {
        return;
    }
    c->judged = true;
    if (gw_pool_checked(pool, c->server, why == HB_OK, gw_worker_now(c->w))) {
        gw_log_server(c->lc, &pool->servers[c->server], why);
    }
}

static void fail(struct gw_check *c, enum hb_code why)
{
    judge(c, why);
    end(c);
}

/* ---- what is said ---- */

/* A check says little: a socket that does not take it at once is one that cannot be used. */
static void say(struct gw_check *c, struct hb_span bytes)
{
    uv_buf_t buf = uv_buf_init((char *)(uintptr_t)bytes.p, (unsigned)bytes.len);

    if (bytes.len > 0 && !c->closing && uv_try_write((uv_stream_t *)&c->tcp, &buf, 1) != (int)bytes.len) {
        fail(c, HB_E_GW_BACKEND_RESET);
    }
}

static void send_sealed(struct gw_check *c)
{
    struct hb_bld *sealed = &c->w->sealed_backend; /* the worker's, for this turn */

    say(c, hb_bld_span(sealed));
    hb_bld_reset(sealed);
}

static void to_server(void *ctx, struct hb_span bytes)
{
    struct gw_check *c = ctx;

    if (c->tls == NULL) {
        say(c, bytes);
    } else if (hb_tls_write(c->tls, &bytes, 1, &c->w->sealed_backend) == HB_OK) {
        send_sealed(c);
    } else {
        fail(c, HB_E_GW_BACKEND_RESET);
    }
}

static const struct hb_peer_sink *sink(struct gw_check *c, struct hb_peer_sink *mem)
{
    *mem = (struct hb_peer_sink){c, to_server};
    return mem;
}

/* ADDR-03: a server that waits for a PROXY header is told that we speak for ourselves. */
static void announce(struct gw_check *c)
{
    uint8_t header[GW_PROXY_MAX];
    struct hb_bld b = hb_bld(header, sizeof header);

    if (c->lc->client_address == GW_TELL_PROXY1) {
        hb_bld_str(&b, "PROXY UNKNOWN\r\n");
    } else if (c->lc->client_address == GW_TELL_PROXY2) {
        gw_proxy_v2(&b, NULL, NULL);
    }
    say(c, hb_bld_span(&b));
}

/* ---- how it goes on ---- */

static void good(struct gw_check *c)
{
    struct hb_peer_sink mem;

    judge(c, HB_OK);
    if (c->peer != NULL) {
        hb_peer_goodbye(c->peer, sink(c, &mem));
    }
    if (c->tls != NULL && !c->handshake) {
        hb_tls_close(c->tls, &c->w->sealed_backend);
        send_sealed(c);
    }
    c->deadline = gw_worker_in(c->w, GOODBYE_SECONDS); /* its answer is read, its end awaited */
}

static void begin_tls(struct gw_check *c);

static void take(struct gw_check *c, struct hb_peer_step step)
{
    c->silent_at = gw_worker_in(c->w, hb_peer_patience(c->peer));
    switch (step.want) {
    case HB_PEER_MORE:
        break;
    case HB_PEER_UPGRADE:
        begin_tls(c);
        break;
    case HB_PEER_READY:
        good(c);
        break;
    case HB_PEER_FAIL:
        fail(c, step.why);
        break;
    }
}

/* The link is open, or TLS from the first byte is up. */
static void begin_talk(struct gw_check *c)
{
    struct hb_peer_sink mem;

    if (c->lc->backend_peer == NULL) {
        good(c);
        return;
    }
    const char *host = c->lc->pool->servers[c->server].host;
    c->set = (struct hb_peer_settings){.host = c->lc->host,
                                       .server = host[0] != 0 ? host : NULL,
                                       .tls = c->lc->backend_link,
                                       .look = hb_peer_waits(c->lc->backend_peer)};
    c->peer = hb_peer_new(c->lc->backend_peer, &c->set, c->w->env);
    if (c->peer == NULL) {
        fail(c, HB_E_NO_MEMORY);
        return;
    }
    take(c, hb_peer_start(c->peer, sink(c, &mem)));
}

static void plaintext(struct gw_check *c, struct hb_span bytes)
{
    struct hb_peer_sink mem;

    if (!c->judged && c->peer != NULL) {
        take(c, hb_peer_feed(c->peer, bytes, sink(c, &mem)));
    }
}

static void warn_of_end(struct gw_check *c)
{
    const struct gw_server *v = &c->lc->pool->servers[c->server];
    uint64_t now = c->w->env->wall(c->w->env->ctx);
    uint64_t last = hb_tls_peer_not_after(c->tls);

    if (last > now && last - now < SOON && v->now->told_day != now / DAY) {
        v->now->told_day = now / DAY;
        GW_LOG(GW_EV_SERVER_CERTIFICATE, GW_STR("listener", c->lc->url),
               GW_STR("backend", c->lc->backend_text), GW_STR("server", v->text),
               GW_U64("days", (last - now) / DAY));
    }
}

static void secured(struct gw_check *c)
{
    struct hb_peer_sink mem;

    warn_of_end(c);
    c->handshake = false;
    if (c->peer != NULL) {
        take(c, hb_peer_secured(c->peer, sink(c, &mem)));
    } else {
        begin_talk(c);
    }
}

static void tls_events(struct gw_check *c)
{
    struct hb_tls_event event;

    while (!c->closing) {
        enum hb_tls_ev ev = hb_tls_next(c->tls, &c->w->sealed_backend, &event);
        send_sealed(c);
        switch (ev) {
        case HB_TLS_NONE:
            return;
        case HB_TLS_READY:
            secured(c);
            break;
        case HB_TLS_DATA:
            plaintext(c, event.data);
            break;
        case HB_TLS_VERIFY:
            hb_tls_verified(c->tls, HB_OK);
            break;
        case HB_TLS_SESSION:
            break;
        case HB_TLS_SIGN: /* its certificate is judged, ours stays here: nobody logs in */
        case HB_TLS_DECRYPT:
            judge(c, HB_OK);
            end(c);
            break;
        case HB_TLS_CLOSED:
            fail(c, HB_E_GW_BACKEND_CLOSED);
            break;
        case HB_TLS_FAILED:
            fail(c, event.code);
            return;
        }
    }
}

static void begin_tls(struct gw_check *c)
{
    c->handshake = true;
    c->tls = hb_tls_client_new(c->lc->backend_tls, c->w->env, c->w->lane,
                               c->lc->pool->servers[c->server].name, hb_span(NULL, 0));
    if (c->tls == NULL) {
        fail(c, HB_E_NO_MEMORY);
        return;
    }
    tls_events(c);
}

/* ---- what libuv reports ---- */

static void alloc(uv_handle_t *handle, size_t suggested, uv_buf_t *buf)
{
    const struct gw_check *c = handle->data;

    (void)suggested;
    *buf = uv_buf_init((char *)c->w->rbuf, GW_READ_SMALL);
}

static void on_read(uv_stream_t *stream, ssize_t n, const uv_buf_t *buf)
{
    struct gw_check *c = stream->data;

    (void)buf;
    if (n < 0) {
        fail(c, c->peer != NULL && !c->handshake ? hb_peer_lost(c->peer)
                : n == UV_EOF                    ? HB_E_GW_BACKEND_CLOSED
                                                 : HB_E_GW_BACKEND_RESET);
    } else if (n > 0 && c->tls != NULL) {
        hb_tls_input(c->tls, c->w->rbuf, (size_t)n); /* what is left of a record the engine keeps */
        tls_events(c);
    } else if (n > 0) {
        plaintext(c, hb_span(c->w->rbuf, (size_t)n));
    }
}

static void opened(struct gw_check *c)
{
    if (uv_read_start((uv_stream_t *)&c->tcp, alloc, on_read) != 0) {
        fail(c, HB_E_GW_BACKEND_RESET);
        return;
    }
    announce(c);
    if (c->lc->backend_link == HB_PEER_IMPLICIT) {
        begin_tls(c);
    } else {
        begin_talk(c);
    }
}

/* Nothing could be found out. */
static void no_verdict(struct gw_check *c)
{
    c->lc->pool->servers[c->server].now->checking = false;
    end(c);
}

static void link_made(struct gw_check *c, int status)
{
    if (c->closing) {
        return;
    }
    if (gw_upstream_short(status)) {
        no_verdict(c);
    } else if (status != 0) {
        fail(c, HB_E_GW_BACKEND_REFUSED);
    } else {
        opened(c);
    }
}

static void connected(uv_connect_t *req, int status)
{
    link_made(req->data, status);
}

/* A descriptor, or a status. */
static void link_given(struct gw_check *c, int fd)
{
    int rc = fd >= 0 ? uv_tcp_open(&c->tcp, fd) : fd;

    if (rc != 0 && fd >= 0) {
        (void)close(fd);
    }
    link_made(c, rc);
}

bool gw_health_dialed(struct gw_worker *w, uint32_t number, int result)
{
    struct gw_check *c = w->checks;

    while (c != NULL && (c->dialed != number || c->closing)) {
        c = c->next;
    }
    if (c != NULL) {
        c->dialed = 0;
        link_given(c, result);
    }
    return c != NULL;
}

/* ---- begin and end ---- */

static void begin(struct gw_worker *w, const struct gw_listener_conf *lc, unsigned server)
{
    const struct sockaddr *addr = (const struct sockaddr *)&lc->pool->servers[server].addr;
    struct gw_check *c = calloc(1, sizeof *c);
    unsigned family = addr->sa_family == AF_UNIX ? AF_UNSPEC : addr->sa_family;

    if (c == NULL || uv_tcp_init_ex(&w->loop, &c->tcp, family) != 0) {
        free(c);
        lc->pool->servers[server].now->checking = false; /* no memory or descriptor: later, no verdict */
        return;
    }
    c->tcp.data = c;
    c->connect.data = c;
    c->w = w;
    c->snap = gw_snapshot_ref(w->snap);
    c->lc = lc;
    c->server = server;
    c->deadline = gw_worker_in(w, w->conf->timeouts.connect);
    c->silent_at = UINT32_MAX;
    c->next = w->checks;
    c->prev = &w->checks;
    if (c->next != NULL) {
        c->next->prev = &c->next;
    }
    w->checks = c;
    if (addr->sa_family == AF_UNIX) {
        int fd = gw_unixlink(w, c->snap, lc, server, &c->dialed);
        if (fd != UV_EAGAIN) {
            link_given(c, fd);
        }
    } else if (uv_tcp_connect(&c->connect, &c->tcp, addr, connected) != 0) {
        fail(c, HB_E_GW_BACKEND_REFUSED);
    }
}

static void look_at(struct gw_check *c, uint32_t now)
{
    struct hb_peer_sink mem;

    if (now >= c->deadline) {
        fail(c, HB_E_GW_BACKEND_TIMEOUT); /* no more than its end, if it was judged */
    } else if (!c->judged && c->peer != NULL && !c->handshake && now >= c->silent_at) {
        take(c, hb_peer_silent(c->peer, sink(c, &mem)));
    }
}

void gw_health_tick(struct gw_worker *w)
{
    uint32_t now = gw_worker_now(w);

    for (struct gw_check *c = w->checks; c != NULL; c = c->next) {
        look_at(c, now); /* frees nothing before its close callback */
    }
    for (unsigned i = 0; i < w->conf->num_listeners; i++) {
        struct gw_pool *pool = w->conf->listeners[i].pool;
        for (unsigned k = gw_pool_due(pool, now); k != GW_POOL_NOBODY; k = gw_pool_due(pool, now)) {
            begin(w, &w->conf->listeners[i], k);
            if (!pool->servers[k].now->checking && pool->servers[k].now->check_at <= now) {
                break; /* out of memory or descriptors */
            }
        }
    }
}

void gw_health_stop(struct gw_worker *w)
{
    for (struct gw_check *c = w->checks; c != NULL; c = c->next) {
        end(c);
    }
}
