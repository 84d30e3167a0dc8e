/* parts.h: what the files of this folder know of each other (nobody else includes it). */
#ifndef HB_CONN_PARTS_H
#define HB_CONN_PARTS_H

#include "conn.h"

/* conn.c */

/* Frees and wipes what only an open connection holds for a while. */
void hb_conn_free_post(struct hb_tls *t);
/* Both directions' keys and secrets, the lane's cipher contexts included. */
void hb_conn_drop_keys(struct hb_tls *t);

/* receive.c */

/* Takes one record from the input. *more: one was there; *data: what it held, if that was data. */
HB_MUST_USE enum hb_code hb_conn_take_record(struct hb_tls *t, struct hb_span *data, bool *more);

/* messages.c */

/* A handshake message has begun and is not complete. */
bool hb_conn_in_pieces(const struct hb_tls *t);
/* Delivers the complete messages of bytes; *used: how many bytes those were. */
HB_MUST_USE enum hb_code hb_conn_deliver(struct hb_tls *t, struct hb_span bytes, size_t *used);
/* Content of a handshake record, before READY and after it. */
HB_MUST_USE enum hb_code hb_conn_on_handshake(struct hb_tls *t, struct hb_span bytes);
HB_MUST_USE enum hb_code hb_conn_on_post_handshake(struct hb_tls *t, struct hb_span bytes);

/* send.c */

void hb_conn_alert(struct hb_tls *t, uint8_t level, uint8_t alert);
/* The end: the code's alert leaves, once, and every key is dropped. Later failures change nothing. */
void hb_conn_fail(struct hb_tls *t, enum hb_code code);

#endif
