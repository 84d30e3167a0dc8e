/* hs/server.h: what the two versions of the server share. */
#ifndef HB_SERVER_H
#define HB_SERVER_H

#include "hs.h"

/* Parses a ClientHello into hs->offer and decides hs->choice; a second one must repeat the first (T13-05). */
HB_MUST_USE enum hb_code hb_server_read_hello(struct hb_tls *t, struct hb_span body);
/* Answers that stand in both versions' messages, in EncryptedExtensions or ServerHello. */
void hb_server_put_answers(struct hb_tls *t, struct hb_bld *b);

#endif
