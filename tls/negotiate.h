/* negotiate.h: what a server answers to an offer: pure, no state, no I/O, both versions. */
#ifndef HB_NEGOTIATE_H
#define HB_NEGOTIATE_H

#include "config.h"
#include "crypto/group.h"
#include "wire/hello.h"

struct hb_choice {
    uint16_t version;
    const struct hb_suite *suite;
    const struct hb_kex *group;
    struct hb_span share; /* the client's key share (1.3); empty: ask again with HelloRetryRequest */
    const struct hb_cred *cred;
    const struct hb_sigalg *sigalg;
    uint8_t alpn;  /* 1 + index in the config, 0 none */
    bool retry;    /* 1.3: no usable share yet */
    bool name_used; /* the certificate was chosen by server_name: say so in the answer */
};

/* The version both sides speak; judges the fields that belong to it (VER-01, VER-03). */
HB_MUST_USE enum hb_code hb_negotiate_version(const struct hb_offer *offer, const struct hb_tls_config *config,
                                              uint16_t *version);
/* Everything else, for the version already in choice->version. */
HB_MUST_USE enum hb_code hb_negotiate(const struct hb_offer *offer, const struct hb_tls_config *config,
                                      struct hb_choice *choice);

#endif
