/* hs/auth.h: the peer's certificate: taken, judged, and its signature checked; and our own, when asked. Both
 * roles, both versions. */
#ifndef HB_AUTH_H
#define HB_AUTH_H

#include "hs.h"

/* Takes a Certificate message into hs->chain (and a staple of TLS 1.3 into hs->staple). *empty: none was
 * sent, which the caller judges. */
HB_MUST_USE enum hb_code hb_auth_take_chain(struct hb_tls *t, struct hb_span body, bool *empty);
/* Judges hs->chain by the config and keeps the key and the identity. Then, if the caller wants to judge too,
 * *next becomes wait, else done. */
HB_MUST_USE enum hb_code hb_auth_judge(struct hb_tls *t, uint8_t done, uint8_t wait, uint8_t *next);
/* The caller's verdict. */
HB_MUST_USE enum hb_code hb_auth_verdict(struct hb_tls *t);
/* Takes scheme and signature from c, and checks the signature over input with the peer's key. */
HB_MUST_USE enum hb_code hb_auth_check_signature(struct hb_tls *t, struct hb_cur *c, struct hb_span input);
/* RFC 8446 4.4.3: 64 spaces, the context, a zero, the transcript's hash, into hs->sign_input. */
void hb_auth_input13(struct hb_tls *t, bool server);
/* Our Certificate message; empty without hs->choice.cred. TLS 1.3: with a staple if the peer asked. */
HB_MUST_USE enum hb_code hb_auth_put_chain(struct hb_tls *t);
HB_MUST_USE enum hb_code hb_auth_put_signature(struct hb_tls *t);
/* The list of schemes we accept, u16 each behind their length. */
void hb_auth_put_schemes(const struct hb_tls_config *config, struct hb_bld *b);
/* Client: chooses a certificate for a CertificateRequest's schemes; none if nothing fits. */
void hb_auth_choose(struct hb_tls *t, struct hb_span schemes);

#endif
