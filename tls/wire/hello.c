/* wire/hello.c: the ClientHello (RFC 8446 4.1.2, RFC 5246 7.4.1.2) and its extensions, one row each.
 * Unknown and GREASE values are skipped wherever they stand; a duplicate is fatal whether we know it or not.
 */
#include "hello.h"

#include "../x509/name.h"

#define MAX_EXTENSIONS 100u /* HS-06: more is ignored, not fatal */

bool hb_u16_list_has(struct hb_span list, uint16_t id)
{
    for (size_t i = 0; i + 1 < list.len; i += 2) {
        if ((list.p[i] << 8 | list.p[i + 1]) == id) {
            return true;
        }
    }
    return false;
}

/* A non-empty list of u16 behind a length of one or two bytes, filling its extension. */
static enum hb_code u16_list(struct hb_cur *ext, struct hb_cur list, struct hb_span *dst)
{
    *dst = hb_cur_rest(&list);
    return hb_cur_end(&list) && hb_cur_end(ext) && dst->len >= 2 && dst->len % 2 == 0 ? HB_OK
                                                                                      : HB_E_TLS_DECODE;
}

enum hb_code hb_hello_u16_list(struct hb_cur *ext, struct hb_span *dst)
{
    struct hb_cur list = hb_cur_vec16(ext);
    return u16_list(ext, list, dst);
}

static enum hb_code server_name(struct hb_cur ext, struct hb_offer *o)
{
    struct hb_cur list = hb_cur_vec16(&ext);
    uint8_t kind = hb_cur_u8(&list);
    struct hb_cur host = hb_cur_vec16(&list);

    if (!hb_cur_end(&list) || !hb_cur_end(&ext) || kind != 0) {
        return HB_E_TLS_DECODE; /* one host_name and nothing else (SNI-T1) */
    }
    o->server_name = hb_cur_rest(&host);
    o->has_server_name = true;
    return hb_dns_name_ok(o->server_name) ? HB_OK : HB_E_TLS_SERVER_NAME;
}

static enum hb_code max_fragment_length(struct hb_cur ext, struct hb_offer *o)
{
    o->max_fragment = hb_cur_u8(&ext);
    if (!hb_cur_end(&ext)) {
        return HB_E_TLS_DECODE;
    }
    return o->max_fragment >= 1 && o->max_fragment <= 4 ? HB_OK : HB_E_TLS_ILLEGAL;
}

static enum hb_code supported_groups(struct hb_cur ext, struct hb_offer *o)
{
    o->has_groups = true;
    struct hb_cur list = hb_cur_vec16(&ext);
    return u16_list(&ext, list, &o->groups);
}

static enum hb_code ec_point_formats(struct hb_cur ext, struct hb_offer *o)
{
    struct hb_cur list = hb_cur_vec8(&ext);
    struct hb_span formats = hb_cur_rest(&list);

    o->has_point_formats = true;
    if (!hb_cur_end(&list) || !hb_cur_end(&ext) || formats.len == 0) {
        return HB_E_TLS_DECODE;
    }
    return memchr(formats.p, 0, formats.len) != NULL ? HB_OK
                                                     : HB_E_TLS_ILLEGAL; /* uncompressed must be there */
}

static enum hb_code signature_algorithms(struct hb_cur ext, struct hb_offer *o)
{
    o->has_sigalgs = true;
    struct hb_cur list = hb_cur_vec16(&ext);
    return u16_list(&ext, list, &o->sigalgs);
}

static enum hb_code alpn(struct hb_cur ext, struct hb_offer *o)
{
    struct hb_cur list = hb_cur_vec16(&ext);
    struct hb_cur walk = list;

    o->has_alpn = true;
    o->alpn = hb_cur_rest(&list);
    while (hb_cur_left(&walk) > 0) {
        struct hb_cur name = hb_cur_vec8(&walk);
        if (hb_cur_left(&name) == 0) {
            return HB_E_TLS_DECODE; /* empty names are not allowed (RFC 7301 3.1) */
        }
    }
    return hb_cur_end(&walk) && hb_cur_end(&ext) && o->alpn.len > 0 ? HB_OK : HB_E_TLS_DECODE;
}

static enum hb_code signature_algorithms_cert(struct hb_cur ext, struct hb_offer *o)
{
    return hb_hello_u16_list(&ext, &o->sigalgs_cert);
}

static enum hb_code encrypt_then_mac(struct hb_cur ext, struct hb_offer *o)
{
    o->has_etm = true;
    return hb_cur_end(&ext) ? HB_OK : HB_E_TLS_DECODE;
}

static enum hb_code session_ticket(struct hb_cur ext, struct hb_offer *o)
{
    o->has_ticket = true;
    o->ticket = hb_cur_rest(&ext);
    return HB_OK;
}

/* Only type ocsp (1) means something to us; other types are for others. */
static enum hb_code status_request(struct hb_cur ext, struct hb_offer *o)
{
    uint8_t type = hb_cur_u8(&ext);

