/* cert.c: RFC 5280 4.1 as a parser.
 * Every level is checked to its end; an extension we do not read is skipped, critical or not: judging that is
 * the path check's work. */
#include "cert.h"

#include "algorithm.h"
#include "der.h"
#include <hb/utf8.h>

static enum hb_code parse_spki(struct hb_span spki, struct hb_cert *cert)
{
    struct hb_cur outer = hb_cur(spki);
    struct hb_cur c = hb_der_take(&outer, HB_DER_SEQUENCE);

    if (!hb_key_algorithm(&c, &cert->key_kind)) {
        return HB_E_X509_ALGORITHM;
    }
    struct hb_span bits = hb_der_bits(&c);
    if (!hb_cur_end(&c)) {
        return HB_E_DER;
    }
    if (cert->key_kind != HB_KEY_RSA && cert->key_kind != HB_KEY_RSA_PSS) {
        cert->point = bits;
        return HB_OK;
    }
    struct hb_cur key = hb_cur(bits);
    struct hb_cur seq = hb_der_take(&key, HB_DER_SEQUENCE);
    cert->rsa_n = hb_der_unsigned(&seq);
    cert->rsa_e = hb_der_unsigned(&seq);
    return hb_cur_end(&seq) && hb_cur_end(&key) ? HB_OK : HB_E_DER;
}

static bool parse_eku(struct hb_cur value, struct hb_cert *cert)
{
    static const char server_auth[] = "\x2b\x06\x01\x05\x05\x07\x03\x01";
    static const char client_auth[] = "\x2b\x06\x01\x05\x05\x07\x03\x02";
    static const char ocsp_signing[] = "\x2b\x06\x01\x05\x05\x07\x03\x09";
    static const char any[] = "\x55\x1d\x25\x00";
    struct hb_cur seq = hb_der_take(&value, HB_DER_SEQUENCE);

    cert->has_eku = true;
    while (hb_cur_left(&seq) > 0) {
        struct hb_span oid = hb_der_oid(&seq);
        bool every = hb_oid_is(oid, any, sizeof any - 1);
        cert->eku_server_auth |= every || hb_oid_is(oid, server_auth, sizeof server_auth - 1);
        cert->eku_client_auth |= every || hb_oid_is(oid, client_auth, sizeof client_auth - 1);
        cert->eku_ocsp_signing |=
            hb_oid_is(oid, ocsp_signing, sizeof ocsp_signing - 1); /* not by "any" (RFC 6960 4.2.2.2) */
    }
    return hb_cur_end(&seq) && hb_cur_end(&value);
}

static bool parse_key_usage(struct hb_cur value, struct hb_cert *cert)
{
    struct hb_cur bits = hb_der_take(&value, HB_DER_BIT_STRING);
    uint8_t unused = hb_cur_u8(&bits);
    struct hb_span used = hb_cur_rest(&bits);
    uint8_t last = used.len > 0 ? used.p[used.len - 1] : 0;

    cert->has_key_usage = true;
    cert->key_usage = used.len > 0 ? used.p[0] : 0;
    return unused < (used.len > 0 ? 8 : 1) && (last & ((1u << unused) - 1)) == 0 && hb_cur_end(&bits) &&
           hb_cur_end(&value);
}

static bool parse_basic_constraints(struct hb_cur value, struct hb_cert *cert)
{
    struct hb_cur seq = hb_der_take(&value, HB_DER_SEQUENCE);

    if (hb_der_peek(&seq) == HB_DER_BOOLEAN) {
        cert->is_ca = hb_der_bool(&seq);
    }
    if (hb_der_peek(&seq) == HB_DER_INTEGER) {
        struct hb_span len = hb_der_unsigned(&seq);
        cert->path_len = len.len == 1 && len.p[0] < 255 ? len.p[0] : 254;
    }
    return hb_cur_end(&seq) && hb_cur_end(&value);
}

static bool parse_san(struct hb_cur value, struct hb_cert *cert)
{
    struct hb_cur seq = hb_der_take(&value, HB_DER_SEQUENCE);
    struct hb_cur walk = seq;

    cert->has_san = true;
    while (hb_cur_left(&walk) > 0) {
        (void)hb_der_element(&walk);
    }
    cert->san = hb_cur_rest(&seq);
    return hb_cur_end(&walk) && hb_cur_end(&seq) && hb_cur_end(&value);
}

static bool parse_name_constraints(struct hb_cur value, struct hb_cert *cert)
{
    struct hb_cur seq = hb_der_take(&value, HB_DER_SEQUENCE);

    cert->has_name_constraints = true;
    cert->name_constraints = hb_cur_rest(&seq);
    return hb_cur_end(&value) && cert->name_constraints.len > 0;
}

/* RFC 7633: TLS features the server promises; 5 is status_request. */
static bool parse_features(struct hb_cur value, struct hb_cert *cert)
{
    struct hb_cur seq = hb_der_take(&value, HB_DER_SEQUENCE);

    while (hb_cur_left(&seq) > 0) {
        struct hb_span feature = hb_der_unsigned(&seq);
        cert->must_staple |= feature.len == 1 && feature.p[0] == 5;
    }
    return hb_cur_end(&seq) && hb_cur_end(&value);
}

