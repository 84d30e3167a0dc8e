/* session.h: what two ends remember of a session so that the next handshake is short (private to tls/).
 *
 * The server keeps it in a ticket that only it can read, the client in a blob
 * that it hands to its caller. The byte format is ours and has a version; what
 * does not parse is a full handshake, never an error. */
#ifndef HB_SESSION_H
#define HB_SESSION_H

#include "crypto/suite.h"
#include <hb/builder.h>
#include <hb/cursor.h>
#include <hb/ticket.h>

#define HB_SESSION_NAME_MAX 255u
#define HB_TICKET_MAX       4096u /* the longest ticket of a peer that we keep */

struct hb_session {
    uint16_t version, suite, group;
    uint8_t secret[48]; /* TLS 1.3: the PSK; 1.2: the master secret */
    uint8_t secret_len;
    bool ems;
    bool has_peer;           /* the other side showed a certificate that was verified */
    uint64_t first;          /* wall clock of the full handshake it goes back to */
    uint64_t made;           /* wall clock of the ticket */
    uint64_t peer_not_after; /* has_peer: end of that certificate's life */
    uint32_t lifetime;       /* seconds from made on */
    uint32_t age_add;        /* TLS 1.3 */
    uint8_t peer_digest[32]; /* has_peer: SHA-256 of the certificate */
    uint8_t name_len, alpn_len, identity_len;
    char name[HB_SESSION_NAME_MAX], alpn[HB_SESSION_NAME_MAX], identity[HB_SESSION_NAME_MAX];
};

void hb_session_write(const struct hb_session *s, struct hb_bld *out);
/* False if c does not hold a session of our format, whole; c may hold more behind it. */
bool hb_session_read(struct hb_cur *c, struct hb_session *s);

/* Seals s into a ticket (RES-04). context: whatever a ticket is bound to beyond its contents; another context
 * does not open it. */
void hb_ticket_seal(struct hb_ticket_keys *keys, struct hb_span context, const struct hb_session *s,
                    struct hb_bld *out);
/* False for everything that is not a ticket of ours, of this context, sealed less than three epochs ago. */
bool hb_ticket_open(struct hb_ticket_keys *keys, struct hb_span context, struct hb_span ticket,
                    struct hb_session *s);

#endif
