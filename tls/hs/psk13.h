/* hs/psk13.h: pre-shared keys of TLS 1.3, server side: which of the offered ones we take, and tickets for
 * next time. */
#ifndef HB_PSK13_H
#define HB_PSK13_H

#include "hs.h"

/* Looks for the first identity of hs->offer that we can use; fills hs->choice.psk and hs->psk. */
void hb_psk13_find(struct hb_tls *t);
/* Checks the chosen identity's binder over the ClientHello (body without header). */
HB_MUST_USE enum hb_code hb_psk13_check_binder(struct hb_tls *t, struct hb_span body);
/* Forgets the PSK that was found: a full handshake it is. */
void hb_psk13_drop(struct hb_tls *t);
/* Both versions: true if a session from a ticket may be taken up with this offer (RES-06). */
bool hb_session_fits(const struct hb_tls *t, const struct hb_session *s);
/* The session of this connection as tickets keep it; the secret is the caller's to fill in. */
void hb_session_of(const struct hb_tls *t, struct hb_session *s);
/* Puts the NewSessionTicket messages of TLS 1.3 into t->pending: they leave with the first reply. */
HB_MUST_USE enum hb_code hb_psk13_tickets(struct hb_tls *t, const uint8_t *resumption);

#endif
