/* upstream.h: the link to the backend: to which server, connect, and the next one if that fails. */
#ifndef GW_UPSTREAM_H
#define GW_UPSTREAM_H

#include "session.h"
#include <stdbool.h>

/* A link is wanted: decides to which server it will go. */
void gw_upstream_choose(struct gw_session *s);
/* The link failed for `why`. True if another server will be tried instead, as soon as this link is closed;
 * never once the session has the link: the client may have seen something of it. */
bool gw_upstream_next(struct gw_session *s, enum hb_code why);
/* The link is ready. */
void gw_upstream_good(struct gw_session *s);
/* The server the link goes, or went, to. */
const struct gw_server *gw_upstream_server(const struct gw_session *s);
/* Starts a link to the chosen server in s->backend, which must be END_NONE; gw_session_connected() is
 * called later, also for a failure that is known at once. Without a descriptor for it the session waits
 * (s->starved), as long as a connect may take. */
void gw_upstream_connect(struct gw_session *s);
/* That could not be begun for want of a descriptor, and is tried again. False: still none. */
bool gw_upstream_again(struct gw_session *s);
/* True for a libuv status that says: no descriptor could be had. */
bool gw_upstream_short(int status);
/* s waits for no descriptor any more. */
void gw_upstream_fed(struct gw_session *s);
/* Closes the link; gw_session_backend_closed() is called later. */
void gw_upstream_close(struct gw_session *s, bool reset);

/* A link that the supervisor made (a descriptor, the session's from here on), or could not make (a status).
 * False: no session waits for it. */
bool gw_upstream_dialed(struct gw_worker *w, uint32_t number, int result);

#endif
