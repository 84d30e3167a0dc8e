/* listener.h: listening sockets: bound before any worker exists, served by each worker's loop. */
#ifndef GW_LISTENER_H
#define GW_LISTENER_H

#include "conf.h"
#include <uv.h>

struct gw_worker;

struct gw_listener {
    uv_tcp_t tcp;                      /* tcp.data: the listener */
    struct gw_worker *w;               /* borrowed */
    const struct gw_listener_conf *lc; /* borrowed from the snapshot */
    bool waiting; /* a connection is there that we have not taken: libuv does not ask again until we do */
};

/* A bound, non-blocking socket for lc, listening, with TCP_NODELAY set (accepted sockets inherit it); shared
 * lets several workers bind the same port (SO_REUSEPORT). -1 after logging why. */
int gw_listener_bind(const struct gw_listener_conf *lc, bool shared);
/* Serves fd in w's loop; l must stay where it is. HB_OK or HB_E_INTERNAL after logging why. */
int gw_listener_start(struct gw_listener *l, struct gw_worker *w, const struct gw_listener_conf *lc, int fd);
/* Takes a connection that was left waiting, if there is room again. */
void gw_listener_resume(struct gw_listener *l);
/* Closes the socket: connections not yet accepted are refused by the system. */
void gw_listener_stop(struct gw_listener *l);

#endif
