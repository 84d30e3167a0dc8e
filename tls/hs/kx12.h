/* hs/kx12.h: the key exchanges of TLS 1.2 and before: ECDHE, DHE, RSA, and with PSK: what differs between
 * them, and nothing else. The premaster secret never leaves kx12.c but into the master secret. */
#ifndef HB_KX12_H
#define HB_KX12_H

#include "hs.h"

/* Server: makes our half and writes the parameters of ServerKeyExchange; nothing for RSA. */
HB_MUST_USE enum hb_code hb_kx12_put_params(struct hb_tls *t, struct hb_bld *b);
/* True if there is a ServerKeyExchange, and if it is signed. */
bool hb_kx12_has_params(const struct hb_tls *t);
bool hb_kx12_is_signed(const struct hb_tls *t);
/* Server: reads a ClientKeyExchange and derives the master secret and the key block. */
/* *later: the premaster secret must be decrypted by somebody else; hb_kx12_take_premaster() goes on. */
HB_MUST_USE enum hb_code hb_kx12_take_client(struct hb_tls *t, struct hb_span body, bool *later);
HB_MUST_USE enum hb_code hb_kx12_take_premaster(struct hb_tls *t);
/* Client: reads the parameters from c (leaving the signature); *params: their bytes. */
HB_MUST_USE enum hb_code hb_kx12_take_params(struct hb_tls *t, struct hb_cur *c);
/* Client: writes the ClientKeyExchange message and derives the master secret and the key block. */
HB_MUST_USE enum hb_code hb_kx12_put_client(struct hb_tls *t);
/* Key block from the master secret: at once when a session is resumed. */
void hb_kx12_keys(struct hb_tls *t);
/* Installs one direction's keys. server: those the server writes with. */
HB_MUST_USE enum hb_code hb_kx12_install(struct hb_tls *t, struct hb_rec_dir *d, bool server);
/* The 12 bytes of a Finished over what is in the transcript. */
void hb_kx12_verify_data(struct hb_tls *t, bool server, uint8_t dst[HB_VERIFY12_LEN]);

#endif
