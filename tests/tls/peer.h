/* peer.h: OpenSSL as the other end, over memory; and one of our connections beside it. Tests only. */
#ifndef PEER_H
#define PEER_H

#include "testenv.h"
#include <hb/tls.h>
#include <openssl/ssl.h>

/* How bytes reach our engine. */
enum peer_cut { PEER_WHOLE, PEER_BYTES, PEER_RANDOM };

struct peer {
    struct testenv t;
    struct hb_cred_store *creds;
    struct hb_tls_config *config;
    struct hb_tls_lane *lane;
    struct hb_tls *tls;
    uint8_t *out_mem, *in_mem;
    struct hb_bld out;
    SSL_CTX *ctx;
    SSL *ssl;
    BIO *to_peer, *from_peer; /* what OpenSSL reads, what it wrote */
    enum peer_cut cut;
    bool reclaim; /* use hb_tls_held/reclaim as the gateway does */
    bool ready, closed, failed;
    struct hb_tls_event failure;
    uint8_t got[1 << 16]; /* plaintext that reached us (the last 64 KiB of it, from the start) */
    size_t got_len, got_total;
    char sni[256];
    uint8_t end_point[HB_TLS_END_POINT_MAX]; /* tls-server-end-point at READY */
    size_t end_point_len;
    enum hb_code end_point_code;
    size_t wire_in, wire_out;
};

/* certs: names of make_certs.py, separated by blanks, from folder CERTS (environment). */
void peer_start(struct peer *p, const char *certs, enum hb_tls_profile profile);
/* The OpenSSL client; call after changing p->ctx. */
void peer_client(struct peer *p);
/* Moves bytes both ways until nothing moves. OpenSSL's handshake is driven along. */
void peer_pump(struct peer *p);
/* Gives wire bytes to our engine as p->cut says and takes its events. */
void peer_feed(struct peer *p, const uint8_t *wire, size_t len);
void peer_stop(struct peer *p);

#endif
