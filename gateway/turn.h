/* turn.h: what the files of a session share (session*.c): the steps of a turn, see session.c. */
#ifndef GW_TURN_H
#define GW_TURN_H

#include "session.h"

/* ---- session.c ---- */

/* The session ends, for this reason; the first one counts. settle() does the rest. */
void gw_turn_end(struct gw_session *s, enum hb_code why);
/* Both handles are closed: the memory goes. */
void gw_turn_free(struct gw_session *s);
void gw_turn_close_client(struct gw_session *s, bool reset);
/* The end of every turn: sends what was gathered, moves the session on, starts or stops reading. */
void gw_turn_settle(struct gw_session *s);

/* ---- session_begin.c ---- */

/* It is known who is there: the first word, or the handshake. */
void gw_turn_begin(struct gw_session *s);
/* The backend refused so many logins. */
void gw_turn_logins_failed(struct gw_session *s, unsigned num);
/* Its time in the tarpit is over. */
void gw_turn_stall_over(struct gw_session *s);

/* ---- session_feed.c ---- */

/* The protocol's way to both sides, in mem. */
const struct hb_proto_sink *gw_turn_sink(struct gw_session *s, struct hb_proto_sink *mem);
/* Keeps bytes of e that nobody takes yet. */
void gw_turn_hold(struct gw_session *s, struct gw_end *e, struct hb_span rest);
/* Bytes of one side, as far as they are taken; the rest is held. */
void gw_turn_feed(struct gw_session *s, enum hb_proto_side from, struct hb_span bytes);
/* Offers a side's held bytes again; true if that moved anything. */
bool gw_turn_feed_held(struct gw_session *s, enum hb_proto_side from);
void gw_turn_connect(struct gw_session *s);
/* Does what the protocol asked for; rest: what it did not take. */
void gw_turn_carry(struct gw_session *s, enum hb_proto_side from, struct hb_proto_step step,
                   struct hb_span rest);

/* ---- session_client.c, session_backend.c ---- */

/* UPGRADING, and every plaintext byte is with the kernel. */
void gw_turn_begin_tls(struct gw_session *s);
void gw_turn_alloc_client(uv_handle_t *handle, size_t suggested, uv_buf_t *buf);
void gw_turn_client_read(uv_stream_t *stream, ssize_t n, const uv_buf_t *buf);
void gw_turn_alloc_backend(uv_handle_t *handle, size_t suggested, uv_buf_t *buf);
void gw_turn_backend_read(uv_stream_t *stream, ssize_t n, const uv_buf_t *buf);

#endif
