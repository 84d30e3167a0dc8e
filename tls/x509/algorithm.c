/* algorithm.c: AlgorithmIdentifiers, of keys and of signatures, to what tls/crypto calls them.
 * What stands in no row is refused, and so are parameters other than those that the algorithm's RFC asks for
 * (PKI-05); nothing here looks at a key or at a signature itself. */
#include "algorithm.h"

#include "der.h"

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

static bool find_oid(const struct oid_row *rows, size_t n, struct hb_span oid, enum hb_key_kind *kind)
{
    for (size_t i = 0; i < n; i++) {
        if (hb_oid_is(oid, rows[i].bytes, rows[i].len)) {
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
    if (hb_oid_is(oid, oid_ec, sizeof oid_ec - 1)) {
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
        !hb_cur_ok(&hash) || !hb_oid_is(mgf_oid, mgf1, sizeof mgf1 - 1) || !hb_span_eq(hash_alg, mgf_hash) ||
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

    if (hb_oid_is(oid, pss, sizeof pss - 1)) {
        return hb_sigalg_find(pss_scheme(params));
    }
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        if (hb_oid_is(oid, rows[i].oid, rows[i].len)) {
            if (rows[i].null) {
                struct hb_cur null = hb_der_take(&params, HB_DER_NULL);
                return hb_cur_end(&null) && hb_cur_end(&params) ? hb_sigalg_find(rows[i].id) : NULL;
            }
            return hb_cur_end(&params) ? hb_sigalg_find(rows[i].id) : NULL;
        }
    }
    return NULL;
}
