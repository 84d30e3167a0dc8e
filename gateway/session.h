/* session.h: one client and its backend, from accept to the last close callback.
 *
 * A session carries out what its protocol session (hb/proto.h) asks for; it
 * knows no mail command.  Each callback of libuv is one turn: bytes in, protocol
 * and TLS run to the end, one write for each side, reading started or stopped.
 * Freed in the last close callback and nowhere else. */
#ifndef GW_SESSION_H
#define GW_SESSION_H

#include "conf.h"
#include "end.h"
#include "facts.h"
#include "phase.h"
#include "proxyhdr.h"
#include "wheel.h"
#include <hb/proto.h>
#include <netinet/in.h>

/* An address without the room of sockaddr_storage; family 0: not known. */
union gw_addr {
    struct sockaddr sa;
    struct sockaddr_in in;
    struct sockaddr_in6 in6;
};

struct gw_dial;
struct gw_worker;

struct gw_session {
    struct gw_end client, backend;
    struct gw_worker *w;               /* borrowed: outlives us */
    struct gw_snapshot *snap;          /* owned reference: the configuration we began with */
    const struct gw_listener_conf *lc; /* borrowed from it */
    struct hb_proto_session *ps;       /* owned; NULL before an implicit handshake is done */
    struct gw_dial *dial;              /* owned; NULL unless the backend's link is being made ready */
    struct gw_proxy_addrs *announced;  /* owned; NULL unless a proxy said whom it speaks for */
    struct gw_session *next, **prev;   /* the worker's list */
    struct gw_timer timer;
    uint64_t id;
    struct gw_facts *facts;      /* owned, or NULL: facts.h */
    uint32_t started;            /* the loop's clock in milliseconds, its low half: gw_session_age() */
    uint32_t dialed;             /* the supervisor's number for the link it makes; 0: none */
    uint32_t shook;              /* milliseconds from the start to the first byte of the client's handshake */
    union gw_addr peer;          /* where the client comes from, as the system or a trusted proxy says */
    uint32_t tried;              /* a bit for each server of the pool that refused this link */
    uint8_t server, next_server; /* whose link it is; whose the next one will be */
    uint8_t phase;               /* enum gw_phase */
    uint8_t last_phase;          /* where it was when it ended */
    bool backend_secured : 1;    /* TLS toward the backend is up, or was until the end */
    bool backend_handshake : 1;  /* TLS toward the backend is not up yet */
    bool client_done : 1;        /* the client ended its stream cleanly: the backend may finish */
    bool connect_wanted : 1;     /* a new backend link, as soon as the old one is closed */
    bool await_greeting : 1;     /* the backend was asked for, and greets */
    bool at_line : 1;            /* the client's stream stands at the start of a line */
    bool abort_backend : 1;      /* the backend shall see an abort */
    bool abort_client : 1;       /* no close_notify: the client shall see a truncation */
    bool ended : 1;              /* why is set */
    bool counted : 1;            /* by the limiter: as a connection */
    bool shaking : 1;            /* ...and as a handshake under way */
    bool linked : 1;             /* the link counts as one of its server's */
    bool stalled : 1;            /* in the tarpit until the timer goes off: the client is not read */
    bool starved : 1;            /* no descriptor for the backend's link: the worker tries again */
    bool goodbye_due : 1;        /* the protocol says goodbye in answer to the next command */
    uint16_t code;               /* enum hb_code: why it ended */
};

/* Takes a connection from the queue of a listening socket. An errno: accept4()'s; ENOMEM: no memory for it,
 * and it still waits; EAGAIN: nobody is there. */
int gw_session_accept(struct gw_worker *w, const struct gw_listener_conf *lc, int listening);
/* The worker shuts down: says goodbye as the protocol wants it (R13). */
void gw_session_bye(struct gw_session *s);
/* The operator wants it gone: what was said is sent, goodbye if the protocol can say it now, and the end.
 * Once more: the end, whatever is pending. */
void gw_session_dismiss(struct gw_session *s);
/* Ends at once, whatever is pending. */
void gw_session_kill(struct gw_session *s, enum hb_code why);
/* s's timer went off. */
void gw_session_deadline(struct gw_session *s);

/* ---- for end.c, upstream.c and signer.c ---- */

/* What e's TLS connection waited for is there. */
void gw_session_answered(struct gw_session *s, struct gw_end *e);

/* Where the client comes from and which address of ours it came to; family 0: not known. */
void gw_session_addresses(const struct gw_session *s, struct sockaddr_storage *peer,
                          struct sockaddr_storage *own);
/* Milliseconds since the client came; right for 49 days. */
uint32_t gw_session_age(const struct gw_session *s);
/* A refused chunk of e was sent (or failed). */
void gw_session_drained(struct gw_session *s, struct gw_end *e);
/* The backend link is open, or cannot be (status: libuv's). */
void gw_session_connected(struct gw_session *s, int status);
/* TLS toward the backend: up; plaintext from it; its close_notify; failed. */
void gw_session_backend_secured(struct gw_session *s);
/* The link is the session's now. greeting: what the backend's side begins with, if it was read already;
 * rest: what came behind it. Both borrowed during the call. */
void gw_session_backend_ready(struct gw_session *s, struct hb_span greeting, struct hb_span rest);
void gw_session_backend_data(struct gw_session *s, struct hb_span bytes);
void gw_session_backend_said_bye(struct gw_session *s);
void gw_session_backend_failed(struct gw_session *s, enum hb_code why);
/* The backend's handle is closed. */
void gw_session_backend_closed(struct gw_session *s);

#endif
