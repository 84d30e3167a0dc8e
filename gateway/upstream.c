/* upstream.c: connects to a server of the listener's pool with TCP_NODELAY set before the first byte; if it
 * cannot be used, to the next. A pool's servers are marked down and up here; a single server never is, there
 * is nobody else to ask.
 * A connect that fails at once is reported through the same callback, so a session sees one order of events.
 */
#include "upstream.h"

#include "log.h"
#include "session_log.h"
#include "turn.h"
#include "unixlink.h"
#include "worker.h"
#include <sys/socket.h>
#include <unistd.h>

/* ---- which server ---- */

const struct gw_server *gw_upstream_server(const struct gw_session *s)
{
    return &s->lc->pool->servers[s->server];
}

static bool choose(struct gw_session *s)
{
    unsigned i = gw_pool_choose(s->lc->pool, gw_facts_sni(s), &s->peer.sa, s->tried, gw_worker_now(s->w));

    if (i == GW_POOL_NOBODY) {
        return false;
    }
    s->next_server = (uint8_t)i;
    return true;
}

void gw_upstream_choose(struct gw_session *s)
{
    s->tried = 0;
    if (!choose(s)) {
        s->next_server = 0; /* not with a pool that was checked */
    }
}

bool gw_upstream_next(struct gw_session *s, enum hb_code why)
{
    struct gw_pool *pool = s->lc->pool;
    bool ours = s->backend.state == END_NONE || s->backend.state == END_CONNECTING || s->backend_handshake;

    if (!ours || s->connect_wanted || pool->num == 1 || why == HB_E_NO_MEMORY) {
        return false;
    }
    if (gw_pool_failed(pool, s->server, gw_worker_now(s->w))) {
        gw_log_server(s->lc, gw_upstream_server(s), why);
    }
    s->tried |= UINT32_C(1) << s->server;
    if (__builtin_popcount(s->tried) >= (int)GW_POOL_ATTEMPTS || !choose(s)) {
        return false;
    }
    s->connect_wanted = true;
    gw_upstream_close(s, false);
    return true;
}

void gw_upstream_good(struct gw_session *s)
{
    if (s->lc->pool->num > 1 && gw_pool_good(s->lc->pool, s->server)) {
        gw_log_server(s->lc, gw_upstream_server(s), HB_OK);
    }
}

/* The link exists: it has a handle, and will have a close callback. */
static void count(struct gw_session *s)
{
    s->backend.tcp.data = s;
    s->backend.state = END_CONNECTING;
    s->linked = true;
    s->lc->pool->servers[s->server].now->links++;
}

/* ---- no descriptor for it ---- */

/* What a link to it could not get is none of its server's faults. libuv's codes are errno, negative. */
bool gw_upstream_short(int status)
{
    return status == UV_EMFILE || status == UV_ENFILE || status == UV_ENOBUFS;
}

static void starve(struct gw_session *s, int status)
{
    s->connect_wanted = true;
    s->starved = true;
    if (s->w->num_starved++ == 0) {
        GW_LOG(GW_EV_BACKEND_WAITS, GW_STR("listener", s->lc->url),
               GW_STR("backend", gw_upstream_server(s)->text), GW_STR("why", uv_strerror(status)));
    }
}

void gw_upstream_fed(struct gw_session *s)
{
    s->w->num_starved -= s->starved;
    s->starved = false;
}

bool gw_upstream_again(struct gw_session *s)
{
    if (s->backend.state != END_NONE) {
        return true; /* what it had is not closed yet */
    }
    gw_upstream_fed(s);
    gw_turn_connect(s);
    if (!s->starved) {
        gw_turn_settle(s);
    }
    return !s->starved;
}

/* ---- the link ---- */

/* The handle of a link that connect() has made already. */
static int open_link(struct gw_session *s, int fd)
{
    int rc = fd >= 0 ? uv_tcp_open(&s->backend.tcp, fd) : fd;

    if (rc != 0 && fd >= 0) {
        (void)close(fd);
    }
    return rc;
}

static void connect_unix(struct gw_session *s)
{
    int fd = gw_unixlink(s->w, s->snap, s->lc, s->server, &s->dialed);

    if (gw_upstream_short(fd)) {
        starve(s, fd);
        return;
    }
    (void)uv_tcp_init(&s->w->loop, &s->backend.tcp); /* cannot fail */
    count(s);
    if (fd != UV_EAGAIN) { /* then gw_upstream_dialed() goes on */
        gw_session_connected(s, open_link(s, fd));
    }
}

bool gw_upstream_dialed(struct gw_worker *w, uint32_t number, int result)
{
    struct gw_session *s = w->sessions; /* the newest first: it is not far */

    while (s != NULL && s->dialed != number) {
        s = s->next;
    }
    if (s == NULL || s->backend.state != END_CONNECTING) {
        return false; /* closed meanwhile */
    }
    s->dialed = 0;
    if (gw_upstream_short(result)) {
        starve(s, result);
        gw_upstream_close(s, false);
        gw_turn_settle(s);
    } else {
        gw_session_connected(s, open_link(s, result));
    }
    return true;
}

struct connect_req {
    uv_connect_t req;         /* data: the session */
    const struct hb_env *env; /* borrowed */
};

static void connect_over(uv_connect_t *req, int status)
{
    struct connect_req *r = (struct connect_req *)req;
    struct gw_session *s = req->data;

    r->env->release(r->env->ctx, r, sizeof *r);
    if (s->backend.state == END_CONNECTING) { /* not closed meanwhile */
        gw_session_connected(s, status);
    }
}

void gw_upstream_connect(struct gw_session *s)
{
    const struct hb_env *env = s->w->env;

    HB_INVARIANT(s->backend.state == END_NONE);
    s->server = s->next_server;
    const struct sockaddr *addr = (const struct sockaddr *)&gw_upstream_server(s)->addr;
    s->backend.eof = false;
    s->backend.broken = false;
    s->backend_secured = false;
    hb_tls_free(&s->backend.tls); /* of the link before this one; kept until now for the log */
    if (addr->sa_family == AF_UNIX) {
        connect_unix(s);
        return;
    }
    struct connect_req *r = env->alloc(env->ctx, sizeof *r);
    if (r == NULL) {
        gw_session_connected(s, UV_ENOMEM);
        return;
    }
    r->env = env;
    r->req.data = s;
    int rc = uv_tcp_init_ex(&s->w->loop, &s->backend.tcp, addr->sa_family);
    if (rc != 0) { /* no handle, so no close callback either: out of descriptors */
        env->release(env->ctx, r, sizeof *r);
        if (gw_upstream_short(rc)) {
            starve(s, rc);
        } else {
            gw_session_connected(s, rc);
        }
        return;
    }
    count(s);
    (void)uv_tcp_nodelay(&s->backend.tcp, 1); /* a link without it is slower, not wrong */
    rc = uv_tcp_connect(&r->req, &s->backend.tcp, addr, connect_over);
    if (rc != 0) {
        env->release(env->ctx, r, sizeof *r);
        gw_session_connected(s, rc);
    }
}

static void closed(uv_handle_t *handle)
{
    struct gw_session *s = handle->data;

    s->backend.state = END_NONE;
    if (s->linked) {
        s->linked = false;
        s->lc->pool->servers[s->server].now->links--;
    }
    gw_session_backend_closed(s);
}

void gw_upstream_close(struct gw_session *s, bool reset)
{
    gw_end_close(&s->backend, reset, closed);
}
