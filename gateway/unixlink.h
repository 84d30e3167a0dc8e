/* unixlink.h: a connection to a server on a unix socket, made here or by the supervisor.
 *
 * A worker in the sandbox has neither paths nor sockets of this kind: it names a
 * server of its configuration, and the supervisor connects, there and nowhere
 * else. Whoever asked is found again by a number. */
#ifndef GW_UNIXLINK_H
#define GW_UNIXLINK_H

#include "ipc.h"
#include "snapshot.h"

struct gw_worker;

/* A connected descriptor, the caller's; else libuv's status. UV_EAGAIN: *number was given to the supervisor,
 * and gw_upstream_dialed() or gw_health_dialed() is called with it and the same kind of result. */
int gw_unixlink(struct gw_worker *w, const struct gw_snapshot *snap, const struct gw_listener_conf *lc,
                unsigned server, uint32_t *number);
/* A DIALED of the supervisor's: for a session, for a check, or, if that is gone, for nobody. */
void gw_unixlink_dialed(struct gw_worker *w, struct gw_ipc_in *m);

#endif
