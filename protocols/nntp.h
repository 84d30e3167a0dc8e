/* nntp.h: what the two halves of NNTP share (private to nntp.c and nntp_backend.c). */
#ifndef HB_NNTP_H
#define HB_NNTP_H

#include "session.h"

/* What an outstanding command's reply means. */
enum hb_nntp_kind {
    HB_NNTP_OTHER = 1,
    HB_NNTP_LISTING, /* LISTGROUP and XGTITLE: there is a list behind 211 and 282 */
    HB_NNTP_CAPABILITIES,
    HB_NNTP_USER, /* AUTHINFO USER and PASS */
    HB_NNTP_SASL,
    HB_NNTP_POST,    /* 340 asks for the article */
    HB_NNTP_IHAVE,   /* so does 335 */
    HB_NNTP_ARTICLE, /* the article itself, behind its final dot */
    HB_NNTP_READER,
    HB_NNTP_STREAM,
    HB_NNTP_COMPRESS,
    HB_NNTP_QUIT
};

enum hb_unit hb_nntp_backend(struct hb_proto_session *s, struct hb_span *in);
void hb_nntp_bye(struct hb_proto_session *s, enum hb_goodbye kind);
/* What the client says behind such a command depends on its reply, and on no other. */
bool hb_nntp_decides(uint8_t kind);
/* An answer of ours would overtake the backend's, or stand in the middle of one. */
bool hb_nntp_busy(const struct hb_proto_session *s);

#endif
