/* smtp.h: what the parts of SMTP and LMTP share (private to the smtp*.c files). */
#ifndef HB_SMTP_H
#define HB_SMTP_H

#include "session.h"

/* What an outstanding command's reply means. */
enum hb_smtp_kind {
    HB_SMTP_OTHER = 1,
    HB_SMTP_EHLO,
    HB_SMTP_HELO,
    HB_SMTP_MAIL,
    HB_SMTP_RCPT,
    HB_SMTP_DATA,
    HB_SMTP_AUTH,
    HB_SMTP_RSET,
    HB_SMTP_QUIT,
    HB_SMTP_UNASKED, /* ours: its reply is for nobody */
    HB_SMTP_XCLIENT, /* ours: who the client is, by its certificate */
    HB_SMTP_XHELLO,  /* ours: the hello behind it */
    HB_SMTP_CONTENT  /* the message itself, behind its final dot or last chunk */
};

/* "BDAT n [LAST]" */
struct hb_smtp_bdat {
    uint64_t size;
    struct hb_span digits;
    bool last;
};

/* An answer of ours would overtake the backend's. */
bool hb_smtp_busy(const struct hb_proto_session *s);
/* Answers a command that does not go to the backend, and counts it. */
enum hb_unit hb_smtp_refuse(struct hb_proto_session *s, const char *line);
/* SMTP-07: a refused chunk's octets come all the same; they are eaten, then comes the answer. */
enum hb_unit hb_smtp_refuse_command(struct hb_proto_session *s, struct hb_span verb, struct hb_span args,
                                    const char *line);

/* False if these are not the arguments of BDAT. */
bool hb_smtp_parse_bdat(struct hb_span args, struct hb_smtp_bdat *b);
/* BDAT with good arguments, to a backend that offers it. */
enum hb_unit hb_smtp_forward_chunk(struct hb_proto_session *s, struct hb_span args);
/* Octets of a chunk, and of a message behind DATA. */
enum hb_unit hb_smtp_chunk(struct hb_proto_session *s, struct hb_span *in);
enum hb_unit hb_smtp_data(struct hb_proto_session *s, struct hb_span *in);

/* AUTH EXTERNAL, with its response or none yet; and the line that was asked for. */
enum hb_unit hb_smtp_external(struct hb_proto_session *s, struct hb_span response);
enum hb_unit hb_smtp_external_response(struct hb_proto_session *s, struct hb_span response);
/* The backend has answered XCLIENT, or the hello behind it. */
enum hb_unit hb_smtp_xclient_replied(struct hb_proto_session *s, enum hb_smtp_kind kind, unsigned code);

enum hb_unit hb_smtp_backend(struct hb_proto_session *s, struct hb_span *in);
void hb_smtp_bye(struct hb_proto_session *s, enum hb_goodbye kind);

#endif
