/* key.h: private keys from PKCS#8 (RFC 5958), SEC1 (RFC 5915) and PKCS#1 (RFC 8017 A.1.2). */
#ifndef HB_KEY_H
#define HB_KEY_H

#include "../crypto/crypto.h"

/* The first private key of a PEM text; certificates and EC PARAMETERS blocks before it are skipped. *key is
 * the caller's. Decoded bytes are wiped. HB_E_PEM_*, HB_E_KEY_*: see their sentences. */
HB_MUST_USE enum hb_code hb_key_from_pem(const struct hb_env *env, struct hb_span pem,
                                         struct hb_privkey **key);
/* The same of a file in PEM, or in DER from its first byte to its last, in any of the three wrappings. */
HB_MUST_USE enum hb_code hb_key_from_file(const struct hb_env *env, struct hb_span file,
                                          struct hb_privkey **key);

#endif
