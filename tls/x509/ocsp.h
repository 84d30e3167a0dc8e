/* ocsp.h: stapled OCSP responses (RFC 6960, OCSP-01). */
#ifndef HB_OCSP_H
#define HB_OCSP_H

#include "cert.h"

/* Judges a response about cert, which issuer signed: status good, in time, signed by the issuer or by a
 * responder the issuer appointed. HB_E_X509_REVOKED, or HB_E_X509_STAPLE... for everything else that is not
 * good. */
HB_MUST_USE enum hb_code hb_ocsp_check(const struct hb_env *env, struct hb_span response,
                                       const struct hb_cert *cert, const struct hb_cert *issuer,
                                       uint64_t now);

/* When a response may be shown, seconds since 1970, both ends included. */
struct hb_ocsp_window {
    uint64_t from, until;
};

/* The same judgement of a response that we are to show to others, about a certificate of ours, and when it
 * may be shown. issuer may be NULL if nobody has its certificate: then neither the signature nor the issuer's
 * key is compared. */
HB_MUST_USE enum hb_code hb_ocsp_window(const struct hb_env *env, struct hb_span response,
                                        const struct hb_cert *cert, const struct hb_cert *issuer,
                                        uint64_t now, struct hb_ocsp_window *window);

#endif
