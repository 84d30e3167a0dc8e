/* world.h: what the parts of a run share (tests/attack alone): the network and the client (world.c), the
 * gateway (gate.c), the backend (server.c). */
#ifndef WORLD_H
#define WORLD_H

#include "attack.h"

struct pipe {
    struct text t;
    size_t done; /* bytes delivered */
};

/* The link to the backend, and the backend at its end. */
struct link {
    struct pipe to_server, from_server;
    bool open;
    /* the gateway's end */
    struct hb_peer *peer; /* owned; NULL: the session has the link */
    struct hb_tls *tls;   /* owned */
    bool handshake;
    /* the server's */
    struct hb_tls *server_tls; /* owned */
    struct text in;            /* plaintext that is no whole line yet */
    bool wants_tls, secured, refused_list, went_early, tricked;
    size_t octets;   /* of a literal or a chunk, still to come */
    bool data;       /* content up to a dot comes */
    const char *due; /* said behind the next line, whatever it is; NULL: it is a command */
    struct text tag; /* of the command that `due` answers */
    bool ends;       /* nothing comes any more */
};

enum phase { AT_CLEAR, AT_UPGRADING, AT_HANDSHAKE, AT_SECURE, AT_RELAY };

struct world {
    const struct row *row;
    const struct words *words;
    struct outcome *out;
    struct testenv t;
    long cut;
    bool paused;
    /* the client */
    struct pipe from_client, to_client;
    struct hb_tls *client_tls; /* owned */
    struct pipe says;          /* plaintext, inside TLS */
    /* the gateway */
    struct hb_proto_settings set;
    struct hb_peer_settings peer_set;
    struct hb_proto_session *ps;
    struct hb_tls *gate_tls; /* owned */
    struct text held[2];     /* by enum hb_proto_side */
    struct link link;
    enum phase phase;
    bool connect_wanted, ended, upgraded;
    bool client_in; /* the client's handshake is done */
    bool flooded;
    size_t mark; /* bytes to the client up to the go-ahead's end */
    enum hb_code code;
    /* the backend */
    size_t clear_said, behind_at; /* bytes said in clear on the first link; where row->behind begins */
    bool first_link_over;
    size_t wire_said; /* by the first link's backend, TLS and all */
};

enum tls_result { TLS_GOES_ON, TLS_READY, TLS_FAILED };

void world_broken(struct world *w, const char *what);

/* ends.c */
enum end {
    END_GATE,          /* the gateway, toward the client */
    END_CLIENT,        /* an honest client */
    END_STRANGER,      /* one that wants another protocol (ALPN) */
    END_RETRY,         /* one that has to say hello again */
    END_DIAL,          /* the gateway, toward the backend */
    END_BACKEND,       /* an honest backend */
    END_OTHER_BACKEND, /* one of another protocol (ALPN) */
    NUM_ENDS
};
void ends_begin(const char *scheme);
void ends_end(void);
struct hb_tls *tls_new(enum end end);
/* A block of its own, so that a sanitizer sees a byte too far; free() it. */
uint8_t *copy_of(struct hb_span bytes);
void tls_flood(struct hb_tls *t, struct text *wire);
enum tls_result tls_run(struct hb_tls *t, struct hb_span input, struct text *wire, struct text *plain,
                        struct hb_tls_event *event);
void tls_say(struct hb_tls *t, struct hb_span plain, struct text *wire);

/* gate.c */
extern bool gate_faulty; /* keeps what is behind STARTTLS for inside TLS, as so many servers did (ATK-01) */
void gate_begin(struct world *w);
void gate_client_reads(struct world *w, struct hb_span bytes);
void gate_backend_reads(struct world *w, struct hb_span bytes);
void gate_backend_gone(struct world *w);
void gate_end(struct world *w);

/* server.c */
void server_greets(struct world *w);
void server_reads(struct world *w, struct hb_span bytes);

#endif
