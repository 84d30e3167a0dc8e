/* announce.h: who is at the other end, told to us by a proxy in front, and by us to a backend (PROXY
 * protocol). */
#ifndef GW_ANNOUNCE_H
#define GW_ANNOUNCE_H

#include "session.h"

/* More of a header in the client's held bytes. MORE: wait. OK, OWN: the header is dropped from there, and the
 * session's addresses are those announced. BAD: nothing may be said to whoever this is. */
enum gw_proxy_status gw_announce_read(struct gw_session *s);
/* Puts a header in front of everything on the backend's link, if its listener wants one; false: the client's
 * address is not known or not of a kind that can be told. */
bool gw_announce_write(struct gw_session *s);

#endif
