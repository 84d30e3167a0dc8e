/* cert.c: RFC 5280 4.1 as a parser.
 * Every level is checked to its end; an extension we do not read is skipped, critical or not: judging that is
 * the path check's work. */
#include "cert.h"

#include "der.h"
#include <hb/utf8.h>

struct oid_row {
    const char *bytes;
    uint8_t len;
    enum hb_key_kind kind;
};

#define OID(s) s, sizeof s - 1
static const struct oid_row key_oids[] = {
    {OID("\x2a\x86\x48\x86\xf7\x0d\x01\x01\x01"), HB_KEY_RSA},     /* rsaEncryption */
    {OID("\x2a\x86\x48\x86\xf7\x0d\x01\x01\x0a"), HB_KEY_RSA_PSS}, /* id-RSASSA-PSS */
    {OID("\x2b\x65\x70"), HB_KEY_ED25519},                         /* id-Ed25519 */
    {OID("\x2b\x65\x71"), HB_KEY_ED448},                           /* id-Ed448 */
};
static const struct oid_row curve_oids[] = {
    {OID("\x2a\x86\x48\xce\x3d\x03\x01\x07"), HB_KEY_P256},
    {OID("\x2b\x81\x04\x00\x22"), HB_KEY_P384},
    {OID("\x2b\x81\x04\x00\x23"), HB_KEY_P521},
};
static const char oid_ec[] = "\x2a\x86\x48\xce\x3d\x02\x01"; /* id-ecPublicKey */

static bool is_oid(struct hb_span oid, const char *bytes, size_t len)
{
    return oid.len == len && memcmp(oid.p, bytes, len) == 0;
}

static bool find_oid(const struct oid_row *rows, size_t n, struct hb_span oid, enum hb_key_kind *kind)
{
    for (size_t i = 0; i < n; i++) {
        if (is_oid(oid, rows[i].bytes, rows[i].len)) {
            *kind = rows[i].kind;
            return true;
        }
    }
    return false;
}

bool hb_key_algorithm(struct hb_cur *c, enum hb_key_kind *kind)
{
    struct hb_cur alg = hb_der_take(c, HB_DER_SEQUENCE);
    struct hb_span oid = hb_der_oid(&alg);

    if (!hb_cur_ok(c) || !hb_cur_ok(&alg)) {
        return false;
    }
    if (is_oid(oid, oid_ec, sizeof oid_ec - 1)) {
        struct hb_span curve = hb_der_oid(&alg); /* named curves only (PKI-05) */
        return hb_cur_end(&alg) &&
               find_oid(curve_oids, sizeof curve_oids / sizeof curve_oids[0], curve, kind);
    }
    if (!find_oid(key_oids, sizeof key_oids / sizeof key_oids[0], oid, kind)) {
        return false;
    }
    if (*kind == HB_KEY_ED25519 || *kind == HB_KEY_ED448) {
        return hb_cur_end(&alg); /* parameters must be absent (RFC 8410 3) */
    }
    if (*kind == HB_KEY_RSA) {
        struct hb_cur null = hb_der_take(&alg, HB_DER_NULL);
        return hb_cur_end(&null) && hb_cur_end(&alg);
    }
    return true; /* RSASSA-PSS parameters, if any, restrict what we do not do anyway: salt and hash lengths */
}

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
        bool every = is_oid(oid, any, sizeof any - 1);
        cert->eku_server_auth |= every || is_oid(oid, server_auth, sizeof server_auth - 1);
        cert->eku_client_auth |= every || is_oid(oid, client_auth, sizeof client_auth - 1);
        cert->eku_ocsp_signing |=
            is_oid(oid, ocsp_signing, sizeof ocsp_signing - 1); /* not by "any" (RFC 6960 4.2.2.2) */
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
        if (is_oid(oid, rows[i].oid, rows[i].len)) {
            bool again = (*seen & 1u << i) != 0;
            *seen |= 1u << i;
            return !again && rows[i].parse(value, cert);
        }
    }
    cert->critical_unknown |= critical && !is_oid(oid, policies, 3);
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

