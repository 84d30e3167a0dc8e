/* listener.c: bind, accept, pause when full.
 * A listener never refuses for want of room: it leaves connections in the system's queue, which costs
 * nothing, and takes them when a session ends, or a second later: a limit of descriptors may have been raised
 * again, and so may the system's own (ENFILE). A pause ends when the queue is empty, or the turn's share of
 * it was taken. */
#include "listener.h"

#include "log.h"
#include "net.h"
#include "service.h"
#include "session.h"
#include "slab.h"
#include "worker.h"
#include <errno.h>
#include <linux/filter.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define BACKLOG 4096 /* the system cuts it to net.core.somaxconn */
#define AT_ONCE 32u  /* connections a turn of the loop */

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

/* A filter that drops SYNs, and nothing else of a handshake: to the kernel it is the same as a full queue,
 * and the client's next SYN, a second later, finds the door closed, or another one open. */
void gw_listener_shut(int fd)
{
    static struct sock_filter no_syn[] = {
        BPF_STMT(BPF_LD | BPF_B | BPF_ABS, 13), /* flags, RFC 9293 3.1 */
        BPF_STMT(BPF_ALU | BPF_AND | BPF_K, 0x12),
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, 0x02, 0, 1), /* SYN without ACK */
        BPF_STMT(BPF_RET | BPF_K, 0),
        BPF_STMT(BPF_RET | BPF_K, UINT32_MAX),
    };
    const struct sock_fprog program = {sizeof no_syn / sizeof no_syn[0], no_syn};

    (void)setsockopt(fd, SOL_SOCKET, SO_ATTACH_FILTER, &program, sizeof program);
}

static bool is_shut(int fd)
{
    socklen_t instructions = 0;

    return getsockopt(fd, SOL_SOCKET, SO_GET_FILTER, NULL, &instructions) == 0 && instructions > 0;
}

/* What there is no more room in; NULL: there is. A listener that waits does so until memory is a little below
 * its ceiling; without any session somebody is let in, however high a new configuration stands. */
static const char *full(const struct gw_listener *l, unsigned most)
{
    const struct gw_worker *w = l->w;
    size_t ceiling = (size_t)w->conf->limits.memory << 20;

    if (w->num_starved > 0 || w->num_sessions >= most) {
        return "descriptors";
    }
    bool much = gw_slab_in_use() > ceiling - (l->paused ? ceiling / 16 : 0);
    return ceiling > 0 && much && w->num_sessions > 0 ? "memory" : NULL;
}

/* What a failed accept4() is short of; NULL: nothing, it was that connection's own failure. */
static const char *short_of(int error)
{
    switch (error) {
    case EMFILE:
    case ENFILE:
        return "descriptors";
    case ENOBUFS:
    case ENOMEM:
        return "memory";
    case EINTR: /* accept(2): errors of the network stand here, too, and mean the next connection */
    case ECONNABORTED:
    case EPROTO:
    case EPERM: /* a firewall's rule */
    case ENETDOWN:
    case ENOPROTOOPT:
    case EHOSTDOWN:
    case ENONET:
    case EHOSTUNREACH:
    case ENETUNREACH:
    case ETIMEDOUT:
        return NULL;
    default:
        return strerror(error);
    }
}

static void pause_for(struct gw_listener *l, const char *why)
{
    if (!l->paused) {
        l->paused = true;
        (void)uv_poll_stop(&l->poll);
        GW_LOG(GW_EV_ACCEPT_PAUSED, GW_STR("listener", l->lc->url), GW_U64("sessions", l->w->num_sessions),
               GW_STR("why", why));
    }
}

/* Takes what the queue holds, as much as a turn allows. True: nothing keeps us from taking more. */
static bool take(struct gw_listener *l)
{
    unsigned most = gw_worker_most_sessions(); /* asks the system: once a turn, not for each */

    for (unsigned n = 0; n < AT_ONCE; n++) {
        const char *why = full(l, most);
        int error = why == NULL ? gw_session_accept(l->w, l->lc, l->fd) : 0;
        if (error == EAGAIN) {
            break;
        }
        why = error != 0 ? short_of(error) : why;
        if (why != NULL) {
            pause_for(l, why);
            return false;
        }
    }
    return true;
}

void gw_listeners_take_rest(struct gw_worker *w)
{
    for (struct gw_listener *l = w->listeners; l != NULL; l = l->next) {
        unsigned left = is_shut(l->fd) ? BACKLOG : 0;
        unsigned most = gw_worker_most_sessions();
        while (left > 0 && full(l, most) == NULL) {
            int error = gw_session_accept(w, l->lc, l->fd);
            left = error == EAGAIN || (error != 0 && short_of(error) != NULL) ? 0 : left - 1;
        }
    }
}

static void incoming(uv_poll_t *poll, int status, int events)
{
    struct gw_listener *l = poll->data;

    (void)events;
    if (status < 0) { /* not with a socket that listens */
        pause_for(l, uv_strerror(status));
        return;
    }
    (void)take(l);
}

static void closed(uv_handle_t *handle)
{
    struct gw_listener *l = handle->data;

    (void)close(l->fd);
    free(l);
}

bool gw_listener_start(struct gw_worker *w, const struct gw_listener_conf *lc, int fd)
{
    struct gw_listener *l = calloc(1, sizeof *l);
    int rc = fd < 0 ? UV_EMFILE : l == NULL ? UV_ENOMEM : uv_poll_init(&w->loop, &l->poll, fd);

    if (rc != 0) {
        free(l);
        if (fd >= 0) {
            (void)close(fd);
        }
    } else {
        l->poll.data = l;
        l->fd = fd;
        l->w = w;
        l->lc = lc;
        l->kept = true;
        rc = listen(fd, BACKLOG) != 0 ? -errno : uv_poll_start(&l->poll, UV_READABLE, incoming);
        if (rc != 0) {
            uv_close((uv_handle_t *)&l->poll, closed);
        }
    }
    if (rc != 0) {
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
    if (l->paused && take(l)) {
        l->paused = uv_poll_start(&l->poll, UV_READABLE, incoming) != 0;
        if (!l->paused) {
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
        uv_close((uv_handle_t *)&l->poll, closed);
    }
}
