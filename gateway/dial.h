/* dial.h: what is said on a backend's link before a session may use it: STARTTLS, and whom we speak for.
 *
 *   connected -> gw_dial_begin ... gw_dial_data -> [TLS -> gw_dial_secured -> gw_dial_data] -> ready
 *
 * Carries out what hb/peer.h asks for; decides nothing itself.  A dial lives from the open link to the moment
 * the session gets it, or to the link's end, whichever comes first. */
#ifndef GW_DIAL_H
#define GW_DIAL_H

#include "session.h"

/* True if a link of this listener has something to say before it can be used. */
bool gw_dial_needed(const struct gw_listener_conf *lc);
/* The link is open (implicit: TLS on it is up). gw_session_backend_ready() or _failed() follow. */
void gw_dial_begin(struct gw_session *s);
/* Bytes from the backend, plaintext. */
void gw_dial_data(struct gw_session *s, struct hb_span bytes);
/* TLS is up: the dialogue begins again, inside. */
void gw_dial_secured(struct gw_session *s);
/* Where TLS should begin stands something else: the link fails as if it had come with the go-ahead. */
void gw_dial_injected(struct gw_session *s);
/* Nothing came in time. */
void gw_dial_silent(struct gw_session *s);
/* True while TLS is being set up: bytes are the engine's, and so is the deadline. */
bool gw_dial_in_handshake(const struct gw_session *s);
/* The link ended: why, in the dialogue's terms. */
enum hb_code gw_dial_lost(const struct gw_session *s);
void gw_dial_free(struct gw_session *s);

#endif
