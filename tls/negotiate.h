/* negotiate.h: what a server answers to an offer: pure, no state, no I/O, both versions. */
#ifndef HB_NEGOTIATE_H
#define HB_NEGOTIATE_H

#include "config.h"
#include "crypto/group.h"
#include "wire/hello.h"

enum hb_psk_kind { HB_PSK_NONE, HB_PSK_TICKET, HB_PSK_EXTERNAL };

struct hb_choice {
    uint16_t version;
    const struct hb_suite *suite;
    const struct hb_kex *group;
    struct hb_span share; /* the client's key share (1.3); empty: ask again with HelloRetryRequest */
    const struct hb_cred *cred;
    const struct hb_sigalg *sigalg;
    enum hb_psk_kind psk;           /* TLS 1.3: set by the caller before negotiating */
    const struct hb_hash *psk_hash; /* with psk: the suite must have it */
    uint8_t alpn;                   /* 1 + index in the config, 0 none */
    bool retry;                     /* 1.3: no usable share yet */
    bool name_used;                 /* the certificate was chosen by server_name: say so in the answer */
};

/* The version both sides speak; judges the fields that belong to it (VER-01, VER-03). */
HB_MUST_USE enum hb_code hb_negotiate_version(const struct hb_offer *offer,
                                              const struct hb_tls_config *config, uint16_t *version);
/* Everything else, for the version already in choice->version. */
HB_MUST_USE enum hb_code hb_negotiate(const struct hb_offer *offer, const struct hb_tls_config *config,
                                      struct hb_choice *choice);
/* The scheme of ours that fits a key and a peer's list; NULL if none does. */
const struct hb_sigalg *hb_negotiate_sigalg(struct hb_span offered, const struct hb_tls_config *config,
                                            uint16_t version, enum hb_key_kind kind);
/* TLS 1.2: the group for a suite; a nameless one if its key exchange has none; NULL: no group in common. */
const struct hb_kex *hb_negotiate_group12(const struct hb_offer *offer, const struct hb_tls_config *config,
                                          const struct hb_suite *suite);

#endif
