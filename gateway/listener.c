/* listener.c: bind, accept, pause when full.
 * A listener never refuses for want of room: it leaves the connection in the system's queue, which costs
 * nothing, and takes it when a session ends. */
#include "listener.h"

#include "log.h"
#include "session.h"
#include "worker.h"
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define BACKLOG 4096 /* the system cuts it to net.core.somaxconn */

static int fail(const struct gw_listener_conf *lc, const char *what, int fd)
{
    char why[160];

    (void)snprintf(why, sizeof why, "%s: %s: %s", lc->url, what, strerror(errno));
    GW_LOG(GW_EV_START_ERROR, GW_STR("why", why));
    if (fd >= 0) {
        (void)close(fd);
    }
    return -1;
}

int gw_listener_bind(const struct gw_listener_conf *lc, bool shared)
{
    const struct sockaddr *addr = (const struct sockaddr *)&lc->addr;
    socklen_t len = addr->sa_family == AF_INET6 ? sizeof(struct sockaddr_in6) : sizeof(struct sockaddr_in);
    int on = 1;
    int fd = socket(addr->sa_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);

    if (fd < 0) {
        return fail(lc, "cannot make a socket", fd);
    }
    (void)setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
    if (shared && setsockopt(fd, SOL_SOCKET, SO_REUSEPORT, &on, sizeof on) != 0) {
        return fail(lc, "cannot share the port among workers", fd);
    }
    if (addr->sa_family == AF_INET6) {
        (void)setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &on, sizeof on);
    }
    if (setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on) != 0) {
        return fail(lc, "cannot set TCP_NODELAY", fd);
    }
    if (bind(fd, addr, len) != 0) {
        return fail(lc, "cannot listen there", fd);
    }
    if (listen(fd, BACKLOG) != 0) {
        return fail(lc, "cannot listen there", fd);
    }
    return fd;
}

static void take(struct gw_listener *l)
{
    struct gw_worker *w = l->w;

    if (w->num_sessions >= w->max_sessions) {
        if (!l->waiting) {
            GW_LOG(GW_EV_ACCEPT_PAUSED, GW_STR("listener", l->lc->url), GW_U64("sessions", w->num_sessions));
        }
        l->waiting = true;
        return;
    }
    /* libuv does not offer a connection twice: what was not taken is ours to ask for again. */
    l->waiting = !gw_session_accept(w, l->lc, (uv_stream_t *)&l->tcp);
}

static void incoming(uv_stream_t *server, int status)
{
    struct gw_listener *l = server->data;

    if (status < 0) { /* mostly: out of descriptors; libuv has closed the connection */
        GW_LOG(GW_EV_ACCEPT_FAILED, GW_STR("listener", l->lc->url), GW_STR("why", uv_strerror(status)));
        return;
    }
    take(l);
}

int gw_listener_start(struct gw_listener *l, struct gw_worker *w, const struct gw_listener_conf *lc, int fd)
{
    l->w = w;
    l->lc = lc;
    int rc = uv_tcp_init(&w->loop, &l->tcp);
    if (rc == 0) {
        l->tcp.data = l;
        rc = uv_tcp_open(&l->tcp, fd);
    }
    if (rc == 0) {
        rc = uv_listen((uv_stream_t *)&l->tcp, BACKLOG, incoming);
    }
    if (rc != 0) {
        GW_LOG(GW_EV_START_ERROR, GW_STR("listener", lc->url), GW_STR("why", uv_strerror(rc)));
        return -1;
    }
    return 0;
}

void gw_listener_resume(struct gw_listener *l)
{
    if (l->waiting && !uv_is_closing((const uv_handle_t *)&l->tcp)) {
        take(l);
        if (!l->waiting) {
            GW_LOG(GW_EV_ACCEPT_RESUMED, GW_STR("listener", l->lc->url));
        }
    }
}

void gw_listener_stop(struct gw_listener *l)
{
    if (!uv_is_closing((const uv_handle_t *)&l->tcp)) {
        uv_close((uv_handle_t *)&l->tcp, NULL);
    }
}
