/* proto.h: one mail protocol between client and backend, as pure functions over bytes.
 *
 * A session object is fed with what each side sent and says, through a sink,
 * what each side shall get; it never sees a socket, a clock or TLS.  What it
 * cannot do itself (connect, switch to TLS, close) it asks for with the step it
 * returns.  The same session lives on both sides of the upgrade.
 *
 * The life of a session, as the gateway drives it:
 *
 *   plain listener, tls=required    new, start -> greeting by ourselves          ... feed(CLIENT) ...
 *                                   -> WANT_UPGRADE -> [TLS handshake] -> secured() -> WANT_CONNECT
 *                                   -> [connect] -> backend_open() -> feed both sides ... -> WANT_OPAQUE
 *   plain listener, tls=optional    new, start -> WANT_CONNECT -> backend_open(), feed both sides (backend's
 *                                   greeting passes, edited) ... -> WANT_UPGRADE -> the gateway closes this
 *                                   backend link -> [TLS] -> secured() -> WANT_CONNECT -> ... as above
 *   implicit TLS listener           [TLS] -> new, start -> WANT_CONNECT -> ...
 *
 * feed() may take fewer bytes than given: the gateway keeps the rest, stops
 * reading that side, and feeds the rest again after the next event on the other
 * side.  At WANT_UPGRADE what was not taken of the client's bytes is the residue
 * and goes to the TLS engine (GEN-03), never back here.  After WANT_OPAQUE the
 * gateway moves bytes both ways without asking any more.
 *
 * Invariants: nothing is emitted after WANT_CLOSE; memory held for a partial
 * line is bounded by the row's limits and is zero when the session is quiet. */
#ifndef HB_PROTO_H
#define HB_PROTO_H

#include <hb/env.h>
#include <hb/err.h>
#include <hb/span.h>
#include <stdbool.h>

struct hb_proto;         /* one protocol: a row of the registry */
struct hb_proto_session; /* one client's session */

enum hb_proto_side { HB_FROM_CLIENT, HB_FROM_BACKEND };

/* A login in clear. Never tells who it was. */
struct hb_proto_login {
    const char *mechanism;   /* static: "PLAIN", "SCRAM-SHA-256", "LOGIN command", "USER/PASS", "other" */
    struct hb_span software; /* what the client says it is (ID, EHLO): at most 64 printable bytes, or none */
    bool refused;            /* by our policy: it did not reach the backend. Else the backend took it */
};

/* Where a session's output goes. Spans are good during the call only. Order of calls is order on the wire. */
struct hb_proto_sink {
    void *ctx; /* borrowed */
    void (*to_client)(void *ctx, struct hb_span bytes);
    void (*to_backend)(void *ctx, struct hb_span bytes);
    void (*clear_login)(void *ctx, const struct hb_proto_login *login); /* NULL: nobody wants to know */
};

enum hb_proto_want {
    HB_WANT_MORE,    /* all taken; go on */
    HB_WANT_WAIT,    /* this side's remaining bytes must wait for the other side (used < given, or 0) */
    HB_WANT_CONNECT, /* open a (new) backend link, closing the old one if any; then backend_open() */
    HB_WANT_UPGRADE, /* everything emitted so far must be flushed, then TLS begins; then secured() */
    HB_WANT_OPAQUE,  /* relay both ways without looking, from the byte behind `used` on */
    HB_WANT_CLOSE    /* flush, say TLS goodbye, close both sides; why says the reason */
};

struct hb_proto_step {
    size_t used; /* bytes taken of what was fed */
    enum hb_proto_want want;
    enum hb_code why; /* HB_WANT_CLOSE: the reason, for the log; else HB_OK, or a note worth logging */
};

/* How a client that its certificate names is logged in to the backend (SASL EXTERNAL, SASL-02 to SASL-04). */
enum hb_external {
    HB_EXTERNAL_OFF,
    HB_EXTERNAL_MASTER,  /* by us: SASL PLAIN as a master user, who becomes the one the certificate names */
    HB_EXTERNAL_XCLIENT, /* by us, SMTP alone: XCLIENT LOGIN says who it is */
    HB_EXTERNAL_PASS     /* by the backend: it was told of the certificate, and its EXTERNAL passes */
};

struct hb_proto_settings {
    const char *host;      /* borrowed: our name in greetings */
    bool implicit;         /* TLS from the first byte */
    bool tls_required;     /* refuse nearly everything before TLS */
    bool tls_usable;       /* a certificate is loaded (GEN-10); else R6 */
    bool starttls_offered; /* false: R7 */
    bool plaintext_auth;   /* tls=optional only: allow passwords in clear (default no, GEN-14) */
    bool needs_ehlo;       /* SMTP-10 */
    bool warn_clear;       /* who logs in in clear is told so, where the protocol has a way */
    unsigned max_bad;      /* bad commands before closing, at most 255; 0: the default of 10 */
    unsigned idle;         /* seconds of silence after login; 0: the protocol's default */
    unsigned preauth;      /* seconds of silence before it; 0: the default of 60 */
    bool link_credential;  /* our link to the backend shows who we are: a certificate, a pre-shared key */
    enum hb_external external;
    const char *master_user, *master_password; /* borrowed: HB_EXTERNAL_MASTER; 1..255 bytes each */
};

