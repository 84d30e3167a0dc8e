/* attack.h: a client, the gateway's protocols and TLS, and a backend, in one process and over memory.
 *
 * The world does with hb_proto, hb_peer and hb_tls what gateway/session*.c do with them, without sockets, so
 * that a stream can be cut at every one of its bytes.  Both other ends are the test's: the client sends what
 * a row says, the backend answers from a table (words.c), and everything that reached either is kept, apart
 * by whether it came in clear or inside TLS.  TLS is real, keyed by a pre-shared key: handshakes are cheap.
 *
 * Checked for every row, whatever it is about (world.c): no byte leaves in clear behind a go-ahead but TLS;
 * where TLS is required no backend is asked before it is up; a backend behind STARTTLS hears nothing in clear
 * but the dialogue's own words; nothing said behind STARTTLS reaches anybody. */
#ifndef ATTACK_H
#define ATTACK_H

#include "testenv.h"

#include <hb/peer.h>
#include <hb/proto.h>
#include <hb/tls.h>

struct text {
    uint8_t *p;
    size_t len, cap;
};

void text_free(struct text *t);
void text_add(struct text *t, const void *p, size_t len);
void text_str(struct text *t, const char *s);
bool text_is(const struct text *t, const struct text *want);
bool text_has(const struct text *t, const char *word);
void text_print(const char *what, const struct text *t);

/* ---- what each protocol says (words.c) ---- */

struct reply {
    const char *verb; /* NULL: any other */
    const char *text; /* %t the tag; %s what lists STARTTLS, before TLS */
};

struct words {
    const char *scheme;
    bool tagged;
    /* the client's; CLEAR and BEHIND are what must not arrive */
    const char *hello;        /* %H: what comes before STARTTLS */
    const char *starttls;     /* %S */
    const char *bad_starttls; /* %A: with an argument */
    const char *login;        /* %L */
    const char *fixation;     /* %F: commands that would fix a session */
    const char *state;        /* %Z: harmless ones that leave something behind */
    const char *harmless;     /* %N: a command that says BEHIND */
    const char *half;         /* %P: one that wants more than its line */
    const char *ask;          /* %I: said inside TLS */
    const char *command;      /* %J: a harmless one without its CRLF */
    const char *hidden; /* %D: STARTTLS as data of a command that is refused before TLS; "": no such thing */
    const char *long_head; /* %X, %E: how a line begins that is one byte too long, or has no end */
    size_t long_max;       /* the longest line, CRLF included */
    /* the gateway's */
    const char *greeting;     /* %g */
    const char *hello_answer; /* %h */
    const char *go;           /* %1: R1 */
    const char *argument;     /* %2: R2 */
    const char *again;        /* %3: R3 */
    const char *login_no;     /* %l: R8 */
    const char *fixation_no;  /* %f: R8, for each */
    const char *bad_char;     /* %c: R11 */
    const char *too_long;     /* %x: R10 */
    const char *hidden_no;    /* %d */
    const char *inside;       /* %w: said inside TLS before anything is asked */
    const char *answer;       /* %i: what comes of ask */
    /* the backend's */
    const char *b_greeting;   /* in clear; %s */
    const char *b_inside;     /* inside TLS behind its own STARTTLS */
    const char *b_lists;      /* what %s is */
    const char *b_go;         /* its go-ahead */
    const char *b_no;         /* refused */
    const char *b_later;      /* refused for now */
    const char *b_odd;        /* an answer that is none */
    const char *b_noise;      /* data nobody asked for, with PUSHED in it; "": the protocol has none */
    const char *b_injected;   /* what a client would take for the answer to its next command */
    struct reply replies[10]; /* verb NULL ends */
    const char *b_taken;      /* behind content: a message, an article */
    const char *b_unknown;    /* behind a line of an exchange, a literal */
    const char *b_hears;      /* what reaches it of ask, if that differs */
    const char *b_asked;      /* the verb that asks it for TLS; NULL: STARTTLS or STLS */
    /* what our client face says */
    const char *dial_clear, *dial_inside; /* NULL: it has no such face */
};

