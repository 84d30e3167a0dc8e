/* wire/hello.h: ClientHello parsed into an offer, ServerHello and friends built.
 *
 * An offer borrows from the message it was parsed from. Parsing judges form;
 * nothing is decided here (negotiate.h does). */
#ifndef HB_HELLO_H
#define HB_HELLO_H

#include <hb/builder.h>
#include <hb/cursor.h>
#include <hb/err.h>

enum hb_ext {
    HB_EXT_SERVER_NAME = 0,
    HB_EXT_MAX_FRAGMENT_LENGTH = 1,
    HB_EXT_STATUS_REQUEST = 5,
    HB_EXT_SUPPORTED_GROUPS = 10,
    HB_EXT_EC_POINT_FORMATS = 11,
    HB_EXT_SIGNATURE_ALGORITHMS = 13,
    HB_EXT_ALPN = 16,
    HB_EXT_ENCRYPT_THEN_MAC = 22,
    HB_EXT_EXTENDED_MASTER_SECRET = 23,
    HB_EXT_RECORD_SIZE_LIMIT = 28,
    HB_EXT_SESSION_TICKET = 35,
    HB_EXT_PRE_SHARED_KEY = 41,
    HB_EXT_EARLY_DATA = 42,
    HB_EXT_SUPPORTED_VERSIONS = 43,
    HB_EXT_COOKIE = 44,
    HB_EXT_PSK_MODES = 45,
    HB_EXT_CERTIFICATE_AUTHORITIES = 47,
    HB_EXT_OID_FILTERS = 48,
    HB_EXT_SIGNATURE_ALGORITHMS_CERT = 50,
    HB_EXT_KEY_SHARE = 51,
    HB_EXT_RENEGOTIATION_INFO = 0xff01
};

/* Lists are kept as the bytes they were; u16 lists are checked to be whole. */
struct hb_offer {
    uint16_t legacy_version;
    struct hb_span random, session_id, suites, compression;
    struct hb_span versions, groups, sigalgs, key_shares, alpn; /* contents of the lists */
    struct hb_span server_name, renegotiation, ticket;
    struct hb_span sigalgs_cert;
    struct hb_span psk_identities, psk_binders, psk_modes;
    size_t binders_at;          /* bytes of the body in front of the binders' list */
    uint16_t record_size_limit; /* 0: not offered */
    uint8_t max_fragment;       /* 0: not offered */
    bool has_versions, has_groups, has_sigalgs, has_key_shares, has_alpn, has_server_name, has_point_formats;
    bool has_ems, has_etm, has_renegotiation, has_psk, has_psk_modes, has_early_data, has_ticket,
        has_status_request;
    bool has_cookie;
};

/* body: the ClientHello without its 4-byte header. */
HB_MUST_USE enum hb_code hb_hello_parse(struct hb_span body, struct hb_offer *offer);
/* True if a u16 list holds id. */
bool hb_u16_list_has(struct hb_span list, uint16_t id);
/* A list of u16 behind a length of two bytes that fills ext and is not empty. */
HB_MUST_USE enum hb_code hb_hello_u16_list(struct hb_cur *ext, struct hb_span *dst);
/* The share offered for a group; false if there is none. */
bool hb_offer_share(const struct hb_offer *offer, uint16_t group, struct hb_span *share);

#endif
