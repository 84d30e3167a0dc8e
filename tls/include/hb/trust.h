/* trust.h: the certificates of authorities we believe (PKI-03). Filled once, immutable afterwards, shared by
 * reference count. */
#ifndef HB_TRUST_H
#define HB_TRUST_H

#include <hb/env.h>
#include <hb/err.h>
#include <hb/span.h>

struct hb_trust;

/* NULL: out of memory. One reference. */
struct hb_trust *hb_trust_new(const struct hb_env *env);
struct hb_trust *hb_trust_ref(struct hb_trust *trust);
void hb_trust_free(struct hb_trust **trust);
/* Adds every CERTIFICATE block of a bundle (copied), or the one certificate of a file in DER. Damaged ones
 * and those with keys we do not know are skipped and counted in *skipped. HB_E_PEM_NONE if none was added. */
HB_MUST_USE enum hb_code hb_trust_add_pem(struct hb_trust *trust, struct hb_span pem, unsigned *added,
                                          unsigned *skipped);
/* Adds one certificate by its DER, copied. HB_E_DER and its kin if it is none that we understand. */
HB_MUST_USE enum hb_code hb_trust_add_der(struct hb_trust *trust, struct hb_span der);
size_t hb_trust_count(const struct hb_trust *trust);

#endif
