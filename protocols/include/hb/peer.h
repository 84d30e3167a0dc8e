/* peer.h: the client face of a mail protocol: from a server's greeting to a session that is ready.
 *
 * A dialogue is fed with what the server said and says, through a sink, what
 * the server shall get; it sees no socket, no clock and no TLS.  It never logs
 * in, opens no mailbox and sends no mail: greeting, capabilities, STARTTLS, TLS,
 * capabilities again, perhaps whom we speak for, and goodbye is all there is.
 *
 *   HB_PEER_CLEAR      new, start, feed ...                             -> READY
 *   HB_PEER_IMPLICIT   [TLS] new, start, feed ...                       -> READY
 *   HB_PEER_STARTTLS   new, start, feed ... -> UPGRADE [TLS] secured(), feed ... -> READY
 *
 * Nothing that a server says in clear is believed beyond "this is the protocol"
 * and the one go-ahead (CLI-03): lists, texts and codes from before TLS are kept
 * as facts for a report and decide nothing.  Bytes behind the go-ahead end the
 * dialogue (CLI-01), and so do an unknown answer, a login nobody made (PREAUTH),
 * a missing or refused STARTTLS: each has its own code, there is no way on in
 * clear (CLI-04, ATK-13).
 *
 * At READY hb_peer_greeting() is what a session with this server begins with:
 * the server's own greeting where it can be believed, else one made from what
 * was said inside TLS (ATK-22).
 *
 * Invariants: nothing is said after UPGRADE before secured(), and nothing after
 * FAIL but what goodbye() says; every reply and every list has a maximum
 * (CLI-13); how the bytes were cut changes nothing. */
#ifndef HB_PEER_H
#define HB_PEER_H

#include <hb/env.h>
#include <hb/err.h>
#include <hb/span.h>
#include <stdbool.h>

/* CLI-13 */
#define HB_PEER_LINE_MAX  8192u  /* one line */
#define HB_PEER_LINES_MAX 200u   /* lines of one reply */
#define HB_PEER_TOTAL_MAX 65536u /* everything before TLS, and again inside */

struct hb_peer_proto; /* one protocol's client face */
struct hb_peer;       /* one dialogue */

enum hb_peer_tls { HB_PEER_CLEAR, HB_PEER_IMPLICIT, HB_PEER_STARTTLS };

/* Whom we speak for: all borrowed, texts without blanks or control characters. */
struct hb_peer_client {
    const char *addr, *dest_addr; /* numeric; NULL: not known */
    uint16_t port, dest_port;
    bool ipv6, dest_ipv6;
    bool tls;            /* the client's own connection is protected */
    const char *session; /* our name for the session, or NULL */
    const char *sni;     /* the name the client asked for, or NULL */
    unsigned ttl;        /* how many proxies may still follow (ADDR-22) */
};

struct hb_peer_settings {
    const char *host;   /* borrowed: our name in EHLO and in greetings of our own */
    const char *server; /* borrowed: the server's name, for HTTP's Host; NULL: host */
    enum hb_peer_tls tls;
    bool look;                           /* ask for the list in clear or implicit TLS, too */
    const struct hb_peer_client *client; /* borrowed; NULL: nobody is announced (ADDR-10, 13, 20) */
};

struct hb_peer_sink {
    void *ctx; /* borrowed */
    void (*to_server)(void *ctx, struct hb_span bytes);
};

enum hb_peer_want {
    HB_PEER_MORE,    /* the server speaks next */
    HB_PEER_UPGRADE, /* TLS begins now; then secured(). Nothing may be left of what was fed */
    HB_PEER_READY,   /* done: bytes not taken belong to the session */
    HB_PEER_FAIL     /* why says the reason; nothing further is taken */
};

struct hb_peer_step {
    size_t used; /* bytes taken of what was fed */
    enum hb_peer_want want;
    enum hb_code why;
};

/* What was learnt so far, for logs and reports. Nothing of it may decide anything. */
struct hb_peer_facts {
    bool greeted;        /* a greeting of this protocol came */
    bool offered;        /* STARTTLS was listed in clear */
    bool tried, refused; /* STARTTLS was said; the server said no */
    bool preauth;        /* the server says that somebody is logged in already */
    bool behind;         /* bytes stood behind the go-ahead */
    bool early;          /* an answer came before its question */
    bool secured;        /* TLS is up */
    bool offered_in_tls; /* STARTTLS is still listed inside TLS (GEN-12) */
    bool waited;         /* no list was pushed inside TLS: it had to be asked for (CLI-10) */
};

/* The client face of a protocol by its name ("imap", "submission", ...); NULL if it has none. */
const struct hb_peer_proto *hb_peer_find(const char *name);
/* True if this face can tell a server whom it speaks for: with XCLIENT, with ID. */
bool hb_peer_has_xclient(const struct hb_peer_proto *proto);
bool hb_peer_has_id(const struct hb_peer_proto *proto);
/* True if the server waits to be asked: a link in clear, or in TLS from its first octet, is READY at once. */
bool hb_peer_waits(const struct hb_peer_proto *proto);
/* The ALPN id to offer, NULL if none is registered (ALPN-03). */
const char *hb_peer_alpn(const struct hb_peer_proto *proto);

/* set, what it points at, and env are borrowed and must outlive the dialogue. NULL: out of memory. */
struct hb_peer *hb_peer_new(const struct hb_peer_proto *proto, const struct hb_peer_settings *set,
                            const struct hb_env *env);
void hb_peer_free(struct hb_peer **p); /* wipes; *p becomes NULL */

/* The link is open (implicit: TLS is up). */
struct hb_peer_step hb_peer_start(struct hb_peer *p, const struct hb_peer_sink *sink);
/* Bytes from the server; inside TLS, what came out of it. */
struct hb_peer_step hb_peer_feed(struct hb_peer *p, struct hb_span bytes, const struct hb_peer_sink *sink);
/* TLS is up, the server's certificate judged: all that was heard before is forgotten. */
struct hb_peer_step hb_peer_secured(struct hb_peer *p, const struct hb_peer_sink *sink);
/* Seconds of silence after which to call hb_peer_silent(): it tries something else, or fails. */
unsigned hb_peer_patience(const struct hb_peer *p);
struct hb_peer_step hb_peer_silent(struct hb_peer *p, const struct hb_peer_sink *sink);
/* The link ended: why, in terms of what was being waited for. */
enum hb_code hb_peer_lost(const struct hb_peer *p);
/* Says QUIT or LOGOUT if the server would understand it now; the link may be closed behind it. */
void hb_peer_goodbye(struct hb_peer *p, const struct hb_peer_sink *sink);

const struct hb_peer_facts *hb_peer_facts(const struct hb_peer *p);
/* The last lines of the lists before and inside TLS, with CRLFs; empty if there was none. Borrowed. */
struct hb_span hb_peer_list(const struct hb_peer *p, bool in_tls);
/* The first bytes of the last line the server said. Said in clear unless facts->secured: an attacker's,
 * perhaps. Borrowed until the next call. */
struct hb_span hb_peer_said(const struct hb_peer *p);
/* READY: the greeting, CRLF included, with which a session with this server begins. Borrowed. */
struct hb_span hb_peer_greeting(const struct hb_peer *p);

#endif