    if (!hb_cur_ok(&ext)) {
        return HB_E_TLS_DECODE;
    }
    if (type != 1) {
        return HB_OK;
    }
    (void)hb_cur_vec16(&ext);
    (void)hb_cur_vec16(&ext);
    o->has_status_request = true;
    return hb_cur_end(&ext) ? HB_OK : HB_E_TLS_DECODE;
}

static enum hb_code psk_modes(struct hb_cur ext, struct hb_offer *o)
{
    struct hb_cur list = hb_cur_vec8(&ext);

    o->has_psk_modes = true;
    o->psk_modes = hb_cur_rest(&list);
    return hb_cur_end(&ext) && o->psk_modes.len > 0 ? HB_OK : HB_E_TLS_DECODE;
}

static enum hb_code cookie(struct hb_cur ext, struct hb_offer *o)
{
    struct hb_cur v = hb_cur_vec16(&ext);

    o->has_cookie = true; /* we never send one, so none can come back (T13-05 judges that) */
    return hb_cur_end(&ext) && hb_cur_left(&v) > 0 ? HB_OK : HB_E_TLS_DECODE;
}

static enum hb_code extended_master_secret(struct hb_cur ext, struct hb_offer *o)
{
    o->has_ems = true;
    return hb_cur_end(&ext) ? HB_OK : HB_E_TLS_DECODE;
}

static enum hb_code record_size_limit(struct hb_cur ext, struct hb_offer *o)
{
    o->record_size_limit = hb_cur_u16(&ext);
    if (!hb_cur_end(&ext)) {
        return HB_E_TLS_DECODE;
    }
    return o->record_size_limit >= 64 ? HB_OK : HB_E_TLS_ILLEGAL;
}

static enum hb_code pre_shared_key(struct hb_cur ext, struct hb_offer *o)
{
    struct hb_cur identities = hb_cur_vec16(&ext);
    struct hb_cur binders = hb_cur_vec16(&ext);
    size_t num_identities = 0;
    size_t num_binders = 0;

    o->has_psk = true;
    struct hb_cur copy = identities;
    o->psk_identities = hb_cur_rest(&copy);
    copy = binders;
    o->psk_binders = hb_cur_rest(&copy);
    while (hb_cur_left(&identities) > 0) {
        struct hb_cur id = hb_cur_vec16(&identities);
        (void)hb_cur_u32(&identities);
        num_identities++;
        if (hb_cur_left(&id) == 0) {
            return HB_E_TLS_DECODE;
        }
    }
    while (hb_cur_left(&binders) > 0) {
        struct hb_cur binder = hb_cur_vec8(&binders);
        num_binders++;
        if (hb_cur_left(&binder) == 0) {
            return HB_E_TLS_DECODE;
        }
    }
    if (!hb_cur_end(&identities) || !hb_cur_end(&binders) || !hb_cur_end(&ext) || num_identities == 0) {
        return HB_E_TLS_DECODE;
    }
    return num_identities == num_binders ? HB_OK : HB_E_TLS_ILLEGAL; /* RES-02 */
}

static enum hb_code early_data(struct hb_cur ext, struct hb_offer *o)
{
    o->has_early_data = true;
    return hb_cur_end(&ext) ? HB_OK : HB_E_TLS_DECODE;
}

static enum hb_code supported_versions(struct hb_cur ext, struct hb_offer *o)
{
    o->has_versions = true;
    struct hb_cur list = hb_cur_vec8(&ext);
    return u16_list(&ext, list, &o->versions);
}

static enum hb_code oid_filters(struct hb_cur ext, struct hb_offer *o)
{
    (void)ext;
    (void)o;
    return HB_E_TLS_ILLEGAL; /* belongs into CertificateRequest alone (HS-04) */
}

static enum hb_code key_share(struct hb_cur ext, struct hb_offer *o)
{
    struct hb_cur list = hb_cur_vec16(&ext);
    struct hb_cur walk = list;

    o->has_key_shares = true;
    o->key_shares = hb_cur_rest(&list);
    while (hb_cur_left(&walk) > 0) {
        (void)hb_cur_u16(&walk);
        struct hb_cur share = hb_cur_vec16(&walk);
        if (hb_cur_left(&share) == 0) {
            return HB_E_TLS_DECODE;
        }
    }
    return hb_cur_end(&walk) && hb_cur_end(&ext) ? HB_OK : HB_E_TLS_DECODE;
}

static enum hb_code renegotiation_info(struct hb_cur ext, struct hb_offer *o)
{
    struct hb_cur data = hb_cur_vec8(&ext);

    o->has_renegotiation = true;
    o->renegotiation = hb_cur_rest(&data);
    return hb_cur_end(&data) && hb_cur_end(&ext) ? HB_OK : HB_E_TLS_DECODE;
}

