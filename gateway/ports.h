/* ports.h: the listening sockets, by place, kept across generations of the configuration.
 *
 * The supervisor binds, once, and keeps every socket open: a connection that comes
 * while its worker is being started again waits in the system's queue. With more
 * than one worker each place has one socket for each of them (SO_REUSEPORT). A
 * socket of ours is shut before it is closed, and closed here before workers hear
 * of it: theirs is the last close, behind all that was in the queue. */
#ifndef GW_PORTS_H
#define GW_PORTS_H

#include "conf.h"

struct gw_port {
    struct sockaddr_storage addr;
    bool given;       /* by the service manager, which goes on with it */
    bool fresh, used; /* opened for the configuration being tried; used by it */
    int fds[GW_MAX_WORKERS];
};

struct gw_ports {
    struct gw_port port[2 * GW_MAX_LISTENERS];
    unsigned num, workers;
};

/* Opens what conf needs and is not there yet. False: why[] says why, and nothing has changed. */
bool gw_ports_open(struct gw_ports *ports, const struct gw_conf *conf, char *why, size_t cap);
/* conf is in force: closes what it does not need. The numbers are for the log. */
void gw_ports_settle(struct gw_ports *ports, unsigned *added, unsigned *removed);
/* It is not, after all: closes what was opened for it. */
void gw_ports_undo(struct gw_ports *ports);
void gw_ports_close(struct gw_ports *ports);
/* A worker's socket for a listener; -1: there is none. */
int gw_ports_find(const struct gw_ports *ports, const struct gw_listener_conf *lc, unsigned worker);

#endif
