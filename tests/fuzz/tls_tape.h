/* tls_tape.h: honest handshakes, recorded message by message, for the fuzz targets to play back changed.
 *
 * A scenario is a row: versions, suites, certificates, resumption. Its tape holds, in clear, everything the
 * peer sent to the connection under test until both were open and had talked. With the same seed the
 * connection under test says the same again, so the tape fits it, and what is changed on the way is the
 * fuzzer's doing alone. */
#ifndef TLS_TAPE_H
#define TLS_TAPE_H

#include "hs/hs.h"
#include "mini_pki.h"
#include "testenv.h"

#define TAPE_ITEMS 48u
#define TAPE_NOW   UINT64_C(1780272000) /* 2026-06-01 */

struct tape_item {
    uint8_t type;         /* of its record */
    bool is13;            /* was protected with TLS 1.3's keys */
    struct hb_span bytes; /* a whole handshake message, or a record's content */
};

struct tape {
    bool recorded;
    struct tape_item item[TAPE_ITEMS];
    unsigned num;
    unsigned num_handshake;      /* so many until READY */
    bool has_signature;          /* a CertificateVerify is among them: it covers everything before it */
    uint8_t digest[HB_HASH_MAX]; /* transcript at READY */
};

struct scenario;

struct world {
    const struct scenario *scenario;
    unsigned number;
    struct testenv shared, mine, peer; /* of configs; of the connection under test; of its peer */
    struct hb_cred_store *server_creds, *client_creds;
    struct hb_trust *trust;
    struct hb_ticket_keys *keys;
    struct hb_tls_config *server, *client;
    struct hb_tls_lane *lane;
    uint8_t session[HB_TLS_SESSION_MAX];
    size_t session_len;
    struct tape tape;
};

extern const unsigned tape_num_scenarios;
const char *tape_name(unsigned i);
/* The world of scenario i % their number, for a connection under test of this role, recorded at its first
 * use; stays. */
struct world *tape_world(unsigned i, bool client);
/* Winds generators and clocks back to where they stood when the tape began, and makes the connection under
 * test. */
struct hb_tls *tape_begin(struct world *w, bool client);
/* The honest other end of that. */
struct hb_tls *tape_peer(struct world *w, bool client);
/* A world of one's own, without a tape; if it is one that resumes, with a session. Frees all it is made of.
 */
struct world *tape_world_new(unsigned i);
void tape_world_free(struct world **w);
/* One honest certificate chain's worth of keys and certificates, shared by all. */
struct tape_pki {
    struct pki_key ca, middle, server, client, rsa, responder;
    struct hb_span ca_pem, ca_der, middle_der, server_der, client_der, rsa_der, responder_der, staple;
};
const struct tape_pki *tape_pki(void);

#endif
