/* ocsp.c: OCSPResponse -> BasicOCSPResponse -> the SingleResponse of our certificate. One pass, nothing kept.
 */
#include "ocsp.h"

#include "der.h"
#include "path.h"

#define NO_NEXT_UPDATE (UINT64_C(7) * 86400) /* how long an answer without nextUpdate counts */

static const char oid_basic[] = "\x2b\x06\x01\x05\x05\x07\x30\x01\x01";
static const char oid_sha1[] = "\x2b\x0e\x03\x02\x1a";
static const char oid_sha256[] = "\x60\x86\x48\x01\x65\x03\x04\x02\x01";

static bool is(struct hb_span oid, const char *want, size_t len)
{
    return oid.len == len && memcmp(oid.p, want, len) == 0;
}

/* The key's bits, without tag, length and count of unused bits: what CertID and ResponderID hash. */
static struct hb_span key_bits(const struct hb_cert *cert)
{
    struct hb_cur outer = hb_cur(cert->spki);
    struct hb_cur seq = hb_der_take(&outer, HB_DER_SEQUENCE);

    (void)hb_der_element(&seq);
    return hb_der_bits(&seq);
}

/* CertID: hash algorithm, hash of the issuer's name, hash of its key, serial number. */
static bool is_about(struct hb_cur id, const struct hb_cert *cert, const struct hb_cert *issuer)
{
    struct hb_cur alg = hb_der_take(&id, HB_DER_SEQUENCE);
    struct hb_span oid = hb_der_oid(&alg);
    struct hb_cur name = hb_der_take(&id, HB_DER_OCTET_STRING);
    struct hb_cur key = hb_der_take(&id, HB_DER_OCTET_STRING);
    struct hb_span serial = hb_der_integer(&id);
    const struct hb_hash *hash = is(oid, oid_sha1, 5) ? &hb_sha1 : is(oid, oid_sha256, 9) ? &hb_sha256 : NULL;
    uint8_t digest[HB_HASH_MAX];

    if (!hb_cur_end(&id) || hash == NULL || !hb_span_eq(serial, cert->serial)) {
        return false;
    }
    hb_hash_once(hash, issuer->subject, digest);
    if (!hb_span_eq(hb_cur_rest(&name), hb_span(digest, hash->len))) {
        return false;
    }
    hb_hash_once(hash, key_bits(issuer), digest);
    return hb_span_eq(hb_cur_rest(&key), hb_span(digest, hash->len));
}

/* The status in a SingleResponse about our certificate, and whether it is of now. */
static enum hb_code judge_single(struct hb_cur single, uint64_t now)
{
    uint8_t status = hb_der_peek(&single);
    (void)hb_der_element(&single);
    uint64_t this_update = hb_der_time(&single);
    uint64_t next_update = this_update + NO_NEXT_UPDATE;

    if (hb_der_peek(&single) == (HB_DER_CONTEXT_CONSTRUCTED | 0)) {
        struct hb_cur next = hb_der_take(&single, HB_DER_CONTEXT_CONSTRUCTED | 0);
        next_update = hb_der_time(&next);
        if (!hb_cur_end(&next)) {
            return HB_E_X509_STAPLE;
        }
    }
    if (!hb_cur_ok(&single) || now < this_update || now > next_update) {
        return HB_E_X509_STAPLE;
    }
    if (status == (HB_DER_CONTEXT_CONSTRUCTED | 1)) {
        return HB_E_X509_REVOKED;
    }
    return status == (HB_DER_CONTEXT | 0) ? HB_OK : HB_E_X509_STAPLE; /* [0] good, [2] unknown */
}

