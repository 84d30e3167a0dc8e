/* smtp.h: what the two halves of SMTP share (private to smtp.c and smtp_reply.c). */
#ifndef HB_SMTP_H
#define HB_SMTP_H

#include "session.h"

/* What an outstanding command's reply means. */
enum hb_smtp_kind {
    HB_SMTP_OTHER = 1,
    HB_SMTP_EHLO,
    HB_SMTP_HELO,
    HB_SMTP_MAIL,
    HB_SMTP_DATA,
    HB_SMTP_AUTH,
    HB_SMTP_RSET,
    HB_SMTP_QUIT,
    HB_SMTP_CONTENT /* the message itself, behind its final dot or last chunk */
};

enum hb_unit hb_smtp_backend(struct hb_proto_session *s, struct hb_span *in);
void hb_smtp_bye(struct hb_proto_session *s, enum hb_goodbye kind);

#endif
