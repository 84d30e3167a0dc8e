/* wire/answer.c: what a server may answer (RFC 8446 4.1.3, 4.3.1; RFC 5246 7.4.1.3), one row per extension:
 * where it may stand, and which question it answers. */
#include "answer.h"

const uint8_t hb_retry_random[32] = {/* SHA-256("HelloRetryRequest") */
                                     0xcf, 0x21, 0xad, 0x74, 0xe5, 0x9a, 0x61, 0x11, 0xbe, 0x1d, 0x8c,
                                     0x02, 0x1e, 0x65, 0xb8, 0x91, 0xc2, 0xa2, 0x11, 0x16, 0x7a, 0xbb,
                                     0x8c, 0x5e, 0x07, 0x9e, 0x09, 0xe2, 0xc8, 0xa8, 0x33, 0x9c};

static enum hb_code empty(struct hb_cur ext, struct hb_answer *a)
{
    (void)a;
    return hb_cur_end(&ext) ? HB_OK : HB_E_TLS_DECODE;
}

static enum hb_code one_alpn(struct hb_cur ext, struct hb_answer *a)
{
    struct hb_cur list = hb_cur_vec16(&ext);
    struct hb_cur name = hb_cur_vec8(&list);

    a->alpn = hb_cur_rest(&name);
    return hb_cur_end(&list) && hb_cur_end(&ext) && a->alpn.len > 0 ? HB_OK : HB_E_TLS_DECODE;
}

static enum hb_code versions(struct hb_cur ext, struct hb_answer *a)
{
    a->version = hb_cur_u16(&ext);
    return hb_cur_end(&ext) ? HB_OK : HB_E_TLS_DECODE;
}

static enum hb_code key_share(struct hb_cur ext, struct hb_answer *a)
{
    a->group = hb_cur_u16(&ext);
    if (!a->retry) {
        struct hb_cur share = hb_cur_vec16(&ext);
        a->share = hb_cur_rest(&share);
        if (a->share.len == 0) {
            return HB_E_TLS_DECODE;
        }
    }
    return hb_cur_end(&ext) ? HB_OK : HB_E_TLS_DECODE;
}

static enum hb_code cookie(struct hb_cur ext, struct hb_answer *a)
{
    struct hb_cur v = hb_cur_vec16(&ext);

    a->cookie = hb_cur_rest(&v);
    return hb_cur_end(&ext) && a->cookie.len > 0 ? HB_OK : HB_E_TLS_DECODE;
}

static enum hb_code psk(struct hb_cur ext, struct hb_answer *a)
{
    a->psk_index = hb_cur_u16(&ext);
    return hb_cur_end(&ext) ? HB_OK : HB_E_TLS_DECODE;
}

static enum hb_code renegotiation(struct hb_cur ext, struct hb_answer *a)
{
    struct hb_cur v = hb_cur_vec8(&ext);

    a->renegotiation = hb_cur_rest(&v);
    if (!hb_cur_end(&ext)) {
        return HB_E_TLS_DECODE;
    }
    return a->renegotiation.len == 0 ? HB_OK : HB_E_TLS_RENEGOTIATION_INFO;
}

static enum hb_code size_limit(struct hb_cur ext, struct hb_answer *a)
{
    a->size_limit = hb_cur_u16(&ext);
    if (!hb_cur_end(&ext)) {
        return HB_E_TLS_DECODE;
    }
    return a->size_limit >= 64 ? HB_OK : HB_E_TLS_ILLEGAL;
}

static enum hb_code point_formats(struct hb_cur ext, struct hb_answer *a)
{
    struct hb_cur list = hb_cur_vec8(&ext);
    struct hb_span formats = hb_cur_rest(&list);

    (void)a;
    if (!hb_cur_end(&ext) || formats.len == 0) {
        return HB_E_TLS_DECODE;
    }
    return memchr(formats.p, 0, formats.len) != NULL ? HB_OK : HB_E_TLS_ILLEGAL;
}

static enum hb_code groups(struct hb_cur ext, struct hb_answer *a)
{
    struct hb_span list;

    (void)a; /* what the server would rather have: of no use to us */
    return hb_hello_u16_list(&ext, &list);
}

#define IN(where) (1u << HB_IN_##where)
/* clang-format off */
static const struct {
    uint16_t type;
    unsigned ask;
    unsigned where;
    enum hb_code (*parse)(struct hb_cur ext, struct hb_answer *a);
} rows[] = {
    {HB_EXT_SERVER_NAME,            HB_ASK_NAME,          IN(HELLO12) | IN(EXTENSIONS), empty},
    {HB_EXT_STATUS_REQUEST,         HB_ASK_STATUS,        IN(HELLO12),                  empty},
    {HB_EXT_SUPPORTED_GROUPS,       HB_ASK_GROUPS,        IN(HELLO12) | IN(EXTENSIONS), groups},
    {HB_EXT_EC_POINT_FORMATS,       HB_ASK_POINT_FORMATS, IN(HELLO12),                  point_formats},
    {HB_EXT_ALPN,                   HB_ASK_ALPN,          IN(HELLO12) | IN(EXTENSIONS), one_alpn},
    {HB_EXT_ENCRYPT_THEN_MAC,       HB_ASK_ETM,           IN(HELLO12),                  empty},
    {HB_EXT_EXTENDED_MASTER_SECRET, HB_ASK_EMS,           IN(HELLO12),                  empty},
    {HB_EXT_RECORD_SIZE_LIMIT,      HB_ASK_SIZE_LIMIT,    IN(HELLO12) | IN(EXTENSIONS), size_limit},
    {HB_EXT_SESSION_TICKET,         HB_ASK_TICKET,        IN(HELLO12),                  empty},
    {HB_EXT_PRE_SHARED_KEY,         HB_ASK_PSK,           IN(HELLO13),                  psk},
    {HB_EXT_SUPPORTED_VERSIONS,     HB_ASK_VERSIONS,      IN(HELLO13) | IN(RETRY),      versions},
    {HB_EXT_COOKIE,                 HB_ASK_COOKIE,        IN(RETRY),                    cookie},
    {HB_EXT_KEY_SHARE,              HB_ASK_SHARES,        IN(HELLO13) | IN(RETRY),      key_share},
    {HB_EXT_RENEGOTIATION_INFO,     HB_ASK_RENEGOTIATION, IN(HELLO12),                  renegotiation},
};
/* clang-format on */

