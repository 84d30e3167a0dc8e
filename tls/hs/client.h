/* hs/client.h: what the client's files share. */
#ifndef HB_CLIENT_H
#define HB_CLIENT_H

#include "../wire/answer.h"
#include "hs.h"

/* hello.c: writes the ClientHello (the first or the second one), binder included, and sends it. */
HB_MUST_USE enum hb_code hb_client_send_hello(struct hb_tls *t);
/* What was asked for, as enum hb_ask. */
unsigned hb_client_asked(const struct hb_tls *t);

/* client13.c: a ServerHello of TLS 1.3, or a HelloRetryRequest, already parsed. */
HB_MUST_USE enum hb_code hb_client13_hello(struct hb_tls *t, const struct hb_answer *a, uint8_t *next);
/* client12.c */
HB_MUST_USE enum hb_code hb_client12_hello(struct hb_tls *t, const struct hb_answer *a, uint8_t *next);

/* Answers both versions have. */
HB_MUST_USE enum hb_code hb_client_take_answers(struct hb_tls *t, const struct hb_answer *a);
/* True if the suite was offered and goes with this version. */
const struct hb_suite *hb_client_suite(const struct hb_tls *t, uint16_t id, uint16_t version);
/* A session to be kept for next time: tells the caller of the engine. */
void hb_client_keep(struct hb_tls *t, struct hb_session *s, struct hb_span ticket);
/* This connection as a session, without its secret. */
void hb_client_session(const struct hb_tls *t, struct hb_session *s);
/* NewSessionTicket on an open TLS 1.3 connection. */
HB_MUST_USE enum hb_code hb_client13_ticket(struct hb_tls *t, struct hb_span body);

#endif
