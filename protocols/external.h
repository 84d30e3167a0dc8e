/* external.h: SASL EXTERNAL (RFC 4422 appendix A), where the client's certificate says who it is.
 *
 * The gateway has verified the certificate; the backend cannot see it. So the mechanism is the gateway's: it
 * is listed inside TLS for who has a certificate with an identity, the response is judged here, and the
 * backend is logged in to with PLAIN as a master user who becomes that identity (SASL-02 to SASL-04).
 *
 *   client: AUTHENTICATE EXTERNAL [response]    -> ASKED if there is no response
 *   backend: AUTHENTICATE PLAIN                    FORWARDED
 *   backend's challenge -> the master's message    ANSWERED; its verdict is the client's
 *
 * With HB_EXTERNAL_XCLIENT it is XCLIENT LOGIN that names them (smtp_external.c). With HB_EXTERNAL_PASS the
 * backend has been told of the certificate (PROXY v2), and its own EXTERNAL passes like any other mechanism.
 * Invariants: the master's password goes to the backend alone, and only once it has asked for it; no identity
 * but the certificate's is ever sent. */
#ifndef HB_EXTERNAL_H
#define HB_EXTERNAL_H

#include "session.h"

#define HB_EXTERNAL_NAME_MAX 255u /* RFC 4616 2 */

enum hb_external_step { HB_EXT_NONE, HB_EXT_ASKED, HB_EXT_FORWARDED, HB_EXT_ANSWERED };

enum hb_external_verdict { HB_EXT_YES, HB_EXT_NO, HB_EXT_CANCELLED, HB_EXT_SYNTAX };

/* The client may log in with it, by us or by the backend. */
bool hb_external_known(const struct hb_proto_session *s);
/* ...by us: what follows are steps of ours. */
bool hb_external_ours(const struct hb_proto_session *s);
/* The command may be taken: not twice by us, and never as our own identity. */
bool hb_external_allowed(const struct hb_proto_session *s);
/* It is to be added to the list of mechanisms that the client sees now. */
bool hb_external_added(const struct hb_proto_session *s);
/* The backend's challenges are for us. */
bool hb_external_forwarded(const struct hb_proto_session *s);
/* The client's response: base64, "=" or nothing for an empty one, "*" for none at all. */
enum hb_external_verdict hb_external_judge(struct hb_proto_session *s, struct hb_span response);
/* The same, not encoded (ACAP). */
enum hb_external_verdict hb_external_judge_name(struct hb_proto_session *s, struct hb_span authzid);
/* The client may: asks the backend for PLAIN, in the protocol's words behind the tag, if there is one. kind:
 * of the answer in the queue. */
enum hb_unit hb_external_forward(struct hb_proto_session *s, uint8_t kind, struct hb_span tag,
                                 const char *plain);
/* The backend asks: the master's message in base64 with `quote` on both sides, as a line. If it asks again,
 * the exchange is cancelled. */
void hb_external_answer(struct hb_proto_session *s, const char *quote);
/* The same as a literal, not encoded (ACAP). */
void hb_external_answer_literal(struct hb_proto_session *s);

#endif
