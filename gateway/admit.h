/* admit.h: who may come in, and who may begin a handshake: lists and limits, applied to sessions.
 * The address that counts is the client's: behind accept-proxy the announced one. */
#ifndef GW_ADMIT_H
#define GW_ADMIT_H

#include "session.h"

/* A session whose address is known: HB_OK, or why it must end. Counted until gw_admit_leave(). */
enum hb_code gw_admit(struct gw_session *s);
/* Its handshake is about to begin: HB_OK, or why not. Counted until gw_admit_handshake_over(). */
enum hb_code gw_admit_handshake(struct gw_session *s);
void gw_admit_handshake_over(struct gw_session *s);
/* The backend refused so many logins of it: counted, and logged. */
void gw_admit_failed_logins(struct gw_session *s, unsigned num);
/* Seconds that it shall wait now for the logins that failed from there; 0: it need not. */
unsigned gw_admit_tarpit(const struct gw_session *s);
/* The session is gone. */
void gw_admit_leave(struct gw_session *s);

#endif
