/* fuzz_der_cert.c: the input is a certificate, and a run of DER elements, and a time.
 * Kept whatever comes: views stay inside the certificate and in its order, walks end, codes are those that
 * x509/cert.h names, and nothing is held afterwards. */
#include "testenv.h"
#include "x509/cert.h"
#include "x509/der.h"
#include "x509/name.h"
#include <stdio.h>
#include <stdlib.h>

#define PROMISE(cond) ((cond) ? (void)0 : broken(#cond, __LINE__))

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);

static void broken(const char *what, int line)
{
    (void)fprintf(stderr, "fuzz_der_cert.c:%d: not kept: %s\n", line, what);
    abort();
}

static bool inside(struct hb_span part, struct hb_span whole)
{
    return part.len == 0 || (part.p >= whole.p && part.p + part.len <= whole.p + whole.len);
}

static void walk_names(const struct hb_cert *cert)
{
    struct hb_cert_names names = hb_cert_names(cert);
    struct hb_span before = hb_span(NULL, 0);

    for (struct hb_span name; (name = hb_cert_next_name(&names)).len > 0; before = name) {
        bool wildcard;
        PROMISE(inside(name, cert->has_san ? cert->san : cert->subject));
        PROMISE(before.len == 0 || (cert->has_san && name.p > before.p));
        if (hb_dns_name_covers(name, name, &wildcard)) { /* what covers itself is a name without a wildcard */
            PROMISE(!wildcard && hb_dns_name_ok(name));
        }
    }
    PROMISE(hb_cert_next_name(&names).len == 0);
}

static void check(const struct hb_cert *cert, struct hb_span der)
{
    const struct hb_span inner[] = {cert->serial, cert->issuer, cert->subject, cert->spki,
                                    cert->san,    cert->rsa_n,  cert->rsa_e,   cert->point};
    struct testenv t;
    struct hb_pubkey *key;

    PROMISE(hb_span_eq(cert->der, der) && inside(cert->tbs, der) && cert->tbs.len > 0);
    PROMISE(inside(cert->sig_oid, der) && cert->sig_oid.len > 0 && inside(cert->signature, der));
    for (size_t i = 0; i < sizeof inner / sizeof inner[0]; i++) {
        PROMISE(inside(inner[i], cert->tbs));
    }
    PROMISE(cert->has_san || cert->san.len == 0);
    PROMISE(cert->has_eku || !cert->eku_server_auth);
    walk_names(cert);
    testenv_init(&t, 1);
    enum hb_code code = hb_cert_pubkey(cert, &t.env, &key);
    PROMISE(code == HB_OK || code == HB_E_KEY_INVALID);
    PROMISE((code == HB_OK) == (key != NULL));
    hb_pubkey_free(&t.env, &key);
    PROMISE(t.held == 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
    struct hb_span der = hb_span(data, len);
    struct hb_cert cert;

    enum hb_code code = hb_cert_parse(der, &cert);
    if (code == HB_OK) {
        check(&cert, der);
    } else {
        PROMISE(code == HB_E_DER || code == HB_E_X509_VERSION || code == HB_E_X509_ALGORITHM);
    }
    struct hb_cur c = hb_cur(der);
    while (hb_cur_left(&c) > 0) {
        struct hb_span element = hb_der_element(&c);
        PROMISE(element.len >= 2 ? inside(element, der) : !hb_cur_ok(&c));
    }
    c = hb_cur(der);
    uint64_t time = hb_der_time(&c);
    PROMISE(time <= 253402300799u && (hb_cur_ok(&c) || time == 0));
    return 0;
}
