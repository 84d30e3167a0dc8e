/* constraints.h: name constraints of authorities (RFC 5280 4.2.1.10). */
#ifndef HB_CONSTRAINTS_H
#define HB_CONSTRAINTS_H

#include "cert.h"

/* Judges all names of cert by the NameConstraints of ca, an authority above it. *work is counted down for
 * every comparison; at zero: HB_E_X509_TOO_MUCH_WORK. */
HB_MUST_USE enum hb_code hb_constraints_check(const struct hb_cert *ca, const struct hb_cert *cert,
                                              unsigned *work);

#endif
