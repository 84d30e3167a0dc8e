/* ticket.h: the keys that seal session tickets.
 *
 * Every key is derived from one secret and the clock (12 hours each), so machines
 * that were given the same secret read each other's tickets without a word
 * between them, and an old key ages out by itself: tickets of the two epochs
 * before are still read, nothing older, and of the next one (a clock that is
 * ahead).  Without a secret from outside, a random one is drawn and dies with the
 * process.  Whoever holds the secret can read TLS 1.2 sessions of its tickets;
 * TLS 1.3 sessions keep forward secrecy, since they always do a key exchange. */
#ifndef HB_TICKET_H
#define HB_TICKET_H

#include <hb/env.h>
#include <hb/err.h>
#include <hb/span.h>

struct hb_ticket_keys;

#define HB_TICKET_SECRET_MIN 32u
#define HB_TICKET_EPOCH      43200u /* seconds a key seals */

/* secret: at least HB_TICKET_SECRET_MIN bytes (shorter: HB_E_KEY_WEAK), or empty for a random one. One
 * reference. */
HB_MUST_USE enum hb_code hb_ticket_keys_new(const struct hb_env *env, struct hb_span secret,
                                            struct hb_ticket_keys **keys);
struct hb_ticket_keys *hb_ticket_keys_ref(struct hb_ticket_keys *keys);
void hb_ticket_keys_free(struct hb_ticket_keys **keys);

#endif
