/* config.h: the inside of hb/tls_config.h (private to tls/). */
#ifndef HB_CONFIG_H
#define HB_CONFIG_H

#include "cred_store.h"
#include "crypto/suite.h"
#include <hb/tls_config.h>

#define HB_ALPN_MAX 8u

struct hb_tls_config {
    const struct hb_env *env;    /* borrowed */
    struct hb_cred_store *creds; /* shared */
    unsigned refs;
    uint16_t lowest, highest; /* versions */
    bool alpn_lenient, sni_strict, prefer_chacha;
    uint8_t num_alpn;
    struct {
        uint8_t len;
        char name[256];
    } alpn[HB_ALPN_MAX];
};

#endif