/* RSASSA-PSS-params (RFC 4055 3.1): one hash, MGF1 with the same, salt as long as the hash, trailer 1. */
static uint16_t pss_scheme(struct hb_cur alg)
{
    static const struct {
        uint8_t last; /* 2.16.840.1.101.3.4.2.x */
        uint8_t salt;
        uint16_t id;
    } rows[] = {{1, 32, 0x0804}, {2, 48, 0x0805}, {3, 64, 0x0806}};
    static const char sha2[] = "\x60\x86\x48\x01\x65\x03\x04\x02";
    static const char mgf1[] = "\x2a\x86\x48\x86\xf7\x0d\x01\x01\x08";
    struct hb_cur params = hb_der_take(&alg, HB_DER_SEQUENCE);
    struct hb_cur f0 = hb_der_take(&params, HB_DER_CONTEXT_CONSTRUCTED | 0);
    struct hb_span hash_alg = hb_der_element(&f0);
    struct hb_cur hash_cur = hb_cur(hash_alg);
    struct hb_cur hash = hb_der_take(&hash_cur, HB_DER_SEQUENCE);
    struct hb_span hash_oid = hb_der_oid(&hash);
    struct hb_cur f1 = hb_der_take(&params, HB_DER_CONTEXT_CONSTRUCTED | 1);
    struct hb_cur mgf = hb_der_take(&f1, HB_DER_SEQUENCE);
    struct hb_span mgf_oid = hb_der_oid(&mgf);
    struct hb_span mgf_hash = hb_der_element(&mgf);
    struct hb_cur f2 = hb_der_take(&params, HB_DER_CONTEXT_CONSTRUCTED | 2);
    struct hb_span salt = hb_der_unsigned(&f2);

    if (hb_der_peek(&params) == (HB_DER_CONTEXT_CONSTRUCTED | 3)) {
        struct hb_cur f3 = hb_der_take(&params, HB_DER_CONTEXT_CONSTRUCTED | 3);
        struct hb_span trailer = hb_der_unsigned(&f3);
        if (trailer.len != 1 || trailer.p[0] != 1) {
            return 0;
        }
    }
    if (!hb_cur_end(&params) || !hb_cur_end(&alg) || !hb_cur_end(&f2) || !hb_cur_ok(&mgf) ||
        !hb_cur_ok(&hash) || !is_oid(mgf_oid, mgf1, sizeof mgf1 - 1) || !hb_span_eq(hash_alg, mgf_hash) ||
        hash_oid.len != 9 || memcmp(hash_oid.p, sha2, 8) != 0 || salt.len != 1) {
        return 0;
    }
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        if (hash_oid.p[8] == rows[i].last && salt.p[0] == rows[i].salt) {
            return rows[i].id;
        }
    }
    return 0;
}

/* How a certificate was signed, as the TLS scheme that verifies it; SHA-1 and MD5 are not among them
 * (PKI-05). */
const struct hb_sigalg *hb_cert_signature_scheme(struct hb_span oid, struct hb_cur params)
{
    static const struct {
        const char *oid;
        size_t len;
        uint16_t id;
        bool null; /* parameters: NULL, else absent */
    } rows[] = {
        {OID("\x2a\x86\x48\x86\xf7\x0d\x01\x01\x0b"), 0x0401, true},
        {OID("\x2a\x86\x48\x86\xf7\x0d\x01\x01\x0c"), 0x0501, true},
        {OID("\x2a\x86\x48\x86\xf7\x0d\x01\x01\x0d"), 0x0601, true},
        {OID("\x2a\x86\x48\xce\x3d\x04\x03\x02"), 0x0403, false},
        {OID("\x2a\x86\x48\xce\x3d\x04\x03\x03"), 0x0503, false},
        {OID("\x2a\x86\x48\xce\x3d\x04\x03\x04"), 0x0603, false},
        {OID("\x2b\x65\x70"), 0x0807, false},
        {OID("\x2b\x65\x71"), 0x0808, false},
    };
    static const char pss[] = "\x2a\x86\x48\x86\xf7\x0d\x01\x01\x0a";

    if (is_oid(oid, pss, sizeof pss - 1)) {
        return hb_sigalg_find(pss_scheme(params));
    }
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        if (is_oid(oid, rows[i].oid, rows[i].len)) {
            if (rows[i].null) {
                struct hb_cur null = hb_der_take(&params, HB_DER_NULL);
                return hb_cur_end(&null) && hb_cur_end(&params) ? hb_sigalg_find(rows[i].id) : NULL;
            }
            return hb_cur_end(&params) ? hb_sigalg_find(rows[i].id) : NULL;
        }
    }
    return NULL;
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
        if (is_oid(oid, "\x55\x04\x03", 3) &&
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
