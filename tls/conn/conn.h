/* conn.h: the inside of struct hb_tls (private to tls/): what a connection remembers.
 *
 * Everything a handshake needs and an open connection does not is in struct
 * hb_hs (hs/hs.h), freed and wiped at READY or FAILED. */
#ifndef HB_CONN_H
#define HB_CONN_H

#include "../config.h"
#include "../record/record.h"
#include <hb/buf.h>
#include <hb/tls.h>

struct hb_hs;

/* What key updates and exporters need once a connection is open. */
union hb_tls_secrets {
    struct {
        uint8_t read[48], write[48], exporter[48]; /* traffic secrets: no suite's hash is longer */
    } v13;
    struct {
        uint8_t master[48], client_random[32], server_random[32];
    } v12;
};

struct hb_tls {
    struct hb_tls_config *config; /* shared */
    const struct hb_env *env;     /* borrowed */
    struct hb_tls_lane *lane;     /* borrowed */
    struct hb_hs *hs;             /* owned; NULL once the handshake is over */
    struct hb_post *post;         /* owned; NULL most of the time */
    struct hb_bld *out;           /* borrowed during hb_tls_next() and friends */
    struct hb_rec_dir rd, wr;
    union hb_tls_secrets secrets;
    struct hb_buf held; /* an incomplete record, or input that had to be joined with one */
    uint8_t *in;        /* borrowed: input not yet looked at */
    size_t in_len;
    struct hb_tls_info info;
    uint16_t code;         /* enum hb_code: the first failure */
    uint16_t max_plain;    /* largest content of a record we may send */
    uint16_t num_updates;  /* key updates since the last data record */
    uint32_t early_budget; /* bytes of early data still skipped, and one; 0: none offered, or over */
    uint32_t skip;         /* 1.2: bytes of a refused renegotiation's message still to be dropped */
    uint8_t head[4];       /* header of a message on the open connection, as far as it came */
    uint8_t head_len;
    uint8_t state;    /* enum hb_hs_state */
    uint8_t num_sent; /* data records sent, up to 255 (REC-18) */
    uint8_t num_empty, num_ccs, num_warnings, num_renegotiations;
    bool is_client;
    bool is_open;  /* READY was reached */
    bool use_join; /* the input lies in `held` */
    bool first_seen, failed, told_ready, told_sign, told_verify, closed, peer_closed, told_closed;
    bool early_all;  /* after a HelloRetryRequest: every data record before the second hello is early data */
    bool update_due; /* the peer asked for our key update */
};

/* What an open connection holds only while there is something to hold. */
struct hb_post {
    struct hb_buf in;      /* a message that comes in pieces */
    struct hb_buf pending; /* server: tickets that leave with the first reply; client: a session to be told */
    struct hb_buf kept;    /* client, TLS 1.3: the session that tickets will belong to */
};

struct hb_tls_lane {
    const struct hb_env *env; /* borrowed */
    uint64_t next_generation;
    struct hb_rec_cache read, write;
    uint8_t early256[32], early384[48]; /* hb_ks13_early_derived() */
    struct hb_bld flight;               /* messages on their way into records */
    bool session_told;                  /* the caller is looking at session_mem: wiped with its next call */
    uint8_t session_mem[HB_TLS_SESSION_MAX];
    uint8_t flight_mem[HB_TLS_FLIGHT_MAX - 16384u];
};

/* Appends what the flight holds as handshake records, under the current write keys. */
void hb_conn_emit(struct hb_tls *t);
/* Appends one record with these bytes. */
void hb_conn_emit_record(struct hb_tls *t, uint8_t type, struct hb_span bytes);
/* The post of this connection, made if there is none. NULL: out of memory. */
struct hb_post *hb_conn_post(struct hb_tls *t);
/* Installs keys for one direction, from raw key and IV. */
void hb_conn_install(struct hb_tls *t, struct hb_rec_dir *d, const struct hb_suite *suite, const uint8_t *key,
                     const uint8_t *iv);

#endif
