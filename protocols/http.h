/* http.h: what the parts of HTTP/1.1 share (private to the http*.c files). */
#ifndef HB_HTTP_H
#define HB_HTTP_H

#include "session.h"

#define HB_HTTP_TLS_TOKEN 7 /* "TLS/1.0" */

/* A request's head, as far as anybody here wants to know. Spans point into it. */
struct hb_http_request {
    struct hb_span method;
    uint64_t length;    /* of its body */
    struct hb_span tls; /* the TLS version it offers to go on in; empty: none (HTTP-01) */
    bool old;           /* HTTP/1.0 */
    bool chunked;       /* its body has no length, but chunks or worse */
    bool expects_continue, closes;
    bool credentials; /* something in it lets in who shows it */
};

/* One field of a head, and what it says about this connection or where the message ends. */
struct hb_http_field {
    struct hb_span name, value;
    struct hb_span tls; /* Upgrade: the first TLS version it names; empty: none */
    uint64_t length;    /* Content-Length */
    bool has_length, chunked;
    bool upgrades, closes; /* Connection names upgrade, close */
};

/* line: without its CRLF. False: no field, or one that two parsers could read in two ways. */
bool hb_http_parse_field(struct hb_span line, struct hb_http_field *f);
/* The first line of an answer; false: it is none. */
bool hb_http_parse_status(struct hb_span line, unsigned *status);
/* head: lines with their CRLF, without the empty one. NULL, or the status that refuses it: whatever two
 * parsers could read in two ways is refused (RFC 9112 11.2). */
const char *hb_http_parse_request(struct hb_span head, struct hb_http_request *r);
/* An answer's head; false: it is none. */
bool hb_http_parse_answer(struct hb_span head, unsigned *status);
/* The head without what concerns this connection alone (HTTP-05), and without the empty line. dropped: one
 * more field that goes, or NULL. */
HB_MUST_USE enum hb_code hb_http_strip(struct hb_buf *head, const struct hb_env *env, const char *dropped);

enum hb_unit hb_http_backend(struct hb_proto_session *s, struct hb_span *in);
void hb_http_bye(struct hb_proto_session *s, enum hb_goodbye kind);

#endif
