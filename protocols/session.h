/* session.h: a protocol's row, and what every session has (private to protocols/).
 *
 * A protocol is one struct hb_proto: tables and functions that look at one unit
 * of a stream at a time (a line, a piece of a literal). The loop around them,
 * line rules that hold for all, connecting, upgrading and saying goodbye are in
 * session.c, once. */
#ifndef HB_SESSION_H
#define HB_SESSION_H

#include "line.h"
#include "replyq.h"
#include <hb/proto.h>

/* What a protocol function says about the unit it looked at. */
enum hb_unit {
    HB_UNIT_NEXT,    /* done with it: look for the next */
    HB_UNIT_MORE,    /* not whole yet */
    HB_UNIT_WAIT,    /* must wait for the other side; nothing was taken */
    HB_UNIT_UPGRADE, /* accepted: the OK was said, TLS begins behind this line */
    HB_UNIT_OPAQUE,  /* from the next byte on nobody looks any more */
    HB_UNIT_CLOSE    /* s->why says why */
};

enum hb_backend_state {
    HB_BACKEND_NONE,     /* not contacted */
    HB_BACKEND_ASKED,    /* the gateway was asked to connect */
    HB_BACKEND_GREETING, /* open, its greeting has not come */
    HB_BACKEND_UP
};

enum hb_goodbye { HB_BYE_SHUTDOWN, HB_BYE_IDLE, HB_BYE_BACKEND, HB_BYE_INSECURE, HB_BYE_BAD_CHARACTER };

/* State of protocols with tags and literals (tagged.c): IMAP and ACAP. */
struct hb_tagged_state {
    uint64_t client_literal;  /* octets of a client literal still to come */
    uint64_t backend_literal; /* octets of a backend literal still to pass */
    uint64_t announced;       /* size of a literal that waits for the backend's "+" */
    uint8_t tail[24];         /* end of a long backend line that passes in pieces */
    uint8_t tail_len;
    uint8_t refusal;            /* what to answer when a refused command is over */
    uint8_t tag_len;            /* of the tag in `saved`, before a response */
    bool continues : 1;         /* the rest of a command follows a literal */
    bool forward : 1;           /* this command goes to the backend (else it is dropped) */
    bool asked : 1;             /* the client does not wait for the "+": it is for us (SEC-05) */
    bool await_literal : 1;     /* "+" or the tagged answer decides what comes next */
    bool exchange : 1;          /* AUTHENTICATE or IDLE: one client line for each "+" */
    bool line_due : 1;          /* the "+" came */
    bool backend_continues : 1; /* the backend's line goes on behind a literal */
    bool response : 1;          /* the literal under way is the response to EXTERNAL */
    bool streaming : 1;         /* a backend line too long to keep passes as it comes */
    bool small_plus : 1;        /* the list that the client saw allows {n+} up to LITERAL_MINUS only */
};

struct hb_pop3_state {
    bool multi;      /* inside a multi-line reply */
    bool capa;       /* which is CAPA's */
    bool lists_sasl; /* ...with mechanisms in it */
    bool mechs;      /* it is AUTH's: a mechanism a line */
    uint8_t dot;     /* enum hb_dot */
    bool sasl;       /* an AUTH exchange: one client line for each "+ " */
    bool sasl_due;
    bool utf8; /* POP-06 */
};

struct hb_smtp_state {
    uint64_t bdat;           /* octets of a chunk still to come */
    const char *bdat_answer; /* they are eaten, and answered with this; NULL: they go to the backend */
    bool chunking;           /* the backend's EHLO offered BDAT */
    bool helo_seen;          /* EHLO or HELO was answered with 250 */
    bool ehlo_seen;
    bool mail;        /* a transaction is open */
    bool data_due;    /* DATA was forwarded: its reply decides what comes next */
    bool data;        /* message content is passing */
    bool bad_newline; /* SMTP-06: the rest of the message is dropped */
    uint8_t dot;      /* enum hb_dot */
    bool xlogin;      /* the backend's EHLO offered XCLIENT with LOGIN */
    bool lists_auth;  /* EHLO's list has mechanisms that the client may see */
    bool sasl;        /* an AUTH exchange: one client line for each 334 */
    bool sasl_due;
    uint32_t recipients;  /* accepted in this transaction */
    uint32_t content_due; /* LMTP: replies still to come behind the content */
    uint16_t in_reply;    /* the code of a multi-line reply that has begun; 0: none */
};

struct hb_sieve_state {
    const char *refusal;      /* what to answer when a refused command is over; NULL: it was not refused */
    uint32_t client_literal;  /* octets of a client literal still to come */
    uint32_t backend_literal; /* octets of a backend literal still to come */
    bool continues;           /* the rest of a command, or of a SASL answer, follows a literal */
    bool forward;             /* it goes to the backend (else it is dropped) */
    bool base64;              /* its literals hold nothing else */
    bool echo;                /* NOOP's tag comes as a literal, into `saved` */
    bool response;            /* ...the response to EXTERNAL does */
    bool exchange;            /* nothing until the backend answers: one client line for each challenge */
    bool line_due;            /* the challenge came */
    bool layered;             /* the mechanism may wrap the stream */
    bool left;                /* LOGOUT was forwarded: the client has nothing more to say */
    bool backend_continues;   /* the backend's line goes on behind a literal */
    bool lists_sasl;          /* the list under way has mechanisms in it */
    bool collects;            /* ...and is kept in `saved` until it is whole */
};

