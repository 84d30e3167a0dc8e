/* nntp_peer.c: the client face of NNTP (RFC 3977, STARTTLS: RFC 4642, RFC 8143).
 *
 *   200 ...  ->  CAPABILITIES  ->  [MODE READER -> CAPABILITIES]  ->  STARTTLS  ~  CAPABILITIES
 *
 * MODE READER is said before TLS if the server switches modes, since its effect lives on and it may not be
 * said behind (RFC 4642 2.2.2). Whether posting is allowed is read from the list inside TLS. */
#include "peer.h"

#include "words.h"

static void say(struct hb_peer *p, struct hb_bld *b)
{
    if (p->at != HB_AT_IDENTITY) {
        hb_bld_str(b, p->at == HB_AT_MODE ? "MODE READER\r\n" : "CAPABILITIES\r\n");
    }
}

static bool parse(struct hb_span text, unsigned *code)
{
    return hb_reply_code(text, " ", code) && *code >= 100 && *code < 600;
}

static enum hb_answer listed(struct hb_peer *p, struct hb_span text)
{
    struct hb_span word = hb_word_loose(&text);

    if (hb_span_is(word, ".")) {
        p->quiet_line = true;
        return HB_ANSWER_YES;
    }
    if (hb_span_is(word, "STARTTLS")) {
        hb_peer_note_starttls(p);
    }
    p->mode = p->mode || hb_span_is(word, "MODE-READER");
    p->posting = p->posting || hb_span_is(word, "POST");
    return HB_ANSWER_MORE;
}

static enum hb_answer refusal(unsigned code)
{
    return code == 400 ? HB_ANSWER_BYE : code < 500 ? HB_ANSWER_LATER : HB_ANSWER_NO;
}

static enum hb_answer line(struct hb_peer *p, struct hb_span text)
{
    bool lists = p->at == HB_AT_HELLO || p->at == HB_AT_LIST;
    unsigned code;

    if (p->in_list) {
        return listed(p, text);
    }
    if (!parse(text, &code)) {
        return HB_ANSWER_ODD;
    }
    if (code >= 400) {
        p->quiet_line = true; /* no part of any list */
        return refusal(code);
    }
    if (lists) {
        p->in_list = code == 101;
        p->quiet_line = true;
        return code == 101 ? HB_ANSWER_MORE : HB_ANSWER_ODD;
    }
    bool good = p->at == HB_AT_STARTTLS ? code == 382 : code == 200 || code == 201;
    return good ? HB_ANSWER_YES : HB_ANSWER_ODD;
}

static void greet(const struct hb_peer *p, struct hb_bld *b)
{
    bool no_list = hb_buf_len(&p->list[1]) == 0; /* an old server: it will say when asked */

    hb_bld_str(b, p->posting || no_list ? "200 " : "201 ");
    hb_bld_str(b, p->set->host);
    hb_bld_str(b, " ready\r\n");
}

const struct hb_peer_proto hb_peer_nntp = {
    .names = {"nntp"},
    .alpn = "nntp",
    .goodbye = "QUIT\r\n",
    .starttls = "STARTTLS\r\n",
    .list_optional = true,
    .say = say,
    .line = line,
    .greet = greet,
};
