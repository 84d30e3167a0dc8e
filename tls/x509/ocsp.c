/* ocsp.c: OCSPResponse -> BasicOCSPResponse -> the SingleResponse of one certificate.
 *
 * Read, then signed by whom, then what it says: three functions, in this order. Nothing is kept; the issuer
 * may be left out only for a response that is our own (hb_ocsp_window). */
#include "ocsp.h"

#include "algorithm.h"
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

/* CertID: hash algorithm, hash of the issuer's name, hash of its key, serial number. Without the issuer its
 * key cannot be compared. */
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
    hb_hash_once(hash, cert->issuer, digest);
    if (!hb_span_eq(hb_cur_rest(&name), hb_span(digest, hash->len))) {
        return false;
    }
    if (issuer == NULL) {
        return true;
    }
    hb_hash_once(hash, key_bits(issuer), digest);
    return hb_span_eq(hb_cur_rest(&key), hb_span(digest, hash->len));
}

/* Status and times in a SingleResponse about our certificate. */
static enum hb_code judge_single(struct hb_cur single, uint64_t now, struct hb_ocsp_window *window)
{
    uint8_t status = hb_der_peek(&single);
    (void)hb_der_element(&single);
    window->from = hb_der_time(&single);
    window->until = window->from + NO_NEXT_UPDATE;

    if (hb_der_peek(&single) == (HB_DER_CONTEXT_CONSTRUCTED | 0)) {
        struct hb_cur next = hb_der_take(&single, HB_DER_CONTEXT_CONSTRUCTED | 0);
        window->until = hb_der_time(&next);
        if (!hb_cur_end(&next)) {
            return HB_E_X509_STAPLE;
        }
    }
    if (!hb_cur_ok(&single)) {
        return HB_E_X509_STAPLE;
    }
    if (now < window->from || now > window->until) {
        return HB_E_X509_STAPLE_STALE;
    }
    if (status == (HB_DER_CONTEXT_CONSTRUCTED | 1)) {
        return HB_E_X509_REVOKED;
    }
    return status == (HB_DER_CONTEXT | 0) ? HB_OK : HB_E_X509_STAPLE_UNKNOWN; /* [0] good, [2] unknown */
}

static enum hb_code judge_data(struct hb_span data, const struct hb_cert *cert, const struct hb_cert *issuer,
                               uint64_t now, struct hb_ocsp_window *window)
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
            return judge_single(single, now, window);
        }
    }
    return HB_E_X509_STAPLE_OTHER;
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

struct basic {
    struct hb_span data, signature; /* ResponseData as signed; its signature */
    const struct hb_sigalg *sig;    /* NULL: one we do not accept */
    struct hb_cur rest;             /* certificates, perhaps */
};

static bool read_basic(struct hb_span response, struct basic *b)
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
        return false;
    }
    struct hb_cur basic = hb_der_take(&octets, HB_DER_SEQUENCE);
    b->data = hb_der_element(&basic);
    struct hb_cur alg = hb_der_take(&basic, HB_DER_SEQUENCE);
    b->signature = hb_der_bits(&basic);
    if (!hb_cur_ok(&basic) || !hb_cur_end(&octets)) {
        return false;
    }
    struct hb_span oid = hb_der_oid(&alg);
    b->sig = hb_cert_signature_scheme(oid, alg);
    b->rest = basic;
    return true;
}

/* By the issuer, or by a responder it appointed; *until: when that responder's certificate ends. */
static bool signed_well(const struct hb_env *env, struct basic *b, const struct hb_cert *issuer, uint64_t now,
                        uint64_t *until)
{
    struct hb_cert responder;

    *until = UINT64_MAX;
    if (hb_path_signed_by(env, b->data, b->sig, b->signature, issuer) == HB_OK) {
        return true;
    }
    if (hb_der_peek(&b->rest) != (HB_DER_CONTEXT_CONSTRUCTED | 0)) {
        return false;
    }
    struct hb_cur wrap = hb_der_take(&b->rest, HB_DER_CONTEXT_CONSTRUCTED | 0);
    struct hb_cur certs = hb_der_take(&wrap, HB_DER_SEQUENCE);
    for (unsigned i = 0; i < 4 && hb_cur_left(&certs) > 0; i++) {
        if (appointed(env, hb_der_element(&certs), issuer, now, &responder) &&
            hb_path_signed_by(env, b->data, b->sig, b->signature, &responder) == HB_OK) {
            *until = responder.not_after;
            return true;
        }
    }
    return false;
}

enum hb_code hb_ocsp_check(const struct hb_env *env, struct hb_span response, const struct hb_cert *cert,
                           const struct hb_cert *issuer, uint64_t now)
{
    struct hb_ocsp_window window;
    struct basic b;
    uint64_t until;

    if (!read_basic(response, &b)) {
        return HB_E_X509_STAPLE;
    }
    return signed_well(env, &b, issuer, now, &until) ? judge_data(b.data, cert, issuer, now, &window)
                                                     : HB_E_X509_STAPLE_SIGNATURE;
}

enum hb_code hb_ocsp_window(const struct hb_env *env, struct hb_span response, const struct hb_cert *cert,
                            const struct hb_cert *issuer, uint64_t now, struct hb_ocsp_window *window)
{
    struct basic b;
    uint64_t until = UINT64_MAX;

    if (!read_basic(response, &b)) {
        return HB_E_X509_STAPLE;
    }
    /* what it says first: "about another certificate" helps an operator more than "not signed by its issuer"
     */
    HB_TRY(judge_data(b.data, cert, issuer, now, window));
    if (issuer != NULL && !signed_well(env, &b, issuer, now, &until)) {
        return HB_E_X509_STAPLE_SIGNATURE;
    }
    window->until = until < window->until ? until : window->until;
    return HB_OK;
}
