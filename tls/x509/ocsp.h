/* ocsp.h: stapled OCSP responses (RFC 6960, OCSP-01). */
#ifndef HB_OCSP_H
#define HB_OCSP_H

#include "cert.h"

/* Judges a response about cert, which issuer signed: status good, in time, signed by the issuer or by a
 * responder the issuer appointed. HB_E_X509_REVOKED, or HB_E_X509_STAPLE for everything else that is not
 * good. */
HB_MUST_USE enum hb_code hb_ocsp_check(const struct hb_env *env, struct hb_span response,
                                       const struct hb_cert *cert, const struct hb_cert *issuer,
                                       uint64_t now);

#endif