/* clang-format off */
static enum hb_code (*const rows[])(struct hb_cur ext, struct hb_offer *o) = {
    [HB_EXT_SERVER_NAME]            = server_name,
    [HB_EXT_MAX_FRAGMENT_LENGTH]    = max_fragment_length,
    [HB_EXT_STATUS_REQUEST]         = status_request,
    [HB_EXT_SUPPORTED_GROUPS]       = supported_groups,
    [HB_EXT_EC_POINT_FORMATS]       = ec_point_formats,
    [HB_EXT_SIGNATURE_ALGORITHMS]   = signature_algorithms,
    [HB_EXT_ALPN]                   = alpn,
    [HB_EXT_ENCRYPT_THEN_MAC]       = encrypt_then_mac,
    [HB_EXT_EXTENDED_MASTER_SECRET] = extended_master_secret,
    [HB_EXT_RECORD_SIZE_LIMIT]      = record_size_limit,
    [HB_EXT_SESSION_TICKET]         = session_ticket,
    [HB_EXT_PRE_SHARED_KEY]         = pre_shared_key,
    [HB_EXT_EARLY_DATA]             = early_data,
    [HB_EXT_SUPPORTED_VERSIONS]     = supported_versions,
    [HB_EXT_COOKIE]                 = cookie,
    [HB_EXT_PSK_MODES]              = psk_modes,
    [HB_EXT_OID_FILTERS]            = oid_filters,
    [HB_EXT_SIGNATURE_ALGORITHMS_CERT] = signature_algorithms_cert,
    [HB_EXT_KEY_SHARE]              = key_share,
};
/* clang-format on */

static enum hb_code parse_extension(uint16_t type, struct hb_cur ext, struct hb_offer *o)
{
    if (type < sizeof rows / sizeof rows[0]) {
        return rows[type] != NULL ? rows[type](ext, o) : HB_OK;
    }
    return type == HB_EXT_RENEGOTIATION_INFO ? renegotiation_info(ext, o) : HB_OK;
}

/* The types so far: a bit each for those that IANA has given out, one behind another for the rest. */
struct seen {
    uint64_t low;
    uint16_t high[MAX_EXTENSIONS];
    size_t num_high;
};

static bool seen_before(struct seen *seen, uint16_t type)
{
    if (type < 64) {
        uint64_t bit = UINT64_C(1) << type;
        bool before = (seen->low & bit) != 0;
        seen->low |= bit;
        return before;
    }
    for (size_t i = 0; i < seen->num_high; i++) {
        if (seen->high[i] == type) {
            return true;
        }
    }
    if (seen->num_high < MAX_EXTENSIONS) {
        seen->high[seen->num_high++] = type;
    }
    return false;
}

static enum hb_code parse_extensions(struct hb_cur list, struct hb_offer *o)
{
    struct seen seen;

    seen.low = 0;
    seen.num_high = 0;
    for (unsigned num = 0; hb_cur_left(&list) > 0; num++) {
        uint16_t type = hb_cur_u16(&list);
        struct hb_cur ext = hb_cur_vec16(&list);
        if (!hb_cur_ok(&list)) {
            return HB_E_TLS_DECODE;
        }
        if (seen_before(&seen, type)) {
            return HB_E_TLS_DUPLICATE_EXTENSION;
        }
        if (o->has_psk) { /* pre_shared_key must be the last one (RFC 8446 4.2.11) */
            return HB_E_TLS_ILLEGAL;
        }
        if (num < MAX_EXTENSIONS) {
            HB_TRY(parse_extension(type, ext, o));
        }
    }
    return HB_OK;
}

enum hb_code hb_hello_parse(struct hb_span body, struct hb_offer *o)
{
    struct hb_cur c = hb_cur(body);

    memset(o, 0, sizeof *o);
    o->legacy_version = hb_cur_u16(&c);
    o->random = hb_cur_take(&c, 32);
    struct hb_cur session_id = hb_cur_vec8(&c);
    o->session_id = hb_cur_rest(&session_id);
    struct hb_cur suites = hb_cur_vec16(&c);
    o->suites = hb_cur_rest(&suites);
    struct hb_cur compression = hb_cur_vec8(&c);
    o->compression = hb_cur_rest(&compression);
    if (!hb_cur_ok(&c) || o->session_id.len > 32 || o->suites.len < 2 || o->suites.len % 2 != 0 ||
        o->compression.len == 0) {
        return HB_E_TLS_DECODE;
    }
    if (hb_cur_left(&c) == 0) {
        return HB_OK; /* no extension block at all: an old client (HS-05) */
    }
    struct hb_cur extensions = hb_cur_vec16(&c);
    if (!hb_cur_end(&c)) {
        return HB_E_TLS_DECODE;
    }
    HB_TRY(parse_extensions(extensions, o));
    if (o->has_psk) { /* the last extension (checked), so its binders end the message */
        o->binders_at = body.len - o->psk_binders.len - 2;
    }
    return HB_OK;
}

bool hb_offer_share(const struct hb_offer *offer, uint16_t group, struct hb_span *share)
{
    struct hb_cur list = hb_cur(offer->key_shares);

    while (hb_cur_left(&list) > 0) {
        uint16_t id = hb_cur_u16(&list);
        struct hb_cur key = hb_cur_vec16(&list);
        if (id == group) {
            *share = hb_cur_rest(&key);
            return hb_cur_ok(&list);
        }
    }
    return false;
}
