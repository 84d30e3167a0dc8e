/* upstream.h: the link to the backend: connect, and nothing more yet. */
#ifndef GW_UPSTREAM_H
#define GW_UPSTREAM_H

#include "session.h"

/* Starts a link to the listener's backend in s->backend, which must be END_NONE; gw_session_connected() is
 * called later, also for a failure that is known at once. */
void gw_upstream_connect(struct gw_session *s);
/* Closes the link; gw_session_backend_closed() is called later. */
void gw_upstream_close(struct gw_session *s, bool reset);

struct gw_ipc_in;
/* A link that the supervisor made, or could not make. */
void gw_upstream_dialed(struct gw_worker *w, struct gw_ipc_in *m);

#endif
