/* cred_store.h: what the rest of the engine sees of a credential (private to tls/). */
#ifndef HB_CRED_STORE_H
#define HB_CRED_STORE_H

#include "crypto/crypto.h"
#include "x509/cert.h"
#include "x509/ocsp.h"
#include <hb/cred.h>

struct hb_cred {
    const struct hb_cred_store *store; /* borrowed: the store owns us */
    struct hb_cred *next;              /* owned by the store */
    struct hb_privkey *key;            /* owned; NULL: elsewhere, under handle */
    uint64_t handle;                   /* 0: the key is here */
    enum hb_key_kind kind;
    struct hb_span msg13;       /* TLS 1.3 Certificate body: empty context, no entry extensions */
    struct hb_span msg12;       /* TLS 1.2 Certificate body */
    struct hb_span leaf;        /* borrowed from msg12: DER of the leaf */
    struct hb_cert_names names; /* of the leaf, at the first: every handshake asks */
    uint64_t not_before, not_after;
    struct hb_span staple; /* owned: OCSP response; empty: none */
    struct hb_ocsp_window staple_window;
    uint8_t *memory; /* owned: msg12 and msg13 behind one another */
    size_t memory_len;
};

struct hb_cred_store {
    const struct hb_env *env;     /* borrowed */
    struct hb_cred *first, *last; /* owned */
    size_t num;
    unsigned refs;
    bool sign_later, any_time, any_staple;
};

/* How well a credential covers a name: exact before wildcard before "the first one loaded" (SNI-T2). */
enum hb_name_match { HB_NAME_NONE, HB_NAME_WILDCARD, HB_NAME_EXACT };

/* How cred's DNS names cover host (case-insensitive). */
enum hb_name_match hb_cred_covers(const struct hb_cred *cred, struct hb_span host);
/* The first DNS name; empty if it has none. Borrowed. */
struct hb_span hb_cred_first_name(const struct hb_cred *cred);
/* Credential number i in the order of loading; NULL beyond the end. */
const struct hb_cred *hb_cred_at(const struct hb_cred_store *store, size_t i);
/* Whether it has an OCSP response that may be shown now (OCSP-01). */
bool hb_cred_can_staple(const struct hb_cred *cred, uint64_t now);
/* That response. Borrowed. */
struct hb_span hb_cred_staple(const struct hb_cred *cred);
bool hb_cred_signs_later(const struct hb_cred *cred);

#endif