static enum hb_code judge_data(struct hb_span data, const struct hb_cert *cert, const struct hb_cert *issuer,
                               uint64_t now)
{
    struct hb_cur outer = hb_cur(data);
    struct hb_cur c = hb_der_take(&outer, HB_DER_SEQUENCE);

    if (hb_der_peek(&c) == (HB_DER_CONTEXT_CONSTRUCTED | 0)) {
        (void)hb_der_element(&c); /* version 1, which DER would leave out */
    }
    (void)hb_der_element(&c); /* responderID: who signed is found by the signature */
    (void)hb_der_time(&c);
    struct hb_cur list = hb_der_take(&c, HB_DER_SEQUENCE);
    if (!hb_cur_ok(&c)) {
        return HB_E_X509_STAPLE;
    }
    while (hb_cur_left(&list) > 0) {
        struct hb_cur single = hb_der_take(&list, HB_DER_SEQUENCE);
        struct hb_cur id = hb_der_take(&single, HB_DER_SEQUENCE);
        if (is_about(id, cert, issuer)) {
            return judge_single(single, now);
        }
    }
    return HB_E_X509_STAPLE;
}

/* A certificate inside the response that the issuer made for signing responses. */
static bool appointed(const struct hb_env *env, struct hb_span der, const struct hb_cert *issuer,
                      uint64_t now, struct hb_cert *responder)
{
    return hb_cert_parse(der, responder) == HB_OK && responder->eku_ocsp_signing &&
           now >= responder->not_before && now <= responder->not_after &&
           hb_span_eq(responder->issuer, issuer->subject) &&
           hb_path_signed_by(env, responder->tbs, responder->sig, responder->signature, issuer) == HB_OK;
}

enum hb_code hb_ocsp_check(const struct hb_env *env, struct hb_span response, const struct hb_cert *cert,
                           const struct hb_cert *issuer, uint64_t now)
{
    struct hb_cur outer = hb_cur(response);
    struct hb_cur c = hb_der_take(&outer, HB_DER_SEQUENCE);
    struct hb_cur status = hb_der_take(&c, 0x0a); /* ENUMERATED */
    struct hb_cur wrap = hb_der_take(&c, HB_DER_CONTEXT_CONSTRUCTED | 0);
    struct hb_cur bytes = hb_der_take(&wrap, HB_DER_SEQUENCE);
    struct hb_span type = hb_der_oid(&bytes);
    struct hb_cur octets = hb_der_take(&bytes, HB_DER_OCTET_STRING);
    uint8_t code = hb_cur_u8(&status);

    if (!hb_cur_end(&outer) || !hb_cur_end(&c) || !hb_cur_end(&status) || !hb_cur_end(&wrap) ||
        !hb_cur_end(&bytes) || code != 0 || !is(type, oid_basic, sizeof oid_basic - 1)) {
        return HB_E_X509_STAPLE;
    }
    struct hb_cur basic = hb_der_take(&octets, HB_DER_SEQUENCE);
    struct hb_span data = hb_der_element(&basic);
    struct hb_cur alg = hb_der_take(&basic, HB_DER_SEQUENCE);
    struct hb_span signature = hb_der_bits(&basic);
    if (!hb_cur_ok(&basic) || !hb_cur_end(&octets)) {
        return HB_E_X509_STAPLE;
    }
    struct hb_span oid = hb_der_oid(&alg);
    const struct hb_sigalg *sig = hb_cert_signature_scheme(oid, alg);
    bool signed_well = hb_path_signed_by(env, data, sig, signature, issuer) == HB_OK;
    if (!signed_well && hb_der_peek(&basic) == (HB_DER_CONTEXT_CONSTRUCTED | 0)) {
        struct hb_cur certs_wrap = hb_der_take(&basic, HB_DER_CONTEXT_CONSTRUCTED | 0);
        struct hb_cur certs = hb_der_take(&certs_wrap, HB_DER_SEQUENCE);
        struct hb_cert responder;
        for (unsigned i = 0; i < 4 && hb_cur_left(&certs) > 0 && !signed_well; i++) {
            signed_well = appointed(env, hb_der_element(&certs), issuer, now, &responder) &&
                          hb_path_signed_by(env, data, sig, signature, &responder) == HB_OK;
        }
    }
    return signed_well ? judge_data(data, cert, issuer, now) : HB_E_X509_STAPLE;
}