struct hb_nntp_state {
    const char *refusal; /* the article goes nowhere, and is answered with this; NULL: to the backend */
    bool article;        /* one is passing from the client */
    uint8_t dot;         /* enum hb_dot, of it */
    bool reply_due;      /* what comes next depends on the reply */
    bool sasl;           /* an AUTHINFO SASL exchange: one client line for each 383 */
    bool sasl_due;
    bool layered;        /* its mechanism may wrap the stream */
    bool lost;           /* a TAKETHIS was too long: what follows is an article, or not */
    bool streaming;      /* the backend takes TAKETHIS */
    bool reader;         /* MODE READER succeeded */
    bool told_reader;    /* ...and was said again to the fresh link */
    bool multi;          /* inside a multi-line reply */
    uint8_t backend_dot; /* enum hb_dot, of it */
    bool list;           /* it is CAPABILITIES': the backend's has, so far: */
    bool lists_authinfo, lists_user, lists_sasl;
    bool lists_mechanisms; /* ...and some may be seen */
};

struct hb_http_state {
    uint64_t body;  /* octets of the request's body still to come */
    uint8_t fields; /* lines of its head so far */
    bool blank;     /* an empty line stood before it */
    bool head;      /* it is HEAD: its answer has no text */
    bool sent;      /* it is at the backend; there is no other one */
    bool answered;  /* the head of its answer has passed */
};

struct hb_proto_session {
    const struct hb_proto *row;
    const struct hb_proto_settings *set; /* borrowed */
    const struct hb_env *env;            /* borrowed */
    const struct hb_proto_sink *sink;    /* borrowed during calls */
    struct hb_line client, backend;
    struct hb_replyq queue;
    struct hb_buf saved;    /* a tag or line that must outlive its unit (or the upgrade: row->carries) */
    const char *identity;   /* borrowed: whom the client's certificate names; NULL: nobody */
    char *software;         /* owned: what the client says it is, if logins in clear are watched; or NULL */
    uint16_t why;           /* enum hb_code for HB_UNIT_CLOSE */
    uint16_t failed_logins; /* refused by the backend */
    uint8_t backend_state;
    uint8_t num_bad;
    uint8_t external;  /* enum hb_external_step: of an exchange under way */
    uint8_t mechanism; /* of the login that was forwarded last: clear.c's number */
    bool secured : 1;  /* TLS is up toward the client */
    bool greeted : 1;  /* the client has seen a greeting of this TLS state: the backend's is swallowed */
    bool authenticated : 1;
    bool first_line : 1; /* the client's first line in this TLS state was seen */
    bool opaque : 1, closed : 1;
    bool bye_due : 1; /* shutdown is said in answer to the next command */
    bool backend_said_bye : 1;
    bool scram_hidden : 1; /* SASL-06: the backend has SCRAM with channel binding */
    union {
        struct hb_tagged_state tagged;
        struct hb_pop3_state pop3;
        struct hb_smtp_state smtp;
        struct hb_sieve_state sieve;
        struct hb_nntp_state nntp;
        struct hb_http_state http;
    } u;
};

struct hb_tagged_dialect;

/* GEN-23: what gives away a client that speaks HTTP. */
enum hb_http_guard { HB_HTTP_BY_METHOD = 0, HB_HTTP_BY_VERSION, HB_HTTP_IS_FINE };

