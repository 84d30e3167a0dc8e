/* listener.c: bind, accept, pause when full.
 * A listener never refuses for want of room: it leaves the connection in the system's queue, which costs
 * nothing, and takes it when a session ends. */
#include "listener.h"

#include "log.h"
#include "net.h"
#include "service.h"
#include "session.h"
#include "slab.h"
#include "worker.h"
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define BACKLOG 4096 /* the system cuts it to net.core.somaxconn */

static int fail(const struct gw_listener_conf *lc, const char *what, int fd, char *why, size_t cap)
{
    (void)snprintf(why, cap, "%s: %s: %s", lc->url, what, strerror(errno));
    if (fd >= 0) {
        (void)close(fd);
    }
    return -1;
}

/* The service manager's socket for this listener; -1: it has none. */
static int handed_over(const struct gw_listener_conf *lc)
{
    int on = 1;
    int fd = gw_service_socket(lc->name);

    if (fd >= 0) {
        (void)setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    }
    return fd;
}

int gw_listener_bind(const struct gw_listener_conf *lc, bool shared, char *why, size_t cap)
{
    int given = handed_over(lc);
    if (given >= 0) {
        return given; /* workers share it: all of them take from one queue */
    }
    const struct sockaddr *addr = (const struct sockaddr *)&lc->addr;
    socklen_t len = gw_addr_len(addr);
    int on = 1;
    int fd = socket(addr->sa_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);

    if (fd < 0) {
        return fail(lc, "cannot make a socket", fd, why, cap);
    }
    (void)setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
    if (shared && setsockopt(fd, SOL_SOCKET, SO_REUSEPORT, &on, sizeof on) != 0) {
        return fail(lc, "cannot share the port among workers", fd, why, cap);
    }
    if (addr->sa_family == AF_INET6) {
        (void)setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &on, sizeof on);
    }
    if (setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on) != 0) {
        return fail(lc, "cannot set TCP_NODELAY", fd, why, cap);
    }
    if (bind(fd, addr, len) != 0) {
        return fail(lc, "cannot listen there", fd, why, cap);
    }
    if (listen(fd, BACKLOG) != 0) {
        return fail(lc, "cannot listen there", fd, why, cap);
    }
    return fd;
}

/* What there is no more room in; NULL: there is. A listener that waits does so until memory is a little below
 * its ceiling; without any session somebody is let in, however high a new configuration stands. */
static const char *full(const struct gw_listener *l)
{
    const struct gw_worker *w = l->w;
    size_t ceiling = (size_t)w->conf->limits.memory << 20;

    if (w->num_sessions >= w->max_sessions) {
        return "descriptors";
    }
    bool much = gw_slab_in_use() > ceiling - (l->waiting ? ceiling / 16 : 0);
    return ceiling > 0 && much && w->num_sessions > 0 ? "memory" : NULL;
}

static void take(struct gw_listener *l)
{
    struct gw_worker *w = l->w;
    const char *why = full(l);

    if (why != NULL) {
        if (!l->waiting) {
            GW_LOG(GW_EV_ACCEPT_PAUSED, GW_STR("listener", l->lc->url), GW_U64("sessions", w->num_sessions),
                   GW_STR("why", why));
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

static void closed(uv_handle_t *handle)
{
    free(handle->data);
}

bool gw_listener_start(struct gw_worker *w, const struct gw_listener_conf *lc, int fd)
{
    struct gw_listener *l = calloc(1, sizeof *l);
    int rc = l != NULL ? uv_tcp_init(&w->loop, &l->tcp) : UV_ENOMEM;

    if (rc == 0) {
        l->tcp.data = l;
        l->w = w;
        l->lc = lc;
        l->kept = true;
        rc = uv_tcp_open(&l->tcp, fd);
        if (rc == 0) {
            rc = uv_listen((uv_stream_t *)&l->tcp, BACKLOG, incoming);
            fd = -1; /* the handle's */
        }
        if (rc != 0) {
            uv_close((uv_handle_t *)&l->tcp, closed);
        }
    } else {
        free(l);
    }
    if (rc != 0) {
        if (fd >= 0) {
            (void)close(fd);
        }
        GW_LOG(GW_EV_START_ERROR, GW_STR("listener", lc->url), GW_STR("why", uv_strerror(rc)));
        return false;
    }
    l->next = w->listeners;
    w->listeners = l;
    return true;
}

bool gw_listener_same_place(const struct gw_listener_conf *a, const struct gw_listener_conf *b)
{
    return memcmp(&a->addr, &b->addr, sizeof a->addr) == 0; /* zeroed before they were filled in */
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

void gw_listeners_stop(struct gw_worker *w, bool all)
{
    struct gw_listener **at = &w->listeners;

    while (*at != NULL) {
        struct gw_listener *l = *at;
        if (!all && l->kept) {
            at = &l->next;
            continue;
        }
        *at = l->next;
        if (!uv_is_closing((const uv_handle_t *)&l->tcp)) {
            uv_close((uv_handle_t *)&l->tcp, closed);
        }
    }
}