/* The row for a listener's URL scheme ("imap", "imaps", "submission", "tls", ...); NULL if unknown.
 * *implicit tells whether TLS comes first. */
const struct hb_proto *hb_proto_find(const char *scheme, bool *implicit);
/* Scheme number i of the registry, for help texts and tests; NULL beyond the end. */
const char *hb_proto_scheme(unsigned i);
const char *hb_proto_name(const struct hb_proto *proto);             /* "imap" */
uint16_t hb_proto_port(const struct hb_proto *proto, bool implicit); /* PORT-01; 0 none */
/* True if the protocol's RFC forbids a listener on this port (LMTP on 25). */
bool hb_proto_port_forbidden(const struct hb_proto *proto, unsigned port);
/* Seconds of silence that the protocol's RFC grants a client that is logged in (GEN-19). */
unsigned hb_proto_idle_least(const struct hb_proto *proto);
unsigned hb_proto_idle_default(const struct hb_proto *proto); /* a little more */
/* True if a server of this protocol speaks first. */
bool hb_proto_greets(const struct hb_proto *proto);
/* ALPN protocol ids this protocol accepts, in order; NULL beyond the end (ALPN-01). */
const char *hb_proto_alpn(const struct hb_proto *proto, unsigned i);
/* true: an ALPN offer without our id is refused (ALPN-02). false for raw TLS. */
bool hb_proto_alpn_strict(const struct hb_proto *proto);

/* settings and env are borrowed and must outlive the session. NULL: out of memory. */
struct hb_proto_session *hb_proto_new(const struct hb_proto *proto, const struct hb_proto_settings *settings,
                                      const struct hb_env *env);
void hb_proto_free(struct hb_proto_session **s); /* wipes; *s becomes NULL */

/* The backend offers SCRAM with channel binding, which cannot work through a gateway: clients see no SCRAM.
 */
bool hb_proto_scram_hidden(const struct hb_proto_session *s);
/* The client's certificate is verified and names this identity: before secured(), or before start() where TLS
 * came first. Borrowed, and must outlive the session. One that is empty, longer than 255 bytes or holds
 * control characters is nobody's. */
void hb_proto_identify(struct hb_proto_session *s, const char *identity);

/* The first call: greets, or asks for the backend. */
struct hb_proto_step hb_proto_start(struct hb_proto_session *s, const struct hb_proto_sink *sink);
/* Bytes from one side. See above for `used`. */
struct hb_proto_step hb_proto_feed(struct hb_proto_session *s, enum hb_proto_side from, struct hb_span bytes,
                                   const struct hb_proto_sink *sink);
/* The client's TLS handshake is done: forgets everything learnt in clear (GEN-06). */
struct hb_proto_step hb_proto_secured(struct hb_proto_session *s, const struct hb_proto_sink *sink);
/* The backend link asked for is open; its greeting comes next. */
struct hb_proto_step hb_proto_backend_open(struct hb_proto_session *s, const struct hb_proto_sink *sink);
/* The backend could not be reached, or closed, or broke: says what can still be said (R15, GEN-21). clean:
 * an orderly end of stream. Always ends in WANT_CLOSE, in opaque sessions too. */
struct hb_proto_step hb_proto_backend_lost(struct hb_proto_session *s, bool clean,
                                           const struct hb_proto_sink *sink);
/* The gateway wants to end the session: why is HB_E_GW_SHUTDOWN (R13) or HB_E_GW_IDLE (R14). WANT_CLOSE: said
 * (or nothing to say), close now. WANT_MORE: the protocol says it in answer to the next command. Works in
 * opaque sessions too: at_line tells whether the client's stream stands at the start of a line; if not,
 * nothing is said. */
struct hb_proto_step hb_proto_bye(struct hb_proto_session *s, enum hb_code why, bool at_line,
                                  const struct hb_proto_sink *sink);

/* Seconds of silence that end the session in its present state (GEN-18, GEN-19). */
unsigned hb_proto_idle_seconds(const struct hb_proto_session *s);
/* True from the end of the backend's greeting to the end of its link. */
bool hb_proto_backend_up(const struct hb_proto_session *s);
/* True once the client is logged in, as far as we saw. */
bool hb_proto_authenticated(const struct hb_proto_session *s);
/* Logins that the backend refused so far, as far as we saw: wrong passwords and the like, not a server that
 * is in trouble. At most 65535. */
unsigned hb_proto_failed_logins(const struct hb_proto_session *s);
/* How the last login was tried: hb_proto_login's mechanism. */
const char *hb_proto_login_mechanism(const struct hb_proto_session *s);

#endif
