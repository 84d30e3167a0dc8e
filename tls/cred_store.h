/* cred_store.h: what the rest of the engine sees of a credential (private to tls/). */
#ifndef HB_CRED_STORE_H
#define HB_CRED_STORE_H

#include "crypto/crypto.h"
#include <hb/cred.h>

struct hb_cred {
    const struct hb_cred_store *store; /* borrowed: the store owns us */
    struct hb_privkey *key;            /* owned */
    enum hb_key_kind kind;
    struct hb_span msg13; /* owned bytes: TLS 1.3 Certificate message body (empty context, no extensions) */
    struct hb_span msg12; /* owned bytes: TLS 1.2 Certificate message body */
    struct hb_span leaf;  /* points into msg12: DER of the leaf */
    uint64_t not_before, not_after;
};

/* How well a credential covers a name: exact before wildcard before "the first one loaded" (SNI-T2). */
enum hb_name_match { HB_NAME_NONE, HB_NAME_WILDCARD, HB_NAME_EXACT };

/* How cred's DNS names cover host (case-insensitive). */
enum hb_name_match hb_cred_covers(const struct hb_cred *cred, struct hb_span host);
const struct hb_cred *hb_cred_at(const struct hb_cred_store *store, size_t i);
bool hb_cred_signs_later(const struct hb_cred *cred);

#endif