struct hb_proto {
    const char *name;
    const char *alpn[3];
    uint16_t port, implicit_port;
    uint16_t max_line;   /* client lines before login, CRLF included */
    uint16_t idle_auth;  /* seconds of silence allowed once logged in */
    uint16_t idle_least; /* its RFC grants them so many, if much less; 0: as many */
    bool alpn_any;       /* no mail protocol of its own: an offer without our id is fine */
    bool regreet;        /* the backend's greeting is passed on inside TLS, too */
    bool raw;            /* nothing to look at: relay at once */
    bool login_optional; /* relays mail without login, too: the long timeout holds from TLS on */
    bool lmtp;           /* smtp.c: says LHLO, and one reply a recipient behind the content */
    uint16_t never_port; /* its RFC forbids a listener here; 0: none */
    bool carries;        /* what `saved` holds at the upgrade is for the fresh link, by its RFC (GEN-09) */
    uint8_t http;        /* enum hb_http_guard */
    /* GEN-27: the greeting where TLS comes before the backend. */
    void (*greet)(struct hb_proto_session *s);
    /* The backend's link is open. NULL: its server greets. */
    enum hb_unit (*opened)(struct hb_proto_session *s);
    /* One unit of the client's stream. */
    enum hb_unit (*client)(struct hb_proto_session *s, struct hb_span *in);
    /* One unit of the backend's stream, greeting included. */
    enum hb_unit (*backend)(struct hb_proto_session *s, struct hb_span *in);
    /* Says goodbye, as far as the protocol has words for it. */
    void (*bye)(struct hb_proto_session *s, enum hb_goodbye kind);
    /* True while shutdown cannot be said yet: bye_due is set then, and the protocol says it when it can. May
     * be NULL: always. */
    bool (*bye_later)(const struct hb_proto_session *s);
    /* True while an answer of our own would overtake the backend's, or stand in the middle of one: a bad line
     * is answered later then. May be NULL: never. */
    bool (*busy)(const struct hb_proto_session *s);
    /* A client line that was too long; head is its beginning. */
    void (*too_long)(struct hb_proto_session *s, struct hb_span head);
    /* True if the stream cannot go on without the line that was dropped for its length. May be NULL: never.
     */
    bool (*needs_line)(const struct hb_proto_session *s);
    const struct hb_tagged_dialect *dialect;
};

extern const struct hb_proto hb_proto_imap, hb_proto_pop3, hb_proto_smtp, hb_proto_submission, hb_proto_lmtp,
    hb_proto_sieve, hb_proto_nntp, hb_proto_http, hb_proto_acap, hb_proto_raw;

/* ---- for the protocols ---- */

/* Logins in clear (clear.c). how: the mechanism, or a name for a login without SASL that clear.c knows. */
#define HB_SOFTWARE_MAX  64u
#define HB_CLEAR_WARNING "turn on TLS (STARTTLS) in your mail program"
void hb_client_software(struct hb_proto_session *s, struct hb_span name);
void hb_forget_software(struct hb_proto_session *s);
void hb_login_begins(struct hb_proto_session *s, struct hb_span how);
void hb_login_refused(struct hb_proto_session *s, struct hb_span how);
/* The backend took the login: s->authenticated is true from here on. */
void hb_logged_in(struct hb_proto_session *s);
/* The backend refused it; text is what it said behind the word or number that says so. */
void hb_login_failed(struct hb_proto_session *s, struct hb_span text);
/* True where a client that logged in in clear is to be told. */
bool hb_warns(const struct hb_proto_session *s);
/* A reply whose end is text for people; with the warning at its end, if there is to be one and room for it.
 */
void hb_line_with_warning(struct hb_proto_session *s, struct hb_span line);

/* Says a line to the client; in the template %t is the tag, %h our host name. */
void hb_say(struct hb_proto_session *s, struct hb_span tag, const char *line_template);
void hb_to_client(struct hb_proto_session *s, struct hb_span bytes);
void hb_to_backend(struct hb_proto_session *s, struct hb_span bytes);
/* A line without its CRLF, passed on with one. */
void hb_line_to_client(struct hb_proto_session *s, struct hb_span line);
void hb_line_to_backend(struct hb_proto_session *s, struct hb_span line);

/* The next client line under the rules for all (GEN-17, GEN-18, GEN-23). HB_UNIT_NEXT: *line is it, and
 * hb_client_done() takes it. Anything else: return that. */
enum hb_unit hb_client_line(struct hb_proto_session *s, struct hb_span *in, size_t max, struct hb_span *line);
void hb_client_done(struct hb_proto_session *s, struct hb_span *in);
/* The next backend line. */
enum hb_unit hb_backend_line(struct hb_proto_session *s, struct hb_span *in, struct hb_span *line);
void hb_backend_done(struct hb_proto_session *s, struct hb_span *in);

/* Ends the session with a reason. */
enum hb_unit hb_end(struct hb_proto_session *s, enum hb_code why);
/* bye_due, and now it can be said: says it and ends the session. */
enum hb_unit hb_say_bye_now(struct hb_proto_session *s);
/* Counts a bad command; HB_UNIT_CLOSE if that was one too many. */
enum hb_unit hb_bad_command(struct hb_proto_session *s);
/* True in clear where the client must not log in yet: passwords are hidden and refused (GEN-14). */
bool hb_hide_passwords(const struct hb_proto_session *s);
/* True if this mechanism of the backend's list may be shown (GEN-14, GEN-15, SASL-02, SASL-06). plus: the
 * list has SCRAM with channel binding. */
bool hb_keep_mechanism(const struct hb_proto_session *s, struct hb_span mech, bool plus);
/* Notes for the log that a list of the backend's has SCRAM with channel binding, if it has; gives plus back.
 */
bool hb_hides_scram(struct hb_proto_session *s, bool plus);
/* True if STARTTLS shall be in the lists the client sees now. */
bool hb_offer_starttls(const struct hb_proto_session *s);
/* Only the gateway itself talks to the client yet: TLS is required, and it is not there. */
bool hb_before_tls(const struct hb_proto_session *s);

#endif