const struct words *words_of(const char *scheme);
/* Appends s with its %-words replaced. */
void words_expand(const struct words *w, const char *s, struct text *out);

/* ---- rows (rows.c, inside.c, wire.c) ---- */

/* What the network does on the backend's leg. */
enum trick {
    TRICK_NONE,
    TRICK_BEHIND,    /* behind the go-ahead stands row->behind */
    TRICK_STRIPPED,  /* not listed, and refused */
    TRICK_REFUSED,   /* listed and refused */
    TRICK_LATER,     /* refused for now */
    TRICK_ODD,       /* the go-ahead is none */
    TRICK_ENDLESS,   /* a megabyte that never ends a line */
    TRICK_NOISE,     /* data before each of the backend's lines in clear */
    TRICK_GREETING,  /* row->behind is the greeting */
    TRICK_NO_TLS,    /* behind the go-ahead something else than TLS, in answer to the ClientHello */
    TRICK_NO_LIST,   /* the first command is refused as unknown */
    TRICK_UPGRADING, /* row->behind is pushed when the client asks for STARTTLS (policy optional) */
    TRICK_EARLY,     /* the go-ahead stands behind what comes before STARTTLS is said */
    TRICK_ANSWER,    /* row->behind is the answer to the first command inside TLS */
    TRICK_DIES,      /* ... and then the link ends */
    /* what an end of TLS does: the client, with B_STARTTLS or B_IMPLICIT the backend */
    TRICK_STRANGER, /* it speaks another protocol (ALPN) */
    TRICK_FLOOD,    /* it changes its keys again and again */
    TRICK_RETRY,    /* its hello has to be said again */
    TRICK_TWICE,    /* HELLO_BEHIND: a hello that must be said again comes again as it was */
};

/* Without a CUT_ flag it is the client's stream in clear that is cut, with B_STARTTLS the backend's. */
enum {
    OPTIONAL = 1,
    PLAIN_AUTH = 2,
    B_STARTTLS = 4,
    HELLO_BEHIND = 8,
    NO_HANDSHAKE = 16,
    NOT_HEARD = 32,
    CUT_INSIDE = 64,   /* what the client says inside TLS is cut, each piece a record */
    CUT_BACKEND = 128, /* what a backend without TLS says is cut */
    B_IMPLICIT = 256,  /* TLS comes first on the backend's leg */
    CUT_WIRE = 512,    /* the stream is cut inside its TLS, too */
};

struct row {
    const char *id, *what;
    const char *schemes; /* "": all */
    unsigned flags;
    const char *clear;  /* the client's words before TLS */
    const char *behind; /* and behind STARTTLS, or (B_STARTTLS) the backend's */
    const char *inside; /* and inside TLS; NULL: nothing */
    enum trick trick;
    enum hb_code code;   /* why it ends; HB_OK: it does not */
    enum hb_code apart;  /* where the cut stands right before what is behind; HB_OK: the same */
    const char *answer;  /* all the client hears in clear; NULL: not looked at */
    const char *heard;   /* all the client hears inside TLS; NULL: not looked at */
    const char *arrives; /* all that the backend hears of the client; NULL: what is inside if it does not end,
                            else nothing */
};

extern const struct row rows[], inside_rows[], wire_rows[];
extern const size_t num_rows, num_inside_rows, num_wire_rows;

/* ---- one run (world.c) ---- */

struct outcome {
    struct text clear, inside;     /* what the client got */
    struct text b_clear, b_inside; /* what all backends got */
    struct text b_session;         /* what the last one got of the client */
    enum hb_code code;
    int alert; /* to the client; -1: none */
    unsigned num_links;
    bool failed; /* a promise was broken: it was printed */
};

/* cut: 0 whole, k before byte k, -1 byte by byte. *len: how long the stream is that is cut. */
void world_run(const struct row *row, const struct words *words, long cut, size_t *len, size_t *boundary,
               struct outcome *out);
void outcome_free(struct outcome *o);
bool outcome_same(const struct outcome *a, const struct outcome *b);

#endif
