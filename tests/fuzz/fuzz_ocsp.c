/* fuzz_ocsp.c: a stapled response about one certificate: changed inside and signed again or not, or changed
 * as a whole, or any bytes.
 *
 *   how u8 | hours u8 | edits
 *
 * Kept whatever comes: what is believed was signed by the issuer or a responder of its, about this
 * certificate, and not at any time; the code is one of those for it. */
#include "alert.h"
#include "edits.h"
#include "tls_tape.h"
#include "x509/ocsp.h"
#include <stdio.h>
#include <stdlib.h>

#define PROMISE(cond) ((cond) ? (void)0 : broken(#cond, __LINE__))

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);

static void broken(const char *what, int line)
{
    (void)fprintf(stderr, "fuzz_ocsp.c:%d: not kept: %s\n", line, what);
    abort();
}

enum { SIGNED_AGAIN, BY_A_STRANGER, WHOLE, ANY_BYTES };

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
    static uint8_t mem[65536];
    static uint8_t out_mem[8192];
    const struct tape_pki *pki = tape_pki();
    struct hb_bld changed = hb_bld(mem, sizeof mem);
    struct hb_bld out = hb_bld(out_mem, sizeof out_mem);
    struct hb_cur c = hb_cur(hb_span(data, len));
    struct hb_cert cert;
    struct hb_cert issuer;
    struct testenv t;
    struct pki_tbs tbs;
    bool differs = true;

    testenv_init(&t, 1);
    PROMISE(hb_cert_parse(pki->server_der, &cert) == HB_OK &&
            hb_cert_parse(pki->middle_der, &issuer) == HB_OK);
    pki_ocsp_tbs("middle", &pki->middle, 3, &tbs);
    uint8_t how = hb_cur_u8(&c) % 4;
    uint64_t now = TAPE_NOW + 3600u * hb_cur_u8(&c);
    struct hb_span response = hb_bld_span(&out);
    if (how == ANY_BYTES) {
        response = hb_cur_rest(&c);
    } else if (how == WHOLE) {
        differs = edits(&c, pki->staple, &changed);
        response = hb_bld_span(&changed);
    } else {
        differs = edits(&c, hb_span(tbs.p, tbs.len), &changed);
        changed.len = changed.len < 3000 ? changed.len : 3000;
        pki_ocsp_sign(&t.env, hb_bld_span(&changed), how == SIGNED_AGAIN ? &pki->middle : &pki->client, &out);
        response = hb_bld_span(&out);
    }
    uint8_t *exact = malloc(response.len > 0 ? response.len : 1);
    PROMISE(exact != NULL);
    if (response.len > 0) {
        memcpy(exact, response.p, response.len);
    }
    enum hb_code code = hb_ocsp_check(&t.env, hb_span(exact, response.len), &cert, &issuer, now);
    free(exact);
    PROMISE(code == HB_OK || hb_alert_of(code) == HB_ALERT_CERTIFICATE_REVOKED ||
            hb_alert_of(code) == HB_ALERT_BAD_CERTIFICATE_STATUS_RESPONSE);
    if (code != HB_E_X509_STAPLE && code != HB_E_X509_STAPLE_SIGNATURE && code != HB_E_X509_STAPLE_STALE &&
        how != SIGNED_AGAIN) { /* then what was signed is still there, unchanged */
        PROMISE(code == HB_OK && memmem(response.p, response.len, tbs.p, tbs.len) != NULL);
    }
    PROMISE(differs || how == BY_A_STRANGER || (code == HB_OK) == (now <= TAPE_NOW + 6 * 86400u));
    PROMISE(t.held == 0);
    return 0;
}
