/* listener.h: listening sockets: bound before any worker exists, served by each worker's loop.
 * Accepting is ours and not libuv's, which would close connections when descriptors are short. */
#ifndef GW_LISTENER_H
#define GW_LISTENER_H

#include "conf.h"
#include <uv.h>

struct gw_worker;

struct gw_listener {
    uv_poll_t poll;                    /* data: the listener */
    int fd;                            /* owned */
    struct gw_listener *next;          /* the worker's list */
    struct gw_worker *w;               /* borrowed */
    const struct gw_listener_conf *lc; /* borrowed from the snapshot */
    bool kept;                         /* while a new snapshot is taken: it is in that, too */
    bool paused;                       /* connections stay in the system's queue */
};

/* A bound, non-blocking socket for lc, listening, with TCP_NODELAY set (accepted sockets inherit it); shared
 * lets several workers bind the same port (SO_REUSEPORT). -1: why[] says why. */
int gw_listener_bind(const struct gw_listener_conf *lc, bool shared, char *why, size_t cap);
/* Serves fd (which is the listener's from here on) in w's loop, and puts it into w's list. False after
 * logging why. */
bool gw_listener_start(struct gw_worker *w, const struct gw_listener_conf *lc, int fd);
/* True if both listen in the same place. */
bool gw_listener_same_place(const struct gw_listener_conf *a, const struct gw_listener_conf *b);
/* Before the last close of a socket that shall no longer be: nobody new comes into its queue, so that who is
 * in it can be taken, and closing it cuts nobody. Not for a socket that others go on with. */
void gw_listener_shut(int fd);
/* Takes what is in the queues of sockets that are shut, as far as there is room. Before the snapshot is
 * changed: these sessions are of the old one. */
void gw_listeners_take_rest(struct gw_worker *w);
/* Goes on accepting after a pause, if there is room again. */
void gw_listener_resume(struct gw_listener *l);
/* Closes the sockets of those that are not kept (all: of all), and takes them from w's list; frees them in
 * their close callbacks. */
void gw_listeners_stop(struct gw_worker *w, bool all);

#endif
