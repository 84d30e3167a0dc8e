/* peer.h: what the client faces share (private to protocols/): the row of a face, and the state of a
 * dialogue.
 *
 * A face is one struct hb_peer_proto: what to say at each step, and a function that looks at one line of a
 * reply and judges it.  Which step follows which, limits, literals and what a judgement means are in peer.c,
 * once. */
#ifndef HB_PEER_PRIVATE_H
#define HB_PEER_PRIVATE_H

#include "line.h"
#include <hb/builder.h>
#include <hb/peer.h>

/* In the order in which they come. */
enum hb_peer_at {
    HB_AT_GREETING, /* the server speaks first */
    HB_AT_HELLO,    /* the list in clear */
    HB_AT_MODE,     /* what must be said before TLS (NNTP's MODE READER) */
    HB_AT_STARTTLS,
    HB_AT_HANDSHAKE, /* the caller does TLS: no byte may come */
    HB_AT_REGREET,   /* what the server pushes inside TLS */
    HB_AT_LIST,      /* the list that counts */
    HB_AT_IDENTITY,  /* whom we speak for */
    HB_AT_READY,
    HB_AT_END, /* failed */
    HB_NUM_AT
};

/* What a line of a reply means. */
enum hb_answer {
    HB_ANSWER_MORE,    /* the reply goes on */
    HB_ANSWER_YES,     /* it ended well */
    HB_ANSWER_NO,      /* refused */
    HB_ANSWER_LATER,   /* refused for now */
    HB_ANSWER_ODD,     /* nothing this protocol says here */
    HB_ANSWER_PREAUTH, /* logged in, and nobody did */
    HB_ANSWER_BYE,     /* the server ends the session */
    HB_NUM_ANSWERS
};

/* Attributes of XCLIENT that the server listed. */
enum hb_xclient {
    HB_X_ADDR = 1,
    HB_X_PORT = 2,
    HB_X_NAME = 4,
    HB_X_DESTADDR = 8,
    HB_X_DESTPORT = 16,
    HB_X_SESSION = 32,
    HB_X_TTL = 64,
    HB_X_TRANSPORT = 128,
    HB_X_POP3 = 256 /* all that Dovecot's POP3 takes */
};

/* The answer under way, as far as its head has come. */
struct hb_peer_http {
    uint64_t length;
    bool has_length, endless; /* endless: where it ends cannot be told */
    bool bodyless;            /* by its status */
    bool tls, closes;
};

struct hb_peer {
    const struct hb_peer_proto *row;
    const struct hb_peer_settings *set; /* borrowed */
    const struct hb_env *env;           /* borrowed */
    const struct hb_peer_sink *sink;    /* borrowed during calls */
    struct hb_line line;
    struct hb_buf greeting; /* what READY hands over */
    struct hb_buf list[2];  /* in clear, in TLS: the lines of the last list */
    uint64_t literal;       /* octets of a server's literal, or of HTTP's content, still to come */
    size_t unasked;         /* bytes of this feed that came before what we said last */
    uint32_t total;         /* bytes taken in this TLS state */
    uint16_t lines;         /* of this reply */
    uint16_t code;          /* replies with digits: of the reply under way; 0: none */
    uint16_t xclient;       /* enum hb_xclient: what may be announced */
    uint16_t why;           /* enum hb_code: at HB_AT_END */
    uint8_t at;             /* enum hb_peer_at */
    uint8_t pending;        /* enum hb_answer: of a line that goes on behind a literal */
    uint8_t cut_at, cut;    /* where a line is kept: what of it is not for the client */
    uint8_t said_len;
    uint8_t said[160];
    bool asked;      /* something was said while this line was heard */
    bool early;      /* the line under way began before the question that it would answer */
    bool continues;  /* the next line is the rest of one with a literal */
    bool in_list;    /* lines of a list have begun (and are kept) */
    bool has_id;     /* IMAP: ID is listed */
    bool mode;       /* NNTP: MODE-READER is listed */
    bool mode_said;  /* ...and was done */
    bool posting;    /* NNTP: POST is listed */
    bool synced;     /* ManageSieve: NOOP was said to find the end of silence (CLI-10) */
    bool quiet_line; /* the line under way is no part of list or greeting */
    struct hb_peer_http http;
    struct hb_peer_facts facts;
};

struct hb_peer_proto {
    const char *names[4]; /* as the registry of protocols has them */
    const char *alpn;     /* ALPN-03 */
    const char *goodbye;  /* with CRLF */
    const char *starttls; /* with CRLF; NULL: say() says it */
    bool waits;           /* the server waits to be asked: there is no greeting, nor a list in clear */
    bool greets_again;    /* what the server greets with comes once more inside TLS */
    bool greeting_lists;  /* the greeting is the list: there is no need to ask */
    bool literals;        /* lines may go on behind {n} */
    bool list_optional;   /* a server that knows no list is served all the same */
    bool has_xclient, has_id;
    bool identity_greets; /* the answer to XCLIENT is a greeting */
    /* Says what begins the step (HELLO, MODE, LIST, IDENTITY; STARTTLS if the row has no words for it). */
    void (*say)(struct hb_peer *p, struct hb_bld *b);
    /* Judges one line of the reply of this step. It may set p->literal: the reply ends behind so many octets
     * more, which are nobody's. */
    enum hb_answer (*line)(struct hb_peer *p, struct hb_span line);
    /* Builds the greeting of a session that went through STARTTLS, when the server gave none inside TLS.
     * NULL: it always gives one. */
    void (*greet)(const struct hb_peer *p, struct hb_bld *b);
    /* Silence inside TLS before anything was pushed: says something; false: there is nothing to say. */
    bool (*nudge)(struct hb_peer *p, struct hb_bld *b);
};

extern const struct hb_peer_proto hb_peer_imap, hb_peer_pop3, hb_peer_smtp, hb_peer_lmtp, hb_peer_acap,
    hb_peer_sieve, hb_peer_nntp, hb_peer_http;

/* ---- for the faces ---- */

/* True where what is heard can be believed. */
bool hb_peer_in_tls(const struct hb_peer *p);
/* Notes that STARTTLS stands in the list under way. */
void hb_peer_note_starttls(struct hb_peer *p);
void hb_bld_number(struct hb_bld *b, unsigned n); /* decimal */
/* name=value of XCLIENT with a blank before it, if value is known and the attribute is in p->xclient; the
 * value as xtext (RFC 3461 4). */
void hb_xclient_word(const struct hb_peer *p, struct hb_bld *b, unsigned attribute, const char *name,
                     const char *value);
void hb_xclient_number(const struct hb_peer *p, struct hb_bld *b, unsigned attribute, const char *name,
                       unsigned value);
/* All the attributes that are the same in every protocol: ADDR, PORT and so on. prefix: "IPV6:" or "". */
void hb_xclient_common(const struct hb_peer *p, struct hb_bld *b, const char *prefix);

#endif