/* *seen: a bit for each extension we read, because none may come twice (RFC 5280 4.2). */
static bool parse_extension(struct hb_cur ext, struct hb_cert *cert, unsigned *seen)
{
    static const struct {
        const char *oid;
        size_t len;
        bool (*parse)(struct hb_cur value, struct hb_cert *cert);
    } rows[] = {
        {"\x55\x1d\x0f", 3, parse_key_usage},
        {"\x55\x1d\x11", 3, parse_san},
        {"\x55\x1d\x13", 3, parse_basic_constraints},
        {"\x55\x1d\x1e", 3, parse_name_constraints},
        {"\x55\x1d\x25", 3, parse_eku},
        {"\x2b\x06\x01\x05\x05\x07\x01\x18", 8, parse_features},
    };
    static const char policies[] =
        "\x55\x1d\x20"; /* any policy will do for us, so a critical one is no obstacle */
    struct hb_span oid = hb_der_oid(&ext);
    bool critical = hb_der_peek(&ext) == HB_DER_BOOLEAN && hb_der_bool(&ext);

    struct hb_cur value = hb_der_take(&ext, HB_DER_OCTET_STRING);
    if (!hb_cur_end(&ext)) {
        return false;
    }
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        if (hb_oid_is(oid, rows[i].oid, rows[i].len)) {
            bool again = (*seen & 1u << i) != 0;
            *seen |= 1u << i;
            return !again && rows[i].parse(value, cert);
        }
    }
    cert->critical_unknown |= critical && !hb_oid_is(oid, policies, 3);
    return true;
}

static bool parse_extensions(struct hb_cur *tbs, struct hb_cert *cert)
{
    struct hb_cur outer = hb_der_take(tbs, HB_DER_CONTEXT_CONSTRUCTED | 3);
    struct hb_cur list = hb_der_take(&outer, HB_DER_SEQUENCE);
    unsigned seen = 0;

    while (hb_cur_left(&list) > 0) {
        struct hb_cur ext = hb_der_take(&list, HB_DER_SEQUENCE);
        if (!hb_cur_ok(&list) || !parse_extension(ext, cert, &seen)) {
            return false;
        }
    }
    return hb_cur_end(&list) && hb_cur_end(&outer);
}

/* A Name whole, of which only the outermost tag is looked at here. */
static struct hb_span take_name(struct hb_cur *c)
{
    if (hb_der_peek(c) != HB_DER_SEQUENCE) {
        hb_cur_fail(c);
    }
    return hb_der_element(c);
}

static enum hb_code parse_tbs(struct hb_cur tbs, struct hb_cert *cert, struct hb_span *inner_alg)
{
    if (!hb_cur_ok(&tbs)) {
        return HB_E_DER;
    }
    if (hb_der_peek(&tbs) != (HB_DER_CONTEXT_CONSTRUCTED | 0)) {
        return HB_E_X509_VERSION;
    }
    struct hb_cur version = hb_der_take(&tbs, HB_DER_CONTEXT_CONSTRUCTED | 0);
    struct hb_span v = hb_der_unsigned(&version);
    if (!hb_cur_end(&version) || v.len != 1 || v.p[0] != 2) {
        return HB_E_X509_VERSION;
    }
    cert->serial = hb_der_integer(&tbs);
    *inner_alg = hb_der_element(&tbs);
    cert->issuer = take_name(&tbs);
    struct hb_cur validity = hb_der_take(&tbs, HB_DER_SEQUENCE);
    cert->not_before = hb_der_time(&validity);
    cert->not_after = hb_der_time(&validity);
    if (!hb_cur_end(&validity)) {
        return HB_E_DER;
    }
    cert->subject = take_name(&tbs);
    cert->spki = hb_der_element(&tbs);
    if (!hb_cur_ok(&tbs)) {
        return HB_E_DER;
    }
    HB_TRY(parse_spki(cert->spki, cert));
    for (uint8_t id = 1; id <= 2; id++) { /* unique identifiers: obsolete, skipped */
        if (hb_der_peek(&tbs) == (HB_DER_CONTEXT | id)) {
            (void)hb_der_element(&tbs);
        }
    }
    if (hb_cur_left(&tbs) > 0 && !parse_extensions(&tbs, cert)) {
        return HB_E_DER;
    }
    return hb_cur_end(&tbs) ? HB_OK : HB_E_DER;
}

enum hb_code hb_cert_parse(struct hb_span der, struct hb_cert *cert)
{
    struct hb_cur outer = hb_cur(der);
    struct hb_span inner_alg = hb_span(NULL, 0);

