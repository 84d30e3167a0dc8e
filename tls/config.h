/* config.h: the inside of hb/tls_config.h (private to tls/). */
#ifndef HB_CONFIG_H
#define HB_CONFIG_H

#include "cred_store.h"
#include "crypto/group.h"
#include "crypto/suite.h"
#include <hb/ticket.h>
#include <hb/tls_config.h>

#define HB_ALPN_MAX    8u
#define HB_SUITES_MAX  64u
#define HB_GROUPS_MAX  12u
#define HB_SIGALGS_MAX 24u
#define HB_PSKS_MAX    16u
#define HB_PINS_MAX    8u

struct hb_psk {
    const struct hb_hash *hash;      /* TLS 1.3 */
    struct hb_span identity, secret; /* in memory */
    uint8_t *memory;                 /* owned */
    size_t memory_len;
};

struct hb_tls_config {
    const struct hb_env *env;    /* borrowed */
    struct hb_cred_store *creds; /* shared */
    unsigned refs;
    enum hb_tls_profile profile;
    uint16_t lowest, highest; /* versions */
    bool alpn_lenient, sni_strict, prefer_chacha, client_order;
    bool sni_required, verify_later, ignore_hello_request, no_grease, lax_renegotiation, staple,
        require_close, require_ems;
    uint8_t num_alpn, num_suites, num_groups, num_shares, num_sign, num_accept, num_psks, num_pins;
    struct {
        uint8_t len;
        char name[256];
    } alpn[HB_ALPN_MAX];
    const struct hb_suite *suites[HB_SUITES_MAX];   /* in our order */
    const struct hb_kex *groups[HB_GROUPS_MAX];     /* in our order */
    const struct hb_kex *shares[HB_TLS_SHARES_MAX]; /* client: those that get a share in the first hello */
    const struct hb_sigalg *sign[HB_SIGALGS_MAX];   /* with which we sign, in our order */
    const struct hb_sigalg *accept[HB_SIGALGS_MAX]; /* which we accept, in our order */
    struct hb_psk psks[HB_PSKS_MAX];
    uint8_t pins[HB_PINS_MAX][32];
    uint16_t size_limit; /* the record_size_limit we announce: content bytes, 16384 by default */
    enum hb_tls_auth auth;
    enum hb_tls_identity identity;
    enum hb_tls_verify verify;
    struct hb_trust *trust;         /* shared; NULL: none */
    struct hb_ticket_keys *tickets; /* shared; NULL: no tickets */
    uint8_t num_tickets;            /* in TLS 1.3, behind a full handshake */
    uint32_t ticket_life;           /* seconds */
    uint8_t context[32];            /* hash of what tickets are bound to */
    struct hb_span ca_names;        /* CertificateRequest's names, encoded; owned */
#ifdef HB_KEYLOG
    void (*keylog)(void *ctx, const char *line); /* NULL: nobody */
    void *keylog_ctx;
#endif
};

#endif
