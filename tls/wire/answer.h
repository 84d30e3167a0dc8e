/* wire/answer.h: ServerHello, HelloRetryRequest and EncryptedExtensions parsed (client role). Form is judged
 * here, with what may stand where and what was asked for; values are judged by the handshake. */
#ifndef HB_ANSWER_H
#define HB_ANSWER_H

#include "hello.h"

/* Extensions a client asks for, one bit each: an answer to anything else is alert 110. */
enum hb_ask {
    HB_ASK_NAME = 1 << 0,
    HB_ASK_STATUS = 1 << 1,
    HB_ASK_ALPN = 1 << 2,
    HB_ASK_EMS = 1 << 3,
    HB_ASK_ETM = 1 << 4,
    HB_ASK_TICKET = 1 << 5,
    HB_ASK_PSK = 1 << 6,
    HB_ASK_VERSIONS = 1 << 7,
    HB_ASK_SHARES = 1 << 8,
    HB_ASK_RENEGOTIATION = 1 << 9,
    HB_ASK_SIZE_LIMIT = 1 << 10,
    HB_ASK_POINT_FORMATS = 1 << 11,
    HB_ASK_GROUPS = 1 << 12,
    HB_ASK_COOKIE = 1 << 13 /* never asked, allowed in a HelloRetryRequest */
};

enum hb_answer_in { HB_IN_HELLO12, HB_IN_HELLO13, HB_IN_RETRY, HB_IN_EXTENSIONS };

struct hb_answer {
    uint16_t legacy_version, suite;
    struct hb_span random, session_id;
    uint8_t compression;
    bool retry;       /* a HelloRetryRequest */
    unsigned has;     /* enum hb_ask */
    uint16_t version; /* of supported_versions; 0: not there */
    uint16_t group;   /* of key_share */
    struct hb_span share, cookie, alpn, renegotiation;
    uint16_t psk_index, size_limit;
};

extern const uint8_t hb_retry_random[32];

/* A ServerHello's body. asked: enum hb_ask. */
HB_MUST_USE enum hb_code hb_answer_parse(struct hb_span body, unsigned asked, struct hb_answer *a);
/* EncryptedExtensions' body, into the same struct. */
HB_MUST_USE enum hb_code hb_answer_extensions(struct hb_span body, unsigned asked, struct hb_answer *a);

#endif