    memset(cert, 0, sizeof *cert);
    cert->path_len = 255;
    if (der.len > HB_CERT_MAX) {
        return HB_E_DER;
    }
    cert->der = der;
    struct hb_cur c = hb_der_take(&outer, HB_DER_SEQUENCE);
    if (!hb_cur_end(&outer)) {
        return HB_E_DER;
    }
    cert->tbs = hb_der_element(&c);
    struct hb_span outer_alg = hb_der_element(&c);
    cert->signature = hb_der_bits(&c);
    if (!hb_cur_end(&c)) {
        return HB_E_DER;
    }
    struct hb_cur alg_cur = hb_cur(outer_alg);
    struct hb_cur alg = hb_der_take(&alg_cur, HB_DER_SEQUENCE);
    cert->sig_oid = hb_der_oid(&alg);
    cert->sig = hb_cert_signature_scheme(cert->sig_oid, alg);
    struct hb_cur tbs_cur = hb_cur(cert->tbs);
    HB_TRY(parse_tbs(hb_der_take(&tbs_cur, HB_DER_SEQUENCE), cert, &inner_alg));
    return hb_cur_ok(&alg) && hb_span_eq(outer_alg, inner_alg) ? HB_OK : HB_E_DER; /* PKI-01 */
}

enum hb_code hb_cert_pubkey(const struct hb_cert *cert, const struct hb_env *env, struct hb_pubkey **key)
{
    switch (cert->key_kind) {
    case HB_KEY_RSA:
    case HB_KEY_RSA_PSS:
        return hb_pubkey_rsa(env, cert->rsa_n, cert->rsa_e, cert->key_kind, key);
    case HB_KEY_P256:
    case HB_KEY_P384:
    case HB_KEY_P521:
        return hb_pubkey_ec(env, cert->key_kind, cert->point, key);
    case HB_KEY_ED25519:
        return hb_pubkey_ed25519(env, cert->point, key);
    case HB_KEY_ED448:
        return hb_pubkey_ed448(env, cert->point, key);
    }
    return HB_E_X509_ALGORITHM;
}

/* The last CN of the subject: the most specific one. */
static struct hb_span common_name(struct hb_span subject)
{
    struct hb_cur outer = hb_cur(subject);
    struct hb_cur rdns = hb_der_take(&outer, HB_DER_SEQUENCE);
    struct hb_span cn = hb_span(NULL, 0);

    while (hb_cur_left(&rdns) > 0) {
        struct hb_cur set = hb_der_take(&rdns, HB_DER_SET);
        struct hb_cur pair = hb_der_take(&set, HB_DER_SEQUENCE);
        struct hb_span oid = hb_der_oid(&pair);
        uint8_t tag = hb_der_peek(&pair);
        struct hb_cur value = hb_der_take(&pair, tag);
        if (hb_oid_is(oid, "\x55\x04\x03", 3) &&
            (tag == HB_DER_UTF8 || tag == HB_DER_PRINTABLE || tag == HB_DER_IA5)) {
            cn = hb_cur_rest(&value);
        }
    }
    return cn;
}

struct hb_cert_names hb_cert_names(const struct hb_cert *cert)
{
    return (struct hb_cert_names){
        .san = hb_cur(cert->san),
        .common_name = cert->has_san ? hb_span(NULL, 0) : common_name(cert->subject),
    };
}

struct hb_span hb_cert_next_name(struct hb_cert_names *names)
{
    struct hb_span name = names->common_name;

    names->common_name = hb_span(NULL, 0);
    while (name.len == 0 && hb_cur_left(&names->san) > 0) {
        uint8_t tag = hb_der_peek(&names->san);
        struct hb_cur value = hb_der_take(&names->san, tag);
        if (tag == (HB_DER_CONTEXT | 2)) {
            name = hb_cur_rest(&value);
        }
    }
    return name;
}

static bool printable(struct hb_span name)
{
    for (size_t i = 0; i < name.len; i++) {
        if (name.p[i] < 0x20 || name.p[i] == 0x7f) {
            return false;
        }
    }
    return name.len > 0 && hb_utf8_ok(name);
}

/* The first name of this kind in the SAN (the kind's context tag, RFC 5280 4.2.1.6). */
static struct hb_span alternative_name(const struct hb_cert *cert, uint8_t kind)
{
    struct hb_cur san = hb_cur(cert->san);
    struct hb_span name = hb_span(NULL, 0);

    while (name.len == 0 && hb_cur_left(&san) > 0) {
        uint8_t tag = hb_der_peek(&san);
        struct hb_cur value = hb_der_take(&san, tag);
        if (tag == (HB_DER_CONTEXT | kind)) {
            name = hb_cur_rest(&value);
        }
    }
    return name;
}

size_t hb_cert_identity(const struct hb_cert *cert, enum hb_tls_identity which, char *dst, size_t cap)
{
    bool email = which == HB_IDENTITY_EMAIL || which == HB_IDENTITY_EMAIL_OR_CN;
    struct hb_span name = email                      ? alternative_name(cert, 1)
                          : which == HB_IDENTITY_DNS ? alternative_name(cert, 2)
                                                     : hb_span(NULL, 0);

    if (name.len == 0 && (which == HB_IDENTITY_CN || which == HB_IDENTITY_EMAIL_OR_CN)) {
        name = common_name(cert->subject);
    }
    if (!printable(name) || name.len >= cap) {
        name = hb_span(NULL, 0);
    }
    if (name.len > 0) {
        memcpy(dst, name.p, name.len);
    }
    dst[name.len] = 0;
    return name.len;
}
