/* duo.h: our client and our server, mouth to mouth, with bytes cut as the test likes. Tests only. */
#ifndef DUO_H
#define DUO_H

#include "testenv.h"
#include <hb/tls.h>

struct duo_end {
    struct hb_cred_store *creds;
    struct hb_tls_config *config;
    struct hb_tls *tls;
    uint8_t *out_mem;
    struct hb_bld out;
    bool ready, closed, failed;
    struct hb_tls_event failure;
    uint8_t got[65536];
    size_t got_len, wire;
    uint8_t session[HB_TLS_SESSION_MAX];
    size_t session_len;
    char identity[256], name[256];
    uint8_t end_point[HB_TLS_END_POINT_MAX]; /* tls-server-end-point at READY; 0 bytes: none */
    size_t end_point_len;
    bool sign_later_seen, decrypt_later_seen, verify_seen;
    enum hb_code verdict; /* answer to HB_TLS_VERIFY */
    size_t stapled;
};

struct duo {
    struct testenv t;
    struct hb_tls_lane *lane;
    struct hb_trust *trust;
    struct duo_end client, server;
    unsigned cut; /* 0 whole, else pieces of so many bytes; 65535: random */
    /* changes bytes on their way, if not NULL: from the client or not, the bytes, and room for more */
    size_t (*meddle)(struct duo *d, bool from_client, uint8_t *wire, size_t len, size_t cap);
    void *meddle_ctx;
};

/* Certificates as for peer_start(); "" or NULL: none. The client trusts the CA. */
void duo_start(struct duo *d, const char *server_certs, enum hb_tls_profile server, const char *client_certs,
               enum hb_tls_profile client);
/* Makes the two connections. */
void duo_connect(struct duo *d, const char *name, struct hb_span session);
/* Takes all events of one end. */
void duo_events(struct duo *d, struct duo_end *end);
/* Moves bytes until nothing moves. */
void duo_pump(struct duo *d);
void duo_hang_up(struct duo *d);
void duo_stop(struct duo *d);
/* Data both ways; the test fails if it does not arrive. */
void duo_chat(struct duo *d);
/* The bytes of a file of the certificates' folder; free() them. */
struct hb_span duo_file(const char *name, const char *suffix);

#endif