/* Offered in a ClientHello or known to belong elsewhere: 47 where they do not belong, instead of 110. */
static bool known(uint16_t type)
{
    static const uint16_t others[] = {
        HB_EXT_SIGNATURE_ALGORITHMS,    HB_EXT_EARLY_DATA,  HB_EXT_PSK_MODES,
        HB_EXT_CERTIFICATE_AUTHORITIES, HB_EXT_OID_FILTERS, HB_EXT_SIGNATURE_ALGORITHMS_CERT};

    for (unsigned i = 0; i < sizeof others / sizeof others[0]; i++) {
        if (others[i] == type) {
            return type == HB_EXT_SIGNATURE_ALGORITHMS || type == HB_EXT_PSK_MODES;
        }
    }
    return false;
}

static enum hb_code parse_one(uint16_t type, struct hb_cur ext, enum hb_answer_in in, unsigned asked,
                              struct hb_answer *a)
{
    for (unsigned i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        if (rows[i].type != type) {
            continue;
        }
        if ((asked & rows[i].ask) == 0) {
            return HB_E_TLS_UNSUPPORTED_EXTENSION;
        }
        if ((rows[i].where & (1u << in)) == 0) {
            return HB_E_TLS_EXTENSION_PLACE;
        }
        a->has |= rows[i].ask;
        return rows[i].parse(ext, a);
    }
    return known(type) ? HB_E_TLS_EXTENSION_PLACE : HB_E_TLS_UNSUPPORTED_EXTENSION;
}

static enum hb_code parse_list(struct hb_cur list, enum hb_answer_in in, unsigned asked, struct hb_answer *a)
{
    uint16_t seen[32];
    unsigned num = 0;

    while (hb_cur_left(&list) > 0) {
        uint16_t type = hb_cur_u16(&list);
        struct hb_cur ext = hb_cur_vec16(&list);
        if (!hb_cur_ok(&list)) {
            return HB_E_TLS_DECODE;
        }
        for (unsigned i = 0; i < num; i++) {
            if (seen[i] == type) {
                return HB_E_TLS_DUPLICATE_EXTENSION;
            }
        }
        HB_TRY(parse_one(type, ext, in, asked, a));
        if (num < sizeof seen / sizeof seen[0]) {
            seen[num++] = type;
        }
    }
    return HB_OK;
}

/* supported_versions decides by which rules the rest is read, so it is looked for first. */
static bool says_versions(struct hb_cur list)
{
    while (hb_cur_left(&list) > 0) {
        uint16_t type = hb_cur_u16(&list);
        (void)hb_cur_vec16(&list);
        if (type == HB_EXT_SUPPORTED_VERSIONS && hb_cur_ok(&list)) {
            return true;
        }
    }
    return false;
}

enum hb_code hb_answer_parse(struct hb_span body, unsigned asked, struct hb_answer *a)
{
    struct hb_cur c = hb_cur(body);

    memset(a, 0, sizeof *a);
    a->legacy_version = hb_cur_u16(&c);
    a->random = hb_cur_take(&c, 32);
    struct hb_cur id = hb_cur_vec8(&c);
    a->session_id = hb_cur_rest(&id);
    a->suite = hb_cur_u16(&c);
    a->compression = hb_cur_u8(&c);
    if (!hb_cur_ok(&c) || a->session_id.len > 32) {
        return HB_E_TLS_DECODE;
    }
    struct hb_cur list = hb_cur(hb_span(NULL, 0));
    if (hb_cur_left(&c) > 0) {
        list = hb_cur_vec16(&c);
        if (!hb_cur_end(&c)) {
            return HB_E_TLS_DECODE;
        }
    }
    bool tls13 = a->legacy_version == 0x0303 && (asked & HB_ASK_VERSIONS) != 0 && says_versions(list);
    a->retry = tls13 && hb_span_eq(a->random, hb_span(hb_retry_random, sizeof hb_retry_random));
    return parse_list(list, a->retry ? HB_IN_RETRY : tls13 ? HB_IN_HELLO13 : HB_IN_HELLO12, asked, a);
}

enum hb_code hb_answer_extensions(struct hb_span body, unsigned asked, struct hb_answer *a)
{
    struct hb_cur c = hb_cur(body);
    struct hb_cur list = hb_cur_vec16(&c);

    memset(a, 0, sizeof *a);
    return hb_cur_end(&c) ? parse_list(list, HB_IN_EXTENSIONS, asked, a) : HB_E_TLS_DECODE;
}
