/* http_peer.c: the client face of HTTP/1.1 with Upgrade to TLS (RFC 2817 3.2, RFC 9110 7.8).
 *
 *   OPTIONS *, Upgrade: TLS  ->  101  ~  the answer to OPTIONS *
 *
 * The server waits to be asked, so our one request is the upgrade itself; OPTIONS * asks for nothing and
 * changes nothing. Its answer comes inside TLS and is ours: it is read to its last octet, what follows is the
 * session's. Invariants: an answer whose end cannot be told (chunks, two lengths) is no answer; the line of a
 * 101 that names no TLS is no go-ahead; nothing that was heard is handed on. */
#include "http.h"
#include "peer.h"

#include "words.h"

#define NO_CODE 0u

/* ---- saying ---- */

static void say(struct hb_peer *p, struct hb_bld *b)
{
    if (p->at != HB_AT_STARTTLS && p->at != HB_AT_LIST) {
        return;
    }
    const char *name = p->set->server != NULL ? p->set->server : p->set->host;
    bool v6 = strchr(name, ':') != NULL;

    hb_bld_str(b, v6 ? "OPTIONS * HTTP/1.1\r\nHost: [" : "OPTIONS * HTTP/1.1\r\nHost: ");
    hb_bld_str(b, name);
    hb_bld_str(b, v6 ? "]" : "");
    hb_bld_str(b, p->at == HB_AT_STARTTLS
                      ? "\r\nUpgrade: TLS/1.2, TLS/1.1, TLS/1.0\r\nConnection: Upgrade\r\n\r\n"
                      : "\r\n\r\n");
}

/* ---- hearing ---- */

static enum hb_answer status_line(struct hb_peer *p, struct hb_span text)
{
    unsigned code;

    if (!hb_http_parse_status(text, &code)) {
        return HB_ANSWER_ODD;
    }
    p->facts.greeted = true;
    p->code = (uint16_t)code;
    p->http = (struct hb_peer_http){.bodyless = code < 200 || code == 204 || code == 304};
    return HB_ANSWER_MORE;
}

static enum hb_answer field(struct hb_peer *p, struct hb_span text)
{
    struct hb_http_field f;

    if (!hb_http_parse_field(text, &f)) {
        return HB_ANSWER_ODD;
    }
    p->http.tls = p->http.tls || f.tls.len > 0;
    p->http.closes = p->http.closes || f.closes;
    p->http.endless = p->http.endless || f.chunked || (f.has_length && p->http.has_length);
    if (f.has_length) {
        p->http.has_length = true;
        p->http.length = f.length;
    }
    return HB_ANSWER_MORE;
}

/* 101: the head must say that it is TLS we go on in. What else answers it in clear refuses. */
static enum hb_answer go_ahead(struct hb_peer *p)
{
    if (p->http.tls) {
        hb_peer_note_starttls(p);
    }
    if (p->code == 101) {
        return p->http.tls ? HB_ANSWER_YES : HB_ANSWER_ODD;
    }
    return p->code == 503 ? HB_ANSWER_LATER : HB_ANSWER_NO;
}

/* An answer that came to us: any will do, if the connection goes on behind it. Where we only look, the head
 * was all we wanted to see. */
static enum hb_answer answered(struct hb_peer *p)
{
    if (p->code == 101) {
        return HB_ANSWER_ODD;
    }
    if (p->code == 503) {
        return HB_ANSWER_LATER;
    }
    if (p->at == HB_AT_LIST) {
        return HB_ANSWER_YES;
    }
    if (p->http.closes) {
        return HB_ANSWER_BYE;
    }
    if (!p->http.bodyless && (p->http.endless || !p->http.has_length)) {
        return HB_ANSWER_ODD;
    }
    p->literal = p->http.bodyless ? 0 : p->http.length;
    p->in_list = true;
    return HB_ANSWER_YES;
}

static enum hb_answer line(struct hb_peer *p, struct hb_span text)
{
    p->quiet_line = true;
    if (p->code == NO_CODE) {
        return status_line(p, text);
    }
    if (text.len > 0) {
        return field(p, text);
    }
    if (p->code < 200 && p->code != 101) { /* RFC 9110 15.2: the answer is still to come */
        p->code = NO_CODE;
        return HB_ANSWER_MORE;
    }
    return p->at == HB_AT_STARTTLS ? go_ahead(p) : answered(p);
}

const struct hb_peer_proto hb_peer_http = {
    .names = {"http"},
    .alpn = "http/1.1",
    .goodbye = "",
    .waits = true,
    .greets_again = true,
    .say = say,
    .line = line,
};
