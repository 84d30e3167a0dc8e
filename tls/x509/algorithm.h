/* algorithm.h: AlgorithmIdentifiers of X.509, PKCS#8 and OCSP as rows of tls/crypto. */
#ifndef HB_ALGORITHM_H
#define HB_ALGORITHM_H

#include "../crypto/crypto.h"
#include <hb/cursor.h>

/* AlgorithmIdentifier of a key: its kind, from SubjectPublicKeyInfo or PKCS#8. false: not one we know. */
bool hb_key_algorithm(struct hb_cur *c, enum hb_key_kind *kind);
/* The scheme a signature's AlgorithmIdentifier names: its OID, and a cursor at its parameters. NULL: not
 * accepted. */
const struct hb_sigalg *hb_cert_signature_scheme(struct hb_span oid, struct hb_cur params);

#endif
